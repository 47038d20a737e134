"""Measure how far theory and measurement are apart where a signal has crossed the whole network.

The error signal ends in layer 1, the forward signal in the last hidden layer. A gap is ln(measured / predicted).
"""

from typing import Any

import numpy as np
import pandas as pd

from study.analysis.statistics import geometric_summary, summarise
from study.analysis.trainability import ratios

KEYS = ["activation", "init", "depth", "width", "quantity"]
SQUARES = ("preactivation_square",)  # theory averages squares; the other quantities are norms


def gaps(measures: pd.DataFrame, predicted: pd.DataFrame) -> pd.DataFrame:
    """Return one row per setting and quantity, with the gap of `measures` from `predicted` and its 95% t interval.

    `gap` is the mean logarithm over seeds. `gap_rms` uses the root mean square over seeds instead (the mean, if the
    quantity is a square). `gap_spread` is `gap` from theory for the training images' own lengths.

    `relu_offset` is what a finite width adds to `gap` for ReLU: -5L/(4n) for a norm at depth L and width n, and
    -5L/(2n) for a square. It is 0 for the weight gradient, in which forward and backward offsets cancel. Source: Hanin
    & Nica 2018, Products of many large random matrices and gradients in deep neural networks.
    """
    joined = relative(measures, predicted)
    joined = joined.assign(square=joined["relative"] ** power(joined["quantity"]))
    theory = joined[[*KEYS, "predicted", "predicted_spread"]].drop_duplicates(KEYS)
    table = geometric_summary(joined, "relative", KEYS).drop(columns="missing")
    table = table.rename(columns={"mean": "gap", "ci_low": "gap_low", "ci_high": "gap_high"})
    mean = summarise(joined, "square", KEYS)[[*KEYS, "mean", "ci_low", "ci_high"]]
    mean = mean.rename(columns={"mean": "gap_rms", "ci_low": "rms_low", "ci_high": "rms_high"})
    table = table.merge(mean, on=KEYS).merge(theory, on=KEYS)
    is_square = table["quantity"].isin(SQUARES)
    logs = ["gap", "gap_low", "gap_high", "gap_rms", "rms_low", "rms_high"]
    table[logs] = np.log(table[logs].where(table[logs] > 0))
    table[logs[3:]] = table[logs[3:]].div(np.where(is_square, 1.0, 2.0), axis=0)
    cancels = table["quantity"].str.startswith("example_weight_gradient")
    return table.assign(
        gap_spread=table["gap"] + np.log(table["predicted"] / table["predicted_spread"]),
        relu_offset=relu_offset(table["depth"], table["width"]) * np.where(is_square, 2.0, np.where(cancels, 0.0, 1.0)),
        is_outside=(table["gap_low"] > 0) | (table["gap_high"] < 0),
    )


def relu_offset(depth: Any, width: Any) -> Any:
    """Return what finite width adds to the mean natural log of a ReLU network's gradient norm: -5L/(4n).

    The log of the squared norm is near normal with variance 5L/n. Its mean is minus half of that, so that the mean
    square is the one at infinite width (Hanin & Nica 2018). The log of the norm then has variance 5L/(4n).
    """
    return -5 * depth / (4 * width)


def relative(measures: pd.DataFrame, predicted: pd.DataFrame) -> pd.DataFrame:
    """Compute `relative`, measured over predicted, per run and quantity, after it has crossed the network."""
    at_end = _ends(ratios(measures)).drop(columns="layer")
    theory = _ends(predicted)[[*KEYS, "predicted", "predicted_spread"]]
    joined = at_end.merge(theory[theory["predicted"] > 0], on=KEYS)
    return joined.assign(relative=joined["value"] / joined["predicted"])


def power(quantity: Any) -> Any:
    """Return the power to which theory raises a quantity before it averages: 1 for a square, 2 for a norm."""
    return np.where(np.isin(quantity, SQUARES), 1.0, 2.0)


def _ends(rows: pd.DataFrame) -> pd.DataFrame:
    """Select the rows of the last layer that each quantity reaches."""
    end = np.where(rows["quantity"].isin(SQUARES), rows["depth"], 1)
    return rows[rows["layer"] == end]


def by_width(table: pd.DataFrame) -> pd.DataFrame:
    """Count per quantity and width the gaps of `table`, over activations and depths, and those whose interval has no 0.

    `median_gap`, `median_rms` and `median_spread` are medians of absolute values.
    """
    sizes = {
        f"median_{column.removeprefix('gap_')}": table[column].abs() for column in ("gap", "gap_rms", "gap_spread")
    }
    medians = {column: (column, "median") for column in sizes}
    grouped = table.assign(**sizes).groupby(["quantity", "width"], sort=False, as_index=False)
    return grouped.agg(settings=("gap", "size"), outside=("is_outside", "sum"), **medians)
