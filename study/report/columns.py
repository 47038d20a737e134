"""Explain the columns of all tables and their units, in results/tables/COLUMNS.md, by the texts of columns.toml."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

WORDS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
MEANINGS: dict[str, str] = WORDS["meanings"]
SUFFIXES: dict[str, str] = WORDS["suffixes"]
QUANTILE = re.compile(r"q\d+(\.\d)?")


def meaning(column: str) -> str | None:
    """Return what `column` holds, as in columns.toml; None if neither the file nor this function knows it.

    A name such as q95 is a quantile. A name such as loss_mean is a column with the suffix of a statistic: the meaning
    of the column comes first, then the meaning of each suffix.
    """
    if QUANTILE.fullmatch(column):
        return f"the value below which {column[1:]}% of the entries lie"
    if column in SUFFIXES:
        return MEANINGS.get(column, SUFFIXES[column])
    told: list[str] = []
    while column not in MEANINGS:
        suffix = next((s for s in SUFFIXES if column.endswith(f"_{s}")), None)
        if suffix is None:
            return None
        column = column.removesuffix(f"_{suffix}")
        told.insert(0, SUFFIXES[suffix])
    return ": ".join([MEANINGS[column], *told])


def page(tables: Iterable[tuple[str, Iterable[str]]]) -> str:
    """Return the Markdown of COLUMNS.md: a heading for each table, and under it its columns with their meanings.

    `tables` yields the name and the column names of each table. A column without a known meaning refers to the code.
    """
    parts = ["# What the columns hold", WORDS["about"]]
    for name, columns in tables:
        lines = [f"- `{column}`: {meaning(column) or 'see the code that makes it'}" for column in columns]
        parts.append("\n".join([f"## {name}.csv", "", *lines]))
    return "\n\n".join(parts) + "\n"
