"""Panels and kinks are found from the values of an activation alone."""

import numpy as np
import pytest

from study.activations import REGISTRY, ActivationError, value_and_derivative
from study.theory.nonlinearity import from_tensorflow, nonlinearity

KINKS = {"relu": [0], "leaky_relu": [0], "selu": [0], "relu6": [0, 6], "hard_swish": [-3, 3]}


@pytest.mark.parametrize("name", REGISTRY)
def test_kinks_are_found_from_the_function(name):
    """A jump of phi' is found where it is, and nowhere else."""
    assert from_tensorflow(REGISTRY[name].function).kinks == pytest.approx(KINKS.get(name, []), abs=1e-12)


def test_kinks_may_lie_anywhere():
    """A kink at a place that no grid would guess is found to 1e-12."""
    clipped = nonlinearity(lambda x: (np.clip(x, 1 / 3, np.pi), ((x > 1 / 3) & (x < np.pi)).astype(float)))
    assert np.unique(np.round(clipped.kinks, 12)) == pytest.approx([1 / 3, np.pi], abs=1e-12)


def test_a_function_that_is_nowhere_smooth_is_refused():
    """Noise is an error, not a wrong integral."""
    noise = np.random.default_rng(0)
    with pytest.raises(ActivationError):
        nonlinearity(lambda x: (x + noise.standard_normal(x.shape), np.ones_like(x)))


def test_an_activation_of_the_registry_gives_values_and_derivatives():
    """from_tensorflow evaluates the registry's own function, in any shape, and prepares it once."""
    function = from_tensorflow(REGISTRY["swish"].function)
    x = np.linspace(-3, 3, 6)
    expected = value_and_derivative(REGISTRY["swish"].function, x)
    assert np.array_equal(function.evaluate(x), expected)
    assert np.array_equal(function.at(x.reshape(2, 3)), np.reshape(expected, (2, 2, 3)))
    assert from_tensorflow(REGISTRY["swish"].function) is function
