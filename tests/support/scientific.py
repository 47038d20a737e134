"""Take from records what does not depend on the time and the machine of a run."""

from pathlib import Path

from study.records.canonical import canonical_json
from study.records.store import Record, Store


def scientific_content(record: Record) -> bytes:
    """Return, as JSON, the parts of a record that do not depend on when, where and in which order runs happened."""
    return canonical_json({key: record[key] for key in ("schema", "id", "identity", "result")})


def scientific_contents(results: Path) -> dict[str, bytes]:
    """Return {run id: scientific content} of every record in the folder `results`; every record must be whole."""
    store = Store(results / "runs")
    return {run: scientific_content(store.read(run)) for run in store.runs()}
