"""Compute the depth scale xi, in layers, and how the correlation of two inputs changes from layer to layer.

The source is Schoenholz et al. 2017. fixed_points.py defines the symbols q, chi, sigma_w and sigma_b.
"""

import functools
import math
from dataclasses import dataclass
from typing import Literal

from scipy import optimize

from study.theory.fixed_points import LIMIT_Q, ROUNDING, backward_factor, forward_map
from study.theory.nonlinearity import Nonlinearity
from study.theory.quadrature import correlated_moments

EQUAL = 1e-8  # chi counts as 1 within this distance, because chi at LIMIT_Q is not more exact
NEARLY_ONE = 1 - 1e-9  # the largest correlation tried; 1 itself is always a fixed point of the correlation map


@dataclass(frozen=True)
class DepthScale:
    """Hold how fast errors and correlations change with depth: the factor `chi` per layer, and the depth scale `xi`.

    - phase: "ordered" if the value of `backward_factor` is below 1, "critical" at 1, "chaotic" above 1.
    - c_star: the correlation that any two inputs tend to, 1 unless the phase is chaotic. At q* = 0, two inputs may keep
      the correlation they had.
    - chi: the value of `backward_factor`; in the chaotic phase, chi_c at c* (see `correlation_map`).
    - xi: 1 / abs(ln chi), in layers; infinite at criticality.
    """

    phase: Literal["ordered", "critical", "chaotic"]
    c_star: float
    chi: float
    xi: float


@functools.lru_cache(maxsize=1024)  # networks of several depths share their first layers
def correlation_map(
    function: Nonlinearity, q: float, sigma_w2: float, sigma_b2: float, correlation: float
) -> tuple[float, float]:
    """Return the correlation c' of two inputs in the next layer, and the factor chi_c of their error covariance.

    The activation phi is `function`. The pre-activations u and v of the two inputs have mean square `q` and this
    `correlation` in the layer before. The next layer has the variances `sigma_w2` = sigma_w^2 and `sigma_b2` =
    sigma_b^2. With its mean square q', c' = (sigma_b^2 + sigma_w^2 E[phi(u) phi(v)]) / q'. The factor is chi_c =
    sigma_w^2 E[phi'(u) phi'(v)]. The sources are Poole et al. 2016 and Schoenholz et al. 2017.
    """
    product, slopes = correlated_moments(function, q, correlation)
    following = float(forward_map(function, q, sigma_w2, sigma_b2))
    return (sigma_b2 + sigma_w2 * product) / following, sigma_w2 * slopes


def depth_scale(function: Nonlinearity, q: float, sigma_w2: float, sigma_b2: float) -> DepthScale:
    """Return the depth scale of `function` at the fixed point `q` of the forward map (Schoenholz et al. 2017).

    The map has the variances `sigma_w2` = sigma_w^2 and `sigma_b2` = sigma_b^2. In the chaotic phase, chi is taken at
    c* < 1, the attracting fixed point of the correlation map. If every q is a fixed point, `q` is nan (see
    `FixedPoint`), and q = 1 is used. At `q` = 0 the result is the limit for q -> 0.
    """
    q = 1.0 if math.isnan(q) else max(q, LIMIT_Q)
    chi = float(backward_factor(function, q, sigma_w2))
    if abs(chi - 1) < EQUAL:
        return DepthScale("critical", 1.0, chi, math.inf)
    if chi < 1:
        return DepthScale("ordered", 1.0, chi, _layers(chi))
    c_star = _attracting_correlation(function, q, sigma_w2, sigma_b2)
    _, chi_c = correlation_map(function, q, sigma_w2, sigma_b2, c_star)
    return DepthScale("chaotic", c_star, chi_c, _layers(chi_c))


def _layers(chi: float) -> float:
    """Return the depth scale xi = 1 / abs(ln chi), in layers; 0 if chi is not positive."""
    return 0.0 if chi <= 0 else 1 / abs(math.log(chi))


def _attracting_correlation(function: Nonlinearity, q: float, sigma_w2: float, sigma_b2: float) -> float:
    """Return c*, the only fixed point of the correlation map in [0, 1), or NEARLY_ONE if c* is larger.

    See `correlation_map` for the arguments. The backward factor must be above 1. No other fixed point exists because c'
    is a power series in c with coefficients >= 0. So c' is convex, and c' >= c at c = 0. Return NaN if the map is NaN
    (see `correlated_moments`).
    """

    def excess(correlation: float) -> float:
        return correlation_map(function, q, sigma_w2, sigma_b2, correlation)[0] - correlation

    if math.isnan(start := excess(0.0)):
        return math.nan
    if start < ROUNDING:
        return 0.0
    if excess(NEARLY_ONE) >= 0:
        return NEARLY_ONE
    return float(optimize.brentq(excess, 0.0, NEARLY_ONE))
