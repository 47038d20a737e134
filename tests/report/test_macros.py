"""The sentences and cells that several pages share, made of small tables."""

from pathlib import Path

import pandas as pd
import pytest

from study.report import rendering
from study.report.section import Section

LABELS = {"relu": "ReLU", "gelu": "G*LU", "swish": "<b>Sw*sh"}
DIFFERENCES = pd.DataFrame(
    {
        "experiment": ["a", "a", "b"],
        "activation": ["gelu", "swish", "swish"],
        "difference": [0.01, 0.0005, 0.0025],
        "ci_low": [0.009, -0.0012, -0.001],
        "ci_high": [0.011, 0.0012, 0.006],
        "finding": ["better", "tie", "undecided"],
    }
)


def shown(tmp_path: Path, text: str, differences: pd.DataFrame | None) -> str:
    """What a page with this text, which may use the macros, says of these differences."""
    macros = '{% from "macros.md" import compared, difference with context %}'
    (tmp_path / "a.md").write_text(f'{{% extends "page.md" %}}{macros}{{% block answer %}}{text}{{% endblock %}}')
    tables = {} if differences is None else {"comparisons": differences}
    return rendering.render(Section(tmp_path / "a.md", tables), LABELS).answer


def test_the_sentence_names_each_finding(tmp_path: Path) -> None:
    """Labels are escaped; who has no difference is not named."""
    text = "{{ compared(tables.comparisons) }}"
    better, tie = r"Better than ReLU: G\*LU.", r"A tie with ReLU: &lt;b&gt;Sw\*sh."
    assert shown(tmp_path, text, DIFFERENCES[:2]) == f"{better} {tie}"
    for finding, words in {"worse": "Worse than", "undecided": "Undecided against"}.items():
        assert shown(tmp_path, text, DIFFERENCES[:1].assign(finding=finding)) == rf"{words} ReLU: G\*LU."
    assert shown(tmp_path, text, DIFFERENCES[:1].assign(difference=float("nan"))) == ""


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ('{{ difference("swish") }}', r"+0.05 \[-0.12, +0.12\] | tie"),
        ('{{ difference("swish", "b") }}', r"+0.25 \[-0.10, +0.60\] | undecided"),
        ('{{ difference("relu") }}', "– | –"),
    ],
)
def test_the_cells_of_a_difference(tmp_path: Path, text: str, cells: str) -> None:
    """In points; dashes for the reference, and for all where nothing was compared."""
    assert shown(tmp_path, text, DIFFERENCES) == cells
    assert shown(tmp_path, text, None) == "– | –"
