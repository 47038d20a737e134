"""A command has nothing to do only if nothing that decides its outcome has changed since it finished."""

import importlib.metadata
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from study.records.provenance import describe_environment
from study.report import finished

COMMAND = {"seeds": 3, "activations": None}
LINE = "3 conclusions: 3 agree"


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a results folder that a command has just finished, with the code and the data beside it."""
    folder = tmp_path / "results"
    for name in ("runs/a.json", "runs/b.json", "records/c.json", "README.md", "tables/t.csv", "figures/f.png"):
        write(folder / name, name)
    write(tmp_path / "code" / "module.py", "code")
    write(tmp_path / "data" / "images", "data")
    monkeypatch.setattr(finished, "CODE_FOLDERS", (tmp_path / "code",))
    monkeypatch.setattr(finished, "STUDY", tmp_path / "code" / "study")
    finished.note_finished(folder, inputs(folder), LINE)
    return folder


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def inputs(results: Path, command: dict = COMMAND) -> str:
    return finished.inputs_hash(results, command, results.parent / "data")


def flip_a_bit_and_hide_it(path: Path) -> None:
    """Change a bit of the file, and set its time of modification back: only its time of change tells."""
    before = path.stat()
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "a record cut short": lambda results: write(results / "runs" / "a.json", "runs"),
    "a bit of a record flipped": lambda results: flip_a_bit_and_hide_it(results / "runs" / "a.json"),
    "a record removed": lambda results: (results / "records" / "c.json").unlink(),
    "a record added": lambda results: write(results / "runs" / "d.json", "d"),
    "a record that another replaces": lambda results: (results / "runs" / "a.json").replace(results / "runs/b.json"),
    "a table edited": lambda results: write(results / "tables" / "t.csv", "mine"),
    "a figure removed": lambda results: (results / "figures" / "f.png").unlink(),
    "the report removed": lambda results: (results / "README.md").unlink(),
    "the note damaged": lambda results: write(results / finished.NOTE, "{"),
    "the note removed": lambda results: (results / finished.NOTE).unlink(),
    "the code edited": lambda results: write(results.parent / "code" / "module.py", "c0de"),
    "a template added": lambda results: write(results.parent / "code" / "page.md", "# Page"),
    "the user's data replaced": lambda results: write(results.parent / "data" / "images", "others"),
}


def test_a_finished_folder_is_current(results: Path) -> None:
    """Asked twice, it knows the last line. Locks, temporary files and bytecode do not matter; another command does.

    Before the first command the note is missing.
    """
    write(results / "runs" / ".lock", "")
    write(results.parent / "code" / "__pycache__" / "module.pyc", "")
    assert finished.last_line(results, inputs(results)) == LINE
    assert finished.last_line(results, inputs(results)) == LINE
    assert finished.last_line(results, inputs(results, {**COMMAND, "seeds": 4})) is None
    empty = results / "empty"
    assert finished.last_line(empty, finished.inputs_hash(empty, COMMAND, None)) is None


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_any_change_is_noticed(results: Path, change: Callable[[Path], object]) -> None:
    """In what the report is made from, in what was made, and in the code."""
    change(results)
    assert finished.last_line(results, inputs(results)) is None


def test_another_machine_or_package_is_noticed(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Timings are of one processor, and a package's new version may draw other figures."""
    with monkeypatch.context() as patch:
        patch.setattr(finished, "describe_environment", lambda: {**describe_environment(), "cpu": "another"})
        assert finished.last_line(results, inputs(results)) is None
    monkeypatch.setattr(importlib.metadata, "distributions", list)
    assert finished.last_line(results, inputs(results)) is None
