"""P4, the ELU paper's MNIST protocol (Clevert, Unterthiner & Hochreiter 2015, section 4.1): ELU beside ReLU.

784-8x128-10, He initialisation, SGD at 0.01, batches of 64: how near zero the mean outputs are, and how fast it learns.
"""

from collections.abc import Sequence

import pandas as pd

from study import figures
from study.analysis import paired_arms
from study.analysis.claims import Judgement, judge
from study.analysis.statistics import geometric_summary
from study.constants import (
    CLAIM_SEEDS,
    P1_LAYERS,
    P1_VALIDATION,
    P4_BATCH,
    P4_CLAIM,
    P4_EPOCHS,
    P4_PUBLISHED_EPOCHS,
    P4_RATE,
)
from study.figures.style import Style
from study.plan import Plan
from study.records import selection
from study.records.frames import history_frame, measures_frame, runs_frame
from study.records.store import Record
from study.report import formatting
from study.report.section import Display, Picture, Section
from study.settings import Settings

TITLE = "The ELU paper's protocol"
NAME = "elu_paper"
TARGET = "claims"
VALUES = {"mean": "absolute_mean", "speed": "training_loss"}  # of each part


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """One round."""
    wanted = [_settings(name, seed) for name in P4_CLAIM for seed in range(plan.seeds or CLAIM_SEEDS)]
    return selection.missing(wanted, so_far)


def _settings(name: str, seed: int) -> Settings:
    depth, width = P1_LAYERS
    return Settings(
        activation=name, seed=seed, depth=depth, width=width, initialization="he_normal", optimizer="sgd",
        learning_rate=P4_RATE, batch=P4_BATCH, validation=P1_VALIDATION, epochs=P4_EPOCHS, patience=None,
    )  # fmt: skip


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Mean outputs after training and the training losses, compared seed by seed."""
    runs, history = runs_frame(records), history_frame(records)
    per_run = paired_arms.final_losses(history).merge(_absolute_means(records), on=["activation", "seed"])
    judged = _judgements(per_run)
    found = {
        "runs": runs.assign(experiment=NAME)[["experiment", *runs.columns]],
        "history": history.assign(experiment=NAME),
        "elu_paper": per_run,
        "elu_paper_summary": _summary(per_run),
        "claim_comparisons": pd.DataFrame(
            [paired_arms.interval_row({"claim": "P4", "part": j.part}, j.measured) for j in judged]
        ),
    }
    depth, width = P1_LAYERS
    blocks: list[str | Display | Picture] = [
        f"784-{depth}x{width}-10, He initialisation, SGD at {P4_RATE:g}, batches of {P4_BATCH}, {P4_EPOCHS} epochs. A "
        "layer's mean output is over the training batch after the last update and all its units; its absolute values "
        "are averaged over the hidden layers.",
        Display(
            "After training: absolute mean output and training loss of the last epoch, geometric means over seeds, 95% "
            "intervals.",
            _shown(found["elu_paper_summary"], style),
            "elu_paper",
        ),
        Picture("elu_paper", "Losses and validation accuracy by epoch.", figures.training_curves(history, style)),
    ]
    return Section(TITLE, _answer(judged, style), blocks, found, judged)


def _absolute_means(records: Sequence[Record]) -> pd.DataFrame:
    """Per run, `absolute_mean`: abs(mean h_l) at the last logged step, averaged over the hidden layers."""
    measures = measures_frame(records)
    rows = measures[(measures["measure"] == "activation_mean") & measures["value"].notna()]
    last = rows[rows["step"] == rows.groupby(["activation", "seed"])["step"].transform("max")]
    sizes = last.assign(absolute_mean=last["value"].abs())
    return sizes.groupby(["activation", "seed"], sort=False)["absolute_mean"].mean().reset_index()


def _judgements(per_run: pd.DataFrame) -> list[Judgement]:
    found = []
    remark = paired_arms.scaled_down(epochs=(P4_EPOCHS, P4_PUBLISHED_EPOCHS))
    for part, value in VALUES.items():
        first, second = (paired_arms.arm(per_run, value, activation=name) for name in P4_CLAIM)
        if len(first) and len(second):
            how = "by the final loss, not by when one is reached; " if part == "speed" else ""
            found.append(judge("P4", part, paired_arms.ratio(first, second), how + remark))
    return found


def _summary(per_run: pd.DataFrame) -> pd.DataFrame:
    """Per activation and quantity: geometric mean over seeds with its interval."""
    parts = [geometric_summary(per_run, value, "activation").assign(quantity=value) for value in VALUES.values()]
    return pd.concat(parts, ignore_index=True)


def _shown(summary: pd.DataFrame, style: Style) -> pd.DataFrame:
    rows: dict[str, dict[str, object]] = {}
    for row in summary.to_dict("records"):
        cells = rows.setdefault(row["activation"], {"Activation": style.labels[row["activation"]], "n": row["n"]})
        cells[row["quantity"].replace("_", " ")] = formatting.interval(row["mean"], row["ci_low"], row["ci_high"])
    return pd.DataFrame(rows.values())


def _answer(judged: Sequence[Judgement], style: Style) -> str:
    if len(judged) < len(VALUES):
        return ""
    first, second = (formatting.escape_markdown(style.labels[name]) for name in P4_CLAIM)
    mean, speed = (formatting.interval(j.measured.estimate, j.measured.low, j.measured.high) for j in judged)
    return (
        f"In the ELU paper's network {first}'s mean outputs are {mean} times {second}'s, and its training loss after "
        f"{P4_EPOCHS} epochs is {speed} times {second}'s."
    )
