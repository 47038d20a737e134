"""Turn gradients into updates: Keras' optimisers as pure functions, so that one compiled program can loop over them.

Each optimiser keeps `slots` for each parameter: tensors of its shape, such as running means of its gradient. A step
first advances the slots with the gradient, then computes the update from them. The update depends only on the slots and
the hyperparameters, so the last update can be measured without storing it. The arithmetic is Keras', operation by
operation; a test compares every entry with Keras.
"""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

BETA_1, BETA_2 = 0.9, 0.999  # Adam's decay rates, Keras' defaults

Slots = tuple[tf.Tensor, ...]


@dataclass(frozen=True)
class Hyperparameters:
    """Hold the scalars of one update, which may change without compiling again.

    `rate` is what the optimiser's `rate` function returns for the update. `mean_rate` and `square_rate` are Adam's 1 -
    beta_1 and 1 - beta_2. `step` counts the run's updates from 1. No optimiser uses `decay` and `newest`; the training
    step does (see epoch.py). `decay` is the share of a kernel that weight decay subtracts. `newest` is the weight of
    the new parameters in their average.
    """

    rate: tf.Tensor
    momentum: tf.Tensor
    epsilon: tf.Tensor
    mean_rate: tf.Tensor
    square_rate: tf.Tensor
    step: tf.Tensor
    decay: tf.Tensor
    newest: tf.Tensor


@dataclass(frozen=True)
class Optimizer:
    """Describe an optimiser by the number of its `slots` for each parameter, all 0 at first, and three functions.

    `rate` computes the rate of an update from the learning rate and the number of the update in the run. `advance`
    returns a parameter's new slots from the old ones and the gradient. `update` returns what to add to the parameter,
    from its new slots. The latter two are elementwise.
    """

    slots: int
    rate: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    advance: Callable[[Slots, tf.Tensor, Hyperparameters], Slots]
    update: Callable[[Slots, Hyperparameters], tf.Tensor]


def _adam_rate(learning_rate: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
    """Return the learning rate with both bias corrections of Kingma & Ba 2015; `step` counts updates from 1."""
    one = tf.ones((), learning_rate.dtype)
    return learning_rate * tf.sqrt(one - tf.pow(BETA_2 * one, step)) / (one - tf.pow(BETA_1 * one, step))


def _adam_advance(slots: Slots, gradient: tf.Tensor, h: Hyperparameters) -> Slots:
    """Return the new slots of Adam: the moving means of the gradient and of its square."""
    mean, square = slots
    return mean + (gradient - mean) * h.mean_rate, square + (tf.square(gradient) - square) * h.square_rate


def _adam_update(slots: Slots, h: Hyperparameters) -> tf.Tensor:
    """Return -rate * mean / (sqrt(square) + epsilon); the slots are the moving means of the gradient and its square.

    Epsilon is added outside of the bias correction, as in Keras (Kingma and Ba's "epsilon hat").
    """
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
