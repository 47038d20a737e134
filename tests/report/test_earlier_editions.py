"""The table of the editions before this one says what git's history holds."""

import io
import math
import re
import subprocess

import pandas as pd
import pytest
from repository import ROOT

from study.report.rendering import PAGES

ROWS = [
    [cell.strip() for cell in line.split("|")[1:4]]
    for line in (PAGES / "editions.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| \d+ Nov.*, [0-9a-f]{7} \|", line)
]


def shown(commit: str, name: str) -> str:
    """Return a file of results/ as committed; skip the test where history is not at hand."""
    done = subprocess.run(
        ["git", "show", f"{commit}:results/{name}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else pytest.skip("this checkout has no history")


@pytest.mark.parametrize(("edition", "headline", "gelu"), ROWS, ids=[row[0] for row in ROWS])
def test_an_edition_is_quoted_as_it_was_committed(edition: str, headline: str, gelu: str) -> None:
    """Its headline, and GELU's tuned difference from ReLU in points with bounds rounded outward."""
    commit = edition.split(", ")[1]
    assert f"**{headline.strip('*').split(';')[0]}.**" in shown(commit, "README.md")
    table = pd.read_csv(io.StringIO(shown(commit, "tables/comparisons.csv")))
    rows = table[(table["experiment"] == "learning_rate") & (table["activation"] == "gelu")]
    difference, low, high = 1e4 * rows.iloc[0][["difference", "ci_low", "ci_high"]].to_numpy(float)
    quoted = [float(number) for number in re.findall(r"[+-]\d\.\d\d", gelu)]
    assert quoted == pytest.approx([round(difference) / 100, math.floor(low) / 100, math.ceil(high) / 100])
