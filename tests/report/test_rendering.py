"""A page shows numbers of tables through filters, escapes every text, and stops at an undefined name."""

import ast
import functools
import math
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
import pytest
from synthetic import ROOT

from study.figures.drawing import Drawing
from study.report import filters
from study.report.formatting import Formula
from study.report.quantities import Quantity, Row, quantified, rows_of
from study.report.rendering import RESULTS, Page, Place, render, split_table
from study.report.section import Section

TABLE = pd.DataFrame(
    [("relu", 0.9712, 0.9701, 0.9723, 15), ("gelu", 0.98, 0.97, 0.99, 20), ("swish", math.nan, math.nan, math.nan, 0)],
    columns=["activation", "mean", "ci_low", "ci_high", "n"],
)
LABELS = {"relu": "ReLU", "gelu": "GELU <b>", "swish": "Swish", "mish": "M*sh*"}
COMPARISONS = pd.DataFrame(
    [
        ("a", "gelu", 0.01, 0.009, 0.011, "better"),
        ("a", "swish", 0.0005, -0.0012, 0.0012, "tie"),
        ("b", "swish", 0.0025, -0.001, 0.006, "undecided"),
    ],
    columns=["experiment", "activation", "difference", "ci_low", "ci_high", "finding"],
)


def page(
    tmp_path: Path, text: str, place: Place = RESULTS, comparisons: pd.DataFrame | None = None, **parts: object
) -> Page:
    """Render a page with this text as its body; TABLE has the name `accuracy`, and macros may be used."""
    macros = '{% from "macros.md" import compared, difference, met, with_interval with context %}'
    (tmp_path / "a.md").write_text('{% extends "page.md" %}' + macros + "{% block body %}" + text + "{% endblock %}")
    tables = {"accuracy": TABLE} | ({} if comparisons is None else {"comparisons": comparisons})
    return render(Section(tmp_path / "a.md", tables, **parts), LABELS, place)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{{ tables.accuracy.one(activation="relu").mean | percent }}', "97.12%"),
        ('{{ tables.accuracy.one(activation="relu") | interval(scale=100) }}', r"97.12 \[97.01, 97.23\]"),
        ('{{ tables.accuracy.one(activation="swish").mean | percent }}', "–"),
        ('{{ tables.accuracy.one(activation="relu").mean | points }}', "+97.12"),
        ('{{ "mish" | label }}', r"M\*sh\*"),
        ("{{ tables.accuracy | names }}", "ReLU, GELU &lt;b&gt;, Swish"),
        ('{{ tables.accuracy | names(" or ", 2) }}', "ReLU or 2 others"),
        ('{{ tables.accuracy.known("mean").by("mean", descending=True)[0].activation | label }}', "GELU &lt;b&gt;"),
        ('{{ tables.accuracy | map(attribute="n") | span }}', "0 to 20"),
        ('{{ tables.accuracy.where(activation=["relu", "gelu"]).sum("n") | whole }}', "35"),
        ('{{ tables.accuracy.max("mean") | number(3) }}', "0.980"),
        ("{{ tables.accuracy[0].ci_low | number(1, scale=100, toward='up') }}", "97.1"),
        ("{{ constants.AT_CHANCE_BELOW | percent(0) }}", "20%"),
        ("{{ protocol.rate | significant }} {{ protocol.name }}", r"0.0032 a\_b"),
        ("{{ 'make past_99 ` *x*' | code }}", "`make past_99 ' *x*`"),
        ("one\ntwo\n\n- three\n  four\n- five", "one two\n\n- three four\n- five"),
    ],
)
def test_a_page_by_hand(tmp_path: Path, text: str, shown: str) -> None:
    """What each filter and each method of rows shows; code is shown as it is, and a backtick cannot end it."""
    assert page(tmp_path, text, protocol={"rate": 0.0032, "name": "a_b"}).body == shown


def test_the_sentence_of_a_comparison_names_each_finding(tmp_path: Path) -> None:
    """Labels are escaped; an activation without a difference is not named."""
    text, rows = "{{ compared(tables.comparisons) }}", COMPARISONS[:2]
    both = "Better than ReLU: GELU &lt;b&gt;. A tie with ReLU: Swish."
    assert page(tmp_path, text, comparisons=rows).body == both
    other = page(tmp_path, text, comparisons=rows.assign(finding=["undecided", "worse"])).body
    assert other == "Worse than ReLU: Swish. Undecided against ReLU: GELU &lt;b&gt;."
    assert page(tmp_path, text, comparisons=rows.assign(difference=math.nan)).body == ""


@pytest.mark.parametrize(
    ("asked", "cells"),
    [
        ('"swish"', r"+0.05 \[-0.12, +0.12\] | tie"),
        ('"swish", "b"', r"+0.25 \[-0.10, +0.60\] | undecided"),
        ('"relu"', "– | –"),
    ],
)
def test_the_cells_of_a_difference(tmp_path: Path, asked: str, cells: str) -> None:
    """In points; dashes for the reference, and for all where nothing was compared."""
    text = "{{ difference(" + asked + ") }}"
    assert page(tmp_path, text, comparisons=COMPARISONS).body == cells
    assert page(tmp_path, text).body == "– | –"


TABLE_CALL = """{% call table("one") %}
| Name | ac\\|c |
{% for row in tables.accuracy %}
| {{ row.activation | label }} | {{ row.mean | percent }} |
{% endfor %}
What it
shows.
{% endcall %}"""


def test_a_table_is_its_rows_then_its_caption(tmp_path: Path) -> None:
    """The page shows the cells escaped, numbers to the right; the display keeps them as plain texts, for LaTeX."""
    found = page(tmp_path, TABLE_CALL, Place("questions"))
    (display,) = found.displays
    assert (display.name, display.caption) == ("one", "What it shows.")
    assert display.frame.to_dict("list") == {
        "Name": ["ReLU", "GELU <b>", "Swish"],
        "ac|c": ["97.12%", "98.00%", "–"],
    }
    assert found.body.splitlines() == [
        r"| Name | ac\|c |", "| :-- | --: |", "| ReLU | 97.12% |", "| GELU &lt;b&gt; | 98.00% |", "| Swish | – |", "",
        "*What it shows.* ([one](../tables/one.tex))",
    ]  # fmt: skip


def test_a_row_of_another_length_is_an_error() -> None:
    """The table and the row are named. A formula stays one; a table may have no rows, and two columns of one name."""
    with pytest.raises(ValueError, match=r"table 'one'.* 1 cells, its header 2: \['x'\]"):
        split_table("one", "| a | b |\n| x |")
    caption, frame = split_table("one", "Of it:\n| a | a |\n| $`\\max(0, z)`$ | 1 \\[0, 2\\] |")
    assert (caption, frame.columns.tolist()) == ("Of it:", ["a", "a"])
    assert frame.to_numpy().tolist() == [[r"\max(0, z)", "1 [0, 2]"]]
    assert isinstance(frame.iloc[0, 0], Formula)
    assert split_table("one", "| a |")[1].empty


@pytest.mark.parametrize(
    ("place", "link", "picture"),
    [
        (Place("", ("depth",)), r"[d\*](questions/depth.md)", "figures/f.png"),
        (Place("questions", ("depth",)), r"[d\*](depth.md)", "../figures/f.png"),
        (Place("questions", ("other",)), r"d\*", "../figures/f.png"),
        (RESULTS, r"d\*", "figures/f.png"),
    ],
)
def test_links_and_pictures_follow_the_place(tmp_path: Path, place: Place, link: str, picture: str) -> None:
    """From README.md and from a question's page. Where that page is missing, the link is its text."""
    text = '{{ link("depth", "d*") }}\n\n{% call figure("f") %}To\nsee.{% endcall %}'
    found = page(tmp_path, text, place, figures={"f": Drawing(lambda: None)})
    assert found.body == f"{link}\n\n![f]({picture})\n\n*To see.*"
    assert [shown.caption for shown in found.pictures] == ["To see."]


def test_details_fold_what_they_hold(tmp_path: Path) -> None:
    """Empty lines stand around it, so that Markdown renders it; the summary is escaped, tables within count."""
    found = page(tmp_path, '{% call details("How <b>") %}Text.\n\n' + TABLE_CALL + "{% endcall %}")
    assert found.body.startswith("<details>\n<summary>How &lt;b&gt;</summary>\n\nText.\n\n| Name |")
    assert found.body.endswith("\n\n</details>")
    assert [display.name for display in found.displays] == ["one"]


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("{{ tables.acuracy }}", jinja2.UndefinedError, "acuracy"),
        ("{{ tables.accuracy[0].men | percent }}", jinja2.UndefinedError, "men"),
        ("{{ nothing }}", jinja2.UndefinedError, "nothing"),
        ("{{ protocol.nothing }}", jinja2.UndefinedError, "nothing"),
        ("{{ 1 | unknown_filter }}", jinja2.TemplateAssertionError, "unknown_filter"),
        ("{{ tables.accuracy[0].mean }}", TypeError, "not text"),
        ("{% for row in tables.accuracy %}{{ loop.index }}{% endfor %}", TypeError, "not text"),
        ("{{ tables.accuracy[0].mean | code }}", TypeError, "not text"),
    ],
)
def test_an_undefined_name_or_a_number_without_a_filter_is_an_error(
    tmp_path: Path, text: str, error: type[Exception], said: str
) -> None:
    """A table, a column, a name, a setting or a filter that there is not; a cell, a loop's index or code unrounded."""
    with pytest.raises(error, match=said):
        page(tmp_path, text)


@pytest.mark.parametrize("name", [name for name in filters.FILTERS if name not in ("count", "listed")])
def test_a_number_of_no_table_is_refused(name: str) -> None:
    """Every filter of numbers takes quantities of tables, and refuses a plain number, in a row as by itself."""
    show = functools.partial(filters.unit, name="ms") if name == "unit" else filters.FILTERS[name]
    numbers = dict.fromkeys(("mean", "ci_low", "ci_high", "median", "low", "high", "deepest", "next_depth"), 1.5)
    right, wrong = Quantity(1.5), 1.5
    if name == "relative":
        show = functools.partial(filters.relative, column="mean", low="ci_low", high="ci_high")
    if name in ("interval", "reached", "deepest", "relative"):
        right, wrong = Row(quantified(numbers)), Row(numbers)
    elif name == "span":
        right, wrong = [right], [wrong]
    assert isinstance(show(right), str)
    with pytest.raises(TypeError, match="not a number of a table"):
        show(wrong)


@pytest.mark.parametrize(
    ("numbers", "shown", "alone"),
    [
        ((50, 20, 50, math.nan), "≥ 50 (20 to ≥ 50)", "≥ 50"),
        ((5, 5, 5, 7), "5 but not 7", "5"),
        ((math.nan, math.nan, math.nan, math.nan), "–", "–"),
    ],
)
def test_a_depth_at_the_end_of_the_grid_reads_at_least(numbers: tuple[float, ...], shown: str, alone: str) -> None:
    """A depth equal to the deepest network that was run has "≥" before it; equal bounds are left out."""
    found = dict(zip(("median", "low", "high", "next_depth"), numbers, strict=True)) | {"deepest": 50}
    prefixed = {"at": found["median"], **{f"at_{key}": value for key, value in found.items()}}
    for row, prefix in ((found, ""), (prefixed, "at")):
        assert filters.reached(Row(quantified(row)), prefix) == shown
        assert filters.deepest(Row(quantified(row)), prefix) == alone


@pytest.mark.parametrize(
    ("ratio", "shown"),
    [(1.071, "+7% [+6%, +9%]"), (0.95, "-5% [-7%, -3%]"), (math.nan, "–"), (math.inf, "–")],
)
def test_a_ratio_is_shown_as_a_change(ratio: float, shown: str) -> None:
    """Of an interval from 0.011 below the ratio to 0.011 above, whose bounds are rounded outward."""
    row = Row(quantified({"ratio": ratio, "low": ratio - 0.011, "high": ratio + 0.011}))
    assert filters.relative(row, "ratio", "low", "high") == shown


@pytest.mark.parametrize(
    ("counts", "fewest", "shown"),
    [
        ([5, 3, 0], 3, "mean with 95% interval."),
        ([5, 2], 3, "mean with 95% interval (from three runs on)."),
        ([2, 1], 2, "mean with 95% interval (from two runs on)."),
        ([2, 2], 3, "mean."),
        ([1, math.nan], 2, "mean."),
    ],
)
def test_a_caption_claims_no_interval_that_is_not_drawn(
    tmp_path: Path, counts: list[float], fewest: int, shown: str
) -> None:
    """Groups of too few runs have none, and groups without a run do not count."""
    text = "mean{{ with_interval(tables.comparisons, fewest=" + str(fewest) + ") }}."
    assert page(tmp_path, text, comparisons=pd.DataFrame({"n": counts})).body == shown


def test_a_goal_is_met_or_missed_and_narrowly(tmp_path: Path) -> None:
    rows = pd.DataFrame({"met": [True, True, False, False], "narrowly": [True, False] * 2})
    text = "{% for row in tables.comparisons %}{{ met(row) }}; {% endfor %}"
    assert page(tmp_path, text, comparisons=rows).body == "met, narrowly; met; missed, narrowly; missed;"


def test_numbers_become_quantities_and_nothing_else_does() -> None:
    """NaN stays unknown; booleans, texts and None stay what they are; numpy's numbers are numbers."""
    row = rows_of(pd.DataFrame({"x": [1], "y": [math.nan], "z": [True], "t": ["a"]}))[0]
    assert [type(value) for value in (row.x, row.y, quantified(np.int64(1)))] == [Quantity] * 3
    assert (row.z, row.t) == (True, "a")
    assert quantified({"a": [None, "b"]}) == {"a": [None, "b"]}


@pytest.mark.parametrize("wanted", ["mish", ["relu", "gelu"]])
def test_one_row_is_one_row(wanted: object) -> None:
    """None and two are refused."""
    with pytest.raises(LookupError, match="rows have"):
        rows_of(TABLE).one(activation=wanted)


WORDS = 25  # more of them in one string of Python are taken for a sentence that belongs to a page; a remark has fewer


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.py")), ids=lambda path: path.stem)
def test_python_builds_no_sentence(path: Path) -> None:
    """No string of an experiment, docstrings apart, has more words than a column, a unit or a remark needs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    texts = [
        "".join(part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str))
        for node in ast.walk(tree)
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and id(node) not in docstrings
    ]
    assert [text for text in texts if len(text.split()) > WORDS] == []
