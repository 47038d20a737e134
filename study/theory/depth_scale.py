"""Compute how far a signal travels: the correlation map of two inputs, and the depth scale xi.

The source is Schoenholz et al. 2017.
"""

import functools
import math
from dataclasses import dataclass
from typing import Literal

from scipy import optimize

from study.theory.fixed_points import LIMIT_Q, ROUNDING, backward_factor, forward_map
from study.theory.nonlinearity import Nonlinearity
from study.theory.quadrature import correlated_moments

EQUAL = 1e-8  # chi counts as 1 within this distance: limits at LIMIT_Q are not more exact
NEARLY_ONE = 1 - 1e-9  # the largest correlation tried; 1 itself is always a fixed point of the correlation map


@dataclass(frozen=True)
class DepthScale:
    """Say how errors and correlations fade with depth; `xi` is in layers, inf at criticality.

    `c_star` is the correlation two inputs tend to. `chi` is the factor that makes xi = 1 / abs(ln chi): chi_1 where
    c* = 1 (ordered), chi_c where c* < 1 (chaotic). At q* = 0 two inputs may keep the correlation they had.
    """

    phase: Literal["ordered", "critical", "chaotic"]
    c_star: float
    chi: float
    xi: float


@functools.lru_cache(maxsize=1024)  # networks of several depths share their first layers
def correlation_map(
    function: Nonlinearity, q: float, sigma_w2: float, sigma_b2: float, correlation: float
) -> tuple[float, float]:
    """Return the next layer's correlation c' of two inputs, and the factor chi_c of their error covariance.

    The pre-activations u and v of both inputs have mean square `q` and this `correlation`. The next layer's is q':
    c' = (sigma_b^2 + sigma_w^2 E[phi(u) phi(v)]) / q' and chi_c = sigma_w^2 E[phi'(u) phi'(v)]. The sources are Poole
    et al. 2016 and Schoenholz et al. 2017.
    """
    product, slopes = correlated_moments(function, q, correlation)
    following = float(forward_map(function, q, sigma_w2, sigma_b2))
    return (sigma_b2 + sigma_w2 * product) / following, sigma_w2 * slopes


def depth_scale(function: Nonlinearity, q: float, sigma_w2: float, sigma_b2: float) -> DepthScale:
    """Return xi = 1 / abs(ln chi) at the fixed point q of the forward map (Schoenholz et al. 2017).

    The chaotic phase takes chi at c* < 1, the attracting fixed point of the correlation map. q = nan stands for any q,
    as in `FixedPoint`.
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
    """Return the depth scale xi = 1 / abs(ln chi), in layers."""
    return 0.0 if chi <= 0 else 1 / abs(math.log(chi))


def _attracting_correlation(function: Nonlinearity, q: float, sigma_w2: float, sigma_b2: float) -> float:
    """Find the only c* in [0, 1) when chi > 1.

    It is the only one because the map is a power series with coefficients >= 0: it is convex, and c' >= c at c = 0.
    """

    def excess(correlation: float) -> float:
        return correlation_map(function, q, sigma_w2, sigma_b2, correlation)[0] - correlation

    if excess(0.0) < ROUNDING:
        return 0.0
    if excess(NEARLY_ONE) >= 0:
        return NEARLY_ONE
    return float(optimize.brentq(excess, 0.0, NEARLY_ONE))
