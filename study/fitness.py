"""Check that an activation is elementwise, pure, differentiable, finite and compilable, before any of its runs."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from study.activations import Activation, ActivationError, value_and_derivative

Function = Callable[[tf.Tensor], tf.Tensor]

POINTS = np.append(np.linspace(-100, 100, 2001), -0.0)  # values of z at which an activation is checked
PART = slice(1300, 500, -1)  # from 30 down to -49.9: a tensor of another shape, order, sum, maximum and minimum
ROUNDING = {"float32": 1e-4, "float64": 1e-9}  # by dtype: a difference up to this times max(1, |value|) is rounding


def check(activation: Activation) -> None:
    """Raise ActivationError, whose message says why, if `activation` is not fit for the study."""
    _check_entry(activation)
    function = activation.function
    for dtype in ("float32", "float64"):
        points = POINTS.astype(dtype)
        whole = _evaluate(function, points.reshape(2, -1)).reshape(2, -1)
        part = _evaluate(function, points[PART])
        when = f"beside {points.size - 1} other values of z and {{}} beside {part.shape[1] - 1}"
        _compare(whole[:, PART], part, points[PART], when, "be elementwise: it must depend on its own z alone")
        if not whole[1].any():
            raise ActivationError("has a derivative of zero everywhere on [-100, 100]; it must be differentiable")
    _check_compiles(function)


def _check_entry(entry: object) -> None:
    """Raise ActivationError unless `entry` is an Activation of a callable, hashable function and of texts."""
    if not isinstance(entry, Activation):
        raise ActivationError(f"is of type {type(entry).__name__}; it must be an Activation")
    if not callable(entry.function):
        raise ActivationError(f"has a function of type {type(entry.function).__name__}; it must be callable")
    for field in ("label", "formula", "source"):
        if not isinstance(text := getattr(entry, field), str):
            raise ActivationError(f"has a {field} of type {type(text).__name__}; it must be a text")
    try:
        hash(entry.function)
    except TypeError as error:
        raise ActivationError(f"has a function that is not hashable ({error}); it must be") from error


def _evaluate(function: Function, points: np.ndarray) -> np.ndarray:
    """Return phi and phi' of `function` at `points`, stacked to (2, *shape of `points`), in the dtype of `points`.

    Raise ActivationError if `function` raises, changes shape or dtype, is not finite, or differs in a second call.
    """
    dtype = points.dtype.name
    try:
        value = function(tf.constant(points))
        _check_kind(value, points)
        found = np.stack(value_and_derivative(function, points))
    except ActivationError:
        raise
    except Exception as error:
        raise ActivationError(f"raises {_brief(error)} on a {dtype} tensor; it must take any float tensor") from error
    for what, numbers in zip(("value", "derivative"), found, strict=True):
        if not np.isfinite(numbers).all():
            where = points[~np.isfinite(numbers)][0]
            raise ActivationError(f"has a {what} that is not finite at z = {where:g}; it must be on [-100, 100]")
    again = "in one call and {} in the next"
    _compare(value.numpy()[None], found[:1], points, again, "be a pure function, without state or random numbers")
    return found


def _check_kind(value: object, points: np.ndarray) -> None:
    """Raise ActivationError unless `value` is a tensor of the shape and the dtype of `points`."""
    if not isinstance(value, tf.Tensor):
        raise ActivationError(f"returns a {type(value).__name__}; it must return a tensor")
    if value.shape != points.shape:
        raise ActivationError(f"returns shape {tuple(value.shape)} for {points.shape}; it must keep the shape")
    if value.dtype.name != points.dtype.name:
        raise ActivationError(f"returns {value.dtype.name} for {points.dtype.name}; it must keep the dtype")


def _compare(first: np.ndarray, second: np.ndarray, points: np.ndarray, when: str, wanted: str) -> None:
    """Raise ActivationError if the values `first` and `second` at `points` differ by more than ROUNDING.

    Both hold phi, or phi and phi', in the shape (1 or 2, *shape of `points`). In the message, {} in the text `when`
    stands for the value in `second`, and `wanted` says what the function must do.
    """
    for what, one, other in zip(("value", "derivative"), first, second, strict=False):
        differs = np.abs(one - other) > ROUNDING[points.dtype.name] * np.maximum(1, np.abs(one))
        if differs.any():
            z, a, b = (numbers[differs][0] for numbers in (points, one, other))
            raise ActivationError(f"has the {what} {a:g} at z = {z:g} {when.format(f'{b:g}')}; it must {wanted}")


def _check_compiles(function: Function) -> None:
    """Raise ActivationError unless XLA compiles `function` and its derivative as in the engine, without tf.Variable."""

    def value_and_gradient(z: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = function(z)
        return [value, tape.gradient(value, z)]

    points = tf.constant(POINTS.astype("float32").reshape(11, -1))
    program = tf.function(value_and_gradient, jit_compile=True, autograph=False)
    try:
        traced = program.get_concrete_function(points)
    except Exception as error:
        wanted = "it must use tensor operations alone, without an if of Python on values and without numpy"
        raise ActivationError(f"raises {_brief(error)} when TensorFlow traces it; {wanted}") from error
    if any(captured.dtype == tf.resource for captured in traced.captured_inputs):
        raise ActivationError("reads a tf.Variable; it must depend on z alone")
    try:
        program.experimental_get_compiler_ir(points)(stage="hlo")  # finds what XLA lacks; machine code takes 0.2 s more
    except Exception as error:
        raise ActivationError(f"raises {_brief(error)} when XLA compiles it; it must use operations of XLA") from error


def _brief(error: Exception) -> str:
    """Return the type of `error`, and in brackets its first sentence, cut at 200 characters."""
    message = " ".join(str(error).split()).split(". ")[0].rstrip(".")
    return f"{type(error).__name__} ({message[:200]})"
