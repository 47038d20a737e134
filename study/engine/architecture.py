"""Define types that describe a network, and types that hold the forward and backward results of a layer.

The input of layer 1 is the image, h_0 = x. A plain layer l computes z_l = h_{l-1} W_l + b_l and h_l = phi(z_l), where
phi is the activation; `Architecture` describes others. The kernel (fan_out, fan_in) is the transpose of W_l. The
error is delta_l = d loss / d z_l, where the loss is the mean over the batch of B examples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

Function = Callable[[tf.Tensor], tf.Tensor]
Tensors = tuple[tf.Tensor, ...]

# One entry per layer group: kernels (rows, fan_out, fan_in), biases (rows, fan_out) and, if normalised, gamma and beta.
Parameters = tuple[Tensors, ...]


class Layers(NamedTuple):
    """Describe the layers of one group, which share one shape and one activation, `function`.

    `count` is their number. A looped group has more than one row. A residual layer adds its input to its output, which
    is first multiplied by `branch_scale` unless that is None. `Architecture` explains the other fields.
    """

    count: Any
    is_looped: bool
    function: Function
    normalization: str
    is_residual: bool
    branch_scale: Any
    dropout: float

    def branch(self, values: tf.Tensor) -> tf.Tensor:
        """Return `values`, a layer's output or the gradient in this output, times `branch_scale` unless it is None."""
        return values if self.branch_scale is None else values * tf.cast(self.branch_scale, values.dtype)


@dataclass(frozen=True)
class Architecture:
    """Describe the hidden layers: from its input h, a layer computes output = mask * phi(normalised(h W + b)).

    `function` is phi, and `normalization` is "none", "batch" or "layer". With `residual` "plain", a residual layer
    returns h + output. With "scaled", it returns h + output / sqrt(2 L), where L is the number of hidden layers. In
    training, the mask sets each output to 0 with probability `dropout`, and divides the others by 1 - dropout. `counts`
    holds the number of layers of each group, as scalar tensors in a compiled program. None means that each row is a
    layer.
    """

    function: Function
    normalization: str = "none"
    residual: str = "none"
    dropout: float = 0.0
    counts: Sequence[Any] | None = None

    def layers(self, group: int, parameters: Parameters) -> Layers:
        """Describe the layers of the group with index `group`, given the `parameters` of all groups.

        The output layer is affine only. If `residual` asks for it, a hidden layer with as many units as inputs is
        residual, except layer 1.
        """
        rows, fan_out, fan_in = parameters[group][0].shape
        count = rows if self.counts is None else self.counts[group]
        if group == len(parameters) - 1:
            return Layers(count, rows > 1, tf.identity, "none", False, None, 0.0)
        is_residual = self.residual != "none" and group > 0 and fan_in == fan_out
        scale = self._branch_scale(parameters) if is_residual and self.residual == "scaled" else None
        return Layers(count, rows > 1, self.function, self.normalization, is_residual, scale, self.dropout)

    def _branch_scale(self, parameters: Parameters) -> tf.Tensor:
        """Return the scalar 1 / sqrt(2 L) in float64, where L is the number of hidden layers."""
        counts = [kernel.shape[0] for kernel, *_ in parameters] if self.counts is None else self.counts
        return tf.math.rsqrt(2 * tf.cast(tf.add_n([tf.constant(0), *counts[:-1]]), tf.float64))


class Signals(NamedTuple):
    """Hold the forward signals of one layer: its `inputs` (B, fan_in) and its `preactivations` z (B, fan_out).

    If z is normalised, `affine` holds h W + b (B, fan_out). If outputs are dropped, `mask` holds the mask (B, fan_out).
    Otherwise each is (). The tensors of a looped group have a first axis of rows.
    """

    inputs: tf.Tensor
    preactivations: tf.Tensor
    affine: Tensors = ()
    mask: Tensors = ()


class Gradients(NamedTuple):
    """Hold the gradients of the mean batch loss for one layer.

    `parameters` holds the gradients in kernel (fan_out, fan_in), bias and, if normalised, gamma and beta (fan_out,).
    `delta` (B, fan_out) is d loss / d z, and `inputs` (B, fan_in) is d loss / d the layer's inputs.
    """

    parameters: Tensors
    delta: tf.Tensor
    inputs: tf.Tensor


def vector_jacobian_product(function: Function, z: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """Return `upstream` * `function`'(z), elementwise; `upstream` and the result have the shape of z."""
    return with_product(function, z)[1](upstream)


def with_product(function: Function, z: tf.Tensor) -> tuple[tf.Tensor, Function]:
    """Return `function`(z), and a function to call once: it maps upstream to upstream * function'(z), elementwise."""
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = function(z)
    return value, lambda upstream: tape.gradient(value, z, output_gradients=upstream)
