"""How gradients become updates: Keras' optimisers as pure functions, so that one compiled program can loop over them.

Each optimiser keeps `slots`, tensors of the parameter's shape. A step first advances the slots with the gradient, then
reads the update off them; the update is a function of the slots alone, so that the last one can be measured without
being kept. The arithmetic is Keras' own, operation by operation; a test holds every entry to Keras.
"""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

BETA_1, BETA_2 = 0.9, 0.999  # Adam's decay rates, Keras' defaults

Slots = tuple[tf.Tensor, ...]


@dataclass(frozen=True)
class Hyperparameters:
    """Scalars that need no new compiled program; `step` counts updates from 1, Adam's rates are 1 - beta."""

    learning_rate: tf.Tensor
    momentum: tf.Tensor
    epsilon: tf.Tensor
    mean_rate: tf.Tensor
    square_rate: tf.Tensor
    step: tf.Tensor


@dataclass(frozen=True)
class Optimizer:
    """`slots` is the number of slots, all zero at first; `advance` and `update` are elementwise."""

    slots: int
    advance: Callable[[Slots, tf.Tensor, Hyperparameters], Slots]
    update: Callable[[Slots, Hyperparameters], tf.Tensor]


def _adam_advance(slots: Slots, gradient: tf.Tensor, h: Hyperparameters) -> Slots:
    mean, square = slots
    return mean + (gradient - mean) * h.mean_rate, square + (tf.square(gradient) - square) * h.square_rate


def _adam_update(slots: Slots, h: Hyperparameters) -> tf.Tensor:
    """Kingma & Ba 2015; epsilon stands outside the bias correction, as in Keras (their "epsilon hat")."""
    mean, square = slots
    one = tf.ones((), mean.dtype)
    alpha = h.learning_rate * tf.sqrt(one - tf.pow(BETA_2 * one, h.step)) / (one - tf.pow(BETA_1 * one, h.step))
    return -mean * alpha / (tf.sqrt(square) + h.epsilon)


def _sgd_advance(slots: Slots, gradient: tf.Tensor, h: Hyperparameters) -> Slots:
    (velocity,) = slots
    return (velocity * h.momentum - gradient * h.learning_rate,)


def _sgd_update(slots: Slots, h: Hyperparameters) -> tf.Tensor:
    return slots[0]


OPTIMIZERS: dict[str, Optimizer] = {
    "adam": Optimizer(2, _adam_advance, _adam_update),
    "sgd": Optimizer(1, _sgd_advance, _sgd_update),
}
