"""Time the activations while no other process works, and keep the timings as a document beside the runs."""

import time
from collections.abc import Sequence
from typing import Any

from study.constants import TIMING_REPEATS
from study.engine import environment
from study.errors import RecordError
from study.records.catalogue import Entries
from study.records.identity import STUDY, source_fingerprint
from study.records.provenance import cpu_name, describe_environment
from study.records.store import TIMINGS, Store
from study.runner.progress import say
from study.runner.workers import failure_reason, in_each_worker


def time_in_worker(names: Sequence[str], repeats: int) -> dict[str, Any]:
    """Return what `study.cost.stopwatch.measure(names, repeats)` returns; a worker process calls this function."""
    environment.start_tensorflow()
    from study.cost import stopwatch

    return stopwatch.measure(names, repeats)


def time_activations(store: Store, described: Entries) -> list[str]:
    """Time the activations in `described` in a new process, unless the store's document TIMINGS has them.

    `described` is a result of `Catalogue.descriptions`. The document is kept as long as its `basis` stays the same: the
    activations, the code, the processor and the number of repeats. Return a list: one sentence if timing fails, else
    nothing.
    """
    if is_timed(store, described):
        return []
    say(f"timing {len(described)} activations, while nothing else of the study runs")
    try:
        (found,) = in_each_worker(1, time_in_worker, list(described), TIMING_REPEATS)
    except Exception as error:  # noqa: BLE001 - whatever it is, the runs are done and kept
        return [f"the activations were not timed: {failure_reason(error)}"]
    provenance = {"environment": describe_environment(), "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    store.write_document(TIMINGS, {**found, "basis": _basis(described)}, provenance)
    return []


def is_timed(store: Store, described: Entries) -> bool:
    """Tell whether the store's document TIMINGS holds all activations in `described`, timed under the same conditions.

    The conditions are the code, the processor and the number of repeats.
    """
    try:
        kept = store.read(TIMINGS)["content"].get("basis", {})
    except (FileNotFoundError, RecordError):  # a damaged document is measured again
        return False
    basis = _basis(described)
    is_same = all(kept.get(key) == basis[key] for key in ("engine", "cpu", "repeats"))
    return is_same and basis["activations"].items() <= kept.get("activations", {}).items()


def _basis(described: Entries) -> dict[str, Any]:
    """Return what decides the timings: activations with their fingerprints, code, processor and number of repeats."""
    return {
        "activations": {name: about["fingerprint"] for name, about in described.items()},
        "engine": source_fingerprint(STUDY / "engine", STUDY / "cost"),
        "cpu": cpu_name(),
        "repeats": TIMING_REPEATS,
    }
