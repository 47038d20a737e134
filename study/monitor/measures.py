"""Compute the study's measures for one call of a layer of any kind, as study/engine/measures.py defines them.

A layer's tensors have the shape (batch, ..., units). The norm of an example goes over all axes but the first. A unit of
a convolution is a channel: it is dead only if it is dead at every position of every example.
"""

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from study.engine import measures
from study.engine.measures import UNIT_MEASURES, square_norm
from study.monitor.tapping import Call
from study.monitor.watching import ElementwiseActivation

CALL_MEASURES = (
    "error", "example_weight_gradient", "activation_mean", "activation_rms", "preactivation_square", *UNIT_MEASURES,
    "similarity",
)  # fmt: skip
WEIGHT_MEASURES = ("weight_gradient", "bias_gradient", "weight_rms")  # NaN except in the row of a layer's first call
MEASURES = (*WEIGHT_MEASURES, *CALL_MEASURES, "update_ratio")


def of_call(call: Call) -> dict[str, Any]:
    """Return CALL_MEASURES of one call: {name: float64 scalar tensor}, NaN where a measure does not apply.

    L is the loss, B the number of examples, and z_i the pre-activation of example i, or the output of a layer without
    an activation.

    - error: root mean square over examples of norm(B * dL / dz_i).
    - example_weight_gradient: root mean square over examples of B * norm(dL / dz_i) * norm(inputs_i), for dense layers
      whose inputs have two axes.
    - activation_mean, activation_rms, sparsity: mean, root mean square and share of exact zeros of the output.
    - preactivation_square: mean of z^2. dead_units, saturation: shares of units and of entries with a small slope, for
      layers with an elementwise activation; `study.engine.measures.of_probe` defines them.
    - similarity: mean cosine of z_i and z_j, over all pairs of different examples, if z has two axes or more and a
      known number of examples.
    """
    values: dict[str, Any] = dict.fromkeys(CALL_MEASURES, tf.constant(float("nan"), tf.float64))
    if call.z is None:
        return values
    z, output = (
        tf.cast(tensor, tf.float32) if tensor.dtype in (tf.float16, tf.bfloat16) else tensor
        for tensor in (call.z, call.output)
    )
    mean_square = _mean_square(output)
    values |= {
        "activation_mean": tf.reduce_mean(output),
        "activation_rms": tf.sqrt(mean_square),
        "preactivation_square": mean_square if call.z is call.output else _mean_square(z),
        "sparsity": tf.reduce_mean(tf.cast(output == 0, tf.float32)),
    }
    if z.shape.rank > 1 and z.shape[0] is not None:
        rows = tf.cast(tf.reshape(z, (z.shape[0], -1)), tf.float64)
        values["similarity"] = measures.of_probe(None, 0.0, rows)["similarity"]
    if call.watched.activation is not None:
        values |= _unit_measures(call.watched, call.watched.activation, z)
    return {name: tf.cast(value, tf.float64) for name, value in (values | _error_measures(call)).items()}


def square_of_gradient(gradient: Any, scale: Any) -> Any:
    """Return the sum of squares of a weight's gradient, where `gradient` is that gradient times `scale`.

    In the IndexedSlices of an embedding, slices of the same word are added up before squaring.
    """
    if isinstance(gradient, tf.IndexedSlices):
        words, places = tf.unique(gradient.indices)
        gradient = tf.math.unsorted_segment_sum(gradient.values, places, tf.size(words))
    return square_norm(gradient, _axes(gradient)) / tf.square(tf.cast(scale, tf.float64))


def weight_rms(kernels: Iterable[Any]) -> Any:
    """Return the root mean square over all entries of all `kernels` of a layer together; NaN if it has none."""
    tensors = [tf.convert_to_tensor(kernel) for kernel in kernels]
    return tf.sqrt(_sum_of_squares(tensors) / sum(tensor.shape.num_elements() for tensor in tensors))


def update_ratio(before: Iterable[Any], after: Iterable[Any]) -> Any:
    """Return norm(after - before) / norm(before), over all kernels of a layer together; NaN if it has none."""
    tensors = [tf.cast(tensor, tf.float64) for tensor in before]
    updates = [tf.cast(new, tf.float64) - old for new, old in zip(after, tensors, strict=True)]
    return tf.sqrt(_sum_of_squares(updates) / _sum_of_squares(tensors))


def _error_measures(call: Call) -> dict[str, Any]:
    """Return {name: value} of the measures `error` and `example_weight_gradient`, without those that do not apply.

    Both need the gradient in z. It is missing, for instance, in a frozen layer with nothing to train before it.
    """
    if call.delta is None:
        return {}
    batch = tf.cast(tf.shape(call.z)[0], tf.float64) / tf.cast(1.0 if call.scale is None else call.scale, tf.float64)
    errors = square_norm(call.delta, _axes(call.delta)[1:]) * tf.square(batch)
    found = {"error": tf.sqrt(tf.reduce_mean(errors))}
    if isinstance(call.watched.layer, keras.layers.Dense) and call.inputs.shape.rank == 2:
        inputs = square_norm(call.inputs, [-1])
        found["example_weight_gradient"] = tf.sqrt(tf.reduce_mean(errors * inputs))
    return found


def _unit_measures(watched: Any, activation: ElementwiseActivation, z: Any) -> dict[str, Any]:
    """Return {name: share} of dead_units and saturation of `z` (defined in `study.engine.measures.of_probe`).

    The units are the last axis of `z`, or axis 1 if the layer is channels_first. Each place on the other axes counts as
    an example.
    """
    units_first = getattr(watched.layer, "data_format", None) == "channels_first"
    z = tf.transpose(z, [0, *range(2, z.shape.rank), 1]) if units_first else z
    rows = tf.reshape(z, (-1, z.shape[-1]))
    found = measures.of_probe(activation.function, activation.supremum, rows)
    return {name: found[name] for name in ("dead_units", "saturation")}


def _sum_of_squares(tensors: list[Any]) -> Any:
    # Without tensors the sum is 0, and a ratio of two such sums is NaN.
    return sum((square_norm(tensor, _axes(tensor)) for tensor in tensors), tf.zeros((), tf.float64))


def _mean_square(tensor: Any) -> Any:
    return square_norm(tensor, _axes(tensor)) / tf.cast(tf.size(tensor), tf.float64)


def _axes(tensor: Any) -> list[int]:
    return list(range(tensor.shape.rank))
