"""What an experiment is: it declares the runs a question needs, and makes its answer of their records.

An experiment is a module under experiments/ with `ORDER`, `TITLE`, `rounds` and `interpret`. `rounds` yields one round
of runs after another; each sees the records so far, and an empty round ends it. `interpret` turns the records into a
Section. A module with `conclude` instead of the two asks for no runs: it makes its Section of the other sections'
tables and of measured documents, when all those are there.

`TARGET` names the make target of an experiment that takes longer than `make all` may; without it, it is part of that.
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

    `theory` holds, per activation, what `study.entries` recorded of its predictions.
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
    """A table as the report shows it: columns ready to read, every number made from a table of the section."""

    caption: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class Section:
    """An experiment's answer. `tables` are written as they are, joined with other sections' of the same name.

    `blocks` are Markdown paragraphs, displays and pictures, in the report's order; `answer` is the short answer;
    `judgements` say what the section's records mean for published claims.
    """

    title: str
    answer: str
    blocks: Sequence[str | Display | Picture]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    judgements: Sequence[Judgement] = ()


@dataclass(frozen=True)
class Evidence:
    """What a module that concludes may use: all sections' tables by name, and results/records' documents by name.

    `judgements` are those of all sections; see study/claims.py.
    """

    tables: Mapping[str, pd.DataFrame]
    documents: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    judgements: Sequence[Judgement] = ()


class Experiment(Protocol):
    """The interface of a module under experiments/."""

    TITLE: str

    def rounds(self, plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
        """The runs still wanted, given the records so far; none means that the experiment is done."""

    def interpret(self, plan: Plan, records: Sequence[Record], style: Style) -> Section:
        """The answer these records give."""


def experiments() -> dict[str, Experiment]:
    """Every module under experiments/, by name, those with a lower ORDER first."""
    import experiments as folder

    names = [module.name for module in pkgutil.iter_modules(folder.__path__)]
    modules = {name: importlib.import_module(f"experiments.{name}") for name in names}
    ordered = sorted(names, key=lambda name: (modules[name].ORDER, name))
    return {name: cast(Experiment, modules[name]) for name in ordered}
