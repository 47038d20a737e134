"""Define the interface of experiments: each declares the runs that a question needs, and interprets their records.

A module of experiments/ has `rounds` and `interpret`. `rounds` returns one round of runs after another. Each round sees
the records so far, and an empty round ends it. `interpret` turns the records into a Section. A module with `conclude`
instead asks for no runs. It makes its Section from the other sections' tables and from measured documents.

`TARGET` names the make target of an experiment that takes too long for `make all`. Without it, the experiment belongs
to `make all`.

A module may have `expected(plan)`. It returns the runs that all rounds together are expected to ask for. The command
uses it to estimate a study's time; without it, the estimate counts the runs of the first round.

A module may have `networks(plan, records)`. It returns the records whose trained networks the command then tests,
alone and together; the document `networks` holds what was found. With `preactivations(plan, records)` it returns runs
and steps. The command trains these runs once more to measure where their pre-activations lie at the steps; the document
`preactivations` holds quantiles.
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
    """Hold the findings of one question.

    `page` is the template of the text (study/report/rendering.py says what it may use). `tables` are written as CSV,
    joined with other sections' tables of the same name. `figures` are pictures by the name of their file. `protocol`
    holds settings, never a measurement. `judgements` say what the records mean for published claims. A section that
    `leads` opens the report. One that `is_appendix` is listed after all questions.
    """

    page: Path
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, Drawing] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    judgements: Sequence[Judgement] = ()
    leads: bool = False
    is_appendix: bool = False


@dataclass(frozen=True)
class Evidence:
    """Hold the input of a module that concludes: all sections' tables, measured documents, and judgements."""

    tables: Mapping[str, pd.DataFrame]
    documents: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    judgements: Sequence[Judgement] = ()


class Experiment(Protocol):
    """Define the interface of a module under experiments/ that asks for runs."""

    def rounds(self, plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
        """Return the runs still wanted, given the records `so_far`; an empty list ends the experiment."""

    def interpret(self, plan: Plan, records: Sequence[Record], style: Style) -> Section:
        """Return the findings of these records."""


class Conclusion(Protocol):
    """Define the interface of a module under experiments/ that asks for no runs.

    It concludes from the tables of the others. If it sets `TIMES_ACTIVATIONS = True`, the machine is timed once all
    runs are done, and the document `cost` holds the timings.
    """

    def conclude(self, plan: Plan, evidence: Evidence, style: Style) -> Section | None:
        """Return the findings of the evidence; None if something it needs is missing."""
