"""Store records of runs: JSON files named by the run's identity, verified by checksum at every reading."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from study.records.canonical import SCHEMA, RecordError, canonical_json, seal, unseal
from study.records.files import FolderError, prepare_folder, write_atomically
from study.records.identity import Identity, identifier

RECORD = "[0-9a-f]" * 20 + ".json"  # the file names of records
FAILED = ("crashed", "failed", "timeout")  # statuses of runs that gave no measurement; they are run again next time

Record = dict[str, Any]


def make(identity: Identity, activation: dict[str, str], result: dict[str, Any], provenance: dict[str, Any]) -> Record:
    """Return a record that is ready to be written. The `timings` in `result` move to the provenance."""
    measured = {key: value for key, value in result.items() if key != "timings"}
    content = {
        "schema": SCHEMA,
        "id": identity.id,
        "identity": identity.__dict__,
        "activation": activation,
        "result": measured,
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


def verified(content: bytes, run: str) -> Record:
    """Return the record in these bytes; RecordError unless it is whole, of this run and of a schema this code knows."""
    record = unseal(content)
    try:
        named, is_named_so = record["id"], identifier(record["identity"]) == record["id"] == run
    except KeyError as error:
        raise RecordError(f"is not a whole record ({type(error).__name__})") from error
    if not is_named_so:
        raise RecordError(f"is the record of run {named}, under another name")
    return record


class Store:
    """Keep the records of one folder, each in the `form` that a function such as `compact` gives it."""

    def __init__(self, folder: Path, form: Callable[[Record], Record] | None = None) -> None:
        self.folder, self.form = folder, form

    def path(self, run: str) -> Path:
        """Return the file of the run with this id."""
        return self.folder / f"{run}.json"

    def write(self, record: Record) -> Record:
        """Write the record under its id, over an older one, and return it as it is kept."""
        kept = record if self.form is None else self.form(record)
        write_atomically(self.path(kept["id"]), canonical_json(kept))
        return kept

    def read(self, run: str) -> Record:
        """Return the verified record of a run; RecordError if it is damaged, FileNotFoundError if there is none."""
        path = self.path(run)
        return verified(path.read_bytes(), path.stem)

    def find(self, runs: Iterable[str]) -> dict[str, Record]:
        """Return the existing records of these runs, by id.

        Damaged records are moved aside, so that their runs are repeated.
        """
        found = {}
        for run in runs:
            try:
                found[run] = self.read(run)
            except FileNotFoundError:
                continue
            except RecordError:
                self._set_aside(run)
        return found

    def _set_aside(self, run: str) -> None:
        """Move the run's record to the subfolder for damaged records."""
        damaged = self.folder / "damaged"
        prepare_folder(damaged)
        try:
            self.path(run).replace(damaged / f"{run}.json")
        except OSError as error:
            raise FolderError(f"cannot move {self.path(run)} to {damaged}: {error.strerror}") from error

    def problems(self) -> list[str]:
        """Return one sentence for every damaged record, and for every one set aside whose run is not done again."""
        found = []
        for run in self.runs():
            try:
                self.read(run)
            except RecordError as error:
                found.append(f"{self.path(run)}: {error}")
        aside = [path for path in sorted((self.folder / "damaged").glob(RECORD)) if not self.path(path.stem).exists()]
        return found + [f"{path}: was damaged and set aside; its run has not been done again" for path in aside]

    def runs(self) -> list[str]:
        """Return the ids of all records, damaged ones included; ignore other files."""
        return sorted(path.stem for path in self.folder.glob(RECORD))

    def __len__(self) -> int:
        return len(self.runs())
