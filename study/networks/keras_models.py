"""Turn kept weights into a Keras model that needs nothing of this study, and classify images with it."""

import io
import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from study.activations import Activation, value_and_derivative
from study.records.files import write_atomically

SIDE = 28  # pixels of each side of an image
SHIFTS = tuple((down, across) for down in (-1, 0, 1) for across in (-1, 0, 1))  # the nine positions, in pixels
GRID = np.linspace(-8.1, 8.1, 55)  # inputs at which activations are compared
CHUNK = 1000  # images that a model classifies at a time


def standard_name(activation: Activation) -> str | None:
    """Return the name of Keras' activation with the values and derivatives of `activation` on GRID, or None."""
    wanted = value_and_derivative(activation.function, GRID)
    for name in [name for name in dir(keras.activations) if not name.startswith("_")]:
        try:
            found = value_and_derivative(getattr(keras.activations, name), GRID)
        except (AttributeError, TypeError, ValueError, tf.errors.InvalidArgumentError):  # no activation of numbers
            continue
        if np.allclose(found, wanted, rtol=1e-9, atol=1e-12):
            return name
    return None


def keras_model(arrays: Sequence[np.ndarray], activation: str | Callable[..., Any]) -> Any:
    """Return a Keras model that maps images (n, 784) in [0, 1] to probabilities (n, 10).

    `arrays` are the kernel (inputs, units) and bias (units,) of every layer in turn. `activation` is the function of
    the hidden layers, or Keras' name of it. The output layer has softmax.
    """
    kernels = arrays[::2]
    model = keras.Sequential([keras.Input((kernels[0].shape[0],))])
    for kernel in kernels[:-1]:
        model.add(keras.layers.Dense(kernel.shape[1], activation=activation))
    model.add(keras.layers.Dense(kernels[-1].shape[1], activation="softmax"))
    model.set_weights(list(arrays))
    return model


def as_float16(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return `arrays` with every entry rounded to the nearest number of 16 bits, in the type that it had."""
    return [array.astype(np.float16).astype(array.dtype) for array in arrays]


def save(model: Any, path: Path) -> None:
    """Write `model` to the file `path` in Keras' format, compressed, in place of an older file.

    Compression saves more than half of the space if the weights are from `as_float16`. If writing fails, an older file
    stays as it was.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.keras")
    try:
        model.save(temporary)
        with zipfile.ZipFile(temporary) as file:
            parts = {name: file.read(name) for name in file.namelist()}
    finally:
        temporary.unlink(missing_ok=True)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    write_atomically(path, packed.getvalue())


def probabilities(model: Any, images: np.ndarray, shifts: Sequence[tuple[int, int]] = ((0, 0),)) -> np.ndarray:
    """Return the probabilities (n, 10) that `model` gives `images` (n, 784) in [0, 255], averaged over `shifts`.

    Each of `shifts` moves the images by (down, across) pixels; see `shifted`.
    """
    call = tf.function(model, autograph=False, reduce_retracing=True)
    total = np.zeros((len(images), 10))
    for down, across in shifts:
        moved = shifted(images, down, across).astype(np.float32) / 255
        chunks = [call(moved[start : start + CHUNK]).numpy() for start in range(0, len(moved), CHUNK)]
        total += np.concatenate(chunks)
    return total / len(shifts)


def shifted(images: np.ndarray, down: int, across: int) -> np.ndarray:
    """Return `images` (n, 784) moved by `down` and `across` pixels, each -1, 0 or 1; pixels that come in are 0."""
    padded = np.pad(images.reshape(-1, SIDE, SIDE), [(0, 0), (1, 1), (1, 1)])
    moved = padded[:, 1 - down : 1 - down + SIDE, 1 - across : 1 - across + SIDE]
    return moved.reshape(images.shape)
