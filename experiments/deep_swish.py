"""P3: does Swish train at 45 hidden layers where ReLU fails (Ramachandran, Zoph & Le 2017, section 5)?

The networks use batch normalisation, dropout and Adam. The paper states neither width nor learning rate nor dropout
rate nor epochs, so the study chose them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from study import figures
from study.analysis import paired_arms, trainability
from study.analysis.claims import Judgement, judge
from study.analysis.statistics import proportion_interval
from study.constants import DEPTH_OPTIMIZERS, TRAINED_LEVEL, TRAINED_MARGIN, WIDTH
from study.figures.style import Style
from study.plan import Plan
from study.records import selection
from study.records.frames import history_frame, runs_frame
from study.records.store import Record
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "deep_swish"
TARGET = "claims"
OPTIMIZER, RATE = DEPTH_OPTIMIZERS[0]
ACTIVATIONS = ("swish", "relu")
DEPTH = 45
DROPOUT = 0.1
EPOCHS = 20  # after 5 epochs, the validation accuracies of both activations still rose
SEEDS = 10  # with fewer than 6, no exact 95% interval of a share excludes a half


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Return the settings of the runs without a record in `so_far`: both activations on every seed of `plan`."""
    wanted = [
        Settings(
            activation=name, seed=seed, depth=DEPTH, width=WIDTH, normalization="batch", dropout=DROPOUT,
            optimizer=OPTIMIZER, learning_rate=RATE, epochs=EPOCHS, patience=None,
        )
        for name in ACTIVATIONS
        for seed in plan.block(plan.seeds or SEEDS)
    ]  # fmt: skip
    return selection.without_record(wanted, so_far)


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Count the seeds on which Swish trains and ReLU does not, compare the validation accuracies, and judge P3."""
    runs, history = runs_frame(records), history_frame(records)
    table = trainability.success(runs, ["activation"])
    accuracies = runs.set_index("activation")["best_validation_accuracy"]
    is_near = accuracies.between(TRAINED_LEVEL - TRAINED_MARGIN, TRAINED_LEVEL, inclusive="left")
    table["validation_accuracy_max"] = table["activation"].map(accuracies.groupby(level=0).max())
    table["n_near"] = table["activation"].map(is_near.groupby(level=0).sum())
    found = {"history": history.assign(experiment=NAME), "deep_swish": table}
    protocol = selection.shared_settings(records)
    arms = dict(zip(("activation", "other"), ACTIVATIONS, strict=True))
    drawn = {"deep_swish": figures.training_curves(history, style)}
    return Section(PAGE, found, drawn, protocol | arms, _judgements(runs, protocol))


def _judgements(runs: pd.DataFrame, protocol: Mapping[str, Any]) -> list[Judgement]:
    """Judge both parts of P3 by the seeds on which both activations ran; return an empty list if there are none.

    `trains` is the share of seeds on which Swish trained and ReLU did not. `difference` is Swish's accuracy minus
    ReLU's.
    """
    first, second = (paired_arms.arm(runs, "best_validation_accuracy", activation=name) for name in ACTIVATIONS)
    trained = pd.concat([first >= TRAINED_LEVEL, second >= TRAINED_LEVEL], axis=1, join="inner", keys=ACTIVATIONS)
    if trained.empty:
        return []
    apart = int((trained[ACTIVATIONS[0]] & ~trained[ACTIVATIONS[1]]).sum())
    remark = "width {width}, dropout {dropout:g}, {epochs} epochs; the paper states none of them".format_map(protocol)
    return [
        judge("P3", "trains", proportion_interval(apart, len(trained)), remark),
        judge("P3", "difference", paired_arms.difference(first, second), remark),
    ]
