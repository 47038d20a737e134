"""Show test images under the noise of `robustness`. It asks for no runs: the images are a document of `study all`."""

from pathlib import Path

import pandas as pd

from study import figures
from study.figures.style import Style
from study.plan import Plan
from study.report.section import Evidence, Section

PAGE = Path(__file__).with_suffix(".md")
NAME = "digits"
SIDE = 28  # pixels
COLUMNS = ["label", "row", "column", "brightness"]


def conclude(plan: Plan, evidence: Evidence, style: Style) -> Section | None:
    """Make the table of pixels and its picture; None if `study all` left no images."""
    document = evidence.documents.get(NAME)
    if document is None:
        return None
    images = document["content"]["images"]
    rows = [(label, *divmod(place, SIDE), byte / 255) for label in images for place, byte in enumerate(images[label])]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return Section(PAGE, {NAME: table}, figures={NAME: figures.digits(table)})
