"""Cells of tables for people that several questions show: a difference, its reach, its p."""

import math
from collections.abc import Mapping

import pandas as pd

from study.constants import REFERENCE_ACTIVATION
from study.report.formatting import DASH, interval, probability


def points(row: Mapping[str, float]) -> str:
    """Show a row's difference with its interval, in percentage points."""
    return interval(row["difference"], row["ci_low"], row["ci_high"], 100, signed=True)


def reach(row: Mapping[str, float]) -> str:
    """Show how far a row's difference reaches over all pairings of finalists, and in how many 0 is left out."""
    low, high = (100 * row[f"any_finalist_{end}"] for end in ("low", "high"))
    if not math.isfinite(high - low):
        return DASH
    counts = {side: row[f"pairings_{side}"] for side in ("better", "worse")}
    told = [f"{side} in {count:.0f}" for side, count in counts.items() if count] or ["neither in any"]
    return f"{low:+.2f} to {high:+.2f}, {', '.join(told)} of {row['pairings']:.0f}"


def difference_columns(differences: pd.DataFrame | None, activation: str, labels: Mapping[str, str]) -> dict[str, str]:
    """Return an activation's cells: difference from the reference and p; none where nothing was compared."""
    if differences is None:
        return {}
    rows = differences[differences["activation"] == activation].to_dict("records")
    shown = (points(rows[0]), probability(rows[0]["p_holm"])) if rows else (DASH, DASH)
    return dict(zip((f"minus {labels[REFERENCE_ACTIVATION]}, points", "p (Holm)"), shown, strict=True))
