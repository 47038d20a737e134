"""How far measurement is from theory, on seeds whose gaps are known."""

import math

import numpy as np
import pandas as pd
import pytest

from study import theory_gaps
from study.experiment import Plan

DEPTH = 4


def measures(width: int, errors: list[float], squares: list[float]) -> pd.DataFrame:
    """One seed an entry: the error of layer 1 (that of the output layer is 1), and z^2 of layer DEPTH."""
    same = {"activation": "relu", "init": "glorot_uniform", "variant": "plain", "optimiser": "adam"}
    same |= {"learning_rate": 0.01, "depth": DEPTH, "width": width, "step": 0}
    rows = []
    for seed, (error, square) in enumerate(zip(errors, squares, strict=True)):
        for layer in range(1, DEPTH + 2):
            value = error if layer == 1 else 1.0
            rows += [same | {"seed": seed, "layer": layer, "measure": "error", "value": value}]
            rows += [same | {"seed": seed, "layer": layer, "measure": "example_weight_gradient", "value": value}]
            rows += [same | {"seed": seed, "layer": layer, "measure": "preactivation_square", "value": square}]
    return pd.DataFrame(rows)


def plan(spread: float = 1.0) -> Plan:
    """Theory that predicts 1 everywhere, for inputs of one length, and `spread` for those of the images."""
    rows = [
        {"activation": "relu", "init": "glorot_uniform", "sigma_w": 1.0, "sigma_b": 0.0, "depth": DEPTH}
        | {"width": width, "layer": layer, "quantity": quantity, "predicted": 1.0, "predicted_spread": spread}
        for width in (100, 256)
        for layer in range(1, DEPTH + 2)
        for quantity in ("error_norm_ratio", "example_weight_gradient_norm_ratio", "preactivation_square")
    ]
    return Plan(("relu",), theory={"relu": {"rows": {key: [row[key] for row in rows] for key in rows[0]}}})


def row(table: pd.DataFrame, quantity: str, width: int = 100) -> pd.Series:
    return table[(table["quantity"] == quantity) & (table["width"] == width)].iloc[0]


def test_the_root_mean_square_over_seeds_has_no_bias_of_the_logarithm() -> None:
    """Norms 0.6 and sqrt(2 - 0.36) have mean square 1, theory's: their mean logarithm lies below 0, their rms does not.

    A square is averaged as it is: 0.5 and 1.5 have mean 1.
    """
    table = theory_gaps.gaps(measures(100, [0.6, math.sqrt(2 - 0.36)], [0.5, 1.5]), plan())
    error = row(table, "error_norm_ratio")
    assert error["gap"] == pytest.approx(np.log([0.6, math.sqrt(1.64)]).mean())
    assert error["gap_rms"] == pytest.approx(0.0, abs=1e-12)
    square = row(table, "preactivation_square")
    assert square["gap"] == pytest.approx(np.log([0.5, 1.5]).mean())
    assert square["gap_rms"] == pytest.approx(0.0, abs=1e-12)


def test_the_interval_is_that_of_the_logarithms() -> None:
    """Two seeds at e^0.1 and e^0.3: mean 0.2, half width t(1) * 0.1; 0 lies inside."""
    table = theory_gaps.gaps(measures(100, np.exp([0.1, 0.3]).tolist(), [1.0, 1.0]), plan())
    found = row(table, "error_norm_ratio")
    assert [found["gap"], found["gap_high"]] == pytest.approx([0.2, 0.2 + 12.7062 * 0.1], rel=1e-4)
    assert not found["is_outside"]
    assert bool(row(theory_gaps.gaps(measures(100, [2.0, 2.01], [1, 1]), plan()), "error_norm_ratio")["is_outside"])


def test_the_spread_of_the_inputs_moves_theory() -> None:
    """Theory for the images' own lengths is e^0.5: a gap of 0.5 is then none."""
    table = theory_gaps.gaps(measures(100, [math.exp(0.5)] * 3, [1.0] * 3), plan(math.exp(0.5)))
    assert row(table, "error_norm_ratio")["gap_spread"] == pytest.approx(0.0, abs=1e-12)


def test_the_offset_of_a_finite_width() -> None:
    """-5L/(4n) of a norm, twice that of a square, none where the two directions cancel."""
    table = theory_gaps.gaps(measures(100, [1.0, 1.1], [1.0, 1.1]), plan())
    offsets = table.set_index("quantity")["relu_offset"]
    assert offsets["error_norm_ratio"] == pytest.approx(-5 * DEPTH / 400)
    assert offsets["preactivation_square"] == pytest.approx(-5 * DEPTH / 200)
    assert offsets["example_weight_gradient_norm_ratio"] == 0


def test_widths_are_compared_and_told() -> None:
    """Each of the three quantities has one setting, and its interval leaves 0 out at both widths."""
    both = pd.concat([measures(100, [0.5, 0.51], [1.2, 1.21]), measures(256, [0.7, 0.71], [1.1, 1.11])])
    table = theory_gaps.gaps(both, plan())
    widths = theory_gaps.by_width(table).set_index(["quantity", "width"])
    assert widths.loc[("error_norm_ratio", 256), "outside"] == 1
    assert widths.loc[("error_norm_ratio", 100), "median_gap"] == pytest.approx(abs(np.log([0.5, 0.51]).mean()))
    text = theory_gaps.outside(table)
    assert "norm\\_ratio at width 100 1 of 1 (median size 0.683)" in text
    assert "-5L/(4n) = -0.05 lies outside" in text
    shown = theory_gaps.shown(table, {"relu": "ReLU"})
    assert shown["Activation"].tolist() == ["ReLU"]
    assert shown["width 100"].str.startswith("-0.68").all()


def named(gaps: list[tuple[float, float, float]], widths: tuple[int, ...] = (100, 256)) -> pd.DataFrame:
    """A table of `gaps`, (gap, gap_rms, gap_spread), one depth an entry, of which width 256 leaves a half."""
    rows = [
        {"activation": "relu", "init": "glorot_uniform", "depth": depth, "width": width, "quantity": "error_norm_ratio"}
        | dict(zip(("gap", "gap_rms", "gap_spread"), np.array(gap) * scale, strict=True))
        for width, scale in zip(widths, (1.0, 0.5), strict=False)
        for depth, gap in enumerate(gaps)
    ]
    return pd.DataFrame(rows)


def test_a_cause_is_named_where_the_gap_is_smaller_without_it() -> None:
    """10 depths: the gap halves with the width in all (p = 2 / 2^10 by hand), is larger as root mean square in all of
    both widths, and is the same for the images' lengths but for 4 of 20, of which 2 are smaller.
    """
    gaps = [(0.2, -0.3, 0.2)] * 8 + [(0.2, -0.3, 0.1), (-0.2, 0.3, 0.4)]
    found = theory_gaps.causes(named(gaps)).set_index("cause")
    assert found.loc["width", ["settings", "smaller"]].tolist() == [10, 10]
    assert found.loc["width", "p"] == pytest.approx(2 / 2**10)
    assert found.loc["logarithm", ["settings", "smaller"]].tolist() == [20, 0]
    assert found.loc["lengths", ["settings", "smaller"]].tolist() == [4, 2]
    assert found.loc["lengths", "p"] == pytest.approx(1.0)
    assert found.loc["width", "p_holm"] == pytest.approx(2 * 2 / 2**10)  # the second smallest of three
    shown = theory_gaps.shown_causes(found.reset_index()).iloc[0]
    assert shown["a finite width"] == "10 of 10, p 0.004: a cause"
    assert shown["the logarithm's bias"].endswith("larger without it")
    assert shown["the images' lengths"].endswith("not told")


def test_what_makes_no_difference_is_no_cause() -> None:
    """One width alone, and three gaps that are the same: there is nothing to count."""
    found = theory_gaps.causes(named([(0.2, 0.2, 0.2)] * 3, widths=(100,)))
    assert found.empty
    assert theory_gaps.shown_causes(found).columns.tolist() == ["Quantity", *theory_gaps.CAUSES.values()]
    some = theory_gaps.causes(named([(0.2, 0.2, 0.1)] * 3, widths=(100,)))
    assert theory_gaps.shown_causes(some).iloc[0]["a finite width"] == "no difference"


def test_without_relu_nothing_is_said_of_its_offset() -> None:
    table = theory_gaps.gaps(measures(100, [1.0, 1.1], [1.0, 1.1]), plan()).assign(activation="other")
    assert "Hanin" not in theory_gaps.outside(table)
