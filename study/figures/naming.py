"""Write the name of each line beside the line without covering anything, or make a legend if the names do not fit."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from study.figures.style import FIGURE_WIDTH, FloatArray, Style

MOST_NAMED = 6  # activations whose names are written beside lines; if there are more, a legend names them
NAME_SIZE = 9  # points
POINTS_TRIED = 30  # along each line; a name is tried on all SIDES of each point
DISTANCES = (7, 20)  # pixels between a name and its line
FAR_ENOUGH = 60.0  # pixels from a name to other lines; a larger distance counts as this one
INK_BRIGHTNESS = 200  # of 255; a name must not cover darker pixels; grids and bands are lighter
# Directions (x, y) from a point of a line to its name: the eight sides and corners of the point.
SIDES = np.array([(x, y) for y in (0, -1, 1) for x in (1, -1, 0) if x or y])


def name_lines(
    figure: Figure, panels: Iterable[Axes], style: Style, names: Iterable[str],
    notes: Mapping[str, str] | None = None, *, is_named: bool = False,
) -> None:  # fmt: skip
    """Write the name of each activation in `names` beside its line, or make a legend above the panels.

    Names are written on the first of `panels` where all of them find a place. Make a legend instead if no panel has a
    place for all names, if there are more than MOST_NAMED activations, or if there are `notes`. `notes` maps
    activations to texts that follow their labels. A line is found by its label in matplotlib, which must be the
    activation's name.

    If `is_named`, the figure also names its lines elsewhere, so a missing name does no harm. Then make no legend, and
    write on every panel the names that fit. If there are more than MOST_NAMED activations, or `notes`, write none. Call
    this function last, because it computes the layout of the figure.
    """
    order, said = style.order(names), notes or {}
    texts = {name: style.label(name) + said.get(name, "") for name in order}
    if 0 < len(order) <= MOST_NAMED and not said:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # type: ignore[no-untyped-call]
        ink = np.asarray(canvas.buffer_rgba())[::-1, :, :3].min(axis=2) < INK_BRIGHTNESS  # type: ignore[no-untyped-call]
        for panel in panels:
            if _write_names(panel, texts, ink.copy(), style, may_omit=is_named) and not is_named:
                return
    if order and not is_named:
        legend(figure, texts, style)


def legend(figure: Figure, texts: Mapping[str, str], style: Style) -> None:
    """Add a legend above the panels of `figure`, and make the figure 0.22 inches higher for each line of the legend.

    `texts` maps each activation to its text in the legend.
    """
    entries_per_line = max(1, int(FIGURE_WIDTH / (0.65 + 0.085 * max(map(len, texts.values())))))
    line_count = math.ceil(len(texts) / entries_per_line)
    figure.set_figheight(figure.get_figheight() + 0.22 * line_count)
    handles = [Line2D([], [], **style.line(name)) for name in texts]
    found = figure.legend(handles, list(texts), loc="outside upper center", ncols=math.ceil(len(texts) / line_count))
    for shown, text in zip(found.get_texts(), texts.values(), strict=True):
        shown.set_text(text)  # only now, because a legend drops labels that begin with an underscore


def _write_names(panel: Axes, texts: Mapping[str, str], ink: Any, style: Style, *, may_omit: bool) -> bool:
    """Write the names `texts`, by activation, on `panel` beside their lines, and tell whether that succeeded.

    A name covers no pixel where `ink` (height, width; bottom row first) is True. Set the pixels that it covers to True.
    If a name finds no place, leave it out if `may_omit`. Otherwise remove all names and return False.
    """
    drawn, written = {name: _line_points(panel, name) for name in texts}, []
    for name, text in texts.items():
        artist = panel.text(0, 0, text, color=style.color(name), fontsize=NAME_SIZE, transform=None, va="bottom")
        artist.set(path_effects=[withStroke(linewidth=2.0, foreground="white")], in_layout=False)
        written.append(artist)
        size = np.ceil(artist.get_window_extent().size).astype(int)
        others = np.concatenate([np.empty((0, 2)), *(drawn[other] for other in drawn if other != name)])
        corner = _free_corner(drawn[name], others, ink, size, panel.get_window_extent().extents)
        if corner is None:
            for lost in [artist] if may_omit else written:
                lost.remove()
            if not may_omit:
                return False
            continue
        ink[corner[1] : corner[1] + size[1], corner[0] : corner[0] + size[0]] = True
        artist.set(transform=panel.transAxes, position=panel.transAxes.inverted().transform(corner))
    return True


def _free_corner(own: FloatArray, others: FloatArray, ink: Any, size: Any, frame: Any) -> Any:
    """Return the lower left corner (2,) of a free place for a box beside the line `own` (n, 2).

    All lengths are in pixels, and `size` (2,) is the box's width and height. The box lies within `frame` (x0, y0, x1,
    y1). Neither the box nor a margin around it covers a pixel where `ink` (height, width) is True. Prefer a place far
    from the points `others` (m, 2), near the line, and near the line's end. Return None if no place is free.
    """
    if not len(own):
        return None
    along = own[np.linspace(len(own) - 1, 0, POINTS_TRIED).astype(int)]
    far, at, side = (
        part.ravel() for part in np.meshgrid(DISTANCES, range(POINTS_TRIED), range(len(SIDES)), indexing="ij")
    )
    anchors = along[at]
    low = (anchors + (SIDES[side] - 1) / 2 * size + SIDES[side] * far[:, None]).round().astype(int)
    from_anchor, from_box = _distances(anchors, anchors, others), _distances(low, low + size, others)
    is_free = (low >= frame[:2]).all(axis=1) & (low + size <= frame[2:]).all(axis=1)
    # Where lines coincide, a name at the smaller distance may be as near to the other line.
    is_free &= from_box >= np.where((from_anchor < far) & (far == DISTANCES[0]), 0, far)
    sums = ink.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32)
    counts, margin = np.pad(sums, ((1, 0), (1, 0))), DISTANCES[0] - 2
    most = np.array([[ink.shape[1]], [ink.shape[0]]])
    (x0, y0), (x1, y1) = (np.clip(edge.T, 0, most) for edge in (low - margin, low + size + margin))
    is_free &= counts[y1, x1] - counts[y0, x1] - counts[y1, x0] + counts[y0, x0] == 0
    return low[np.where(is_free, from_box + from_anchor - far, -np.inf).argmax()] if is_free.any() else None


def _distances(low: Any, high: Any, points: FloatArray) -> FloatArray:
    """Return the distances (n,) in pixels from each box to the nearest of `points` (m, 2), at most FAR_ENOUGH.

    `low` and `high` (n, 2) are the lower left and upper right corners of the boxes.
    """
    apart = np.clip(points[None], low[:, None], high[:, None]) - points[None]
    return np.asarray(np.hypot(apart[..., 0], apart[..., 1]).min(axis=1, initial=FAR_ENOUGH))


def _line_points(panel: Axes, name: str) -> FloatArray:
    """Return points (n, 2) in pixels along the first line of `panel` whose label is the activation's name `name`.

    The points are evenly spaced from one end of the line to the other, at most DISTANCES[0] pixels apart. NaN and
    infinite points of the line are skipped, and the gap is bridged. Coordinates are clipped to [-10,000, 10,000]
    pixels. If no line has the label, or none of its points is finite, n is 0.
    """
    for line in panel.lines:
        if line.get_label() == name:
            corners = line.get_transform().transform(np.asarray(line.get_xydata(), float))
            corners = np.clip(corners[np.isfinite(corners).all(axis=1)], -1e4, 1e4)
            if not len(corners):
                break
            length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
            at = np.linspace(0, length[-1], math.ceil(length[-1] / DISTANCES[0]) + 1)
            return np.column_stack([np.interp(at, length, axis) for axis in corners.T])
    return np.empty((0, 2))


def no_data_notes(rows: pd.DataFrame) -> dict[str, str]:
    """Return {activation: " (no data)"} for the activations of `rows` that have nothing to draw.

    `rows` has the columns activation, mean, and perhaps n_zero (the number of seeds at exactly 0). An activation has
    nothing to draw if its mean is NaN in all its rows, and n_zero is 0 or missing. `name_lines` takes the result as its
    `notes`.
    """
    drawn = rows["mean"].notna() | (rows.get("n_zero", pd.Series(0, rows.index)) > 0)
    return dict.fromkeys(set(rows["activation"]) - set(rows["activation"][drawn]), " (no data)")
