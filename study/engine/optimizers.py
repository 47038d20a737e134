"""Turn gradients into updates: Keras' optimisers as pure functions, so that one compiled program can loop over them.

Each optimiser keeps `slots` for each parameter: tensors of its shape, such as running means of its gradient. A step
first advances the slots with the gradient, then computes the update from slots and hyperparameters alone. The last
update can therefore be measured without storing it. A test compares every entry with Keras, whose arithmetic this is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

BETA_1, BETA_2 = 0.9, 0.999  # Adam's decay rates, Keras' defaults

Slots = tuple[tf.Tensor, ...]


@dataclass(frozen=True)
class Hyperparameters:
    """Hold the scalars of one update, which may change without compiling again."""

    rate: tf.Tensor  # the result of the optimiser's function `rate`
    momentum: tf.Tensor
    epsilon: tf.Tensor
    mean_rate: tf.Tensor  # Adam's 1 - beta_1
    square_rate: tf.Tensor  # Adam's 1 - beta_2
    step: tf.Tensor  # the number of the update in the run, from 1
    decay: tf.Tensor  # the share of a kernel that weight decay subtracts; used by epoch.py alone
    newest: tf.Tensor  # the weight of the new parameters in their average; used by epoch.py alone


@dataclass(frozen=True)
class Optimizer:
    """Describe an optimiser by the number of its slots and three functions; `advance` and `update` are elementwise."""

    slots: int  # for each parameter; all are 0 at first
    rate: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]  # learning rate, number of the update in the run -> rate
    advance: Callable[[Slots, tf.Tensor, Hyperparameters], Slots]  # old slots, gradient -> new slots
    update: Callable[[Slots, Hyperparameters], tf.Tensor]  # new slots -> what to add to the parameter


def _adam_rate(learning_rate: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
    """Return the learning rate with both bias corrections of Kingma & Ba 2015; `step` counts updates from 1."""
    one = tf.ones((), learning_rate.dtype)
    return learning_rate * tf.sqrt(one - tf.pow(BETA_2 * one, step)) / (one - tf.pow(BETA_1 * one, step))


def _adam_advance(slots: Slots, gradient: tf.Tensor, h: Hyperparameters) -> Slots:
    """Return the new slots of Adam: the moving means of the gradient and of its square."""
    mean, square = slots
    return mean + (gradient - mean) * h.mean_rate, square + (tf.square(gradient) - square) * h.square_rate


def _adam_update(slots: Slots, h: Hyperparameters) -> tf.Tensor:
    """Return Adam's update, with epsilon outside of the bias correction as in Keras (the paper's "epsilon hat")."""
    mean, square = slots
    return -mean * h.rate / (tf.sqrt(square) + h.epsilon)


def _sgd_rate(learning_rate: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
    return learning_rate


def _sgd_advance(slots: Slots, gradient: tf.Tensor, h: Hyperparameters) -> Slots:
    """Return the new slot of SGD with momentum: the velocity, which is the update itself."""
    (velocity,) = slots
    return (velocity * h.momentum - gradient * h.rate,)


def _sgd_update(slots: Slots, h: Hyperparameters) -> tf.Tensor:
    return slots[0]


OPTIMIZERS: dict[str, Optimizer] = {
    "adam": Optimizer(2, _adam_rate, _adam_advance, _adam_update),
    "sgd": Optimizer(1, _sgd_rate, _sgd_advance, _sgd_update),
}
