"""Read and write the rows of stacked tensors: a group of layers has one row per layer in each of its tensors.

A nest is a tensor, or any structure of tuples and dicts of tensors. A loop cannot write into a tensor, so `opened` puts
a TensorArray in place of each tensor. The result is called an opened nest. `read` and `written` take it, and `closed`
turns it back into a nest.
"""

from typing import Any

import tensorflow as tf


def row_of(nest: Any, row: Any) -> Any:
    """Return the nest with each tensor (rows, ...) cut to its row `row`; a tensor of one row is cut to that row."""

    def of(tensor: tf.Tensor) -> tf.Tensor:
        # A slice is five operations to trace, and squeezing an axis of 1 is one.
        return tf.squeeze(tensor, 0) if tensor.shape[0] == 1 else tensor[row]

    return tf.nest.map_structure(of, nest)


def cast(nest: Any, dtype: tf.DType) -> Any:
    """Return the nest with every tensor converted to `dtype`."""
    return tf.nest.map_structure(lambda tensor: tf.cast(tensor, dtype), nest)


def opened(nest: Any) -> Any:
    """Return the nest with each tensor (rows, ...) replaced by a TensorArray, whose rows a loop can read and write."""

    def of(tensor: tf.Tensor) -> tf.TensorArray:
        rows, *shape = tensor.shape
        return tf.TensorArray(tensor.dtype, rows, clear_after_read=False, element_shape=shape).unstack(tensor)

    return tf.nest.map_structure(of, nest)


def read(arrays: Any, row: Any) -> Any:
    """Return the row of index `row` of the opened nest `arrays`: a nest of tensors (...)."""
    return tf.nest.map_structure(lambda array: array.read(row), arrays)


def written(arrays: Any, row: Any, values: Any) -> Any:
    """Return the opened nest with `values` written to its row `row`; the argument `arrays` must not be used again."""
    return tf.nest.map_structure(lambda array, value: array.write(row, value), arrays, values)


def closed(arrays: Any) -> Any:
    """Return the nest of tensors (rows, ...) that the opened nest `arrays` holds; this undoes `opened`."""
    return tf.nest.map_structure(lambda array: array.stack(), arrays)
