"""Return the contents of the report's figure files: read unchanged files, and draw the others in parallel.

The module writing.py writes the files.
"""

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

NOTE = ".figures.json"  # a file in the results folder (see `note_content`)
EXTENSIONS = ("svg", "png", "pdf")  # for browsers, code hosts and papers
FEW_DRAWINGS = 4  # starting processes takes longer than drawing so few
PACKAGES = ("matplotlib", "seaborn", "numpy", "pandas")

Files = dict[str, bytes]


def image_files(drawings: Mapping[str, Drawing], folder: Path) -> Files:
    """Return the content of each drawing's files by file name: NAME.svg, NAME.png and NAME.pdf.

    `drawings` holds the drawings by name. A drawing is not drawn if it and its files in figures/ of the results folder
    `folder` are unchanged since the last report.
    """
    known, files, changed = _read_note(folder), Files(), dict(drawings)
    for name, drawing in drawings.items():
        found = {file: path.read_bytes() for file in _file_names(name) if (path := folder / "figures" / file).is_file()}
        if known.get(name) == _note_entry(drawing, found):
            files |= found
            del changed[name]
    for found in _drawn_files(changed):
        files |= found
    return files


def note_content(drawings: Mapping[str, Drawing], files: Files) -> bytes:
    """Return the content of the file NOTE, by which the next report knows which figures are unchanged.

    It is JSON with a `_note_entry` for each of `drawings`, by name. `files` is the result of `image_files`.
    """
    about = {
        name: _note_entry(drawing, {file: files[file] for file in _file_names(name)})
        for name, drawing in drawings.items()
    }
    return json.dumps(about, sort_keys=True).encode()


def _read_note(folder: Path) -> dict[str, object]:
    """Return the content of the file NOTE of the last report in `folder`; an empty dict if it is missing or damaged."""
    try:
        return dict(json.loads((folder / NOTE).read_bytes()))
    except (OSError, ValueError):
        return {}


def _note_entry(drawing: Drawing, files: Files) -> dict[str, object]:
    """Return the entry of NOTE on `drawing`: `key`, a hash of all it depends on, and a hash of each of its `files`."""
    key = _hash(f"{drawing.fingerprint} {_code_fingerprint()}".encode())
    return {"key": key, "files": {file: _hash(content) for file, content in files.items()}}


def _drawn_files(drawings: Mapping[str, Drawing]) -> list[Files]:
    """Return the files of each of `drawings`, drawn in up to four processes if there are more than FEW_DRAWINGS."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if len(drawings) <= FEW_DRAWINGS or cores == 1:
        return list(map(_encoded_files, drawings, drawings.values()))
    context = multiprocessing.get_context("spawn")  # a fork server needs a socket, whose path may be too long
    with ProcessPoolExecutor(min(cores, 4), context, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        return list(pool.map(_encoded_files, drawings, drawings.values()))


def _encoded_files(name: str, drawing: Drawing) -> Files:
    figure = drawing.draw()
    return {file: encode(figure, file.rpartition(".")[2]) for file in _file_names(name)}


def _file_names(name: str) -> list[str]:
    return [f"{name}.{extension}" for extension in EXTENSIONS]


@functools.cache
def _code_fingerprint() -> str:
    """Return the versions of PACKAGES, after a hash of the study's code on which drawings depend."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    return " ".join([source_fingerprint(STUDY / "figures", STUDY / "analysis", STUDY / "constants.py"), *versions])


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
