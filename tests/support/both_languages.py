"""Render a section in English and in Japanese, and check that both pages say the same."""

import re
from collections import Counter
from collections.abc import Mapping

from study.report import rendering
from study.report.filters import FRACTION_WORDS
from study.report.page import LANGUAGES
from study.report.rendering import Page, Place
from study.report.section import Section

# A number as a page writes it, such as 1,200, 97.5% or 1e-6.
NUMBER = r"[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?%?"


def render(section: Section, labels: Mapping[str, str]) -> Page:
    """Return the page of `section` in English; fail if its Japanese page, if there is one, says anything else.

    `labels` maps activations to their labels. Only the parts that README.ja.md shows are compared: the answer, and for
    an opening section also the body without its folded parts. The Japanese parts must have the same numbers and labels
    as the English ones, and no English sentence.
    """
    english, *japanese = [
        rendering.render(section, labels, place)
        for place in (Place("", (), language) for language in LANGUAGES)
        if section.page.with_suffix(place.ending).exists()
    ]
    for page in japanese:
        texts = [f"{each.answer} {each.body if section.is_opening else ''}" for each in (english, page)]
        assert said(texts[1], labels) == said(texts[0], labels)
        known = sorted(map(re.escape, labels.values()), key=len, reverse=True)
        assert re.findall(r"[a-z]{2,} [a-z]{2,}", re.sub("|".join(["`.*?`", *known]), "", texts[1])) == []
    return english


def said(text: str, labels: Mapping[str, str] | None = None) -> tuple[Counter[str], set[str]]:
    """Return a Counter of the numbers and the set of labels in the unfolded `text`; fractions in words are powers."""
    text = re.sub(r"<details>.*</details>|(?<=\])\([^)]*\)", "", text, flags=re.DOTALL)
    for fractions in FRACTION_WORDS.values():
        for power, words in fractions.items():
            text = re.sub(words.format(r"(\d+)", "s?"), rf"\1e{power}", text)
    names = {label for label in (labels or {}).values() if label in text}
    return Counter(re.findall(NUMBER, text)), names
