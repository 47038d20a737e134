"""Compare each activation with the reference by the size of the difference: better, worse, a tie, or undecided.

The intervals of a family hold together (Bonferroni), and a difference below the margin does not matter. P-values stand
in the table and decide nothing: of a true difference near the margin, a second study would often find another p.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from study.analysis.statistics import equivalence_test, holm, mean_interval, sign_flip_test, simultaneous_interval
from study.constants import CONFIDENCE, EQUIVALENCE_MARGIN, REFERENCE_ACTIVATION

COLUMNS = (
    "activation", "n", "dropped", "difference", "ci_low", "ci_high", "std", "p_sign_flip", "equivalence_low",
    "equivalence_high", "p_equivalence",
)  # fmt: skip


def three_way(difference: Any, low: Any, high: Any, margin: float) -> npt.NDArray[np.str_]:
    """Decide by size, elementwise: "better", "worse", "tie" or "undecided" (NaN).

    Better and worse: the interval [low, high] excludes 0 and `difference` itself is at least `margin`. Tie: the
    interval lies inside the margin, even if it excludes 0.
    """
    is_better, is_worse = (low > 0) & (difference >= margin), (high < 0) & (difference <= -margin)
    is_tie = (-margin < low) & (high < margin)
    return np.select([is_better, is_worse, is_tie], ["better", "worse", "tie"], "undecided")


def by_seed(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Arrange the finite values of `metric`: a row per seed and a column per activation, NaN where a run has none.

    Raise ValueError if an activation has two runs of a seed, or a key is missing.
    """
    keys = runs[["seed", "activation"]]
    if keys.isna().any(axis=None) or keys.duplicated().any():
        raise ValueError("one row per seed and activation is needed, and neither missing")
    values = runs[metric].to_numpy(float)
    finite = keys.assign(value=np.where(np.isfinite(values), values, np.nan))
    # Not a pivot_table, which drops an arm that never finished.
    return finite.pivot(index="seed", columns="activation", values="value")[list(keys["activation"].unique())]  # noqa: PD010


def against_reference(
    runs: pd.DataFrame, experiment: str, metric: str, margin: float = EQUIVALENCE_MARGIN
) -> pd.DataFrame | None:
    """Compare each activation with the reference by seed: rows of the table `comparisons`, one an activation.

    `runs`: activation, seed, `metric`; one row per run. All numbers are in the metric's unit. A pair with a run that
    did not finish is left out and counted in `dropped`: what remains flatters an arm that diverges. The intervals hold
    together for the family, at 95% (ci_low, ci_high) and, for equivalence, at 90%. Return None without the reference
    or without another activation.
    """
    names = list(runs["activation"].unique()) if len(runs) else []
    others = [name for name in names if name != REFERENCE_ACTIVATION]
    if len(others) == len(names) or not others:
        return None
    wide = by_seed(runs, metric)
    rows = [_compared(name, wide, len(others), margin) for name in others]
    found = pd.DataFrame(rows, columns=COLUMNS)
    found["p_holm"], found["p_equivalence_holm"] = holm(found["p_sign_flip"]), holm(found["p_equivalence"])
    found["margin"], found["half_width"] = margin, (found["ci_high"] - found["ci_low"]) / 2
    found["finding"] = three_way(found["difference"], found["ci_low"], found["ci_high"], margin)
    found.insert(0, "experiment", experiment)
    found.insert(1, "metric", metric)
    found.insert(3, "reference", REFERENCE_ACTIVATION)
    return found


def accuracies(runs: pd.DataFrame, experiment: str, metric: str) -> pd.DataFrame:
    """Make the table `compared_accuracies`: the `metric` of every run, NaN unless it is done."""
    found = runs[["activation", "seed"]].assign(accuracy=runs[metric], metric=metric, experiment=experiment)
    return found[["experiment", "metric", "activation", "seed", "accuracy"]]


def _compared(name: str, wide: pd.DataFrame, family: int, margin: float) -> tuple[Any, ...]:
    a, b = wide[[name, REFERENCE_ACTIVATION]].dropna().to_numpy().T
    differences, alpha = a - b, 1 - CONFIDENCE
    interval = simultaneous_interval(differences, family, CONFIDENCE)
    narrow = mean_interval(differences, 1 - 2 * alpha / family)
    spread = float(differences.std(ddof=1)) if len(differences) > 1 else np.nan
    p = (sign_flip_test(differences), narrow.low, narrow.high, equivalence_test(differences, margin))
    return (name, len(a), len(wide) - len(a), interval.estimate, interval.low, interval.high, spread, *p)


def half_width(found: pd.DataFrame | None) -> float:
    """Return half the width of the widest interval of a family; NaN if one is unknown or nothing was compared."""
    return np.nan if found is None else float(found["half_width"].max(skipna=False))
