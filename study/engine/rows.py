"""Read and write the rows of stacked tensors: a group of layers keeps one row per layer in each of its tensors.

A nest is a tensor, or any structure of tuples and dicts of tensors.
"""

from typing import Any

import tensorflow as tf


def row_of(nest: Any, row: Any) -> Any:
    """Return one row of every tensor (rows, ...) of the nest."""

    def of(tensor: tf.Tensor) -> tf.Tensor:
        # A slice is five operations to trace, and squeezing an axis of 1 is one.
        return tf.squeeze(tensor, 0) if tensor.shape[0] == 1 else tensor[row]

    return tf.nest.map_structure(of, nest)


def cast(nest: Any, dtype: tf.DType) -> Any:
    """Convert every tensor of the nest to `dtype`."""
    return tf.nest.map_structure(lambda tensor: tf.cast(tensor, dtype), nest)


def opened(nest: Any) -> Any:
    """Replace every tensor (rows, ...) by a TensorArray, whose rows a loop can read and write."""

    def of(tensor: tf.Tensor) -> tf.TensorArray:
        rows, *shape = tensor.shape
        return tf.TensorArray(tensor.dtype, rows, clear_after_read=False, element_shape=shape).unstack(tensor)

    return tf.nest.map_structure(of, nest)


def read(arrays: Any, row: Any) -> Any:
    """Return one row of every opened array."""
    return tf.nest.map_structure(lambda array: array.read(row), arrays)


def written(arrays: Any, row: Any, values: Any) -> Any:
    """Write `values`, a nest of the same structure, to one row of the opened arrays."""
    return tf.nest.map_structure(lambda array, value: array.write(row, value), arrays, values)


def closed(arrays: Any) -> Any:
    """Replace every opened array by its tensor (rows, ...)."""
    return tf.nest.map_structure(lambda array: array.stack(), arrays)
