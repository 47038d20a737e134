"""Turn what was timed and trained into what an activation costs: medians with quartiles, ratios with intervals."""

import math

import numpy as np
import pandas as pd

from study.analysis.statistics import NOTHING, Interval, log_mean_interval, summarise
from study.constants import CHANCE_ACCURACY

COPY = "copy"  # the name under which a copy, which computes nothing, is timed beside the activations
NANO, MILLI = 1e9, 1e3  # in a second
LEVEL_TO_REACH = 0.95  # validation accuracy until which training is timed


def spread(timings: pd.DataFrame) -> pd.DataFrame:
    """Make one row per activation, quantity and size: n (repeats), median, quartiles, min and max, in seconds.

    `timings`: activation, quantity, elements (NaN for a step), repeat, seconds.
    """
    keys = ["quantity", "elements", "activation"]
    groups = timings.groupby(keys, sort=False, dropna=False)["seconds"]
    table = groups.agg(n="count", median="median", min="min", max="max")
    quartiles = {name: groups.quantile(share) for name, share in (("q1", 0.25), ("q3", 0.75))}
    return table.assign(**quartiles)[["n", "median", "q1", "q3", "min", "max"]].reset_index()


def sizes(timings: pd.DataFrame) -> tuple[float, float]:
    """Return the numbers of elements of the small and the large tensor; both are equal if there was one size."""
    found = timings["elements"].dropna()
    return float(found.min()), float(found.max())


def ratio(timings: pd.DataFrame, a: str, b: str) -> Interval:
    """Divide the time of `a` by the time of `b` in each repeat: geometric mean, t interval of the logarithms.

    `timings` are of one quantity and size.
    """
    wide = timings.set_index(["repeat", "activation"])["seconds"].unstack()  # noqa: PD010 - one value a cell
    if not {a, b} <= set(wide.columns):
        return NOTHING
    return log_mean_interval((wide[a] / wide[b]).dropna())[0]


def cheapest(table: pd.DataFrame) -> str:
    """Return the activation with the lowest median among the rows `table` of `spread`."""
    return str(table.loc[table["median"].idxmin(), "activation"])


def wide(timings: pd.DataFrame, memory: pd.DataFrame, names: list[str], reference: str) -> pd.DataFrame:
    """Return one row per activation of `names`, with the unit of each column in its name.

    `memory`: activation, output_bytes, other_bytes. `<kind>_ratio` is the time over the time of `reference`.
    """
    small, large = sizes(timings)
    places = {"forward": small, "forward_backward": small, "step": math.nan}
    table = pd.DataFrame({"activation": names, "ratio_to": reference})
    for prefix, elements in {**places, "large_forward": large, "large_forward_backward": large}.items():
        kind = prefix.removeprefix("large_")
        part = _of(timings, kind, elements)
        found = spread(part).set_index("activation").reindex(names)
        unit, factor = ("ms", MILLI) if kind == "step" else ("ns", NANO)
        for ending, column in {"": "median", "_q1": "q1", "_q3": "q3"}.items():
            table[f"{prefix}_{unit}{ending}"] = factor * found[column].to_numpy()
        ratios = [ratio(part, name, reference) if name != reference else NOTHING for name in names]
        for ending, field in {"ratio": "estimate", "low": "low", "high": "high"}.items():
            table[f"{prefix}_{ending}"] = [getattr(found, field) for found in ratios]
    table["repeats"] = timings["repeat"].nunique()
    return table.merge(memory, on="activation", how="left")


def _of(timings: pd.DataFrame, kind: str, elements: float) -> pd.DataFrame:
    is_size = timings["elements"].isna() if math.isnan(elements) else timings["elements"] == elements
    return timings[(timings["quantity"] == kind) & is_size]


def small_forward_backward(timings: pd.DataFrame) -> pd.DataFrame:
    """Select the timings of both passes on the small tensor, by which activations are called cheap."""
    return _of(timings, "forward_backward", sizes(timings)[0])


def training(runs: pd.DataFrame, history: pd.DataFrame, cost: pd.DataFrame, updates: int) -> pd.DataFrame:
    """Find each run's seconds to LEVEL_TO_REACH (NaN if never reached), total seconds, and points per second.

    `runs` and `history` are of the network whose step was timed; an epoch has so many `updates`. Seconds are updates
    times the activation's median step, so all of them are of one machine, alone. Points are percentage points of test
    accuracy above guessing.
    """
    keys = ["activation", "seed"]
    epoch = updates / MILLI * runs["activation"].map(cost.set_index("activation")["step_ms"])
    reached = history[history["validation_accuracy"] >= LEVEL_TO_REACH].groupby(keys)["epoch"].min().rename("first")
    found = runs[keys].join(reached, on=keys)
    seconds = epoch * runs["epochs"]
    return found.assign(
        seconds_to_level=epoch * found["first"],
        training_seconds=seconds,
        points_per_second=100 * (runs["test_accuracy"] - CHANCE_ACCURACY) / seconds.where(seconds > 0),
    ).drop(columns="first")


def training_summary(each: pd.DataFrame) -> pd.DataFrame:
    """Count for each activation the runs and how many reached the level; add means over seeds with t intervals."""
    table = each.groupby("activation", sort=False).agg(runs=("seed", "size"), reached=("seconds_to_level", "count"))
    for column in ("seconds_to_level", "training_seconds", "points_per_second"):
        found = summarise(each, column, "activation").set_index("activation")
        table[column] = found["mean"]
        table[[f"{column}_low", f"{column}_high"]] = found[["ci_low", "ci_high"]]
    return table.replace([np.inf, -np.inf], np.nan).reset_index()
