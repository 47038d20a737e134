"""Shifted images, by a second method: numpy's roll of a padded image."""

import numpy as np
import tensorflow as tf

from study.engine.augmentation import SIDE, shifted


def test_every_image_is_moved_as_a_whole_and_black_comes_in():
    """Each result is one of the (2 m + 1)^2 moves of its image; over many images each move happens about as often."""
    most, count = 2, 500
    images = np.random.default_rng(0).integers(1, 256, (count, SIDE, SIDE), dtype=np.uint8)
    found = shifted(tf.constant(images.reshape(count, -1)), most, tf.constant([5, 9])).numpy()
    moves = [(down, across) for down in range(-most, most + 1) for across in range(-most, most + 1)]
    seen = []
    for image, result in zip(images, found, strict=True):
        padded = np.pad(image, most)
        rolled = [np.roll(padded, move, (0, 1))[most:-most, most:-most] for move in moves]
        (which,) = [i for i, candidate in enumerate(rolled) if np.array_equal(candidate.ravel(), result)]
        seen.append(which)
    assert found.dtype == np.uint8
    assert np.bincount(seen, minlength=25).min() > 5


def test_the_seed_decides_the_moves():
    images = tf.constant(np.random.default_rng(1).integers(0, 256, (20, SIDE**2), dtype=np.uint8))
    once, again, other = (shifted(images, 3, tf.constant([5, step])).numpy() for step in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other)
