"""P4, the ELU paper's MNIST protocol (Clevert, Unterthiner & Hochreiter 2015, section 4.1): ELU beside ReLU.

784-8x128-10, He initialisation, SGD at 0.01, batches of 64: how near zero the mean outputs are, and how fast it learns.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from study import figures
from study.analysis import paired_arms
from study.analysis.claims import Judgement, judge
from study.analysis.statistics import geometric_summary
from study.constants import CLAIM_SEEDS, P1_LAYERS, P1_VALIDATION
from study.figures.style import Style
from study.plan import Plan
from study.records import selection
from study.records.frames import history_frame, measures_frame, runs_frame
from study.records.store import Record
from study.report import formatting
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "elu_paper"
TARGET = "claims"
VALUES = {"mean": "absolute_mean", "speed": "training_loss"}  # of each part
ACTIVATIONS = ("elu", "relu")
RATE = 0.01
BATCH = 64
EPOCHS, PUBLISHED_EPOCHS = 25, 300


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """One round."""
    wanted = [_settings(name, seed) for name in ACTIVATIONS for seed in range(plan.seeds or CLAIM_SEEDS)]
    return selection.missing(wanted, so_far)


def _settings(name: str, seed: int) -> Settings:
    depth, width = P1_LAYERS
    return Settings(
        activation=name, seed=seed, depth=depth, width=width, initialization="he_normal", optimizer="sgd",
        learning_rate=RATE, batch=BATCH, validation=P1_VALIDATION, epochs=EPOCHS, patience=None,
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
    shown = {"elu_paper": _shown(found["elu_paper_summary"], style)}
    drawn = {"elu_paper": figures.training_curves(history, style)}
    depth, width = P1_LAYERS
    protocol = {
        "depth": depth, "width": width, "learning_rate": RATE, "batch": BATCH, "epochs": EPOCHS,
        "activations": ACTIVATIONS,
    }  # fmt: skip
    return Section(PAGE, found, shown, drawn, protocol, judged)


def _absolute_means(records: Sequence[Record]) -> pd.DataFrame:
    """Per run, `absolute_mean`: abs(mean h_l) at the last logged step, averaged over the hidden layers."""
    measures = measures_frame(records)
    rows = measures[(measures["measure"] == "activation_mean") & measures["value"].notna()]
    last = rows[rows["step"] == rows.groupby(["activation", "seed"])["step"].transform("max")]
    sizes = last.assign(absolute_mean=last["value"].abs())
    return sizes.groupby(["activation", "seed"], sort=False)["absolute_mean"].mean().reset_index()


def _judgements(per_run: pd.DataFrame) -> list[Judgement]:
    found = []
    remark = paired_arms.scaled_down(epochs=(EPOCHS, PUBLISHED_EPOCHS))
    for part, value in VALUES.items():
        first, second = (paired_arms.arm(per_run, value, activation=name) for name in ACTIVATIONS)
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
