"""What an experiment is: it declares the runs a question needs, and makes its answer of their records.

An experiment is a module under experiments/ with `ORDER`, `TITLE`, `rounds` and `interpret`. `rounds` yields one round
of runs after another; each sees the records so far, and an empty round ends it. `interpret` turns the records into a
Section. A module with `conclude` instead of the two asks for no runs: it makes its Section of the other sections'
tables and of measured documents, when all those are there.

`TARGET` names the make target of an experiment that takes longer than `make all` may; without it, it is part of that.

`compared_seeds(plan)`, where a module has it, says how many paired seeds its tests will have, if not its first round's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd
from matplotlib.figure import Figure

from study.analysis.claims import Judgement
from study.figures.style import Style
from study.plan import Plan
from study.records.store import Record
from study.settings import Settings


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

    `judgements` are those of all sections; see study/analysis/claims.py.
    """

    tables: Mapping[str, pd.DataFrame]
    documents: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    judgements: Sequence[Judgement] = ()


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
