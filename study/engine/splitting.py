"""Which training images a run trains on, and which it validates on."""

import numpy as np
from numpy.typing import NDArray


def split(n: int, validation: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices (n - validation,) to train on and (validation,) to validate on, both in random order, without overlap.

    The same seed gives the same split. Its stream is its own: no other use of the seed shares it. ValueError unless
    0 <= validation < n and seed >= 0.
    """
    if not 0 <= validation < n:
        raise ValueError(f"validation is {validation}; of {n} examples, 0 to {n - 1} can be held out")
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must be 0 or more")
    role = np.random.SeedSequence(seed, spawn_key=tuple(b"split"))
    order = np.random.default_rng(role).permutation(n)
    return order[validation:], order[:validation]
