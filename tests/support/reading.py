"""Count words as a reader does."""

import re


def words(text: str) -> int:
    """Count the words of a text in Markdown as a reader does: a link by its text, an estimate and its interval as one.

    Only what holds a letter or a digit is a word.
    """
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    plain = re.sub(r"\\\[[^\]]*\\\]", "", plain)
    return sum(bool(re.search(r"\w", word)) for word in plain.split())
