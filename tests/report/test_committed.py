"""The committed edition keeps the report's own limits, and its tables and figures go into a paper as they are."""

import io
import math
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from reading import words
from repository import ROOT, unpack_committed

from study.report import columns
from study.report.rendering import PAGES

HEADLINE, ANSWER, CAPTION = 25, 40, 40  # words at most
PAPER = r"""
\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs, graphicx}
\begin{document}
%s
\end{document}
"""
EDITIONS = [
    [cell.strip() for cell in line.split("|")[1:4]]
    for line in (PAGES / "editions.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| \d+ Nov.*, [0-9a-f]{7} \|", line)
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """results/ as committed."""
    folder = tmp_path_factory.mktemp("committed")
    unpack_committed(folder, "results")
    return folder / "results"


@pytest.fixture(scope="module")
def readme(results: Path) -> str:
    return (results / "README.md").read_text(encoding="utf-8")


def test_the_headline_and_the_first_screens_are_short(readme: str) -> None:
    """The answer is the headline, the vanishing gradient comes within 250 words. Folded parts do not count."""
    headline, rest = readme.removeprefix("# ").split("\n", 1)
    assert words(headline) <= HEADLINE
    read = re.sub(r"<details>.*?</details>", "", rest, flags=re.DOTALL).split("\n## The questions")[0]
    assert words(headline + read.split("gradient vanishes")[0]) <= 250


def test_every_answer_is_short(readme: str) -> None:
    """One line per question."""
    lines = re.findall(r"^- \[[^\]]+\]\(questions/\w+\.md\): (.*)$", readme, re.MULTILINE)
    assert len(lines) > 15
    assert [line for line in lines if words(line) > ANSWER] == []


def test_every_caption_is_short_and_every_percentage_plain(results: Path) -> None:
    """Captions are paragraphs in italics. No cell in percent or with an interval in points has three decimals."""
    pages = [results / "README.md", *(results / "questions").glob("*.md")]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    captions = [line for text in texts for line in re.findall(r"^\*([^*\n][^\n]*)\*(?: \(\[.*)?$", text, re.MULTILINE)]
    assert len(captions) > 30
    assert [caption for caption in captions if words(caption) > CAPTION] == []
    assert [cell for text in texts for cell in re.findall(r"\d+\.\d{3,}%", text)] == []


def test_every_column_has_a_meaning(results: Path) -> None:
    """By its name, or by the name without a suffix and the suffix's meaning; an unknown name has none."""
    tables = {path.stem: pd.read_csv(path, nrows=0).columns for path in (results / "tables").glob("*.csv")}
    assert tables
    assert [(table, name) for table, names in tables.items() for name in names if columns.meaning(name) is None] == []
    assert columns.meaning("test_loss_ci_low") == f"{columns.MEANINGS['test_loss']}: {columns.SUFFIXES['ci_low']}"
    assert columns.meaning("unheard_of_mean") is None
    assert "## one.csv\n\n- `n`: number of seeds" in columns.page({"one": ["n"], "two": ["seed"]})


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex on this machine")
def test_every_table_and_figure_compiles(results: Path, tmp_path: Path) -> None:
    """An article of every tables/*.tex, by \\input, and every figure as PDF has no error, and none is too wide."""
    tables, figures = sorted(results.glob("tables/*.tex")), sorted(results.glob("figures/*.pdf"))
    assert tables
    assert figures
    parts = [rf"\noindent\input{{{path}}}\clearpage" for path in tables]
    parts += [rf"\noindent\includegraphics[width=\textwidth]{{{path}}}\clearpage" for path in figures]
    (tmp_path / "paper.tex").write_text(PAPER % "\n".join(parts))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert made.returncode == 0, made.stdout[-2000:]
    assert "Overfull \\hbox" not in made.stdout  # a table too long for a page is a paper's to break


def earlier(commit: str, name: str) -> str:
    """Return a file of results/ as committed then; skip the test if this checkout has no history."""
    done = subprocess.run(
        ["git", "show", f"{commit}:results/{name}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else pytest.skip("this checkout has no history")


@pytest.mark.parametrize(("edition", "headline", "gelu"), EDITIONS, ids=[row[0] for row in EDITIONS])
def test_an_earlier_edition_is_quoted_as_it_was_committed(edition: str, headline: str, gelu: str) -> None:
    """Its headline, and GELU's tuned difference from ReLU in points with bounds rounded outward."""
    commit = edition.split(", ")[1]
    opening = headline.strip("*").split(";")[0]
    assert re.search(rf"(\*\*{opening}\.\*\*|^# {opening} )", earlier(commit, "README.md"), re.MULTILINE)
    table = pd.read_csv(io.StringIO(earlier(commit, "tables/comparisons.csv")))
    rows = table[(table["experiment"] == "learning_rate") & (table["activation"] == "gelu")]
    difference, low, high = 1e4 * rows.iloc[0][["difference", "ci_low", "ci_high"]].to_numpy(float)
    quoted = [float(number) for number in re.findall(r"[+-]\d\.\d\d", gelu)]
    assert quoted == pytest.approx([round(difference) / 100, math.floor(low) / 100, math.ceil(high) / 100])
