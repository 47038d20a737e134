"""Predictions for whole networks: by hand, against simulated wide networks, and for an activation of one's own."""

import math

import numpy as np
import pytest
from registered import NAMES, function_of

from study.theory.mean_field import INITIALIZATIONS, Scales, predicted_rows, propagate, quantities, scales, similarities
from study.theory.nonlinearity import nonlinearity

WIDTHS = (30, 600, 1300, 800, 10)


def simulate(function, scale, x, rng, draws):
    """Mean squares over `draws` random networks, by multiplying matrices: z, errors, example weight gradients.

    The errors at the output come from softmax cross-entropy for label 0. Each result (L+1,) is a mean over examples.
    """
    totals = np.zeros((3, len(scale.widths) - 1))
    for _ in range(draws):
        inputs, derivatives, weights, squares = [x], [], [], []
        for layer, fan_in in enumerate(scale.widths[:-1]):
            fan_out = scale.widths[layer + 1]
            unit = rng.standard_normal((fan_in, fan_out), dtype=np.float32)
            weights.append(unit * math.sqrt(scale.weight_variance[layer]))
            z = inputs[-1] @ weights[-1] + rng.normal(0, math.sqrt(scale.bias_variance[layer]), fan_out)
            squares.append(np.mean(z**2))
            value, derivative = function.at(z)
            inputs.append(value)
            derivatives.append(derivative)
        odds = np.exp(z - z.max(axis=1, keepdims=True))
        errors = [odds / odds.sum(axis=1, keepdims=True) - np.eye(scale.widths[-1])[0]]
        for weight, derivative in zip(weights[:0:-1], derivatives[-2::-1], strict=True):
            errors.insert(0, errors[0] @ weight.T * derivative)
        error = np.array([np.sum(e**2, axis=1) for e in errors])
        example = error * np.array([np.sum(h**2, axis=1) for h in inputs[:-1]])
        totals += np.array([squares, error.mean(axis=1), example.mean(axis=1)])
    return totals / draws


@pytest.mark.parametrize("name", ["relu", "sigmoid", "gelu", "tanh", "selu", "squared_relu"])
def test_predictions_agree_with_wide_networks(name):
    """Layers of unequal width near 1000, biases, inputs of unequal norm: forward and backward."""
    rng = np.random.default_rng(7)
    x = (rng.standard_normal((12, WIDTHS[0])) + rng.standard_normal(WIDTHS[0])) * rng.uniform(0.3, 0.7, (12, 1))
    scale = Scales(WIDTHS, np.array([0.8, 1.5, 1.1, 1.0]) / WIDTHS[:-1], np.array([0.05, 0.0, 0.1, 0.0]))
    squares, errors, examples = simulate(function_of(name), scale, x, rng, draws=5)
    predicted = quantities(propagate(function_of(name), scale, np.sum(x**2, axis=1)))
    # The relative error left at these widths. z^2 has heavy tails: its errors come within 7% at width 3000.
    close = 0.4 if name == "squared_relu" else 0.1
    assert predicted["preactivation_square"][:-1] == pytest.approx(squares[:-1], rel=close)  # the last are 10 units
    assert predicted["error_norm_ratio"] == pytest.approx(np.sqrt(errors / errors[-1]), rel=close)
    ratio = np.sqrt(examples / examples[-1])
    assert predicted["example_weight_gradient_norm_ratio"] == pytest.approx(ratio, rel=1.5 * close)


def through(name, initialization, widths, square_norm):
    """Propagate inputs of this ||x||^2 through such a network: the result, and the quantities of it."""
    scale = scales(initialization, widths, function_of(name), square_norm)
    found = propagate(function_of(name), scale, np.array([square_norm]))
    return found, quantities(found)


def test_relu_by_hand():
    """He keeps q as it is. Glorot at equal widths halves q per layer forward, and the errors' squares backward."""
    he, _ = through("relu", "he_normal", (100, 100, 100, 100, 100), 8.0)
    assert he.q[:-1, 0] == pytest.approx(16 * np.ones(3) / 100)
    assert he.chi[:-1, 0] == pytest.approx(np.ones(2))
    glorot, found = through("relu", "glorot_uniform", (100, 100, 100, 100, 100), 100.0)
    assert glorot.q[:, 0] == pytest.approx([1, 0.5, 0.25, 0.125])
    assert found["preactivation_square"] == pytest.approx(glorot.q[:, 0])
    assert found["error_norm_ratio"] ** 2 == pytest.approx([0.125, 0.25, 0.5, 1])
    assert found["example_weight_gradient_norm_ratio"] == pytest.approx(np.ones(4))


def test_unequal_widths_by_hand():
    """A linear 6-2-3-1 network: E||delta_1||^2 / E||delta_3||^2 is 2 Var(W_2) 3 Var(W_3), and q_3 6 2 3 Vars."""
    scale = Scales((6, 2, 3, 1), np.array([0.5, 0.7, 0.9]), np.array([0, 0.25, 0]))
    found = propagate(function_of("linear"), scale, np.array([10.0]))
    assert found.q[:, 0] == pytest.approx([5, 0.25 + 5 * 1.4, 7.25 * 2.7])
    assert quantities(found)["error_norm_ratio"] ** 2 == pytest.approx([1.4 * 2.7, 2.7, 1])
    assert found.input_square[:, 0] == pytest.approx([10, 2 * 5, 3 * 7.25])


def test_means_are_over_examples_before_ratios():
    """Two inputs of ||x||^2 1 and 3 in a 1-1-1 network of max(0, z)^2, by hand.

    Var(W_1) = 1/2 makes q = 1/2 and 3/2. Then E[phi^2] = 3 q^2 / 2 is 3/8 and 27/8, its mean 15/8. With Var(W_2) = 4,
    chi = 4 * 2 q is 4 and 12, and chi ||x||^2 is 4 and 36, its mean 20.
    """
    scale = Scales((1, 1, 1), np.array([0.5, 4.0]), np.zeros(2))
    found = quantities(propagate(function_of("squared_relu"), scale, np.array([1.0, 3.0])))
    assert found["preactivation_square"] == pytest.approx([1, 4 * 15 / 8])
    assert found["error_norm_ratio"] == pytest.approx([math.sqrt(8), 1])
    assert found["example_weight_gradient_norm_ratio"] == pytest.approx([math.sqrt(20 / (15 / 8)), 1])


def test_a_signal_that_is_exactly_zero_has_no_ratio():
    """phi = 0: nothing reaches the output layer, and the example weight gradient's ratio is NaN without a warning."""
    nothing = nonlinearity(lambda x: (np.zeros_like(x), np.zeros_like(x)))
    found = quantities(propagate(nothing, Scales((1, 1, 1), np.ones(2), np.zeros(2)), np.ones(1)))
    assert found["error_norm_ratio"].tolist() == [0, 1]
    assert np.isnan(found["example_weight_gradient_norm_ratio"]).all()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in {"softplus", "squared_relu"}])
def test_a_critical_network_keeps_its_errors(name):
    """q_l = q* from the first layer on and chi = 1 up to the output layer; where q* is the limit 0, both tend to it."""
    widths = (784, *[100] * 6, 10)
    found, _ = through(name, "critical", widths, 90.0)
    q, off = found.q[:-1, 0], np.abs(found.chi[:-1, 0] - 1)
    if name in {"tanh", "erf", "elu", "selu", "softsign", "relu6"}:
        assert np.all(np.diff(q) <= 1e-12)
        assert np.all(np.diff(off) <= 1e-12)
    else:
        assert off == pytest.approx(np.zeros(5), abs=1e-6)
        assert q == pytest.approx(np.full(6, q[0]))


def test_scales_by_hand():
    """Var(W) of a 6-2-4 network; the output layer is Glorot's whatever the hidden one is."""
    relu = function_of("relu")
    assert scales("glorot_uniform", (6, 2, 4), relu, 1.0).weight_variance == pytest.approx([2 / 8, 2 / 6])
    assert scales("he_normal", (6, 2, 4), relu, 1.0).weight_variance == pytest.approx([2 / 6, 2 / 6])
    assert scales("critical", (6, 2, 4), relu, 1.0).weight_variance == pytest.approx([2 / 6, 2 / 6])
    gelu = scales("critical", (6, 2, 4), function_of("gelu"), 90.0)
    assert gelu.bias_variance == pytest.approx([0.17292, 0], abs=1e-5)
    assert gelu.weight_variance == pytest.approx([(3.56155 - 0.17292) / 90, 2 / 6], abs=1e-5)  # q_1 = q*


def test_no_critical_point_means_no_scales():
    """None rather than something near; an unknown initialisation is an error that says what is allowed."""
    assert scales("critical", (784, 100, 10), function_of("softplus"), 1.0) is None
    with pytest.raises(ValueError, match="glorot_uniform, he_normal, critical"):
        scales("orthogonal", (784, 100, 10), function_of("relu"), 1.0)


def test_rows_are_one_per_network_layer_and_quantity():
    """`propagate` gives the values, for inputs alike and for their own norms; without a critical point, no rows."""
    norms = np.array([50.0, 150.0])
    grid = (INITIALIZATIONS, [1, 3], 64, norms, 0.4)
    rows = predicted_rows("one", function_of("swish"), *grid)
    network = ["activation", "init", "depth", "width"]
    assert list(rows) == [*network, "sigma_w", "sigma_b", "layer", "quantity", "predicted", "predicted_spread"]
    assert rows[["activation", "width"]].drop_duplicates().to_numpy().tolist() == [["one", 64]]
    assert len(rows) == 3 * 4 * (2 + 4)
    softplus = predicted_rows("softplus", function_of("softplus"), *grid)
    assert set(softplus["init"]) == {"glorot_uniform", "he_normal"}
    for initialization in INITIALIZATIONS:
        scale = scales(initialization, (784, 64, 64, 64, 10), function_of("swish"), 100.0)
        for column, inputs in (("predicted", np.array([100.0])), ("predicted_spread", norms)):
            for quantity, values in quantities(propagate(function_of("swish"), scale, inputs)).items():
                found = rows.query(f"init == {initialization!r} and depth == 3 and quantity == {quantity!r}")
                assert found["layer"].tolist() == [1, 2, 3, 4]
                assert found[column].tolist() == values.tolist()
                assert found["sigma_w"].tolist() == np.sqrt(scale.sigma_w2).tolist()
                assert found["sigma_b"].tolist() == np.sqrt(scale.bias_variance).tolist()


def test_similarity_by_closed_forms():
    """ReLU's cosine follows the arc-cosine kernel (Cho & Saul 2009), also where it is 1 but for 1e-7.

    A linear network keeps its cosine, but for a bias that both inputs share: c' = (c q + sigma_b^2) / (q + sigma_b^2).
    """
    scale = scales("he_normal", (784, *[100] * 30, 10), function_of("relu"), 90.0)
    found = similarities(
        function_of("relu"), scale, propagate(function_of("relu"), scale, np.array([90.0])).q[:, 0], 0.4
    )
    cosine = 0.4
    for value in found:
        assert 1 - value == pytest.approx(1 - cosine, rel=1e-6)
        angle = np.arccos(cosine)
        cosine = (np.sin(angle) + (np.pi - angle) * cosine) / np.pi
    linear = nonlinearity(lambda x: (x, np.ones_like(x)))
    shared = Scales((9, 9, 9, 9), np.full(3, 1 / 9), np.array([0, 0.5, 0]))
    assert similarities(linear, shared, np.array([1, 1.5, 1.5]), 0.4) == pytest.approx([0.4, 0.9 / 1.5, 0.9 / 1.5])
    first = Scales((9, 9, 9), np.full(2, 1 / 9), np.array([0.5, 0]))
    assert similarities(linear, first, np.array([1.5, 1.5]), 0.4) == pytest.approx([0.9 / 1.5, 0.9 / 1.5])
    near = similarities(linear, shared, np.array([1, 1.5, 1.5]), 1 - 3e-9)
    assert 1 - near == pytest.approx([3e-9, 2e-9, 2e-9], rel=1e-6)


def test_where_a_signal_is_lost_its_inputs_are_equal():
    """A mean square of 0 has the cosine 1 from then on; one that is not finite has no cosine."""
    one = function_of("relu")
    scale = Scales((9, 9, 9, 9), np.full(3, 1 / 9), np.zeros(3))
    assert similarities(one, scale, np.zeros(3), 0.4).tolist() == [1, 1, 1]
    assert similarities(one, scale, np.array([1, 0, 0.0]), 0.4).tolist() == pytest.approx([0.4, 1, 1])
    assert np.isnan(similarities(one, scale, np.array([1, np.inf, np.inf]), 0.4)).tolist() == [False, True, True]
