"""Theory beside measurement, and critical initialisations."""

import math

import numpy as np
import pandas as pd
import pytest
from figure_data import NAMES, STYLE, figures, grid, marked_lines, markers, offsets, plane, texts, theory, titled

from study.figures import axes


def test_theory_is_beside_each_activation() -> None:
    """A panel an activation holds its six measured layers as markers over the six predicted, dashed and black."""
    frame = theory(NAMES[:3])
    figure = figures.errors_beside_theory(frame, STYLE)
    assert list(titled(figure)) == ["Label 0", "Label 1", "Label 2"]
    for name, panel in zip(NAMES, figure.axes, strict=False):
        part = frame[frame["activation"] == name]
        (measured,) = marked_lines(panel, STYLE.color(name))
        (predicted,) = [line for line in panel.lines if line.get_color() == "black"]
        assert measured.get_ydata() == pytest.approx(part["measured"].to_numpy())
        assert predicted.get_ydata() == pytest.approx(part["predicted"].to_numpy())
        assert measured.get_zorder() > predicted.get_zorder()
        assert measured.get_linestyle() == "None"
        assert panel.get_ylim() == figure.axes[0].get_ylim()
    assert {"measured (n = 5)", "theory"} <= set(texts(figure))


def test_a_measured_zero_is_in_the_band_beside_the_theory() -> None:
    """Layers 1 and 2 measured as exactly 0: two open markers in the band, and the theory goes on above it."""
    frame = theory(NAMES[:2])
    frame.loc[(frame["activation"] == NAMES[1]) & (frame["layer"] < 3), ["measured", "ci_low", "ci_high"]] = 0.0
    left, panel = figures.errors_beside_theory(frame, STYLE).axes
    at = offsets(panel, open_markers=True)
    assert at[:, 0] == pytest.approx([1, 2])
    assert ((at[:, 1] > 0) & (at[:, 1] < axes.ZERO_BAND)).all()
    (predicted,) = [line for line in panel.lines if line.get_color() == "black"]
    assert min(predicted.get_ydata()) > panel.get_ylim()[0] > 0
    assert [label.get_text() for label in left.get_yticklabels(minor=True)] == ["exactly 0"]


def test_every_critical_point_is_on_the_panel_and_none_is_said() -> None:
    """Even one at sigma_w = 10, and two at one place, the upper one smaller; a curve of one place is no line."""
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


def test_no_critical_point_at_all() -> None:
    """Both activations are named."""
    curves, points = plane(NAMES[:2])
    figure = figures.critical_lines(curves, points[:0], STYLE)
    assert any("no critical point: Label 0, Label 1" in text for text in texts(figure))


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
    assert line[[0, 2]] == pytest.approx([12, 18])
    low, high = panel.get_ylim()
    assert low < 5 < 50 < high < line[1] < math.inf


def test_a_grid_of_one_cell() -> None:
    """It has limits."""
    cells, xi = grid()
    assert np.isfinite(figures.trainable_depth(cells[:1], xi[:1]).axes[0].get_xlim()).all()
