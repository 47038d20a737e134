"""Draw the lines, points, intervals and notes that several figures share."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.figures.axes import ZERO_BAND, in_short, layer_axis, norm_axis
from study.figures.style import GREY, Style

ABOUT = 6  # markers on a line
WHITE_EDGE: dict[str, Any] = {"markeredgecolor": "white", "markeredgewidth": 0.4}  # of markers that overlap
NESTED_WIDTH, NARROWER = 2.1, 0.25  # points, of the first line; later ones are narrower, and hide none below
GOLDEN = 0.618  # steps of this part of a range, around and around, are spread evenly, and the same every time
THEORY: dict[str, Any] = {"color": "black", "linestyle": (0, (3.5, 2)), "linewidth": 1.1}


def seaborn_lines(panel: Axes, rows: pd.DataFrame, x: str, y: str, style: Style, **options: Any) -> None:
    """Draw a line for each activation of `rows` with seaborn's lineplot and its `options`, in the activation's look.

    With `units`="stretch", a column of `rows`, each stretch of an activation has a line of its own. Seaborn is not
    given markers and dashes: it would go through all pairs of a colour and a marker.
    """
    names, first = style.order(rows["activation"]), len(panel.lines)
    colors: dict[str, Any] = {"hue": "activation", "hue_order": names, "palette": style.palette(names)}
    with unlabelled(panel):
        sns.lineplot(rows, x=x, y=y, **colors, **options, legend=False, ax=panel)
    counts = rows.groupby("activation")["stretch"].nunique() if "units" in options else dict.fromkeys(names, 1)
    owners = [name for name in names for _ in range(counts[name])]
    drawn = [line for line in panel.lines[first:] if line.get_linestyle() != "None"]  # without bars of intervals
    for line, name in zip(drawn, owners, strict=True):
        width = NESTED_WIDTH / (1 + NARROWER * names.index(name))
        line.set(**style.line(name), **WHITE_EDGE, label=name, linewidth=width)


@contextmanager
def unlabelled(panel: Axes) -> Iterator[None]:
    """Keep seaborn from naming the axes after columns: that would make all ticks first, which is slow."""
    panel.set(xlabel=" ", ylabel=" ")
    yield
    panel.set(xlabel="", ylabel="")


def lines(panel: Axes, rows: pd.DataFrame, x: str, style: Style, *, band: bool = True) -> None:
    """Draw the mean of each activation along column `x`, with its interval as a band, or else as bars.

    `rows`: activation, `x`, mean, ci_low, ci_high. A line breaks where its mean is NaN. A point that stands alone has a
    bar instead of a band. Without a band every point has its marker.
    """
    rows = rows.sort_values(x, kind="stable")
    gaps = rows["mean"].isna().groupby(rows["activation"]).cumsum()
    known = rows.assign(stretch=gaps)[rows["mean"].notna()]
    if known.empty:
        return None
    broken: dict[str, Any] = {"units": "stretch"} if known["stretch"].any() else {}
    seaborn_lines(panel, known, x, "mean", style, estimator=None, **broken)
    if not band:
        return bars(panel, known, x, style)
    thin_markers(panel)
    for name in style.order(known["activation"]):
        at, _, low, high = rows.loc[rows["activation"] == name, [x, "mean", "ci_low", "ci_high"]].to_numpy(float).T
        top = np.minimum(high, 1e300)  # an infinite corner cannot be drawn
        panel.fill_between(at, low, top, where=np.isfinite(low), color=style.color(name), alpha=0.17, linewidth=0)
    is_alone = known.groupby(["activation", "stretch"])[x].transform("size") == 1
    return bars(panel, known[is_alone & known["ci_low"].notna()], x, style)


def thin_markers(panel: Axes) -> None:
    """Mark about ABOUT points of each line, at different places so that lines that coincide hide no marker."""
    for place, line in enumerate(panel.lines):
        stride = max(1, math.ceil(np.size(line.get_xdata()) / ABOUT))
        line.set_markevery((int(stride * (place * GOLDEN % 1)), stride))


def bars(panel: Axes, rows: pd.DataFrame, x: str, style: Style) -> None:
    """Draw the interval of each of `rows` as a vertical bar at column `x`, in the activation's colour."""
    colors = [style.color(name) for name in rows["activation"]]
    panel.vlines(rows[x], rows["ci_low"], np.minimum(rows["ci_high"], 1e300), colors=colors, linewidth=1.2)


def zeros(panel: Axes, rows: pd.DataFrame, x: str, style: Style) -> None:
    """Draw exact zeros as open markers in the bottom band; their size is the share of seeds at zero (`n_zero`)."""
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
    """Mark each activation with a mean below the panel by a triangle near the panel's lower edge.

    The triangle stands at the lowest mean along column `x`, and its label says that mean. `rows`: activation, `x`,
    mean.
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


def norm_panel(panel: Axes, rows: pd.DataFrame, scale: pd.DataFrame, x: str, style: Style) -> None:
    """Draw norms along column `x` on a logarithmic axis that holds the norms of `scale`; both as in `norm_axis`."""
    norm_axis(panel, scale)
    lines(panel, rows, x, style)
    zeros(panel, rows, x, style)
    say_if_empty(panel, rows)


def layer_panel(panel: Axes, rows: pd.DataFrame, scale: pd.DataFrame, depth: int, style: Style) -> None:
    """Draw norms over the layers of networks of `depth` hidden layers, as `norm_panel` does."""
    norm_panel(panel, rows, scale, "layer", style)
    layer_axis(panel, depth)
    below(panel, rows, "layer", style)


def run_points(panel: Axes, values: Any, places: Any, height: float = 0.27, **colors: Any) -> None:
    """Draw each run as a point at its `values` (n,), spread over `height` above its `places` (n,)."""
    if not len(values):
        return  # seaborn would warn of a palette without a colour
    at = np.asarray(places, float)
    turn = pd.Series(at).groupby(at).cumcount().to_numpy()
    spread = at - 0.06 - height * (turn * GOLDEN % 1)
    with unlabelled(panel):
        sns.scatterplot(x=values, y=spread, s=13, alpha=0.6, linewidth=0, legend=False, ax=panel, **colors)


def middle(panel: Axes, place: float, bounds: Any, line: dict[str, Any], *, is_open: bool = False) -> None:
    """Draw a middle and its interval, `bounds` (3,), as a marker on a horizontal bar at `place`; NaN is not drawn."""
    at, low, high = bounds
    panel.hlines(place, low, high, color=line["color"], linewidth=1.9)
    face = "white" if is_open else line["color"]
    edge = line["color"] if is_open else "white"
    panel.plot(
        [at], [place], **line | {"linestyle": ""}, markersize=6.5, markerfacecolor=face, markeredgecolor=edge,
        markeredgewidth=1.1 if is_open else 0.7,
    )  # fmt: skip


def legend(figure: Figure, entries: dict[str, Any]) -> None:
    """Name the artists of `entries` above the panels; a pair of artists is drawn over each other."""
    if entries:
        figure.legend([*entries.values()], [*entries], loc="outside upper center", ncols=len(entries))


def say_if_empty(panel: Axes, rows: pd.DataFrame) -> None:
    """Write "not measured" where `rows` hold neither a mean nor a zero."""
    if not (rows["mean"].notna() | (rows["n_zero"] > 0)).any():
        panel.text(0.5, 0.5, "not measured", transform=panel.transAxes, ha="center", va="center", color=GREY)


def absent(rows: pd.DataFrame, measures: Iterable[str] | None = None) -> dict[str, str]:
    """Return a note for the legend on each activation of `rows` that has nothing to draw, in `measures` if given."""
    drawn = rows["mean"].notna() | (rows["n_zero"] > 0)
    if measures is not None:
        drawn &= rows["measure"].isin(list(measures))
    return dict.fromkeys(set(rows["activation"]) - set(rows["activation"][drawn]), " (no data)")


def seeds(counts: "pd.Series[Any]") -> str:
    """Return the number of seeds in words, or its range."""
    low, high = counts.min(), counts.max()
    return "n = 0" if math.isnan(low) else f"n = {low:g}" if low == high else f"n = {low:g} to {high:g}"


def unique(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return `rows`; refuse two rows of the same `keys`, or several depths if `keys` does not include the depth."""
    depths = sorted(set(rows["depth"])) if "depth" in rows and "depth" not in keys else []
    if len(depths) > 1:
        raise ValueError(f"one depth a figure, got {depths}: one row per {', '.join(keys)} is needed")
    if rows.duplicated(keys).any():
        raise ValueError(f"one row per {', '.join(keys)} is needed: choose one setting (width, init, variant, ...)")
    return rows
