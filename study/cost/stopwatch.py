"""Time activations: seconds per element of a tensor, forward and backward, and seconds per training step.

The activations take turns, each once per repeat, so that a machine that slows down slows all of them. Timings mean
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

IMAGES = (60_000, 10_000)  # numbers of MNIST's training and test images
INKED = 719  # pixels of MNIST that are not blank in every image; the engine leaves the others out
BANK = 8  # small tensors taken in turn; together they stay in a core's cache
LATE_EPOCH = 3  # the epoch timed; as in most epochs, two of its first few hundred updates are measured
COPY = "copy"  # timed beside the activations: a function that only copies the tensor

Timing = Callable[[], float]  # does the work once; returns its seconds, per element or per training step
Kind = tuple[str, int | None]  # a quantity, and the elements of the tensor it is timed on: None for a training step


@dataclass(frozen=True)
class Sizes:
    """Hold how much work is timed at once; each timing is taken `repeats` times.

    - small tensors of `shape`: `passes` passes over them.
    - large tensors of `large` elements: `large_passes` passes over them.
    - a network: `updates` updates of it.
    """

    shape: tuple[int, int] = TIMING_SHAPE
    passes: int = TIMING_PASSES
    large: int = TIMING_LARGE
    large_passes: int = TIMING_LARGE_PASSES
    updates: int = TIMING_UPDATES
    repeats: int = TIMING_REPEATS


def measure(names: Sequence[str], repeats: int = TIMING_REPEATS, sizes: Sizes | None = None) -> dict[str, Any]:
    """Time the activations `names` of the registry, count their memory, and return a dict ready for JSON.

    - `timings`: a list of rows with activation, quantity, elements, repeat (from 0) and seconds. The quantity "forward"
      or "forward_backward" is in seconds per element of a tensor of so many `elements`. These quantities also have rows
      for COPY, which no activation can beat. "step" is in seconds per training step, and its `elements` are None.
    - `memory`: a list of rows with activation, output_bytes and other_bytes; see `kept_bytes`.
    - `about`: the fields of `Sizes`, and `updates_an_epoch`, the updates in an epoch of the article's protocol.

    `sizes`, if given, takes the place of the standard sizes and of `repeats`.
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
    """Return `names` rotated by `by` places, so that the repeats begin with different activations.

    The first timing of a repeat finds caches that something else has filled.
    """
    start = by % max(len(names), 1)
    return names[start:] + names[:start]


def _elementwise(entries: Mapping[str, Activation], sizes: Sizes) -> dict[Kind, dict[str, Timing]]:
    """Return the timings of `entries` and COPY on tensors, as {(quantity, elements of the tensor): {name: timing}}.

    `sizes` gives the shapes of the tensors and the number of passes over them.
    """
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
    """Return a timing that adds the timings `forward` and `backward`, each with a loop of its own.

    In training, the backward pass comes too late to share intermediate results with the forward pass.
    """
    return lambda: forward() + backward()


def _looped(step: Callable[..., tf.Tensor], function: Function, bank: tf.Tensor, passes: int) -> Timing:
    """Return a timing of `passes` passes of `step` over the tensors of `bank` (n, ...), in seconds per element.

    `step` takes `function` and two tensors of the bank. The passes are compiled by XLA, as the engine compiles. Each
    pass writes its result to the loop's state, so that the compiler cannot leave it out.
    """
    count, size = bank.shape[0], bank.shape[1:].num_elements()

    def loop(bank: tf.Tensor, passes: tf.Tensor) -> Any:
        """Return the result of the last of `passes` passes over the tensors of `bank`, in turn."""

        def body(index: tf.Tensor, _: Any) -> Any:
            return index + 1, step(function, bank[index % count], bank[(index + 1) % count])

        return tf.while_loop(lambda index, _: index < passes, body, (0, tf.zeros_like(bank[0])))[1]

    limit = tf.constant(passes, tf.int32)
    compiled = tf.function(loop, jit_compile=True).get_concrete_function(bank, limit)
    return lambda: _seconds(lambda: compiled(bank, limit)) / (passes * size)


def _seconds(call: Callable[[], Any]) -> float:
    """Return the seconds from calling `call` until its results are there."""
    started = time.perf_counter()
    call()
    tf.test.experimental.sync_devices()
    return time.perf_counter() - started


def _steps(entries: Mapping[str, Activation], updates: int) -> dict[str, Timing]:
    """Return {name: timing} of `entries`: seconds per training step of the article's network, measurements included.

    A timing makes `updates` updates. The images are noise: as many as MNIST has, with ink in as many pixels. A step's
    time depends on shapes alone.
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
    """Return a timing of `updates` updates of `run`, in seconds per update."""
    return lambda: _seconds(lambda: run.call_epoch(LATE_EPOCH, updates)) / updates
