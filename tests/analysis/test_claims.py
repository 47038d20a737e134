"""Check the rules of verdicts at their edges, and that every claim has what a verdict needs."""

import math
from collections import Counter

import pytest

from study.analysis import claims
from study.analysis.claims import (
    BESIDE,
    CLAIMS,
    CONTRADICTED,
    INCONCLUSIVE,
    NOT_REACHED,
    NOT_RUN,
    NOT_TESTABLE,
    REPRODUCED,
    SCALED_DOWN,
    judge,
)  # fmt: skip
from study.analysis.statistics import Interval

SMALLER = REPRODUCED + SCALED_DOWN


def test_every_claim_has_what_a_verdict_needs() -> None:
    """Claims of the article (A1, A2, ...) come before published ones (P1, P2, ...), without a gap in the numbers.

    Each has texts of one line, and a part that judges; no region is empty or excludes nothing. Either all parts that
    judge have an aspect, or none has.
    """
    kinds = Counter(name[0] for name in CLAIMS)
    assert (kinds["A"], kinds["P"]) >= (5, 9)
    assert list(CLAIMS) == [f"{kind}{k}" for kind in "AP" for k in range(1, kinds[kind] + 1)]
    for claim in CLAIMS.values():
        parts = claim.parts.values()
        for text in (claim.statement, claim.source, claim.protocol, *(part.quantity for part in parts)):
            assert text == " ".join(text.split()) != ""
        judging = [part for part in parts if part.region]
        assert len({part.aspect != "" for part in judging}) == 1
        assert not any(part.aspect or part.is_possible for part in parts if part not in judging)
        for low, high in (part.region for part in judging):
            assert low < high
            assert math.isfinite(low) or math.isfinite(high)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.91, 1.09, REPRODUCED),
        (0.9, 1.1, REPRODUCED),  # the bounds belong to the region
        (0.89, 1.0, INCONCLUSIVE),
        (1.0, 1.11, INCONCLUSIVE),
        (0.8, 1.2, INCONCLUSIVE),
        (0.5, 0.9, INCONCLUSIVE),  # touches it
        (0.5, 0.899, CONTRADICTED),
        (1.101, math.inf, CONTRADICTED),
        (0.95, math.inf, INCONCLUSIVE),
        (math.nan, math.nan, NOT_TESTABLE),  # n = 1
    ],
)
def test_a_verdict_is_where_the_interval_lies(low: float, high: float, verdict: str) -> None:
    """A3's region for ReLU is [0.9, 1.1]: inside, outside, or neither. A smaller protocol is in the verdict's word."""
    assert CLAIMS["A3"].parts["relu_error"].region == [0.9, 1.1]
    measured = Interval(1.0, low, high, 5)
    assert judge("A3", "relu_error", measured).verdict == verdict
    smaller = judge("A3", "relu_error", measured, "on a train", scaled_down="2 epochs")
    assert smaller.verdict == (verdict if verdict == NOT_TESTABLE else f"{verdict} (scaled down)")
    assert smaller.remark == "2 epochs; on a train"


def test_a_share_near_zero_is_not_judged_by_what_it_cannot_be() -> None:
    """A t interval of a share may reach below 0, and still lies in a region "at most"."""
    assert judge("A2", "sigmoid", Interval(0.001, -0.001, 0.003, 10)).verdict == REPRODUCED


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.99, 0.995, REPRODUCED), (0.98, 0.985, NOT_REACHED), (0.985, 0.995, NOT_REACHED), (math.nan, 1, NOT_TESTABLE)],
)
def test_a_failed_search_contradicts_nothing(low: float, high: float, verdict: str) -> None:
    """That 99% can be reached is reproduced by one network, and not contradicted by another that does not reach it."""
    assert judge("A5", "ninety_nine", Interval(0.99, low, high, 5)).verdict == verdict


def test_a_part_that_is_not_there_is_named() -> None:
    """The error names the claim, the wrong part and the right ones."""
    with pytest.raises(KeyError, match="claim P9 has no part 'gelu'; its parts: narrow, wide"):
        judge("P9", "gelu", Interval(1.0, 0.9, 1.1, 5))


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ([REPRODUCED, REPRODUCED], REPRODUCED),
        ([REPRODUCED, SMALLER], SMALLER),
        ([REPRODUCED, CONTRADICTED], CONTRADICTED),
        ([NOT_RUN, CONTRADICTED], CONTRADICTED),
        ([REPRODUCED, INCONCLUSIVE], INCONCLUSIVE),
        ([REPRODUCED, NOT_REACHED], NOT_REACHED),
        ([SMALLER, NOT_RUN], NOT_RUN),
        ([NOT_RUN, NOT_RUN], NOT_RUN),
    ],
)
def test_a_claim_claims_all_of_its_parts(verdicts: list[str], whole: str) -> None:
    """One part contradicted contradicts it; reproduced only if every part is; their order does not matter."""
    assert claims.overall_verdict(verdicts) == claims.overall_verdict(verdicts[::-1]) == whole


def test_the_table_has_every_part_with_its_judgement() -> None:
    """Judged or not run: verdicts, numbers and remarks are each part's own."""
    judged = [
        judge("P9", "wide", Interval(0.05, 0.01, 0.09, 20), "20 seeds"),
        judge("P9", "narrow", Interval(0.5, 0.4, 0.6, 20)),
        judge("P6", "keras", Interval(0.9, 0.8, 0.95, 5)),
    ]
    table = claims.claims_table(judged).set_index(["claim", "part"])
    assert len(table) == sum(len(claim.parts) for claim in CLAIMS.values())
    wide = table.loc[("P9", "wide")]
    assert wide[["measured", "ci_low", "ci_high", "n", "verdict", "remark", "expected"]].tolist() == [
        0.05, 0.01, 0.09, 20, REPRODUCED, "20 seeds", "at most 0.1",
    ]  # fmt: skip
    assert wide["claim_verdict"] == table.loc[("P9", "narrow"), "claim_verdict"] == INCONCLUSIVE
    assert table.loc[("P6", "keras"), ["verdict", "expected", "claim_verdict"]].tolist() == [BESIDE, "", NOT_RUN]
    assert table.loc[("A3", "relu_error"), ["verdict", "remark", "n"]].tolist() == [NOT_RUN, "make all", 0]
    assert table.loc[("P1", "elu"), "remark"] == "make claims"
    assert table["expected"].str.match(r"at (most|least) |.* to |$").all()


def test_aspects_are_judged_apart() -> None:
    """A3 is reproduced for one norm and contradicted for the other, and its verdict hides neither."""
    shrinks, does_not = Interval(0.2, 0.1, 0.22, 20), Interval(1.0, 0.99, 1.01, 20)
    parts = {"sigmoid_weights": shrinks, "relu_weights": does_not, "sigmoid_error": shrinks, "relu_error": shrinks}
    table = claims.claims_table([judge("A3", part, measured) for part, measured in parts.items()])
    rows = table[(table["claim"] == "A3") & (table["aspect"] != "")]
    assert set(rows["claim_verdict"]) == {claims.DIFFERS}
    assert dict(zip(rows["aspect"], rows["aspect_verdict"], strict=True)) == {
        "weight gradients, layer by layer": REPRODUCED, "the error": CONTRADICTED,
    }  # fmt: skip
    same = claims.claims_table([judge("A3", part, does_not) for part in parts])
    assert set(same.loc[same["claim"] == "A3", "claim_verdict"]) == {CONTRADICTED}
