"""Shift training images at random, inside the compiled step."""

import tensorflow as tf

SIDE = 28  # pixels


def shifted(images: tf.Tensor, most: int, seed: tf.Tensor) -> tf.Tensor:
    """Move each of `images` (B, 784) by random whole pixels, from -most to most in each direction.

    Black pixels fill the uncovered edge. `seed` (2,) int32 decides the draws, so that they are the same for every
    activation.
    """
    count = images.shape[0]
    by = tf.random.stateless_uniform([2, count], seed, 0, 2 * most + 1, tf.int32, alg="philox")
    padded = tf.pad(tf.reshape(images, [count, SIDE, SIDE]), [[0, 0], [most, most], [most, most]])
    down, across = (offset[:, tf.newaxis] + tf.range(SIDE) for offset in tf.unstack(by))
    rows = tf.gather(padded, down, axis=1, batch_dims=1)
    return tf.reshape(tf.gather(rows, across, axis=2, batch_dims=1), [count, SIDE * SIDE])
