"""What a results folder was asked for: the activations, and which runs belong to which experiment.

It is how `study report` knows, without TensorFlow and without the registry of today, what to make its tables of.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from study.experiment import Plan
from study.files import write_atomically
from study.records import RecordError, valid
from study.style import Style
from study.tables import Formula


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

    def plan(self, experiment: str) -> Plan:
        """What the experiment was asked for."""
        kept = self.plans[experiment]
        names = tuple(kept["activations"])
        theory = {name: self.activations[name]["theory"] for name in names}
        return Plan(names, kept["seeds"], kept["is_quick"], theory)

    def style(self) -> Style:
        """Labels and colours of the activations, the same in every figure."""
        labels = {name: about["label"] for name, about in self.activations.items()}
        return Style(labels, {name: about["position"] for name, about in self.activations.items()})

    def curves(self) -> pd.DataFrame:
        """activation, x, value, derivative: one row a point."""
        return pd.concat(
            [pd.DataFrame(about["curve"]).assign(activation=name) for name, about in self.activations.items()],
            ignore_index=True,
        )

    def described(self) -> pd.DataFrame:
        """Activation, formula and source, ready to read."""
        rows = [
            {"Activation": about["label"], "Formula": Formula(about["formula"]), "Source": about["source"]}
            for about in self.activations.values()
        ]
        return pd.DataFrame(rows)
