"""Compute statistics of the training images x, in [0, 1]^784: squared norms ||x||^2, and the mean cosine of two images.

Theory and the initialisation of layer 1 use them.
"""

import numpy as np
from numpy.typing import NDArray

from study.data.mnist import Dataset


def square_norm(data: Dataset) -> float:
    """Return the mean ||x||^2 of the training images."""
    return float(_square_sums(data).sum() / 255**2 / len(data.training_labels))


def square_norms(data: Dataset, groups: int = 60) -> NDArray[np.float64]:
    """Sort the training images by ||x||^2, cut them into `groups` nearly equal parts, and return each part's mean."""
    lengths = np.sort(_square_sums(data)) / 255**2
    return np.array([part.mean() for part in np.array_split(lengths, min(groups, len(lengths)))])


def mean_cosine(data: Dataset) -> float:
    """Return the mean cosine over all pairs of different training images; a blank image has cosine 0 with all."""
    images, lengths = data.training_images, np.sqrt(_square_sums(data))
    parts = zip(np.array_split(images, 60), np.array_split(lengths, 60), strict=True)
    total = np.sum([(part / np.maximum(length, 1)[:, None]).sum(axis=0) for part, length in parts], axis=0)
    return float((total @ total - np.count_nonzero(lengths)) / (len(images) * (len(images) - 1)))


def _square_sums(data: Dataset) -> NDArray[np.int64]:
    """Sum the squared bytes of each training image, (n,), in parts: all bytes as 64-bit numbers would take 0.4 GB."""
    squares = np.square(np.arange(256, dtype=np.int64))
    parts = np.array_split(data.training_images, 60)
    return np.concatenate([squares[part].sum(axis=1) for part in parts])
