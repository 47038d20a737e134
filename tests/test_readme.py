"""The README agrees with the results that were committed with it."""

import re
from pathlib import Path

import pytest
from repository import ROOT, tool, unpack_committed


@pytest.fixture(scope="module")
def edition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """README.md and results/ as committed."""
    folder = tmp_path_factory.mktemp("edition")
    unpack_committed(folder, "README.md", "results")
    return folder


def test_every_row_of_the_answer_stands_in_the_report(edition: Path) -> None:
    """The README's answer is copied from results/README.md: each of its table rows and sentences is still there."""
    report = (edition / "results" / "README.md").read_text(encoding="utf-8").replace("](", "](results/")
    answer = (
        (edition / "README.md").read_text(encoding="utf-8").split("<!-- answer -->")[1].split("<!-- /answer -->")[0]
    )
    rows = [line for line in answer.splitlines() if line.startswith("|")]
    sentences = [line for line in answer.splitlines() if line and not re.match(r"[|!]|\*[^*]", line)]
    assert len(rows) > 4
    assert sentences
    assert [line for line in (*rows, *sentences) if line.strip("*") not in report] == []


def test_the_figures_and_files_it_names_are_there(edition: Path) -> None:
    """Every link to a file leads to one: of results/ as committed, of the code as it is."""
    named = re.findall(r"\]\(([^)#]+)\)", (edition / "README.md").read_text(encoding="utf-8"))
    assert named
    links = [name for name in named if not name.startswith("http")]
    assert [name for name in links if not (edition / name).exists() and not (ROOT / name).exists()] == []


def test_the_tables_it_names_are_there() -> None:
    """Every `name.csv` in the README is a table that some module makes, and it leaves out none that others rely on."""
    named = set(re.findall(r"`(\w+)\.csv`", (ROOT / "README.md").read_text(encoding="utf-8")))
    code = "".join(path.read_text() for folder in ("study", "experiments") for path in (ROOT / folder).rglob("*.py"))
    assert [name for name in named if f'"{name}"' not in code and f'NAME = "{name}"' not in code] == []
    assert {"accuracy", "runs", "gradient_norms", "theory", "claims"} <= named


def test_the_answer_is_copied_from_the_report() -> None:
    """Headline, table, picture and bullets go between the marks of README.md; nothing else changes."""
    copying = tool("readme")
    shown = "| a |\n| :-- |\n| 1 |\n\n*Caption.* ([v]({}tables/v.tex))\n\n![answer]({}figures/answer.png)\n\n- So."
    report = (
        f"# Use it.\n\n[language](README.xx.md)\n\nQuestion?\n\n{shown.format('', '')}\n\n<details>Rule.</details>\n"
    )
    before, after = "Before.\n\n<!-- answer -->\n", "<!-- /answer -->\n\nAfter.\n"
    made = copying.with_answer(f"{before}Old.\n{after}", report)
    assert made == f"{before}**Use it.**\n\n{shown.format('results/', 'results/')}\n{after}"
    assert copying.with_answer(made, report) == made
