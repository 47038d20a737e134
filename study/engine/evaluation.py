"""Evaluate a network on images, in a compiled program."""

from typing import Any

import tensorflow as tf

from study.engine.network import Network

CHUNK = 250  # images evaluated at once; as inputs of layer 1, this many stay in the second cache of a core


def evaluate(
    network: Network,
    weights: Any,
    counts: tf.Tensor,
    images: tf.Tensor,
    labels: tf.Tensor,
    chunks: tf.Tensor,
    used: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the sum of losses and the number of hits over the images of `chunks` (n, CHUNK).

    Only the first `used` rows of `chunks` are read; an index of -1 is not an image. `weights` are the parameters and
    the moving moments of the groups.
    """

    def chunk(index: tf.Tensor, total: tf.Tensor, hits: tf.Tensor) -> Any:
        is_image = chunks[index] >= 0
        indices = tf.maximum(chunks[index], 0)
        y = tf.cast(tf.gather(labels, indices), tf.int32)
        found, is_hit = network.scores(counts, weights, network.inputs(tf.gather(images, indices)), y)
        total += tf.reduce_sum(tf.where(is_image, found, tf.zeros_like(found)))
        return index + 1, total, hits + tf.reduce_sum(tf.cast(tf.logical_and(is_hit, is_image), tf.int32))

    zero = tf.zeros((), network.kind.precision)
    _, total, hits = tf.while_loop(lambda index, *_: index < used, chunk, (0, zero, tf.constant(0)))
    return total, hits
