"""Distorted images, by second methods: scipy's sampling, and the affine maps that numpy finds in the places."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import map_coordinates

from study.engine.augmentation import NODES, SIDE, distorted, places, sampled, strengths
from study.settings import Settings

CENTRE, COUNT = (SIDE - 1) / 2, 300
AT = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")) - CENTRE  # (2, 28, 28)


def drawn(shift=0.0, rotation=0.0, scaling=0.0, shear=0.0, elastic=0.0, seed=(5, 9)):
    """Return the places of COUNT images from the centre, (COUNT, 2, 28, 28), float64."""
    found = places(COUNT, tf.constant([shift, rotation, scaling, shear, elastic]), tf.constant(seed))
    return np.moveaxis(found.numpy(), 1, 0).astype(float) - CENTRE


def affine(found):
    """Return the matrices (COUNT, 2, 2) and shifts (COUNT, 2) that map AT to the places, by least squares."""
    columns = np.stack([AT[0].ravel(), AT[1].ravel(), np.ones(SIDE**2)], axis=1)
    solution = np.linalg.lstsq(columns, found.reshape(2 * COUNT, -1).T)[0]
    np.testing.assert_allclose(columns @ solution, found.reshape(2 * COUNT, -1).T, atol=1e-4)
    solution = np.moveaxis(solution.reshape(3, COUNT, 2), 0, 2)
    return solution[:, :, :2], solution[:, :, 2]


def test_samples_are_scipys():
    """Bilinear, also between the outer pixels and the black around them, at places inside and far outside."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, SIDE, SIDE), dtype=np.uint8)
    at = rng.uniform(-6, SIDE + 5, (2, 20, SIDE, SIDE)).astype(np.float32)
    at[:, 0] = np.round(at[:, 0])  # exactly on the pixels, the outer ones too
    found = sampled(tf.constant(images.reshape(20, -1)), tf.constant(at)).numpy().reshape(images.shape)
    for image, places_of, result in zip(images, np.moveaxis(at, 1, 0), found, strict=True):
        expected = map_coordinates(image.astype(float), places_of, order=1, mode="grid-constant", cval=0)
        np.testing.assert_allclose(result, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"shift": 2.0}, lambda matrix, shift: [shift[:, 0] / 2, shift[:, 1] / 2]),
        ({"rotation": 0.3}, lambda matrix, shift: [np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0]) / 0.3]),
        ({"scaling": 0.2}, lambda matrix, shift: [(matrix[:, 0, 0] - 1) / 0.2, (matrix[:, 1, 1] - 1) / 0.2]),
        ({"shear": 0.2}, lambda matrix, shift: [matrix[:, 1, 0] / 0.2]),
    ],
)
def test_each_affine_distortion_is_uniform_up_to_its_strength_and_alone(changes, parts):
    """Each of its numbers fills [-1, 1] of the strength, independently; nothing else in the map moves."""
    matrix, shift = affine(drawn(**changes))
    found = np.array(parts(matrix, shift))
    assert np.abs(found).max() < 1 + 1e-5
    assert np.abs(found.mean(axis=1)).max() < 5 / math.sqrt(3 * COUNT)
    np.testing.assert_allclose(found.std(axis=1), 1 / math.sqrt(3), rtol=0.15)
    assert len(found) == 1 or abs(np.corrcoef(found)[0, 1]) < 5 / math.sqrt(COUNT)
    if "shift" not in changes:
        np.testing.assert_allclose(shift, 0, atol=1e-4)
    if "rotation" in changes:
        np.testing.assert_allclose(
            matrix @ np.swapaxes(matrix, 1, 2), np.broadcast_to(np.eye(2), matrix.shape), atol=1e-4
        )
    elif "shear" not in changes:
        np.testing.assert_allclose(matrix[:, [0, 1], [1, 0]], 0, atol=1e-4)


def test_a_bend_is_straight_between_nodes():
    """The moves are within the strength, uniform at the corners, and linear along both axes where no node lies."""
    moves = drawn(elastic=1.5) - AT
    nodes = np.linspace(0, SIDE - 1, NODES)
    inner = np.arange(1, SIDE - 1)
    is_straight = np.array([not np.any(np.abs(nodes - pixel) < 1 - 1e-9) for pixel in inner])
    assert 10 < is_straight.sum() < len(inner)
    for axis in (2, 3):
        bends = np.abs(np.diff(moves, 2, axis=axis)).max(axis=tuple({0, 1, 2, 3} - {axis}))
        assert bends[is_straight].max() < 1e-4 < 0.1 < bends[~is_straight].min()
    assert np.abs(moves).max() < 1.5
    corners = moves[:, :, [0, 0, -1, -1], [0, -1, 0, -1]].reshape(COUNT, -1)
    np.testing.assert_allclose(corners.std(axis=0), 1.5 / math.sqrt(3), rtol=0.15)
    assert np.abs(np.corrcoef(corners.T) - np.eye(8)).max() < 5 / math.sqrt(COUNT)


def test_without_strength_an_image_stays_and_the_seed_decides_the_rest():
    images = tf.constant(np.random.default_rng(1).integers(0, 256, (20, SIDE**2), dtype=np.uint8))
    most = tf.constant([2.0, 0.2, 0.1, 0.1, 1.0])
    np.testing.assert_allclose(distorted(images, 0 * most, tf.constant([5, 1])), images, atol=1e-3)
    once, again, other = (distorted(images, most, tf.constant([5, step])).numpy() for step in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other)


def test_the_last_epochs_are_weaker():
    """Of 10 epochs the last 3 have a quarter of the strength, and so has the batch that is measured after them."""
    chosen = Settings(
        activation="relu", seed=0, shift=2, rotation=180, scaling=0.4, epochs=10, weaker_epochs=3, weaker_share=0.25
    )
    whole = [2, math.pi, 0.4, 0, 0]
    for epoch in range(1, 12):
        expected = np.array(whole) * (0.25 if epoch > 7 else 1)
        np.testing.assert_allclose(strengths(chosen, epoch), expected, rtol=1e-15)
