"""Evaluate a network on images in a compiled program: sum the loss, the hits and the absolute error."""

from typing import Any

import tensorflow as tf

from study.engine.network import Network, Scores

CHUNK = 250  # images evaluated at once; so many inputs of layer 1 fit into the second-level cache of a core


def evaluate(
    network: Network,
    weights: Any,
    counts: tf.Tensor,
    images: tf.Tensor,
    labels: tf.Tensor,
    chunks: tf.Tensor,
    used: tf.Tensor,
) -> Scores:
    """Sum the scores of `network` over the images whose indices are in `chunks` (n, CHUNK).

    `weights` comes from network.weights_of, and `counts` (groups,) holds the number of layers of each group. `images`
    and `labels` are the whole data set, as in `Data`. Only the first `used` rows of `chunks` are read, and an index of
    -1 is skipped. The sum of `accuracy` is an int32 count of hits.
    """

    def chunk(index: tf.Tensor, totals: Scores) -> Any:
        is_image = chunks[index] >= 0
        indices = tf.maximum(chunks[index], 0)
        y = tf.cast(tf.gather(labels, indices), tf.int32)
        found = network.scores(counts, weights, network.inputs(tf.gather(images, indices)), y)
        pairs = zip(totals, found, strict=True)
        sums = (total + tf.reduce_sum(tf.where(is_image, tf.cast(score, total.dtype), 0)) for total, score in pairs)
        return index + 1, Scores(*sums)

    zero = tf.zeros((), network.kind.precision)
    start = (0, Scores(zero, tf.constant(0), zero))
    totals: Scores = tf.while_loop(lambda index, *_: index < used, chunk, start)[1]
    return totals
