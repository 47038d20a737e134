"""Take measurements that are not runs, each once, and keep each as a document beside the records."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from study.errors import RecordError
from study.records.provenance import describe_environment
from study.records.store import Store
from study.runner.progress import say
from study.runner.workers import failure_reason


def measure_once(
    store: Store, name: str, basis: Any, what: str, measure: Callable[[], dict[str, Any]], file: Path | None = None
) -> list[str]:
    """Write what `measure()` returns to `store` as the document `name`, unless that document has the same `basis`.

    `basis` is a JSON value that decides the measurement, such as the ids of the runs measured; the document keeps it.
    `what` says in words what is measured, and is printed first. `file` is as in `is_measured`. Return a list: one
    sentence if `measure` raises an exception, else nothing.
    """
    if is_measured(store, name, basis, file):
        return []
    say(what)
    try:
        found = measure()
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the report
        return [f"{what} failed: {failure_reason(error)}"]
    provenance = {"environment": describe_environment(), "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    store.write_document(name, {**found, "basis": basis}, provenance)
    return []


def is_measured(store: Store, name: str, basis: Any, file: Path | None = None) -> bool:
    """Tell whether `store` has the document `name`, undamaged and measured on this `basis`.

    If the measurement also writes a `file`, that must be there too.
    """
    return bool(read_document(store, name).get("basis") == basis) and (file is None or file.is_file())


def read_document(store: Store, name: str) -> dict[str, Any]:
    """Return the content of the document `name` in `store`; an empty dict if the document is missing or damaged."""
    try:
        content: dict[str, Any] = store.read(name)["content"]
    except (FileNotFoundError, RecordError):
        return {}
    return content
