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
BIAS_NAMES = ("bias", "beta")  # names that Keras gives to weights that are added, not multiplied

LayerChoice = Iterable[str] | str | Callable[[Any], bool] | None


@dataclass(frozen=True)
class ElementwiseActivation:
    """Hold an elementwise activation phi, the supremum of |phi'|, and whether |phi'| is nearly 0 at -50 and at 50."""

    function: Callable[[Any], Any]
    supremum: float
    saturates: bool


@dataclass(frozen=True)
class Watched:
    """Hold a layer to measure, its `name` in the tables, its own weights, and its activation.

    `kernels` are its weights, also a normalisation's scale, but not its biases and what is never trained. `activation`
    is None if the layer has none, or one that is linear or not elementwise, or raises an error. A layer that
    `is_activation` only applies an activation, so its input is the pre-activation.
    """

    layer: Any
    name: str
    kernels: tuple[Any, ...]
    biases: tuple[Any, ...]
    activation: ElementwiseActivation | None
    is_activation: bool


def all_layers(model: Any) -> list[Any]:
    """Return the model and all layers in it that a training step may call, as Keras lists them.

    Layers inside recurrent layers are left out, because they run in loops. Input layers are never called.
    """
    layers = model._flatten_layers()
    inside = {id(part) for rnn in layers if isinstance(rnn, keras.layers.RNN) for part in _inner_layers(rnn)}
    return [layer for layer in layers if id(layer) not in inside and not isinstance(layer, keras.layers.InputLayer)]


def watched_layers(model: Any, choice: LayerChoice) -> list[Watched]:
    """Return the layers of `model` that `choice` selects, as `GradientLogger` explains `layers`, as Keras lists them.

    Raise ValueError for an unknown name, and if no layer is selected.
    """
    layers = all_layers(model)
    names = dict(zip(map(id, layers), _distinct_names(layers), strict=True))
    chosen = _chosen_layers(layers, names, choice)
    if not chosen:
        raise ValueError(f"layers is {choice!r}, which chooses no layer; the model has {sorted(names.values())}")
    known: dict[Any, ElementwiseActivation | None] = {}
    return [_watched(layer, names[id(layer)], known) for layer in chosen]


def _chosen_layers(layers: list[Any], names: dict[int, str], choice: Any) -> list[Any]:
    """Do the work of `watched_layers` on the `layers` of a model; `names` maps the id of a layer to its name."""
    if choice is None:
        return [layer for layer in layers if any(_own_weights(layer)) or isinstance(layer, ACTIVATION_LAYERS)]
    if callable(choice):
        return [layer for layer in layers if choice(layer)]
    if isinstance(choice, str):
        return [layer for layer in layers if re.search(choice, names[id(layer)])]
    wanted = set(choice)
    if unknown := wanted - set(names.values()):
        raise ValueError(f"layers has unknown names {sorted(unknown, key=str)}; allowed: {sorted(names.values())}")
    return [layer for layer in layers if names[id(layer)] in wanted]


def _distinct_names(layers: list[Any]) -> list[str]:
    """Return a distinct name for each layer: its own, or its path, or "path #2" for the second of the same path."""
    counts, seen, names = Counter(layer.name for layer in layers), Counter[str](), []
    for layer in layers:
        name = layer.name if counts[layer.name] == 1 else layer.path or layer.name
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return names


def _watched(layer: Any, name: str, known: dict[Any, ElementwiseActivation | None]) -> Watched:
    """Return the `Watched` of `layer`, which is called `name` in the tables.

    `known` keeps the ElementwiseActivation of each function, because the supremum takes long to compute.
    """
    is_activation = isinstance(layer, ACTIVATION_LAYERS)
    function = vars(layer).get("activation")
    if is_activation and not callable(function):
        function = layer.call
    if not callable(function) or function is keras.activations.linear:
        function = None
    elif function not in known:
        known[function] = _elementwise_activation(function)
    return Watched(layer, name, *_own_weights(layer), known.get(function), is_activation)


def _own_weights(layer: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the kernels and the biases that `layer` owns, without the weights of layers inside it.

    A recurrent layer owns its cell's weights. Weights that are never trained are left out, such as moving averages, but
    not weights of frozen layers.
    """
    inner = _inner_layers(layer)
    others = {id(weight) for part in (layer, *inner) for weight in part._non_trainable_variables}
    if not isinstance(layer, keras.layers.RNN):
        others |= {id(weight) for part in inner for weight in part.weights}
    own = [weight for weight in layer.weights if id(weight) not in others]
    biases = tuple(weight for weight in own if weight.name in BIAS_NAMES)
    return tuple(weight for weight in own if weight.name not in BIAS_NAMES), biases


def _inner_layers(layer: Any) -> list[Any]:
    return list(layer._flatten_layers(include_self=False))


def _elementwise_activation(function: Callable[[Any], Any]) -> ElementwiseActivation | None:
    """Return `function` as an `ElementwiseActivation`; None if it is not elementwise (a softmax) or raises an error."""
    points = np.linspace(-8, 8, 64, dtype=np.float32)
    try:
        rows, columns = (np.asarray(function(keras.ops.reshape(points, shape))) for shape in ((2, 32), (32, 2)))
        if not np.allclose(rows.ravel(), columns.ravel(), atol=1e-6):
            return None
        supremum = derivative_supremum(Activation(function, label="", formula="", source=""))
        _, ends = value_and_derivative(function, np.array([-50.0, 50.0]))
    except Exception:  # noqa: BLE001 - users' functions may raise anything; one that cannot be measured is left out
        return None
    return ElementwiseActivation(function, supremum, bool((np.abs(ends) < SATURATED_SHARE * supremum).all()))
