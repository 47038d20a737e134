"""The split into training and validation images is random and depends on the seed alone; the images' lengths."""

import numpy as np
import pytest

from study.data.mnist import Dataset
from study.engine import input_norms
from study.engine.seeds import split


def test_a_split_uses_every_index_once() -> None:
    """The two parts have the sizes asked for, and together are 0 ... n-1."""
    training, validation = split(60_000, 12_000, 0)
    assert (training.shape, validation.shape) == ((48_000,), (12_000,))
    assert np.array_equal(np.sort(np.concatenate([training, validation])), np.arange(60_000))


def test_a_split_depends_on_the_seed_alone() -> None:
    """Seed 3 gives these very indices, whatever else drew random numbers before, and seed 4 gives others."""
    np.random.seed(1)  # noqa: NPY002
    training, validation = split(10, 3, 3)
    assert (training.tolist(), validation.tolist()) == ([7, 2, 1, 5, 6, 0, 4], [3, 9, 8])
    assert np.array_equal(split(10, 3, 3)[1], validation)
    assert not np.array_equal(split(60_000, 12_000, 3)[1], split(60_000, 12_000, 4)[1])


def test_a_split_is_random_in_every_stretch() -> None:
    """The first 1,000 of the validation images sample the whole file: their mean index is n/2, within 5 sigma."""
    for seed in range(5):
        first = split(60_000, 12_000, seed)[1][:1000]
        assert abs(first.mean() - 30_000) < 5 * 60_000 / np.sqrt(12 * 1000)


def test_a_split_has_a_stream_of_its_own() -> None:
    """It is not the permutation another use of the same seed would draw."""
    assert not np.array_equal(np.concatenate(split(100, 0, 7)), np.random.default_rng(7).permutation(100))


@pytest.mark.parametrize(("n", "validation", "seed"), [(10, 10, 0), (10, -1, 0), (0, 0, 0), (10, 2, -1)])
def test_an_impossible_split_is_refused(n: int, validation: int, seed: int) -> None:
    """No example left to train on, a negative size, a negative seed: ValueError that names the field."""
    with pytest.raises(ValueError, match="seed is -1" if seed < 0 else f"validation is {validation}"):
        split(n, validation, seed)


def test_the_images_lengths_in_groups(tiny_data: Dataset) -> None:
    """In ascending order, with the mean of the images, and group by group the same as sorting all lengths."""
    lengths = np.sort(((tiny_data.training_images / 255) ** 2).sum(axis=1))
    groups = input_norms.square_norms(tiny_data, len(lengths))
    assert groups == pytest.approx(lengths)
    two = input_norms.square_norms(tiny_data, 2)
    assert two == pytest.approx([lengths[: -(-len(lengths) // 2)].mean(), lengths[-(-len(lengths) // 2) :].mean()])
    assert input_norms.square_norms(tiny_data).mean() == pytest.approx(input_norms.square_norm(tiny_data), rel=1e-2)
