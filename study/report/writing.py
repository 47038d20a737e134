"""Write the report to the files of a results folder; the old report stays whole until the new one is."""

import shutil
from pathlib import Path

from study.errors import FolderError
from study.records.files import prepare_folder, write_atomically
from study.report import columns, formatting, pictures, webpage
from study.report.page import Report

FOLDERS = ("tables", "figures")
FILES = ("README.md", "report.html")  # pages


def write(folder: Path, report: Report) -> None:
    """Write tables/, figures/, README.md and report.html, in place of an earlier report.

    Everything is first written to a subfolder. Renames then put it in place of the old report.
    """
    prepare_folder(folder)
    try:
        _write_beside(folder, report)
        _exchange(folder)
    except OSError as error:
        raise FolderError(f"cannot write {error.filename or folder}: {error.strerror or error}") from error


def _write_beside(folder: Path, report: Report) -> None:
    fresh = folder / ".fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    tables, figures = (fresh / part for part in FOLDERS)
    for part in (tables, figures):
        part.mkdir(parents=True)
    for name, frame in report.tables.items():
        write_atomically(tables / f"{name}.csv", formatting.csv(frame))
    listed = columns.page((name, report.tables[name].columns) for name in sorted(report.tables))
    write_atomically(tables / "COLUMNS.md", listed.encode())
    for display in (display for page in report.pages for display in page.displays):
        about = f"{display.name}: {display.caption}"
        write_atomically(tables / f"{display.name}.md", f"{formatting.markdown(display.frame)}\n".encode())
        write_atomically(tables / f"{display.name}.tex", formatting.latex(display.frame, about).encode())
    drawings = {picture.name: picture.drawing for page in report.pages for picture in page.pictures}
    files = pictures.files_of(drawings, folder)
    for name, content in files.items():
        write_atomically(figures / name, content)
    write_atomically(fresh / pictures.NOTE, pictures.note(drawings, files))
    for name, text in zip(FILES, (report.markdown, webpage.html(report.markdown)), strict=True):
        write_atomically(fresh / name, text.encode())


def _exchange(folder: Path) -> None:
    """Replace the old report by the files in .fresh."""
    fresh, old = folder / ".fresh", folder / ".old"
    shutil.rmtree(old, ignore_errors=True)
    old.mkdir()
    for part in FOLDERS:
        if (folder / part).exists():
            (folder / part).replace(old / part)
        (fresh / part).replace(folder / part)
    for name in (*FILES, pictures.NOTE):
        (fresh / name).replace(folder / name)
    shutil.rmtree(old)
    shutil.rmtree(fresh)
