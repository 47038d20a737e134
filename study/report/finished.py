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

NOTE = ".finished.json"  # a file in the results folder
RECORD_FOLDERS = ("runs", "records")  # inputs of the command; it makes all else in the results folder
CODE_FOLDERS = (STUDY, STUDY.parent / "experiments")


def inputs_hash(results: Path, command: Mapping[str, Any], data: Path | None) -> str:
    """Return a SHA-256, in hexadecimal, of all that the results of a command depend on.

    They depend on the `command` (its options by name), the source files, and the versions of all packages. They also
    depend on the processor and the instructions it may use, the records in `results`, and MNIST. Records and MNIST
    count by name, size and times, not by content. `data` is the user's file or folder of MNIST, None if the user named
    none.
    """
    about = {
        "command": command,
        "code": code_hash(),
        "packages": sorted(f"{found.name} {found.version}" for found in importlib.metadata.distributions()),
        "machine": describe_environment(),
        "records": [_file_state(path) for name in RECORD_FOLDERS for path in _files(results / name)],
        "data": None if data is None else [_file_state(path) for path in (data, *_files(data))],
    }
    return hashlib.sha256(canonical_json(about)).hexdigest()


def code_hash() -> str:
    """Return a SHA-256, in hexadecimal, of the source files of the study and of its experiments as they are on disk."""
    found = [_source_hash(path) for folder in CODE_FOLDERS for path in sorted(folder.rglob("*")) if _is_source(path)]
    return hashlib.sha256(canonical_json(found)).hexdigest()


def last_line(results: Path, inputs: str) -> str | None:
    """Return the line that the finished command printed last, if its inputs have the hash `inputs`.

    `inputs` is the result of `inputs_hash`. Return None if no command with these inputs finished in `results`, if a
    file that it made has changed since, or if the note cannot be read.
    """
    try:
        note = json.loads((results / NOTE).read_bytes())
        line = note.pop("line")
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    return str(line) if note == {"inputs": inputs, "outputs": _outputs_hash(results)} else None


def note_finished(results: Path, inputs: str, line: str) -> None:
    """Write the note that a command whose inputs have the hash `inputs` has finished, and printed `line` last.

    `inputs` is the result of `inputs_hash`. The note also holds a hash of the files in `results` as they are now.
    """
    (results / NOTE).parent.mkdir(exist_ok=True)  # the report's folder, which exists by now
    about = {"inputs": inputs, "outputs": _outputs_hash(results), "line": line}
    write_atomically(results / NOTE, canonical_json(about))


def _outputs_hash(results: Path) -> str:
    """Return a SHA-256 of the names, sizes and times of all that `_files` finds in `results` outside RECORD_FOLDERS."""
    made = [_file_state(path) for path in _files(results) if path.relative_to(results).parts[0] not in RECORD_FOLDERS]
    return hashlib.sha256(canonical_json(made)).hexdigest()


def _files(folder: Path) -> Iterable[Path]:
    """Return the paths of all files and subfolders below `folder`, sorted; an empty list if it is not a folder.

    Leave out hidden files, such as locks and temporary files, hidden subfolders, and all files in them.
    """
    found = folder.rglob("*") if folder.is_dir() else []
    return sorted(path for path in found if not any(part[0] == "." for part in path.relative_to(folder).parts))


def _is_source(path: Path) -> bool:
    return path.is_file() and path.suffix != ".pyc"


def _source_hash(path: Path) -> tuple[str, str]:
    """Return the path of a source file relative to the repository, and the SHA-256 of its content."""
    return str(path.relative_to(STUDY.parent)), hashlib.sha256(path.read_bytes()).hexdigest()


def _file_state(path: Path) -> tuple[str, int, int, int]:
    """Return a file's name, its size in bytes, and two times in nanoseconds; zeros if it cannot be read.

    The first time is when its content last changed, the second when its content or its attributes last changed.
    """
    try:
        about = path.stat()
    except OSError:
        return str(path.name), 0, 0, 0
    return path.name, about.st_size, about.st_mtime_ns, about.st_ctime_ns
