"""What the README says of the results is what results/ says."""

import importlib.util
import re
from pathlib import Path

import pandas as pd
import pytest
import quoted

from study.activations import REGISTRY

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
REPORT = (ROOT / "results" / "README.md").read_text(encoding="utf-8")


def test_every_row_of_the_answer_stands_in_the_report() -> None:
    """The README's answer is copied from results/README.md: each of its table rows and sentences is still there."""
    answer = README.split("<!-- answer -->")[1].split("<!-- /answer -->")[0]
    rows = [line for line in answer.splitlines() if line.startswith("|")]
    sentences = [line for line in answer.splitlines() if line and not re.match(r"[|!]|\*[^*]", line)]
    assert len(rows) > 4
    assert sentences
    assert [line for line in (*rows, *sentences) if line not in REPORT] == []


def test_the_figures_and_files_it_names_are_there() -> None:
    named = re.findall(r"\]\(([^)#]+)\)", README)
    assert named
    assert [name for name in named if not name.startswith("http") and not (ROOT / name).exists()] == []


def test_the_tables_it_names_are_there() -> None:
    """Every `name.csv` in the README is a table that some module makes, and it leaves out none of the contract."""
    named = set(re.findall(r"`(\w+)\.csv`", README))
    code = "".join(path.read_text() for folder in ("study", "experiments") for path in (ROOT / folder).rglob("*.py"))
    assert [name for name in named if f'"{name}"' not in code and f'NAME = "{name}"' not in code] == []
    assert {"accuracy", "runs", "gradient_norms", "theory", "claims"} <= named


def test_the_answer_is_copied_from_the_report() -> None:
    """tools/readme.py: recommendation, table, caption and a figure go between the marks; nothing else changes."""
    spec = importlib.util.spec_from_file_location("readme_tool", ROOT / "tools" / "readme.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    figure = "![baseline_accuracy](figures/baseline_accuracy.png)"
    report = (
        "# T\n\n**Q**\n\n## Verdict\n\n**Use it.** So.\n\n| a |\n| :-- |\n| 1 |\n\n"
        f"*Caption.* ([v](tables/v.tex))\n\nRule.\n\n{figure}\n"
    )
    before, after = "Before.\n\n<!-- answer -->\n", "<!-- /answer -->\n\nAfter.\n"
    made = tool.with_answer(f"{before}Old.\n{after}", report)
    shown = "**Use it.** So.\n\n| a |\n| :-- |\n| 1 |\n\n*Caption.* ([v](results/tables/v.tex))\n\n"
    assert made == f"{before}{shown}![baseline_accuracy](results/figures/baseline_accuracy.png)\n{after}"
    assert tool.with_answer(made, report) == made
    with pytest.raises(SystemExit, match="no verdict yet"):
        tool.answer("# T\n")


def test_every_number_of_the_report_is_in_a_table() -> None:
    """Of results/README.md as committed: each number but settings and years is in a table, rounded or in percent."""
    frames = {path.stem: pd.read_csv(path) for path in (ROOT / "results" / "tables").glob("*.csv")}
    labels = {entry.label: name for name, entry in REGISTRY.items()}
    assert len(list(quoted.shown_numbers(REPORT, labels))) > 300
    assert quoted.without_table(REPORT, frames, labels) == []
