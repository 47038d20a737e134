"""Find critical initialisations, at which errors neither grow nor shrink from layer to layer.

There, the expected squared norm of the errors is the same in every layer. In symbols, chi = 1 at the fixed point q* of
the forward map; fixed_points.py defines these symbols.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from study.theory.fixed_points import LIMIT_Q, QS, ROUNDING, Stability, moments_at, stability
from study.theory.nonlinearity import Array, Nonlinearity


@dataclass(frozen=True)
class CriticalPoint:
    """Hold a critical initialisation: Var(W) = sigma_w^2 / fan_in and Var(b) = sigma_b^2 give chi = 1 at q*.

    `q_star` is None if every q is a fixed point (positively homogeneous phi), and 0 for the limit q -> 0. `slope` is
    dq'/dq at q*. `stability` tells whether the forward map moves values near q* towards it.
    """

    sigma_w: float
    sigma_b: float
    q_star: float | None
    slope: float
    stability: Stability


@dataclass(frozen=True)
class CriticalCurve:
    """Hold for each q the initialisation that makes q a fixed point with chi = 1; all arrays have the shape of q.

    `sigma_w2` and `sigma_b2` are sigma_w^2 and sigma_b^2. Where `sigma_b2` is negative, no such initialisation exists.
    """

    q: Array
    sigma_w2: Array
    sigma_b2: Array
    slope: Array  # dq'/dq at q


def critical_curve(function: Nonlinearity, q: Array | float) -> CriticalCurve:
    """Return the initialisation with chi = 1 and q' = q at each `q`, an array of any shape or a number.

    The activation phi is `function`. Then sigma_w^2 = 1 / E[phi'(u)^2] and sigma_b^2 = q - sigma_w^2 E[phi(u)^2], where
    u ~ N(0, q) (Poole et al. 2016). `sigma_w2` is infinite where E[phi'(u)^2] is 0.
    """
    q = np.asarray(q, float)
    at = moments_at(function, q)
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma_w2 = 1 / at.derivative_square
        return CriticalCurve(q, sigma_w2, q - sigma_w2 * at.square, sigma_w2 * at.square_slope)


@functools.cache
def critical_initialization(function: Nonlinearity) -> CriticalPoint | None:
    """Return the critical initialisation of `function` with the smallest q* that is possible and not unstable, or None.

    The search goes along the critical curve at QS. A point is possible if sigma_b^2 >= 0, and not unstable if dq'/dq <=
    1. The result is None if no point meets both conditions. If the smallest of QS meets them, q* is the limit 0, or
    None if every q is a fixed point. For smooth non-monotone activations, dq'/dq = 1 too at the smallest q*: the
    half-stable point of Roberts, Yaida & Hanin 2022, section 5.3.4.
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
    """Return the place between `low` and `high` where `function` changes its sign, or `high` if it never does.

    The root finders of scipy differ from this bisection in the last bit. The exact bits of sigma_w identify a run at a
    critical point. With another method, all these runs would be trained again.
    """
    sign = math.copysign(1, function(low))
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if math.copysign(1, function(middle)) == sign else (low, middle)
    return float(low + high) / 2


def _margin(curve: CriticalCurve) -> Array:
    """Return the smaller of sigma_b^2 / q and 1 - dq'/dq at each q of `curve`, in the shape of q.

    The margin is negative where sigma_b^2 >= 0 or dq'/dq <= 1 fails, and -inf where it cannot be computed.
    """
    return np.asarray(np.nan_to_num(np.minimum(curve.sigma_b2 / curve.q, 1 - curve.slope), nan=-np.inf))


def _critical_point(function: Nonlinearity, q_star: float | None) -> CriticalPoint:
    """Return the critical initialisation of `function` at `q_star`, which may be None or 0 as in `CriticalPoint`."""
    curve = critical_curve(function, 1.0 if q_star is None else max(q_star, LIMIT_Q))
    sigma_w2 = float(curve.sigma_w2)
    if not q_star:  # every q, or the limit 0: then sigma_b = 0 and dq'/dq = chi = 1
        how = stability(function, math.nan if q_star is None else 0.0, sigma_w2, 0.0)
        return CriticalPoint(math.sqrt(sigma_w2), 0.0, q_star, 1.0, how)
    sigma_b2 = float(curve.sigma_b2) if curve.sigma_b2 > ROUNDING * q_star else 0.0
    how = stability(function, q_star, sigma_w2, sigma_b2)
    return CriticalPoint(math.sqrt(sigma_w2), math.sqrt(sigma_b2), q_star, float(curve.slope), how)


def why_not_critical(function: Nonlinearity) -> str:
    """Return the reason why `critical_initialization(function)` is None, as part of a sentence.

    The reason is meaningless if the result is a `CriticalPoint`; this function does not check that.
    """
    curve = critical_curve(function, QS)
    if not np.any(curve.sigma_b2 >= -ROUNDING * QS):
        return "chi = 1 would need a negative bias variance at every q*"
    return "wherever chi = 1 with sigma_b^2 >= 0, dq'/dq > 1: q* is unstable"
