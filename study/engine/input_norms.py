"""Compute the squared norms of the training images, which scale layer 1's initial signals; x is in [0, 1]^784."""

import numpy as np
from numpy.typing import NDArray

from study.data.mnist import Dataset


def square_norm(data: Dataset) -> float:
    """Return the mean ||x||^2 of the training images."""
    return float(_square_sums(data).sum() / 255**2 / len(data.training_labels))


def square_norms(data: Dataset, groups: int = 60) -> NDArray[np.float64]:
    """Return ||x||^2 of the training images in ascending order, as means of at most `groups` groups of similar size."""
    lengths = np.sort(_square_sums(data)) / 255**2
    return np.array([part.mean() for part in np.array_split(lengths, min(groups, len(lengths)))])


def _square_sums(data: Dataset) -> NDArray[np.int64]:
    """Return the sum of squared bytes of every training image (n,).

    The images are converted in parts, because whole numbers for all of them take 0.4 GB.
    """
    squares = np.square(np.arange(256, dtype=np.int64))
    parts = np.array_split(data.training_images, 60)
    return np.concatenate([squares[part].sum(axis=1) for part in parts])
