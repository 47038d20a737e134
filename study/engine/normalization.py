"""Batch and layer normalisation of a layer's affine map a = h W + b: forward, backward, and the moving moments."""

import tensorflow as tf

Tensors = tuple[tf.Tensor, ...]

PLAIN = 2  # parameters of a layer without normalisation: kernel and bias; gamma and beta come after them
MOMENTUM, EPSILON = 0.99, 1e-3  # Keras' defaults, batch and layer normalisation alike


def moments(normalization: str, affine: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance that normalise a layer: over the batch (axis -2) or over the layer's units (axis -1)."""
    if normalization == "batch":
        mean = column_sums(affine) / affine.shape[-2]
        return mean, column_sums(tf.square(affine - mean)) / affine.shape[-2]
    mean = tf.reduce_mean(affine, -1, keepdims=True)
    return mean, tf.reduce_mean(tf.square(affine - mean), -1, keepdims=True)


def column_sums(x: tf.Tensor) -> tf.Tensor:
    """Over the batch, (..., B, units) -> (..., 1, units), as a matrix product: compiled, it takes half a sum's time."""
    return tf.ones([*x.shape[:-2], 1, x.shape[-2]], x.dtype) @ x


def moved(moving: Tensors, affine: tf.Tensor) -> Tensors:
    """A layer's moving mean and variance, (units,) or (1, units) as given, after one more training batch."""
    found = (tf.squeeze(moment, -2) for moment in moments("batch", affine))
    return tuple(old * MOMENTUM + new * (1 - MOMENTUM) for old, new in zip(moving, found, strict=True))


def normalise(normalization: str, affine: tf.Tensor, layer: Tensors, moving: Tensors) -> tf.Tensor:
    """gamma (a - mean) / sqrt(variance + epsilon) + beta; `moving` moments (units,) replace the batch's if there."""
    if len(layer) == PLAIN:
        return affine
    gamma, beta = layer[PLAIN:]
    mean, variance = moving or moments(normalization, affine)
    return gamma * (affine - mean) * tf.math.rsqrt(variance + EPSILON) + beta


def backward(normalization: str, affine: tf.Tensor, layer: Tensors, upstream: tf.Tensor) -> tuple[tf.Tensor, Tensors]:
    """From d loss / d the normalised map, d loss / d the map itself (B, units) and the gradients of gamma and beta."""
    trained = layer[PLAIN:]
    with tf.GradientTape() as tape:
        tape.watch([affine, *trained])
        z = normalise(normalization, affine, layer, ())
    of_affine, *rest = tape.gradient(z, [affine, *trained], output_gradients=upstream)
    return of_affine, tuple(rest)
