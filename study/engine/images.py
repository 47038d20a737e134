"""The data set as the engine's tensors, made once for each data set a process sees.

In MNIST 65 of the 784 pixels are blank in every image, a twelfth of layer 1's work. A weight of a pixel that is 0 in
every image adds 0 to every sum and has gradient 0, so that no optimiser here moves it; it counts in norm(W_1) alone.
The engine therefore trains the other columns of W_1, and keeps the norm right by one column of 0 in the images, whose
weights are the root sums of squares of those left out.
"""

import functools
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from study.data.mnist import Dataset
from study.engine.input_norms import square_norm
from study.engine.stages import PIXELS

ALIGNED = 16  # numbers in a vector register; the images' columns are a multiple of it where pixels are left out


@dataclass(frozen=True)
class Images:
    """Training and test images in one tensor (n, columns) uint8 with their labels (n,) uint8; test images come last.

    The first columns are the pixels `inked` (k,), in ascending order; any others are 0. `square_norm` is the mean
    ||x||^2 of the training images, x in [0, 1].
    """

    images: tf.Tensor
    labels: tf.Tensor
    training: int
    square_norm: float
    inked: np.ndarray

    @property
    def test_indices(self) -> np.ndarray:
        """Indices (m,) of the test images."""
        return np.arange(self.training, self.images.shape[0])

    def narrowed(self, kernel: np.ndarray) -> np.ndarray:
        """Layer 1's kernel (..., 784) as one (..., columns) for these images, of the same norm."""
        columns = self.images.shape[1]
        if columns == PIXELS:
            return kernel
        found = np.zeros((*kernel.shape[:-1], columns), kernel.dtype)
        found[..., : len(self.inked)] = kernel[..., self.inked]
        left_out = np.delete(kernel, self.inked, axis=-1)
        found[..., len(self.inked)] = np.linalg.norm(left_out.astype(np.float64), axis=-1)
        return found

    def widened(self, narrow: np.ndarray, blank: np.ndarray) -> np.ndarray:
        """(..., 784) with the values of `narrow` (..., columns) at the inked pixels and of `blank` (..., 784) else."""
        found = np.array(blank)
        found[..., self.inked] = narrow[..., : len(self.inked)]
        return found


@functools.lru_cache(maxsize=1)
def _tensors_of(checksum: str, is_whole: bool, data: "_ByChecksum") -> Images:
    d = data.dataset
    parts = (d.training_images, d.test_images)
    is_inked = np.any([part.max(axis=0, initial=0) > 0 for part in parts], axis=0)
    inked, columns = np.flatnonzero(is_inked), -(-(is_inked.sum() + 1) // ALIGNED) * ALIGNED
    if is_whole or columns >= PIXELS:
        inked, columns = np.arange(PIXELS), PIXELS
    images = np.zeros((sum(map(len, parts)), columns), np.uint8)
    images[: len(parts[0]), : len(inked)] = parts[0][:, inked]
    images[len(parts[0]) :, : len(inked)] = parts[1][:, inked]
    labels = np.concatenate([d.training_labels, d.test_labels])
    return Images(tf.constant(images), tf.constant(labels), len(d.training_labels), square_norm(d), inked)


@dataclass(frozen=True, eq=False)
class _ByChecksum:
    dataset: Dataset

    def __eq__(self, other: object) -> bool:
        return True  # the checksum beside it is the key

    def __hash__(self) -> int:
        return 0


def images_of(data: Dataset, is_whole: bool = False) -> Images:
    """The data as tensors, made once for each data set a process sees; `is_whole`: with the blank pixels, too."""
    return _tensors_of(data.checksum, is_whole, _ByChecksum(data))
