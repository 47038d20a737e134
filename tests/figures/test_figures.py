"""The figures, judged by what they draw: a test reads the artists back, or the bytes that are saved."""

import functools
import io
import itertools
import math
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from study.figures import style
from study.figures import training as figures

NAMES = [f"activation_{place}" for place in range(17)]
STYLE = style.Style({name: f"Label {name[11:]}" for name in NAMES}, {name: place for place, name in enumerate(NAMES)})
HOSTILE = (
    r"$\frac{1}{",
    "<b onload=x> & </b>",
    "a\\nb \\$ $x$",
    "_hidden",
    "two\nlines\x00",
    r"$x^2$ and \alpha " * 9,
    " ",
)
STEPS = (0, 1, 2, 5, 10, 100, 480)
MEASURES = (*figures.NORMS, *figures.UNIT_MEASURES)
ENDS = ("ci_low", "ci_high")
SHARES = tuple(figures.UNIT_MEASURES)


def norms(names: list[str], depth: int = 3, seeds: int = 5, **columns: Any) -> pd.DataFrame:
    """A summary of gradient norms that halves from layer to layer; `columns` overwrite it."""
    keys = itertools.product(names, range(1, depth + 2), STEPS, MEASURES)
    frame = pd.DataFrame(keys, columns=["activation", "layer", "step", "measure"])
    mean = 0.8 * 0.5 ** (depth + 1 - frame["layer"]) * (1 + frame["activation"].map(STYLE.positions)) / 20
    known = 1.0 if seeds > 1 else math.nan
    frame = frame.assign(depth=depth, mean=mean, ci_low=mean * 0.8 * known, ci_high=mean * 1.25 * known)
    frame = frame.assign(n=seeds, n_zero=0, epoch=frame["step"] / 480)
    frame.loc[frame["measure"].isin(SHARES) & (frame["layer"] > depth), ["mean", "ci_low", "ci_high"]] = math.nan
    return frame.assign(**columns)


def histories(names: list[str], lengths: tuple[int, ...] = (4, 6, 9)) -> pd.DataFrame:
    """Per activation one seed a length, whose loss is 1 / epoch; the accuracy follows the seed."""
    rows = [(name, seed, epoch) for name in names for seed, n in enumerate(lengths) for epoch in range(1, n + 1)]
    frame = pd.DataFrame(rows, columns=["activation", "seed", "epoch"])
    frame = frame.assign(training_loss=1 / frame["epoch"], validation_loss=1.5 / frame["epoch"])
    return frame.assign(training_accuracy=0.9, validation_accuracy=0.96 + 0.001 * frame["seed"])


def outcomes(accuracies: dict[str, list[float]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs, where NaN has diverged, and their summary."""
    rows = [
        (name, value, "diverged" if math.isnan(value) else "done") for name in accuracies for value in accuracies[name]
    ]
    runs = pd.DataFrame(rows, columns=["activation", "test_accuracy", "status"])
    groups = runs.groupby("activation", sort=False)["test_accuracy"]
    table = groups.agg(n="count", diverged=lambda values: values.isna().sum(), test_accuracy_mean="mean")
    half = groups.std()
    table = table.assign(ci_low=table["test_accuracy_mean"] - half, ci_high=table["test_accuracy_mean"] + half)
    return runs, table.reset_index()


def curves(names: list[str]) -> pd.DataFrame:
    x = np.linspace(-5, 5, 101)
    each = [pd.DataFrame({"activation": name, "x": x, "value": k * x, "derivative": k}) for k, name in enumerate(names)]
    return pd.concat(each)


def accuracy_figure(accuracies: dict[str, list[float]], looks: style.Style = STYLE, label: str = "article") -> Figure:
    return figures.test_accuracy(*outcomes(accuracies), looks, 0.9696, label)


def scattered_accuracies(names: list[str]) -> dict[str, list[float]]:
    return {name: [0.97 + 0.001 * seed + 0.0002 * place for seed in range(5)] for place, name in enumerate(names)}


DRAWN: dict[str, Callable[[list[str], style.Style], Figure]] = {
    "activation_curves": lambda names, looks: figures.activation_curves(curves(names), looks),
    "training_curves": lambda names, looks: figures.training_curves(histories(names), looks),
    "gradient_norms_by_layer": lambda names, looks: figures.gradient_norms_by_layer(norms(names), looks),
    "gradient_norms_over_training": lambda names, looks: figures.gradient_norms_over_training(norms(names), looks),
    "unit_measures": lambda names, looks: figures.unit_measures(norms(names), looks),
    "test_accuracy": lambda names, looks: accuracy_figure(scattered_accuracies(names), looks),
}
every_figure = pytest.mark.parametrize("figure_name", DRAWN)


@functools.cache
def drawn(figure_name: str, count: int) -> Figure:
    """The figure of the first `count` activations, to be looked at and left as it is."""
    return DRAWN[figure_name](NAMES[:count], STYLE)


def texts(figure: Figure) -> list[str]:
    """What a reader sees: every text as it is drawn, once it says anything."""
    found = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_visible()]
    return [text.get_text() for text in found if text.get_text()]


def offsets(panel: Axes, open_markers: bool | None = None) -> np.ndarray:
    """(n, 2) positions of scattered markers; those that are open (white inside), or not, if asked."""
    found = [item for item in panel.collections if isinstance(item, PathCollection)]
    if open_markers is not None:
        found = [item for item in found if (to_hex(item.get_facecolor()[0]) == "#ffffff") == open_markers]
    return np.concatenate([np.empty((0, 2)), *(np.ma.getdata(item.get_offsets()) for item in found)])


def looks_of(figure: Figure) -> set[tuple[str, str]]:
    """(colour, marker) of every line that has a marker of the activations'."""
    drawn = [line for line in figure.findobj(matplotlib.lines.Line2D) if line.get_marker() in style.MARKERS]
    return {(to_hex(line.get_color()).upper(), str(line.get_marker())) for line in drawn}


# What stands for an activation


@every_figure
def test_an_activation_looks_the_same_in_every_figure(figure_name: str) -> None:
    """Whatever else is drawn, and in whatever order the rows come: its colour and marker are those of its place."""
    expected = [(STYLE.color(name), STYLE.line(name)["marker"]) for name in NAMES]
    assert looks_of(drawn(figure_name, 17)) == set(expected)
    assert looks_of(drawn(figure_name, 1)) == set(expected[:1])
    assert looks_of(DRAWN[figure_name]([NAMES[12], NAMES[2]], STYLE)) == {expected[12], expected[2]}


def test_looks_never_repeat() -> None:
    """Two of 72 activations differ in colour or marker, two of the same colour among 17 in marker and line style."""
    places = {str(place): place for place in range(72)}
    looks = style.Style({name: name for name in places}, places)
    lines = [looks.line(name) for name in places]
    assert len({(line["color"], line["marker"]) for line in lines}) == 72
    for one, other in itertools.combinations(lines[:17], 2):
        if one["color"] == other["color"]:
            assert one["marker"] != other["marker"]
            assert one["linestyle"] != other["linestyle"]


# Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def lab(color: str, vision: Any) -> np.ndarray:
    """CIE L*a*b* (3,) of #RRGGBB as someone with this vision sees it."""
    srgb = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(vision) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ seen / np.array([0.9505, 1, 1.089])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION.values(), ids=VISION.keys())
def test_colours_stay_apart_for_every_eye(vision: Any) -> None:
    """Any two colours are at least 15 apart in CIE76, where 2.3 is just noticeable."""
    distances = [np.linalg.norm(lab(a, vision) - lab(b, vision)) for a, b in itertools.combinations(style.COLORS, 2)]
    assert min(distances) > 15


@pytest.mark.parametrize("labels", [{"a": "A"}, {"a": "A", "b": "B", "c": "C"}])
def test_a_style_names_each_activation_once(labels: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="labels and positions"):
        style.Style(labels, {"a": 0, "b": 1})
    with pytest.raises(ValueError, match="own place"):
        style.Style({"a": "A", "b": "B"}, {"a": 1, "b": 1})


def test_an_activation_without_a_style_is_named() -> None:
    with pytest.raises(ValueError, match="newcomer"):
        figures.activation_curves(curves(["newcomer"]), STYLE)


# Labels


@every_figure
def test_hostile_labels_are_drawn_literally(figure_name: str) -> None:
    """Mathematics, markup, escapes: no crash, one line, not too long, and the glyphs are those of the text itself."""
    looks = style.Style(
        dict(zip(NAMES, HOSTILE, strict=False)), {name: k for k, name in enumerate(NAMES[: len(HOSTILE)])}
    )
    figure = DRAWN[figure_name](NAMES[: len(HOSTILE)], looks)
    found = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]
    for name in looks.labels:
        shown = [text for text in found if text.get_text().split("\n")[0] == looks.label(name)]
        assert shown, looks.label(name)
        for text in shown:
            drawn, is_mathematics = text._preprocess_math(looks.label(name))  # what matplotlib makes of it
            wanted = " ".join(looks.labels[name].replace("\x00", "\N{REPLACEMENT CHARACTER}").split()) or name
            assert not is_mathematics
            assert drawn == wanted or (len(drawn) <= 24 and drawn.endswith("…") and wanted.startswith(drawn[:-1]))


def test_a_hostile_label_leaves_the_svg_well_formed() -> None:
    """As text and as glyphs: an SVG that parses, and holds no element that came from a label."""
    from xml.etree import ElementTree as Tree

    looks = style.Style(
        dict(zip(NAMES, HOSTILE, strict=False)), {name: k for k, name in enumerate(NAMES[: len(HOSTILE)])}
    )
    figure = accuracy_figure(scattered_accuracies(NAMES[: len(HOSTILE)]), looks, "<script>alert(1)</script> -- $x")
    for kind in ("none", "path"):
        buffer = io.BytesIO()
        with matplotlib.rc_context({"svg.fonttype": kind}):
            figure.savefig(buffer, format="svg")
        tags = {element.tag.split("}")[-1] for element in Tree.fromstring(buffer.getvalue()).iter()}
        assert not tags & {"script", "b"}


def test_a_label_is_escaped_for_matplotlib_alone() -> None:
    assert style.literal("ReLU") == "ReLU"
    assert style.literal("a $x$") == r"a \$x\$"
    assert len(style.literal("x" * 100)) == style.MOST_CHARACTERS


# Points, means, intervals


def test_every_run_is_a_point() -> None:
    """As many points as runs that finished, at their accuracies in percent, and diverged ones are counted."""
    accuracies = {NAMES[0]: [0.97, 0.98, 0.975], NAMES[1]: [0.96, math.nan, 0.961], NAMES[2]: [math.nan] * 3}
    figure = accuracy_figure(accuracies)
    drawn = np.sort(np.concatenate([offsets(panel) for panel in figure.axes])[:, 0])
    finished = sorted(100 * value for values in accuracies.values() for value in values if not math.isnan(value))
    assert drawn == pytest.approx(finished)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["Label 0\nn = 3", "Label 1\nn = 2, 1 diverged", "Label 2\nn = 0, 3 diverged"]
    assert "no run finished" in texts(figure)


def test_a_broken_axis_still_shows_every_run() -> None:
    """Runs at chance do not squeeze the others: the axis has two stretches, and each point lies in one."""
    figure = accuracy_figure({NAMES[0]: [0.97, 0.98, 0.975], NAMES[1]: [0.11, 0.1135, 0.098]})
    low, high = figure.axes
    assert sorted(offsets(low)[:, 0]) == pytest.approx([9.8, 11, 11.35])
    assert sorted(offsets(high)[:, 0]) == pytest.approx([97, 97.5, 98])
    assert low.get_xlim()[1] < 20 < 95 < high.get_xlim()[0]
    assert "article" in [text.get_text() for text in high.texts]


def test_jitter_is_the_same_every_time() -> None:
    accuracies = scattered_accuracies(NAMES[:3])
    first, second = (offsets(accuracy_figure(accuracies).axes[0]) for _ in range(2))
    assert (first == second).all()
    assert len(np.unique(first[:, 1])) == len(first)


def test_intervals_are_those_handed_in() -> None:
    """The band spans ci_low to ci_high, the bar of the accuracies as well; a point without neighbours has a bar."""
    frame = norms(NAMES[:1])
    frame.loc[(frame["layer"] == 2) & frame["measure"].isin(figures.NORMS), ["mean", "ci_low", "ci_high"]] = math.nan
    panel = figures.gradient_norms_by_layer(frame, STYLE).axes[0]
    shown = frame[(frame["step"] == 0) & (frame["measure"] == "weight_gradient")].set_index("layer")
    (band,) = [item for item in panel.collections if isinstance(item, PolyCollection)]
    corners = np.concatenate([path.vertices for path in band.get_paths()])
    assert {3.0, 4.0} == set(corners[corners[:, 0] > 2.5, 0])
    assert corners[corners[:, 0] == 4, 1].min() == pytest.approx(shown["ci_low"][4])
    assert corners[corners[:, 0] == 4, 1].max() == pytest.approx(shown["ci_high"][4])
    (bars,) = [item for item in panel.collections if isinstance(item, LineCollection)]
    assert np.concatenate(bars.get_segments()) == pytest.approx(np.array([[1, shown[end][1]] for end in ENDS]))

    accuracies = {NAMES[0]: [0.97, 0.98, 0.975]}
    (bars,) = [item for item in accuracy_figure(accuracies).axes[0].collections if isinstance(item, LineCollection)]
    (summary,) = outcomes(accuracies)[1].to_dict("records")
    assert bars.get_segments()[0][:, 0] == pytest.approx([100 * summary[end] for end in ENDS])


def test_one_run_has_no_interval_and_no_run_no_limits() -> None:
    """n = 1, and every run diverged, are drawn with finite limits."""
    for accuracies in ({NAMES[0]: [0.97]}, {NAMES[0]: [math.nan]}):
        figure = accuracy_figure(accuracies)
        assert np.isfinite(figure.axes[0].get_xlim()).all()


def test_a_summary_of_other_runs_is_refused() -> None:
    runs, accuracy = outcomes(scattered_accuracies(NAMES[:2]))
    with pytest.raises(ValueError, match="must summarise these runs"):
        figures.test_accuracy(runs.iloc[1:], accuracy, STYLE, None, "")


def test_the_mean_ends_where_the_first_seed_stops() -> None:
    """Seeds of 4, 6 and 9 epochs: a mean over epochs 1 to 4, equal to every seed's loss there; three ends."""
    panel = figures.training_curves(histories(NAMES[:1]), STYLE).axes[0]
    (line,) = panel.lines
    assert line.get_xdata() == pytest.approx([1, 2, 3, 4])
    assert line.get_ydata() == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
    assert offsets(panel) == pytest.approx(np.array([[4, 1 / 4], [6, 1 / 6], [9, 1 / 9]]))


@pytest.mark.parametrize("draw", [figures.gradient_norms_over_training, figures.unit_measures])
def test_a_line_over_steps_ends_with_its_first_seed(draw: Callable[..., Figure]) -> None:
    """5 seeds up to step 100 and 4 at step 480: the line ends at 100; another activation's goes on."""
    frame = norms(NAMES[:2])
    frame.loc[(frame["activation"] == NAMES[0]) & (frame["step"] == 480), "n"] = 4
    ends = [line.get_xdata()[-1] for line in draw(frame, STYLE).axes[0].lines]
    assert ends == [100, 480]


def test_a_run_that_diverged_is_in_no_mean_and_does_not_end_it() -> None:
    """Seed 0 diverges at epoch 3: a cross at epoch 2, where it was last finite; the mean goes on to epoch 6."""
    history = histories(NAMES[:1])
    lost = (history["seed"] == 0) & (history["epoch"] == 3)
    history = history[(history["seed"] > 0) | (history["epoch"] <= 3)].copy()
    history.loc[lost, ["training_loss", "validation_loss"]] = math.nan
    history.loc[history["seed"] == 0, "validation_accuracy"] = 0.1
    figure = figures.training_curves(history, STYLE)
    assert figure.axes[0].lines[0].get_xdata() == pytest.approx([1, 2, 3, 4, 5, 6])
    assert figure.axes[2].lines[0].get_ydata() == pytest.approx(96.15 * np.ones(6))
    assert [2, 1 / 2] in offsets(figure.axes[0]).tolist()
    assert "Label 0 (1/3 diverged)" in texts(figure)


def test_an_activation_whose_runs_all_diverge_stays_in_the_legend() -> None:
    """Even from the first epoch on, where there is nothing to draw."""
    history = histories(NAMES[:2])
    history.loc[history["activation"] == NAMES[1], ["training_loss", "validation_loss"]] = math.nan
    figure = figures.training_curves(history, STYLE)
    assert "Label 1 (3/3 diverged)" in texts(figure)
    assert all(np.isfinite(panel.get_ylim()).all() for panel in figure.axes)
    figures.training_curves(history[history["activation"] == NAMES[1]], STYLE)


# Zeros


@pytest.mark.parametrize("draw", [figures.gradient_norms_by_layer, figures.gradient_norms_over_training])
def test_zeros_are_on_the_rail(draw: Callable[..., Figure]) -> None:
    """All seeds at exactly 0 in layer 1: an open marker below every value for each point, and no line there."""
    frame = norms(NAMES[:3])
    dead = (frame["activation"] == NAMES[1]) & (frame["layer"] == 1) & frame["measure"].isin(figures.NORMS)
    frame.loc[dead, ["mean", "ci_low", "ci_high"]] = math.nan
    frame.loc[dead, ["n", "n_zero"]] = [0, 5]
    figure = draw(frame, STYLE)
    for panel in figure.axes[:3]:
        markers = offsets(panel, open_markers=True)
        at = STEPS if draw is figures.gradient_norms_over_training else (1,)
        assert sorted(markers[:, 0]) == pytest.approx(at)
        assert ((markers[:, 1] > 0) & (markers[:, 1] < style.RAIL)).all()  # of the panel's height
        assert "exactly 0" in [label.get_text() for label in panel.get_yticklabels()]
        to_height = panel.transData + panel.transAxes.inverted()
        for line in panel.lines:
            y = np.asarray(line.get_ydata(), float)
            heights = to_height.transform(np.array([(1, value) for value in y[np.isfinite(y)]]).reshape(-1, 2))[:, 1]
            assert ((heights > style.RAIL) & (heights < 1)).all()
    assert sum(np.isnan(np.asarray(line.get_ydata(), float)).any() for line in figure.axes[0].lines) == 1


@pytest.mark.parametrize("draw", [figures.gradient_norms_by_layer, figures.gradient_norms_over_training])
def test_nothing_but_zeros_has_finite_limits(draw: Callable[..., Figure]) -> None:
    nothing = {"mean": math.nan, "ci_low": math.nan, "ci_high": math.nan, "n": 0, "n_zero": 5}
    figure = draw(norms(NAMES[:2], **nothing), STYLE)
    for panel in figure.axes:
        assert np.isfinite(panel.get_ylim()).all()
        assert panel.get_ylim()[0] > 0
        assert len(offsets(panel, open_markers=True))


def test_a_zero_among_other_seeds_is_smaller_than_one_of_all_seeds() -> None:
    """2 of 5 seeds at 0: the line goes on through the other three, and the marker is smaller than for 5 of 5."""
    some, every = norms(NAMES[:1], n=3, n_zero=2), norms(NAMES[:1], n=0, n_zero=5, mean=math.nan)
    sizes = []
    for frame in (some, every):
        panel = figures.gradient_norms_by_layer(frame, STYLE).axes[0]
        sizes += [item.get_sizes()[0] for item in panel.collections if isinstance(item, PathCollection)]
    assert sizes[0] < sizes[1]


def test_no_zeros_no_rail() -> None:
    figure = figures.gradient_norms_by_layer(norms(NAMES[:2]), STYLE)
    assert "exactly 0" not in texts(figure)


@pytest.mark.parametrize(
    ("low", "high"), [(1e-45, 1.0), (2e-6, 9e-6), (3.0, 3.0), (1e-3, 0.5), (0.4, 300.0), (1e-250, 1e250)]
)
@pytest.mark.parametrize("rail", [False, True])
def test_a_logarithmic_axis_holds_and_marks_its_values(low: float, high: float, rail: bool) -> None:
    """Whatever the span: its values lie above the rail, and at most eight ticks with distinct labels among them."""
    (bottom, top), edge, ticks = style.log_axis(np.array([low, high]), np.array([low / 2, high]), rail)
    assert 0 < bottom <= edge < low
    assert high < top < math.inf
    assert 1 <= len(ticks) <= 8
    assert all(edge < tick < top for tick in ticks)
    assert len({style.power_of_ten(tick) for tick in ticks}) == len(ticks)


def test_accuracies_at_chance_are_not_magnified() -> None:
    """10.3 to 11.5% are shown from 0; accuracies of trained networks from below the least typical one."""
    assert style.accuracy_limits(pd.Series([10.3]), pd.Series([10.3, 11.5])) == (0, 30)
    low, high = style.accuracy_limits(pd.Series([96.0, 97.0]), pd.Series([90.0, 97.5]))
    assert 90 < low < 96 < 97.5 < high <= 100


def test_an_endless_interval_does_not_set_the_scale() -> None:
    """Two seeds can have an interval of 60 decades: it leaves the panel, and means over 4 decades keep 4 of 9."""
    (bottom, top), _, _ = style.log_axis(np.array([1e-4, 1.0]), np.array([1e-60, 1e60]), False)
    assert math.log10(top / bottom) < 9
    figures.gradient_norms_by_layer(norms(NAMES[:2], ci_low=0.0, ci_high=math.inf), STYLE)


def test_powers_of_ten() -> None:
    assert style.power_of_ten(1e-12) == "$10^{-12}$"
    assert style.power_of_ten(2e-5) == r"$2{\cdot}10^{-5}$"


def test_a_share_of_zero_is_drawn_at_zero() -> None:
    """On a linear axis zero has a place: n_zero alone, without a mean, is 0 percent."""
    figure = figures.unit_measures(norms(NAMES[:1], mean=math.nan, ci_low=math.nan, ci_high=math.nan, n_zero=5), STYLE)
    assert all((np.asarray(line.get_ydata()) == 0).all() for panel in figure.axes for line in panel.lines)
    assert "not measured" not in texts(figure)


# What is missing, and what is too much


@pytest.mark.parametrize(
    "draw", [figures.gradient_norms_by_layer, figures.gradient_norms_over_training, figures.unit_measures]
)
def test_a_missing_measure_is_said(draw: Callable[..., Figure]) -> None:
    """Its panels say so; with no rows at all every panel does."""
    frame = norms(NAMES[:2])
    partial = draw(frame[~frame["measure"].isin(["error", "saturation"])], STYLE)
    assert 0 < texts(partial).count("not measured") < len(partial.axes)
    empty = draw(frame[:0], STYLE)
    assert texts(empty).count("not measured") == len(empty.axes) or draw is figures.gradient_norms_by_layer


def test_an_activation_without_data_is_said() -> None:
    frame = norms(NAMES[:2])
    frame.loc[frame["activation"] == NAMES[0], ["mean", "ci_low", "ci_high"]] = math.nan
    assert "Label 0 (no data)" in texts(figures.gradient_norms_by_layer(frame, STYLE))


@pytest.mark.parametrize(
    "draw", [figures.gradient_norms_by_layer, figures.gradient_norms_over_training, figures.unit_measures]
)
def test_two_settings_in_one_line_are_refused(draw: Callable[..., Figure]) -> None:
    frame = norms(NAMES[:1])
    with pytest.raises(ValueError, match="one row per"):
        draw(pd.concat([frame.assign(init="he"), frame.assign(init="default")]), STYLE)


def test_a_row_of_panels_a_depth() -> None:
    """By layer, depths stand below each other and name themselves; over training, one is asked for."""
    both = pd.concat([norms(NAMES[:2], depth=1), norms(NAMES[:2], depth=20)])
    figure = figures.gradient_norms_by_layer(both, STYLE)
    assert len(figure.axes) == 6
    assert {"1 hidden layer", "20 hidden layers"} <= set(texts(figure))
    one_each = pd.concat([norms(NAMES[:1], depth=1), norms(NAMES[1:2], depth=20)])
    with pytest.raises(ValueError, match="one depth"):
        figures.gradient_norms_over_training(one_each, STYLE)


def test_a_zero_mean_is_no_logarithm() -> None:
    with pytest.raises(ValueError, match="n_zero"):
        figures.gradient_norms_by_layer(norms(NAMES[:1], mean=0.0), STYLE)


def test_the_output_layer_and_the_layers_asked_for() -> None:
    assert "output layer" in texts(figures.gradient_norms_over_training(norms(NAMES[:1]), STYLE))
    assert "output layer" not in texts(figures.unit_measures(norms(NAMES[:1]), STYLE))
    chosen = texts(figures.gradient_norms_over_training(norms(NAMES[:1], depth=9), STYLE, layers=[2, 7]))
    assert {"layer 2", "layer 7"} <= set(chosen)


# Manners


def tick_labels(panel: Axes) -> list[Text]:
    """Those within the limits; matplotlib keeps others, and draws none of them."""
    found = []
    for axis in (panel.xaxis, panel.yaxis):
        low, high = sorted(axis.get_view_interval())
        found += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return found


def assert_legible(figure: Figure) -> None:
    """Every text is on the page, at 8 points or more, and overlaps no other text; the legend is on no panel."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    found = [text for legend in figure.legends for text in legend.get_texts()] + figure.texts
    for panel in figure.axes:
        found += [panel.title, panel.xaxis.label, panel.yaxis.label, *panel.texts, *tick_labels(panel)]
    found = [text for text in found if text.get_text() and text.get_visible()]
    boxes = [text.get_window_extent(renderer) for text in found]
    assert min(text.get_fontsize() for text in found) >= 8
    for box in boxes:
        assert figure.bbox.padded(1).containsx(box.x0)
        assert figure.bbox.padded(1).containsx(box.x1)
        assert figure.bbox.padded(1).containsy(box.y0)
        assert figure.bbox.padded(1).containsy(box.y1)
    for (one, text), (other, by) in itertools.combinations(zip(boxes, found, strict=True), 2):
        assert not one.padded(-1).overlaps(other.padded(-1)), f"{text.get_text()!r} under {by.get_text()!r}"
    for legend in figure.legends:
        box = legend.get_window_extent(renderer)
        assert not any(box.overlaps(panel.get_window_extent(renderer)) for panel in figure.axes)


@every_figure
@pytest.mark.parametrize("count", [1, 17])
def test_figures_are_legible(figure_name: str, count: int) -> None:
    assert_legible(drawn(figure_name, count))


def test_unusual_figures_are_legible() -> None:
    """Rails under 40 decades, a broken axis, two depths, runs that diverged, hostile labels."""
    looks = style.Style(dict(zip(NAMES[:4], HOSTILE, strict=False)), {name: k for k, name in enumerate(NAMES[:4])})
    deep = norms(NAMES[:4], depth=20)
    deep = deep.assign(mean=1e-3 ** (21 - deep["layer"]), n_zero=(deep["layer"] == 1).astype(int))
    assert_legible(figures.gradient_norms_over_training(deep, looks))
    assert_legible(figures.gradient_norms_by_layer(pd.concat([deep, norms(NAMES[:2], depth=1)]), looks))
    assert_legible(
        accuracy_figure({NAMES[0]: [0.97, 0.98, 0.975], NAMES[1]: [0.11, math.nan]}, looks, "article: 96.96%")
    )
    history = histories(NAMES[:4])
    history.loc[(history["seed"] == 1) & (history["epoch"] == 6), "training_loss"] = math.inf
    assert_legible(figures.training_curves(history, looks))


def test_one_seed_is_drawn_without_an_interval() -> None:
    """A single run of a single activation: a line with no band around it, of finite limits."""
    training = figures.training_curves(histories(NAMES[:1], (5,)), STYLE)
    for figure in (training, figures.gradient_norms_by_layer(norms(NAMES[:1], seeds=1), STYLE)):
        for panel in figure.axes:
            assert len(panel.lines) == 1
            assert np.isfinite(panel.get_ylim()).all()
            bands = [item for item in panel.collections if isinstance(item, PolyCollection)]
            assert not any(len(path.vertices) for band in bands for path in band.get_paths())


@every_figure
def test_the_same_frame_gives_the_same_svg(figure_name: str) -> None:
    """Byte for byte, once the saver fixes the salt and leaves out the date, whatever the user's own settings are.

    These settings are as before afterwards, and pyplot has no figure open.
    """
    saved = []
    for user in ({}, {"font.size": 22, "axes.grid": False, "lines.linewidth": 9, "ytick.labelsize": 30}):
        with matplotlib.rc_context({"svg.hashsalt": "study", **user}):
            before, buffer = dict(matplotlib.rcParams), io.BytesIO()
            DRAWN[figure_name](NAMES[:2], STYLE).savefig(buffer, format="svg", metadata={"Date": None})
            assert dict(matplotlib.rcParams) == before
        saved.append(buffer.getvalue())
    assert saved[0] == saved[1]
    assert pyplot.get_fignums() == []


def test_frames_are_left_as_they_were() -> None:
    frame, history = norms(NAMES[:2]), histories(NAMES[:2])
    figures.gradient_norms_by_layer(frame, STYLE)
    figures.unit_measures(frame, STYLE, layers=[1])
    figures.training_curves(history, STYLE)
    pd.testing.assert_frame_equal(frame, norms(NAMES[:2]))
    pd.testing.assert_frame_equal(history, histories(NAMES[:2]))
