"""Forward and backward through the network.

h_0 = x, z_l = h_{l-1} W_l + b_l, h_l = phi(z_l); delta_l = d loss / d z_l, where the loss is the mean over the batch of
B examples. The backward pass is written out (Rumelhart, Hinton & Williams 1986) so that the error signal that moves the
weights is the one that is measured; only phi' comes from TensorFlow, so that any registry entry works.

Both passes walk through the stages of study/engine/stages.py, and show each layer to a function of the caller's, which
measures it or updates it there and then: nothing is kept that is not used again.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from study.engine import normalization
from study.engine.initial import Parameters
from study.engine.normalization import Tensors, column_sums, normalise

Function = Callable[[tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class Architecture:
    """What a hidden layer does between its affine map a = h W + b and its output: mask * phi(normalised a) (+ h).

    `dropout` is the share of outputs that the mask sets to 0 in training; the others it divides by 1 - dropout.
    `counts` are the layers of every stage, in a compiled program scalar tensors; None: as many as there are rows.
    """

    function: Function
    normalization: str = "none"
    residual: bool = False
    dropout: float = 0.0
    counts: Sequence[Any] | None = None

    def layers(self, place: int, parameters: Parameters) -> "Layers":
        """What the layers of a stage do. The output layer maps affinely and no more; layer 1 has no residual connection
        even where the images have as many pixels as it has units.
        """
        rows, fan_out, fan_in = parameters[place][0].shape
        count = rows if self.counts is None else self.counts[place]
        if place == len(parameters) - 1:
            return Layers(count, rows > 1, tf.identity, "none", False, 0.0)
        is_residual = self.residual and place > 0 and fan_in == fan_out
        return Layers(count, rows > 1, self.function, self.normalization, is_residual, self.dropout)


class Layers(NamedTuple):
    """What the `count` layers of a stage do; see Architecture."""

    count: Any
    is_looped: bool
    function: Function
    normalization: str
    is_residual: bool
    dropout: float


class Signals(NamedTuple):
    """What a layer saw: inputs (B, fan_in), pre-activations (B, fan_out); of a looped stage (rows, B, ...).

    Two are () or one tensor of the pre-activations' shape: `affine`, h W + b, where normalisation makes another of it,
    and `mask`, dropout's.
    """

    inputs: tf.Tensor
    preactivations: tf.Tensor
    affine: Tensors = ()
    mask: Tensors = ()


class Gradients(NamedTuple):
    """A layer's gradients, of its parameters' shapes and order (kernel first), delta (B, fan_out), and the gradient in
    its inputs (B, fan_in).
    """

    parameters: Tensors
    delta: tf.Tensor
    inputs: tf.Tensor


def vector_jacobian_product(function: Function, z: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """upstream * function'(z), elementwise; shape of z."""
    return with_product(function, z)[1](upstream)


def with_product(function: Function, z: tf.Tensor) -> tuple[tf.Tensor, Function]:
    """function(z), and the vector-Jacobian product there as a function of `upstream`, to be called once."""
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = function(z)
    return value, lambda upstream: tape.gradient(value, z, output_gradients=upstream)


def room_for(architecture: Architecture, parameters: Parameters, batch: int, drops: bool) -> list[Any]:
    """Zeros of the shapes of every stage's signals, where it is looped; else ()."""
    room: list[Any] = []
    for place, (kernel, *_) in enumerate(parameters):
        layers = architecture.layers(place, parameters)
        if not layers.is_looped:
            room.append(())
            continue
        rows, fan_out, fan_in = kernel.shape
        inputs, outputs = (tf.zeros((rows, batch, units), kernel.dtype) for units in (fan_in, fan_out))
        affine = () if layers.normalization == "none" else (outputs,)
        mask = (outputs,) if layers.dropout and drops else ()
        room.append(Signals(inputs, outputs, affine, mask))
    return room


def forward(
    architecture: Architecture, parameters: Parameters, x: tf.Tensor, seed: Any = None, room: Any = None
) -> tuple[tf.Tensor, list[Signals]]:
    """The logits (B, 10) for inputs x (B, 784), and every stage's signals, as in training.

    With `seed` (2,) int32, outputs are dropped if the architecture has it so. `room`, by `room_for` or the signals of
    another step, is written over.
    """
    room = room or room_for(architecture, parameters, x.shape[0], seed is not None)
    return walk(architecture, parameters, x, lambda place, index, signals: signals, room, seed=seed)


def outputs(architecture: Architecture, parameters: Parameters, x: tf.Tensor, moving: Any = None) -> tf.Tensor:
    """The logits (B, 10) for inputs x (B, columns), outside training.

    `moving` holds, per stage, the means and variances (rows, units) that batch normalisation uses there, or (): there
    the batch's own are used.
    """
    return walk(architecture, parameters, x, lambda *_: (), [()] * len(parameters), moving=moving)[0]


def walk(
    architecture: Architecture,
    parameters: Parameters,
    x: tf.Tensor,
    visit: Callable[[int, Any, Signals], Any],
    room: Sequence[Any],
    *,
    moving: Any = None,
    seed: Any = None,
) -> tuple[tf.Tensor, list[Any]]:
    """From layer 1 to the output layer: the logits, and what visit(stage, row, its signals) returns of every layer.

    That is a nest of tensors; of a looped stage they have rows, and are written over those in `room`. Else they have no
    first axis: to give them one, a compiled program would compute the signals twice.
    """
    h, first, found = x, 1, []
    for place, stage in enumerate(parameters):
        of_stage = _Forward(
            architecture.layers(place, parameters),
            stage,
            moving[place] if moving else (),
            None if seed is None else seed + tf.constant([first, 0]),
            functools.partial(visit, place),
        )
        h, kept = of_stage.looped(h, room[place]) if of_stage.layers.is_looped else of_stage.layer(0, h)
        found.append(kept)
        first += stage[0].shape[0]
    return h, found


class _Forward(NamedTuple):
    """Forward through one stage."""

    layers: Layers
    stage: Tensors
    moving: Tensors
    seed: Any
    visit: Callable[[Any, Signals], Any]

    def layer(self, row: Any, h: tf.Tensor) -> tuple[tf.Tensor, Any]:
        """The layer's output (B, fan_out) and what the visitor makes of it."""
        layers, parameters = self.layers, row_of(self.stage, row)
        affine = tf.matmul(h, parameters[0], transpose_b=True) + parameters[1]
        z = normalise(layers.normalization, affine, parameters, row_of(self.moving, row))
        output = layers.function(z)
        mask: Tensors = ()
        if layers.dropout and self.seed is not None:
            mask = (self.mask(row, z),)
            output *= mask[0]
        found = self.visit(row, Signals(h, z, () if layers.normalization == "none" else (affine,), mask))
        return output + h if layers.is_residual else output, found

    def mask(self, row: Any, z: tf.Tensor) -> tf.Tensor:
        """0 or 1 / (1 - dropout), of z's shape."""
        of_layer = self.seed + tf.stack([row, 0])
        units = z.shape.num_elements()
        # Philox makes 128 bits at a time, and for every number drawn anew; two units share one of 64 bits. TensorFlow's
        # default generator takes six times as long.
        pairs = tf.random.stateless_uniform([-(-units // 2)], of_layer, None, None, tf.uint64, alg="philox")
        drawn = tf.reshape(tf.reshape(tf.bitcast(pairs, tf.uint32), [-1])[:units], z.shape)
        is_kept = drawn >= tf.constant(int(self.layers.dropout * 2**32), tf.uint32)
        return tf.cast(is_kept, z.dtype) / (1 - self.layers.dropout)

    def looped(self, h: tf.Tensor, room: Any) -> tuple[tf.Tensor, Any]:
        """Layer after layer; the last one's output, and all that the visitor made."""

        def body(row: tf.Tensor, h: tf.Tensor, arrays: Any) -> Any:
            h, found = self.layer(row, h)
            return row + 1, h, _written(arrays, row, found)

        _, h, arrays = tf.while_loop(lambda row, *_: row < self.layers.count, body, (0, h, _opened(room)))
        return h, _closed(arrays)


def backward(
    architecture: Architecture,
    stages: Sequence[Any],
    signals: Sequence[Signals],
    output_delta: tf.Tensor,
    visit: Callable[[int, Any, Signals, Gradients], Any],
) -> list[Any]:
    """From the output layer, whose delta is given, (B, 10), to layer 1: `stages` with every layer's rows replaced.

    A stage is nests of tensors (rows, ...), the first its parameters. visit(place of the stage, the layer's rows, its
    signals, its gradients) returns the gradient in the layer's inputs, which is carried on, and the rows that replace
    those it was given, with None for a nest that stays as it is: written, it would be copied. It returns the gradient
    so that a program can order the reads of the layer before its writes; that in layer 1's inputs is not used. In a
    stage of one layer the rows keep their first axis of 1.
    Everything is computed in the precision of `output_delta`, to which the visitor finds the signals cast.
    """
    parameters = tuple(stage[0] for stage in stages)
    upstream, found = output_delta, list(stages)
    for place in reversed(range(len(stages))):
        of_stage = _Backward(architecture.layers(place, parameters), functools.partial(visit, place))
        walk_back = of_stage.looped if of_stage.layers.is_looped else of_stage.alone
        upstream, found[place] = walk_back(upstream, stages[place], signals[place])
    return found


class _Backward(NamedTuple):
    """Backward through one stage; `upstream` is d loss / d a layer's output."""

    layers: Layers
    visit: Callable[[Any, Signals, Gradients], Any]

    def layer(self, upstream: tf.Tensor, parameters: Tensors, signals: Signals) -> Gradients:
        """The layer's gradients."""
        parameters = _cast(parameters, upstream.dtype)
        kept = upstream * signals.mask[0] if signals.mask else upstream
        delta = vector_jacobian_product(self.layers.function, signals.preactivations, kept)
        of_affine, of_normalization = delta, ()
        if signals.affine:
            kind, (affine,) = self.layers.normalization, signals.affine
            of_affine, of_normalization = normalization.backward(kind, affine, parameters, delta)
        of_kernel = tf.matmul(of_affine, signals.inputs, transpose_a=True)
        of_inputs = of_affine @ parameters[0]
        if self.layers.is_residual:
            of_inputs += upstream
        return Gradients((of_kernel, column_sums(of_affine)[0], *of_normalization), delta, of_inputs)

    def alone(self, upstream: tf.Tensor, stage: Any, signals: Signals) -> tuple[tf.Tensor, Any]:
        """A stage of one layer."""
        signals = _cast(signals, upstream.dtype)
        below, after = self.visit(stage, signals, self.layer(upstream, row_of(stage[0], 0), signals))
        return below, tuple(old if new is None else new for old, new in zip(stage, after, strict=True))

    def looped(self, upstream: tf.Tensor, stage: Any, signals: Signals) -> tuple[tf.Tensor, Any]:
        """Layer before layer."""

        def body(row: tf.Tensor, upstream: tf.Tensor, arrays: Any) -> Any:
            rows = tf.nest.map_structure(lambda array: array.read(row), arrays)
            of_layer = _cast(row_of(signals, row), upstream.dtype)
            below, after = self.visit(rows, of_layer, self.layer(upstream, rows[0], of_layer))
            pairs = zip(arrays, after, strict=True)
            arrays = tuple(nest if new is None else _written(nest, row, new) for nest, new in pairs)
            return row - 1, below, arrays

        start = (self.layers.count - 1, upstream, _opened(stage))
        _, below, arrays = tf.while_loop(lambda row, *_: row >= 0, body, start)
        return below, _closed(arrays)


def row_of(nest: Any, row: Any) -> Any:
    """One row of every tensor (rows, ...)."""

    def of(tensor: tf.Tensor) -> tf.Tensor:
        # The only one is not sliced: a slice is five operations to trace, where this is one.
        return tf.squeeze(tensor, 0) if tensor.shape[0] == 1 else tensor[row]

    return tf.nest.map_structure(of, nest)


def _cast(nest: Any, dtype: tf.DType) -> Any:
    return tf.nest.map_structure(lambda tensor: tf.cast(tensor, dtype), nest)


def _opened(nest: Any) -> Any:
    """Arrays to read and write by rows, in place of every tensor (rows, ...)."""

    def opened(tensor: tf.Tensor) -> tf.TensorArray:
        rows, *shape = tensor.shape
        return tf.TensorArray(tensor.dtype, rows, clear_after_read=False, element_shape=shape).unstack(tensor)

    return tf.nest.map_structure(opened, nest)


def _written(arrays: Any, row: Any, values: Any) -> Any:
    return tf.nest.map_structure(lambda array, value: array.write(row, value), arrays, values)


def _closed(arrays: Any) -> Any:
    return tf.nest.map_structure(lambda array: array.stack(), arrays)
