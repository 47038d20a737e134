"""Learning rates: one grid of half decades for all activations, the choice on validation, and the room it leaves.

Frames in, frames out. A rate counts for an activation only if every tuning seed finished there: an optimum beside which
runs diverge is not one to recommend.
"""

import math

import pandas as pd

from study.constants import HALF_DECADES, MOST_EXTENSIONS, TOLERANCE, TUNING_SEEDS
from study.statistics import summarise

ROUNDING = 1e-9  # means of the same accuracies in another order differ by less


def rate(half_decades: int) -> float:
    """10^(k/2), the same 64 bits on every machine: square roots are rounded correctly, powers need not be."""
    return math.sqrt(float(f"1e{half_decades}"))


def half_decades(learning_rate: float) -> int:
    """The k of a rate of the grid."""
    return round(2 * math.log10(learning_rate))


def by_rate(runs: pd.DataFrame) -> pd.DataFrame:
    """One row an activation and rate, rates ascending: n, diverged, best validation accuracy in [0, 1] with t interval.

    `runs`: activation, learning_rate, seed, status, best_validation_accuracy (NaN unless the run is done); the tuning
    runs alone. `is_eligible`: all TUNING_SEEDS finished. `is_chosen`: the highest mean of those; of equals the lowest.
    `is_tolerated`: eligible, within TOLERANCE of the best, and joined to it by rates that are too.
    """
    keys = ["activation", "learning_rate"]
    table = summarise(runs, "best_validation_accuracy", keys).drop(columns=["std", "min", "max", "missing"])
    table = table.rename(columns={"mean": "validation_accuracy_mean"})
    diverged = runs.assign(diverged=runs["status"] == "diverged").groupby(keys, sort=False)["diverged"].sum()
    table.insert(3, "diverged", diverged.to_numpy())
    table = table.assign(is_eligible=table["n"] >= TUNING_SEEDS, is_chosen=False, is_tolerated=False)
    parts = [_choose(part.sort_values("learning_rate")) for _, part in table.groupby("activation", sort=False)]
    return pd.concat(parts, ignore_index=True)


def _choose(part: pd.DataFrame) -> pd.DataFrame:
    """One activation's rates, ascending, with `is_chosen` and `is_tolerated` found."""
    means = part["validation_accuracy_mean"].where(part["is_eligible"]).to_numpy(float)
    if math.isnan(best := pd.Series(means).max()):
        return part
    place = next(i for i, mean in enumerate(means) if mean >= best - ROUNDING)
    is_good = [mean >= best - TOLERANCE - ROUNDING for mean in means]  # False for NaN
    low = high = place
    while low > 0 and is_good[low - 1]:
        low -= 1
    while high < len(means) - 1 and is_good[high + 1]:
        high += 1
    places = range(len(means))
    return part.assign(is_chosen=[i == place for i in places], is_tolerated=[low <= i <= high for i in places])


def chosen(table: pd.DataFrame) -> dict[str, float]:
    """Per activation its chosen rate; those without an eligible rate are left out."""
    rows = table[table["is_chosen"]]
    return dict(zip(rows["activation"], rows["learning_rate"], strict=True))


def extension(table: pd.DataFrame) -> list[int]:
    """The half decades to add for every activation: beyond an edge that holds an optimum, unless it moved far enough.

    An activation all of whose rates failed has its optimum below the grid, for it diverges where rates are too large.
    """
    found = chosen(table)
    known = [half_decades(value) for value in table["learning_rate"].unique()]
    low, high = min(known), max(known)
    optima = {half_decades(found[name]) if name in found else low for name in table["activation"].unique()}
    lower = [low - 1] if low in optima and HALF_DECADES[0] - low < MOST_EXTENSIONS else []
    higher = [high + 1] if high in optima and high - HALF_DECADES[-1] < MOST_EXTENSIONS else []
    return [*lower, *higher]


def tolerance(table: pd.DataFrame) -> pd.DataFrame:
    """One row an activation: the chosen rate, the range of rates as good, its width in decades.

    `is_open_low` and `is_open_high`: the range ends where the grid does, so it may be wider; `is_edge`: the chosen rate
    itself is at an end of the grid. Without an eligible rate, numbers are NaN.
    """
    ends = table["learning_rate"].min(), table["learning_rate"].max()
    rows = []
    for name, part in table.groupby("activation", sort=False):
        at, good = (part.loc[part[flag], "learning_rate"] for flag in ("is_chosen", "is_tolerated"))
        low, high = good.min(), good.max()
        rows.append(
            {
                "activation": name,
                "learning_rate": at.max(),
                "tolerance_low": low,
                "tolerance_high": high,
                "tolerance_decades": (half_decades(high) - half_decades(low)) / 2 if len(good) else math.nan,
                "is_open_low": low == ends[0],
                "is_open_high": high == ends[1],
                "is_edge": at.max() in ends,
            }
        )
    return pd.DataFrame(rows)
