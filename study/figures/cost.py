"""DataFrame -> Figure for what activations cost; as `study.figures.training`, in the same style."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from study.figures.rows import lane, rows_axis
from study.figures.style import GREY, WIDTH, Style, styled

TIMED = {
    "forward": ("forward, ns / element", 1e9, "forward_ns"),
    "forward_backward": ("forward + backward, ns / element", 1e9, "forward_backward_ns"),
    "step": ("training step, ms", 1e3, "step_ms"),
}
ROOM = 1.25  # times the largest upper quartile: what took longer is an arrowhead at the axis's end


@styled
def costs(timings: pd.DataFrame, cost: pd.DataFrame, style: Style, floor: str) -> Figure:
    """Time of an element, of a training step, and bytes kept for the backward pass: a row an activation.

    `timings`: activation, quantity (a key of TIMED), repeat, seconds; one tensor size. `cost`: activation, for each
    column of TIMED the median with <column>_q1 and <column>_q3, output_bytes, other_bytes. `floor` names the rows of
    `timings` that compute nothing: a dotted line at their median. Every repeat is a point, above the median with the
    quartiles.
    """
    table = cost.set_index("activation")
    names = style.order(table.index)
    figure = Figure(figsize=(WIDTH, 1.4 + 0.86 * max(len(names), 1)), layout="constrained")
    axes = figure.subplots(2, 2, sharey=True)
    for panel, (quantity, (title, factor, column)) in zip(axes.flat, TIMED.items(), strict=False):
        rows = timings[timings["quantity"] == quantity]
        _timed(panel, rows.assign(value=factor * rows["seconds"]), table, column, names, style)
        _floor(panel, factor * rows.loc[rows["activation"] == floor, "seconds"])
        panel.set_title(title)
    _bytes(axes[1, 1], table, names, style)
    for panel in axes.flat:
        rows_axis(panel, [style.label(name) for name in names])
        panel.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    return figure


def _timed(panel: Axes, rows: pd.DataFrame, table: pd.DataFrame, column: str, names: list[str], style: Style) -> None:
    """Every repeat above the median and quartiles, from 0 to a little beyond the slowest usual one."""
    end = ROOM * np.nanmax([*table[f"{column}_q3"], *table[column], 0.0])
    for place, name in enumerate(names):
        values, line = rows.loc[rows["activation"] == name, "value"].to_numpy(), style.line(name)
        bounds = table.loc[name, [column, f"{column}_q1", f"{column}_q3"]].to_numpy(float).tolist()
        lane(panel, place + 0.08, values[values <= end], bounds, line)
        if (values > end).any():
            panel.plot([0.98 * end], [place - 0.15], marker=">", color=line["color"], markersize=5)
    panel.set_xlim(0, end if end > 0 else 1)


def _floor(panel: Axes, seconds: "pd.Series[float]") -> None:
    if len(seconds):
        panel.axvline(float(seconds.median()), color=GREY, linestyle=":", linewidth=1.2, zorder=1)


def _bytes(panel: Axes, table: pd.DataFrame, names: list[str], style: Style) -> None:
    """Bars: bytes of other tensors, then of phi's own output."""
    for place, name in enumerate(names):
        other, own = table.loc[name, ["other_bytes", "output_bytes"]].to_numpy(float)
        bar: dict[str, Any] = {"height": 0.5, "edgecolor": style.color(name), "linewidth": 1.2}
        panel.barh([place], [other], color=style.color(name), **bar)
        panel.barh([place], [own], left=[other], color="white", **bar)
        if other + own == 0:
            panel.text(0.02, place, "0", transform=panel.get_yaxis_transform(), va="center", color=GREY)
    panel.set_title("kept for backward, bytes / element")
    panel.set_xlim(0, max(1.6 * np.nansum(table[["other_bytes", "output_bytes"]], axis=1).max(initial=0.0), 4.0))
    kinds = [Patch(facecolor=GREY, edgecolor=GREY), Patch(facecolor="white", edgecolor=GREY)]
    panel.legend(kinds, ["other", "own\noutput"], loc="upper right", fontsize=8.5, handlelength=1.2)
