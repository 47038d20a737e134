"""The report stays short: the limits that it sets itself, on the committed edition."""

import re
from pathlib import Path

import pytest
from repository import unpack_committed

from study.report.page import words

HEADLINE, ANSWER, CAPTION = 25, 40, 40  # words at most


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """results/ as committed."""
    folder = tmp_path_factory.mktemp("limits")
    unpack_committed(folder, "results")
    return folder / "results"


@pytest.fixture(scope="module")
def readme(results: Path) -> str:
    return (results / "README.md").read_text(encoding="utf-8")


def test_the_headline_and_the_first_screens_are_short(readme: str) -> None:
    """The answer is the headline, the vanishing gradient comes within 250 words. What is folded is not read."""
    headline, rest = readme.removeprefix("# ").split("\n", 1)
    assert words(headline) <= HEADLINE
    read = re.sub(r"<details>.*?</details>", "", rest, flags=re.DOTALL).split("\n## The questions")[0]
    assert words(headline + read.split("gradient vanishes")[0]) <= 250


def test_every_answer_is_short(readme: str) -> None:
    """One line a question."""
    lines = re.findall(r"^- \[[^\]]+\]\(questions/\w+\.md\): (.*)$", readme, re.MULTILINE)
    assert len(lines) > 15
    assert [line for line in lines if words(line) > ANSWER] == []


def test_every_caption_is_short_and_every_percentage_plain(results: Path) -> None:
    """Captions are paragraphs in italics. No cell in percent or with an interval in points has three decimals."""
    pages = [results / "README.md", *(results / "questions").glob("*.md")]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    captions = [line for text in texts for line in re.findall(r"^\*([^*\n][^\n]*)\*(?: \(\[.*)?$", text, re.MULTILINE)]
    assert len(captions) > 30
    assert [caption for caption in captions if words(caption) > CAPTION] == []
    assert [cell for text in texts for cell in re.findall(r"\d+\.\d{3,}%", text)] == []
