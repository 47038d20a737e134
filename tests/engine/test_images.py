"""The data set as tensors: each data set its own, without the pixels that are blank in every image."""

import dataclasses

import numpy as np
import pytest

from study.engine.images import images_of


def test_data_sets_are_told_apart_by_their_checksum(tiny_data):
    """A second data set of the process is not mistaken for the first; each has the mean ||x||^2 of its own images."""
    other = dataclasses.replace(tiny_data, training_images=255 - tiny_data.training_images, checksum="its negative")
    for data in (tiny_data, other, tiny_data):
        images = images_of(data)
        restored = images.widened(images.images.numpy(), np.zeros((1343, 784), np.uint8))
        np.testing.assert_array_equal(restored[:1303], data.training_images)
        np.testing.assert_array_equal(restored[1303:], data.test_images)
        x = data.training_images / 255
        assert images.square_norm == pytest.approx((x**2).sum(1).mean(), rel=1e-12)
        assert images.test_indices.tolist() == list(range(1303, 1343))


def test_pixels_that_are_blank_in_every_image_are_left_out(tiny_data):
    """What layer 1 gives and its norm stay; ink in one test image keeps a pixel. Whole images keep all."""
    inked = dataclasses.replace(tiny_data, test_images=tiny_data.test_images.copy(), checksum="a blot more")
    inked.test_images[7, 11] = 1
    kernel = np.random.default_rng(0).standard_normal((5, 784))
    for data, blank in ((tiny_data, list(range(0, 784, 11))), (inked, [0, *range(22, 784, 11)])):
        images = images_of(data)
        assert np.setdiff1d(np.arange(784), images.inked).tolist() == blank
        narrow = images.narrowed(kernel)
        assert narrow.shape[1] == images.images.shape[1] == 720
        both = np.concatenate([data.training_images, data.test_images])
        np.testing.assert_allclose(images.images.numpy() @ narrow.T, both @ kernel.T, rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(np.linalg.norm(narrow), np.linalg.norm(kernel), rtol=1e-14)
        np.testing.assert_array_equal(images.widened(narrow, kernel), kernel)
    whole = images_of(tiny_data, is_whole=True)
    np.testing.assert_array_equal(whole.images[:1303], tiny_data.training_images)
    assert whole.narrowed(kernel) is kernel
