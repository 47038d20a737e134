"""Find the fixed points of the forward map q -> q' of a wide layer, and compute the backward factor chi.

The notation follows Poole et al. 2016 and Schoenholz et al. 2017. The argument `function` is the activation phi,
and z ~ N(0, 1).
- sigma_w2 = sigma_w^2 = fan_in * Var(W) and sigma_b2 = sigma_b^2 = Var(b), for weights W and biases b.
- q is the mean square pre-activation of a layer, q' the next layer's mean square, and q* a fixed point: q' = q.
- delta_l, the error of layer l, is the gradient of the loss in the layer's pre-activations.
- chi is E||delta_l||^2 / E||delta_{l+1}||^2, the factor of the squared errors from one layer back to the layer before.
"""

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize

from study.theory.nonlinearity import Array, Nonlinearity
from study.theory.quadrature import Moments, moments

Stability = Literal["stable", "half-stable", "unstable", "neutral"]

QS = np.geomspace(1e-4, 1e6, 2401)  # where fixed points and the critical curve are sought, 240 to a decade
LIMIT_Q = 1e-18  # stands for q -> 0 in a limit: nearer 0, phi' of some activations (SELU in TensorFlow) is rounded away
ROUNDING = 1e-10  # of relative differences: smaller ones may be rounding, so their signs are not used
LAST_BITS = {"xtol": 1e-300, "rtol": 4 * np.finfo(float).eps}  # for scipy's root finders: as fine as floats allow


@dataclass(frozen=True)
class FixedPoint:
    """Hold a fixed point `q` of the forward map, and the slope dq'/dq and chi there.

    `q` is nan if every q is a fixed point. `stability` is the result of the function `stability`.
    """

    q: float
    slope: float
    chi: float
    stability: Stability


def moments_at(function: Nonlinearity, q: Array | float) -> Moments:
    """Return `moments(function, q)`; if `q` is QS itself, from a cache, because every search begins there."""
    return _moments_at_qs(function) if q is QS else moments(function, q)


@functools.cache
def _moments_at_qs(function: Nonlinearity) -> Moments:
    return moments(function, QS)


def forward_map(function: Nonlinearity, q: Array | float, sigma_w2: Array | float, sigma_b2: Array | float) -> Array:
    """Return q' = sigma_b^2 + sigma_w^2 E[phi(sqrt(q) z)^2], the next layer's mean square (Poole et al. 2016).

    The activation phi is `function`. The variances are `sigma_w2` = sigma_w^2 and `sigma_b2` = sigma_b^2. The result
    has the shape of `q` if the variances are numbers; arrays broadcast.
    """
    return np.asarray(sigma_b2 + sigma_w2 * moments(function, q).square)


def backward_factor(function: Nonlinearity, q: Array | float, sigma_w2: Array | float) -> Array:
    """Return chi = sigma_w^2 E[phi'(sqrt(q) z)^2] = E||delta_l||^2 / E||delta_{l+1}||^2 (Schoenholz et al. 2017).

    The activation phi is `function`. `sigma_w2` belongs to the weights W_{l+1}, and `q` to layer l. The result has the
    shape of `q` if `sigma_w2` is a number; arrays broadcast.
    """
    return np.asarray(sigma_w2 * moments(function, q).derivative_square)


def fixed_points(function: Nonlinearity, sigma_w2: float, sigma_b2: float) -> list[FixedPoint]:
    """Return the fixed points of the forward map at 0 and in [1e-4, 1e6], in ascending order.

    See `forward_map` for the arguments. Fixed points are where q' - q changes its sign, and where it only touches 0. If
    every q is a fixed point, the list has one entry, with q = nan.
    """

    def relative(q: Array | float) -> tuple[Array, Array]:
        """Return q' / q - 1, and q times the derivative of q' / q - 1, both in the shape of `q`."""
        at = moments_at(function, q)
        excess = np.asarray((sigma_b2 + sigma_w2 * at.square) / q - 1)
        return excess, np.asarray(sigma_w2 * at.square_slope - 1 - excess)

    excess, turn = relative(QS)
    if np.all(np.abs(excess) < ROUNDING):
        return [_fixed_point(function, math.nan, sigma_w2, sigma_b2)]
    points = [0.0] if forward_map(function, 0.0, sigma_w2, sigma_b2) < LIMIT_Q else []
    crossing, turning = (
        [optimize.brentq(lambda q, which=which: relative(q)[which], *bracket, **LAST_BITS) for bracket in brackets]
        for which, brackets in enumerate([_sign_changes(excess, ROUNDING), _sign_changes(turn, ROUNDING / 100)])
    )
    points += crossing + [q for q in turning if abs(relative(q)[0]) < ROUNDING]
    return [_fixed_point(function, q, sigma_w2, sigma_b2) for q in sorted(points)]


def attracting_point(function: Nonlinearity, sigma_w2: float, sigma_b2: float) -> FixedPoint | None:
    """Return the smallest of the `fixed_points` that is not unstable, or None; see `forward_map` for the arguments."""
    points = fixed_points(function, sigma_w2, sigma_b2)
    return next((point for point in points if point.stability != "unstable"), None)


def _sign_changes(values: Array, least: float) -> list[tuple[float, float]]:
    """Return pairs (low, high) of QS between which `values` (QS,) change their sign, in ascending order.

    Values of at most `least` in size are skipped, because their sign may be rounding.
    """
    sure = np.flatnonzero(np.abs(values) > least)
    return [(QS[i], QS[j]) for i, j in itertools.pairwise(sure) if values[i] * values[j] < 0]


def _fixed_point(function: Nonlinearity, q: float, sigma_w2: float, sigma_b2: float) -> FixedPoint:
    """Return the fixed point `q` of the forward map, nan if every q is one, with its slope, chi and stability."""
    at = moments(function, 1.0 if math.isnan(q) else max(q, LIMIT_Q))
    chi = sigma_w2 * float(at.derivative_square)
    slope = chi if q == 0 else sigma_w2 * float(at.square_slope)  # both tend to sigma_w^2 mean phi'(0)^2: phi(0) = 0
    return FixedPoint(q, slope, chi, stability(function, q, sigma_w2, sigma_b2))


def stability(function: Nonlinearity, q: float, sigma_w2: float, sigma_b2: float) -> Stability:
    """Tell whether the forward map moves values a little off its fixed point `q` towards `q`.

    See `forward_map` for the other arguments. The result is "stable" if values move towards `q` from both sides,
    "half-stable" if from one side, and "unstable" if from neither. It is "neutral" if values stay where they are, as
    they do for `q` = nan. At `q` = 0 only larger values are tried.
    """
    if math.isnan(q):
        return "neutral"
    off = np.array([1e-3]) if q == 0 else q * np.array([0.99, 1.01])
    change = (forward_map(function, off, sigma_w2, sigma_b2) / off - 1) * np.sign(off - q)
    if np.all(np.abs(change) <= ROUNDING):
        return "neutral"
    nearer = change < -ROUNDING
    return "stable" if nearer.all() else "half-stable" if nearer.any() else "unstable"
