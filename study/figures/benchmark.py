"""DataFrame -> Figure for timings. They belong to no activation: the engine is blue, its peers are grey."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from study.figures.style import COLORS, GREY, WIDTH, FloatArray, literal, styled

ENGINE = COLORS[0]
FLOOR = "products"  # the contender that does the matrix products alone; on all cores its name has an ending
COMPILING = COLORS[1]
AXES = {
    "depth": "hidden layers of 100 units",
    "width": "units in each of 3 layers",
    "seeds": "runs in one worker",
    "workers": "workers sharing the runs",
}


@styled
def bench(table: pd.DataFrame, rows: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Thousands of training images a second of each contender: every repeat (small), median (large).

    `table`: contender, threads, processes; `rows`: contender, images, seconds; one row a repeat. Those on all cores
    stand above those on one thread, among them the matrix products in black, with a dashed line through the latter.
    """
    is_alone = table["threads"] * table["processes"] == 1
    order = [*table.loc[~is_alone, "contender"], *table.loc[is_alone, "contender"]]
    speeds = dict(list((rows["images"] / rows["seconds"] / 1000).groupby(rows["contender"])))
    figure = Figure(figsize=(WIDTH, 0.9 + 0.27 * len(order)), layout="constrained")
    panel = figure.subplots()
    for place, name in enumerate(order):
        _contender(panel, place, speeds[name].to_numpy(float), _color(name))
    found = np.concatenate([speeds[name].to_numpy(float) for name in order])
    _logarithmic_axis(panel, found.min() / 1.25, found.max() * 1.5)
    boundary, bottom = int((~is_alone).sum()) - 0.5, len(order) - 0.5
    if FLOOR in speeds:
        at = float(speeds[FLOOR].median())
        panel.plot([at, at], [boundary + 1, bottom], color="black", linestyle=(0, (3.5, 2)), linewidth=0.9, zorder=2)
    panel.axhline(boundary, color=GREY, linewidth=0.7)
    panel.set_ylim(bottom, -0.5)
    panel.set_yticks(range(len(order)), [literal(labels[name], 40) for name in order])
    panel.grid(visible=False, axis="y")
    for place, text in ((0, "all cores"), (int(boundary + 0.5), "one thread")):
        panel.text(0.99, place, text, transform=panel.get_yaxis_transform(), ha="right", va="center", color=GREY)
    panel.set_xlabel("thousand training images a second (logarithmic)")
    return figure


def _color(name: str) -> str:
    return "black" if name.startswith(FLOOR) else ENGINE if name.startswith("engine") else GREY


def _contender(panel: Axes, place: int, speeds: FloatArray, color: str) -> None:
    panel.plot(speeds, np.full(len(speeds), place), "o", color=color, alpha=0.45, markersize=3, zorder=2.5)
    middle = float(np.median(speeds))
    panel.plot([middle], [place], "o", color=color, markersize=7, markeredgecolor="white", zorder=3)
    at = (float(speeds.max()), place)
    over_lines = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    panel.annotate(f"{middle:.0f}", at, (7, 0), textcoords="offset points", va="center", color=color, bbox=over_lines)


@styled
def growth(rows: pd.DataFrame, fitted: pd.DataFrame) -> Figure:
    """Seconds against what was varied, every measurement, with the power law fitted to them; a panel a quantity.

    `rows`: quantity (one of AXES), value, measure ("run" or "compile"), seconds. `fitted`: quantity, measure, factor,
    exponent, ci_low, ci_high; seconds = factor * value ** exponent.
    """
    figure = Figure(figsize=(WIDTH, 5.4), layout="constrained")
    for panel, (quantity, label) in zip(figure.subplots(2, 2).flat, AXES.items(), strict=True):
        part = rows[rows["quantity"] == quantity]
        values = np.unique(part["value"])
        for measure, color in (("run", ENGINE), ("compile", COMPILING)):
            found = part[part["measure"] == measure]
            law = fitted[(fitted["quantity"] == quantity) & (fitted["measure"] == measure)]
            if len(found):
                _law(panel, found, law.iloc[0], color, is_open=measure == "compile")
        panel.set_xscale("log")
        panel.set_xticks(values, [f"{value:g}" for value in values])
        panel.xaxis.set_minor_locator(NullLocator())
        panel.set_xlabel(label)
        seconds = part["seconds"].to_numpy(float)
        _logarithmic_axis(panel, seconds.min() / 1.5, seconds.max() * 1.5, is_y=True)
    figure.supylabel("seconds")
    return figure


def _law(panel: Axes, found: pd.DataFrame, law: "pd.Series[float]", color: str, is_open: bool) -> None:
    face = "none" if is_open else color
    panel.plot(found["value"], found["seconds"], "o", color=color, markerfacecolor=face, markersize=4, alpha=0.7)
    if not np.isfinite(law["exponent"]):
        return
    ends = np.array([found["value"].min(), found["value"].max()], float)
    panel.plot(ends, law["factor"] * ends ** law["exponent"], color=color, linewidth=1.1)
    bounds = f" [{law['ci_low']:z.2f}, {law['ci_high']:z.2f}]" if np.isfinite(law["ci_low"]) else ""
    text = f"{'compiling' if is_open else 'runs'}: {law['exponent']:z.2f}{bounds}"
    panel.text(0, 1.12 if is_open else 1.02, text, transform=panel.transAxes, va="bottom", color=color)


def _logarithmic_axis(panel: Axes, low: float, high: float, is_y: bool = False) -> None:
    """From `low` to `high`, with ticks at 1, 2 and 5 of each decade; on a short axis at 3, 4, 6 and 8 instead of 5."""
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    digits = np.array([1, 2, 3, 4, 6, 8] if high / low < 5 else [1, 2, 5])
    ticks = np.outer(decades, digits).ravel()
    ticks = ticks[(ticks >= low) & (ticks <= high)]
    axis = panel.yaxis if is_y else panel.xaxis
    (panel.set_yscale if is_y else panel.set_xscale)("log")
    (panel.set_ylim if is_y else panel.set_xlim)(low, high)
    axis.set_ticks(ticks.tolist(), labels=[f"{tick:g}" for tick in ticks])
    axis.set_minor_locator(NullLocator())
