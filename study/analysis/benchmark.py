"""Compare the training times of several programs, the contenders, and fit how the engine's times grow.

The measurements of `make bench` are two DataFrames. The frame `rows` has one row per contender and repeat: contender,
threads, processes, measures (what is logged), validation (bool), repeat, epochs, images, seconds. The frame `growth`
has one row per measurement: quantity (what was varied), value (of the quantity), measure ("run" or "compile"), seconds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

CURVE_KEYS = ["quantity", "measure"]  # columns of growth that name a curve
CONTENDER_KEYS = ["contender", "threads", "processes", "measures", "validation"]  # columns that name a contender


@dataclass(frozen=True)
class SpeedTarget:
    """State a target for the ratio of speeds: contender `above` over contender `below`, in images a second.

    `sense` says whether the ratio must be at least ("≥") or at most ("≤") the `bound`. `text` names the target in the
    table. With a bound of NaN the ratio is shown beside the others, and is not judged.
    """

    text: str
    above: str
    below: str
    sense: str
    bound: float


def contender_table(rows: pd.DataFrame, floor: str, article: Mapping[bool, str]) -> pd.DataFrame:
    """Return one row per contender in `rows`: its speed in images a second, and two ratios to other contenders.

    - contender, threads, processes, measures, validation: as in `rows`. n: the number of repeats.
    - images_per_second (the median), lowest, highest. seconds_per_epoch: the median.
    - over_floor: the time of an image over its time in the contender `floor`. It is NaN unless the contender has one
      thread and one process.
    - over_article: the images a second over the images a second of the contender `article[validation]`.

    `article` names a contender with validation (True) and one without (False). Both ratios are of medians, and NaN if
    the other contender was not measured.
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
    """Return one row per target whose two contenders were measured: the ratio of speeds, and if it meets the bound.

    `rows` are the measured speeds, and `targets` the targets. The columns are comparison (the target's text), n
    (repeats), ratio (the median), lowest, highest, sense, target_ratio (the bound) and met. The ratio is taken within
    each repeat, so that a slow phase of the machine is in both of its terms. `met` is None for a target without a
    bound.
    """
    found = []
    by_repeat = rows.assign(speed=rows["images"] / rows["seconds"]).pivot_table("speed", "repeat", "contender")
    for target in targets:
        if {target.above, target.below} <= set(by_repeat):
            ratio = by_repeat[target.above] / by_repeat[target.below]
            found.append(target_row(target.text, target.sense, target.bound, ratio.to_list()))
    return pd.DataFrame(
        found, columns=["comparison", "n", "ratio", "lowest", "highest", "sense", "target_ratio", "met"]
    )


def target_row(text: str, sense: str, bound: float, values: Sequence[float]) -> tuple[object, ...]:
    """Return a row of `target_table` as a tuple, from `values`, the ratio of each repeat.

    The row holds `text`, the number of values, their median, lowest and highest, `sense`, `bound`, and whether the
    median meets the bound. The last is None if `bound` is NaN. `sense` is "≥" or "≤".
    """
    median = float(np.median(values))
    is_met = None if math.isnan(bound) else median >= bound if sense == "≥" else median <= bound
    return text, len(values), median, min(values), max(values), sense, bound, is_met


def growth_summary(growth: pd.DataFrame) -> pd.DataFrame:
    """Return one row per quantity, measure and value of `growth`: n, and the median, lowest and highest seconds.

    The columns are quantity, measure, value, n (measurements), seconds (the median), lowest and highest.
    """
    seconds = growth.groupby([*CURVE_KEYS, "value"], sort=False)["seconds"]
    return seconds.agg(n="count", seconds="median", lowest="min", highest="max").reset_index()


def growth_exponents(growth: pd.DataFrame) -> pd.DataFrame:
    """Return one row per quantity and measure: a fit of seconds = factor * value ** exponent to the rows of `growth`.

    The columns are quantity, measure, factor, exponent, its 95% interval ci_low and ci_high, n (measurements) and
    n_values (different values). With fewer than two different values, the fitted numbers are NaN.
    """
    rows = []
    for (quantity, measure), part in growth.groupby(CURVE_KEYS, sort=False):
        fitted = power_law(part["value"].to_numpy(float), part["seconds"].to_numpy(float))
        rows.append((quantity, measure, *fitted, len(part), part["value"].nunique()))
    return pd.DataFrame(rows, columns=[*CURVE_KEYS, "factor", "exponent", "ci_low", "ci_high", "n", "n_values"])


def power_law(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], confidence: float = 0.95
) -> tuple[float, float, float, float]:
    """Return factor, exponent, and the exponent's lower and upper bound, of y = factor * x ** exponent.

    `x` and `y` (n,) must be above 0. The fit is least squares of log y on log x. The bounds are the t interval of n - 2
    degrees of freedom, at the level `confidence`. The interval covers the spread about the line, and not a curve that
    departs from a power law. With fewer than two different x, all four numbers are NaN; with two points, the bounds
    are.
    """
    if len(np.unique(x)) < 2:
        return math.nan, math.nan, math.nan, math.nan
    fit = stats.linregress(np.log(x), np.log(y))
    free = len(x) - 2
    half = stats.t.ppf((1 + confidence) / 2, free) * fit.stderr if free else math.nan
    return float(np.exp(fit.intercept)), float(fit.slope), float(fit.slope - half), float(fit.slope + half)
