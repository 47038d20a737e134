"""Wrap tables for pages, so that their numbers become quantities, the only numbers that a page's filters accept."""

from collections import UserDict
from collections.abc import Mapping
from numbers import Real
from typing import Any

import pandas as pd


class Quantity(float):
    """Mark a number as one of a table, of a section's protocol or of study/constants.py, which a page may show."""


class Row:
    """Hold one row of a table: `row.column` or `row["column"]` is its value there.

    If the table lacks the column, raise AttributeError, which lists the columns that exist.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getattr__(self, column: str) -> Any:
        try:
            return self._values[column]
        except KeyError:
            raise AttributeError(f"the table has no column {column!r}; it has {', '.join(self._values)}") from None

    __getitem__ = __getattr__


class Rows(list[Row]):
    """Hold the rows of a table, in the table's order, as a page's template uses them.

    A method that takes a column raises AttributeError if a row that it reads lacks the column.
    """

    def where(self, **wanted: object) -> "Rows":
        """Return the rows that have the `wanted` values, given by column; a list accepts each of its values."""
        return Rows(row for row in self if all(_matches(row[column], value) for column, value in wanted.items()))

    def one(self, **wanted: object) -> Row:
        """Return the only row that `where` finds for these values; raise LookupError unless it finds exactly one."""
        found = self.where(**wanted)
        if len(found) != 1:
            raise LookupError(f"{len(found)} rows have {wanted}; exactly one must have these values")
        return found[0]

    def known(self, column: str) -> "Rows":
        """Return the rows whose value in `column` is not NaN; a text counts as known."""
        return Rows(row for row in self if row[column] == row[column])

    def unknown(self, column: str) -> "Rows":
        """Return the rows whose value in `column` is NaN."""
        return Rows(row for row in self if row[column] != row[column])

    def by(self, column: str, descending: bool = False) -> "Rows":
        """Return the rows sorted by `column`, the least first unless `descending`; equal ones keep their order."""
        return Rows(sorted(self, key=lambda row: row[column], reverse=descending))

    def values(self, column: str) -> list[Any]:
        """Return the distinct values of `column`, in the order in which they first occur."""
        return list(dict.fromkeys(row[column] for row in self))

    def whole(self, column: str) -> list[Any]:
        """Return the distinct whole numbers of `column`, the least first; leave out fractions and NaN."""
        return sorted(value for value in self.values(column) if value == value and value.is_integer())

    def first(self, **wanted: object) -> Row | None:
        """Return the first row that `where` finds for these values; None if it finds none."""
        return next(iter(self.where(**wanted)), None)

    def range(self, column: str) -> Quantity:
        """Return the largest minus the least number of `column`; NaN if it has no number."""
        return Quantity(self.max(column) - self.min(column))

    def sum(self, column: str) -> Quantity:
        """Return the sum of the numbers in `column` over all rows; NaN if one of them is NaN, 0 without rows."""
        return Quantity(sum(row[column] for row in self))

    def min(self, column: str) -> Quantity:
        """Return the least number of `column`; NaN if it has no number."""
        return Quantity(min((row[column] for row in self.known(column)), default=float("nan")))

    def max(self, column: str) -> Quantity:
        """Return the largest number of `column`; NaN if it has no number."""
        return Quantity(max((row[column] for row in self.known(column)), default=float("nan")))


def _matches(found: object, wanted: object) -> bool:
    return found in wanted if isinstance(wanted, (list, tuple)) else found == wanted


class Tables(UserDict[str, Any]):
    """Hold tables by name, and turn each into Rows when a page first uses it."""

    def __getitem__(self, name: str) -> Rows:
        if isinstance(self.data[name], pd.DataFrame):
            self.data[name] = rows_of(self.data[name])
        found: Rows = self.data[name]
        return found


def rows_of(frame: pd.DataFrame) -> Rows:
    """Return the rows of the table `frame`, with its numbers as quantities."""
    return Rows(Row(quantified(row)) for row in frame.rename(columns=str).to_dict("records"))


def quantified(value: Any) -> Any:
    """Return `value` with its numbers as quantities, also inside lists, tuples and mappings; tuples become lists.

    Texts, booleans, None and all other values stay as they are.
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        return Quantity(value)
    if isinstance(value, Mapping):
        return {key: quantified(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [quantified(part) for part in value]
    return value
