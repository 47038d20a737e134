"""Recommend an activation by the study's rule, and show how much the recommendation depends on the seeds drawn."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from study.analysis.comparisons import classify_difference
from study.constants import CONFIDENCE, COST_MARGIN, EQUIVALENCE_MARGIN, REFERENCE_ACTIVATION, STABILITY_DRAWS

FloatArray = npt.NDArray[np.float64]
FINDINGS = (  # the columns that `findings` takes from a table of comparisons
    "experiment", "metric", "activation", "reference", "n", "difference", "ci_low", "ci_high", "margin", "finding",
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Name a table, its rows and its columns, from which columns of the decision table are taken."""

    table: str  # its name
    where: Mapping[str, object]  # {column: value}: only rows with all these values count
    columns: Mapping[str, str]  # {column of the decision table: its column in the table}


def decision_table(names: Sequence[str], tables: Mapping[str, pd.DataFrame], sources: Iterable[Source]) -> pd.DataFrame:
    """Return one row per activation of `names`, in this order, with the columns that the `sources` take from `tables`.

    Values are NaN where a table or a row is missing. Of several rows of an activation that match, the first counts.
    Raise KeyError if a table is there without a column that its source names.
    """
    found = pd.DataFrame(index=pd.Index(names, name="activation"))
    for source in sources:
        empty = pd.DataFrame(columns=["activation", *source.where, *source.columns.values()], dtype=float)
        rows = tables.get(source.table, empty)
        for column, value in source.where.items():
            rows = rows[rows[column] == value]
        wanted = rows.drop_duplicates("activation").set_index("activation")[list(source.columns.values())]
        found = found.join(wanted.set_axis(list(source.columns), axis=1))
    return found.reset_index()


def findings(comparisons: pd.DataFrame, families: Iterable[str], deciding: Iterable[str]) -> pd.DataFrame:
    """Return the columns FINDINGS of those rows of `comparisons` that belong to the `families`, and the mark `decides`.

    `decides` marks the rows of the deciding family: the first of `deciding` that has a row.
    """
    rows = comparisons[comparisons["experiment"].isin(list(families))]
    first = next((name for name in deciding if (rows["experiment"] == name).any()), None)
    return rows[list(FINDINGS)].assign(decides=rows["experiment"] == first).reset_index(drop=True)


def classify_cost_ratio(low: FloatArray, high: FloatArray) -> npt.NDArray[np.str_]:
    """Return "cheaper", "dearer", "tie" or "undecided" for each interval `low` to `high` of a ratio of step times.

    The ratio is the activation's time over the reference's. Its estimate is the geometric mean of the bounds.
    `classify_difference` classifies the saving, 1 minus the ratio, with the margin COST_MARGIN.
    """
    middle = np.sqrt(np.asarray(low, float) * high)
    found = classify_difference(1 - middle, 1 - np.asarray(high, float), 1 - np.asarray(low, float), COST_MARGIN)
    return np.select([found == "better", found == "worse"], ["cheaper", "dearer"], found)


def recommend(differences: FloatArray, found: npt.NDArray[np.str_], saving: FloatArray) -> npt.NDArray[np.intp]:
    """Return the place of the recommended activation, 0 to k - 1 among the k other ones, or -1 for the reference.

    `differences` and `found`, results of `classify_difference`, compare the k other activations with the reference, and
    have shape (..., k); the result has shape (...). Recommend the better activation with the largest difference. If
    none is better, recommend the tie with the largest saving, or the reference if no tie saves time. `saving` (k,) is
    the share of a step's time that an activation saves, 0 unless `classify_cost_ratio` returns "cheaper".
    """
    better = np.where(found == "better", differences, -np.inf)
    ties = np.where(found == "tie", np.broadcast_to(saving, found.shape), 0.0)
    cheapest = np.where(ties.max(axis=-1) > 0, ties.argmax(axis=-1), -1)
    return np.asarray(np.where((found == "better").any(axis=-1), better.argmax(axis=-1), cheapest))


def half_widths(spread: FloatArray, n: Any) -> FloatArray:
    """Return the half widths (..., k) of simultaneous t intervals (Bonferroni) for a family of k mean differences.

    `spread` (..., k) holds the standard deviation of the paired differences for each mean. The number `n` of pairs
    broadcasts with `spread`. All k intervals together have the level CONFIDENCE.
    """
    quantile = stats.t.ppf(1 - (1 - CONFIDENCE) / (2 * spread.shape[-1]), n - 1)
    return np.asarray(quantile * spread / np.sqrt(n))


def stability(accuracies: pd.DataFrame, saving: Mapping[str, float], draws: int = STABILITY_DRAWS) -> pd.DataFrame:
    """Return the share of resamples of the seeds in which each activation is recommended, one row per activation.

    `accuracies` is the result of `comparisons.table_by_seed`. Activations without a finished run are left out, then
    each seed with an unfinished run. The remaining seeds are drawn with replacement, `draws` times, for all activations
    together. `saving` maps activations to the shares that `recommend` takes. The table begins with the reference. It
    has no rows if the reference or every other activation is missing, or if fewer than two seeds are left.
    """
    finished = accuracies.dropna(axis=1, how="all").dropna()
    others = [name for name in finished if name != REFERENCE_ACTIVATION]
    if not others or REFERENCE_ACTIVATION not in finished or len(finished) < 2:
        return pd.DataFrame({"activation": [], "share_recommended": []})
    differences = finished[others].sub(finished[REFERENCE_ACTIVATION], axis=0).to_numpy(float)
    drawn = differences[np.random.default_rng(0).integers(len(differences), size=(draws, len(differences)))]
    mean, half = drawn.mean(axis=1), half_widths(drawn.std(axis=1, ddof=1), len(differences))
    found = classify_difference(mean, mean - half, mean + half, EQUIVALENCE_MARGIN)
    chosen = recommend(mean, found, np.array([saving.get(name, 0.0) for name in others]))
    names = [REFERENCE_ACTIVATION, *others]
    shares = [float((chosen == place - 1).mean()) for place in range(len(names))]
    return pd.DataFrame({"activation": names, "share_recommended": shares})


def side_of_chosen(table: pd.DataFrame, chosen: str, column: str) -> "pd.Series[str]":
    """Return for each row of `table` whether its range lies wholly "below" or "above" the range of `chosen`, else "".

    A range is from `column`_low to `column`_high. `chosen` is an activation with exactly one row.
    """
    lows, highs = table[f"{column}_low"], table[f"{column}_high"]
    is_chosen = table["activation"] == chosen
    below, above = highs < lows[is_chosen].item(), lows > highs[is_chosen].item()
    return pd.Series(np.select([below, above], ["below", "above"], ""), index=table.index)
