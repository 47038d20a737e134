"""Compare two arms of a claim, seed by seed: runs that differ in one setting, such as the activation."""

import numpy as np
import pandas as pd

from study.analysis.statistics import Interval, log_mean_interval, mean_interval


def arm(rows: pd.DataFrame, value: str, **where: object) -> "pd.Series[float]":
    """Return the column `value` of those `rows` whose columns equal all values in `where`, indexed by seed."""
    chosen = np.logical_and.reduce([rows[column] == wanted for column, wanted in where.items()])
    return rows[chosen].set_index("seed")[value]


def ratio(first: "pd.Series[float]", second: "pd.Series[float]") -> Interval:
    """Return the geometric mean of `first` / `second`, with its 95% t interval, over seeds with both finite and > 0."""
    pairs = _paired_values(first, second)
    return log_mean_interval((pairs["first"] / pairs["second"])[(pairs > 0).all(axis=1)])[0]


def difference(first: "pd.Series[float]", second: "pd.Series[float]") -> Interval:
    """Return the mean of `first` minus `second` over the seeds at which both are finite, with its 95% t interval."""
    pairs = _paired_values(first, second)
    return mean_interval(pairs["first"] - pairs["second"])


def _paired_values(first: "pd.Series[float]", second: "pd.Series[float]") -> pd.DataFrame:
    """Return the seeds at which `first` and `second` are both finite, as a table of these columns."""
    both = pd.concat([first.rename("first"), second.rename("second")], axis=1, join="inner")
    return both[np.isfinite(both).all(axis=1)]
