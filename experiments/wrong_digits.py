"""Which digits does the best network of past_99 get wrong, and do shifted images and ensembles improve accuracy?

The module asks for no runs. After its runs, `make past_99` tests their networks, and the document `networks` keeps the
results (study/networks/testing.py). With shifted images, a network's probabilities are averaged over nine positions of
each image. An ensemble averages the probabilities of all networks of an activation.
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
    """Return the accuracies of networks alone and together, and the wrong digits; None without the document.

    The table `tested_networks` (of `_joined`) has a row per activation, and `networks_alone` a row per network.
    `best_network` has one row: the best network, its accuracies, n_wrong and n_images. `wrong_digits` has a row per
    test image that this network gets wrong, the highest probability first. Its columns are place (from 0), label, said
    (the network's answer), and the probability that the network gave to the answer.
    """
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
    """Return one row per activation with the accuracies of its single networks and of its ensemble.

    `alone` and `together` are the tables of these names in the document. For each of METRICS, the row has the mean over
    single networks with its t interval, in columns such as accuracy_mean and accuracy_ci_low. The accuracies of the
    ensemble are together_accuracy and together_shifted_accuracy. `n_networks` is its size.
    """
    table = together.rename(columns={metric: f"together_{metric}" for metric in METRICS})
    for metric in METRICS:
        found = summarise(alone, metric, "activation", is_share=True).set_index("activation")
        for statistic in ("mean", "ci_low", "ci_high"):
            table[f"{metric}_{statistic}"] = table["activation"].map(found[statistic])
    return table
