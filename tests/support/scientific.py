"""The content of a record without the time and place where the run happened."""

from study.records.canonical import canonical_json
from study.records.store import Record


def scientific_content(record: Record) -> bytes:
    """Return the part of a record that is the same whenever, wherever and in whatever order the run happened."""
    return canonical_json({key: record[key] for key in ("schema", "id", "identity", "result")})
