"""The network's shape and its initial weights, and the Keras model that is to be the same network."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from keras_model import keras_model

from study.activations import REGISTRY
from study.engine.architecture import Architecture
from study.engine.forward import forward, outputs
from study.engine.initialization import initial_parameters
from study.engine.layer_groups import (
    BRIEF_EPOCHS,
    ROWS,
    SPARE_UNITS,
    UNROLLED,
    LayerGroup,
    Shape,
    layer_groups,
    layer_shapes,
)
from study.engine.program_kind import program_kind
from study.engine.seeds import seed_for
from study.networks.weights import arrays
from study.settings import Settings

SQUARE_NORM = 100.0  # mean ||x||^2 of the images
GAUSSIAN = {"sigma_w": 1.7, "sigma_b": 0.3}
WIDTHS = [(5,), (6, 5), (5, 5), (6, 5, 5, 5), (6, 5, 5, 4, 4, 5), (10, 10), (784, 784)]


def settings(**changes):
    return Settings(**{"activation": "relu", "seed": 1, "depth": 5, "width": 50, **changes})


def layers(**changes):
    """(kernel, bias, ...) of layers 1 .. L + 1 at initialisation."""
    chosen = settings(**changes)
    listed, roles = arrays(chosen, initial_parameters(chosen, SQUARE_NORM)), 2 if chosen.normalization == "none" else 4
    return [listed[first : first + roles] for first in range(0, len(listed), roles)]


def kernels(**changes):
    return [layer[0] for layer in layers(**changes)]


@pytest.mark.parametrize("epochs", [0, BRIEF_EPOCHS, BRIEF_EPOCHS + 1])
@pytest.mark.parametrize("widths", WIDTHS)
def test_groups_are_the_layers_in_order(widths, epochs):
    """Unpacked, the groups are 784 -> the widths -> 10; the output layer is a group of its own, whatever its shape."""
    found = layer_groups(widths, epochs, 100)
    unpacked = [shape for s in found for shape in [s.shape[1:]] * s.count]
    assert unpacked == layer_shapes(widths) == list(itertools.pairwise([784, *widths, 10]))
    assert all(s.count <= s.shape.rows and s.shape.is_looped == (s.shape.rows > 1) for s in found)
    assert found[-1] == LayerGroup(1, Shape(1, widths[-1], 10))


def test_only_many_equal_layers_of_a_long_run_are_looped_over():
    """Of 784 -> n times 20 -> 10, the n - 1 equal layers are groups of one each up to UNROLLED."""
    counts = {
        n: [s.count for s in layer_groups((20,) * n, BRIEF_EPOCHS + 1, 100)] for n in (UNROLLED + 1, UNROLLED + 2)
    }
    assert counts == {UNROLLED + 1: [1] * (UNROLLED + 2), UNROLLED + 2: [1, UNROLLED + 1, 1]}


@pytest.mark.parametrize("epochs", [0, BRIEF_EPOCHS])
@pytest.mark.parametrize("depth", [1, 2, 5, 50])
def test_brief_runs_of_every_depth_share_a_program(depth, epochs):
    """Their groups differ in the number of layers alone, and there is a row for each."""
    assert layer_groups((100,) * depth, epochs, SPARE_UNITS) == (
        LayerGroup(1, Shape(1, 784, 100)),
        LayerGroup(depth - 1, Shape(ROWS, 100, 100)),
        LayerGroup(1, Shape(1, 100, 10)),
    )
    kinds = {program_kind(settings(depth=d, width=100, epochs=epochs)) for d in (1, 2, depth, ROWS + 1)}
    assert len(kinds) == 1 < len({program_kind(settings(depth=d, epochs=epochs)) for d in (depth, ROWS + 2)})


@pytest.mark.parametrize(("units", "batch"), [(SPARE_UNITS + 1, 100), (100, SPARE_UNITS + 1)])
@pytest.mark.parametrize("epochs", [1, 3000])
@pytest.mark.parametrize("depth", [1, 3, 60])
def test_wide_layers_and_large_batches_have_no_rows_to_spare(depth, epochs, units, batch):
    """A row of 1,000 units takes 12 MB with its slots, one of 10,000 images at 256 units 20 MB of signals."""
    assert all(s.shape.rows == s.count for s in layer_groups((units,) * depth, epochs, batch))


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_a_networks_layers_are_drawn_alike_for_long_and_brief_runs(normalization):
    """Groups do not change what a seed stands for; rows without a layer are 0."""
    for depth in (1, 4):
        long, brief = (settings(depth=depth, width=7, normalization=normalization, epochs=e) for e in (9, 1))
        drawn = [initial_parameters(chosen, SQUARE_NORM) for chosen in (long, brief)]
        for a, b in zip(arrays(long, drawn[0]), arrays(brief, drawn[1]), strict=True):
            np.testing.assert_array_equal(a, b)
        assert not any(np.any(role[depth - 1 :]) for role in drawn[1][1])


def assert_drawn(array, variance, largest=None):
    """Mean 0 and the variance, to 5 standard errors or so; all of it within the bound, and some of it near."""
    assert abs(array.mean()) < 5 * (variance / array.size) ** 0.5
    assert array.var() == pytest.approx(variance, rel=8 / array.size**0.5)
    if largest is not None:
        assert 0.97 * largest < np.abs(array).max() <= largest * (1 + 1e-6)


def assert_glorot(kernel):
    """Uniform up to sqrt(6 / (in + out)), whose variance is a third of its square."""
    largest = (6 / sum(kernel.shape)) ** 0.5
    assert_drawn(kernel, largest**2 / 3, largest)


@pytest.mark.parametrize("seed", [0, 1, 7, 2**31, 2**32 - 1])
def test_default_weights_have_the_distribution_they_are_named_for(seed):
    """Glorot's in every layer; or He's in all but the last: normal of variance 2 / in, cut at 2 sd. Biases are 0."""
    glorot, he = (layers(seed=seed, initialization=name) for name in ("glorot_uniform", "he_normal"))
    for kernel, bias in [*glorot, he[-1]]:
        assert_glorot(kernel)
        assert not bias.any()
    for kernel, bias in he[:-1]:
        variance = 2 / kernel.shape[0]
        # 0.87962566 is the standard deviation of a standard normal cut at 2, which He's is widened by
        assert_drawn(kernel, variance, 2 * variance**0.5 / 0.87962566)
        assert not bias.any()


@pytest.mark.parametrize("initialization", ["critical", "gaussian"])
def test_gaussian_weights_have_the_variances_asked_for(initialization):
    """sigma_w^2 / in and sigma_b^2 in the hidden layers, no two biases alike; Glorot's without biases in the last."""
    drawn = layers(initialization=initialization, width=200, **GAUSSIAN)
    for kernel, bias in drawn[:-1]:
        assert_drawn(kernel, 1.7**2 / kernel.shape[0])
        assert_drawn(bias, 0.3**2)
    assert len({bias.tobytes() for _, bias in drawn[:-1]}) == 5
    assert_glorot(drawn[-1][0])
    assert not drawn[-1][1].any()


def test_the_first_layer_is_scaled_to_its_images():
    """For images of the mean ||x||^2, z_1 has the mean square asked for, the biases' share included; others as ever."""
    changes = {"initialization": "critical", "width": (2000, 5), "depth": 2, "precision": "float64", **GAUSSIAN}
    (kernel, bias), second, _ = layers(first_square=0.8, **changes)
    x = np.random.default_rng(5).random((400, 784))
    x *= (SQUARE_NORM / np.square(x).sum(1).mean()) ** 0.5
    assert np.square(x @ kernel + bias).mean() == pytest.approx(0.8, rel=0.1)
    assert np.array_equal(second[0], layers(**changes)[1][0])


def test_a_centred_sigmoid_network_is_a_tanh_network():
    """sigmoid(z) = (1 + tanh(z / 2)) / 2, so the biases leave z_l = tanh(z_{l-1} / 2) / 2 @ W_l from layer 2 on.

    There sigma_w = 4 stands for a tanh network's 1. Layer 1 is Glorot's.
    """
    changes = {"activation": "sigmoid", "initialization": "centred", "sigma_w": 4.0, "sigma_b": 0.0}
    drawn = layers(width=200, precision="float64", **changes)
    assert_glorot(drawn[0][0])
    assert not drawn[0][1].any()
    for kernel, _ in drawn[1:]:
        assert_drawn(kernel, 16 / 200)
    parameters = initial_parameters(settings(width=200, precision="float64", **changes), SQUARE_NORM)
    x = np.random.default_rng(6).random((3, 784))
    logits = outputs(Architecture(tf.math.sigmoid), parameters, tf.constant(x))
    z = x @ drawn[0][0]
    for kernel, _ in drawn[1:]:
        z = np.tanh(z / 2) / 2 @ kernel
    np.testing.assert_allclose(logits, z, rtol=1e-9, atol=1e-12)


def test_normalised_layers_start_with_gamma_1_and_beta_0():
    """In the hidden layers; the kernels equal the kernels of the same seed without normalisation."""
    normalised, bare = layers(normalization="batch"), layers()
    assert [len(layer) for layer in normalised] == [4] * 5 + [2]
    assert all((gamma == 1).all() and not beta.any() for _, _, gamma, beta in normalised[:-1])
    assert all(np.array_equal(one[0], other[0]) for one, other in zip(normalised, bare, strict=True))


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_equal_layers_get_different_weights(seed):
    """Layers of one shape are uncorrelated: a Keras initialiser that is used twice would make them identical."""
    equal = [kernel.ravel() for kernel in kernels(seed=seed)[1:5]]
    correlations = np.corrcoef(equal)[~np.eye(4, dtype=bool)]
    assert np.abs(correlations).max() < 5 / 50  # 5 standard errors of n = 50 * 50


def test_a_seed_decides_every_layer_and_nothing_else_does():
    """Another activation, rate, batch or optimiser has the same draws, as has a deeper network in its first layers."""
    first = kernels()
    others = [
        {"activation": "sigmoid"},
        {"learning_rate": 1.0, "optimizer": "sgd", "momentum": 0.9, "batch": 1, "validation": 1, "epochs": 1},
    ]
    for changes in others:
        assert all(map(np.array_equal, first, kernels(**changes)))
    assert all(map(np.array_equal, first[:5], kernels(depth=9)))
    seeds = [first, *(kernels(seed=seed) for seed in (0, 2, 257, 2**31 + 1, 2**32 - 1))]
    for one, other in itertools.combinations(seeds, 2):
        assert not any(map(np.array_equal, one, other))


def test_streams_of_one_seed_are_independent():
    """Every role and index has a stream of its own, as has every seed: no two of 3 x 3 x 50 begin alike."""
    roles = itertools.product((0, 1, 2**32 - 1), ("kernel", "order", "split"), range(50))
    drawn = {tuple(seed_for(seed, role, index).generate_state(4)) for seed, role, index in roles}
    assert len(drawn) == 3 * 3 * 50


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("swish", {}),
        ("swish", {"residual": "plain"}),
        ("swish", {"residual": "scaled", "width": (784, 5, 5)}),  # as many units as pixels
        ("swish", {"normalization": "layer"}),
        ("swish", {"normalization": "batch", "residual": "scaled"}),
        ("sigmoid", {"initialization": "centred", **GAUSSIAN}),
    ],
)
def test_the_keras_model_is_the_same_network(name, changes):
    """It has the run's weights, and its logits equal our forward pass's, outside training and in training."""
    chosen = settings(**{"activation": name, "depth": 3, "width": (6, 5, 5), "precision": "float64", **changes})
    parameters = initial_parameters(chosen, SQUARE_NORM)
    model = keras_model(chosen, REGISTRY[name], SQUARE_NORM)
    for variable, array in zip(model.trainable_variables, arrays(chosen, parameters), strict=True):
        np.testing.assert_array_equal(variable, array)
    x = tf.constant(np.random.default_rng(3).random((4, 784)))
    architecture = Architecture(REGISTRY[name].function, chosen.normalization, chosen.residual)
    moments = [*((tf.zeros_like(group[1]), tf.ones_like(group[1])) for group in parameters[:-1]), ()]
    used = outputs(architecture, parameters, x, moments if chosen.normalization == "batch" else None)
    np.testing.assert_allclose(used, model(x, training=False), rtol=1e-9, atol=1e-12)
    trained, _ = forward(architecture, parameters, x)
    np.testing.assert_allclose(trained, model(x, training=True), rtol=1e-9, atol=1e-12)


def test_unit_norm_weights():
    """Every unit's incoming weights have norm 1, the output layer's too; biases are 0."""
    for kernel, bias in layers(initialization="unit_norm"):
        np.testing.assert_allclose(np.linalg.norm(kernel, axis=0), 1, rtol=1e-6)
        assert not bias.any()


def test_pytorchs_default():
    """Kernels and biases of every layer from Unif[-1, 1] / sqrt(fan_in), each its own draw."""
    for kernel, bias in layers(initialization="torch_default", width=200):
        bound = kernel.shape[0] ** -0.5
        assert_drawn(kernel, bound**2 / 3, bound)
        assert 0 < np.abs(bias).max() <= bound
        assert abs(np.corrcoef(kernel[0], bias)[0, 1]) < 0.9
