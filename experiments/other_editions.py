"""Do other editions of the study, with other seeds or on another processor, come to the same conclusions?

The module asks for no runs. `study compare FOLDER --keep NAME` keeps the conclusions of the edition in FOLDER as a
document, which is compared here with the conclusions of this edition.
"""

from pathlib import Path

import pandas as pd

from study.analysis import claims
from study.analysis.editions import AGREES, COMPATIBLE, CONTRADICTS, TABLES, compare_conclusions, conclusions
from study.figures.style import Style
from study.plan import Plan
from study.report import editions
from study.report.section import Evidence, Section

PAGE = Path(__file__).with_suffix(".md")
NAME = "other_editions"


def conclude(plan: Plan, evidence: Evidence, style: Style) -> Section | None:
    """Compare this edition with each edition that is kept as a document; None if there is none.

    The table `other_editions` has a row per edition: its name, what is different there (`about`), and how many of its
    conclusions agree, are compatible, and contradict this edition's. `edition_differences` has the rows of
    `compare_conclusions` that are compatible or contradict, with the edition's name. Edition A is this one.
    """
    here = {name: evidence.tables[name] for name in TABLES if name in evidence.tables}
    own = conclusions({**here, "claims": claims.claims_table(evidence.judgements)})
    counts, parts = [], []
    for name, about, rows in editions.kept(evidence.documents):
        found = compare_conclusions(own, rows)
        outcomes = found["outcome"].value_counts()
        numbers = {outcome: int(outcomes.get(outcome, 0)) for outcome in (AGREES, COMPATIBLE, CONTRADICTS)}
        counts.append({"edition": name, "about": about, **numbers})
        parts.append(found[found["outcome"].isin([COMPATIBLE, CONTRADICTS])].assign(edition=name))
    if not counts:
        return None
    return Section(PAGE, {NAME: pd.DataFrame(counts), "edition_differences": pd.concat(parts, ignore_index=True)})
