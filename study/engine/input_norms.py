"""The squared norms of the images, which scale layer 1's initial signals."""

import numpy as np
from numpy.typing import NDArray

from study.data.mnist import Dataset


def square_norm(data: Dataset) -> float:
    """Mean ||x||^2 of the training images, x in [0, 1]^784."""
    return float(_square_sums(data).sum() / 255**2 / len(data.training_labels))


def square_norms(data: Dataset, groups: int = 60) -> NDArray[np.float64]:
    """||x||^2 of the training images in ascending order, the means of at most `groups` groups of (about) equal size.

    Their mean is close to `square_norm`, their spread is that of the images.
    """
    lengths = np.sort(_square_sums(data)) / 255**2
    return np.array([part.mean() for part in np.array_split(lengths, min(groups, len(lengths)))])


def _square_sums(data: Dataset) -> NDArray[np.int64]:
    """The sum of squared bytes of every training image, (n,), by parts: as whole numbers all bytes take 0.4 GB."""
    squares = np.square(np.arange(256, dtype=np.int64))
    parts = np.array_split(data.training_images, 60)
    return np.concatenate([squares[part].sum(axis=1) for part in parts])
