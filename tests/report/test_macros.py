"""The sentences that several pages share, made of small tables."""

import math
from pathlib import Path

import pandas as pd

from study.report import cells, rendering
from study.report.section import Section

LABELS = {"relu": "ReLU", "gelu": "G*LU", "swish": "<b>Sw*sh"}
DIFFERENCES = pd.DataFrame(
    {
        "activation": ["gelu", "swish"],
        "difference": [0.01, 0.0005],
        "ci_low": [0.009, -0.0012],
        "ci_high": [0.011, 0.002204],
        "p_holm": [0.004, 0.4],
    }
)


def compared(tmp_path: Path, differences: pd.DataFrame) -> str:
    """Render the macro's sentences about these differences."""
    (tmp_path / "a.md").write_text(
        '{% extends "page.md" %}{% from "macros.md" import compared with context %}'
        "{% block answer %}{{ compared(tables.comparisons) }}{% endblock %}"
    )
    return rendering.render(Section(tmp_path / "a.md", {"comparisons": differences}), LABELS).answer


def test_the_sentence_names_who_differs_and_bounds_the_others(tmp_path: Path) -> None:
    """Labels are escaped; the bound is the furthest end of the others' intervals, in points, rounded up."""
    assert compared(tmp_path, DIFFERENCES) == (
        r"Different from ReLU beyond chance (sign-flip test, Holm, p < 0.05): G\*LU (+1.00 \[+0.90, +1.10\] points). "
        r"No difference from ReLU shown at this n: &lt;b&gt;Sw\*sh; any gap is below 0.23 points."
    )
    assert "No difference" not in compared(tmp_path, DIFFERENCES[:1])
    assert "Different from" not in compared(tmp_path, DIFFERENCES[1:])


def test_one_seed_bounds_nothing(tmp_path: Path) -> None:
    """Without an interval no bound is told."""
    single = DIFFERENCES[:1].assign(ci_low=math.nan, ci_high=math.nan, p_holm=1.0)
    assert compared(tmp_path, single) == r"No difference from ReLU shown at this n: G\*LU."


def test_cells_of_the_reference_are_dashes() -> None:
    """The reference is not compared with itself. Where nothing was compared, no cell is made."""
    assert set(cells.difference_columns(DIFFERENCES, "relu", LABELS).values()) == {"–"}
    assert list(cells.difference_columns(DIFFERENCES, "gelu", LABELS)) == ["minus ReLU, points", "p (Holm)"]
    assert cells.difference_columns(None, "relu", LABELS) == {}
