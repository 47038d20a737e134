"""Texts are shown literally wherever they end up; numbers are shown as people read them."""

import io
import math
import re
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from elements import Elements
from markdown_it import MarkdownIt

from study.activations import REGISTRY
from study.report import formatting
from study.report.formatting import DASH, Formula, csv, escape_latex, escape_markdown, interval, latex, markdown

HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "![picture](https://example.org/x.png)",
    "[link](javascript:alert(1))", "`code` *emphasis* _underlined_ **bold**", "a | b || c", "$E = mc^2$ and $$x$$",
    "&lt;script&gt; &amp; &#106;", r"back\slash \| \$ \\", "# heading", "two\n\nparagraphs\r\nand a\ttab", "~~struck~~",
    "trailing \\",
]  # fmt: skip


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.97123, 0.9700, 0.9725), "97.12 [97.00, 97.25]"),  # half width 0.125: two digits of it, two decimals
        ((0.97123, 0.96, 0.99), "97.1 [96.0, 99.0]"),
        ((0.97123, 0.96099, 0.98901), "97.1 [96.0, 99.0]"),
        ((0.5, 0.1, 0.9), "50 [10, 90]"),
        ((0.97123456, 0.9712, 0.9713), "97.12 [97.12, 97.13]"),  # of a percentage two decimals at most
        ((0.97123, math.nan, math.nan), "97.12"),  # one seed has no interval
        ((0.97, 0.97, 0.97), "97.00"),
        ((math.nan, math.nan, math.nan), DASH),
    ],
)
def test_intervals_show_two_digits_of_their_half_width(numbers: tuple[float, float, float], text: str) -> None:
    """Estimate and bounds with the same decimals, no more than the interval supports; a difference has signs."""
    assert interval(*numbers, scale=100) == text
    assert interval(0.002, -0.001, 0.005, 100, signed=True) == "+0.20 [-0.10, +0.50]"


def test_a_shown_interval_contains_the_computed_one() -> None:
    """The bounds shown lie on or outside the bounds computed, by less than a unit of the last digit.

    The estimate is rounded to the nearest number with as many decimals. Intervals have any size, in either scale.
    """
    generator = np.random.default_rng(0)
    middle = generator.normal(size=4_000) * 10.0 ** generator.integers(-4, 4, 4_000)
    half = np.abs(middle) * 10.0 ** generator.uniform(-5, 1, 4_000)
    for estimate, width, scale in zip(middle.tolist(), half.tolist(), [1, 100] * 2_000, strict=True):
        low, high = estimate - width, estimate + width
        shown = interval(estimate, low, high, scale, signed=True)
        nearest, down, up = map(Fraction, re.findall(r"[-+.\d]+", shown))
        unit = Fraction(1, 10 ** len(shown.split()[0].partition(".")[2]))
        assert 0 <= scale * Fraction(repr(low)) - down < unit
        assert 0 <= up - scale * Fraction(repr(high)) < unit
        assert abs(nearest - scale * Fraction(repr(estimate))) <= unit / 2


@pytest.mark.parametrize(
    ("value", "down", "nearest", "up", "significant_up"),
    [
        (0.00204, "0.20", "0.20", "0.21", "0.21"), (0.004228, "0.42", "0.42", "0.43", "0.43"),
        (0.002, "0.20", "0.20", "0.20", "0.2"), (-0.00201, "-0.21", "-0.20", "-0.20", "-0.2"),
        (0.07, "7.00", "7.00", "7.00", "7"), (0.0, "0.00", "0.00", "0.00", "0"), (math.inf, DASH, DASH, DASH, DASH),
    ],
)  # fmt: skip
def test_bounds_round_outward(value: float, down: str, nearest: str, up: str, significant_up: str) -> None:
    """A bound is never shown tighter than it is, and one that needs no rounding stays; in points, two digits."""
    ways = ("down", "nearest", "up")
    assert [formatting.number(value, 2, 100, toward=way) for way in ways] == [down, nearest, up]
    assert [formatting.percent(value, toward=way).removesuffix("%") for way in ways] == [down, nearest, up]
    assert formatting.significant(value, 2, 100, toward="up") == significant_up


RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])  # as GitHub


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_shown_literally_in_markdown(text: str) -> None:
    """Rendered, in a paragraph and in a cell: the text itself, on one line, and no element of its making."""
    literal = " ".join(text.split())
    assert escape_markdown("$x$") == r"\$x\$"  # GitHub sets what stands between dollar signs as mathematics
    paragraph = Elements(RENDERER.render("Word " + escape_markdown(text)))
    assert paragraph.tags == ["p"]
    assert paragraph.text.strip() == f"Word {literal}"
    table = Elements(RENDERER.render(markdown(pd.DataFrame({text: [text, "next"], "other": [1, 2]}))))
    assert sorted(set(table.tags)) == ["table", "tbody", "td", "th", "thead", "tr"]
    assert [line for line in table.text.splitlines() if line] == [literal, "other", literal, "1", "next", "2"]


@pytest.mark.parametrize(
    ("cells", "numeric"),
    [
        (["1", "0.5 [0.4, 0.6]", "–"], True),
        (["+0.2", "-0.1", "< 0.001", "≥ 50 (20 to ≥ 50)"], True),
        (["1", "at most 2"], False),
        (["relu"], False),
        (["-", "x"], False),
    ],
)
def test_columns_of_numbers_are_known(cells: list[str], numeric: bool) -> None:
    """Numbers stand to the right, texts to the left, in Markdown, on the page and in LaTeX alike."""
    assert formatting.is_numeric(cells) == numeric
    frame = pd.DataFrame({"first": cells, "column": cells})
    assert markdown(frame).splitlines()[1] == f"| :-- | {'--:' if numeric else ':--'} |"
    assert latex(frame, "").splitlines()[2] == rf"\begin{{tabular}}{{l {'r' if numeric else 'l'}}}"


def test_a_latex_table_by_hand() -> None:
    """Booktabs, a comment that says what it is, signs of minus, and mathematics where a character needs it."""
    frame = pd.DataFrame(
        {"A & B": ["x_1", "[50%]"], "±": ["-0.1 [-0.2, +0.1]", "≥ 5"], "f": [Formula(r"\max(0, z)"), "–"]}
    )
    assert latex(frame, "What\nit shows.").splitlines() == [
        "% What it shows.",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        r"\begin{tabular}{l r l}",
        r"\toprule",
        r"A \& B & $\pm$ & f \\",
        r"\midrule",
        r"x\_1 & $-$0.1 {[}$-$0.2, +0.1{]} & $\max(0, z)$ \\",
        r"{[}50\%{]} & $\geq$ 5 & -- \\",
        r"\bottomrule",
        r"\end{tabular}",
        "}",
    ]


def test_long_cells_break_their_lines_in_latex() -> None:
    """Two columns of long texts share the width of the line; of more, each is as wide, and LaTeX shrinks the table."""
    frame = pd.DataFrame({"a": ["short"], "b": ["long " * 10], "c": ["also long " * 10]})
    assert r"{l p{0.35\linewidth} p{0.35\linewidth}}" in latex(frame, "")
    assert r"p{0.35\linewidth}}" in latex(frame.assign(d=frame["b"]), "")
    assert r"{p{0.70\linewidth}}" in latex(frame[["b"]], "")


@pytest.mark.parametrize("text", [*HOSTILE, r"\input{/etc/passwd}", "a^b~c{}", "100% #1", '"quoted"'])
def test_latex_acts_on_no_text(text: str) -> None:
    """Without the commands that stand for characters and the mathematics made here, no special character is left."""
    escaped = escape_latex(text)
    rest = re.sub(r"\\text\w+\{\}|\$<\$|\$>\$|\$-\$|\{\[\}|\{\]\}|\\[&%$#_{}]", "", escaped)
    assert not set(rest) & set("\\&%$#_{}^~")
    assert "\n" not in escaped


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("γ-Swish", r"$\gamma$-Swish"), ("φ(z) ΣΑ", r"$\varphi$(z) $\Sigma$A"), ("x² ≈ 1", r"x$^2$ $\approx$ 1"),
        ("Müller, Poincare\u0301", "Müller, Poincaré"), ("ά ṽ ﬁ x₂ ½", r"$\alpha$ v fi x2 1/2"),
        ("活性 😀 ħ\x00", "?? ? ??"), ("worse†", r"worse\dag{}"),
    ],
)  # fmt: skip
def test_latex_gets_no_character_that_it_does_not_know(text: str, escaped: str) -> None:
    """Greek letters are mathematics, accents of western Europe stay, others go, and the rest are question marks."""
    assert escape_latex(text) == escaped


def test_a_formula_of_other_commands_is_text_in_latex() -> None:
    """It is set as it is written; a formula of known commands, as every entry of the registry is, is mathematics."""
    other = [r"\input{/etc/passwd}", r"\write18{rm}", r"x$ \def\a{b} $", r"\csname x\endcsname", r"\maxx"]
    other += ["a % b", "}{", "{"]
    known = [entry.formula for entry in REGISTRY.values()]
    lines = latex(pd.DataFrame({"f": list(map(Formula, other + known))}), "").splitlines()[6:-3]
    assert lines[: len(other)] == [rf"\texttt{{{escape_latex(formula)}}} \\" for formula in other]
    assert [line for line in lines[len(other) :] if not line.startswith("$")] == []


@pytest.mark.parametrize("formula", [r"\max(0, z)", "|z|", "`; $x$ <script>", "a\nb"])
def test_a_formula_stays_in_its_cell(formula: str) -> None:
    """A formula is mathematics between $` and `$, and cannot leave that or the cell."""
    text = markdown(pd.DataFrame({"Formula": [Formula(formula)], "next": [1]}))
    assert Elements(RENDERER.render(text)).tags.count("td") == 2
    inner = text.splitlines()[-1].removeprefix("| $`").removesuffix("`$ | 1 |")
    assert "`" not in inner
    assert "$" not in inner.replace(r"\$", "")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", '=HYPERLINK("http://x","y")'])
def test_a_spreadsheet_runs_nothing(text: str) -> None:
    """A text that a spreadsheet would take for a formula begins with a quote; in a name, a label and a cause alike."""
    read = pd.read_csv(io.BytesIO(csv(pd.DataFrame({"name": [text], "value": [-1.5]}))))
    assert read["name"].item() == "'" + text
    assert read["value"].item() == -1.5


def test_texts_and_numbers_survive_csv() -> None:
    """Commas, quotes, line breaks and accents come back from the file as they were.

    So do seven digits of a number, 1e-300 and 1e300 too; NaN is an empty cell.
    """
    texts = ['a,"b"', "two\nlines", "ü€", "plain", "1-2"]
    assert pd.read_csv(io.BytesIO(csv(pd.DataFrame({"text": texts}))))["text"].tolist() == texts
    values = [float(np.float32(1 / 3)), 1e-300, 1.2345678e300, math.nan]
    lines = csv(pd.DataFrame({"value": values, "n": [1, 2, 3, 4]})).decode().splitlines()
    np.testing.assert_allclose([float(line.split(",")[0]) for line in lines[1:4]], values[:3], rtol=5e-7)
    assert lines[4] == ",4"
