"""Names beside lines, or in a legend."""

import math

import figure_data as data
import numpy as np
from figure_data import MANY, NAMES, STYLE, figures, whole
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from study.figures import naming


def test_names_stand_beside_their_lines_and_cover_none() -> None:
    """Three names, each in its colour and nearer its own line than the others; many names are in a legend."""
    frame = data.trained(NAMES[:3]).assign(mean=lambda rows: 0.2 + 0.3 * rows["activation"].map(STYLE.positions))
    figure = whole.accuracy_against_depth(frame, STYLE)
    panel, written = figure.axes[0], {text.get_text(): text for text in figure.axes[0].texts}
    assert not figure.legends
    for name in NAMES[:3]:
        text = written[STYLE.label(name)]
        assert text.get_color() == STYLE.color(name)
        box: Bbox = text.get_window_extent()
        middle = (box.y0 + box.y1) / 2
        starts = {other: data.line_of(panel, other).get_xydata()[0] for other in NAMES[:3]}
        heights = {other: panel.transData.transform(start)[1] for other, start in starts.items()}
        assert min(heights, key=lambda other: abs(heights[other] - middle)) == name
        assert not any(box.y0 < height < box.y1 for height in heights.values())
    assert len(figures.cause_and_effect(*data.cause(NAMES), STYLE).legends[0].get_texts()) == MANY


def test_no_name_stands_beyond_another_line() -> None:
    """Between neighbours 10 pixels away no box of 10 fits, and beyond them it would name them; alone it has a place."""
    ink = np.zeros((200, 200), bool)
    ink[[90, 100, 110]] = True
    own, others = (np.column_stack([np.arange(200), np.full(200, height)]).astype(float) for height in (100, 110))
    size = np.array([30, 10])
    assert naming._free_corner(own, np.concatenate([others, others - [0, 20]]), ink, size) is None
    ink[[90, 110]] = False
    corner = naming._free_corner(own, np.empty((0, 2)), ink, size)
    assert not ink[corner[1] : corner[1] + 10].any()


def test_a_line_without_a_finite_point_sends_the_names_to_the_legend() -> None:
    figure = Figure()
    panel = figure.subplots()
    for name, heights in (("relu", [1.0, 2.0]), ("gelu", [math.nan, math.nan])):
        panel.plot([0, 1], heights, label=name)
    naming.name_lines(figure, [panel], STYLE, ["relu", "gelu"])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [STYLE.label("relu"), STYLE.label("gelu")]
