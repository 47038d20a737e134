"""Explain the columns of all tables and their units, in results/tables/COLUMNS.md, by the texts of columns.toml."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

TEXTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
MEANINGS: dict[str, str] = TEXTS["meanings"]
SUFFIXES: dict[str, str] = TEXTS["suffixes"]
QUANTILE_NAME = re.compile(r"q\d+(\.\d)?")  # a column such as q95 or q2.5


def meaning(column: str) -> str | None:
    """Return what `column` holds, from columns.toml; None if that is unknown.

    A name such as q95 is a quantile. A name such as loss_mean has the meaning of the column loss and then of the suffix
    mean, a suffix alone its own meaning, unless the file explains the whole name as a column.
    """
    if column in SUFFIXES:
        return MEANINGS.get(column, SUFFIXES[column])
    if QUANTILE_NAME.fullmatch(column):
        return f"the value below which {column[1:]}% of the entries lie"
    told: list[str] = []
    while column not in MEANINGS:
        suffix = next((s for s in SUFFIXES if column.endswith(f"_{s}")), None)
        if suffix is None:
            return None
        column = column.removesuffix(f"_{suffix}")
        told.insert(0, SUFFIXES[suffix])
    return ": ".join([MEANINGS[column], *told])


def page(tables: Mapping[str, Iterable[str]]) -> str:
    """Return the Markdown of COLUMNS.md: for each of `tables`, by name, its columns and what they hold."""
    parts = ["# What the columns hold", TEXTS["about"]]
    for name, columns in tables.items():
        lines = [f"- `{column}`: {meaning(column) or 'see the code that makes it'}" for column in columns]
        parts.append("\n".join([f"## {name}.csv", "", *lines]))
    return "\n\n".join(parts) + "\n"
