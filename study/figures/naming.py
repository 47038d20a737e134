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
from scipy.ndimage import maximum_filter

from study.figures.axes import FloatArray
from study.figures.style import FIGURE_WIDTH, Style

MOST_NAMED = 6  # activations whose names are written beside lines; if there are more, a legend names them
NAME_SIZE = 9  # points
POINTS_TRIED = 30  # along each line; a name is tried on all SIDES of each point
DISTANCES = (7, 20)  # pixels between a name and its line
FAR_ENOUGH = 60.0  # pixels from a name to other lines; a larger distance counts as this one
INK_BRIGHTNESS = 200  # of 255; a name must not cover darker pixels; grids and bands are lighter.
# The directions (x, y) from a point of a line to its name.
SIDES = np.array([(x, y) for y in (0, -1, 1) for x in (1, -1, 0) if x or y])


def name_lines(
    figure: Figure, panels: Iterable[Axes], style: Style, names: Iterable[str],
    notes: Mapping[str, str] | None = None, *, is_named: bool = False,
) -> None:  # fmt: skip
    """Write the name of each activation in `names` beside its line, or make a legend above the panels.

    A line is found by its label in matplotlib, which must be the activation's name. Names are written on the first of
    `panels` where all of them find a place. If no panel has places for all, make a legend. Make it also for more than
    MOST_NAMED activations, and if there are `notes`, {activation: text that follows its label}.

    If `is_named`, the figure also names its lines elsewhere. Then make no legend. Write on every panel the names that
    fit, if there are at most MOST_NAMED. Call this function last, because it computes the layout of the figure.
    """
    order, said = style.order(names), notes or {}
    texts = {name: style.label(name) + said.get(name, "") for name in order}
    if 0 < len(order) <= MOST_NAMED and not said:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # type: ignore[no-untyped-call]
        ink = np.asarray(canvas.buffer_rgba())[::-1, :, :3].min(axis=2) < INK_BRIGHTNESS  # type: ignore[no-untyped-call]
        for panel in panels:
            if _write_names(panel, texts, ink, style, may_omit=is_named) and not is_named:
                return
    if order and not is_named:
        legend(figure, texts, style)


def legend(figure: Figure, texts: Mapping[str, str], style: Style) -> None:
    """Add a legend of `texts`, {activation: text}, above the panels, and make the figure higher by its lines."""
    entries_per_line = max(1, int(FIGURE_WIDTH / (0.65 + 0.085 * max(map(len, texts.values())))))
    line_count = math.ceil(len(texts) / entries_per_line)
    figure.set_figheight(figure.get_figheight() + 0.22 * line_count)  # inches
    handles = [Line2D([], [], **style.line(name)) for name in texts]
    found = figure.legend(handles, list(texts), loc="outside upper center", ncols=math.ceil(len(texts) / line_count))
    for shown, text in zip(found.get_texts(), texts.values(), strict=True):
        shown.set_text(text)  # only now, because a legend drops labels that begin with an underscore


def no_data_notes(rows: pd.DataFrame) -> dict[str, str]:
    """Return {activation: " (no data)"}, the notes of `name_lines` on activations of `rows` with nothing to draw.

    Their mean is NaN in all rows, and n_zero, the number of seeds at exactly 0, is 0 or missing.
    """
    drawn = rows["mean"].notna() | (rows.get("n_zero", pd.Series(0, rows.index)) > 0)
    return dict.fromkeys(set(rows["activation"]) - set(rows["activation"][drawn]), " (no data)")


def _write_names(panel: Axes, texts: Mapping[str, str], ink: Any, style: Style, *, may_omit: bool) -> bool:
    """Write the names `texts`, by activation, on `panel` beside their lines, and tell whether that succeeded.

    A name covers no pixel of the figure where `ink` (height, width; bottom row first) is True. If a name finds no
    place, leave it out if `may_omit`. Otherwise remove all names and return False.
    """
    left, bottom, right, top = map(round, panel.get_window_extent().extents)
    ink, origin = ink[bottom:top, left:right].copy(), (left, bottom)
    drawn, written = {name: _line_points(panel, name) - origin for name in texts}, []
    for name, text in texts.items():
        artist = panel.text(0, 0, text, color=style.color(name), fontsize=NAME_SIZE, transform=None, va="bottom")
        artist.set(path_effects=[withStroke(linewidth=2.0, foreground="white")], in_layout=False)
        written.append(artist)
        size = np.ceil(artist.get_window_extent().size).astype(int)
        others = np.concatenate([np.empty((0, 2)), *(drawn[other] for other in drawn if other != name)])
        corner = _free_corner(drawn[name], others, ink, size)
        if corner is not None:
            ink[corner[1] : corner[1] + size[1], corner[0] : corner[0] + size[0]] = True
            artist.set(transform=panel.transAxes, position=panel.transAxes.inverted().transform(corner + origin))
        elif may_omit:
            artist.remove()
        else:
            for lost in written:
                lost.remove()
            return False
    return True


def _free_corner(own: FloatArray, others: FloatArray, ink: Any, size: Any) -> Any:
    """Return the lower left corner (2,) of a free place for a box beside the line `own` (n, 2), or None if none fits.

    All lengths are in pixels of the panel, and `size` (2,) is the box's width and height. Neither the box nor a margin
    around it covers a pixel where `ink` (height, width) is True. Prefer a place far from the points `others` (m, 2),
    near the line, and near the line's end.
    """
    if not len(own):
        return None
    along, far = own[np.linspace(len(own) - 1, 0, POINTS_TRIED).astype(int)], np.array(DISTANCES)[:, None, None]
    low = along[:, None] + (SIDES - 1) / 2 * size + SIDES * far[..., None]  # (distances, points, sides, 2)
    low = low.round().astype(int)
    from_line, from_box = _distances(along, along, others)[:, None], _distances(low, low + size, others)
    # Where lines coincide, a name at the smaller distance may be as near to the other line.
    is_free = from_box >= np.where((from_line < far) & (far == DISTANCES[0]), 0, far)
    width, height = size + 2 * (DISTANCES[0] - 2)
    is_covered = maximum_filter(ink, (height, width), mode="constant", cval=False)
    x, y = np.moveaxis(low + size // 2, -1, 0)
    is_free &= ((low >= 0) & (low + size <= ink.shape[::-1])).all(axis=-1)
    is_free &= ~is_covered[y.clip(0, ink.shape[0] - 1), x.clip(0, ink.shape[1] - 1)]
    best = np.where(is_free, from_box + from_line - far, -np.inf).argmax()
    return low.reshape(-1, 2)[best] if is_free.any() else None


def _distances(low: Any, high: Any, points: FloatArray) -> FloatArray:
    """Return the distance (...) in pixels from each box to the nearest of `points` (m, 2), at most FAR_ENOUGH.

    `low` and `high` (..., 2) are the lower left and upper right corners of the boxes.
    """
    apart = np.clip(points, low[..., None, :], high[..., None, :]) - points
    return np.asarray(np.hypot(apart[..., 0], apart[..., 1]).min(axis=-1, initial=FAR_ENOUGH))


def _line_points(panel: Axes, name: str) -> FloatArray:
    """Return points (n, 2) in pixels of the figure along the first line of `panel` whose label is `name`.

    They are evenly spaced, at most DISTANCES[0] pixels apart. Points of the line that are not finite are skipped, and
    the gap is bridged. Return an empty array if no line has the label, or none of its points is finite.
    """
    line = next((line for line in panel.lines if line.get_label() == name), Line2D([], []))
    corners: FloatArray = line.get_transform().transform(np.asarray(line.get_xydata(), float).reshape(-1, 2))
    corners = np.clip(corners[np.isfinite(corners).all(axis=1)], -1e4, 1e4)
    if not len(corners):
        return corners
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
    at = np.linspace(0, length[-1], math.ceil(length[-1] / DISTANCES[0]) + 1)
    return np.column_stack([np.interp(at, length, axis) for axis in corners.T])
