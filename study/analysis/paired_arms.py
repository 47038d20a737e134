"""Compare two arms (activations) of a claim, seed by seed."""

import numpy as np
import pandas as pd

from study.analysis.statistics import Interval, log_mean_interval, mean_interval


def final_losses(history: pd.DataFrame) -> pd.DataFrame:
    """Return one row per run: its activation, dropout, seed, and mean training loss over the last epoch."""
    arms = history.rename(columns={"dropout": "arm_dropout"}).sort_values("epoch", kind="stable")
    last = arms.drop_duplicates(["activation", "arm_dropout", "seed"], keep="last")
    return last[["activation", "arm_dropout", "seed", "epoch", "training_loss"]].reset_index(drop=True)


def arm(rows: pd.DataFrame, value: str, **where: object) -> "pd.Series[float]":
    """Return `value` by seed, of the rows whose columns equal `where`."""
    chosen = np.logical_and.reduce([rows[column] == wanted for column, wanted in where.items()])
    return rows[chosen].set_index("seed")[value]


def ratio(first: "pd.Series[float]", second: "pd.Series[float]") -> Interval:
    """Return the geometric mean of first over second, seed by seed, with the t interval of the logarithms.

    Only seeds count at which both are finite and above zero: a run that diverged has no loss to compare.
    """
    pairs = _pairs(first, second)
    return log_mean_interval((pairs["first"] / pairs["second"])[(pairs > 0).all(axis=1)])[0]


def difference(first: "pd.Series[float]", second: "pd.Series[float]") -> Interval:
    """Return the mean of first minus second with its t interval, over the seeds at which both are finite."""
    pairs = _pairs(first, second)
    return mean_interval(pairs["first"] - pairs["second"])


def _pairs(first: "pd.Series[float]", second: "pd.Series[float]") -> pd.DataFrame:
    both = pd.concat([first.rename("first"), second.rename("second")], axis=1, join="inner")
    return both[np.isfinite(both).all(axis=1)]
