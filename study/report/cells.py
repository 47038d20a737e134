"""Format table cells that several questions show, and arrange them in rows and columns."""

from collections.abc import Iterable, Mapping

import pandas as pd

from study.constants import REFERENCE_ACTIVATION
from study.report.formatting import DASH, interval


def points(row: Mapping[str, float]) -> str:
    """Show a row's difference with its interval, in percentage points."""
    return interval(row["difference"], row["ci_low"], row["ci_high"], 100, signed=True)


def difference_columns(differences: pd.DataFrame | None, activation: str, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the cells of an activation: its difference from the reference and the finding; none if not compared."""
    if differences is None:
        return {}
    rows = differences[differences["activation"] == activation].to_dict("records")
    shown = (points(rows[0]), rows[0]["finding"]) if rows else (DASH, DASH)
    return dict(zip((f"minus {labels[REFERENCE_ACTIVATION]}, points", "finding"), shown, strict=True))


def reached_depth(row: Mapping[str, float]) -> str:
    """Show a row of trainability.trainable_depth: median (least to most), with "≥" where the grid ends.

    "20 but not 28" is a median that trains at 20 layers and no longer at the next depth that was tried.
    """
    median, low, high = (
        f"≥ {row[key]:g}" if row[key] >= row["deepest"] else f"{row[key]:g}" for key in ("median", "low", "high")
    )
    median += f" but not {row['next_depth']:g}" if row["next_depth"] == row["next_depth"] else ""
    return median if low == high else f"{median} ({low} to {high})"


def crossed(cells: Iterable[tuple[str, str, object]], corner: str) -> pd.DataFrame:
    """Arrange cells of (row, column, text) in a table, in order of appearance.

    `corner` heads the column of row names. Of two texts for one cell the first stays; a missing one is a dash.
    """
    rows: dict[str, dict[str, object]] = {}
    for row, column, text in cells:
        rows.setdefault(row, {corner: row}).setdefault(column, text)
    return pd.DataFrame(list(rows.values())).astype(object).fillna(DASH)
