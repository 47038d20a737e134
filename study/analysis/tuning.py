"""Choose each activation's learning rate on validation images.

The study's learning_rate experiment does this in two stages. In the first stage, the grid, every activation trains for
a few epochs at the same rates. In the second, its best rate and the next lower one train to the end on every seed,
because a longer training favours lower rates. The validation images of each seed then choose between the rates. So no
single choice decides for all seeds. Up to MOST_RATES, rates are added until the usual rate, which the first seeds
choose most often, has a neighbour on both sides.
"""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from study.analysis.comparisons import table_by_seed
from study.analysis.statistics import mean_interval, summarise
from study.constants import FIRST_SEEDS, TOLERANCE

HALF_DECADES = tuple(range(-8, -1))  # k of the first rates 10^(k/2), 1e-4 to 1e-1; `added_half_decades` adds others
MOST_EXTENSIONS = 4  # rates added at either end; if the best rate is still at the end, `is_edge` says so
MOST_RATES = 5  # at which an activation trains to the end
GRID_SEEDS = 3  # that train at every rate of the grid
DIGITS = 9  # decimals of compared means; a sum in another order changes later ones alone
USUAL_SHARE = 0.25  # of the seeds; a rate that so many chose is named in the headline
METRIC = "best_validation_accuracy"
KEYS = ["activation", "learning_rate"]


def learning_rate_of(half_decade: int) -> float:
    """Return 10^(k/2) for k = `half_decade`, by a square root, which every machine rounds alike, unlike a power."""
    return math.sqrt(float(f"1e{half_decade}"))


def half_decade_of(learning_rate: float) -> int:
    """Return the whole number k for which 10^(k/2) is nearest to `learning_rate` on a log scale."""
    return round(2 * math.log10(learning_rate))


def rate_table(runs: pd.DataFrame, asked: int) -> pd.DataFrame:
    """Return one row per activation and learning rate, ascending: the mean validation accuracy, and three marks.

    `runs` has one row per run: activation, learning_rate, seed, status, and best_validation_accuracy in [0, 1] (NaN
    unless the run is done). `n` counts the finished runs. A rate `is_eligible` if all `asked` seeds finished. The
    eligible rate with the highest mean `is_best`; of equal means, the lowest rate. An eligible rate `is_tolerated` if
    its mean is at most TOLERANCE below the best mean, as are the means of all rates between.
    """
    table = summarise(runs, METRIC, KEYS, is_share=True).drop(columns=["std", "min", "max", "missing"])
    table = table.rename(columns={"mean": "validation_accuracy_mean"})
    diverged = runs.assign(diverged=runs["status"] == "diverged").groupby(KEYS, sort=False)["diverged"].sum()
    table.insert(3, "diverged", diverged.to_numpy())
    table["is_eligible"] = table["n"] >= asked
    groups = table.groupby("activation", sort=False)
    return pd.concat([_with_marks(part.sort_values("learning_rate")) for _, part in groups], ignore_index=True)


def _with_marks(part: pd.DataFrame) -> pd.DataFrame:
    """Return `part`, the rows of one activation with ascending rates, with the columns is_best and is_tolerated."""
    means = part["validation_accuracy_mean"].where(part["is_eligible"]).round(DIGITS).to_numpy(float)
    places = np.arange(len(means))
    if np.isnan(means).all():
        return part.assign(is_best=False, is_tolerated=False)
    best = int(np.nanargmax(means))
    is_bad = ~(means >= means[best] - TOLERANCE)  # NaN is bad
    low = max(places[is_bad & (places < best)], default=-1)
    high = min(places[is_bad & (places > best)], default=len(means))
    return part.assign(is_best=places == best, is_tolerated=(low < places) & (places < high))


def best_rates(table: pd.DataFrame) -> dict[str, float]:
    """Return {activation: the learning rate marked best} in `table`, a `rate_table`; some activations may have none."""
    found: dict[str, float] = table[table["is_best"]].set_index("activation")["learning_rate"].to_dict()
    return found


def added_half_decades(table: pd.DataFrame) -> list[int]:
    """Return the k of the rates 10^(k/2) to add to the grid, for every activation: none, one or two numbers.

    `table` is the result of `rate_table`. A rate is added beyond each end of the grid that is an activation's best
    rate, up to MOST_EXTENSIONS at that end in all. If an activation has no eligible rate, the lowest rate counts as its
    best, because runs diverge where rates are too large.
    """
    found = best_rates(table)
    low, high = half_decade_of(table["learning_rate"].min()), half_decade_of(table["learning_rate"].max())
    optima = {half_decade_of(found[name]) if name in found else low for name in table["activation"].unique()}
    lower = [low - 1] if low in optima and HALF_DECADES[0] - low < MOST_EXTENSIONS else []
    higher = [high + 1] if high in optima and high - HALF_DECADES[-1] < MOST_EXTENSIONS else []
    return [*lower, *higher]


def first_full_rates(grid: pd.DataFrame) -> list[tuple[str, float]]:
    """Return the pairs (activation, learning rate) with which the training to the end begins.

    An activation has two pairs: its best rate in `grid`, and the rate half a decade below. An activation without a best
    rate has none. `grid` is the result of `rate_table`.
    """
    best = [(name, half_decade_of(rate)) for name, rate in best_rates(grid).items()]
    return [(name, learning_rate_of(k - below)) for name, k in best for below in (0, 1)]


def added_rates(runs: pd.DataFrame) -> list[tuple[str, float]]:
    """Return pairs of an activation and a learning rate to add to those at which it trains to the end.

    A pair is added for each activation whose usual rate (see `usual_rates`) is the lowest or the highest one tried, if
    fewer than MOST_RATES rates were tried. Its rate is the next one beyond. `runs` has runs to the end, with the
    columns that `chosen_by_seed` needs, and status. Only the FIRST_SEEDS lowest seeds count, so that further seeds
    change nothing.
    """
    first = runs[runs["seed"].isin(np.unique(runs["seed"])[:FIRST_SEEDS])]
    usual = usual_rates(chosen_by_seed(first[first["status"].isin(["done", "diverged"])]))
    found = []
    for name, rates in first.groupby("activation", sort=False)["learning_rate"]:
        ends = {rates.max(): 1, rates.min(): -1}  # {rate: where the next one lies}
        if usual.get(name) in ends and rates.nunique() < MOST_RATES:
            found.append((str(name), learning_rate_of(half_decade_of(usual[name]) + ends[usual[name]])))
    return found


def chosen_by_seed(runs: pd.DataFrame) -> pd.DataFrame:
    """Return those rows of `runs` that have the highest validation accuracy, one for each activation and seed.

    Of equal accuracies, the run at the lower rate is kept. A run that is not done, whose accuracy is NaN, is kept only
    if the activation has no finished run of that seed. Rows keep their index and order.
    """
    ranked = runs.assign(rank=runs[METRIC].fillna(-1.0).round(DIGITS)).sort_values(
        ["rank", "learning_rate"], ascending=[False, True], kind="stable"
    )
    kept = ranked.drop_duplicates(["activation", "seed"]).index
    return runs.loc[runs.index.isin(kept)]


def usual_rates(chosen: pd.DataFrame) -> "pd.Series[float]":
    """Return the learning rate that seeds chose most often, by activation, from the result of `chosen_by_seed`.

    Of equally frequent rates, the highest is returned: it trains in the fewest epochs.
    """
    return chosen.groupby("activation")["learning_rate"].agg(lambda rates: rates.mode().max()).astype(float)


def usual_ranges(chosen: pd.DataFrame) -> pd.DataFrame:
    """Return by activation the lowest and the highest common rate, as the columns usual_low and usual_high.

    A rate is common if at least USUAL_SHARE of the seeds in `chosen`, the result of `chosen_by_seed`, chose it. If no
    rate has this share, the rates that most seeds chose are common. On another processor, rates that are chosen nearly
    equally often may change places, but their range hardly changes.
    """
    shares = chosen.groupby("activation")["learning_rate"].value_counts(normalize=True)
    most = shares.groupby("activation").transform("max").clip(upper=USUAL_SHARE)
    usual = shares[shares >= most].reset_index()
    return usual.groupby("activation")["learning_rate"].agg(usual_low="min", usual_high="max")


def tolerated_ranges(grid: pd.DataFrame) -> pd.DataFrame:
    """Return one row per activation: the range of learning rates whose accuracy is within TOLERANCE of the best.

    `grid` is the result of `rate_table`. `tolerance_decades` is log10 of the highest over the lowest tolerated rate, to
    half a decade. If `is_open_low` or `is_open_high`, the range ends where the grid ends, so it may be wider. If
    `is_edge`, the best rate is at an end of the grid. Without an eligible rate, the numbers are NaN and the three marks
    False.
    """
    ends = grid["learning_rate"].min(), grid["learning_rate"].max()
    good = grid[grid["is_tolerated"]].groupby("activation")["learning_rate"]
    names = pd.Series(grid["activation"].unique())
    low, high = names.map(good.min()), names.map(good.max())
    return pd.DataFrame(
        {
            "activation": names,
            "tolerance_low": low,
            "tolerance_high": high,
            "tolerance_decades": (2 * np.log10(high / low)).round() / 2,
            "is_open_low": low == ends[0],
            "is_open_high": high == ends[1],
            "is_edge": names.map(best_rates(grid)).isin(ends),
        }
    )


def tuning_gains(grid: pd.DataFrame, arms: Mapping[str, pd.DataFrame], metric: str) -> pd.DataFrame:
    """Return one row per activation of `grid`, the result of `rate_table`: what choosing its own learning rate gained.

    `arms` maps "tuned" to the result of `chosen_by_seed`, and "untuned" to the runs at one rate common to all
    activations. `metric` is the column of runs that holds the accuracy. `usual_rates`, `tolerated_ranges` and
    `usual_ranges` explain the first columns. Each arm has columns such as tuned_n, tuned_accuracy_mean and tuned_rank
    (1 is the highest mean). `gain` is the mean of tuned minus untuned over the gain_n seeds that finished in both arms,
    with its 95% t interval.
    """
    table = tolerated_ranges(grid).set_index("activation")
    table.insert(0, "learning_rate", usual_rates(arms["tuned"]).reindex(table.index))
    table = table.join(usual_ranges(arms["tuned"]))
    for arm, runs in arms.items():
        found = summarise(runs, metric, "activation", is_share=True).set_index("activation").reindex(table.index)
        for column, source in (("n", "n"), ("accuracy_mean", "mean"), ("ci_low", "ci_low"), ("ci_high", "ci_high")):
            table[f"{arm}_{column}"] = found[source]
        lost = runs.loc[runs["status"] == "diverged", "activation"].value_counts()
        table[f"{arm}_diverged"] = lost.reindex(table.index, fill_value=0)
        table[f"{arm}_rank"] = found["mean"].rank(ascending=False, method="min")
    tuned, untuned = (table_by_seed(arms[arm], metric).reindex(columns=table.index) for arm in ("tuned", "untuned"))
    gained = [mean_interval((tuned[name] - untuned[name]).dropna()).columns() for name in table.index]
    named = {"estimate": "gain", "ci_low": "gain_ci_low", "ci_high": "gain_ci_high", "n": "gain_n"}
    return table.join(pd.DataFrame(gained, table.index).rename(columns=named)).reset_index()
