"""What every figure has: each activation's look, legible and literal texts, and independence of the user's settings."""

import copy
import io
import math
import pickle
import random
from xml.etree import ElementTree

import figure_data as data
import matplotlib
import numpy as np
import pandas as pd
import pytest
from figure_data import HOSTILE_STYLE, INTERVAL, NAMES, STYLE, TABLES, figures, texts, whole
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

USER = {  # rcParams
    "font.size": 22, "axes.grid": False, "lines.linewidth": 9, "image.cmap": "jet", "axes.facecolor": "pink",
    "xtick.major.size": 12,
}  # fmt: skip
LEAST, MOST = 8, 10  # points, of any text
ONE_EACH = ("error_heat_map", "errors_beside_theory", "remedies")  # a panel per activation
GROUPS = {
    "two": ([NAMES[12], NAMES[2]], STYLE),  # the later one's rows first
    "four": (NAMES[:4], STYLE),
    "many": (NAMES, HOSTILE_STYLE),
}
# Drawn by the same function as another figure, with another table: one of the two is drawn for the group.
SAME = {
    "two": ("gradient_norms_over_training", "norms_side_by_side", "born_dead"),
    "four": ("norms_side_by_side", "unit_measures", "dead_units_against_rate"),
    "many": ("gradient_norms_by_layer", "unit_measures", "born_dead"),
}
SUMMARIES = ("gradient_norms_by_layer", "error_heat_map", "errors_beside_theory", "accuracy_against_depth")  # one table


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("figure", TABLES)
def test_every_figure_is_legible_literal_and_of_its_look(figure: str, group: str) -> None:
    """Whatever the number of activations, their labels, the order of the rows and the user's settings."""
    if figure in SAME.get(group, ()):
        return
    names, looks = GROUPS[group]
    found = drawn_apart(figure, names, looks)
    assert_looks(figure, found, names, looks)
    assert_named(found, names, looks)
    assert_legible(found)
    if len(names) > 2:
        assert_axes(found)


def drawn_apart(figure: str, names: list[str], looks: style.Style) -> Figure:
    """Draw a figure under a user's settings; these, its tables, random numbers and pyplot must be as before."""
    tables = data.frames(figure, names)
    before, state = copy.deepcopy(tables), (random.getstate(), np.random.get_state()[2])  # noqa: NPY002
    with matplotlib.rc_context(USER):
        settings = dict(matplotlib.rcParams)
        found = data.draw(figure, tables, looks)
        assert dict(matplotlib.rcParams) == settings
    assert (random.getstate(), np.random.get_state()[2]) == state  # noqa: NPY002
    assert pyplot.get_fignums() == []
    for table, old in zip(tables, before, strict=True):
        pd.testing.assert_frame_equal(table, old)
    return found


def assert_looks(figure: str, found: Figure, names: list[str], looks: style.Style) -> None:
    """Check that every activation has the colour and marker of its look, or a panel of its own."""
    if figure in ONE_EACH:
        assert list(data.titled(found)) == [looks.label(name) for name in looks.order(names)]
    lines = [line for line in found.findobj(Line2D) if line.get_marker() in style.MARKERS]
    lines = [line for line in lines if line.get_markerfacecolor() != "none"]  # a ring around another marker
    shown = {(to_hex(line.get_color()).upper(), str(line.get_marker())) for line in lines}
    if figure != "error_heat_map":
        assert shown == {(looks.color(name), looks.marker(name)) for name in names}


def tick_labels(panel: Axes) -> list[Text]:
    """Return those within the limits; matplotlib keeps others, and draws none of them."""
    found = []
    for axis in (panel.xaxis, panel.yaxis):
        low, high = sorted(axis.get_view_interval())
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        found += [tick.label1 for tick in ticks if low <= tick.get_loc() <= high]
    return found


def assert_legible(figure: Figure) -> None:
    """Check that texts are on the page, of LEAST to MOST points, do not overlap, and that no legend is on a panel."""
    figure.draw_without_rendering()  # puts every label in its place
    renderer = FigureCanvasAgg(figure).get_renderer()
    found = [text for legend in figure.legends for text in legend.get_texts()] + figure.texts
    for panel in figure.axes:
        found += [panel.title, panel.xaxis.label, panel.yaxis.label, *panel.texts, *tick_labels(panel)]
    found = [text for text in found if text.get_text().strip() and text.get_visible()]
    assert {text.get_text() for text in found if not LEAST <= text.get_fontsize() <= MOST} == set()
    boxes = [text.get_window_extent(renderer) for text in found]
    page, box = figure.bbox.padded(2).extents, np.array([box.extents for box in boxes])
    is_off = (box < page[[0, 1, 0, 1]]) | (box > page[[2, 3, 2, 3]])
    assert [found[place].get_text() for place in np.flatnonzero(is_off.any(axis=1))] == []
    low, high = np.array([[inner.min, inner.max] for inner in (box.padded(-2) for box in boxes)]).swapaxes(0, 1)
    over = (low[:, None] <= high).all(axis=2) & (low <= high[:, None]).all(axis=2)
    pairs = np.argwhere(np.triu(over, 1)).tolist()
    assert [(found[one].get_text(), found[other].get_text()) for one, other in pairs] == []
    for legend in figure.legends:
        box = legend.get_window_extent(renderer)
        assert not any(box.overlaps(panel.get_window_extent(renderer)) for panel in figure.axes)


def assert_named(figure: Figure, names: list[str], looks: style.Style) -> None:
    """Check that every label is shown as it is written: one line, not too long, without mathematics or escapes."""
    written = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]
    for name in names:
        shown = [text for text in written if looks.label(name) in text.get_text()]
        assert shown, looks.label(name)
        seen, is_mathematics = shown[0]._preprocess_math(looks.label(name))  # what matplotlib makes of it
        wanted = " ".join(looks.labels[name].replace("\x00", "\N{REPLACEMENT CHARACTER}").split()) or name
        assert not is_mathematics
        assert seen == wanted or (len(seen) <= 24 and seen.endswith("…") and wanted.startswith(seen[:-1]))


def assert_axes(figure: Figure) -> None:
    """Check that numbers have three ticks or more, and that the texts of a logarithmic axis say so."""
    for panel in figure.axes:
        for axis, name in ((panel.xaxis, "x"), (panel.yaxis, "y")):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_majorticklocs() if low <= tick <= high]
            is_category = isinstance(axis.get_major_formatter(), FixedFormatter)
            assert len(ticks) >= 3 or is_category or (panel.get_label(), name) == ("<colorbar>", "x")
            shared = getattr(figure, f"_sup{name}label")
            said = " ".join([axis.label.get_text(), panel.get_title(), shared.get_text() if shared else ""])
            assert axis.get_scale() == "linear" or "log" in said, (name, said)


def test_unusual_figures_are_legible() -> None:
    """A band of zeros under 40 decades, runs that diverged, hostile labels, figures of no activation."""
    deep = data.theory(NAMES[:4], depth=20)
    deep = deep.assign(measured=(1e-2 ** (21 - deep["layer"])).mask(deep["layer"] == 1))
    deep.loc[deep["layer"] == 1, ["n", "n_zero"]] = [0, 5]
    history = data.histories(NAMES[:4])
    history.loc[(history["seed"] == 1) & (history["epoch"] == 6), "training_loss"] = math.inf
    accuracies = {NAMES[0]: [0.97, 0.98, 0.975], NAMES[1]: [0.11, math.nan]}
    for figure in (
        whole.errors_beside_theory(deep, HOSTILE_STYLE),
        data.accuracy_figure(accuracies, HOSTILE_STYLE, "article: 96.96%", whole),
        whole.training_curves(history, HOSTILE_STYLE),
        whole.accuracy_by_output(*data.outputs()),
        whole.ladder(*data.ladder()),
        whole.trainable_depth(*data.grid()),
        whole.digits(data.pixels()),
    ):
        assert_legible(figure)


def test_a_hostile_label_leaves_the_svg_well_formed() -> None:
    """As text and as glyphs: an SVG that parses, and holds no element that came from a label."""
    found = data.accuracy_figure(data.scattered(NAMES), HOSTILE_STYLE, "<script>alert(1)</script> -- $x", whole)
    as_glyphs = io.BytesIO()
    found.savefig(as_glyphs, format="svg")
    for content in (encode(found, "svg"), as_glyphs.getvalue()):
        tags = {element.tag.split("}")[-1] for element in ElementTree.fromstring(content).iter()}
        assert not tags & {"script", "b"}


def test_hostile_panels_remedies_and_references_are_drawn_literally() -> None:
    """Dollar signs in the names of a panel, a remedy or a reference do not begin mathematics either."""
    titles = ("$x$", "_y", "\\alpha$")
    frame = pd.concat([data.frames("accuracy_against_depth", NAMES[:1])[0].assign(panel=title) for title in titles])
    frame = frame.drop_duplicates(["activation", "panel", "depth"])
    assert {r"\$x\$", "_y", r"\alpha\$"} <= set(texts(figures.accuracy_against_depth(frame, STYLE)))
    assert r"batch \$norm\$" in texts(figures.remedies(data.remedies(NAMES[:1])[0], STYLE))
    assert r"<script> \$x" in texts(data.accuracy_figure(data.scattered(NAMES[:1]), STYLE, "<script> $x"))


@pytest.mark.parametrize(
    "figure", ["training_curves", "accuracy_against_rate", "error_heat_map", "test_accuracy", "costs", "critical_lines"]
)
def test_the_same_tables_give_the_same_bytes(figure: str) -> None:
    """Whatever the user's own settings are. These figures have, together, every kind of mark."""
    tables = data.frames(figure, [NAMES[12], NAMES[2]])
    with matplotlib.rc_context(USER):
        theirs = encode(data.draw(figure, tables), "svg")
    assert encode(data.draw(figure, tables), "svg") == theirs


def test_a_png_is_the_same_twice_and_of_the_size_of_the_page() -> None:
    """Also after the SVG, which has another resolution; and a drawing can be sent to another process."""
    figure = pickle.loads(pickle.dumps(deferred.born_dead(*data.frames("born_dead", NAMES[:1]), STYLE))).draw()
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
    (frame,) = data.frames(figure, NAMES[:2])
    for lost in (frame["activation"] == NAMES[1], frame["activation"] != ""):
        part = frame.copy()
        part.loc[lost, [column for column in (*INTERVAL, "measured") if column in part]] = math.nan
        found = data.draw(figure, (part,))
        assert all(np.isfinite([*panel.get_xlim(), *panel.get_ylim()]).all() for panel in found.axes)
        said = " ".join(texts(found))
        assert any(word in said for word in ("not measured", "no data"))
    encode(found, "svg")


@pytest.mark.parametrize("figure", SUMMARIES)
def test_one_seed_has_no_interval_and_two_settings_are_refused(figure: str) -> None:
    """The same means without bounds give the same points; every row twice is an error."""
    (frame,) = data.frames(figure, NAMES[:1])
    function = getattr(figures, figure)
    without = function(frame.assign(ci_low=math.nan, ci_high=math.nan, n=1), STYLE)
    for one, other in zip(function(frame, STYLE).axes, without.axes, strict=True):
        assert data.markers(other, STYLE.color(NAMES[0])) == pytest.approx(data.markers(one, STYLE.color(NAMES[0])))
    with pytest.raises(ValueError, match="select the rows of one"):
        function(pd.concat([frame, frame]), STYLE)
