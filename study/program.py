"""The compiled programs: one carries out and measures an epoch, one evaluates, one measures an initial network.

A program depends on the activation and on `settings.ProgramKind` alone: runs that differ in seed, initial weights,
learning rate or, as far as study/stages.py has it so, depth share it, and a process compiles it once.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from study import augmentation, gradients, losses, measures, normalization
from study.activations import Activation, derivative_supremum
from study.network import Parameters
from study.optimizers import OPTIMIZERS, Hyperparameters
from study.settings import ProgramKind
from study.stages import PIXELS

CHUNK = 1000  # images evaluated at once
MOST_LOGGED = 24  # logged steps an epoch at most; the 1-2-5 series has 16 entries below 100,000

# Per stage: its parameters, the optimiser's slots of each, and the moving mean and variance of batch normalisation or
# (); tensors (rows, ...).
State = tuple[Any, ...]


@dataclass(frozen=True)
class Program:
    """The compiled functions of a kind of network; each is compiled when it is first called."""

    network: "Network"
    epoch: Any
    evaluate: Any
    initial: Any


@functools.lru_cache(maxsize=8)
def compiled_program(activation: Activation, kind: ProgramKind) -> Program:
    """The program that trains this kind of network; a process compiles it once, at its first use."""
    network = Network(activation.function, derivative_supremum(activation), kind)
    # Without autograph, which has nothing to convert here and takes six times as long as tracing does.
    compiled = functools.partial(tf.function, jit_compile=True, autograph=False)
    return Program(network, *(compiled(functools.partial(f, network)) for f in (_epoch, _evaluate, _initial)))


@dataclass(frozen=True)
class Network:
    """What a program is compiled for. `function` is phi, `supremum` that of |phi'|."""

    function: gradients.Function
    supremum: float
    kind: ProgramKind

    def architecture(self, counts: tf.Tensor) -> gradients.Architecture:
        """That of a network whose stages have `counts` (stages,) int32 layers."""
        kind = self.kind
        counts = tf.unstack(counts, len(kind.shapes))
        return gradients.Architecture(self.function, kind.normalization, kind.residual, kind.dropout, counts)

    def function_of(self, place: int) -> gradients.Function | None:
        """Phi, or None of the output layer's stage."""
        return None if place == len(self.kind.shapes) - 1 else self.function

    def assess(self, counts: tf.Tensor, weights: Any, x: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The loss of every example and whether it is classified right, (B,) each, outside training.

        `weights` are the parameters and the moving moments, by stages.
        """
        parameters, moving = weights
        logits = gradients.outputs(self.architecture(counts), parameters, x, moving)
        kind = self.kind
        return losses.example_losses(kind.output, kind.loss, logits, labels), losses.hits(kind.output, logits, labels)


def pixels(images: tf.Tensor, indices: tf.Tensor, precision: str) -> tf.Tensor:
    """Rows of `images` as inputs in [0, 1]: (len(indices), 784)."""
    return _inputs(tf.gather(images, indices), precision)


def _inputs(images: tf.Tensor, precision: str) -> tf.Tensor:
    return tf.ensure_shape(tf.cast(images, precision) / 255, [images.shape[0], PIXELS])


def _epoch(
    network: Network,
    state: State,
    counts: tf.Tensor,
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
    step with a loss that is not finite or -1) and what was measured, (MOST_LOGGED, rows of all stages, measures).
    """
    kind, architecture = network.kind, network.architecture(counts)
    rule, total = OPTIMIZERS[kind.optimizer], sum(count for count, *_ in kind.shapes)

    def at(update: tf.Tensor, hyperparameters: tf.Tensor) -> Hyperparameters:
        numbers: list[tf.Tensor] = [*tf.unstack(hyperparameters), tf.cast(update, kind.precision)]
        return Hyperparameters(*numbers)

    def before(step: tf.Tensor, state: State) -> tf.Tensor:
        """measures.ON_PROBE of every layer before the update that follows `step`."""
        h = at(step, hyperparameters)

        def last_update(place: int, row: Any) -> tf.Tensor:
            kernel, slots = state[place][0][0], state[place][1][0]
            ratio = measures.update_ratio(rule.update(tuple(slot[row] for slot in slots), h), kernel[row])
            return tf.where(step > 0, ratio, tf.constant(float("nan"), kind.precision))

        return _of_probe(network, architecture, _parameters(state), pixels(images, probe, kind.precision), last_update)

    def step(index: tf.Tensor, state: State, room: Any, totals: Any, measured: tf.Tensor) -> Any:
        is_logged = rows[index] >= 0
        # The update takes its hyperparameters from the branch, and so comes after the measurement: were the two
        # unordered, the compiler would copy parameters and slots in every step, a fifth of its time.
        of_probe, ordered = tf.cond(
            is_logged,
            lambda: (before(first_step + index, state), hyperparameters),
            lambda: (tf.zeros([total, len(measures.ON_PROBE)], kind.precision), hyperparameters),
        )
        update = first_step + index + 1
        h = at(update, ordered)

        def visit(place: int, rows: Any, signals: gradients.Signals, found: gradients.Gradients) -> Any:
            function, is_looped = network.function_of(place), kind.shapes[place][0] > 1
            kept = rows if is_looped else ()
            of_batch, kept = tf.cond(
                is_logged,
                lambda: (tf.reshape(measures.of_batch(function, signals, found), rows[-1].shape), kept),
                lambda: (rows[-1], kept),
            )
            parameters, slots, moving, _ = rows = kept or rows
            slopes = (tf.reshape(g, p.shape) for g, p in zip(found.parameters, parameters, strict=True))
            slots = tuple(rule.advance(*pair, h) for pair in zip(slots, slopes, strict=True))
            parameters = tuple(p + rule.update(slot, h) for p, slot in zip(parameters, slots, strict=True))
            return rows, (parameters, slots, normalization.moved(moving, *signals.affine) if moving else (), of_batch)

        seed = tf.stack([draws, first_step + index])
        x, y = _batch(kind, seed, order[index], images, labels)
        logits, signals = gradients.forward(architecture, _parameters(state), x, seed, room)
        loss, delta = losses.loss_and_delta(kind.output, kind.loss, logits, y)
        state = tuple(gradients.backward(architecture, state, signals, delta, visit))

        def write() -> tf.Tensor:
            values = tf.concat([tf.concat([stage[-1] for stage in state], 0), of_probe], 1)
            return tf.tensor_scatter_nd_update(measured, [[rows[index]]], values[tf.newaxis])

        totals = _counted(totals, loss, kind.output, logits, y, update)
        room = tuple(of_stage if kept else () for of_stage, kept in zip(signals, room, strict=True))
        return index + 1, state, room, totals, tf.cond(is_logged, write, lambda: measured)

    room = gradients.room_for(architecture, _parameters(state), order.shape[1], drops=kind.dropout > 0)
    totals = (tf.zeros((), kind.precision), tf.constant(0), tf.constant(-1))
    measured = tf.zeros([MOST_LOGGED, total, len(measures.MEASURES)], kind.precision)
    stages = tuple((*stage, _nothing(kind, count)) for stage, (count, *_) in zip(state, kind.shapes, strict=True))
    loop = (0, stages, tuple(room), totals, measured)
    _, stages, _, totals, measured = tf.while_loop(lambda index, *_: index < updates, step, loop)
    return tuple(stage[:-1] for stage in stages), totals, measured


def _initial(
    network: Network,
    parameters: Parameters,
    counts: tf.Tensor,
    draws: tf.Tensor,
    batch: tf.Tensor,
    images: tf.Tensor,
    labels: tf.Tensor,
    probe: tf.Tensor,
) -> tf.Tensor:
    """What an epoch measures before the first update, of its first `batch` (B,): (1, rows of all stages, measures)."""
    kind, architecture = network.kind, network.architecture(counts)
    seed = tf.stack([draws, 0])
    x, y = _batch(kind, seed, batch, images, labels)
    logits, signals = gradients.forward(architecture, parameters, x, seed)
    _, delta = losses.loss_and_delta(kind.output, kind.loss, logits, y)

    def visit(place: int, rows: Any, signals: gradients.Signals, found: gradients.Gradients) -> Any:
        of_batch = measures.of_batch(network.function_of(place), signals, found)
        return rows, (rows[0], tf.reshape(of_batch, rows[1].shape))

    stages = [(of_stage, _nothing(kind, count)) for of_stage, (count, *_) in zip(parameters, kind.shapes, strict=True)]
    stages = gradients.backward(architecture, stages, signals, delta, visit)
    no_update = tf.constant(float("nan"), kind.precision)
    shown = pixels(images, probe, kind.precision)
    of_probe = _of_probe(network, architecture, parameters, shown, lambda place, row: no_update)
    return tf.concat([tf.concat([stage[-1] for stage in stages], 0), of_probe], 1)[tf.newaxis]


def _of_probe(
    network: Network,
    architecture: gradients.Architecture,
    parameters: Parameters,
    x: tf.Tensor,
    update_ratio: Callable[[int, Any], tf.Tensor],
) -> tf.Tensor:
    """measures.ON_PROBE of every row of every stage, on images x (P, 784).

    Batch normalisation uses these images' own moments, as in training.
    """

    def visit(place: int, row: Any, signals: gradients.Signals) -> tf.Tensor:
        shares = measures.of_probe(network.function_of(place), network.supremum, signals.preactivations)
        return tf.concat([shares, update_ratio(place, row)[tf.newaxis]], 0)

    kind = network.kind
    room = [tf.zeros([rows, len(measures.ON_PROBE)], kind.precision) if rows > 1 else () for rows, *_ in kind.shapes]
    _, found = gradients.walk(architecture, parameters, x, visit, room)
    return tf.concat([rows if rows.shape.rank == 2 else rows[tf.newaxis] for rows in found], 0)


def _nothing(kind: ProgramKind, rows: int) -> tf.Tensor:
    """Where the measures of a batch go: (rows, BATCH_MEASURES)."""
    return tf.zeros([rows, len(measures.BATCH_MEASURES)], kind.precision)


def _parameters(state: State) -> Parameters:
    return tuple(stage[0] for stage in state)


def _batch(
    kind: ProgramKind, seed: tf.Tensor, batch: tf.Tensor, images: tf.Tensor, labels: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Inputs (B, 784) and labels (B,) of the images `batch` (B,), with the draws of `seed` (2,)."""
    images = tf.gather(images, batch)
    x = _inputs(augmentation.shifted(images, kind.shift, seed) if kind.shift else images, kind.precision)
    return x, tf.cast(tf.gather(labels, batch), tf.int32)


def _counted(totals: Any, loss: tf.Tensor, output: str, logits: tf.Tensor, y: tf.Tensor, update: tf.Tensor) -> Any:
    """The totals of an epoch after one more update, the `update`-th of the run."""
    total, hits, diverged = totals
    hits += tf.reduce_sum(tf.cast(losses.hits(output, logits, y), tf.int32))
    is_first = tf.logical_and(diverged < 0, tf.logical_not(tf.math.is_finite(loss)))
    return total + loss, hits, tf.where(is_first, update - 1, diverged)


def _evaluate(
    network: Network,
    weights: Any,
    counts: tf.Tensor,
    images: tf.Tensor,
    labels: tf.Tensor,
    chunks: tf.Tensor,
    used: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Sum of losses and number of hits over the first `used` rows of `chunks` (n, CHUNK); index -1 is no image.

    `weights` are the parameters and the moving moments.
    """
    precision = network.kind.precision

    def chunk(index: tf.Tensor, total: tf.Tensor, hits: tf.Tensor) -> Any:
        is_image = chunks[index] >= 0
        indices = tf.maximum(chunks[index], 0)
        y = tf.cast(tf.gather(labels, indices), tf.int32)
        found, is_hit = network.assess(counts, weights, pixels(images, indices, precision), y)
        total += tf.reduce_sum(tf.where(is_image, found, tf.zeros_like(found)))
        return index + 1, total, hits + tf.reduce_sum(tf.cast(tf.logical_and(is_hit, is_image), tf.int32))

    zero = tf.zeros((), precision)
    _, total, hits = tf.while_loop(lambda index, *_: index < used, chunk, (0, zero, tf.constant(0)))
    return total, hits
