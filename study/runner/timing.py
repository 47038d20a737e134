"""Time the activations while no other process works, and keep the timings as a document beside the runs."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from study.constants import TIMING_REPEATS
from study.engine import environment
from study.records.canonical import RecordError
from study.records.catalogue import Entries
from study.records.folders import TIMINGS, read_document, write_document
from study.records.identity import STUDY, source_fingerprint
from study.records.provenance import cpu_name, describe
from study.runner.progress import say
from study.runner.workers import ProcessDied, run_in_fresh_process


def measure(names: Sequence[str], repeats: int) -> dict[str, Any]:
    """Return what `study.cost.stopwatch` measures of these activations of the registry."""
    environment.start_tensorflow()
    from study.cost import stopwatch

    return stopwatch.measure(names, repeats)


def time_activations(folder: Path, described: Entries) -> list[str]:
    """Time these activations unless the folder's document has them; return a sentence if that fails.

    The document is kept as long as its `basis` stays the same: the activations, the code and the machine.
    """
    if is_timed(folder, described):
        return []
    say(f"timing {len(described)} activations, with nothing else running")
    try:
        found = run_in_fresh_process(measure, list(described), TIMING_REPEATS)
    except ProcessDied as error:
        return [f"the activations were not timed: {error}"]
    provenance = {"environment": describe(), "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    write_document(folder, TIMINGS, {**found, "basis": _basis(described)}, provenance)
    return []


def is_timed(folder: Path, described: Entries) -> bool:
    """Return whether the folder's document holds these activations, timed by this code on this machine."""
    try:
        kept = read_document(folder / f"{TIMINGS}.json")["content"].get("basis", {})
    except (FileNotFoundError, RecordError):  # a damaged document is measured again
        return False
    basis, timed = _basis(described), kept.get("activations", {})
    same = all(kept.get(key) == basis[key] for key in ("engine", "cpu", "repeats"))
    return same and basis["activations"].items() <= timed.items()


def _basis(described: Entries) -> dict[str, Any]:
    return {
        "activations": {name: about["fingerprint"] for name, about in described.items()},
        "engine": source_fingerprint(STUDY / "engine", STUDY / "cost"),
        "cpu": cpu_name(),
        "repeats": TIMING_REPEATS,
    }
