"""The compiled programs: one carries out and measures an epoch, one evaluates, one measures an initial network.

A program depends on the activation and on `settings.ProgramKind` alone: runs that differ in seed, initial weights,
learning rate or, as far as study/engine/stages.py has it so, depth share it, and a process compiles it once.
"""

import functools
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from study.activations import Activation
from study.engine import augmentation, gradients, losses, measures, normalization
from study.engine.initial import Parameters
from study.engine.kinds import INITIAL_ERRORS, ProgramKind
from study.engine.optimizers import OPTIMIZERS, Hyperparameters

CHUNK = 250  # images evaluated at once: so many, as inputs of layer 1, stay in a core's second cache
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
    compiled: set[Any] = field(
        default_factory=set
    )  # the sizes of data for which it was, as its caller tells them apart


@functools.lru_cache(maxsize=8)
def compiled_program(activation: Activation, kind: ProgramKind) -> Program:
    """The programs of this kind of network; a process compiles each once, at its first use."""
    network = Network(activation.function, measures.derivative_supremum(activation), kind)
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
    """Rows of `images` as inputs in [0, 1]: (len(indices), columns)."""
    return _inputs(tf.gather(images, indices), precision)


def _inputs(images: tf.Tensor, precision: str) -> tf.Tensor:
    return tf.cast(images, precision) / 255


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
    one = tf.cast(updates >= 0, kind.precision)

    def at(update: tf.Tensor) -> Hyperparameters:
        learning_rate, momentum, epsilon, mean_rate, square_rate = tf.unstack(hyperparameters)
        number = tf.cast(update, kind.precision)
        rate = OPTIMIZERS[kind.optimizer].rate(learning_rate, number)
        return Hyperparameters(rate, momentum, epsilon, mean_rate, square_rate, number)

    def step(index: tf.Tensor, stages: Any, room: Any, totals: Any, measured: tf.Tensor) -> Any:
        is_logged, number = rows[index] >= 0, first_step + index

        def before() -> tf.Tensor:
            shown = pixels(images, probe, kind.precision)
            return _before_step(network, architecture, stages, shown, at(number))

        # The batch goes through the branch, and so the update, which it leads to, comes after the measurement: were the
        # two unordered, the compiler would copy parameters and slots in every step, a fifth of its time. And it is
        # there as bytes before it is converted: in one loop with the conversion, which is too long for the processor to
        # look far ahead, images would be fetched too late.
        chosen = tf.gather(images, order[index])
        measured_before, chosen = tf.cond(
            is_logged, lambda: (before(), chosen), lambda: (_nothing(kind, measures.BEFORE_STEP), chosen)
        )
        seed = tf.stack([draws, number])
        x, y = _batch(kind, seed, chosen, tf.gather(labels, order[index]))
        logits, signals = gradients.forward(architecture, _parameters(stages), x, seed, room)
        loss, delta = losses.loss_and_delta(kind.output, kind.loss, logits, y)
        update = _Update(network, is_logged, at(number + 1), one)
        stages = tuple(gradients.backward(architecture, stages, signals, delta, update.of_layer))

        def write() -> tf.Tensor:
            values = tf.concat([tf.concat([stage[-1] for stage in stages], 0), measured_before], 1)
            return tf.tensor_scatter_nd_update(measured, [[rows[index]]], values[tf.newaxis])

        totals = _counted(totals, loss, kind.output, logits, y, number + 1)
        room = tuple(of_stage if kept else () for of_stage, kept in zip(signals, room, strict=True))
        return index + 1, stages, room, totals, tf.cond(is_logged, write, lambda: measured)

    room = gradients.room_for(architecture, _parameters(state), order.shape[1], drops=kind.dropout > 0)
    totals = (tf.zeros((), kind.precision), tf.constant(0), tf.constant(-1))
    measured = tf.stack([_nothing(kind, measures.MEASURES)] * MOST_LOGGED)
    loop = (0, _with_measures(kind, state, kind.precision), tuple(room), totals, measured)
    _, stages, _, totals, measured = tf.while_loop(lambda index, *_: index < updates, step, loop)
    return tuple(stage[:-1] for stage in stages), totals, measured


@dataclass(frozen=True)
class _Update:
    """What one step does to a layer on the walk back: `is_logged`, it is measured; then it is updated.

    `one` is 1, and what it is made of is known only at run time.
    """

    network: Network
    is_logged: tf.Tensor
    hyperparameters: Hyperparameters
    one: tf.Tensor

    def of_layer(self, place: int, layer: Any, signals: gradients.Signals, found: gradients.Gradients) -> Any:
        """The gradient in its inputs; and its next parameters, slots, moving moments and measures of the batch."""
        kind, h, last = self.network.kind, self.hyperparameters, layer[-1]
        rule, is_looped = OPTIMIZERS[kind.optimizer], kind.shapes[place].is_looped

        def measure() -> tf.Tensor:
            return tf.reshape(measures.of_batch(self.network.function_of(place), signals, found), last.shape)

        # The gradients go through the branch, and with them a looped layer: so its update comes after all that reads
        # it. Were a read and a write unordered, the compiler would copy what is written, of a looped layer the arrays
        # of all layers. Only the gradient in the images stays here, where nothing asks for it and it is not computed.
        through = found.parameters, found.inputs if place else (), layer if is_looped else ()
        of_batch, through = tf.cond(self.is_logged, lambda: (measure(), through), lambda: (last, through))
        slopes, below, read = through
        parameters, slots, moving, _ = read if is_looped else layer
        slopes = tuple(tf.reshape(slope, p.shape) for slope, p in zip(slopes, parameters, strict=True))
        # The next slots are made twice, to be kept and to make the update. What is kept and used, the compiler would
        # write first and read again; it cannot know that `one` is 1, and so passes over a layer once: 6% of an epoch.
        again = (
            rule.advance(tuple(kept * self.one for kept in slot), slope * self.one, h)
            for slot, slope in zip(slots, slopes, strict=True)
        )
        parameters = tuple(p + rule.update(slot, h) for p, slot in zip(parameters, again, strict=True))
        slots = tuple(rule.advance(slot, slope, h) for slot, slope in zip(slots, slopes, strict=True))
        moving = normalization.moved(moving, *signals.affine) if moving else ()
        return below, (parameters, slots, moving, of_batch)


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
    """What an epoch measures before the first update, of its first `batch` (B,): (1, rows of all stages, measures).

    The network is walked as it would be trained, and its errors are walked back in INITIAL_ERRORS.
    """
    kind, architecture = network.kind, network.architecture(counts)
    seed = tf.stack([draws, 0])
    x, y = _batch(kind, seed, tf.gather(images, batch), tf.gather(labels, batch))
    logits, signals = gradients.forward(architecture, parameters, x, seed)
    _, delta = losses.loss_and_delta(kind.output, kind.loss, tf.cast(logits, INITIAL_ERRORS), y)

    def visit(place: int, layer: Any, signals: gradients.Signals, found: gradients.Gradients) -> Any:
        of_batch = measures.of_batch(network.function_of(place), signals, found)
        return found.inputs, (None, tf.reshape(of_batch, layer[1].shape))

    stages = _with_measures(kind, [(of_stage,) for of_stage in parameters], INITIAL_ERRORS)
    of_batch = [stage[-1] for stage in gradients.backward(architecture, stages, signals, delta, visit)]
    before = _before_step(network, architecture, stages, pixels(images, probe, kind.precision), None)
    return tf.concat([tf.concat(of_batch, 0), tf.cast(before, INITIAL_ERRORS)], 1)[tf.newaxis]


def _before_step(
    network: Network,
    architecture: gradients.Architecture,
    stages: Any,
    x: tf.Tensor,
    last: Hyperparameters | None,
) -> tf.Tensor:
    """measures.BEFORE_STEP of all rows of all stages, on images x (P, columns); `last` is of the update before this.

    Batch normalisation uses these images' own moments, as in training.
    """
    kind = network.kind
    rule, undefined = OPTIMIZERS[kind.optimizer], tf.constant(float("nan"), kind.precision)

    def update_ratio(place: int, row: Any) -> tf.Tensor:
        if last is None:
            return undefined
        (kernel, *_), (slots, *_), *_ = stages[place]
        kernel, slots = gradients.row_of((kernel, slots), row)
        return tf.where(last.step > 0, measures.update_ratio(rule.update(slots, last), kernel), undefined)

    def visit(place: int, row: Any, signals: gradients.Signals) -> tf.Tensor:
        shares = measures.of_probe(network.function_of(place), network.supremum, signals.preactivations)
        return tf.concat([shares, tf.reshape(update_ratio(place, row), [1])], 0)

    columns = len(measures.BEFORE_STEP)
    room = [tf.zeros([shape.rows, columns], kind.precision) if shape.is_looped else () for shape in kind.shapes]
    _, found = gradients.walk(architecture, _parameters(stages), x, visit, room)
    return tf.concat([tf.reshape(of_stage, [-1, columns]) for of_stage in found], 0)


def _with_measures(kind: ProgramKind, stages: Any, precision: str) -> tuple[Any, ...]:
    """The stages, each with room for its layers' measures of a batch, (rows, BATCH_MEASURES), at its end."""
    columns = len(measures.BATCH_MEASURES)
    room = (tf.zeros([shape.rows, columns], precision) for shape in kind.shapes)
    return tuple((*stage, of_stage) for stage, of_stage in zip(stages, room, strict=True))


def _nothing(kind: ProgramKind, columns: tuple[str, ...]) -> tf.Tensor:
    """Zeros in place of these measures of all rows of all stages."""
    return tf.zeros([sum(shape.rows for shape in kind.shapes), len(columns)], kind.precision)


def _parameters(stages: Any) -> Parameters:
    return tuple(stage[0] for stage in stages)


def _batch(kind: ProgramKind, seed: tf.Tensor, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Inputs (B, columns) and labels (B,) int32 of a batch's images and labels, with the draws of `seed` (2,)."""
    x = _inputs(augmentation.shifted(images, kind.shift, seed) if kind.shift else images, kind.precision)
    return x, tf.cast(labels, tf.int32)


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
