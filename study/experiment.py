"""What an experiment is: it declares the runs a question needs, and makes its answer of their records.

An experiment is a module under experiments/ with `ORDER`, `TITLE`, `rounds` and `interpret`. `rounds` yields one round
of runs after another; each sees the records so far, and an empty round ends it. `interpret` turns the records into a
Section. A module with `conclude` instead of the two asks for no runs: it makes its Section of the other sections'
tables and of measured documents, when all those are there.

`TARGET` names the make target of an experiment that takes longer than `make all` may; without it, it is part of that.

`compared_seeds(plan)`, where a module has it, says how many paired seeds its tests will have, if not its first round's.
"""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import pandas as pd
from matplotlib.figure import Figure

from study.claims import Judgement
from study.records import Record
from study.settings import Settings
from study.style import Style


@dataclass(frozen=True)
class Plan:
    """What was asked for: the activations compared, in the registry's order, and how many paired seeds.

    `theory` holds, per activation, what `study.entries` recorded of its predictions; to `interpret`, also that of the
    activations that `rounds` named besides.
    """

    activations: tuple[str, ...]
    seeds: int | None = None
    is_quick: bool = False
    theory: Mapping[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """A figure of the report: `name` is its file's, `caption` says what to see in it."""

    name: str
    caption: str
    figure: Figure


@dataclass(frozen=True)
class Display:
    """A table as the report shows it: columns ready to read, every number made from a table of the section.

    `name` is that of its files in Markdown and LaTeX; without one it is made of the section's title and a number.
    """

    caption: str
    frame: pd.DataFrame
    name: str = ""


@dataclass(frozen=True)
class Section:
    """An experiment's answer. `tables` are written as they are, joined with other sections' of the same name.

    `blocks` are Markdown paragraphs, displays and pictures, in the report's order; `answer` is the short answer;
    `judgements` say what the section's records mean for published claims; a section that `leads` opens the report.
    """

    title: str
    answer: str
    blocks: Sequence[str | Display | Picture]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    judgements: Sequence[Judgement] = ()
    leads: bool = False


@dataclass(frozen=True)
class Evidence:
    """What a module that concludes may use: all sections' tables by name, and results/records' documents by name.

    `judgements` are those of all sections; see study/claims.py.
    """

    tables: Mapping[str, pd.DataFrame]
    documents: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    judgements: Sequence[Judgement] = ()


EVERYTHING = "all"  # the target of what names none


class Experiment(Protocol):
    """The interface of a module under experiments/ that asks for runs."""

    ORDER: int
    TITLE: str

    def rounds(self, plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
        """The runs still wanted, given the records so far; none means that the experiment is done."""

    def interpret(self, plan: Plan, records: Sequence[Record], style: Style) -> Section:
        """The answer these records give."""


class Conclusion(Protocol):
    """The interface of a module under experiments/ that asks for no runs, and concludes from the others' tables.

    With `TIMES_ACTIVATIONS = True` the machine is timed for it, once all runs are done: the document `cost`.
    """

    ORDER: int
    TITLE: str

    def conclude(self, plan: Plan, evidence: Evidence, style: Style) -> Section | None:
        """What the evidence says; None if what it needs of it is not there."""


def experiments() -> dict[str, Experiment]:
    """The modules under experiments/ that ask for runs, by name, those with a lower ORDER first."""
    return {name: cast(Experiment, module) for name, module in _modules().items() if hasattr(module, "rounds")}


def conclusions() -> dict[str, Conclusion]:
    """The modules that conclude, by name, in the order to compute them: those with a higher ORDER first.

    So the one that opens the report, with the lowest, sees the tables and judgements of all others.
    """
    found = reversed(_modules().items())
    return {name: cast(Conclusion, module) for name, module in found if not hasattr(module, "rounds")}


def target(module: object) -> str:
    """The make target that does what a module asks for."""
    return str(getattr(module, "TARGET", EVERYTHING))


def times_activations(module: object) -> bool:
    """Whether a module asks for the activations to be timed."""
    return bool(getattr(module, "TIMES_ACTIVATIONS", False))


def askable() -> dict[str, str]:
    """The target of each module that something can be done for: runs, or timing."""
    modules = _modules().items()
    return {name: target(module) for name, module in modules if hasattr(module, "rounds") or times_activations(module)}


def _modules() -> dict[str, Any]:
    """Every module under experiments/, by name, those with a lower ORDER first."""
    import experiments as folder

    names = [module.name for module in pkgutil.iter_modules(folder.__path__)]
    modules = {name: importlib.import_module(f"experiments.{name}") for name in names}
    return {name: modules[name] for name in sorted(names, key=lambda name: (modules[name].ORDER, name))}
