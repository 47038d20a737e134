"""Write the name of each line beside it, where it covers nothing; if there is no such place, make a legend."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import Collection, LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.text import Text

from study.figures.style import FIGURE_WIDTH, FloatArray, Style

MOST_NAMED = 6  # lines; more of them are named by a legend
NAME_SIZE = 9  # points
PLACES = 30  # tried along each line, on every side of it
DISTANCES = (7.0, 20.0)  # pixels between a name and its line
ROOM = 60.0  # pixels from a name to other lines; more is no better
STEP = 9.0  # pixels between the points of a line that a name must not cover


def name_lines(
    figure: Figure, panels: Iterable[Axes], style: Style, names: Iterable[str],
    notes: Mapping[str, str] | None = None, *, is_named: bool = False,
) -> None:  # fmt: skip
    """Name the activations of `names`: in the first of `panels` where each name fits beside its line, or in a legend.

    The lines are those whose label is the activation's name. `notes` follow the labels. If the figure `is_named` by
    other means, no legend is made, and every panel has the names that fit. Call this last: it lays the figure out.
    """
    order, said = style.order(names), notes or {}
    texts = {name: style.label(name) + said.get(name, "") for name in order}
    if 0 < len(order) <= MOST_NAMED and not said:
        figure.get_layout_engine().execute(figure)  # type: ignore[union-attr]
        for panel in panels:
            if _placed(panel, texts, style, some=is_named) and not is_named:
                return
    if order and not is_named:
        legend(figure, texts, style)


def legend(figure: Figure, texts: Mapping[str, str], style: Style) -> None:
    """Name the activations of `texts` above the panels, and make the figure higher by the lines of the legend."""
    a_line = max(1, int(FIGURE_WIDTH / (0.65 + 0.085 * max(map(len, texts.values())))))
    count = math.ceil(len(texts) / a_line)
    figure.set_figheight(figure.get_figheight() + 0.22 * count)
    handles = [Line2D([], [], **style.line(name)) for name in texts]
    found = figure.legend(handles, list(texts), loc="outside upper center", ncols=math.ceil(len(texts) / count))
    for shown, text in zip(found.get_texts(), texts.values(), strict=True):
        shown.set_text(text)  # only now, because a legend drops labels that begin with an underscore


def _placed(panel: Axes, texts: Mapping[str, str], style: Style, *, some: bool) -> bool:
    """Write the names on `panel` that fit; if not all do, return False, and leave `some` of them or none."""
    renderer = FigureCanvasAgg(panel.figure).get_renderer()  # type: ignore[no-untyped-call,arg-type]
    drawn = {name: _pixels([line for line in panel.lines if line.get_label() == name]) for name in texts}
    taken = np.concatenate([_pixels(panel.lines), *map(_pixels_of_marks, panel.collections)])
    boxes: list[Any] = [text.get_window_extent(renderer).extents for text in panel.texts]
    written: list[Text] = []
    for name, text in texts.items():
        artist = panel.text(0, 0, text, color=style.color(name), fontsize=NAME_SIZE, transform=None, va="bottom")
        artist.set_path_effects([withStroke(linewidth=2.0, foreground="white")])
        artist.set_in_layout(False)
        size = artist.get_window_extent(renderer).size
        others = np.concatenate([np.empty((0, 2)), *(drawn[other] for other in drawn if other != name)])
        corner = _corner(drawn[name], others, taken, boxes, size, panel.get_window_extent(renderer).extents)
        if corner is None:
            artist.remove()
            continue
        written.append(artist)
        boxes.append(np.concatenate([corner, corner + size]))
        artist.set(transform=panel.transAxes, position=panel.transAxes.inverted().transform(corner))
    if len(written) < len(texts) and not some:
        for artist in written:
            artist.remove()
    return len(written) == len(texts)


def _corner(
    own: FloatArray, others: FloatArray, taken: FloatArray, boxes: list[Any], size: Any, frame: Any
) -> FloatArray | None:
    """Return the lower left corner (2,) of a free place for a box of this `size` beside the line `own` (n, 2).

    All in pixels. The box lies within `frame` (x0, y0, x1, y1) and covers none of the points `taken` (m, 2) and none of
    the `boxes`. Of all free places, take one far from the points `others`, near the line, and near its end. None if
    there is no free place.
    """
    if not len(own):
        return None
    along = own[np.linspace(len(own) - 1, 0, PLACES).astype(int)]
    sides = np.array([(x, y) for y in (0, -1, 1) for x in (1, -1, 0) if x or y])
    away = [(sides - 1) / 2 * size + sides * distance for distance in DISTANCES]
    low = (along[None, :, None] + np.array(away)[:, None]).reshape(-1, 2)
    high, gap = low + size, DISTANCES[0]
    is_free = (low >= frame[:2]).all(axis=1) & (high <= frame[2:]).all(axis=1)
    for box in [*boxes, *np.hstack([taken, taken])]:
        is_free &= (low > box[2:] + gap / 2).any(axis=1) | (high < box[:2] - gap / 2).any(axis=1)
    anchors = np.tile(np.repeat(along, len(sides), axis=0), (len(away), 1))
    far, alone = np.repeat(DISTANCES, len(along) * len(sides)), _room(anchors, anchors, others)
    room = _room(low, high, others)
    is_free &= (room >= far) | (alone < gap)  # near no other line, unless the line itself is
    if not is_free.any():
        return None
    return np.asarray(low[np.where(is_free, room + alone - far, -np.inf).argmax()])


def _room(low: FloatArray, high: FloatArray, points: FloatArray) -> FloatArray:
    """Return (n,) the distance in pixels from each box (n, 2) to the nearest of `points` (m, 2), at most ROOM."""
    apart = np.clip(points[None], low[:, None], high[:, None]) - points[None]
    return np.asarray(np.hypot(apart[..., 0], apart[..., 1]).min(axis=1, initial=ROOM))


def _pixels_of_marks(item: Collection) -> FloatArray:
    """Return points in pixels (n, 2) along the bars or at the points of `item`; none of a band."""
    if isinstance(item, LineCollection):
        bars = [_dense(item.get_transform().transform(segment)) for segment in item.get_segments() if len(segment)]
        return np.concatenate([np.empty((0, 2)), *bars])
    if isinstance(item, PathCollection):
        return np.asarray(item.get_offset_transform().transform(np.ma.getdata(item.get_offsets())), float)
    return np.empty((0, 2))


def _pixels(lines: Iterable[Line2D]) -> FloatArray:
    """Return points in pixels (n, 2) along `lines` and around their markers."""
    found = [np.empty((0, 2))]
    for line in lines:
        corners = line.get_transform().transform(np.asarray(line.get_xydata(), float))
        found.append(_dense(corners) if line.get_linestyle() != "None" else corners)
        if line.get_marker() != "None":
            found += [corners + line.get_markersize() * np.array(side) for side in ((1, 1), (-1, 1), (1, -1), (-1, -1))]
    points = np.concatenate(found)
    return points[np.isfinite(points).all(axis=1)]


def _dense(corners: FloatArray) -> FloatArray:
    """Return points about STEP apart along the polyline through `corners` (n, 2)."""
    corners = np.clip(corners[np.isfinite(corners).all(axis=1)], -1e4, 1e4)
    if len(corners) < 2:
        return corners
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
    at = np.linspace(0, length[-1], max(2, math.ceil(length[-1] / STEP)))
    return np.column_stack([np.interp(at, length, axis) for axis in corners.T])
