"""Draw what activations cost, and how fast the study's engine is beside its peers.

A peer is another library that trains the same network. A small point is one repeat of a timing. In `bench` the engine
is blue, its peers are grey, and matrix products alone are black.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.figures.axes import LOG_SCALE, draw_level, fixed_axis, log_axis, round_axis, rows_axis
from study.figures.marks import draw_estimate, draw_run_points, unlabelled
from study.figures.style import COLORS, GREY, Style, literal, panels

# By the quantity of a timing: the title of its panel, the factor from seconds to its unit, the column of its median.
TIME_PANELS = {
    "forward": ("forward\nns / element", 1e9, "forward_ns"),
    "forward_backward": ("forward + backward\nns / element", 1e9, "forward_backward_ns"),
    "step": ("training step\nms", 1e3, "step_ms"),
}
AXIS_END = 1.25  # where an axis of times ends, in multiples of the largest upper quartile
ENGINE, COMPILING = COLORS[:2]  # colours of the engine, and of the time that it takes to compile
# The contender that only multiplies matrices, on one thread. The one on all cores has a name that begins with it.
PRODUCTS = "products"
# The label of the x axis in each panel of `growth`, by the quantity that was varied.
GROWTH_LABELS = {
    "depth": "hidden layers of 100 units",
    "width": "units in each of 3 layers",
    "seeds": "runs in one worker",
    "workers": "workers sharing the runs",
}


def costs(timings: pd.DataFrame, cost: pd.DataFrame, style: Style, floor: str) -> Figure:
    """Draw the times of TIME_PANELS and the bytes kept for the backward pass, in panels with a row for each activation.

    `timings` holds the timings of `stopwatch.measure` for one tensor size. Its columns are activation, quantity (a key
    of TIME_PANELS), repeat, and seconds (per element, or per step). Each repeat is a small point, or an arrowhead at
    the end of the axis if it lies beyond.

    `cost` is the result of `study.analysis.cost.cost_table`. Its columns are activation, output_bytes and other_bytes
    (per element), and the columns that TIME_PANELS names. These are medians, with quartiles in <column>_q1 and
    <column>_q3. `floor` is the activation of `timings` that only copies: a dotted line marks its median.
    """
    table = cost.set_index("activation")
    names = style.order(table.index)
    figure, shown = panels([""] * 4, 0.65 + 0.43 * max(len(names), 1), 2)
    for panel, (quantity, (title, factor, column)) in zip(shown, TIME_PANELS.items(), strict=False):
        rows = timings[timings["quantity"] == quantity]
        rows = rows.assign(value=factor * rows["seconds"])
        _draw_times(panel, rows[rows["activation"].isin(names)], table, column, names, style)
        of_floor = rows.loc[rows["activation"] == floor, "value"]
        if len(of_floor):
            draw_level(panel, float(of_floor.median()), vertical=True)
        panel.set_title(title)
    _draw_bytes(shown[-1], table, names, style)
    for panel in shown:
        rows_axis(panel, [style.label(name) for name in names])
        panel.tick_params(labelleft=panel in shown[::2])
        round_axis(panel.xaxis)
    return figure


def bench(table: pd.DataFrame, rows: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Draw each contender's speed in thousand training images a second: every repeat (small) and the median (large).

    A contender is a program that trains the network, or that only multiplies its matrices. `table` is the result of
    `benchmark.contender_table`, with the columns contender, threads and processes. `rows` has one row per contender and
    repeat, with the columns contender, images (trained on) and seconds. `labels` maps each contender of `table` to its
    text. Contenders on all cores stand above contenders on one thread. A dashed line marks the median of the matrix
    products on one thread.
    """
    is_alone = table["threads"] * table["processes"] == 1
    order = [*table.loc[~is_alone, "contender"], *table.loc[is_alone, "contender"]]
    boundary, bottom = int((~is_alone).sum()) - 0.5, len(order) - 0.5
    figure, (panel,) = panels([""], 0.4 + 0.27 * len(order))
    speeds = rows.assign(speed=rows["images"] / rows["seconds"] / 1000)
    speeds = speeds[speeds["contender"].isin(order)]
    shared: dict[str, Any] = {"y": "contender", "order": order, "hue": "contender", "ax": panel, "legend": False}
    shared["palette"] = {name: _contender_color(name) for name in order}
    sns.stripplot(speeds, x="speed", **shared, jitter=False, size=3, alpha=0.45)
    middles = speeds.groupby("contender")["speed"].median()
    sns.stripplot(middles.reset_index(), x="speed", **shared, jitter=False, size=7, linewidth=0.8, edgecolor="white")
    slowest, box = speeds.groupby("contender")["speed"].min(), {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    at: dict[str, Any] = {"xytext": (-7, 0), "textcoords": "offset points", "ha": "right", "va": "center", "bbox": box}
    for place, name in enumerate(order):
        panel.annotate(f"{middles[name]:.0f}", (slowest[name], place), color=_contender_color(name), **at)
    log_axis(panel.xaxis, speeds["speed"].min() / 1.5, speeds["speed"].max() * 1.5)
    if PRODUCTS in middles:
        panel.plot(
            [middles[PRODUCTS]] * 2, [boundary + 1, bottom], color="black", linestyle="--", linewidth=1.1, zorder=2
        )
    panel.axhline(boundary, color=GREY, linewidth=0.7)
    rows_axis(panel, [literal(labels[name], 40) for name in order])
    for place, text in ((0, "all cores"), (int(boundary + 0.5), "one thread")):
        panel.text(0.99, place, text, transform=panel.get_yaxis_transform(), ha="right", va="center", color=GREY)
    panel.set(xlabel=f"thousand training images a second {LOG_SCALE}", ylabel="")
    return figure


def growth(rows: pd.DataFrame, fitted: pd.DataFrame) -> Figure:
    """Draw every measured time against the quantity that was varied, with its fitted power law: a panel per quantity.

    `rows` has one row per measurement. Its columns are quantity (a key of GROWTH_LABELS), value, measure ("run", or
    "compile" for the time to compile the engine's program) and seconds. `fitted` is the result of
    `benchmark.growth_exponents`, with the columns quantity, measure, factor, exponent, and ci_low and ci_high of the
    exponent. Its law is seconds = factor * value ** exponent, a line on logarithmic axes.
    """
    figure, shown = panels([""] * 4, 2.45, 2)
    for panel, (quantity, label) in zip(shown, GROWTH_LABELS.items(), strict=True):
        part = rows[rows["quantity"] == quantity]
        panel.set_xscale("log")
        log_axis(panel.yaxis, part["seconds"].min() / 1.5, part["seconds"].max() * 1.5)
        for measure, color in (("run", ENGINE), ("compile", COMPILING)):
            found = part[part["measure"] == measure]
            law = fitted[(fitted["quantity"] == quantity) & (fitted["measure"] == measure)]
            if len(found):
                _draw_law(panel, found, law.iloc[0], color, is_open=measure == "compile")
        fixed_axis(panel.xaxis, np.unique(part["value"]))
        panel.set_xlabel(label)
    figure.supxlabel("both axes logarithmic", color=GREY)
    figure.supylabel("seconds")
    return figure


def _draw_times(
    panel: Axes, rows: pd.DataFrame, table: pd.DataFrame, column: str, names: list[str], style: Style
) -> None:
    """Draw the repeats `rows` above the median and quartiles in `column` of `table`, on an axis that begins at 0.

    `rows` has the columns activation and value, in the unit of `column`. `table` is `cost` of `costs`, indexed by
    activation. Row i belongs to activation i of `names`. An arrowhead in a row stands for repeats beyond the axis.
    """
    end = AXIS_END * np.nanmax([*table[f"{column}_q3"], *table[column], 0.0])
    places = rows["activation"].map(names.index) + 0.08
    is_slow = rows["value"] > end
    inside = rows[~is_slow]
    draw_run_points(panel, inside["value"], places[~is_slow], hue=inside["activation"], palette=style.palette(names))
    for place, name in enumerate(names):
        bounds = table.loc[name, [column, f"{column}_q1", f"{column}_q3"]].to_numpy(float)
        draw_estimate(panel, place + 0.18, bounds, style.line(name))
        if (rows.loc[is_slow, "activation"] == name).any():
            panel.plot([0.98 * end], [place - 0.15], marker=">", color=style.color(name), markersize=5)
    panel.set_xlim(0, end if end > 0 else 1)


def _draw_bytes(panel: Axes, table: pd.DataFrame, names: list[str], style: Style) -> None:
    """Draw a bar on `panel` for each of `names`: the bytes per element that are kept for the backward pass.

    `table` is `cost` of `costs`, indexed by activation. The filled part of a bar is the column other_bytes, and the
    open part output_bytes.
    """
    for place, name in enumerate(names):
        other, own = table.loc[name, ["other_bytes", "output_bytes"]].to_numpy(float)
        bar: dict[str, Any] = {"height": 0.5, "edgecolor": style.color(name), "linewidth": 1.2}
        panel.barh([place], [other], color=style.color(name), **bar)
        panel.barh([place], [own], left=[other], color="white", **bar)
        if other + own == 0:
            panel.text(0.02, place, "0", transform=panel.get_yaxis_transform(), va="center", color=GREY)
    panel.set_title("kept for backward\nbytes / element")
    panel.set_xlim(0, max(1.6 * np.nansum(table[["other_bytes", "output_bytes"]], axis=1).max(initial=0.0), 4.0))
    panel.set_xlabel("filled: other\nopen: own output")


def _contender_color(contender: str) -> str:
    return "black" if contender.startswith(PRODUCTS) else ENGINE if contender.startswith("engine") else GREY


def _draw_law(panel: Axes, found: pd.DataFrame, law: "pd.Series[float]", color: str, is_open: bool) -> None:
    """Draw the measurements `found` and their power `law`, and write its exponent with its interval above the panel.

    `found` has the columns value and seconds. `law` is a row of `fitted` in `growth`. Without a finite exponent, only
    the measurements are drawn. Markers are open if `is_open`, which is for compile times.
    """
    face = {"facecolor": "none", "edgecolor": color} if is_open else {"color": color}
    with unlabelled(panel):
        sns.scatterplot(found, x="value", y="seconds", s=18, alpha=0.7, linewidth=int(is_open), ax=panel, **face)
    if not np.isfinite(law["exponent"]):
        return
    ends = np.array([found["value"].min(), found["value"].max()], float)
    panel.plot(ends, law["factor"] * ends ** law["exponent"], color=color, linewidth=1.1)
    low, high = np.floor(100 * law["ci_low"]) / 100, np.ceil(100 * law["ci_high"]) / 100  # rounded outward
    bounds = f" [{low:z.2f}, {high:z.2f}]" if np.isfinite(low) else ""
    text = f"{'compiling' if is_open else 'runs'}: {law['exponent']:z.2f}{bounds}"
    panel.text(0, 1.12 if is_open else 1.02, text, transform=panel.transAxes, va="bottom", color=color)
