"""Convert the data set to tensors, by default without the pixels that are blank (0) in every image.

In MNIST these are 65 of the 784 pixels, a twelfth of layer 1's work. The weight of such a pixel adds 0 to every sum and
has gradient 0, so that no optimiser here changes it. It counts only in the norm of the kernel W_1. To keep that norm
right, the images get columns of 0. The weights of the first such column are the root sums of squares of the weights
left out.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from study.data.mnist import Dataset
from study.engine.input_norms import square_norm
from study.engine.layer_groups import PIXELS

ALIGNED = 16  # numbers in a vector register; where pixels are left out, the number of columns is a multiple of it


@dataclass(frozen=True)
class Images:
    """Hold the training images and then the test images as one tensor (n, columns) uint8, with `labels` (n,) uint8.

    The first k columns are the pixels whose indices are in `inked` (k,), in ascending order; any others are 0.
    `training` is the number of training images, and `square_norm` is their mean ||x||^2 for x in [0, 1]^784.
    """

    images: tf.Tensor
    labels: tf.Tensor
    training: int
    square_norm: float
    inked: np.ndarray

    @property
    def test_indices(self) -> np.ndarray:
        """Return the indices (m,) of the m test images in `images`."""
        return np.arange(self.training, self.images.shape[0])

    def narrowed(self, kernel: np.ndarray) -> np.ndarray:
        """Convert layer 1's kernel (..., 784) to one for these images (..., columns), whose rows have the same norms.

        Weights left out of a row become one weight, their norm, in the column after the inked pixels.
        """
        columns = self.images.shape[1]
        if columns == PIXELS:
            return kernel
        found = np.zeros((*kernel.shape[:-1], columns), kernel.dtype)
        found[..., : len(self.inked)] = kernel[..., self.inked]
        left_out = np.delete(kernel, self.inked, axis=-1)
        found[..., len(self.inked)] = np.linalg.norm(left_out.astype(np.float64), axis=-1)
        return found

    def widened(self, narrow: np.ndarray, blank: np.ndarray) -> np.ndarray:
        """Return (..., 784): `narrow` (..., columns) at the inked pixels, and `blank` (..., 784) at the others."""
        found = np.array(blank)
        found[..., self.inked] = narrow[..., : len(self.inked)]
        return found


_LATEST: dict[tuple[str, bool], Images] = {}  # at most one entry: the latest result of images_of, by its arguments


def images_of(data: Dataset, is_whole: bool = False) -> Images:
    """Return the data set as tensors, with blank pixels if `is_whole`; the latest result is stored for later runs."""
    key = data.checksum, is_whole
    if key not in _LATEST:
        _LATEST.clear()
        _LATEST[key] = _tensors(data, is_whole)
    return _LATEST[key]


def _tensors(data: Dataset, is_whole: bool) -> Images:
    """Compute the result of `images_of`; keep all pixels also where leaving out the blank ones saves no column."""
    parts = data.training_images, data.test_images
    inked = np.flatnonzero(np.any([part.max(axis=0, initial=0) > 0 for part in parts], axis=0))
    columns = -(-(len(inked) + 1) // ALIGNED) * ALIGNED
    if is_whole or columns >= PIXELS:
        inked, columns = np.arange(PIXELS), PIXELS
    images = np.zeros((sum(map(len, parts)), columns), np.uint8)
    images[: len(parts[0]), : len(inked)] = parts[0][:, inked]
    images[len(parts[0]) :, : len(inked)] = parts[1][:, inked]
    labels = np.concatenate([data.training_labels, data.test_labels])
    return Images(tf.constant(images), tf.constant(labels), len(parts[0]), square_norm(data), inked)
