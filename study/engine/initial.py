"""Settings -> the initial values of the network's parameters."""

import keras
import numpy as np
import tensorflow as tf

from study.engine.kinds import stages_of
from study.settings import SCALED, Settings

Parameters = tuple[tuple[tf.Tensor, ...], ...]


def seed_for(seed: int, role: str, *index: int) -> np.random.SeedSequence:
    """An independent stream for one use of a run's seed: the same for every activation, different for every role."""
    return np.random.SeedSequence([seed, *role.encode(), *index])


def initial_layer(
    settings: Settings, layer: int, fan_in: int, fan_out: int, square_norm: float
) -> tuple[np.ndarray, ...]:
    """Kernel (fan_in, fan_out) and bias (fan_out,) of one layer, by Keras' initialisers seeded for this run and layer.

    Every layer has an initialiser with a seed of its own: one Keras initialiser object returns equal values at every
    call, which would make equal layers identical. `square_norm` is the mean ||x||^2 of the training images. With
    normalisation, a hidden layer has gamma = 1 and beta = 0 (fan_out,) too.
    """
    shape, dtype = (fan_in, fan_out), settings.precision
    kernel = np.asarray(_initializer(settings, layer, fan_in, square_norm)(shape, dtype=dtype))
    bias = np.zeros(fan_out, dtype)
    is_output = layer == settings.depth + 1
    if settings.initialization == "unit_norm":
        kernel = kernel / np.linalg.norm(kernel, axis=0)
    elif settings.initialization == "torch_default":
        bias = np.asarray(_uniform(settings, "bias", layer, fan_in)((fan_out,), dtype=dtype))
    elif settings.initialization == "centred" and layer > 1:
        bias = -kernel.sum(axis=0) / 2  # with sigmoid(z) = (1 + tanh(z / 2)) / 2, a tanh network at the start
    elif settings.sigma_b and not is_output:
        draw = keras.initializers.RandomNormal(stddev=settings.sigma_b, seed=_draw_seed(settings, "bias", layer))
        bias = np.asarray(draw((fan_out,), dtype=dtype))
    if settings.normalization == "none" or is_output:
        return kernel, bias
    return kernel, bias, np.ones(fan_out, dtype), np.zeros(fan_out, dtype)


def _initializer(settings: Settings, layer: int, fan_in: int, square_norm: float) -> keras.initializers.Initializer:
    """The kernel's. In `unit_norm` and `torch_default` the output layer is drawn like the others; else, whatever the
    hidden layers use, it keeps glorot_uniform, except in `centred`, where layer 1 does: its inputs are no sigmoid's
    outputs.
    """
    seed = _draw_seed(settings, "kernel", layer)
    name = settings.initialization
    if name == "unit_norm":
        return keras.initializers.RandomNormal(stddev=1.0, seed=seed)
    if name == "torch_default":
        return _uniform(settings, "kernel", layer, fan_in)
    kept = (1,) if name == "centred" else (settings.depth + 1,)
    if name in SCALED and layer not in kept:
        sigma_w, sigma_b = settings.sigma_w or 0.0, settings.sigma_b or 0.0  # Settings holds that they are there
        variance = sigma_w**2 / fan_in
        if layer == 1 and settings.first_square is not None:
            variance = (settings.first_square - sigma_b**2) / square_norm
        return keras.initializers.RandomNormal(stddev=variance**0.5, seed=seed)
    is_default = name in SCALED or layer == settings.depth + 1
    identifier = {"class_name": "glorot_uniform" if is_default else name, "config": {"seed": seed}}
    return keras.initializers.get(identifier)


def _uniform(settings: Settings, role: str, layer: int, fan_in: int) -> keras.initializers.Initializer:
    """Unif[-1, 1] / sqrt(fan_in), as PyTorch's Linear layer draws kernels and biases."""
    bound = fan_in**-0.5
    return keras.initializers.RandomUniform(-bound, bound, seed=_draw_seed(settings, role, layer))


def _draw_seed(settings: Settings, role: str, layer: int) -> int:
    return int(seed_for(settings.seed, role, layer).generate_state(1)[0]) & 0x7FFFFFFF


def initial_parameters(settings: Settings, square_norm: float) -> Parameters:
    """Kernel (rows, fan_out, fan_in), bias (rows, fan_out) and, with normalisation, gamma and beta of every stage.

    The kernel is Keras' transposed: all three of a layer's matrix products are faster so, the gradient's by a third.
    Rows that are not used are 0.
    """
    layer, parameters, stages = 1, [], stages_of(settings)
    for stage in stages:
        rows, fan_in, fan_out = stage.shape
        is_plain = settings.normalization == "none" or stage is stages[-1]
        shapes = [(rows, fan_out, fan_in), *[(rows, fan_out)] * (1 if is_plain else 3)]
        roles = [np.zeros(shape, settings.precision) for shape in shapes]
        for row in range(stage.count):
            drawn = initial_layer(settings, layer + row, fan_in, fan_out, square_norm)
            for role, array in zip(roles, drawn, strict=True):
                role[row] = array.T
        parameters.append(tuple(map(tf.constant, roles)))
        layer += stage.count
    return tuple(parameters)
