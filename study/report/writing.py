"""Sections + facts -> results/README.md and report.html with tables and figures; the old report is whole until the new
one is."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from study.figures.encoding import encode
from study.records.files import FolderError, prepare_folder, write_atomically
from study.report import columns, formatting, page, webpage
from study.report.page import Facts
from study.report.section import Display, Picture, Section

__all__ = ["Facts", "write"]

FOLDERS = ("tables", "figures")
PAGES = ("README.md", "report.html")


def write(folder: Path, sections: Sequence[Section], facts: Facts) -> None:
    """Write tables/, figures/, README.md and report.html, replacing what an earlier report left of them.

    Everything is written beside first; what then happens to the old report are renames alone.
    """
    prepare_folder(folder)
    try:
        _write_beside(folder / ".fresh", sections, facts)
        _exchange(folder)
    except OSError as error:
        raise FolderError(f"cannot write {error.filename or folder}: {error.strerror or error}") from error


def _write_beside(fresh: Path, sections: Sequence[Section], facts: Facts) -> None:
    shutil.rmtree(fresh, ignore_errors=True)
    for part in FOLDERS:
        (fresh / part).mkdir(parents=True)
    frames = page.joined(sections)
    for name, frame in frames.items():
        write_atomically(fresh / "tables" / f"{name}.csv", formatting.csv(frame))
    listed = columns.page((name, frames[name].columns) for name in sorted(frames))
    write_atomically(fresh / "tables" / "COLUMNS.md", listed.encode())
    blocks = page.compose(sections, facts)
    for block in blocks:
        if isinstance(block, Display):
            about = f"{block.name}: {block.caption}"
            write_atomically(fresh / "tables" / f"{block.name}.md", f"{formatting.markdown(block.frame)}\n".encode())
            write_atomically(fresh / "tables" / f"{block.name}.tex", formatting.latex(block.frame, about).encode())
        if isinstance(block, Picture):
            for extension in ("svg", "png"):
                content = encode(block.figure, extension)
                write_atomically(fresh / "figures" / f"{block.name}.{extension}", content)
    for name, text in zip(PAGES, (page.markdown(blocks), webpage.html(blocks)), strict=True):
        write_atomically(fresh / name, text.encode())


def _exchange(folder: Path) -> None:
    """Put what is in .fresh in the old report's place."""
    fresh, old = folder / ".fresh", folder / ".old"
    shutil.rmtree(old, ignore_errors=True)
    old.mkdir()
    for part in FOLDERS:
        if (folder / part).exists():
            (folder / part).replace(old / part)
        (fresh / part).replace(folder / part)
    for name in PAGES:
        (fresh / name).replace(folder / name)
    shutil.rmtree(old)
    shutil.rmtree(fresh)
