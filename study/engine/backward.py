"""Compute all gradients of the engine's networks by an explicit backward pass, from the output layer to layer 1.

The pass is written out (Rumelhart, Hinton & Williams 1986), so that the error signal that updates the weights can be
measured. TensorFlow differentiates the activation, the normalisation, and losses other than cross-entropy with softmax.

The pass calls a visitor for each layer. The visitor measures and updates the layer at once, so that gradients need not
be stored.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from study.engine import normalization, rows
from study.engine.architecture import Architecture, Gradients, Layers, Signals, Tensors, vector_jacobian_product
from study.engine.normalization import column_sums

# visit(group, layer, signals, gradients) -> (gradient in the layer's inputs, new layer or None, measures)
Visitor = Callable[[int, Any, Signals, Gradients], tuple[tf.Tensor, Any, Any]]


def backward(
    architecture: Architecture,
    groups: Sequence[Any],
    signals: Sequence[Signals],
    output_delta: tf.Tensor,
    visit: Visitor,
    buffers: Sequence[Any],
) -> tuple[list[Any], list[Any]]:
    """Carry out the backward pass from the output layer to layer 1, and call `visit` for each layer.

    Return two lists with one entry per group: the new groups, and their measures.

    - architecture: describes the hidden layers.
    - groups: for each group, a tuple of nests of tensors (rows, ...). The first nest holds the parameters.
    - signals: for each group, its `Signals` from the forward pass.
    - output_delta (B, 10): d loss / d logits. All gradients are computed in its precision.
    - buffers: for each looped group, a nest of tensors (rows, ...), which the measures of the group overwrite; () for
      other groups.
    - visit(group, layer, signals, gradients): `group` is the group's index. `layer` holds the tensors of one layer, in
      the structure of the group's tuple. In a looped group they have no axis of rows, else a first axis of 1. `signals`
      and `gradients` belong to this layer.

    The visitor returns three values:

    - the gradient in the layer's inputs (B, fan_in). It passes through the visitor, so that a compiled program can be
      made to read the layer before it changes the layer. The value of layer 1 is not used.
    - the tuple that replaces the layer, or None to keep the layer.
    - the layer's measures, a nest of tensors.
    """
    parameters = tuple(group[0] for group in groups)
    upstream, replaced, measured = output_delta, list(groups), list(buffers)
    for index in reversed(range(len(groups))):
        layers = architecture.layers(index, parameters)
        step = _Backward(layers, functools.partial(visit, index))
        if layers.is_looped:
            upstream, replaced[index], measured[index] = step.looped(
                upstream, groups[index], signals[index], buffers[index]
            )
        else:
            upstream, replaced[index], measured[index] = step.alone(upstream, groups[index], signals[index])
    return replaced, measured


class _Backward(NamedTuple):
    """Carry out the backward pass through one group, whose index `visit` has; `upstream` is d loss / d output."""

    layers: Layers
    visit: Callable[[Any, Signals, Gradients], tuple[tf.Tensor, Any, Any]]

    def gradients(self, upstream: tf.Tensor, parameters: Tensors, signals: Signals) -> Gradients:
        """Return the gradients of one layer, given its `parameters` without an axis of rows, and its `signals`."""
        parameters = rows.cast(parameters, upstream.dtype)
        passed = self.layers.branch(upstream)
        passed = passed * signals.mask[0] if signals.mask else passed
        delta = vector_jacobian_product(self.layers.function, signals.preactivations, passed)
        of_affine, of_scales = delta, ()
        if signals.affine:
            kind, (affine,) = self.layers.normalization, signals.affine
            of_affine, of_scales = normalization.backward(kind, affine, parameters, delta)
        of_kernel = tf.matmul(of_affine, signals.inputs, transpose_a=True)
        of_inputs = of_affine @ parameters[0]
        if self.layers.is_residual:
            of_inputs += upstream
        return Gradients((of_kernel, column_sums(of_affine)[0], *of_scales), delta, of_inputs)

    def alone(self, upstream: tf.Tensor, group: Any, signals: Signals) -> tuple[tf.Tensor, Any, Any]:
        """Pass through a `group` of one layer; return the gradient in its inputs, the new group, and the measures."""
        signals = rows.cast(signals, upstream.dtype)
        gradients = self.gradients(upstream, rows.row_of(group[0], 0), signals)
        below, replaced, measured = self.visit(group, signals, gradients)
        return below, group if replaced is None else replaced, measured

    def looped(self, upstream: tf.Tensor, group: Any, signals: Signals, buffers: Any) -> tuple[tf.Tensor, Any, Any]:
        """Pass through several layers like `alone`, last layer first; the measures (rows, ...) overwrite `buffers`."""

        def body(row: tf.Tensor, upstream: tf.Tensor, arrays: Any, found: Any) -> Any:
            layer = rows.read(arrays, row)
            of_layer = rows.cast(rows.row_of(signals, row), upstream.dtype)
            below, replaced, measured = self.visit(layer, of_layer, self.gradients(upstream, layer[0], of_layer))
            arrays = arrays if replaced is None else rows.written(arrays, row, replaced)
            return row - 1, below, arrays, rows.written(found, row, measured)

        start = (self.layers.count - 1, upstream, rows.opened(group), rows.opened(buffers))
        _, below, arrays, found = tf.while_loop(lambda row, *_: row >= 0, body, start)
        return below, rows.closed(arrays), rows.closed(found)
