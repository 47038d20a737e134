"""The look of the figures: what stands for an activation, where an axis begins and ends, how a line is drawn.

An activation has one label, colour, marker and line style everywhere, from its place in the registry. `figures` says
what is drawn; here is how.
"""

import functools
import math
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec

import matplotlib.style
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from study.constants import CHANCE_LEVEL

P = ParamSpec("P")
FloatArray = npt.NDArray[np.float64]

# Neighbours stay apart under protanopia, deuteranopia and tritanopia (CIE76 distance at least 15, which a test computes
# after Machado et al. 2009). A ninth activation has the first one's colour with another marker and dashes: the three
# together are unlike up to the 72nd entry.
COLORS = ("#0173B2", "#D55E00", "#029E73", "#6A1B7A", "#E69F00", "#222222", "#7A4A12", "#A8327D")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
LINES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (6, 1.2, 1.2, 1.2)))

MOST_CHARACTERS = 24  # of a label in a figure
WIDTH = 6.3  # inches: the text of an A4 page. Shown 400 pixels wide, 10 points are 9 pixels
GREY = "#6B6B6B"  # of what belongs to no activation
RAIL = 0.13  # of a logarithmic panel's height, kept for exact zeros where there are any

RC: dict[str, Any] = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "figure.labelsize": 10,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.columnspacing": 1.4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
}


@dataclass(frozen=True)
class Style:
    """Per activation name: its `labels` text, as people wrote it, and its `positions` in the registry (from 0)."""

    labels: Mapping[str, str]
    positions: Mapping[str, int]

    def __post_init__(self) -> None:
        places = list(self.positions.values())
        if self.labels.keys() != self.positions.keys() or len(set(places)) < len(places) or min(places, default=0) < 0:
            raise ValueError(f"labels and positions must name the same activations, each at its own place: {self}")

    def order(self, names: Iterable[str]) -> list[str]:
        """The distinct `names` as the registry has them; a name without a style is refused."""
        found = set(names)
        if unknown := found - self.positions.keys():
            raise ValueError(f"activations without a style: {sorted(unknown)}; known: {sorted(self.positions)}")
        return sorted(found, key=self.positions.__getitem__)

    def label(self, name: str) -> str:
        """The label as matplotlib draws it literally."""
        return literal(self.labels[name]) or literal(name)

    def color(self, name: str) -> str:
        """As #RRGGBB."""
        return COLORS[self.positions[name] % len(COLORS)]

    def line(self, name: str) -> dict[str, Any]:
        """Colour, marker and line style as keywords of a matplotlib line."""
        place = self.positions[name]
        return {
            "color": self.color(name),
            "marker": MARKERS[place % len(MARKERS)],
            "linestyle": LINES[place // len(COLORS) % len(LINES)],
        }


def literal(text: str, most: int = MOST_CHARACTERS) -> str:
    """One line of at most `most` characters that matplotlib draws as it is written, mathematics and escapes included.

    White space becomes one blank; what cannot be printed (a control, half a surrogate pair), which no SVG may hold,
    becomes the replacement character. With every dollar sign escaped, matplotlib sees no mathematics.
    """
    words = " ".join(unicodedata.normalize("NFC", text).split())
    printable = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in words)
    if len(printable) > most:
        printable = printable[: most - 1].rstrip() + "…"
    return printable.replace("$", r"\$")


def marked(finite: npt.NDArray[np.bool_], place: int, about: int) -> list[int]:
    """Indices of the points of a line (n,) to mark: `about` so many, shifted by `place`, and all that stand alone."""
    found = np.flatnonzero(finite)
    stride = max(1, math.ceil(len(found) / about))
    start = int(stride * (place * 0.618 % 1))  # golden ratio: no two lines that coincide hide each other's markers
    return sorted({*found[start::stride].tolist(), *np.flatnonzero(alone(finite)).tolist()})


def alone(finite: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which finite points of a line (n,) have no finite neighbour, so that no line reaches them."""
    padded = np.pad(finite, 1)
    return finite & ~padded[:-2] & ~padded[2:]


def log_axis(means: FloatArray, bounds: FloatArray, rail: bool) -> tuple[tuple[float, float], float, list[float]]:
    """Limits, the top of the rail and ticks of a logarithmic axis that holds all `means` (n,) > 0, above a `rail`.

    The `bounds` (m,) > 0 of intervals move a limit by at most a decade or half the span of the means: three seeds can
    have an interval of thirty decades, which then leaves the panel. No means at all: no ticks.
    """
    low, high = np.log10([means.min(), means.max()]) if means.size else (-1.0, 0.0)
    reach = max(1.0, (high - low) / 2)
    if bounds.size:
        low, high = (
            max(low - reach, min(low, np.log10(bounds.min()))),
            min(high + reach, max(high, np.log10(bounds.max()))),
        )
    padding = max(0.05 * (high - low), 0.2 - 0.5 * (high - low))
    low, high = max(low - padding, -300.0), min(high + padding, 300.0)
    decades = np.arange(math.ceil(low), math.floor(high) + 1)
    stride = next(stride for stride in (1, 2, 5, 10, 20, 50, 100, 200) if len(decades) / stride <= 5)
    exponents = decades[decades % stride == 0].astype(float)
    if len(decades) < 3:
        series = [1, 2, 3, 5, 7] if high - low < 0.6 else [1, 2, 5] if high - low < 1.6 else [1, 3]
        fine = np.log10(series) + np.arange(math.floor(low), math.floor(high) + 1)[:, None]
        exponents = fine[(fine >= low) & (fine <= high)]
    exponents = exponents[exponents > low + rail * 0.07 * (high - low)]  # clear of the rail's own label
    ticks = (10.0**exponents).tolist() if means.size else []
    bottom = max(low - rail * RAIL / (1 - RAIL) * (high - low), -307.0)
    return (10**bottom, 10**high), 10**low, ticks


def power_of_ten(tick: float) -> str:
    """0.0002 as 2·10^-4, for matplotlib."""
    digit, exponent = f"{tick:.0e}".split("e")
    return (r"$10^{%d}$" if digit == "1" else rf"${digit}{{\cdot}}10^{{%d}}$") % int(exponent)


def accuracy_limits(typical: Any, shown: Any) -> tuple[float, float]:
    """In percent: from below the least typical accuracy to above the highest shown; from 0 where none learnt."""
    if typical.empty:
        return 0.0, 100.0
    if shown.max() < 100 * CHANCE_LEVEL:
        return 0.0, 150 * CHANCE_LEVEL  # a closer look would show noise
    room = max(shown.max() - typical.min(), 1.0)
    return max(0.0, typical.min() - room / 2), min(100.0, shown.max() + room / 8)


def stretches(values: FloatArray, bounds: FloatArray) -> list[tuple[float, float]]:
    """The part of an axis in percent that holds `values` (n,) and the `bounds` (m,) of intervals; NaN is neither.

    Two parts where more than half of it would be empty of values; a bound may then lie between them.
    """
    ordered = np.sort(values[np.isfinite(values)])
    if not ordered.size:
        return [(0.0, 100.0)]
    gaps = np.diff(ordered, prepend=ordered[0])
    widest = int(gaps.argmax())
    if gaps[widest] > max(5.0, (ordered[-1] - ordered[0]) / 2):
        parts = [ordered[:widest], ordered[widest:]]
    else:
        parts = [np.sort([*ordered, *bounds[np.isfinite(bounds)]])]
    margins = [max(0.07 * (part[-1] - part[0]), 0.15) for part in parts]
    return [(float(part[0] - margin), float(part[-1] + margin)) for part, margin in zip(parts, margins, strict=True)]


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw under matplotlib's defaults and the house's RC, whatever the user's own settings; these come back after."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.style.context(["default", RC]):
            figure = draw(*args, **kwargs)
            figure.draw_without_rendering()  # ticks are made at the first drawing, and must be made under this style
            return figure

    return drawn


def panels(
    rows: int,
    titles: Iterable[str],
    height: float,
    style: Style,
    present: Iterable[str],
    notes: Mapping[str, str] | None = None,
) -> tuple[Figure, Any]:
    """A figure of `rows` of panels, `height` inches each, a column a title, under one legend of those `present`.

    `notes` follow the labels in the legend. The axes are an array (rows, columns).
    """
    names, headings = style.order(present), list(titles)
    labels = [style.label(name) + (notes or {}).get(name, "") for name in names]
    a_line = max(1, int(WIDTH / (0.65 + 0.085 * max(map(len, labels), default=1))))
    lines = math.ceil(len(names) / a_line)
    figure = Figure(figsize=(WIDTH, rows * height + 0.22 * lines + 0.5), layout="constrained")
    if names:
        handles = [Line2D([], [], **style.line(name)) for name in names]
        legend = figure.legend(handles, names, loc="outside upper center", ncols=math.ceil(len(names) / lines))
        for text, label in zip(legend.get_texts(), labels, strict=True):
            text.set_text(label)  # only now, because a legend drops labels that begin with an underscore
    axes = figure.subplots(rows, len(headings), squeeze=False)
    for panel, heading in zip(axes[0], headings, strict=True):
        panel.set_title(heading)
    return figure, axes


def lines(panel: Axes, rows: pd.DataFrame, x: str, style: Style) -> None:
    """Mean and interval of each activation along column `x`."""
    parts = dict(list(rows.sort_values(x).groupby("activation")[[x, "mean", "ci_low", "ci_high"]]))
    for name in style.order(parts):
        at, mean, low, high = parts[name].to_numpy(float).T
        finite, high = np.isfinite(mean), np.minimum(high, 1e300)  # a bound may be infinite, a polygon's corner not
        line, known = style.line(name), np.isfinite(low)
        panel.plot(at, mean, **line, markevery=marked(finite, style.positions[name], 6))
        panel.fill_between(at, low, high, where=known, color=line["color"], alpha=0.17, linewidth=0)
        single = alone(finite) & known
        panel.vlines(at[single], low[single], high[single], color=line["color"], linewidth=1)


def logarithmic(panel: Axes, rows: pd.DataFrame) -> None:
    """A logarithmic axis that holds every mean of `rows`, above a rail if there are zeros."""
    means, bounds = rows["mean"].dropna().to_numpy(), rows[["ci_low", "ci_high"]].to_numpy(float).ravel()
    if (means <= 0).any():
        raise ValueError("a mean on a logarithmic axis must be above zero: exact zeros are counted in n_zero")
    has_zeros = bool((rows["n_zero"] > 0).any())
    limits, rail_top, ticks = log_axis(means, bounds[np.isfinite(bounds) & (bounds > 0)], has_zeros)
    panel.set_yscale("log")
    panel.set_ylim(limits)
    plain = all(1e-3 < tick < 1e4 for tick in ticks)
    labels = [f"{tick:g}" if plain else power_of_ten(tick) for tick in ticks]
    if has_zeros:
        ticks.append(float(np.sqrt(limits[0] * rail_top)))
        labels.append("exactly 0")
        panel.axhspan(limits[0], rail_top, color="#EFEFEF", linewidth=0, zorder=2.5)
    panel.set_yticks(ticks, labels)
    panel.yaxis.set_minor_locator(NullLocator())


def zeros(panel: Axes, rows: pd.DataFrame, x: str, style: Style) -> None:
    """Exact zeros as open markers on the rail, one lane an activation, as large as the share of seeds at zero."""
    rows = rows[rows["n_zero"] > 0]
    names = style.order(rows["activation"])
    for lane, name in enumerate(names):
        part, line = rows[rows["activation"] == name], style.line(name)
        share = part["n_zero"] / (part["n"] + part["n_zero"])
        panel.scatter(
            part[x],
            np.full(len(part), RAIL * (lane + 1) / (len(names) + 1)),
            s=8 + 20 * share,
            marker=line["marker"],
            facecolors="white",
            edgecolors=line["color"],
            transform=panel.get_xaxis_transform(),
            zorder=3,
        )


def step_axis(panel: Axes, last: int) -> None:
    """Training steps 0 to `last`: linear below 1, so that 0 has a place, and logarithmic above."""
    decades = [10**k for k in range(int(np.log10(max(last, 1))) + 1)]
    panel.set_xscale("symlog", linthresh=1, linscale=0.6)
    panel.set_xlim(-0.25, max(last, 1) * 1.5)
    panel.set_xticks([0, *decades[:: math.ceil(len(decades) / 3)]])
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(lambda step, _: f"{step:g}" if step < 1e4 else power_of_ten(step))


def norm_panel(panel: Axes, rows: pd.DataFrame, scale: pd.DataFrame, x: str, style: Style) -> None:
    """Norms along `x` on the logarithmic axis that holds those of `scale`."""
    logarithmic(panel, scale)
    lines(panel, rows, x, style)
    zeros(panel, rows, x, style)
    say_if_empty(panel, rows)


def say_if_empty(panel: Axes, rows: pd.DataFrame) -> None:
    """Say so where there is neither a mean nor a zero to draw."""
    if not (rows["mean"].notna() | (rows["n_zero"] > 0)).any():
        panel.text(0.5, 0.5, "not measured", transform=panel.transAxes, ha="center", va="center", color=GREY)
