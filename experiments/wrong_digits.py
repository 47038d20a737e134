"""Which digits do the best networks of past_99 get wrong, and what do shifted images and ensembles bring?

It asks for no runs: `make past_99` tests the networks that its runs leave, and keeps a document.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from study import figures
from study.analysis.statistics import summarise
from study.figures.style import Style
from study.plan import Plan
from study.report.section import Evidence, Section

PAGE = Path(__file__).with_suffix(".md")
NAME = "wrong_digits"
DOCUMENT = "networks"
METRICS = ("accuracy", "shifted_accuracy")
TEST_IMAGES = 10_000


def conclude(plan: Plan, evidence: Evidence, style: Style) -> Section | None:
    """Make the table of networks alone and together, and the picture of the digits; None before `make past_99`."""
    document = evidence.documents.get(DOCUMENT)
    if document is None:
        return None
    content = document["content"]
    alone, together = pd.DataFrame(content["alone"]), pd.DataFrame(content["together"])
    wrong = pd.DataFrame(content["wrong"]).sort_values("probability", ascending=False, kind="stable")
    tables = {
        "tested_networks": _joined(alone, together),
        "networks_alone": alone,
        "best_network": pd.DataFrame([{**content["best"], "n_wrong": len(wrong), "n_images": TEST_IMAGES}]),
        NAME: wrong.drop(columns="image"),
    }
    images = pd.DataFrame(np.array(wrong["image"].tolist()).reshape(len(wrong), -1))
    return Section(PAGE, tables, {NAME: figures.wrong_digits(tables[NAME][["label", "said"]], images)})


def _joined(alone: pd.DataFrame, together: pd.DataFrame) -> pd.DataFrame:
    """Return, per activation, the mean accuracies of single networks with intervals, and of all of them together."""
    table = together.rename(columns={metric: f"together_{metric}" for metric in METRICS})
    for metric in METRICS:
        found = summarise(alone, metric, "activation", is_share=True).set_index("activation")
        for statistic in ("mean", "ci_low", "ci_high"):
            table[f"{metric}_{statistic}"] = table["activation"].map(found[statistic])
    return table
