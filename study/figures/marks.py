"""Draw by seaborn the means, intervals and runs of a table, on one panel or on a grid of panels.

A panel is one matplotlib Axes of a figure. Tables have a column activation, and `rows` of means the columns INTERVAL:
mean, ci_low and ci_high. No interval is computed here. `looks` maps each activation to keywords of a matplotlib line,
in the order of drawing.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from study.figures import axes
from study.figures.style import GREY, Looks, Style, panels

INTERVAL = ["mean", "ci_low", "ci_high"]
# Options of seaborn's lineplot: how intervals are drawn.
BAND: dict[str, Any] = {"err_style": "band", "err_kws": {"alpha": 0.17, "linewidth": 0}}
BARS: dict[str, Any] = {"err_style": "bars", "err_kws": {"fmt": "none", "zorder": 1.9, "elinewidth": 1}, "alpha": 0.7}
MARKERS_PER_LINE = 6  # about, on a line with a band
FEW_RUNS = 10  # runs at one place; if there are more, only their mean is drawn
WHITE_EDGE: dict[str, Any] = {"markeredgecolor": "white", "markeredgewidth": 0.4}  # of markers that overlap
GOLDEN_FRACTION = 0.618  # of the golden ratio; its multiples, modulo 1, are spread evenly over [0, 1]
# The look of lines that show a theory's prediction.
THEORY_LOOK: dict[str, Any] = {"color": "#B9B9B9", "linewidth": 4.5, "zorder": 1.5}

Choice = tuple[str, Mapping[Any, str]]  # a column, and {value: title} of the values that are shown


def call_seaborn(plot: Callable[..., Any], panel: Axes, rows: pd.DataFrame, looks: Looks, **options: Any) -> None:
    """Draw `rows` on `panel` by seaborn's function `plot`, in the colours of `looks`; remove the labels of the axes."""
    colors = {name: look["color"] for name, look in looks.items()}
    panel.set(xlabel=" ", ylabel=" ")  # because seaborn's labels are slow
    plot(rows, hue="activation", hue_order=list(looks), palette=colors, legend=False, ax=panel, **options)
    panel.set(xlabel="", ylabel="")


def draw_points(panel: Axes, points: pd.DataFrame, x: str, y: str, looks: Looks, **options: Any) -> None:
    """Draw each of `points` at (`x`, `y`), two of its columns, by seaborn's scatterplot with `options`; skip NaN."""
    points = points.dropna(subset=[x, y])
    if len(points):  # else seaborn would warn of a palette without a colour
        call_seaborn(sns.scatterplot, panel, points, looks, x=x, y=y, **options)


def draw_lines(panel: Axes, rows: pd.DataFrame, x: str, y: str, looks: Looks, **options: Any) -> list[Line2D]:
    """Draw `y` along `x` for each activation of `rows`, by seaborn's lineplot with `options`, and return the lines.

    The label of a line is its activation. With BAND, about MARKERS_PER_LINE of its points have a marker.
    """
    first, drawn = len(panel.lines), set(rows["activation"])
    call_seaborn(sns.lineplot, panel, rows, looks, x=x, y=y, **options)
    lines: list[Line2D] = list(panel.lines[first:])
    for place, (line, name) in enumerate(zip(lines, filter(drawn.__contains__, looks), strict=True)):
        line.set(**looks[name], **WHITE_EDGE, alpha=1, label=name)
        if options.get("err_style") == "band":  # markers at different points, because lines may coincide
            stride = max(1, math.ceil(np.size(line.get_xdata()) / MARKERS_PER_LINE))
            line.set_markevery((int(stride * (place * GOLDEN_FRACTION % 1)), stride))
    return lines


def draw_intervals(
    panel: Axes, rows: pd.DataFrame, along: str, looks: Looks, *, orient: str = "x", **options: Any
) -> list[Line2D]:
    """Draw the means of `rows` and their intervals by `draw_lines` with `options`, and return the lines.

    The values of the column `along` lie on the axis `orient`, "x" or "y". Rows without a mean are left out. For seaborn
    each row becomes three numbers: the first is the mean, and their range is the interval.
    """
    known = rows.sort_values(along, kind="stable").dropna(subset=["mean"])
    if known.empty:
        return []
    known.loc[known[INTERVAL].isna().any(axis=1), ["ci_low", "ci_high"]] = math.nan
    numbers = known.melt(["activation", along], INTERVAL)
    lowest = 1e-300 if panel.get_yscale() == "log" else -1e300  # a bound at 0 or infinity could not be drawn
    numbers["value"] = numbers["value"].astype(float).clip(lowest, 1e300)
    options |= {"estimator": lambda values: values.iloc[0], "errorbar": lambda values: (values.min(), values.max())}
    x, y = (along, "value") if orient == "x" else ("value", along)
    return draw_lines(panel, numbers, x, y, looks, orient=orient, sort=False, **options)


def draw_means(panel: Axes, rows: pd.DataFrame, x: str, looks: Looks, *, band: bool = True) -> None:
    """Draw the mean of each activation along column `x`, with its interval as a band, or as bars without `band`.

    A line breaks where its mean is NaN. With `band`, a point without neighbours has a bar instead.
    """
    rows = rows.sort_values(x, kind="stable")
    gaps = rows["mean"].isna().groupby(rows["activation"]).cumsum()
    known = rows.assign(stretch=gaps).dropna(subset=["mean"])
    is_alone = known.groupby(["activation", "stretch"])[x].transform("size") == 1
    for (_, has_bars), part in known.groupby(["stretch", is_alone | (not band)]):
        draw_intervals(panel, part, x, looks, **(BARS if has_bars else BAND))


def mark_zeros(panel: Axes, rows: pd.DataFrame, x: str, looks: Looks) -> None:
    """Draw an open marker in the band of exact zeros, at the panel's bottom, for each of `rows` with n_zero above 0.

    The columns n and n_zero count seeds above 0 and at exactly 0. The marker's area grows with the share of n_zero.
    """
    found = rows[rows["n_zero"] > 0]
    names = [name for name in looks if name in set(found["activation"])]
    for place, name in enumerate(names):
        part = found[found["activation"] == name]
        height = np.full(len(part), axes.ZERO_BAND * (place + 1) / (len(names) + 1))
        size = 8 + 20 * part["n_zero"] / (part["n"] + part["n_zero"])
        look = {"marker": looks[name]["marker"], "edgecolors": looks[name]["color"], "facecolors": "white", "zorder": 3}
        panel.scatter(part[x], height, size, **look, transform=panel.get_xaxis_transform())


def mark_low_means(panel: Axes, rows: pd.DataFrame, x: str, looks: Looks, lowest: float) -> None:
    """Mark each activation that has a mean below `lowest`, what the panel shows, by a triangle near the lower edge.

    The triangle stands at the `x` of the activation's lowest mean, and its label states that mean.
    """
    has_band = any(panel.yaxis.get_minorticklocs())
    far = rows[rows["mean"] < lowest].sort_values("mean").drop_duplicates("activation").set_index("activation")
    for place, name in enumerate(name for name in looks if name in far.index):
        (at, mean), color = far.loc[name, [x, "mean"]], looks[name]["color"]
        height, on_axis = 0.04 + 0.09 * place + axes.ZERO_BAND * has_band, panel.get_xaxis_transform()
        panel.plot([at], [height], marker="v", color=color, transform=on_axis)
        side, away = ("left", 6) if at <= np.mean(panel.get_xlim()) else ("right", -6)
        look = {"color": color, "fontsize": 8.5, "ha": side, "va": "center"}
        text = f"to {axes.scientific(mean)}"
        panel.annotate(text, (at, height), (away, 0), xycoords=on_axis, textcoords="offset points", **look)


def line_panel(
    panel: Axes, rows: pd.DataFrame, x: str, kind: str, style: Style, *, scale: pd.DataFrame | None = None,
    points: pd.DataFrame | None = None, band: bool = True, is_side_by_side: bool = False,
) -> None:  # fmt: skip
    """Draw the means of `rows` along column `x`, with their intervals, and set the axes of `panel`.

    `rows` has one row per activation and value of `x`, a key of `axes.X_LABELS`. It may have the columns n and n_zero,
    the numbers of seeds above 0 and at exactly 0. If `x` is "layer", it has the column depth (hidden layers). `kind` is
    the kind of the y axis: "log" and "linear", or for fractions in [0, 1] "percent" and "error". The caller of "error"
    must call `axes.error_axis` afterwards.

    A "log" axis, and the x axis unless `x` is "layer", span the rows of `scale`, by default `rows`. `points` has one
    row per run, with the columns activation, `x` and value. Runs are dashes, or not drawn if an activation has more
    than FEW_RUNS at one `x`. Intervals are bands, or bars without `band`. With `is_side_by_side`, activations stand
    side by side at each x.
    """
    frames = (rows, rows if scale is None else scale)
    rows, scale = (scaled(frame.assign(n_zero=frame.get("n_zero", 0)), kind) for frame in frames)
    looks, known = style.looks(scale["activation"]), scale if rows.empty else rows
    axes.x_axis(panel, x, known["depth"] + 1 if x == "layer" else scale[x])
    shift = side_by_side_factors(scale, x, style) if is_side_by_side else dict.fromkeys(looks, 1)
    lowest = axes.norm_axis(panel, scale) if kind == "log" else -math.inf
    if points is not None and points.groupby(["activation", x])["value"].count().max() <= FEW_RUNS:
        points = points.assign(at=points[x] * points["activation"].map(shift))
        draw_points(panel, scaled(points, kind, ["value"]), "at", "value", looks, marker="_", s=45, linewidth=0.9)
    rows = rows.assign(at=rows[x] * rows["activation"].map(shift))
    draw_means(panel, rows, "at", looks, band=band)
    if kind == "log":
        mark_zeros(panel, rows, "at", looks)
        mark_low_means(panel, rows, "at", looks, lowest)
    elif kind == "percent":
        panel.set(ylim=(-5, 105), yticks=(0, 25, 50, 75, 100))
        panel.yaxis.set_major_formatter(PercentFormatter())
    elif kind == "linear":
        axes.round_axis(panel.yaxis)
    say_if_empty(panel, rows)


def small_multiples(
    rows: pd.DataFrame, x: str, kind: str, style: Style, panel_choice: Choice, row_choice: Choice | None = None, *,
    height: float = 2.1, columns: int = 3, shared: str = "", points: pd.DataFrame | None = None, **options: Any,
) -> tuple[Figure, dict[tuple[Any, Any], Axes]]:  # fmt: skip
    """Draw a `line_panel` with `options` for each value of one column, or for each pair of values of two columns.

    `panel_choice` and `row_choice` each name a column of `rows`, and map the values that are shown to titles. `points`
    are selected by `panel_choice` alone. Return the figure and {(value of `row_choice`, value of `panel_choice`):
    panel}. Without `row_choice`, the first of each pair is None.

    Each value of `row_choice` has a row of panels. Without `row_choice`, at most `columns` panels stand side by side.
    Each row of panels has this `height` in inches. A logarithmic scale is `shared` by all panels ("all"), by the panels
    with the same value of `panel_choice` ("column"), or by no others ("").
    """
    (column, titles), (row_column, headings) = panel_choice, row_choice or ("", {None: ""})
    keys = [(below, beside) for below in headings for beside in titles]
    named = [*titles.values(), *[""] * (len(keys) - len(titles))]
    wide = min(len(titles) if row_choice else columns, len(named))
    figure, shown = panels(named, height, wide)
    for place, (panel, (below, beside)) in enumerate(zip(shown, keys, strict=False)):
        of_column = rows[rows[column] == beside]
        part = of_column[of_column[row_column] == below] if row_column else of_column
        dashes = None if points is None else points[points[column] == beside]
        scale = {"all": rows, "column": of_column}.get(shared, part)
        line_panel(panel, part, x, kind, style, scale=scale, points=dashes, **options)
        panel.tick_params(which="both", labelleft=place % wide == 0 or not (shared == "all" or kind == "percent"))
        panel.tick_params(labelbottom=place + wide >= len(keys))
        if place % wide == 0:
            panel.set_ylabel(headings[below])
    figure.supxlabel(axes.X_LABELS[x])
    return figure, dict(zip(keys, shown, strict=False))


def scaled(rows: pd.DataFrame, kind: str, columns: Sequence[str] = INTERVAL) -> pd.DataFrame:
    """Return `rows` with the values of `columns` as an axis of this `kind` shows them.

    For "percent" and "error" the values are fractions in [0, 1], and become percentages or, by `axes.error_percent`,
    errors in percent. Other kinds change nothing.
    """
    if kind == "percent":
        return rows.assign(**{name: 100 * rows[name].astype(float).clip(0, 1) for name in columns})
    return rows.assign(**{name: axes.error_percent(rows[name]) for name in columns}) if kind == "error" else rows


def side_by_side_factors(rows: pd.DataFrame, x: str, style: Style) -> dict[str, float]:
    """Return {activation: factor}; the column `x` times the factor keeps activations apart on a logarithmic x axis.

    The factors are near 1: points of the same `x` stay nearer to each other than to the next `x` in `rows`.
    """
    names, grid = style.order(rows["activation"]), np.log10(np.unique(rows[x].to_numpy(float)))
    gap = min(0.36 * np.diff(grid).min(initial=0.5), 0.18) / max(len(names) - 1, 1)
    return {name: 10 ** (gap * (place - (len(names) - 1) / 2)) for place, name in enumerate(names)}


def say_if_empty(panel: Axes, rows: pd.DataFrame) -> None:
    """Write "not measured" on `panel` if no row of `rows` has a mean or an n_zero (seeds at exactly 0) above 0."""
    if not (rows["mean"].notna() | (rows["n_zero"] > 0)).any():
        panel.text(0.5, 0.5, "not measured", transform=panel.transAxes, ha="center", va="center", color=GREY)


def seed_count_text(counts: "pd.Series[Any]") -> str:
    """Return a text about `counts` of seeds: "n = 5", or "n = 3 to 5" if they differ, or "n = 0" if all are NaN."""
    low, high = counts.min(), counts.max()
    return "n = 0" if math.isnan(low) else f"n = {low:g}" if low == high else f"n = {low:g} to {high:g}"


def check_unique(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return `rows`; raise ValueError if two rows have the same values in the columns `keys`.

    Raise ValueError also if a column depth that is not among `keys` has several values.
    """
    depths = sorted(set(rows["depth"])) if "depth" in rows and "depth" not in keys else []
    if len(depths) > 1:
        raise ValueError(f"depth is {depths}; select the rows of one depth")
    if rows.duplicated(keys).any():
        raise ValueError(f"rows repeat {', '.join(keys)}; select the rows of one setting (width, init, variant, ...)")
    return rows
