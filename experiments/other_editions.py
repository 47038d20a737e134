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
TUNED, POOLED = "learning_rate", "pooled_comparisons"  # a question; this edition's answer to it with more seeds
BOTH = (AGREES, COMPATIBLE, CONTRADICTS)  # outcomes of conclusions that both editions have


def conclude(plan: Plan, evidence: Evidence, style: Style) -> Section | None:
    """Compare this edition with each edition that is kept as a document; None if there is none.

    The table `other_editions` has a row per edition: its name, what is different there (`about`), and how many of its
    conclusions agree, are compatible, and contradict this edition's. `edition_differences` has the rows of
    `compare_conclusions` that are compatible or contradict, with the edition's name. Edition A is this one. The tuned
    findings of an edition are compared twice: with those of this edition's `make all`, and with those of POOLED.
    """
    pooled = conclusions({"verdict_findings": evidence.tables[POOLED]} if POOLED in evidence.tables else {})
    here = {name: evidence.tables[name] for name in TABLES if name in evidence.tables}
    own = conclusions({**here, "claims": claims.claims_table(evidence.judgements)})
    counts, parts = [], []
    for name, about, rows in editions.kept(evidence.documents):
        tuned = rows[(rows["kind"] == "finding") & (rows["question"] == TUNED)].assign(question="pooled")
        twice = compare_conclusions(pooled, tuned)
        found = pd.concat([compare_conclusions(own, rows), twice[twice["outcome"].isin(BOTH)]], ignore_index=True)
        outcomes = found["outcome"].value_counts()
        numbers = {outcome: int(outcomes.get(outcome, 0)) for outcome in BOTH}
        counts.append({"edition": name, "about": about, **numbers})
        parts.append(found[found["outcome"].isin([COMPATIBLE, CONTRADICTS])].assign(edition=name))
    if not counts:
        return None
    return Section(PAGE, {NAME: pd.DataFrame(counts), "edition_differences": pd.concat(parts, ignore_index=True)})
