"""Find problems in a model's layers, such as vanishing gradients, from the measures that were logged.

A finding is about one call of a layer. It compares a number with a threshold. The number is the median over the later
half of the logged steps, at least LEAST_STEPS of them. Thresholds are ratios between layers of one model, or shares of
a layer's units or entries.

The thresholds of "vanishing" and "examples alike" are numbers of depth scales. Over a depth scale xi, in layers, the
squared error and 1 - cosine of two examples shrink by a factor e (Schoenholz et al. 2017). With adaptive optimisers,
the study's networks trained to a depth of about 24 such scales (20 to 28); with SGD, to 3 to 5 in 480 updates. The
threshold for SGD is 12, twice the paper's 6: layers such as pooling shrink the error too, and longer training allows
deeper networks.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd

from study.monitor.probing import Probe
from study.monitor.tapping import Call

LEAST_STEPS = 3  # logged steps that findings need
DEPTH_SCALES = {True: 12.0, False: 24.0}  # by whether all optimisers are SGD
EXPLODING_RATIO = 1e3  # times the last layer's error, or the other layers' largest gradient relative to weights
MOST_DEAD, MOST_SATURATED = 0.75, 0.9  # shares; networks of the study that learnt had up to 0.69 and 0.87
NOT_LEARNING_RATIO = 1e-5  # times the median layer's update ratio
LEAST_UNITS = 8  # pre-activations of fewer units have cosines near 1 by chance
ROUNDING_FACTOR = 100  # times `epsilon` of `layer_facts`: a smaller ratio of gradients is 0 but for rounding

HELP = {
    "vanishing": "batch normalisation rescued every deep network of the study; scaled residual connections and "
    "critical initialisation (for ReLU: He) rescued ReLU, GELU and Swish, a centred one the sigmoid",
    "exploding": "residual branches divided by sqrt(2 x layers), and critical initialisation, kept the study's deep "
    "networks finite; recurrent layers and clipping were not studied",
    "dead": "a lower learning rate: below 0.003 the study lost few of ReLU's units, at 0.1 nearly all; GELU and Swish "
    "lost none at rates where ReLU did",
    "saturated": "an activation that is not bounded (ReLU, GELU, Swish), or a lower learning rate",
    "not learning": "check that the loss depends on the layer, that its gradient is above 0, and the learning rate",
    "examples alike": "fewer layers, batch normalisation or a centred initialisation kept the study's images apart",
    "zero by design": "nothing to mend: the layer that follows takes this bias out again, so its gradient is 0 but for "
    "rounding; use_bias=False saves it",
}  # fmt: skip
COLUMNS = ["layer", "call", "finding", "number", "threshold", "theory", "step", "help"]


def layer_facts(probe: Probe, predicted: Sequence[float]) -> pd.DataFrame:
    """Describe the layers of `probe` in a frame with one row per call, in the order of `probe.calls`.

    `predicted` is the result of `theory.ratios_to_last` for these calls. The columns are:

    - layer, call: the layer's name, and the number of its call from 1.
    - has_kernel: whether a weight has two axes or more. units: the size of the first weight's last axis, or 0 without
      such a weight.
    - norm_factor: the square root of the number of entries in the layer's weights, without its biases.
    - is_hidden: whether another layer takes the output, and no functional model returns it.
    - is_embedding: whether the layer is an Embedding. is_trainable: whether the model trains one of its weights other
      than biases. saturates: whether the activation is flat at both ends, as a sigmoid.
    - has_zero_bias: whether the gradient of the bias is 0 by design.
    - epsilon: the relative error of rounding that is allowed for, 2^-10 if the layer computes in 16 bits, otherwise
      2^-23. theory: the call's entry in `predicted`.
    """
    ends = {id(operation) for model in probe.layers for operation in _output_layers(model)}
    keys = {id(layer._key_dense) for layer in probe.layers if hasattr(layer, "_key_dense")}
    rows = []
    for call, ratio in zip(probe.calls, predicted, strict=True):
        layer, kernels = call.watched.layer, call.watched.kernels
        has_kernel = any(len(kernel.shape) > 1 for kernel in kernels)
        rows.append(
            {
                "layer": call.watched.name,
                "call": call.number,
                "has_kernel": has_kernel,
                "units": kernels[0].shape[-1] if has_kernel else 0,
                "norm_factor": math.sqrt(sum(math.prod(kernel.shape) for kernel in kernels)),
                "is_hidden": bool(call.consumers) and id(layer) not in ends,
                "is_embedding": isinstance(layer, keras.layers.Embedding),
                "saturates": call.watched.activation is not None and call.watched.activation.saturates,
                "is_trainable": probe.is_trainable(call.watched),
                "has_zero_bias": id(layer) in keys or _is_normalised(call),
                "epsilon": 2.0**-10 if "16" in layer.compute_dtype else 2.0**-23,
                "theory": ratio,
            }
        )
    return pd.DataFrame(rows)


def diagnose(frame: pd.DataFrame, facts: pd.DataFrame, is_sgd: bool) -> pd.DataFrame:
    """Return the problems found in one fit: a frame of COLUMNS with a row per problem and call; no rows if none.

    `frame` has the rows of one fit, as `GradientLogger.to_frame` returns them. `facts` is the result of `layer_facts`.
    `is_sgd` tells that every optimiser is SGD, which sets the thresholds about depth. The numbers are medians over the
    logged steps from `step` on. Steps that mixed precision would skip are left out. Return no rows if fewer than
    LEAST_STEPS remain.
    """
    steps = np.sort(frame.loc[~frame["is_skipped"], "step"].unique())
    if len(steps) < LEAST_STEPS:
        return pd.DataFrame(columns=COLUMNS)
    later = steps[-max(LEAST_STEPS, len(steps) // 2) :]
    rows = frame[frame["step"].isin(later) & ~frame["is_skipped"]]
    typical = rows.groupby(["layer", "call"]).median(numeric_only=True)
    layers = facts.merge(typical.reset_index(), on=["layer", "call"], how="left")
    found = _not_finite_findings(rows, layers)
    if rows["is_finite"].any():  # else the measures are NaN, and tell nothing about single layers
        found += [
            *_depth_findings(layers, math.exp(-DEPTH_SCALES[is_sgd] / 2)),
            *_alike_findings(layers, math.exp(-DEPTH_SCALES[is_sgd])),
            *_unit_findings(layers),
            *_update_findings(layers),
            *_zero_bias_findings(layers),
        ]
    findings = pd.DataFrame(found, columns=["layer", "call", "finding", "number", "threshold", "theory"])
    return findings.assign(step=later[0], help=findings["finding"].map(HELP))[COLUMNS]


def findings_text(findings: pd.DataFrame, frame: pd.DataFrame) -> str:
    """Return the text that the logger prints after training: a heading, then one line for each kind of finding.

    `findings` is the result of `diagnose`, and `frame` holds the rows that `diagnose` was given. "zero by design" is
    left out, because it is not a problem. A line names the layers, the number and threshold of the first layer, and the
    help.
    """
    steps, layers = frame["step"].nunique(), frame["layer"].nunique()
    head = f"logged {steps} step{'s' * (steps != 1)} of {layers} layers"
    wrong = findings[findings["finding"] != "zero by design"]
    if wrong.empty:
        few = f" (too few to judge; {LEAST_STEPS} are needed)" if steps < LEAST_STEPS else ""
        return f"{head}, nothing found{few}"
    lines = [
        f"  {finding}: {', '.join(part['layer'].unique())} ({part['number'].iloc[0]:.2g}, "
        f"threshold {part['threshold'].iloc[0]:.2g}); {HELP[finding]}"
        for finding, part in wrong.groupby("finding", sort=False)
    ]
    return "\n".join([head, *lines])


def _finding(row: Any, finding: str, number: float, threshold: float, theory: float = math.nan) -> tuple[Any, ...]:
    # Return a row of COLUMNS without step and help; `row` is a row of `layers` in `_not_finite_findings`.
    return row.layer, row.call, finding, number, threshold, theory


def _not_finite_findings(rows: pd.DataFrame, layers: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Return one finding, "exploding", if gradients are not finite; otherwise an empty list.

    The finding names the layer with the largest median gradient relative to the root mean square of its weights. `rows`
    are the logged rows that `diagnose` uses. `layers`, here and below, has one row per call, with the columns of
    `layer_facts` and the medians of the measures.
    """
    if rows["is_finite"].all():
        return []
    gradients = (layers["weight_gradient"] / layers["weight_rms"]).where(layers["has_kernel"])
    place = gradients.idxmax() if gradients.notna().any() else 0
    return [_finding(layers.loc[place], "exploding", math.inf, EXPLODING_RATIO)]


def _depth_findings(layers: pd.DataFrame, vanishing_ratio: float) -> list[tuple[Any, ...]]:
    """Find "vanishing" and "exploding" layers by their error relative to the last layer's error.

    The threshold for "vanishing" is `vanishing_ratio`. Only the first layers count, up to the first layer whose error
    is within the threshold. A small error further on belongs to a side branch. A layer is also "exploding" if its
    gradient, relative to the norm of its weights, is EXPLODING_RATIO times the largest among the other layers.
    """
    errors = layers[layers["has_kernel"] & layers["error"].notna()]
    found: list[tuple[Any, ...]] = []
    if len(errors) > 1 and (last := errors["error"].iloc[-1]) > 0:
        ratios = errors["error"] / last
        for name, is_far, threshold in (
            ("vanishing", ratios < vanishing_ratio, vanishing_ratio),
            ("exploding", ratios > EXPLODING_RATIO, EXPLODING_RATIO),
        ):
            first = errors[is_far.cummin()]
            found += [_finding(row, name, row.error / last, threshold, row.theory) for row in first.itertuples()]
    kernels = layers[layers["has_kernel"] & layers["weight_gradient"].notna()]
    gradients = kernels["weight_gradient"] / (kernels["weight_rms"] * kernels["norm_factor"])
    for row, number in zip(kernels.itertuples(), gradients, strict=True):
        others = gradients.drop(row.Index).max()
        if number > EXPLODING_RATIO * others and row.layer not in [layer for layer, *_ in found]:
            found.append(_finding(row, "exploding", number / others, EXPLODING_RATIO))
    return found


def _alike_findings(layers: pd.DataFrame, alike_ratio: float) -> list[tuple[Any, ...]]:
    """Find hidden layers whose examples are alike: 1 - cosine of their pre-activations is small.

    It is small below `alike_ratio` times its value in the first layer. Layers of fewer than LEAST_UNITS units, and
    embeddings, do not count.
    """
    known = layers[layers["has_kernel"] & ~layers["is_embedding"] & layers["similarity"].notna()]
    apart = 1 - known["similarity"]
    if known.empty or not apart.iloc[0] > 0:
        return []
    is_alike = (apart / apart.iloc[0] < alike_ratio) & known["is_hidden"] & (known["units"] >= LEAST_UNITS)
    ratios = (apart / apart.iloc[0])[is_alike]
    return [
        _finding(row, "examples alike", number, alike_ratio)
        for row, number in zip(known[is_alike].itertuples(), ratios, strict=True)
    ]


def _unit_findings(layers: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Find hidden layers with too many dead units, or with too many saturated entries of a bounded activation."""
    dead = layers[(layers["dead_units"] > MOST_DEAD) & layers["is_hidden"]]
    saturated = layers[(layers["saturation"] > MOST_SATURATED) & layers["saturates"] & layers["is_hidden"]]
    return [
        *(_finding(row, "dead", row.dead_units, MOST_DEAD) for row in dead.itertuples()),
        *(_finding(row, "saturated", row.saturation, MOST_SATURATED) for row in saturated.itertuples()),
    ]


def _update_findings(layers: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Find trainable layers that do not learn: without a gradient, or with an update ratio below the threshold.

    The threshold is NOT_LEARNING_RATIO times the median layer's ratio, but at least 2^-24, because float32 rounds
    smaller updates away.
    """
    trainable = layers[layers["is_trainable"] & (layers["call"] == 1)]
    median = trainable.loc[trainable["has_kernel"], "update_ratio"].median()
    found = []
    for row in trainable.itertuples():
        threshold = max(2.0**-24, NOT_LEARNING_RATIO * (0 if math.isnan(median) else median))
        if math.isnan(row.weight_gradient) or row.weight_gradient == 0:
            found.append(_finding(row, "not learning", 0.0, 0.0))
        elif row.has_kernel and row.update_ratio < threshold:
            found.append(_finding(row, "not learning", row.update_ratio, threshold))
    return found


def _zero_bias_findings(layers: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Find biases whose gradient is 0 but for rounding, because a later operation cancels what the bias adds."""
    ratios = layers["bias_gradient"] / layers["weight_gradient"]
    is_zero = layers["has_zero_bias"] & (ratios < ROUNDING_FACTOR * layers["epsilon"])
    return [
        _finding(row, "zero by design", ratios[row.Index], ROUNDING_FACTOR * row.epsilon)
        for row in layers[is_zero].itertuples()
    ]


def _is_normalised(call: Call) -> bool:
    """Tell whether the output of `call` goes to trainable batch normalisations alone, at least one."""
    consumers = call.consumers
    is_batch = [isinstance(each, keras.layers.BatchNormalization) and each.trainable for each in consumers]
    return bool(is_batch) and all(is_batch)


def _output_layers(model: Any) -> list[Any]:
    """Return the layers whose outputs a functional `model` returns; an empty list for anything else."""
    if not isinstance(model, keras.Model) or not hasattr(model, "outputs"):
        return []
    return [tensor._keras_history.operation for tensor in model.outputs]
