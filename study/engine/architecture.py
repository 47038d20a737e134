"""Describe a network, and name what the forward and the backward pass find in a layer.

The inputs are h_0 = x. Layer l computes z_l = h_{l-1} W_l + b_l and h_l = phi(z_l). Its delta_l is d loss / d z_l,
where the loss is the mean over the batch of B examples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

Function = Callable[[tf.Tensor], tf.Tensor]
Tensors = tuple[tf.Tensor, ...]

# One entry a layer group: kernels (rows, fan_out, fan_in), biases (rows, fan_out) and, if normalised, gamma and beta.
Parameters = tuple[Tensors, ...]


class Layers(NamedTuple):
    """Describe the `count` layers of a group, which are all alike; see Architecture.

    `branch_scale` multiplies a layer's own output where `residual` is "scaled", and is None elsewhere.
    """

    count: Any
    is_looped: bool
    function: Function
    normalization: str
    is_residual: bool
    branch_scale: Any
    dropout: float

    def branch(self, values: tf.Tensor) -> tf.Tensor:
        """Scale a layer's own output, or the gradient in it, as a residual branch."""
        return values if self.branch_scale is None else values * tf.cast(self.branch_scale, values.dtype)


@dataclass(frozen=True)
class Architecture:
    """Describe a hidden layer on its input h: output = mask * phi(normalised(h W + b)).

    A residual layer returns h + output if `residual` is "plain", h + output / sqrt(2 L) in L hidden layers if "scaled".
    `dropout` is the share of outputs that the mask sets to 0 in training; the others are divided by 1 - dropout.
    `counts` are the layers of every group, scalar tensors in a compiled program. None stands for one layer a row.
    """

    function: Function
    normalization: str = "none"
    residual: str = "none"
    dropout: float = 0.0
    counts: Sequence[Any] | None = None

    def layers(self, group: int, parameters: Parameters) -> Layers:
        """Describe the layers of the group of that index.

        The output layer is affine only. Layer 1 has no residual connection, even if it has as many units as pixels.
        """
        rows, fan_out, fan_in = parameters[group][0].shape
        count = rows if self.counts is None else self.counts[group]
        if group == len(parameters) - 1:
            return Layers(count, rows > 1, tf.identity, "none", False, None, 0.0)
        is_residual = self.residual != "none" and group > 0 and fan_in == fan_out
        scale = self._branch_scale(parameters) if is_residual and self.residual == "scaled" else None
        return Layers(count, rows > 1, self.function, self.normalization, is_residual, scale, self.dropout)

    def _branch_scale(self, parameters: Parameters) -> tf.Tensor:
        """Return 1 / sqrt(2 L), where L counts the layers of all groups but the output layer's."""
        counts = [kernel.shape[0] for kernel, *_ in parameters] if self.counts is None else self.counts
        return tf.math.rsqrt(2 * tf.cast(tf.add_n([tf.constant(0), *counts[:-1]]), tf.float64))


class Signals(NamedTuple):
    """Hold the forward signals of a layer: inputs (B, fan_in) and pre-activations z (B, fan_out).

    `affine` holds h W + b (B, fan_out) if normalisation makes z of it, `mask` dropout's mask (B, fan_out); else they
    are (). The signals of a looped group have a first axis of rows.
    """

    inputs: tf.Tensor
    preactivations: tf.Tensor
    affine: Tensors = ()
    mask: Tensors = ()


class Gradients(NamedTuple):
    """Hold the loss gradients of a layer: in its parameters (kernel first, of their shapes) and its signals.

    `delta` (B, fan_out) is d loss / d z, and `inputs` (B, fan_in) is d loss / d the layer's inputs.
    """

    parameters: Tensors
    delta: tf.Tensor
    inputs: tf.Tensor


def vector_jacobian_product(function: Function, z: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """Return upstream * function'(z), elementwise, in the shape of z."""
    return with_product(function, z)[1](upstream)


def with_product(function: Function, z: tf.Tensor) -> tuple[tf.Tensor, Function]:
    """Return function(z), and its vector-Jacobian product as a function of `upstream` that can be called once."""
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = function(z)
    return value, lambda upstream: tape.gradient(value, z, output_gradients=upstream)
