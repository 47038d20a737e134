"""Copy the answer of results/README.md into README.md, between its answer marks, so that both say the same.

Usage: python tools/readme.py
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARKS = "<!-- answer -->\n", "<!-- /answer -->\n"


def answer(report: str) -> str:
    """Return the part of the text `report` before its details: headline, table, picture and bullets.

    The headline becomes bold, and links are made relative to the README's folder. The links to translations and the
    question are left out.
    """
    headline, rest = report.removeprefix("# ").split("\n", 1)
    shown = rest.split("<details>")[0].split("\n\n", 2)[-1].strip()  # without the question, which the README opens with
    for folder in ("tables", "figures", "questions"):
        shown = shown.replace(f"]({folder}/", f"](results/{folder}/")
    return f"**{headline}**\n\n{shown}\n"


def with_answer(readme: str, report: str) -> str:
    """Return the text `readme` with the answer of the text `report` between MARKS, in place of the former answer.

    Raise ValueError or IndexError if a mark is missing.
    """
    before, rest = readme.split(MARKS[0])
    return f"{before}{MARKS[0]}{answer(report)}{MARKS[1]}{rest.split(MARKS[1])[1]}"


if __name__ == "__main__":
    path = ROOT / "README.md"
    old = path.read_text(encoding="utf-8")
    new = with_answer(old, (ROOT / "results" / "README.md").read_text(encoding="utf-8"))
    path.write_text(new, encoding="utf-8")
    print("README.md is as it was" if new == old else "README.md has the new answer", file=sys.stdout)
