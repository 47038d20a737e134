"""P1, the GELU paper's own MNIST protocol (Hendrycks & Gimpel 2016, section 3.1): its tanh form, ELU and ReLU.

784-8x128-10 with unit-norm incoming weights, Adam, batches of 128, the rate chosen on 5,000 validation images for each
activation and dropout; then the training losses, with and without dropout.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from study import figures
from study.analysis import paired_arms
from study.analysis.claims import Judgement, judge
from study.constants import CLAIM_SEEDS, P1_LAYERS, P1_VALIDATION
from study.figures.style import Style
from study.plan import Plan
from study.records import selection
from study.records.frames import history_frame, runs_frame
from study.records.store import Record
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "gelu_paper"
TARGET = "claims"
ACTIVATION = "gelu_tanh"
OTHERS = {"relu": "relu", "elu": "elu"}  # by the part of claim P1; each also with dropout
RATES = (1e-3, 1e-4, 1e-5)
BATCH = 128
DROPOUT = 0.5
EPOCHS, PUBLISHED_EPOCHS = 16, 50
DROPOUTS = {"": 0.0, "_dropout": DROPOUT}  # what a part's name ends with
ACTIVATIONS = (ACTIVATION, *OTHERS.values())
Arm = tuple[str, float]  # activation and dropout


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """First every rate with the first seed, then every arm's rate with the others."""
    trials = [_settings(arm, rate, 0) for arm in _arms() for rate in RATES]
    return selection.missing(_final(plan, so_far) if so_far else trials, so_far)


def _arms() -> list[Arm]:
    return [(name, dropout) for dropout in DROPOUTS.values() for name in ACTIVATIONS]


def _settings(arm: Arm, rate: float, seed: int) -> Settings:
    depth, width = P1_LAYERS
    return Settings(
        activation=arm[0], seed=seed, depth=depth, width=width, initialization="unit_norm", dropout=arm[1],
        learning_rate=rate, batch=BATCH, validation=P1_VALIDATION, epochs=EPOCHS, patience=None,
    )  # fmt: skip


def _final(plan: Plan, records: Sequence[Record]) -> list[Settings]:
    seeds = range(plan.seeds or CLAIM_SEEDS)
    return [_settings(arm, rate, seed) for arm, rate in _chosen(records).items() for seed in seeds]


def _chosen(records: Sequence[Record]) -> dict[Arm, float]:
    """Per arm the rate with the lowest validation loss of the first seed; without a finished run, no arm."""
    runs = runs_frame(records)
    trials = runs[(runs["seed"] == 0) & runs["best_validation_loss"].notna()]
    found: dict[Arm, float] = {}
    for row in trials.sort_values("best_validation_loss", kind="stable").to_dict("records"):
        found.setdefault((row["activation"], row["dropout"]), row["learning_rate"])
    return {arm: found[arm] for arm in _arms() if arm in found}


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Final training losses of the chosen rates, compared seed by seed."""
    final, runs = selection.of_settings(records, _final(plan, records)), runs_frame(records)
    if not final:
        diverged = {"runs": runs.assign(experiment=NAME)[["experiment", *runs.columns]]}
        return Section(PAGE, diverged)
    history = history_frame(final)
    losses = paired_arms.final_losses(history)
    judged = _judgements(losses)
    rates = _chosen(records)
    rows = [paired_arms.interval_row({"claim": "P1", "part": j.part}, j.measured) for j in judged]
    found = {
        "runs": runs.assign(experiment=NAME)[["experiment", *runs.columns]],
        "history": history.assign(experiment=NAME),
        "final_losses": losses.assign(experiment=NAME),
        "gelu_paper": _summary(losses, rates),
        "claim_comparisons": pd.DataFrame(rows),
    }
    drawn = {
        f"gelu_paper_dropout_{100 * dropout:.0f}": figures.training_curves(part, style)
        for dropout, part in history.groupby("dropout", sort=False)
    }
    depth, width = P1_LAYERS
    protocol = {
        "depth": depth, "width": width, "batch": BATCH, "epochs": EPOCHS, "rates": RATES, "activation": ACTIVATION,
        "others": OTHERS, "validation": P1_VALIDATION, "figures": {name: name.split("_")[-1] for name in drawn},
    }  # fmt: skip
    return Section(PAGE, found, {"gelu_paper": _shown(found["gelu_paper"], style)}, drawn, protocol, judged)


def _summary(losses: pd.DataFrame, rates: dict[Arm, float]) -> pd.DataFrame:
    """Per activation and dropout: the rate, and the final training losses' median, least and most over seeds."""
    keys = ["activation", "dropout"]
    table = losses.groupby(keys, sort=False)["training_loss"].agg(n="count", median="median", low="min", high="max")
    table = table.reset_index()
    return table.assign(learning_rate=[rates[name, dropout] for name, dropout in table[keys].itertuples(index=False)])


def _judgements(losses: pd.DataFrame) -> list[Judgement]:
    """Of every part whose runs are there."""
    found = []
    remark = f"{paired_arms.scaled_down(epochs=(EPOCHS, PUBLISHED_EPOCHS))}; rate chosen with one seed"
    for ending, dropout in DROPOUTS.items():
        first = paired_arms.arm(losses, "training_loss", activation=ACTIVATION, dropout=dropout)
        for part, name in OTHERS.items():
            second = paired_arms.arm(losses, "training_loss", activation=name, dropout=dropout)
            if len(first) and len(second):
                found.append(judge("P1", part + ending, paired_arms.ratio(first, second), remark))
    return found


def _shown(summary: pd.DataFrame, style: Style) -> pd.DataFrame:
    rows = [
        {
            "Activation": style.labels[row["activation"]],
            "dropout": f"{row['dropout']:g}",
            "rate": f"{row['learning_rate']:g}",
            "n": row["n"],
            "training loss": f"{row['median']:.4g} ({row['low']:.4g} to {row['high']:.4g})",
        }
        for row in summary.to_dict("records")
    ]
    return pd.DataFrame(rows)
