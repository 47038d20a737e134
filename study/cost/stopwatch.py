"""Time an activation: seconds per element, forward and backward, and seconds a training step.

The activations take turns, each once a repeat, so that a machine that slows down slows all of them. Timings mean
something only if nothing else runs.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from study.activations import REGISTRY, Activation
from study.constants import (
    TIMING_LARGE,
    TIMING_LARGE_PASSES,
    TIMING_PASSES,
    TIMING_REPEATS,
    TIMING_SHAPE,
    TIMING_UPDATES,
)
from study.cost.memory import kept_bytes
from study.data.mnist import Dataset
from study.engine.architecture import Function, vector_jacobian_product
from study.engine.layer_groups import CLASSES, PIXELS
from study.engine.run import Run
from study.settings import Settings

IMAGES = (60_000, 10_000)  # of MNIST, to train on and to test
INKED = 719  # pixels of MNIST that are not blank in every image; the engine leaves the others out
BANK = 8  # small tensors taken in turn; together they stay in a core's cache
LATE_EPOCH = 3  # its first updates hold two logged steps in several hundred, like most epochs
COPY = "copy"  # stands for an activation that computes nothing: it reads the tensor and writes it

Timing = Callable[[], float]
Kind = tuple[str, int | None]  # a quantity, and the elements of the tensor it is timed on


@dataclass(frozen=True)
class Sizes:
    """Hold the sizes of the timings, each taken `repeats` times.

    They are `passes` over small tensors of `shape`, `large_passes` over tensors of `large` elements, and `updates` of
    a network.
    """

    shape: tuple[int, int] = TIMING_SHAPE
    passes: int = TIMING_PASSES
    large: int = TIMING_LARGE
    large_passes: int = TIMING_LARGE_PASSES
    updates: int = TIMING_UPDATES
    repeats: int = TIMING_REPEATS


def measure(names: Sequence[str], repeats: int = TIMING_REPEATS, sizes: Sizes | None = None) -> dict[str, Any]:
    """Time the named registry entries and count their memory.

    Return a dict ready for JSON: `timings` and `memory`, lists of flat rows, and `about`, the sizes. A timing has
    activation, quantity ("forward", "forward_backward", "step"), elements (of the tensor; None for a step), repeat and
    seconds (an element, or a step). No activation can be faster than the activation COPY.
    """
    sizes = sizes or Sizes(repeats=repeats)
    entries = {name: REGISTRY[name] for name in names}
    kinds = {**_elementwise(entries, sizes), ("step", None): _steps(entries, sizes.updates)}
    for timings in kinds.values():
        for timing in timings.values():
            timing()  # compiles
    rows = []
    for repeat in range(sizes.repeats):
        for (quantity, elements), timings in kinds.items():
            for name in _rotated(list(timings), repeat):
                row = {"activation": name, "quantity": quantity, "elements": elements, "repeat": repeat}
                rows.append(row | {"seconds": timings[name]()})
    memory = [{"activation": name, **kept_bytes(entry.function)} for name, entry in entries.items()]
    epoch = (IMAGES[0] - Settings.validation) // Settings.batch
    return {"timings": rows, "memory": memory, "about": {**asdict(sizes), "updates_an_epoch": epoch}}


def _rotated(names: list[str], by: int) -> list[str]:
    """Rotate `names` by `by`: the first in a repeat finds caches filled by something else."""
    start = by % max(len(names), 1)
    return names[start:] + names[:start]


def _elementwise(entries: Mapping[str, Activation], sizes: Sizes) -> dict[Kind, dict[str, Timing]]:
    """Return, for each direction and size, a timing of every activation and of COPY."""
    functions: dict[str, Function] = {COPY: tf.identity} | {name: entry.function for name, entry in entries.items()}
    rng = np.random.default_rng(0)
    banks = {
        sizes.passes: tf.constant(rng.standard_normal((BANK, *sizes.shape), np.float32)),
        sizes.large_passes: tf.constant(rng.standard_normal((2, sizes.large), np.float32)),
    }
    timings: dict[Kind, dict[str, Timing]] = {}
    for passes, bank in banks.items():
        elements = int(np.prod(bank.shape[1:]))
        forward, backward = (
            {name: _looped(step, function, bank, passes) for name, function in functions.items()}
            for step in (_forward, vector_jacobian_product)
        )
        timings["forward", elements] = forward
        timings["forward_backward", elements] = {name: _sum_of(forward[name], backward[name]) for name in functions}
    return timings


def _forward(function: Function, z: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
    return function(z)


def _sum_of(forward: Timing, backward: Timing) -> Timing:
    """Time each pass in a loop of its own: in training, the backward pass comes too late to share anything."""
    return lambda: forward() + backward()


def _looped(step: Callable[..., tf.Tensor], function: Function, bank: tf.Tensor, passes: int) -> Timing:
    """Time `passes` passes over the tensors of `bank` (n, ...), compiled as the engine compiles: seconds per element.

    Each pass writes its result to the loop's state, so that the compiler cannot leave it out.
    """
    count, size = bank.shape[0], bank.shape[1:].num_elements()

    def loop(bank: tf.Tensor, passes: tf.Tensor) -> Any:
        def body(index: tf.Tensor, _: Any) -> Any:
            return index + 1, step(function, bank[index % count], bank[(index + 1) % count])

        return tf.while_loop(lambda index, _: index < passes, body, (0, tf.zeros_like(bank[0])))[1]

    limit = tf.constant(passes, tf.int32)
    compiled = tf.function(loop, jit_compile=True).get_concrete_function(bank, limit)
    return lambda: _seconds(lambda: compiled(bank, limit)) / (passes * size)


def _seconds(call: Callable[[], Any]) -> float:
    """Time a call until its results are there."""
    started = time.perf_counter()
    call()
    tf.test.experimental.sync_devices()
    return time.perf_counter() - started


def _steps(entries: Mapping[str, Activation], updates: int) -> dict[str, Timing]:
    """Return a timing of a training step of the article's network, with its measurements, for every activation.

    The images are noise: as many as MNIST has, with ink in as many pixels. A step's time depends on shapes alone.
    """
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (count, PIXELS), dtype=np.uint8) for count in IMAGES]
    for part in images:
        part[:, INKED:] = 0
    labels = [rng.integers(0, CLASSES, count, dtype=np.uint8) for count in IMAGES]
    data = Dataset(images[0], labels[0], images[1], labels[1], "noise for timing", "noise")
    return {
        name: _training_step(Run(Settings(activation=name, seed=0), data, entry), updates)
        for name, entry in entries.items()
    }


def _training_step(run: Run, updates: int) -> Timing:
    return lambda: _seconds(lambda: run.call_epoch(LATE_EPOCH, updates)) / updates
