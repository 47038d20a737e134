"""One wide layer and its iteration for ever: the forward map, chi, fixed points, depth scales, critical points.

Notation (Poole et al. 2016, Schoenholz et al. 2017): sigma_w2 = fan_in * Var(W), sigma_b2 = Var(b), z ~ N(0, 1), q the
mean square pre-activation, phi the activation. Everything follows from Gaussian integrals of phi and phi'.
"""

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from study.theory.quadrature import Array, Nonlinearity, correlated_moments, moments

Stability = Literal["stable", "half-stable", "unstable", "neutral"]

QS = np.geomspace(1e-4, 1e6, 2401)  # where fixed points and the critical curve are sought, 240 to a decade
LIMIT_Q = 1e-18  # stands for q -> 0 in a limit: nearer 0, phi' of some activations (SELU in TensorFlow) is rounded away
EQUAL = 1e-8  # below it chi = 1 is taken to hold: limits at LIMIT_Q are no better
ROUNDING = 1e-10  # relative: signs of smaller differences are not trusted


@dataclass(frozen=True)
class FixedPoint:
    """q* with q' = q, the slope dq'/dq and chi there. q* = nan: every q is one (positively homogeneous phi)."""

    q: float
    slope: float
    chi: float
    stability: Stability


@dataclass(frozen=True)
class DepthScale:
    """How errors and correlations fade with depth; `xi` in layers, inf at criticality.

    `c_star` is the correlation two inputs tend to, `chi` the factor that makes xi = 1 / abs(ln chi): chi_1 where
    c* = 1 (ordered), chi_c where c* < 1 (chaotic). At q* = 0 two inputs may keep the correlation they had.
    """

    phase: Literal["ordered", "critical", "chaotic"]
    c_star: float
    chi: float
    xi: float


@dataclass(frozen=True)
class CriticalPoint:
    """An initialisation with chi = 1 at its fixed point. `q_star` None: any q (positively homogeneous phi).

    q_star = 0 stands for the limit q -> 0. `slope` is dq'/dq at q*.
    """

    sigma_w: float
    sigma_b: float
    q_star: float | None
    slope: float
    stability: Stability


@dataclass(frozen=True)
class CriticalCurve:
    """The initialisations with chi = 1 at the fixed point q, all of q's shape; sigma_b2 < 0 is no initialisation."""

    q: Array
    sigma_w2: Array
    sigma_b2: Array
    slope: Array  # dq'/dq at q


def forward_map(function: Nonlinearity, q: Array | float, sigma_w2: Array | float, sigma_b2: Array | float) -> Array:
    """q' = sigma_b^2 + sigma_w^2 E[phi(sqrt(q) z)^2] (Poole et al. 2016); the shape of q."""
    return np.asarray(sigma_b2 + sigma_w2 * moments(function, q).square)


def backward_factor(function: Nonlinearity, q: Array | float, sigma_w2: Array | float) -> Array:
    """chi = sigma_w^2 E[phi'(sqrt(q) z)^2]: E||delta_l||^2 / E||delta_{l+1}||^2 (Schoenholz et al. 2017).

    sigma_w2 is that of W_{l+1}, q that of layer l.
    """
    return np.asarray(sigma_w2 * moments(function, q).derivative_square)


def correlation_map(
    function: Nonlinearity, q: float, sigma_w2: float, sigma_b2: float, correlation: Array
) -> tuple[Array, Array]:
    """The next layer's correlation of two inputs of equal q, and the factor of their error covariance; shape (n,).

    c' = (sigma_b^2 + sigma_w^2 E[phi(u) phi(v)]) / q', chi_c = sigma_w^2 E[phi'(u) phi'(v)], where u and v have mean
    square q and correlation c (Poole et al. 2016; Schoenholz et al. 2017).
    """
    correlation = np.asarray(correlation, float)
    pairs = np.eye(correlation.size + 1)
    pairs[0, 1:] = pairs[1:, 0] = correlation
    product, derivative_product = correlated_moments(function, np.full(correlation.size + 1, q), pairs)
    following = forward_map(function, q, sigma_w2, sigma_b2)
    return (sigma_b2 + sigma_w2 * product[0, 1:]) / following, sigma_w2 * derivative_product[0, 1:]


def fixed_points(function: Nonlinearity, sigma_w2: float, sigma_b2: float) -> list[FixedPoint]:
    """All q* of the forward map in [0, 1e6], ascending: where q' - q changes sign, and where it only touches 0."""

    def relative(q: Array | float) -> tuple[Array, Array]:
        """q' / q - 1, and q times its derivative."""
        at = moments(function, q)
        excess = np.asarray((sigma_b2 + sigma_w2 * at.square) / q - 1)
        return excess, np.asarray(sigma_w2 * at.square_slope - 1 - excess)

    excess, turn = relative(QS)
    if np.all(np.abs(excess) < ROUNDING):
        return [_fixed_point(function, math.nan, sigma_w2, sigma_b2)]
    points = [0.0] if forward_map(function, 0.0, sigma_w2, sigma_b2) < LIMIT_Q else []
    points += [bisect(lambda q: relative(q)[0], *bracket) for bracket in _sign_changes(excess, ROUNDING)]
    turning = [bisect(lambda q: relative(q)[1], *bracket) for bracket in _sign_changes(turn, ROUNDING / 100)]
    points += [q for q in turning if abs(relative(q)[0]) < ROUNDING]
    return [_fixed_point(function, q, sigma_w2, sigma_b2) for q in sorted(points)]


def _sign_changes(values: Array, least: float) -> list[tuple[float, float]]:
    """Between which of QS the values (QS,) change sign; values smaller than `least` have no sign to trust."""
    sure = np.flatnonzero(np.abs(values) > least)
    return [(QS[i], QS[j]) for i, j in itertools.pairwise(sure) if values[i] * values[j] < 0]


def _fixed_point(function: Nonlinearity, q: float, sigma_w2: float, sigma_b2: float) -> FixedPoint:
    at = moments(function, 1.0 if math.isnan(q) else max(q, LIMIT_Q))
    chi = sigma_w2 * float(at.derivative_square)
    slope = chi if q == 0 else sigma_w2 * float(at.square_slope)  # both tend to sigma_w^2 mean phi'(0)^2: phi(0) = 0
    return FixedPoint(q, slope, chi, _stability(function, q, sigma_w2, sigma_b2))


def _stability(function: Nonlinearity, q: float, sigma_w2: float, sigma_b2: float) -> Stability:
    """Whether q's a little off the fixed point come nearer: from both sides, from one, or from none."""
    if math.isnan(q):
        return "neutral"
    off = np.array([1e-3]) if q == 0 else q * np.array([0.99, 1.01])
    change = (forward_map(function, off, sigma_w2, sigma_b2) / off - 1) * np.sign(off - q)
    if np.all(np.abs(change) <= ROUNDING):
        return "neutral"
    nearer = change < -ROUNDING
    return "stable" if nearer.all() else "half-stable" if nearer.any() else "unstable"


def bisect(function: Callable[[float], Array], low: float, high: float) -> float:
    """A sign change of `function` between low and high, to the last bits of a float."""
    sign = math.copysign(1, function(low))
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if math.copysign(1, function(middle)) == sign else (low, middle)
    return float(low + high) / 2


def depth_scale(function: Nonlinearity, q: float, sigma_w2: float, sigma_b2: float) -> DepthScale:
    """xi = 1 / abs(ln chi) at the fixed point q of the forward map (Schoenholz et al. 2017).

    In the chaotic phase chi is taken at c* < 1, the attracting fixed point of the correlation map.
    """
    q = max(q, LIMIT_Q)
    chi = float(backward_factor(function, q, sigma_w2))
    if abs(chi - 1) < EQUAL:
        return DepthScale("critical", 1.0, chi, math.inf)
    if chi < 1:
        return DepthScale("ordered", 1.0, chi, _layers(chi))
    c_star = _correlation_fixed_point(function, q, sigma_w2, sigma_b2)
    _, factor = correlation_map(function, q, sigma_w2, sigma_b2, np.array([c_star]))
    return DepthScale("chaotic", c_star, float(factor[0]), _layers(float(factor[0])))


def _layers(chi: float) -> float:
    return 0.0 if chi <= 0 else 1 / abs(math.log(chi))


def _correlation_fixed_point(function: Nonlinearity, q: float, sigma_w2: float, sigma_b2: float) -> float:
    """The only c* in [0, 1) when chi > 1: the map is a power series with coefficients >= 0, so convex, and c' >= c
    at c = 0."""
    grid = np.sin(np.linspace(0, np.pi / 2, 65)[:-1])
    low, high = 0.0, 1.0
    for _ in range(6):  # each pass narrows 64 times: one evaluation of the map for a whole grid
        c = low + (high - low) * grid
        following, _ = correlation_map(function, q, sigma_w2, sigma_b2, c)
        below = np.flatnonzero(following < c)
        first = int(below[0]) if below.size else c.size
        low, high = float(c[max(first - 1, 0)]), float(c[first]) if first < c.size else high
        grid = np.linspace(0, 1, 65)[:-1]
    return (low + high) / 2


def critical_curve(function: Nonlinearity, q: Array) -> CriticalCurve:
    """sigma_w^2 = 1 / E[phi'^2], sigma_b^2 = q - sigma_w^2 E[phi^2]: then chi = 1 and q' = q (Poole et al. 2016)."""
    q = np.asarray(q, float)
    at = moments(function, q)
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma_w2 = 1 / at.derivative_square
        return CriticalCurve(q, sigma_w2, q - sigma_w2 * at.square, sigma_w2 * at.square_slope)


@functools.cache
def critical_initialization(function: Nonlinearity) -> CriticalPoint | None:
    """The smallest q* >= 0 on the critical curve with sigma_b^2 >= 0 and dq'/dq <= 1; None if there is none.

    A limit q* -> 0 counts when the conditions hold all along the way to it. For smooth non-monotone activations the
    smallest q* is where dq'/dq = 1 as well, the half-stable point of Roberts, Yaida & Hanin 2022, section 5.3.4.
    """
    curve = critical_curve(function, QS)
    inside = _margin(curve) >= -ROUNDING
    if not inside.any():
        return None
    first = int(np.flatnonzero(inside)[0])
    if first == 0:
        free = np.all(np.abs(curve.sigma_b2) < ROUNDING * QS) and np.all(np.abs(curve.slope - 1) < ROUNDING)
        return _critical_point(function, None if free else 0.0)
    edge = bisect(lambda q: _margin(critical_curve(function, np.asarray(q))), QS[first - 1], QS[first])
    return _critical_point(function, edge)


def _margin(curve: CriticalCurve) -> Array:
    """How far inside the conditions sigma_b^2 >= 0 and dq'/dq <= 1 the curve is; negative outside."""
    return np.asarray(np.nan_to_num(np.minimum(curve.sigma_b2 / curve.q, 1 - curve.slope), nan=-np.inf))


def _critical_point(function: Nonlinearity, q_star: float | None) -> CriticalPoint:
    curve = critical_curve(function, np.array(1.0 if q_star is None else max(q_star, LIMIT_Q)))
    sigma_w2 = float(curve.sigma_w2)
    if not q_star:  # any q, or the limit 0: there is no bias, and q' = q leaves dq'/dq = chi = 1
        stability = _stability(function, math.nan if q_star is None else 0.0, sigma_w2, 0.0)
        return CriticalPoint(math.sqrt(sigma_w2), 0.0, q_star, 1.0, stability)
    sigma_b2 = float(curve.sigma_b2) if curve.sigma_b2 > ROUNDING * q_star else 0.0
    stability = _stability(function, q_star, sigma_w2, sigma_b2)
    return CriticalPoint(math.sqrt(sigma_w2), math.sqrt(sigma_b2), q_star, float(curve.slope), stability)


def why_not_critical(function: Nonlinearity) -> str:
    """Why critical_initialization is None, in words."""
    curve = critical_curve(function, QS)
    if not np.any(curve.sigma_b2 >= -ROUNDING * QS):
        return "chi = 1 would need a negative bias variance at every q*"
    return "wherever chi = 1 with sigma_b^2 >= 0, dq'/dq > 1: q* is unstable"
