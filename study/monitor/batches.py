"""Get the data to measure on: the user's, or the first batches that training takes, without taking them away."""

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


def as_batch(probe: tuple[Any, ...]) -> Any:
    """Return (x, y) or (x, y, sample_weight) as tensors; as in fit, float64 becomes Keras' float type."""

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

    The model's compiled train function is wrapped until these batches are used up. It trains on the same batches in the
    same order, from an iterator of the same signature.
    """
    original = model.train_function
    calls = math.ceil(number / model.steps_per_execution)
    stand_in: list[Any] = []

    @functools.wraps(original)
    def first(iterator: Any) -> Any:
        nonlocal calls
        if not stand_in:
            batches = _taken(iterator, calls * model.steps_per_execution)
            if not batches:
                return original(iterator)
            use(_joined(batches[:number]))
            stand_in.append(_served(batches, iterator.element_spec))
            calls = math.ceil(len(batches) / model.steps_per_execution)
        calls -= 1
        if calls <= 0 and model.train_function is first:
            model.train_function = original
        return original(stand_in[0] if calls >= 0 else iterator)

    model.train_function = first


def _taken(iterator: Any, number: int) -> list[Any]:
    """Return the next `number` batches, or those that there are."""
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
