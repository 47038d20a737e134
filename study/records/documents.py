"""Store documents beside the records: measurements that are not runs, such as the machine's timings."""

import fnmatch
from pathlib import Path
from typing import Any

from study.records.canonical import SCHEMA, RecordError, canonical_json, seal, unseal
from study.records.files import write_atomically

LEDGER = "plan.json"  # the folder's ledger; see study/records/ledger.py
RECORD = "[0-9a-f]" * 20 + ".json"  # the file names of records


def write_document(folder: Path, name: str, content: dict[str, Any], provenance: dict[str, Any]) -> None:
    """Write the content as folder/name.json, with a checksum like a record's."""
    document = seal({"schema": SCHEMA, "name": name, "content": content, "provenance": provenance})
    write_atomically(folder / f"{name}.json", canonical_json(document))


def read_document(path: Path) -> dict[str, Any]:
    """Return the verified document at `path`: schema, name, content, provenance, checksum; RecordError if damaged."""
    document = unseal(path.read_bytes())
    if document.get("name") != path.stem or not isinstance(document.get("content"), dict):
        raise RecordError(f"is not a document of the name {path.stem}")
    return document


def document_paths(folder: Path, pattern: str = "*") -> list[Path]:
    """Return the documents of a folder of records whose name matches, damaged ones included."""
    others = (path for path in folder.glob(f"{pattern}.json") if path.name != LEDGER and path.name[0] != ".")
    return sorted(path for path in others if path.is_file() and not fnmatch.fnmatchcase(path.name, RECORD))
