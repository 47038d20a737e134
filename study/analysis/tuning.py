"""Choose each activation's learning rate on validation images.

The study's learning_rate experiment runs this in two stages. In the grid, every activation trains a few epochs at the
same rates. Then its best rate and the next lower one train to the end on every seed, because a longer training favours
lower rates. The validation images of each seed choose between the two. So no single choice decides for all seeds.
"""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from study.analysis.comparisons import by_seed
from study.analysis.statistics import mean_interval, summarise
from study.constants import TOLERANCE

HALF_DECADES = (-8, -7, -6, -5, -4, -3, -2)  # k of the rates 10^(k/2): 1e-4 to 1e-1; the grid grows by one k
MOST_EXTENSIONS = 4  # rates added at either end, for every activation, before the edge is reported as it is
GRID_SEEDS = 3  # of every rate of the grid
DIGITS = 9  # after the point; means of the same accuracies in another order differ by less
METRIC = "best_validation_accuracy"
KEYS = ["activation", "learning_rate"]


def rate(half_decades: int) -> float:
    """Return 10^(k/2) for k = `half_decades`, equal in every bit on every machine.

    It uses square roots, which are rounded correctly; powers need not be.
    """
    return math.sqrt(float(f"1e{half_decades}"))


def half_decades(learning_rate: float) -> int:
    """Return k for a rate 10^(k/2) of the grid."""
    return round(2 * math.log10(learning_rate))


def by_rate(runs: pd.DataFrame, asked: int) -> pd.DataFrame:
    """Make one row per activation and rate, rates ascending, with the mean accuracy and its t interval.

    `runs`: activation, learning_rate, seed, status, best_validation_accuracy in [0, 1] (NaN unless the run is done).
    Further columns are n and diverged. A rate `is_eligible` if all of the `asked` seeds finished. The eligible rate
    with the highest mean `is_best`; of equal ones the lowest. A rate `is_tolerated` if its mean is at most TOLERANCE
    below the best, and so is the mean of every rate between the two.
    """
    table = summarise(runs, METRIC, KEYS, is_share=True).drop(columns=["std", "min", "max", "missing"])
    table = table.rename(columns={"mean": "validation_accuracy_mean"})
    diverged = runs.assign(diverged=runs["status"] == "diverged").groupby(KEYS, sort=False)["diverged"].sum()
    table.insert(3, "diverged", diverged.to_numpy())
    table["is_eligible"] = table["n"] >= asked
    groups = table.groupby("activation", sort=False)
    return pd.concat([_marked(part.sort_values("learning_rate")) for _, part in groups], ignore_index=True)


def _marked(part: pd.DataFrame) -> pd.DataFrame:
    """Mark the best and the tolerated rates in the rows of one activation, whose rates ascend."""
    means = part["validation_accuracy_mean"].where(part["is_eligible"]).round(DIGITS).to_numpy(float)
    places = np.arange(len(means))
    if np.isnan(means).all():
        return part.assign(is_best=False, is_tolerated=False)
    best = int(np.nanargmax(means))
    is_bad = ~(means >= means[best] - TOLERANCE)  # NaN is bad
    low = max(places[is_bad & (places < best)], default=-1)
    high = min(places[is_bad & (places > best)], default=len(means))
    return part.assign(is_best=places == best, is_tolerated=(low < places) & (places < high))


def best(table: pd.DataFrame) -> dict[str, float]:
    """Return the best rate of each activation; activations without an eligible rate are left out."""
    rows = table[table["is_best"]]
    return dict(zip(rows["activation"], rows["learning_rate"], strict=True))


def extension(table: pd.DataFrame) -> list[int]:
    """Return the half decades to add for every activation: one beyond each edge of the grid that holds an optimum.

    Neither edge moves by more than MOST_EXTENSIONS. If all rates of an activation failed, its optimum is taken to lie
    below the grid, because runs diverge where rates are too large.
    """
    found = best(table)
    low, high = half_decades(table["learning_rate"].min()), half_decades(table["learning_rate"].max())
    optima = {half_decades(found[name]) if name in found else low for name in table["activation"].unique()}
    lower = [low - 1] if low in optima and HALF_DECADES[0] - low < MOST_EXTENSIONS else []
    higher = [high + 1] if high in optima and high - HALF_DECADES[-1] < MOST_EXTENSIONS else []
    return [*lower, *higher]


def candidates(grid: pd.DataFrame) -> list[tuple[str, float]]:
    """Return each activation with its two rates to train to the end: its best of the `grid`, and the next lower one."""
    return [(name, rate(half_decades(top) - below)) for name, top in best(grid).items() for below in (0, 1)]


def chosen_by_seed(runs: pd.DataFrame) -> pd.DataFrame:
    """Keep of each activation and seed the run that its own validation images prefer; of equal ones the lower rate.

    `runs`: activation, seed, learning_rate, best_validation_accuracy (NaN unless the run is done, and then it is kept
    only if no other is done).
    """
    ranked = runs.assign(rank=runs[METRIC].fillna(-1.0).round(DIGITS)).sort_values(
        ["rank", "learning_rate"], ascending=[False, True], kind="stable"
    )
    kept = ranked.drop_duplicates(["activation", "seed"]).index
    return runs.loc[runs.index.isin(kept)]


def usual_rates(chosen: pd.DataFrame) -> "pd.Series[float]":
    """Return by activation the rate that most seeds chose; of equal ones the lower. `chosen`: as `chosen_by_seed`."""
    return chosen.groupby("activation")["learning_rate"].agg(lambda rates: rates.mode().min()).astype(float)


def tolerance(grid: pd.DataFrame) -> pd.DataFrame:
    """Make one row per activation: the best rate of the `grid`, the range within TOLERANCE of it, its width in decades.

    `is_open_low` and `is_open_high`: the range ends where the grid does, so it may be wider. `is_edge`: the best rate
    itself is at an end of the grid. Without an eligible rate, numbers are NaN.
    """
    ends = grid["learning_rate"].min(), grid["learning_rate"].max()
    good = grid[grid["is_tolerated"]].groupby("activation")["learning_rate"]
    at = grid[grid["is_best"]].set_index("activation")["learning_rate"]
    names = pd.Series(grid["activation"].unique())
    low, high = names.map(good.min()), names.map(good.max())
    columns = {
        "activation": names,
        "tolerance_low": low,
        "tolerance_high": high,
        "tolerance_decades": (2 * np.log10(high / low)).round() / 2,
        "is_open_low": low == ends[0],
        "is_open_high": high == ends[1],
        "is_edge": names.map(at).isin(ends),
    }
    return pd.DataFrame(columns)


def gains(grid: pd.DataFrame, arms: Mapping[str, pd.DataFrame], metric: str) -> pd.DataFrame:
    """Make one row per activation of the `grid`: its rate, the accuracy `metric` in both arms, and what tuning gained.

    `arms` maps "tuned", the runs that `chosen_by_seed` kept, and "untuned", the runs at a rate common to all. The
    columns of `tolerance` are followed, for each arm, by n, accuracy_mean, ci_low, ci_high, diverged and rank.
    `learning_rate` is the usual rate. `gain` is the paired difference over the seeds that finished in both arms, with
    its 95% t interval.
    """
    table = tolerance(grid).set_index("activation")
    table.insert(0, "learning_rate", usual_rates(arms["tuned"]).reindex(table.index))
    for arm, runs in arms.items():
        found = summarise(runs, metric, "activation", is_share=True).set_index("activation").reindex(table.index)
        for column, source in (("n", "n"), ("accuracy_mean", "mean"), ("ci_low", "ci_low"), ("ci_high", "ci_high")):
            table[f"{arm}_{column}"] = found[source]
        lost = runs.loc[runs["status"] == "diverged", "activation"].value_counts()
        table[f"{arm}_diverged"] = lost.reindex(table.index, fill_value=0)
        table[f"{arm}_rank"] = found["mean"].rank(ascending=False, method="min")
    tuned, untuned = (by_seed(arms[arm], metric).reindex(columns=table.index) for arm in ("tuned", "untuned"))
    gained = [mean_interval((tuned[name] - untuned[name]).dropna()).columns() for name in table.index]
    named = {"estimate": "gain", "ci_low": "gain_ci_low", "ci_high": "gain_ci_high", "n": "gain_n"}
    return table.join(pd.DataFrame(gained, table.index).rename(columns=named)).reset_index()
