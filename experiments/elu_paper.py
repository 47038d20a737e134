"""Claim P4: do mean outputs near zero speed up learning (Clevert, Unterthiner & Hochreiter 2015, section 4.1)?

ELU and ReLU are compared in networks of 8 hidden layers of 128 units with He initialisation. SGD trains them at
learning rate 0.01 in batches of 64 images. The module measures how near zero the mean outputs of the hidden layers are,
and how fast the network learns.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from study import figures
from study.analysis import paired_arms
from study.analysis.claims import Judgement, fewer_epochs, judge
from study.analysis.statistics import geometric_summary
from study.constants import CLAIM_SEEDS, P1_LAYERS, P1_VALIDATION, P4_LATE_LOSSES, P4_LOSSES
from study.figures.style import Style
from study.plan import Plan
from study.records import selection
from study.records.frames import history_frame, measures_frame
from study.records.store import Record
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "elu_paper"
TARGET = "claims"
LOSSES = {f"to_{loss:g}": loss for loss in (*P4_LOSSES, *P4_LATE_LOSSES)}  # {part of claim P4: training loss to reach}
ACTIVATIONS = ("elu", "relu")
RATE = 0.01
BATCH = 64
EPOCHS = 300  # as published


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Return the settings of the runs without a record in `so_far`: both activations on every seed of `plan`.

    Depth, width and validation images are as for claim P1: the networks of the two papers have the same size.
    """
    depth, width = P1_LAYERS
    wanted = [
        Settings(
            activation=name, seed=seed, depth=depth, width=width, initialization="he_normal", optimizer="sgd",
            learning_rate=RATE, batch=BATCH, validation=P1_VALIDATION, epochs=EPOCHS, patience=None,
        )
        for name in ACTIVATIONS
        for seed in plan.block(plan.seeds or CLAIM_SEEDS)
    ]  # fmt: skip
    return selection.without_record(wanted, so_far)


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Compare ELU with ReLU on the same seeds, judge the parts of claim P4, and draw the training curves."""
    history = history_frame(records)
    per_run = _values_by_run(records, history)
    summary = geometric_summary(per_run, "value", ["activation", "quantity"])
    found = {"history": history.assign(experiment=NAME), "elu_paper": per_run, "elu_paper_summary": summary}
    drawn = {"elu_paper": figures.training_curves(history, style)}
    protocol = {
        **selection.shared_settings(records),
        "activations": ACTIVATIONS,
        "losses": LOSSES,
        "judged_losses": [part for part, loss in LOSSES.items() if loss in P4_LOSSES],
        "published": EPOCHS,
    }
    judged = _judgements(per_run, fewer_epochs(protocol["epochs"], EPOCHS))
    return Section(PAGE, found, drawn, protocol, judged)


def _values_by_run(records: Sequence[Record], history: pd.DataFrame) -> pd.DataFrame:
    """Return one row per run and part of claim P4: activation, seed, quantity (the part's name) and value.

    For `mean`, the value is the absolute mean output of a hidden layer after training, averaged over the layers. For a
    part of LOSSES, it is the first epoch whose training loss is at most this loss; NaN if the loss is not reached. For
    `final_loss`, it is the training loss of the last epoch.
    """
    by_run = ["activation", "seed"]
    losses = history.sort_values("epoch", kind="stable").set_index(by_run)
    measures = measures_frame(records)
    outputs = measures[(measures["measure"] == "activation_mean") & measures["value"].notna()]
    last = outputs[outputs["step"] == outputs.groupby(by_run)["step"].transform("max")]
    values = {"mean": last.assign(value=last["value"].abs()).groupby(by_run, sort=False)["value"].mean()}
    for part, loss in LOSSES.items():
        values[part] = losses.loc[losses["training_loss"] <= loss, "epoch"].groupby(by_run).first()
    values["final_loss"] = losses["training_loss"].groupby(by_run, sort=False).last()
    wide = pd.DataFrame(values, index=values["final_loss"].index).reset_index()
    return wide.melt(by_run, var_name="quantity")


def _judgements(per_run: pd.DataFrame, shorter: str) -> list[Judgement]:
    """Judge those parts of P4 for which ELU and ReLU have runs, by the ratio of ELU's value to ReLU's."""
    found = []
    for part, rows in per_run.groupby("quantity", sort=False):
        first, second = (paired_arms.arm(rows, "value", activation=name) for name in ACTIVATIONS)
        if first.empty or second.empty:
            continue
        lost = int(rows["value"].isna().sum())
        remark = f"{lost} runs did not reach it" if lost and part in LOSSES else ""
        found.append(judge("P4", str(part), paired_arms.ratio(first, second), remark, shorter))
    return found
