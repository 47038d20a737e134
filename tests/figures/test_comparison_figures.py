"""The figures of learning rates, noise, output layers and cost, judged by the artists they hold."""

import io
import itertools
import math
from collections.abc import Callable

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from study.figures import cost as cost_figures
from study.figures import noise as noise_figures
from study.figures import outputs as output_figures
from study.figures import rates as rate_figures
from study.figures import rows as lane_figures
from study.figures import style

NAMES = [f"activation_{place}" for place in range(17)]
STYLE = style.Style({name: f"Label {name[11:]}" for name in NAMES}, {name: place for place, name in enumerate(NAMES)})
HOSTILE = (r"$\frac{1}{", "<b onload=x> & </b>", "a\\nb \\$ $x$", "_hidden", "two\nlines\x00", r"\alpha " * 9, " ")
RATES = (1e-4, 1e-3, 1e-2, 1e-1)
AMPLITUDES = (0.0, 0.5, 1.0, 3.0)
SEEDS = range(4)


def table(*levels, columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(list(itertools.product(*levels)), columns=columns)


def rates(names: list[str], best: float = 0.98) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The best rate is 1e-3 for all; every mean is that of its runs; at the largest rate a seed diverged."""
    runs = table(names, RATES, SEEDS, columns=["activation", "learning_rate", "seed"])
    away = np.abs(np.log10(runs["learning_rate"]) + 3)
    runs["best_validation_accuracy"] = best - 0.02 * away + 0.001 * runs["seed"]
    runs.loc[(runs["learning_rate"] == RATES[-1]) & (runs["seed"] == 0), "best_validation_accuracy"] = math.nan
    means = runs.groupby(["activation", "learning_rate"])["best_validation_accuracy"].mean()
    frame = means.rename("validation_accuracy_mean").reset_index()
    frame = frame.assign(ci_low=means.to_numpy() - 0.002, ci_high=means.to_numpy() + 0.002, n=4)
    is_last = frame["learning_rate"] == RATES[-1]
    return frame.assign(diverged=is_last.astype(int), is_chosen=frame["learning_rate"] == 1e-3), runs


def arms(names: list[str], accuracy: float = 0.97) -> tuple[pd.DataFrame, pd.DataFrame]:
    runs = table(names, ("tuned", "untuned"), SEEDS, columns=["activation", "arm", "seed"])
    runs["accuracy"] = accuracy - 0.01 * (runs["arm"] == "untuned") + 0.001 * runs["seed"]
    tuned = pd.DataFrame({"activation": names})
    for arm, part in runs.groupby("arm"):
        mean = part.groupby("activation", sort=False)["accuracy"].mean().to_numpy()
        tuned = tuned.assign(**{f"{arm}_accuracy_mean": mean, f"{arm}_ci_low": mean - 0.001})
        tuned = tuned.assign(**{f"{arm}_ci_high": mean + 0.001, f"{arm}_n": 4, f"{arm}_diverged": 0})
    return runs, tuned


def noisy(names: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    runs = table(names, AMPLITUDES, SEEDS, columns=["activation", "amplitude", "seed"])
    runs["test_accuracy"] = 0.97 / (1 + runs["amplitude"]) + 0.001 * runs["seed"]
    runs["test_loss"] = 0.1 + runs["amplitude"]
    found = runs.groupby(["activation", "amplitude"], sort=False)[["test_accuracy", "test_loss"]].mean().reset_index()
    found = found.rename(columns={"test_accuracy": "test_accuracy_mean", "test_loss": "test_loss_mean"})
    for prefix, column in (("accuracy", "test_accuracy_mean"), ("loss", "test_loss_mean")):
        found = found.assign(**{f"{prefix}_ci_low": 0.9 * found[column], f"{prefix}_ci_high": 1.1 * found[column]})
    return found.assign(difference=0.01, difference_ci_low=0.0, difference_ci_high=0.02), runs


def outputs() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The output "b" under the second loss diverged in every run, "a" in one."""
    runs = table(("a", "b"), ("one", "two"), SEEDS, columns=["output", "loss", "seed"])
    is_lost = (runs["loss"] == "two") & ((runs["output"] == "b") | (runs["seed"] == 0))
    runs["test_accuracy"] = (0.95 + 0.01 * runs["seed"]).mask(is_lost)
    found = runs.groupby(["output", "loss"])["test_accuracy"].agg(n="count", test_accuracy_mean="mean").reset_index()
    mean = found["test_accuracy_mean"]
    return runs, found.assign(runs=4, diverged=4 - found["n"], ci_low=mean - 0.01, ci_high=mean + 0.01)


def timed(names: list[str], slow: float = 1.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Five repeats near 2 ns or ms; the last takes `slow` times as long."""
    timings = table([*names, "copy"], cost_figures.TIMED, range(5), columns=["activation", "quantity", "repeat"])
    unit = timings["quantity"].map({"forward": 1e-9, "forward_backward": 1e-9, "step": 1e-3})
    timings["seconds"] = unit * (2 + 0.1 * timings["repeat"]) * np.where(timings["repeat"] == 4, slow, 1.0)
    cost = pd.DataFrame({"activation": names, "output_bytes": 4.0, "other_bytes": 8.0})
    for _, _, column in cost_figures.TIMED.values():
        cost = cost.assign(**{column: 2.2, f"{column}_q1": 2.1, f"{column}_q3": 2.3})
    return timings, cost


DRAWN: dict[str, Callable[[list[str], style.Style], Figure]] = {
    "rates": lambda names, looks: rate_figures.accuracy_against_rate(*rates(names), looks),
    "tuned": lambda names, looks: rate_figures.tuned_beside_untuned(*arms(names), looks, 0.01),
    "noise": lambda names, looks: noise_figures.noise_response(*noisy(names), looks, looks.label(names[0])),
    "costs": lambda names, looks: cost_figures.costs(*timed(names), looks, "copy"),
}
every_figure = pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN.keys())


def texts(figure: Figure) -> list[str]:
    found = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_visible()]
    return [text.get_text() for text in found if text.get_text()]


def png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=50)
    return buffer.getvalue()


def offsets(panel: Axes, color: str | None = None) -> np.ndarray:
    """(n, 2) positions of scattered points, of this colour if asked."""
    found = [item for item in panel.collections if isinstance(item, PathCollection)]
    kept = [item for item in found if color is None or to_hex(item.get_facecolor()[0][:3]).upper() == color]
    points = np.concatenate([np.empty((0, 2)), *(np.ma.getdata(item.get_offsets()) for item in kept)])
    return points[np.isfinite(points).all(axis=1)]


# All of them


@every_figure
def test_an_activation_has_its_colour(draw: Callable[..., Figure]) -> None:
    """Those of its place in the registry, and of no other, whatever is beside it."""
    names = [NAMES[12], NAMES[2]]
    figure = draw(names, STYLE)
    drawn = [line for line in figure.findobj(matplotlib.lines.Line2D) if line.get_marker() in style.MARKERS]
    colors = {to_hex(line.get_color()).upper() for line in drawn} - {style.GREY.upper()}
    assert colors == {STYLE.color(name) for name in names}


@every_figure
@pytest.mark.parametrize("count", [1, 4, 17])
def test_any_number_of_activations_fits(draw: Callable[..., Figure], count: int) -> None:
    """Every label is there, nothing written lies outside the figure, and no two labels of an axis overlap."""
    figure = draw(NAMES[:count], STYLE)
    FigureCanvasAgg(figure).draw()
    box, ticks = figure.bbox, {}
    for axis in (axis for panel in figure.axes for axis in (panel.xaxis, panel.yaxis)):
        low, high = sorted(axis.get_view_interval())
        is_seen = {tick.label1: low <= tick.get_loc() <= high for tick in axis.get_major_ticks()}
        ticks |= is_seen
        seen = [label.get_window_extent() for label, shown in is_seen.items() if shown and label.get_visible()]
        assert not any(one.overlaps(other) for one, other in itertools.combinations(seen, 2))
    for text in figure.findobj(Text):
        if isinstance(text, Text) and text.get_visible() and text.get_text() and ticks.get(text, True):
            extent = text.get_window_extent()
            assert box.x0 - 1 <= extent.x0 <= extent.x1 <= box.x1 + 1, text
            assert box.y0 - 1 <= extent.y0 <= extent.y1 <= box.y1 + 1, text
    assert all(any(STYLE.label(name) in text for text in texts(figure)) for name in NAMES[:count])


@every_figure
def test_hostile_labels_are_drawn_as_they_are_written(draw: Callable[..., Figure]) -> None:
    looks = style.Style(
        dict(zip(NAMES[: len(HOSTILE)], HOSTILE, strict=True)),
        {name: i for i, name in enumerate(NAMES[: len(HOSTILE)])},
    )
    png(draw(NAMES[: len(HOSTILE)], looks))


@every_figure
def test_the_users_settings_are_left_alone(draw: Callable[..., Figure]) -> None:
    before = dict(matplotlib.rcParams)
    draw(NAMES[:3], STYLE)
    assert dict(matplotlib.rcParams) == before


@every_figure
def test_the_same_frames_give_the_same_bytes(draw: Callable[..., Figure]) -> None:
    assert png(draw(NAMES[:3], STYLE)) == png(draw(NAMES[:3], STYLE))


# The scale of accuracies


@pytest.mark.parametrize(
    "accuracies", [[98.0], [10.0, 98.0], [97.9, 98.1], [9.8, 99.99], [math.nan], [0.0, 50.0], [95.4, 98.3]]
)
def test_the_scale_holds_every_value_and_has_ticks(accuracies: list[float]) -> None:
    """Whatever lies between 0 and one wrong image of 10,000."""
    panel = Figure().subplots()
    lane_figures.accuracy_scale(panel.xaxis, accuracies)
    low, high = panel.get_xlim()
    known = [value for value in accuracies if not math.isnan(value)]
    assert all(low <= value <= high for value in known)
    ticks = [tick for tick in panel.get_xticks() if low <= tick <= high]
    assert len(ticks) >= 2
    assert sorted(set(ticks)) == sorted(ticks)


def test_half_the_errors_are_one_step() -> None:
    """From 96 to 98 as from 98 to 99 percent; and back."""
    places = lane_figures._to_scale(np.array([96.0, 98.0, 99.0]))
    assert np.diff(places) == pytest.approx(math.log10(2))
    assert lane_figures._from_scale(places) == pytest.approx([96, 98, 99])


def test_a_perfect_run_has_a_place() -> None:
    assert lane_figures.percent_of([1.0, 0.5, math.nan])[:2].tolist() == [99.99, 50.0]


# Learning rates


def test_every_run_and_every_mean_is_drawn_beside_its_rate() -> None:
    """Within half of the grid's step, so that no point is read at another rate; and no point is hidden by another."""
    frame, runs = rates(NAMES[:4])
    panel = rate_figures.accuracy_against_rate(frame, runs, STYLE).axes[0]
    for name in NAMES[:4]:
        found = offsets(panel, STYLE.color(name))
        expected = runs[runs["activation"] == name]["best_validation_accuracy"].dropna()
        assert sorted(found[:, 1]) == pytest.approx(sorted(100 * expected))
        nearest = [min(RATES, key=lambda rate, at=at: abs(math.log10(rate / at))) for at in found[:, 0]]
        assert np.abs(np.log10(found[:, 0] / nearest)).max() < 0.2
    assert len(np.unique(offsets(panel).round(9), axis=0)) == runs["best_validation_accuracy"].notna().sum()


def test_a_ring_is_at_the_chosen_rate_and_a_cross_where_a_seed_diverged() -> None:
    frame, runs = rates(NAMES[:2])
    panel = rate_figures.accuracy_against_rate(frame, runs, STYLE).axes[0]
    rings = [line for line in panel.lines if line.get_markerfacecolor() == "none"]
    assert [line.get_ydata()[0] for line in rings] == pytest.approx(
        100 * frame.loc[frame["is_chosen"], "validation_accuracy_mean"]
    )
    crosses = [line for line in panel.lines if line.get_marker() == "x"]
    assert all(math.log10(line.get_xdata()[0]) == pytest.approx(-1, abs=0.2) for line in crosses)
    assert "×: a seed diverged" in panel.get_xlabel()
    calm = rate_figures.accuracy_against_rate(frame.assign(diverged=0), runs, STYLE).axes[0]
    assert "×" not in calm.get_xlabel()


def test_rates_without_a_run_that_finished_are_drawn_without_a_point() -> None:
    frame, runs = rates(NAMES[:1])
    nothing = frame.assign(validation_accuracy_mean=math.nan, ci_low=math.nan, ci_high=math.nan, is_chosen=False)
    png(rate_figures.accuracy_against_rate(nothing, runs.assign(best_validation_accuracy=math.nan), STYLE))


def test_both_arms_have_all_their_points() -> None:
    """Tuned filled above, untuned open below, each with its four runs."""
    runs, tuned = arms(NAMES[:2])
    panel = rate_figures.tuned_beside_untuned(runs, tuned, STYLE, 0.01).axes[0]
    assert sorted(offsets(panel)[:, 0]) == pytest.approx(sorted(100 * runs["accuracy"]))
    means = [line for line in panel.lines if line.get_marker() in style.MARKERS]
    is_open = [to_hex(line.get_markerfacecolor()) == "#ffffff" for line in means]
    assert is_open == [False, True, False, True]
    assert [line.get_xdata()[0] for line in means] == pytest.approx([97.15, 96.15, 97.15, 96.15])


def test_an_arm_without_a_run_is_an_empty_lane_that_says_so() -> None:
    runs, tuned = arms(NAMES[:1])
    tuned[["tuned_accuracy_mean", "tuned_ci_low", "tuned_ci_high", "tuned_n", "tuned_diverged"]] = math.nan
    figure = rate_figures.tuned_beside_untuned(runs[runs["arm"] == "untuned"], tuned, STYLE, 0.01)
    assert any("n = 0; 4" in text for text in texts(figure))


# Noise


def test_noise_has_a_panel_of_differences_where_there_is_a_reference() -> None:
    frame, runs = noisy(NAMES[:2])
    with_reference = noise_figures.noise_response(frame, runs, STYLE, "Label 0")
    assert [panel.get_title() for panel in with_reference.axes] == [
        "test accuracy", "minus Label 0, points", "test loss",
    ]  # fmt: skip
    without = noise_figures.noise_response(frame, runs, STYLE, None)
    assert [panel.get_title() for panel in without.axes] == ["test accuracy", "test loss"]


def test_every_noisy_run_is_a_point() -> None:
    frame, runs = noisy(NAMES[:2])
    panel = noise_figures.noise_response(frame, runs, STYLE, None).axes[0]
    assert len(offsets(panel)) == len(runs)
    low, high = panel.get_ylim()
    assert low <= 100 * runs["test_accuracy"].min() <= 100 * runs["test_accuracy"].max() <= high


# Output layers


def test_outputs_say_how_many_runs_diverged() -> None:
    figure = output_figures.accuracy_by_output(*outputs())
    assert {"one", "two", "1 of 4 diverged", "4 of 4 diverged"} <= set(texts(figure))
    assert [len(offsets(panel)) for panel in figure.axes] == [8, 3]


def test_outputs_that_all_diverged_are_still_named() -> None:
    runs, found = outputs()
    nothing = found.assign(n=0, diverged=4, test_accuracy_mean=math.nan, ci_low=math.nan, ci_high=math.nan)
    figure = output_figures.accuracy_by_output(runs.assign(test_accuracy=math.nan), nothing)
    assert texts(figure).count("4 of 4 diverged") == 4


# Cost


def test_every_repeat_is_a_point_in_its_unit() -> None:
    timings, cost = timed(NAMES[:2])
    figure = cost_figures.costs(timings, cost, STYLE, "copy")
    for panel in figure.axes[:3]:
        assert sorted(offsets(panel)[:, 0]) == pytest.approx(sorted([2.0, 2.1, 2.2, 2.3, 2.4] * 2))
        assert panel.get_xlim()[0] == 0


def test_a_repeat_beyond_the_axis_is_an_arrowhead_at_its_end() -> None:
    """It does not press the others together, and it is not dropped either."""
    figure = cost_figures.costs(*timed(NAMES[:1], slow=50.0), STYLE, "copy")
    panel = figure.axes[0]
    assert len(offsets(panel)) == 4
    (arrow,) = [line for line in panel.lines if line.get_marker() == ">"]
    assert panel.get_xlim()[1] == pytest.approx(1.25 * 2.3)
    assert arrow.get_xdata()[0] == pytest.approx(0.98 * 1.25 * 2.3)  # wholly within the panel


def test_no_bytes_are_a_zero() -> None:
    timings, cost = timed(NAMES[:1])
    figure = cost_figures.costs(timings, cost.assign(output_bytes=0.0, other_bytes=0.0), STYLE, "copy")
    assert "0" in [text.get_text() for text in figure.axes[3].texts]
