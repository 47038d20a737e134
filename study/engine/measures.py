"""Define what is measured in a layer: norms of gradients and signals, inactive units, and the size of the last update.

The functions of_batch, of_probe and of_update take one layer and return {name: scalar tensor}. The output layer has no
activation (None), so the measures that need one are NaN there. CONTRIBUTING.md says how to add a measure. The callback
GradientLogger computes measures of these names for other models, in study/monitor/measures.py.
"""

import numpy as np
import tensorflow as tf

from study.activations import Activation, value_and_derivative
from study.engine.architecture import Function, Gradients, Signals, with_product

DEAD_SHARE = 1e-3  # of the supremum of |phi'|: a unit whose |phi'| is below it for every probe example is dead
SATURATED_SHARE = 0.05  # of the supremum of |phi'|: an entry of z whose |phi'| is below it is saturated

BATCH_MEASURES = (
    "weight_gradient", "error", "example_weight_gradient", "activation_rms", "preactivation_square", "activation_mean",
)  # fmt: skip
UNIT_MEASURES = ("dead_units", "saturation", "sparsity")  # these need an activation
PROBE_MEASURES = (*UNIT_MEASURES, "similarity")
UPDATE_MEASURES = ("update_ratio",)
WEIGHT_MEASURES = (*PROBE_MEASURES, *UPDATE_MEASURES)  # measured without the training batch
MEASURES = (*BATCH_MEASURES, *WEIGHT_MEASURES)

Measures = dict[str, tf.Tensor]


def of_batch(function: Function | None, signals: Signals, gradients: Gradients) -> Measures:
    """Return the BATCH_MEASURES of layer l, from its signals and gradients on one training batch of B examples i.

    `weight_gradient`: Frobenius norm of d loss / d W_l.
    `error`: root mean square over examples of norm(delta_{l,i}), where delta_{l,i} = B * d loss / d z_{l,i}.
    `example_weight_gradient`: root mean square over examples of norm(delta_{l,i}) * norm(the layer's inputs).
    `activation_rms`, `activation_mean`: root mean square and mean of h_l.
    `preactivation_square`: mean of z_l^2.

    `function` is phi; None makes the measures of h_l NaN. h_l is phi(z_l), times its mask under dropout, without what a
    residual connection multiplies or adds.
    """
    delta, z = gradients.delta, signals.preactivations
    errors = square_norm(delta, [-1]) * delta.shape[0] ** 2  # (B,)
    activation = z * float("nan") if function is None else function(z)
    activation = activation * signals.mask[0] if signals.mask else activation
    norms = _roots(
        {
            "weight_gradient": square_norm(gradients.parameters[0], [0, 1]),
            "error": tf.reduce_mean(errors),
            "example_weight_gradient": tf.reduce_mean(errors * square_norm(signals.inputs, [-1])),
            "activation_rms": square_norm(activation, [0, 1]) / activation.shape.num_elements(),
        },
        z.dtype,
    )
    means = {"preactivation_square": tf.reduce_mean(tf.square(z)), "activation_mean": tf.reduce_mean(activation)}
    return norms | means


def of_probe(function: Function | None, supremum: float, z: tf.Tensor) -> Measures:
    """Return the PROBE_MEASURES of a layer, from its pre-activations z (P, units) for P probe examples.

    `dead_units`: share of units whose |phi'(z)| is below DEAD_SHARE of the supremum for every example.
    `saturation`: share of entries whose |phi'(z)| is below SATURATED_SHARE of the supremum.
    `sparsity`: share of entries of phi(z) that are exactly 0.
    `similarity`: mean cosine of the rows of z, over all pairs of different examples.

    `function` is phi, and `supremum` is the largest |phi'|. If `function` is None, UNIT_MEASURES are NaN.
    """
    if function is None:
        return undefined(UNIT_MEASURES, z.dtype) | {"similarity": _similarity(z)}
    value, product = with_product(function, z)
    slope = tf.abs(product(tf.ones_like(z)))
    shares = {
        "dead_units": tf.reduce_all(slope < DEAD_SHARE * supremum, axis=0),
        "saturation": slope < SATURATED_SHARE * supremum,
        "sparsity": value == 0,
    }
    means = {name: tf.reduce_mean(tf.cast(share, z.dtype)) for name, share in shares.items()}
    return means | {"similarity": _similarity(z)}


def _similarity(z: tf.Tensor) -> tf.Tensor:
    """Compute the mean cosine of two different rows of z (P, units), from the sum of the P rows scaled to length 1.

    The squared norm of that sum is the sum of the cosines over all P^2 pairs. P of these pair a row with itself. A row
    of zeros has cosine 1 with another such row, and 0 with every other row.
    """
    lengths, rows = tf.sqrt(square_norm(z, [1])), z.shape[0]
    is_zero = tf.cast(lengths == 0, tf.float64)
    directions = tf.cast(z, tf.float64) / (lengths + is_zero)[:, tf.newaxis]
    cosines = square_norm(tf.reduce_sum(directions, 0), [0]) + tf.square(tf.reduce_sum(is_zero))
    return tf.cast((cosines - rows) / tf.constant(rows * (rows - 1), tf.float64), z.dtype)


def of_update(update: tf.Tensor, kernel: tf.Tensor) -> Measures:
    """Return the UPDATE_MEASURES of layer l, from the last `update` of its kernel W_l, both (fan_out, fan_in).

    `kernel` is the kernel after the update. The measure update_ratio is norm(update) / norm(kernel - update). The
    difference is the kernel before the update, but after any decay.
    """
    square = square_norm(update, [0, 1]) / square_norm(kernel - update, [0, 1])
    return {"update_ratio": tf.cast(tf.sqrt(square), kernel.dtype)}


def undefined(names: tuple[str, ...], dtype: tf.DType) -> Measures:
    """Return {name: NaN} for each of `names`, as scalar tensors of type `dtype`."""
    return dict.fromkeys(names, tf.constant(float("nan"), dtype))


def packed(names: tuple[str, ...], measures: Measures) -> tf.Tensor:
    """Stack the named measures, tensors of equal shape, along a new last axis, in the order of `names`.

    A compiled loop or branch takes a microsecond or two per step for each tensor that passes through it.
    """
    return tf.stack([measures[name] for name in names], -1)


def unpacked(names: tuple[str, ...], values: tf.Tensor) -> Measures:
    """Return {name: tensor (...)} from `values` (..., measures), the tensor that `packed` made of the same `names`."""
    return dict(zip(names, tf.unstack(values, axis=-1), strict=True))


def square_norm(x: tf.Tensor, axes: list[int]) -> tf.Tensor:
    """Return the sum of squares over `axes` in float64, because the square of 1e-25 is 0 in float32.

    Scaling by the largest entry first would also work, but compiles to twice the code.
    """
    return tf.reduce_sum(tf.square(tf.cast(x, tf.float64)), axes)


def _roots(squares: Measures, dtype: tf.DType) -> Measures:
    """Return the square roots of `squares`, all by one operation, because each operation takes 5 ms to compile."""
    roots = tf.cast(tf.sqrt(tf.stack(list(squares.values()))), dtype)
    return dict(zip(squares, tf.unstack(roots), strict=True))


def derivative_supremum(activation: Activation) -> float:
    """Return the largest |phi'| of the activation phi on a grid of step 0.001 over [-100, 100]."""
    _, derivatives = value_and_derivative(activation.function, np.linspace(-100, 100, 200_001))
    return float(np.abs(derivatives).max())
