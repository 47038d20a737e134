"""The sections' tables -> one row an activation, and by a stated rule which one to use."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from study.constants import CONFIDENCE

RULE = (
    "The rule: an activation is better or worse than the reference where their test accuracies differ at p < 0.05 in "
    "the paired sign-flip test, Holm-adjusted over the activations compared (each further one asks more of all); the "
    "tuned comparison decides, or that of the article's network where it was not run. If any is better, those are "
    "recommended, the one with the cheapest training step first; if none is, the reference: a change needs a reason. "
    "Depth is mentioned where it separates: where the seeds' range of the deepest network that trains lies wholly "
    "apart from that of the activation recommended. So is noise, by the same test as accuracy."
)


@dataclass(frozen=True)
class Source:
    """Where columns of the decision table come from: new name -> column of `table`, in the rows that match `where`."""

    table: str
    where: Mapping[str, object]
    columns: Mapping[str, str]


@dataclass(frozen=True)
class Finding:
    """What one family of paired tests supports; accuracies in [0, 1].

    `undecided` differ from the reference neither way: by their intervals they are at most `most_better` better and at
    most `most_worse` worse; `detectable` is the largest of the differences that their tests see with probability 0.8.
    """

    reference: str
    n: int
    better: tuple[str, ...]
    worse: tuple[str, ...]
    undecided: tuple[str, ...]
    most_better: float
    most_worse: float
    equivalent: tuple[str, ...]
    margin: float
    detectable: float
    can_reject: bool  # whether n is enough for any p to pass


def decision_table(names: Sequence[str], tables: Mapping[str, pd.DataFrame], sources: Iterable[Source]) -> pd.DataFrame:
    """One row an activation in the order of `names`; NaN where a table, a column or a row is not there."""
    found = pd.DataFrame({"activation": list(names)})
    for source in sources:
        rows = _matching(tables.get(source.table), source.where)
        for name, column in source.columns.items():
            values = rows[column] if column in rows else pd.Series(dtype=float)
            found[name] = found["activation"].map(values)
    return found


def _matching(table: pd.DataFrame | None, where: Mapping[str, object]) -> pd.DataFrame:
    """The rows in which every column of `where` has its value, by activation, one each."""
    if table is None or not {"activation", *where} <= set(table.columns):
        return pd.DataFrame()
    rows = table
    for column, value in where.items():
        rows = rows[rows[column] == value]
    return rows.drop_duplicates("activation").set_index("activation")


def finding(comparisons: pd.DataFrame, experiment: str) -> Finding | None:
    """What the rows of `experiment` in the table `comparisons` support; None if there are none with a p-value."""
    rows = comparisons[comparisons["experiment"] == experiment] if "experiment" in comparisons else comparisons[:0]
    if rows.empty or rows["p_holm"].isna().all():
        return None
    is_different = rows["p_holm"] < 1 - CONFIDENCE
    groups = {
        "better": is_different & (rows["difference"] > 0),
        "worse": is_different & (rows["difference"] < 0),
        "undecided": ~is_different,
        "equivalent": rows["equivalent"].astype(bool),
    }
    names = {group: tuple(rows.loc[chosen, "activation"]) for group, chosen in groups.items()}
    return Finding(
        reference=str(rows["reference"].iloc[0]),
        n=int(rows["n"].min()),
        most_better=max(float(rows.loc[~is_different, "ci_high"].max()), 0.0),
        most_worse=max(-float(rows.loc[~is_different, "ci_low"].min()), 0.0),
        margin=float(rows["margin"].iloc[0]),
        detectable=float(rows.loc[~is_different, "detectable_difference"].max()),
        can_reject=bool(rows["smallest_p"].min() * len(rows) <= 1 - CONFIDENCE),
        **names,
    )


def recommended(found: Finding, cost: Mapping[str, float]) -> tuple[str, ...]:
    """The rule: those better than the reference, cheapest first, unknown cost last; else the reference."""
    dear = math.inf
    return tuple(sorted(found.better, key=lambda name: _known(cost.get(name), dear))) or (found.reference,)


def _known(value: float | None, otherwise: float) -> float:
    return otherwise if value is None or math.isnan(value) else value


def apart(table: pd.DataFrame, chosen: str, column: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Who lies wholly below and who wholly above `chosen` in `column`, by its bounds `column`_low and `column`_high."""
    bounds = table.set_index("activation")[[f"{column}_low", f"{column}_high"]]
    low, high = bounds.loc[chosen]
    below, above = bounds[f"{column}_high"] < low, bounds[f"{column}_low"] > high
    return tuple(bounds.index[below]), tuple(bounds.index[above])
