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
# The question of the tuned comparison, and the table with this edition's answer to it on more seeds.
TUNED_QUESTION, POOLED_TABLE = "learning_rate", "pooled_comparisons"
OPEN_WORDS = ("undecided", claims.INCONCLUSIVE)  # the words of conclusions that are not decided
# What each part of a claim measures, in words, by claim and part.
QUANTITIES = {name: {part: of.quantity for part, of in claim.parts.items()} for name, claim in claims.CLAIMS.items()}
SHARED_OUTCOMES = (AGREES, COMPATIBLE, CONTRADICTS)  # outcomes of conclusions that both editions have


def conclude(plan: Plan, evidence: Evidence, style: Style) -> Section | None:
    """Compare this edition, as edition A, with each that `evidence` has as a document; None if there is none.

    The table `other_editions` counts the outcomes of the comparison with each edition. `open` counts the conclusions
    that agree because both editions leave them undecided. The tuned findings of an edition are compared twice: with
    this edition's findings in `make all`, and in POOLED_TABLE.
    """
    pooled = conclusions({"verdict_findings": evidence.tables[POOLED_TABLE]} if POOLED_TABLE in evidence.tables else {})
    here = {name: evidence.tables[name] for name in TABLES if name in evidence.tables}
    own = conclusions({**here, "claims": claims.claims_table(evidence.judgements)})
    counts, parts = [], []
    for name, about, rows in editions.kept_editions(evidence.documents):
        tuned = rows[(rows["kind"] == "finding") & (rows["question"] == TUNED_QUESTION)].assign(question="pooled")
        twice = compare_conclusions(pooled, tuned)
        found = pd.concat(
            [compare_conclusions(own, rows), twice[twice["outcome"].isin(SHARED_OUTCOMES)]], ignore_index=True
        )
        outcomes = found["outcome"].value_counts()
        numbers = {outcome: int(outcomes.get(outcome, 0)) for outcome in SHARED_OUTCOMES}
        is_open = (found["outcome"] == AGREES) & found["word_a"].isin(OPEN_WORDS)
        recommends = bool((rows["kind"] == "headline").any())
        counts.append(
            {"edition": name, "about": about, "recommends": recommends, **numbers, "open": int(is_open.sum())}
        )
        parts.append(found[found["outcome"].isin([COMPATIBLE, CONTRADICTS])].assign(edition=name))
    if not counts:
        return None
    tables = {NAME: pd.DataFrame(counts), "edition_differences": pd.concat(parts, ignore_index=True)}
    return Section(PAGE, tables, protocol={"quantities": QUANTITIES})
