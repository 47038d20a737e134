"""Turn logits into outputs, losses, the gradient of the loss, and hits: whether examples are classified right.

Softmax with cross-entropy is the standard pair. Keras' own losses compute every other pair, so that a user of Keras
gets what is measured here.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

OUTPUTS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "softmax": tf.nn.softmax,
    "sigmoid": tf.math.sigmoid,
    "relu": tf.nn.relu,
}
LOSSES: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "crossentropy": keras.losses.categorical_crossentropy,
    "squared_error": keras.losses.mean_squared_error,
}


def is_standard(output: str, loss: str) -> bool:
    """Tell whether the pair is softmax with cross-entropy, which is computed from the logits without overflow."""
    return (output, loss) == ("softmax", "crossentropy")


def example_losses(output: str, loss: str, logits: tf.Tensor, labels: tf.Tensor, smoothing: float = 0.0) -> tf.Tensor:
    """Return the loss of every example (B,), not averaged; `labels` (B,) int32 are digits, and `logits` are (B, 10).

    `output` and `loss` are keys of OUTPUTS and LOSSES. `smoothing` is the share of each label that is spread evenly
    over the classes.
    """
    if not is_standard(output, loss):
        return LOSSES[loss](_target(logits, labels, smoothing), OUTPUTS[output](logits))
    if smoothing:
        return tf.nn.softmax_cross_entropy_with_logits(_target(logits, labels, smoothing), logits)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def absolute_errors(output: str, logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return, for every example (B,), the mean over the classes of |output - one-hot label|."""
    return tf.reduce_mean(tf.abs(OUTPUTS[output](logits) - _target(logits, labels)), 1)


def loss_and_delta(
    output: str, loss: str, logits: tf.Tensor, labels: tf.Tensor, smoothing: float = 0.0
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the mean of `example_losses`, a scalar, and its gradient in the logits (B, 10)."""
    if is_standard(output, loss):
        mean = tf.reduce_mean(example_losses(output, loss, logits, labels, smoothing))
        return mean, (tf.nn.softmax(logits) - _target(logits, labels, smoothing)) / logits.shape[0]
    with tf.GradientTape() as tape:
        tape.watch(logits)
        mean = tf.reduce_mean(example_losses(output, loss, logits, labels, smoothing))
    return mean, tape.gradient(mean, logits)


def hits(output: str, logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Tell for each example (B,) whether its largest output is at its label; of equal outputs the first counts."""
    # Softmax keeps the order of the logits; the other outputs may make different logits equal.
    scores = logits if output == "softmax" else OUTPUTS[output](logits)
    return tf.argmax(scores, 1, tf.int32) == labels


def _target(logits: tf.Tensor, labels: tf.Tensor, smoothing: float = 0.0) -> tf.Tensor:
    """Return one-hot labels (B, 10), smoothed, in the precision of `logits`."""
    classes = logits.shape[-1]
    return tf.one_hot(labels, classes, 1 - smoothing + smoothing / classes, smoothing / classes, dtype=logits.dtype)
