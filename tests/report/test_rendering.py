"""A page shows numbers of tables through filters, escapes every text, and stops at an undefined name."""

import ast
import math
from pathlib import Path

import jinja2
import pandas as pd
import pytest
from synthetic import ROOT

from experiments import MODULES
from study.report import filters, rendering
from study.report.quantities import Quantity, Row, Rows, quantified, rows_of
from study.report.section import Section

TABLE = pd.DataFrame(
    {
        "activation": ["relu", "gelu", "swish"],
        "mean": [0.9712, 0.98, math.nan],
        "ci_low": [0.9701, 0.97, math.nan],
        "ci_high": [0.9723, 0.99, math.nan],
        "n": [15, 20, 0],
    }
)
LABELS = {"relu": "ReLU", "gelu": "GELU <b>", "swish": "Swish"}


def body(tmp_path: Path, text: str, **parts: object) -> str:
    """The body of a page with this text, over TABLE under the name `accuracy`."""
    (tmp_path / "a.md").write_text(
        '{% extends "page.md" %}{% from "macros.md" import compared with context %}'
        "{% block body %}" + text + "{% endblock %}"
    )
    return rendering.render(Section(tmp_path / "a.md", {"accuracy": TABLE}, **parts), LABELS).body


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{{ tables.accuracy.one(activation="relu").mean | percent }}', "97.12%"),
        ('{{ tables.accuracy.one(activation="relu") | interval(scale=100) }}', r"97.12 \[97.01, 97.23\]"),
        ('{{ tables.accuracy.one(activation="swish").mean | percent }}', "–"),
        ("{{ tables.accuracy | names }}", "ReLU, GELU &lt;b&gt;, Swish"),
        ('{{ tables.accuracy.known("mean").by("mean", descending=True)[0].activation | label }}', "GELU &lt;b&gt;"),
        ('{{ tables.accuracy | map(attribute="n") | span }}', "0 to 20"),
        ('{{ tables.accuracy.where(activation=["relu", "gelu"]).sum("n") | whole }}', "35"),
        ('{{ tables.accuracy.max("mean") | number(3) }}', "0.980"),
        ("{{ constants.CHANCE_LEVEL | percent(0) }}", "20%"),
        ("{{ protocol.rate | significant }} {{ protocol.name }}", r"0.0032 a\_b"),
        ("one\ntwo\n\n- three\n  four\n- five", "one two\n\n- three four\n- five"),
    ],
)
def test_a_page_by_hand(tmp_path: Path, text: str, shown: str) -> None:
    """What each filter and each method of rows shows."""
    assert body(tmp_path, text, protocol={"rate": 0.0032, "name": "a_b"}) == shown


@pytest.mark.parametrize(
    "text",
    [
        "{{ tables.acuracy }}",
        "{{ tables.accuracy[0].men | percent }}",
        "{{ nothing }}",
        "{{ protocol.nothing }}",
        "{{ 1 | unknown_filter }}",
    ],
)
def test_an_undefined_name_is_an_error(tmp_path: Path, text: str) -> None:
    """A table, a column, a name, a setting or a filter that there is not."""
    with pytest.raises((jinja2.UndefinedError, jinja2.TemplateAssertionError)):
        body(tmp_path, text)


@pytest.mark.parametrize("name", [name for name in filters.FILTERS if name not in ("count", "listed", "span")])
def test_a_number_of_no_table_is_refused(name: str) -> None:
    """Every filter of numbers takes quantities of tables, and refuses a plain number, in a row as by itself."""
    filter_ = filters.FILTERS[name]
    numbers = dict.fromkeys(("mean", "ci_low", "ci_high", "median", "low", "high", "deepest", "next_depth"), 1.5)
    good, bad = Row(quantified(numbers)), Row(numbers)
    for right, wrong in ((good, bad), (Rows([good]), Rows([bad])), (Quantity(1.5), 1.5)):
        try:
            assert isinstance(filter_(right), str)
        except (TypeError, AttributeError):
            continue  # the filter takes another of the three
        with pytest.raises(TypeError, match="not a number of a table"):
            filter_(wrong)
        return
    pytest.fail(f"{name} takes neither a number, nor a row, nor rows")


def test_a_number_without_a_filter_is_refused(tmp_path: Path) -> None:
    """A cell and a loop's index alike: how a number is rounded is always said."""
    for text in (
        "{{ tables.accuracy[0].mean }}",
        "{% for row in tables.accuracy %}{{ loop.index }}{% endfor %}",
    ):
        with pytest.raises(TypeError, match="not text"):
            body(tmp_path, text)


def test_code_is_shown_as_it_is(tmp_path: Path) -> None:
    """An underscore is not escaped in code, a backtick cannot end it, and a number is refused."""
    assert body(tmp_path, "{{ 'make ninety_nine ` *x*' | code }}") == "`make ninety_nine ' *x*`"
    with pytest.raises(TypeError, match="not text"):
        body(tmp_path, "{{ tables.accuracy[0].mean | code }}")


def test_numbers_become_quantities_and_nothing_else_does() -> None:
    """NaN stays unknown; booleans, texts and None stay what they are; numpy's numbers are numbers."""
    row = rows_of(pd.DataFrame({"x": [1], "y": [math.nan], "z": [True], "t": ["a"]}))[0]
    assert isinstance(row.x, Quantity)
    assert isinstance(row.y, Quantity)
    assert (row.z, row.t) == (True, "a")
    assert quantified({"a": [None, "b"]}) == {"a": [None, "b"]}


def test_one_row_is_one_row() -> None:
    """None and two are refused."""
    rows = rows_of(TABLE)
    for wanted in ({"activation": "mish"}, {"activation": ["relu", "gelu"]}):
        with pytest.raises(LookupError, match="rows have"):
            rows.one(**wanted)


def test_bounds_are_rounded_outward() -> None:
    """0.2041 points are told as 0.21: a bound is never nearer than it is."""
    assert filters.bound(Quantity(0.002041), scale=100) == "0.21"
    assert filters.bound(Quantity(-0.002041), scale=-100) == "0.21"
    assert filters.bound(Quantity(0.002), scale=100) == "0.20"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_question_has_a_page_that_compiles(module: object) -> None:
    """Beside its module, with a title."""
    page = module.PAGE
    template = rendering.environment(page.parent, LABELS).get_template(page.name)
    assert {"title", "answer", "body"} <= template.blocks.keys()


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
