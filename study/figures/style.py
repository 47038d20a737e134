"""Give each activation one label, colour, marker and line style, and all figures one look."""

import functools
import logging
import math
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# A look is a colour, marker, line style and line width. The study's four activations always have the first looks.
# Other activations take the remaining looks in the order of the registry. FIXED_LOOKS names the four.
# tests/figures/test_style.py says how far apart the colours are for colour-blind eyes and in grey.
FIXED_LOOKS = ("relu", "sigmoid", "gelu", "swish")
COLORS = (
    "#0661A4", "#C95800", "#00AA78", "#521054",
    "#988D4A", "#9B5778", "#7680B2", "#842F38", "#293495", "#770100", "#350063", "#3F0213",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "d", "p", "h")
LINE_STYLES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (6, 1.2, 1.2, 1.2)))
GREY = "#6B6B6B"  # of texts and lines that belong to no activation
# In points. A look's line is narrower by LINE_STEP than the one before, down to the narrowest: a line below shows.
WIDEST_LINE, LINE_STEP, NARROWEST_LINE = 2.1, 0.25, 1.1

FONT = "DejaVu Sans"  # comes with matplotlib, so it is the same on every machine
MOST_CHARACTERS = 24  # in a label
DPI = 200  # pixels an inch
FIGURE_WIDTH = 6.3  # inches, the width of the text on an A4 page

# The rcParams in which the figures of the study differ from the defaults of matplotlib.
RC: dict[str, Any] = {
    "figure.dpi": DPI,
    "font.family": FONT,
    "axes.titlesize": 10,
    "figure.labelsize": 10,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
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
    "lines.markersize": 4.5,
    "lines.solid_capstyle": "butt",  # an interval ends where its bound lies, not half a line width later
}
Looks = Mapping[str, Mapping[str, Any]]  # {activation: keywords of a matplotlib line}, in the order of drawing


@dataclass(frozen=True)
class Style:
    """Give each activation its label and its look; raise ValueError for contradictory `labels` and `positions`.

    `labels` maps each activation's name to the text that its author wrote. `positions` maps it to its place in the
    registry, from 0.
    """

    labels: Mapping[str, str]
    positions: Mapping[str, int]

    def __post_init__(self) -> None:
        places = list(self.positions.values())
        if self.labels.keys() != self.positions.keys() or len(set(places)) < len(places) or min(places, default=0) < 0:
            raise ValueError(f"labels and positions must name the same activations, each at its own place: {self}")

    def order(self, names: Iterable[str]) -> list[str]:
        """Return the distinct `names` in the order of the registry; raise ValueError for a name without a position."""
        found = set(names)
        if unknown := found - self.positions.keys():
            raise ValueError(f"activations without a style: {sorted(unknown)}; known: {sorted(self.positions)}")
        return sorted(found, key=self.positions.__getitem__)

    def label(self, name: str) -> str:
        """Return the `literal` label of `name`, or `name` itself if the label is empty or the font lacks a character.

        Log a warning of such characters, once for each label.
        """
        shown = literal(self.labels[name])
        if lacking := "".join(sorted(set(shown) - _font_characters())):
            _warn_once(f"figures show {name!r} for the label {shown!r}: the font {FONT} has no {lacking}")
        return literal(name) if lacking or not shown else shown

    def line(self, name: str) -> dict[str, Any]:
        """Return a dict of keywords of a matplotlib line for `name`: color, marker, linestyle and linewidth.

        Activations in FIXED_LOOKS have the first COLORS. Others take the rest in turn. Each time these start again, the
        line style changes.
        """
        others = [other for other in self.order(self.positions) if other not in FIXED_LOOKS]
        first = len(FIXED_LOOKS)
        look = FIXED_LOOKS.index(name) if name in FIXED_LOOKS else first + others.index(name)
        turn, place = divmod(max(look - first, 0), len(COLORS) - first)
        return {
            "color": COLORS[look if look < first else first + place],
            "marker": MARKERS[look % len(MARKERS)],
            "linestyle": LINE_STYLES[turn % len(LINE_STYLES)],
            "linewidth": max(WIDEST_LINE - LINE_STEP * look, NARROWEST_LINE),
        }

    def color(self, name: str) -> str:
        """Return the colour of `name` as "#RRGGBB"."""
        return str(self.line(name)["color"])

    def marker(self, name: str) -> str:
        """Return the marker of `name`, in matplotlib's notation."""
        return str(self.line(name)["marker"])

    def looks(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return {name: `line(name)`} for the distinct `names`, in the order of the registry."""
        return {name: self.line(name) for name in self.order(names)}


def literal(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return `text` as one line of at most `most` characters, escaped so that matplotlib sees no mathematics.

    White space becomes one blank, and a character that cannot be printed U+FFFD. A longer text ends with an ellipsis.
    The backslash before a dollar sign is not counted.
    """
    words = " ".join(unicodedata.normalize("NFC", text).split())
    printable = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in words)
    if len(printable) > most:
        printable = printable[: most - 1].rstrip() + "…"
    return printable.replace("$", r"\$")


@functools.cache
def _font_characters() -> frozenset[str]:
    return frozenset(map(chr, font_manager.get_font(font_manager.findfont(FONT)).get_charmap()))


@functools.cache
def _warn_once(notice: str) -> None:
    logging.getLogger(__name__).warning(notice)


def panels(titles: Iterable[str], height: float, columns: int = 3) -> tuple[Figure, list[Axes]]:
    """Return a figure with one panel for each of `titles`, at least one, and the list of these panels, row by row.

    At most `columns` panels stand side by side. Each row of panels has this `height` in inches.
    """
    headings = list(titles) or [""]
    columns = min(len(headings), columns)
    rows = math.ceil(len(headings) / columns)
    figure = Figure(figsize=(FIGURE_WIDTH, rows * height + 0.5), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, heading in zip(grid, headings, strict=False):
        panel.set_title(heading)
    for panel in grid[len(headings) :]:
        panel.remove()
    return figure, list(grid[: len(headings)])
