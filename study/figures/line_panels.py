"""Draw means with their intervals along a column, with the axes they need: one panel, or small multiples of it."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.figures.axes import X_LABELS, error_percent, norm_axis, percent_axis, round_axis, x_axis
from study.figures.marks import INTERVAL_COLUMNS, draw_lines, draw_run_dashes, mark_low_means, mark_zeros, say_if_empty
from study.figures.style import Style, panels

Choice = tuple[str, Mapping[Any, str]]  # a column, and {value: title} of the values that are shown


def small_multiples(
    rows: pd.DataFrame, x: str, kind: str, style: Style, panel_choice: Choice, row_choice: Choice | None = None, *,
    height: float = 2.1, columns: int = 3, shared: str = "", points: pd.DataFrame | None = None, **options: Any,
) -> tuple[Figure, dict[tuple[Any, Any], Axes]]:  # fmt: skip
    """Draw small multiples: a panel for each value of one column, or for each pair of values of two columns.

    `panel_choice` and `row_choice` each name a column of `rows`, and map the values that are shown to titles.
    `line_panel` draws the rows of each pair of values. `x`, `kind`, `points` and `options` are its arguments; `points`
    are selected by `panel_choice` alone. Return the figure and {(value of `row_choice`, value of `panel_choice`):
    panel}. Without `row_choice`, its value is None.

    Each value of `row_choice` has a row of panels. Without `row_choice`, at most `columns` panels stand side by side.
    Each row of panels has this `height` in inches. A logarithmic scale is `shared` by all panels ("all"), by the panels
    of a column ("column"), or by no others ("").
    """
    (column, titles), (row_column, headings) = panel_choice, row_choice or ("", {None: ""})
    keys, wide = [(below, beside) for below in headings for beside in titles], len(titles) if row_choice else columns
    named = [*titles.values(), *[""] * (len(keys) - len(titles))]
    figure, axes = panels(named, height, wide)
    wide = min(wide, len(named))
    for place, (panel, (below, beside)) in enumerate(zip(axes, keys, strict=False)):
        of_column = rows[rows[column] == beside]
        part = of_column[of_column[row_column] == below] if row_column else of_column
        dashes = None if points is None else points[points[column] == beside]
        scale = {"all": rows, "column": of_column}.get(shared, part)
        line_panel(panel, part, x, kind, style, scale=scale, points=dashes, **options)
        panel.tick_params(which="both", labelleft=place % wide == 0 or not (shared == "all" or kind == "percent"))
        panel.tick_params(labelbottom=place + wide >= len(keys))
        if place % wide == 0:
            panel.set_ylabel(headings[below])
    figure.supxlabel(X_LABELS[x])
    return figure, dict(zip(keys, axes, strict=False))


def line_panel(
    panel: Axes, rows: pd.DataFrame, x: str, kind: str, style: Style, *, scale: pd.DataFrame | None = None,
    points: pd.DataFrame | None = None, band: bool = True, is_side_by_side: bool = False,
) -> None:  # fmt: skip
    """Draw the means of `rows` along column `x`, with their intervals, and set the axes of `panel`.

    `rows` has one row per activation and value of `x`, with the columns activation, `x`, mean, ci_low and ci_high. If
    `x` is "layer", there is also the column depth (hidden layers). The columns n and n_zero, the numbers of seeds above
    0 and at exactly 0, may be missing if no seed is at 0. `x` is as in `axes.x_axis`.

    `kind` is the kind of the y axis: "log", "linear", "percent" or "error". Means for "percent" and "error" are in [0,
    1]. For "error" the percentage of errors is drawn, and the caller must call `axes.error_axis` afterwards. The axes
    hold the rows of `scale`, by default `rows`.

    `points` has one row per run, with the columns activation, `x` and value. `draw_run_dashes` draws each run as a
    dash. If `is_side_by_side`, the activations stand side by side at each x. `band` is as in `draw_lines`.
    """
    rows, scale = (
        scaled(frame.assign(n_zero=frame.get("n_zero", 0)), kind) for frame in (rows, rows if scale is None else scale)
    )
    known = scale if rows.empty else rows
    x_axis(panel, x, known["depth"] + 1 if x == "layer" else scale[x])
    shift = side_by_side_factors(scale, x, style) if is_side_by_side else {}
    rows = rows.assign(at=rows[x] * rows["activation"].map(shift) if is_side_by_side else rows[x])
    if kind == "log":
        norm_axis(panel, scale)
    if points is not None:
        at = points[x] * points["activation"].map(shift) if is_side_by_side else points[x]
        draw_run_dashes(panel, scaled(points, kind, ["value"]).assign(at=at), style)
    draw_lines(panel, rows, "at", style, band=band)
    if kind == "log":
        mark_zeros(panel, rows, "at", style)
        mark_low_means(panel, rows, "at", style)
    elif kind == "percent":
        percent_axis(panel)
    elif kind == "linear":
        round_axis(panel.yaxis)
    say_if_empty(panel, rows)


def scaled(rows: pd.DataFrame, kind: str, columns: Iterable[str] = INTERVAL_COLUMNS) -> pd.DataFrame:
    """Return `rows` with the values of `columns` as an axis of this `kind` shows them.

    For "percent" and "error" the values are fractions in [0, 1], and become percentages or, by `axes.error_percent`,
    errors in percent. For other kinds `rows` is returned unchanged.
    """
    if kind == "percent":
        return rows.assign(**{name: 100 * rows[name].astype(float).clip(0, 1) for name in columns})
    return rows.assign(**{name: error_percent(rows[name]) for name in columns}) if kind == "error" else rows


def side_by_side_factors(rows: pd.DataFrame, x: str, style: Style) -> dict[str, float]:
    """Return {activation: factor}; the column `x` times the factor keeps activations apart on a logarithmic x axis.

    The factors are near 1: points of the same `x` stay nearer to each other than to the next `x` in `rows`.
    """
    names, grid = style.order(rows["activation"]), np.log10(np.unique(rows[x].to_numpy(float)))
    gap = min(0.36 * np.diff(grid).min(initial=0.5), 0.18) / max(len(names) - 1, 1)
    return {name: 10 ** (gap * (place - (len(names) - 1) / 2)) for place, name in enumerate(names)}
