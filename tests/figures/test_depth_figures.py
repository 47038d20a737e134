"""The figures of depth, initialisation and remedies, judged by the artists they hold."""

import io
import itertools
import math
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from study.figures import criticality, style
from study.figures import depth as depth_figures

NAMES = [f"activation_{place}" for place in range(8)]
STYLE = style.Style({name: f"Label {name[11:]}" for name in NAMES}, {name: place for place, name in enumerate(NAMES)})
HOSTILE = (r"$\frac{1}{", "<b onload=x> & </b>", "a\\nb \\$ $x$", "_hidden", "two\nlines\x00", r"\alpha " * 9, " ")
STEPS = (0, 1, 2, 5, 10, 100)
REMEDIES = ("before", "critical", "batch $norm$")
INTERVAL = ["mean", "ci_low", "ci_high"]


def interval(frame: pd.DataFrame, mean: Any, n: int = 5, middle: str = "mean") -> pd.DataFrame:
    return frame.assign(**{middle: mean, "ci_low": mean * 0.9, "ci_high": mean * 1.1, "n": n})


def table(*levels: Any, columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(list(itertools.product(*levels)), columns=columns)


def theory(names: list[str], depth: int = 5) -> pd.DataFrame:
    """Errors that halve from layer to layer; measured a tenth below."""
    frame = table(names, range(1, depth + 2), columns=["activation", "layer"]).assign(depth=depth)
    predicted = 0.5 ** (depth + 1 - frame["layer"])
    return interval(frame.assign(predicted=predicted), 0.9 * predicted, middle="measured")


def norms(names: list[str], depth: int = 5) -> pd.DataFrame:
    measures = [*depth_figures.SIGNALS, "dead_units"]
    frame = table(names, range(1, depth + 2), STEPS, measures, columns=["activation", "layer", "step", "measure"])
    return interval(frame.assign(depth=depth, n_zero=0), 0.1 * 0.5 ** (depth + 1 - frame["layer"]))


def trained(names: list[str], titles: tuple[str, ...] = ("Adam", "SGD")) -> pd.DataFrame:
    frame = table(names, titles, (1, 2, 5, 20), columns=["activation", "panel", "depth"])
    return interval(frame, 0.9 / frame["depth"])


def remedies(names: list[str]) -> pd.DataFrame:
    frame = table(names, REMEDIES, columns=["activation", "remedy"])
    return interval(frame.assign(baseline=frame["remedy"] == "before"), 0.9 - 0.2 * (frame["remedy"] == "before"))


def plane(names: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Curves from their critical point upwards."""
    points = pd.DataFrame({"activation": names, "sigma_w": 1 + np.arange(len(names)), "sigma_b": 0.25})
    curves = pd.concat([points.assign(sigma_b=0.25 + height, sigma_w=points["sigma_w"] + height) for height in (0, 1)])
    return curves, points


def grid(**columns: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    cells = table((1.0, 1.5, 2.0), (5, 10, 20, 50), columns=["sigma_w", "depth"]).assign(trained=0.4)
    return cells.assign(**columns), pd.DataFrame({"sigma_w": [1.0, 1.5, 2.0], "xi": [2.0, math.inf, 3.0]})


DRAWN: dict[str, Callable[[list[str], style.Style], Figure]] = {
    "errors_beside_theory": lambda names, looks: depth_figures.errors_beside_theory(theory(names), looks),
    "norms_side_by_side": lambda names, looks: depth_figures.norms_side_by_side(norms(names), looks),
    "accuracy_against_depth": lambda names, looks: depth_figures.accuracy_against_depth(trained(names), looks),
    "error_heat_map": lambda names, looks: depth_figures.error_heat_map(norms(names), looks),
    "remedies": lambda names, looks: depth_figures.remedies(remedies(names), looks),
    "critical_lines": lambda names, looks: criticality.critical_lines(*plane(names), looks),
}
every_figure = pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN.keys())


def texts(figure: Figure) -> list[str]:
    found = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_visible()]
    return [text.get_text() for text in found if text.get_text()]


def png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=50)
    return buffer.getvalue()


def titled(figure: Figure) -> dict[str, Axes]:
    return {panel.get_title(): panel for panel in figure.axes if panel.get_title()}


def markers(panel: Axes, color: str) -> np.ndarray:
    """(n, 2) points that carry a marker in this colour; NaN is none."""
    drawn = [line for line in panel.lines if line.get_color() == color and line.get_marker() in style.MARKERS]
    points = np.concatenate([np.empty((0, 2)), *(np.asarray(line.get_xydata(), float) for line in drawn)])
    return points[np.isfinite(points).all(axis=1)]


def hatched(panel: Axes) -> set[tuple[int, int]]:
    """(layer, index of the step) of each cell that is drawn as zero."""
    cells = [patch for patch in panel.patches if isinstance(patch, Rectangle) and patch.get_hatch()]
    return {(round(cell.get_y() + 1.5), round(cell.get_x() + 0.5)) for cell in cells}


# All of them


@every_figure
def test_an_activation_has_its_colour_and_marker(draw: Callable[..., Figure]) -> None:
    """Those of its place in the registry, whatever the rows' order; only the heat map has a panel a name instead."""
    names = NAMES[5:]
    for figure in (draw(names, STYLE), draw(names[::-1], STYLE)):
        drawn = [line for line in figure.findobj(Line2D) if line.get_marker() in style.MARKERS]
        looks = {(to_hex(line.get_color()).upper(), line.get_marker()) for line in drawn}
        expected = {(STYLE.color(name), STYLE.line(name)["marker"]) for name in names}
        if draw is DRAWN["error_heat_map"]:
            assert list(titled(figure)) == [STYLE.label(name) for name in names]
        else:
            assert expected <= looks
            of_nobody = {style.GREY.upper(), "#000000"}
            assert {color for color, _ in looks} - of_nobody == {color for color, _ in expected} - of_nobody


@every_figure
def test_hostile_labels_are_drawn_literally(draw: Callable[..., Figure]) -> None:
    looks = style.Style(dict(zip(NAMES, HOSTILE, strict=False)), {NAMES[place]: place for place in range(len(HOSTILE))})
    figure = draw(NAMES[: len(HOSTILE)], looks)
    found = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    for name in looks.labels:
        shown = [text for text in found if text.get_text() == looks.label(name)]
        assert shown, looks.label(name)
        assert not any(text._preprocess_math(text.get_text())[1] for text in shown)
    png(figure)


def test_hostile_panels_and_remedies_are_drawn_literally() -> None:
    """What a caller calls a panel or a remedy is no mathematics either."""
    figure = depth_figures.accuracy_against_depth(trained(NAMES[:1], ("$x$", "_y", "\\alpha$")), STYLE)
    assert {r"\$x\$", "_y", r"\alpha\$"} <= set(texts(figure))
    assert r"batch \$norm\$" in texts(depth_figures.remedies(remedies(NAMES[:1]), STYLE))


@every_figure
@pytest.mark.parametrize("count", [1, 8])
def test_nothing_is_clipped_or_too_small(draw: Callable[..., Figure], count: int) -> None:
    """Every text lies on the page, at 8 points or more; legends, panels and panels' own labels lie apart."""
    figure = draw(NAMES[:count], STYLE)
    renderer = FigureCanvasAgg(figure).get_renderer()
    assert min(text.get_fontsize() for text in figure.findobj(Text) if isinstance(text, Text)) >= 8
    boxes = [panel.get_tightbbox(renderer) for panel in figure.axes]
    boxes += [legend.get_window_extent(renderer) for legend in figure.legends]
    for box in [*boxes, *(text.get_window_extent(renderer) for text in figure.texts)]:
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= figure.bbox.x1 + 1
        assert box.y1 <= figure.bbox.y1 + 1
    for one, other in itertools.combinations(boxes, 2):
        assert min(one.x1, other.x1) - max(one.x0, other.x0) < 2 or min(one.y1, other.y1) - max(one.y0, other.y0) < 2


@every_figure
def test_the_user_settings_do_not_matter(draw: Callable[..., Figure]) -> None:
    usual = png(draw(NAMES[:2], STYLE))
    with matplotlib.rc_context({"font.size": 22, "axes.grid": False, "lines.linewidth": 9, "image.cmap": "jet"}):
        assert png(draw(NAMES[:2], STYLE)) == usual


NOTHING = dict.fromkeys([*INTERVAL, "measured"], math.nan)
FRAMES = [
    (depth_figures.errors_beside_theory, theory),
    (depth_figures.norms_side_by_side, norms),
    (depth_figures.accuracy_against_depth, trained),
    (depth_figures.error_heat_map, norms),
    (depth_figures.remedies, remedies),
]
on_a_frame = pytest.mark.parametrize(("draw", "make"), FRAMES, ids=[draw.__name__ for draw, _ in FRAMES])


@on_a_frame
def test_an_activation_with_nothing_to_draw_is_said(draw: Callable[..., Figure], make: Callable[..., Any]) -> None:
    """NaN throughout, or in every activation: drawn without a warning, with finite limits and a word on it."""
    frame = make(NAMES[:2])
    for lost in (frame["activation"] == NAMES[1], frame["activation"] != ""):
        part = frame.copy()
        part.loc[lost, [column for column in NOTHING if column in part]] = math.nan
        figure = draw(part, STYLE)
        assert all(np.isfinite([*panel.get_xlim(), *panel.get_ylim()]).all() for panel in figure.axes)
        said = " ".join(texts(figure))
        assert any(word in said for word in ("not measured", "no data", "no run finished"))
        png(figure)


@on_a_frame
def test_one_seed_has_no_interval(draw: Callable[..., Figure], make: Callable[..., Any]) -> None:
    """The same means without bounds: the same points and markers."""
    frame = make(NAMES[:1])
    with_bounds, without = draw(frame, STYLE), draw(frame.assign(ci_low=math.nan, ci_high=math.nan, n=1), STYLE)
    for one, other in zip(with_bounds.axes, without.axes, strict=True):
        expected = markers(one, STYLE.color(NAMES[0]))
        assert markers(other, STYLE.color(NAMES[0])) == pytest.approx(expected)
    png(without)


@on_a_frame
def test_frames_are_left_alone_and_two_settings_refused(draw: Callable[..., Figure], make: Callable[..., Any]) -> None:
    frame = make(NAMES[:2])
    draw(frame, STYLE)
    pd.testing.assert_frame_equal(frame, make(NAMES[:2]))
    with pytest.raises(ValueError, match="one row per"):
        draw(pd.concat([frame, frame]), STYLE)


# Each of them


def test_theory_is_beside_each_activation() -> None:
    """A panel an activation holds its six measured layers and the six predicted, dashed and black."""
    frame = theory(NAMES[:3])
    figure = depth_figures.errors_beside_theory(frame, STYLE)
    assert list(titled(figure)) == ["Label 0", "Label 1", "Label 2"]
    for name, panel in zip(NAMES, figure.axes, strict=False):
        part = frame[frame["activation"] == name]
        (measured,) = [line for line in panel.lines if line.get_color() == STYLE.color(name)]
        (predicted,) = [line for line in panel.lines if line.get_color() == "black"]
        assert measured.get_ydata() == pytest.approx(part["measured"].to_numpy())
        assert predicted.get_ydata() == pytest.approx(part["predicted"].to_numpy())
        assert panel.get_ylim() == figure.axes[0].get_ylim()
    assert {"measured (n = 5)", "theory"} <= set(texts(figure))


def test_a_measured_zero_is_on_the_rail_beside_the_theory() -> None:
    """Layers 1 and 2 measured as exactly 0: two open markers in the rail, and the theory goes on above it."""
    frame = theory(NAMES[:2])
    frame.loc[(frame["activation"] == NAMES[1]) & (frame["layer"] < 3), ["measured", "ci_low", "ci_high"]] = 0.0
    left, panel = depth_figures.errors_beside_theory(frame, STYLE).axes
    (rail,) = [item for item in panel.collections if isinstance(item, PathCollection)]
    at = np.ma.getdata(rail.get_offsets())
    assert at[:, 0] == pytest.approx([1, 2])
    assert ((at[:, 1] > 0) & (at[:, 1] < style.RAIL)).all()
    (predicted,) = [line for line in panel.lines if line.get_color() == "black"]
    assert min(predicted.get_ydata()) > panel.get_ylim()[0] > 0
    assert "exactly 0" in [label.get_text() for label in left.get_yticklabels()]


def test_three_norms_at_one_step_and_one_depth() -> None:
    figure = depth_figures.norms_side_by_side(norms(NAMES[:2]).query("measure != 'activation_rms'"), STYLE)
    assert len(figure.axes) == 3
    assert texts(figure).count("not measured") == 1
    mixed = pd.concat([norms(NAMES[:1], depth=5), norms(NAMES[1:2], depth=20)])
    for draw in (depth_figures.norms_side_by_side, depth_figures.error_heat_map):
        with pytest.raises(ValueError, match="depth"):
            draw(mixed, STYLE)


def test_accuracies_stand_near_their_depth_in_percent_and_apart() -> None:
    """A panel a setting, in order of appearance; each depth's points within 13% of it, no two at one place."""
    frame = trained(NAMES[:4], ("second", "first")).assign(mean=0.5)
    figure = depth_figures.accuracy_against_depth(frame, STYLE)
    assert list(titled(figure)) == ["second", "first"]
    points = np.concatenate([markers(figure.axes[0], STYLE.color(name)) for name in NAMES[:4]])
    assert points[:, 1] == pytest.approx(50)
    assert len(np.unique(points[:, 0].round(6))) == 4 * 4
    assert np.sort(points[:, 0]) == pytest.approx(np.repeat([1, 2, 5, 20], 4), rel=0.13)
    assert {"trained", "guessing"} <= set(texts(figure))


def test_open_markers_are_where_not_every_seed_trained() -> None:
    frame = trained(NAMES[:1], ("Adam",)).assign(share_trained=[1.0, 1.0, 0.6, 0.0])
    (panel,) = depth_figures.accuracy_against_depth(frame, STYLE).axes
    opened = [line for line in panel.lines if line.get_markerfacecolor() == "white"]
    assert [x for line in opened for x, y in np.asarray(line.get_xydata()) if math.isfinite(y)] == pytest.approx(
        [5, 20]
    )
    assert not any("open marker" in text for text in texts(DRAWN["accuracy_against_depth"](NAMES[:1], STYLE)))


def test_accuracies_of_more_than_six_settings_are_refused() -> None:
    assert len(depth_figures.accuracy_against_depth(trained(NAMES[:2], tuple("abcdef")), STYLE).axes) == 6
    with pytest.raises(ValueError, match="at most 6"):
        depth_figures.accuracy_against_depth(trained(NAMES[:2], tuple("abcdefg")), STYLE)


def test_a_cell_a_layer_and_step() -> None:
    """Its colour is the logarithm of its norm; every seed at zero is hatched, some have a dot, no row is blank."""
    frame = norms(NAMES[:1]).query("measure == 'error' and not (layer == 3 and step == 2)").copy()
    every, some = frame["layer"].eq(1) & frame["step"].eq(5), frame["layer"].eq(2) & frame["step"].eq(100)
    frame.loc[every, INTERVAL] = math.nan
    frame.loc[every, ["n", "n_zero"]] = [0, 5]
    frame.loc[some, ["n", "n_zero"]] = [3, 2]
    figure = depth_figures.error_heat_map(frame, STYLE)
    panel = titled(figure)["Label 0"]
    colors = panel.collections[0].get_array().reshape(6, len(STEPS))
    assert colors[5, 0] == pytest.approx(math.log10(0.1))
    assert {(layer + 1, STEPS[at]) for layer, at in np.argwhere(np.ma.getmaskarray(colors))} == {(1, 5), (3, 2)}
    assert hatched(panel) == {(1, STEPS.index(5))}
    (dots,) = panel.lines
    assert np.asarray(dots.get_xydata()).tolist() == [[STEPS.index(100), 1]]
    assert {"every seed exactly 0", "some seeds exactly 0"} <= set(texts(figure))
    assert panel.get_ylim()[0] < panel.get_ylim()[1]  # the output layer is on top


def test_nothing_but_zeros_is_a_heat_map_of_hatches() -> None:
    frame = norms(NAMES[:2]).assign(mean=math.nan, ci_low=math.nan, ci_high=math.nan, n=0, n_zero=5)
    figure = depth_figures.error_heat_map(frame, STYLE)
    assert len(hatched(figure.axes[0])) == 6 * len(STEPS)
    assert "some seeds exactly 0" not in texts(figure)
    assert png(figure) != png(depth_figures.error_heat_map(frame.assign(n_zero=0), STYLE))


def test_a_zero_mean_is_no_logarithm() -> None:
    with pytest.raises(ValueError, match="n_zero"):
        depth_figures.error_heat_map(norms(NAMES[:1]).assign(mean=0.0), STYLE)


def test_remedies_stand_under_the_row_before() -> None:
    """Though the table has it last; the line is at its accuracy; a row that is missing or failed says so."""
    frame = remedies(NAMES[:2]).iloc[::-1].reset_index(drop=True)
    frame = frame[(frame["activation"] != NAMES[1]) | (frame["remedy"] != "critical")].copy()
    frame.loc[(frame["activation"] == NAMES[0]) & (frame["remedy"] == "critical"), INTERVAL] = math.nan
    figure = depth_figures.remedies(frame, STYLE)
    assert figure.axes[0].get_yticklabels()[0].get_text() == "before"
    for panel, name in zip(figure.axes, NAMES, strict=False):
        points = markers(panel, STYLE.color(name))
        assert points[points[:, 1] == 0][:, 0] == pytest.approx([70])
        assert points[points[:, 1] > 0][:, 0] == pytest.approx([90])
        (before,) = [line for line in panel.lines if line.get_color() == style.GREY]
        assert np.asarray(before.get_xdata()) == pytest.approx([70, 70])
    assert {"not run", "no run finished", "70.0", "90.0"} <= set(texts(figure))


def test_every_critical_point_is_on_the_panel_and_none_is_said() -> None:
    """Even one at sigma_w = 10, and two at one place, the upper one smaller; a curve of one place is no line."""
    points = pd.DataFrame({"activation": NAMES[:4], "sigma_w": [2**0.5, 2**0.5, 10.2, 1.4], "sigma_b": [0, 0, 0, 0.75]})
    curves = pd.concat([points.assign(sigma_b=points["sigma_b"] + 1e-5 * k) for k in range(3)])
    figure = criticality.critical_lines(pd.concat([curves, curves[:1].assign(activation=NAMES[4])]), points, STYLE)
    (panel,) = figure.axes
    found = {name: markers(panel, STYLE.color(name)) for name in NAMES[:4]}
    for name, w, b in points.itertuples(index=False):
        assert found[name] == pytest.approx(np.array([[w, b]]))
        assert panel.get_xlim()[0] < w < panel.get_xlim()[1]
        assert panel.get_ylim()[0] < b < panel.get_ylim()[1]
    sizes = {line.get_color(): line.get_markersize() for line in panel.lines}
    assert sizes[STYLE.color(NAMES[0])] > sizes[STYLE.color(NAMES[1])]
    assert len(panel.lines) == 4 + 2  # Glorot and He
    assert {"Glorot", "He"} <= set(texts(figure))
    assert any("no critical point: Label 4" in text for text in texts(figure))


def test_no_critical_point_at_all() -> None:
    curves, points = plane(NAMES[:2])
    figure = criticality.critical_lines(curves, points[:0], STYLE)
    assert any("no critical point: Label 0, Label 1" in text for text in texts(figure))
    png(figure)


def test_six_xi_lies_over_the_cells() -> None:
    """Cells hold their share, NaN is blank, and the line is at 6 xi: off the panel where xi is infinite."""
    cells, xi = grid()
    cells.loc[0, "trained"] = math.nan
    panel = criticality.trainable_depth(cells, xi).axes[0]
    shares = panel.collections[0].get_array()
    assert shares.shape == (4, 3)
    assert np.ma.getmaskarray(shares).sum() == 1
    assert shares[1, 0] == pytest.approx(0.4)
    line = np.asarray(panel.lines[-1].get_ydata(), float)
    assert line[[0, 2]] == pytest.approx([12, 18])
    assert panel.get_ylim()[1] < line[1] < math.inf
    low, high = panel.get_ylim()
    assert low < 5 < 50 < high


def test_a_grid_of_one_cell() -> None:
    cells, xi = grid()
    png(criticality.trainable_depth(cells[:1], xi[:1]))
