"""Settings -> the network: the shape of its parameters, their initial values, and the same network as a Keras model.

Layers are numbered from 1, nearest the input; L hidden layers are followed by the output layer L + 1. Consecutive
layers of equal shape form a stage whose parameters are stacked, so that a compiled program can loop over them and its
size does not grow with depth.
"""

from dataclasses import dataclass
from itertools import groupby, pairwise

import keras
import numpy as np
import tensorflow as tf

from study.activations import Activation
from study.settings import Settings

PIXELS = 784
CLASSES = 10

Parameters = tuple[tuple[tf.Tensor, tf.Tensor], ...]


@dataclass(frozen=True)
class Stage:
    """`count` consecutive dense layers of fan_in inputs and fan_out units; kernels are (count, fan_in, fan_out)."""

    count: int
    fan_in: int
    fan_out: int


def layer_shapes(widths: tuple[int, ...]) -> list[tuple[int, int]]:
    """(fan_in, fan_out) of layers 1 .. L + 1 for the given units of the L hidden layers."""
    sizes = (PIXELS, *widths, CLASSES)
    return list(pairwise(sizes))


def stages(widths: tuple[int, ...]) -> tuple[Stage, ...]:
    """The layers grouped by equal shape; the first stage is layer 1 and the last the output layer, each alone."""
    shapes = layer_shapes(widths)
    hidden = [Stage(len(list(group)), *shape) for shape, group in groupby(shapes[1:-1])]
    return (Stage(1, *shapes[0]), *hidden, Stage(1, *shapes[-1]))


def seed_for(seed: int, role: str, *index: int) -> np.random.SeedSequence:
    """An independent stream for one use of a run's seed: the same for every activation, different for every role."""
    return np.random.SeedSequence([seed, *role.encode(), *index])


def initial_layer(settings: Settings, layer: int, fan_in: int, fan_out: int) -> tuple[np.ndarray, np.ndarray]:
    """Kernel (fan_in, fan_out) and bias (fan_out,) of one layer, by Keras' initialiser seeded for this run and layer.

    Every layer has an initialiser with a seed of its own: one Keras initialiser object returns equal values at every
    call, which would make equal layers identical. The output layer keeps glorot_uniform whatever the hidden layers use.
    """
    is_output = layer == settings.depth + 1
    name = "glorot_uniform" if is_output else settings.initialization
    seed = int(seed_for(settings.seed, "kernel", layer).generate_state(1)[0]) & 0x7FFFFFFF
    identifier = {"class_name": name, "config": {"seed": seed}}
    kernel = keras.initializers.get(identifier)((fan_in, fan_out), dtype=settings.precision)
    return np.asarray(kernel), np.zeros(fan_out, settings.precision)


def initial_parameters(settings: Settings) -> Parameters:
    """Kernel (count, fan_in, fan_out) and bias (count, fan_out) of every stage."""
    layers = iter(enumerate(layer_shapes(settings.widths), start=1))
    parameters = []
    for stage in stages(settings.widths):
        drawn = [initial_layer(settings, layer, *shape) for layer, shape in (next(layers) for _ in range(stage.count))]
        kernels, biases = zip(*drawn, strict=True)
        parameters.append((tf.constant(np.stack(kernels)), tf.constant(np.stack(biases))))
    return tuple(parameters)


def layer_parameters(parameters: Parameters) -> list[np.ndarray]:
    """[kernel, bias] of layers 1 .. L + 1 in turn: the order of Keras' get_weights()."""
    return [
        array
        for kernel, bias in parameters
        for pair in zip(kernel.numpy(), bias.numpy(), strict=True)
        for array in pair
    ]


def keras_model(settings: Settings, activation: Activation) -> keras.Model:
    """The same network and optimiser as a compiled Keras model with the run's initial weights.

    The engine never uses it; it is how a reader checks what the engine trains, and the tests hold the two equal.
    """
    dtype = settings.precision
    layers = [keras.layers.Dense(units, activation=activation.function, dtype=dtype) for units in settings.widths]
    output = keras.layers.Dense(CLASSES, dtype=dtype)
    model = keras.Sequential([keras.Input((PIXELS,), dtype=dtype), *layers, output])
    model.set_weights(layer_parameters(initial_parameters(settings)))
    optimizer = (
        keras.optimizers.Adam(settings.learning_rate, epsilon=settings.epsilon)
        if settings.optimizer == "adam"
        else keras.optimizers.SGD(settings.learning_rate, momentum=settings.momentum)
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    return model
