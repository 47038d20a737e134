"""Check the rules of verdicts at their edges, and that every claim has what a verdict needs."""

import math

import pytest

from study.analysis import claims
from study.analysis.claims import CLAIMS, CONTRADICTED, INCONCLUSIVE, NOT_RUN, REPRODUCED, judge
from study.analysis.statistics import Interval
from study.constants import ACCEPTED


def test_every_part_has_its_region_and_every_region_its_part() -> None:
    """study/analysis/claims.py and study/constants.py name the same parts, and no region is empty."""
    assert {name: set(claim.parts) for name, claim in CLAIMS.items()} == {
        n: set(parts) for n, parts in ACCEPTED.items()
    }
    for parts in ACCEPTED.values():
        for low, high in parts.values():
            assert low < high
            assert math.isfinite(low) or math.isfinite(high), "a region that nothing can lie outside"


def test_the_claims_are_those_of_the_article_and_of_the_literature() -> None:
    """A1 to A5 and P1 to P9, each with a statement, a source and a protocol that are sentences of one line."""
    assert list(CLAIMS) == [f"A{k}" for k in range(1, 6)] + [f"P{k}" for k in range(1, 10)]
    for claim in CLAIMS.values():
        for text in (claim.statement, claim.source, claim.protocol, *claim.parts.values()):
            assert text
            assert text == " ".join(text.split())


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
        (1.101, 2.0, CONTRADICTED),
        (math.nan, math.nan, INCONCLUSIVE),  # n = 1
        (0.95, math.inf, INCONCLUSIVE),
    ],
)
def test_a_verdict_is_where_the_interval_lies(low: float, high: float, verdict: str) -> None:
    """A3's region for ReLU is [0.9, 1.1]: inside, outside, or neither."""
    assert ACCEPTED["A3"]["relu"] == (0.9, 1.1)
    assert judge("A3", "relu", Interval(1.0, low, high, 5)).verdict == verdict


def test_a_share_near_zero_is_not_judged_by_what_it_cannot_be() -> None:
    """A t interval of a share may reach below 0, and still lies in a region "at most"."""
    assert judge("A2", "sigmoid", Interval(0.001, -0.001, 0.003, 10)).verdict == REPRODUCED


def test_a_part_that_is_not_there_is_named() -> None:
    """The error names the claim, the wrong part and the right ones."""
    with pytest.raises(KeyError, match="claim A3 has no part 'gelu'; its parts: sigmoid, relu"):
        judge("A3", "gelu", Interval(1.0, 0.9, 1.1, 5))


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ([REPRODUCED, REPRODUCED], REPRODUCED),
        ([REPRODUCED, CONTRADICTED], CONTRADICTED),
        ([NOT_RUN, CONTRADICTED], CONTRADICTED),
        ([REPRODUCED, INCONCLUSIVE], INCONCLUSIVE),
        ([NOT_RUN, INCONCLUSIVE], INCONCLUSIVE),
        ([REPRODUCED, NOT_RUN], NOT_RUN),
        ([NOT_RUN, NOT_RUN], NOT_RUN),
    ],
)
def test_a_claim_claims_all_of_its_parts(verdicts: list[str], whole: str) -> None:
    """One part contradicted contradicts it; reproduced only if every part is; their order does not matter."""
    assert claims.overall(verdicts) == claims.overall(verdicts[::-1]) == whole


def test_the_table_has_every_part_with_its_judgement() -> None:
    """Judged or not run: verdicts, numbers and remarks are each part's own."""
    judged = [
        judge("P5", "he", Interval(1.0, 0.5, 2.0, 20), "20 seeds"),
        judge("P5", "glorot", Interval(math.nan, math.nan, math.nan, 0), "underflows"),
        judge("A3", "sigmoid", Interval(0.3, 0.29, 0.31, 5)),
    ]
    table = claims.table(judged).set_index(["claim", "part"])
    assert len(table) == sum(len(claim.parts) for claim in CLAIMS.values())
    he = table.loc[("P5", "he")]
    assert he[["measured", "ci_low", "ci_high", "n", "verdict", "remark"]].tolist() == [
        1.0, 0.5, 2.0, 20, REPRODUCED, "20 seeds",
    ]  # fmt: skip
    assert he["expected"] == "0.1 to 10"
    assert table.loc[("P5", "glorot"), "remark"] == "underflows"
    assert he["claim_verdict"] == table.loc[("P5", "glorot"), "claim_verdict"] == INCONCLUSIVE
    assert table.loc[("A3", "sigmoid"), "claim_verdict"] == CONTRADICTED
    assert table.loc[("A3", "relu"), ["verdict", "remark", "n"]].tolist() == [NOT_RUN, "make all", 0]
    assert table.loc[("P1", "elu"), "remark"] == "make claims"
    assert table["expected"].str.match(r"at (most|least) |.* to ").all()
    measured = claims.measurements(judged).loc[0].to_dict()
    assert measured == {"claim": "P5", "part": "he", "n": 20, "estimate": 1.0, "ci_low": 0.5, "ci_high": 2.0}
