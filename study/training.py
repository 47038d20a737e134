"""One run: settings + data -> what was measured. No files, no printing, no plots.

One compiled program carries out one epoch, measurements included. It depends on the activation, the architecture and
the optimiser's kind alone: runs that differ in seed, initial weights or learning rate share it. Everything random is
drawn from the run's seed, one stream per role, so that two activations with the same seed see the same split, the same
batches in the same order and, layer by layer, the same random draws.
"""

import functools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from study import gradients
from study.activations import Activation, derivative_supremum
from study.dataset import Dataset, split
from study.network import PIXELS, Parameters, initial_parameters, seed_for
from study.optimizers import OPTIMIZERS, Hyperparameters, Slots
from study.settings import Settings

PROBE_IMAGES = 1000  # the first of the validation images
CHUNK = 1000  # images evaluated at once
MOST_LOGGED = 24  # logged steps an epoch at most; the 1-2-5 series has 16 entries below 100,000


class TimeLimit(Exception):
    """The run took longer than it was allowed; the message says how long and how far it came."""


@dataclass(frozen=True)
class Images:
    """Training and test images in one tensor (n, 784) uint8 with their labels (n,) uint8; test images come last."""

    images: tf.Tensor
    labels: tf.Tensor
    training: int

    @property
    def test_indices(self) -> np.ndarray:
        """Indices (m,) of the test images."""
        return np.arange(self.training, self.images.shape[0])


@dataclass
class State:
    """What an epoch changes: parameters, the optimiser's slots per parameter, and the last update's ratio (L + 1,)."""

    parameters: Parameters
    slots: tuple[tuple[Slots, ...], ...]
    ratio: tf.Tensor


@dataclass(frozen=True)
class Program:
    """The compiled functions of one activation, architecture and optimiser; `compile_seconds` says what they cost."""

    epoch: Callable[..., Any]
    evaluate: Callable[..., Any]


def train(settings: Settings, data: Dataset, activation: Activation, *, seconds: float = math.inf) -> dict[str, Any]:
    """Train and measure one run; raises TimeLimit between two epochs once `seconds` have passed.

    Returns a JSON-ready dict: `status` ("done" or "diverged"), `diverged_step`, `epochs`, `steps`, `history` (one list
    entry an epoch), `last` and `best` (losses and accuracies of the last weights and of those with the lowest
    validation loss; accuracies in [0, 1]), `measures` (per measure a list over logged steps of lists over layers
    1 .. L + 1; null where undefined) and `timings` in seconds.
    """
    started = time.perf_counter()
    images = _images_of(data)
    training, validation = split(images.training, settings.validation, settings.seed)
    if len(training) < settings.batch:
        raise ValueError(f"batch is {settings.batch}; it must be at most the {len(training)} training images")
    run = _Run(settings, activation, images, training, validation)
    compile_seconds = run.warm_up()
    history: dict[str, list[Any]] = {name: [] for name in _HISTORY}
    patience = _Patience(settings.patience)
    best_epoch, best_parameters, diverged = 0, run.state.parameters, None
    for epoch in range(1, settings.epochs + 1):
        if time.perf_counter() - started > seconds:
            raise TimeLimit(f"the run took more than {seconds:g} s; it had finished {epoch - 1} epochs")
        loss, accuracy, diverged = run.epoch(epoch)
        validation_loss, validation_accuracy = run.evaluate(run.state.parameters, validation)
        row = (epoch, loss, accuracy, validation_loss, validation_accuracy)
        for name, value in zip(_HISTORY, row, strict=True):
            history[name].append(value)
        if diverged is not None:
            break
        if patience.improved(validation_loss):
            best_epoch, best_parameters = epoch, run.state.parameters
        if patience.is_over:
            break
    run.measure_end(epoch)
    return {
        "status": "done" if diverged is None else "diverged",
        "diverged_step": diverged,
        "epochs": epoch,
        "steps": epoch * run.steps,
        "history": history,
        "last": {"epoch": epoch, **run.assess(run.state.parameters, validation)},
        "best": {"epoch": best_epoch, **run.assess(best_parameters, validation)},
        "measures": run.log.to_lists(),
        "timings": {"seconds": time.perf_counter() - started, "compile_seconds": compile_seconds},
    }


_HISTORY = ("epoch", "training_loss", "training_accuracy", "validation_loss", "validation_accuracy")


class _Patience:
    """Keras' EarlyStopping on the validation loss with min_delta 0."""

    def __init__(self, patience: int | None) -> None:
        self.patience = math.inf if patience is None else patience
        self.best = math.inf
        self.waited = 0

    def improved(self, loss: float) -> bool:
        self.waited = 0 if loss < self.best else self.waited + 1
        self.best = min(self.best, loss)
        return self.waited == 0

    @property
    def is_over(self) -> bool:
        return self.waited >= self.patience


class _Log:
    """The measured rows of a run: (step, epoch, values (L + 1, measures))."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.epochs: list[float] = []
        self.rows: list[np.ndarray] = []

    def add(self, step: int, epoch: float, values: np.ndarray) -> None:
        self.steps.append(step)
        self.epochs.append(epoch)
        self.rows.append(values)

    def to_lists(self) -> dict[str, Any]:
        stacked = np.stack(self.rows)
        columns = {name: stacked[..., i].tolist() for i, name in enumerate(gradients.MEASURES)}
        return {"step": self.steps, "epoch": self.epochs, **columns}


class _Run:
    """One run's state and the calls that move it on."""

    def __init__(
        self, settings: Settings, activation: Activation, images: Images, training: np.ndarray, validation: np.ndarray
    ) -> None:
        self.settings, self.images, self.training = settings, images, training
        self.steps = len(training) // settings.batch  # updates an epoch; a last, smaller batch is left out
        self.program = compiled_program(activation, settings.widths, settings.optimizer, settings.precision)
        self.probe = tf.constant(validation[:PROBE_IMAGES], tf.int32)
        self.chunks = -(-max(len(validation), len(images.test_indices)) // CHUNK)
        self.state = _initial_state(settings)
        self.log = _Log()

    def warm_up(self) -> float:
        """Compile both programs, or find them compiled, by running none of their steps; returns the seconds it took."""
        started = time.perf_counter()
        self._call_epoch(1, updates=0)
        self.evaluate(self.state.parameters, np.arange(0))
        return time.perf_counter() - started

    def epoch(self, epoch: int) -> tuple[float, float, int | None]:
        """Mean training loss and accuracy of the epoch, and the first step whose loss was not finite, if any."""
        self.state, (loss, hits, diverged), rows = self._call_epoch(epoch, updates=self.steps)
        self._record(epoch, rows, self.steps)
        first_bad = int(diverged)
        seen = self.steps * self.settings.batch
        return float(loss) / self.steps, float(hits) / seen, first_bad if first_bad >= 0 else None

    def measure_end(self, last_epoch: int) -> None:
        """Measure the last weights on the batch that would have come next, and leave them as they are."""
        _, _, rows = self._call_epoch(last_epoch + 1, updates=1)
        self._record(last_epoch + 1, rows, 1)

    def evaluate(self, parameters: Parameters, indices: np.ndarray) -> tuple[float, float]:
        """Mean loss and accuracy on the images of `indices` (n,)."""
        padded = np.full(self.chunks * CHUNK, -1, np.int32)
        padded[: len(indices)] = indices
        used = tf.constant(-(-len(indices) // CHUNK), tf.int32)
        chunks = tf.constant(padded.reshape(-1, CHUNK))
        loss, hits = self.program.evaluate(parameters, self.images.images, self.images.labels, chunks, used)
        size = max(len(indices), 1)
        return float(loss) / size, float(hits) / size

    def assess(self, parameters: Parameters, validation: np.ndarray) -> dict[str, float]:
        """Loss and accuracy on the validation and the test images."""
        validation_loss, validation_accuracy = self.evaluate(parameters, validation)
        test_loss, test_accuracy = self.evaluate(parameters, self.images.test_indices)
        return {
            "validation_loss": validation_loss,
            "validation_accuracy": validation_accuracy,
            "test_loss": test_loss,
            "test_accuracy": test_accuracy,
        }

    def _logged(self, epoch: int) -> np.ndarray:
        """(steps + 1,) bool: which of the epoch's steps, counted from its first to the next epoch's, are measured."""
        first = (epoch - 1) * self.steps
        logged = np.array([is_log_spaced(first + step) for step in range(self.steps + 1)])
        logged[[0, -1]] = True
        return logged

    def _call_epoch(self, epoch: int, updates: int) -> Any:
        settings = self.settings
        order = epoch_order(settings.seed, epoch, self.training, settings.batch)
        logged = self._logged(epoch)
        rows = np.where(logged, np.cumsum(logged) - 1, -1)
        hyperparameters = [settings.learning_rate, settings.momentum, settings.epsilon]
        state, totals, measured = self.program.epoch(
            (self.state.parameters, self.state.slots, self.state.ratio),
            tf.constant(hyperparameters, settings.precision),
            tf.constant((epoch - 1) * self.steps, tf.int32),
            tf.constant(updates, tf.int32),
            tf.constant(order, tf.int32),
            tf.constant(rows, tf.int32),
            self.images.images,
            self.images.labels,
            self.probe,
        )
        return State(*state), totals, measured

    def _record(self, epoch: int, rows: tf.Tensor, updates: int) -> None:
        values = rows.numpy()
        first = (epoch - 1) * self.steps
        for row, step in enumerate(np.flatnonzero(self._logged(epoch)[:updates])):
            self.log.add(int(first + step), float((first + step) / self.steps), values[row])


def is_log_spaced(step: int) -> bool:
    """Is the step one of 0, 1, 2, 5, 10, 20, 50, ...?"""
    return str(step).rstrip("0") in ("", "1", "2", "5")


def epoch_order(seed: int, epoch: int, training: np.ndarray, batch: int) -> np.ndarray:
    """Indices (steps, batch) of the epoch's batches: a fresh permutation of the training images each epoch."""
    shuffled = np.random.default_rng(seed_for(seed, "order", epoch)).permutation(training)
    return shuffled[: len(training) // batch * batch].reshape(-1, batch)


def _initial_state(settings: Settings) -> State:
    parameters = initial_parameters(settings)
    count = OPTIMIZERS[settings.optimizer].slots
    slots = tuple(tuple(tuple(tf.zeros_like(p) for _ in range(count)) for p in stage) for stage in parameters)
    return State(parameters, slots, tf.fill([settings.depth + 1], tf.constant(math.nan, settings.precision)))


@functools.lru_cache(maxsize=1)
def _tensors_of(checksum: str, data: "_ByChecksum") -> Images:
    d = data.dataset
    images = tf.constant(np.concatenate([d.training_images, d.test_images]))
    return Images(images, tf.constant(np.concatenate([d.training_labels, d.test_labels])), len(d.training_labels))


@dataclass(frozen=True, eq=False)
class _ByChecksum:
    dataset: Dataset

    def __eq__(self, other: object) -> bool:
        return True  # the checksum beside it is the key

    def __hash__(self) -> int:
        return 0


def _images_of(data: Dataset) -> Images:
    """The data as tensors, made once for each data set a process sees."""
    return _tensors_of(data.checksum, _ByChecksum(data))


@functools.lru_cache(maxsize=8)
def compiled_program(activation: Activation, widths: tuple[int, ...], optimizer: str, precision: str) -> Program:
    """The program that trains this network; a process compiles it once, at its first use."""
    epoch = functools.partial(_epoch, activation.function, derivative_supremum(activation), optimizer, precision)
    evaluate = functools.partial(_evaluate, activation.function, precision)
    return Program(tf.function(epoch, jit_compile=True), tf.function(evaluate, jit_compile=True))


def _pixels(images: tf.Tensor, indices: tf.Tensor, precision: str) -> tf.Tensor:
    """Rows of `images` as inputs in [0, 1]: (len(indices), 784)."""
    return tf.ensure_shape(tf.cast(tf.gather(images, indices), precision) / 255, [indices.shape[0], PIXELS])


def _epoch(
    function: gradients.Function,
    supremum: float,
    optimizer: str,
    precision: str,
    state: Any,
    hyperparameters: tf.Tensor,
    first_step: tf.Tensor,
    updates: tf.Tensor,
    order: tf.Tensor,
    rows: tf.Tensor,
    images: tf.Tensor,
    labels: tf.Tensor,
    probe: tf.Tensor,
) -> Any:
    """Carry out `updates` updates, one per row of `order` (steps, B), measuring before update i where rows[i] >= 0.

    `rows` (steps + 1,) holds the row of the result each step is written to, or -1. Returns the new state, the totals
    (sum of batch losses, images classified right, first step with a loss that is not finite or -1) and the measured
    rows (MOST_LOGGED, L + 1, measures).
    """
    rule = OPTIMIZERS[optimizer]

    def measure(parameters: Parameters, signals: Any, found: Any, ratio: tf.Tensor) -> tf.Tensor:
        of_batch = gradients.batch_measures(function, signals, found)
        of_probe = gradients.probe_measures(parameters, function, supremum, _pixels(images, probe, precision))
        return tf.concat([of_batch, of_probe, ratio[:, tf.newaxis]], 1)

    def step(index: tf.Tensor, state: Any, totals: Any, measured: tf.Tensor) -> Any:
        parameters, slots, ratio = state
        y = tf.cast(tf.gather(labels, order[index]), tf.int32)
        signals = gradients.forward(parameters, function, _pixels(images, order[index], precision))
        logits = signals[-1].preactivations[0]
        loss, delta = gradients.loss_and_delta(logits, y)
        found = gradients.backward(parameters, function, signals, delta)
        measured = tf.cond(
            rows[index] >= 0,
            lambda: tf.tensor_scatter_nd_update(
                measured, rows[index][tf.newaxis, tf.newaxis], measure(parameters, signals, found, ratio)[tf.newaxis]
            ),
            lambda: measured,
        )
        count = tf.cast(first_step + index + 1, precision)
        h = Hyperparameters(hyperparameters[0], hyperparameters[1], hyperparameters[2], count)
        slopes = tuple((gradient.kernel, gradient.bias) for gradient in found)
        slots = _zip_map(lambda gradient, slot: rule.advance(slot, gradient, h), slopes, slots)
        changes = _zip_map(lambda gradient, slot: rule.update(slot, gradient, h), slopes, slots)
        ratio = tf.cond(
            rows[index + 1] >= 0,
            lambda: gradients.update_ratios([kernel for kernel, _ in changes], [kernel for kernel, _ in parameters]),
            lambda: ratio,
        )
        parameters = _zip_map(tf.add, parameters, changes)
        total, hits, diverged = totals
        hits += tf.reduce_sum(tf.cast(tf.argmax(logits, 1, tf.int32) == y, tf.int32))
        is_first = tf.logical_and(diverged < 0, tf.logical_not(tf.math.is_finite(loss)))
        totals = (total + loss, hits, tf.where(is_first, first_step + index, diverged))
        return index + 1, (parameters, slots, ratio), totals, measured

    layers = state[2].shape[0]
    measured = tf.zeros([MOST_LOGGED, layers, len(gradients.MEASURES)], precision)
    totals = (tf.zeros((), precision), tf.constant(0), tf.constant(-1))
    _, *result = tf.while_loop(lambda index, *_: index < updates, step, (0, state, totals, measured))
    return tuple(result)


def _zip_map(function: Callable[..., Any], *stages: Any) -> Any:
    """Apply to the kernels, and to the biases, of every stage."""
    return tuple(tuple(function(*items) for items in zip(*group, strict=True)) for group in zip(*stages, strict=True))


def _evaluate(
    function: gradients.Function,
    precision: str,
    parameters: Parameters,
    images: tf.Tensor,
    labels: tf.Tensor,
    chunks: tf.Tensor,
    used: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Sum of losses and number of hits over the first `used` rows of `chunks` (n, CHUNK); index -1 is no image."""

    def chunk(index: tf.Tensor, total: tf.Tensor, hits: tf.Tensor) -> Any:
        is_image = chunks[index] >= 0
        indices = tf.maximum(chunks[index], 0)
        y = tf.cast(tf.gather(labels, indices), tf.int32)
        logits = gradients.forward(parameters, function, _pixels(images, indices, precision))[-1].preactivations[0]
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
        is_hit = tf.logical_and(tf.argmax(logits, 1, tf.int32) == y, is_image)
        total += tf.reduce_sum(tf.where(is_image, losses, tf.zeros_like(losses)))
        return index + 1, total, hits + tf.reduce_sum(tf.cast(is_hit, tf.int32))

    _, total, hits = tf.while_loop(lambda index, *_: index < used, chunk, (0, tf.zeros((), precision), tf.constant(0)))
    return total, hits
