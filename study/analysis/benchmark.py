"""Compare the training times of several programs, the contenders, and fit how the engine's times grow.

The measurements of `make bench` are two DataFrames. The frame `rows` has one row per contender and repeat: contender,
threads, processes, measures (what is logged), validation (bool), repeat, epochs, images, seconds. The frame `growth`
has one row per measurement: quantity (what was varied), value (of the quantity), measure ("run" or "compile"), seconds.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from study.analysis.goals import goal_columns
from study.constants import CONFIDENCE

CURVE_KEYS = ["quantity", "measure"]  # columns of growth that name a curve
CONTENDER_KEYS = ["contender", "threads", "processes", "measures", "validation"]  # columns that name a contender
# A target for the speed of one contender over the speed of another: (text, above, below, sense, bound). The ratio is
# `above` over `below`. The `sense` says whether the ratio must be at least ("≥") or at most ("≤") the `bound`. With a
# bound of NaN the ratio is shown, and is not judged.
SpeedTarget = tuple[str, str, str, str, float]
TARGET_COLUMNS = ["comparison", "n", "ratio", "lowest", "highest", "sense", "target_ratio", "met", "narrowly"]


def contender_table(rows: pd.DataFrame, floor: str, article: Mapping[bool, str]) -> pd.DataFrame:
    """Return one row per contender in `rows`: its speed in images a second, and two ratios to other contenders.

    The ratio over_floor is the time of an image over its time in the contender `floor`, NaN unless the contender has
    one thread and one process. The ratio over_article is the images a second over the images a second of the contender
    `article[validation]`. Both are ratios of medians, and NaN if the other contender was not measured.
    """
    speed = rows.assign(speed=rows["images"] / rows["seconds"], epoch=rows["seconds"] / rows["epochs"])
    table = speed.groupby(CONTENDER_KEYS, sort=False).agg(
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


def target_table(rows: pd.DataFrame, targets: Sequence[SpeedTarget]) -> pd.DataFrame:
    """Return one row per target whose contenders were measured: the ratio of speeds, and whether it meets the bound.

    The columns are TARGET_COLUMNS. The ratio is taken within each repeat, so that a slow phase of the machine affects
    both speeds. `met` and `narrowly` are by the rule of `goals`, with the repeats' range as the error of the median.
    `met` is None for a target without a bound.
    """
    found = []
    by_repeat = rows.assign(speed=rows["images"] / rows["seconds"]).pivot_table("speed", "repeat", "contender")
    for text, above, below, sense, bound in targets:
        if {above, below} <= set(by_repeat):
            ratio = by_repeat[above] / by_repeat[below]
            found.append(target_row(text, sense, bound, ratio.to_list()))
    return pd.DataFrame(found, columns=TARGET_COLUMNS)


def target_row(text: str, sense: str, bound: float, values: Sequence[float]) -> tuple[object, ...]:
    """Return a row of `target_table` for the `text`, `sense` and `bound` of a SpeedTarget; `values` are its ratios."""
    median, lowest, highest = float(np.median(values)), min(values), max(values)
    judged = goal_columns(median, lowest, highest, bound, sense) | ({"met": None} if math.isnan(bound) else {})
    return text, len(values), median, lowest, highest, sense, bound, judged["met"], judged["narrowly"]


def growth_summary(growth: pd.DataFrame) -> pd.DataFrame:
    """Return one row per quantity, measure and value of `growth`: n, and the median `seconds`, lowest and highest."""
    seconds = growth.groupby([*CURVE_KEYS, "value"], sort=False)["seconds"]
    return seconds.agg(n="count", seconds="median", lowest="min", highest="max").reset_index()


def growth_exponents(growth: pd.DataFrame) -> pd.DataFrame:
    """Return one row per quantity and measure: the `power_law` of the seconds over the value in the rows of `growth`.

    `n_values` counts the different values. `largest_error` is the largest distance of the law from the median seconds
    at a value, as a share of this median. It is large if the times do not follow a power law.
    """
    rows = []
    for (quantity, measure), part in growth.groupby(CURVE_KEYS, sort=False):
        factor, exponent, low, high = power_law(part["value"].to_numpy(float), part["seconds"].to_numpy(float))
        medians = part.groupby("value")["seconds"].median()
        error = (factor * medians.index.to_numpy(float) ** exponent / medians - 1).abs().max()
        rows.append((quantity, measure, factor, exponent, low, high, len(part), len(medians), error))
    names = [*CURVE_KEYS, "factor", "exponent", "ci_low", "ci_high", "n", "n_values", "largest_error"]
    return pd.DataFrame(rows, columns=names)


def power_law(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Fit y = factor * x ** exponent; return the factor, the exponent, and the exponent's lower and upper bound.

    `x` and `y` (n,) must be above 0. The fit is least squares of log y on log x. The bounds are the 95% t interval with
    n - 2 degrees of freedom. This interval covers the scatter about the line, but no departure from a power law. If `x`
    has fewer than two distinct values, all four numbers are NaN. If n is 2, both bounds are NaN.
    """
    if len(np.unique(x)) < 2:
        return math.nan, math.nan, math.nan, math.nan
    fit = stats.linregress(np.log(x), np.log(y))
    free = len(x) - 2
    half = stats.t.ppf((1 + CONFIDENCE) / 2, free) * fit.stderr if free else math.nan
    return float(np.exp(fit.intercept)), float(fit.slope), float(fit.slope - half), float(fit.slope + half)
