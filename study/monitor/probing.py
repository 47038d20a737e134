"""Measure a model on fixed data: run its training step without an update, and leave every state as it is."""

import itertools
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
from tensorflow.python.eager import context

from study.monitor import measures
from study.monitor.measures import MEASURES, WEIGHT_MEASURES
from study.monitor.tapping import Call, Scope, Taps, variable_id
from study.monitor.watching import LayerChoice, Watched, all_layers, watched_layers

_SEED_NUMBERS = itertools.count()  # one for each context of `_random_states_kept`
# Operations of TensorFlow that write to variables or tables.
WRITE_OPERATIONS = re.compile("Assign|Resource(Scatter|Apply|SparseApply|StridedSliceAssign)|LookupTableInsert")
FEW = 3  # variables that the message of an error names


class Probe:
    """Measure the layers of `model` that `choice` selects on batches with the structure and shapes of `data`.

    `choice` is `layers` of `GradientLogger`, and `data` a batch as `train_step` takes it. `layers` holds the layers of
    `all_layers`, and `watched` the chosen layers. `calls` has a call for each row of the measures: first the calls of
    the step, in order. One more follows for each watched layer that the step did not call.

    Raise ValueError if `choice` chooses no layer or names an unknown one. Raise it too if the step is decorated with
    tf.function or writes to variables that Keras does not manage; an eager model raises this only in `measure`.
    """

    def __init__(self, model: Any, data: Any, choice: LayerChoice) -> None:
        self.model = model
        self.optimizers = optimizers_of(model)
        self.layers = all_layers(model)
        with _random_states_kept(), keras.StatelessScope():  # activations are called to find their slopes
            self.watched = watched_layers(model, choice)
        self.calls: list[Call] = []
        self._trainable = {variable_id(variable) for variable in model.trainable_variables}
        self._measure = self._measured_and_checked if model.run_eagerly else self._compiled(data)
        self._ratios = tf.function(self._update_ratios, autograph=False, reduce_retracing=True)

    def measure(self, data: Any, before: list[list[Any]] | None) -> tuple[NDArray[np.float64], bool]:
        """Return the measures (calls, MEASURES) on the batch `data`, and whether all gradients of weights are finite.

        `before` is the result of `snapshot` before the last update. Without it, the measure update_ratio is NaN.
        """
        with _random_states_kept():
            values, is_finite = self._measure(data)
        found = np.array(values)
        ratios = [np.nan] * len(self.watched) if before is None else np.array(self._ratios(before))
        of_layer = dict(zip((id(each) for each in self.watched), ratios, strict=True))
        first = [of_layer[id(call.watched)] if call.number == 1 else np.nan for call in self.calls]
        return np.column_stack([found, first]), bool(is_finite)

    def snapshot(self) -> list[list[Any]]:
        """Return copies of the trainable kernels of each watched layer: a list of tensors per layer."""
        return [[tf.identity(kernel.value) for kernel in self.trainable_kernels(each)] for each in self.watched]

    def trainable_kernels(self, watched: Watched) -> list[Any]:
        """Return those kernels of the layer `watched` that the model trains."""
        return [kernel for kernel in watched.kernels if variable_id(kernel) in self._trainable]

    def _update_ratios(self, before: list[list[Any]]) -> Any:
        # NaN for a layer without trainable kernels.
        pairs = zip(before, self.watched, strict=True)
        return tf.stack(
            [measures.update_ratio(old, [k.value for k in self.trainable_kernels(each)]) for old, each in pairs]
        )

    def _compiled(self, data: Any) -> Any:
        """Return `_measured`, compiled for batches like `data`; raise ValueError if it writes unmanaged variables."""
        with _random_states_kept():
            traced = tf.function(self._measured, autograph=False).get_concrete_function(data)
        definition = traced.graph.as_graph_def()
        nodes = [*definition.node, *(node for part in definition.library.function for node in part.node_def)]
        if writes := sorted({node.op for node in nodes if WRITE_OPERATIONS.match(node.op)}):
            raise ValueError(_refusal(self.model, ", ".join(writes)))
        return traced

    def _measured_and_checked(self, data: Any) -> Any:
        """Return the result of `_measured` on the batch `data`, run eagerly.

        If the step changes variables of the model or of an optimiser, restore them and raise ValueError.
        """
        states = [*self.model.variables, *(each for optimizer in self.optimizers for each in optimizer.variables)]
        before = [state.numpy() for state in states]
        measured = self._measured(data)
        changed = []
        for state, value in zip(states, before, strict=True):
            if not np.array_equal(state.numpy(), value, equal_nan=value.dtype.kind == "f"):
                state.assign(value)
                changed.append(state.path)
        if changed:
            more = [f"and {len(changed) - FEW} more"] if len(changed) > FEW else []
            raise ValueError(_refusal(self.model, ", ".join([*changed[:FEW], *more])))
        return measured

    def _measured(self, data: Any) -> tuple[Any, Any]:
        """Run `train_step` on the batch `data` without an update, and fill `calls`.

        Return a tensor of the measures (calls, MEASURES but update_ratio), and whether all gradients are finite.
        """
        taps = Taps(self.watched)
        with taps.placed(self.layers, self.optimizers), Scope(collect_losses=True) as scope:
            for variable in self.model.trainable_variables:
                if variable.regularizer is not None:  # else the scope would have no value to regularise
                    scope.add_update((variable, variable._value))
            with warnings.catch_warnings(action="ignore"):  # training gives the same warnings
                self.model.train_step(data)
        called = {id(call.watched) for call in taps.calls}
        self.calls = [*taps.calls, *(Call(each, 1) for each in self.watched if id(each) not in called)]
        squares = {name: measures.square_of_gradient(*pair) for name, pair in taps.gradients.items()}
        rows = [_weight_measures(call, squares) | measures.of_call(call) for call in self.calls]
        values = tf.stack([tf.stack([row[name] for name in MEASURES[:-1]]) for row in rows])
        for call in self.calls:  # the tensors are not needed any more, and would keep memory
            call.inputs = call.z = call.output = call.delta = call.scale = None
        return values, tf.reduce_all(tf.math.is_finite(tf.stack([*squares.values(), tf.zeros((), tf.float64)])))


def _weight_measures(call: Call, squares: dict[int, Any]) -> dict[str, Any]:
    """Return WEIGHT_MEASURES, by name, of the layer of `call`; NaN unless it is the layer's first call.

    `squares` maps the `variable_id` of a variable to the sum of squares of its gradient.
    """

    def norm(weights: tuple[Any, ...]) -> Any:
        known = [squares[variable_id(weight)] for weight in weights if variable_id(weight) in squares]
        return tf.sqrt(tf.add_n(known)) if known else undefined

    undefined = tf.constant(float("nan"), tf.float64)
    if call.number > 1:
        return dict.fromkeys(WEIGHT_MEASURES, undefined)
    watched = call.watched
    rms = measures.weight_rms(kernel.value for kernel in watched.kernels)
    return {"weight_gradient": norm(watched.kernels), "bias_gradient": norm(watched.biases), "weight_rms": rms}


def refuse_unsupported(model: Any) -> None:
    """Raise RuntimeError if the backend is not TensorFlow, or if the model or Keras uses a distribution strategy."""
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
    """Return the distinct optimisers among the attributes of `model`, also inside lists, tuples and dicts."""
    held: list[Any] = []
    for value in vars(model).values():
        held += value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
    return list({id(each): each for each in held if isinstance(each, keras.optimizers.Optimizer)}.values())


def inner_optimizer(optimizer: Any) -> Any:
    """Return `optimizer`, or the optimiser in it if it is the LossScaleOptimizer of mixed precision."""
    return optimizer.inner_optimizer if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) else optimizer


def try_to_build(model: Any, data: Any) -> bool:
    """Build the layers of `model` that are not built yet, if possible; return whether all layers are built.

    To build them, call `model` on the inputs of the batch `data`, if its class defines `call`; keep the model's state.
    """

    def is_built() -> bool:
        return all(layer.built for layer in model._flatten_layers(include_self=False))

    if not is_built() and type(model).call is not keras.Model.call:
        x, *_ = keras.utils.unpack_x_y_sample_weight(data)
        with keras.StatelessScope():
            model(x, **({"training": True} if model._call_has_training_arg else {}))
    return is_built()


def _refusal(model: Any, state: str) -> str:
    """Return the message of the error for a `train_step` that changes `state`, which names variables or operations."""
    return (
        f"GradientLogger cannot measure {model.name}: its train_step changes state that Keras does not manage "
        f"({state}); keep it in keras.Variable, and optimizers in attributes of the model"
    )


@contextmanager
def _random_states_kept() -> Iterator[None]:
    """Restore the states of the random generators of Python, numpy, TensorFlow and Keras when the context ends.

    If TensorFlow has a global seed, it draws the seeds of operations from another sequence within the context. An
    operation run eagerly with the seed of an operation of training would share that operation's kernel and its state.
    """
    python, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002 - the state that users' code may use
    seeds = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
    tensorflow = context.context()
    generator = getattr(tensorflow, "_rng", None)  # missing before a global seed is first set
    if generator is not None:
        tensorflow._rng = random.Random(f"GradientLogger {next(_SEED_NUMBERS)}")
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)  # noqa: NPY002
        if generator is not None:
            tensorflow._rng = generator
        global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, seeds)
