"""P4: do mean outputs near zero speed up learning (Clevert, Unterthiner & Hochreiter 2015, section 4.1)?

The network is 784-8x128-10 with He initialisation, trained by SGD at 0.01 in batches of 64. The module measures how
near zero the mean outputs are, and how fast the network learns.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from study import figures
from study.analysis import claims, paired_arms
from study.analysis.statistics import geometric_summary
from study.constants import CLAIM_SEEDS, P1_LAYERS, P1_VALIDATION
from study.figures.style import Style
from study.plan import Plan
from study.records import selection
from study.records.frames import history_frame, measures_frame
from study.records.store import Record
from study.report import formatting
from study.report.cells import crossed
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "elu_paper"
TARGET = "claims"
VALUES = {"mean": "absolute_mean", "speed": "training_loss"}  # the quantity of each part of claim P4
ACTIVATIONS = ("elu", "relu")
RATE = 0.01
BATCH = 64
EPOCHS = 300


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Ask for all runs in one round."""
    wanted = [_settings(name, seed) for name in ACTIVATIONS for seed in plan.block(plan.seeds or CLAIM_SEEDS)]
    return selection.missing(wanted, so_far)


def _settings(name: str, seed: int) -> Settings:
    depth, width = P1_LAYERS
    return Settings(
        activation=name, seed=seed, depth=depth, width=width, initialization="he_normal", optimizer="sgd",
        learning_rate=RATE, batch=BATCH, validation=P1_VALIDATION, epochs=EPOCHS, patience=None,
    )  # fmt: skip


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Compare ELU with ReLU, seed by seed: the size of mean outputs after training, and the training loss."""
    history = history_frame(records)
    per_run = paired_arms.final_losses(history).merge(_absolute_means(records), on=["activation", "seed"])
    judged = _judgements(per_run)
    found = {
        "history": history.assign(experiment=NAME),
        "elu_paper": per_run,
        "elu_paper_summary": _summary(per_run),
        "claim_comparisons": claims.measurements(judged),
    }
    shown = {"elu_paper": _shown(found["elu_paper_summary"], style)}
    drawn = {"elu_paper": figures.training_curves(history, style)}
    protocol = {**asdict(_settings(ACTIVATIONS[0], 0)), "activations": ACTIVATIONS}
    return Section(PAGE, found, shown, drawn, protocol, judged)


def _absolute_means(records: Sequence[Record]) -> pd.DataFrame:
    """Return `absolute_mean` of each run: abs(mean h_l) at the last logged step, averaged over the hidden layers."""
    measures = measures_frame(records)
    rows = measures[(measures["measure"] == "activation_mean") & measures["value"].notna()]
    last = rows[rows["step"] == rows.groupby(["activation", "seed"])["step"].transform("max")]
    sizes = last.assign(absolute_mean=last["value"].abs())
    return sizes.groupby(["activation", "seed"], sort=False)["absolute_mean"].mean().reset_index()


def _judgements(per_run: pd.DataFrame) -> list[claims.Judgement]:
    found = []
    remark = ""
    for part, value in VALUES.items():
        first, second = (paired_arms.arm(per_run, value, activation=name) for name in ACTIVATIONS)
        if len(first) and len(second):
            how = "by the final loss, not by when one is reached" if part == "speed" else ""
            found.append(claims.judge("P4", part, paired_arms.ratio(first, second), how + remark))
    return found


def _summary(per_run: pd.DataFrame) -> pd.DataFrame:
    """Return the geometric mean over seeds and its interval, for each activation and quantity."""
    parts = [geometric_summary(per_run, value, "activation").assign(quantity=value) for value in VALUES.values()]
    return pd.concat(parts, ignore_index=True)


def _shown(summary: pd.DataFrame, style: Style) -> pd.DataFrame:
    cells = []
    for row in summary.to_dict("records"):
        name = style.labels[row["activation"]]
        shown = formatting.interval(row["mean"], row["ci_low"], row["ci_high"])
        cells += [(name, "n", row["n"]), (name, row["quantity"].replace("_", " "), shown)]
    return crossed(cells, "Activation")
