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
Tensors = tuple[tf.Tensor, ...]

PLAIN = 2  # parameters of a layer without normalisation: kernel and bias

DEAD_SHARE = 1e-3  # of the supremum of |phi'|: below it for every probe example, a unit counts as dead
SATURATED_SHARE = 0.05  # of the supremum of |phi'|: below it, an entry counts as saturated

BATCH_MEASURES = (
    "weight_gradient", "error", "example_weight_gradient", "preactivation_square", "activation_rms", "activation_mean",
)  # fmt: skip
PROBE_MEASURES = ("dead_units", "saturation", "sparsity")
MEASURES = (*BATCH_MEASURES, *PROBE_MEASURES, "update_ratio")


BATCH_MOMENTUM, NORMALIZATION_EPSILON = 0.99, 1e-3  # Keras' defaults, batch and layer normalisation alike


@dataclass(frozen=True)
class Architecture:
    """What a hidden layer does between its affine map a = h W + b and its output: mask * phi(normalised a) (+ h).

    `dropout` is the share of outputs that the mask sets to 0 in training; the others it divides by 1 - dropout.
    """

    function: Function
    normalization: str = "none"
    residual: bool = False
    dropout: float = 0.0

    def is_residual(self, kernel: tf.Tensor, stage: int) -> bool:
        """Layer 1 (stage 0) has no residual connection even where the images have as many pixels as it has units."""
        return self.residual and stage > 0 and kernel.shape[-2] == kernel.shape[-1]


@dataclass(frozen=True)
class Signals:
    """What one stage of `count` layers saw: inputs (count, B, fan_in), affine and pre-activations (count, B, fan_out).

    A stage of one layer has no first axis here: to give it one, a compiled program would compute the signals twice.
    `preactivations` are what phi receives; they differ from `affine`, h W + b, under normalisation alone. `mask`, of
    their shape, is dropout's; None without.
    """

    inputs: tf.Tensor
    affine: tf.Tensor
    preactivations: tf.Tensor
    mask: tf.Tensor | None = None

    def at(self, index: Any) -> "Signals":
        """Those of one layer of the stage."""
        mask = None if self.mask is None else self.mask[index]
        return Signals(self.inputs[index], self.affine[index], self.preactivations[index], mask)


@dataclass(frozen=True)
class Gradients:
    """One stage's gradients, of its parameters' shapes and order (kernel first), and delta, shaped as Signals are."""

    parameters: tuple[tf.Tensor, ...]
    delta: tf.Tensor


def vector_jacobian_product(function: Function, z: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """upstream * function'(z), elementwise; shape of z."""
    return _with_product(function, z)[1](upstream)


def _with_product(function: Function, z: tf.Tensor) -> tuple[tf.Tensor, Function]:
    """function(z), and the vector-Jacobian product there as a function of `upstream`, to be called once."""
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = function(z)
    return value, lambda upstream: tape.gradient(value, z, output_gradients=upstream)


def moments(normalization: str, affine: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance that normalise a layer: over the batch (axis -2) or over the layer's units (axis -1)."""
    if normalization == "batch":
        mean = _column_sums(affine) / affine.shape[-2]
        return mean, _column_sums(tf.square(affine - mean)) / affine.shape[-2]
    mean = tf.reduce_mean(affine, -1, keepdims=True)
    return mean, tf.reduce_mean(tf.square(affine - mean), -1, keepdims=True)


def _column_sums(x: tf.Tensor) -> tf.Tensor:
    """Over the batch, (..., B, units) -> (..., 1, units), as a matrix product: compiled, it takes half a sum's time."""
    return tf.ones([*x.shape[:-2], 1, x.shape[-2]], x.dtype) @ x


def moved(moving: Tensors, signals: Signals) -> Tensors:
    """A stage's moving mean and variance (count, units) after one more training batch."""
    found = (tf.squeeze(moment, -2) for moment in moments("batch", signals.affine))
    return tuple(old * BATCH_MOMENTUM + new * (1 - BATCH_MOMENTUM) for old, new in zip(moving, found, strict=True))


def _normalise(architecture: Architecture, affine: tf.Tensor, layer: Tensors, moving: Tensors) -> tf.Tensor:
    """gamma (a - mean) / sqrt(variance + epsilon) + beta; `moving` moments (units,) replace the batch's if there."""
    if len(layer) == PLAIN:
        return affine
    gamma, beta = layer[PLAIN:]
    mean, variance = moving or moments(architecture.normalization, affine)
    return gamma * (affine - mean) * tf.math.rsqrt(variance + NORMALIZATION_EPSILON) + beta


def dropout_masks(architecture: Architecture, parameters: Parameters, batch: int, seed: tf.Tensor) -> list[Any]:
    """Dropout's masks, shaped as Signals are, of every hidden stage from `seed` (2,) int32: 0 or 1 / (1 - dropout)."""
    kept, masks = 1 - architecture.dropout, []
    for index, (kernel, *_) in enumerate(parameters[:-1]):
        count, units, _ = kernel.shape
        shape = (count, batch, units) if count > 1 else (batch, units)
        of_stage = seed + tf.constant([0, index << 24])
        drawn = tf.random.stateless_uniform(shape, of_stage, alg="philox")  # the default takes six times as long
        masks.append(tf.cast(drawn < kept, kernel.dtype) / kept)
    return masks


def forward(
    architecture: Architecture, parameters: Parameters, x: tf.Tensor, moving: Any = None, masks: Any = None
) -> list[Signals]:
    """Signals of every stage for inputs x (B, 784); the last stage's pre-activations are the logits (B, 10).

    `moving` holds, per hidden stage, the means and variances (count, units) that batch normalisation uses outside
    training; without it the batch's own are used. `masks` are those of `dropout_masks`; without them nothing is
    dropped, as outside training.
    """
    signals = []
    h = x
    for index, stage in enumerate(parameters):
        is_residual = architecture.is_residual(stage[0], index)
        is_output = index == len(parameters) - 1
        kept = moving[index] if moving and not is_output else ()
        mask = masks[index] if masks and not is_output else None
        found, h = _forward_stage(architecture, stage, kept, mask, h, is_residual and not is_output)
        signals.append(found)
    return signals


def _forward_stage(
    architecture: Architecture, stage: Tensors, moving: Tensors, mask: Any, h: tf.Tensor, is_residual: bool
) -> tuple[Signals, tf.Tensor]:
    """Its signals and its output (B, fan_out); the output layer's is not used, and not computed."""

    def one(index: Any, mask: Any, h: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        layer = _layer(stage, index)
        affine = tf.matmul(h, layer[0], transpose_b=True) + layer[1]
        z = _normalise(architecture, affine, layer, _layer(moving, index))
        output = architecture.function(z) if mask is None else architecture.function(z) * mask
        return affine, z, output + h if is_residual else output

    count = stage[0].shape[0]
    if count == 1:
        affine, z, output = one(0, mask, h)
        return Signals(h, affine, z, mask), output

    def body(index: tf.Tensor, h: tf.Tensor, *written: Any) -> tuple[Any, ...]:
        affine, z, output = one(index, None if mask is None else mask[index], h)
        values = (h, affine, z) if len(written) == 3 else (h, z)
        return index + 1, output, *(array.write(index, value) for array, value in zip(written, values, strict=True))

    arrays = [tf.TensorArray(h.dtype, count, element_shape=h.shape) for _ in range(2 if len(stage) == PLAIN else 3)]
    _, output, *written = tf.while_loop(
        lambda index, *_: index < count, body, (0, h, *arrays), maximum_iterations=count
    )
    stacked = [array.stack() for array in written]
    return Signals(stacked[0], stacked[1], stacked[-1], mask), output


def _layer(stage: Tensors, index: Any) -> Tensors:
    return tuple(role[index] for role in stage)


def backward(
    architecture: Architecture, parameters: Parameters, signals: list[Signals], output_delta: tf.Tensor
) -> list[Gradients]:
    """Gradients of every stage, given delta of the output layer (B, 10)."""
    gradients: list[Gradients] = []
    upstream = output_delta
    for index in reversed(range(len(parameters))):
        is_output = index == len(parameters) - 1
        # The output layer has no activation: delta is the upstream itself.
        kind = Architecture(tf.identity) if is_output else architecture
        is_residual = kind.is_residual(parameters[index][0], index)
        found, upstream = _backward_stage(kind, parameters[index], signals[index], upstream, is_residual)
        gradients.insert(0, found)
    return gradients


def _backward_stage(
    architecture: Architecture, stage: Tensors, signals: Signals, upstream: tf.Tensor, is_residual: bool
) -> tuple[Gradients, tf.Tensor]:
    """The stage's gradients and d loss / d its input (B, fan_in); `upstream` is d loss / d its output."""

    def one(index: Any, signals: Signals, upstream: tf.Tensor) -> tuple[tf.Tensor, Tensors]:
        kept = upstream if signals.mask is None else upstream * signals.mask
        delta = vector_jacobian_product(architecture.function, signals.preactivations, kept)
        layer = _layer(stage, index)
        of_affine, of_normalization = _backward_normalization(architecture, signals.affine, layer, delta)
        below = of_affine @ layer[0]
        of_kernel = tf.matmul(of_affine, signals.inputs, transpose_a=True)
        found = (of_kernel, _column_sums(of_affine)[0], *of_normalization, delta)
        return below + upstream if is_residual else below, found

    count = stage[0].shape[0]
    if count == 1:
        below, (*slopes, delta) = one(0, signals, upstream)
        return Gradients(tuple(slope[tf.newaxis] for slope in slopes), delta), below

    def body(index: tf.Tensor, upstream: tf.Tensor, *written: Any) -> tuple[Any, ...]:
        below, found = one(index, signals.at(index), upstream)
        return index - 1, below, *(array.write(index, value) for array, value in zip(written, found, strict=True))

    shapes = (*(role.shape[1:] for role in stage), upstream.shape)
    arrays = [tf.TensorArray(upstream.dtype, count, element_shape=shape) for shape in shapes]
    _, below, *written = tf.while_loop(
        lambda index, *_: index >= 0, body, (count - 1, upstream, *arrays), maximum_iterations=count
    )
    *slopes, delta = (array.stack() for array in written)
    return Gradients(tuple(slopes), delta), below


def _backward_normalization(
    architecture: Architecture, affine: tf.Tensor, layer: Tensors, delta: tf.Tensor
) -> tuple[tf.Tensor, Tensors]:
    """d loss / d affine (B, fan_out), and the gradients of gamma and beta; delta itself without normalisation."""
    if len(layer) == PLAIN:
        return delta, ()
    with tf.GradientTape() as tape:
        tape.watch([affine, *layer[PLAIN:]])
        z = _normalise(architecture, affine, layer, ())
    of_affine, *rest = tape.gradient(z, [affine, *layer[PLAIN:]], output_gradients=delta)
    return of_affine, tuple(rest)


def norm(x: tf.Tensor, axes: list[int]) -> tf.Tensor:
    """2-norm over `axes`, its squares summed in float64: the square of 1e-25 is 0 in float32.

    Scaling by the largest entry first would do as well, but compiles to twice the code.
    """
    return tf.cast(tf.sqrt(tf.reduce_sum(tf.square(tf.cast(x, tf.float64)), axes)), x.dtype)


def _root_mean_square(x: tf.Tensor) -> tf.Tensor:
    """Over the last axis."""
    return norm(x, [-1]) / tf.sqrt(tf.cast(x.shape[-1], x.dtype))


def _by_layer(x: tf.Tensor) -> tf.Tensor:
    """A stage's signals with their first axis, (count, B, units), where the stage has one layer too."""
    return x if x.shape.rank == 3 else x[tf.newaxis]


def batch_measures(architecture: Architecture, signals: list[Signals], gradients: list[Gradients]) -> tf.Tensor:
    """BATCH_MEASURES of every layer, (L + 1, 6), from one training batch; the output layer has no activation: NaN.

    h_l is phi(z_l), under dropout times its mask, without what a residual connection adds.
    """
    rows = []
    for index, (stage, gradient) in enumerate(zip(signals, gradients, strict=True)):
        delta, z = _by_layer(gradient.delta), _by_layer(stage.preactivations)
        count, batch = delta.shape[:2]
        error = norm(delta, [-1]) * batch  # (count, B): delta_{l,i} = B * d loss / d z_{l,i}
        activation = architecture.function(z) if index < len(signals) - 1 else z * float("nan")
        activation = activation if stage.mask is None else activation * _by_layer(stage.mask)
        columns = (
            norm(gradient.parameters[0], [-2, -1]),
            _root_mean_square(error),
            _root_mean_square(error * norm(_by_layer(stage.inputs), [-1])),
            tf.reduce_mean(tf.square(z), [-2, -1]),
            _root_mean_square(tf.reshape(activation, [count, -1])),
            tf.reduce_mean(activation, [-2, -1]),
        )
        rows.append(tf.stack(columns, axis=-1))
    return tf.concat(rows, 0)


def probe_measures(architecture: Architecture, parameters: Parameters, supremum: float, x: tf.Tensor) -> tf.Tensor:
    """PROBE_MEASURES of every layer, (L + 1, 3), on images x (P, 784); `supremum` of |phi'|. Output layer: NaN.

    Batch normalisation uses the probe images' own moments, as in training.
    """
    function = architecture.function

    def of_layer(z: tf.Tensor) -> tf.Tensor:
        value, product = _with_product(function, z)
        slope = tf.abs(product(tf.ones_like(z)))
        is_dead = tf.reduce_all(slope < DEAD_SHARE * supremum, axis=0)
        shares = (is_dead, slope < SATURATED_SHARE * supremum, value == 0)
        return tf.stack([tf.reduce_mean(tf.cast(share, z.dtype)) for share in shares])

    signals = (stage.preactivations for stage in forward(architecture, parameters, x)[:-1])
    rows = [tf.map_fn(of_layer, z) if z.shape.rank == 3 else of_layer(z)[tf.newaxis] for z in signals]
    return tf.concat([*rows, tf.fill([1, len(PROBE_MEASURES)], tf.constant(float("nan"), x.dtype))], 0)


def measures(
    architecture: Architecture,
    parameters: Parameters,
    supremum: float,
    signals: list[Signals],
    gradients: list[Gradients],
    probe: tf.Tensor,
) -> tf.Tensor:
    """BATCH_MEASURES and PROBE_MEASURES of every layer, (L + 1, 9), from one batch and the images `probe` (P, 784)."""
    of_batch = batch_measures(architecture, signals, gradients)
    return tf.concat([of_batch, probe_measures(architecture, parameters, supremum, probe)], 1)


def update_ratios(updates: list[tf.Tensor], kernels: list[tf.Tensor]) -> tf.Tensor:
    """norm(update of W_l) / norm(W_l) of every layer, (L + 1,), W_l before the update that made it `kernels`' W_l."""
    pairs = zip(updates, kernels, strict=True)
    return tf.concat([norm(update, [-2, -1]) / norm(kernel - update, [-2, -1]) for update, kernel in pairs], 0)
