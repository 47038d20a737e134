"""Record what the layers of a model compute, and the gradients in their pre-activations, during one training step.

The model's own `train_step` runs, so that losses, weights of examples and classes, and custom steps are the model's.
While it runs, the `call` of each layer and the `apply` of each optimizer are replaced, on these objects alone. Layers
then pass a tensor through a tap, an identity operation that stores the gradient in it. Optimizers make no update.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.eager import record

from study.monitor.watching import Watched

RESHAPING = (keras.layers.Flatten, keras.layers.Reshape)


@dataclass
class Call:
    """Hold one call of a layer, with tensors (batch, ...); None where nothing is known.

    `number` counts the calls of this layer, from 1. `inputs` is its first input. `z` is the pre-activation, or the
    output of a layer without an activation. `delta` / `scale` is the gradient of the loss in `z`: mixed precision
    multiplies the loss by `scale`. `scale` is None from the backward pass until an optimizer gets the gradients.
    `source` is the watched call whose output is the one input of this call. `consumers` are the layers that take
    `output`.
    """

    watched: Watched
    number: int
    inputs: Any = None
    z: Any = None
    output: Any = None
    delta: Any = None
    scale: Any = 1.0
    source: "Call | None" = None
    consumers: list[Any] = field(default_factory=list)


class Taps:
    """Collect the calls of the watched layers, in order, and the gradients of all weights.

    Enter `placed`, run `train_step` in it, then read `calls` and `gradients`. `gradients` maps the `key` of a variable
    to a pair: the gradient of the scaled loss, and the scale. A weight without a gradient is missing.
    """

    def __init__(self, watched: Sequence[Watched]) -> None:
        self.watched = {id(each.layer): each for each in watched}
        self.calls: list[Call] = []
        self.gradients: dict[int, tuple[Any, Any]] = {}  # by `key` of the variable
        self._by_output: dict[int, Call] = {}
        self._kept: list[Any] = []  # tensors that `_by_output` knows by id, so that no new tensor gets the same id
        self._graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()

    @contextmanager
    def placed(self, layers: Sequence[Any], optimizers: Sequence[Any]) -> Iterator[None]:
        """Record every call of the `layers` and keep the `optimizers` from updating until the context ends.

        Within it, `train_step` raises ValueError if it is decorated with tf.function.
        """
        with ExitStack() as stack:
            for layer in layers:
                stack.enter_context(_replaced(layer, "call", self._tapped(layer)))
            for optimizer in optimizers:
                stack.enter_context(_replaced(optimizer, "apply", self._capturing(optimizer)))
            yield

    def _tapped(self, layer: Any) -> Callable[..., Any]:
        original, watched = layer.call, self.watched.get(id(layer))

        def call(*args: Any, **kwargs: Any) -> Any:
            if not self._is_here():
                return original(*args, **kwargs)
            inputs = [leaf for leaf in keras.tree.flatten((args, kwargs)) if isinstance(leaf, tf.Tensor)]
            sources = [self._by_output[id(leaf)] for leaf in inputs if id(leaf) in self._by_output]
            if isinstance(layer, RESHAPING) and sources:
                output = original(*args, **kwargs)
                self._by_output[id(output)] = sources[0]
                self._kept.append(output)
                return output
            for source in sources:
                source.consumers.append(layer)
            if watched is None or not inputs:
                return original(*args, **kwargs)
            number = 1 + sum(earlier.watched is watched for earlier in self.calls)
            found = Call(watched, number, inputs[0], source=sources[0] if len(inputs) == len(sources) == 1 else None)
            self.calls.append(found)
            output = self._called(found, original, args, kwargs)
            self._by_output[id(found.output)] = found
            return output

        return call

    def _called(self, found: Call, original: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call the layer by `original`, fill in `found`, and return the layer's output.

        The tap, a tensor whose gradient is stored, depends on the layer. It is the input of an activation layer. It is
        the pre-activation of a layer whose last operation is its activation. Otherwise it is the output.
        """
        if found.watched.is_activation:
            found.z = self._tap(args[0], found)
            output = found.output = original(found.z, *args[1:], **kwargs)
            return output
        uses: list[tuple[Any, Any]] = []
        activation = vars(found.watched.layer).get("activation")

        def activated(z: Any) -> Any:
            tapped = self._tap(z, found) if self._is_here() else z
            uses.append((tapped, activation(tapped)))
            return uses[-1][1]

        with ExitStack() as stack:
            if callable(activation):
                stack.enter_context(_replaced(found.watched.layer, "activation", activated))
            output = original(*args, **kwargs)
        if len(uses) == 1 and uses[0][1] is output:
            found.z, found.output = uses[0]
            return output
        return self._output_tapped(found, output)

    def _output_tapped(self, found: Call, output: Any) -> Any:
        """Tap the first float tensor in the layer's output, and return the output, which may be a nest of tensors."""
        leaves = keras.tree.flatten(output)
        for place, leaf in enumerate(leaves):
            if isinstance(leaf, tf.Tensor) and leaf.dtype.is_floating and leaf.shape.rank:
                found.z = found.output = leaves[place] = self._tap(leaf, found)
                for note in ("_keras_mask", "_keras_logits"):  # Keras keeps these on the tensor
                    if hasattr(leaf, note):
                        setattr(leaves[place], note, getattr(leaf, note))
                return keras.tree.pack_sequence_as(output, leaves)
        return output

    def _tap(self, tensor: Any, found: Call) -> Any:
        """Return a copy of `tensor` that stores its gradient in `found.delta` when a gradient tape computes it.

        TensorFlow's custom_gradient could do the same, but it never frees a traced graph.
        """
        with record.stop_recording():
            tapped = tf.identity(tensor)

        def backward(delta: Any) -> list[Any]:
            if self._is_here():
                found.delta, found.scale = tf.convert_to_tensor(delta), None
            return [delta]

        record.record_operation("GradientTap", [tapped], [tensor], backward)
        return tapped

    def _capturing(self, optimizer: Any) -> Callable[..., None]:
        def apply(grads: Any, trainable_variables: Any = None) -> None:
            if not self._is_here():
                raise ValueError(
                    "GradientLogger cannot measure a train_step that is decorated with tf.function; "
                    "remove the decorator, because fit compiles the step itself"
                )
            scale = optimizer.scale_loss(tf.constant(1.0))
            variables = optimizer._trainable_variables if trainable_variables is None else trainable_variables
            for gradient, variable in zip(grads, variables, strict=True):
                if gradient is not None:
                    self.gradients[key(variable)] = gradient, scale
            for call in self.calls:
                call.scale = scale if call.scale is None else call.scale

        return apply

    def _is_here(self) -> bool:
        """Tell whether the code runs in the graph of these taps, or eagerly like them, and not in a nested function."""
        return tf.executing_eagerly() if self._graph is None else tf.compat.v1.get_default_graph() is self._graph


class Scope(keras.StatelessScope):  # type: ignore[misc] # Keras ships no types
    """Keep values that a step assigns to variables, as `keras.StatelessScope`, with gradients as in training.

    Spectral normalisation, for example, assigns its kernel before it uses the kernel. The gradient in the variable is
    then the gradient in the assigned value.
    """

    def add_update(self, update: tuple[Any, Any]) -> None:
        """Keep the value of `update`, a pair (Keras variable, value)."""
        variable, value = update
        if variable.trainable and value is not variable._value:
            source = tf.convert_to_tensor(variable._value)
            with record.stop_recording():
                value = tf.identity(value)
            record.record_operation("AssignedValue", [value], [source], lambda delta: [delta])
            value.handle = variable._value.handle  # by which a gradient tape finds the variable
        super().add_update((variable, value))


def key(variable: Any) -> int:
    """Return the id of the TensorFlow variable, given that variable or the Keras variable that holds it."""
    return id(variable._value if isinstance(variable, keras.Variable) else variable)


@contextmanager
def _replaced(thing: Any, name: str, value: Any) -> Iterator[None]:
    """Set the attribute `name` of this one object to `value`, unseen by Keras, and restore it when the context ends."""
    own, missing = vars(thing), object()
    before = own.get(name, missing)
    own[name] = value
    try:
        yield
    finally:
        if before is missing:
            del own[name]
        else:
            own[name] = before
