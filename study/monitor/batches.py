"""Get the data to measure on: the user's, or the first batches that training takes, without taking them away."""

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


def as_batch(probe: tuple[Any, ...]) -> Any:
    """Convert the arrays of `probe`, (x, y) or (x, y, sample_weight), to tensors; float64 to Keras' float type."""

    def tensor(leaf: Any) -> Any:
        array = tf.convert_to_tensor(leaf)
        return tf.cast(array, keras.config.floatx()) if array.dtype == tf.float64 else array

    return keras.tree.map_structure(lambda leaf: None if leaf is None else tensor(leaf), probe)


def count(share: float | None, batches: int | None) -> int:
    """Return how many of an epoch's `batches` are the `share` of the training data, one if no share is given."""
    if share is None:
        return 1
    if batches is None:
        raise ValueError(
            f"probe is {share}, a share of training data whose number of batches is not known; "
            "give steps_per_epoch to fit, or probe=(x, y)"
        )
    return max(1, round(share * batches))


def take_first(model: Any, number: int, use: Callable[[Any], None]) -> None:
    """Call `use` with the first `number` batches of training, as one batch, before `model` trains on them.

    Replace the model's compiled train function until these batches are used up. Several callers share one replacement.
    """
    current = model.train_function
    if isinstance(current, _First) and current.source is not None:
        current.restore()  # an earlier fit was interrupted
    if not isinstance(model.train_function, _First):
        model.train_function = _First(model)
    model.train_function.users.append((number, use))


class _First:
    """Replace the train function of `model`; train on the same batches, from an iterator of the same signature.

    `users` are pairs: a number of batches, and the function to call with them. `source` is the iterator of the first
    call. A call with another iterator belongs to a later fit, and does not train on the batches of the first.
    """

    def __init__(self, model: Any) -> None:
        self.model, self.__wrapped__ = model, model.train_function
        self.users: list[tuple[int, Callable[[Any], None]]] = []
        self.source: Any = None
        self._stand_in: Any = None
        self._calls = 0  # of the train function until the stand-in is used up

    def __call__(self, iterator: Any) -> Any:
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
        """Give the model its own train function back."""
        self.model.train_function = self.__wrapped__

    def _take(self) -> None:
        executed = self.model.steps_per_execution
        calls = max(math.ceil(number / executed) for number, _ in self.users)
        batches = _taken(self.source, calls * executed)
        if batches:
            for number, use in self.users:
                use(_joined(batches[:number]))
            self._stand_in = _served(batches, self.source.element_spec)
            self._calls = math.ceil(len(batches) / executed)


def _taken(iterator: Any, number: int) -> list[Any]:
    """Return the next `number` batches of `iterator`, or all that are left if there are fewer."""
    batches: list[Any] = []
    while len(batches) < number and (following := iterator.get_next_as_optional()).has_value():
        batches.append(following.get_value())
    return batches


def _joined(batches: list[Any]) -> Any:
    """Join batches along their first axis; None, which Keras replaces by an Optional, is None again."""
    batches = [
        keras.tree.map_structure(lambda leaf: None if isinstance(leaf, tf.experimental.Optional) else leaf, batch)
        for batch in batches
    ]
    if len(batches) == 1:
        return batches[0]
    return keras.tree.map_structure(lambda *leaves: None if leaves[0] is None else tf.concat(leaves, 0), *batches)


def _served(batches: list[Any], spec: Any) -> Any:
    """Return an iterator over `batches` whose tensors have the static shapes of `spec`, so that nothing is retraced."""

    def relaxed(*batch: Any) -> Any:
        batch = batch if isinstance(spec, tuple) else batch[0]
        return tf.nest.map_structure(_with_shape, batch, spec)

    datasets = [tf.data.Dataset.from_tensors(batch) for batch in batches]
    return iter(functools.reduce(lambda one, other: one.concatenate(other), datasets).map(relaxed))


def _with_shape(tensor: Any, spec: Any) -> Any:
    if not isinstance(spec, tf.TensorSpec):
        return tensor
    return tf.compat.v1.placeholder_with_default(tensor, spec.shape)
