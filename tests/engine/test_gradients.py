"""Gradients and measures of every layer: by finite differences, automatic differentiation, numpy and written sums."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from finite_differences import central_difference
from numpy_network import NumpyNetwork, mean_cosine
from scipy.special import expit, ndtr

from study.activations import REGISTRY, value_and_derivative
from study.engine import losses, measures
from study.engine.architecture import Architecture, Gradients, Signals
from study.engine.backward import backward
from study.engine.forward import forward, visit_forward
from study.engine.measures import derivative_supremum

SMOOTH = {  # phi and phi' by scipy, with no part of ours
    "sigmoid": lambda z: (expit(z), expit(z) * expit(-z)),
    "swish": lambda z: (z * expit(z), expit(z) * (1 + z * expit(-z))),
    "tanh": lambda z: (np.tanh(z), 1 / np.cosh(z) ** 2),
    "relu": lambda z: (np.maximum(z, 0), (z > 0) * 1.0),
    "softplus": lambda z: (np.logaddexp(0, z), expit(z)),
    "gelu": lambda z: (z * ndtr(z), ndtr(z) + z * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)),
}
# Inputs, then units: a layer alone, a group of three equal layers, another layer alone, the output.
SIZES = (7, 5, 4, 4, 4, 4, 3, 6)
GROUPS = ((0, 1), (1, 2), (2, 5), (5, 6), (6, 7))


@dataclasses.dataclass(frozen=True)
class Problem:
    """A small network, layer by layer and as the engine stacks it, with a batch x (B, 7), y (B,)."""

    layers: list
    parameters: tuple
    x: np.ndarray
    y: np.ndarray


def stacked(layers, groups=GROUPS):
    """Stack the layers of each group, from its first up to its last, in one tensor a role; kernels are transposed."""
    grouped = [zip(*layers[first:last], strict=True) for first, last in groups]
    return tuple(tuple(tf.constant(np.stack([a.T for a in arrays])) for arrays in group) for group in grouped)


def problem(seed=4, scale=1.0, batch=5, dtype=np.float64, normalization="none", sizes=SIZES, groups=GROUPS):
    """Weights of standard deviation scale / sqrt(inputs), so that z and the gradients are of order 1."""
    rng = np.random.default_rng(seed)
    layers = []
    for n, m in itertools.pairwise(sizes):
        arrays = [rng.normal(size=(n, m)) * scale / n**0.5, rng.normal(size=m) * scale / 2]
        if normalization != "none" and len(layers) < len(sizes) - 2:
            arrays += [1 + rng.random(m), rng.normal(size=m)]
        layers.append(tuple(array.astype(dtype) for array in arrays))
    x, y = rng.random((batch, sizes[0])).astype(dtype), rng.integers(0, sizes[-1], batch, dtype=np.int32)
    return Problem(layers, stacked(layers, groups), x, y)


@dataclasses.dataclass(frozen=True)
class Layer:
    """The signals and gradients that the backward pass showed of a layer, and phi, None for the output layer."""

    signals: Signals
    gradients: Gradients
    function: object


def run(p, architecture, seed=None, counts=None):
    """(loss, layers in order) of our forward and backward pass, in which 1 is added to every layer's parameters."""
    architecture = dataclasses.replace(architecture, counts=counts)
    logits, signals = forward(architecture, p.parameters, tf.constant(p.x), seed)
    loss, delta = losses.loss_and_delta("softmax", "crossentropy", logits, tf.constant(p.y))
    layers, last = [], len(p.parameters) - 1

    def visit(group, rows, signals, found):
        layers.insert(0, Layer(signals, found, None if group == last else architecture.function))
        return found.inputs, tf.nest.map_structure(lambda row: row + 1, rows), ()

    groups = [(group,) for group in p.parameters]
    changed, _ = backward(architecture, groups, signals, delta, visit, [()] * len(groups))
    counts = counts or [len(kernel) for kernel, *_ in p.parameters]
    for group, (moved,), count in zip(p.parameters, changed, counts, strict=True):
        for before, after in zip(group, moved, strict=True):
            np.testing.assert_array_equal(after[:count], before[:count] + 1)
            np.testing.assert_array_equal(after[count:], before[count:])
    return float(loss), layers


def batch_measures(layers):
    """BATCH_MEASURES of the layers, {name: (L + 1,)}."""
    return by_name([measures.of_batch(layer.function, layer.signals, layer.gradients) for layer in layers])


def probe_measures(architecture, parameters, supremum, x):
    """PROBE_MEASURES of the layers, {name: (L + 1,)}."""
    rows = []

    def visit(group, row, signals):
        function = None if group == len(parameters) - 1 else architecture.function
        rows.append(measures.of_probe(function, supremum, signals.preactivations))
        return ()

    visit_forward(architecture, parameters, tf.constant(x), visit, [()] * len(parameters))
    return by_name(rows)


def by_name(layers):
    """[{name: scalar}] of the layers as {name: (L + 1,)}."""
    return {name: np.array([float(layer[name]) for layer in layers]) for name in layers[0]}


def plain(name):
    return Architecture(REGISTRY[name].function)


def slopes(layers):
    """d loss / d each parameter, in the order of the layers and of their parameters."""
    return [np.transpose(array) for layer in layers for array in layer.gradients.parameters]


def phi_of(name):
    return lambda z: value_and_derivative(REGISTRY[name].function, z)


# The gradients


ARCHITECTURES = [(name, "none", "none") for name in SMOOTH] + [
    ("swish", "none", "plain"),
    ("swish", "none", "scaled"),
    ("swish", "batch", "none"),
    ("swish", "batch", "plain"),
    ("tanh", "layer", "none"),
    ("tanh", "layer", "scaled"),
]


@pytest.mark.parametrize(("name", "normalization", "residual"), ARCHITECTURES)
def test_gradients_and_error_signals_are_finite_differences(name, normalization, residual):
    """Of numpy's loss in float64: by every parameter, and by a nudge of every z_{l,i}, which times B is delta_{l,i}."""
    p = problem(normalization=normalization)
    network = NumpyNetwork(p.layers, SMOOTH[name], normalization, residual)
    loss, found = run(p, Architecture(REGISTRY[name].function, normalization, residual))
    assert loss == pytest.approx(network.losses(p.x, p.y).mean(), rel=1e-7)
    for array, slope in zip((a for layer in network.layers for a in layer), slopes(found), strict=True):
        numeric = central_difference(lambda: network.losses(p.x, p.y).mean(), array)
        np.testing.assert_allclose(slope, numeric, rtol=1e-6, atol=1e-9)
    for number, (layer, error) in enumerate(zip(found, batch_measures(found)["error"], strict=True), start=1):
        nudge = np.zeros(layer.gradients.delta.shape)
        numeric = central_difference(lambda: network.losses(p.x, p.y, {number: nudge}).mean(), nudge)  # noqa: B023
        np.testing.assert_allclose(layer.gradients.delta, numeric, rtol=1e-6, atol=1e-9)
        assert error == pytest.approx(math.sqrt(((len(p.x) * numeric) ** 2).sum(1).mean()), rel=1e-6)


def assert_gradients_are_the_tapes(p, function, masks, loss, found):
    """TensorFlow's tape finds the loss and every gradient in a plain chain of layers phi(z_l) * mask_l."""
    variables = [[tf.Variable(array) for array in layer] for layer in p.layers]
    with tf.GradientTape() as tape:
        h = tf.constant(p.x)
        for (kernel, bias), mask in zip(variables[:-1], masks, strict=True):
            h = function(h @ kernel + bias) * mask
        logits = h @ variables[-1][0] + variables[-1][1]
        expected = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(p.y, logits))
    assert loss == pytest.approx(float(expected), rel=1e-12)
    for ours, theirs in zip(slopes(found), tape.gradient(expected, tf.nest.flatten(variables)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("name", REGISTRY)
def test_a_looped_group_is_the_same_network_unrolled(name):
    """Five equal layers in a loop have the gradients of a plain chain of six layers."""
    p = problem(seed=5, sizes=(7, *[4] * 6, 3), groups=((0, 1), (1, 6), (6, 7)))
    assert_gradients_are_the_tapes(p, REGISTRY[name].function, [1.0] * 6, *run(p, plain(name)))


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_rows_without_a_layer_are_neither_read_nor_written(normalization):
    """Three layers with two rows of NaN behind them, or none with five: as without these rows, which stay NaN."""
    architecture = Architecture(tf.math.tanh, normalization, residual="scaled")
    for count in (3, 0):
        sizes = (7, *[4] * (count + 1), 3)
        groups = ((0, 1), (1, count + 1), (count + 1, count + 2))
        p = problem(sizes=sizes, normalization=normalization, groups=groups if count else (groups[0], groups[2]))
        first, *looped, last = p.parameters
        width = [(5, 4, 4), *[(5, 4)] * (len(first) - 1)]
        spare = [np.full(shape, np.nan) for shape in width]
        for array, role in zip(spare, looped[0] if looped else (), strict=False):
            array[:count] = role
        roomy = dataclasses.replace(p, parameters=(first, tuple(map(tf.constant, spare)), last))
        (loss, found), (expected_loss, expected) = run(roomy, architecture, counts=(1, count, 1)), run(p, architecture)
        assert loss == pytest.approx(expected_loss, rel=1e-12)
        for ours, theirs in zip(slopes(found), slopes(expected), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)


# The measures


@pytest.mark.parametrize("zeros", [0, 1, 3, 7])
def test_similarity_is_the_mean_cosine_of_all_pairs(zeros):
    """One by one, over pairs of 7 rows of any length, of which the first few are 0."""
    z = np.random.default_rng(0).normal(0.3, 1, (7, 5)) * np.logspace(-30, 20, 7)[:, None]
    z[:zeros] = 0
    for dtype, tolerance in ((np.float64, 1e-14), (np.float32, 1e-7)):
        measured = measures.of_probe(None, 1.0, tf.constant(z.astype(dtype)))
        assert float(measured["similarity"]) == pytest.approx(mean_cosine(z), abs=tolerance)


def test_the_thresholds_by_hand():
    """phi = z^2 / 2 has phi' = z. With a supremum of 100, |z| < 5 is saturated, and a unit dead below 0.1 throughout.

    z = (0.05, 0, 0.2, -200), (-0.09, 0.11, 5, 3): the first unit is dead; 6 of 8 entries are saturated (not 5 itself);
    one is exactly 0.
    """
    z = np.array([[0.05, 0, 0.2, -200], [-0.09, 0.11, 5, 3]])
    parameters = tuple((tf.eye(4, batch_shape=[1], dtype=tf.float64), tf.zeros((1, 4), tf.float64)) for _ in range(2))
    measured = probe_measures(Architecture(lambda z: z * z / 2), parameters, 100.0, z)
    expected = {"dead_units": 1 / 4, "saturation": 6 / 8, "sparsity": 1 / 8}
    for name, share in expected.items():
        np.testing.assert_array_equal(measured[name], [share, np.nan], err_msg=name)


@pytest.mark.parametrize("name", REGISTRY)
def test_every_measure_is_what_numpy_finds(name):
    """All of a forward and backward pass, in every layer, for weights that saturate units and that do not."""
    supremum = derivative_supremum(REGISTRY[name])
    probe = np.random.default_rng(7).normal(size=(9, 7))
    for scale in (1.0, 10.0):
        p = problem(seed=6, scale=scale, batch=12)
        _, found = run(p, plain(name))
        measured = batch_measures(found) | probe_measures(plain(name), p.parameters, supremum, probe)
        expected = NumpyNetwork(p.layers, phi_of(name)).measures(p.x, p.y, probe, supremum)
        assert measured.keys() == expected.keys()
        for measure, values in expected.items():
            np.testing.assert_allclose(measured[measure], values, rtol=1e-9, atol=1e-14, err_msg=measure)


# Numbers at the ends of float32


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("exponent", [-36, -25, 0, 25, 36])
def test_norms_reach_as_far_as_float32(exponent, compiled):
    """(3, 4) * 10^k has the norm 5 * 10^k, where its squares would be 0 or infinite; 0 stays 0, and NaN NaN."""
    unit = np.float32(10.0**exponent)
    x = np.array([[3 * unit, 4 * unit], [0, 0], [-unit, 0], [math.nan, 1]], np.float32)
    square = tf.function(measures.square_norm, jit_compile=True) if compiled else measures.square_norm
    found = np.sqrt(square(tf.constant(x), [-1]))
    np.testing.assert_allclose(found, [5 * unit, 0, unit, math.nan], rtol=1e-6)
    assert np.sqrt(square(tf.constant(x[:3]), [0, 1])) == pytest.approx(math.sqrt(26) * unit, rel=1e-6)


def test_a_vanishing_error_is_not_reported_as_zero():
    """Errors about 1e-25 and 1e-30 in float32 measure what float64 finds; their squares underflow."""
    p = problem(seed=8, dtype=np.float32)
    for factor, layer in ((1e-25, 6), (1e-5, 3)):
        p.layers[layer][0][:] *= np.float32(factor)
    p = dataclasses.replace(p, parameters=stacked(p.layers))
    _, found = run(p, plain("sigmoid"))
    measured = batch_measures(found)
    expected = NumpyNetwork(p.layers, SMOOTH["sigmoid"]).measures(p.x, p.y, p.x, 0.25)
    for measure in ("weight_gradient", "error", "example_weight_gradient"):
        assert max(expected[measure][:3]) < 1e-29 < 1e-26 < max(expected[measure][3:6]) < 1e-23
        np.testing.assert_allclose(measured[measure], expected[measure], rtol=1e-4)


def test_an_error_of_exactly_zero_is_zero():
    """Behind an output kernel of zeros no error passes: zeros that are zeros, finite, and not NaN."""
    p = problem(seed=9, dtype=np.float32)
    p.layers[-1][0][:] = 0
    p = dataclasses.replace(p, parameters=stacked(p.layers))
    _, found = run(p, plain("relu"))
    measured = batch_measures(found)
    for measure in ("weight_gradient", "error", "example_weight_gradient"):
        column = measured[measure]
        assert column[:-1].tolist() == [0] * 6
        assert column[-1] > 0


# Dropout


DROPPING = Architecture(tf.math.tanh, dropout=0.4)


def test_gradients_with_dropout_are_the_tapes():
    """The tape finds the same gradients with the same masks, each of which drops something."""
    p = problem(seed=5, sizes=(7, 4, 4, 4, 3), groups=((0, 1), (1, 3), (3, 4)))
    loss, found = run(p, DROPPING, tf.constant([7, 3]))
    masks = [layer.signals.mask[0] for layer in found[:-1]]
    assert all(0 < np.count_nonzero(mask) < mask.shape.num_elements() for mask in masks)
    assert_gradients_are_the_tapes(p, tf.math.tanh, masks, loss, found)


def test_dropout_drops_its_share_and_keeps_the_mean():
    """A mask is 0 in a share `dropout` of its entries and 1 / (1 - dropout) in the others; layers and seeds differ."""
    shapes = ((1, 200, 784), (2, 200, 200), (1, 10, 200))
    kernels = tuple((tf.zeros(shape), tf.zeros(shape[:2])) for shape in shapes)
    masks = []
    for seed in ([1, 0], [1, 1]):
        _, signals = forward(DROPPING, kernels, tf.zeros((300, 784)), tf.constant(seed))
        masks += [signals[0].mask[0], *tf.unstack(signals[1].mask[0])]
    for mask in masks:
        np.testing.assert_allclose(np.unique(mask), [0, 1 / 0.6], rtol=1e-6)
        assert abs(np.mean(mask == 0) - 0.4) < 5 * (0.24 / 60_000) ** 0.5
    neighbours = [(mask[:, ::2], mask[:, 1::2]) for mask in masks]  # may be drawn as one number
    for a, b in [*itertools.combinations(masks, 2), *neighbours]:
        assert abs(np.mean((a.numpy() == 0) == (b.numpy() == 0)) - 0.52) < 0.02


@pytest.mark.parametrize("share", [0.2, 1 - 1e-12])
def test_dropout_drops_the_same_units_in_any_precision(share: float):
    """An odd number of units, too; and a share that is nearly all leaves nearly none."""
    dropping = Architecture(tf.math.tanh, dropout=share)
    dropped = []
    for dtype in (tf.float32, tf.float64):
        kernels = tuple((tf.zeros(shape, dtype), tf.zeros(shape[:2], dtype)) for shape in ((1, 7, 5), (1, 3, 7)))
        _, signals = forward(dropping, kernels, tf.zeros((9, 5), dtype), tf.constant([1, 2]))
        dropped.append(signals[0].mask[0].numpy() == 0)
    np.testing.assert_array_equal(*dropped)
    assert abs(np.mean(dropped) - share) < 5 * (0.16 / 63) ** 0.5
