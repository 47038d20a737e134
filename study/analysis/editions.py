"""Compare two editions of the study, conclusion by conclusion.

An edition is given as its tables, by name. The tables named in TABLES hold its conclusions; a missing table adds none.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from study.analysis.claims import CONTRADICTED, NOT_RUN, REPRODUCED, SCALED_DOWN

Tables = Mapping[str, pd.DataFrame]

# The columns that each table needs. Others may be missing, as in older editions.
TABLES = {
    "verdict": ("activation", "recommended"),
    "verdict_findings": ("experiment", "activation", "finding"),
    "claims": ("claim", "part", "verdict"),
    "trainable_depth": ("activation", "init", "variant", "optimiser", "median", "low", "high"),
}
CONTRADICTS, COMPATIBLE, AGREES, ALONE_A, ALONE_B = "contradicts", "compatible", "agrees", "only in A", "only in B"
OUTCOMES = (CONTRADICTS, COMPATIBLE, AGREES, ALONE_A, ALONE_B)  # of comparing two conclusions, in the order shown
KINDS = ("headline", "finding", "cost", "claim", "depth")  # of conclusions, in the order shown
KEYS = ["kind", "question", "subject"]  # columns that identify a conclusion
NUMBERS = ["estimate", "low", "high", "n"]  # columns of its numbers
DECIDED = {"better", "worse", "tie", "cheaper", "dearer", REPRODUCED, CONTRADICTED}  # the words of decided conclusions


def compare(a: Tables, b: Tables) -> pd.DataFrame:
    """Return one row per conclusion of edition A (`a`) or B (`b`), contradictions first.

    The columns KEYS identify a conclusion (see `conclusions`). `word_a` is the conclusion of A in a few words, and
    estimate_a, low_a, high_a and n_a are its numbers; B has the same with _b. A missing conclusion is NaN. `outcome` is
    one of OUTCOMES. Headlines contradict if no activation is in both, depths if their ranges are apart, and all others
    if their words differ and are in DECIDED.
    """
    return compare_conclusions(conclusions(a), conclusions(b))


def compare_conclusions(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """Return the table of `compare`, from the `conclusions` of edition A and of edition B."""
    found = a.merge(b, on=KEYS, how="outer", suffixes=("_a", "_b"))
    found["outcome"] = [_outcome(row) for row in found.to_dict("records")]
    ranks = [*OUTCOMES, *KINDS]
    return found.sort_values(["outcome", "kind"], key=lambda words: words.map(ranks.index), ignore_index=True)


def conclusions(tables: Tables) -> pd.DataFrame:
    """Return the conclusions of an edition, one row each, from its `tables` by name.

    The columns are KEYS; word, the conclusion in a few words; and NUMBERS, NaN where there is none.
    """
    parts = [make(tables[name]) for name, make in _CONCLUSION_MAKERS.items() if name in tables]
    columns = [*KEYS, "word", *NUMBERS]
    kept = [part.reindex(columns=columns) for part in parts if len(part)]
    return pd.concat(kept or [pd.DataFrame(columns=columns)], ignore_index=True).drop_duplicates(KEYS)


def _headline_and_costs(verdict: pd.DataFrame) -> pd.DataFrame:
    """Return the conclusions of the table `verdict`: the headline, and the cost of each activation but the reference.

    The cost of an activation is the time of its training step divided by the reference's. The `question` of a cost
    names the processor, so that only costs on the same processor are compared. A table of an older edition has no
    costs; then return the headline alone.
    """
    if "cost_finding" not in verdict:
        return _headline(verdict)
    costs = verdict[verdict["step_ratio"].notna() & (verdict["step_ratio"] != 1)]
    numbers = {"step_ratio": "estimate", "step_ratio_low": "low", "step_ratio_high": "high"}
    renamed = costs.rename(columns={"activation": "subject", "cost_finding": "word"} | numbers)
    question = "cost on " + costs.get("cost_cpu", pd.Series("an unknown processor", costs.index)).astype(str)
    return pd.concat([_headline(verdict), renamed.assign(kind="cost", question=question)], ignore_index=True)


def _headline(verdict: pd.DataFrame) -> pd.DataFrame:
    """Return the headline in one row, or no row if no activation is recommended or remaining.

    `word` names the recommended activation, whose tuned accuracy gives the numbers, then the others that remain.
    """
    remains = verdict.get("remaining", pd.Series(0, index=verdict.index)).fillna(0).astype(bool)
    named = verdict[verdict["recommended"].notna() | remains].sort_values("recommended", kind="stable")
    numbers = {"tuned": "estimate", "tuned_low": "low", "tuned_high": "high", "tuned_n": "n"}
    first = named.head(1).rename(columns=numbers)
    return first.assign(kind="headline", question="headline", subject="", word=", ".join(named["activation"]))


def _finding_conclusions(findings: pd.DataFrame) -> pd.DataFrame:
    """Return one conclusion for each row of the table verdict_findings: the finding in a word."""
    numbers = {"difference": "estimate", "ci_low": "low", "ci_high": "high"}
    renamed = {"experiment": "question", "activation": "subject", "finding": "word"} | numbers
    return findings.rename(columns=renamed).assign(kind="finding")


def _claim_conclusions(claims: pd.DataFrame) -> pd.DataFrame:
    """Return one conclusion for each part of the table `claims` that was run: its verdict without SCALED_DOWN."""
    run = claims[claims["verdict"] != NOT_RUN]
    words = run["verdict"].str.removesuffix(SCALED_DOWN)
    numbers = {"measured": "estimate", "ci_low": "low", "ci_high": "high"}
    return run.rename(columns={"claim": "question", "part": "subject"} | numbers).assign(kind="claim", word=words)


def _depth_conclusions(depths: pd.DataFrame) -> pd.DataFrame:
    """Return one conclusion per row of the table trainable_depth: the median depth, in layers, and its range."""
    subject = depths["activation"] + ", " + depths["init"] + ", " + depths["variant"] + ", " + depths["optimiser"]
    words = [f"{median:g}" for median in depths["median"]]
    return depths.assign(kind="depth", question="trained depth", subject=subject, word=words, estimate=depths["median"])


_CONCLUSION_MAKERS = {
    "verdict": _headline_and_costs,
    "verdict_findings": _finding_conclusions,
    "claims": _claim_conclusions,
    "trainable_depth": _depth_conclusions,
}


def _outcome(row: Mapping[str, Any]) -> str:
    """Return one of OUTCOMES for `row`, of `compare`; `word_a` or `word_b` is NaN if A or B lacks the conclusion."""
    a, b = row["word_a"], row["word_b"]
    if not isinstance(a, str) or not isinstance(b, str):
        return ALONE_A if isinstance(a, str) else ALONE_B
    if a == b:
        return AGREES
    apart = {
        "headline": set(a.split(", ")).isdisjoint(b.split(", ")),
        "depth": row["high_a"] < row["low_b"] or row["high_b"] < row["low_a"],
    }
    return CONTRADICTS if apart.get(str(row["kind"]), {a, b} <= DECIDED) else COMPATIBLE
