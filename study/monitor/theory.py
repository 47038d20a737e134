"""Compare with mean-field theory by what factor the error changes from one layer to the next.

A layer's error is the root mean square over examples of the norm of the gradient in its pre-activations z. Theory is
for initialisation, and for an activation phi whose output goes to one dense or convolutional layer alone. The factor is
sqrt(fan_in Var(W) E[phi'(z)^2]). W is that layer's kernel, and z is normal with the mean square that was measured
(Schoenholz et al. 2017; see study/theory/mean_field.py).
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import pandas as pd

from study.activations import ActivationError
from study.monitor.tapping import Call
from study.theory.nonlinearity import from_tensorflow
from study.theory.quadrature import moments

WEIGHTED = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)


def ratio_table(calls: Sequence[Call], initial: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each pair of layers to which theory applies: layer, call, next, predicted, measured.

    `next` takes the output of `layer` at its call number `call`. `predicted` and `measured` are the error of `layer`
    divided by the error of `next`. `initial` has the logged rows of `calls` at step 0, in the same order, or none.
    Raise ValueError, with the reason, if `initial` has no rows or there is no such pair.
    """
    if initial.empty:
        raise ValueError("theory is for initial weights, and the last fit has no row for step 0; fit a new model")
    rows = []
    for place, (following, predicted) in factors(calls, initial).items():
        if not calls[following].watched.is_activation:  # else both errors are of one tensor
            layers = {"layer": calls[place].watched.name, "call": calls[place].number}
            measured = initial["error"].iloc[place] / initial["error"].iloc[following]
            rows.append({**layers, "next": calls[following].watched.name, "predicted": predicted, "measured": measured})
    if not rows:
        takers = sorted({type(layer).__name__ for call in calls for layer in call.consumers})
        raise ValueError(
            "theory applies to no pair of the measured layers. It needs an elementwise activation, and a dense or "
            "convolutional layer that alone takes its output, directly or through Flatten and Reshape. "
            f"In this model, outputs go to: {', '.join(takers) or 'no layer'}"
        )
    return pd.DataFrame(rows)


def ratios_to_last(calls: Sequence[Call], initial: pd.DataFrame) -> list[float]:
    """Return, for each of `calls`, the predicted ratio of its error to the error of the last layer with weights.

    `initial` is as for `ratio_table`. The ratio is NaN for that layer, and where theory does not apply up to it.
    """
    links = factors(calls, initial)
    ratios = [math.nan] * len(calls)
    last = max((place for place, call in enumerate(calls) if call.watched.kernels), default=-1)
    for place in reversed(range(len(calls))):
        if place in links:
            following, factor = links[place]
            ratios[place] = factor * (1.0 if following == last else ratios[following])
    return ratios


def factors(calls: Sequence[Call], initial: pd.DataFrame) -> dict[int, tuple[int, float]]:
    """Return {index of a call: (index of the call that takes its output, predicted ratio of the first error to it)}.

    `initial` is as for `ratio_table`. Calls to which theory does not apply are missing.
    """
    if initial.empty:
        return {}
    places = {id(call): place for place, call in enumerate(calls)}
    found = {}
    for place, call in enumerate(calls):
        source = places.get(id(call.source))
        if source is not None and len(calls[source].consumers) == 1:
            factor = _factor(calls[source], initial.iloc[source], call, initial.iloc[place])
            if math.isfinite(factor):
                found[source] = place, factor
    return found


def _factor(call: Call, row: Any, following: Call, following_row: Any) -> float:
    """Return the predicted error of `call` divided by the error of `following`, which takes its output.

    `row` and `following_row` are their logged rows at step 0. Return NaN if theory does not apply, and 1 if `following`
    is the activation layer after a layer without an activation, because they share the tensor z.
    """
    if following.watched.is_activation and call.watched.activation is None and not call.watched.is_activation:
        return 1.0
    if not isinstance(following.watched.layer, WEIGHTED) or following.number > 1:
        return math.nan
    square = 1.0
    if call.watched.activation is not None:
        try:
            function = from_tensorflow(call.watched.activation.function)
            square = float(moments(function, row["preactivation_square"]).derivative_square)
        except (ActivationError, ValueError):
            return math.nan
    elif not isinstance(call.watched.layer, WEIGHTED) or call.watched.layer.activation is not keras.activations.linear:
        return math.nan  # such as softmax
    fan_in = math.prod(following.watched.kernels[0].shape[:-1])
    return math.sqrt(fan_in * following_row["weight_rms"] ** 2 * square)
