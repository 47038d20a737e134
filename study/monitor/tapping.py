"""Record what the layers of a model compute, and the gradients that pass them, while one training step is traced.

The model's own `train_step` runs, so that losses, weights of examples and classes, and custom steps are the model's.
For its duration the layers' `call` and the optimizers' `apply` are replaced, on these objects alone. No update is made.
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
    """Hold one call of a layer: tensors (batch, ...), the gradient in `z`, and which layers take the output.

    `z` is the pre-activation, or the output of a layer without an activation. `source` is the call whose output is
    this call's input. `delta` / `scale` is d loss / d z.
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
    """Collect the calls of the watched layers and the gradients of their weights."""

    def __init__(self, watched: Sequence[Watched]) -> None:
        self.watched = {id(each.layer): each for each in watched}
        self.calls: list[Call] = []
        self.gradients: dict[int, tuple[Any, Any]] = {}  # by id of the variable: gradient times scale, and scale
        self._by_output: dict[int, Call] = {}
        self._kept: list[Any] = []  # tensors whose ids are in use
        self._graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()

    @contextmanager
    def placed(self, layers: Sequence[Any], optimizers: Sequence[Any]) -> Iterator[None]:
        """Tap the `layers` and stop the `optimizers` until the context ends."""
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
        """Return what the layer returns, with a tap before its activation if that is its last operation."""
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
        """Tap the first float tensor of the layer's output, which may be a structure of tensors."""
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
        """Return a copy of `tensor`; when a tape computes its gradient, `found.delta` becomes that gradient.

        TensorFlow's custom_gradient does the same, but never frees a traced graph.
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
        """Tell whether the code runs where the taps were placed: not in the graph of a loop or of a nested function."""
        return tf.executing_eagerly() if self._graph is None else tf.compat.v1.get_default_graph() is self._graph


def key(variable: Any) -> int:
    """Return what identifies a variable, be it Keras' or TensorFlow's."""
    return id(variable._value if isinstance(variable, keras.Variable) else variable)


@contextmanager
def _replaced(thing: Any, name: str, value: Any) -> Iterator[None]:
    """Set an attribute of this one object past Keras' tracking, and undo that in the end."""
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
