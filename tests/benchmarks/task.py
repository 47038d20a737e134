"""Define the task of every contender: the article's network, 48,000 images, epochs of 480 updates, and what is timed.

An epoch begins with its batches' order (a fresh permutation, whose making is part of the epoch) and ends when the last
update's result is there. Images lie in memory as bytes (Keras' as float32, as in the article's script) and labels as
whole numbers; loss and hits are summed, as `fit` does. The network that one epoch leaves is the next epoch's first.
"""

import itertools
import os
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from study.data.reading import Bytes
from study.engine.environment import VARIABLES

SIZES = (784, 100, 100, 100, 10)  # units of the input, of three hidden ReLU layers and of the output
BATCH = 100
TRAINING, VALIDATION = 48_000, 12_000  # images
STEPS = TRAINING // BATCH  # updates an epoch
LEARNING_RATE, BETA_1, BETA_2, EPSILON = 0.01, 0.9, 0.999, 1e-7  # Adam's

Floats = NDArray[np.float32]
Contender = Callable[[range], float]  # trains these epochs of a run, counted from 1; the seconds they took


class Data(NamedTuple):
    """Hold MNIST as study.data.mnist.Dataset does, whose module needs a package that the peers do not have."""

    training_images: Bytes
    training_labels: Bytes
    test_images: Bytes
    test_labels: Bytes
    checksum: str = "MNIST"


def training_part(data: Data) -> tuple[Bytes, Bytes]:
    """Return the first 48,000 images (48,000, 784) and labels, as Keras' validation_split=0.2 takes them."""
    return data.training_images[:TRAINING].copy(), data.training_labels[:TRAINING].copy()


def validation_part(data: Data) -> tuple[Bytes, Bytes]:
    """Return the 12,000 images that follow the training part, and their labels."""
    return data.training_images[TRAINING:].copy(), data.training_labels[TRAINING:].copy()


def initial_parameters(seed: int = 0) -> list[tuple[Floats, Floats]]:
    """Draw every layer's Glorot-uniform kernel (fan_in, fan_out), and return it with a zero bias (fan_out,)."""
    rng = np.random.default_rng(seed)
    layers = []
    for fan_in, fan_out in itertools.pairwise(SIZES):
        bound = np.sqrt(6 / (fan_in + fan_out))
        kernel = rng.uniform(-bound, bound, (fan_in, fan_out)).astype(np.float32)
        layers.append((kernel, np.zeros(fan_out, np.float32)))
    return layers


def timed(epoch: Callable[[int], object]) -> Contender:
    """Make a contender that calls `epoch` with the number of each epoch, and returns the seconds of all calls."""

    def train(epochs: range) -> float:
        started = time.perf_counter()
        for number in epochs:
            epoch(number)
        return time.perf_counter() - started

    return train


class Orders:
    """Draw, at every call, a fresh permutation of the images: indices (480, 100) int32 of an epoch's batches."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)

    def __call__(self) -> NDArray[np.int32]:
        return self._rng.permutation(TRAINING).astype(np.int32).reshape(STEPS, BATCH)


def is_logged(epoch: int) -> NDArray[np.bool_]:
    """Tell which of an epoch's 480 steps are measured: its first, and steps 1, 2, 5, 10, ... of the run, from 0 on."""
    series = [digit * 10**zeros for zeros in range(6) for digit in (1, 2, 5)]
    steps = np.arange((epoch - 1) * STEPS, epoch * STEPS)
    return np.isin(steps, [steps[0], *series])


def thread_variables(threads: int | None) -> dict[str, str]:
    """Return environment variables that give a framework so many `threads`; None leaves the number to the framework.

    Unless it is None, large pages and XLA's options are as in the engine.
    """
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    if threads is None:
        return quiet
    names = ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "VECLIB_MAXIMUM", "TF_NUM_INTRAOP", "TF_NUM_INTEROP")
    counts = {f"{name}_THREADS": str(threads) for name in names}
    engines = {name: VARIABLES[name] for name in ("GLIBC_TUNABLES", "XLA_FLAGS")}
    return {**quiet, **counts, **engines}


def cores() -> list[int]:
    """Return the numbers of the cores that this process may use, or of all cores if the system does not tell."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
