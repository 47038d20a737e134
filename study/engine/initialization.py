"""Draw the initial parameters of a run's network."""

import keras
import numpy as np
import tensorflow as tf

from study.engine.architecture import Parameters
from study.engine.program_kind import groups_of
from study.engine.seeds import number_for
from study.settings import SCALED, Settings


def initial_parameters(settings: Settings, square_norm: float) -> Parameters:
    """Draw the initial parameters of a run with these `settings`: a tuple of tensors per group, in the layers' order.

    The tensors are kernel (rows, fan_out, fan_in), bias (rows, fan_out) and, if the group is normalised, gamma and beta
    (rows, fan_out). Spare rows are 0. `square_norm` is the mean ||x||^2 of the training images. The kernel is the
    transpose of Keras', which speeds up all three matrix products of a layer, one of them by a third.
    """
    first_layer, parameters, groups = 1, [], groups_of(settings)
    for group in groups:
        rows, fan_in, fan_out = group.shape
        is_plain = settings.normalization == "none" or group is groups[-1]
        shapes = [(rows, fan_out, fan_in), *[(rows, fan_out)] * (1 if is_plain else 3)]
        stacked = [np.zeros(shape, settings.precision) for shape in shapes]
        for row in range(group.count):
            layer = initial_layer(settings, first_layer + row, fan_in, fan_out, square_norm)
            for role, array in zip(stacked, layer, strict=True):
                role[row] = array.T
        parameters.append(tuple(map(tf.constant, stacked)))
        first_layer += group.count
    return tuple(parameters)


def initial_layer(
    settings: Settings, layer: int, fan_in: int, fan_out: int, square_norm: float
) -> tuple[np.ndarray, ...]:
    """Draw kernel (fan_in, fan_out) and bias (fan_out,) of one layer; add gamma = 1 and beta = 0 if it is normalised.

    `layer` is the layer's number, counted from 1. Every layer has a Keras initialiser with its own seed, because one
    initialiser returns equal values at every call.
    """
    shape, dtype = (fan_in, fan_out), settings.precision
    kernel = np.asarray(_kernel_initializer(settings, layer, fan_in, square_norm)(shape, dtype=dtype))
    bias = np.zeros(fan_out, dtype)
    is_output = layer == settings.depth + 1
    if settings.initialization == "unit_norm":
        kernel = kernel / np.linalg.norm(kernel, axis=0)
    elif settings.initialization == "torch_default":
        bias = np.asarray(_uniform(settings, "bias", layer, fan_in)((fan_out,), dtype=dtype))
    elif settings.initialization == "centred" and layer > 1:
        bias = -kernel.sum(axis=0) / 2  # with sigmoid(z) = (1 + tanh(z / 2)) / 2, a tanh network at the start
    elif settings.sigma_b and not is_output:
        draw = keras.initializers.RandomNormal(stddev=settings.sigma_b, seed=number_for(settings.seed, "bias", layer))
        bias = np.asarray(draw((fan_out,), dtype=dtype))
    if settings.normalization == "none" or is_output:
        return kernel, bias
    return kernel, bias, np.ones(fan_out, dtype), np.zeros(fan_out, dtype)


def _kernel_initializer(
    settings: Settings, layer: int, fan_in: int, square_norm: float
) -> keras.initializers.Initializer:
    """Return the Keras initialiser, with a seed of its own, of the kernel of layer `layer`, counted from 1.

    `fan_in` is the number of the layer's inputs. `square_norm` is the mean ||x||^2 of the training images, by which
    `first_square` scales layer 1. The setting `initialization` decides the distribution:

    - unit_norm: N(0, 1) in every layer. `initial_layer` then scales each unit's weights to norm 1.
    - torch_default: Unif[-1, 1] / sqrt(fan_in) in every layer.
    - critical, gaussian: N(0, sigma_w^2 / fan_in), but glorot_uniform in the output layer. If `first_square` is given,
      the variance in layer 1 is such that z_1 has this expected mean square.
    - centred: N(0, sigma_w^2 / fan_in), but glorot_uniform in layer 1, whose inputs are not outputs of a sigmoid.
    - any other: Keras' initialiser of this name, but glorot_uniform in the output layer.
    """
    seed, name = number_for(settings.seed, "kernel", layer), settings.initialization
    if name == "unit_norm":
        return keras.initializers.RandomNormal(stddev=1.0, seed=seed)
    if name == "torch_default":
        return _uniform(settings, "kernel", layer, fan_in)
    glorot_layer = 1 if name == "centred" else settings.depth + 1
    if name in SCALED and layer != glorot_layer:
        sigma_w, sigma_b = settings.sigma_w or 0.0, settings.sigma_b or 0.0  # Settings makes sure that they are given
        variance = sigma_w**2 / fan_in
        if layer == 1 and settings.first_square is not None:
            variance = (settings.first_square - sigma_b**2) / square_norm
        return keras.initializers.RandomNormal(stddev=variance**0.5, seed=seed)
    is_default = name in SCALED or layer == settings.depth + 1
    identifier = {"class_name": "glorot_uniform" if is_default else name, "config": {"seed": seed}}
    return keras.initializers.get(identifier)


def _uniform(settings: Settings, role: str, layer: int, fan_in: int) -> keras.initializers.Initializer:
    bound = fan_in**-0.5
    return keras.initializers.RandomUniform(-bound, bound, seed=number_for(settings.seed, role, layer))
