"""Where an axis begins and ends, and where its ticks are."""

import math

import pandas as pd
import pytest
from figure_data import NAMES, STYLE, figures, gradient_norms, texts, whole
from matplotlib.figure import Figure

from study.figures import axes, marks


def rows(*means: float, low: float = math.nan, high: float = math.nan, n_zero: int = 0) -> pd.DataFrame:
    """Return one row for each mean, of an activation of its own."""
    names = NAMES[: len(means)]
    return pd.DataFrame({"activation": names, "mean": means, "ci_low": low, "ci_high": high, "n_zero": n_zero})


@pytest.mark.parametrize(
    ("low", "high"),
    [(1e-45, 1.0), (2e-6, 9e-6), (3.0, 3.0), (1.9, 2.1), (1e-3, 0.5), (0.4, 300.0), (2.2, 4.6), (1e-250, 1e-220)],
)
@pytest.mark.parametrize("n_zero", [0, 1])
def test_a_logarithmic_axis_holds_and_marks_its_values(low: float, high: float, n_zero: int) -> None:
    """Its values lie above the band of zeros, and it has three to ten ticks with labels of their own."""
    panel = Figure().subplots()
    axes.norm_axis(panel, rows(low, high, n_zero=n_zero).assign(activation=NAMES[0]))
    bottom, top = panel.get_ylim()
    to_height = panel.transData + panel.transAxes.inverted()
    heights = to_height.transform([(1, low), (1, high)])[:, 1]
    assert (axes.ZERO_BAND if n_zero else 0) < heights[0] <= heights[1] < 1
    ticks = panel.yaxis.get_majorticklocs()
    assert 3 <= len(ticks) <= 10
    assert all(bottom < tick < top for tick in ticks)
    labels = [panel.yaxis.get_major_formatter()(tick) for tick in ticks]
    assert len(set(labels)) == len(labels)


def test_one_entry_far_below_does_not_flatten_the_others() -> None:
    """The panel shows the decades of the others, and a marker at its bottom says the least mean of the one.

    The colour scale of the heat map holds the decades of the others too.
    """
    frame = gradient_norms(NAMES[:4])
    frame.loc[(frame["activation"] == NAMES[3]) & (frame["layer"] == 1), ["mean", "ci_low", "ci_high"]] = 1e-150
    for panel in figures.gradient_norms_by_layer(frame, STYLE).axes:
        low, high = panel.get_ylim()
        assert math.log10(high / low) < 5
        (mark,) = [line for line in panel.lines if line.get_marker() == "v"]
        assert mark.get_color() == STYLE.color(NAMES[3])
        assert mark.get_xdata() == [1]
        assert "to 1e-150" in [text.get_text() for text in panel.texts]
    assert not any(text.startswith("to ") for text in texts(figures.gradient_norms_by_layer(frame[:0], STYLE)))
    heat = figures.error_heat_map(frame, STYLE)
    low, high = heat.axes[-1].get_ylim()
    assert math.log10(high / low) < 4
    assert texts(heat).count("1e-150") == 3


def test_a_mean_under_the_band_of_zeros_is_marked() -> None:
    """The band, which lies above the panel's lower limit, would hide it."""
    panel = Figure().subplots()
    marks.line_panel(panel, rows(1.0, 0.5, 1e-29, 1e-33, n_zero=1).assign(step=1, n=4), "step", "log", STYLE)
    assert panel.get_ylim()[0] < 1e-33
    assert [line.get_marker() for line in panel.lines].count("v") == 1
    assert "to 1e-33" in [text.get_text() for text in panel.texts]


def test_what_vanishes_within_thirty_decades_of_the_others_is_shown() -> None:
    """A sigmoid's 1e-31 beside 1e-8 sets the limit; if all reach 1e-150, so does the axis."""
    assert axes.log_limits(rows(1e-8, 1e-31, 1e-15, 1e-15))[0] < -31
    assert axes.log_limits(rows(1e-150, 1e-149, 1.0))[0] < -150
    assert axes.log_limits(rows(1e-150, 1.0, 0.5))[0] > -3


def test_an_endless_interval_does_not_set_the_scale() -> None:
    """Two seeds can have an interval of 60 decades: it leaves the panel, and means over 4 decades keep 4 of 9."""
    low, high = axes.log_limits(rows(1e-4, 1.0, low=1e-60, high=1e60))
    assert high - low < 9
    whole.gradient_norms_by_layer(gradient_norms(NAMES[:2], ci_low=0.0, ci_high=math.inf), STYLE)


def test_nothing_but_zeros_has_finite_limits() -> None:
    """Without a mean the axis has the tick of the band alone, and its limits are above zero."""
    panel = Figure().subplots()
    axes.norm_axis(panel, rows(math.nan, n_zero=3))
    assert 0 < panel.get_ylim()[0] < panel.get_ylim()[1] < math.inf
    assert not len(panel.get_yticks())
    assert [text.get_text() for text in panel.get_yticklabels(minor=True)] == ["exactly 0"]


@pytest.mark.parametrize("draw", [figures.gradient_norms_by_layer, figures.error_heat_map])
def test_a_mean_of_zero_has_no_logarithm(draw: object) -> None:
    """Exact zeros are counted in n_zero instead."""
    with pytest.raises(ValueError, match="n_zero"):
        draw(gradient_norms(NAMES[:1], mean=0.0), STYLE)  # type: ignore[operator]


@pytest.mark.parametrize(
    "accuracies", [[0.98], [0.1, 0.98], [0.979, 0.981], [0.098, 0.9999], [math.nan], [0.0, 0.5], [0.954, 0.983], [1.0]]
)
def test_the_error_axis_holds_every_accuracy_and_has_ticks(accuracies: list[float]) -> None:
    """Whatever lies between 0 and a perfect run, drawn at one wrong image of 10,000; better is to the right."""
    panel = Figure().subplots()
    wrong = axes.error_percent(accuracies)
    axes.error_axis(panel.xaxis, wrong)
    worst, best = panel.get_xlim()
    assert worst > best
    assert all(best <= error <= worst for error in wrong if not math.isnan(error))
    ticks = [tick for tick in panel.get_xticks() if best <= tick <= worst]
    assert 3 <= len(ticks) <= 7
    assert len({panel.xaxis.get_major_formatter()(tick) for tick in ticks}) == len(ticks)


def test_half_the_errors_are_one_step_and_labels_are_accuracies() -> None:
    """From 96 to 98% as from 98 to 99%; the tick at 2% wrong says 98%. A perfect run has one wrong image of 10,000."""
    panel = Figure().subplots()
    axes.error_axis(panel.xaxis, axes.error_percent([0.9, 0.96, 0.98, 0.99]))
    places = panel.transData.transform([(error, 1) for error in (4, 2, 1)])[:, 0]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1])
    assert panel.xaxis.get_major_formatter()(2.0) == "98%"
    assert axes.error_percent([0.0, 0.5, 1.0, math.nan]) == pytest.approx([100, 50, 0.01, math.nan], nan_ok=True)


def test_numbers_in_short() -> None:
    """One digit, or more if asked for, and the least exponent."""
    assert [axes.scientific(value) for value in (4.2e-13, 1e-150, 10000.0)] == ["4e-13", "1e-150", "1e4"]
    assert [axes.scientific(value, 2) for value in (3.04e-7, 0.996)] == ["3.0e-7", "1.0e0"]
