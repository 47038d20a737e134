"""Describe activations of the registry for images with made-up norms."""

from collections.abc import Collection, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from study.records.catalogue import Catalogue, Entries, Grids

SQUARES, COSINE = (60.0, 115.6), 0.4  # ||x||^2 and cosine, of about the mean and spread of MNIST's training images


def describe(
    names: Collection[str],
    kept: Mapping[str, Any],
    grids: Grids,
    squares: tuple[float, ...] = SQUARES,
    cosine: float = COSINE,
) -> tuple[Entries, dict[str, str]]:
    """Return `descriptions(names)` and `refused` of a Catalogue of images with these squared norms and mean cosine."""
    images: Any = SimpleNamespace(training_images=np.eye(2, 784, dtype=np.uint8))
    found = Catalogue(images, kept, grids)
    found.square_norms, found.cosine = list(squares), cosine
    return found.descriptions(names), found.refused
