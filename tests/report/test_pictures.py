"""Figures are drawn when they have changed, alone or side by side, and are otherwise kept."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from study.figures.drawing import Drawing
from study.report import pictures


def line(frame: pd.DataFrame, width: float = 1.0) -> Figure:
    figure = Figure(figsize=(1, 1))
    figure.add_subplot().plot(frame["x"], linewidth=width)
    return figure


def drawing(*values: float, **options: float) -> Drawing:
    return Drawing(line, (pd.DataFrame({"x": values}),), options)


def written(folder: Path, **drawings: Drawing) -> pictures.Files:
    """Write the files of these drawings to the folder as a report does, and return them."""
    files, note = pictures.image_files(drawings, folder)
    (folder / "figures").mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / "figures" / name).write_bytes(content)
    (folder / pictures.NOTE).write_bytes(note)
    return files


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows by the name of each drawing that is drawn."""
    names: list[str] = []
    draw = pictures._encoded_files
    monkeypatch.setattr(pictures, "_encoded_files", lambda name, drawing: names.append(name) or draw(name, drawing))
    return names


def test_only_what_has_changed_is_drawn_again(tmp_path: Path, drawn: list[str]) -> None:
    """Another value, another option, a file that somebody changed or removed; the others keep their bytes."""
    first = written(tmp_path, a=drawing(1, 2), b=drawing(1, 2, width=2.0), c=drawing(3), d=drawing(4))
    assert set(first) == {f"{name}.{extension}" for name in "abcd" for extension in ("svg", "png", "pdf")}
    drawn.clear()
    assert written(tmp_path, a=drawing(1, 2), b=drawing(1, 2, width=2.0), c=drawing(3), d=drawing(4)) == first
    assert drawn == []
    (tmp_path / "figures" / "c.png").write_bytes(b"mine")
    (tmp_path / "figures" / "d.svg").unlink()
    second = written(tmp_path, a=drawing(1, 3), b=drawing(1, 2, width=3.0), c=drawing(3), d=drawing(4))
    assert drawn == ["a", "b", "c", "d"]
    assert second["a.svg"] != first["a.svg"]
    assert (second["c.png"], second["d.svg"]) == (first["c.png"], first["d.svg"])


def test_other_code_draws_everything_again(tmp_path: Path, drawn: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A change in the folder of figures, or another version of matplotlib."""
    written(tmp_path, a=drawing(1, 2))
    monkeypatch.setattr(pictures, "_code_fingerprint", lambda: "another")
    written(tmp_path, a=drawing(1, 2))
    assert drawn == ["a", "a"]


def test_side_by_side_the_files_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three drawings in processes of their own have the bytes that one process gives them."""
    drawings = {f"figure_{place}": drawing(place, 2 * place) for place in range(3)}
    monkeypatch.setattr(pictures, "FEW_DRAWINGS", 0)
    apart = pictures.image_files(drawings, tmp_path)
    monkeypatch.setattr(pictures, "FEW_DRAWINGS", 100)
    assert pictures.image_files(drawings, tmp_path) == apart


def interrupting(log: Path, place: int) -> Figure:
    """Note in `log` that this figure is drawn, interrupt the process that waits for it, and take half a second."""
    with log.open("a") as file:
        file.write(f"{place}\n")
    os.kill(os.getppid(), signal.SIGINT if place == 0 else 0)
    time.sleep(0.5)
    return Figure()


def test_an_interruption_waits_for_the_figures_in_work_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes have begun at most two figures; those that the pool has sent to them already are not drawn."""
    monkeypatch.setattr(pictures, "FEW_DRAWINGS", 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    log = tmp_path / "log"
    with pytest.raises(KeyboardInterrupt):
        pictures.image_files({str(place): Drawing(interrupting, (log, place)) for place in range(9)}, tmp_path)
    assert "0" in log.read_text().split()
    assert len(log.read_text().split()) <= 2


def test_a_fingerprint_is_of_all_that_is_given() -> None:
    """Values, their order and number, options, the function, all of a long array, and a column's name."""
    given = [drawing(1, 2), drawing(1, 2, width=1.0), drawing(2, 1), drawing(1, 2, 3), Drawing(Figure, (1, 2))]
    arrays = [np.zeros(5000), np.eye(1, 5000, 2500)[0]]
    frames = [pd.DataFrame({name: [1.0]}) for name in "xy"]
    given += [Drawing(Figure, (part,)) for part in (*arrays, *frames)]
    assert len({each.fingerprint for each in given}) == len(given)
    assert drawing(1, 2).fingerprint == given[0].fingerprint
