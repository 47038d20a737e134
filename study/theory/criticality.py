"""Find initialisations that keep a network's errors at every depth: chi = 1 at the fixed point of the forward map."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from study.theory.fixed_points import LIMIT_Q, QS, ROUNDING, Stability, moments_at, stability
from study.theory.nonlinearity import Array, Nonlinearity


@dataclass(frozen=True)
class CriticalPoint:
    """Hold an initialisation with chi = 1 at its fixed point.

    `q_star` is None if any q is a fixed point (positively homogeneous phi), and 0 for the limit q -> 0. `slope` is
    dq'/dq at q*.
    """

    sigma_w: float
    sigma_b: float
    q_star: float | None
    slope: float
    stability: Stability


@dataclass(frozen=True)
class CriticalCurve:
    """Hold the initialisations with chi = 1 at the fixed point q, all of q's shape; sigma_b2 < 0 allows none."""

    q: Array
    sigma_w2: Array
    sigma_b2: Array
    slope: Array  # dq'/dq at q


def critical_curve(function: Nonlinearity, q: Array | float) -> CriticalCurve:
    """Solve chi = 1 and q' = q for sigma_w^2 = 1 / E[phi'^2] and sigma_b^2 = q - sigma_w^2 E[phi^2].

    The source is Poole et al. 2016.
    """
    q = np.asarray(q, float)
    at = moments_at(function, q)
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma_w2 = 1 / at.derivative_square
        return CriticalCurve(q, sigma_w2, q - sigma_w2 * at.square, sigma_w2 * at.square_slope)


@functools.cache
def critical_initialization(function: Nonlinearity) -> CriticalPoint | None:
    """Find the smallest q* >= 0 on the critical curve with sigma_b^2 >= 0 and dq'/dq <= 1; None if there is none.

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
    edge = _bisect(lambda q: _margin(critical_curve(function, q)), QS[first - 1], QS[first])
    return _critical_point(function, edge)


def _bisect(function: Callable[[float], Array], low: float, high: float) -> float:
    """Find a sign change of `function` between low and high; `high` if there is none.

    scipy's root finders differ from this one in the last bit. Runs at a critical point are identified by its sigma_w,
    bit for bit, so another method would train them again.
    """
    sign = math.copysign(1, function(low))
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if math.copysign(1, function(middle)) == sign else (low, middle)
    return float(low + high) / 2


def _margin(curve: CriticalCurve) -> Array:
    """Measure how far inside the conditions sigma_b^2 >= 0 and dq'/dq <= 1 the curve is; negative if outside."""
    return np.asarray(np.nan_to_num(np.minimum(curve.sigma_b2 / curve.q, 1 - curve.slope), nan=-np.inf))


def _critical_point(function: Nonlinearity, q_star: float | None) -> CriticalPoint:
    """Return the critical initialisation of this q*."""
    curve = critical_curve(function, 1.0 if q_star is None else max(q_star, LIMIT_Q))
    sigma_w2 = float(curve.sigma_w2)
    if not q_star:  # any q, or the limit 0: the bias is 0, and q' = q leaves dq'/dq = chi = 1
        how = stability(function, math.nan if q_star is None else 0.0, sigma_w2, 0.0)
        return CriticalPoint(math.sqrt(sigma_w2), 0.0, q_star, 1.0, how)
    sigma_b2 = float(curve.sigma_b2) if curve.sigma_b2 > ROUNDING * q_star else 0.0
    how = stability(function, q_star, sigma_w2, sigma_b2)
    return CriticalPoint(math.sqrt(sigma_w2), math.sqrt(sigma_b2), q_star, float(curve.slope), how)


def why_not_critical(function: Nonlinearity) -> str:
    """Return the reason why `critical_initialization` returned None, as a clause for people."""
    curve = critical_curve(function, QS)
    if not np.any(curve.sigma_b2 >= -ROUNDING * QS):
        return "chi = 1 would need a negative bias variance at every q*"
    return "wherever chi = 1 with sigma_b^2 >= 0, dq'/dq > 1: q* is unstable"
