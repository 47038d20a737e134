"""Count the words that a reader sees in a text."""

import re


def words(text: str) -> int:
    """Count the words of a text in Markdown, where a word holds a letter or a digit.

    A link counts by its text, and an interval in escaped brackets, such as \\[0.1, 0.2\\], does not count.
    """
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    plain = re.sub(r"\\\[[^\]]*\\\]", "", plain)
    return sum(bool(re.search(r"\w", word)) for word in plain.split())
