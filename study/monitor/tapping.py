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

RESHAPING_LAYERS = (keras.layers.Flatten, keras.layers.Reshape)  # their output counts as the output before them


@dataclass
class Call:
    """Hold one call of a layer, with tensors (batch, ...); None where nothing is known.

    `number` counts the calls of this layer, from 1. `inputs` is its first input. `z` is the pre-activation, or the
    output of a layer without an activation. `delta` / `scale` is the gradient of the loss in `z`; the loss scale is
    None from the time `delta` is known until an optimizer gets the gradients. If the call has one input, and it is the
    output of a watched call, `source` is that call. `consumers` are the layers that take `output`.
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

    `gradients` maps the `variable_id` of a variable to a pair: the gradient of the scaled loss, and the scale. A weight
    without a gradient is missing.
    """

    def __init__(self, watched: Sequence[Watched]) -> None:
        self.watched = {id(each.layer): each for each in watched}
        self.calls: list[Call] = []
        self.gradients: dict[int, tuple[Any, Any]] = {}
        self._by_output: dict[Any, Call] = {}  # by the reference of the call's output
        self._graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()

    @contextmanager
    def placed(self, layers: Sequence[Any], optimizers: Sequence[Any]) -> Iterator[None]:
        """Record every call of the `layers`, and keep the `optimizers` from updating, until the context ends."""
        with ExitStack() as stack:
            for layer in layers:
                stack.enter_context(_replaced(layer, "call", self._recording_call(layer)))
            for optimizer in optimizers:
                stack.enter_context(_replaced(optimizer, "apply", self._capturing_apply(optimizer)))
            yield

    def _recording_call(self, layer: Any) -> Callable[..., Any]:
        """Return a function to replace `layer.call`. It calls the layer, and returns the same output or a tapped copy.

        It adds the layer to the `consumers` of the calls whose outputs it takes and, if the layer is watched, a Call to
        `calls`. The output of a reshaping layer counts as the output of the call before it.
        """
        original, watched = layer.call, self.watched.get(id(layer))

        def call(*args: Any, **kwargs: Any) -> Any:
            if not self._is_in_same_graph():
                return original(*args, **kwargs)
            inputs = [leaf for leaf in keras.tree.flatten((args, kwargs)) if isinstance(leaf, tf.Tensor)]
            sources = [self._by_output[leaf.ref()] for leaf in inputs if leaf.ref() in self._by_output]
            is_reshaping = isinstance(layer, RESHAPING_LAYERS) and bool(sources)
            for source in () if is_reshaping else sources:
                source.consumers.append(layer)
            if watched is None or not inputs:
                output = original(*args, **kwargs)
            else:
                number = 1 + sum(earlier.watched is watched for earlier in self.calls)
                only = sources[0] if len(inputs) == len(sources) == 1 else None
                found = Call(watched, number, inputs[0], source=only)
                self.calls.append(found)
                output = self._call_layer(found, original, args, kwargs)
                if found.output is not None:
                    self._by_output[found.output.ref()] = found
            if is_reshaping:
                self._by_output[output.ref()] = sources[0]
            return output

        return call

    def _call_layer(self, found: Call, original: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call the layer's method `original` with `args` and `kwargs`, fill in `found`, and return the layer's output.

        The tap is on the input of an activation layer, on the pre-activation of a layer whose last operation is its
        activation, and otherwise on the output.
        """
        if found.watched.is_activation:
            found.z = self._tap(args[0], found)
            output = found.output = original(found.z, *args[1:], **kwargs)
            return output
        uses: list[tuple[Any, Any]] = []
        activation = vars(found.watched.layer).get("activation")

        def activated(z: Any) -> Any:
            tapped = self._tap(z, found) if self._is_in_same_graph() else z
            uses.append((tapped, activation(tapped)))
            return uses[-1][1]

        with ExitStack() as stack:
            if callable(activation):
                stack.enter_context(_replaced(found.watched.layer, "activation", activated))
            output = original(*args, **kwargs)
        if len(uses) == 1 and uses[0][1] is output:
            found.z, found.output = uses[0]
            return output
        return self._tap_output(found, output)

    def _tap_output(self, found: Call, output: Any) -> Any:
        """Return `output`, a layer's nest of tensors, with its first float tensor with axes tapped; fill in `found`."""
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
            if self._is_in_same_graph():
                found.delta, found.scale = tf.convert_to_tensor(delta), None
            return [delta]

        record.record_operation("GradientTap", [tapped], [tensor], backward)
        return tapped

    def _capturing_apply(self, optimizer: Any) -> Callable[..., None]:
        """Return a function to replace `optimizer.apply`: it keeps gradients and loss scale, without an update.

        It raises ValueError inside a nested tf.function.
        """

        def apply(grads: Any, trainable_variables: Any = None) -> None:
            if not self._is_in_same_graph():
                raise ValueError(
                    "GradientLogger cannot measure a train_step that is decorated with tf.function; "
                    "remove the decorator, because fit compiles the step itself"
                )
            scale = optimizer.scale_loss(tf.constant(1.0))
            variables = optimizer._trainable_variables if trainable_variables is None else trainable_variables
            for gradient, variable in zip(grads, variables, strict=True):
                if gradient is not None:
                    self.gradients[variable_id(variable)] = gradient, scale
            for call in self.calls:
                call.scale = scale if call.scale is None else call.scale

        return apply

    def _is_in_same_graph(self) -> bool:
        """Tell whether the code runs in the graph of these taps, or eagerly like them, and not in a nested function."""
        return tf.executing_eagerly() if self._graph is None else tf.compat.v1.get_default_graph() is self._graph


class Scope(keras.StatelessScope):  # type: ignore[misc] # Keras ships no types
    """Keep the values that a step assigns to variables, as `keras.StatelessScope` does, with gradients as in training.

    A variable gets the gradient in the value assigned to it: spectral normalisation assigns its kernel, then uses it.
    """

    def add_update(self, update: tuple[Any, Any]) -> None:
        """Keep the value of `update`, a pair (Keras variable, value), with the variable's gradient passed on to it."""
        variable, value = update
        if variable.trainable and value is not variable._value:
            source = tf.convert_to_tensor(variable._value)
            with record.stop_recording():
                value = tf.identity(value)
            record.record_operation("AssignedValue", [value], [source], lambda delta: [delta])
            value.handle = variable._value.handle  # by which a gradient tape finds the variable
        super().add_update((variable, value))


def variable_id(variable: Any) -> int:
    """Return Python's id of the TensorFlow variable that `variable` is, or holds if it is a Keras variable."""
    return id(variable._value if isinstance(variable, keras.Variable) else variable)


@contextmanager
def _replaced(thing: Any, name: str, value: Any) -> Iterator[None]:
    """Set the attribute `name` of the object `thing` to `value`, unseen by Keras, until the context ends."""
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
