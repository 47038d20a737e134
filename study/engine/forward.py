"""Carry out the forward pass, from layer 1 to the output layer.

The pass calls a visitor for each layer. The visitor measures the layer at once, so that signals need not be stored.
layer_groups.py explains groups and rows. The inputs x have 784 columns, or as many as `Images` has.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from study.engine import rows
from study.engine.architecture import Architecture, Layers, Parameters, Signals, Tensors
from study.engine.normalization import normalise


def signal_buffers(architecture: Architecture, parameters: Parameters, batch: int, drops: bool) -> list[Any]:
    """Return zeros for the `Signals` of each looped group, with masks if it has dropout and `drops`; () for others."""
    buffers: list[Any] = []
    for group, (kernel, *_) in enumerate(parameters):
        layers = architecture.layers(group, parameters)
        if not layers.is_looped:
            buffers.append(())
            continue
        count, fan_out, fan_in = kernel.shape
        inputs, outputs = (tf.zeros((count, batch, units), kernel.dtype) for units in (fan_in, fan_out))
        affine = () if layers.normalization == "none" else (outputs,)
        mask = (outputs,) if layers.dropout and drops else ()
        buffers.append(Signals(inputs, outputs, affine, mask))
    return buffers


def forward(
    architecture: Architecture, parameters: Parameters, x: tf.Tensor, seed: Any = None, buffers: Any = None
) -> tuple[tf.Tensor, list[Signals]]:
    """Carry out the forward pass as in training; return the logits (B, 10), and a list with each group's signals.

    x is (B, columns). `seed` (2,) int32 decides the masks of dropout; if it is None, nothing is dropped. `buffers`
    comes from `signal_buffers`, or holds the signals of an earlier pass. The signals of looped groups overwrite it.
    """
    buffers = buffers or signal_buffers(architecture, parameters, x.shape[0], seed is not None)
    return visit_forward(architecture, parameters, x, lambda group, row, signals: signals, buffers, seed=seed)


def outputs(architecture: Architecture, parameters: Parameters, x: tf.Tensor, moving: Any = None) -> tf.Tensor:
    """Return a network's logits (B, 10) for inputs x (B, columns), as outside of training: nothing is dropped.

    `moving` holds for each group the moving means and variances (rows, units) of batch normalisation, or () without it.
    If `moving` is None, batch normalisation uses the moments of x.
    """
    return visit_forward(architecture, parameters, x, lambda *_: (), [()] * len(parameters), moving=moving)[0]


def visit_forward(
    architecture: Architecture,
    parameters: Parameters,
    x: tf.Tensor,
    visit: Callable[[int, Any, Signals], Any],
    buffers: Sequence[Any],
    *,
    moving: Any = None,
    seed: Any = None,
) -> tuple[tf.Tensor, list[Any]]:
    """Carry out the forward pass for inputs x (B, columns), and call visit(group, row, signals) for each layer.

    The visitor gets the index of the group, the layer's row in it, and its `Signals`. Return the logits (B, 10), and a
    list with the visitor's results for each group, nests of tensors. In a looped group, the results are stacked along a
    first axis of rows and overwrite `buffers[group]`. In a group of one layer, the result has no axis of rows: with it,
    a compiled program would compute the signals twice. `moving` is as in `outputs`, and `seed` as in `forward`.
    """
    h, first_layer, found = x, 1, []
    for group, of_group in enumerate(parameters):
        layers = architecture.layers(group, parameters)
        group_seed = None if seed is None else seed + tf.constant([first_layer, 0])
        group_moving = moving[group] if moving else ()
        step = _Forward(layers, of_group, group_moving, group_seed, functools.partial(visit, group))
        h, result = step.looped(h, buffers[group]) if layers.is_looped else step.layer(0, h)
        found.append(result)
        first_layer += of_group[0].shape[0]
    return h, found


class _Forward(NamedTuple):
    """Carry out the forward pass through one group with tensors (rows, ...), whose index `visit` already has."""

    layers: Layers
    parameters: Tensors
    moving: Tensors
    seed: Any
    visit: Callable[[Any, Signals], Any]

    def layer(self, row: Any, h: tf.Tensor) -> tuple[tf.Tensor, Any]:
        """Return the output (B, fan_out) of the layer `row` for its input `h` (B, fan_in), and the visitor's result."""
        layers, parameters = self.layers, rows.row_of(self.parameters, row)
        affine = tf.matmul(h, parameters[0], transpose_b=True) + parameters[1]
        z = normalise(layers.normalization, affine, parameters, rows.row_of(self.moving, row))
        output = layers.function(z)
        mask: Tensors = ()
        if layers.dropout and self.seed is not None:
            mask = (self.mask(row, z),)
            output *= mask[0]
        found = self.visit(row, Signals(h, z, () if layers.normalization == "none" else (affine,), mask))
        return layers.branch(output) + h if layers.is_residual else output, found

    def mask(self, row: Any, z: tf.Tensor) -> tf.Tensor:
        """Draw the dropout mask of one layer: each entry is 0 with probability `dropout`, else 1 / (1 - dropout)."""
        seed = self.seed + tf.stack([row, 0])
        units = z.shape.num_elements()
        # Philox draws 128 bits at a time, and afresh for every number, so two units share one number of 64 bits.
        # TensorFlow's default generator takes six times as long.
        pairs = tf.random.stateless_uniform([-(-units // 2)], seed, None, None, tf.uint64, alg="philox")
        drawn = tf.reshape(tf.reshape(tf.bitcast(pairs, tf.uint32), [-1])[:units], z.shape)
        is_kept = drawn >= tf.constant(int(self.layers.dropout * 2**32), tf.uint32)
        return tf.cast(is_kept, z.dtype) / (1 - self.layers.dropout)

    def looped(self, h: tf.Tensor, buffers: Any) -> tuple[tf.Tensor, Any]:
        """Carry out the forward pass through a looped group, from `h` (B, fan_in), in one loop of the compiled program.

        Return the last layer's output (B, fan_out) and the visitor's results, a nest of tensors (rows, ...). Row i
        holds the results of layer i. Rows beyond the last layer keep the values of `buffers`.
        """

        def body(row: tf.Tensor, h: tf.Tensor, arrays: Any) -> Any:
            h, found = self.layer(row, h)
            return row + 1, h, rows.written(arrays, row, found)

        _, h, arrays = tf.while_loop(lambda row, *_: row < self.layers.count, body, (0, h, rows.opened(buffers)))
        return h, rows.closed(arrays)
