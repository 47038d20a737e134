"""Compare each activation with the reference by the size of the difference: better, worse, a tie, or undecided.

The comparisons of one experiment form a family. The intervals of a family are simultaneous (Bonferroni): with the level
CONFIDENCE, all of them contain the true differences. A difference below the margin does not matter to the choice. The
tables show p-values, but no finding depends on them: near the margin, a second study would often find another p-value.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from study.analysis.statistics import equivalence_test, holm, mean_interval, sign_flip_test
from study.constants import CONFIDENCE, EQUIVALENCE_MARGIN, REFERENCE_ACTIVATION


def classify_difference(difference: Any, low: Any, high: Any, margin: float) -> npt.NDArray[np.str_]:
    """Classify each `difference`, with bounds `low` and `high`, as "better", "worse", "tie" or "undecided".

    Better and worse: the interval excludes 0, and `difference` itself is at least `margin` in size. Tie: the interval
    lies inside +-`margin`, even if it excludes 0. Undecided: all else, NaN included.
    """
    is_better, is_worse = (low > 0) & (difference >= margin), (high < 0) & (difference <= -margin)
    is_tie = (-margin < low) & (high < margin)
    return np.select([is_better, is_worse, is_tie], ["better", "worse", "tie"], "undecided")


def table_by_seed(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the column `metric` of `runs` as a table, with a row per seed and a column per activation.

    Seeds ascend; activations keep their order of appearance. A cell without a finite value is NaN. Raise ValueError if
    an activation has two runs of a seed, or if a seed or activation is missing.
    """
    keys = runs[["seed", "activation"]]
    if keys.isna().any(axis=None) or keys.duplicated().any():
        raise ValueError("runs has repeated or missing seeds or activations; give one row per activation and seed")
    values = runs[metric].to_numpy(float)
    finite = keys.assign(value=np.where(np.isfinite(values), values, np.nan))
    # Not a pivot_table, which drops an activation that never finished.
    return finite.pivot(index="seed", columns="activation", values="value")[list(keys["activation"].unique())]  # noqa: PD010


def against_reference(
    runs: pd.DataFrame, experiment: str, metric: str, margin: float = EQUIVALENCE_MARGIN, family: int | None = None
) -> pd.DataFrame | None:
    """Return one row per activation except the reference, with its mean difference from the reference, paired by seed.

    `runs` has one row per run: activation, seed, and the column `metric`, whose unit all differences have. `experiment`
    names the family. `family` is the number of comparisons whose intervals are simultaneous, by default the number of
    rows. Return None if `runs` lacks the reference or holds no other activation. Raise ValueError as `table_by_seed`
    does.

    `n` counts the seeds at which both runs finished, and `dropped` the other seeds. Dropping seeds flatters an
    activation that diverges. The 95% interval is ci_low to ci_high, and the 90% interval equivalence_low to
    equivalence_high, both simultaneous for the family. The p-values are the results of `sign_flip_test` and
    `equivalence_test`, also adjusted by `holm`. `finding` is the result of `classify_difference`.
    """
    names = list(runs["activation"].unique()) if len(runs) else []
    others = [name for name in names if name != REFERENCE_ACTIVATION]
    if len(others) == len(names) or not others:
        return None
    wide = table_by_seed(runs, metric)
    about = {"experiment": experiment, "metric": metric}
    rows = [about | _comparison_row(name, wide, family or len(others), margin) for name in others]
    found = pd.DataFrame(rows)
    return found.assign(
        p_holm=holm(found["p_sign_flip"]),
        p_equivalence_holm=holm(found["p_equivalence"]),
        margin=margin,
        half_width=(found["ci_high"] - found["ci_low"]) / 2,
        finding=classify_difference(found["difference"], found["ci_low"], found["ci_high"], margin),
    )


def family_tables(
    families: Mapping[str, tuple[pd.DataFrame, str]], margin: float = EQUIVALENCE_MARGIN
) -> dict[str, pd.DataFrame]:
    """Return the tables `compared_accuracies` and `comparisons` of several `families`, by name.

    `families` maps the name of each family (the column experiment) to its runs and their metric. The first table has a
    row per run, whose `accuracy` is the value of the metric. The second has the results of `against_reference` at
    `margin`; it is left out if there is nothing to compare.
    """
    values = [
        runs[["activation", "seed"]].assign(accuracy=runs[metric], metric=metric, experiment=name)
        for name, (runs, metric) in families.items()
    ]
    columns = ["experiment", "metric", "activation", "seed", "accuracy"]
    found = [against_reference(runs, name, metric, margin) for name, (runs, metric) in families.items()]
    compared = [rows for rows in found if rows is not None]
    return {
        "compared_accuracies": pd.concat(values, ignore_index=True)[columns],
        **({"comparisons": pd.concat(compared, ignore_index=True)} if compared else {}),
    }


def _comparison_row(name: str, wide: pd.DataFrame, family: int, margin: float) -> dict[str, Any]:
    """Return the row of `against_reference` for the activation `name`, from `wide`, the result of `table_by_seed`.

    The interval has the level 1 - alpha, with alpha = (1 - CONFIDENCE) / `family` (Bonferroni; Dunn 1961). The
    equivalence interval has the level 1 - 2 alpha.
    """
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
