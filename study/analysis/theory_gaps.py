"""Measure by how much theory and measurement differ after a signal has passed through the whole network, and why.

`measures` is the result of `measures_frame` (study/records/frames.py), and `predicted` of
`trainability.joined_predictions`. A setting is an activation, initialisation, depth and width. The error signal ends in
layer 1, the forward signal in the last hidden layer. A gap is ln(measured / predicted) of a quantity there.

Theory predicts root mean squares at infinite width, for inputs that all have one length ||x||. The gap, averaged over
seeds, has three causes. The cause "logarithm": a mean of logarithms lies below the logarithm of the root mean square.
The cause "width": real networks have a finite width. The cause "lengths": images have unequal lengths.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from study.analysis.resampling import estimate_over_seeds
from study.analysis.statistics import geometric_summary, holm, summarise
from study.analysis.trainability import initial_values

KEYS = ["activation", "init", "depth", "width", "quantity"]  # columns that name a setting, and the quantity
SQUARES = ("preactivation_square",)  # theory averages squares; the other quantities are norms
CAUSES = ("width", "logarithm", "lengths")
SAME_GAP = 1e-6  # two gaps that differ by less are equal: theory's own numerical error is of this size
COLUMNS = ["quantity", "cause", "n", "settings", "gap_with", "gap_without", "change", "ci_low", "ci_high", "p"]


def gaps(measures: pd.DataFrame, predicted: pd.DataFrame) -> pd.DataFrame:
    """Return one row per setting and quantity: the gap of `measures` from `predicted`, with its 95% t interval.

    `gap` is the mean of ln(measured / predicted) over the n seeds whose signal is not 0; `n_zero` counts the other
    seeds. `gap_rms` is the logarithm of the root mean square over all seeds (of the mean, if the quantity is a square).
    Its lower bound rms_low is NaN if the interval of that mean reaches 0. `gap_spread` is `gap` with
    `predicted_spread`, theory for the training images' own lengths. Settings without a prediction above 0 have no row.

    `relu_offset` is what a finite width adds to `gap`. Every row has it, but it holds for ReLU alone. It is the result
    of the function of this name for a norm, and twice that for a square. It is 0 for the weight gradient, in which
    forward and backward offsets cancel.
    """
    joined = _relative_signals(measures, predicted)
    power = _power(joined["quantity"])
    table = geometric_summary(joined, "relative", KEYS).drop(columns="missing")
    table = table.rename(columns={"mean": "gap", "ci_low": "gap_low", "ci_high": "gap_high"})
    mean = summarise(joined.assign(mean=joined["relative"] ** power), "mean", KEYS)
    renamed = {"mean": "gap_rms", "ci_low": "rms_low", "ci_high": "rms_high"}
    table = table.merge(mean.rename(columns=renamed)[[*KEYS, *renamed.values()]], on=KEYS)
    table = table.merge(joined[[*KEYS, "predicted", "predicted_spread"]].drop_duplicates(KEYS), on=KEYS)
    logs = ["gap", "gap_low", "gap_high", *renamed.values()]
    table[logs] = np.log(table[logs].where(table[logs] > 0))
    power = _power(table["quantity"])
    table[logs[3:]] = table[logs[3:]].div(power, axis=0)
    cancels = table["quantity"].str.startswith("example_weight_gradient")
    return table.assign(
        gap_spread=table["gap"] + np.log(table["predicted"] / table["predicted_spread"]),
        relu_offset=relu_offset(table["depth"], table["width"]) * np.where(cancels, 0.0, 2 / power),
        is_outside=(table["gap_low"] > 0) | (table["gap_high"] < 0),
    )


def relu_offset(depth: Any, width: Any) -> Any:
    """Return what finite width adds to the mean natural log of a ReLU network's gradient norm: -5L/(4n).

    L is `depth`, the number of hidden layers, and n is `width`, the units of each. The log of the squared norm is near
    normal with variance 5L/n. Its mean is minus half of that variance, because the mean square is as at infinite width.
    The log of the norm is half of it (Hanin & Nica 2018, Products of many large random matrices and gradients in deep
    neural networks).
    """
    return -5 * depth / (4 * width)


def sizes_by_width(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per quantity and width: the number and the median size of the gaps in `table`, a result of `gaps`.

    `settings` counts the gaps over activations, initialisations and depths, and `outside` those whose interval excludes
    0. `median_gap`, `median_rms` and `median_spread` are medians of the absolute gap, gap_rms and gap_spread.
    """
    sizes = {f"median_{name}": table[f"gap_{name}"].abs() for name in ("rms", "spread")}
    grouped = table.assign(median_gap=table["gap"].abs(), **sizes).groupby(["quantity", "width"], sort=False)
    medians = {column: (column, "median") for column in ("median_gap", *sizes)}
    return grouped.agg(settings=("gap", "size"), outside=("is_outside", "sum"), **medians).reset_index()


def causes(measures: pd.DataFrame, predicted: pd.DataFrame) -> pd.DataFrame:
    """Return one row per quantity and suspected cause of the gaps of `measures` from `predicted`.

    A row says how much smaller the gaps are without the cause. The cause "width" is reduced by taking the widest
    network instead of the narrowest. The cause "logarithm" is removed by the root mean square over seeds instead of the
    mean logarithm. The cause "lengths" is removed by theory for the images' own lengths.

    `settings` counts the settings whose gap the cause changes. `gap_with` and `gap_without` are root mean squares of
    these gaps. `change` is the mean-square gap with the cause minus without. `estimate_over_seeds` corrects it for
    chance, and gives its interval and `p`; `p_holm` is adjusted over the table. Causes that change no gap, and
    quantities with one seed, have no row.
    """
    found = []
    for quantity, rows in _relative_signals(measures, predicted).groupby("quantity", sort=False):
        gaps = _Gaps(rows)
        for cause in CAUSES if gaps.n > 1 else ():
            found += [(quantity, cause, gaps.n, *judged) for judged in _cause_rows(gaps, cause)]
    table = pd.DataFrame(found, columns=COLUMNS)
    return table.assign(p_holm=holm(table["p"]) if len(table) else table["p"])


class _Gaps:
    """Compute the gaps of one quantity, from its `rows` of `_relative_signals`, for any choice of the `n` seeds."""

    def __init__(self, rows: pd.DataFrame) -> None:
        settings = [key for key in KEYS if key != "quantity"]
        logs = rows.assign(log=np.log(rows["relative"].where(rows["relative"] > 0)))
        table = logs.set_index([*settings, "seed"])["log"].unstack("seed")  # noqa: PD010 - one value a cell
        theory = rows.drop_duplicates(settings).set_index(settings).loc[table.index]
        places = pd.Series(range(len(table)), index=table.index).unstack("width").dropna().astype(int)  # noqa: PD010
        self.n = table.shape[1]
        self._power = float(_power(rows["quantity"].iloc[0]))
        self._is_known = table.notna().to_numpy()  # (settings, seeds): the signal is not 0
        self._logs = table.fillna(0.0).to_numpy()  # (settings, seeds)
        self._powers = np.exp(self._power * self._logs)
        self._shift = np.log(theory["predicted"] / theory["predicted_spread"]).to_numpy()  # (settings,)
        self._narrow, self._wide = places.iloc[:, 0].tolist(), places.iloc[:, -1].tolist()

    def pair(self, cause: str, seeds: Any) -> tuple[Any, Any]:
        """Return two arrays (settings,): the gaps with `cause` and those without it, of the seeds at indices `seeds`.

        An index may be repeated. A gap is NaN if all its seeds have signal 0. For the cause "width", the arrays hold
        the gaps of the narrowest and of the widest networks, of settings that have all widths.
        """
        gap = self._mean(self._logs, seeds)
        if cause == "width":
            return gap[self._narrow], gap[self._wide]
        if cause == "lengths":
            return gap, gap + self._shift
        return gap, np.log(self._mean(self._powers, seeds)) / self._power

    def _mean(self, values: npt.NDArray[np.float64], seeds: Any) -> npt.NDArray[np.float64]:
        """Return the mean (settings,) of `values` (settings, seeds) over `seeds` with a signal, NaN without any."""
        counted = self._is_known[:, seeds]
        with np.errstate(invalid="ignore"):
            return np.asarray((values[:, seeds] * counted).sum(axis=1) / counted.sum(axis=1))


def _cause_rows(gaps: _Gaps, cause: str) -> list[tuple[float, ...]]:
    """Return [(settings, gap_with, ..., p)], the numbers of a row of `causes`, or [] if `cause` changes no gap."""
    having, lacking = gaps.pair(cause, np.arange(gaps.n))
    differs = np.abs(having - lacking) > SAME_GAP

    def change(seeds: Any) -> float:
        having, lacking = gaps.pair(cause, seeds)
        return float(np.mean(having[differs] ** 2 - lacking[differs] ** 2))

    if not differs.any():
        return []
    sizes = (float(np.sqrt(np.mean(gap[differs] ** 2))) for gap in (having, lacking))
    interval, p = estimate_over_seeds(change, gaps.n)
    return [(int(differs.sum()), *sizes, interval.estimate, interval.low, interval.high, p)]


def _relative_signals(measures: pd.DataFrame, predicted: pd.DataFrame) -> pd.DataFrame:
    """Return `relative`, measured over predicted where the signal ends, per run and quantity with a prediction > 0."""
    at_end = _rows_at_signal_end(initial_values(measures)).drop(columns="layer")
    theory = _rows_at_signal_end(predicted)[[*KEYS, "predicted", "predicted_spread"]]
    joined = at_end.merge(theory[theory["predicted"] > 0], on=KEYS)
    return joined.assign(relative=joined["value"] / joined["predicted"])


def _power(quantity: Any) -> Any:
    """Return the power to which theory raises each `quantity` before it averages: 1 for a square, 2 for a norm."""
    return np.where(np.isin(quantity, SQUARES), 1.0, 2.0)


def _rows_at_signal_end(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the `rows` where the quantity's signal ends: in the last hidden layer for SQUARES, else in layer 1."""
    end = np.where(rows["quantity"].isin(SQUARES), rows["depth"], 1)
    return rows[rows["layer"] == end]
