"""How far measurement is from theory, on seeds whose gaps are known."""

import math

import numpy as np
import pandas as pd
import pytest

from study.analysis import theory_gaps

DEPTH = 4


def measures(width: int, errors: list[float], squares: list[float]) -> pd.DataFrame:
    """Make one seed an entry: the error of layer 1 (the output layer's is 1), and z^2 of layer DEPTH."""
    same = {"activation": "relu", "init": "glorot_uniform", "variant": "plain", "optimiser": "adam"}
    same |= {"learning_rate": 0.01, "depth": DEPTH, "width": width, "step": 0}
    rows = []
    for seed, (error, square) in enumerate(zip(errors, squares, strict=True)):
        for layer in range(1, DEPTH + 2):
            norms = dict.fromkeys(("error", "example_weight_gradient"), error if layer == 1 else 1.0)
            for measure, value in {**norms, "preactivation_square": square}.items():
                rows.append(same | {"seed": seed, "layer": layer, "measure": measure, "value": value})
    return pd.DataFrame(rows)


def theory(spread: float = 1.0) -> pd.DataFrame:
    """Make theory that predicts 1 everywhere for inputs of one length, and `spread` for the images' own lengths."""
    return pd.DataFrame(
        {"activation": "relu", "init": "glorot_uniform", "sigma_w": 1.0, "sigma_b": 0.0, "depth": DEPTH}
        | {"width": width, "layer": layer, "quantity": quantity, "predicted": 1.0, "predicted_spread": spread}
        for width in (100, 256)
        for layer in range(1, DEPTH + 2)
        for quantity in ("error_norm_ratio", "example_weight_gradient_norm_ratio", "preactivation_square")
    )


def row(table: pd.DataFrame, quantity: str, width: int = 100) -> pd.Series:
    return table[(table["quantity"] == quantity) & (table["width"] == width)].iloc[0]


def test_the_root_mean_square_over_seeds_has_no_bias_of_the_logarithm() -> None:
    """Norms 0.6 and sqrt(2 - 0.36) have mean square 1, theory's; the squares 0.5 and 1.5 have mean 1."""
    table = theory_gaps.gaps(measures(100, [0.6, math.sqrt(2 - 0.36)], [0.5, 1.5]), theory())
    error = row(table, "error_norm_ratio")
    assert error["gap"] == pytest.approx(np.log([0.6, math.sqrt(1.64)]).mean())
    assert error["gap_rms"] == pytest.approx(0.0, abs=1e-12)
    square = row(table, "preactivation_square")
    assert square["gap"] == pytest.approx(np.log([0.5, 1.5]).mean())
    assert square["gap_rms"] == pytest.approx(0.0, abs=1e-12)


def test_the_interval_is_that_of_the_logarithms() -> None:
    """Two seeds at e^0.1 and e^0.3: mean 0.2, half width t(1) * 0.1; 0 lies inside."""
    found = row(theory_gaps.gaps(measures(100, np.exp([0.1, 0.3]).tolist(), [1.0, 1.0]), theory()), "error_norm_ratio")
    assert [found["gap"], found["gap_high"]] == pytest.approx([0.2, 0.2 + 12.7062 * 0.1], rel=1e-4)
    assert not found["is_outside"]
    assert bool(row(theory_gaps.gaps(measures(100, [2.0, 2.01], [1, 1]), theory()), "error_norm_ratio")["is_outside"])


def test_the_spread_of_the_inputs_moves_theory() -> None:
    """Theory for the images' own lengths is e^0.5: a gap of 0.5 is then none."""
    table = theory_gaps.gaps(measures(100, [math.exp(0.5)] * 3, [1.0] * 3), theory(math.exp(0.5)))
    assert row(table, "error_norm_ratio")["gap_spread"] == pytest.approx(0.0, abs=1e-12)


def test_the_offset_of_a_finite_width() -> None:
    """It is -5L/(4n) for a norm, -5L/(2n) for a square, and 0 where the two directions cancel."""
    table = theory_gaps.gaps(measures(100, [1.0, 1.1], [1.0, 1.1]), theory())
    offsets = table.set_index("quantity")["relu_offset"]
    assert offsets["error_norm_ratio"] == pytest.approx(-5 * DEPTH / 400)
    assert offsets["preactivation_square"] == pytest.approx(-5 * DEPTH / 200)
    assert offsets["example_weight_gradient_norm_ratio"] == 0


def test_finite_width_lowers_the_logarithm() -> None:
    """Over 400 random ReLU networks, 12 layers of 40, the mean log norm is the offset within 4 standard errors."""
    rng, depth, width = np.random.default_rng(3), 12, 40
    delta = rng.standard_normal((400, width))
    delta /= np.linalg.norm(delta, axis=1, keepdims=True)
    for _ in range(depth):
        weights = rng.normal(0, math.sqrt(2 / width), (400, width, width))
        delta = np.einsum("ni,nij->nj", delta, weights) * rng.integers(0, 2, (400, width))
    logs = np.log(np.linalg.norm(delta, axis=1))
    assert np.mean(logs) == pytest.approx(theory_gaps.relu_offset(depth, width), abs=4 * np.std(logs) / 20)
    assert np.var(logs) == pytest.approx(-theory_gaps.relu_offset(depth, width), rel=0.4)


def test_gaps_are_counted_by_width() -> None:
    """Each of the three quantities has one setting, and its interval leaves 0 out at both widths."""
    both = pd.concat([measures(100, [0.5, 0.51], [1.2, 1.21]), measures(256, [0.7, 0.71], [1.1, 1.11])])
    table = theory_gaps.gaps(both, theory())
    widths = theory_gaps.sizes_by_width(table).set_index(["quantity", "width"])
    assert widths.loc[("error_norm_ratio", 256), "outside"] == 1
    assert widths.loc[("error_norm_ratio", 100), "median_gap"] == pytest.approx(abs(np.log([0.5, 0.51]).mean()))


def around(mean: float, scatter: float, seeds: int = 20) -> list[float]:
    """Values whose logarithms have this mean and standard deviation exactly, as one draw of `seeds` has them."""
    drawn = np.random.default_rng(seeds).standard_normal(seeds)
    return np.exp(mean + scatter * (drawn - drawn.mean()) / drawn.std(ddof=1)).tolist()


def both_widths(narrow: list[float], wide: list[float]) -> pd.DataFrame:
    """Errors at width 100 and 256; the squares are what theory predicts."""
    return pd.concat([measures(100, narrow, [1.0] * len(narrow)), measures(256, wide, [1.0] * len(wide))])


def test_a_cause_is_named_where_the_gap_is_smaller_without_it() -> None:
    """The gap is -0.2 at width 100 and -0.1 at 256: the mean square changes by 0.03, and the scatter adds nothing.

    For the images' lengths theory is e^-0.2. The gap is then 0 at width 100 and 0.1 at 256. Over both widths the mean
    square changes by ((0.04 - 0) + (0.01 - 0.01)) / 2.
    """
    seen = both_widths(around(-0.2, 0.01), around(-0.1, 0.01))
    found = theory_gaps.causes(seen, theory(math.exp(-0.2))).set_index(["quantity", "cause"]).loc["error_norm_ratio"]
    assert found.loc["width", ["n", "settings"]].tolist() == [20, 1]
    assert found.loc["width", ["gap_with", "gap_without", "change"]].tolist() == pytest.approx([0.2, 0.1, 0.03])
    assert found.loc["width", "ci_low"] > 0.02
    assert found.loc["lengths", "change"] == pytest.approx(0.02)
    assert found.loc["width", "p_holm"] < 0.001
    other_way = theory_gaps.causes(both_widths(around(-0.1, 0.01), around(-0.2, 0.01)), theory())
    assert other_way.iloc[0][["cause", "p_holm"]].tolist() == ["width", pytest.approx(1.0, abs=5e-4)]


def test_the_bias_of_the_logarithm_is_told() -> None:
    """Norms whose mean square is theory's: their mean logarithm lies below it, their root mean square does not."""
    values = np.array(around(0.0, 1.0, 200))
    values /= np.sqrt((values**2).mean())
    found = theory_gaps.causes(both_widths(values.tolist(), values.tolist()), theory()).set_index(["quantity", "cause"])
    row = found.loc[("error_norm_ratio", "logarithm")]
    assert row["gap_with"] == pytest.approx(-np.log(values).mean())
    assert row["gap_without"] == pytest.approx(0.0, abs=1e-12)
    assert row["p_holm"] < 0.05
    assert row["change"] > 0


def test_what_makes_no_difference_is_no_cause() -> None:
    """One width alone, lengths that do not matter to theory, squares without a scatter: there is nothing to tell."""
    found = theory_gaps.causes(measures(100, around(-0.2, 0.01), [1.0] * 20), theory())
    assert found["cause"].tolist() == ["logarithm"] * 2
    nothing = theory_gaps.causes(measures(100, [0.9], [1.0]), theory())
    assert nothing.empty
