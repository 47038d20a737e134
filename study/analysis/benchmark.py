"""Measured times: who is how much faster than whom, and how a time grows. DataFrame -> DataFrame.

A frame `rows` has one row a contender and repeat: contender, threads, processes, measures (what is logged), validation
(bool), repeat, epochs, images, seconds. A frame `growth` has one row a measurement: quantity (what was varied), value
(of it), measure, seconds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

KEYS = ["quantity", "measure"]
WHO = ["contender", "threads", "processes", "measures", "validation"]


@dataclass(frozen=True)
class Target:
    """Images a second of `above` over those of `below` should be at least ("≥") or at most ("≤") `bound`.

    With a bound of NaN the ratio is told beside the others, for what it says of them.
    """

    text: str
    above: str
    below: str
    sense: str
    bound: float


def contenders(rows: pd.DataFrame, floor: str, article: Mapping[bool, str]) -> pd.DataFrame:
    """One row a contender: n repeats, images a second (median, lowest, highest), seconds an epoch and process, ratios.

    `over_floor` is the seconds of an epoch over those of the contender `floor`, for those on one thread in one process;
    `over_article` the images a second over those of the `article` with as much validation. Ratios are of medians.
    """
    speed = rows.assign(speed=rows["images"] / rows["seconds"], epoch=rows["seconds"] / rows["epochs"])
    table = speed.groupby(WHO, sort=False).agg(
        n=("speed", "count"),
        images_per_second=("speed", "median"),
        lowest=("speed", "min"),
        highest=("speed", "max"),
        seconds_per_epoch=("epoch", "median"),
    )
    table = table.reset_index()
    median = dict(zip(table["contender"], table["images_per_second"], strict=True))
    is_alone = table["threads"] * table["processes"] == 1
    table["over_floor"] = (median.get(floor, math.nan) / table["images_per_second"]).where(is_alone)
    reference = [median.get(article[has], math.nan) for has in table["validation"]]
    return table.assign(over_article=table["images_per_second"] / reference)


def comparisons(rows: pd.DataFrame, targets: Sequence[Target]) -> pd.DataFrame:
    """One row a target whose two contenders are there: the ratio's median, lowest and highest, and whether it is met
    (None where there is no bound).

    A ratio is taken within each repeat, so that what slows the machine for a while is in both of its terms.
    """
    found = []
    by_repeat = rows.assign(speed=rows["images"] / rows["seconds"]).pivot_table("speed", "repeat", "contender")
    for target in targets:
        if {target.above, target.below} <= set(by_repeat):
            ratio = by_repeat[target.above] / by_repeat[target.below]
            found.append(judged(target.text, target.sense, target.bound, ratio.to_list()))
    return pd.DataFrame(found, columns=["comparison", "n", "ratio", "lowest", "highest", "sense", "target", "met"])


def judged(text: str, sense: str, bound: float, values: Sequence[float]) -> tuple[object, ...]:
    """A row of `comparisons`."""
    median = float(np.median(values))
    is_met = None if math.isnan(bound) else median >= bound if sense == "≥" else median <= bound
    return text, len(values), median, min(values), max(values), sense, bound, is_met


def summary(growth: pd.DataFrame) -> pd.DataFrame:
    """One row a quantity, measure and value: n measurements, and the seconds' median, lowest and highest."""
    found = growth.groupby([*KEYS, "value"], sort=False)["seconds"].agg(["count", "median", "min", "max"]).reset_index()
    return found.rename(columns={"count": "n", "median": "seconds", "min": "lowest", "max": "highest"})


def exponents(growth: pd.DataFrame) -> pd.DataFrame:
    """One row a quantity and measure: seconds = factor * value ** exponent, the exponent's 95% interval, n.

    `n_values` counts the different values; with fewer than two there is no exponent.
    """
    rows = []
    for (quantity, measure), part in growth.groupby(KEYS, sort=False):
        fitted = power_law(part["value"].to_numpy(float), part["seconds"].to_numpy(float))
        rows.append((quantity, measure, *fitted, len(part), part["value"].nunique()))
    return pd.DataFrame(rows, columns=[*KEYS, "factor", "exponent", "ci_low", "ci_high", "n", "n_values"])


def power_law(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], confidence: float = 0.95
) -> tuple[float, float, float, float]:
    """Factor, exponent and its interval of y = factor * x ** exponent, for x, y (n,) > 0.

    Least squares of log y on log x, with the t interval of n - 2 degrees of freedom. It speaks of the spread about the
    line, not of a curve that is no power law. NaN where there are too few different x or too few points.
    """
    if len(np.unique(x)) < 2:
        return math.nan, math.nan, math.nan, math.nan
    fit = stats.linregress(np.log(x), np.log(y))
    free = len(x) - 2
    half = stats.t.ppf((1 + confidence) / 2, free) * fit.stderr if free else math.nan
    return float(np.exp(fit.intercept)), float(fit.slope), float(fit.slope - half), float(fit.slope + half)
