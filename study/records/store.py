"""Keep a folder of records, documents and a ledger: JSON files with a checksum, verified at every reading.

A record is of one run, and its file is named by the run's identity. A document is of a measurement that is not a run,
such as the machine's timings.
"""

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.errors import RecordError
from study.plan import EVERYTHING
from study.records.canonical import SCHEMA, canonical_json, seal, unseal
from study.records.files import doing, prepare_folder, write_atomically
from study.records.identity import Identity, identifier
from study.records.ledger import Ledger

RECORD = "[0-9a-f]" * 20 + ".json"  # the file names of records
LEDGER = "plan.json"
DIGITS = "digits"  # the document of test images that the report shows under noise, in the committed folder
NETWORKS = "networks"  # the document of the trained networks tested, in the committed folder
NETWORK = "networks/digits.keras"  # the best of them as a Keras model, in the results folder
PREACTIVATIONS = "preactivations"  # the document of where they lie, beside the runs of `make all`
TIMINGS = "cost"  # the document of the activations timed, beside the runs of `make all`
FAILED = ("crashed", "failed", "timeout")  # statuses of runs that gave no measurement; they are run again next time

Record = dict[str, Any]


def make(identity: Identity, activation: dict[str, str], result: dict[str, Any], provenance: dict[str, Any]) -> Record:
    """Return a record that is ready to be written. The `timings` in `result` move to the provenance."""
    content = {
        "schema": SCHEMA,
        "id": identity.id,
        "identity": identity.__dict__,
        "activation": activation,
        "result": {key: value for key, value in result.items() if key != "timings"},
        "provenance": {**provenance, "timings": result.get("timings", {})},
    }
    return seal(content)


def compact(record: Record) -> Record:
    """Return the record with the measures of the first and the last logged step alone, small enough to be committed."""
    measures = record["result"].get("measures")
    if measures is None or len(measures["step"]) <= 2:
        return record
    ends = {name: [steps[0], steps[-1]] for name, steps in measures.items()}
    content = {key: value for key, value in record.items() if key != "checksum"}
    return seal({**content, "result": {**record["result"], "measures": ends}})


def has_failed(record: Record) -> bool:
    """Tell whether the run gave no measurement."""
    return record["result"]["status"] in FAILED


def sentence(record: Record) -> str:
    """Say which run failed, and why."""
    settings, result = record["identity"]["settings"], record["result"]
    return (
        f"run {record['id']} ({settings['activation']}, depth {settings['depth']}, seed {settings['seed']}) "
        f"{result['status']}: {result['cause']}"
    )


def verified(content: bytes, name: str) -> dict[str, Any]:
    """Return the record or document in these bytes; RecordError unless it is whole and its own name is `name`."""
    found = unseal(content)
    names = [found.get("id"), identifier(found["identity"])] if "identity" in found else [found.get("name")]
    if wrong := [str(own) for own in names if own != name]:
        raise RecordError(f"is not {name}: its content is of {' and '.join(wrong)}")
    return found


@dataclass(frozen=True)
class Store:
    """Keep records, documents and their ledger in `folder`. If it `is_committed`, all are kept compact."""

    folder: Path
    is_committed: bool = False

    def path(self, name: str) -> Path:
        """Return the file of the run with this id, or of the document with this name."""
        return self.folder / f"{name}.json"

    def checkpoint(self, run: str) -> Path:
        """Return the file of the checkpoint of the run with this id, which exists while a long run is unfinished."""
        return self.folder / f".{run}.checkpoint"

    def network(self, run: str) -> Path:
        """Return the file of the trained network of the run with this id, if its network is kept."""
        return self.folder.parent / "networks" / f"{run}.npz"

    def write(self, record: Record) -> Record:
        """Write the record under its id, over an older one, and return it as it is kept."""
        kept = compact(record) if self.is_committed else record
        write_atomically(self.path(kept["id"]), canonical_json(kept))
        if not has_failed(kept):
            self.checkpoint(kept["id"]).unlink(missing_ok=True)
        return kept

    def write_document(self, name: str, content: dict[str, Any], provenance: dict[str, Any]) -> None:
        """Write the content as the document `name`."""
        document = {"schema": SCHEMA, "name": name, "content": content, "provenance": provenance}
        write_atomically(self.path(name), canonical_json(seal(document)))

    def read(self, name: str) -> dict[str, Any]:
        """Return the verified record or document; RecordError if it is damaged, FileNotFoundError if there is none."""
        return verified(self.path(name).read_bytes(), name)

    def find(self, runs: Iterable[str]) -> dict[str, Record]:
        """Return the existing records of these runs, by id; move damaged ones aside: their runs are repeated."""
        found = {}
        for run in runs:
            try:
                found[run] = self.read(run)
            except FileNotFoundError:
                continue
            except RecordError:
                aside = self.folder / "damaged" / f"{run}.json"
                prepare_folder(aside.parent)
                with doing(f"move {self.path(run)} to {aside}"):
                    self.path(run).replace(aside)
        return found

    def runs(self) -> list[str]:
        """Return the ids of all records, damaged ones included; ignore other files."""
        return sorted(path.stem for path in self.folder.glob(RECORD))

    def document_names(self) -> list[str]:
        """Return the names of all documents, damaged ones included; of `make all`'s folder only its two."""
        beside_runs = (self.path(name) for name in (TIMINGS, PREACTIVATIONS))
        paths = self.folder.glob("[!.]*.json") if self.is_committed else beside_runs
        others = (p for p in paths if p.is_file() and p.name != LEDGER and not fnmatch.fnmatchcase(p.name, RECORD))
        return sorted(path.stem for path in others)

    def documents(self) -> dict[str, dict[str, Any]]:
        """Return the documents by name; RecordError with its path if one is damaged."""
        found = {}
        for name in self.document_names():
            try:
                found[name] = self.read(name)
            except RecordError as error:
                raise RecordError(f"{self.path(name)}: {error}; delete it, or measure it again") from error
        return found

    def problems(self) -> list[str]:
        """Return a sentence for every damaged record and document, and for every one set aside and not done again."""
        found = []
        for name in [*self.runs(), *self.document_names()]:
            try:
                self.read(name)
            except RecordError as error:
                found.append(f"{self.path(name)}: {error}")
        aside = [path for path in sorted((self.folder / "damaged").glob(RECORD)) if not self.path(path.stem).exists()]
        return found + [f"{path}: was damaged and set aside; its run has not been done again" for path in aside]

    def ledger(self) -> Ledger:
        """Read the folder's ledger; see `Ledger.load`."""
        return Ledger.load(self.folder / LEDGER)

    def save(self, ledger: Ledger) -> None:
        """Write the ledger; a committed one leaves out theory's table, a megabyte that nothing reads."""
        if self.is_committed:
            for about in ledger.activations.values():
                about["theory"] = {**about["theory"], "rows": {column: [] for column in about["theory"]["rows"]}}
        ledger.save(self.folder / LEDGER)

    def holds(self, target: str) -> bool:
        """Tell whether the runs of this make target belong in this folder."""
        return self.is_committed == (target != EVERYTHING)


def stores(results: Path) -> tuple[Store, Store]:
    """Return the store for the runs of `make all`, and the committed store for the long protocols."""
    return Store(results / "runs"), Store(results / "records", is_committed=True)
