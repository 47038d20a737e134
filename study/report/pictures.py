"""Make the image files of the report's drawings: keep the files that are unchanged, and draw the others in parallel."""

import functools
import hashlib
import importlib.metadata
import json
import multiprocessing
import os
import signal
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from study.figures.drawing import Drawing, encode
from study.records.identity import STUDY, source_fingerprint

NOTE = ".figures.json"  # by drawing: a hash of all it depends on, and a hash of each of its files
EXTENSIONS = ("svg", "png", "pdf")  # for browsers, code hosts and papers
FEW = 4  # drawings; starting processes takes longer than drawing so few
PACKAGES = ("matplotlib", "seaborn", "numpy", "pandas")

Files = dict[str, bytes]


def files_of(drawings: Mapping[str, Drawing], folder: Path) -> Files:
    """Return the content of each drawing's files by file name: NAME.svg, NAME.png and NAME.pdf.

    `drawings` holds the drawings by name. Read the files in `folder`/figures that are unchanged since the last report
    in the results folder `folder`, and draw the others.
    """
    known, files = _note(folder), Files()
    changed = dict(drawings)
    for name, drawing in drawings.items():
        found = {file: path.read_bytes() for file in _names(name) if (path := folder / "figures" / file).is_file()}
        if known.get(name) == _about(drawing, found):
            files |= found
            del changed[name]
    for found in _drawn(changed):
        files |= found
    return files


def note(drawings: Mapping[str, Drawing], files: Files) -> bytes:
    """Return the content of the file NOTE, by which the next report knows which figures are unchanged.

    It is JSON that maps each name in `drawings` to hashes of the drawing and of its files. `files` is the result of
    `files_of`.
    """
    about = {name: _about(drawing, {file: files[file] for file in _names(name)}) for name, drawing in drawings.items()}
    return json.dumps(about, sort_keys=True).encode()


def _note(folder: Path) -> dict[str, object]:
    """Return what the file NOTE of the last report in `folder` holds; an empty dict if it is missing or damaged."""
    try:
        found: dict[str, object] = json.loads((folder / NOTE).read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def _about(drawing: Drawing, files: Files) -> dict[str, object]:
    """Return the entry of NOTE on a drawing: `key`, a hash of all it depends on, and a hash of each of its `files`."""
    key = _hash(f"{drawing.fingerprint} {_code()}".encode())
    return {"key": key, "files": {file: _hash(content) for file, content in files.items()}}


def _drawn(drawings: Mapping[str, Drawing]) -> list[Files]:
    """Draw all `drawings`, in processes if there are more than FEW, and return the files of each, in the same order."""
    names, cores = list(drawings), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if len(names) <= FEW or cores == 1:
        return [_files(name, drawings[name]) for name in names]
    context = multiprocessing.get_context("spawn")  # a fork server needs a socket, whose path may be too long
    with ProcessPoolExecutor(min(cores, 4), context, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        return list(pool.map(_files, names, drawings.values()))


def _files(name: str, drawing: Drawing) -> Files:
    figure = drawing.draw()
    return {file: encode(figure, file.rpartition(".")[2]) for file in _names(name)}


def _names(name: str) -> list[str]:
    return [f"{name}.{extension}" for extension in EXTENSIONS]


@functools.cache
def _code() -> str:
    """Return a text that changes with what all drawings depend on.

    That is the code of figures and analysis, the constants, and the versions of PACKAGES.
    """
    versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    return " ".join([source_fingerprint(STUDY / "figures", STUDY / "analysis", STUDY / "constants.py"), *versions])


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
