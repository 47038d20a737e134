"""The pictures of the first screens: differences beside the margin, cause and effect, digits under noise."""

import math

import numpy as np
import pytest
from figure_data import NAMES, STYLE, cause, decided, figures, marked_lines, pixels, texts, trained
from matplotlib.collections import LineCollection


def test_differences_stand_beside_the_margin_with_their_finding() -> None:
    """In points, a row an activation, the reference at 0; the band goes from minus to plus the margin."""
    differences, of_depth = decided(NAMES[:3])
    found = figures.answer(differences, of_depth, STYLE)
    panel, adam, sgd = found.axes
    middles = [line.get_xydata()[0].tolist() for line in marked_lines(panel)]
    assert middles == pytest.approx(np.array([[0.0, 0], [0.1, 1], [0.2, 2]]))
    bars = [item for item in panel.collections if isinstance(item, LineCollection)]
    ends = [bar.get_segments()[0][:, 0] for bar in bars[1:]]
    assert np.array(ends) == pytest.approx(np.array([[0.09, 0.11], [0.19, 0.21]]))
    (band,) = panel.patches
    assert [band.get_x(), band.get_x() + band.get_width()] == pytest.approx([-0.2, 0.2])
    assert [text.get_text() for text in panel.texts] == ["tie", "tie"]
    assert [adam.get_title(), sgd.get_title()] == ["Adam", "SGD"]
    means = of_depth[(of_depth["activation"] == NAMES[1]) & (of_depth["panel"] == "SGD")]["mean"]
    (line,) = [line for line in sgd.lines if line.get_label() == NAMES[1]]
    assert line.get_ydata() == pytest.approx(100 * means)


def test_differences_are_drawn_without_depths() -> None:
    """One panel."""
    differences, of_depth = decided(NAMES[:2])
    assert len(figures.answer(differences, of_depth[:0], STYLE).axes) == 1


def test_the_share_of_the_error_is_in_words() -> None:
    """From all to a millionth and beyond; what is deeper than 20 layers is not shown."""
    curves, shares, accuracy = cause(NAMES[:2])
    shares["share_of_error"] = 0.1 ** shares["depth"]
    figure = figures.cause_and_effect(curves, shares, accuracy, STYLE)
    assert {"all", "a thousandth", "a millionth"} <= set(texts(figure))
    for panel in figure.axes:
        if panel.get_xlabel() == "hidden layers":
            assert all(max(line.get_xdata()) <= 10 for line in panel.lines if line.get_label() in NAMES)
    figures.cause_and_effect(curves, shares.assign(share_of_error=math.nan), accuracy, STYLE)


def test_the_same_digits_under_every_noise() -> None:
    """Images side by side; without noise as they are, else within the amplitude, and all amplitudes share one draw."""
    figure = figures.digits(pixels())
    none, *noisy = [panel.images[0].get_array() for panel in figure.axes]
    assert none.shape == (28, 56)
    assert (none[:, :28] == 0).all()
    assert (none[:, 28:] == 0.5).all()
    draws = [(image - none) / amplitude for amplitude, image in zip((1, 2, 3), noisy, strict=True)]
    assert np.ptp(draws, axis=0).max() < 1e-9
    assert 0.9 < np.abs(draws[0]).max() <= 1
    assert abs(draws[0].mean()) < 0.05


def test_names_stand_beside_their_lines_or_in_a_legend() -> None:
    """Four names fit on the panels, in their colours, and cover no line; of seventeen a legend tells."""
    frame = trained(NAMES[:4]).assign(mean=lambda rows: 0.2 + 0.2 * rows["activation"].map(STYLE.positions))
    figure = figures.cause_and_effect(*cause(NAMES[:1]), STYLE)
    assert not figure.legends
    few = figures.answer(decided(NAMES[:4])[0], frame.assign(ci_low=math.nan, ci_high=math.nan), STYLE)
    written = {text.get_text(): text for text in few.axes[1].texts}
    for name in NAMES[:4]:
        text = written[STYLE.label(name)]
        assert text.get_color() == STYLE.color(name)
        box = text.get_window_extent()
        (line,) = [line for line in few.axes[1].lines if line.get_label() == name]
        at = line.get_transform().transform(line.get_xydata())
        gaps = np.abs(at[:, 1] - box.y0).min(), np.abs(at[:, 1] - box.y1).min()
        assert min(gaps) < 2 * box.height
