"""Gaussian integrals of an activation that is known only as a function: its one- and two-dimensional moments.

The one-dimensional integrals are composite Gauss-Legendre over panels on which phi and phi' are smooth: the panels are
found by bisection, so kinks need not be told. The two-dimensional ones are Mehler's series in the correlation. Numpy
only; `evaluate` is any function x (n,) -> (phi(x), phi'(x)), each (n,), in float64.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
Evaluate = Callable[[Array], tuple[Array, Array]]

ORDER = 16  # Gauss-Legendre nodes per panel
SPAN = 12.0  # standard deviations integrated over, each side; exp(-72) of the mass lies beyond
REACH = 2.0**14  # |x| up to which panels are sought: 12 standard deviations at q = 1.8e6
SMOOTH = 1e-10  # largest error of a panel's interpolant, relative to the panel's largest value
ROUNDING = 1e-13  # the same, absolute, per unit of max(1, |x|): cancellation in phi is not roughness
KINK_WIDTH = 1e-13  # a panel this narrow (relative to max(1, |x|)) and still not smooth holds a kink
KINK_SIDE, JUMP = 1e-9, 1e-6  # phi' this far to both sides of a kink differs by more than this
MOST_PANELS = 20_000
DEGREE = 128  # of the Hermite series
TAIL_ANGLE = 0.6  # beyond this angle cos(angle)^DEGREE < 2e-11: the series needs no tail
TAIL_NODES = 32  # Chebyshev nodes in the angle
SMALLEST_Q = 1e-200  # stands for q = 0: one-sided limits at a kink in 0 are averaged

NODES, WEIGHTS = np.polynomial.legendre.leggauss(ORDER)


class RoughActivationError(ValueError):
    """An activation that cannot be split into few smooth panels; its integrals are not to be trusted."""


@dataclass(frozen=True, eq=False)
class Nonlinearity:
    """An activation ready to be integrated. Equal only to itself, so that integrals of it can be cached.

    `edges` (n,), ascending: phi and phi' are smooth between neighbours. `kinks` (k,): those where phi' jumps.
    """

    evaluate: Evaluate
    edges: Array
    kinks: Array


@dataclass(frozen=True)
class Moments:
    """z ~ N(0, 1), u = sqrt(q) z; every field has the shape of q."""

    square: Array  # E[phi(u)^2]
    square_slope: Array  # d E[phi(u)^2] / dq = E[phi(u) phi'(u) z] / sqrt(q), by Stein's lemma
    derivative_square: Array  # E[phi'(u)^2]


def nonlinearity(evaluate: Evaluate) -> Nonlinearity:
    """Find where phi is smooth: once to locate the kinks, once more with the kinks as panel edges."""
    powers = 2.0 ** np.arange(-4, np.log2(REACH) + 1)
    start = np.concatenate([-powers[::-1], [0.0], powers])
    _, kinks = _refine(evaluate, start)
    edges, _ = _refine(evaluate, np.union1d(start, kinks))
    beside = KINK_SIDE * np.maximum(1, np.abs(edges))
    before, after = (evaluate(edges + side)[1] for side in (-beside, beside))
    with np.errstate(invalid="ignore"):  # phi may overflow far out
        jumps = np.abs(after - before) > JUMP * np.maximum(1, np.abs(after))
    return Nonlinearity(evaluate, edges, kinks=edges[jumps])


def _refine(evaluate: Evaluate, edges: Array) -> tuple[Array, Array]:
    """Bisect until the panels are smooth or too narrow: all edges (n,) and the midpoints of the too narrow (k,)."""
    left, right = edges[:-1], edges[1:]
    found, kinks = [edges], []
    while left.size:
        middle = (left + right) / 2
        narrow = right - left < KINK_WIDTH * np.maximum(1, np.abs(middle))
        kinks.append(middle[narrow])
        left, middle, right = left[~narrow], middle[~narrow], right[~narrow]
        rough = ~_is_smooth(evaluate, left, right)
        found.append(middle[rough])
        left, right = np.append(left[rough], middle[rough]), np.append(middle[rough], right[rough])
        if left.size > MOST_PANELS:
            raise RoughActivationError(f"is smooth on none of {left.size} panels: too rough or noisy to integrate")
    return np.unique(np.concatenate(found)), np.concatenate(kinks)


def _is_smooth(evaluate: Evaluate, left: Array, right: Array) -> Array:
    """Whether polynomials through the Gauss nodes of each panel predict phi and phi' at other points of it; (panels,).

    Where phi overflows there is nothing to refine: the integrals that reach there are infinite.
    """
    others = np.linspace(-0.99, 0.99, ORDER + 1)
    legendre = np.polynomial.legendre.legvander
    predict = legendre(others, ORDER - 1) @ np.linalg.inv(legendre(NODES, ORDER - 1))
    half, middle = (right - left)[:, None] / 2, (right + left)[:, None] / 2
    x = middle + half * np.append(NODES, others)
    smooth = np.ones(left.size, bool)
    with np.errstate(over="ignore", invalid="ignore"):
        for values in evaluate(x.ravel()):
            values = values.reshape(x.shape)
            error = np.abs(values[:, :ORDER] @ predict.T - values[:, ORDER:]).max(axis=1, initial=0)
            allowed = SMOOTH * np.abs(values).max(axis=1, initial=0) + ROUNDING * np.maximum(1, np.abs(middle[:, 0]))
            smooth &= ~(error > allowed)
    return np.asarray(smooth)


def _nodes(edges: Array, width: float) -> tuple[Array, Array]:
    """Nodes z (rows, nodes) and weights of the standard normal mean, sum(w f(z)) -> E[f(z)], row by row.

    The panels are `width` wide and split, in each row, at that row's `edges` (rows, k).
    """
    regular = np.arange(-SPAN, SPAN + width / 2, width)
    regular = np.broadcast_to(regular, (len(edges), regular.size))
    edges = np.sort(np.concatenate([regular, np.clip(edges, -SPAN, SPAN)], axis=1), axis=1)
    half, middle = np.diff(edges)[..., None] / 2, (edges[:, :-1] + edges[:, 1:])[..., None] / 2
    shape = len(edges), half.shape[1] * ORDER
    z = (middle + half * NODES).reshape(shape)
    weights = (half * WEIGHTS).reshape(shape) * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return z, weights


def _scaled_edges(function: Nonlinearity, q: Array) -> Array:
    """The function's edges within reach, in standard deviations: (q's, k)."""
    sigma = np.sqrt(q)[:, None]
    return np.asarray(function.edges[np.abs(function.edges) < SPAN * sigma.max(initial=0)] / sigma)


def _values(function: Nonlinearity, x: Array) -> tuple[Array, Array]:
    """phi and phi' at x, of any shape; each of the shape of x."""
    value, derivative = function.evaluate(x.ravel())
    return value.reshape(x.shape), derivative.reshape(x.shape)


def moments(function: Nonlinearity, q: Array | float) -> Moments:
    """One-dimensional Gaussian moments at the mean squares q (any shape, finite, >= 0), to a relative 1e-8."""
    q = np.asarray(q, float)
    variances = np.maximum(q.ravel(), SMALLEST_Q)
    parts = np.array_split(variances, max(1, variances.size // 64))  # bounds the memory
    square, slope, derivative_square = np.concatenate([_moments(function, part) for part in parts], axis=1)
    return Moments(square.reshape(q.shape), slope.reshape(q.shape), derivative_square.reshape(q.shape))


def _moments(function: Nonlinearity, q: Array) -> Array:
    z, weights = _nodes(_scaled_edges(function, q), width=1.0)
    sigma = np.sqrt(q)[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        value, derivative = _values(function, sigma * z)
        integrands = value**2, value * derivative * z / sigma, derivative**2
        return np.stack([np.sum(weights * integrand, axis=1) for integrand in integrands])


def correlated_moments(function: Nonlinearity, q: Array, correlation: Array) -> tuple[Array, Array]:
    """E[phi(u_i) phi(u_j)] and E[phi'(u_i) phi'(u_j)], both (n, n), for jointly normal u with mean squares q (n,).

    Mehler's formula: the sum over n of a_n(q_i) a_n(q_j) c^n, a_n the Hermite coefficients. A kink makes a_n^2 fall
    only as a power of n, so for |c| near 1, where the terms beyond DEGREE count, their sum is had by direct integration
    at the geometric mean of q, and scaled to the mass that the coefficients lack of E[f^2] (Parseval).

    To 1e-6 for |c| < 0.9. Nearer 1, to 1e-5 where the q of a batch have met and phi has kinks or smooth features wider
    than sqrt(q) / 10; for unequal q to 1e-3. Exact on the diagonal.
    """
    levels, index = np.unique(np.round(np.log(np.maximum(q, SMALLEST_Q)), 10), return_inverse=True)
    levels = np.exp(np.append(levels, levels.mean()))  # the last is the reference
    coefficients = _hermite_series(function, levels)
    exact = moments(function, levels)
    square = np.stack([exact.square, exact.derivative_square])
    missing = np.maximum(square - np.sum(coefficients**2, axis=2), 0)
    totals = np.stack([_mehler(a[index], correlation) for a in coefficients])
    if np.any(missing[:, -1] > 1e-9 * square[:, -1]):
        tails = _tails(function, levels[-1], coefficients[:, -1:], correlation)
        root = np.sqrt(missing[:, index] / np.maximum(missing[:, -1:], np.finfo(float).tiny))
        totals += tails * root[:, :, None] * root[:, None, :]
    for total, diagonal in zip(totals, square[:, index], strict=True):
        np.fill_diagonal(total, diagonal)
    return totals[0], totals[1]


def _hermite_series(function: Nonlinearity, q: Array) -> Array:
    """E[f(sqrt(q) z) h_n(z)] for f = phi and f = phi', h_n the normalised Hermite polynomials; (2, q's, DEGREE + 1)."""
    z, weights = _nodes(_scaled_edges(function, q), width=0.5)
    weighted = weights * np.stack(_values(function, np.sqrt(q)[:, None] * z))
    coefficients = np.empty((2, q.size, DEGREE + 1))
    previous, current = np.zeros_like(z), np.ones_like(z)
    for n in range(DEGREE + 1):
        coefficients[..., n] = np.einsum("fqm,qm->fq", weighted, current)
        previous, current = current, (z * current - np.sqrt(n) * previous) / np.sqrt(n + 1)
    return coefficients


def _mehler(coefficients: Array, correlation: Array) -> Array:
    """Sum over n <= DEGREE of a_n(i) a_n(j) c^n; coefficients (n, DEGREE + 1) or (1, DEGREE + 1)."""
    total = np.zeros_like(correlation)
    for a in coefficients.T[::-1]:
        total = total * correlation + np.outer(a, a)
    return total


def _tails(function: Nonlinearity, q: float, coefficients: Array, correlation: Array) -> Array:
    """The terms of Mehler's series beyond DEGREE at one q, for phi and phi'; (2, n, n).

    Interpolated in the square root of the angle arccos|c|: smooth, and dense near 0, where sharp features show.
    """
    tails = np.zeros((2, *correlation.shape))
    nodes = (1 - np.cos(np.pi * (np.arange(TAIL_NODES) + 0.5) / TAIL_NODES)) / 2
    for sign in (1.0, -1.0):
        root = np.sqrt(np.arccos(np.clip(sign * correlation, -1, 1)) / TAIL_ANGLE)
        near = root < 1
        if near.any():
            angles = TAIL_ANGLE * nodes**2
            values = _near_collinear(function, float(q), sign, tuple(angles))
            values = values - np.concatenate([_mehler(a, sign * np.cos(angles)[None, :]) for a in coefficients])
            for tail, value in zip(tails, values, strict=True):
                tail[near] = np.polynomial.Chebyshev.fit(nodes, value, TAIL_NODES - 1, domain=[0, 1])(root[near])
    return tails


@functools.lru_cache(maxsize=256)  # deep layers share their q
def _near_collinear(function: Nonlinearity, q: float, sign: float, angles: tuple[float, ...]) -> Array:
    """E[f(u) f(sign v)] for f = phi and phi', u and v of mean square q and correlation cos(angle); (2, angles).

    u, v = sqrt(q) (cos(angle / 2) s +- sin(angle / 2) d) with s and d independent standard normals: for a given d a
    one-dimensional integral whose edges are those of the function, shifted both ways. In d it is smooth but where two
    kinks meet.
    """
    sigma, results = np.sqrt(q), []
    edges, kinks = _scaled_edges(function, np.array([q])), function.kinks / sigma
    meet = np.unique(np.round(kinks[:, None] - sign * kinks, 9)) / 2
    for angle in angles:
        along, across = np.cos(angle / 2), np.sin(angle / 2)
        d, weights_d = _nodes(meet[None, :] / across, width=4.0)
        shift = across * d.T  # (d's, 1)
        s, weights_s = _nodes(np.concatenate([edges - shift, sign * edges + shift], axis=1) / along, width=3.0)
        first = _values(function, sigma * (along * s + shift))
        second = _values(function, sign * sigma * (along * s - shift))
        results.append([weights_d[0] @ np.sum(weights_s * f * g, axis=1) for f, g in zip(first, second, strict=True)])
    return np.transpose(results)
