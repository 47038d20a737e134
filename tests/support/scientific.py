"""The content of a record without the time and place where the run happened."""

from pathlib import Path

from study.records.canonical import canonical_json
from study.records.store import Record, Store


def scientific_content(record: Record) -> bytes:
    """Return the part of a record that is the same whenever, wherever and in whatever order the run happened."""
    return canonical_json({key: record[key] for key in ("schema", "id", "identity", "result")})


def scientific_contents(results: Path) -> dict[str, bytes]:
    """Return the scientific content of every record in the results folder, by run id; all must be whole."""
    store = Store(results / "runs")
    return {run: scientific_content(store.read(run)) for run in store.runs()}
