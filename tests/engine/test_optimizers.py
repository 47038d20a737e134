"""Our optimisers as pure functions: against Keras' own, and against sums a person can check."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from study.engine.optimizers import OPTIMIZERS, Hyperparameters
from study.settings import OPTIMIZERS as NAMES

KERAS = {
    "adam": lambda rate, momentum, epsilon: keras.optimizers.Adam(rate, epsilon=epsilon),
    "sgd": lambda rate, momentum, epsilon: keras.optimizers.SGD(rate, momentum),
}


def trajectory(name, gradients, start, rate, momentum=0.0, epsilon=1e-7):
    """Return a parameter (units,) after each of the gradients (steps, units), by our optimiser: (steps, units)."""
    rule, dtype = OPTIMIZERS[name], gradients.dtype
    parameter = tf.constant(start)
    slots = (tf.zeros_like(parameter),) * rule.slots
    found = []
    for step, gradient in enumerate(gradients, start=1):
        numbers = (tf.constant(number, dtype) for number in (rate, momentum, epsilon, 1 - 0.9, 1 - 0.999, step, 0, 1))
        learning_rate, *others, number, decay, newest = numbers
        h = Hyperparameters(rule.rate(learning_rate, number), *others, number, decay, newest)
        slots = rule.advance(slots, tf.constant(gradient), h)
        parameter += rule.update(slots, h)
        found.append(parameter.numpy())
    return np.stack(found)


def keras_trajectory(name, gradients, start, rate, momentum=0.0, epsilon=1e-7):
    """Return the same by Keras' optimiser."""
    optimizer = KERAS[name](rate, momentum, epsilon)
    for number in ("beta_1", "beta_2", "momentum"):  # Keras rounds them to float32 unless they are numpy's
        if hasattr(optimizer, number):
            setattr(optimizer, number, np.float64(getattr(optimizer, number)))
    variable = keras.Variable(start, dtype=gradients.dtype.name)
    found = []
    for gradient in gradients:
        optimizer.apply([tf.constant(gradient)], [variable])
        found.append(variable.numpy())
    return np.stack(found)


def test_every_optimizer_the_settings_allow_is_there():
    """One entry a name, and Keras' counterpart for each in these tests."""
    assert set(OPTIMIZERS) == set(NAMES) == set(KERAS)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(("momentum", "epsilon"), [(0.0, 1e-7), (0.9, 1e-3)])
def test_updates_are_those_of_keras_in_float64(name, momentum, epsilon, float64_keras):
    """30 updates by gradients of every size from 1e-20 to 1e3, some of them 0: Keras' to 12 digits, one by one."""
    rng = np.random.default_rng(1)
    gradients = rng.normal(size=(30, 50)) * 10.0 ** rng.integers(-20, 4, (30, 50))
    gradients[rng.random((30, 50)) < 0.2] = 0
    start = rng.normal(size=50)
    ours, theirs = (f(name, gradients, start, 0.01, momentum, epsilon) for f in (trajectory, keras_trajectory))
    np.testing.assert_allclose(ours - start, theirs - start, rtol=1e-11, atol=1e-15)


def test_the_first_step_of_adam_by_hand():
    """Its means are then 0.1 g and 0.001 g^2. The bias correction undoes both: -rate * g / (|g| + epsilon').

    epsilon' = epsilon / sqrt(0.001), as epsilon stands outside the correction. A gradient of 0 moves nothing.
    """
    gradient = np.array([[3.0, -0.25, 1e-7, 0.0]])
    (moved,) = trajectory("adam", gradient, np.zeros(4), rate=0.01, epsilon=1e-7)
    expected = [-0.01 * g / (abs(g) + 1e-7 / 0.001**0.5) for g in gradient[0]]
    np.testing.assert_allclose(moved, expected, rtol=1e-12)


def test_momentum_by_hand():
    """A constant gradient of 1, rate 1, momentum 1/2: updates 1, 1.5, 1.75, so -1, -2.5, -4.25; without: -1, -2, -3."""
    gradients = np.ones((3, 1))
    assert trajectory("sgd", gradients, np.zeros(1), 1.0, momentum=0.5).ravel().tolist() == [-1, -2.5, -4.25]
    assert trajectory("sgd", gradients, np.zeros(1), 1.0).ravel().tolist() == [-1, -2, -3]
