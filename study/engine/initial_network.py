"""Measure a network that is not trained, in a compiled program."""

from typing import Any

import tensorflow as tf

from study.engine import losses, measures
from study.engine.architecture import Gradients, Parameters, Signals
from study.engine.backward import backward
from study.engine.forward import forward
from study.engine.measures import BATCH_MEASURES, Measures
from study.engine.network import Data, Network, joined
from study.engine.probe import measure_weights
from study.engine.program_kind import INITIAL_ERRORS


def measure_initial(
    network: Network,
    parameters: Parameters,
    counts: tf.Tensor,
    draws: tf.Tensor,
    distortion: tf.Tensor,
    batch: tf.Tensor,
    data: Data,
) -> Measures:
    """Return what an epoch measures before its first update, as {name: (1, rows of all groups)}.

    The forward pass is the same as in training. The backward pass and the results have the precision INITIAL_ERRORS.
    `counts` (groups,) holds the number of layers of each group, and `batch` (B,) the indices in `data` of the epoch's
    first images. `draws` seeds dropout and distortions, whose strengths are `distortion` (5,).
    """
    kind, architecture = network.kind, network.architecture(counts)
    seed = tf.stack([draws, 0])
    x, y = network.batch(seed, distortion, tf.gather(data.images, batch), tf.gather(data.labels, batch))
    logits, signals = forward(architecture, parameters, x, seed)
    logits = tf.cast(logits, INITIAL_ERRORS)
    _, delta = losses.loss_and_delta(kind.output, kind.loss, logits, y, kind.label_smoothing)

    def visit(group: int, layer: Any, signals: Signals, gradients: Gradients) -> Any:
        found = measures.of_batch(network.function_of(group), signals, gradients)
        return gradients.inputs, None, measures.packed(BATCH_MEASURES, found)

    groups = [(of_group,) for of_group in parameters]
    buffers = network.measure_buffers(BATCH_MEASURES, INITIAL_ERRORS)
    _, of_batch = backward(architecture, groups, signals, delta, visit, buffers)
    shown = network.inputs(tf.gather(data.images, data.probe))
    of_weights = measure_weights(network, architecture, groups, shown, None)
    found = joined(BATCH_MEASURES, of_batch) | of_weights
    return {name: tf.cast(value, INITIAL_ERRORS)[tf.newaxis] for name, value in found.items()}
