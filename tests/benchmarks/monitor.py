"""Measure what a GradientLogger costs at one probe every 100 steps, in time and memory.

    python -m tests.benchmarks.monitor

Each network trains in a process of its own, on made data. Two figures are printed for time. One is the time spent in
the logger's own functions, as a share of the rest of the fit. The other compares the fastest whole fits with and
without the logger, which alternate; it is noisier, because equal fits differ by up to 10%. The first fits, which
compile, are left out. The memory is by how much the first fit with a logger raises the process's peak.
"""

import functools
import itertools
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

STEPS, PROBE_EVERY = 500, 100  # updates of a fit, and between two probes
PAIRS = 7  # fits with the logger, and as many without


def article(keras: Any) -> tuple[Any, tuple[int, ...], int]:
    """Return the layers of the article's network, the shape of an input, and the batch size."""
    layers = [keras.layers.Dense(100, "relu") for _ in range(3)]
    return [*layers, keras.layers.Dense(10, "softmax")], (784,), 100


def convolutional(keras: Any) -> tuple[Any, tuple[int, ...], int]:
    """Return layers with two convolutions, as in Keras' example for MNIST, an input's shape, and the batch size."""
    layers = keras.layers
    convolutions = [layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(), layers.Conv2D(32, 3)]
    rest = [layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(), layers.Flatten(), layers.Dropout(0.5)]
    return [*convolutions, *rest, layers.Dense(10, "softmax")], (28, 28, 1), 32


def transformer(keras: Any) -> tuple[Any, tuple[int, ...], int]:
    """Return layers with a block of attention over 40 places, the shape of an input, and the batch size."""
    layers = keras.layers
    inputs = keras.Input((40, 32))
    h = layers.LayerNormalization()(inputs + layers.MultiHeadAttention(4, 8)(inputs, inputs))
    h = layers.LayerNormalization()(h + layers.Dense(32)(layers.Dense(64, "gelu")(h)))
    block = keras.Model(inputs, h)
    return [block, layers.GlobalAveragePooling1D(), layers.Dense(10, "softmax")], (40, 32), 32


NETWORKS: dict[str, Callable[[Any], tuple[Any, tuple[int, ...], int]]] = {
    "article": article, "convolutional": convolutional, "transformer": transformer,
}  # fmt: skip


def time_functions(owner: Any, names: list[str], spent: list[float]) -> None:
    """Let the functions `names` of `owner` append to `spent` how many seconds each call takes."""

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            found = function(*arguments, **options)
            spent.append(time.perf_counter() - started)
            return found

        return wrapper

    for name in names:
        setattr(owner, name, timed(getattr(owner, name)))


def compare(name: str) -> None:
    """Print the time of a step and the memory of the network that NETWORKS calls `name`, and what the logger adds."""
    import keras

    from study import GradientLogger
    from study.monitor import batches

    layers, shape, batch = NETWORKS[name](keras)
    model = keras.Sequential([keras.Input(shape), *layers])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(STEPS * batch, *shape)).astype(np.float32), rng.integers(0, 10, STEPS * batch)
    logger = GradientLogger(PROBE_EVERY, verbose=0)
    spent: list[float] = []
    time_functions(logger, [name for name in vars(GradientLogger) if name.startswith("on_")], spent)
    time_functions(batches._FirstBatches, ["_take"], spent)
    seconds: dict[bool, list[float]] = {False: [], True: []}
    shares, peaks = [], []
    for is_logged in (False, True, *itertools.islice(itertools.cycle((True, False, False, True)), 2 * PAIRS)):
        spent.clear()
        started = time.perf_counter()
        model.fit(x, y, batch_size=batch, verbose=0, callbacks=[logger] if is_logged else [])
        seconds[is_logged].append(time.perf_counter() - started)
        if is_logged:
            shares.append(sum(spent) / (seconds[True][-1] - sum(spent)))
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    plain, logged = (min(seconds[is_logged][1:]) for is_logged in (False, True))
    print(
        f"{name}: {1e3 * plain / STEPS:.2f} ms a step; a probe every {PROBE_EVERY} steps adds {median(shares[1:]):.1%} "
        f"in the logger's functions, {logged / plain - 1:+.1%} in whole fits; "
        f"{peaks[0]:.0f} MB, {peaks[1] - peaks[0]:+.0f} MB with the logger"
    )


def main() -> None:
    """Measure the network that the command line names, or else each in a process of its own."""
    if sys.argv[1:]:
        compare(sys.argv[1])
        return
    for name in NETWORKS:
        subprocess.run([sys.executable, "-m", "tests.benchmarks.monitor", name], check=True)


if __name__ == "__main__":
    from study.engine import environment

    environment.prepare()
    main()
