"""Tell whether a measurement meets a goal that was set before it, and whether narrowly.

The estimate alone decides between met and missed. Both are narrow by one rule: the goal lies within the error of the
estimate, from `low` to `high`, so that another measurement may decide otherwise.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from study.constants import CONFIDENCE

TEST_IMAGES = 10_000
FEWEST_SEEDS = 3  # the interval over two seeds is too wide to tell anything


def goal_columns(estimate: Any, low: Any, high: Any, goal: Any, sense: str = "≥") -> dict[str, Any]:
    """Return {"met": bool, "narrowly": bool}, elementwise; without a goal (NaN), both are False.

    The goal is met if `estimate` is at least `goal` (`sense` "≥") or at most `goal` ("≤"). Whether met or missed, it is
    so narrowly if `goal` lies from `low` to `high`.
    """
    is_met = estimate >= goal if sense == "≥" else estimate <= goal
    return {"met": is_met, "narrowly": (low <= goal) & (goal <= high)}


def with_goal(table: pd.DataFrame, goal: Any, accuracy: str = "mean") -> pd.DataFrame:
    """Return `table` with the columns goal, sampling_error, met and narrowly; its rows are mean test accuracies.

    The column named `accuracy` holds the means, and ci_low and ci_high their intervals over n seeds. These do not cover
    the error of the test images, which all runs share: `sampling_error` is its binomial standard error for TEST_IMAGES
    images. So a goal is narrow if it lies in the range that two intervals of 95% span: over seeds, if there are
    FEWEST_SEEDS, and over test images.
    """
    mean = table[accuracy]
    error = (mean * (1 - mean) / TEST_IMAGES) ** 0.5
    half = stats.norm.ppf((1 + CONFIDENCE) / 2) * error
    of_seeds = table[["ci_low", "ci_high"]].where(table["n"] >= FEWEST_SEEDS)
    low, high = np.fmin(mean - half, of_seeds["ci_low"]), np.fmax(mean + half, of_seeds["ci_high"])  # which ignore NaN
    found = table.assign(goal=goal, sampling_error=error)
    return found.assign(**goal_columns(mean, low, high, found["goal"]))
