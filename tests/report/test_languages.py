"""The Japanese report answers every question that the English one answers, with the same numbers.

The questions' own tests render each page by both_languages, which compares the two editions of it.
"""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from both_languages import render, said
from plain_sections import MAKING

import experiments
from study.analysis.claims import VERDICTS
from study.report.filters import in_words, label_filters
from study.report.page import appendices, claims_section
from study.report.quantities import Quantity
from study.report.rendering import PAGES, joined_lines


@pytest.mark.parametrize("folder", [Path(experiments.__file__).parent, PAGES], ids=["questions", "report"])
def test_every_question_is_answered_in_both_languages(folder: Path) -> None:
    """Each page with an English answer has a Japanese one."""
    names = {path.stem for path in folder.glob("*.md") if '{% extends "page.md" %}' in path.read_text()}
    assert names
    assert {name for name in names if not (folder / f"{name}.ja.md").exists()} == set()


def test_what_no_experiment_makes_is_the_same_in_both_languages() -> None:
    """The appendices, with and without runs, and claims of every verdict."""
    found = claims_section([])
    table = found.tables["claims"]
    verdicts = [VERDICTS[place % len(VERDICTS)] for place in range(len(table))]
    of_every_verdict = replace(found, tables={"claims": table.assign(claim_verdict=verdicts)})
    for section in (of_every_verdict, *appendices({**MAKING, "runs": 12_345}), *appendices({**MAKING, "runs": 0})):
        render(section, {})


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.48, "48%"), (0.043, "4.3%"), (9.6e-7, "about 1 millionth"), (2.4e-6, "about 2 millionths"), (0.0, "0%"),
     (4e-5, "about 40 millionths"), (9.4e-7, "about 900 billionths"), (2e-12, "2e-12"),
     (9.6e-4, "about 1 thousandth"), (9.4e-4, "about 900 millionths"), (math.nan, "–")],
)  # fmt: skip
def test_shares_in_words(share: float, words: str) -> None:
    """To one digit if below 0.001, the same in both languages."""
    assert in_words(Quantity(share)) == words
    assert said(in_words(Quantity(share), "ja")) == said(words)


def test_a_list_in_japanese() -> None:
    """Its own comma, what is left out is counted, and no blank beside a Japanese character but after a list's dash."""
    names = label_filters({"a": "A"}, "ja")["names"]
    assert names(list("abc")) == "A、b、c"
    assert joined_lines(f"- これ は {names(list('abcdefgh'), 'と')}") == "- これはA、b、c、d、eとほか3個"
