"""Heat maps, critical initialisations, the depth that trains, and digits."""

import math

import figure_data as data
import numpy as np
import pandas as pd
import pytest
from figure_data import NAMES, STEPS, STYLE, figures, grid, markers, plane, texts
from matplotlib.collections import PolyCollection, QuadMesh


def test_a_cell_for_each_layer_and_step() -> None:
    """Its colour is its norm; every seed at zero is hatched, some have a dot, no row is blank; norms are written."""
    frame = (
        data.gradient_norms(NAMES[:1], depth=5).query("measure == 'error' and not (layer == 3 and step == 2)").copy()
    )
    frame = data.at_zero(frame, frame["layer"].eq(1) & frame["step"].eq(5))
    frame.loc[frame["layer"].eq(2) & frame["step"].eq(100), ["n", "n_zero"]] = [3, 2]
    figure = figures.error_heat_map(frame, STYLE)
    panel = data.titled(figure)["Label 0"]
    (mesh,) = [item for item in panel.collections if isinstance(item, QuadMesh)]
    cells = mesh.get_array().reshape(6, len(STEPS))
    assert cells[5, 0] == pytest.approx(0.04)
    assert {(layer + 1, STEPS[at]) for layer, at in np.argwhere(np.ma.getmaskarray(cells))} == {(1, 5), (3, 2)}
    (hatches,) = [item for item in panel.collections if isinstance(item, PolyCollection)]
    assert [path.vertices.min(axis=0).tolist() for path in hatches.get_paths()] == [[STEPS.index(5), 0]]
    assert hatches.get_hatch()
    (dots,) = panel.lines
    assert np.asarray(dots.get_xydata()).tolist() == [[STEPS.index(100) + 0.5, 1.5]]
    assert "hatched: every seed exactly 0; dots: some seeds exactly 0" in " ".join(texts(figure))
    assert panel.get_ylim()[0] < panel.get_ylim()[1]  # the output layer is on top
    written = {int(text.get_position()[1]) + 1: text.get_text() for text in panel.texts if text.get_text()}
    assert written[1] == "1e-3"
    assert written[6] == "4e-2"


def test_nothing_but_zeros_is_a_heat_map_of_hatches() -> None:
    """And says nothing of some seeds."""
    figure = figures.error_heat_map(data.at_zero(data.gradient_norms(NAMES[:2])), STYLE)
    (hatches,) = [item for item in figure.axes[0].collections if isinstance(item, PolyCollection)]
    assert len(hatches.get_paths()) == 4 * len(STEPS)
    assert "some seeds" not in " ".join(texts(figure))


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


def test_the_same_digits_under_every_noise() -> None:
    """Images side by side; without noise as they are, else within the amplitude, and all amplitudes share one draw."""
    none, *noisy_images = [panel.images[0].get_array() for panel in figures.digits(data.pixels()).axes]
    assert none.shape == (28, 56)
    assert (none[:, :28] == 0).all()
    assert (none[:, 28:] == 0.5).all()
    draws = [(image - none) / amplitude for amplitude, image in zip((1, 2, 3), noisy_images, strict=True)]
    assert np.ptp(draws, axis=0).max() < 1e-9
    assert 0.9 < np.abs(draws[0]).max() <= 1
    assert abs(draws[0].mean()) < 0.05
