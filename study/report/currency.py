"""Tell whether a results folder is as a finished command left it, so that the same command has nothing to do.

A hidden note in the folder holds fingerprints of the command, the code, the packages and every file of the folder.
Files are compared by size and times, because reading two thousand records would take too long. Editing, truncating or
replacing a file changes its times. A damaged disk changes bits without changing times; `study verify` reads every file.
"""

import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from study.records.canonical import canonical_json
from study.records.files import write_atomically
from study.records.identity import STUDY
from study.records.provenance import cpu_name

NOTE = ".finished.json"
RECORDED = ("runs", "records")  # folders that a report is made from; all others are made by it
CODE = (STUDY, STUDY.parent / "experiments")


def inputs(results: Path, command: Mapping[str, Any], data: Path | None) -> str:
    """Return a hash of the command, source files, package versions, processor, run records and MNIST files.

    Records and MNIST files count by size and times, not content. `data` is the user's file or folder of MNIST.
    """
    about = {
        "command": command,
        "code": [_content(path) for folder in CODE for path in sorted(folder.rglob("*")) if _is_source(path)],
        "packages": sorted(f"{found.name} {found.version}" for found in importlib.metadata.distributions()),
        "cpu": cpu_name(),
        "records": [_looks(path) for name in RECORDED for path in _files(results / name)],
        "data": None if data is None else [_looks(path) for path in (data, *_files(data))],
    }
    return hashlib.sha256(canonical_json(about)).hexdigest()


def last_line(results: Path, found: str) -> str | None:
    """Return the last line of the finished command whose inputs have the hash `found`.

    Return None if no such command finished in `results`, or if a file there has changed since.
    """
    try:
        note = json.loads((results / NOTE).read_bytes())
        line = note.pop("line")
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    return str(line) if note == {"inputs": found, "outputs": _outputs(results)} else None


def note_finished(results: Path, found: str, line: str) -> None:
    """Write the note that a command whose inputs have the hash `found` made the files in `results` and said `line`."""
    (results / NOTE).parent.mkdir(exist_ok=True)  # long protocols alone make no runs/
    about = {"inputs": found, "outputs": _outputs(results), "line": line}
    write_atomically(results / NOTE, canonical_json(about))


def _outputs(results: Path) -> str:
    """Return a hash of the sizes and times of all files in `results` that commands make."""
    made = [_looks(path) for path in _files(results) if path.relative_to(results).parts[0] not in RECORDED]
    return hashlib.sha256(canonical_json(made)).hexdigest()


def _files(folder: Path) -> Iterable[Path]:
    """List the folder's files, also in its subfolders, without hidden ones such as locks and temporary files."""
    found = folder.rglob("*") if folder.is_dir() else []
    return sorted(path for path in found if not any(part[0] == "." for part in path.relative_to(folder).parts))


def _is_source(path: Path) -> bool:
    return path.is_file() and path.suffix != ".pyc"


def _content(path: Path) -> tuple[str, str]:
    """Return the path below the project's folder, and a hash of the file's content."""
    return str(path.relative_to(STUDY.parent)), hashlib.sha256(path.read_bytes()).hexdigest()


def _looks(path: Path) -> tuple[str, int, int, int]:
    """Return the file's name, its size in bytes, and the times in nanoseconds of its last two kinds of change.

    The first is the time of its content's change, the second of any change.
    """
    try:
        about = path.stat()
    except OSError:
        return str(path.name), 0, 0, 0
    return path.name, about.st_size, about.st_mtime_ns, about.st_ctime_ns
