"""Rows of runs above their means, and of differences beside the margin: accuracies, arms, outputs, remedies, costs."""

import math

import figure_data as data
import numpy as np
import pytest
from figure_data import INTERVAL, NAMES, REMEDIES, STYLE, figures, texts
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from study.figures import style


def test_differences_stand_beside_the_margin_with_their_finding() -> None:
    """In points, a row per activation, the reference at 0; the band goes from minus to plus the margin."""
    differences, trained = data.decided(NAMES[:3])
    panel, adam, sgd = figures.answer(differences, trained, STYLE).axes
    middles = [line.get_xydata()[0] for line in data.marked_lines(panel)]
    assert np.array(middles) == pytest.approx(np.array([[0.0, 0], [0.1, 1], [0.2, 2]]))
    assert data.bars(panel)[:, :, 0] == pytest.approx(np.array([[0.09, 0.11], [0.19, 0.21]]))
    (band,) = panel.patches
    assert [band.get_x(), band.get_x() + band.get_width()] == pytest.approx([-0.2, 0.2])
    assert [text.get_text() for text in panel.texts] == ["tie", "tie"]
    assert [adam.get_title(), sgd.get_title()] == ["Adam", "SGD"]
    means = trained[(trained["activation"] == NAMES[1]) & (trained["panel"] == "SGD")]["mean"]
    assert data.line_of(sgd, NAMES[1]).get_ydata() == pytest.approx(100 * means)
    assert len(figures.answer(differences, trained[:0], STYLE).axes) == 1


def test_every_run_is_a_point() -> None:
    """Every run that finished is a point at its error in percent and a height of its own; diverged runs are counted."""
    accuracies = {NAMES[0]: [0.97, 0.98, 0.975], NAMES[1]: [0.96, math.nan, 0.961], NAMES[2]: [math.nan] * 3}
    figure = data.accuracy_figure(accuracies)
    (panel,) = figure.axes
    finished = sorted(100 - 100 * value for values in accuracies.values() for value in values if not math.isnan(value))
    assert sorted(data.offsets(panel)[:, 0]) == pytest.approx(finished)
    assert len(set(data.offsets(panel)[:, 1])) == len(finished)
    rows = [data.markers(panel, STYLE.color(name))[:, 1].round(6).tolist() for name in NAMES[:3]]
    assert rows == [[0.2], [1.2], []]
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels == ["Label 0\nn = 3", "Label 1\nn = 2, 1 diverged", "Label 2\nn = 0, 3 diverged"]
    assert {"no run finished", "article"} <= set(texts(figure))
    (reference,) = [line for line in panel.lines if line.get_color() == style.GREY]
    assert reference.get_xdata() == pytest.approx([3.04, 3.04])
    summary = data.outcomes(accuracies)[1].iloc[0]
    ends = sorted(100 - 100 * summary[end] for end in ("ci_low", "ci_high"))
    assert sorted(data.bars(panel)[0, :, 0]) == pytest.approx(ends)


@pytest.mark.parametrize("values", [[0.97], [math.nan]])
def test_one_run_or_none_leaves_finite_limits(values: list[float]) -> None:
    """No interval is drawn."""
    (panel,) = data.accuracy_figure({NAMES[0]: values}).axes
    assert np.isfinite(panel.get_xlim()).all()
    assert not len(data.bars(panel))


def test_a_summary_of_other_runs_is_refused() -> None:
    """One run fewer than the table counts."""
    runs, accuracy = data.outcomes(data.scattered(NAMES[:2]))
    with pytest.raises(ValueError, match="must summarise these runs"):
        figures.test_accuracy(runs.iloc[1:], accuracy, STYLE, None, "")


def test_both_arms_have_all_their_points() -> None:
    """Tuned filled above, untuned open below, each with its four runs; an arm without a run is counted as 0."""
    runs, tuned = data.arms(NAMES[:2])
    (panel,) = figures.tuned_beside_untuned(runs, tuned, STYLE, 0.01).axes
    assert sorted(data.offsets(panel)[:, 0]) == pytest.approx(sorted(100 - 100 * runs["accuracy"]))
    first = data.offsets(panel, STYLE.color(NAMES[0]))
    assert sorted(first[first[:, 1] < -0.1, 0]) == pytest.approx([2.7, 2.8, 2.9, 3.0])
    means = data.marked_lines(panel)
    is_open = [to_hex(line.get_markerfacecolor()) == "#ffffff" for line in means]
    assert is_open == [False, False, True, True]
    assert [line.get_xdata()[0] for line in means] == pytest.approx([2.85, 2.85, 3.85, 3.85])
    assert np.diff([line.get_ydata()[0] for line in means][::2]) > 0  # the axis grows downwards
    tuned[[column for column in tuned if column.startswith("tuned_")]] = math.nan
    without = figures.tuned_beside_untuned(runs[runs["arm"] == "untuned"], tuned, STYLE, 0.01)
    assert any("n = 0; 4" in text for text in texts(without))


def test_outputs_say_how_many_runs_diverged_beside_the_points() -> None:
    """In every row that lost a run, and over none of its points, means and intervals; also where no run is left."""
    runs, found = data.outputs()
    figure = figures.accuracy_by_output(runs, found)
    assert {"one", "two", "1 of 4 diverged", "4 of 4 diverged"} <= set(texts(figure))
    assert [len(data.offsets(panel)) for panel in figure.axes] == [8, 3]
    sides = {text.get_text(): text.get_ha() for text in figure.axes[1].texts}
    assert sides == {"1 of 4 diverged": "left", "4 of 4 diverged": "right"}
    renderer = FigureCanvasAgg(figure).get_renderer()
    for panel in figure.axes:
        drawn = [
            *data.offsets(panel),
            *data.bars(panel).reshape(-1, 2),
            *(line.get_xydata()[0] for line in data.marked_lines(panel)),
        ]
        for text in panel.texts:
            box = text.get_window_extent(renderer)
            assert not any(box.contains(*panel.transData.transform(point)) for point in drawn)
    nothing = found.assign(n=0, diverged=4, test_accuracy_mean=math.nan, ci_low=math.nan, ci_high=math.nan)
    assert texts(figures.accuracy_by_output(runs.assign(test_accuracy=math.nan), nothing)).count("4 of 4 diverged") == 4


def test_remedies_stand_under_the_row_before() -> None:
    """Though the table has it last; the line is at its accuracy; a row that is missing or failed says so."""
    means, runs = data.remedies(NAMES[:2])
    means = means.iloc[::-1].reset_index(drop=True)
    means = means[(means["activation"] != NAMES[1]) | (means["remedy"] != "critical")].copy()
    means.loc[(means["activation"] == NAMES[0]) & (means["remedy"] == "critical"), INTERVAL] = math.nan
    figure = figures.remedies(means, STYLE, runs)
    assert figure.axes[0].get_yticklabels()[0].get_text() == REMEDIES[0]
    for panel, name in zip(figure.axes, NAMES, strict=False):
        points = data.markers(panel, STYLE.color(name))
        assert points[points[:, 1] == 0][:, 0] == pytest.approx([70])
        assert points[points[:, 1] > 0][:, 0] == pytest.approx([90])
        (before,) = [line for line in panel.lines if line.get_color() == style.GREY]
        assert np.asarray(before.get_xdata()) == pytest.approx([70, 70])
        assert sorted(data.offsets(panel)[:, 0]) == pytest.approx(
            sorted(100 * runs["value"][runs["activation"] == name])
        )
    assert {"not run", "no run finished", "70.0", "90.0"} <= set(texts(figure))


def test_every_repeat_of_a_timing_is_a_point_in_its_unit() -> None:
    """Nanoseconds or milliseconds, from 0. One beyond the axis is an arrowhead at its end, and presses no other."""
    for panel in figures.costs(*data.timed(NAMES[:2]), STYLE, "copy").axes[:3]:
        assert sorted(data.offsets(panel)[:, 0]) == pytest.approx(sorted([2.0, 2.1, 2.2, 2.3, 2.4] * 2))
        assert panel.get_xlim()[0] == 0
    panel = figures.costs(*data.timed(NAMES[:1], slow=50.0), STYLE, "copy").axes[0]
    assert len(data.offsets(panel)) == 4
    (arrow,) = [line for line in panel.lines if line.get_marker() == ">"]
    assert panel.get_xlim()[1] == pytest.approx(1.25 * 2.3)
    assert arrow.get_xdata()[0] == pytest.approx(0.98 * 1.25 * 2.3)  # wholly within the panel


def test_no_bytes_are_a_zero() -> None:
    """Where the bar would be."""
    timings, cost = data.timed(NAMES[:1])
    figure = figures.costs(timings, cost.assign(output_bytes=0.0, other_bytes=0.0), STYLE, "copy")
    assert "0" in [text.get_text() for text in figure.axes[3].texts]
