"""Two editions of the study are compared conclusion by conclusion."""

import itertools
import math

import pandas as pd
import pytest

from study.analysis.editions import AGREES, ALONE_A, ALONE_B, COMPATIBLE, CONTRADICTS, Tables, compare


def finding(word: str) -> Tables:
    row = {"experiment": "baseline", "activation": "gelu", "finding": word, "difference": 0.001, "n": 30}
    return {"verdict_findings": pd.DataFrame([{**row, "ci_low": -0.001, "ci_high": 0.003}])}


def claim(word: str) -> Tables:
    row = {"claim": "P8", "part": "small_n", "verdict": word, "measured": 0.09, "ci_low": 0.05, "ci_high": 0.2, "n": 9}
    return {"claims": pd.DataFrame([row])}


def depth(low: int, median: int, high: int) -> Tables:
    where = {"activation": "relu", "init": "he_normal", "variant": "plain", "optimiser": "sgd"}
    rows = [{**where, "median": median, "low": low, "high": high, "n": 3, "experiment": name} for name in "xy"]
    return {"trainable_depth": pd.DataFrame(rows)}


def headline(*recommended: str, remaining: str = "") -> Tables:
    names = ["relu", "sigmoid", "gelu", "swish"]
    table = pd.DataFrame({"activation": names, "tuned": 0.97, "tuned_low": 0.96, "tuned_high": 0.98, "tuned_n": 20})
    places = {name: place for place, name in enumerate(recommended, start=1)}
    marks = {"remaining": [name in remaining.split() for name in names]} if remaining else {}
    return {"verdict": table.assign(recommended=table["activation"].map(places), **marks)}


def cost(word: str, ratio: float = 1.2) -> Tables:
    names = {"activation": ["relu", "gelu"], "recommended": [1, math.nan], "cost_finding": ["tie", word]}
    ratios = {"step_ratio": [1, ratio], "step_ratio_low": [1, ratio - 0.1], "step_ratio_high": [1, ratio + 0.1]}
    return {"verdict": pd.DataFrame(names | ratios)}


def outcome(a: Tables, b: Tables) -> str:
    """Return the outcome of the one conclusion of both, which is the same the other way round."""
    (found,), (reverse,) = compare(a, b)["outcome"], compare(b, a)["outcome"]
    assert found == reverse
    return found


@pytest.mark.parametrize("pair", [*itertools.product(["better", "worse", "tie", "undecided"], repeat=2)])
def test_findings_contradict_each_other_where_both_are_decided(pair: tuple[str, str]) -> None:
    """Equal words agree; an undecided one contradicts nothing."""
    expected = AGREES if pair[0] == pair[1] else COMPATIBLE if "undecided" in pair else CONTRADICTS
    assert outcome(finding(pair[0]), finding(pair[1])) == expected


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (claim("reproduced"), claim("contradicted"), CONTRADICTS),
        (claim("reproduced (scaled down)"), claim("contradicted"), CONTRADICTS),
        (claim("reproduced (scaled down)"), claim("reproduced"), AGREES),
        (claim("reproduced"), claim("inconclusive"), COMPATIBLE),
        (claim("not reached here"), claim("reproduced"), COMPATIBLE),
        (claim("contradicted"), claim("not testable here"), COMPATIBLE),
        (depth(20, 20, 50), depth(10, 20, 20), AGREES),
        (depth(20, 20, 50), depth(10, 10, 20), COMPATIBLE),
        (depth(20, 20, 50), depth(5, 10, 10), CONTRADICTS),
        (headline("relu"), headline("relu"), AGREES),
        (headline("gelu", "swish"), headline("swish", "gelu"), COMPATIBLE),
        (headline("relu"), headline("relu", remaining="relu gelu"), COMPATIBLE),
        (headline("gelu"), headline("relu", remaining="relu gelu"), COMPATIBLE),
        (headline("relu"), headline("gelu"), CONTRADICTS),
    ],
)
def test_claims_depths_and_headlines(a: Tables, b: Tables, expected: str) -> None:
    """Claims: reproduced against contradicted. Depths: ranges over seeds apart. Headlines: no activation in both."""
    assert outcome(a, b) == expected


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [("dearer", "dearer", AGREES), ("dearer", "undecided", COMPATIBLE), ("cheaper", "dearer", CONTRADICTS)],
)
def test_costs_are_findings_too(a: str, b: str, expected: str) -> None:
    found = compare(cost(a), cost(b))
    assert dict(found[["kind", "outcome"]].to_numpy()) == {"headline": AGREES, "cost": expected}


def test_a_cost_has_a_time_and_a_processor() -> None:
    """The reference has none beside itself, nor what was not timed. Two processors are two questions."""
    assert compare(cost("dearer", math.nan), {})["kind"].tolist() == ["headline"]
    one, other = ({"verdict": cost(word)["verdict"].assign(cost_cpu=word)} for word in ("cheaper", "dearer"))
    assert compare(one, one)["outcome"].tolist() == [AGREES, AGREES]
    assert compare(one, other)["outcome"].tolist() == [AGREES, ALONE_A, ALONE_B]


def test_what_one_edition_alone_concludes_contradicts_nothing() -> None:
    """A missing table or row, and a claim that was not run, are listed as the other's alone, in either order."""
    a, b = {**finding("better"), **claim("not run")}, {**claim("reproduced"), **headline("relu")}
    assert dict(compare(a, b)[["kind", "outcome"]].to_numpy()) == {
        "finding": ALONE_A, "claim": ALONE_B, "headline": ALONE_B,
    }  # fmt: skip
    assert compare({}, {}).empty
    assert compare(a, {})["outcome"].tolist() == [ALONE_A]


def test_contradictions_come_first_with_both_numbers() -> None:
    """Then what is compatible; within an outcome the headline stands first. Numbers come from the tables."""
    a = {**headline("relu"), **finding("better"), **claim("reproduced"), **depth(1, 2, 3)}
    b = {**headline("relu"), **finding("tie"), **claim("inconclusive"), **depth(1, 2, 3)}
    found = compare(a, b)
    assert found["outcome"].tolist() == [CONTRADICTS, COMPATIBLE, AGREES, AGREES]
    assert found["kind"].tolist() == ["finding", "claim", "headline", "depth"]
    row = found.iloc[0]
    for edition, word in (("a", "better"), ("b", "tie")):
        numbers = [row[f"{name}_{edition}"] for name in ("word", "estimate", "low", "high", "n")]
        assert numbers == [word, 0.001, -0.001, 0.003, 30]


def test_tables_of_before_are_compared_by_their_words() -> None:
    """Editions made before differences stood in verdict_findings have no numbers there."""
    old = {"verdict_findings": finding("better")["verdict_findings"][["experiment", "activation", "finding"]]}
    found = compare(old, finding("better"))
    assert found["outcome"].tolist() == [AGREES]
    assert found[["estimate_a", "n_a"]].isna().all(axis=None)
