"""Carry out one run: hold its state and call the compiled programs that update it."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from study.activations import Activation
from study.data.mnist import Dataset
from study.engine import run_log
from study.engine.architecture import Parameters
from study.engine.augmentation import strengths
from study.engine.compilation import compile_apart
from study.engine.epoch import Epoch
from study.engine.evaluation import CHUNK
from study.engine.images import Images, images_of
from study.engine.initialization import initial_parameters
from study.engine.measures import Measures
from study.engine.network import Data, Scores, State, weights_of
from study.engine.optimizers import BETA_1, BETA_2, OPTIMIZERS
from study.engine.program_kind import groups_of, program_kind
from study.engine.programs import compiled_programs
from study.engine.schedule import learning_rates
from study.engine.seeds import epoch_order, number_for, split
from study.settings import Settings

PROBE_IMAGES = 1000  # the probe images are the first validation images, at most this many


class Run:
    """Hold a run and carry it out: `state` is what its updates change, and `log` holds its measurements.

    `training` and `validation` are the indices of the images to train and to validate on, and `steps` is the number of
    updates of an epoch. Making a run raises ValueError if there are too few images for a batch or for the validation.
    """

    def __init__(self, settings: Settings, data: Dataset, activation: Activation) -> None:
        self.settings, self.activation = settings, activation
        kind = program_kind(settings)
        # Distorted images bring ink to where no image had any, and weight decay reaches the weights of blank pixels.
        self.images = images_of(data, is_whole=kind.distorts or kind.decays)
        self.training, self.validation = split(self.images.training, settings.validation, settings.seed)
        if len(self.training) < settings.batch:
            found = f"batch is {settings.batch}; it must be at most the {len(self.training)} training images"
            raise ValueError(found)
        self.steps = len(self.training) // settings.batch  # a last, smaller batch is left out
        self.programs = compiled_programs(activation, kind)
        self.draws = number_for(settings.seed, "draws")
        probe = tf.constant(self.validation[:PROBE_IMAGES], tf.int32)
        self.data = Data(self.images.images, self.images.labels, probe)
        self.chunks = -(-max(len(self.validation), len(self.images.test_indices)) // CHUNK)
        self.counts = tf.constant([group.count for group in groups_of(settings)], tf.int32)
        self.state = _initial_state(settings, self.images)
        self.log = run_log.RunLog()

    def warm_up(self) -> float:
        """Compile the programs that train and evaluate, by calls without steps; return the seconds this took."""

        def compile_both() -> None:
            self.call_epoch(1, updates=0)
            self.evaluate(self.state, np.arange(0))

        return self._compiling(compile_both, ("trains", self.steps, self.chunks))

    def _compiling(self, call: Callable[[], Any], size: tuple[Any, ...]) -> float:
        """Compile a program by `call`, unless it is compiled for data of this `size`; return the seconds this took.

        `size` holds a name of what is compiled, and the sizes that the program depends on.
        """
        if size in self.programs.compiled:
            return 0.0
        started = time.perf_counter()
        name = f"{self.settings.activation} {self.activation.formula} {size[0]} {program_kind(self.settings)}"
        compile_apart(call, name)
        self.programs.compiled.add(size)
        return time.perf_counter() - started

    def epoch(self, epoch: int) -> tuple[float, float, int | None]:
        """Train one epoch, counted from 1; return its mean loss, its accuracy, and the step at which it diverged.

        Each batch is scored before its update. The third result is the run's first step whose loss was not finite,
        counted from 0, or None; the epoch goes on after that step.
        """
        self.state, (loss, hits, diverged), measured = self.call_epoch(epoch, updates=self.steps)
        self._record(epoch, measured, self.steps)
        seen = self.steps * self.settings.batch
        return float(loss) / self.steps, float(hits) / seen, int(diverged) if int(diverged) >= 0 else None

    def measure_end(self, last_epoch: int) -> None:
        """Log the measures of the last weights on the first batch of epoch `last_epoch` + 1, without changing them."""
        _, _, measured = self.call_epoch(last_epoch + 1, updates=1)
        self._record(last_epoch + 1, measured, 1)

    def measure_initial(self) -> float:
        """Log the measures of the untrained network on the first batch; return the seconds that compiling took."""
        parameters, _ = weights_of(self.state)
        batch = epoch_order(self.settings.seed, 1, self.training, self.settings.batch)[0]
        distortion = tf.constant(strengths(self.settings, 1), tf.float32)
        arguments = (tf.constant(self.draws), distortion, tf.constant(batch, tf.int32), self.data)
        no_layers = tf.zeros_like(self.counts)
        seconds = self._compiling(lambda: self.programs.initial(parameters, no_layers, *arguments), ("measures",))
        self._record(1, self.programs.initial(parameters, self.counts, *arguments), 1)
        return seconds

    def evaluate(self, state: State, indices: np.ndarray) -> Scores:
        """Return the mean scores of a state, as floats, on the images at `indices` (n,), or zeros if n is 0.

        The program is compiled for the number of validation or of test images, whichever is larger, and takes no more.
        """
        padded = np.full(self.chunks * CHUNK, -1, np.int32)
        padded[: len(indices)] = indices
        used = tf.constant(-(-len(indices) // CHUNK), tf.int32)
        chunks = tf.constant(padded.reshape(-1, CHUNK))
        data = (self.data.images, self.data.labels)
        totals = self.programs.evaluate(weights_of(state), self.counts, *data, chunks, used)
        return Scores(*(float(total) / max(len(indices), 1) for total in totals))

    def parameters_of_all_pixels(self, state: State) -> Parameters:
        """Return the trained parameters, or their moving averages if any, with all 784 pixels in layer 1's kernel.

        This kernel is (1, units, 784). Weights of pixels that `images` leaves out are not trained: they are initial.
        """
        (first, *others), _ = weights_of(state)
        drawn = initial_parameters(self.settings, self.images.square_norm)[0][0]
        kernel = tf.constant(self.images.widened(first[0].numpy(), drawn.numpy()))
        return ((kernel, *first[1:]), *others)

    def logged(self, epoch: int) -> np.ndarray:
        """Return (steps + 1,) bool: which steps of epoch `epoch` are measured; see run_log.logged_steps."""
        return run_log.logged_steps(epoch, self.steps)

    def call_epoch(self, epoch: int, updates: int) -> tuple[State, Any, Measures]:
        """Return what `train_epoch` returns for the first `updates` updates of epoch `epoch`; keep `self.state`."""
        settings, logged = self.settings, self.logged(epoch)
        order = epoch_order(settings.seed, epoch, self.training, settings.batch)
        of_optimizer = [settings.momentum, settings.epsilon, 1 - BETA_1, 1 - BETA_2]
        arguments = Epoch(
            tf.constant(learning_rates(settings, self.steps, epoch).tolist(), settings.precision),
            tf.constant([*of_optimizer, settings.weight_decay, settings.averaging], settings.precision),
            tf.constant(self.draws, tf.int32),
            tf.constant(strengths(settings, epoch), tf.float32),
            tf.constant((epoch - 1) * self.steps, tf.int32),
            tf.constant(updates, tf.int32),
            tf.constant(order, tf.int32),
            tf.constant(np.where(logged, np.cumsum(logged) - 1, -1), tf.int32),
        )
        found: tuple[State, Any, Measures] = self.programs.epoch(self.state, self.counts, arguments, self.data)
        return found

    def _record(self, epoch: int, measured: Measures, updates: int) -> None:
        """Log the measures of the logged steps among an epoch's first `updates` steps, without spare rows.

        `measured` is {name: (n, rows of all groups)}, with one row for each of these steps, in order, and maybe more.
        """
        of_group = [np.arange(group.shape.rows) < group.count for group in groups_of(self.settings)]
        is_layer = np.concatenate(of_group)
        arrays = {name: values.numpy()[:, is_layer] for name, values in measured.items()}
        for row, step in enumerate(np.flatnonzero(self.logged(epoch)[:updates])):
            number = (epoch - 1) * self.steps + int(step)
            self.log.add(number, number / self.steps, {name: values[row] for name, values in arrays.items()})


def _initial_state(settings: Settings, images: Images) -> State:
    """Return the state before training: slots and moving means are 0, moving variances 1, averages the parameters."""
    slots = OPTIMIZERS[settings.optimizer].slots if settings.epochs else 0
    first, *between, output = initial_parameters(settings, images.square_norm)
    first = (tf.constant(images.narrowed(first[0].numpy())), *first[1:])
    state = []
    for group in (first, *between):
        moving = (tf.zeros_like(group[1]), tf.ones_like(group[1])) if settings.normalization == "batch" else ()
        state.append((group, _zeros(group, slots), moving))
    groups = (*state, (output, _zeros(output, slots), ()))
    return tuple((*group, group[0] if settings.averaging else ()) for group in groups)


def _zeros(group: tuple[tf.Tensor, ...], slots: int) -> tuple[tuple[tf.Tensor, ...], ...]:
    """Return a tuple of `slots` tensors of zeros for each parameter of a group, in the parameter's shape."""
    return tuple(tuple(tf.zeros_like(role) for _ in range(slots)) for role in group)
