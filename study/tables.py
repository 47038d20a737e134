"""Records' frames -> the study's tables, and numbers as people read them."""

import math
import re
from collections.abc import Sequence

import pandas as pd

from study.statistics import geometric_summary, summarise

SHARES = (
    "dead_units",
    "saturation",
    "sparsity",
    "activation_mean",
)  # averaged as they are; all other measures as logarithms
RUN_KEYS = ["activation", "depth", "width", "init", "variant", "optimiser", "learning_rate", "precision"]
DASH = "–"


def accuracy(runs: pd.DataFrame, experiment: str, by: Sequence[str] = ("activation",)) -> pd.DataFrame:
    """One row a group: n, diverged runs, and mean, spread and t interval of the test accuracy, in [0, 1].

    `test_accuracy` is that of the last weights, `best_test_accuracy` that of the weights with the lowest validation
    loss. Diverged runs are counted, never averaged.
    """
    keys = list(by)
    table = summarise(runs, "test_accuracy", keys).rename(
        columns={"mean": "test_accuracy_mean", "std": "test_accuracy_std", "min": "test_accuracy_min"}
    )
    best = summarise(runs, "best_test_accuracy", keys)
    diverged = (
        runs.assign(diverged=runs["status"] == "diverged").groupby(keys, sort=False, dropna=False)["diverged"].sum()
    )
    table = table.rename(columns={"max": "test_accuracy_max"}).drop(columns="missing")
    table = table.assign(
        diverged=diverged.to_numpy(),
        best_test_accuracy_mean=best["mean"],
        best_ci_low=best["ci_low"],
        best_ci_high=best["ci_high"],
        epochs_mean=summarise(runs, "epochs", keys)["mean"],
        seconds_mean=summarise(runs, "seconds", keys)["mean"],
    )
    table.insert(0, "experiment", experiment)
    first = ["experiment", *keys, "n", "diverged", "test_accuracy_mean", "ci_low", "ci_high"]
    return table[first + [column for column in table.columns if column not in first]]


def gradient_norms(measures: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """One row a group, layer, step and measure: mean over seeds with its t interval, n and n_zero.

    Norms are averaged as logarithms, exact zeros apart; shares (dead units, saturation, sparsity) as they are.
    """
    keys = [*RUN_KEYS, "layer", "epoch", "step", "measure"]
    defined = measures[measures["value"].notna()]
    is_share = defined["measure"].isin(SHARES)
    columns = [*keys, "mean", "ci_low", "ci_high", "n", "n_zero"]
    shares = summarise(defined[is_share], "value", keys).assign(n_zero=0)[columns]
    norms = geometric_summary(defined[~is_share], "value", keys)[columns]
    table = pd.concat([norms, shares], ignore_index=True)
    table.insert(0, "experiment", experiment)
    return table


def final_shares(measures: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """One row an activation and share: over seeds, the mean over a run's hidden layers at its last logged step.

    `measures` of runs that finished; with the t interval over seeds, in [0, 1].
    """
    run = [*RUN_KEYS, "seed"]
    shares = measures[measures["measure"].isin(SHARES) & measures["value"].notna()]
    last = shares[shares["step"] == shares.groupby(run, dropna=False)["step"].transform("max")]
    by_run = last.groupby([*run, "measure"], sort=False, dropna=False)["value"].mean().reset_index()
    table = summarise(by_run, "value", ["activation", "measure"])[
        ["activation", "measure", "mean", "ci_low", "ci_high", "n"]
    ]
    table.insert(0, "experiment", experiment)
    return table


def percent(fraction: float, digits: int = 2) -> str:
    """A fraction in percent, or a dash."""
    return f"{100 * fraction:.{digits}f}%" if math.isfinite(fraction) else DASH


def interval(estimate: float, low: float, high: float, scale: float = 1.0, signed: bool = False) -> str:
    """`estimate [low, high]` with as many decimals as two digits of the half width need; without bounds, estimate."""
    if not math.isfinite(estimate):
        return DASH
    half = (high - low) / 2 * scale
    known = math.isfinite(half) and half > 0
    decimals = min(max(1 - math.floor(math.log10(half)), 0), 6) if known else 2
    sign = "+" if signed else ""
    text = f"{estimate * scale:{sign}.{decimals}f}"
    return f"{text} [{low * scale:{sign}.{decimals}f}, {high * scale:{sign}.{decimals}f}]" if known else text


def probability(p: float) -> str:
    """A p-value: three decimals, or that it is smaller."""
    if not math.isfinite(p):
        return DASH
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


class Formula(str):
    """LaTeX mathematics, without its dollar signs: shown as a formula where a text would be shown literally."""


def is_numeric(cells: Sequence[object]) -> bool:
    """Whether a column of ready-made texts holds numbers, so that it is aligned right."""
    return all(re.match(r"[-+<≥≤~]? ?\d|–$", str(cell)) for cell in cells)


def markdown(frame: pd.DataFrame) -> str:
    """A Markdown table of ready-made texts, escaped; columns of numbers are aligned right, but never the first."""
    header = [escape_markdown(str(column)) for column in frame.columns]
    rule = ["--:" if index and is_numeric(frame.iloc[:, index]) else ":--" for index in range(len(header))]
    rows = [[_cell(cell) for cell in row] for row in frame.itertuples(index=False)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))


def _cell(cell: object) -> str:
    if not isinstance(cell, Formula):
        return escape_markdown(str(cell))
    one_line = " ".join(cell.split()).replace("|", r"\vert ").replace("`", "").replace("$", r"\$")
    return f"$`{one_line}`$"


def escape_markdown(text: str) -> str:
    """Text that Markdown and HTML show literally, on one line."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join("\\" + character if character in "\\`*_[]|$#!~" else character for character in text)


# What a formula may use and be set as mathematics; with any other command it is shown as the text it is.
_COMMANDS = re.compile(
    r"\\(?:(?:alpha|beta|lambda|sigma|phi|Phi|pi|max|min|exp|ln|log|tanh|arctan|sin|cos|sqrt|frac|mathrm|operatorname"
    r"|cdot|times|leq?|geq?|neq|infty|left|right|vert)(?![A-Za-z])|[,;:! ])"
)
_LATEX = {character: "\\" + character for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "[": "{[}", "]": "{]}",
    "<": "$<$", ">": "$>$", "|": r"\textbar{}", '"': "''", "`": r"\textasciigrave{}",
    "≥": r"$\geq$", "≤": r"$\leq$", "×": r"$\times$", "·": r"$\cdot$", "±": r"$\pm$", "–": "--",
    "α": r"$\alpha$", "β": r"$\beta$", "σ": r"$\sigma$", "ξ": r"$\xi$", "χ": r"$\chi$", "∞": r"$\infty$",
}  # fmt: skip
_WIDE = 30  # characters; a column with a longer cell breaks its lines


def latex(frame: pd.DataFrame, about: str) -> str:
    """A LaTeX tabular of ready-made texts, escaped, to \\input where booktabs is loaded; `about` as a comment."""
    columns = [[str(cell) for cell in frame.iloc[:, index]] for index in range(frame.shape[1])]
    wide = sum(_is_wide(cells) for cells in columns)
    kinds = [
        f"p{{{0.7 / wide:.2f}\\linewidth}}" if _is_wide(cells) else "r" if index and is_numeric(cells) else "l"
        for index, cells in enumerate(columns)
    ]
    rows = [[_latex_cell(cell) for cell in row] for row in frame.itertuples(index=False)]
    header, *body = [" & ".join(row) + r" \\" for row in ([escape_latex(str(name)) for name in frame.columns], *rows)]
    begin, end = rf"\begin{{tabular}}{{{' '.join(kinds)}}}", r"\end{tabular}"
    comment = "% " + " ".join(about.split())
    return "\n".join([comment, begin, r"\toprule", header, r"\midrule", *body, r"\bottomrule", end]) + "\n"


def _is_wide(cells: Sequence[str]) -> bool:
    return any(len(cell) > _WIDE for cell in cells)


def _latex_cell(cell: object) -> str:
    if not isinstance(cell, Formula):
        return escape_latex(str(cell))
    one_line = " ".join(cell.split())
    is_plain = (
        one_line.isascii() and not re.search(r"[\\$%#&~`]", _COMMANDS.sub("", one_line)) and _is_balanced(one_line)
    )
    return f"${one_line}$" if is_plain else rf"\texttt{{{escape_latex(one_line)}}}"


def _is_balanced(formula: str) -> bool:
    depths = [formula[:end].count("{") - formula[:end].count("}") for end in range(len(formula) + 1)]
    return min(depths) >= 0 == depths[-1]


def escape_latex(text: str) -> str:
    """Text that LaTeX sets literally, on one line; a hyphen before a number is a minus sign."""
    one_line = re.sub(r"(?<![\w.])-(?=\d)", "\N{MINUS SIGN}", " ".join(text.split()))
    printable = "".join(character if character.isprintable() else "?" for character in one_line)
    return "".join(_LATEX.get(character, character) for character in printable).replace("\N{MINUS SIGN}", "$-$")


def csv(frame: pd.DataFrame) -> bytes:
    """The table as CSV, UTF-8, full precision; texts a spreadsheet would take for a formula get a leading quote."""

    def safe(value: object) -> object:
        if not isinstance(value, str):
            return value
        one_line = value.replace("\r", " ")  # which pandas writes unquoted, and a reader may take for a new row
        return "'" + one_line if value[:1] in ("=", "+", "-", "@", "\t", "\r") else one_line

    texts = frame.select_dtypes(exclude="number").columns
    text: str = frame.assign(**{column: frame[column].map(safe) for column in texts}).to_csv(
        index=False, float_format="%.9g"
    )
    return text.encode()
