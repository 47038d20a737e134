"""Which digits does the best network get wrong, and do shifted images and ensembles improve accuracy?

The module asks for no runs. After their runs, `make past_99` and `make flagship` test the trained networks, and a
document of each keeps the results (study/networks/testing.py). With shifted images, a network's probabilities are
averaged over nine positions of each image. An ensemble averages the probabilities of all networks of an activation.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from study import figures
from study.analysis.goals import TEST_IMAGES
from study.analysis.statistics import summarise
from study.figures.style import Style
from study.plan import Plan
from study.records.store import NETWORKS
from study.report.section import Evidence, Section

PAGE = Path(__file__).with_suffix(".md")
NAME = "wrong_digits"
TESTED_EXPERIMENTS = ("flagship", "past_99")  # the first of them with a document decides which wrong digits are shown
METRICS = ("accuracy", "shifted_accuracy")


def conclude(plan: Plan, evidence: Evidence, style: Style) -> Section | None:
    """Return the accuracies of networks alone and together, and the wrong digits; None if `evidence` has no document.

    The column `tested` holds the experiment that trained the networks. `wrong_digits` has a row per test image that the
    best network gets wrong, the surest first.
    """
    documents = {name: evidence.documents.get(NETWORKS.format(name)) for name in TESTED_EXPERIMENTS}
    contents = {name: document["content"] for name, document in documents.items() if document}
    if not contents:
        return None
    frames = {
        name: (pd.DataFrame(content["alone"]), pd.DataFrame(content["together"])) for name, content in contents.items()
    }
    first, content = next(iter(contents.items()))
    wrong = pd.DataFrame(content["wrong"]).sort_values("probability", ascending=False, kind="stable")
    best = {"tested": first, **content["best"], "n_wrong": len(wrong), "n_images": TEST_IMAGES}
    tables = {
        "tested_networks": pd.concat(
            [_alone_and_together(*of_one).assign(tested=name) for name, of_one in frames.items()]
        ),
        "networks_alone": pd.concat([alone.assign(tested=name) for name, (alone, _) in frames.items()]),
        "best_network": pd.DataFrame([best]),
        NAME: wrong.drop(columns="image"),
    }
    images = pd.DataFrame(np.array(wrong["image"].tolist()).reshape(len(wrong), -1))
    return Section(PAGE, tables, {NAME: figures.wrong_digits(tables[NAME][["label", "said"]], images)})


def _alone_and_together(alone: pd.DataFrame, together: pd.DataFrame) -> pd.DataFrame:
    """Return one row per activation with the accuracies of its single networks and of its ensemble of n_networks.

    Each of METRICS has the mean over the n_alone single networks with its t interval (accuracy_mean, accuracy_ci_low,
    ...), and the ensemble's value (together_accuracy).
    """
    table = together.rename(columns={metric: f"together_{metric}" for metric in METRICS})
    table["n_alone"] = table["activation"].map(alone["activation"].value_counts())
    for metric in METRICS:
        found = summarise(alone, metric, "activation", is_share=True).set_index("activation")
        for statistic in ("mean", "ci_low", "ci_high"):
            table[f"{metric}_{statistic}"] = table["activation"].map(found[statistic])
    return table
