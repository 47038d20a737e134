"""Encode drawings as files: keep unchanged ones, and draw the others in parallel."""

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

NOTE = ".figures.json"  # by file: the fingerprint of its drawing, and of its bytes
EXTENSIONS = ("svg", "png", "pdf")  # for browsers, code hosts and papers
FEW = 4  # drawings that are done sooner than another process has started
PACKAGES = ("matplotlib", "seaborn", "numpy", "pandas")

Files = dict[str, bytes]


def files_of(drawings: Mapping[str, Drawing], folder: Path) -> Files:
    """Return the files of `drawings` by name; read those that are unchanged from folder/figures."""
    known = _note(folder)
    keys = {name: _key(drawing) for name, drawing in drawings.items()}
    kept = {
        name: _kept(folder / "figures", name, known)
        for name in drawings
        if known.get(name, {}).get("key") == keys[name]
    }
    files = {file: content for found in kept.values() for file, content in found.items()}
    changed = {name: drawing for name, drawing in drawings.items() if not kept.get(name)}
    for found in _drawn(changed):
        files |= found
    return files


def note(drawings: Mapping[str, Drawing], files: Files) -> bytes:
    """Return a note from which the next report learns which of these files are unchanged."""
    about = {
        name: {"key": _key(drawing), "files": {file: _hash(files[file]) for file in _names(name)}}
        for name, drawing in drawings.items()
    }
    return json.dumps(about, sort_keys=True).encode()


def _note(folder: Path) -> dict[str, dict[str, object]]:
    try:
        found: dict[str, dict[str, object]] = json.loads((folder / NOTE).read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def _kept(folder: Path, name: str, known: Mapping[str, Mapping[str, object]]) -> Files:
    """Return the files of the drawing `name` if they are as they were written, else nothing."""
    try:
        files = {file: (folder / file).read_bytes() for file in _names(name)}
    except OSError:
        return {}
    return files if {file: _hash(content) for file, content in files.items()} == known[name].get("files") else {}


def _drawn(drawings: Mapping[str, Drawing]) -> list[Files]:
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


def _key(drawing: Drawing) -> str:
    return _hash(f"{drawing.fingerprint} {_code()}".encode())


@functools.cache
def _code() -> str:
    """Identify what all drawings depend on: the code of figures and analysis, the constants, and the packages."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    return " ".join([source_fingerprint(STUDY / "figures", STUDY / "analysis", STUDY / "constants.py"), *versions])


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
