"""Join the tables of all sections into one row per activation, and apply the rule that says which one to use."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.constants import CONFIDENCE


@dataclass(frozen=True)
class Source:
    """Say where columns of the decision table come from.

    `columns` maps each new name to a column of `table`, in the rows that match `where`.
    """

    table: str
    where: Mapping[str, object]
    columns: Mapping[str, str]


def decision_table(names: Sequence[str], tables: Mapping[str, pd.DataFrame], sources: Iterable[Source]) -> pd.DataFrame:
    """Make one row per activation, in the order of `names`; NaN where a table or a row is missing.

    Raise ValueError if a table is there without a column that its source names.
    """
    found = pd.DataFrame({"activation": list(names)})
    for source in sources:
        rows = _matching(tables[source.table], source) if source.table in tables else pd.DataFrame()
        for name, column in source.columns.items():
            values = rows.get(column, pd.Series(dtype=float))
            found[name] = found["activation"].map(values)
    return found


def _matching(table: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Return the rows that match the source, one an activation, with the activation as index."""
    wanted = ("activation", *source.where, *source.columns.values())
    if missing := [column for column in wanted if column not in table]:
        raise ValueError(
            f"table {source.table!r} has no column {', '.join(missing)}; it has {', '.join(map(str, table))}. "
            "Give the source the column's new name."
        )
    rows = table
    for column, value in source.where.items():
        rows = rows[rows[column] == value]
    return rows.drop_duplicates("activation").set_index("activation")


def findings(comparisons: pd.DataFrame, families: Iterable[str], deciding: Iterable[str]) -> pd.DataFrame:
    """Sort the activations of each family of tests: "better" or "worse" than the reference, or "undecided".

    `comparisons` is the table of that name; `families` are experiments in it. One row per family and activation, of the
    families that have a p-value. `most_better` and `most_worse` say how far the difference's interval reaches on either
    side of 0; `can_reject` whether n is large enough for any p of the family to pass. `decides` marks the first of the
    families `deciding` that was run, and `is_new` a difference in another family that the deciding one does not find.
    """
    rows = comparisons[comparisons["experiment"].isin(list(families))].reset_index(drop=True)
    by_family = rows.groupby("experiment", sort=False)
    rows = rows[by_family["p_holm"].transform("count") > 0]
    is_different = rows["p_holm"] < 1 - CONFIDENCE
    signs = np.where(rows["difference"] > 0, "better", "worse")
    smallest = by_family["smallest_p"].transform("min") * by_family["activation"].transform("size")
    found = rows[["experiment", "activation", "reference", "n"]].assign(
        finding=np.where(is_different, signs, "undecided"),
        most_better=rows["ci_high"].clip(lower=0),
        most_worse=(-rows["ci_low"]).clip(lower=0),
        can_reject=smallest.loc[rows.index] <= 1 - CONFIDENCE,
        **{column: rows[column] for column in ("equivalent", "margin", "detectable_difference")},
    )
    first = next((name for name in deciding if (found["experiment"] == name).any()), None)
    found["decides"] = found["experiment"] == first
    of_first = found[found["decides"]].set_index("activation")["finding"]
    is_same = found["finding"] == found["activation"].map(of_first)
    return found.assign(is_new=(found["finding"] != "undecided") & ~is_same).reset_index(drop=True)


def recommended(found: pd.DataFrame, cost: Mapping[str, float]) -> list[str]:
    """Order the activations to recommend, by the rows of `findings` that decide; empty if there are none.

    Activations better than the reference are recommended, the lowest `cost` first and an unknown cost last. If none is
    better, the reference is recommended.
    """
    decided = found[found["decides"]]
    better = decided.loc[decided["finding"] == "better", "activation"]
    costs = pd.Series([cost.get(name, np.nan) for name in better], index=better, dtype=float)
    return [str(name) for name in costs.sort_values(kind="stable").index] or decided["reference"].unique().tolist()


def apart(table: pd.DataFrame, chosen: str, column: str) -> "pd.Series[str]":
    """Return "below" or "above" where a row's range lies wholly on that side of the range of `chosen`, else "".

    The range is from `column`_low to `column`_high.
    """
    lows, highs = table[f"{column}_low"], table[f"{column}_high"]
    is_chosen = table["activation"] == chosen
    below, above = highs < lows[is_chosen].item(), lows > highs[is_chosen].item()
    return pd.Series(np.select([below, above], ["below", "above"], ""), index=table.index)
