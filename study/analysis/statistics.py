"""Compute intervals, paired tests, equivalence tests and shares, from samples and from DataFrames.

A sample has shape (n,), one finite number per run. A DataFrame has one row per run or measurement. Paired differences
are differences between two activations at the same seeds. Intervals have the level CONFIDENCE unless told otherwise.

The value of a run that diverged is NaN or infinite, and is never averaged. Functions on samples raise ValueError for
it. `summarise` and `geometric_summary` count it as `missing`. The t intervals assume that values are about normal. The
sign-flip test assumes that differences are symmetric about 0 if nothing differs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from study.constants import CONFIDENCE

FloatArray = npt.NDArray[np.float64]
Keys = str | Sequence[str]  # columns that name a group

EXACT_UP_TO = 20  # pairs; all 2^20 sign patterns take milliseconds; with more pairs, patterns are drawn at random
SIGN_DRAWS = 99_999  # random sign patterns, so the smallest p they give is 1e-5
ROUNDING = 1e-9  # relative; 0.98 - 0.97 and 0.99 - 0.98 differ by 1e-14 of themselves, and count as equal


@dataclass(frozen=True)
class Interval:
    """Hold an estimate from `n` values (or runs, or seeds) and its confidence interval, all in the values' unit.

    The bounds of a t interval are NaN at n=1. At n=0 the estimate and the bounds are NaN.
    """

    estimate: float
    low: float
    high: float
    n: int

    def columns(self) -> dict[str, float]:
        """Return the interval as columns of a table row, {column: number}: n, estimate, ci_low, ci_high."""
        return {"n": self.n, "estimate": self.estimate, "ci_low": self.low, "ci_high": self.high}


NOTHING = Interval(math.nan, math.nan, math.nan, 0)  # the interval of no values


def mean_interval(values: npt.ArrayLike, confidence: float = CONFIDENCE, is_share: bool = False) -> Interval:
    """Return the mean of `values` (n,) and Student's t interval, mean +- t_{n-1} s / sqrt(n) (Student 1908).

    Here s is the sample's standard deviation, and t_{n-1} is the two-sided quantile at `confidence`. With
    `is_share`, values lie in [0, 1], and the bounds are clipped to [0, 1], which loses no coverage.
    """
    sample = _finite_sample(values)
    mean = float(sample.mean()) if sample.size else math.nan
    low, high = _bounds(mean, _deviation(sample), sample.size, confidence, is_share)
    return Interval(mean, float(low), float(high), sample.size)


def log_mean_interval(values: npt.ArrayLike) -> tuple[Interval, int]:
    """Return the geometric mean of the positive `values` with its interval, and the number of zeros.

    The interval is the t interval of the logarithms, transformed back. Its `n` counts the positive values. Raise
    ValueError for negative values.
    """
    sample = _finite_sample(values)
    logs = mean_interval(_logarithms(sample)[sample > 0])
    with np.errstate(over="ignore"):  # the upper bound is infinite for values hundreds of powers apart
        estimate, low, high = np.exp([logs.estimate, logs.low, logs.high]).tolist()
    return Interval(estimate, low, high, logs.n), sample.size - logs.n


def proportion_interval(successes: int, n: int) -> Interval:
    """Return the share of `successes` among `n` runs with its exact binomial interval (Clopper & Pearson 1934)."""
    if n == 0 == successes:
        return NOTHING
    bounds = stats.binomtest(successes, n).proportion_ci(CONFIDENCE, method="exact")
    return Interval(successes / n, float(bounds.low), float(bounds.high), n)


def sign_flip_test(differences: npt.ArrayLike) -> float:
    """Return the two-sided p-value of the mean of paired `differences` (n,); the null hypothesis is symmetry about 0.

    A sign pattern gives each difference the sign + or -. The p-value p is the share of patterns whose mean is at least
    as far from 0 as the observed mean (Fisher 1935; Pitman 1937); NaN at n=0. Up to n = EXACT_UP_TO, all 2^n patterns
    are counted. Above, SIGN_DRAWS patterns are drawn, the same at every call, and the observed one is added (Phipson &
    Smyth 2010). `scipy.stats.permutation_test` agrees, but takes 8 s at n=20, not 10 ms.
    """
    sample = _finite_sample(differences)
    if sample.size == 0:
        return math.nan
    drawn, generator, sums = sample.size > EXACT_UP_TO, np.random.default_rng(0), np.zeros(1)
    for value in sample:
        signed = value * generator.choice([-1.0, 1.0], SIGN_DRAWS) if drawn else np.array([[value], [-value]])
        sums = (sums + signed).ravel()
    tolerance = ROUNDING * np.abs(sample).sum()
    extreme = int((np.abs(sums) >= np.abs(sample.sum()) - tolerance).sum())
    return (extreme + drawn) / (sums.size + drawn)  # the observed pattern is among all, and is added to drawn ones


def holm(p_values: npt.ArrayLike) -> FloatArray:
    """Return `p_values` (k,) of a family of k tests, adjusted for multiple testing (Holm 1979), in the given order.

    A planned test without data has p = NaN. It stays NaN, but counts in the size k of the family. `multipletests` of
    statsmodels agrees, but collects garbage at every call, which takes 0.1 s in a report.
    """
    p = np.asarray(p_values, dtype=np.float64)
    ascending = np.argsort(p)  # NaN last
    adjusted = np.maximum.accumulate(p[ascending] * np.arange(p.size, 0, -1))
    return np.minimum(adjusted, 1.0)[np.argsort(ascending)]


def equivalence_test(differences: npt.ArrayLike, margin: float) -> float:
    """Return the p-value of two one-sided t tests that the mean of `differences` (n,) lies within +-`margin`.

    A small p-value shows equivalence: p < alpha exactly if the 1 - 2 alpha interval lies inside the margin (Schuirmann
    1987). p is NaN below n=2. If all differences are equal, p is 0 inside the margin and 1 elsewhere. Raise ValueError
    unless `margin` is positive and finite.
    """
    if not 0 < margin < math.inf:
        raise ValueError(f"margin must be positive and finite, got {margin}")
    sample = _finite_sample(differences)
    if sample.size < 2:
        return math.nan
    if _deviation(sample) == 0:
        return float(abs(sample.mean()) >= margin)
    return float(DescrStatsW(sample).ttost_mean(-margin, margin)[0])


def summarise(frame: pd.DataFrame, value: str, group_by: Keys, is_share: bool = False) -> pd.DataFrame:
    """Return one row per group of the columns `group_by` of `frame`: mean, spread and t interval of the column `value`.

    The columns are `group_by`, n, mean, std, min, max, ci_low, ci_high and missing. `n` counts the finite values, and
    `missing` the others. `mean_interval` explains `is_share`. Groups keep their order of appearance; their keys may be
    null.
    """
    values = _finite_or_nan(frame[value])
    of_value = {"n": "count"} | {name: name for name in ("mean", "std", "min", "max")}
    named = {name: ("value", function) for name, function in of_value.items()} | {"missing": ("is_missing", "sum")}
    table: pd.DataFrame = _grouped(frame, group_by, value=values, is_missing=np.isnan(values)).agg(**named)
    alike = table["max"] - table["min"] <= ROUNDING * np.maximum(table["min"].abs(), table["max"].abs())
    table["std"] = table["std"].mask(alike & (table["n"] > 1), 0.0)
    low, high = _bounds(table["mean"], table["std"], table["n"], CONFIDENCE, is_share)
    return table.assign(ci_low=low, ci_high=high, missing=table.pop("missing")).reset_index()


def geometric_summary(frame: pd.DataFrame, value: str, group_by: Keys) -> pd.DataFrame:
    """Return one row per group of the columns `group_by` of `frame`: geometric mean and interval of the column `value`.

    The columns are `group_by`, n (positive values), mean, ci_low, ci_high (see `log_mean_interval`), missing and
    n_zero. Groups and `missing` are as in `summarise`. Raise ValueError for a negative value.
    """
    values = _finite_or_nan(frame[value])
    table = summarise(frame.assign(**{value: _logarithms(values)}), value, group_by)
    table["n_zero"] = _grouped(frame, group_by, is_zero=values == 0)["is_zero"].sum().to_numpy()
    table["missing"] -= table["n_zero"]  # a zero has no logarithm
    columns = ["mean", "ci_low", "ci_high"]
    with np.errstate(over="ignore"):  # as in `log_mean_interval`
        table[columns] = np.exp(table[columns])
    return table.drop(columns=["std", "min", "max"])


def share_summary(frame: pd.DataFrame, event: str, group_by: Keys) -> pd.DataFrame:
    """Return one row per group of the columns `group_by` of `frame`: in how many rows the column `event` is true.

    The columns are `group_by`, n (rows), count (rows with the event), share, and its `proportion_interval` from ci_low
    to ci_high. Raise ValueError unless the column is boolean, without missing values.
    """
    if frame[event].dtype != bool:
        raise ValueError(f"{event} must be boolean and never missing, got {frame[event].dtype}")
    events = _grouped(frame, group_by, event=frame[event].to_numpy())["event"]
    table: pd.DataFrame = events.agg(n="size", count="sum", share="mean")
    found = [proportion_interval(count, n) for count, n in table[["count", "n"]].to_numpy().tolist()]
    return table.assign(ci_low=[share.low for share in found], ci_high=[share.high for share in found]).reset_index()


def _grouped(frame: pd.DataFrame, group_by: Keys, **values: npt.NDArray[Any]) -> Any:
    """Group the arrays `values` (rows,) by columns of `frame`, in order of appearance; null keys form groups too."""
    keys = [frame[name] for name in ([group_by] if isinstance(group_by, str) else group_by)]
    return pd.DataFrame(values, index=frame.index).groupby(keys, sort=False, dropna=False, observed=True)


def _bounds(mean: Any, std: Any, n: Any, confidence: float, is_share: bool) -> tuple[Any, Any]:
    """Return the bounds of Student's t interval, elementwise; NaN, without a warning, below n=2."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie strictly between 0 and 1, got {confidence}")
    half = stats.t.ppf((1 + confidence) / 2, n - 1) * std / np.sqrt(np.maximum(n, 1))
    limits = (0.0, 1.0) if is_share else (-math.inf, math.inf)
    return np.clip(mean - half, *limits), np.clip(mean + half, *limits)


def _deviation(sample: FloatArray) -> float:
    """Return the standard deviation of `sample` (n,): NaN below n=2, and 0 if values differ by rounding alone."""
    if sample.size < 2:
        return math.nan
    return 0.0 if np.ptp(sample) <= ROUNDING * np.abs(sample).max() else float(sample.std(ddof=1))


def _logarithms(values: FloatArray) -> FloatArray:
    """Return the natural logarithms of `values`, NaN for zeros and NaN. Raise ValueError if a value is negative."""
    if (values < 0).any():
        raise ValueError(f"values must not be negative on a log scale, got {np.nanmin(values)}")
    return np.log(values, where=values > 0, out=np.full(values.shape, np.nan))


def _finite_or_nan(column: "pd.Series[Any]") -> FloatArray:
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _finite_sample(values: npt.ArrayLike) -> FloatArray:
    """Return `values` as a float64 array (n,). Raise ValueError unless they are one-dimensional and finite."""
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not np.isfinite(sample).all():
        raise ValueError(f"values must be one-dimensional and finite (leave out diverged runs), got {sample}")
    return sample
