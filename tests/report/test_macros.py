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
        "ci_high": [0.011, 0.0012],
        "margin": 0.002,
        "finding": ["better", "tie"],
    }
)


def compared(tmp_path: Path, differences: pd.DataFrame) -> str:
    """Render the macro's sentences about these differences."""
    (tmp_path / "a.md").write_text(
        '{% extends "page.md" %}{% from "macros.md" import compared with context %}'
        "{% block answer %}{{ compared(tables.comparisons) }}{% endblock %}"
    )
    return rendering.render(Section(tmp_path / "a.md", {"comparisons": differences}), LABELS).answer


def test_the_sentence_names_each_finding(tmp_path: Path) -> None:
    """Labels are escaped, and differences are in points."""
    better = r"Better than ReLU: G\*LU (+1.00 \[+0.90, +1.10\] points)."
    tie = r"A tie with ReLU: &lt;b&gt;Sw\*sh (+0.05 \[-0.12, +0.12\] points)."
    assert compared(tmp_path, DIFFERENCES).startswith(f"{better} {tie} A tie lies within 0.2 points")
    assert compared(tmp_path, DIFFERENCES[:1]) == better
    assert compared(tmp_path, DIFFERENCES[:1].assign(finding="worse")).startswith("Worse than ReLU: G")
    assert compared(tmp_path, DIFFERENCES[:1].assign(finding="undecided")).startswith("Undecided: G")


def test_one_seed_bounds_nothing(tmp_path: Path) -> None:
    """Without an interval only the difference is told."""
    single = DIFFERENCES[:1].assign(ci_low=math.nan, ci_high=math.nan, finding="undecided")
    assert compared(tmp_path, single) == r"Undecided: G\*LU (+1.00 points)."


def test_cells_of_the_reference_are_dashes() -> None:
    """The reference is not compared with itself. Where nothing was compared, no cell is made."""
    assert set(cells.difference_columns(DIFFERENCES, "relu", LABELS).values()) == {"–"}
    assert cells.difference_columns(DIFFERENCES, "swish", LABELS)["finding"] == "tie"
    assert cells.difference_columns(None, "relu", LABELS) == {}
