"""Choose learning rates: one grid for all activations, the choice on validation, and how far it may be off.

Rates are half decades apart. The choice is made in two rounds of one budget for every activation, as in sequential
halving (Karnin, Koren & Somekh 2013). A few seeds at all rates leave FINALISTS, and more seeds choose between these. A
rate counts for an activation only if every seed finished there. An optimum beside which runs diverge cannot be
recommended.
"""

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd

from study.analysis.statistics import mean_interval, summarise
from study.constants import REFERENCE_ACTIVATION, TOLERANCE

HALF_DECADES = (-8, -7, -6, -5, -4, -3, -2)  # k of the rates 10^(k/2): 1e-4 to 1e-1; the grid grows by one k
MOST_EXTENSIONS = 4  # rates added at either end, for every activation, before the edge is reported as it is
TUNING_SEEDS = 3  # of every rate; too few to choose: another rounding of the same runs chose the other of two
FINALISTS = 2  # rates of every activation that these leave, to be chosen from; the report speaks of "the other one"
FINALIST_SEEDS = 15  # of each finalist, the first TUNING_SEEDS among them
DIGITS = 9  # after the point; means of the same accuracies in another order differ by less
METRIC = "best_validation_accuracy"


def rate(half_decades: int) -> float:
    """Return 10^(k/2) for k = `half_decades`, equal in every bit on every machine.

    It uses square roots, which are rounded correctly; powers need not be.
    """
    return math.sqrt(float(f"1e{half_decades}"))


def half_decades(learning_rate: float) -> int:
    """Return k for a rate 10^(k/2) of the grid."""
    return round(2 * math.log10(learning_rate))


def by_rate(runs: pd.DataFrame, is_over: bool = False) -> pd.DataFrame:
    """Make one row per activation and rate, rates ascending: its accuracy, and whether it is a finalist or chosen.

    `runs`, the tuning runs alone: activation, learning_rate, seed, status, best_validation_accuracy (NaN unless the run
    is done). Further columns are n, diverged, and the mean accuracy in [0, 1] with its t interval.

    - `is_eligible`: all seeds finished, TUNING_SEEDS or, once the rate had more, FINALIST_SEEDS;
    - `is_finalist`: eligible, and among the FINALISTS highest means of the first TUNING_SEEDS. If the tuning `is_over`,
      only rates with all FINALIST_SEEDS compete;
    - `is_chosen`: the finalist with the highest mean over all seeds; of equal ones the lowest rate;
    - `is_tolerated`: eligible, at most TOLERANCE below the chosen rate on the seeds they share, and no rate between
      the two fails this.
    """
    keys = ["activation", "learning_rate"]
    table = summarise(runs, METRIC, keys).drop(columns=["std", "min", "max", "missing"])
    table = table.rename(columns={"mean": "validation_accuracy_mean"})
    diverged = runs.assign(diverged=runs["status"] == "diverged").groupby(keys, sort=False)["diverged"].sum()
    table.insert(3, "diverged", diverged.to_numpy())
    had_more = runs.groupby(keys, sort=False)["seed"].max().to_numpy() >= TUNING_SEEDS
    asked = np.where(had_more, FINALIST_SEEDS, TUNING_SEEDS)
    table = table.assign(is_eligible=table["n"] >= asked, is_finalist=False, is_chosen=False, is_tolerated=False)
    parts = [
        _choose(part.sort_values("learning_rate"), _by_seed(runs, name), FINALIST_SEEDS if is_over else TUNING_SEEDS)
        for name, part in table.groupby("activation", sort=False)
    ]
    return pd.concat(parts, ignore_index=True)


def _by_seed(runs: pd.DataFrame, activation: Any) -> pd.DataFrame:
    """Arrange an activation's best validation accuracies: a row per seed and a column per rate, both ascending."""
    return runs[runs["activation"] == activation].pivot_table(index="seed", columns="learning_rate", values=METRIC)


def _choose(part: pd.DataFrame, accuracy: pd.DataFrame, least: int) -> pd.DataFrame:
    """Mark the finalists, the chosen rate and the tolerated rates of one activation, in the rows `part`.

    `part` has rates ascending. `accuracy` has a row per seed and a column per rate. A finalist has at least `least`
    seeds.
    """
    rates = part["learning_rate"]
    accuracy = accuracy[rates[part["is_eligible"]]]
    candidates = rates[part["is_eligible"] & (part["n"] >= least)]
    if candidates.empty:
        return part
    first = accuracy.loc[accuracy.index < TUNING_SEEDS, candidates].mean().round(DIGITS)
    finalists = first.sort_values(ascending=False, kind="stable").index[:FINALISTS].sort_values()
    best = accuracy[finalists].dropna().mean().round(DIGITS).idxmax()
    behind = accuracy.rsub(accuracy[best], axis=0).mean().round(DIGITS).reindex(rates)
    is_good = (behind <= TOLERANCE).to_numpy()  # False for NaN
    place = low = high = rates.tolist().index(best)
    while low > 0 and is_good[low - 1]:
        low -= 1
    while high < len(rates) - 1 and is_good[high + 1]:
        high += 1
    places = np.arange(len(rates))
    return part.assign(
        is_finalist=rates.isin(finalists),
        is_chosen=places == place,
        is_tolerated=(low <= places) & (places <= high),
    )


def chosen(table: pd.DataFrame) -> dict[str, float]:
    """Return the chosen rate of each activation; activations without an eligible rate are left out."""
    rows = table[table["is_chosen"]]
    return dict(zip(rows["activation"], rows["learning_rate"], strict=True))


def undecided(table: pd.DataFrame) -> list[tuple[str, float]]:
    """List the finalists (activation and rate) that lack some of FINALIST_SEEDS."""
    rows = table[table["is_finalist"] & (table["n"] < FINALIST_SEEDS)]
    return list(zip(rows["activation"], rows["learning_rate"], strict=True))


def leads(runs: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Find by activation the other finalist, `runner_up`, and the chosen rate's `lead` over it on the seeds they share.

    `lead` is a difference of best validation accuracies in [0, 1], with its t interval over `lead_n` seeds. An
    activation with one finalist has no row.
    """
    rows = {}
    for name, part in table[table["is_finalist"]].groupby("activation", sort=False):
        best, *others = part.sort_values("is_chosen", ascending=False)["learning_rate"]
        if others:
            a, b = _by_seed(runs, name)[[best, others[0]]].dropna().to_numpy(float).T
            lead = mean_interval(a - b)
            rows[name] = (others[0], lead.estimate, lead.low, lead.high, lead.n)
    columns = ["runner_up", "lead", "lead_ci_low", "lead_ci_high", "lead_n"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def from_reference(runs: pd.DataFrame, table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Compare each activation with the reference over all `pairings` of its finalists with the reference's finalists.

    `runs`, on fresh seeds: activation, learning_rate, seed, `metric` (NaN unless the run is done). Each pairing has a
    95% t interval of the paired difference in `metric`. `any_finalist_low` and `any_finalist_high` are the outermost
    ends of these; `pairings_better` and `pairings_worse` count the intervals wholly above and below 0. All four are NaN
    if any pairing has fewer than two seeds.
    """
    finalists = table[table["is_finalist"]].groupby("activation", sort=False)["learning_rate"].apply(list)
    rows = {}

    def arm(activation: Any, rate: float) -> "pd.Series[float]":
        is_of_arm = (runs["activation"] == activation) & (runs["learning_rate"] == rate)
        return runs[is_of_arm].set_index("seed")[metric]

    for name in finalists.index.drop(REFERENCE_ACTIVATION, errors="ignore"):
        pairs = itertools.product(finalists[name], finalists.get(REFERENCE_ACTIVATION, []))
        differences = (arm(name, a) - arm(REFERENCE_ACTIVATION, b) for a, b in pairs)
        if found := [mean_interval(difference.dropna()) for difference in differences]:
            low, high = np.array([(interval.low, interval.high) for interval in found]).T
            is_known = bool(np.isfinite(high - low).all())
            counts = ((low > 0).sum(), (high < 0).sum()) if is_known else (math.nan, math.nan)
            rows[name] = (low.min(), high.max(), *counts, len(found))
    columns = ["any_finalist_low", "any_finalist_high", "pairings_better", "pairings_worse", "pairings"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def extension(table: pd.DataFrame) -> list[int]:
    """Return the half decades to add for every activation: one beyond each edge of the grid that holds an optimum.

    Neither edge moves by more than MOST_EXTENSIONS. If all rates of an activation failed, its optimum is taken to lie
    below the grid, because runs diverge where rates are too large.
    """
    found = chosen(table)
    known = [half_decades(value) for value in table["learning_rate"].unique()]
    low, high = min(known), max(known)
    optima = {half_decades(found[name]) if name in found else low for name in table["activation"].unique()}
    lower = [low - 1] if low in optima and HALF_DECADES[0] - low < MOST_EXTENSIONS else []
    higher = [high + 1] if high in optima and high - HALF_DECADES[-1] < MOST_EXTENSIONS else []
    return [*lower, *higher]


def tolerance(table: pd.DataFrame) -> pd.DataFrame:
    """Make one row per activation: the chosen rate, the range of rates within TOLERANCE of it, the width in decades.

    `is_open_low` and `is_open_high`: the range ends where the grid does, so it may be wider. `is_edge`: the chosen rate
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
