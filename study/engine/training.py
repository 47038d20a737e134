"""One run: settings + data -> what was measured. No files, no printing, no plots.

The work is done by compiled programs (engine/program.py), one call an epoch. Everything random is drawn from the seed
of the run, one stream per role, so that two activations with the same seed see the same split, the same batches in the
same order and, layer by layer, the same random draws.
"""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from study.activations import Activation
from study.data.mnist import Dataset
from study.engine import measures
from study.engine.compilation import compile_apart
from study.engine.images import Images, images_of
from study.engine.initial import Parameters, initial_parameters, seed_for
from study.engine.kinds import program_kind, stages_of
from study.engine.optimizers import BETA_1, BETA_2, OPTIMIZERS
from study.engine.program import CHUNK, State, compiled_program, pixels
from study.engine.splitting import split
from study.engine.stages import PIXELS
from study.settings import Settings

PROBE_IMAGES = 1000  # the first of the validation images
NOISY_IMAGES = 1000  # that are evaluated at once, uncompiled


class TimeLimit(Exception):
    """The run took longer than it was allowed; the message says how long and how far it came."""


def train(settings: Settings, data: Dataset, activation: Activation, *, seconds: float = math.inf) -> dict[str, Any]:
    """Train and measure one run; raises TimeLimit between two epochs once `seconds` have passed.

    Returns a JSON-ready dict: `status` ("done" or "diverged"), `diverged_step`, `epochs`, `steps`, `history` (one list
    entry an epoch), `last` and `best` (losses and accuracies of the last weights and of those with the lowest
    validation loss; accuracies in [0, 1]), `measures` (per measure a list over logged steps of lists over layers
    1 .. L + 1; null where undefined), `timings` in seconds and, if it was asked for and the run is done, `noise`
    (lists `amplitude`, `test_loss` and `test_accuracy` of the last weights).
    """
    started = time.perf_counter()
    images = images_for(settings, data)
    training, validation = split(images.training, settings.validation, settings.seed)
    if len(training) < settings.batch:
        raise ValueError(f"batch is {settings.batch}; it must be at most the {len(training)} training images")
    run = _Run(settings, activation, images, training, validation)
    if settings.epochs == 0:
        return run.initial_result(started)
    compile_seconds = run.warm_up()
    history: dict[str, list[Any]] = {name: [] for name in _HISTORY}
    patience = _Patience(settings.patience)
    best_epoch, best_state, best_found, diverged = 0, run.state, None, None
    for epoch in range(1, settings.epochs + 1):
        if time.perf_counter() - started > seconds:
            raise TimeLimit(f"the run took more than {seconds:g} s; it had finished {epoch - 1} epochs")
        loss, accuracy, diverged = run.epoch(epoch)
        validation_loss, validation_accuracy = run.evaluate(run.state, validation)
        row = (epoch, loss, accuracy, validation_loss, validation_accuracy)
        for name, value in zip(_HISTORY, row, strict=True):
            history[name].append(value)
        if diverged is None and not math.isfinite(validation_loss):
            diverged = epoch * run.steps  # the last update ruined the weights
        if diverged is not None:
            break
        if patience.improved(validation_loss):
            best_epoch, best_state, best_found = epoch, run.state, (validation_loss, validation_accuracy)
        if patience.is_over:
            break
    run.measure_end(epoch)
    last = run.assess(run.state, (validation_loss, validation_accuracy))
    best_found = best_found or run.evaluate(best_state, validation)  # of the initial weights, if no epoch was finite
    best = last if best_state is run.state else run.assess(best_state, best_found)
    return {
        "status": "done" if diverged is None else "diverged",
        "diverged_step": diverged,
        "epochs": epoch,
        "steps": epoch * run.steps,
        "history": history,
        "last": {"epoch": epoch, **last},
        "best": {"epoch": best_epoch, **best},
        **({"noise": run.noise()} if settings.noise and diverged is None else {}),
        "measures": run.log.to_lists(),
        "timings": {"seconds": time.perf_counter() - started, "compile_seconds": compile_seconds},
    }


def images_for(settings: Settings, data: Dataset) -> Images:
    """The data as such a run needs it: whole where images are shifted, and ink comes to where there was none."""
    return images_of(data, is_whole=settings.shift > 0)


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
        columns = {name: stacked[..., i].tolist() for i, name in enumerate(measures.MEASURES)}
        return {"step": self.steps, "epoch": self.epochs, **columns}


class _Run:
    """One run's state and the calls that move it on."""

    def __init__(
        self, settings: Settings, activation: Activation, images: Images, training: np.ndarray, validation: np.ndarray
    ) -> None:
        self.settings, self.images, self.training = settings, images, training
        self.steps = len(training) // settings.batch  # updates an epoch; a last, smaller batch is left out
        self.activation = activation
        self.program = compiled_program(activation, program_kind(settings))
        self.draws = int(seed_for(settings.seed, "draws").generate_state(1)[0]) & 0x7FFFFFFF
        self.probe = tf.constant(validation[:PROBE_IMAGES], tf.int32)
        self.chunks = -(-max(len(validation), len(images.test_indices)) // CHUNK)
        self.counts = tf.constant([stage.count for stage in stages_of(settings)], tf.int32)
        self.state = _initial_state(settings, images)
        self.log = _Log()

    def warm_up(self) -> float:
        """Compile what trains and what evaluates, or find it compiled, by running none of their steps; the seconds."""

        def compile_both() -> None:
            self._call_epoch(1, updates=0)
            self.evaluate(self.state, np.arange(0))

        return self._compiling(compile_both, ("trains", self.steps, self.chunks))

    def _compiling(self, call: Callable[[], Any], size: tuple[Any, ...]) -> float:
        """Seconds of the first call of a program on data of this size; later ones are not needed."""
        if size in self.program.compiled:
            return 0.0
        started = time.perf_counter()
        compile_apart(
            call, f"{self.settings.activation} {self.activation.formula} {size[0]} {program_kind(self.settings)}"
        )
        self.program.compiled.add(size)
        return time.perf_counter() - started

    def epoch(self, epoch: int) -> tuple[float, float, int | None]:
        """Mean training loss and accuracy of the epoch, and the first step whose loss was not finite, if any."""
        self.state, (loss, hits, diverged), rows = self._call_epoch(epoch, updates=self.steps)
        self._record(epoch, rows, self.steps)
        first_bad = int(diverged)
        seen = self.steps * self.settings.batch
        return float(loss) / self.steps, float(hits) / seen, first_bad if first_bad >= 0 else None

    def initial_result(self, started: float) -> dict[str, Any]:
        """The result of a run without training: what is measured at initialisation."""
        batch = tf.constant(epoch_order(self.settings.seed, 1, self.training, self.settings.batch)[0], tf.int32)
        data = (tf.constant(self.draws), batch, self.images.images, self.images.labels, self.probe)
        parameters, _ = _weights(self.state)
        none = tf.zeros_like(self.counts)  # of the looped layers
        compile_seconds = self._compiling(lambda: self.program.initial(parameters, none, *data), ("measures",))
        self._record(1, self.program.initial(parameters, self.counts, *data), 1)
        return {
            "status": "done",
            "diverged_step": None,
            "epochs": 0,
            "steps": 0,
            "history": {name: [] for name in _HISTORY},
            "last": {},
            "best": {},
            "measures": self.log.to_lists(),
            "timings": {"seconds": time.perf_counter() - started, "compile_seconds": compile_seconds},
        }

    def measure_end(self, last_epoch: int) -> None:
        """Measure the last weights on the batch that would have come next, and leave them as they are."""
        _, _, rows = self._call_epoch(last_epoch + 1, updates=1)
        self._record(last_epoch + 1, rows, 1)

    def evaluate(self, state: State, indices: np.ndarray) -> tuple[float, float]:
        """Mean loss and accuracy on the images of `indices` (n,)."""
        padded = np.full(self.chunks * CHUNK, -1, np.int32)
        padded[: len(indices)] = indices
        used = tf.constant(-(-len(indices) // CHUNK), tf.int32)
        chunks = tf.constant(padded.reshape(-1, CHUNK))
        data = (self.images.images, self.images.labels)
        loss, hits = self.program.evaluate(_weights(state), self.counts, *data, chunks, used)
        size = max(len(indices), 1)
        return float(loss) / size, float(hits) / size

    def assess(self, state: State, on_validation: tuple[float, float]) -> dict[str, float]:
        """Loss and accuracy on the validation images, found already, and on the test images."""
        validation_loss, validation_accuracy = on_validation
        test_loss, test_accuracy = self.evaluate(state, self.images.test_indices)
        return {
            "validation_loss": validation_loss,
            "validation_accuracy": validation_accuracy,
            "test_loss": test_loss,
            "test_accuracy": test_accuracy,
        }

    def noise(self) -> dict[str, list[float]]:
        """Loss and accuracy of the last weights on the test images + a U, for every amplitude a.

        U is one draw of Unif[-1, 1] for each image and pixel, of this run's seed: the same for every activation and,
        scaled, for every amplitude.
        """
        settings, indices = self.settings, self.images.test_indices
        weights = self.parameters_of_all_pixels(self.state), _weights(self.state)[1]
        rng = np.random.default_rng(seed_for(settings.seed, "noise"))
        found = np.zeros((2, len(settings.noise)))
        for chunk in np.split(indices, range(NOISY_IMAGES, len(indices), NOISY_IMAGES)):
            inked = pixels(self.images.images, tf.constant(chunk, tf.int32), settings.precision).numpy()
            x = tf.constant(self.images.widened(inked, np.zeros((len(chunk), PIXELS), inked.dtype)))
            unit = tf.constant(rng.uniform(-1, 1, x.shape), settings.precision)
            y = tf.cast(tf.gather(self.images.labels, chunk), tf.int32)
            for place, amplitude in enumerate(settings.noise):
                of_chunk = self.program.network.assess(self.counts, weights, x + amplitude * unit, y)
                found[:, place] += [np.sum(part.numpy()) for part in of_chunk]
        loss, accuracy = (found / max(len(indices), 1)).tolist()
        return {"amplitude": list(settings.noise), "test_loss": loss, "test_accuracy": accuracy}

    def parameters_of_all_pixels(self, state: State) -> Parameters:
        """The state's parameters with layer 1's weights of all 784 pixels, those of blank pixels as they were drawn."""
        (first, *others), _ = _weights(state)
        drawn = initial_parameters(self.settings, self.images.square_norm)[0][0]
        kernel = tf.constant(self.images.widened(first[0].numpy(), drawn.numpy()))
        return ((kernel, *first[1:]), *others)

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
        hyperparameters = [settings.learning_rate, settings.momentum, settings.epsilon, 1 - BETA_1, 1 - BETA_2]
        state, totals, measured = self.program.epoch(
            self.state,
            self.counts,
            tf.constant(hyperparameters, settings.precision),
            tf.constant(self.draws, tf.int32),
            tf.constant((epoch - 1) * self.steps, tf.int32),
            tf.constant(updates, tf.int32),
            tf.constant(order, tf.int32),
            tf.constant(rows, tf.int32),
            self.images.images,
            self.images.labels,
            self.probe,
        )
        return state, totals, measured

    def _layers(self) -> np.ndarray:
        """Which rows of all stages are layers of this network, (L + 1,)."""
        stages = stages_of(self.settings)
        return np.flatnonzero(np.concatenate([np.arange(stage.shape.rows) < stage.count for stage in stages]))

    def _record(self, epoch: int, rows: tf.Tensor, updates: int) -> None:
        values = rows.numpy()[:, self._layers()]
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


def _initial_state(settings: Settings, images: Images) -> State:
    slots, state = OPTIMIZERS[settings.optimizer].slots if settings.epochs else 0, []
    first, *between, output = initial_parameters(settings, images.square_norm)
    first = (tf.constant(images.narrowed(first[0].numpy())), *first[1:])
    for stage in (first, *between):
        moving = (tf.zeros_like(stage[1]), tf.ones_like(stage[1])) if settings.normalization == "batch" else ()
        state.append((stage, _zeros(stage, slots), moving))
    return (*state, (output, _zeros(output, slots), ()))


def _zeros(stage: tuple[tf.Tensor, ...], slots: int) -> tuple[tuple[tf.Tensor, ...], ...]:
    return tuple(tuple(tf.zeros_like(role) for _ in range(slots)) for role in stage)


def _weights(state: State) -> Any:
    """The parameters and the moving moments, by stages."""
    return tuple(stage[0] for stage in state), tuple(stage[2] for stage in state)
