"""Write the name of each line beside it, where it covers nothing; if there is no such place, make a legend."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from study.figures.style import FIGURE_WIDTH, FloatArray, Style

MOST_NAMED = 6  # lines; more of them are named by a legend
NAME_SIZE = 9  # points
GAP = 2.5  # pixels of 1/72 inch between a name and whatever is near
PLACES = 40  # tried along each line


def name_lines(
    figure: Figure,
    panels: Iterable[Axes],
    style: Style,
    names: Iterable[str],
    notes: Mapping[str, str] | None = None,
    *,
    is_named: bool = False,
) -> None:
    """Name the activations of `names`: in the first of `panels` where each name fits beside its line, or in a legend.

    The lines are those whose label is the activation's name. `notes` follow the labels. No legend is made if the
    figure `is_named` by other means. Call this last: it lays the figure out.
    """
    order = style.order(names)
    texts = {name: style.label(name) + (notes or {}).get(name, "") for name in order}
    if 0 < len(order) <= MOST_NAMED and not any((notes or {}).values()):
        figure.get_layout_engine().execute(figure)  # type: ignore[union-attr]
        for panel in panels:
            if _placed(panel, texts, style):
                return
    if order and not is_named:
        legend(figure, texts, style)


def legend(figure: Figure, texts: Mapping[str, str], style: Style) -> None:
    """Name the activations of `texts` above the panels."""
    a_line = max(1, int(FIGURE_WIDTH / (0.65 + 0.085 * max(map(len, texts.values())))))
    handles = [Line2D([], [], **style.line(name)) for name in texts]
    found = figure.legend(
        handles, list(texts), loc="outside upper center", ncols=math.ceil(len(texts) / math.ceil(len(texts) / a_line))
    )
    for shown, text in zip(found.get_texts(), texts.values(), strict=True):
        shown.set_text(text)  # only now, because a legend drops labels that begin with an underscore


def _placed(panel: Axes, texts: Mapping[str, str], style: Style) -> bool:
    """Write the names on `panel` and return True, or leave it as it was if one of them would cover something."""
    renderer, scale = FigureCanvasAgg(panel.figure).get_renderer(), panel.figure.dpi / 72  # type: ignore[no-untyped-call,arg-type]
    drawn = {name: _pixels(panel, [line for line in panel.lines if line.get_label() == name]) for name in texts}
    frame, everything = panel.get_window_extent(renderer), _everything(panel)
    boxes: list[Any] = [text.get_window_extent(renderer).extents for text in panel.texts]
    written = []
    for name, text in texts.items():
        artist = panel.text(0, 0, text, color=style.color(name), fontsize=NAME_SIZE, transform=None, in_layout=False)
        artist.set_path_effects([withStroke(linewidth=2.0, foreground="white")])
        written.append(artist)
        size = artist.get_window_extent(renderer).size
        others = np.concatenate([np.empty((0, 2)), *(drawn[other] for other in drawn if other != name)])
        corner = _corner(drawn[name], others, everything, boxes, size, frame.extents, GAP * scale)
        if corner is None:
            for made in written:
                made.remove()
            return False
        boxes.append(np.concatenate([corner, corner + size]))
        artist.set_transform(panel.transAxes)
        artist.set_position(tuple(panel.transAxes.inverted().transform(corner)))
        artist.set_verticalalignment("bottom")
    return True


def _corner(
    own: FloatArray, others: FloatArray, everything: FloatArray, boxes: list[Any], size: Any, frame: Any, gap: float
) -> FloatArray | None:
    """Return the lower left corner (2,) of the box of this `size` beside the line `own` (n, 2) that is far from others.

    All in pixels. The box lies within `frame` (x0, y0, x1, y1), covers no point of `everything` (m, 2) and none of the
    `boxes`. None if there is no such place.
    """
    if not len(own):
        return None
    at = own[np.linspace(0, len(own) - 1, PLACES).astype(int)]
    shifts = np.array([(gap, -size[1] / 2), (-size[0] - gap, -size[1] / 2), (-size[0] / 2, gap),
                       (-size[0] / 2, -size[1] - gap), (gap, gap), (-size[0] - gap, gap), (gap, -size[1] - gap),
                       (-size[0] - gap, -size[1] - gap)])  # fmt: skip
    low = (at[:, None] + shifts).reshape(-1, 2)
    high = low + size
    is_free = (low >= frame[:2]).all(axis=1) & (high <= frame[2:]).all(axis=1)
    is_free &= ~_inside(everything, low - gap / 2, high + gap / 2).any(axis=1)
    for box in boxes:
        is_free &= (low > box[2:] + gap).any(axis=1) | (high < box[:2] - gap).any(axis=1)
    if not is_free.any():
        return None
    low, high = low[is_free], high[is_free]
    near = np.clip(others[None], low[:, None], high[:, None]) - others[None]
    room = np.hypot(*np.moveaxis(near, -1, 0)).min(axis=1, initial=np.inf)
    return np.asarray(low[np.minimum(room, 8 * gap).argmax()])


def _inside(points: FloatArray, low: FloatArray, high: FloatArray) -> Any:
    return ((points[None] >= low[:, None]) & (points[None] <= high[:, None])).all(axis=-1)


def _everything(panel: Axes) -> FloatArray:
    """Return points in pixels (m, 2) along all lines, bars and points of the panel."""
    found = [_pixels(panel, panel.lines)]
    for item in panel.collections:
        if isinstance(item, LineCollection):
            found += [_dense(item.get_transform().transform(segment)) for segment in item.get_segments()]
        elif isinstance(item, PathCollection):
            found.append(item.get_offset_transform().transform(np.ma.getdata(item.get_offsets())))
    return np.concatenate(found)


def _pixels(panel: Axes, lines: Iterable[Line2D]) -> FloatArray:
    parts = [_dense(line.get_transform().transform(np.asarray(line.get_xydata(), float))) for line in lines]
    return np.concatenate([np.empty((0, 2)), *parts])


def _dense(corners: FloatArray) -> FloatArray:
    """Return points at most 4 pixels apart along the polyline through `corners` (n, 2)."""
    corners = np.reshape(corners, (-1, 2))
    corners = np.clip(corners[np.isfinite(corners).all(axis=1)], -1e5, 1e5)
    if len(corners) < 2:
        return corners
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
    at = np.linspace(0, length[-1], max(2, math.ceil(min(length[-1], 1e5) / 4)))
    return np.column_stack([np.interp(at, length, axis) for axis in corners.T])
