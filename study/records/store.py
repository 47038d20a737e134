"""Keep records, documents and a ledger as JSON files in one folder; verify their checksums at every reading."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.errors import RecordError
from study.plan import EVERYTHING
from study.records.canonical import SCHEMA, canonical_json, seal, unseal
from study.records.files import os_errors_explained, prepare_folder, write_atomically
from study.records.identity import Identity, identifier
from study.records.ledger import Ledger

RECORD_PATTERN = "[0-9a-f]" * 20 + ".json"  # matches the file names of records
LEDGER_FILE = "plan.json"
# Names of documents and of a network's file; {} stands for the name of an experiment.
DIGITS = "digits"  # test images that the report shows under noise, in the committed folder
NETWORKS = "networks_{}"  # the test of an experiment's networks, in the committed folder
NETWORK = "networks/{}.keras"  # the best of these networks as a Keras model: a file in the results folder
PREACTIVATIONS = "preactivations"  # quantiles of pre-activations, beside the runs of `make all`
TIMINGS = "cost"  # timings of the activations, beside the runs of `make all`

FAILED_STATUSES = ("crashed", "failed", "timeout")  # of runs without a measurement, which the next command repeats

Record = dict[str, Any]


def make_record(
    identity: Identity, activation: dict[str, str], result: dict[str, Any], provenance: dict[str, Any]
) -> Record:
    """Return the record of a run: schema, id, identity, activation, result, provenance and checksum.

    `activation` holds the label, formula and source of the run's activation. `result` is what `training.train`
    returned, or the status and cause of a failure. Its entry `timings` is stored in the record's provenance instead.
    """
    content = {
        "schema": SCHEMA,
        "id": identity.id,
        "identity": identity.__dict__,
        "activation": activation,
        "result": {key: value for key, value in result.items() if key != "timings"},
        "provenance": {**provenance, "timings": result.get("timings", {})},
    }
    return seal(content)


def compact_record(record: Record) -> Record:
    """Return `record` with the measures of only the first and the last logged step, small enough to be committed."""
    measures = record["result"].get("measures")
    if measures is None or len(measures["step"]) <= 2:
        return record
    ends = {name: [steps[0], steps[-1]] for name, steps in measures.items()}
    content = {key: value for key, value in record.items() if key != "checksum"}
    return seal({**content, "result": {**record["result"], "measures": ends}})


def has_failed(record: Record) -> bool:
    """Tell whether the run gave no measurement, because it crashed, raised an error or took too long."""
    return record["result"]["status"] in FAILED_STATUSES


def failure_text(record: Record) -> str:
    """Return a clause for people that tells which run failed, how and why, from the run's `record`."""
    settings, result = record["identity"]["settings"], record["result"]
    run = f"run {record['id']} ({settings['activation']}, depth {settings['depth']}, seed {settings['seed']})"
    return f"{run} {result['status']}: {result['cause']}"


def read_verified(content: bytes, name: str) -> dict[str, Any]:
    """Return the record or document in the bytes `content`; `name` is the id of its run or the name of the document.

    Raise RecordError if the content is damaged, has another schema, or belongs to another id or name. Raise it too if a
    record's id does not follow from its identity.
    """
    found = unseal(content)
    names = [found.get("id"), identifier(found["identity"])] if "identity" in found else [found.get("name")]
    if wrong := [str(own) for own in names if own != name]:
        raise RecordError(f"is not {name}: its content is of {' and '.join(wrong)}")
    return found


@dataclass(frozen=True)
class Store:
    """Keep records, documents and a ledger in `folder`.

    `is_committed` tells that the folder is committed to git: `write` and `save` then leave out large parts.
    """

    folder: Path
    is_committed: bool = False

    def path(self, name: str) -> Path:
        """Return the path of the record of the run with this id, or of the document with this name."""
        return self.folder / f"{name}.json"

    def checkpoint(self, run: str) -> Path:
        """Return the path of the checkpoint of the run with this id; the file exists while a long run is unfinished."""
        return self.folder / f".{run}.checkpoint"

    def network(self, run: str) -> Path:
        """Return the path of the trained network (npz) of the run with this id; few networks are kept."""
        return self.folder.parent / "networks" / f"{run}.npz"

    def write(self, record: Record) -> Record:
        """Write `record`, compact in a committed folder, in place of an older one, and return what was written.

        Delete the run's checkpoint unless the run failed. Raise FolderError if the file cannot be written.
        """
        kept = compact_record(record) if self.is_committed else record
        write_atomically(self.path(kept["id"]), canonical_json(kept))
        if not has_failed(kept):
            self.checkpoint(kept["id"]).unlink(missing_ok=True)
        return kept

    def write_document(self, name: str, content: dict[str, Any], provenance: dict[str, Any]) -> None:
        """Write `content` and its `provenance` as the document `name`, in place of an older one."""
        document = {"schema": SCHEMA, "name": name, "content": content, "provenance": provenance}
        write_atomically(self.path(name), canonical_json(seal(document)))

    def read(self, name: str) -> dict[str, Any]:
        """Return the record or document `name`; raise RecordError if it is damaged, FileNotFoundError if missing."""
        return read_verified(self.path(name).read_bytes(), name)

    def find(self, runs: Iterable[str]) -> dict[str, Record]:
        """Return {id: record} for the ids `runs` that have a record in the folder, also of failed runs.

        Move a damaged record to the subfolder `damaged`, so that its run is repeated; raise FolderError if that fails.
        """
        found = {}
        for run in runs:
            try:
                found[run] = self.read(run)
            except FileNotFoundError:
                continue
            except RecordError:
                aside = self.folder / "damaged" / f"{run}.json"
                prepare_folder(aside.parent)
                with os_errors_explained(f"move {self.path(run)} to {aside}"):
                    self.path(run).replace(aside)
        return found

    def runs(self) -> list[str]:
        """Return the sorted ids of all records in the folder, damaged ones included."""
        return sorted(path.stem for path in self.folder.glob(RECORD_PATTERN))

    def document_names(self) -> list[str]:
        """Return the sorted names of all documents in the folder, damaged ones included.

        In the folder of `make all` only TIMINGS and PREACTIVATIONS count as documents.
        """
        if not self.is_committed:
            return sorted(name for name in (TIMINGS, PREACTIVATIONS) if self.path(name).is_file())
        names = {path.stem for path in self.folder.glob("[!.]*.json") if path.is_file() and path.name != LEDGER_FILE}
        return sorted(names - {*self.runs()})

    def documents(self) -> dict[str, dict[str, Any]]:
        """Return {name: document with its checksum}; raise RecordError, with the path, if one is damaged."""
        found = {}
        for name in self.document_names():
            try:
                found[name] = self.read(name)
            except RecordError as error:
                raise RecordError(f"{self.path(name)}: {error}; delete it, or measure it again") from error
        return found

    def problems(self) -> list[str]:
        """Return a sentence for each damaged file, also if set aside and its run is not yet done again."""
        found = []
        try:
            self.ledger()
        except RecordError as error:
            found.append(str(error))
        for name in [*self.runs(), *self.document_names()]:
            try:
                self.read(name)
            except RecordError as error:
                found.append(f"{self.path(name)}: {error}")
        aside = sorted((self.folder / "damaged").glob(RECORD_PATTERN))
        undone = [path for path in aside if not self.path(path.stem).exists()]
        return found + [f"{path}: was damaged and set aside; its run has not been done again" for path in undone]

    def ledger(self) -> Ledger:
        """Return the folder's ledger, empty if there is none; raise RecordError if it is damaged."""
        return Ledger.load(self.folder / LEDGER_FILE)

    def save(self, ledger: Ledger) -> None:
        """Write `ledger` to the folder, in place of an older ledger; raise FolderError if that fails."""
        if self.is_committed:  # empty theory's tables `rows` in `ledger`: they take a megabyte, and nothing reads them
            for about in ledger.activations.values():
                about["theory"] = {**about["theory"], "rows": {column: [] for column in about["theory"]["rows"]}}
        ledger.save(self.folder / LEDGER_FILE)

    def keeps_runs_of(self, target: str) -> bool:
        """Tell whether the folder keeps the runs of the make `target`: of "all" alone, or all others if committed."""
        return self.is_committed == (target != EVERYTHING)


def stores(results: Path) -> tuple[Store, Store]:
    """Return the two stores in the folder `results`: of the runs of `make all`, and of the committed long protocols."""
    return Store(results / "runs"), Store(results / "records", is_committed=True)
