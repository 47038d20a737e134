"""Show a few test images, without noise and with the noise of the experiment `robustness`.

The module asks for no runs. A command that does the runs of `make all` stores the images as the document `digits`.
"""

from pathlib import Path

import pandas as pd

from study import figures
from study.figures.style import Style
from study.plan import Plan
from study.report.section import Evidence, Section

PAGE = Path(__file__).with_suffix(".md")
NAME = "digits"
SIDE = 28  # pixels


def conclude(plan: Plan, evidence: Evidence, style: Style) -> Section | None:
    """Return the images as a table of pixels and as a figure; None if `evidence` lacks the document `digits`."""
    document = evidence.documents.get(NAME)
    if document is None:
        return None
    images = document["content"]["images"]
    rows = [(label, *divmod(place, SIDE), byte / 255) for label in images for place, byte in enumerate(images[label])]
    table = pd.DataFrame(rows, columns=["label", "row", "column", "brightness"])
    return Section(PAGE, {NAME: table}, figures={NAME: figures.digits(table)})
