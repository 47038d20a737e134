"""Tables count and average what they say; texts are shown literally wherever they end up."""

import io
import math
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt

from study.activations import REGISTRY
from study.analysis.summaries import RUN_KEYS, accuracy, final_shares, gradient_norms
from study.report.formatting import (
    DASH,
    Formula,
    csv,
    escape_latex,
    escape_markdown,
    interval,
    is_numeric,
    latex,
    markdown,
    percent,
    probability,
)

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![picture](https://example.org/x.png)",
    "[link](javascript:alert(1))",
    "`code` *emphasis* _underlined_ **bold**",
    "a | b || c",
    "$E = mc^2$ and $$x$$",
    "&lt;script&gt; &amp; &#106;",
    r"back\slash \| \$ \\",
    "# heading",
    "two\n\nparagraphs\r\nand a\ttab",
    "~~struck~~",
    "trailing \\",
]


def runs(**columns: list) -> pd.DataFrame:
    return pd.DataFrame({"best_test_accuracy": math.nan, "epochs": 3.0, "seconds": 1.0, **columns})


def test_accuracy_counts_diverged_runs_and_averages_the_others() -> None:
    """0.90, 0.92 and 0.94: mean 0.92, t interval 0.92 -+ 4.303 * 0.02 / sqrt(3); the diverged run enters neither."""
    table = accuracy(
        runs(
            activation=["relu"] * 4 + ["gelu"],
            status=["done"] * 3 + ["diverged"] * 2,
            test_accuracy=[0.90, 0.92, 0.94, math.nan, math.nan],
        ),
        "baseline",
    ).set_index("activation")
    relu, gelu = table.loc["relu"], table.loc["gelu"]
    assert (relu["n"], relu["diverged"], gelu["n"], gelu["diverged"]) == (3, 1, 0, 1)
    half = 4.30265 * 0.02 / math.sqrt(3)
    expected = [0.92, 0.92 - half, 0.92 + half]
    np.testing.assert_allclose(relu[["test_accuracy_mean", "ci_low", "ci_high"]].astype(float), expected, rtol=1e-5)
    assert gelu[["test_accuracy_mean", "ci_low", "ci_high"]].isna().all()


def test_accuracy_begins_with_the_promised_columns() -> None:
    """DESIGN.md's contract of tables/accuracy.csv."""
    table = accuracy(runs(activation=["relu"], status=["done"], test_accuracy=[0.9]), "baseline")
    promised = ["experiment", "activation", "n", "diverged", "test_accuracy_mean", "ci_low", "ci_high"]
    assert list(table.columns[:7]) == promised
    assert table["experiment"].tolist() == ["baseline"]


def test_groups_are_never_mixed_up() -> None:
    """Whatever the order of the rows and of the counted columns, a group's diverged runs stay with its accuracies."""
    frame = runs(
        activation=["b", "a", "b", "a", "c"],
        status=["done", "diverged", "diverged", "diverged", "done"],
        test_accuracy=[0.5, math.nan, math.nan, math.nan, 0.7],
    )
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]):
        table = accuracy(frame.iloc[order], "x").set_index("activation")
        assert table["diverged"].to_dict() == {"a": 2, "b": 1, "c": 0}
        assert table["n"].to_dict() == {"a": 0, "b": 1, "c": 1}


def measured(measure: str, values: list[float]) -> pd.DataFrame:
    keys = dict.fromkeys(RUN_KEYS, "same")
    return pd.DataFrame({"value": values, "layer": 1, "epoch": 0.0, "step": 0, "measure": measure, **keys})


def test_norms_are_averaged_as_logarithms_and_zeros_apart() -> None:
    """1, 100 and an exact zero: geometric mean 10 of n = 2, and one zero."""
    row = gradient_norms(measured("error", [1.0, 100.0, 0.0]), "x").iloc[0]
    assert row["mean"] == pytest.approx(10)
    assert (row["n"], row["n_zero"]) == (2, 1)
    assert row["ci_low"] < 10 < row["ci_high"]


def test_only_zeros_have_no_mean() -> None:
    """Every seed at exactly zero: no mean, no infinity, and all of them counted."""
    row = gradient_norms(measured("error", [0.0, 0.0]), "x").iloc[0]
    assert row[["mean", "ci_low", "ci_high"]].isna().all()
    assert (row["n"], row["n_zero"]) == (0, 2)


def test_shares_are_averaged_as_they_are() -> None:
    """Half of the units dead in one run and none in another: a quarter."""
    row = gradient_norms(measured("dead_units", [0.0, 0.5]), "x").iloc[0]
    assert row["mean"] == pytest.approx(0.25)
    assert (row["n"], row["n_zero"]) == (2, 0)


def test_final_shares_are_of_each_runs_own_last_step() -> None:
    """Two seeds that stop at steps 2 and 3, two hidden layers each: (0.2 + 0.4) / 2 and (0.5 + 0.7) / 2; earlier steps,
    the output layer without a value, and norms do not count."""
    keys = dict.fromkeys(RUN_KEYS, "same")
    rows = [
        *((0, 2, layer, "sparsity", value) for layer, value in ((1, 0.2), (2, 0.4), (3, math.nan))),
        *((1, 3, layer, "sparsity", value) for layer, value in ((1, 0.5), (2, 0.7), (3, math.nan))),
        *((seed, 1, 1, "sparsity", 0.9) for seed in (0, 1)),
        (0, 2, 1, "error", 5.0),
    ]
    frame = pd.DataFrame(rows, columns=["seed", "step", "layer", "measure", "value"]).assign(**keys)
    (row,) = final_shares(frame, "x").to_dict("records")
    assert (row["experiment"], row["measure"], row["n"]) == ("x", "sparsity", 2)
    assert row["mean"] == pytest.approx(0.45)
    assert row["ci_low"] == pytest.approx(0.45 - 12.7062 * 0.15, rel=1e-4)


def test_what_is_undefined_is_no_row() -> None:
    """The output layer has no dead units: not zero of them, and not a row of dashes."""
    assert gradient_norms(measured("dead_units", [math.nan]), "x").empty


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.9696, "96.96%"), (1.0, "100.00%"), (0.0, "0.00%"), (0.99996, "100.00%"), (math.nan, DASH), (math.inf, DASH)],
)
def test_percent(value: float, text: str) -> None:
    """Two decimals; what is no number is a dash."""
    assert percent(value) == text


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.97123, 0.9700, 0.9725), "97.12 [97.00, 97.25]"),  # half width 0.125: two digits of it, two decimals
        ((0.97123, 0.96, 0.99), "97.1 [96.0, 99.0]"),
        ((0.5, 0.1, 0.9), "50 [10, 90]"),
        ((0.97123456, 0.9712, 0.9713), "97.1235 [97.1200, 97.1300]"),
        ((0.97123, math.nan, math.nan), "97.12"),  # one seed has no interval
        ((0.97, 0.97, 0.97), "97.00"),
        ((math.nan, math.nan, math.nan), DASH),
    ],
)
def test_intervals_show_two_digits_of_their_half_width(numbers: tuple[float, float, float], text: str) -> None:
    """Estimate and bounds with the same decimals, no more than the interval supports."""
    assert interval(*numbers, scale=100) == text


def test_differences_carry_their_sign() -> None:
    """A difference says which way it goes, on all three numbers."""
    assert interval(0.002, -0.001, 0.005, 100, signed=True) == "+0.20 [-0.10, +0.50]"


@pytest.mark.parametrize(("p", "text"), [(0.03125, "0.031"), (0.0009, "< 0.001"), (1.0, "1.000"), (math.nan, DASH)])
def test_probability(p: float, text: str) -> None:
    """Three decimals, never 0.000."""
    assert probability(p) == text


class Page(HTMLParser):
    """The tags and the visible text of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list]] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags.append((tag, attributes))

    def handle_data(self, data: str) -> None:
        self.text += data


RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])  # as GitHub


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_shown_literally_in_markdown(text: str) -> None:
    """Rendered, in a paragraph and in a cell: the text itself, on one line, and no element of its making."""
    literal = " ".join(text.split())
    paragraph = Page(RENDERER.render("Word " + escape_markdown(text)))
    assert [tag for tag, _ in paragraph.tags] == ["p"]
    assert paragraph.text.strip() == f"Word {literal}"
    table = Page(RENDERER.render(markdown(pd.DataFrame({text: [text, "next"], "other": [1, 2]}))))
    assert sorted({tag for tag, _ in table.tags}) == ["table", "tbody", "td", "th", "thead", "tr"]
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
    assert is_numeric(cells) == numeric
    frame = pd.DataFrame({"first": cells, "column": cells})
    assert markdown(frame).splitlines()[1] == f"| :-- | {'--:' if numeric else ':--'} |"
    assert latex(frame, "").splitlines()[1] == rf"\begin{{tabular}}{{l {'r' if numeric else 'l'}}}"


def test_a_latex_table_by_hand() -> None:
    """Booktabs, a comment that says what it is, signs of minus, and mathematics where a character needs it."""
    frame = pd.DataFrame(
        {"A & B": ["x_1", "[50%]"], "±": ["-0.1 [-0.2, +0.1]", "≥ 5"], "f": [Formula(r"\max(0, z)"), "–"]}
    )
    assert latex(frame, "What\nit shows.").splitlines() == [
        "% What it shows.",
        r"\begin{tabular}{l r l}",
        r"\toprule",
        r"A \& B & $\pm$ & f \\",
        r"\midrule",
        r"x\_1 & $-$0.1 {[}$-$0.2, +0.1{]} & $\max(0, z)$ \\",
        r"{[}50\%{]} & $\geq$ 5 & -- \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_long_cells_break_their_lines_in_latex() -> None:
    """Columns of long texts share the width of the line."""
    frame = pd.DataFrame({"a": ["short"], "b": ["long " * 10], "c": ["also long " * 10]})
    assert r"{l p{0.35\linewidth} p{0.35\linewidth}}" in latex(frame, "")


@pytest.mark.parametrize("text", [*HOSTILE, r"\input{/etc/passwd}", "a^b~c{}", "100% #1", '"quoted"'])
def test_latex_acts_on_no_text(text: str) -> None:
    """Without the commands that stand for characters and the mathematics made here, no special character is left."""
    escaped = escape_latex(text)
    rest = re.sub(r"\\text\w+\{\}|\$<\$|\$>\$|\$-\$|\{\[\}|\{\]\}|\\[&%$#_{}]", "", escaped)
    assert not set(rest) & set("\\&%$#_{}^~")
    assert "\n" not in escaped


@pytest.mark.parametrize(
    "formula",
    [
        r"\input{/etc/passwd}",
        r"\write18{rm}",
        r"x$ \def\a{b} $",
        "a % b",
        "}{",
        "{",
        r"\csname x\endcsname",
        r"\maxx",
        "x # y",
    ],
)
def test_a_formula_of_other_commands_is_text_in_latex(formula: str) -> None:
    """It is set as it is written; a formula of known commands, as every entry of the registry is, is mathematics."""
    row = latex(pd.DataFrame({"f": [Formula(formula)]}), "").splitlines()[5]
    assert row == rf"\texttt{{{escape_latex(formula)}}} \\"


def test_every_formula_of_the_registry_is_mathematics_in_latex() -> None:
    for name, entry in REGISTRY.items():
        row = latex(pd.DataFrame({"f": [Formula(entry.formula)]}), "").splitlines()[5]
        assert row.startswith("$"), name


def test_a_dollar_sign_is_no_formula() -> None:
    """GitHub sets what stands between dollar signs as mathematics, so that every one is escaped."""
    assert escape_markdown("$x$") == r"\$x\$"


@pytest.mark.parametrize("formula", [r"\max(0, z)", "|z|", "`; $x$ <script>", "a\nb"])
def test_a_formula_stays_in_its_cell(formula: str) -> None:
    """A formula is mathematics between $` and `$, and cannot leave that or the cell."""
    text = markdown(pd.DataFrame({"Formula": [Formula(formula)], "next": [1]}))
    assert [tag for tag, _ in Page(RENDERER.render(text)).tags].count("td") == 2
    inner = text.splitlines()[-1].removeprefix("| $`").removesuffix("`$ | 1 |")
    assert "`" not in inner
    assert "$" not in inner.replace(r"\$", "")


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", '=HYPERLINK("http://x","y")'),
    ],
)
def test_a_spreadsheet_runs_nothing(text: str) -> None:
    """A text that a spreadsheet would take for a formula begins with a quote; in a name, a label and a cause alike."""
    read = pd.read_csv(io.BytesIO(csv(pd.DataFrame({"name": [text], "value": [-1.5]}))))
    assert read["name"].item() == "'" + text
    assert read["value"].item() == -1.5


def test_texts_of_any_kind_survive_csv() -> None:
    """Commas, quotes, line breaks and accents come back from the file as they were."""
    texts = ['a,"b"', "two\nlines", "ü€", "plain", "1-2"]
    assert pd.read_csv(io.BytesIO(csv(pd.DataFrame({"text": texts}))))["text"].tolist() == texts


def test_numbers_survive_csv() -> None:
    """All that float32 can tell apart comes back, 1e-300 and 1e300 too; NaN is an empty cell."""
    values = [float(np.float32(1 / 3)), 1e-300, 1.2345678e300, math.nan]
    lines = csv(pd.DataFrame({"value": values, "n": [1, 2, 3, 4]})).decode().splitlines()
    np.testing.assert_allclose([float(line.split(",")[0]) for line in lines[1:4]], values[:3], rtol=1e-8)
    assert lines[4] == ",4"
