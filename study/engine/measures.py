"""What is measured in a layer: the norms of its gradients and signals, how many of its units are off, its last update.

Everything here is of one layer; an architecture's walks (see study/engine/gradients.py) carry it to all of them.
"""

import numpy as np
import tensorflow as tf

from study.activations import Activation, value_and_derivative
from study.engine.gradients import Function, Gradients, Signals, with_product

DEAD_SHARE = 1e-3  # of the supremum of |phi'|: below it for every probe example, a unit counts as dead
SATURATED_SHARE = 0.05  # of the supremum of |phi'|: below it, an entry counts as saturated

BATCH_MEASURES = (
    "weight_gradient", "error", "example_weight_gradient", "activation_rms", "preactivation_square", "activation_mean",
)  # fmt: skip
PROBE_MEASURES = ("dead_units", "saturation", "sparsity")
BEFORE_STEP = (*PROBE_MEASURES, "update_ratio")  # of the weights alone; the others are of the step's batch
MEASURES = (*BATCH_MEASURES, *BEFORE_STEP)


def square_norm(x: tf.Tensor, axes: list[int]) -> tf.Tensor:
    """Sum of squares over `axes`, in float64: the square of 1e-25 is 0 in float32.

    Scaling by the largest entry first would do as well, but compiles to twice the code. The caller takes the root, of
    many at once if it can: TensorFlow runs a pipeline of passes for every root it hands to the compiler, 5 ms each.
    """
    return tf.reduce_sum(tf.square(tf.cast(x, tf.float64)), axes)


def of_batch(function: Function | None, signals: Signals, gradients: Gradients) -> tf.Tensor:
    """BATCH_MEASURES (6,) of a layer, from one training batch; the output layer has no activation (None): NaN.

    h_l is phi(z_l), under dropout times its mask, without what a residual connection adds.
    """
    delta, z = gradients.delta, signals.preactivations
    errors = square_norm(delta, [-1]) * delta.shape[0] ** 2  # (B,): delta_{l,i} = B * d loss / d z_{l,i}
    activation = z * float("nan") if function is None else function(z)
    activation = activation * signals.mask[0] if signals.mask else activation
    squares = (
        square_norm(gradients.parameters[0], [0, 1]),
        tf.reduce_mean(errors),
        tf.reduce_mean(errors * square_norm(signals.inputs, [-1])),
        square_norm(activation, [0, 1]) / activation.shape.num_elements(),
    )
    means = tf.reduce_mean(tf.square(z)), tf.reduce_mean(activation)
    return tf.concat([tf.cast(tf.sqrt(tf.stack(squares)), z.dtype), tf.stack(means)], 0)


def of_probe(function: Function | None, supremum: float, z: tf.Tensor) -> tf.Tensor:
    """PROBE_MEASURES (3,) of a layer, from pre-activations z (P, units); `supremum` of |phi'|. Output layer: NaN."""
    if function is None:
        return tf.fill([len(PROBE_MEASURES)], tf.constant(float("nan"), z.dtype))
    value, product = with_product(function, z)
    slope = tf.abs(product(tf.ones_like(z)))
    is_dead = tf.reduce_all(slope < DEAD_SHARE * supremum, axis=0)
    shares = (is_dead, slope < SATURATED_SHARE * supremum, value == 0)
    return tf.stack([tf.reduce_mean(tf.cast(share, z.dtype)) for share in shares])


def update_ratio(update: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """norm(update of W_l) / norm(W_l), W_l before the update that made it `kernel`."""
    squares = square_norm(update, [0, 1]) / square_norm(kernel - update, [0, 1])
    return tf.cast(tf.sqrt(squares), kernel.dtype)


def derivative_supremum(activation: Activation) -> float:
    """The largest |phi'| on a grid of step 0.001 over [-100, 100]."""
    _, derivatives = value_and_derivative(activation.function, np.linspace(-100, 100, 200_001))
    return float(np.abs(derivatives).max())
