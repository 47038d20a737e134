"""Every number of a report, and whether a table holds it: its rounding, or that of its hundredfold.

Only these kinds need no table: years of sources; counts, which are whole numbers below 100 in running text; and
settings, which were asked for and not measured: the constants of study/constants.py and study/settings.py, sizes of
MNIST and of networks, and levels such as the 95 of "95%".
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from study import constants
from study.analysis.claims import CLAIMS
from study.settings import Settings

NOT_QUOTED = {"history", "gradient_norms", "activations", "runs", "theory"}  # so long that anything is in them
MEASURED_NOWHERE = {
    "What this does not say",
    "How it was made",
    "What was compared",
    "Words used",
}  # sections of settings and facts
MNIST = (60_000, 48_000, 12_000, 10_000, 1_000, 784, 10, 255)
NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?![\w]|\.\d)")
NETWORK = re.compile(r"\b\d+(?:[-x]\d+)+\b|\[[^\]]*\]\([^)]*\)|`[^`]*`|!\[.*")  # shapes, links, code, pictures
YEAR = re.compile(r"\b(?:19|20)\d\d\b")


@dataclass(frozen=True)
class Shown:
    """One number as the report shows it, and the text it stands in; `activation` is a table row's, if it has one."""

    text: str
    where: str
    is_cell: bool
    activation: str | None = None

    @property
    def is_count(self) -> bool:
        """A whole number below 100 in running text."""
        return not self.is_cell and self.text.isdigit() and len(self.text) < 3

    @property
    def value(self) -> float:
        return float(self.text.replace(",", ""))

    @property
    def half(self) -> float:
        """Half a unit of its last digit."""
        digits, _, exponent = self.text.replace(",", "").partition("e")
        return 0.5000001 * 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))


def shown_numbers(report: str, labels: Mapping[str, str]) -> Iterator[Shown]:
    """Every number of the report's tables, paragraphs, answers and captions; `labels` -> activation."""
    title, header = "", False
    for line in report.splitlines():
        if line.startswith("## "):
            title = line.removeprefix("## ")
        is_row = line.startswith("| ")
        is_header, header = is_row and not header, is_row
        if line.startswith("#") or is_header or title in MEASURED_NOWHERE:
            continue
        plain = re.sub(r"\\(.)", r"\1", line)
        name = labels.get(plain.split("|")[1].strip()) if is_row else None
        text = YEAR.sub("", NETWORK.sub("", line if not is_row else plain.replace("[", " ").replace("]", " ")))
        yield from (Shown(found, f"{title}: {line}", is_row, name) for found in NUMBER.findall(text.replace("\\", "")))


def settings() -> set[float]:
    """The numbers that were asked for, as they are and in percent."""
    found = {value for name, value in vars(constants).items() if name.isupper() for value in _flat(value)}
    found |= {value for field in fields(Settings) for value in _flat(field.default)} | {*map(float, MNIST)}
    found |= {1 - constants.CONFIDENCE, len(constants.NOISE_AMPLITUDES), len(CLAIMS), 480.0, 0.8, 0.05}
    return {round(scale * value, 12) for value in found for scale in (1, 100) if math.isfinite(value)}


def _flat(value: Any) -> Iterable[float]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield float(value)
    elif isinstance(value, dict):
        yield from _flat(tuple(value.values()))
    elif isinstance(value, tuple | list | range):
        for one in value:
            yield from _flat(one)


def known_numbers(tables: Mapping[str, pd.DataFrame]) -> dict[str | None, np.ndarray]:
    """Per activation, and for None of all tables: the sorted numbers of the cells, those within texts too."""
    found: dict[str | None, set[float]] = {None: set()}
    for name, table in tables.items():
        if name in NOT_QUOTED:
            continue
        names = table["activation"] if "activation" in table else pd.Series([None] * len(table))
        for activation, row in zip(names, table.itertuples(index=False), strict=True):
            cells = {value for cell in row for value in _cell(cell)}
            found[None] |= cells
            found.setdefault(activation, set()).update(cells)
    return {name: np.array(sorted(values)) for name, values in found.items()}


def _cell(cell: Any) -> list[float]:
    if isinstance(cell, str):
        return [float(text.replace(",", "")) for text in NUMBER.findall(YEAR.sub("", cell))]
    return [float(cell)] if isinstance(cell, int | float | np.number) and math.isfinite(cell) else []


def without_table(report: str, tables: Mapping[str, pd.DataFrame], labels: Mapping[str, str]) -> list[str]:
    """One line for each number that no table holds; a row of an activation is looked for in that one's rows alone."""
    known, asked = known_numbers(tables), settings()
    return [
        f"{shown.text} in {shown.where}"
        for shown in shown_numbers(report, labels)
        if not shown.is_count
        and round(shown.value, 12) not in asked
        and not _is_in(known.get(shown.activation, known[None]), shown)
    ]


def _is_in(known: np.ndarray, shown: Shown) -> bool:
    signed = np.concatenate([known, -known])  # "within 0.2 points" is an interval's lower end
    return any((np.abs(scale * signed - shown.value) <= shown.half).any() for scale in (1, 100))
