"""Find problems in a model's layers, such as vanishing gradients, from the measures that were logged.

A finding is about one call of a layer. It compares a number with a threshold. The number is a median over the later
half of the logged steps, or a ratio of such medians. Below, `layers` has one row per call, with the columns of
`layer_facts` and the median of each measure.

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
    "vanishing": "batch normalisation and scaled residual connections trained every network of 20 layers in the study; "
    "critical initialisation (for ReLU: He) trained ReLU, GELU and Swish, a centred one the sigmoid",
    "exploding": "residual branches divided by sqrt(2 x layers), and critical initialisation, kept the study's deep "
    "networks finite; recurrent layers and clipping were not studied",
    "dead": "a lower learning rate; the study's page on learning rates shows the dead units of each activation by rate",
    "saturated": "a lower learning rate: in the study, fewer units saturated at an activation's own rate than at 0.01",
    "not learning": "check that the loss depends on the layer, that its gradient is above 0, and the learning rate",
    "examples alike": "fewer layers, batch normalisation or a centred initialisation kept the study's images apart",
    "zero by design": "nothing to mend: the layer that follows takes this bias out again, so its gradient is 0 but for "
    "rounding; use_bias=False saves it",
}  # fmt: skip
COLUMNS = ["layer", "call", "finding", "number", "threshold", "theory", "step", "help"]


def layer_facts(probe: Probe, predicted: Sequence[float]) -> pd.DataFrame:
    """Describe the layers of `probe` in a frame with one row per call, in the order of `probe.calls`.

    `predicted` is the result of `theory.ratios_to_last` for these calls. The columns are:

    - layer, call: the layer's name, and the number of its call from 1. theory: the call's entry in `predicted`.
    - has_kernel: whether a weight has two axes or more. units: the size of the first kernel's last axis, or 0.
    - norm_factor: the square root of the number of entries in the layer's weights, without its biases.
    - is_hidden: whether another layer takes the output, and no functional or Sequential model returns it.
    - is_embedding, is_trainable (the model trains a kernel), saturates (the activation is flat at both ends).
    - has_zero_bias: whether the gradient of the bias is 0 by design.
    - epsilon: the relative error of rounding, 2^-10 if the layer computes in 16 bits, otherwise 2^-23.
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
                "is_trainable": bool(probe.trainable_kernels(call.watched)),
                "has_zero_bias": id(layer) in keys or _is_normalised(call),
                "epsilon": 2.0**-10 if "16" in layer.compute_dtype else 2.0**-23,
                "theory": ratio,
            }
        )
    return pd.DataFrame(rows)


def diagnose(frame: pd.DataFrame, facts: pd.DataFrame, is_sgd: bool) -> pd.DataFrame:
    """Return the problems found in one fit: a frame of COLUMNS with a row per problem and call.

    `frame` has the rows of one fit, as `GradientLogger.to_frame` returns them. `facts` is the result of `layer_facts`.
    `is_sgd` tells that every optimiser is SGD. Steps that mixed precision would skip are left out. Return no rows if
    fewer than LEAST_STEPS remain.
    """
    steps = np.sort(frame.loc[~frame["is_skipped"], "step"].unique())
    if len(steps) < LEAST_STEPS:
        return pd.DataFrame(columns=COLUMNS)
    later = steps[-max(LEAST_STEPS, len(steps) // 2) :]
    rows = frame[frame["step"].isin(later) & ~frame["is_skipped"]]
    typical = rows.groupby(["layer", "call"]).median(numeric_only=True)
    layers = facts.merge(typical.reset_index(), on=["layer", "call"], how="left")
    found = [_not_finite_findings(rows, layers)]
    if rows["is_finite"].any():  # else the measures are NaN, and tell nothing about single layers
        dead, saturated = layers["dead_units"], layers["saturation"]
        is_saturated = (saturated > MOST_SATURATED) & layers["saturates"] & layers["is_hidden"]
        # A later operation cancels what such a bias adds, so that its gradient is 0 but for rounding.
        bias_ratios, rounding = layers["bias_gradient"] / layers["weight_gradient"], ROUNDING_FACTOR * layers["epsilon"]
        found += [
            _depth_findings(layers, math.exp(-DEPTH_SCALES[is_sgd] / 2)),
            _alike_findings(layers, math.exp(-DEPTH_SCALES[is_sgd])),
            _found(layers, (dead > MOST_DEAD) & layers["is_hidden"], "dead", dead, MOST_DEAD),
            _found(layers, is_saturated, "saturated", saturated, MOST_SATURATED),
            _update_findings(layers),
            _found(layers, layers["has_zero_bias"] & (bias_ratios < rounding), "zero by design", bias_ratios, rounding),
        ]
    findings = pd.concat(found, ignore_index=True)
    return findings.assign(step=later[0], help=findings["finding"].map(HELP))[COLUMNS]


def findings_text(findings: pd.DataFrame, frame: pd.DataFrame) -> str:
    """Return a text to print: a heading on the rows `frame` of a fit, and a line per kind of problem of `findings`."""
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


def _found(
    layers: pd.DataFrame, is_found: Any, finding: str, number: Any, threshold: Any, theory: Any = math.nan
) -> pd.DataFrame:
    """Return a row for each of `layers` that `is_found`; `number`, `threshold` and `theory` are numbers or Series."""
    columns = {"finding": finding, "number": number, "threshold": threshold, "theory": theory}
    return layers[["layer", "call"]].assign(**columns)[is_found]


def _not_finite_findings(rows: pd.DataFrame, layers: pd.DataFrame) -> pd.DataFrame:
    """Find "exploding", once, if gradients in the logged `rows` are not finite.

    It names the layer with the largest median gradient relative to its weights' root mean square, or else the first.
    """
    gradients = (layers["weight_gradient"] / layers["weight_rms"]).where(layers["has_kernel"])
    place = gradients.idxmax() if gradients.notna().any() else 0
    is_found = (layers.index == place) & (not rows["is_finite"].all())
    return _found(layers, is_found, "exploding", math.inf, EXPLODING_RATIO)


def _depth_findings(layers: pd.DataFrame, vanishing_ratio: float) -> pd.DataFrame:
    """Find "vanishing" and "exploding" layers by their error relative to the last layer's error.

    Only the first layers count, up to the first one whose error is within the threshold: a small error further on
    belongs to a side branch. A layer is also "exploding" if its gradient, relative to the norm of its weights, is
    EXPLODING_RATIO times the largest among the other layers.
    """
    errors = layers[layers["has_kernel"] & layers["error"].notna()]
    last = errors["error"].iloc[-1] if len(errors) > 1 else 0.0
    ratios = errors["error"] / (last if last > 0 else math.nan)
    found = pd.concat(
        _found(errors, is_far.cummin(), name, ratios, threshold, errors["theory"])
        for name, is_far, threshold in (
            ("vanishing", ratios < vanishing_ratio, vanishing_ratio),
            ("exploding", ratios > EXPLODING_RATIO, EXPLODING_RATIO),
        )
    )
    kernels = layers[layers["has_kernel"] & layers["weight_gradient"].notna() & ~layers["layer"].isin(found["layer"])]
    gradients = layers["weight_gradient"] / (layers["weight_rms"] * layers["norm_factor"])
    gradients = gradients[layers["has_kernel"]]
    times = gradients / [gradients.drop(place).max() for place in gradients.index]
    steep = _found(kernels, times[kernels.index] > EXPLODING_RATIO, "exploding", times, EXPLODING_RATIO)
    return pd.concat([found, steep])


def _alike_findings(layers: pd.DataFrame, alike_ratio: float) -> pd.DataFrame:
    """Find hidden layers where 1 - cosine of examples' pre-activations is below `alike_ratio` times the first layer's.

    Embeddings do not count. Layers of fewer than LEAST_UNITS units are not found, but may be the first.
    """
    known = layers[layers["has_kernel"] & ~layers["is_embedding"] & layers["similarity"].notna()]
    apart = 1 - known["similarity"]
    first = apart.iloc[:1].max()
    ratios = apart / (first if first > 0 else math.nan)
    is_alike = (ratios < alike_ratio) & known["is_hidden"] & (known["units"] >= LEAST_UNITS)
    return _found(known, is_alike, "examples alike", ratios, alike_ratio)


def _update_findings(layers: pd.DataFrame) -> pd.DataFrame:
    """Find trainable layers that do not learn: without a gradient, or with an update ratio below the threshold."""
    layers = layers[layers["is_trainable"] & (layers["call"] == 1)]
    ratios, gradients = layers["update_ratio"], layers["weight_gradient"]
    threshold = np.fmax(2.0**-24, NOT_LEARNING_RATIO * ratios[layers["has_kernel"]].median())  # float32 rounds below
    has_none = gradients.isna() | (gradients == 0)
    is_slow = layers["has_kernel"] & (ratios < threshold)
    return _found(layers, has_none | is_slow, "not learning", ratios.mask(has_none, 0.0), threshold * ~has_none)


def _is_normalised(call: Call) -> bool:
    """Tell whether the output of `call` goes to trainable batch normalisations alone, at least one."""
    is_batch = [isinstance(each, keras.layers.BatchNormalization) and each.trainable for each in call.consumers]
    return bool(is_batch) and all(is_batch)


def _output_layers(model: Any) -> list[Any]:
    """Return the layers whose outputs `model` returns, if it is functional or a built Sequential; else []."""
    outputs = getattr(model, "outputs", []) if isinstance(model, keras.Model) else []
    return [tensor._keras_history.operation for tensor in outputs]
