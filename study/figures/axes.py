"""Set limits, scales and ticks of a panel's axes; a panel is one matplotlib Axes of a figure."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis

from study.constants import CHANCE_ACCURACY
from study.figures.style import GREY

FloatArray = npt.NDArray[np.float64]

ZERO_BAND = 0.13  # share of a logarithmic panel's height for the band that shows exact zeros, if there are any
FAR_DECADES = 30  # an activation further below the median activation is not on the panel (see log_limits)
LEAST_ERROR = 0.01  # percent, one image of 10,000; smaller errors are drawn at this value
GUESSING_PERCENT = round(100 * CHANCE_ACCURACY)  # percent of images that guessing gets right
ERROR_SCALE = "(log error scale)"  # for the label of an axis that `error_axis` set
LOG_SCALE = "(log scale)"
# The label of the x axis, by the column that is drawn along it.
X_LABELS = {
    "layer": "layer (1 is nearest the input)",
    "step": f"training step {LOG_SCALE}",
    "depth": f"hidden layers {LOG_SCALE}",
    "learning_rate": f"learning rate {LOG_SCALE}",
    "width": "units in each hidden layer",
    "amplitude": "amplitude $a$ of the noise, Unif$[-a, a]$ on each pixel in [0, 1]",
    "epoch": "epoch",
    "x": "input of a unit, $z$",
}


def log_ticks(low: float, high: float) -> FloatArray:
    """Return the ticks (n,) of a logarithmic axis from `low` to `high`, both above 0, in ascending order.

    They are powers of ten, or some of many, if at least three lie there. Otherwise multiples of them by 3, or else by
    2 and 5, are added. If there are still fewer than three, they are evenly spaced round numbers.
    """
    for multiples, most in (((1,), 6), ((1,), 12), ((1, 3), 12), ((1, 2, 5), 12)):
        # Beyond both ends, because a LogLocator that finds no tick gives many others.
        locator = ticker.LogLocator(subs=multiples, numticks=most)
        ticks = np.asarray(locator.tick_values(max(low / 10, 1e-300), 10 * high))
        if ((ticks >= low) & (ticks <= high)).sum() >= 3:
            break
    else:
        ticks = np.asarray(ticker.MaxNLocator(5, steps=[1, 2, 5, 10], min_n_ticks=3).tick_values(low, high))
    return ticks[(ticks >= low) & (ticks <= high)]


def scientific(value: float, digits: int = 1) -> str:
    """Return `value` as text in scientific notation with this many significant `digits`, such as "4e-13" for one."""
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def log_axis(axis: Axis, low: float, high: float, lowest_tick: float | None = None) -> None:
    """Make `axis` logarithmic from `low` to `high`, both above 0, with `log_ticks` from `lowest_tick` (or `low`) on.

    Labels are plain numbers if all ticks are between 0.001 and 10,000, else powers of ten, or multiples of these.
    """
    name = "x" if isinstance(axis, XAxis) else "y"
    axis.axes.set(**{f"{name}scale": "log", f"{name}lim": (low, high)})
    ticks = log_ticks(lowest_tick or low, high)
    is_plain = all(1e-3 < tick < 1e4 for tick in ticks)
    exponents = ticker.LogFormatterSciNotation(labelOnlyBase=False, minor_thresholds=(math.inf, math.inf))
    _set_ticks(axis, ticks, ticker.StrMethodFormatter("{x:g}") if is_plain else exponents)


def norm_axis(panel: Axes, rows: pd.DataFrame) -> float:
    """Make the y axis of `panel` logarithmic, with the limits `log_limits` of `rows`, and return the lower limit.

    If the column n_zero of `rows`, the number of seeds at exactly 0, is above 0 in some row, a grey band below it
    stands for exact zeros, and hides smaller means. The other columns and the error raised are as in `log_limits`.
    """
    low, high = log_limits(rows)
    band = ZERO_BAND / (1 - ZERO_BAND) * (high - low) if (rows["n_zero"] > 0).any() else 0.0
    bottom = 10 ** max(low - band, -307.0)
    log_axis(panel.yaxis, bottom, 10**high, 10 ** (low + 0.5 * band))
    if rows["mean"].isna().all():
        panel.set_yticks([])
    if band:
        panel.axhspan(bottom, 10**low, color="#EFEFEF", linewidth=0, zorder=2.5)
        panel.set_yticks([math.sqrt(bottom * 10**low)], ["exactly 0"], minor=True)
        panel.tick_params(axis="y", which="minor", length=3.5, width=0.8)
    return float(10**low)


def log_limits(rows: pd.DataFrame) -> tuple[float, float]:
    """Return the lower and upper limit of a logarithmic axis for the means of `rows`, as exponents of ten.

    Columns of `rows`: activation, mean (above 0, or NaN), ci_low, ci_high. Raise ValueError for a mean of 0 or less.

    Each activation has a least mean. One that lies more than FAR_DECADES decades below the median of all least means
    does not lower the limit, because it would flatten the other lines. If the largest mean is more than FAR_DECADES / 2
    above that median, twice this distance replaces FAR_DECADES. Intervals can span thirty decades. They move a limit by
    at most one decade, or by half the span of the means if that is more. The limits include a margin, and lie in
    [-300, 300]. They are -1 and 0 if all means are NaN.
    """
    if (rows["mean"] <= 0).any():
        least = rows["mean"].min()
        raise ValueError(f"mean is {least:g}; it must be above 0 on a logarithmic axis: count exact zeros in n_zero")
    known = rows[rows["mean"].notna()]
    if known.empty:
        return -1.0, 0.0
    least = np.log10(np.sort(known.groupby("activation")["mean"].min()))
    usual, high = least[len(least) // 2], float(np.log10(known["mean"].max()))
    low = float(least[least >= usual - max(FAR_DECADES, 2 * (high - usual))][0])
    bounds = rows[["ci_low", "ci_high"]].to_numpy(float).ravel()
    exponents = np.log10(bounds[np.isfinite(bounds) & (bounds > 0)])
    reach = max(1.0, (high - low) / 2)
    low = max(low - reach, min(low, exponents.min(initial=math.inf)))
    high = min(high + reach, max(high, exponents.max(initial=-math.inf)))
    padding = max(0.05 * (high - low), 0.2 - 0.5 * (high - low))
    return max(low - padding, -300.0), min(high + padding, 300.0)


def error_percent(accuracy: Any) -> FloatArray:
    """Return the percentage of wrong images for each `accuracy` in [0, 1], an array or a number, in the same shape.

    Errors below LEAST_ERROR become LEAST_ERROR, because a logarithmic axis has no place for 0. NaN remains.
    """
    found: FloatArray = np.clip(100 - 100 * np.asarray(accuracy, float), LEAST_ERROR, 100.0)
    return found


def error_axis(axis: Axis, errors: Any) -> None:
    """Make `axis` logarithmic in the percentage of wrong images, inverted, with accuracies as tick labels.

    Draw errors on this axis, not accuracies: the tick at the error e reads 100 - e percent. Halving the error is the
    same distance everywhere. `errors` holds all errors that the axis must show, as `error_percent` returns them; NaN is
    ignored. The error of guessing has a tick if the axis reaches it, unless another tick is near it or beyond it.
    """
    errors = np.asarray(errors, float)
    seen = errors[np.isfinite(errors)] if np.isfinite(errors).any() else np.array([1.0, 100.0])
    least, most = np.log10([seen.min(), seen.max()])
    margin = max(0.07 * (most - least), 0.03)
    low, high = 10 ** (least - margin), 10 ** min(most + margin, 2.0)
    log_axis(axis, low, high)
    ticks, worst = log_ticks(low, min(high, 99)), 100 - GUESSING_PERCENT
    if high >= worst and ticks.max(initial=low) * (high / low) ** 0.1 < worst:
        ticks = np.append(ticks, worst)
    _set_ticks(axis, ticks, ticker.FuncFormatter(lambda error, _: f"{100 - error:.6g}%"))
    axis.set_inverted(True)


def x_axis(panel: Axes, x: str, values: Any) -> None:
    """Set ticks, and if needed scale and limits, of `panel`'s x axis for `values` (n,) of `x`, a key of X_LABELS."""
    known, axis = np.unique(np.asarray(values, float)), panel.xaxis
    if x == "layer":  # `values` must contain the output layer's number
        depth = int(known.max(initial=2)) - 1
        layers = layer_ticks(depth)
        panel.set_xticks(layers, [*map(str, layers[:-1]), "out"])
        panel.set_xlim(1 - 0.1 * depth, 1 + 1.1 * depth)
    elif x == "step":  # linear below 1 to show 0
        last = known.max(initial=1)
        panel.set_xscale("symlog", linthresh=1, linscale=0.6)
        panel.set_xlim(-0.25, last * 1.5)
        decades = 10 ** np.arange(0, np.log10(last) + 0.01, 1 if last < 100 else 2)
        names = ticker.FuncFormatter(lambda step, _: f"{step:g}" if step < 1e4 else scientific(step))
        _set_ticks(axis, [0, *decades], names)
    elif x in ("depth", "learning_rate") and known.size:  # 1, 2 or 5 times a power of ten has a label
        named = np.isclose((known / 10 ** np.floor(np.log10(known)))[:, None], (1, 2, 5)).any(axis=1)
        margin = 1.1 * (known[-1] / known[0]) ** 0.06
        panel.set(xscale="log", xlim=(known[0] / margin, known[-1] * margin))
        fixed_axis(axis, known, named if named.sum() > 2 else None)
    elif x == "width":
        fixed_axis(axis, known)
    else:
        round_axis(axis, 4, integer=True)


def layer_ticks(depth: int) -> list[int]:
    """Return the layers to label on an axis; the network has `depth` hidden layers and an output layer, depth + 1.

    They are all layers if there are fewer than 6 hidden layers, else the first, a middle and the output layer.
    """
    return [*range(1, depth + 2)] if depth < 6 else [1, (depth + 2) // 2, depth + 1]


def fixed_axis(axis: Axis, values: Any, is_labelled: Any = None) -> None:
    """Put a tick at each of `values` (n,), and write its number where `is_labelled` (n,) is True, by default always."""
    is_labelled = np.ones(len(values), bool) if is_labelled is None else is_labelled
    labels = [f"{value:.3g}" if shown else "" for value, shown in zip(values, is_labelled, strict=True)]
    _set_ticks(axis, values, ticker.FixedFormatter(labels))


def round_axis(axis: Axis, most: int = 5, *, integer: bool = False) -> None:
    """Put three to about `most` ticks on `axis` at round numbers, which are whole numbers if `integer`."""
    axis.set_major_locator(ticker.MaxNLocator(most, steps=[1, 2, 5, 10], integer=integer, min_n_ticks=3))


def rows_axis(panel: Axes, labels: list[str]) -> None:
    """Make the y axis of `panel` name a row for each of `labels`, from the top; row i, from 0, is centred at y = i."""
    panel.set_yticks(range(len(labels)), labels)
    panel.set_ylim(len(labels) - 0.5, -0.5)
    panel.grid(visible=False, axis="y")


def draw_level(panel: Axes, value: float, label: str = "", *, vertical: bool = False) -> None:
    """Draw a dotted grey line across `panel` at y = `value`, or at x = `value` if `vertical`.

    A `label` is written beside the right end of a horizontal line, outside the panel.
    """
    (panel.axvline if vertical else panel.axhline)(value, color=GREY, linestyle=":", linewidth=1.2, zorder=1)
    if label:
        panel.text(1.02, value, label, transform=panel.get_yaxis_transform(), va="center", color=GREY, fontsize=9)


def draw_guessing(panel: Axes) -> None:
    """Draw a dotted line at the percentage of images that guessing gets right, with the word "guessing" below it."""
    draw_level(panel, GUESSING_PERCENT)
    at, transform = (0.03, GUESSING_PERCENT - 1.5), panel.get_yaxis_transform()
    panel.text(*at, "guessing", transform=transform, va="top", color=GREY, fontsize=9)


def _set_ticks(axis: Axis, ticks: Any, formatter: ticker.Formatter) -> None:
    axis.set_major_locator(ticker.FixedLocator(ticks))
    axis.set_major_formatter(formatter)
    axis.set_minor_locator(ticker.NullLocator())
