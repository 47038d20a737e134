"""Summarise what an activation costs: medians of times with quartiles, ratios with intervals, and training time.

`timings` are the rows that study/cost/stopwatch.py measures: activation, quantity ("forward", "forward_backward" or
"step"), elements (of the tensor; NaN for a step), repeat, process (in which the repeat was timed) and seconds (per
element, or per training step).
"""

import math

import numpy as np
import pandas as pd

from study.analysis.statistics import NOTHING, Interval, log_mean_interval, summarise
from study.constants import CHANCE_ACCURACY

COPY = "copy"  # the name under which copying a tensor is timed beside the activations; it computes nothing
NANO, MILLI = 1e9, 1e3  # nanoseconds, and milliseconds, in a second
LEVEL_TO_REACH = 0.95  # validation accuracy until which training is timed


def spread(timings: pd.DataFrame) -> pd.DataFrame:
    """Return one row per quantity, size and activation of `timings`: n, median, q1, q3 (the quartiles), min and max."""
    groups = timings.groupby(["quantity", "elements", "activation"], sort=False, dropna=False)["seconds"]
    table = groups.agg(n="count", median="median", min="min", max="max")
    table = table.assign(q1=groups.quantile(0.25), q3=groups.quantile(0.75))
    return table[["n", "median", "q1", "q3", "min", "max"]].reset_index()


def tensor_sizes(timings: pd.DataFrame) -> tuple[float, float]:
    """Return the elements of the small and of the large tensor in `timings`; both are equal if there was one size."""
    found = timings["elements"].dropna()
    return float(found.min()), float(found.max())


def time_ratio(timings: pd.DataFrame, a: str, b: str) -> Interval:
    """Return the time of `a` divided by the time of `b`: the geometric mean over processes, with its 95% interval.

    `timings` are of one quantity and size. A process may favour an activation throughout. So the interval counts
    processes, and each enters with the geometric mean of its repeats. Timings without the column process are older:
    there each repeat counts. Return NOTHING if one of the two activations was not timed.
    """
    wide = timings.set_index(["repeat", "activation"])["seconds"].unstack()  # noqa: PD010 - one value per cell
    if not {a, b} <= set(wide.columns):
        return NOTHING
    logs = np.log(wide[a] / wide[b]).dropna()
    if "process" in timings:  # documents before November 2026 have none, and each repeat counts
        logs = logs.groupby(timings.drop_duplicates("repeat").set_index("repeat")["process"]).mean()
    ratios = np.exp(logs)
    return log_mean_interval(ratios)[0]


def cheapest(timings: pd.DataFrame) -> str:
    """Return the activation with the lowest median; `timings` are of one quantity and size, and hold no COPY."""
    return str(timings.groupby("activation", sort=False)["seconds"].median().idxmin())


def cost_table(timings: pd.DataFrame, memory: pd.DataFrame, names: list[str], reference: str) -> pd.DataFrame:
    """Return one row per activation of `names`, with its times, their ratios to the `reference`, and its memory.

    `memory` has one row per activation: output_bytes and other_bytes, per element (see study/cost/memory.py). The other
    columns begin with the work that was timed. It is forward or forward_backward on the small tensor, large_forward or
    large_forward_backward on the large tensor, or step, a training step. WORK_ns, WORK_ns_q1 and WORK_ns_q3 are the
    median and the quartiles in nanoseconds per element (of a step, with _ms, in milliseconds). WORK_ratio is the
    `time_ratio` to the `reference`, with its interval WORK_low to WORK_high. All three are NaN for the reference
    itself. `ratio_to` is the `reference`, and `repeats` the number of different repeats in `timings`.
    """
    small, large = tensor_sizes(timings)
    places = {"forward": small, "forward_backward": small, "step": math.nan}
    table = pd.DataFrame({"activation": names, "ratio_to": reference})
    for prefix, elements in {**places, "large_forward": large, "large_forward_backward": large}.items():
        kind = prefix.removeprefix("large_")
        part = timings_of_size(timings, kind, elements)
        found = spread(part).set_index("activation").reindex(names)
        unit, factor = ("ms", MILLI) if kind == "step" else ("ns", NANO)
        for ending, column in {"": "median", "_q1": "q1", "_q3": "q3"}.items():
            table[f"{prefix}_{unit}{ending}"] = factor * found[column].to_numpy()
        ratios = [time_ratio(part, name, reference) if name != reference else NOTHING for name in names]
        for ending, field in {"ratio": "estimate", "low": "low", "high": "high"}.items():
            table[f"{prefix}_{ending}"] = [getattr(found, field) for found in ratios]
    table["repeats"] = timings["repeat"].nunique()
    return table.merge(memory, on="activation", how="left")


def timings_of_size(timings: pd.DataFrame, kind: str, elements: float) -> pd.DataFrame:
    """Return the rows of `timings` with quantity `kind` and this number of `elements`, NaN for a training step."""
    is_size = timings["elements"].isna() if math.isnan(elements) else timings["elements"] == elements
    return timings[(timings["quantity"] == kind) & is_size]


def training_by_run(runs: pd.DataFrame, history: pd.DataFrame, cost: pd.DataFrame, updates: int) -> pd.DataFrame:
    """Return one row per run: activation, seed, seconds_to_level, training_seconds and points_per_second.

    `runs` and `history` belong to the network whose step was timed. The seconds of an epoch are computed: its number of
    `updates` times the median step of `cost`, the result of `cost_table`, timed while the machine did nothing else.
    `seconds_to_level` ends with the first epoch whose validation accuracy reaches LEVEL_TO_REACH; it is NaN if none
    does. `points_per_second` is the test accuracy above guessing, in percentage points, per second of training.
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
    """Return one row per activation of `each`, the result of `training_by_run`: means over runs, with 95% t intervals.

    `runs` counts the runs, and `reached` the runs that reached the level. The intervals are in columns that end in
    `_low` and `_high`. Runs whose value is NaN are left out of a mean.
    """
    table = each.groupby("activation", sort=False).agg(runs=("seed", "size"), reached=("seconds_to_level", "count"))
    for column in ("seconds_to_level", "training_seconds", "points_per_second"):
        found = summarise(each, column, "activation").set_index("activation")
        table[column] = found["mean"]
        table[[f"{column}_low", f"{column}_high"]] = found[["ci_low", "ci_high"]]
    return table.replace([np.inf, -np.inf], np.nan).reset_index()
