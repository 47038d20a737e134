"""Write the report to the files of a results folder; the old report stays until all new files are written."""

import shutil
from pathlib import Path

from study.errors import FolderError
from study.figures.style import Style
from study.records.files import prepare_folder, write_atomically
from study.report import columns, formatting, pictures
from study.report.explorer import build
from study.report.page import Report

REPLACED_FOLDERS = ("tables", "figures", "questions")  # subfolders of results/ that a report replaces as a whole


def write(folder: Path, report: Report, style: Style) -> None:
    """Write the report to the results folder `folder`, in place of an earlier report; raise FolderError if it fails.

    All files are first written to the subfolder .fresh, and then renamed into place. `style` is for report.html.
    """
    prepare_folder(folder)
    try:
        _write_fresh(folder, report, style)
        _exchange(folder)
    except OSError as error:
        raise FolderError(f"cannot write {error.filename or folder}: {error.strerror or error}") from error


def _write_fresh(folder: Path, report: Report, style: Style) -> None:
    """Write all files of the report to the subfolder .fresh of `folder`."""
    fresh = folder / ".fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    for part in REPLACED_FOLDERS:
        (fresh / part).mkdir(parents=True)
    for name, content in _table_files(report).items():
        write_atomically(fresh / "tables" / name, content)
    drawings = {picture.name: picture.drawing for page in report.pages for picture in page.pictures}
    files, note = pictures.image_files(drawings, folder)
    for name, content in files.items():
        write_atomically(fresh / "figures" / name, content)
    write_atomically(fresh / pictures.NOTE, note)
    for path, text in report.files.items():
        write_atomically(fresh / path, text.encode())
    named = {f"figures/{name}": content for name, content in files.items()}
    write_atomically(fresh / "report.html", build.page(report.opening, report.tables, style, named).encode())


def _table_files(report: Report) -> dict[str, bytes]:
    """Return the files of tables/: COLUMNS.md, a CSV of each table, and Markdown and LaTeX of those that pages show."""
    files = {f"{name}.csv": formatting.csv(frame) for name, frame in report.tables.items()}
    files["COLUMNS.md"] = columns.page(dict(sorted(report.tables.items()))).encode()
    for display in (display for page in report.pages for display in page.displays):
        comment = f"{display.name}: {display.caption}"
        files[f"{display.name}.md"] = f"{formatting.markdown(display.frame)}\n".encode()
        files[f"{display.name}.tex"] = formatting.latex(display.frame, comment).encode()
    return files


def _exchange(folder: Path) -> None:
    """Replace the old report in `folder` by the files in its subfolder .fresh."""
    fresh, old = folder / ".fresh", folder / ".old"
    shutil.rmtree(old, ignore_errors=True)
    old.mkdir()
    for part in REPLACED_FOLDERS:
        if (folder / part).exists():
            (folder / part).replace(old / part)
        (fresh / part).replace(folder / part)
    for path in sorted(fresh.iterdir()):
        path.replace(folder / path.name)
    shutil.rmtree(old)
    shutil.rmtree(fresh)
