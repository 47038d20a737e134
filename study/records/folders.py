"""Find the two folders of records in a results folder, each with its ledger and its documents.

A document is a measurement that is not a run, such as the machine's timings.
"""

import fnmatch
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.plan import EVERYTHING
from study.records.canonical import SCHEMA, RecordError, canonical_json, seal, unseal
from study.records.files import write_atomically
from study.records.ledger import Ledger
from study.records.store import RECORD, Store, compact

LEDGER = "plan.json"
DIGITS = "digits"  # the document of test images that the report shows under noise, in the committed folder
TIMINGS = "cost"  # the document of the activations timed, beside the runs of `make all`


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


@dataclass(frozen=True)
class RecordFolder:
    """Hold records, their ledger and documents at `path`. If it `is_committed`, all are kept compact."""

    path: Path
    is_committed: bool = False

    @property
    def store(self) -> Store:
        """Return the folder's records."""
        return Store(self.path, compact if self.is_committed else None)

    def ledger(self) -> Ledger:
        """Read the folder's ledger; see `Ledger.load`."""
        return Ledger.load(self.path / LEDGER)

    def save(self, ledger: Ledger) -> None:
        """Write the ledger; a committed one leaves out theory's table, a megabyte that nothing reads."""
        if self.is_committed:
            for about in ledger.activations.values():
                about["theory"] = {**about["theory"], "rows": {column: [] for column in about["theory"]["rows"]}}
        ledger.save(self.path / LEDGER)

    def document_paths(self) -> list[Path]:
        """Return the paths of the documents, damaged ones included; of `make all`'s folder only the timings."""
        paths = self.path.glob("[!.]*.json" if self.is_committed else f"{TIMINGS}.json")
        return sorted(p for p in paths if p.is_file() and p.name != LEDGER and not fnmatch.fnmatchcase(p.name, RECORD))

    def documents(self) -> dict[str, dict[str, Any]]:
        """Return the documents by name; RecordError with its path if one is damaged."""
        found = {}
        for path in self.document_paths():
            try:
                found[path.stem] = read_document(path)
            except RecordError as error:
                raise RecordError(f"{path}: {error}; delete it, or measure it again") from error
        return found

    def problems(self) -> list[str]:
        """Return one sentence for every record and document that is damaged."""
        found = self.store.problems()
        for path in self.document_paths():
            try:
                read_document(path)
            except RecordError as error:
                found.append(f"{path}: {error}")
        return found

    def holds(self, target: str) -> bool:
        """Tell whether the runs of this make target belong in this folder."""
        return self.is_committed == (target != EVERYTHING)


def record_folders(results: Path) -> tuple[RecordFolder, RecordFolder]:
    """Return the folder for the runs of `make all`, and the committed folder for the long protocols."""
    return RecordFolder(results / "runs"), RecordFolder(results / "records", is_committed=True)
