"""Accuracy and loss over epochs, rates, depth, noise and width, and from cause to effect."""

import math

import figure_data as data
import numpy as np
import pytest
from figure_data import NAMES, RATES, STYLE, figures, texts
from matplotlib.axes import Axes

from study.analysis.statistics import log_mean_interval, mean_interval


def runs_drawn(panel: Axes) -> list[list[float]]:
    """Return the epochs of every faint line."""
    return [list(line.get_xdata()) for line in panel.lines if line.get_label() not in NAMES]


def test_the_mean_ends_where_the_first_seed_stops() -> None:
    """Seeds of 4, 6 and 9 epochs: a mean over epochs 1 to 4, equal to every seed's loss there; three faint lines."""
    panel = figures.training_curves(data.histories(NAMES[:1]), STYLE).axes[0]
    line = data.line_of(panel, NAMES[0])
    assert line.get_xdata() == pytest.approx([1, 2, 3, 4])
    assert line.get_ydata() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
    assert [run[-1] for run in runs_drawn(panel)] == [4, 6, 9]
    assert runs_drawn(figures.training_curves(data.histories(NAMES[:1], (3,) * 11), STYLE).axes[0]) == []


def test_bands_are_the_intervals_over_seeds() -> None:
    """Of the losses' logarithms, taken back, and of the accuracies themselves; recomputed seed by seed."""
    history = data.histories(NAMES[:1], (3, 3, 3))
    history["training_loss"] *= 1 + history["seed"]
    figure = figures.training_curves(history, STYLE)
    first = history[history["epoch"] == 1]
    loss, _ = log_mean_interval(first["training_loss"])
    error = mean_interval(100 - 100 * first["validation_accuracy"])
    for panel, expected in ((figure.axes[0], loss), (figure.axes[2], error)):
        corners = data.band_corners(panel)
        ends = corners[corners[:, 0] == 1, 1]
        assert [ends.min(), ends.max()] == pytest.approx([expected.low, expected.high])
        assert data.line_of(panel, NAMES[0]).get_ydata()[0] == pytest.approx(expected.estimate)


def test_a_run_that_diverged_is_in_no_mean_and_does_not_end_it() -> None:
    """Seed 0 diverges at epoch 3: a cross at epoch 2, where it was last finite; the mean goes on to epoch 6."""
    history = data.histories(NAMES[:1])
    lost = (history["seed"] == 0) & (history["epoch"] == 3)
    history = history[(history["seed"] > 0) | (history["epoch"] <= 3)].copy()
    history.loc[lost, ["training_loss", "validation_loss"]] = math.nan
    history.loc[history["seed"] == 0, "validation_accuracy"] = 0.1
    figure = figures.training_curves(history, STYLE)
    assert data.line_of(figure.axes[0], NAMES[0]).get_xdata() == pytest.approx([1, 2, 3, 4, 5, 6])
    assert data.line_of(figure.axes[2], NAMES[0]).get_ydata() == pytest.approx(3.85 * np.ones(6))
    assert [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() == "x"] == [2]
    assert "Label 0 (1/3 diverged)" in texts(figure)


def test_runs_that_all_diverge_or_are_alone_or_short_are_drawn() -> None:
    """Diverged from the first epoch on, an activation stays in the legend; one run has no band, one epoch bars."""
    history = data.histories(NAMES[:2])
    history.loc[history["activation"] == NAMES[1], ["training_loss", "validation_loss"]] = math.nan
    figure = figures.training_curves(history, STYLE)
    assert "Label 1 (3/3 diverged)" in texts(figure)
    assert all(np.isfinite(panel.get_ylim()).all() for panel in figure.axes)
    figures.training_curves(history[history["activation"] == NAMES[1]], STYLE)
    for panel in figures.training_curves(data.histories(NAMES[:1], (5,)), STYLE).axes:
        assert not np.isfinite(data.band_corners(panel)[:, 1]).any()
    figures.training_curves(data.histories(NAMES[:2], (1, 1, 1)), STYLE)


def test_a_loss_of_exactly_zero_is_in_the_band() -> None:
    """One of three seeds at epoch 2: an open marker there, and the mean of the others."""
    history = data.histories(NAMES[:1])
    history.loc[(history["seed"] == 1) & (history["epoch"] == 2), "training_loss"] = 0.0
    panel = figures.training_curves(history, STYLE).axes[0]
    assert data.offsets(panel, open_markers=True)[:, 0].tolist() == [2]
    assert data.line_of(panel, NAMES[0]).get_ydata()[1] == pytest.approx(1 / 2)


def test_every_run_and_every_mean_is_drawn_beside_its_rate() -> None:
    """Within half of the grid's step, so that no point is read at another rate; and no point is hidden by another."""
    frame, runs = data.rates(NAMES[:4])
    panel = figures.accuracy_against_rate(frame, runs, STYLE).axes[0]
    for name in NAMES[:4]:
        found = data.offsets(panel, STYLE.color(name))
        expected = runs[runs["activation"] == name]["best_validation_accuracy"].dropna()
        assert sorted(found[:, 1]) == pytest.approx(sorted(100 - 100 * expected))
        nearest = [min(RATES, key=lambda rate, at=at: abs(math.log10(rate / at))) for at in found[:, 0]]
        assert np.abs(np.log10(found[:, 0] / nearest)).max() < 0.2
    assert len(np.unique(data.offsets(panel).round(9), axis=0)) == runs["best_validation_accuracy"].notna().sum()
    assert "side by side" in panel.get_xlabel()


def test_a_ring_is_at_the_chosen_rate_and_a_cross_where_a_seed_diverged() -> None:
    """The cross is explained only where there is one."""
    frame, runs = data.rates(NAMES[:2])
    panel = figures.accuracy_against_rate(frame, runs, STYLE).axes[0]
    rings = [line for line in panel.lines if line.get_markerfacecolor() == "none"]
    chosen = frame.loc[frame["is_best"], "validation_accuracy_mean"]
    assert [line.get_ydata()[0] for line in rings] == pytest.approx(100 - 100 * chosen)
    crosses = [line for line in panel.lines if line.get_marker() == "x"]
    assert len(crosses) == 2
    assert all(math.log10(line.get_xdata()[0]) == pytest.approx(-1, abs=0.2) for line in crosses)
    assert "×: a seed diverged" in panel.get_xlabel()
    calm = figures.accuracy_against_rate(frame.assign(diverged=0), runs, STYLE).axes[0]
    assert "×" not in calm.get_xlabel()


def test_rates_without_a_run_that_finished_are_drawn_without_a_point() -> None:
    """The axes are there."""
    frame, runs = data.rates(NAMES[:1])
    nothing = frame.assign(validation_accuracy_mean=math.nan, ci_low=math.nan, ci_high=math.nan, is_best=False)
    figure = figures.accuracy_against_rate(nothing, runs.assign(best_validation_accuracy=math.nan), STYLE)
    assert not len(data.offsets(figure.axes[0]))


def test_accuracies_stand_near_their_depth_in_percent_and_apart() -> None:
    """A panel a setting, in order of appearance; each depth's points within 14% of it, no two at one place."""
    frame = data.trained(NAMES[:4], ("second", "first")).assign(mean=0.5)
    figure = figures.accuracy_against_depth(frame, STYLE, data.runs_of(frame))
    assert list(data.titled(figure)) == ["second", "first"]
    points = np.concatenate([data.line_of(figure.axes[0], name).get_xydata() for name in NAMES[:4]])
    assert points[:, 1] == pytest.approx(50)
    assert len(np.unique(points[:, 0].round(6))) == 4 * 4
    assert np.sort(points[:, 0]) == pytest.approx(np.repeat([1, 2, 5, 20], 4), rel=0.14)
    assert {"trained", "guessing"} <= set(texts(figure))
    assert any("side by side" in text for text in texts(figure))
    runs = data.offsets(figure.axes[0])
    assert sorted(runs[:, 1].round(6)) == [45] * 16 + [50] * 16 + [55] * 16
    assert set(runs[:, 0]) == set(points[:, 0])


def test_accuracies_of_more_than_six_settings_are_refused() -> None:
    """Six have their panels."""
    assert len(figures.accuracy_against_depth(data.trained(NAMES[:1], tuple("abcdef")), STYLE).axes) == 6
    with pytest.raises(ValueError, match="at most 6"):
        figures.accuracy_against_depth(data.trained(NAMES[:1], tuple("abcdefg")), STYLE)


def test_noise_has_a_panel_of_differences_where_there_is_a_reference() -> None:
    """Every run is a dash of the accuracies, and lies on the panel."""
    frame, runs = data.noisy(NAMES[:2])
    titles = [panel.get_title() for panel in figures.noise_response(frame, runs, STYLE, "Label 0").axes]
    assert titles == ["test accuracy", "minus Label 0, points", "test loss (log scale)"]
    without = figures.noise_response(frame, runs, STYLE, None)
    assert [panel.get_title() for panel in without.axes] == ["test accuracy", "test loss (log scale)"]
    panel = without.axes[0]
    low, high = panel.get_ylim()
    assert sorted(data.offsets(panel)[:, 1]) == pytest.approx(sorted(100 * runs["test_accuracy"]))
    assert low <= data.offsets(panel)[:, 1].min() <= data.offsets(panel)[:, 1].max() <= high


def test_a_difference_under_noise_is_in_points_beside_accuracies_in_percent() -> None:
    """The tables hold fractions; losses are drawn as they are."""
    frame, runs = data.noisy(NAMES[:2])
    panels = figures.noise_response(frame, runs, STYLE, "Label 0").axes
    rows = frame[frame["activation"] == NAMES[1]].sort_values("amplitude")
    for panel, column, factor in zip(
        panels, ("test_accuracy_mean", "difference", "test_loss_mean"), (100, 100, 1), strict=True
    ):
        assert data.line_of(panel, NAMES[1]).get_ydata() == pytest.approx(factor * rows[column].to_numpy())


def test_the_share_born_dead_has_its_interval() -> None:
    """A marker at each width, on a bar from ci_low to ci_high, in percent."""
    frame = data.born(NAMES[:1])
    panel = figures.born_dead(frame, STYLE).axes[0]
    points = frame[["width", "share"]] * [1, 100]
    assert data.line_of(panel, NAMES[0]).get_xydata() == pytest.approx(points.to_numpy())
    assert data.bars(panel)[:, :, 1] == pytest.approx(100 * frame[["ci_low", "ci_high"]].to_numpy())


def test_the_share_of_the_error_is_in_words() -> None:
    """From all to a millionth and beyond. Networks deeper than 20 layers are left out, and a share may be missing."""
    curves, shares, accuracy = data.cause(NAMES[:2])
    figure = figures.cause_and_effect(curves, shares, accuracy, STYLE)
    assert {"all", "a thousandth", "a millionth", "a billionth"} <= set(texts(figure))
    for panel in figure.axes[1:3]:
        assert [line.get_xdata() for line in panel.lines if line.get_label() in NAMES] == [pytest.approx([2, 10])] * 2
    figures.cause_and_effect(curves, shares.assign(share_of_error=math.nan), accuracy, STYLE)
