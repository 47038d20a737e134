"""Outputs and losses: gradients by finite differences, values by numpy, hits by counting."""

import numpy as np
import pytest
import tensorflow as tf
from finite_differences import central_difference

from study.engine import losses, optimizers
from study.settings import LOSSES, OPTIMIZERS, OUTPUTS

NUMPY_OUTPUTS = {
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(1, keepdims=True),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "relu": lambda z: np.maximum(z, 0),
}


def numpy_losses(output, loss, logits, labels, smoothing=0.0):
    """Keras' categorical cross-entropy scales a row of outputs to a sum of 1 first."""
    found, target = NUMPY_OUTPUTS[output](logits), np.eye(logits.shape[1])[labels]
    target = (1 - smoothing) * target + smoothing / logits.shape[1]
    if loss == "squared_error":
        return ((found - target) ** 2).mean(1)
    return -(target * np.log(found / found.sum(1, keepdims=True))).sum(1)


@pytest.fixture
def batch():
    rng = np.random.default_rng(3)
    return rng.uniform(0.1, 2, (6, 10)), rng.integers(0, 10, 6).astype(np.int32)


def test_the_settings_names_are_those_of_the_engine():
    assert tuple(losses.OUTPUTS) == OUTPUTS
    assert tuple(losses.LOSSES) == LOSSES
    assert tuple(optimizers.OPTIMIZERS) == OPTIMIZERS


@pytest.mark.parametrize("output", OUTPUTS)
def test_absolute_errors_are_numpys(output, batch):
    """The mean over the classes of |output - one-hot label|."""
    logits, labels = batch
    expected = np.abs(NUMPY_OUTPUTS[output](logits) - np.eye(10)[labels]).mean(1)
    np.testing.assert_allclose(losses.absolute_errors(output, *map(tf.constant, batch)), expected, rtol=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("output", OUTPUTS)
def test_losses_are_numpys_and_delta_is_a_finite_difference(output, loss, smoothing, batch):
    """Delta is the derivative of the mean over the batch in every logit, in float64."""
    of_examples = losses.example_losses(output, loss, *map(tf.constant, batch), smoothing)
    np.testing.assert_allclose(of_examples, numpy_losses(output, loss, *batch, smoothing), rtol=1e-6)
    mean, delta = losses.loss_and_delta(output, loss, *map(tf.constant, batch), smoothing)
    assert float(mean) == pytest.approx(np.mean(of_examples), rel=1e-12)
    slopes = central_difference(lambda: numpy_losses(output, loss, *batch, smoothing).mean(), batch[0])
    np.testing.assert_allclose(delta, slopes, rtol=1e-5, atol=1e-8)


def test_a_row_of_zeros_under_cross_entropy_is_an_outcome():
    """ReLU outputs that are all 0 have no share to take a logarithm of: the gradient is not a number, and says so."""
    _, delta = losses.loss_and_delta("relu", "crossentropy", -tf.ones((1, 10)), tf.constant([3]))
    assert not np.isfinite(delta).all()


def test_a_hit_is_the_largest_output():
    """Where ReLU makes several outputs 0 the first of them counts; softmax keeps the logits' order."""
    logits, labels = tf.constant([[-2.0, -1.0], [-1.0, 3.0], [2.0, 1.0]]), tf.constant([1, 1, 1])
    assert losses.hits("softmax", logits, labels).numpy().tolist() == [True, True, False]
    assert losses.hits("relu", logits, labels).numpy().tolist() == [False, True, False]


def test_the_standard_loss_never_overflows():
    """Logits of +-1000: the loss is their distance, and the gradient is the difference of two labels."""
    loss, delta = losses.loss_and_delta(
        "softmax", "crossentropy", tf.constant([[1000.0, -1000.0, 0.0]]), tf.constant([1])
    )
    assert float(loss) == 2000
    np.testing.assert_array_equal(delta, [[1, -1, 0]])
