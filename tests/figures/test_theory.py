"""From cause to effect, critical initialisations, and the depth that trains."""

import math

import numpy as np
import pandas as pd
import pytest
from figure_data import NAMES, STYLE, cause, figures, grid, markers, plane, texts


def test_the_share_of_the_error_is_in_words() -> None:
    """From all to a millionth and beyond. Networks deeper than 20 layers are left out, and a share may be missing."""
    curves, shares, accuracy = cause(NAMES[:2])
    figure = figures.cause_and_effect(curves, shares, accuracy, STYLE)
    assert {"all", "a thousandth", "a millionth", "a billionth"} <= set(texts(figure))
    for panel in figure.axes[1:3]:
        assert [line.get_xdata() for line in panel.lines if line.get_label() in NAMES] == [pytest.approx([2, 10])] * 2
    figures.cause_and_effect(curves, shares.assign(share_of_error=math.nan), accuracy, STYLE)


def test_every_critical_point_is_on_the_panel_and_none_is_said() -> None:
    """Even one at sigma_w = 10, and two at one place, the upper one smaller. A curve of one place is its point."""
    points = pd.DataFrame({"activation": NAMES[:4], "sigma_w": [2**0.5, 2**0.5, 10.2, 1.4], "sigma_b": [0, 0, 0, 0.75]})
    curves = pd.concat([points.assign(sigma_b=points["sigma_b"] + 1e-5 * k) for k in range(3)])
    figure = figures.critical_lines(pd.concat([curves, curves[:1].assign(activation=NAMES[4])]), points, STYLE)
    (panel,) = figure.axes
    for name, w, b in points.itertuples(index=False):
        assert markers(panel, STYLE.color(name)) == pytest.approx(np.array([[w, b]]))
        assert panel.get_xlim()[0] < w < panel.get_xlim()[1]
        assert panel.get_ylim()[0] < b < panel.get_ylim()[1]
    sizes = {line.get_color(): line.get_markersize() for line in panel.lines}
    assert sizes[STYLE.color(NAMES[0])] > sizes[STYLE.color(NAMES[1])]
    assert len(panel.lines) == 4 + 2  # Glorot and He
    assert {"Glorot", "He"} <= set(texts(figure))
    assert any("no critical point: Label 4" in text for text in texts(figure))
    curves, points = plane(NAMES[:2])
    none = figures.critical_lines(curves, points[:0], STYLE)
    assert any("no critical point: Label 0, Label 1" in text for text in texts(none))


def test_any_number_of_activations_at_one_critical_point_is_drawn() -> None:
    """Thirteen markers, each by 2.5 points or more smaller than the one before, and on top of it."""
    points = pd.DataFrame({"activation": NAMES, "sigma_w": 2**0.5, "sigma_b": 0.0})
    (panel,) = figures.critical_lines(points, points, STYLE).axes
    shown = [line for line in panel.lines if line.get_label() in NAMES]
    assert [line.get_label() for line in shown] == NAMES
    assert max(np.diff([line.get_markersize() for line in shown])) <= -2.5
    assert min(np.diff([line.get_zorder() for line in shown])) > 0


def test_six_xi_lies_over_the_cells() -> None:
    """Cells hold their share, NaN is blank, and the line is at 6 xi: off the panel where xi is infinite."""
    cells, xi = grid()
    cells.loc[0, "share_trained"] = math.nan
    panel = figures.trainable_depth(cells, xi).axes[0]
    shares = panel.collections[0].get_array()
    assert shares.shape == (4, 3)
    assert np.ma.getmaskarray(shares).sum() == 1
    assert shares[1, 0] == pytest.approx(0.4)
    line = np.asarray(panel.lines[-1].get_ydata(), float)
    between = [1.5 + math.log(12 / 10) / math.log(2), 1.5 + math.log(18 / 10) / math.log(2)]  # 10 and 20 layers
    assert line[[0, 2]] == pytest.approx(between)
    assert panel.get_ylim()[1] < line[1] < math.inf
    assert np.isfinite(figures.trainable_depth(cells[1:2], xi[:1]).axes[0].get_xlim()).all()
