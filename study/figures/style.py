"""Give each activation one label, colour, marker and line style, and all figures one look."""

import functools
import logging
import math
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec

import matplotlib.style
import numpy as np
import numpy.typing as npt
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

P = ParamSpec("P")
FloatArray = npt.NDArray[np.float64]

# The study's activations, the registry's first four entries, share their colours with nobody. The others take
# turns with the other four colours, and differ by marker and line style too. Any two of the eight colours differ by a
# CIE76 distance of at least 15 under protanopia, deuteranopia and tritanopia.
STUDY_COLORS = ("#0173B2", "#D55E00", "#029E73", "#6A1B7A")
OTHER_COLORS = ("#E69F00", "#222222", "#7A4A12", "#A8327D")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
LINES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (6, 1.2, 1.2, 1.2)))
GREY = "#6B6B6B"  # what belongs to no activation

FONT = "DejaVu Sans"  # comes with matplotlib, so it is the same on every machine
MOST_CHARACTERS = 24  # of a label in a figure
DPI = 200  # pixels an inch
FIGURE_WIDTH = 6.3  # inches, the width of the text on an A4 page

RC: dict[str, Any] = {
    "figure.dpi": DPI,
    "font.family": FONT,
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
    """Hold each activation's `labels` text, as its author wrote it, and its `positions` in the registry, from 0."""

    labels: Mapping[str, str]
    positions: Mapping[str, int]

    def __post_init__(self) -> None:
        places = list(self.positions.values())
        if self.labels.keys() != self.positions.keys() or len(set(places)) < len(places) or min(places, default=0) < 0:
            raise ValueError(f"labels and positions must name the same activations, each at its own place: {self}")

    def order(self, names: Iterable[str]) -> list[str]:
        """Sort the distinct `names` by their place in the registry; refuse a name without a style."""
        found = set(names)
        if unknown := found - self.positions.keys():
            raise ValueError(f"activations without a style: {sorted(unknown)}; known: {sorted(self.positions)}")
        return sorted(found, key=self.positions.__getitem__)

    def label(self, name: str) -> str:
        """Return the label of `name` as matplotlib draws it literally, or the name if the font lacks a character."""
        shown = literal(self.labels[name])
        if lacking := "".join(sorted(set(shown) - _characters())):
            _say_once(f"figures show {name!r} for the label {shown!r}: the font {FONT} has no {lacking}")
        return literal(name) if lacking or not shown else shown

    def color(self, name: str) -> str:
        """Return the colour of `name` as #RRGGBB."""
        place, first = self.positions[name], len(STUDY_COLORS)
        return STUDY_COLORS[place] if place < first else OTHER_COLORS[(place - first) % len(OTHER_COLORS)]

    def marker(self, name: str) -> str:
        """Return the marker of `name`, in matplotlib's notation."""
        return MARKERS[self.positions[name] % len(MARKERS)]

    def line(self, name: str) -> dict[str, Any]:
        """Return colour, marker and line style of `name` as keywords of a matplotlib line."""
        turn = max(self.positions[name] - len(STUDY_COLORS), 0) // len(OTHER_COLORS)
        return {"color": self.color(name), "marker": self.marker(name), "linestyle": LINES[turn % len(LINES)]}

    def palette(self, names: Iterable[str]) -> dict[str, str]:
        """Return the colours of `names`."""
        return {name: self.color(name) for name in names}


def literal(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return `text` as one line of at most `most` characters, escaped so that matplotlib sees no mathematics.

    White space becomes one blank. A character that cannot be printed, such as a control, becomes U+FFFD.
    """
    words = " ".join(unicodedata.normalize("NFC", text).split())
    printable = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in words)
    if len(printable) > most:
        printable = printable[: most - 1].rstrip() + "…"
    return printable.replace("$", r"\$")


@functools.cache
def _characters() -> frozenset[str]:
    """Return every character that the figures' font can draw."""
    return frozenset(map(chr, font_manager.get_font(font_manager.findfont(FONT)).get_charmap()))


@functools.cache
def _say_once(notice: str) -> None:
    logging.getLogger(__name__).warning(notice)


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Wrap `draw` so that it ignores the user's rcParams, and lay its figure out once and for all."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.style.context(["default", RC]):
            figure = draw(*args, **kwargs)
            if engine := figure.get_layout_engine():
                engine.execute(figure)  # now, because each saved format would otherwise repeat it
                figure.set_layout_engine("none")
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
    """Make a figure of `rows` of panels, `height` inches each, with one column for each of `titles`.

    One legend above them names the activations `present`; `notes` follow their labels. The axes are (rows, columns).
    """
    names, headings = style.order(present), list(titles)
    labels = [style.label(name) + (notes or {}).get(name, "") for name in names]
    a_line = max(1, int(FIGURE_WIDTH / (0.65 + 0.085 * max(map(len, labels), default=1))))
    lines = math.ceil(len(names) / a_line)
    figure = Figure(figsize=(FIGURE_WIDTH, rows * height + 0.22 * lines + 0.5), layout="constrained")
    if names:
        handles = [Line2D([], [], **style.line(name)) for name in names]
        legend = figure.legend(handles, names, loc="outside upper center", ncols=math.ceil(len(names) / lines))
        for text, label in zip(legend.get_texts(), labels, strict=True):
            text.set_text(label)  # only now, because a legend drops labels that begin with an underscore
    axes = figure.subplots(rows, len(headings), squeeze=False)
    for panel, heading in zip(axes[0], headings, strict=True):
        panel.set_title(heading)
    return figure, axes


def grid(titles: list[str], columns: int, height: float, style: Style, *legend: Any) -> tuple[Figure, Any]:
    """Make a figure of one panel for each of `titles`, at most `columns` side by side; the axes are (titles,).

    `height` and `legend` are as in `panels`.
    """
    columns = max(1, min(len(titles), columns))
    figure, axes = panels(max(1, math.ceil(len(titles) / columns)), [""] * columns, height, style, *(legend or [()]))
    for panel, title in zip(axes.flat, titles, strict=False):
        panel.set_title(title)
    for panel in axes.flat[len(titles) :]:
        panel.remove()
    return figure, axes.flat[: len(titles)]
