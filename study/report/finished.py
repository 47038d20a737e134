"""Tell whether a results folder is as a finished `study all` left it, so that the same command has nothing to do.

The hidden file NOTE in the folder holds a hash of all inputs of the command, a hash of the files that it made, and its
last line. Records, MNIST and the files made are compared by name, size and times, because reading two thousand records
would take too long. A damaged disk changes bits without changing times; `study verify` reads every record.
"""

import importlib.metadata
import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from study.records.canonical import canonical_json, digest
from study.records.files import write_atomically
from study.records.identity import STUDY
from study.records.provenance import describe_environment

NOTE = ".finished.json"  # a file in the results folder
RECORD_FOLDERS = ("runs", "records")  # inputs of the command; it makes all else in the results folder
CODE_FOLDERS = (STUDY, STUDY.parent / "experiments")


def inputs_hash(results: Path, command: Mapping[str, Any], data: Path | None) -> str:
    """Return a SHA-256, in hexadecimal, of all that the results of a command depend on.

    These are the `command` (its options by name), the study's files, the versions of all packages, and the files in
    RECORD_FOLDERS of `results`. The machine, by `describe_environment`, counts too, and `data`, the user's file or
    folder of MNIST or None. Records and MNIST count by name, size and times, not by content.
    """
    about = {
        "command": command,
        "code": code_hash(),
        "packages": sorted(f"{found.name} {found.version}" for found in importlib.metadata.distributions()),
        "machine": describe_environment(),
        "records": [_file_state(path) for name in RECORD_FOLDERS for path in _files(results / name)],
        "data": None if data is None else [_file_state(path) for path in (data, *_files(data))],
    }
    return digest(about)


def code_hash() -> str:
    """Return a SHA-256, in hexadecimal, of all files in CODE_FOLDERS, without compiled ones, as they are on disk."""
    found = (path for folder in CODE_FOLDERS for path in folder.rglob("*"))
    files = [path for path in found if path.is_file() and path.suffix != ".pyc"]
    return digest({str(path.relative_to(STUDY.parent)): sha256(path.read_bytes()).hexdigest() for path in files})


def last_line(results: Path, inputs: str) -> str | None:
    """Return the line that the finished command printed last, if its `inputs_hash` is `inputs`.

    Return None if no such command finished in `results`, if a file that it made has changed since, or if the note
    cannot be read.
    """
    try:
        note = json.loads((results / NOTE).read_bytes())
        line = note.pop("line")
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    return str(line) if note == {"inputs": inputs, "outputs": _outputs_hash(results)} else None


def note_finished(results: Path, inputs: str, line: str) -> None:
    """Note that a command whose `inputs_hash` is `inputs` left `results` as it is, and printed `line` last."""
    about = {"inputs": inputs, "outputs": _outputs_hash(results), "line": line}
    write_atomically(results / NOTE, canonical_json(about))


def _outputs_hash(results: Path) -> str:
    """Return a SHA-256 of the names, sizes and times of all that `_files` finds in `results` outside RECORD_FOLDERS."""
    made = (path for path in _files(results) if path.relative_to(results).parts[0] not in RECORD_FOLDERS)
    return digest([_file_state(path) for path in made])


def _files(folder: Path) -> Iterable[Path]:
    """Return the sorted paths of all files and folders below `folder`, without hidden ones, such as locks."""
    found = folder.rglob("*")
    return sorted(path for path in found if not any(part[0] == "." for part in path.relative_to(folder).parts))


def _file_state(path: Path) -> tuple[str, int, int, int]:
    """Return a file's name, its size in bytes, and the times (ns) of the last changes of its content and metadata.

    The numbers of a missing file are 0.
    """
    try:
        about = path.stat()
    except OSError:
        return path.name, 0, 0, 0
    return path.name, about.st_size, about.st_mtime_ns, about.st_ctime_ns
