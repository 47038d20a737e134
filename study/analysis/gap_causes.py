"""Find whether the gap between theory and measurement shrinks without one of three causes.

Theory predicts root mean squares at infinite width for inputs of one length. The measured mean logarithm over seeds
differs for three reasons. A mean logarithm lies below the logarithm of the root mean square. Networks have a finite
width. Images have unequal lengths.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from study.analysis.resampling import over_seeds
from study.analysis.statistics import holm
from study.analysis.theory_gaps import KEYS, power, relative
from study.constants import CONFIDENCE

CAUSES = ("width", "logarithm", "lengths")
SAME = 1e-6  # two gaps that differ by less are equal: theory's own numerical error is of this size
COLUMNS = ["quantity", "cause", "n", "settings", "gap_with", "gap_without", "change", "ci_low", "ci_high", "p"]


def causes(measures: pd.DataFrame, predicted: pd.DataFrame) -> pd.DataFrame:
    """Return one row per quantity and cause of CAUSES, with the gap of `measures` from `predicted` with and without it.

    Without "width" means at the largest width, not the least. Without "logarithm" means the root mean square over
    seeds, not the mean logarithm. Without "lengths" means theory for the images' own lengths.

    `gap_with` and `gap_without` are root mean squares over the `settings` in which the cause changes the gap. `change`
    is the mean square with the cause minus that without it, and excludes what chance adds to either. Its interval and
    the one-sided `p` that it is not above 0 come from resampling the seeds, because all settings share their draws.
    `p_holm` is adjusted over the table. A cause that changes no gap has no row.
    """
    found = []
    for quantity, rows in relative(measures, predicted).groupby("quantity", sort=False):
        for cause in CAUSES:
            found += _judged(rows, str(quantity), cause)
    table = pd.DataFrame(found, columns=COLUMNS)
    return table.assign(p_holm=holm(table["p"]) if len(table) else table["p"])


def _judged(rows: pd.DataFrame, quantity: str, cause: str) -> list[tuple[Any, ...]]:
    """Return the row of `cause`; nothing if it changes no gap or if there is only one seed."""
    gaps = _Gaps(rows, float(power(quantity)))
    having, lacking = gaps.pair(cause, np.arange(gaps.n))
    differs = np.abs(having - lacking) > SAME
    if gaps.n < 2 or not differs.any():
        return []

    def change(seeds: Any) -> float:
        having, lacking = gaps.pair(cause, seeds)
        return float(np.mean(having[differs] ** 2 - lacking[differs] ** 2))

    sizes = (float(np.sqrt(np.mean(gap[differs] ** 2))) for gap in (having, lacking))
    interval, p = over_seeds(change, gaps.n, CONFIDENCE)
    return [(quantity, cause, gaps.n, int(differs.sum()), *sizes, interval.estimate, interval.low, interval.high, p)]


class _Gaps:
    """Compute the gaps of one quantity in every setting, for any choice of seeds."""

    def __init__(self, rows: pd.DataFrame, power: float) -> None:
        """Take `rows` of theory_gaps.relative; theory averages the quantity raised to `power`."""
        settings = [key for key in KEYS if key != "quantity"]
        logs = rows.assign(log=np.log(rows["relative"].where(rows["relative"] > 0)))
        table = logs.set_index([*settings, "seed"])["log"].unstack("seed")  # noqa: PD010 - one value a cell
        theory = rows.drop_duplicates(settings).set_index(settings).loc[table.index]
        places = pd.Series(range(len(table)), index=table.index).unstack("width").dropna().astype(int)  # noqa: PD010
        self.n = table.shape[1]
        self._power = power
        self._is_known = table.notna().to_numpy()  # (settings, seeds): the signal is not 0
        self._logs = table.fillna(0.0).to_numpy()  # (settings, seeds)
        self._powers = np.exp(power * self._logs)
        self._shift = np.log(theory["predicted"] / theory["predicted_spread"]).to_numpy()  # (settings,)
        self._narrow, self._wide = places.iloc[:, 0].tolist(), places.iloc[:, -1].tolist()

    def pair(self, cause: str, seeds: Any) -> tuple[Any, Any]:
        """Return the gaps with `cause` and without it, over `seeds` (indices, with repeats allowed)."""
        gap = self._mean(self._logs, seeds)
        if cause == "width":
            return gap[self._narrow], gap[self._wide]
        if cause == "lengths":
            return gap, gap + self._shift
        return gap, np.log(self._mean(self._powers, seeds)) / self._power

    def _mean(self, values: npt.NDArray[np.float64], seeds: Any) -> npt.NDArray[np.float64]:
        """Average `values` (settings, seeds) over `seeds`, and return (settings,).

        Seeds whose measured signal is exactly 0 have no logarithm and are left out. The mean is NaN if none are left.
        """
        counted = self._is_known[:, seeds]
        with np.errstate(invalid="ignore"):
            return np.asarray((values[:, seeds] * counted).sum(axis=1) / counted.sum(axis=1))
