"""The data set as the engine's tensors, made once for each data set a process sees."""

import functools
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from study.dataset import Dataset, square_norm


@dataclass(frozen=True)
class Images:
    """Training and test images in one tensor (n, 784) uint8 with their labels (n,) uint8; test images come last.

    `square_norm` is the mean ||x||^2 of the training images, x in [0, 1].
    """

    images: tf.Tensor
    labels: tf.Tensor
    training: int
    square_norm: float

    @property
    def test_indices(self) -> np.ndarray:
        """Indices (m,) of the test images."""
        return np.arange(self.training, self.images.shape[0])


@functools.lru_cache(maxsize=1)
def _tensors_of(checksum: str, data: "_ByChecksum") -> Images:
    d = data.dataset
    images = tf.constant(np.concatenate([d.training_images, d.test_images]))
    labels = tf.constant(np.concatenate([d.training_labels, d.test_labels]))
    return Images(images, labels, len(d.training_labels), square_norm(d))


@dataclass(frozen=True, eq=False)
class _ByChecksum:
    dataset: Dataset

    def __eq__(self, other: object) -> bool:
        return True  # the checksum beside it is the key

    def __hash__(self) -> int:
        return 0


def images_of(data: Dataset) -> Images:
    """The data as tensors, made once for each data set a process sees."""
    return _tensors_of(data.checksum, _ByChecksum(data))
