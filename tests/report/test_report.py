"""The report says what the tables say; the old one is whole until the new one is; what failed is told."""

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
import synthetic
from disk import Disk, Killed
from elements import Elements
from markdown_it import MarkdownIt
from matplotlib.figure import Figure
from plain_sections import MAKING, plain

from study.analysis import claims
from study.analysis.claims import judge
from study.analysis.statistics import Interval
from study.errors import FolderError
from study.figures.drawing import Drawing
from study.figures.style import Style
from study.records.store import Store
from study.report import pictures, writing
from study.report.explorer import build
from study.report.page import Report, compose
from study.report.rendering import Display, Page, Picture
from study.report.section import Section

STYLE = Style({"relu": "ReLU"}, {"relu": 0})
ENDLESS = 500  # more steps than writing a report takes
ALWAYS = [
    "README.md", "README.ja.md", "report.html", "tables/COLUMNS.md", "tables/claims.csv",
    *(f"tables/claims{part}.{kind}" for part in ("", "_parts") for kind in ("md", "tex")),
    *(f"questions/{name}.md" for name in ("claims", "words", "editions", "making")),
]  # fmt: skip


def composed(*sections: Section, missing: Sequence[str] = ()) -> Report:
    return compose(sections, MAKING, missing, STYLE.labels)


def render(*sections: Section, missing: Sequence[str] = ()) -> str:
    """Return all pages of the report in Markdown, README.md first."""
    return "\n".join(composed(*sections, missing=missing).files.values())


def write(folder: Path, *sections: Section) -> None:
    writing.write(folder, composed(*sections), STYLE)


def small(title: str) -> Report:
    """Return a report of one page, table and figure, all of which hold the title."""
    frame = pd.DataFrame({title: [title]})
    picture = Picture(f"{title}_picture", title, Drawing(Figure))
    page = Page("page", title, title, title, (Display("shown", title, frame),), (picture,))
    return Report({"README.md": title, "questions/page.md": title}, (page,), {title: frame}, f"# {title}")


def section(title: str = "Title", name: str = "accuracy", number: float = 1.5) -> Section:
    table = pd.DataFrame({"experiment": [title], "value": [number]})
    shown = {f"{title}_shown": pd.DataFrame({"Activation": ["ReLU"], "value": [f"{number:.1f}"]})}
    figures = {f"{title}_picture": Drawing(Figure)}
    return plain(title, f"The answer is {number}.", tables={name: table}, shown=shown, figures=figures)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace what is slow and not tested here: pictures, the bundle of charts, and waiting for the disk."""
    monkeypatch.setattr(pictures, "encode", lambda figure, extension: f"a picture as {extension}".encode())
    monkeypatch.setattr(build, "_vega", lambda: "")
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def tree(folder: Path) -> dict[str, bytes]:
    """Return the content by path of every file below the folder."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != pictures.NOTE)
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_the_report_is_pages_tables_and_figures(tmp_path: Path) -> None:
    """Each question has a page, each table a CSV, each table shown Markdown and LaTeX, each figure three files.

    Beside them are the pages and tables that every report has. Written again, all files have the same bytes.
    """
    write(tmp_path, section())
    files = tree(tmp_path)
    shown = ["tables/Title_shown.md", "tables/Title_shown.tex", "tables/accuracy.csv", "questions/plain.md"]
    figures = [f"figures/Title_picture.{extension}" for extension in pictures.EXTENSIONS]
    assert sorted(files) == sorted([*ALWAYS, *shown, *figures])
    assert files["tables/Title_shown.md"].decode() in files["questions/plain.md"].decode()
    assert files["tables/accuracy.csv"] == b"experiment,value\nTitle,1.5\n"
    write(tmp_path, section())
    assert tree(tmp_path) == files


def test_tables_of_one_name_are_joined(tmp_path: Path) -> None:
    """Two experiments' rows of a table stand in one file, in their order."""
    write(tmp_path, section("One"), section("Two", number=2.5), section("Three", "other", 3.5))
    assert (tmp_path / "tables" / "accuracy.csv").read_text() == "experiment,value\nOne,1.5\nTwo,2.5\n"
    assert (tmp_path / "tables" / "other.csv").read_text() == "experiment,value\nThree,3.5\n"


def test_what_the_old_report_had_and_the_new_one_lacks_is_gone(tmp_path: Path) -> None:
    """No table of an experiment that is no longer reported stays behind; runs/ and others' files do."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "record.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("mine")
    write(tmp_path, section("One", "first"))
    write(tmp_path, section("Two", "second"))
    fresh = [f"figures/Two_picture.{extension}" for extension in pictures.EXTENSIONS]
    shown = ["tables/second.csv", "questions/plain.md", "tables/Two_shown.md", "tables/Two_shown.tex"]
    assert sorted(tree(tmp_path)) == sorted([*ALWAYS, "notes.txt", "runs/record.json", *fresh, *shown])


@pytest.mark.parametrize("is_kill", [False, True], ids=["full", "killed"])
def test_a_report_that_is_stopped_at_any_step_leaves_a_whole_one(tmp_path: Path, is_kill: bool) -> None:
    """For every step N of writing: each page and each folder is the old one or the new one, never a mix.

    Until the last renames all of it is the old one. A kill between two renames that exchange a folder leaves the old
    folder beside, whole, in .old. Afterwards a report can be written, and nothing of the accident is left.
    """
    for title in ("Old", "New"):
        writing.write(tmp_path / title, small(title), STYLE)
    old, new = tree(tmp_path / "Old"), tree(tmp_path / "New")
    mixed = 0
    for step in range(1, ENDLESS):
        folder, message = tmp_path / str(step), ""
        shutil.copytree(tmp_path / "Old", folder)
        with pytest.MonkeyPatch.context() as patch:
            disk = Disk(patch, step, is_kill)
            try:
                writing.write(folder, small("New"), STYLE)
            except (FolderError, Killed) as error:
                message = str(error)
        if disk.count < step:
            break
        assert is_kill or str(folder) in message
        shown = {name: content for name, content in tree(folder).items() if not name.startswith(".")}
        mixed += shown not in (old, new)
        for part in ("README.md", "report.html", "tables", "figures", "questions"):
            aside = tree(folder / ".old") if (folder / ".old").exists() else {}
            there, spare, *either = (
                {name: content for name, content in files.items() if name.startswith(part)}
                for files in (shown, aside, old, new)
            )
            assert there in either or (there == {} and spare in either)
        writing.write(folder, small("New"), STYLE)
        assert tree(folder) == new
    assert step > 40, "a report is more than forty steps; they were not counted"
    assert mixed <= 8, "between the first and the last of the renames, and nowhere else"


def leading() -> Section:
    return plain("Verdict", "Use this one.", ["By this rule."], is_opening=True)


def test_what_leads_comes_first_then_a_line_a_question() -> None:
    """The headline is the first leading answer. A leading body stands in README.md alone, a question's in its page."""
    report = composed(section("One"), leading())
    readme = report.files["README.md"]
    assert readme.startswith("# Use this one.\n")
    listed = "- [One](questions/plain.md): The answer is 1.5."
    places = [readme.index(line) for line in ("By this rule.", listed, "- [Published claims](questions/claims.md)")]
    assert places == sorted(places)
    assert "A paragraph." not in readme
    assert "A paragraph." in report.files["questions/plain.md"]
    assert report.opening.startswith("# Use this one.")
    assert "questions/plain.md" not in report.opening


def test_every_link_between_pages_leads_somewhere(tmp_path: Path) -> None:
    """From README.md and from every question's page, to pages, figures, tables and their folders."""
    write(tmp_path, section("One"), leading())
    pages = [tmp_path / "README.md", *(tmp_path / "questions").iterdir()]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)]+)\)", page.read_text())]
    assert len(links) > 10
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


def test_the_claims_are_all_there(tmp_path: Path) -> None:
    """A row for every part of every claim, judged or not, with its interval and n, the remark, or what would run it."""
    judged = plain(
        "One", judgements=[judge("P6", "torch", Interval(0.11, 0.1, 0.12, 5), "on a train", "5 epochs only")]
    )
    write(tmp_path, judged)
    table = pd.read_csv(tmp_path / "tables" / "claims.csv")
    promised = ["claim", "source", "protocol", "expected", "measured", "ci_low", "ci_high", "verdict"]
    assert set(promised) <= set(table.columns)
    assert len(table) == sum(len(claim.parts) for claim in claims.CLAIMS.values())
    text = (tmp_path / "questions" / "claims.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| P6") and "PyTorch's default" in line)
    told = "reproduced (scaled down) | 5 epochs only; on a train |"
    assert row.endswith(rf"| at most 0.2 | 0.110 \[0.100, 0.120\] | 5 | {told}")
    rest = next(line for line in text.splitlines() if line.startswith("| P9") and "width 2" in line)
    assert rest.endswith("| at least 0.5 | – | 0 | not run | make all |")
    assert f"Of {len(claims.CLAIMS)} claims, 1 reproduced (scaled down), {len(claims.CLAIMS) - 1} not run." in text
    assert "Parts judged: 1. Each is judged at 95%" in text


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)> '*x*' [returns](http://x) $NaN$ &lt;\" onload='x'"


def test_the_pages_show_any_text_literally() -> None:
    """Cells, columns, captions, answers, failures and formulas: the text itself, and no element of its making.

    Each failure is a line near the top. Without failures the list is left out.
    """
    frame = pd.DataFrame({HOSTILE: [HOSTILE]})
    hostile = plain(HOSTILE, HOSTILE, [HOSTILE], HOSTILE, shown={"one": frame})
    text = render(hostile, missing=[f"run 1 failed: {HOSTILE}"])
    page = Elements(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))
    assert not {tag for tag, _ in page.found} & {"script", "img", "iframe", "link", "object"}
    assert not [name for _, attributes in page.found for name in attributes if name.startswith("on")]
    literal = HOSTILE.partition("&lt;")[0]
    assert page.text.count(literal) == 10
    assert f"run 1 failed: {literal}" in page.text.partition("The questions")[0]
    assert "failed" not in render(section())


def test_how_it_was_made_quotes_the_records() -> None:
    """Command, number of runs, minutes, versions, CPU and the data's checksum, as the records give them."""
    text = render(section())
    assert "2 runs took 1.5 minutes of one core." in text
    assert "all commands took 1.0 minutes; the last one was `make all`" in text
    assert [part for part in ("0.4 went into compiling", r"python 3, cpu a\|b", "0123") if part not in text] == []


@pytest.mark.usefixtures("undrawn")
def test_the_runs_time_is_the_records_own(study: synthetic.Said) -> None:
    """The seconds of each run, and its seconds of compiling, count once, whatever experiments the run serves."""
    options = ["--results", "out", "--mnist", "data.npz", "--any-data", "--workers", "0", "--seeds", "2"]
    assert study("all", "baseline", "few_seeds", *options)[0] == 0
    store = Store(Path("out/runs"))
    timings = [store.read(run)["provenance"]["timings"] for run in store.runs()]
    spent, compiling = (sum(timing[name] for timing in timings) / 60 for name in ("seconds", "compile_seconds"))
    text = Path("out/questions/making.md").read_text()
    assert f"{spent:.1f} minutes of one core." in text
    assert f"{compiling:.1f} went into compiling" in text
    assert compiling == len(timings) / 4
