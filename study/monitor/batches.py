"""Get the data to measure on: the user's arrays, or the first batches of training, which the model still trains on."""

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


def as_batch(probe: tuple[Any, ...]) -> Any:
    """Convert the arrays of `probe`, (x, y) or (x, y, sample_weight), to tensors, float64 to Keras' float type.

    None stays None. Raise ValueError for an empty array.
    """

    def tensor(leaf: Any) -> Any:
        array = tf.convert_to_tensor(leaf)
        if array.shape.rank and array.shape[0] == 0:
            raise ValueError("probe has an array without examples; give at least one example")
        return tf.cast(array, keras.config.floatx()) if array.dtype == tf.float64 else array

    return keras.tree.map_structure(lambda leaf: None if leaf is None else tensor(leaf), probe)


def batch_count(share: float | None, batches: int | None) -> int:
    """Return how many batches to measure: `share`, in (0, 1], of an epoch's `batches`, at least 1; 1 without a share.

    Raise ValueError if a share is given but `batches` is None, that is, unknown.
    """
    if share is None:
        return 1
    if batches is None:
        raise ValueError(
            f"probe is {share}, a share of training data whose number of batches is not known; "
            "give steps_per_epoch to fit, or probe=(x, y)"
        )
    return max(1, round(share * batches))


def take_first_batches(model: Any, number: int, receive: Callable[[Any], None]) -> None:
    """Arrange that, when `model` begins to train, `receive` is called with its first `number` batches, joined into one.

    The model then trains on the same batches. If the data have fewer batches, `receive` gets all of them; if they have
    none, it is not called. Several callers, such as two loggers, share one replacement of `model.train_function`.
    """
    current = model.train_function
    if isinstance(current, _FirstBatches) and current.source is not None:
        current.restore()  # an earlier fit was interrupted
    if not isinstance(model.train_function, _FirstBatches):
        model.train_function = _FirstBatches(model)
    model.train_function.receivers.append((number, receive))


class _FirstBatches:
    """Stand in for the train function of `model`: take the first batches, then train on these same batches.

    `receivers` are the pairs (number, receive) of `take_first_batches`. `source` is the iterator of the first call, or
    None before. `_stand_in` is an iterator over the batches taken from it. A call with another iterator belongs to a
    later fit, and gets none of these batches.
    """

    def __init__(self, model: Any) -> None:
        self.model, self.__wrapped__ = model, model.train_function
        self.receivers: list[tuple[int, Callable[[Any], None]]] = []
        self.source: Any = None
        self._stand_in: Any = None
        self._calls = 0  # calls of the train function that `_stand_in` still has batches for

    def __call__(self, iterator: Any) -> Any:
        """Train by the train function that this object replaced, on batches of `_stand_in`, or of `iterator` after it.

        With the last batches of `_stand_in`, or if another iterator comes, the model gets that train function back.
        """
        if self.source is None:
            self.source = iterator
            self._take()
        if iterator is self.source and self._calls:
            self._calls -= 1
            iterator = self._stand_in
        else:
            self._calls = 0
        if not self._calls:
            self.restore()
        return self.__wrapped__(iterator)

    def restore(self) -> None:
        """Give the model back the train function that this object replaced."""
        self.model.train_function = self.__wrapped__

    def _take(self) -> None:
        """Take batches from `source`, for whole calls of the train function if possible; call the `receivers`."""
        executed = self.model.steps_per_execution
        calls = max(math.ceil(number / executed) for number, _ in self.receivers)
        batches: list[Any] = []
        while len(batches) < calls * executed and (following := self.source.get_next_as_optional()).has_value():
            batches.append(following.get_value())
        if batches:
            for number, receive in self.receivers:
                receive(_joined(batches[:number]))
            self._stand_in = _batch_iterator(batches, self.source.element_spec)
            self._calls = math.ceil(len(batches) / executed)


def _joined(batches: list[Any]) -> Any:
    """Join `batches` of one structure along the first axis; TensorFlow's Optional for no weights becomes None."""
    batches = [
        keras.tree.map_structure(lambda leaf: None if isinstance(leaf, tf.experimental.Optional) else leaf, batch)
        for batch in batches
    ]
    if len(batches) == 1:
        return batches[0]
    return keras.tree.map_structure(lambda *leaves: None if leaves[0] is None else tf.concat(leaves, 0), *batches)


def _batch_iterator(batches: list[Any], spec: Any) -> Any:
    """Return an iterator over `batches` with the static shapes of `spec`; the train function is traced for these."""

    def with_shape(tensor: Any, of_tensor: Any) -> Any:
        is_tensor = isinstance(of_tensor, tf.TensorSpec)
        # A placeholder with a default value may have a less specific static shape than its value.
        return tf.compat.v1.placeholder_with_default(tensor, of_tensor.shape) if is_tensor else tensor

    def relaxed(*batch: Any) -> Any:
        return tf.nest.map_structure(with_shape, batch if isinstance(spec, tuple) else batch[0], spec)

    datasets = [tf.data.Dataset.from_tensors(batch) for batch in batches]
    return iter(functools.reduce(lambda one, other: one.concatenate(other), datasets).map(relaxed))
