"""List a folder's activations and each experiment's runs, so that a report needs no TensorFlow and no registry."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from study.errors import RecordError
from study.plan import Plan
from study.records.canonical import as_json, digest
from study.records.files import write_atomically


@dataclass
class Ledger:
    """Hold what commands have asked for in one folder, and the activations and runs that belong to it.

    `plans` and `runs` map each experiment to its plan as a dict and to the ids of its runs; see `note`. `activations`
    maps activations to their descriptions in the catalogue. `refused` maps activations that the last command refused to
    the reasons. `wall_seconds` is the time of all commands that trained. `command` is "make quick" if the last command
    asked for a quick look, else "make all".
    """

    plans: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[str, list[str]] = field(default_factory=dict)
    activations: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    wall_seconds: float = 0.0
    command: str = ""

    @classmethod
    def load(cls, path: Path) -> "Ledger":
        """Return the ledger in the file `path`, empty if the file is missing; raise RecordError if it is damaged.

        A file of an earlier version has no checksum and is read without.
        """
        try:
            content = json.loads(path.read_bytes())
            checksum = content.pop("checksum", None)
            if checksum is not None and checksum != digest(content):
                raise ValueError("it does not match its checksum")
            return cls(**content)
        except FileNotFoundError:
            return cls()
        except (ValueError, TypeError, AttributeError) as error:
            raise RecordError(f"{path} is damaged ({error}); delete it and run again: no run is lost") from error

    def save(self, path: Path) -> None:
        """Write the ledger to the file `path`, as JSON with a checksum; raise FolderError if that fails."""
        content = as_json(asdict(self))  # with its keys as they are: activations have the order of the registry
        write_atomically(path, json.dumps({**content, "checksum": digest(content)}).encode())

    def note(self, experiment: str, plan: Plan, runs: Sequence[str], used: Sequence[str]) -> None:
        """Set the plan and the run ids of `experiment`, and the activations that its runs use but the plan does not."""
        kept = {key: getattr(plan, key) for key in ("activations", "seeds", "is_quick", "first_seed")}
        others = [name for name in used if name not in plan.activations]
        self.plans[experiment], self.runs[experiment] = {**kept, "others": others}, list(runs)

    def plan(self, experiment: str) -> Plan:
        """Rebuild the Plan with which `experiment` was last requested.

        `Plan.activations` are the activations that the request compared. `Plan.theory` also covers activations that
        only the experiment's runs use, such as those of a published claim. Raise KeyError for an unknown `experiment`.
        """
        kept = self.plans[experiment]
        names = tuple(kept["activations"])
        theory = {name: self.activations[name]["theory"] for name in (*names, *kept.get("others", ()))}
        return Plan(names, kept["seeds"], kept["is_quick"], theory, kept.get("first_seed", 0))

    def compared_activations(self) -> list[str]:
        """Return the activations that any plan compares, in the registry's order, without those only a claim names."""
        asked = {name for plan in self.plans.values() for name in plan["activations"]}
        return [name for name in self.activations if name in asked]

    def keep_only_used(self) -> None:
        """Remove the descriptions of activations that no plan uses any more, to compare or for a claim."""
        used = {name for plan in self.plans.values() for name in (*plan["activations"], *plan.get("others", ()))}
        self.activations = {name: about for name, about in self.activations.items() if name in used}

    def curves(self) -> pd.DataFrame:
        """Return phi and phi' of each activation phi that a plan compares, one row per point x.

        The columns are x, value (phi), derivative (phi') and activation.
        """
        names = self.compared_activations()
        curves = [pd.DataFrame(self.activations[name]["curve"]).assign(activation=name) for name in names]
        return pd.concat(curves, ignore_index=True)
