"""Each activation against the reference: the finding by size, the rows of the table, and when there are none."""

import math

import pandas as pd
import pytest
from scipy import stats

from study.analysis.comparisons import against_reference, classify_difference, table_by_seed


def runs(seeds: int = 10, **shifts: float) -> pd.DataFrame:
    """Accuracies of 0.97, scattered by seed and activation, shifted by activation."""
    rows = [
        {"activation": name, "seed": seed, "accuracy": 0.97 + shift + 1e-4 * ((seed * (3 + place)) % 7)}
        for place, (name, shift) in enumerate(shifts.items())
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("difference", "low", "high", "finding"),
    [
        (0.25, 0.1, 0.4, "better"),
        (-0.25, -0.4, -0.1, "worse"),
        (0.1, 0.02, 0.18, "tie"),  # excludes 0, but is too small to matter
        (0.1, -0.05, 0.25, "undecided"),
        (0.19, 0.01, 0.37, "undecided"),  # excludes 0, and is below the margin
        (0.25, -0.1, 0.6, "undecided"),
        (0.2, 0.1, 0.3, "better"),  # the margin itself
        (0.0, -0.2, 0.2, "undecided"),  # the interval must lie inside
        (0.3, math.nan, math.nan, "undecided"),
    ],
)
def test_the_finding_is_by_size(difference: float, low: float, high: float, finding: str) -> None:
    """At a margin of 0.2; each branch of the rule, and its edges."""
    assert classify_difference(difference, low, high, 0.2) == finding


def test_rows_agree_with_scipy() -> None:
    """Of two others: the 97.5% interval of the paired t test, and the 95% one for equivalence."""
    frame = runs(relu=0, gelu=0.01, swish=0.0001)
    found = against_reference(frame, "here", "accuracy")
    keys = ["experiment", "metric", "activation", "reference"]
    assert found.iloc[0][keys].tolist() == ["here", "accuracy", "gelu", "relu"]
    wide = table_by_seed(frame, "accuracy")
    for row in found.itertuples():
        d = wide[row.activation] - wide["relu"]
        test = stats.ttest_1samp(d, 0)
        assert row.difference == pytest.approx(d.mean())
        assert (row.ci_low, row.ci_high) == pytest.approx(tuple(test.confidence_interval(0.975)))
        assert (row.equivalence_low, row.equivalence_high) == pytest.approx(tuple(test.confidence_interval(0.95)))
    assert found["finding"].tolist() == ["better", "tie"]
    assert found["half_width"].tolist() == pytest.approx(((found["ci_high"] - found["ci_low"]) / 2).tolist())


def test_nothing_is_compared_without_the_reference_or_another() -> None:
    """One activation, two that are not the reference, or no run at all."""
    for frame in (runs(relu=0), runs(gelu=0, swish=0), runs(relu=0)[:0]):
        assert against_reference(frame, "here", "accuracy") is None


def test_one_seed_has_no_interval_and_decides_nothing() -> None:
    found = against_reference(runs(1, relu=0, gelu=0.01), "here", "accuracy")
    assert math.isfinite(found["difference"][0])
    assert math.isnan(found["ci_low"][0])
    assert found["finding"].tolist() == ["undecided"]


def test_unfinished_pairs_are_counted_and_left_out() -> None:
    """A diverged run of either arm drops its pair; an arm that never finished keeps its row, and has no number."""
    frame = runs(relu=0, gelu=0.01, swish=0)
    frame.loc[(frame["activation"] == "gelu") & (frame["seed"] < 3), "accuracy"] = math.inf
    frame.loc[frame["activation"] == "swish", "accuracy"] = math.nan
    found = against_reference(frame, "here", "accuracy")
    assert found[["activation", "n", "dropped"]].to_numpy().tolist() == [["gelu", 7, 3], ["swish", 0, 10]]
    assert found["finding"][1] == "undecided"


def test_a_seed_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="one row per activation and seed"):
        against_reference(pd.concat([runs(relu=0, gelu=0)] * 2), "here", "accuracy")
