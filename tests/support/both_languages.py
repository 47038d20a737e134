"""Render a section in English and in Japanese, and hold that both say the same."""

import re
from collections import Counter
from collections.abc import Mapping

from study.report import rendering
from study.report.filters import FRACTIONS
from study.report.page import LANGUAGES
from study.report.rendering import Page, Place
from study.report.section import Section

NUMBER = r"[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?%?"


def render(section: Section, labels: Mapping[str, str]) -> Page:
    """Return a section's page in English, after a comparison with the Japanese one if there is one.

    What README.ja.md shows of the page has the same numbers and labels: the answer, and all that is not folded of a
    section that leads. No English sentence stays in it.
    """
    english, *japanese = [
        rendering.render(section, labels, place)
        for place in (Place("", (), language) for language in LANGUAGES)
        if section.page.with_suffix(place.ending).exists()
    ]
    for page in japanese:
        texts = [f"{each.answer} {each.body if section.leads else ''}" for each in (english, page)]
        assert said(texts[1], labels) == said(texts[0], labels)
        known = sorted(map(re.escape, labels.values()), key=len, reverse=True)
        assert re.findall(r"[a-z]{2,} [a-z]{2,}", re.sub("|".join(["`.*?`", *known]), "", texts[1])) == []
    return english


def said(text: str, labels: Mapping[str, str] | None = None) -> tuple[Counter[str], set[str]]:
    """Return how often each number stands in a text, and which labels, without what is folded or an address."""
    text = re.sub(r"<details>.*</details>|(?<=\])\([^)]*\)", "", text, flags=re.DOTALL)
    for fractions in FRACTIONS.values():
        for power, words in fractions.items():
            text = re.sub(words.format(r"(\d+)", "s?"), rf"\1e{power}", text)
    names = {label for label in (labels or {}).values() if label in text}
    return Counter(re.findall(NUMBER, text)), names
