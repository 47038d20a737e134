"""Draw the lines, points, intervals and notes that several figures share, on one panel.

A panel is one matplotlib Axes of a figure. Functions that take a panel draw on it and return nothing, if nothing else
is said. No interval is computed here: the columns ci_low and ci_high of the tables hold the bounds.
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from study.figures.axes import (
    ZERO_BAND,
    scientific,
)
from study.figures.style import GREY, Style

INTERVAL_COLUMNS = ["mean", "ci_low", "ci_high"]
MARKERS_PER_LINE = 6  # about
FEW_RUNS = 10  # runs at one place; if there are more, only their mean is drawn
WHITE_EDGE: dict[str, Any] = {"markeredgecolor": "white", "markeredgewidth": 0.4}  # of markers that overlap
GOLDEN_FRACTION = 0.618  # of the golden ratio; its multiples, modulo 1, are spread evenly over [0, 1]
# The look of lines that show a theory's prediction.
THEORY_LOOK: dict[str, Any] = {"color": "#B9B9B9", "linewidth": 4.5, "solid_capstyle": "butt", "zorder": 1.5}


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
    """Return a context in which seaborn does not label the axes of `panel` with column names, because labels are slow.

    Both axis labels are empty afterwards.
    """
    panel.set(xlabel=" ", ylabel=" ")
    yield
    panel.set(xlabel="", ylabel="")


def draw_lines(panel: Axes, rows: pd.DataFrame, x: str, style: Style, *, band: bool = True) -> None:
    """Draw the mean of each activation along column `x`, with its interval as a band, or as bars without `band`.

    `rows` has the columns activation, `x`, mean, ci_low and ci_high. A line breaks where its mean is NaN. With `band`,
    a line has about MARKERS_PER_LINE markers, and a point without neighbours has a bar instead of a band. The band of
    an infinite ci_high ends at 1e300. Without `band`, every point has a bar and a marker.
    """
    rows = rows.sort_values(x, kind="stable")
    gaps = rows["mean"].isna().groupby(rows["activation"]).cumsum()
    known = rows.assign(stretch=gaps)[rows["mean"].notna()]
    for _, part in known.groupby("stretch"):
        seaborn_lines(panel, part, x, "mean", style, estimator=None)
    if not band:
        return draw_intervals(panel, known, x, style)
    thin_markers(panel.lines)
    for name in style.order(known["activation"]):
        at, _, low, high = rows.loc[rows["activation"] == name, [x, *INTERVAL_COLUMNS]].to_numpy(float).T
        top = np.minimum(high, 1e300)  # an infinite corner cannot be drawn
        panel.fill_between(at, low, top, where=np.isfinite(low), color=style.color(name), alpha=0.17, linewidth=0)
    is_alone = known.groupby(["activation", "stretch"])[x].transform("size") == 1
    return draw_intervals(panel, known[is_alone & known["ci_low"].notna()], x, style)


def thin_markers(lines: Iterable[Line2D]) -> None:
    """Keep about MARKERS_PER_LINE markers on each of `lines`, at different points, because lines may coincide."""
    for place, line in enumerate(lines):
        stride = max(1, math.ceil(np.size(line.get_xdata()) / MARKERS_PER_LINE))
        line.set_markevery((int(stride * (place * GOLDEN_FRACTION % 1)), stride))


def draw_intervals(panel: Axes, rows: pd.DataFrame, x: str, style: Style) -> None:
    """Draw a vertical bar from ci_low to ci_high for each of `rows`, in the activation's colour.

    The column `x` holds the x coordinates. The bar of an infinite ci_high ends at 1e300.
    """
    colors = [style.color(name) for name in rows["activation"]]
    panel.vlines(rows[x], rows["ci_low"], np.minimum(rows["ci_high"], 1e300), colors=colors, linewidth=1, alpha=0.7)


def draw_run_dashes(panel: Axes, points: pd.DataFrame, style: Style) -> None:
    """Draw each run as a dash, wider than the marker of the mean.

    `points` has one row per run, with the columns activation, at (the x coordinate) and value (the y coordinate; NaN is
    not drawn). Draw nothing if an activation has more than FEW_RUNS runs at one place.
    """
    points = points.dropna(subset=["value"])
    if 0 < points.groupby(["activation", "at"]).size().max() <= FEW_RUNS:
        colors = style.palette(points["activation"])
        with unlabelled(panel):
            sns.scatterplot(
                points, x="at", y="value", hue="activation", palette=colors, marker="_", s=45, linewidth=0.9,
                legend=False, ax=panel,
            )  # fmt: skip


def mark_zeros(panel: Axes, rows: pd.DataFrame, x: str, style: Style) -> None:
    """Draw an open marker in the band of exact zeros, at the panel's bottom, for each of `rows` with n_zero above 0.

    The columns of `rows` are activation, `x`, n (seeds above 0) and n_zero (seeds at exactly 0). The marker's area
    grows with the share n_zero / (n + n_zero) of the seeds.
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


def mark_low_means(panel: Axes, rows: pd.DataFrame, x: str, style: Style) -> None:
    """Mark each activation that has a mean below the panel's y limits by a triangle near the panel's lower edge.

    The triangle stands at the `x` of the activation's lowest mean, and its label states that mean. `rows` has the
    columns activation, `x` and mean.
    """
    bottom, has_band = panel.get_ylim()[0], any(panel.yaxis.get_minorticklocs())
    far = rows[rows["mean"] < bottom].sort_values("mean").drop_duplicates("activation")
    for place, name in enumerate(style.order(far["activation"])):
        row, color = far[far["activation"] == name].iloc[0], style.color(name)
        height = 0.04 + 0.09 * place + ZERO_BAND * has_band
        panel.plot([row[x]], [height], marker="v", color=color, transform=panel.get_xaxis_transform())
        is_left = row[x] <= np.mean(panel.get_xlim())
        panel.annotate(
            f"to {scientific(row['mean'])}", (row[x], height), (6 if is_left else -6, 0), color=color, fontsize=8.5,
            xycoords=panel.get_xaxis_transform(), textcoords="offset points", va="center",
            ha="left" if is_left else "right",
        )  # fmt: skip


def draw_run_points(panel: Axes, values: Any, places: Any, height: float = 0.27, **colors: Any) -> None:
    """Draw a point for each of `values` (n,), x coordinates, a little above its row, at y = `places` (n,).

    The points of one row are spread over `height`, where 1 is the distance of two rows, so that equal values do not
    hide each other. `colors` are keywords of seaborn's scatterplot: `color`, or `hue` with `palette`.
    """
    if not len(values):
        return  # seaborn would warn of a palette without a colour
    at = np.asarray(places, float)
    turn = pd.Series(at).groupby(at).cumcount().to_numpy()
    spread = at - 0.06 - height * (turn * GOLDEN_FRACTION % 1)
    with unlabelled(panel):
        sns.scatterplot(x=values, y=spread, s=13, alpha=0.6, linewidth=0, legend=False, ax=panel, **colors)


def draw_estimate(panel: Axes, place: float, bounds: Any, line: dict[str, Any], *, is_open: bool = False) -> None:
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


def seed_count_text(counts: "pd.Series[Any]") -> str:
    """Return the text for an axis label about `counts` of seeds: "n = 5", or "n = 3 to 5" if they differ.

    Return "n = 0" if `counts` is empty or all NaN.
    """
    low, high = counts.min(), counts.max()
    return "n = 0" if math.isnan(low) else f"n = {low:g}" if low == high else f"n = {low:g} to {high:g}"


def check_unique(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return `rows` unchanged, after a check that no two rows have the same values in the columns `keys`.

    Raise ValueError if two rows do, or if a column "depth" that is not among `keys` has several values.
    """
    depths = sorted(set(rows["depth"])) if "depth" in rows and "depth" not in keys else []
    if len(depths) > 1:
        raise ValueError(f"depth is {depths}; select the rows of one depth")
    if rows.duplicated(keys).any():
        raise ValueError(f"rows repeat {', '.join(keys)}; select the rows of one setting (width, init, variant, ...)")
    return rows
