"""Find the two folders of records in a results folder, each with its ledger and documents."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.plan import EVERYTHING
from study.records.canonical import RecordError
from study.records.documents import LEDGER, document_paths, read_document
from study.records.ledger import Ledger
from study.records.store import Store, compact

TIMINGS = "cost"  # the document of the activations timed, beside the runs of `make all`


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
        return document_paths(self.path, "*" if self.is_committed else TIMINGS)

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
