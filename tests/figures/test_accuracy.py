"""Rows of runs above their means: test accuracy, tuned and untuned, outputs, remedies."""

import math

import numpy as np
import pytest
from figure_data import (
    INTERVAL,
    NAMES,
    REMEDIES,
    STYLE,
    accuracy_figure,
    arms,
    figures,
    marked_lines,
    markers,
    offsets,
    outcomes,
    outputs,
    remedies,
    scattered,
    texts,
)
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from study.figures import style


def test_every_run_is_a_point() -> None:
    """As many points as runs that finished, at their errors in percent, and diverged ones are counted."""
    accuracies = {NAMES[0]: [0.97, 0.98, 0.975], NAMES[1]: [0.96, math.nan, 0.961], NAMES[2]: [math.nan] * 3}
    figure = accuracy_figure(accuracies)
    (panel,) = figure.axes
    finished = sorted(100 - 100 * value for values in accuracies.values() for value in values if not math.isnan(value))
    assert sorted(offsets(panel)[:, 0]) == pytest.approx(finished)
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels == ["Label 0\nn = 3", "Label 1\nn = 2, 1 diverged", "Label 2\nn = 0, 3 diverged"]
    assert {"no run finished", "article"} <= set(texts(figure))
    (reference,) = [line for line in panel.lines if line.get_color() == style.GREY]
    assert reference.get_xdata() == pytest.approx([3.04, 3.04])


def test_runs_that_guess_do_not_squeeze_the_others() -> None:
    """Runs of 10% and of 97 to 98% are all on the panel, and 97 and 98% lie a fifth of its width apart."""
    figure = accuracy_figure({NAMES[0]: [0.97, 0.98, 0.975], NAMES[1]: [0.11, 0.1135, 0.098]})
    (panel,) = figure.axes
    worst, best = panel.get_xlim()
    assert all(best < error < worst for error in offsets(panel)[:, 0])
    at = (panel.transData + panel.transAxes.inverted()).transform([(3, 0), (2, 0)])[:, 0]
    assert at[1] - at[0] > 0.08


def test_points_are_spread_in_the_same_way_every_time() -> None:
    """No two runs of a row lie on each other's height."""
    first, second = (offsets(accuracy_figure(scattered(NAMES[:3])).axes[0]) for _ in range(2))
    assert (first == second).all()
    assert len(np.unique(first[:, 1])) == len(first)


def test_the_bar_of_a_mean_is_the_interval_handed_in() -> None:
    """One run has none, and every run diverged leaves finite limits."""
    accuracies = {NAMES[0]: [0.97, 0.98, 0.975]}
    (bars,) = [item for item in accuracy_figure(accuracies).axes[0].collections if isinstance(item, LineCollection)]
    (summary,) = outcomes(accuracies)[1].to_dict("records")
    assert bars.get_segments()[0][:, 0] == pytest.approx([100 - 100 * summary[end] for end in ("ci_low", "ci_high")])
    for values in ([0.97], [math.nan]):
        assert np.isfinite(accuracy_figure({NAMES[0]: values}).axes[0].get_xlim()).all()


def test_a_summary_of_other_runs_is_refused() -> None:
    """One run fewer than the table counts."""
    runs, accuracy = outcomes(scattered(NAMES[:2]))
    with pytest.raises(ValueError, match="must summarise these runs"):
        figures.test_accuracy(runs.iloc[1:], accuracy, STYLE, None, "")


def test_both_arms_have_all_their_points() -> None:
    """Tuned filled above, untuned open below, each with its four runs."""
    runs, tuned = arms(NAMES[:2])
    (panel,) = figures.tuned_beside_untuned(runs, tuned, STYLE, 0.01).axes
    assert sorted(offsets(panel)[:, 0]) == pytest.approx(sorted(100 - 100 * runs["accuracy"]))
    means = marked_lines(panel)
    is_open = [to_hex(line.get_markerfacecolor()) == "#ffffff" for line in means]
    assert is_open == [False, False, True, True]
    assert [line.get_xdata()[0] for line in means] == pytest.approx([2.85, 2.85, 3.85, 3.85])
    assert np.diff([line.get_ydata()[0] for line in means][::2]) > 0  # the axis grows downwards


def test_an_arm_without_a_run_is_an_empty_row_that_says_so() -> None:
    """The count of the other arm stands beside it."""
    runs, tuned = arms(NAMES[:1])
    tuned[["tuned_accuracy_mean", "tuned_ci_low", "tuned_ci_high", "tuned_n", "tuned_diverged"]] = math.nan
    figure = figures.tuned_beside_untuned(runs[runs["arm"] == "untuned"], tuned, STYLE, 0.01)
    assert any("n = 0; 4" in text for text in texts(figure))


def test_outputs_say_how_many_runs_diverged_beside_the_points() -> None:
    """In every row that lost a run, and over none of its points."""
    figure = figures.accuracy_by_output(*outputs())
    assert {"one", "two", "1 of 4 diverged", "4 of 4 diverged"} <= set(texts(figure))
    assert [len(offsets(panel)) for panel in figure.axes] == [8, 3]
    renderer = FigureCanvasAgg(figure).get_renderer()
    for panel in figure.axes:
        drawn = [*offsets(panel), *(line.get_xydata()[0] for line in marked_lines(panel))]
        for text in panel.texts:
            box = text.get_window_extent(renderer)
            assert not any(box.contains(*panel.transData.transform(point)) for point in drawn)


def test_outputs_that_all_diverged_are_still_named() -> None:
    """Though there is no point and no mean."""
    runs, found = outputs()
    nothing = found.assign(n=0, diverged=4, test_accuracy_mean=math.nan, ci_low=math.nan, ci_high=math.nan)
    figure = figures.accuracy_by_output(runs.assign(test_accuracy=math.nan), nothing)
    assert texts(figure).count("4 of 4 diverged") == 4


def test_remedies_stand_under_the_row_before() -> None:
    """Though the table has it last; the line is at its accuracy; a row that is missing or failed says so."""
    frame = remedies(NAMES[:2]).iloc[::-1].reset_index(drop=True)
    frame = frame[(frame["activation"] != NAMES[1]) | (frame["remedy"] != "critical")].copy()
    frame.loc[(frame["activation"] == NAMES[0]) & (frame["remedy"] == "critical"), INTERVAL] = math.nan
    figure = figures.remedies(frame, STYLE)
    assert figure.axes[0].get_yticklabels()[0].get_text() == REMEDIES[0]
    for panel, name in zip(figure.axes, NAMES, strict=False):
        points = markers(panel, STYLE.color(name))
        assert points[points[:, 1] == 0][:, 0] == pytest.approx([70])
        assert points[points[:, 1] > 0][:, 0] == pytest.approx([90])
        (before,) = [line for line in panel.lines if line.get_color() == style.GREY]
        assert np.asarray(before.get_xdata()) == pytest.approx([70, 70])
    assert {"not run", "no run finished", "70.0", "90.0"} <= set(texts(figure))
