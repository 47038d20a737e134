"""Run a model's training step on fixed data without training: every state stays as it is, and measures come out."""

import random
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR
from numpy.typing import NDArray

from study.monitor import measures
from study.monitor.measures import MEASURES, WEIGHT_MEASURES
from study.monitor.tapping import Call, Taps, key
from study.monitor.watching import Choice, Watched, all_layers, watched_layers

WRITES = re.compile("Assign|Resource(Scatter|Apply|SparseApply|StridedSliceAssign)|LookupTableInsert")


class Probe:
    """Measure the watched layers of a `model` on batches as `train_step` takes them, of the shapes of `data`.

    `calls` are the rows of the measures: each call of a layer, then the layers that were not called.
    """

    def __init__(self, model: Any, data: Any, layers: Choice) -> None:
        self.model = model
        self.optimizers = optimizers_of(model)
        self.layers = all_layers(model)
        self.watched = watched_layers(model, layers)
        self.calls: list[Call] = []
        self._trainable = {key(variable) for variable in model.trainable_variables}
        self._is_eager = bool(model.run_eagerly)
        self._measure = self._unchanging if self._is_eager else self._compiled(data)
        self._ratios = tf.function(self._update_ratios, autograph=False, reduce_retracing=True)

    def is_trainable(self, watched: Watched) -> bool:
        """Tell whether the optimiser may change the layer's kernels."""
        return any(key(kernel) in self._trainable for kernel in watched.kernels)

    def measure(self, data: Any, before: list[list[Any]] | None) -> tuple[NDArray[np.float64], bool]:
        """Return MEASURES on `data` as (calls, measures), and whether all gradients are finite.

        `before` holds the watched layers' kernels before the last update, as `snapshot` returned them.
        """
        with _random_states_kept():
            values, is_finite = self._measure(data)
        found = np.array(values)
        ratios = [np.nan] * len(self.watched) if before is None else np.array(self._ratios(before))
        of_layer = dict(zip((id(each) for each in self.watched), ratios, strict=True))
        first = [of_layer[id(call.watched)] if call.number == 1 else np.nan for call in self.calls]
        return np.column_stack([found, first]), bool(is_finite)

    def snapshot(self) -> list[list[Any]]:
        """Copy the kernels of all watched layers that train."""
        return [[tf.identity(kernel.value) for kernel in self._training(each)] for each in self.watched]

    def _training(self, watched: Watched) -> list[Any]:
        return [kernel for kernel in watched.kernels if key(kernel) in self._trainable]

    def _update_ratios(self, before: list[list[Any]]) -> Any:
        pairs = zip(before, self.watched, strict=True)
        return tf.stack([measures.update_ratio(old, [k.value for k in self._training(each)]) for old, each in pairs])

    def _compiled(self, data: Any) -> Any:
        """Trace the measures into a program, and refuse one that writes to any variable."""
        with _random_states_kept():
            traced = tf.function(self._measured, autograph=False).get_concrete_function(data)
        definition = traced.graph.as_graph_def()
        nodes = [*definition.node, *(node for part in definition.library.function for node in part.node_def)]
        if writes := sorted({node.op for node in nodes if WRITES.match(node.op)}):
            raise ValueError(_refusal(self.model, ", ".join(writes)))
        return traced

    def _unchanging(self, data: Any) -> Any:
        """Measure without a graph, and refuse a step that changes a variable of the model or of its optimisers."""
        states = [*self.model.variables, *(each for optimizer in self.optimizers for each in optimizer.variables)]
        before = [state.numpy() for state in states]
        measured = self._measured(data)
        for state, value in zip(states, before, strict=True):
            if not np.array_equal(state.numpy(), value, equal_nan=value.dtype.kind == "f"):
                state.assign(value)
                raise ValueError(_refusal(self.model, state.path))
        return measured

    def _measured(self, data: Any) -> tuple[Any, Any]:
        taps = Taps(self.watched)
        with taps.placed(self.layers, self.optimizers), keras.StatelessScope(collect_losses=True) as scope:
            for variable in self.model.trainable_variables:
                if variable.regularizer is not None:  # else the scope would have no value to regularise
                    scope.add_update((variable, variable._value))
            with warnings.catch_warnings(action="ignore"):  # training gives the same warnings
                self.model.train_step(data)
        called = {id(call.watched) for call in taps.calls}
        self.calls = [*taps.calls, *(Call(each, 1) for each in self.watched if id(each) not in called)]
        squares = {name: measures.square_of_gradient(*pair) for name, pair in taps.gradients.items()}
        rows = [_of_layer(call, squares) | measures.of_call(call) for call in self.calls]
        values = tf.stack([tf.stack([row[name] for name in MEASURES[:-1]]) for row in rows])
        for call in self.calls:  # the tensors are needed no more, and would keep memory
            call.inputs = call.z = call.output = call.delta = call.scale = None
        return values, tf.reduce_all(tf.math.is_finite(tf.stack([*squares.values(), tf.zeros((), tf.float64)])))


def _of_layer(call: Call, squares: dict[int, Any]) -> dict[str, Any]:
    """Return the measures of a layer's weights; NaN unless this is its first call.

    `squares` are the gradients' sums of squares, by the keys of their variables.
    """

    def norm(weights: tuple[Any, ...]) -> Any:
        known = [squares[key(weight)] for weight in weights if key(weight) in squares]
        return tf.sqrt(tf.add_n(known)) if known else undefined

    undefined = tf.constant(float("nan"), tf.float64)
    if call.number > 1:
        return dict.fromkeys(WEIGHT_MEASURES, undefined)
    watched = call.watched
    rms = measures.weight_rms(kernel.value for kernel in watched.kernels)
    return {"weight_gradient": norm(watched.kernels), "bias_gradient": norm(watched.biases), "weight_rms": rms}


def refuse(model: Any) -> None:
    """Refuse, in one sentence, what cannot be measured."""
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"GradientLogger needs Keras on the TensorFlow backend, not {keras.backend.backend()}; "
            "set KERAS_BACKEND=tensorflow before Keras is imported"
        )
    if model._distribute_strategy is not None or tf.distribute.has_strategy() or keras.distribution.distribution():
        raise RuntimeError(
            "GradientLogger measures on one device and this model was made for a distribution strategy; "
            "train a copy without the strategy to look at its gradients"
        )


def optimizers_of(model: Any) -> list[Any]:
    """Return the optimisers that the model's attributes hold, also those in lists and dicts."""
    held: list[Any] = []
    for value in vars(model).values():
        held += value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
    return list({id(each): each for each in held if isinstance(each, keras.optimizers.Optimizer)}.values())


def inner(optimizer: Any) -> Any:
    """Return the optimiser itself, without the wrapper that scales the loss of mixed precision."""
    return optimizer.inner_optimizer if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) else optimizer


def built(model: Any, data: Any) -> bool:
    """Create the variables of a model that has none yet, as its first training step would; tell whether all exist."""
    if not _is_built(model) and type(model).call is not keras.Model.call:
        x, *_ = keras.utils.unpack_x_y_sample_weight(data)
        with keras.StatelessScope():
            model(x, **({"training": True} if model._call_has_training_arg else {}))
    return _is_built(model)


def _is_built(model: Any) -> bool:
    return all(layer.built for layer in model._flatten_layers(include_self=False))


def _refusal(model: Any, what: str) -> str:
    return (
        f"GradientLogger cannot measure {model.name}: its train_step changes state that Keras does not manage "
        f"({what}); keep it in keras.Variable, and optimizers in attributes of the model"
    )


@contextmanager
def _random_states_kept() -> Iterator[None]:
    """Undo what a step draws from the random generators of Python, numpy and Keras."""
    python, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002 - the state that users' code may use
    seeds = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)  # noqa: NPY002
        global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, seeds)
