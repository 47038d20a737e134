"""What every figure has: each activation's look, legible and literal texts, and independence of the user's settings."""

import copy
import io
import itertools
import math
import pickle
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest
from figure_data import (
    CASES,
    HOSTILE_STYLE,
    INTERVAL,
    MANY,
    NAMES,
    STYLE,
    accuracy_figure,
    draw,
    drawn,
    figures,
    frames,
    gradient_norms,
    grid,
    histories,
    ladder,
    markers,
    outputs,
    pair,
    pixels,
    scattered,
    texts,
    titled,
)
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter

from study import figures as deferred
from study.figures import style
from study.figures.drawing import encode

every_figure = pytest.mark.parametrize("figure", CASES)
SUMMARIES = (  # of one table with a mean, or what was measured, in each row
    "gradient_norms_by_layer", "norms_side_by_side", "error_heat_map", "errors_beside_theory", "accuracy_against_depth",
)  # fmt: skip
ONE_EACH = ("error_heat_map", "errors_beside_theory", "remedies")  # a panel an activation


@every_figure
def test_an_activation_looks_the_same_in_every_figure(figure: str) -> None:
    """Whatever else is drawn, and in whatever order the rows come: its colour and marker are those of its look."""
    for names, found in ((NAMES, drawn(figure, MANY)), ([NAMES[2], NAMES[12]], pair(figure))):
        if figure in ONE_EACH:
            assert list(titled(found)) == [STYLE.label(name) for name in names]
        lines = [line for line in found.findobj(Line2D) if line.get_marker() in style.MARKERS]
        lines = [line for line in lines if line.get_markerfacecolor() != "none"]  # a ring around another marker
        looks = {(to_hex(line.get_color()).upper(), str(line.get_marker())) for line in lines}
        if figure != "error_heat_map":
            assert looks == {(STYLE.color(name), STYLE.marker(name)) for name in names}


def tick_labels(panel: Axes) -> list[Text]:
    """Return those within the limits; matplotlib keeps others, and draws none of them."""
    found = []
    for axis in (panel.xaxis, panel.yaxis):
        low, high = sorted(axis.get_view_interval())
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        found += [tick.label1 for tick in ticks if low <= tick.get_loc() <= high]
    return found


def assert_legible(figure: Figure) -> None:
    """Check that texts are on the page, at 8 points or more, and do not overlap, and that no legend is on a panel."""
    figure.draw_without_rendering()  # puts every label in its place
    renderer = FigureCanvasAgg(figure).get_renderer()
    found = [text for legend in figure.legends for text in legend.get_texts()] + figure.texts
    for panel in figure.axes:
        found += [panel.title, panel.xaxis.label, panel.yaxis.label, *panel.texts, *tick_labels(panel)]
    found = [text for text in found if text.get_text().strip() and text.get_visible()]
    boxes = [text.get_window_extent(renderer) for text in found]
    assert min(text.get_fontsize() for text in found) >= 8
    page = figure.bbox.padded(2)
    for box, text in zip(boxes, found, strict=True):
        assert page.x0 <= box.x0 <= box.x1 <= page.x1, text
        assert page.y0 <= box.y0 <= box.y1 <= page.y1, text
    for (one, text), (other, by) in itertools.combinations(zip(boxes, found, strict=True), 2):
        assert not one.padded(-2).overlaps(other.padded(-2)), f"{text.get_text()!r} under {by.get_text()!r}"
    for legend in figure.legends:
        box = legend.get_window_extent(renderer)
        assert not any(box.overlaps(panel.get_window_extent(renderer)) for panel in figure.axes)


@every_figure
@pytest.mark.parametrize("count", [1, 4, MANY])
def test_figures_are_legible(figure: str, count: int) -> None:
    """Whatever the number of activations, each of which is named."""
    found = drawn(figure, count)
    assert_legible(found)
    assert all(any(STYLE.label(name) in text for text in texts(found)) for name in NAMES[:count])


def test_unusual_figures_are_legible() -> None:
    """A band of zeros under 40 decades, runs that diverged, hostile labels, figures of no activation."""
    deep = gradient_norms(NAMES[:4], depth=20)
    deep = deep.assign(mean=1e-3 ** (21 - deep["layer"]), n_zero=(deep["layer"] == 1).astype(int))
    history = histories(NAMES[:4])
    history.loc[(history["seed"] == 1) & (history["epoch"] == 6), "training_loss"] = math.inf
    for figure in (
        figures.gradient_norms_over_training(deep, HOSTILE_STYLE),
        figures.gradient_norms_by_layer(deep, HOSTILE_STYLE),
        accuracy_figure({NAMES[0]: [0.97, 0.98, 0.975], NAMES[1]: [0.11, math.nan]}, HOSTILE_STYLE, "article: 96.96%"),
        figures.training_curves(history, HOSTILE_STYLE),
        figures.accuracy_by_output(*outputs()),
        figures.ladder(*ladder()),
        figures.trainable_depth(*grid()),
        figures.digits(pixels()),
    ):
        assert_legible(figure)


@every_figure
def test_every_axis_has_three_ticks_and_says_its_scale(figure: str) -> None:
    """Numbers have three ticks or more; a logarithmic axis says so in its label, its title or the figure's label."""
    found = drawn(figure, 4)
    for panel in found.axes:
        for axis, name in ((panel.xaxis, "x"), (panel.yaxis, "y")):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_majorticklocs() if low <= tick <= high]
            is_category = isinstance(axis.get_major_formatter(), FixedFormatter)
            assert len(ticks) >= 3 or is_category or (panel.get_label(), name) == ("<colorbar>", "x")
            shared = getattr(found, f"_sup{name}label")
            said = " ".join([axis.label.get_text(), panel.get_title(), shared.get_text() if shared else ""])
            assert axis.get_scale() == "linear" or "log" in said, (name, said)


@every_figure
def test_hostile_labels_are_drawn_literally(figure: str) -> None:
    """Mathematics, markup, escapes: no crash, one line, not too long, and the glyphs are those of the text itself."""
    found = draw(figure, list(HOSTILE_STYLE.labels), HOSTILE_STYLE)
    written = [text for text in found.findobj(Text) if isinstance(text, Text) and text.get_text()]
    for name, label in HOSTILE_STYLE.labels.items():
        shown = [text for text in written if text.get_text().split("\n")[0] == HOSTILE_STYLE.label(name)]
        assert shown, HOSTILE_STYLE.label(name)
        for text in shown:
            seen, is_mathematics = text._preprocess_math(HOSTILE_STYLE.label(name))  # what matplotlib makes of it
            wanted = " ".join(label.replace("\x00", "\N{REPLACEMENT CHARACTER}").split()) or name
            assert not is_mathematics
            assert seen == wanted or (len(seen) <= 24 and seen.endswith("…") and wanted.startswith(seen[:-1]))


def test_a_hostile_label_leaves_the_svg_well_formed() -> None:
    """As text and as glyphs: an SVG that parses, and holds no element that came from a label."""
    found = accuracy_figure(scattered(list(HOSTILE_STYLE.labels)), HOSTILE_STYLE, "<script>alert(1)</script> -- $x")
    as_glyphs = io.BytesIO()
    found.savefig(as_glyphs, format="svg")
    for content in (encode(found, "svg"), as_glyphs.getvalue()):
        tags = {element.tag.split("}")[-1] for element in ElementTree.fromstring(content).iter()}
        assert not tags & {"script", "b"}


def test_hostile_panels_remedies_and_references_are_drawn_literally() -> None:
    """Dollar signs in the names of a panel, a remedy or a reference do not begin mathematics either."""
    titles = ("$x$", "_y", "\\alpha$")
    frame = pd.concat([frames("accuracy_against_depth", NAMES[:1])[0].assign(panel=title) for title in titles])
    frame = frame.drop_duplicates(["activation", "panel", "depth"])
    assert {r"\$x\$", "_y", r"\alpha\$"} <= set(texts(figures.accuracy_against_depth(frame, STYLE)))
    assert r"batch \$norm\$" in texts(drawn("remedies", 1))
    assert r"<script> \$x" in texts(accuracy_figure(scattered(NAMES[:1]), STYLE, "<script> $x"))


@every_figure
def test_the_same_tables_give_the_same_bytes(figure: str) -> None:
    """Whatever the user's own settings are. These, and the tables, are as before; pyplot has no figure open."""
    tables = frames(figure, [NAMES[12], NAMES[2]])
    before = copy.deepcopy(tables)
    with matplotlib.rc_context({"font.size": 22, "axes.grid": False, "lines.linewidth": 9, "image.cmap": "jet"}):
        settings = dict(matplotlib.rcParams)
        theirs = encode(CASES[figure][1](*tables, STYLE), "svg")
        assert dict(matplotlib.rcParams) == settings
    assert encode(pair(figure), "svg") == theirs
    for table, old in zip(tables, before, strict=True):
        pd.testing.assert_frame_equal(table, old)
    assert pyplot.get_fignums() == []


def test_a_png_is_the_same_twice_and_of_the_size_of_the_page() -> None:
    """Also after the SVG, which has another resolution; and a drawing can be sent to another process."""
    figure = pickle.loads(pickle.dumps(deferred.born_dead(*frames("born_dead", NAMES[:1]), STYLE))).draw()
    first = encode(figure, "png")
    encode(figure, "svg")
    assert encode(figure, "png") == first
    assert int.from_bytes(first[16:20]) == round(style.FIGURE_WIDTH * style.DPI)
    assert encode(figure, "pdf") == encode(figure, "pdf")
    with pytest.raises(ValueError, match="png, svg, pdf"):
        encode(figure, "gif")


@pytest.mark.parametrize("figure", SUMMARIES)
def test_an_activation_with_nothing_to_draw_is_said(figure: str) -> None:
    """NaN throughout, or in every activation: drawn without a warning, with finite limits and a word on it."""
    (frame,) = frames(figure, NAMES[:2])
    for lost in (frame["activation"] == NAMES[1], frame["activation"] != ""):
        part = frame.copy()
        part.loc[lost, [column for column in (*INTERVAL, "measured") if column in part]] = math.nan
        found = CASES[figure][1](part, STYLE)
        assert all(np.isfinite([*panel.get_xlim(), *panel.get_ylim()]).all() for panel in found.axes)
        said = " ".join(texts(found))
        assert any(word in said for word in ("not measured", "no data"))
        encode(found, "svg")


@pytest.mark.parametrize("figure", SUMMARIES)
def test_one_seed_has_no_interval_and_two_settings_are_refused(figure: str) -> None:
    """The same means without bounds give the same points; every row twice is an error."""
    (frame,) = frames(figure, NAMES[:1])
    without = CASES[figure][1](frame.assign(ci_low=math.nan, ci_high=math.nan, n=1), STYLE)
    for one, other in zip(drawn(figure, 1).axes, without.axes, strict=True):
        assert markers(other, STYLE.color(NAMES[0])) == pytest.approx(markers(one, STYLE.color(NAMES[0])))
    with pytest.raises(ValueError, match="one row per"):
        CASES[figure][1](pd.concat([frame, frame]), STYLE)
