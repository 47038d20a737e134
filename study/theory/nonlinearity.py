"""Prepare an activation phi for integration: find the panels on which it is smooth, and its kinks, by bisection.

A panel is the interval between two neighbouring edges, and a kink is a point where phi' jumps. An activation is known
only as a function that maps x (n,) to phi(x) and phi'(x), each (n,), in float64.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from study.activations import ActivationError, value_and_derivative

Array = np.ndarray
Evaluate = Callable[[Array], tuple[Array, Array]]

ORDER = 16  # Gauss-Legendre nodes per panel
REACH = 2.0**14  # |x| up to which panels are sought: 12 standard deviations at q = 1.8e6
SMOOTH = 1e-10  # largest error of a panel's interpolant, relative to the panel's largest value
ROUNDING = 1e-13  # an absolute error of max(1, |x|) times this is rounding in phi, not roughness
KINK_WIDTH = 1e-13  # a panel this narrow (relative to max(1, |x|)) and still not smooth holds a kink
KINK_SIDE, JUMP = 1e-9, 1e-6  # phi' differs by more than JUMP between the points KINK_SIDE before and after a kink
NEARER = 0.1  # a jump does not shrink if these points come nearer by this factor; a smooth change of phi' does
MOST_PANELS = 20_000

NODES, WEIGHTS = np.polynomial.legendre.leggauss(ORDER)


@dataclass(frozen=True, eq=False)
class Nonlinearity:
    """Hold an activation that is ready to be integrated. It equals only itself, so its integrals can be cached.

    `evaluate` maps x (n,) to phi(x) and phi'(x), each (n,). `edges` (m,) ascend, and phi and phi' are smooth between
    neighbouring edges. `kinks` (k,) are the edges where phi' jumps.
    """

    evaluate: Evaluate
    edges: Array
    kinks: Array

    def at(self, x: Array) -> tuple[Array, Array]:
        """Return phi and phi' at `x`, an array of any shape; each has the shape of `x`."""
        value, derivative = self.evaluate(x.ravel())
        return value.reshape(x.shape), derivative.reshape(x.shape)


@functools.cache
def from_tensorflow(function: Callable[..., Any]) -> Nonlinearity:
    """Return the TensorFlow `function` of a registry entry, prepared for integration; the result is cached.

    Theory uses only the values and derivatives of `function` in float64. Raise ActivationError if `function` has no
    gradient, or as `nonlinearity` does.
    """
    return nonlinearity(lambda x: value_and_derivative(function, x))


def nonlinearity(evaluate: Evaluate) -> Nonlinearity:
    """Return the activation that `evaluate` computes, with its edges and kinks in [-REACH, REACH].

    `evaluate` maps x (n,) to phi(x) and phi'(x), each (n,). A first search locates the kinks, and a second search has
    them among its edges. Raise ActivationError if a search comes to more than MOST_PANELS panels that may be rough.
    """
    powers = 2.0 ** np.arange(-4, np.log2(REACH) + 1)
    start = np.concatenate([-powers[::-1], [0.0], powers])
    _, kinks = _refine(evaluate, start)
    edges, _ = _refine(evaluate, np.union1d(start, kinks))
    return Nonlinearity(evaluate, edges, kinks=edges[_are_kinks(evaluate, edges)])


def _are_kinks(evaluate: Evaluate, edges: Array) -> Array:
    """Tell at which of `edges` (m,) phi' jumps; (m,) bool. `evaluate` computes phi and phi', as in `Nonlinearity`."""
    beside = KINK_SIDE * np.maximum(1, np.abs(edges))
    with np.errstate(invalid="ignore"):  # phi may overflow far out
        far, near = (
            np.abs(evaluate(edges + side)[1] - evaluate(edges - side)[1]) for side in (beside, NEARER * beside)
        )
        size = np.maximum(1, np.abs(evaluate(edges + beside)[1]))
        return np.asarray((far > JUMP * size) & (near > far / 2))


def _refine(evaluate: Evaluate, edges: Array) -> tuple[Array, Array]:
    """Bisect the panels between `edges` until each is smooth or too narrow.

    `evaluate` computes phi and phi', as in `Nonlinearity`. Return all edges (m,), ascending, and the midpoints (k,) of
    the panels that are too narrow. Raise ActivationError if more than MOST_PANELS panels are left to test at once.
    """
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
            wanted = "it must be smooth except at a few kinks, or theory cannot integrate it"
            raise ActivationError(f"leaves {left.size} panels of [-{REACH:g}, {REACH:g}] to test; {wanted}")
    return np.unique(np.concatenate(found)), np.concatenate(kinks)


def _is_smooth(evaluate: Evaluate, left: Array, right: Array) -> Array:
    """Tell which of the panels from `left` to `right`, each (panels,), are smooth; (panels,) bool.

    `evaluate` computes phi and phi', as in `Nonlinearity`. On a smooth panel, polynomials through its Gauss nodes
    predict both at other points. A panel where phi overflows counts as smooth: the integrals that reach there are
    infinite anyway.
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
