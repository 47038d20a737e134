"""Draw the lines, points, intervals and notes that several figures share, in one panel or in small multiples.

A panel is one matplotlib Axes of a figure. Functions that take a panel draw on it and return nothing, if nothing else
is said. No interval is computed here: the columns ci_low and ci_high of the tables hold the bounds.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from study.figures.axes import (
    X_LABELS,
    ZERO_BAND,
    errors,
    in_short,
    norm_axis,
    percent_axis,
    round_axis,
    x_axis,
)
from study.figures.style import GREY, Style, panels

INTERVAL = ["mean", "ci_low", "ci_high"]
ABOUT = 6  # markers on a line, about
FEW = 10  # runs at one place; if there are more, only their mean is drawn
WHITE_EDGE: dict[str, Any] = {"markeredgecolor": "white", "markeredgewidth": 0.4}  # of markers that overlap
GOLDEN = 0.618  # multiples of it, modulo 1, are spread evenly over [0, 1]
# The look of lines that show a theory's prediction.
THEORY: dict[str, Any] = {"color": "#B9B9B9", "linewidth": 4.5, "solid_capstyle": "butt", "zorder": 1.5}
Choice = tuple[str, Mapping[Any, str]]  # a column, and {value: title} of the values that are shown


def multiples(
    rows: pd.DataFrame, x: str, kind: str, style: Style, across: Choice, down: Choice | None = None, *,
    height: float = 2.1, columns: int = 3, shared: str = "", points: pd.DataFrame | None = None, **options: Any,
) -> tuple[Figure, dict[tuple[Any, Any], Axes]]:  # fmt: skip
    """Draw small multiples: a panel for each value of one column, or for each pair of values of two columns.

    `across` and `down` name columns of `rows`, and map the values that are shown to titles. `line_panel` draws the rows
    of each pair; `x`, `kind`, `points` and `options` are its arguments. `points` are selected by `across` alone. Return
    the figure and {(value of `down`, value of `across`): panel}; without `down`, its value is None.

    With `down`, each of its values has a row of panels. Without it, at most `columns` panels stand side by side. Each
    row of panels has this `height` in inches. A logarithmic scale is `shared` by all panels ("all"), by the panels of a
    column ("column"), or by none ("").
    """
    (column, titles), (line, headings) = across, down or ("", {None: ""})
    keys, wide = [(below, beside) for below in headings for beside in titles], len(titles) if down else columns
    named = [*titles.values(), *[""] * (len(keys) - len(titles))]
    figure, axes = panels(named, height, wide)
    wide = min(wide, len(named))
    for place, (panel, (below, beside)) in enumerate(zip(axes, keys, strict=False)):
        of_column = rows[rows[column] == beside]
        part = of_column[of_column[line] == below] if line else of_column
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
    points: pd.DataFrame | None = None, band: bool = True, apart: bool = False,
) -> None:  # fmt: skip
    """Draw the means of `rows` along column `x`, with their intervals, and set the axes of `panel`.

    `rows` has one row per activation and value of `x`: activation, `x`, mean, ci_low, ci_high; depth (hidden layers) if
    `x` is "layer"; and perhaps n and n_zero, the numbers of seeds above 0 and at exactly 0. `x` is as in `axes.x_axis`.

    `kind` is the kind of the y axis: "log", "linear", "percent" or "error". Means for "percent" and "error" are in
    [0, 1]. For "error" the percentage of errors is drawn, and the caller must call `axes.error_axis` afterwards. The
    axes hold the rows of `scale`, by default `rows`.

    `points` has one row per run: activation, `x`, value. Runs are dashes, drawn if no place has more than FEW. If
    `apart`, activations stand side by side at each x. `band` is as in `lines`.
    """
    rows, scale = (
        scaled(frame.assign(n_zero=frame.get("n_zero", 0)), kind) for frame in (rows, rows if scale is None else scale)
    )
    known = scale if rows.empty else rows
    x_axis(panel, x, known["depth"] + 1 if x == "layer" else scale[x])
    shift = side_by_side(scale, x, style) if apart else {}
    rows = rows.assign(at=rows[x] * rows["activation"].map(shift) if apart else rows[x])
    if kind == "log":
        norm_axis(panel, scale)
    if points is not None:
        at = points[x] * points["activation"].map(shift) if apart else points[x]
        run_ticks(panel, scaled(points, kind, ["value"]).assign(at=at), style)
    lines(panel, rows, "at", style, band=band)
    if kind == "log":
        zeros(panel, rows, "at", style)
        below(panel, rows, "at", style)
    elif kind == "percent":
        percent_axis(panel)
    elif kind == "linear":
        round_axis(panel.yaxis)
    say_if_empty(panel, rows)


def scaled(rows: pd.DataFrame, kind: str, columns: Iterable[str] = INTERVAL) -> pd.DataFrame:
    """Return `rows` with the values of `columns` as an axis of this `kind` shows them.

    For "percent" and "error" the values are fractions in [0, 1], and become percentages or, by `axes.errors`, errors
    in percent. For other kinds `rows` is returned unchanged.
    """
    if kind == "percent":
        return rows.assign(**{name: 100 * rows[name].astype(float).clip(0, 1) for name in columns})
    return rows.assign(**{name: errors(rows[name]) for name in columns}) if kind == "error" else rows


def side_by_side(rows: pd.DataFrame, x: str, style: Style) -> dict[str, float]:
    """Return {activation: factor}; the column `x` times the factor keeps activations apart on a logarithmic x axis.

    The factors are near 1: points of the same `x` stay nearer to each other than to the next value of `x` in `rows`.
    """
    names, grid = style.order(rows["activation"]), np.log10(np.unique(rows[x].to_numpy(float)))
    gap = min(0.36 * np.diff(grid).min(initial=0.5), 0.18) / max(len(names) - 1, 1)
    return {name: 10 ** (gap * (place - (len(names) - 1) / 2)) for place, name in enumerate(names)}


def seaborn_lines(panel: Axes, rows: pd.DataFrame, x: str, y: str, style: Style, **options: Any) -> None:
    """Draw `y` along `x` for each activation of `rows`, by seaborn's lineplot with `options`, in the activation's look.

    The label of a line is the name of its activation. Markers and dashes are set afterwards, because seaborn would
    otherwise try all pairs of a colour and a marker.
    """
    names, first = style.order(rows["activation"]), len(panel.lines)
    colors: dict[str, Any] = {"hue": "activation", "hue_order": names, "palette": style.palette(names)}
    with unlabelled(panel):
        sns.lineplot(rows, x=x, y=y, **colors, **options, legend=False, ax=panel)
    drawn = [line for line in panel.lines[first:] if line.get_linestyle() != "None"]  # without bars of intervals
    for line, name in zip(drawn, names, strict=True):
        line.set(**style.line(name), **WHITE_EDGE, label=name)


@contextmanager
def unlabelled(panel: Axes) -> Iterator[None]:
    """Return a context in which seaborn does not label the axes of `panel` with column names, because that is slow.

    Both axis labels are empty afterwards.
    """
    panel.set(xlabel=" ", ylabel=" ")
    yield
    panel.set(xlabel="", ylabel="")


def lines(panel: Axes, rows: pd.DataFrame, x: str, style: Style, *, band: bool = True) -> None:
    """Draw the mean of each activation along column `x`, with its interval as a band, or as bars without `band`.

    `rows`: activation, `x`, mean, ci_low, ci_high. A line breaks where its mean is NaN. With `band`, a line has about
    ABOUT markers, and a point without neighbours has a bar instead of a band. Without it, every point has a bar and a
    marker.
    """
    rows = rows.sort_values(x, kind="stable")
    gaps = rows["mean"].isna().groupby(rows["activation"]).cumsum()
    known = rows.assign(stretch=gaps)[rows["mean"].notna()]
    for _, part in known.groupby("stretch"):
        seaborn_lines(panel, part, x, "mean", style, estimator=None)
    if not band:
        return bars(panel, known, x, style)
    thin_markers(panel.lines)
    for name in style.order(known["activation"]):
        at, _, low, high = rows.loc[rows["activation"] == name, [x, *INTERVAL]].to_numpy(float).T
        top = np.minimum(high, 1e300)  # an infinite corner cannot be drawn
        panel.fill_between(at, low, top, where=np.isfinite(low), color=style.color(name), alpha=0.17, linewidth=0)
    is_alone = known.groupby(["activation", "stretch"])[x].transform("size") == 1
    return bars(panel, known[is_alone & known["ci_low"].notna()], x, style)


def thin_markers(lines: Iterable[Line2D]) -> None:
    """Keep about ABOUT markers on each of `lines`, at different points, so that coinciding lines hide no marker."""
    for place, line in enumerate(lines):
        stride = max(1, math.ceil(np.size(line.get_xdata()) / ABOUT))
        line.set_markevery((int(stride * (place * GOLDEN % 1)), stride))


def bars(panel: Axes, rows: pd.DataFrame, x: str, style: Style) -> None:
    """Draw a vertical bar from ci_low to ci_high at column `x` for each of `rows`, in the activation's colour."""
    colors = [style.color(name) for name in rows["activation"]]
    panel.vlines(rows[x], rows["ci_low"], np.minimum(rows["ci_high"], 1e300), colors=colors, linewidth=1, alpha=0.7)


def run_ticks(panel: Axes, points: pd.DataFrame, style: Style) -> None:
    """Draw each run as a dash, wider than the marker of the mean, if no activation has more than FEW runs at one place.

    `points` has one row per run: activation, at (its x coordinate), value (its y coordinate; NaN is not drawn).
    """
    points = points.dropna(subset=["value"])
    if 0 < points.groupby(["activation", "at"]).size().max() <= FEW:
        colors = style.palette(points["activation"])
        with unlabelled(panel):
            sns.scatterplot(
                points, x="at", y="value", hue="activation", palette=colors, marker="_", s=45, linewidth=0.9,
                legend=False, ax=panel,
            )  # fmt: skip


def zeros(panel: Axes, rows: pd.DataFrame, x: str, style: Style) -> None:
    """Draw an open marker in the band of exact zeros, at the panel's bottom, for each of `rows` with n_zero above 0.

    `rows`: activation, `x`, n (seeds above 0), n_zero (seeds at exactly 0). The marker's area grows with the share
    n_zero / (n + n_zero) of the seeds.
    """
    rows = rows[rows["n_zero"] > 0]
    names = style.order(rows["activation"])
    for place, name in enumerate(names):
        part = rows[rows["activation"] == name]
        panel.scatter(
            part[x],
            np.full(len(part), ZERO_BAND * (place + 1) / (len(names) + 1)),
            s=8 + 20 * part["n_zero"] / (part["n"] + part["n_zero"]),
            marker=style.marker(name),
            facecolors="white",
            edgecolors=style.color(name),
            transform=panel.get_xaxis_transform(),
            zorder=3,
        )


def below(panel: Axes, rows: pd.DataFrame, x: str, style: Style) -> None:
    """Mark each activation that has a mean below the panel's y limits by a triangle near the panel's lower edge.

    The triangle stands at the `x` of the lowest mean, and its label states that mean. `rows`: activation, `x`, mean.
    """
    bottom, has_band = panel.get_ylim()[0], any(panel.yaxis.get_minorticklocs())
    far = rows[rows["mean"] < bottom].sort_values("mean").drop_duplicates("activation")
    for place, name in enumerate(style.order(far["activation"])):
        row, color = far[far["activation"] == name].iloc[0], style.color(name)
        height = 0.04 + 0.09 * place + ZERO_BAND * has_band
        panel.plot([row[x]], [height], marker="v", color=color, transform=panel.get_xaxis_transform())
        is_left = row[x] <= np.mean(panel.get_xlim())
        panel.annotate(
            f"to {in_short(row['mean'])}", (row[x], height), (6 if is_left else -6, 0), color=color, fontsize=8.5,
            xycoords=panel.get_xaxis_transform(), textcoords="offset points", va="center",
            ha="left" if is_left else "right",
        )  # fmt: skip


def run_points(panel: Axes, values: Any, places: Any, height: float = 0.27, **colors: Any) -> None:
    """Draw a point for each of `values` (n,), x coordinates, a little above its row, at y = `places` (n,).

    The points of one row are spread over `height`, in rows, so that equal values do not hide each other. `colors` are
    keywords of seaborn's scatterplot: `color`, or `hue` with `palette`.
    """
    if not len(values):
        return  # seaborn would warn of a palette without a colour
    at = np.asarray(places, float)
    turn = pd.Series(at).groupby(at).cumcount().to_numpy()
    spread = at - 0.06 - height * (turn * GOLDEN % 1)
    with unlabelled(panel):
        sns.scatterplot(x=values, y=spread, s=13, alpha=0.6, linewidth=0, legend=False, ax=panel, **colors)


def middle(panel: Axes, place: float, bounds: Any, line: dict[str, Any], *, is_open: bool = False) -> None:
    """Draw an estimate as a marker, and its interval as a horizontal bar through the marker, at y = `place`.

    `bounds` (3,) are the estimate, and the low and high end of its interval; NaN is not drawn. `line` holds keywords of
    a matplotlib line, as `Style.line` returns them. The marker is white inside if `is_open`.
    """
    at, low, high = bounds
    panel.hlines(place, low, high, color=line["color"], linewidth=1.9)
    face = "white" if is_open else line["color"]
    edge = line["color"] if is_open else "white"
    panel.plot(
        [at], [place], **line | {"linestyle": ""}, markersize=6.5, markerfacecolor=face, markeredgecolor=edge,
        markeredgewidth=1.1 if is_open else 0.7,
    )  # fmt: skip


def say_if_empty(panel: Axes, rows: pd.DataFrame) -> None:
    """Write "not measured" on `panel` if no row of `rows` has a mean or an n_zero (seeds at exactly 0) above 0."""
    if not (rows["mean"].notna() | (rows["n_zero"] > 0)).any():
        panel.text(0.5, 0.5, "not measured", transform=panel.transAxes, ha="center", va="center", color=GREY)


def absent(rows: pd.DataFrame) -> dict[str, str]:
    """Return {activation: " (no data)"} for each activation of `rows` that has no mean and no seed at exactly 0.

    `rows`: activation, mean, and perhaps n_zero. `naming.name_lines` takes the result as its `notes`.
    """
    drawn = rows["mean"].notna() | (rows.get("n_zero", pd.Series(0, rows.index)) > 0)
    return dict.fromkeys(set(rows["activation"]) - set(rows["activation"][drawn]), " (no data)")


def seeds(counts: "pd.Series[Any]") -> str:
    """Return the text for an axis label about `counts` of seeds: "n = 5", or "n = 3 to 5" if they differ.

    Return "n = 0" if `counts` is empty or all NaN.
    """
    low, high = counts.min(), counts.max()
    return "n = 0" if math.isnan(low) else f"n = {low:g}" if low == high else f"n = {low:g} to {high:g}"


def unique(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return `rows` unchanged, after a check that no two rows have the same values in the columns `keys`.

    Raise ValueError if two rows do, or if a column "depth" that is not among `keys` has several values.
    """
    depths = sorted(set(rows["depth"])) if "depth" in rows and "depth" not in keys else []
    if len(depths) > 1:
        raise ValueError(f"one depth a figure, got {depths}: one row per {', '.join(keys)} is needed")
    if rows.duplicated(keys).any():
        raise ValueError(f"one row per {', '.join(keys)} is needed: choose one setting (width, init, variant, ...)")
    return rows
