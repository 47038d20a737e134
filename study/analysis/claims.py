"""Judge the published claims of claims.toml by what was measured.

A part of a claim is reproduced if the whole interval of the measurement lies in the part's region. It is contradicted
if the whole interval lies below or above the region, and inconclusive otherwise. Other verdicts have comments below.
"""

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from study.analysis.statistics import NOTHING, Interval

SCALED_DOWN = " (scaled down)"  # ends the verdict on a protocol that is smaller or easier than the source's
REPRODUCED, CONTRADICTED, INCONCLUSIVE = "reproduced", "contradicted", "inconclusive"
NOT_REACHED = "not reached here"  # the verdict on a part that `is_possible`, unless its interval lies in the region
NOT_TESTABLE = "not testable here"  # the measurement has no interval
NOT_RUN, BESIDE = "not run", "beside"  # the verdicts on a part without a measurement, and on one without a region
DIFFERS = "different by aspect"  # the verdict on a claim whose aspects have different ones
JUDGED = tuple(word + scale for word in (REPRODUCED, CONTRADICTED, INCONCLUSIVE) for scale in ("", SCALED_DOWN))
SEVERITY = (  # the verdict on several parts together is the first of these verdicts that a part has
    CONTRADICTED, CONTRADICTED + SCALED_DOWN, INCONCLUSIVE, INCONCLUSIVE + SCALED_DOWN, NOT_REACHED, NOT_TESTABLE,
    NOT_RUN, REPRODUCED + SCALED_DOWN, REPRODUCED,
)  # fmt: skip
# Claims whose quantity changed after numbers were seen.
CHANGED = ("A2", "A3", "A5", "P2", "P3", "P4", "P5", "P6", "P7", "P8")
CHANGED_ON = "2026-11-28"  # when the quantities changed; numbers of earlier runs had been seen
VERDICTS = (*JUDGED, NOT_REACHED, NOT_TESTABLE, DIFFERS, NOT_RUN)  # in the order of the report


@dataclass(frozen=True)
class Part:
    """Say what is measured for a part of a claim, and where the claim puts it."""

    quantity: str
    target: str  # the make target of its runs
    region: tuple[float, ...] = ()  # low and high, included; a part without a region is shown and judges nothing
    aspect: str = ""  # names the topic of the part, if the claim is judged aspect by aspect
    is_possible: bool = False  # the claim is that a level can be reached: runs that miss it do not contradict it


@dataclass(frozen=True)
class Claim:
    """State a claim of the literature, with its source, the protocol that tests it, and its parts by name."""

    statement: str
    source: str
    protocol: str
    parts: Mapping[str, Part]


@dataclass(frozen=True)
class Judgement:
    """Hold the measurement of one part of a claim, and the verdict on it."""

    claim: str  # name of the claim in claims.toml
    part: str  # name of the part there
    measured: Interval
    verdict: str
    remark: str = ""  # how the runs differ from the published protocol, and what else a reader must know


def _claim(statement: str, source: str, protocol: str, parts: Mapping[str, Any], target: str = "all") -> Claim:
    """Make a Claim from its table in claims.toml. Parts that name no make target get `target`."""
    return Claim(statement, source, protocol, {name: Part(**{"target": target} | part) for name, part in parts.items()})


CLAIMS = {
    name: _claim(**about)
    for name, about in tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")).items()
}


def judge(claim: str, part: str, measured: Interval, remark: str = "", scaled_down: str = "") -> Judgement:
    """Judge one part of a claim of CLAIMS, both given by name, by the interval `measured`.

    `scaled_down` says what was smaller or easier than in the source's protocol, "" if nothing was. It comes before the
    `remark`, and a verdict of JUDGED then ends in SCALED_DOWN. Raise KeyError if the claim or the part does not exist.
    """
    parts = CLAIMS[claim].parts
    if part not in parts:
        raise KeyError(f"claim {claim} has no part {part!r}; its parts: {', '.join(parts)}")
    verdict = _verdict(parts[part], measured)
    if scaled_down and verdict in JUDGED:
        verdict += SCALED_DOWN
    return Judgement(claim, part, measured, verdict, "; ".join(filter(None, (scaled_down, remark))))


def fewer_epochs(run: int, published: int) -> str:
    """Return a phrase for `scaled_down` of `judge` if `run`, the epochs here, are fewer than `published`, else ""."""
    return f"{run} epochs instead of {published}" if run < published else ""


def _verdict(part: Part, measured: Interval) -> str:
    """Return the verdict on `part` by the interval `measured`, without SCALED_DOWN."""
    if not part.region:
        return BESIDE
    low, high = part.region
    if math.isnan(measured.low) or math.isnan(measured.high):
        return NOT_TESTABLE
    if low <= measured.low and measured.high <= high:
        return REPRODUCED
    if part.is_possible:
        return NOT_REACHED
    return CONTRADICTED if measured.high < low or high < measured.low else INCONCLUSIVE


def overall_verdict(verdicts: Iterable[str]) -> str:
    """Return the verdict on a claim whose parts must all hold: the first of SEVERITY in their `verdicts`."""
    return min(verdicts, key=SEVERITY.index)


def claims_table(judgements: Sequence[Judgement]) -> pd.DataFrame:
    """Return the table claims.csv: one row per part of every claim of CLAIMS, with its verdict from `judgements`.

    `aspect_verdict` is the `overall_verdict` of the claim's parts that have this aspect and a region, "" if there are
    none. `claim_verdict` is the verdict that all aspects of the claim share, or DIFFERS.
    """
    found = {(judgement.claim, judgement.part): judgement for judgement in judgements}
    rows = pd.DataFrame(
        _claim_row(name, claim, part, found.get((name, part))) for name, claim in CLAIMS.items() for part in claim.parts
    )
    aspects = rows[rows["expected"] != ""].groupby(["claim", "aspect"], sort=False)["verdict"].agg(overall_verdict)
    whole = aspects.groupby("claim").agg(lambda verdicts: verdicts.iloc[0] if len(set(verdicts)) == 1 else DIFFERS)
    keys = zip(rows["claim"], rows["aspect"], strict=True)
    rows.insert(len(rows.columns) - 1, "aspect_verdict", [aspects.get(key, "") for key in keys])
    rows.insert(len(rows.columns) - 1, "claim_verdict", rows["claim"].map(whole))
    return rows


def _claim_row(name: str, claim: Claim, part: str, judgement: Judgement | None) -> dict[str, object]:
    """Return a part's row of `claims_table`; without a `judgement`, the remark is the command to run."""
    about = claim.parts[part]
    judged = judgement or Judgement(name, part, NOTHING, NOT_RUN, f"make {about.target}")
    return {
        "claim": name,
        "part": part,
        "statement": claim.statement,
        "source": claim.source,
        "protocol": claim.protocol,
        "quantity": about.quantity,
        "expected": _region_in_words(*about.region) if about.region else "",
        "measured": judged.measured.estimate,
        "ci_low": judged.measured.low,
        "ci_high": judged.measured.high,
        "n": judged.measured.n,
        "verdict": judged.verdict,
        "aspect": about.aspect,
        "remark": judged.remark,
    }


def _region_in_words(low: float, high: float) -> str:
    if math.isinf(low):
        return f"at most {high:g}"
    return f"at least {low:g}" if math.isinf(high) else f"{low:g} to {high:g}"
