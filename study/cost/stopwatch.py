"""What an activation costs: seconds an element and a training step, and bytes kept for the backward pass.

Timings are taken in turns, every activation once a repeat, so that a machine that slows down slows all of them; they
mean something only where nothing else runs. Memory is counted from the graph, not timed.
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
from study.data.mnist import Dataset
from study.engine.gradients import Function, vector_jacobian_product
from study.engine.images import images_of
from study.engine.splitting import split
from study.engine.stages import CLASSES, PIXELS
from study.engine.training import _Run
from study.settings import Settings

IMAGES = (60_000, 10_000)  # of MNIST, to train on and to test
INKED = 719  # of its pixels are not blank in every image; the engine leaves the others out
BANK = 8  # small tensors taken in turn: all of them stay in a core's cache
LATE_EPOCH = 3  # whose first updates are measured in two of several hundred steps, as most epochs' are
SHAPES_ONLY = ("Shape", "ShapeN", "Rank", "Size", "ZerosLike", "OnesLike")  # they read no values of a tensor
COUNTED = 4096  # elements of the tensor whose graph is counted
COPY = "copy"  # stands for an activation that computes nothing: it reads the tensor and writes it

Timing = Callable[[], float]
Kind = tuple[str, int | None]  # a quantity, and the elements of the tensor it is timed on


@dataclass(frozen=True)
class Sizes:
    """What is timed: small tensors of `shape`, `passes` times; `large` ones; `updates` of a network; in `repeats`."""

    shape: tuple[int, int] = TIMING_SHAPE
    passes: int = TIMING_PASSES
    large: int = TIMING_LARGE
    large_passes: int = TIMING_LARGE_PASSES
    updates: int = TIMING_UPDATES
    repeats: int = TIMING_REPEATS


def measure(names: Sequence[str], repeats: int = TIMING_REPEATS, sizes: Sizes | None = None) -> dict[str, Any]:
    """JSON-ready: `timings` and `memory` (lists of flat rows) of the named registry entries, and `about` (sizes).

    A timing: activation, quantity ("forward", "forward_backward", "step"), elements (of the tensor; null for a step),
    repeat, seconds (an element, or a step). The activation COPY is what no activation can be faster than.
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
    """Another first in every repeat: the first finds caches filled by something else."""
    start = by % max(len(names), 1)
    return names[start:] + names[:start]


def _elementwise(entries: Mapping[str, Activation], sizes: Sizes) -> dict[Kind, dict[str, Timing]]:
    """Per direction and size a timing of every activation, and of COPY."""
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
            for step in (_forward, _backward)
        )
        timings["forward", elements] = forward
        timings["forward_backward", elements] = {name: _sum_of(forward[name], backward[name]) for name in functions}
    return timings


def _forward(function: Function, z: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
    return function(z)


def _backward(function: Function, z: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    return vector_jacobian_product(function, z, upstream)


def _sum_of(forward: Timing, backward: Timing) -> Timing:
    """Each in a loop of its own: in training the one pass is long over when the other comes, and shares nothing."""
    return lambda: forward() + backward()


def _looped(step: Callable[..., tf.Tensor], function: Function, bank: tf.Tensor, passes: int) -> Timing:
    """Seconds an element of `passes` passes over the tensors of `bank` (n, ...), compiled as the engine compiles.

    Each pass writes its result to the loop's state, so that none can be left out.
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
    """How long the call takes, until its results are there."""
    started = time.perf_counter()
    call()
    tf.test.experimental.sync_devices()
    return time.perf_counter() - started


def _steps(entries: Mapping[str, Activation], updates: int) -> dict[str, Timing]:
    """Seconds of a training step of the article's network, measurements at logged steps included, per activation.

    On as many images as MNIST has, of noise in as many pixels: a step's time depends on their shapes alone.
    """
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (count, PIXELS), dtype=np.uint8) for count in IMAGES]
    for part in images:
        part[:, INKED:] = 0
    labels = [rng.integers(0, CLASSES, count, dtype=np.uint8) for count in IMAGES]
    data = Dataset(images[0], labels[0], images[1], labels[1], "noise for timing", "noise")
    return {name: _training_step(name, entry, data, updates) for name, entry in entries.items()}


def _training_step(name: str, entry: Activation, data: Dataset, updates: int) -> Timing:
    """The one place where this room uses the engine's insides: a timing of `updates` updates by its own program."""
    settings, images = Settings(activation=name, seed=0), images_of(data)
    training, validation = split(images.training, settings.validation, settings.seed)
    run = _Run(settings, entry, images, training, validation)
    return lambda: _seconds(lambda: run._call_epoch(LATE_EPOCH, updates)) / updates


def kept_bytes(function: Function) -> dict[str, float]:
    """Bytes an element in float32 that TensorFlow's gradient of `function` reads of the forward pass.

    `output_bytes` are phi's own output's, which the next layer keeps anyway; `other_bytes` all others': distinct
    tensors as large as z, z included, that the gradient depends on. Constants are not counted, nor tensors of which
    only the shape is read.
    """
    with tf.Graph().as_default() as graph:
        z = tf.compat.v1.placeholder(tf.float32, [COUNTED])
        upstream = tf.compat.v1.placeholder(tf.float32, [COUNTED])
        output = function(z)
        forward = set(graph.get_operations())
        (gradient,) = tf.gradients(output, z, grad_ys=upstream)
        read = _tensors_read(gradient, forward) - {upstream.ref()}
        kept = {ref: ref.deref().dtype.size for ref in read if ref.deref().shape.num_elements() == COUNTED}
        own = kept.pop(_source(output).ref(), 0)
    return {"output_bytes": float(own), "other_bytes": float(sum(kept.values()))}


def _tensors_read(gradient: tf.Tensor | None, forward: set[tf.Operation]) -> set[Any]:
    """References to the tensors of `forward` operations that those between them and the gradient read."""
    found, seen = set(), set()
    waiting = [] if gradient is None or gradient.op in forward else [gradient.op]
    while waiting:
        operation = waiting.pop()
        if operation in seen or operation.type in SHAPES_ONLY:
            continue
        seen.add(operation)
        for tensor in operation.inputs:
            if tensor.op in forward:
                if tensor.op.type != "Const":
                    found.add(_source(tensor).ref())
            else:
                waiting.append(tensor.op)
    return found


def _source(tensor: tf.Tensor) -> tf.Tensor:
    """The tensor behind identities, which hold no data of their own."""
    while tensor.op.type == "Identity":
        tensor = tensor.op.inputs[0]
    return tensor
