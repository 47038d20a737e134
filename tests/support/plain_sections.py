"""Sections on a plain page, for tests of what becomes of any section."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from study.report.section import Section

PAGE = Path(__file__).with_name("pages") / "plain.md"


def plain(
    title: str, answer: str = "", texts: Sequence[str] = ("A paragraph.",), caption: str = "It shows.", **parts: Any
) -> Section:
    """A section that shows these texts, then its `shown` tables and its `figures`."""
    protocol = {"title": title, "answer": answer, "texts": texts, "caption": caption}
    return Section(PAGE, protocol={**protocol, "figures": list(parts.get("figures", ()))}, **parts)
