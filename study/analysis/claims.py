"""Judge the published claims of claims.toml by what was measured.

A part of a claim is reproduced if the whole interval lies in its region, contradicted if the whole interval lies
outside it, and inconclusive otherwise.
"""

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from study.analysis.statistics import NOTHING, Interval

SCALED_DOWN = " (scaled down)"  # ends the verdict on a protocol that is smaller than the source's
REPRODUCED, CONTRADICTED, INCONCLUSIVE = "reproduced", "contradicted", "inconclusive"
NOT_REACHED = "not reached here"  # a part that claims a possibility
NOT_TESTABLE = "not testable here"  # without an interval
NOT_RUN, BESIDE = "not run", "beside"
DIFFERS = "different by aspect"  # the verdict on a claim whose aspects have different ones
JUDGED = tuple(word + scale for word in (REPRODUCED, CONTRADICTED, INCONCLUSIVE) for scale in ("", SCALED_DOWN))
SEVERITY = (  # the first that a part has is the whole's
    CONTRADICTED, CONTRADICTED + SCALED_DOWN, INCONCLUSIVE, INCONCLUSIVE + SCALED_DOWN, NOT_REACHED, NOT_TESTABLE,
    NOT_RUN, REPRODUCED + SCALED_DOWN, REPRODUCED,
)  # fmt: skip
CHANGED = ("A3", "A5", "P2", "P3", "P4", "P5", "P6", "P7", "P8")  # in what is measured, after numbers had been seen
CHANGED_ON = "2026-11-28"  # runs of an earlier day are among those seen
VERDICTS = (*JUDGED, NOT_REACHED, NOT_TESTABLE, DIFFERS, NOT_RUN)  # in the order of the report


@dataclass(frozen=True)
class Part:
    """Name the quantity measured for a part of a claim, and the region in which the claim puts it, if it judges.

    `aspect` names what the part is about, if the claim is judged by each aspect alone. If the part `is_possible`, it
    says that something can be reached, which a failure does not contradict. The make target `target` does its runs.
    """

    quantity: str
    target: str
    region: tuple[float, ...] = ()
    aspect: str = ""
    is_possible: bool = False


@dataclass(frozen=True)
class Claim:
    """State a claim of the literature, with its parts by name."""

    statement: str
    source: str
    protocol: str
    parts: Mapping[str, Part]


@dataclass(frozen=True)
class Judgement:
    """Hold the measurement of one part of a claim, and the verdict on it.

    `remark` tells how the runs differ from the published protocol.
    """

    claim: str
    part: str
    measured: Interval
    verdict: str
    remark: str = ""


def _claim(statement: str, source: str, protocol: str, parts: Mapping[str, Any], target: str = "all") -> Claim:
    """Make a claim of its table in claims.toml; `target` is of the parts that name no other."""
    return Claim(statement, source, protocol, {name: Part(**{"target": target} | part) for name, part in parts.items()})


CLAIMS = {
    name: _claim(**about) for name, about in tomllib.loads(Path(__file__).with_suffix(".toml").read_text()).items()
}


def judge(claim: str, part: str, measured: Interval, remark: str = "", scaled_down: str = "") -> Judgement:
    """Judge one part of a claim by the interval measured; KeyError if the claim has no such part.

    `scaled_down` says what was smaller than in the source's protocol; the verdict's word then says that something was.
    """
    parts = CLAIMS[claim].parts
    if part not in parts:
        raise KeyError(f"claim {claim} has no part {part!r}; its parts: {', '.join(parts)}")
    verdict = _verdict(parts[part], measured)
    if scaled_down and verdict in JUDGED:
        verdict += SCALED_DOWN
    return Judgement(claim, part, measured, verdict, "; ".join(filter(None, (scaled_down, remark))))


def fewer_epochs(run: int, published: int) -> str:
    """Say that `run` epochs are fewer than the source's, as `judge` takes it; nothing if they are not."""
    return f"{run} epochs instead of {published}" if run < published else ""


def _verdict(part: Part, measured: Interval) -> str:
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


def overall(verdicts: Iterable[str]) -> str:
    """Return the verdict on a whole from the verdicts of its parts, all of which it claims."""
    return min(verdicts, key=SEVERITY.index)


def table(judgements: Sequence[Judgement]) -> pd.DataFrame:
    """Return the rows of claims.csv, one a part of every claim; parts without a judgement are "not run"."""
    found = {(judgement.claim, judgement.part): judgement for judgement in judgements}
    rows = pd.DataFrame(
        _row(name, claim, part, found.get((name, part))) for name, claim in CLAIMS.items() for part in claim.parts
    )
    aspects = rows[rows["expected"] != ""].groupby(["claim", "aspect"], sort=False)["verdict"].agg(overall)
    whole = aspects.groupby("claim").agg(lambda verdicts: verdicts.iloc[0] if len(set(verdicts)) == 1 else DIFFERS)
    keys = zip(rows["claim"], rows["aspect"], strict=True)
    rows.insert(len(rows.columns) - 1, "aspect_verdict", [aspects.get(key, "") for key in keys])
    rows.insert(len(rows.columns) - 1, "claim_verdict", rows["claim"].map(whole))
    return rows


def _row(name: str, claim: Claim, part: str, judgement: Judgement | None) -> dict[str, object]:
    about = claim.parts[part]
    judged = judgement or Judgement(name, part, NOTHING, NOT_RUN, f"make {about.target}")
    return {
        "claim": name,
        "part": part,
        "statement": claim.statement,
        "source": claim.source,
        "protocol": claim.protocol,
        "quantity": about.quantity,
        "expected": _region(*about.region) if about.region else "",
        "measured": judged.measured.estimate,
        "ci_low": judged.measured.low,
        "ci_high": judged.measured.high,
        "n": judged.measured.n,
        "verdict": judged.verdict,
        "aspect": about.aspect,
        "remark": judged.remark,
    }


def _region(low: float, high: float) -> str:
    if math.isinf(low):
        return f"at most {high:g}"
    return f"at least {low:g}" if math.isinf(high) else f"{low:g} to {high:g}"
