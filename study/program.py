"""The compiled program that carries out one epoch, measurements included, and the one that evaluates.

A program depends on the activation and on `settings.ProgramKind` alone: runs that differ in seed, initial weights or
learning rate share it, and a process compiles it once.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from study import augmentation, gradients, losses
from study.activations import Activation, derivative_supremum
from study.network import PIXELS, Parameters
from study.optimizers import OPTIMIZERS, Hyperparameters
from study.settings import ProgramKind

CHUNK = 1000  # images evaluated at once
MOST_LOGGED = 24  # logged steps an epoch at most; the 1-2-5 series has 16 entries below 100,000


@dataclass(frozen=True)
class Program:
    """The compiled functions of one activation, architecture and optimiser; `initial` alone is not compiled."""

    epoch: Any
    evaluate: Any
    initial: Any


@functools.lru_cache(maxsize=8)
def compiled_program(activation: Activation, kind: ProgramKind) -> Program:
    """The program that trains this kind of network; a process compiles it once, at its first use."""
    architecture = gradients.Architecture(activation.function, kind.normalization, kind.residual, kind.dropout)
    supremum = derivative_supremum(activation)
    epoch = functools.partial(_epoch, architecture, supremum, kind)
    evaluate = functools.partial(_evaluate, architecture, kind)
    # Without autograph, which has nothing to convert here and takes six times as long as tracing does.
    compiled = functools.partial(tf.function, jit_compile=True, autograph=False)
    return Program(compiled(epoch), compiled(evaluate), functools.partial(_initial, architecture, supremum, kind))


def pixels(images: tf.Tensor, indices: tf.Tensor, precision: str) -> tf.Tensor:
    """Rows of `images` as inputs in [0, 1]: (len(indices), 784)."""
    return _inputs(tf.gather(images, indices), precision)


def _inputs(images: tf.Tensor, precision: str) -> tf.Tensor:
    return tf.ensure_shape(tf.cast(images, precision) / 255, [images.shape[0], PIXELS])


def _epoch(
    architecture: gradients.Architecture,
    supremum: float,
    kind: ProgramKind,
    state: Any,
    hyperparameters: tf.Tensor,
    draws: tf.Tensor,
    first_step: tf.Tensor,
    updates: tf.Tensor,
    order: tf.Tensor,
    rows: tf.Tensor,
    images: tf.Tensor,
    labels: tf.Tensor,
    probe: tf.Tensor,
) -> Any:
    """Carry out `updates` updates, one per row of `order` (steps, B), measuring before update i where rows[i] >= 0.

    `rows` (steps + 1,) holds the row of the result each step is written to, or -1; `draws`, a number of the run, seeds
    what is drawn in the loop. Returns the new state, the totals (sum of batch losses, images classified right, first
    step with a loss that is not finite or -1) and the measured rows (MOST_LOGGED, L + 1, measures).
    """
    rule, precision = OPTIMIZERS[kind.optimizer], kind.precision

    def at(update: tf.Tensor, hyperparameters: tf.Tensor) -> Hyperparameters:
        numbers: list[tf.Tensor] = [*tf.unstack(hyperparameters), tf.cast(update, precision)]
        return Hyperparameters(*numbers)

    def changes(slots: Any, h: Hyperparameters) -> Any:
        return tuple(tuple(rule.update(slot, h) for slot in stage) for stage in slots)

    def measure(index: tf.Tensor, parameters: Parameters, slots: Any, signals: Any, found: Any) -> tf.Tensor:
        shown = pixels(images, probe, precision)
        of_network = gradients.measures(architecture, parameters, supremum, signals, found, shown)
        last = first_step + index
        changed = changes(slots, at(last, hyperparameters))
        kernels = ([stage[0] for stage in of_all] for of_all in (changed, parameters))
        ratio = gradients.update_ratios(*kernels)
        ratio = tf.where(last > 0, ratio, tf.fill(ratio.shape, tf.constant(float("nan"), precision)))
        return tf.concat([of_network, ratio[:, tf.newaxis]], 1)

    def step(index: tf.Tensor, state: Any, totals: Any, measured: tf.Tensor) -> Any:
        parameters, slots, moving = state
        seed = tf.stack([draws, first_step + index])
        signals, found, y, loss = _of_batch(architecture, kind, parameters, seed, order[index], images, labels)
        logits = signals[-1].preactivations
        row = rows[index][tf.newaxis, tf.newaxis]

        def write() -> tf.Tensor:
            values = measure(index, parameters, slots, signals, found)
            return tf.tensor_scatter_nd_update(measured, row, values[tf.newaxis])

        # The update takes its hyperparameters from the branch, and so comes after the measurement: were the two
        # unordered, the compiler would copy parameters and slots in every step, a fifth of its time.
        measured, ordered = tf.cond(
            rows[index] >= 0, lambda: (write(), hyperparameters), lambda: (measured, hyperparameters)
        )
        update = first_step + index + 1
        h = at(update, ordered)
        slots = _zip_map(lambda slope, slot: rule.advance(slot, slope, h), tuple(g.parameters for g in found), slots)
        parameters = _zip_map(tf.add, parameters, changes(slots, h))
        moving = tuple(gradients.moved(*pair) for pair in zip(moving, signals, strict=False))
        return index + 1, (parameters, slots, moving), _counted(totals, loss, kind.output, logits, y, update), measured

    measured = tf.zeros([MOST_LOGGED, sum(s[0].shape[0] for s in state[0]), len(gradients.MEASURES)], precision)
    totals = (tf.zeros((), precision), tf.constant(0), tf.constant(-1))
    _, *result = tf.while_loop(lambda index, *_: index < updates, step, (0, state, totals, measured))
    return tuple(result)


def _initial(
    architecture: gradients.Architecture,
    supremum: float,
    kind: ProgramKind,
    parameters: Parameters,
    draws: tf.Tensor,
    batch: tf.Tensor,
    images: tf.Tensor,
    labels: tf.Tensor,
    probe: tf.Tensor,
) -> tf.Tensor:
    """What an epoch measures before the first update, from its first `batch` (B,): (1, L + 1, measures)."""
    seed = tf.stack([draws, 0])
    signals, found, *_ = _of_batch(architecture, kind, parameters, seed, batch, images, labels)
    shown = pixels(images, probe, kind.precision)
    measured = gradients.measures(architecture, parameters, supremum, signals, found, shown)
    return tf.pad(measured, [[0, 0], [0, 1]], constant_values=float("nan"))[tf.newaxis]  # no update has been


def _of_batch(
    architecture: gradients.Architecture,
    kind: ProgramKind,
    parameters: Parameters,
    seed: tf.Tensor,
    batch: tf.Tensor,
    images: tf.Tensor,
    labels: tf.Tensor,
) -> tuple[list[gradients.Signals], list[gradients.Gradients], tf.Tensor, tf.Tensor]:
    """Signals, gradients, labels and the loss of the images `batch` (B,), with the draws of `seed` (2,)."""
    images = tf.gather(images, batch)
    x = _inputs(augmentation.shifted(images, kind.shift, seed) if kind.shift else images, kind.precision)
    y = tf.cast(tf.gather(labels, batch), tf.int32)
    masks = gradients.dropout_masks(architecture, parameters, batch.shape[0], seed) if kind.dropout else None
    signals = gradients.forward(architecture, parameters, x, masks=masks)
    loss, delta = losses.loss_and_delta(kind.output, kind.loss, signals[-1].preactivations, y)
    return signals, gradients.backward(architecture, parameters, signals, delta), y, loss


def _counted(totals: Any, loss: tf.Tensor, output: str, logits: tf.Tensor, y: tf.Tensor, update: tf.Tensor) -> Any:
    """The totals of an epoch after one more update, the `update`-th of the run."""
    total, hits, diverged = totals
    hits += tf.reduce_sum(tf.cast(losses.hits(output, logits, y), tf.int32))
    is_first = tf.logical_and(diverged < 0, tf.logical_not(tf.math.is_finite(loss)))
    return total + loss, hits, tf.where(is_first, update - 1, diverged)


def _zip_map(function: Callable[..., Any], *stages: Any) -> Any:
    """Apply to every parameter of every stage."""
    return tuple(tuple(function(*items) for items in zip(*group, strict=True)) for group in zip(*stages, strict=True))


def _evaluate(
    architecture: gradients.Architecture,
    kind: ProgramKind,
    weights: Any,
    images: tf.Tensor,
    labels: tf.Tensor,
    chunks: tf.Tensor,
    used: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Sum of losses and number of hits over the first `used` rows of `chunks` (n, CHUNK); index -1 is no image.

    `weights` are the parameters and the moving moments.
    """

    def chunk(index: tf.Tensor, total: tf.Tensor, hits: tf.Tensor) -> Any:
        is_image = chunks[index] >= 0
        indices = tf.maximum(chunks[index], 0)
        y = tf.cast(tf.gather(labels, indices), tf.int32)
        found, is_hit = assess(architecture, kind, weights, pixels(images, indices, kind.precision), y)
        total += tf.reduce_sum(tf.where(is_image, found, tf.zeros_like(found)))
        return index + 1, total, hits + tf.reduce_sum(tf.cast(tf.logical_and(is_hit, is_image), tf.int32))

    zero = tf.zeros((), kind.precision)
    _, total, hits = tf.while_loop(lambda index, *_: index < used, chunk, (0, zero, tf.constant(0)))
    return total, hits


def assess(
    architecture: gradients.Architecture, kind: ProgramKind, weights: Any, x: tf.Tensor, labels: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The loss of every example and whether it is classified right, (B,) each, outside training."""
    logits = gradients.forward(architecture, weights[0], x, weights[1])[-1].preactivations
    return losses.example_losses(kind.output, kind.loss, logits, labels), losses.hits(kind.output, logits, labels)
