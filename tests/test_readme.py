"""What the README says of the results is what results/ says."""

import re
from pathlib import Path

import pandas as pd
import quoted

from study.activations import REGISTRY

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
REPORT = (ROOT / "results" / "README.md").read_text(encoding="utf-8")


def test_every_row_of_the_answer_stands_in_the_report() -> None:
    """The README's answer is copied from results/README.md: each of its table rows and sentences is still there."""
    answer = README.split("<!-- answer -->")[1].split("<!-- /answer -->")[0]
    rows = [line for line in answer.splitlines() if line.startswith("|")]
    sentences = [line for line in answer.splitlines() if line and not line.startswith(("|", "!", "*"))]
    assert len(rows) > 4
    assert sentences
    assert [line for line in (*rows, *sentences) if line not in REPORT] == []


def test_the_figures_and_files_it_names_are_there() -> None:
    named = re.findall(r"\]\(([^)#]+)\)", README)
    assert named
    assert [name for name in named if not name.startswith("http") and not (ROOT / name).exists()] == []


def test_the_tables_it_names_are_there() -> None:
    """Every `name.csv` in the README is a file of results/tables."""
    tables = set(re.findall(r"`(\w+\.csv)`", README))
    assert tables <= {path.name for path in (ROOT / "results" / "tables").iterdir()}
    assert {"accuracy.csv", "runs.csv", "gradient_norms.csv"} <= tables


def test_every_number_of_the_report_is_in_a_table() -> None:
    """Of results/README.md as committed: each number but settings and years is in a table, rounded or in percent."""
    frames = {path.stem: pd.read_csv(path) for path in (ROOT / "results" / "tables").glob("*.csv")}
    labels = {entry.label: name for name, entry in REGISTRY.items()}
    assert len(list(quoted.shown_numbers(REPORT, labels))) > 300
    assert quoted.without_table(REPORT, frames, labels) == []
