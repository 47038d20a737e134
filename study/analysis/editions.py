"""Compare two editions of the study, conclusion by conclusion.

An edition is given as its tables, by name. The tables of `TABLES` hold its conclusions. A missing table concludes
nothing. Two decided conclusions that differ contradict each other; an undecided one contradicts nothing.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from study.analysis.claims import CONTRADICTED, NOT_RUN, REPRODUCED, SCALED_DOWN

Tables = Mapping[str, pd.DataFrame]

# The columns that each table needs. Numbers beside them may be missing, as in editions of before.
TABLES = {
    "verdict": ("activation", "recommended"),
    "verdict_findings": ("experiment", "activation", "finding"),
    "claims": ("claim", "part", "verdict"),
    "trainable_depth": ("activation", "init", "variant", "optimiser", "median", "low", "high"),
}
CONTRADICTS, COMPATIBLE, AGREES, ALONE_A, ALONE_B = "contradicts", "compatible", "agrees", "only in A", "only in B"
OUTCOMES = (CONTRADICTS, COMPATIBLE, AGREES, ALONE_A, ALONE_B)  # in the order shown
KINDS = ("headline", "finding", "cost", "claim", "depth")
KEYS = ["kind", "question", "subject"]
NUMBERS = ["estimate", "low", "high", "n"]
DECIDED = {"better", "worse", "tie", "cheaper", "dearer", REPRODUCED, CONTRADICTED}


def compare(a: Tables, b: Tables) -> pd.DataFrame:
    """Return one row per conclusion of either edition, contradictions first.

    `kind` is one of KINDS; `question` and `subject` say of what, and `outcome` is one of OUTCOMES. `word_a` is what
    edition A says, in a word; `estimate_a`, `low_a`, `high_a` and `n_a` are its numbers. B has the same columns.
    """
    return compare_conclusions(conclusions(a), conclusions(b))


def compare_conclusions(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """Compare two tables of `conclusions`, as `compare` does."""
    found = a.merge(b, on=KEYS, how="outer", suffixes=("_a", "_b"))
    found["outcome"] = [_outcome(row) for row in found.to_dict("records")]
    ranks = [*OUTCOMES, *KINDS]
    return found.sort_values(["outcome", "kind"], key=lambda words: words.map(ranks.index), ignore_index=True)


def conclusions(tables: Tables) -> pd.DataFrame:
    """Return an edition's conclusions, one a row: columns KEYS, `word` and NUMBERS."""
    parts = [make(tables[name]) for name, make in _MAKERS.items() if name in tables]
    kept = [part.reindex(columns=[*KEYS, "word", *NUMBERS]) for part in parts if len(part)]
    none = pd.DataFrame(columns=[*KEYS, "word", *NUMBERS])
    return pd.concat(kept or [none], ignore_index=True).drop_duplicates(KEYS)


def _verdict(verdict: pd.DataFrame) -> pd.DataFrame:
    """Return the headline, and what the table finds on the time of a training step, as a ratio to the reference's."""
    if "cost_finding" not in verdict:
        return _headline(verdict)
    costs = verdict[verdict["step_ratio"].notna() & (verdict["step_ratio"] != 1)]
    numbers = {"step_ratio": "estimate", "step_ratio_low": "low", "step_ratio_high": "high"}
    renamed = costs.rename(columns={"activation": "subject", "cost_finding": "word"} | numbers)
    return pd.concat([_headline(verdict), renamed.assign(kind="cost", question="cost")], ignore_index=True)


def _headline(verdict: pd.DataFrame) -> pd.DataFrame:
    """Name the recommended activations, the first choice first, then those that `remaining` marks beside them.

    The numbers are the tuned accuracy of the first choice.
    """
    remains = verdict.get("remaining", pd.Series(0, index=verdict.index)).fillna(0).astype(bool)
    named = verdict[verdict["recommended"].notna() | remains].sort_values("recommended", kind="stable")
    numbers = {"tuned": "estimate", "tuned_low": "low", "tuned_high": "high", "tuned_n": "n"}
    first = named.head(1).rename(columns=numbers)
    return first.assign(kind="headline", question="headline", subject="", word=", ".join(named["activation"]))


def _findings(findings: pd.DataFrame) -> pd.DataFrame:
    numbers = {"difference": "estimate", "ci_low": "low", "ci_high": "high"}
    renamed = {"experiment": "question", "activation": "subject", "finding": "word"} | numbers
    return findings.rename(columns=renamed).assign(kind="finding")


def _claims(claims: pd.DataFrame) -> pd.DataFrame:
    """Leave out the parts that were not run. "Scaled down" says how a verdict came about, not what it is."""
    run = claims[claims["verdict"] != NOT_RUN]
    words = run["verdict"].str.removesuffix(SCALED_DOWN)
    numbers = {"measured": "estimate", "ci_low": "low", "ci_high": "high"}
    return run.rename(columns={"claim": "question", "part": "subject"} | numbers).assign(kind="claim", word=words)


def _depths(depths: pd.DataFrame) -> pd.DataFrame:
    """Give the median over seeds of the deepest network that trains, in layers, and the range over seeds."""
    subject = depths["activation"] + ", " + depths["init"] + ", " + depths["variant"] + ", " + depths["optimiser"]
    words = [f"{median:g}" for median in depths["median"]]
    return depths.assign(kind="depth", question="trained depth", subject=subject, word=words, estimate=depths["median"])


_MAKERS = {"verdict": _verdict, "verdict_findings": _findings, "claims": _claims, "trainable_depth": _depths}


def _outcome(row: Mapping[str, Any]) -> str:
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
