"""The records on disk: what identifies a run, and how its record is written and read.

A record is one JSON file named by its identity: a hash of the run's settings, the data's checksum, the activation's
fingerprint and the engine's. It is checked by checksum when it is read; one that fails is never used.
"""

import ast
import fnmatch
import functools
import hashlib
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.records.files import FolderError, prepare_folder, write_atomically
from study.settings import Settings

SCHEMA = 1
LEDGER = "plan.json"  # what a folder of records was asked for; see study/records/ledger.py
FAILED = ("crashed", "failed", "timeout")  # statuses of runs that gave no measurement; they are run again next time

Record = dict[str, Any]
STUDY = Path(__file__).parents[1]


class RecordError(Exception):
    """A record that is damaged, of another identity or of a newer schema; the message says which and why."""


@dataclass(frozen=True)
class Identity:
    """What a run is, and therefore what its record is called."""

    settings: dict[str, Any]
    data: str
    activation: str
    engine: str

    @property
    def id(self) -> str:
        """20 hexadecimal digits."""
        return _id(self.__dict__)


def _id(content: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json(content)).hexdigest()[:20]


def identity(settings: Settings, data: str, activation: str) -> Identity:
    """The identity of a run on data of this checksum with an activation of this fingerprint."""
    return Identity(settings.to_dict(), data, activation, engine_fingerprint())


def canonical_json(content: Any) -> bytes:
    """One spelling for one content: sorted keys, no spaces, NaN and infinities as null."""
    return json.dumps(valid(content), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def valid(content: Any) -> Any:
    """The content as JSON can hold it: NaN and infinities are None."""
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, dict):
        return {key: valid(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [valid(value) for value in content]
    return content


def engine_fingerprint() -> str:
    """Return what identifies the engine; comments, layout and docstrings never retrain."""
    return source_fingerprint(STUDY / "engine")


@functools.cache
def source_fingerprint(*paths: Path) -> str:
    """Hash the syntax trees, without docstrings, of modules and of all modules in folders."""
    modules = [module for path in paths for module in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    spelled = [f"{module.name} {_spell(ast.parse(module.read_text(encoding='utf-8')))}" for module in modules]
    return hashlib.sha256("\n".join(spelled).encode()).hexdigest()


def _spell(node: Any) -> str:
    """The tree as text, the same for every Python version: empty fields are left out, docstrings too."""
    if isinstance(node, list):
        return "[" + ",".join(_spell(item) for item in node if not _is_docstring(item)) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = ((name, value) for name, value in ast.iter_fields(node) if value is not None and value != [])
    return type(node).__name__ + "(" + ",".join(f"{name}={_spell(value)}" for name, value in fields) + ")"


def _is_docstring(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def make(identity: Identity, activation: dict[str, str], result: dict[str, Any], provenance: dict[str, Any]) -> Record:
    """A record ready to be written. `result` is what was measured; `timings` in it move to the provenance."""
    measured = {key: value for key, value in result.items() if key != "timings"}
    content = {
        "schema": SCHEMA,
        "id": identity.id,
        "identity": identity.__dict__,
        "activation": activation,
        "result": measured,
        "provenance": {**provenance, "timings": result.get("timings", {})},
    }
    return _sealed(content)


def _sealed(content: dict[str, Any]) -> Record:
    """The content as JSON holds it, with its checksum."""
    spelled = canonical_json(content)
    return {**json.loads(spelled), "checksum": hashlib.sha256(spelled).hexdigest()}


def compact(record: Record) -> Record:
    """The record with the measures of the first and the last logged step alone, small enough to be committed."""
    measures = record["result"].get("measures")
    if measures is None or len(measures["step"]) <= 2:
        return record
    ends = {name: [steps[0], steps[-1]] for name, steps in measures.items()}
    content = {key: value for key, value in record.items() if key != "checksum"}
    return _sealed({**content, "result": {**record["result"], "measures": ends}})


def has_failed(record: Record) -> bool:
    """Return whether the run gave no measurement."""
    return record["result"]["status"] in FAILED


def sentence(record: Record) -> str:
    """Say which run failed, and why."""
    settings, result = record["identity"]["settings"], record["result"]
    return (
        f"run {record['id']} ({settings['activation']}, depth {settings['depth']}, seed {settings['seed']}) "
        f"{result['status']}: {result['cause']}"
    )


def scientific_content(record: Record) -> bytes:
    """The part of a record that is the same whenever, wherever and in whatever order the run happened."""
    return canonical_json({key: record[key] for key in ("schema", "id", "identity", "result")})


def write_document(folder: Path, name: str, content: dict[str, Any], provenance: dict[str, Any]) -> None:
    """Write a measurement that is no run (timings of the machine, say) as folder/name.json, checked like a record."""
    document = _sealed({"schema": SCHEMA, "name": name, "content": content, "provenance": provenance})
    write_atomically(folder / f"{name}.json", canonical_json(document))


def read_document(path: Path) -> dict[str, Any]:
    """The verified document at `path`: schema, name, content, provenance, checksum; RecordError if it is damaged."""
    document = _checked(path.read_bytes())
    if document.get("name") != path.stem or not isinstance(document.get("content"), dict):
        raise RecordError(f"is no document of the name {path.stem}")
    return document


def document_paths(folder: Path, pattern: str = "*") -> list[Path]:
    """The documents of a folder of records whose name matches, damaged ones included."""
    others = (path for path in folder.glob(f"{pattern}.json") if path.name != LEDGER and path.name[0] != ".")
    return sorted(path for path in others if path.is_file() and not fnmatch.fnmatchcase(path.name, _NAME))


_NAME = "[0-9a-f]" * 20 + ".json"


class Store:
    """The records of one folder, each in the `form` (`compact`, say) it is kept in there."""

    def __init__(self, folder: Path, form: Callable[[Record], Record] | None = None) -> None:
        self.folder, self.form = folder, form

    def path(self, run: str) -> Path:
        """The file of the run with this id."""
        return self.folder / f"{run}.json"

    def write(self, record: Record) -> Record:
        """Write the record under its id, and return it as it is kept; a record of a run that failed is replaced."""
        kept = record if self.form is None else self.form(record)
        write_atomically(self.path(kept["id"]), canonical_json(kept))
        return kept

    def read(self, run: str) -> Record:
        """The verified record of a run; RecordError if it is damaged, FileNotFoundError if there is none."""
        path = self.path(run)
        return verified(path.read_bytes(), path.stem)

    def find(self, runs: Iterable[str]) -> dict[str, Record]:
        """The records there are of these runs, by id. A damaged one is set aside, so that its run is done again."""
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
        damaged = self.folder / "damaged"
        prepare_folder(damaged)
        try:
            self.path(run).replace(damaged / f"{run}.json")
        except OSError as error:
            raise FolderError(f"cannot move {self.path(run)} to {damaged}: {error.strerror}") from error

    def problems(self) -> list[str]:
        """One sentence for every damaged record in the folder, and for every one set aside that has no successor."""
        found = []
        for run in self.runs():
            try:
                self.read(run)
            except RecordError as error:
                found.append(f"{self.path(run)}: {error}")
        aside = [path for path in sorted((self.folder / "damaged").glob(_NAME)) if not self.path(path.stem).exists()]
        return found + [f"{path}: was damaged and set aside; its run has not been done again" for path in aside]

    def runs(self) -> list[str]:
        """The ids of the records there are, damaged ones included; other files are none of ours."""
        return sorted(path.stem for path in self.folder.glob(_NAME))

    def __len__(self) -> int:
        return len(self.runs())


def verified(content: bytes, run: str) -> Record:
    """The record in these bytes, if it is whole, of this identity and of a schema this code knows."""
    record = _checked(content)
    try:
        named, is_named_so = record["id"], _id(record["identity"]) == record["id"] == run
    except KeyError as error:
        raise RecordError(f"is not a whole record ({type(error).__name__})") from error
    if not is_named_so:
        raise RecordError(f"is the record of run {named}, under another name")
    return record


def _checked(content: bytes) -> dict[str, Any]:
    """What these bytes of JSON hold, if it is whole and of a schema this code knows."""
    try:
        found = json.loads(content)
        checksum = found.pop("checksum")
        schema = found["schema"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(f"is not a whole record ({type(error).__name__})") from error
    if hashlib.sha256(canonical_json(found)).hexdigest() != checksum:
        raise RecordError("does not match its checksum")
    if schema != SCHEMA:
        raise RecordError(f"has schema {schema}; this version reads schema {SCHEMA}")
    return {**found, "checksum": checksum}
