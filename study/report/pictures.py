"""Return the contents of the report's figure files: read unchanged files, and draw the others in parallel."""

import contextlib
import functools
import importlib.metadata
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

from study.figures.drawing import Drawing, encode
from study.records.identity import STUDY, source_fingerprint

NOTE = ".figures.json"  # a file in the results folder (see `image_files`)
EXTENSIONS = ("svg", "png", "pdf")  # for browsers, code hosts and papers
FEW_DRAWINGS = 4  # starting processes takes longer than drawing so few
PACKAGES = ("matplotlib", "seaborn", "numpy", "pandas")

Files = dict[str, bytes]

_stop: Any = threading.Event()  # once set, nothing more is drawn in this process; see `_start_drawing`


def image_files(drawings: Mapping[str, Drawing], folder: Path) -> tuple[Files, bytes]:
    """Return the files of all `drawings`, {NAME.svg, NAME.png and NAME.pdf: bytes}, and the content of NOTE.

    `drawings` holds the drawings by name. If a drawing and its files are unchanged since the last report in the results
    folder `folder`, these files are returned. NOTE, in JSON, has the `_note_entry` of each name for the next report.
    """
    known: dict[str, object] = {}
    with contextlib.suppress(OSError, ValueError):  # the first report, or a damaged note
        known = json.loads((folder / NOTE).read_bytes())
    made: dict[str, Files] = {}
    for name, drawing in drawings.items():
        found = {file: path.read_bytes() for file in _file_names(name) if (path := folder / "figures" / file).is_file()}
        if known.get(name) == _note_entry(drawing, found):
            made[name] = found
    changed = {name: drawing for name, drawing in drawings.items() if name not in made}
    made |= zip(changed, _drawn_files(changed), strict=True)
    note = {name: _note_entry(drawings[name], found) for name, found in made.items()}
    files = {file: content for found in made.values() for file, content in found.items()}
    return files, json.dumps(note, sort_keys=True).encode()


def _note_entry(drawing: Drawing, files: Files) -> dict[str, object]:
    """Return the entry of NOTE on `drawing`: `key`, a hash of all it depends on, and a hash of each of its `files`."""
    key = sha256(f"{drawing.fingerprint} {_code_fingerprint()}".encode()).hexdigest()
    return {"key": key, "files": {file: sha256(content).hexdigest() for file, content in files.items()}}


def _drawn_files(drawings: Mapping[str, Drawing]) -> list[Files]:
    """Return the files of each of `drawings`, drawn in up to four processes if there are more than FEW_DRAWINGS.

    On one core, this process draws alone. Other processes never get a Ctrl-C. If this process is interrupted, each of
    them finishes its drawing or file. Killing them would be quicker, but their pool could wait without end.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if len(drawings) <= FEW_DRAWINGS or cores == 1:
        return list(map(_encoded_files, drawings, drawings.values()))
    context = multiprocessing.get_context("spawn")  # a fork server needs a socket, whose path may be too long
    stop = context.Event()
    with ProcessPoolExecutor(min(cores, 4), context, _start_drawing, (stop,)) as pool:
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the new processes inherit that
            try:
                found = pool.map(_encoded_files, drawings, drawings.values())
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            return list(found)
        except BaseException:
            stop.set()
            raise


def _start_drawing(stop: Any) -> None:
    """Let this new process of the pool draw until the Event `stop` is set."""
    global _stop  # noqa: PLW0603 - the pool has no other way to give an Event to its processes
    _stop = stop


def _encoded_files(name: str, drawing: Drawing) -> Files:
    """Return the files of the figure `name`; if drawing is to stop, only those that are finished."""
    if _stop.is_set():
        return {}
    figure = drawing.draw()
    return {file: encode(figure, file.rpartition(".")[2]) for file in _file_names(name) if not _stop.is_set()}


def _file_names(name: str) -> list[str]:
    return [f"{name}.{extension}" for extension in EXTENSIONS]


@functools.cache
def _code_fingerprint() -> str:
    """Return the versions of PACKAGES, after a hash of the study's code on which drawings depend."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    return " ".join([source_fingerprint(STUDY / "figures", STUDY / "analysis", STUDY / "constants.py"), *versions])
