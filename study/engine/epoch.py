"""Train one epoch in a compiled program, step by step, and measure the network at logged steps."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from study.engine import losses, normalization
from study.engine.architecture import Architecture, Gradients, Signals
from study.engine.backward import backward
from study.engine.forward import forward, signal_buffers
from study.engine.measures import BATCH_MEASURES, MEASURES, WEIGHT_MEASURES, Measures, of_batch, packed, unpacked
from study.engine.network import Data, Network, State, joined, parameters_of
from study.engine.optimizers import OPTIMIZERS, Hyperparameters
from study.engine.probe import measure_weights

MOST_LOGGED = 24  # the most logged steps in an epoch; the 1-2-5 series has 16 entries below 100,000


class Epoch(NamedTuple):
    """Hold the arguments that decide an epoch of `steps` updates, besides the network and the data."""

    rates: tf.Tensor  # (steps + 1,): the learning rate of the last update before the epoch, and of each update in it
    hyperparameters: tf.Tensor  # (6,): momentum, epsilon, 1 - beta_1, 1 - beta_2, weight decay, decay rate of averages
    draws: tf.Tensor  # (): a whole number that seeds the run's dropout and distortions
    distortion: tf.Tensor  # (5,): the strengths of the distortions; see augmentation.strengths
    first_step: tf.Tensor  # (): the number of updates done before the epoch
    updates: tf.Tensor  # (): the number of updates to do now
    order: tf.Tensor  # (steps, B): the indices of the images of each step
    log_rows: tf.Tensor  # (steps + 1,): the row of the log for each step's measures, or -1 for none


def train_epoch(
    network: Network, state: State, counts: tf.Tensor, epoch: Epoch, data: Data
) -> tuple[State, tuple[tf.Tensor, ...], Measures]:
    """Carry out the updates of an epoch on `data`, and measure the network just before each logged step's update.

    `state` holds the groups before the epoch, and `counts` (groups,) int32 the number of layers of each group. Return
    the new state, the totals and the log. The totals are the sum of batch losses, the number of images classified
    right, and the first step whose loss was not finite. Steps are numbered in the run from 0; -1 stands for none. The
    log is {name of a measure: (MOST_LOGGED, rows of all groups)}; rows that are not used are 0.
    """
    kind, architecture = network.kind, network.architecture(counts)
    steps = _Steps(network, architecture, epoch, data, tf.cast(epoch.updates >= 0, kind.precision))
    buffers = signal_buffers(architecture, parameters_of(state), epoch.order.shape[1], drops=kind.dropout > 0)
    totals = (tf.zeros((), kind.precision), tf.constant(0), tf.constant(-1))
    log = tf.zeros([MOST_LOGGED, network.rows, len(MEASURES)], kind.precision)
    start = (0, state, tuple(buffers), totals, log)
    _, state, _, totals, log = tf.while_loop(lambda index, *_: index < epoch.updates, steps.step, start)
    return state, totals, unpacked(MEASURES, log)


@dataclass(frozen=True)
class _Steps:
    """Carry out the steps of an epoch; `one` is a scalar of value 1, whose use `_Update` explains."""

    network: Network
    architecture: Architecture
    epoch: Epoch
    data: Data
    one: tf.Tensor

    def step(self, index: tf.Tensor, state: State, buffers: Any, totals: Any, log: tf.Tensor) -> Any:
        """Measure the network if the step is logged, and train it on batch `index` of the epoch, counted from 0.

        Return the arguments of the next step: `index` + 1, and the new values of the other four. `buffers` store the
        signals of looped groups. `totals` and `log` are as in `train_epoch`, but here the log is one tensor.
        """
        network, epoch, data = self.network, self.epoch, self.data
        kind, row = network.kind, epoch.log_rows[index]
        is_logged, number = row >= 0, epoch.first_step + index
        of_weights, images = self.before(is_logged, index, state)
        seed = tf.stack([epoch.draws, number])
        x, y = network.batch(seed, epoch.distortion, images, tf.gather(data.labels, epoch.order[index]))
        logits, signals = forward(self.architecture, parameters_of(state), x, seed, buffers)
        loss, delta = losses.loss_and_delta(kind.output, kind.loss, logits, y, kind.label_smoothing)
        update = _Update(network, is_logged, self.hyperparameters(index + 1), self.one)
        measure_buffers = network.measure_buffers(BATCH_MEASURES, kind.precision)
        groups, measured = backward(self.architecture, state, signals, delta, update.of_layer, measure_buffers)

        def write() -> tf.Tensor:
            found = joined(BATCH_MEASURES, measured) | joined(WEIGHT_MEASURES, [of_weights])
            return tf.tensor_scatter_nd_update(log, [[row]], [packed(MEASURES, found)])

        totals = _counted(totals, loss, losses.hits(kind.output, logits, y), number)
        buffers = tuple(of_group if buffer else () for of_group, buffer in zip(signals, buffers, strict=True))
        return index + 1, tuple(groups), buffers, totals, tf.cond(is_logged, write, lambda: log)

    def before(self, is_logged: tf.Tensor, index: tf.Tensor, state: State) -> tuple[Any, Any]:
        """Return the measures before the update of step `index` of the epoch, and the step's images (B, columns) uint8.

        The measures are WEIGHT_MEASURES, packed as (rows of all groups, measures). They are 0 unless the step
        `is_logged`.

        The conditional returns the images too, so that the update, which needs them, runs after the measurement.
        Without this order, the compiler would copy parameters and slots in every step, which takes a fifth of a step's
        time. The images are not converted to floats here, because the loop would be too long for the processor to
        prefetch the images in time.
        """
        network, data = self.network, self.data
        chosen = tf.gather(data.images, self.epoch.order[index])

        def measured() -> tf.Tensor:
            shown = network.inputs(tf.gather(data.images, data.probe))
            found = measure_weights(network, self.architecture, state, shown, self.hyperparameters(index))
            return packed(WEIGHT_MEASURES, found)

        nothing = tf.zeros([network.rows, len(WEIGHT_MEASURES)], network.kind.precision)
        found: tuple[Any, Any] = tf.cond(is_logged, lambda: (measured(), chosen), lambda: (nothing, chosen))
        return found

    def hyperparameters(self, update: tf.Tensor) -> Hyperparameters:
        """Return the hyperparameters of the epoch's update number `update`, from 1; 0 is the last one before the epoch.

        `step` is the update's number in the run, which also decides `newest`. The learning rate enters `rate`
        and `decay`.
        """
        momentum, epsilon, mean_rate, square_rate, weight_decay, averaging = tf.unstack(self.epoch.hyperparameters)
        number = tf.cast(self.epoch.first_step + update, self.network.kind.precision)
        learning_rate = self.epoch.rates[update]
        rate = OPTIMIZERS[self.network.kind.optimizer].rate(learning_rate, number)
        # The average begins with few updates, so that the initial weights are soon forgotten.
        newest = tf.maximum(1 - averaging, 9 / (10 + number))
        decay = learning_rate * weight_decay
        return Hyperparameters(rate, momentum, epsilon, mean_rate, square_rate, number, decay, newest)


@dataclass(frozen=True)
class _Update:
    """Measure a layer if the step `is_logged`, and then update it; `of_layer` is the visitor of the backward pass.

    `one` is a scalar of value 1. The compiler cannot know this value, and so keeps operations that it would otherwise
    merge or dissolve; comments in `of_layer` say which.
    """

    network: Network
    is_logged: tf.Tensor
    hyperparameters: Hyperparameters
    one: tf.Tensor

    def of_layer(self, group: int, layer: Any, signals: Signals, gradients: Gradients) -> Any:
        """Update a layer; return the gradient in its inputs (for group 0: empty), the new layer, and packed measures.

        A layer is a tuple like a group of `State`. The measures (measures,) are BATCH_MEASURES, or 1 if not logged.
        """
        kind, h = self.network.kind, self.hyperparameters
        rule, is_looped = OPTIMIZERS[kind.optimizer], kind.shapes[group].is_looped

        def measured() -> tf.Tensor:
            return packed(BATCH_MEASURES, of_batch(self.network.function_of(group), signals, gradients))

        nothing = tf.fill([len(BATCH_MEASURES)], self.one)  # a constant would make the compiler dissolve the branch
        # The gradients pass through the branch, and so does a looped layer. A layer is thereby updated after everything
        # that reads it. If a read and a write were unordered, the compiler would copy what is written; in a looped
        # group, these are the arrays of all layers. The gradient in the images does not pass through the branch:
        # nothing uses this gradient, so it is not computed.
        through = gradients.parameters, gradients.inputs if group else (), layer if is_looped else ()
        found, through = tf.cond(self.is_logged, lambda: (measured(), through), lambda: (nothing, through))
        slopes, below, read = through  # the gradients in the parameters and in the inputs, and the looped layer
        parameters, slots, moving, averages = read if is_looped else layer
        slopes = tuple(tf.reshape(slope, p.shape) for slope, p in zip(slopes, parameters, strict=True))
        # The new slots are computed twice: once to keep them, once to make the update. If they were computed once, the
        # compiler would write them and read them again. It cannot know that `one` is 1, and so it passes over a layer
        # once, which saves 6% of an epoch.
        again = (
            rule.advance(tuple(kept * self.one for kept in slot), slope * self.one, h)
            for slot, slope in zip(slots, slopes, strict=True)
        )
        if kind.decays:
            kernel, *others = parameters
            parameters = (kernel - kernel * h.decay, *others)
        parameters = tuple(p + rule.update(slot, h) for p, slot in zip(parameters, again, strict=True))
        if averages:
            averages = tuple(a + (p - a) * h.newest for a, p in zip(averages, parameters, strict=True))
        slots = tuple(rule.advance(slot, slope, h) for slot, slope in zip(slots, slopes, strict=True))
        moving = normalization.moved(moving, *signals.affine) if moving else ()
        return below, (parameters, slots, moving, averages), found


def _counted(totals: Any, loss: tf.Tensor, hits: tf.Tensor, step: tf.Tensor) -> Any:
    """Return the `totals` of `train_epoch` after the run's step `step`, from its mean loss and its `hits` (B,) bool."""
    total, count, diverged = totals
    count += tf.reduce_sum(tf.cast(hits, tf.int32))
    is_first = tf.logical_and(diverged < 0, tf.logical_not(tf.math.is_finite(loss)))
    return total + loss, count, tf.where(is_first, step, diverged)
