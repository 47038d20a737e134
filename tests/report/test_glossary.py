"""The report's definitions say what the engine does, which it cannot import."""

from study.engine import measures
from study.engine.run import PROBE_IMAGES
from study.report import glossary


def test_thresholds_are_the_engines() -> None:
    """The shares of the largest slope and the number of images are those that the measures use."""
    assert f"below {measures.DEAD_SHARE:g} of" in glossary.TERMS["Dead unit"]
    assert f"{PROBE_IMAGES:,} validation images" in glossary.TERMS["Dead unit"]
    assert f"below {measures.SATURATED_SHARE:g} of" in glossary.TERMS["Saturated entry"]


def test_the_list_holds_every_term() -> None:
    """One line each, in order."""
    lines = glossary.listed().splitlines()
    assert [line.startswith(f"- **{term}**: ") for line, term in zip(lines, glossary.TERMS, strict=True)] == [
        True
    ] * len(lines)
