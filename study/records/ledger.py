"""What a folder of records was asked for: the activations, and which runs belong to which experiment.

It is how `study report` knows, without TensorFlow and without the registry of today, what to make its tables of.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from study.plan import EVERYTHING, Plan
from study.records.files import write_atomically
from study.records.store import LEDGER, RecordError, Store, compact, document_paths, read_document, valid

TIMINGS = "cost"  # the document of the activations timed, beside the runs of `make all`


@dataclass
class Ledger:
    """`plans` and `runs` per experiment; `activations` by name: label, formula, source, position and curve."""

    plans: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[str, list[str]] = field(default_factory=dict)
    activations: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    wall_seconds: float = 0.0
    command: str = ""

    @classmethod
    def load(cls, path: Path) -> "Ledger":
        """The ledger kept at `path`; an empty one if there is none. RecordError if it cannot be read as one."""
        try:
            return cls(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return cls()
        except (ValueError, TypeError) as error:
            raise RecordError(f"{path} is damaged ({error}); delete it and run again: no run is lost") from error

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        write_atomically(path, json.dumps(valid(asdict(self)), allow_nan=False).encode())

    def note(self, experiment: str, plan: Plan, runs: Sequence[str], used: Sequence[str]) -> None:
        """That the experiment was asked for this plan, and needs these runs, of the activations `used`."""
        others = [name for name in used if name not in plan.activations]
        about = {"activations": plan.activations, "seeds": plan.seeds, "is_quick": plan.is_quick, "others": others}
        self.plans[experiment], self.runs[experiment] = about, list(runs)

    def plan(self, experiment: str) -> Plan:
        """What the experiment was asked for; theory also of activations that only its runs name."""
        kept = self.plans[experiment]
        names = tuple(kept["activations"])
        theory = {name: self.activations[name]["theory"] for name in (*names, *kept.get("others", ()))}
        return Plan(names, kept["seeds"], kept["is_quick"], theory)

    def compared(self) -> list[str]:
        """The activations that a plan compares, at their places; not those that only a claim names."""
        asked = {name for plan in self.plans.values() for name in plan["activations"]}
        return [name for name in self.activations if name in asked]

    def keep_only_used(self) -> None:
        """Forget the activations that no plan names any more."""
        used = {name for plan in self.plans.values() for name in (*plan["activations"], *plan.get("others", ()))}
        self.activations = {name: about for name, about in self.activations.items() if name in used}

    def curves(self) -> pd.DataFrame:
        """activation, x, value, derivative of the activations compared: one row a point."""
        return pd.concat(
            [pd.DataFrame(self.activations[name]["curve"]).assign(activation=name) for name in self.compared()],
            ignore_index=True,
        )


@dataclass(frozen=True)
class Shelf:
    """A folder of records with its ledger. One that `is_committed` keeps the records compact, its ledger too."""

    folder: Path
    is_committed: bool = False

    @property
    def store(self) -> Store:
        """Its records."""
        return Store(self.folder, compact if self.is_committed else None)

    def ledger(self) -> Ledger:
        """What it was asked for; see `Ledger.load`."""
        return Ledger.load(self.folder / LEDGER)

    def save(self, ledger: Ledger) -> None:
        """Write its ledger; a committed one without theory's table, which is a megabyte and for `make all` alone."""
        if self.is_committed:
            for about in ledger.activations.values():
                about["theory"] = {**about["theory"], "rows": {column: [] for column in about["theory"]["rows"]}}
        ledger.save(self.folder / LEDGER)

    def document_paths(self) -> list[Path]:
        """Its documents, damaged ones included. Beside the runs of `make all` there is one, and strangers' files."""
        return document_paths(self.folder, "*" if self.is_committed else TIMINGS)

    def documents(self) -> dict[str, dict[str, Any]]:
        """Its documents by name; RecordError with its path if one is damaged."""
        found = {}
        for path in self.document_paths():
            try:
                found[path.stem] = read_document(path)
            except RecordError as error:
                raise RecordError(f"{path}: {error}; delete it, or measure it again") from error
        return found

    def problems(self) -> list[str]:
        """One sentence for every record and document that is damaged."""
        found = self.store.problems()
        for path in self.document_paths():
            try:
                read_document(path)
            except RecordError as error:
                found.append(f"{path}: {error}")
        return found

    def holds(self, target: str) -> bool:
        """Whether the runs of this make target belong here."""
        return self.is_committed == (target != EVERYTHING)


def shelves(results: Path) -> tuple[Shelf, Shelf]:
    """Where the runs of `make all` are, and where those of the targets with long protocols, which are committed."""
    return Shelf(results / "runs"), Shelf(results / "records", is_committed=True)
