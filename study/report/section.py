"""What an experiment is: it declares the runs that a question needs, and makes its findings of their records.

A module of experiments/ has `rounds` and `interpret`. `rounds` returns one round of runs after another; each sees the
records so far, and an empty round ends it. `interpret` turns the records into a Section. A module with `conclude`
instead of the two asks for no runs: it makes its Section of the other sections' tables and of measured documents.

`TARGET` names the make target of an experiment that takes longer than `make all` may; without it, it is part of that.
`compared_seeds(plan)`, where a module has it, says how many paired seeds its tests will have, if not its first round's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from study.analysis.claims import Judgement
from study.figures.drawing import Drawing
from study.figures.style import Style
from study.plan import Plan
from study.records.store import Record
from study.settings import Settings


@dataclass(frozen=True)
class Section:
    """The findings of one question.

    `page` is the template that tells them (study/report/rendering.py says what it may use). `tables` are written as
    CSV, joined with other sections' of the same name. `shown` are tables of ready-made texts, for people, and
    `figures` are pictures, both by the name of their file. `protocol` holds the settings that were asked for, and
    never a measurement. `judgements` say what the records mean for published claims. A section that `leads` opens the
    report.
    """

    page: Path
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    shown: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, Drawing] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    judgements: Sequence[Judgement] = ()
    leads: bool = False


@dataclass(frozen=True)
class Evidence:
    """What a module that concludes may use: all sections' tables, the measured documents, and all judgements."""

    tables: Mapping[str, pd.DataFrame]
    documents: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    judgements: Sequence[Judgement] = ()


class Experiment(Protocol):
    """The interface of a module under experiments/ that asks for runs."""

    def rounds(self, plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
        """Return the runs still wanted, given the records so far; none means that the experiment is done."""

    def interpret(self, plan: Plan, records: Sequence[Record], style: Style) -> Section:
        """Return the findings of these records."""


class Conclusion(Protocol):
    """The interface of a module under experiments/ that asks for no runs, and concludes from the others' tables.

    With `TIMES_ACTIVATIONS = True` the machine is timed for it, once all runs are done: the document `cost`.
    """

    def conclude(self, plan: Plan, evidence: Evidence, style: Style) -> Section | None:
        """Return what the evidence says; None if what it needs of it is missing."""
