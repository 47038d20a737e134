"""Normalise a layer's affine map a = h W + b (B, units) over the batch or over the units, forward and backward."""

import tensorflow as tf

Tensors = tuple[tf.Tensor, ...]

PLAIN = 2  # parameters of a layer without normalisation, kernel and bias; gamma and beta follow them
MOMENTUM, EPSILON = 0.99, 1e-3  # Keras' defaults, for batch and for layer normalisation


def moments(normalization: str, affine: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the mean and the variance that normalise a layer's `affine` (..., B, units).

    They are over the batch, (..., 1, units), if `normalization` is "batch", and else over the units, (..., B, 1).
    """
    if normalization == "batch":
        mean = column_sums(affine) / affine.shape[-2]
        return mean, column_sums(tf.square(affine - mean)) / affine.shape[-2]
    mean = tf.reduce_mean(affine, -1, keepdims=True)
    return mean, tf.reduce_mean(tf.square(affine - mean), -1, keepdims=True)


def column_sums(x: tf.Tensor) -> tf.Tensor:
    """Sum x (..., B, units) over the batch to (..., 1, units), by a product: compiled, tf.reduce_sum takes longer."""
    return tf.ones([*x.shape[:-2], 1, x.shape[-2]], x.dtype) @ x


def moved(moving: Tensors, affine: tf.Tensor) -> Tensors:
    """Return a layer's `moving` mean and variance, (units,) or (1, units), after a batch of `affine` (B, units)."""
    found = (tf.squeeze(moment, -2) for moment in moments("batch", affine))
    return tuple(old * MOMENTUM + new * (1 - MOMENTUM) for old, new in zip(moving, found, strict=True))


def normalise(normalization: str, affine: tf.Tensor, layer: Tensors, moving: Tensors) -> tf.Tensor:
    """Return gamma (a - mean) / sqrt(variance + EPSILON) + beta, where a is `affine`; without gamma and beta, return a.

    `layer` holds kernel, bias and any gamma and beta. `moving` holds the mean and the variance (units,) to use. If it
    is (), `moments` computes both from a, as `normalization` ("batch" or "layer") says.
    """
    if len(layer) == PLAIN:
        return affine
    gamma, beta = layer[PLAIN:]
    mean, variance = moving or moments(normalization, affine)
    return gamma * (affine - mean) * tf.math.rsqrt(variance + EPSILON) + beta


def backward(normalization: str, affine: tf.Tensor, layer: Tensors, upstream: tf.Tensor) -> tuple[tf.Tensor, Tensors]:
    """Return the gradient of the loss in `affine` (B, units), and the pair of the loss's gradients in gamma and beta.

    `upstream` (B, units) is the gradient in the values that `normalise` computes with the moments of `affine`.
    """
    trained = layer[PLAIN:]
    with tf.GradientTape() as tape:
        tape.watch([affine, *trained])
        z = normalise(normalization, affine, layer, ())
    of_affine, *rest = tape.gradient(z, [affine, *trained], output_gradients=upstream)
    return of_affine, tuple(rest)
