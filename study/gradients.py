"""Forward and backward through the network, and what is measured in each layer.

h_0 = x, z_l = h_{l-1} W_l + b_l, h_l = phi(z_l); delta_l = d loss / d z_l, where the loss is the mean over the batch of
B examples. The backward pass is written out (Rumelhart, Hinton & Williams 1986) so that the error signal that moves the
weights is the one that is measured; only phi' comes from TensorFlow, so that any registry entry works.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from study.network import Parameters

Function = Callable[[tf.Tensor], tf.Tensor]

DEAD_SHARE = 1e-3  # of the supremum of |phi'|: below it for every probe example, a unit counts as dead
SATURATED_SHARE = 0.05  # of the supremum of |phi'|: below it, an entry counts as saturated

BATCH_MEASURES = ("weight_gradient", "error", "example_weight_gradient", "preactivation_square", "activation_rms")
PROBE_MEASURES = ("dead_units", "saturation", "sparsity")
MEASURES = (*BATCH_MEASURES, *PROBE_MEASURES, "update_ratio")


@dataclass(frozen=True)
class Signals:
    """What one stage of `count` layers saw: inputs (count, B, fan_in) and pre-activations (count, B, fan_out)."""

    inputs: tf.Tensor
    preactivations: tf.Tensor


@dataclass(frozen=True)
class Gradients:
    """One stage's d loss / d kernel and d loss / d bias, of its parameters' shapes, and delta (count, B, fan_out)."""

    kernel: tf.Tensor
    bias: tf.Tensor
    delta: tf.Tensor


def vector_jacobian_product(function: Function, z: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """upstream * function'(z), elementwise; shape of z."""
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = function(z)
    return tape.gradient(value, z, output_gradients=upstream)


def forward(parameters: Parameters, function: Function, x: tf.Tensor) -> list[Signals]:
    """Signals of every stage for inputs x (B, 784); the last stage's pre-activations are the logits."""
    signals = []
    h = x
    for kernel, bias in parameters:
        inputs, z = _forward_stage(kernel, bias, function, h)
        signals.append(Signals(inputs, z))
        h = function(z[-1])
    return signals


def _forward_stage(kernel: tf.Tensor, bias: tf.Tensor, function: Function, h: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    count = kernel.shape[0]
    if count == 1:
        return h[tf.newaxis], (h @ kernel[0] + bias[0])[tf.newaxis]

    def layer(index: tf.Tensor, h: tf.Tensor, inputs: Any, preactivations: Any) -> tuple[Any, ...]:
        z = h @ kernel[index] + bias[index]
        return index + 1, function(z), inputs.write(index, h), preactivations.write(index, z)

    arrays = [tf.TensorArray(h.dtype, count, element_shape=h.shape) for _ in range(2)]
    *_, inputs, preactivations = tf.while_loop(
        lambda index, *_: index < count, layer, (0, h, *arrays), maximum_iterations=count
    )
    return inputs.stack(), preactivations.stack()


def loss_and_delta(logits: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean softmax cross-entropy over the batch and its gradient in the logits (B, 10); labels (B,) int32."""
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
    target = tf.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return loss, (tf.nn.softmax(logits) - target) / logits.shape[0]


def backward(
    parameters: Parameters, function: Function, signals: list[Signals], output_delta: tf.Tensor
) -> list[Gradients]:
    """Gradients of every stage, given delta of the output layer (B, 10)."""
    gradients = []
    upstream = output_delta
    phi: Function = tf.identity  # the output layer has no activation: delta is the upstream itself
    for (kernel, _), stage in zip(reversed(parameters), reversed(signals), strict=True):
        found, upstream = _backward_stage(kernel, phi, stage, upstream)
        gradients.append(found)
        phi = function
    return gradients[::-1]


def _backward_stage(
    kernel: tf.Tensor, function: Function, signals: Signals, upstream: tf.Tensor
) -> tuple[Gradients, tf.Tensor]:
    """The stage's gradients and d loss / d its input (B, fan_in); `upstream` is d loss / d its output."""
    count = kernel.shape[0]
    if count == 1:
        delta = vector_jacobian_product(function, signals.preactivations[0], upstream)
        below, of_kernel, of_bias = _backward_layer(kernel[0], signals.inputs[0], delta)
        return Gradients(of_kernel[tf.newaxis], of_bias[tf.newaxis], delta[tf.newaxis]), below

    def layer(index: tf.Tensor, upstream: tf.Tensor, kernels: Any, biases: Any, deltas: Any) -> tuple[Any, ...]:
        delta = vector_jacobian_product(function, signals.preactivations[index], upstream)
        below, of_kernel, of_bias = _backward_layer(kernel[index], signals.inputs[index], delta)
        written = (kernels.write(index, of_kernel), biases.write(index, of_bias), deltas.write(index, delta))
        return index - 1, below, *written

    shapes = (kernel.shape[1:], kernel.shape[2:], upstream.shape)
    arrays = [tf.TensorArray(kernel.dtype, count, element_shape=shape) for shape in shapes]
    _, below, *written = tf.while_loop(
        lambda index, *_: index >= 0, layer, (count - 1, upstream, *arrays), maximum_iterations=count
    )
    return Gradients(*(array.stack() for array in written)), below


def _backward_layer(kernel: tf.Tensor, inputs: tf.Tensor, delta: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    below = tf.matmul(delta, kernel, transpose_b=True)
    return below, tf.matmul(inputs, delta, transpose_a=True), tf.reduce_sum(delta, 0)


def norm(x: tf.Tensor, axes: list[int]) -> tf.Tensor:
    """2-norm over `axes`, scaled by the largest entry before squaring: the square of 1e-25 is 0 in float32."""
    largest = tf.reduce_max(tf.abs(x), axes, keepdims=True)
    scale = tf.where(largest > 0, largest, tf.ones_like(largest))
    return tf.squeeze(scale, axes) * tf.sqrt(tf.reduce_sum(tf.square(x / scale), axes))


def _root_mean_square(x: tf.Tensor) -> tf.Tensor:
    """Over the last axis."""
    return norm(x, [-1]) / tf.sqrt(tf.cast(x.shape[-1], x.dtype))


def batch_measures(function: Function, signals: list[Signals], gradients: list[Gradients]) -> tf.Tensor:
    """BATCH_MEASURES of every layer, (L + 1, 5), from one training batch; the output layer has no activation: NaN."""
    rows = []
    for index, (stage, gradient) in enumerate(zip(signals, gradients, strict=True)):
        count, batch = gradient.delta.shape[:2]
        z = stage.preactivations
        error = norm(gradient.delta, [-1]) * batch  # (count, B): delta_{l,i} = B * d loss / d z_{l,i}
        activation = function(z) if index < len(signals) - 1 else z * float("nan")
        columns = (
            norm(gradient.kernel, [-2, -1]),
            _root_mean_square(error),
            _root_mean_square(error * norm(stage.inputs, [-1])),
            tf.reduce_mean(tf.square(z), [-2, -1]),
            _root_mean_square(tf.reshape(activation, [count, -1])),
        )
        rows.append(tf.stack(columns, axis=-1))
    return tf.concat(rows, 0)


def probe_measures(parameters: Parameters, function: Function, supremum: float, x: tf.Tensor) -> tf.Tensor:
    """PROBE_MEASURES of every layer, (L + 1, 3), on images x (P, 784); `supremum` of |phi'|. Output layer: NaN."""
    rows = []
    for stage in forward(parameters, function, x)[:-1]:
        z = stage.preactivations
        slope = tf.abs(vector_jacobian_product(function, z, tf.ones_like(z)))
        is_dead = tf.reduce_all(slope < DEAD_SHARE * supremum, axis=1)
        is_saturated = slope < SATURATED_SHARE * supremum
        columns = (
            tf.reduce_mean(tf.cast(is_dead, z.dtype), 1),
            tf.reduce_mean(tf.cast(is_saturated, z.dtype), [1, 2]),
            tf.reduce_mean(tf.cast(function(z) == 0, z.dtype), [1, 2]),
        )
        rows.append(tf.stack(columns, axis=-1))
    return tf.concat([*rows, tf.fill([1, len(PROBE_MEASURES)], tf.constant(float("nan"), x.dtype))], 0)


def update_ratios(updates: list[tf.Tensor], kernels: list[tf.Tensor]) -> tf.Tensor:
    """norm(update of W_l) / norm(W_l) of every layer, (L + 1,), W_l before the update; kernels only."""
    pairs = zip(updates, kernels, strict=True)
    return tf.concat([norm(update, [-2, -1]) / norm(kernel, [-2, -1]) for update, kernel in pairs], 0)
