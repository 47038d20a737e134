"""The split and the order of the images are random and depend on the seed alone; the images' lengths."""

import numpy as np
import pytest
from numpy_network import mean_cosine

from study.data.mnist import Dataset
from study.engine import input_norms
from study.engine.seeds import epoch_order, split


def test_a_split_depends_on_the_seed_alone() -> None:
    """Seed 3 gives these very indices, each once, whatever else drew random numbers before, and seed 4 gives others."""
    np.random.seed(1)  # noqa: NPY002
    training, validation = split(10, 3, 3)
    assert (training.tolist(), validation.tolist()) == ([7, 2, 1, 5, 6, 0, 4], [3, 9, 8])
    assert np.array_equal(split(10, 3, 3)[1], validation)
    assert not np.array_equal(split(60_000, 12_000, 3)[1], split(60_000, 12_000, 4)[1])


@pytest.mark.parametrize(("n", "validation", "seed"), [(10, 10, 0), (10, -1, 0), (0, 0, 0), (10, 2, -1)])
def test_an_impossible_split_is_refused(n: int, validation: int, seed: int) -> None:
    """No example left to train on, a negative size, a negative seed: ValueError that names the field."""
    with pytest.raises(ValueError, match="seed is -1" if seed < 0 else f"validation is {validation}"):
        split(n, validation, seed)


def test_an_epoch_takes_training_images_once_in_a_fresh_order() -> None:
    """No image comes twice, few are left out, and a batch samples all images, other ones in each epoch and seed."""
    training = np.arange(1_000, 2_003)
    orders = [epoch_order(seed, epoch, training, 50) for seed, epoch in ((0, 1), (0, 2), (1, 1))]
    for order in orders:
        assert order.shape == (20, 50)
        assert len(np.unique(order)) == 1_000
        assert np.isin(order, training).all()
        assert order.mean(axis=1) == pytest.approx(1_501, abs=5 * 1_003 / np.sqrt(12 * 50))
    shared = [np.isin(one[0], other[0]).sum() for one, other in ((orders[0], orders[1]), (orders[0], orders[2]))]
    assert max(shared) < 15  # 2.5 of 50 are expected


def test_the_images_lengths_in_groups(tiny_data: Dataset) -> None:
    """In ascending order, with the mean of the images, and group by group the same as sorting all lengths."""
    lengths = np.sort(((tiny_data.training_images / 255) ** 2).sum(axis=1))
    groups = input_norms.square_norms(tiny_data, len(lengths))
    assert groups == pytest.approx(lengths)
    two = input_norms.square_norms(tiny_data, 2)
    assert two == pytest.approx([lengths[: -(-len(lengths) // 2)].mean(), lengths[-(-len(lengths) // 2) :].mean()])
    assert input_norms.square_norms(tiny_data).mean() == pytest.approx(input_norms.square_norm(tiny_data), rel=1e-2)


def test_the_images_mean_cosine_is_that_of_all_pairs(tiny_data: Dataset) -> None:
    """As the mean over the pairs of the matrix of all cosines."""
    images = tiny_data.training_images.astype(float)
    assert input_norms.mean_cosine(tiny_data) == pytest.approx(mean_cosine(images), rel=1e-10)
