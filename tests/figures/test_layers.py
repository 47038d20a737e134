"""Norms, units and similarity by layer and over training, beside theory: lines, intervals, zeros."""

import math
from collections.abc import Callable

import figure_data as data
import numpy as np
import pandas as pd
import pytest
from figure_data import INTERVAL, NAMES, STEPS, STYLE, figures, texts
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from study.analysis.statistics import geometric_summary
from study.figures import axes, layers, marks

Draw = Callable[..., Figure]
LOGARITHMIC = [figures.gradient_norms_by_layer, figures.gradient_norms_over_training]
OVER_STEPS = [figures.gradient_norms_over_training, figures.unit_measures]


def test_intervals_are_those_handed_in() -> None:
    """The band spans ci_low to ci_high; a line breaks at a missing layer; a point without neighbours has a bar."""
    frame = data.gradient_norms(NAMES[:1])
    frame.loc[(frame["layer"] == 2) & frame["measure"].isin(layers.NORM_TITLES), INTERVAL] = math.nan
    panel = figures.gradient_norms_by_layer(frame, STYLE).axes[0]
    shown = frame[(frame["step"] == 0) & (frame["measure"] == "weight_gradient")].set_index("layer")
    corners = data.band_corners(panel)
    assert {3.0, 4.0} == set(corners[corners[:, 0] > 2.5, 0])
    ends = corners[corners[:, 0] == 4, 1]
    assert [ends.min(), ends.max()] == pytest.approx(shown.loc[4, ["ci_low", "ci_high"]].tolist())
    assert data.bars(panel)[0] == pytest.approx(np.array([[1, shown[end][1]] for end in ("ci_low", "ci_high")]))
    assert [line.get_xdata().tolist() for line in panel.lines] == [[1], [3, 4]]
    assert np.concatenate([line.get_ydata() for line in panel.lines]) == pytest.approx(shown["mean"].dropna())


@pytest.mark.parametrize("draw", OVER_STEPS)
def test_a_line_over_steps_ends_with_its_first_seed(draw: Draw) -> None:
    """5 seeds up to step 100 and 4 at step 480: the line ends at 100; another activation's goes on."""
    frame = data.gradient_norms(NAMES[:2], depth=1)
    frame.loc[(frame["activation"] == NAMES[0]) & (frame["step"] == 480), "n"] = 4
    panel = draw(frame, STYLE).axes[0]
    assert [data.line_of(panel, name).get_xdata()[-1] for name in NAMES[:2]] == pytest.approx([100, 480])


@pytest.mark.parametrize("draw", LOGARITHMIC)
def test_zeros_are_in_their_band(draw: Draw) -> None:
    """All seeds at exactly 0 in layer 1: an open marker below every value for each point, and no line there."""
    frame = data.gradient_norms(NAMES[:3], depth=1)
    is_dead = (frame["activation"] == NAMES[1]) & (frame["layer"] == 1) & frame["measure"].isin(layers.NORM_TITLES)
    figure = draw(data.at_zero(frame, is_dead), STYLE)
    by_layer = draw is figures.gradient_norms_by_layer
    for panel in figure.axes[:3]:
        found = data.offsets(panel, open_markers=True)
        assert sorted(found[:, 0]) == pytest.approx((1,) if by_layer else STEPS)
        assert ((found[:, 1] > 0) & (found[:, 1] < axes.ZERO_BAND)).all()  # of the panel's height
        to_height = panel.transData + panel.transAxes.inverted()
        for line in panel.lines:
            heights = to_height.transform([(1, value) for value in line.get_ydata()])[:, 1]
            assert ((heights > axes.ZERO_BAND) & (heights < 1)).all()
    assert [text.get_text() for text in figure.axes[0].get_yticklabels(minor=True)] == ["exactly 0"]
    drawn = [line for line in figure.axes[0].lines if line.get_label() == NAMES[1]]
    assert [line.get_xdata()[0] for line in drawn] == ([2] if by_layer else [])


def test_a_zero_among_other_seeds_is_smaller_than_one_of_all_seeds() -> None:
    """2 of 5 seeds at 0: the marker is smaller than for 5 of 5. Without zeros the band is left out."""
    sizes = []
    for frame in (data.gradient_norms(NAMES[:1], n=3, n_zero=2), data.at_zero(data.gradient_norms(NAMES[:1]))):
        panel = figures.gradient_norms_by_layer(frame, STYLE).axes[0]
        sizes += [item.get_sizes()[0] for item in panel.collections if isinstance(item, PathCollection)]
    assert sizes[0] < sizes[1]
    assert "exactly 0" not in texts(figures.gradient_norms_by_layer(data.gradient_norms(NAMES[:2]), STYLE))


def test_a_share_of_zero_is_drawn_at_zero() -> None:
    """On a linear axis zero has a place: n_zero alone, without a mean, is 0 percent."""
    figure = figures.unit_measures(data.at_zero(data.gradient_norms(NAMES[:1], depth=1)), STYLE)
    assert all((np.asarray(line.get_ydata()) == 0).all() for panel in figure.axes for line in panel.lines)
    assert "not measured" not in texts(figure)


@pytest.mark.parametrize("draw", [figures.gradient_norms_by_layer, figures.unit_measures])
def test_a_missing_measure_is_said(draw: Draw) -> None:
    """Its panels say so, and with no rows at all every panel does; the legend says which activation has no data."""
    frame = data.gradient_norms(NAMES[:2], depth=1)
    partial = draw(frame[~frame["measure"].isin(["error", "saturation"])], STYLE)
    assert 0 < texts(partial).count("not measured") < len(partial.axes)
    empty = draw(frame[:0], STYLE)
    assert texts(empty).count("not measured") == len(empty.axes)
    frame.loc[frame["activation"] == NAMES[0], INTERVAL] = math.nan
    assert "Label 0 (no data)" in texts(draw(frame, STYLE))


@pytest.mark.parametrize("draw", [*OVER_STEPS, figures.gradient_norms_by_layer, figures.error_heat_map])
def test_two_settings_or_depths_in_one_line_are_refused(draw: Draw) -> None:
    """The error says what is needed."""
    frame = data.gradient_norms(NAMES[:1])
    with pytest.raises(ValueError, match="select the rows of one"):
        draw(pd.concat([frame.assign(init="he"), frame.assign(init="default")]), STYLE)
    with pytest.raises(ValueError, match="one depth"):
        draw(pd.concat([frame, data.gradient_norms(NAMES[1:2], depth=20)]), STYLE)


def test_the_first_a_middle_and_the_last_layer_are_shown() -> None:
    """The last row is the output layer's, but not of units, which it has none of."""
    frame = data.gradient_norms(NAMES[:1], depth=9)
    assert {"layer 1", "layer 5", "output layer"} <= set(texts(figures.gradient_norms_over_training(frame, STYLE)))
    assert {"layer 1", "layer 5", "layer 9"} <= set(texts(figures.unit_measures(frame, STYLE)))


def test_theory_lies_under_what_was_measured() -> None:
    """A panel per activation: six measured layers as markers, over the six predicted, a wide grey line."""
    frame = data.theory(NAMES[:3])
    figure = figures.errors_beside_theory(frame, STYLE)
    for name, panel in zip(NAMES, figure.axes, strict=False):
        part, measured = frame[frame["activation"] == name], data.line_of(panel, name)
        (predicted,) = [line for line in panel.lines if line.get_color() == marks.THEORY_LOOK["color"]]
        assert measured.get_ydata() == pytest.approx(part["measured"].to_numpy())
        assert predicted.get_ydata() == pytest.approx(part["predicted"].to_numpy())
        assert data.bars(panel)[:, :, 1] == pytest.approx(part[["ci_low", "ci_high"]].to_numpy())
        assert measured.get_zorder() > predicted.get_zorder()
        assert measured.get_linestyle() == "None"
        assert measured.get_markersize() >= predicted.get_linewidth()
        assert panel.get_ylim() == figure.axes[0].get_ylim()
    assert "measured (n = 5)" in " ".join(texts(figure))


def test_a_measured_zero_is_in_the_band_beside_the_theory() -> None:
    """Layers 1 and 2 measured as exactly 0: two open markers in the band, and the theory goes on above it.

    The table is made from runs, as in the report.
    """
    frame = data.theory(NAMES[:2])
    values = frame.assign(value=frame["measured"].mask((frame["activation"] == NAMES[1]) & (frame["layer"] < 3), 0.0))
    summary = geometric_summary(pd.concat([values] * 5), "value", ["activation", "layer"])
    summary = summary.rename(columns={"mean": "measured"}).drop(columns="missing")
    frame = frame[["activation", "layer", "depth", "predicted"]].merge(summary, on=["activation", "layer"])
    left, panel = figures.errors_beside_theory(frame, STYLE).axes
    at = data.offsets(panel, open_markers=True)
    assert at[:, 0] == pytest.approx([1, 2])
    assert ((at[:, 1] > 0) & (at[:, 1] < axes.ZERO_BAND)).all()
    (predicted,) = [line for line in panel.lines if line.get_color() == marks.THEORY_LOOK["color"]]
    assert min(predicted.get_ydata()) > panel.get_ylim()[0] > 0
    assert [label.get_text() for label in left.get_yticklabels(minor=True)] == ["exactly 0"]
