"""Predict the norms in every layer of a wide network at initialisation.

The conventions are the measurements', in study/engine/architecture.py: z_l = h_{l-1} W_l + b_l, h_l = phi(z_l) and
h_0 = x. Layers 1..L are hidden, and layer L+1 is the output layer. The error of example i in a batch of B examples is
delta_{l,i} = B * d loss / d z_{l,i}. Arrays over layers start at layer 1. fixed_points.py defines q, chi and sigma_w.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.theory.criticality import critical_initialization
from study.theory.depth_scale import correlation_map
from study.theory.nonlinearity import Array, Nonlinearity
from study.theory.quadrature import moments

INITIALIZATIONS = ("glorot_uniform", "he_normal", "critical")  # initialisations with a prediction
INPUTS, CLASSES = 784, 10  # units of the input and of the output
NEAR = 1e-6  # a 1 - cosine; if it is smaller, the next layer's is the map's slope times it, to avoid rounding


@dataclass(frozen=True)
class Scales:
    """Hold the widths of a network's layers, and the variances of its initial parameters.

    `widths` (L+2,) includes inputs and outputs. `weight_variance` and `bias_variance` (L+1,) are Var(W_l) and Var(b_l)
    of layers 1..L+1.
    """

    widths: tuple[int, ...]
    weight_variance: Array
    bias_variance: Array

    @property
    def sigma_w2(self) -> Array:
        """Return sigma_w^2 = fan_in * Var(W_l) of layers l = 1..L+1; (L+1,)."""
        return np.asarray(self.widths[:-1] * self.weight_variance)


@dataclass(frozen=True)
class Propagation:
    """Hold mean squares in every layer (rows), for examples that each have their own ||x||^2 (columns)."""

    q: Array  # (L+1, examples) mean square pre-activation of layer l
    chi: Array  # (L, examples) E||delta_l||^2 / E||delta_{l+1}||^2
    input_square: Array  # (L+1, examples) E||h_{l-1}||^2 of the inputs of layer l


def scales(initialization: str, widths: Sequence[int], function: Nonlinearity, square_norm: float) -> Scales | None:
    """Return the variances that `initialization` gives each layer; None if it needs a critical point and none exists.

    `function` is the activation. `widths` (L+2,) includes inputs and outputs. Var(W) is 2 / (fan_in + fan_out) for
    glorot_uniform, and 2 / fan_in for he_normal. It is sigma_w^2 / fan_in for critical, with biases of variance
    sigma_b^2. If q* > 0, the first layer of a critical network is scaled so that q_1 = q* for inputs whose mean ||x||^2
    is `square_norm`. The output layer is always glorot_uniform without bias, as in the engine. Raise ValueError unless
    `initialization` is one of INITIALIZATIONS.
    """
    if initialization not in INITIALIZATIONS:
        raise ValueError(f"initialization is {initialization!r}; allowed: {', '.join(INITIALIZATIONS)}")
    fan_in, fan_out = np.array(widths[:-1], float), np.array(widths[1:], float)
    glorot, biases = 2 / (fan_in + fan_out), np.zeros(fan_in.size)
    weights = glorot.copy() if initialization == "glorot_uniform" else 2 / fan_in
    if initialization == "critical":
        point = critical_initialization(function)
        if point is None:
            return None
        weights, biases[:-1] = point.sigma_w**2 / fan_in, point.sigma_b**2
        if point.q_star:
            weights[0] = (point.q_star - point.sigma_b**2) / square_norm
    weights[-1] = glorot[-1]
    return Scales(tuple(widths), weights, biases)


def propagate(function: Nonlinearity, scale: Scales, square_norms: Array) -> Propagation:
    """Return q_l, chi_l and E||h_{l-1}||^2 of every layer, for inputs whose ||x||^2 are `square_norms` (examples,).

    `function` is the activation, and `scale` the result of `scales`. Layer 1 has q_1 = Var(W_1) ||x||^2 + Var(b_1), and
    the forward map gives the next layers (Poole et al. 2016). The factor chi_l follows from
    E||delta_l||^2 = n_l Var(W_{l+1}) E||delta_{l+1}||^2 E[phi'^2]. It holds for unequal widths too, because the fan-in
    of W_{l+1} is n_l, the number of units of layer l.
    """
    sigma_w2 = scale.sigma_w2
    inputs, chi = [np.asarray(square_norms, float)], []
    q = [scale.weight_variance[0] * inputs[0] + scale.bias_variance[0]]
    for layer in range(1, len(sigma_w2)):
        at = moments(function, q[-1])
        chi.append(sigma_w2[layer] * at.derivative_square)
        inputs.append(scale.widths[layer] * at.square)
        q.append(scale.bias_variance[layer] + sigma_w2[layer] * at.square)
    return Propagation(np.stack(q), np.array(chi), np.stack(inputs))


def quantities(through: Propagation) -> dict[str, Array]:
    """Return each predicted quantity by its name in the study's tables; an array (L+1,) over layers.

    `through` is the result of `propagate`. The docstring of this module defines L, z_l, delta_l and h_l.

    - preactivation_square: the mean of z_l^2 over the examples.
    - error_norm_ratio: the root mean square over the examples of ||delta_l||, divided by the same in the output layer.
    - example_weight_gradient_norm_ratio: the root mean square over the examples of ||delta_l|| ||h_{l-1}||, divided by
      the same root mean square in the output layer; NaN where both are 0.
    """
    error = np.ones_like(through.q)  # E||delta_l||^2 / E||delta_{L+1}||^2: the product of chi_l, ..., chi_L
    error[:-1] = np.cumprod(through.chi[::-1], axis=0)[::-1]
    gradient = (error * through.input_square).mean(axis=1)
    with np.errstate(invalid="ignore"):  # signals that are exactly 0 have no ratio: NaN
        relative = gradient / gradient[-1]
    return {
        "preactivation_square": through.q.mean(axis=1),
        "error_norm_ratio": np.sqrt(error.mean(axis=1)),
        "example_weight_gradient_norm_ratio": np.sqrt(relative),
    }


def similarities(function: Nonlinearity, scale: Scales, q: Array, cosine: float) -> Array:
    """Return the cosine of two inputs' pre-activations in every layer (L+1,), predicted from the inputs' `cosine`.

    `function` is the activation, and `scale` the result of `scales`. `q` (L+1,) is the mean square pre-activation of
    both inputs. The cosine changes from layer to layer by the correlation map of Poole et al. 2016. The predicted
    cosine is 1 where the mean square is 0, because the inputs have become equal. It is NaN where the mean square is not
    finite.
    """
    weights, biases = scale.sigma_w2, scale.bias_variance
    if not q[0]:
        return np.ones_like(q)
    apart = [float((1 - cosine) * (1 - biases[0] / q[0]))]
    for layer, (before, after) in enumerate(itertools.pairwise(q), start=1):
        if not np.isfinite(after) or not after:
            apart.append(0.0 if after == 0 else np.nan)
            continue
        following, slope = correlation_map(function, before, weights[layer], biases[layer], 1 - apart[-1])
        apart.append(slope * before / after * apart[-1] if apart[-1] < NEAR else 1 - following)
    return 1 - np.array(apart)


def predicted_rows(
    name: str,
    function: Nonlinearity,
    initializations: Iterable[str],
    depths: Iterable[int],
    width: int,
    square_norms: Array,
    cosine: float,
) -> pd.DataFrame:
    """Return the predictions for the activation `name` as a table of one row per network, layer and quantity.

    `function` is this activation, prepared by `from_tensorflow`. The columns are:

    - activation, init, depth, width: the network; each of `initializations` is combined with each of `depths`.
    - sigma_w, sigma_b: the layer's sqrt(fan_in Var(W_l)) and sqrt(Var(b_l)).
    - layer: from 1 to depth + 1.
    - quantity: one of `quantities`, or "similarity", the cosine of two inputs; see `similarities`.
    - predicted: for inputs that all have the mean of `square_norms` (examples,), any two of them with this `cosine`.
    - predicted_spread: for inputs whose ||x||^2 are `square_norms`; NaN for "similarity".

    An activation without a critical point has no rows for the initialisation "critical". Raise ValueError if this
    leaves no rows at all, or if an initialisation is not one of INITIALIZATIONS.
    """
    tables = []
    mean = np.mean(square_norms)
    for initialization, depth in itertools.product(initializations, depths):
        scale = scales(initialization, (INPUTS, *[width] * depth, CLASSES), function, float(mean))
        if scale is None:
            continue
        through = propagate(function, scale, np.array([mean]))
        alike = quantities(through) | {"similarity": similarities(function, scale, through.q[:, 0], cosine)}
        spread = quantities(propagate(function, scale, square_norms)) | {"similarity": np.full(depth + 1, np.nan)}
        network = {"activation": name, "init": initialization, "depth": depth, "width": width}
        sigmas = {"sigma_w": np.sqrt(scale.sigma_w2), "sigma_b": np.sqrt(scale.bias_variance)}
        layers = network | sigmas | {"layer": range(1, depth + 2)}
        tables += [
            pd.DataFrame({**layers, "quantity": quantity, "predicted": alike[quantity], "predicted_spread": own})
            for quantity, own in spread.items()
        ]
    return pd.concat(tables, ignore_index=True)
