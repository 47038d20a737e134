"""Copy the verdict of results/README.md into README.md, between its answer marks: results change, and the README says
what they say.

    python tools/readme.py
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADING = "## Verdict\n"
MARKS = "<!-- answer -->\n", "<!-- /answer -->\n"


def answer(report: str) -> str:
    """Return the verdict's recommendation, table and caption, and the first figure, with links from the README."""
    if HEADING not in report:
        raise SystemExit("results/README.md has no verdict yet: make all")
    recommendation, table, caption = report.split(HEADING)[1].strip().split("\n\n")[:3]
    figure = re.search(r"!\[[^\]]*\]\(figures/tuned\.png\)", report)
    shown = [figure.group().replace("](", "](results/")] if figure else []
    return "\n\n".join([recommendation, table, caption.replace("](tables/", "](results/tables/"), *shown]) + "\n"


def with_answer(readme: str, report: str) -> str:
    """Return the README with the report's answer between its marks."""
    before, rest = readme.split(MARKS[0])
    return f"{before}{MARKS[0]}{answer(report)}{MARKS[1]}{rest.split(MARKS[1])[1]}"


if __name__ == "__main__":
    path = ROOT / "README.md"
    old = path.read_text(encoding="utf-8")
    new = with_answer(old, (ROOT / "results" / "README.md").read_text(encoding="utf-8"))
    path.write_text(new, encoding="utf-8")
    print("README.md is as it was" if new == old else "README.md has the new answer", file=sys.stdout)
