"""The recommendation, how stable it is, and how often the rule errs."""

import math

import numpy as np
import pandas as pd
import pytest

from study.analysis import decision, rule_errors
from study.analysis.comparisons import against_reference
from study.analysis.decision import Source, decision_table, stability


@pytest.mark.parametrize(
    ("differences", "found", "saving", "place"),
    [
        ([0.3, 0.4], ["better", "better"], [0, 0], 1),  # the best of the better ones, whatever it costs
        ([0.3, 0.4], ["better", "undecided"], [0, 0.5], 0),
        ([0.1, -0.4], ["tie", "worse"], [0, 0.5], -1),  # nobody better: the reference
        ([0.1, 0.0], ["tie", "tie"], [0.1, 0.2], 1),  # but a tie that saves time, and the one that saves most
        ([0.1, 0.0], ["undecided", "undecided"], [0.1, 0.2], -1),
    ],
)
def test_the_rule_of_the_choice(differences: list[float], found: list[str], saving: list[float], place: int) -> None:
    assert decision.recommend(np.array(differences), np.array(found), np.array(saving)) == place


def test_cost_is_told_by_size_too() -> None:
    """Ratios of step times at a margin of 5%: saved, added, alike, unsure, unknown."""
    low = np.array([0.85, 1.1, 0.97, 0.9, math.nan])
    high = np.array([0.9, 1.2, 1.03, 1.1, math.nan])
    assert decision.classify_cost_ratio(low, high).tolist() == ["cheaper", "dearer", "tie", "undecided", "undecided"]


def test_half_widths_are_those_of_the_comparison() -> None:
    """For each of three activations, at n = 8."""
    rng = np.random.default_rng(0)
    values = {name: rng.normal(0.9, 0.01, 8) for name in ("relu", "a", "b", "c")}
    frame = pd.DataFrame(values).rename_axis("seed").melt(ignore_index=False, var_name="activation").reset_index()
    found = against_reference(frame, "here", "value")
    differences = np.array([values[name] - values["relu"] for name in "abc"])
    half = decision.half_widths(differences.std(axis=1, ddof=1), 8)
    assert half == pytest.approx(((found["ci_high"] - found["ci_low"]) / 2).to_numpy())


def accuracies(difference: float, n: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    arm = rng.normal(0, 1, n)
    arm = 0.002 * (arm - arm.mean()) / arm.std(ddof=1)
    return pd.DataFrame({"relu": np.full(n, 0.97), "gelu": 0.97 + difference + arm})


def test_a_clear_case_is_stable_and_one_at_the_margin_is_not() -> None:
    """0.4 points better: always. At the margin of 0.2 about half of the resamples lie above it. Equal: never."""
    share = {d: stability(accuracies(d), {}).set_index("activation")["share_recommended"] for d in (0.004, 0.002, 0.0)}
    assert share[0.004]["gelu"] == 1.0
    assert share[0.002]["gelu"] == pytest.approx(0.5, abs=0.05)
    assert share[0.0]["relu"] == 1.0
    assert all(of_one.sum() == pytest.approx(1) for of_one in share.values())


def test_stability_needs_the_reference_and_two_seeds() -> None:
    assert stability(accuracies(0.0)[["gelu"]], {}).empty
    assert stability(accuracies(0.0)[:1], {}).empty


def test_simulated_studies_decide_as_the_comparison_does() -> None:
    """Clear differences are found in nearly every simulated study, and no study has another number of seeds."""
    recommended, found, seeds = rule_errors.simulate(np.array([0.4, 0.0, -0.4]), 0.2, 0.05, 200)
    shares = (found == ["better", "tie", "worse"]).mean(axis=0)
    assert (shares > [0.99, 0.95, 0.99]).all()
    assert (recommended == 0).mean() > 0.99
    assert set(seeds) <= set(range(20, 61, 10))
    for spread, n in ((0.01, 20), (2.0, 60)):  # narrow at once, and never
        assert set(rule_errors.simulate(np.zeros(3), spread, 0.0, 50)[2]) == {n}


@pytest.mark.parametrize(
    ("truth", "places"), [((0.0, 0.1), [-1]), ((0.2, 0.0), [0, -1]), ((0.0, 0.4), [1]), ((-0.22, 0.0), [-1])]
)
def test_the_right_headlines(truth: tuple[float, ...], places: list[int]) -> None:
    assert rule_errors.recommendable(truth) == places


def test_undecided_contradicts_nothing() -> None:
    a = np.array(["better", "better", "tie", "undecided", "worse"])
    b = np.array(["better", "tie", "worse", "better", "undecided"])
    assert rule_errors.contradict(a, b).tolist() == [False, True, True, False, False]


def test_the_rule_rarely_errs() -> None:
    """Away from the margin, wrong headlines and contradictions are at most 2%; of differences as seen, at most 8%."""
    table = rule_errors.rule_error_table()
    is_seen = table["scenario"].str.startswith("as seen")
    assert (table.loc[is_seen, ["wrong_headlines", "contradictions"]] <= 0.08).all(axis=None)
    away = table[~table["scenario"].str.contains("margin") & ~is_seen]
    assert (away[["wrong_headlines", "contradictions"]] <= 0.02).all(axis=None)
    assert len(table) == len(rule_errors.SCENARIOS) * 4


def test_the_first_family_that_was_compared_decides() -> None:
    row = {"metric": "m", "activation": "gelu", "reference": "relu", "n": 3, "margin": 0.002, "finding": "tie"}
    bounds = {"difference": 0.0, "ci_low": 0.0, "ci_high": 0.0}
    frame = pd.DataFrame([{**row, **bounds, "experiment": name} for name in ("b", "a", "other")])
    found = decision.findings(frame, ["a", "b"], ["absent", "a", "b"])
    assert found["experiment"].tolist() == ["b", "a"]
    assert found["decides"].tolist() == [False, True]


def test_sources_take_the_matching_rows() -> None:
    """Only rows with every wanted value; where a table or an activation is missing there is NaN."""
    table = pd.DataFrame({"activation": ["a", "a", "b"], "kind": ["x", "y", "x"], "value": [1.0, 2.0, 3.0]})
    sources = [
        Source("t", {"kind": "y"}, {"one": "value"}),
        Source("t", {"kind": "x"}, {"two": "value"}),
        Source("absent", {}, {"three": "value"}),
    ]
    found = decision_table(["b", "a", "c"], {"t": table}, sources).set_index("activation")
    assert found["two"].tolist()[:2] == [3.0, 1.0]
    assert found.loc["a", "one"] == 2.0
    assert found.loc[["b", "c"], "one"].isna().all()
    assert found["three"].isna().all()


@pytest.mark.parametrize("source", [Source("t", {}, {"new": "value"}), Source("t", {"value": 1}, {})])
def test_a_column_that_a_source_misses_is_an_error(source: Source) -> None:
    """A renamed column is named, with the columns that are there; it never becomes NaN."""
    table = pd.DataFrame({"activation": ["a"], "renamed": [1.0]})
    with pytest.raises(KeyError, match="value"):
        decision_table(["a"], {"t": table}, [source])


def test_apart_means_no_value_in_common() -> None:
    table = pd.DataFrame({"activation": list("abcd"), "x_low": [2, 1, 3, math.nan], "x_high": [2, 1, 4, math.nan]})
    assert decision.side_of_chosen(table, "a", "x").tolist() == ["", "below", "above", ""]
    assert decision.side_of_chosen(table, "d", "x").tolist() == [""] * 4
