"""The report says what the tables say; the old one is whole until the new one is; what failed is told."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from matplotlib.figure import Figure
from synthetic import Disk, Killed

from study import report
from study.experiment import Display, Picture, Section
from study.files import FolderError
from study.report import Facts, render, write

FACTS = Facts("make all", [{"python": "3", "cpu": "a|b"}], 2, [], 90.0, 60.0, "2020-01-01T00:00:00Z", ["0123"])
ENDLESS = 500  # more steps than writing a report takes


def section(title: str = "Title", name: str = "accuracy", number: float = 1.5) -> Section:
    table = pd.DataFrame({"experiment": [title], "value": [number]})
    blocks = [
        "A paragraph.",
        "",
        Display("What it shows.", pd.DataFrame({"Activation": ["ReLU"], "value": [f"{number:.1f}"]})),
        Picture(f"{title}_picture", "What to see.", Figure()),
    ]
    return Section(title, f"The answer is {number}.", blocks, {name: table})


@pytest.fixture(autouse=True)
def _quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are not what is tested here, and drawing them is slow."""
    monkeypatch.setattr(report, "encode", lambda figure, extension: f"a picture as {extension}".encode())


def tree(folder: Path) -> dict[str, bytes]:
    """Content by path of every file below the folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_report_is_readme_tables_and_figures(tmp_path: Path) -> None:
    """README.md, one CSV a table, an SVG and a PNG a picture, and nothing else."""
    write(tmp_path, [section()], FACTS)
    files = tree(tmp_path)
    assert sorted(files) == [
        "README.md",
        "figures/Title_picture.png",
        "figures/Title_picture.svg",
        "tables/accuracy.csv",
    ]
    assert files["tables/accuracy.csv"] == b"experiment,value\nTitle,1.5\n"
    assert files["README.md"] == render([section()], FACTS).encode()


def test_tables_of_one_name_are_joined(tmp_path: Path) -> None:
    """Two experiments' rows of a table stand in one file, in their order."""
    write(tmp_path, [section("One"), section("Two", number=2.5), section("Three", "other", 3.5)], FACTS)
    assert (tmp_path / "tables" / "accuracy.csv").read_text() == "experiment,value\nOne,1.5\nTwo,2.5\n"
    assert (tmp_path / "tables" / "other.csv").read_text() == "experiment,value\nThree,3.5\n"


def test_what_the_old_report_had_and_the_new_one_lacks_is_gone(tmp_path: Path) -> None:
    """No table of an experiment that is no longer reported stays behind; runs/ and others' files do."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "record.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("mine")
    write(tmp_path, [section("One", "first")], FACTS)
    write(tmp_path, [section("Two", "second")], FACTS)
    kept = ["README.md", "notes.txt", "runs/record.json"]
    fresh = ["figures/Two_picture.png", "figures/Two_picture.svg", "tables/second.csv"]
    assert sorted(tree(tmp_path)) == sorted([*kept, *fresh])


def test_the_same_report_is_the_same_to_the_byte(tmp_path: Path) -> None:
    """Writing it again changes nothing."""
    write(tmp_path, [section()], FACTS)
    before = tree(tmp_path)
    write(tmp_path, [section()], FACTS)
    assert tree(tmp_path) == before


def stopped(tmp_path: Path, is_kill: bool) -> Iterator[tuple[Path, str]]:
    """For every step N, a folder with an old report in which writing a new one was stopped there, and what was said."""
    for step in range(1, ENDLESS):
        folder = tmp_path / str(step)
        write(folder, [section("Old")], FACTS)
        with pytest.MonkeyPatch.context() as patch:
            disk = Disk(patch, step, is_kill)
            message = ""
            try:
                write(folder, [section("New")], FACTS)
            except (FolderError, Killed) as error:
                message = str(error)
        if disk.count < step:
            assert step > 20, "a report is more than twenty steps; they were not counted"
            return
        yield folder, message


@pytest.mark.parametrize("is_kill", [False, True], ids=["full", "killed"])
def test_a_report_that_is_stopped_at_any_step_leaves_a_whole_one(tmp_path: Path, is_kill: bool) -> None:
    """For every step N of writing: each of README.md, tables/ and figures/ is the old one or the new one, never a mix.

    Until the last renames all of it is the old one. A kill between two renames that exchange a folder leaves the old
    folder beside, whole, in .old. Afterwards a report can be written, and nothing of the accident is left.
    """
    write(tmp_path / "new", [section("New")], FACTS)
    write(tmp_path / "old", [section("Old")], FACTS)
    old, new = tree(tmp_path / "old"), tree(tmp_path / "new")
    mixed = 0
    for folder, message in stopped(tmp_path / "steps", is_kill):
        assert is_kill or str(folder) in message
        shown = {name: content for name, content in tree(folder).items() if not name.startswith(".")}
        mixed += shown not in (old, new)
        for part in ("README.md", "tables", "figures"):
            aside = tree(folder / ".old") if (folder / ".old").exists() else {}
            there, spare, *whole = (
                {name: content for name, content in files.items() if name.startswith(part)}
                for files in (shown, aside, old, new)
            )
            assert there in whole or (there == {} and spare in whole)
        write(folder, [section("New")], FACTS)
        assert tree(folder) == new
    assert mixed <= 4, "between the first and the last of five renames, and nowhere else"


def test_failed_runs_are_told_before_the_numbers() -> None:
    """Each failure is a line near the top, its text shown literally; without failures there is no such list."""
    failed = ["run 1 crashed: <script>alert(1)</script>", "activation '*x*' was refused: it [returns](http://x) $NaN$"]
    facts = Facts(**{**FACTS.__dict__, "failed": failed})
    page = MarkdownIt("commonmark", {"html": True}).render(render([section()], facts))
    top, _ = page.split("<h2>Title</h2>")
    for literal in ("&lt;script&gt;alert(1)&lt;/script&gt;", "it [returns](http://x) $NaN$", "'*x*'"):
        assert literal in top
    assert "<script" not in page
    assert "failed" not in render([section()], FACTS)


def test_the_answer_comes_first() -> None:
    """The question and each section's answer stand before the first section."""
    text = render([section("One"), section("Two", number=2.5)], FACTS)
    places = [text.index(part) for part in (report.QUESTION, "answer is 1.5", "answer is 2.5", "## One", "## Two")]
    assert places == sorted(places)


def test_how_it_was_made_quotes_the_records() -> None:
    """Command, number of runs, minutes, versions, CPU and the data's checksum, as the records give them."""
    text = render([section()], FACTS)
    for part in (
        "`make all`",
        "2 runs",
        "1.5 minutes of one core",
        "1.0 minutes from start",
        "python 3",
        r"a\|b",
        "0123",
    ):
        assert part in text
