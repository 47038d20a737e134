"""How accurate is the largest network of the study, with the five layers of Ciresan et al. 2010 (99.65%)?

The network has 12 million weights, and the settings `past_99.BASE` and `past_99.CONFIGURATION`, but other layers,
learning rate and epochs. It is trained on fresh seeds, and the moving average of its last weights is tested. The module
wrong_digits tells what shifted images and averages over the networks add.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from experiments import past_99
from study import figures
from study.analysis.goals import with_goal
from study.analysis.statistics import mean_interval
from study.constants import FIRST_FRESH_SEED
from study.figures.style import Style
from study.plan import Plan
from study.records import selection
from study.records.frames import history_frame, runs_frame
from study.records.store import Record
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "flagship"
TARGET = "flagship"
ACTIVATION = "gelu"
WIDTHS = (2500, 2000, 1500, 1000, 500)
LEARNING_RATE, EPOCHS, SEEDS = 5e-4, 100, 5
GOAL, CIRESAN, LADDER_NETWORK = 0.996, 0.9965, 0.9943  # test accuracies; the last: Rasmus et al. 2015, undistorted


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Return the settings of the runs without a record in `so_far`: the network on every fresh seed of `plan`."""
    changes = {"depth": len(WIDTHS), "width": WIDTHS, "learning_rate": LEARNING_RATE, "epochs": EPOCHS}
    wanted = [
        Settings(activation=ACTIVATION, seed=seed, **{**past_99.BASE, **past_99.CONFIGURATION, **changes})
        for seed in plan.block(plan.seeds or SEEDS, FIRST_FRESH_SEED)
    ]
    return selection.without_record(wanted, so_far)


def networks(plan: Plan, records: Sequence[Record]) -> list[Record]:
    """Return the `records` of finished runs, whose networks are to be tested, alone and together."""
    return [record for record in records if record["result"]["status"] == "done"]


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Return the mean test accuracy over seeds; the section's protocol holds the published accuracies."""
    accuracy = mean_interval(runs_frame(records)[past_99.METRIC].dropna(), is_share=True)
    history = history_frame(records)
    published = {"with_distortion": CIRESAN, "without_distortion": LADDER_NETWORK}
    table = with_goal(pd.DataFrame([accuracy.columns()]), GOAL, "estimate")
    tables = {NAME: table, "history": history.assign(experiment=NAME)}
    drawn = {NAME: figures.training_curves(history, style)}
    protocol = {**selection.shared_settings(records), "published": published, "planned": SEEDS}
    return Section(PAGE, tables, drawn, protocol)
