"""Distort training images at random inside the compiled training step.

Each pixel of a distorted image takes its value from a position in the undistorted image. An affine map and random bends
(Simard, Steinkraus & Platt 2003) move the nodes of a coarse 6 x 6 grid of positions. Bilinear interpolation gives the
positions between the nodes, exactly for affine maps, and the pixel values at these positions.
"""

import math

import numpy as np
import tensorflow as tf

from study.settings import Settings

SIDE = 28  # pixels
NODES = 6  # on each side of the coarse grid; the outer nodes lie on the outer pixels


def strengths(settings: Settings, epoch: int) -> list[float]:
    """Return the five strengths of the distortions in the epoch numbered `epoch`, counted from 1.

    They are the largest shift (pixels), rotation (radians), scaling, shear and bend (pixels), in this order. In the
    last `weaker_epochs` epochs, each is multiplied by `weaker_share`.
    """
    is_weaker = settings.weaker_epochs > 0 and epoch > settings.epochs - settings.weaker_epochs
    share = settings.weaker_share if is_weaker else 1.0
    most = (settings.shift, math.radians(settings.rotation), settings.scaling, settings.shear, settings.elastic)
    return [share * number for number in most]


def distorted(images: tf.Tensor, most: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Distort each of `images` (B, 784) uint8 at random, and return them as float32 (B, 784), from 0 to 255.

    `most` (5,) holds the `strengths`. `seed` (2,) int32 alone decides the random numbers, for every activation.
    """
    return sampled(images, places(images.shape[0], most, seed))


def places(count: int, most: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draw the places (2, count, 28, 28) in `count` undistorted images that give each distorted pixel its value.

    A place is a row and a column, in pixels from the centre of the first pixel. Relative to the image's centre, places
    are scaled along each axis, sheared, rotated, shifted and bent. `most` and `seed` are as in `distorted`.
    """
    shift, rotation, scaling, shear, elastic = tf.unstack(tf.cast(most, tf.float32))
    shape = [6 + 2 * NODES**2, count, 1, 1]
    draws = tf.random.stateless_uniform(shape, seed, -1, 1, tf.float32, alg="philox")
    down, across, turn, stretch_y, stretch_x, slant = tf.unstack(draws[:6])
    nodes = tf.linspace(-(SIDE - 1) / 2, (SIDE - 1) / 2, NODES)
    y = tf.cast(nodes, tf.float32)[:, tf.newaxis] * (1 + scaling * stretch_y)  # (count, NODES, 1)
    x = tf.cast(nodes, tf.float32) * (1 + scaling * stretch_x) + shear * slant * y  # (count, NODES, NODES)
    cosine, sine = tf.cos(rotation * turn), tf.sin(rotation * turn)
    affine = tf.stack([cosine * y - sine * x + shift * down, sine * y + cosine * x + shift * across])
    bends = tf.transpose(tf.reshape(draws[6:], [2, NODES, NODES, count]), [0, 3, 1, 2])
    weights = tf.constant(_interpolation())
    grid = affine + elastic * bends + (SIDE - 1) / 2
    return tf.einsum("ik,cnkl,jl->cnij", weights, grid, weights)


def _interpolation() -> np.ndarray:
    """Return (28, NODES) float32: the weight of each node in the linear interpolation at each pixel along one side."""
    at = np.arange(SIDE) * (NODES - 1) / (SIDE - 1)
    weights: np.ndarray = np.maximum(0, 1 - np.abs(at[:, np.newaxis] - np.arange(NODES)))
    return weights.astype(np.float32)


def sampled(images: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
    """Return the values of `images` (B, 784) at the places `at` (2, B, 28, 28), as float32 (B, 784).

    Values are interpolated bilinearly between the four pixels around a place; outside of the image, pixels are 0.
    """
    count, width = images.shape[0], SIDE + 2
    padded = tf.pad(tf.reshape(images, [count, SIDE, SIDE]), [[0, 0], [1, 1], [1, 1]])
    pixels = tf.reshape(padded, [-1])
    place = tf.clip_by_value(tf.reshape(at, [2, count, SIDE**2]) + 1, 0, width - 1)
    corner = tf.minimum(tf.floor(place), width - 2)
    (row, column), (down, across) = tf.unstack(tf.cast(corner, tf.int32)), tf.unstack(place - corner)
    first = (tf.range(count)[:, tf.newaxis] * width + row) * width + column

    def between(offset: int) -> tf.Tensor:
        left, right = (tf.cast(tf.gather(pixels, first + offset + step), tf.float32) for step in (0, 1))
        return left + across * (right - left)

    upper, lower = between(0), between(width)
    return upper + down * (lower - upper)
