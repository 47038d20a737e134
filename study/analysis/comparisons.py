"""Compare each activation with the reference by the size of the difference: better, worse, a tie, or undecided.

The intervals of a family hold together (Bonferroni), and a difference below the margin does not matter. P-values stand
in the table and decide nothing: of a true difference near the margin, a second study would often find another p.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from study.analysis.statistics import equivalence_test, holm, mean_interval, sign_flip_test
from study.constants import CONFIDENCE, EQUIVALENCE_MARGIN, REFERENCE_ACTIVATION


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
    """Compare each activation with the reference by seed; return one row per activation.

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
    about = {"experiment": experiment, "metric": metric}
    rows = [about | _compared(name, wide, len(others), margin) for name in others]
    found = pd.DataFrame(rows)
    return found.assign(
        p_holm=holm(found["p_sign_flip"]),
        p_equivalence_holm=holm(found["p_equivalence"]),
        margin=margin,
        half_width=(found["ci_high"] - found["ci_low"]) / 2,
        finding=three_way(found["difference"], found["ci_low"], found["ci_high"], margin),
    )


def accuracies(runs: pd.DataFrame, experiment: str, metric: str) -> pd.DataFrame:
    """Return one row per run, with its `metric` as `accuracy`; NaN unless the run is done."""
    found = runs[["activation", "seed"]].assign(accuracy=runs[metric], metric=metric, experiment=experiment)
    return found[["experiment", "metric", "activation", "seed", "accuracy"]]


def _compared(name: str, wide: pd.DataFrame, family: int, margin: float) -> dict[str, Any]:
    """Compare two columns of `wide` in one row; the `family` of intervals holds together (Bonferroni; Dunn 1961)."""
    differences = (wide[name] - wide[REFERENCE_ACTIVATION]).dropna().to_numpy()
    alpha = (1 - CONFIDENCE) / family
    interval, narrow = mean_interval(differences, 1 - alpha), mean_interval(differences, 1 - 2 * alpha)
    return {
        "activation": name,
        "reference": REFERENCE_ACTIVATION,
        "n": interval.n,
        "dropped": len(wide) - interval.n,
        "difference": interval.estimate,
        "ci_low": interval.low,
        "ci_high": interval.high,
        "std": float(differences.std(ddof=1)) if interval.n > 1 else np.nan,
        "p_sign_flip": sign_flip_test(differences),
        "equivalence_low": narrow.low,
        "equivalence_high": narrow.high,
        "p_equivalence": equivalence_test(differences, margin),
    }


def half_width(found: pd.DataFrame | None) -> float:
    """Return half the width of the widest interval of a family; NaN if one is unknown or nothing was compared."""
    return np.nan if found is None else float(found["half_width"].max(skipna=False))
