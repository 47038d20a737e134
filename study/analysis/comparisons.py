"""Runs of one arm -> each activation against the reference, as a table, and what it supports, as a sentence."""

import math
from collections.abc import Mapping

import pandas as pd

from study.analysis.statistics import compare_with_reference
from study.constants import CONFIDENCE, EQUIVALENCE_MARGIN, REFERENCE_ACTIVATION
from study.report.formatting import DASH, escape_markdown, interval, probability


def against_reference(runs: pd.DataFrame, experiment: str, metric: str) -> pd.DataFrame | None:
    """Rows of the table `comparisons`, one an activation; None without the reference or without another activation.

    `runs`: activation, seed, `metric` in [0, 1]; one row a run.
    """
    names = set(runs["activation"]) if len(runs) else set()
    if REFERENCE_ACTIVATION not in names or len(names) < 2:
        return None
    found = compare_with_reference(runs, metric=metric, reference=REFERENCE_ACTIVATION, margin=EQUIVALENCE_MARGIN)
    found.insert(0, "experiment", experiment)
    found.insert(1, "metric", metric)
    found.insert(3, "reference", REFERENCE_ACTIVATION)
    return found


def points(row: Mapping[str, float]) -> str:
    """A row's difference with its interval, in percentage points."""
    return interval(row["difference"], row["ci_low"], row["ci_high"], 100, signed=True)


def reach(row: Mapping[str, float]) -> str:
    """How far a row's difference reaches over all pairings of finalists, in points; in how many it is told from 0."""
    low, high = (100 * row[f"any_finalist_{end}"] for end in ("low", "high"))
    if not math.isfinite(high - low):
        return DASH
    counts = {side: row[f"pairings_{side}"] for side in ("better", "worse")}
    told = [f"{side} in {count:.0f}" for side, count in counts.items() if count] or ["neither in any"]
    return f"{low:+.2f} to {high:+.2f}, {', '.join(told)} of {row['pairings']:.0f}"


def columns(differences: pd.DataFrame | None, activation: str, labels: Mapping[str, str]) -> dict[str, str]:
    """An activation's cells of a display: difference from the reference and p; none where nothing was compared."""
    if differences is None:
        return {}
    rows = differences[differences["activation"] == activation].to_dict("records")
    shown = (points(rows[0]), probability(rows[0]["p_holm"])) if rows else (DASH, DASH)
    return dict(zip((f"minus {labels[REFERENCE_ACTIVATION]}, points", "p (Holm)"), shown, strict=True))


def verdict(differences: pd.DataFrame, labels: Mapping[str, str]) -> str:
    """What the paired tests support, in Markdown."""
    reference = escape_markdown(labels[REFERENCE_ACTIVATION])
    differing = differences[differences["p_holm"] < 1 - CONFIDENCE]
    others = differences.drop(differing.index)
    parts = []
    if len(differing):
        found = ", ".join(
            f"{escape_markdown(labels[row['activation']])} ({points(row)} points)"
            for row in differing.to_dict("records")
        )
        parts.append(f"Different from {reference} beyond chance (sign-flip test, Holm, p < 0.05): {found}.")
    if len(others):
        names = ", ".join(escape_markdown(labels[name]) for name in others["activation"])
        parts.append(f"Not told from {reference} at this n: {names}{_bound(others)}.")
    return " ".join(parts)


def _bound(differences: pd.DataFrame) -> str:
    """How far from the reference the intervals of those that were not told from it reach."""
    widest = 100 * differences[["ci_low", "ci_high"]].abs().max(axis=None)
    return f"; every interval lies within {widest:.2f} points of it" if widest == widest else ""
