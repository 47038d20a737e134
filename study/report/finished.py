"""Tell whether a results folder is as a finished `study all` left it, so that the same command has nothing to do.

The hidden file NOTE in the folder holds a hash of all inputs of the command, and a hash of the files that it made.
Records, MNIST and the files made are compared by size and times, because reading two thousand records would take too
long. Editing, truncating or replacing a file changes its times. A damaged disk changes bits without changing times;
`study verify` reads every record.
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
from study.records.provenance import describe_environment

NOTE = ".finished.json"
RECORDED = ("runs", "records")  # folders that a report is made from; all others are made by it
CODE = (STUDY, STUDY.parent / "experiments")


def inputs_hash(results: Path, command: Mapping[str, Any], data: Path | None) -> str:
    """Return a SHA-256, in hexadecimal, of all that the results of a command depend on.

    These are the `command` (its options by name), the source files, and the versions of all packages. They are also the
    processor and the instructions it may use, the records in `results`, and MNIST. Records and MNIST count by name,
    size and times, not by content. `data` is the user's file or folder of MNIST, None if the user named none.
    """
    about = {
        "command": command,
        "code": code_hash(),
        "packages": sorted(f"{found.name} {found.version}" for found in importlib.metadata.distributions()),
        "machine": describe_environment(),
        "records": [_looks(path) for name in RECORDED for path in _files(results / name)],
        "data": None if data is None else [_looks(path) for path in (data, *_files(data))],
    }
    return hashlib.sha256(canonical_json(about)).hexdigest()


def code_hash() -> str:
    """Return a SHA-256, in hexadecimal, of the source files of the study and of its experiments as they are on disk."""
    found = [_content(path) for folder in CODE for path in sorted(folder.rglob("*")) if _is_source(path)]
    return hashlib.sha256(canonical_json(found)).hexdigest()


def last_line(results: Path, found: str) -> str | None:
    """Return the line that the finished command printed last, if its inputs had the hash `found`, as by `inputs_hash`.

    Return None if no such command finished in `results`, if a file that it made has changed since, or if the note
    cannot be read.
    """
    try:
        note = json.loads((results / NOTE).read_bytes())
        line = note.pop("line")
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    return str(line) if note == {"inputs": found, "outputs": _outputs(results)} else None


def note_finished(results: Path, found: str, line: str) -> None:
    """Write the note that a command whose inputs have the hash `found` has finished, and printed `line` last.

    `found` is from `inputs_hash`. The note also holds a hash of the files in `results` as they are now.
    """
    (results / NOTE).parent.mkdir(exist_ok=True)  # the report's folder, which exists by now
    about = {"inputs": found, "outputs": _outputs(results), "line": line}
    write_atomically(results / NOTE, canonical_json(about))


def _outputs(results: Path) -> str:
    """Return a SHA-256 of the names, sizes and times of all that `_files` finds in `results` outside RECORDED."""
    made = [_looks(path) for path in _files(results) if path.relative_to(results).parts[0] not in RECORDED]
    return hashlib.sha256(canonical_json(made)).hexdigest()


def _files(folder: Path) -> Iterable[Path]:
    """Return the paths of all files and subfolders below `folder`, sorted; an empty list if it is not a folder.

    Leave out hidden ones, such as locks and temporary files, and what is in hidden subfolders.
    """
    found = folder.rglob("*") if folder.is_dir() else []
    return sorted(path for path in found if not any(part[0] == "." for part in path.relative_to(folder).parts))


def _is_source(path: Path) -> bool:
    return path.is_file() and path.suffix != ".pyc"


def _content(path: Path) -> tuple[str, str]:
    """Return the path of a source file relative to the repository, and the SHA-256 of its content."""
    return str(path.relative_to(STUDY.parent)), hashlib.sha256(path.read_bytes()).hexdigest()


def _looks(path: Path) -> tuple[str, int, int, int]:
    """Return a file's name, its size in bytes, and two times in nanoseconds; zeros if it cannot be read.

    The first time is when its content last changed, the second when its content or its attributes last changed.
    """
    try:
        about = path.stat()
    except OSError:
        return str(path.name), 0, 0, 0
    return path.name, about.st_size, about.st_mtime_ns, about.st_ctime_ns
