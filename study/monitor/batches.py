"""Get the data to measure on: the user's arrays, or the first batches of training, which the model still trains on."""

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


def as_batch(probe: tuple[Any, ...]) -> Any:
    """Convert the arrays of `probe`, a tuple (x, y) or (x, y, sample_weight), to tensors in the same structure.

    Tensors of float64 are cast to Keras' default float type. None stays None. Raise ValueError for an empty array.
    """

    def tensor(leaf: Any) -> Any:
        array = tf.convert_to_tensor(leaf)
        if array.shape.rank and array.shape[0] == 0:
            raise ValueError("probe has an array without examples; give at least one example")
        return tf.cast(array, keras.config.floatx()) if array.dtype == tf.float64 else array

    return keras.tree.map_structure(lambda leaf: None if leaf is None else tensor(leaf), probe)


def batch_count(share: float | None, batches: int | None) -> int:
    """Return the number of batches to measure on: `share` (in (0, 1]) of the `batches` of an epoch, at least 1.

    Return 1 if `share` is None. Raise ValueError if a share is given but `batches` is None, that is, unknown.
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
    """Call `receive` with the first `number` batches that `model` is about to train on, joined into one batch.

    The call comes before the first update, and the model then trains on the same batches. If fewer batches are left,
    `receive` gets all of them; if none are left, it is not called. For this, `model.train_function` is replaced until
    the batches are used up. Several callers, such as two loggers, share one replacement.
    """
    current = model.train_function
    if isinstance(current, _FirstBatches) and current.source is not None:
        current.restore()  # an earlier fit was interrupted
    if not isinstance(model.train_function, _FirstBatches):
        model.train_function = _FirstBatches(model)
    model.train_function.receivers.append((number, receive))


class _FirstBatches:
    """Stand in for the train function of `model`: take the first batches, then train on these same batches.

    `receivers` are pairs of a number of batches and the function to call with them. `source` is the iterator of the
    first call, and None before that call. `_stand_in` is an iterator over the batches taken from `source`, with the
    same types and shapes. A call with another iterator belongs to a later fit, and gets none of the batches of the
    first fit.
    """

    def __init__(self, model: Any) -> None:
        self.model, self.__wrapped__ = model, model.train_function
        self.receivers: list[tuple[int, Callable[[Any], None]]] = []
        self.source: Any = None
        self._stand_in: Any = None
        self._calls = 0  # calls of the train function that `_stand_in` still has batches for

    def __call__(self, iterator: Any) -> Any:
        """Train on the next batches, and return the result of the train function that this object replaced.

        The batches come from `_stand_in` while it has some, if `iterator` is `source`, and otherwise from `iterator`.
        Once `_stand_in` is used up, or another iterator comes, the model gets its own train function back.
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
        """Take the first batches from `source`, give each receiver its number of them, and fill `_stand_in`.

        Batches are taken for whole calls of the train function, of `steps_per_execution` batches each.
        """
        executed = self.model.steps_per_execution
        calls = max(math.ceil(number / executed) for number, _ in self.receivers)
        batches = _next_batches(self.source, calls * executed)
        if batches:
            for number, receive in self.receivers:
                receive(_joined(batches[:number]))
            self._stand_in = _batch_iterator(batches, self.source.element_spec)
            self._calls = math.ceil(len(batches) / executed)


def _next_batches(iterator: Any, number: int) -> list[Any]:
    """Return the next `number` batches of `iterator`, or all that are left if there are fewer."""
    batches: list[Any] = []
    while len(batches) < number and (following := iterator.get_next_as_optional()).has_value():
        batches.append(following.get_value())
    return batches


def _joined(batches: list[Any]) -> Any:
    """Join `batches` of one structure into one batch, along the first axis of each tensor.

    Inside a dataset, Keras replaces None (no sample weights, say) by a TensorFlow Optional, which becomes None again.
    """
    batches = [
        keras.tree.map_structure(lambda leaf: None if isinstance(leaf, tf.experimental.Optional) else leaf, batch)
        for batch in batches
    ]
    if len(batches) == 1:
        return batches[0]
    return keras.tree.map_structure(lambda *leaves: None if leaves[0] is None else tf.concat(leaves, 0), *batches)


def _batch_iterator(batches: list[Any], spec: Any) -> Any:
    """Return an iterator over `batches` whose tensors have the static shapes of `spec`, the training data's types.

    The compiled train function is traced for these shapes; others would make TensorFlow trace it again.
    """

    def relaxed(*batch: Any) -> Any:
        batch = batch if isinstance(spec, tuple) else batch[0]
        return tf.nest.map_structure(_with_shape, batch, spec)

    datasets = [tf.data.Dataset.from_tensors(batch) for batch in batches]
    return iter(functools.reduce(lambda one, other: one.concatenate(other), datasets).map(relaxed))


def _with_shape(tensor: Any, spec: Any) -> Any:
    """Return `tensor` with the static shape of `spec`; return it unchanged if `spec` is not a TensorSpec.

    A placeholder with a default value may have a less specific static shape than its value.
    """
    if not isinstance(spec, tf.TensorSpec):
        return tensor
    return tf.compat.v1.placeholder_with_default(tensor, spec.shape)
