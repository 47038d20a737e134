"""Derive every random number of a run from its seed: independent streams, the split, and the order of batches."""

import numpy as np
from numpy.typing import NDArray


def seed_for(seed: int, role: str, *index: int) -> np.random.SeedSequence:
    """Return numpy's seed for one use of random numbers in a run, independent of the seeds for all other uses.

    `role` names the use, and `index` distinguishes several uses of one role, such as layers.
    """
    return np.random.SeedSequence([seed, *role.encode(), *index])


def number_for(seed: int, role: str, *index: int) -> int:
    """Return a whole number from 0 to 2**31 - 1, drawn from the result of `seed_for` for the same arguments."""
    return int(seed_for(seed, role, *index).generate_state(1)[0]) & 0x7FFFFFFF


def split(n: int, validation: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split the indices of n images at random: (n - validation,) to train on, and (validation,) to validate on.

    Raise ValueError unless 0 <= validation < n and seed >= 0.
    """
    if not 0 <= validation < n:
        raise ValueError(f"validation is {validation}; of {n} examples, 0 to {n - 1} can be held out")
    if seed < 0:
        raise ValueError(f"seed is {seed}; it must be 0 or more")
    role = np.random.SeedSequence(seed, spawn_key=tuple(b"split"))
    order = np.random.default_rng(role).permutation(n)
    return order[validation:], order[:validation]


def epoch_order(seed: int, epoch: int, training: NDArray[np.int64], batch: int) -> NDArray[np.int64]:
    """Permute the indices `training` for an epoch; return its batches (steps, batch) and leave out the remainder."""
    shuffled = np.random.default_rng(seed_for(seed, "order", epoch)).permutation(training)
    return shuffled[: len(training) // batch * batch].reshape(-1, batch)
