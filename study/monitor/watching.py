"""Choose the layers to measure, and find their weights and activation functions."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from study.activations import Activation, value_and_derivative
from study.engine.measures import SATURATED_SHARE, derivative_supremum

ACTIVATION_LAYERS = (
    keras.layers.Activation, keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.ELU, keras.layers.PReLU,
)  # fmt: skip
BIASES = ("bias", "beta")  # Keras' names of weights that are added

Choice = Iterable[str] | str | Callable[[Any], bool] | None


@dataclass(frozen=True)
class Slope:
    """Hold an elementwise activation, the supremum of |phi'|, and whether phi is flat at both ends, as a sigmoid."""

    function: Callable[[Any], Any]
    supremum: float
    saturates: bool


@dataclass(frozen=True)
class Watched:
    """Hold a layer to measure: its name in the tables, its own weights, and its activation (None: none or linear).

    `is_activation` tells that the layer is nothing but an activation, so that its input is the pre-activation.
    """

    layer: Any
    name: str
    kernels: tuple[Any, ...]
    biases: tuple[Any, ...]
    slope: Slope | None
    is_activation: bool


def all_layers(model: Any) -> list[Any]:
    """Return the model and all layers in it, without those inside recurrent layers, which run in loops."""
    layers = model._flatten_layers()
    inside = {id(part) for rnn in layers if isinstance(rnn, keras.layers.RNN) for part in _parts(rnn)}
    return [layer for layer in layers if id(layer) not in inside]


def watched_layers(model: Any, choice: Choice) -> list[Watched]:
    """Return the layers of `model` that `choice` names; None chooses those with weights, and activation layers."""
    layers = all_layers(model)
    names = dict(zip(map(id, layers), _names(layers), strict=True))
    if choice is None:
        chosen = [layer for layer in layers if any(_own_weights(layer)) or isinstance(layer, ACTIVATION_LAYERS)]
    else:
        chosen = _chosen(layers, names, choice)
    slopes: dict[Any, Slope | None] = {}
    return [_watched(layer, names[id(layer)], slopes) for layer in chosen]


def _chosen(layers: list[Any], names: dict[int, str], choice: Any) -> list[Any]:
    """Return the layers for which `choice` holds: a list of names, a regular expression, or a function of a layer."""
    if callable(choice):
        found = [layer for layer in layers if choice(layer)]
    elif isinstance(choice, str):
        found = [layer for layer in layers if re.search(choice, names[id(layer)])]
    else:
        wanted = set(choice)
        if unknown := wanted - set(names.values()):
            raise ValueError(f"layers names {sorted(unknown)}; the model has {sorted(names.values())}")
        found = [layer for layer in layers if names[id(layer)] in wanted]
    if not found:
        raise ValueError(f"layers is {choice!r}, which chooses no layer; the model has {sorted(names.values())}")
    return found


def _names(layers: list[Any]) -> list[str]:
    """Name each layer by its name, by its path where several have one name, and by a number where they share a path."""
    counts, seen, names = Counter(layer.name for layer in layers), Counter[str](), []
    for layer in layers:
        name = layer.name if counts[layer.name] == 1 else layer.path or layer.name
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return names


def _watched(layer: Any, name: str, slopes: dict[Any, Slope | None]) -> Watched:
    kernels, biases = _own_weights(layer)
    is_activation = isinstance(layer, ACTIVATION_LAYERS)
    function = vars(layer).get("activation")
    if is_activation and not callable(function):
        function = layer.call
    if not callable(function) or function is keras.activations.linear:
        return Watched(layer, name, kernels, biases, None, is_activation)
    if function not in slopes:
        slopes[function] = _slope(function)
    return Watched(layer, name, kernels, biases, slopes[function], is_activation)


def _own_weights(layer: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the kernels and the biases that the layer itself owns; a recurrent layer owns its cell's weights."""
    others = set() if isinstance(layer, keras.layers.RNN) else {id(w) for part in _parts(layer) for w in part.weights}
    own = [weight for weight in layer.weights if id(weight) not in others]
    if isinstance(layer, keras.layers.BatchNormalization):
        own = [weight for weight in own if "moving" not in weight.name]
    is_bias = [weight.name in BIASES for weight in own]
    kernels = tuple(weight for weight, added in zip(own, is_bias, strict=True) if not added)
    return kernels, tuple(weight for weight, added in zip(own, is_bias, strict=True) if added)


def _parts(layer: Any) -> list[Any]:
    return list(layer._flatten_layers(include_self=False))


def _slope(function: Callable[[Any], Any]) -> Slope | None:
    """Return the slope of `function`, or None if it is not elementwise and differentiable, such as a softmax."""
    points = np.linspace(-8, 8, 64, dtype=np.float32)
    try:
        rows, columns = (np.asarray(function(keras.ops.reshape(points, shape))) for shape in ((2, 32), (32, 2)))
        if not np.allclose(rows.ravel(), columns.ravel(), atol=1e-6):
            return None
        supremum = derivative_supremum(Activation(function, label="", formula="", source=""))
        _, ends = value_and_derivative(function, np.array([-50.0, 50.0]))
    except Exception:  # noqa: BLE001 - any function may stand here, and those that cannot be measured are left out
        return None
    return Slope(function, supremum, bool((np.abs(ends) < SATURATED_SHARE * supremum).all()))
