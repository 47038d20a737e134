"""Integrate an activation phi over Gaussian inputs: its one- and two-dimensional moments.

All integrals use composite Gauss-Legendre quadrature over panels on which the integrand is smooth. Gauss-Hermite nodes
would do for tanh, but they converge too slowly for ReLU and other functions with kinks.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np

from study.theory.nonlinearity import NODES, ORDER, WEIGHTS, Array, Nonlinearity

SPAN = 12.0  # standard deviations integrated over, each side; exp(-72) of the mass lies beyond
SMALLEST_Q = 1e-200  # replaces q = 0, so that the one-sided limits at a kink in 0 are averaged
SMALLEST_ANGLE = 1e-15  # the least sine of half the angle between u and v, instead of 0 for equal ones
ROWS = 64  # values of q integrated at once, at most twice as many; bounds the memory
MOST_POINTS = 10_000_000  # of a two-dimensional integral; ten times what any activation with few edges needs


@dataclass(frozen=True)
class Moments:
    """Hold moments of phi(u) and phi'(u) for u = sqrt(q) z, z ~ N(0, 1); every field has the shape of q."""

    square: Array  # E[phi(u)^2]
    square_slope: Array  # d E[phi(u)^2] / dq = E[phi(u) phi'(u) z] / sqrt(q)
    derivative_square: Array  # E[phi'(u)^2]


def moments(function: Nonlinearity, q: Array | float) -> Moments:
    """Return the Moments of phi = `function` for u ~ N(0, q), to a relative error of 1e-8.

    They are E[phi(u)^2], its derivative in q, and E[phi'(u)^2]. `q` may have any shape; its values are finite and >= 0.
    """
    q = np.asarray(q, float)
    variances = np.maximum(q.ravel(), SMALLEST_Q)
    parts = np.array_split(variances, max(1, variances.size // ROWS))
    found = [_moments(function, tuple(part.tolist())) for part in parts]
    square, slope, derivative_square = np.concatenate(found, axis=1)
    return Moments(square.reshape(q.shape), slope.reshape(q.shape), derivative_square.reshape(q.shape))


@functools.lru_cache(maxsize=1024)  # networks of several depths share their first layers
def _moments(function: Nonlinearity, q: tuple[float, ...]) -> Array:
    """Return E[phi(u)^2], its derivative with respect to q, and E[phi'(u)^2], for u ~ N(0, q), as an array (3, n).

    The activation phi is `function`. `q` holds n mean squares above 0, in a tuple so that results can be cached.
    """
    sigma = np.sqrt(q)[:, None]
    z, weights = _nodes(_within_reach(function.edges, sigma) / sigma, width=1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        value, derivative = function.at(sigma * z)
        integrands = value**2, value * derivative * z / sigma, derivative**2
        return np.stack([np.sum(weights * integrand, axis=1) for integrand in integrands])


def _within_reach(places: Array, sigma: Array) -> Array:
    """Return the `places` (k,) that lie within SPAN times the largest `sigma` of 0."""
    return np.asarray(places[np.abs(places) < SPAN * sigma.max(initial=0)])


def _nodes(edges: Array, width: float) -> tuple[Array, Array]:
    """Return nodes z and weights w, each (rows, nodes), with sum(w f(z)) = E[f(z)], z ~ N(0, 1), in each row.

    The panels from -SPAN to SPAN are `width` wide and are split, in each row, at that row's `edges` (rows, k). The sum
    is accurate if f is smooth on each panel.
    """
    regular = np.arange(-SPAN, SPAN + width / 2, width)
    regular = np.broadcast_to(regular, (len(edges), regular.size))
    edges = np.sort(np.concatenate([regular, np.clip(edges, -SPAN, SPAN)], axis=1), axis=1)
    half, middle = np.diff(edges)[..., None] / 2, (edges[:, :-1] + edges[:, 1:])[..., None] / 2
    shape = len(edges), half.shape[1] * ORDER
    z = (middle + half * NODES).reshape(shape)
    weights = (half * WEIGHTS).reshape(shape) * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return z, weights


def correlated_moments(function: Nonlinearity, q: float, correlation: float) -> tuple[float, float]:
    """Return E[phi(u) phi(v)] and E[phi'(u) phi'(v)] for Gaussian u and v of mean square `q` and this `correlation`.

    The activation phi is `function`. For c = `correlation` = cos(angle), u and v are sqrt(q) (cos(angle / 2) s +-
    sin(angle / 2) d), where s and d are independent standard normals. For c < 0, take -c and -v. For a given d, the
    integrand has phi's edges in s, moved by d both ways. The integral over s is smooth in d except where two kinks
    meet. Near d = 0, where u = v, it may change as fast as phi.

    Return NaN for both if that needs more than MOST_POINTS points, as for a periodic activation and a large `q`.
    """
    sign = 1.0 if correlation >= 0 else -1.0
    half_angle = np.arccos(min(abs(correlation), 1.0)) / 2
    sigma = np.sqrt(max(q, SMALLEST_Q))
    along, across = sigma * np.cos(half_angle), sigma * max(np.sin(half_angle), SMALLEST_ANGLE)
    edges, kinks = (_within_reach(places, sigma) for places in (function.edges, function.kinks))
    meet = np.unique(np.round((kinks[:, None] - sign * kinks) / sigma, 9)) * sigma / 2
    d, weights_d = _nodes(np.append(meet, edges)[None, :] / across, width=4.0)
    if 2 * ORDER * d.size * (edges.size + SPAN) > MOST_POINTS:
        return math.nan, math.nan
    shift = across * d.T  # (values of d, 1)
    s, weights_s = _nodes(np.concatenate([edges - shift, sign * edges + shift], axis=1) / along, width=3.0)
    first, second = function.at(along * s + shift), function.at(sign * (along * s - shift))
    product, slopes = (weights_d[0] @ np.sum(weights_s * f * g, axis=1) for f, g in zip(first, second, strict=True))
    return float(product), float(slopes)
