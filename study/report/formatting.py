"""Format numbers and tables for people: as plain text, Markdown, LaTeX and CSV."""

import html
import itertools
import math
import re
import unicodedata
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import Literal

import pandas as pd

DASH = "–"
Toward = Literal["nearest", "down", "up"]
_ROUNDING = {"nearest": ROUND_HALF_EVEN, "down": ROUND_FLOOR, "up": ROUND_CEILING}


def number(value: float, digits: int = 2, scale: float = 1, signed: bool = False, toward: Toward = "nearest") -> str:
    """Show `value` times `scale` with `digits` decimals, or a dash if it is not finite.

    `toward` is "nearest" for an estimate, "down" for a low bound and "up" for a high bound, so that the interval shown
    contains the interval computed. If `signed`, a number that has no minus has a plus.
    """
    if not math.isfinite(value):
        return DASH
    rounding = Context(prec=999, rounding=_ROUNDING[toward])
    exact = Decimal(repr(float(value))) * Decimal(repr(scale))
    return f"{exact.quantize(Decimal(1).scaleb(-digits), context=rounding):{'+' if signed else ''}f}"


def significant(value: float, digits: int = 3, scale: float = 1, toward: Toward = "nearest") -> str:
    """Show `value` as `number` does, but with at most `digits` significant digits, such as "0.0123" or "1.2e+04"."""
    if not math.isfinite(value):
        return DASH
    exact = Decimal(repr(float(value))) * Decimal(repr(scale))
    return f"{float(Context(prec=digits, rounding=_ROUNDING[toward]).plus(exact)):.{digits}g}"


def percent(fraction: float, digits: int = 2, toward: Toward = "nearest") -> str:
    """Show `fraction` in percent with `digits` decimals, or a dash if it is not finite; `toward` is as in `number`."""
    return number(fraction, digits, 100, toward=toward) + ("%" if math.isfinite(fraction) else "")


def interval(estimate: float, low: float, high: float, scale: float = 1.0, signed: bool = False) -> str:
    """Show `estimate [low, high]`, all times `scale`, rounded at the second digit of half the interval's width.

    There are at most two decimals with a `scale` of 100, which shows percent or points, and six otherwise. The bounds
    are rounded outward. If a bound is not finite or both are equal, show the estimate alone, with two decimals. Show a
    dash if the estimate is not finite. `signed` is as in `number`.
    """
    if not math.isfinite(estimate):
        return DASH
    half = (high - low) / 2 * scale
    known = math.isfinite(half) and half > 0
    decimals = min(max(1 - math.floor(math.log10(half)), 0), 2 if scale == 100 else 6) if known else 2
    text = number(estimate, decimals, scale, signed)
    bounds = (number(low, decimals, scale, signed, "down"), number(high, decimals, scale, signed, "up"))
    return f"{text} [{', '.join(bounds)}]" if known else text


class Formula(str):
    """Mark a text as LaTeX mathematics without dollar signs; a table shows it as a formula, not literally."""


def is_numeric(cells: Sequence[object]) -> bool:
    """Tell whether each of a column's `cells` is a dash or begins with a number, perhaps after one of -+<≥≤~."""
    return all(re.match(r"[-+<≥≤~]? ?\d|–$", str(cell)) for cell in cells)


def markdown(frame: pd.DataFrame) -> str:
    """Return the table `frame` in Markdown, with its column names as the header and without its index.

    Its cells are texts, which are escaped, or Formulas. Columns of numbers are aligned right, except the first column.
    """
    header = [escape_markdown(str(column)) for column in frame.columns]
    rule = ["--:" if index and is_numeric(frame.iloc[:, index]) else ":--" for index in range(len(header))]
    rows = [map(_markdown_cell, row) for row in frame.itertuples(index=False)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))


def _markdown_cell(cell: object) -> str:
    return markdown_formula(cell) if isinstance(cell, Formula) else escape_markdown(str(cell))


def markdown_formula(text: str) -> str:
    """Return the LaTeX mathematics `text` on one line as a formula in GitHub's Markdown, between $` and `$."""
    one_line = " ".join(text.split()).replace("|", r"\vert ").replace("`", "").replace("$", r"\$")
    return f"$`{one_line}`$"


def escape_markdown(text: str) -> str:
    """Return `text` on one line, escaped so that Markdown and HTML show it literally."""
    return re.sub(r"([\\`*_\[\]|$#!~])", r"\\\1", html.escape(" ".join(text.split()), quote=False))


# The commands of a formula that is shown as mathematics. A formula with any other command is shown as text.
_COMMANDS = re.compile(
    r"\\(?:(?:alpha|beta|lambda|sigma|phi|Phi|pi|max|min|exp|ln|log|tanh|arctan|sin|cos|sqrt|frac|mathrm|operatorname"
    r"|cdot|times|leq?|geq?|neq|infty|left|right|vert)(?![A-Za-z])|[,;:! ])"
)
# The LaTeX text of each character that LaTeX does not show as it is.
_LATEX_TEXTS = {character: "\\" + character for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "[": "{[}", "]": "{]}",
    "<": "$<$", ">": "$>$", "|": r"\textbar{}", '"': "''", "`": r"\textasciigrave{}",
    "≥": r"$\geq$", "≤": r"$\leq$", "×": r"$\times$", "÷": r"$\div$", "·": r"$\cdot$", "±": r"$\pm$", "∞": r"$\infty$",
    "≈": r"$\approx$", "≠": r"$\neq$", "→": r"$\to$", "√": r"$\surd$", "∂": r"$\partial$", "∇": r"$\nabla$",
    "²": "$^2$", "³": "$^3$", "°": r"$^\circ$", "§": r"\S{}", "†": r"\dag{}", "…": r"\ldots{}",
    "⁄": "/", "–": "--", "—": "---", "“": "``", "”": "''", "‘": "`", "’": "'", "\N{MINUS SIGN}": "$-$",
}  # fmt: skip
# The names of Greek letters in LaTeX, by letters in the same order.
_GREEK = {
    "αβγδεζηθικλμνξπρςστυφχψω": "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho"
    " varsigma sigma tau upsilon varphi chi psi omega",
    "ΓΔΘΛΞΠΣΥΦΨΩ": "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega",
}
for _letters, _names in _GREEK.items():
    _LATEX_TEXTS |= {letter: f"$\\{name}$" for letter, name in zip(_letters, _names.split(), strict=True)}
_LATEX_TEXTS |= dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True))  # Greek letters that look like Latin ones
_NOT_IN_T1 = "ĦħĸĿŀŉŦŧ"  # of the letters from À to ž, those that LaTeX's encoding T1 lacks
# Shrinks what follows to the width of the text, if it is wider.
_SHRUNK = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}"
_WIDEST_UNBROKEN = 30  # characters of a cell; a column with a longer cell breaks its lines


def latex(frame: pd.DataFrame, comment: str) -> str:
    """Return the table `frame` as a LaTeX tabular in the style of booktabs, after a line with `comment`.

    Cells and alignment are as in `markdown`. A column with a long cell breaks its lines. LaTeX shrinks a table that is
    wider than the text, by a command of graphicx; pandas' Styler has no such option.
    """
    columns = [frame.iloc[:, index].map(str) for index in range(frame.shape[1])]
    kinds = ["r" if index and is_numeric(cells) else "l" for index, cells in enumerate(columns)]
    wide = [index for index, cells in enumerate(columns) if cells.map(len).max() > _WIDEST_UNBROKEN]
    for index in wide:
        kinds[index] = rf"p{{{max(0.7 / len(wide), 0.35):.2f}\linewidth}}"  # narrower ones make a table too long
    numbered = frame.set_axis(range(frame.shape[1]), axis=1)  # two columns may have one name
    names = [escape_latex(str(name)) for name in frame.columns]
    styler = numbered.style.hide(axis="index").format(_latex_cell).format_index(lambda place: names[place], axis=1)
    table = styler.to_latex(hrules=True, column_format=" ".join(kinds))
    return f"% {' '.join(comment.split())}\n{_SHRUNK}{{%\n{table}}}\n"


def _latex_cell(cell: object) -> str:
    """Return a cell in LaTeX: a Formula as mathematics if it has known commands alone, any other as escaped text."""
    if not isinstance(cell, Formula):
        return escape_latex(str(cell))
    one_line = " ".join(cell.split())
    depths = [0, *itertools.accumulate((sign == "{") - (sign == "}") for sign in one_line)]  # of its braces
    is_known = one_line.isascii() and not re.search(r"[\\$%#&~`]", _COMMANDS.sub("", one_line))
    is_mathematics = is_known and min(depths) == depths[-1] == 0
    return f"${one_line}$" if is_mathematics else rf"\texttt{{{escape_latex(one_line)}}}"


def escape_latex(text: str) -> str:
    """Return `text` on one line, escaped so that LaTeX shows it literally; a hyphen before a number is a minus sign."""
    one_line = re.sub(r"(?<![\w.])-(?=\d)", "\N{MINUS SIGN}", " ".join(text.split()))
    return "".join(map(_latex_character, unicodedata.normalize("NFC", one_line)))


def _latex_character(character: str) -> str:
    """Return the LaTeX text of `character`: itself, a command, the letter without its accents, or a question mark."""
    if character in _LATEX_TEXTS:
        return _LATEX_TEXTS[character]
    is_known = character.isascii() or ("À" <= character <= "ž" and character not in _NOT_IN_T1)
    if is_known and character.isprintable():
        return character
    parts = unicodedata.normalize("NFKD", character)
    bare = "".join(part for part in parts if not unicodedata.combining(part))
    return "?" if bare == character else "".join(map(_latex_character, bare))


def csv(frame: pd.DataFrame) -> bytes:
    """Return `frame` as a CSV file in UTF-8 without its index; floats have at most seven significant digits.

    A text that a spreadsheet would take for a formula gets a leading apostrophe. A carriage return becomes a blank.
    """

    def safe(value: object) -> object:
        if not isinstance(value, str):
            return value
        one_line = value.replace("\r", " ")  # which pandas writes unquoted, and a reader may take for a new row
        return "'" + one_line if value[:1] in ("=", "+", "-", "@", "\t", "\r") else one_line

    texts = frame.select_dtypes(exclude="number").columns
    text: str = frame.assign(**{column: frame[column].map(safe) for column in texts}).to_csv(
        index=False, float_format="%.7g"
    )
    return text.encode()
