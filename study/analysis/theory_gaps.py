"""Why measurement leaves theory: how far apart they are where a signal has come the whole way through the network.

Theory predicts root mean squares at infinite width for inputs of one length. Three things part it from the mean
logarithm over seeds: that mean lies below the logarithm of the root mean square; a finite width; and inputs of unequal
length. Each has a column of its own here.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from study.analysis.resampling import over_seeds
from study.analysis.statistics import geometric_summary, holm, summarise
from study.analysis.trainability import ratios, theory_rows
from study.constants import CONFIDENCE
from study.plan import Plan
from study.report import formatting as fmt

KEYS = ["activation", "init", "depth", "width", "quantity"]
SQUARES = ("preactivation_square",)  # the other quantities are norms: squares are what theory averages
CAUSES = {"width": "a finite width", "logarithm": "the logarithm's bias", "lengths": "the images' lengths"}
SAME = 1e-6  # a smaller difference of two gaps is theory's own error, and none


def gaps(measures: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """One row a setting and quantity, where its way through the network ends: in layer 1 backward, in L forward.

    `gap` is ln(measured / predicted), the mean over seeds with its t interval; `gap_rms` the same of the root mean
    square over seeds (of the mean, where the quantity is a square); `gap_spread` is `gap` from theory for the training
    images' own lengths; `relu_offset` what finite width adds to `gap` for ReLU: -5L/(4n) for a norm (Hanin & Nica
    2018), twice that for a square, and nothing where forward and backward cancel.
    """
    joined = _relative(measures, plan)
    predicted = joined[[*KEYS, "predicted", "predicted_spread"]].drop_duplicates(KEYS)
    joined = joined.assign(square=joined["relative"] ** _power(joined["quantity"]))
    table = geometric_summary(joined, "relative", KEYS).drop(columns="missing")
    table = table.rename(columns={"mean": "gap", "ci_low": "gap_low", "ci_high": "gap_high"})
    mean = summarise(joined, "square", KEYS).rename(
        columns={"mean": "gap_rms", "ci_low": "rms_low", "ci_high": "rms_high"}
    )
    table = table.merge(mean[[*KEYS, "gap_rms", "rms_low", "rms_high"]], on=KEYS).merge(predicted, on=KEYS)
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


def _relative(measures: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """One row a run and quantity at its end: `relative`, measured over predicted, and what theory says."""
    at_end = _ends(ratios(measures)).drop(columns="layer")
    predicted = _ends(theory_rows(plan))[[*KEYS, "predicted", "predicted_spread"]]
    joined = at_end.merge(predicted[predicted["predicted"] > 0], on=KEYS)
    return joined.assign(relative=joined["value"] / joined["predicted"])


def _power(quantity: Any) -> Any:
    """To which a quantity is raised to be what theory averages."""
    return np.where(np.isin(quantity, SQUARES), 1.0, 2.0)


def _ends(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the layer where a quantity has come the whole way."""
    end = np.where(rows["quantity"].isin(SQUARES), rows["depth"], 1)
    return rows[rows["layer"] == end]


def by_width(table: pd.DataFrame) -> pd.DataFrame:
    """Per quantity and width, over activations and depths: how many gaps, how many of them are outside, their medians.

    `median_gap`, `median_rms` and `median_spread` are of the absolute values.
    """
    sized = table.assign(
        median_gap=table["gap"].abs(), median_rms=table["gap_rms"].abs(), median_spread=table["gap_spread"].abs()
    )
    return sized.groupby(["quantity", "width"], sort=False, as_index=False).agg(
        settings=("gap", "size"),
        outside=("is_outside", "sum"),
        median_gap=("median_gap", "median"),
        median_rms=("median_rms", "median"),
        median_spread=("median_spread", "median"),
    )


def causes(measures: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """One row a quantity and cause of CAUSES: is the gap smaller without the cause?

    Without it means: at the largest width rather than the least; `gap_rms` rather than `gap`; `gap_spread` rather than
    `gap`. `gap_with` and `gap_without` are root mean squares over the settings, of which `settings` counts those where
    it makes a difference. `change` is the mean square with less that without, free of what chance adds to either, with
    its interval and the one-sided `p` that it is none, by resampling the seeds: settings share their draws, and are not
    independent. `p_holm` is adjusted over the table. A cause that changes nothing anywhere has no row.
    """
    found = []
    for quantity, rows in _relative(measures, plan).groupby("quantity", sort=False):
        for cause in CAUSES:
            found += _judged(rows, str(quantity), cause)
    table = pd.DataFrame(found, columns=_CAUSE_COLUMNS)
    return table.assign(p_holm=holm(table["p"]) if len(table) else table["p"])


_CAUSE_COLUMNS = ["quantity", "cause", "n", "settings", "gap_with", "gap_without", "change", "ci_low", "ci_high", "p"]


def _judged(rows: pd.DataFrame, quantity: str, cause: str) -> list[tuple[Any, ...]]:
    """The row of a quantity's runs and a cause, if it changes anything and there are seeds to tell."""
    settings = [key for key in KEYS if key != "quantity"]
    logarithms = rows.assign(log=np.log(rows["relative"].where(rows["relative"] > 0)))
    table = logarithms.set_index([*settings, "seed"])["log"].unstack("seed")  # noqa: PD010 - one value a cell
    spread = rows.drop_duplicates(settings).set_index(settings)[["predicted", "predicted_spread"]].loc[table.index]
    shift = np.log(spread["predicted"] / spread["predicted_spread"]).to_numpy()
    narrow, wide = _two_widths(table)
    power, there = float(_power(quantity)), table.notna().to_numpy()
    logs = table.fillna(0.0).to_numpy()
    powers = np.exp(power * logs)

    def mean(values: Any, seeds: Any) -> Any:
        """Over the seeds whose signal is not 0."""
        counted = there[:, seeds]
        with np.errstate(invalid="ignore"):
            return (values[:, seeds] * counted).sum(axis=1) / counted.sum(axis=1)

    def pair(seeds: Any) -> tuple[Any, Any]:
        """The gaps of every setting with the cause and without."""
        gap = mean(logs, seeds)
        if cause == "width":
            return gap[narrow], gap[wide]
        if cause == "lengths":
            return gap, gap + shift
        return gap, np.log(mean(powers, seeds)) / power

    n = table.shape[1]
    having, lacking = pair(np.arange(n))
    differs = np.abs(having - lacking) > SAME
    if n < 2 or not differs.any():
        return []

    def change(seeds: Any) -> float:
        having, lacking = pair(seeds)
        return float(np.mean(having[differs] ** 2 - lacking[differs] ** 2))

    sizes = (float(np.sqrt(np.mean(gaps[differs] ** 2))) for gaps in (having, lacking))
    interval, p = over_seeds(change, n, CONFIDENCE)
    return [(quantity, cause, n, int(differs.sum()), *sizes, interval.estimate, interval.low, interval.high, p)]


def _two_widths(table: pd.DataFrame) -> tuple[list[int], list[int]]:
    """Places of the settings at the least width, and of the same ones at the largest."""
    places = pd.Series(range(len(table)), index=table.index).unstack("width").dropna().astype(int)  # noqa: PD010
    return places.iloc[:, 0].tolist(), places.iloc[:, -1].tolist()


def shown_causes(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of `causes` ready to read, with a verdict on each."""
    rows = [
        {
            "Quantity": row["quantity"],
            "Without": CAUSES[row["cause"]],
            "Gap with it": f"{row['gap_with']:.3f}",
            "Gap without": f"{row['gap_without']:.3f}",
            "p": fmt.probability(row["p_holm"]),
            "": "a cause" if row["p_holm"] < 1 - CONFIDENCE else "not told",
        }
        for row in found.to_dict("records")
    ]
    return pd.DataFrame(rows, columns=["Quantity", "Without", "Gap with it", "Gap without", "p", ""])


def shown(gaps: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """The gaps of the error's norm by activation and width, ready to read."""
    rows: dict[str, dict[str, str]] = {}
    for row in gaps[gaps["quantity"] == "error_norm_ratio"].to_dict("records"):
        cells = rows.setdefault(row["activation"], {"Activation": labels[row["activation"]]})
        cells[f"width {row['width']}"] = fmt.interval(row["gap"], row["gap_low"], row["gap_high"], signed=True)
        cells[f"width {row['width']}, rms"] = fmt.interval(row["gap_rms"], row["rms_low"], row["rms_high"], signed=True)
    return pd.DataFrame(rows.values())


def outside(gaps: pd.DataFrame) -> str:
    """In how many settings the interval of the gap leaves 0 out, by quantity and width; and ReLU's offset."""
    parts = [
        f"{fmt.escape_markdown(str(row['quantity']))} at width {row['width']} {row['outside']} of {row['settings']} "
        f"(median size {row['median_gap']:.3f})"
        for row in by_width(gaps).to_dict("records")
    ]
    counted = (
        "The gap is ln(measured / predicted) where a signal has come the whole way. Of all activations and depths, so "
        f"many have a gap whose interval leaves 0 out: {'; '.join(parts)}."
    )
    return " ".join([counted, *_offset(gaps)])


def _offset(gaps: pd.DataFrame) -> list[str]:
    """ReLU's errors beside what a finite width adds to them."""
    rows = gaps[(gaps["activation"] == "relu") & (gaps["quantity"] == "error_norm_ratio")]
    rows = rows[rows["depth"] == rows["depth"].max()]
    found = [
        f"{fmt.interval(row['gap'], row['gap_low'], row['gap_high'])} at width {row['width']}, where -5L/(4n) = "
        f"{row['relu_offset']:.2f} lies {'in' if row['gap_low'] <= row['relu_offset'] <= row['gap_high'] else 'out'}"
        "side"
        for row in rows.to_dict("records")
    ]
    text = "For ReLU's errors a finite width n adds -5L/(4n) to the mean logarithm (Hanin & Nica 2018). At depth L = "
    return [f"{text}{rows['depth'].iloc[0]} the gap is {' and '.join(found)} the interval."] if found else []
