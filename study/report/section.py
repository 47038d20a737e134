"""Define what a module of experiments/ must offer the study, and what it returns to the report.

A module with `rounds` asks for runs. `rounds` is called repeatedly; `interpret` then turns the records into a Section.
A module with `conclude(plan, evidence, style)` asks for no runs. It makes its Section from Evidence, or returns None if
something it needs is missing. If it sets `TIMES_ACTIVATIONS = True`, the activations are timed after all runs, for the
document `cost`.

A module that asks for runs may also have

- `TARGET`, the make target of an experiment that takes too long for `make all`;
- `expected(plan)`, which returns the settings of the runs that all rounds together are expected to want. The study's
  time is estimated from them; without `expected`, from the runs of the first round;
- `networks(plan, records)`, which returns the records whose trained networks are then tested, alone and together. The
  document `networks_` with the experiment's name holds the results;
- `preactivations(plan, records)`, which returns {settings of a run: steps}, where a step is a number of updates. These
  runs are trained once more to measure the distribution of their pre-activations at these steps. The document
  `preactivations` holds its quantiles;
- `DEPTH_SCALES`, the grids of theory's depth scales that the module needs, by activation (see study/plan.py).
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

    `page` is the path of the text's template (study/report/rendering.py says what it may use). `tables` are written as
    CSV, joined with other sections' tables of the same name. `figures` holds drawings by the name of their file,
    without extension. `protocol` holds other values for the page, such as settings. `judgements` are of published
    claims. A section that `is_opening` stands at the top of the report, and one that `is_appendix` after all questions.
    """

    page: Path
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, Drawing] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    judgements: Sequence[Judgement] = ()
    is_opening: bool = False
    is_appendix: bool = False


@dataclass(frozen=True)
class Evidence:
    """Hold what a module that concludes may use, from the sections made so far and the results folder.

    `tables` holds, by name, the sections' tables, `claims` (claims.csv) and, if there are records, `runs` of all runs.
    `documents` holds measured documents by name.
    """

    tables: Mapping[str, pd.DataFrame]
    documents: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    judgements: Sequence[Judgement] = ()


class Experiment(Protocol):
    """Define the plain functions, without `self`, that a module of experiments/ has if it asks for runs."""

    def rounds(self, plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
        """Return the settings of the runs wanted next, given the records `so_far`; an empty list ends the rounds."""

    def interpret(self, plan: Plan, records: Sequence[Record], style: Style) -> Section:
        """Return the section on `records`, the successful ones of this experiment, with figures in this `style`."""
