"""Define the filters by which a page's template shows numbers and lists.

A filter for numbers accepts a Quantity alone: a number of a table, of a section's protocol or of study/constants.py.
For any other number the filter raises TypeError, so it cannot show a number that a template types or computes.
"""

import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jinja2 import Undefined

from study.report import formatting
from study.report.quantities import Quantity, Row


def checked(value: object) -> Quantity:
    """Return `value` if it is a Quantity; raise jinja2.UndefinedError if it is an undefined name, else TypeError."""
    if isinstance(value, Undefined):
        str(value)  # raises, and names what is undefined
    if not isinstance(value, Quantity):
        raise TypeError(f"{value!r} is not a number of a table; pages show only those")
    return value


def _quantity_filter(show: Callable[..., str]) -> Callable[..., str]:
    """Return the function `show` of study/report/formatting.py as a filter, which accepts quantities alone."""

    @functools.wraps(show)
    def shown(value: object, *args: Any, **options: Any) -> str:
        return show(checked(value), *args, **options)

    return shown


percent = _quantity_filter(formatting.percent)
number = _quantity_filter(formatting.number)
significant = _quantity_filter(formatting.significant)


def points(value: object) -> str:
    """Show `value`, a difference of two fractions, in points with sign and two decimals: 0.0012 as +0.12."""
    return number(value, 2, 100, signed=True)


def unit(value: object, name: str) -> str:
    """Show a number with two decimals and the `name` of its unit, such as "0.56 ms", or a dash if not finite."""
    shown = number(value)
    return shown if shown == formatting.DASH else f"{shown} {name}"


def whole(value: object) -> str:
    """Show a number rounded to an integer, with commas between thousands from 10,000 on, or a dash if not finite."""
    if not math.isfinite(checked(value)):
        return formatting.DASH
    rounded = round(checked(value))
    return f"{rounded:,}" if abs(rounded) >= 10_000 else str(rounded)


def interval(
    row: Row, column: str = "mean", low: str = "ci_low", high: str = "ci_high", scale: float = 1, signed: bool = False
) -> str:
    """Show an estimate and its bounds, from the columns of `row` so named, as `formatting.interval` does."""
    estimate, lower, upper = (checked(row[name]) for name in (column, low, high))
    return formatting.interval(estimate, lower, upper, scale, signed)


FRACTION_WORDS = {  # by language and power of ten
    "en": {-3: "about {} thousandth{}", -6: "about {} millionth{}", -9: "about {} billionth{}"},
    "ja": {-3: "約千分の{}", -6: "約百万分の{}", -9: "約十億分の{}"},
}


def in_words(value: object, language: str = "en") -> str:
    """Show a share in percent; one between 0 and 0.001 with one digit, as "about 2 millionths" or as "3e-12".

    Show NaN as a dash. `language` is a key of FRACTION_WORDS.
    """
    share = checked(value)
    if math.isnan(share):
        return formatting.DASH
    if share >= 1e-3 or share <= 0:
        return formatting.percent(share, 0 if share >= 0.1 or share <= 0 else 1)
    shown = formatting.significant(share, 1)
    for power, words in FRACTION_WORDS[language].items():
        count = round(float(shown) / 10**power, 6)
        if count >= 1:
            return words.format(f"{count:g}", "s" * (count > 1))
    return shown


def count(rows: Iterable[object]) -> str:
    """Show the number of `rows`, or of the elements of any other list."""
    return str(len(list(rows)))


def span(values: Iterable[Any], to: str = " to ") -> str:
    """Show the least and largest of `values`, as integers, without NaN: "1 to 50", one if equal, a dash if none."""
    found = sorted({round(value) for value in map(checked, values) if not math.isnan(value)})
    if not found:
        return formatting.DASH
    return str(found[0]) if len(found) == 1 else f"{found[0]}{to}{found[-1]}"


def reached(row: Row, prefix: str = "") -> str:
    """Show the depth to which networks train, as "20 but not 39 (14 to 28)", or a dash if the median is unknown.

    Here the deepest network that trains has 20 hidden layers in the median over seeds, with the range 14 to 28. The
    next depth tried, beyond the range, is 39. "≥" marks the deepest network tried. The numbers are in the columns
    median, low, high, deepest and next_depth of `row`, or with a `prefix` in `prefix`, `prefix`_low, and so on.
    """
    columns = [f"{prefix}_{key}".lstrip("_") for key in ("low", "high", "deepest", "next_depth")]
    median, low, high, end, following = (checked(row[column]) for column in (prefix or "median", *columns))
    if math.isnan(median):
        return formatting.DASH
    middle, least, most = (f"{'≥ ' * (layers >= end)}{layers:g}" for layers in (median, low, high))
    shown = middle if math.isnan(following) else f"{middle} but not {following:g}"
    return shown if low == high else f"{shown} ({least} to {most})"


def deepest(row: Row, prefix: str = "") -> str:
    """Show the median depth alone, as the first number that `reached` shows, such as 20 or "≥ 50"."""
    return re.split(r" but| \(", reached(row, prefix))[0]


def relative(row: Row, column: str, low: str, high: str) -> str:
    """Show a ratio and its bounds, from the columns of `row` so named, as changes in whole percent, "+7% [+2%, +13%]".

    The bounds are rounded outward. Show a dash if the ratio is not finite.
    """
    directions: tuple[formatting.Toward, ...] = ("nearest", "down", "up")
    changes = [checked(row[name]) - 1 for name in (column, low, high)]
    shown = [
        f"{formatting.number(change, 0, 100, True, toward)}%"
        for change, toward in zip(changes, directions, strict=True)
    ]
    return formatting.DASH if not math.isfinite(changes[0]) else f"{shown[0]} [{shown[1]}, {shown[2]}]"


def listed(texts: Iterable[str], last: str = ", ", comma: str = ", ") -> str:
    """Join `texts` to one text, with `comma` between them and `last` between the last two.

    With `last` " and ", three texts become "a, b and c". One text stays as it is, and no text gives "".
    """
    found = list(texts)
    return last.join([comma.join(found[:-1]), *found[-1:]] if len(found) > 1 else found)


FILTERS: dict[str, Callable[..., str]] = {
    "percent": percent, "points": points, "number": number, "significant": significant, "unit": unit, "whole": whole,
    "interval": interval, "count": count, "in_words": in_words, "span": span, "reached": reached, "deepest": deepest,
    "relative": relative, "listed": listed,
}  # fmt: skip
LIST_WORDS = {"": (", ", "{} others"), "ja": ("、", "ほか {} 個")}  # comma and last entry, by language ("": English)


def label_filters(labels: Mapping[str, str], language: str = "") -> dict[str, Callable[..., str]]:
    """Return {"label": filter, "names": filter}, two filters that show activations by their `labels`.

    `label` turns an activation's name into its label, if it has one. `names` lists the labels of activations, given as
    names or rows, without repeats; beyond `most`, its last entry counts the others. `language` is a key of LIST_WORDS.
    """
    comma, others = LIST_WORDS[language]

    def label(name: str) -> str:
        return labels.get(name, name)

    def names(rows: Iterable[Any], last: str = comma, most: int = 6) -> str:
        found = list(dict.fromkeys(label(row if isinstance(row, str) else row.activation) for row in rows))
        rest = others.format(len(found) - most + 1)
        return listed(found if len(found) <= most else [*found[: most - 1], rest], last, comma)

    return {"label": label, "names": names}
