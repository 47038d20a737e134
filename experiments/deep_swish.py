"""P3: does Swish train at 45 hidden layers where ReLU fails (Ramachandran, Zoph & Le 2017, section 5)?

The networks use batch normalisation, dropout and Adam. The paper states neither width nor learning rate nor dropout.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from study import figures
from study.analysis import claims, paired_arms
from study.analysis.statistics import share_summary, summarise
from study.constants import DEPTH_OPTIMIZERS, TRAINED_LEVEL, WIDTH
from study.figures.style import Style
from study.plan import Plan
from study.records import selection
from study.records.frames import history_frame, runs_frame
from study.records.store import Record
from study.report import formatting
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "deep_swish"
TARGET = "claims"
OPTIMIZER, RATE = DEPTH_OPTIMIZERS[0]
ACTIVATIONS = ("swish", "relu")
DEPTH = 45
DROPOUT = 0.1
EPOCHS = 20  # at 5 the validation accuracies of both still rose
SEEDS = 10  # of fewer, no share has an interval that leaves out a half


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Ask for all runs in one round."""
    wanted = [_settings(name, seed) for name in ACTIVATIONS for seed in plan.block(plan.seeds or SEEDS)]
    return selection.missing(wanted, so_far)


def _settings(name: str, seed: int) -> Settings:
    return Settings(
        activation=name, seed=seed, depth=DEPTH, width=WIDTH, normalization="batch", dropout=DROPOUT,
        optimizer=OPTIMIZER, learning_rate=RATE, epochs=EPOCHS, patience=None,
    )  # fmt: skip


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Compare the validation accuracies seed by seed, and count the networks that trained."""
    runs, history = runs_frame(records), history_frame(records)
    is_trained = runs["best_validation_accuracy"].fillna(0.0) >= TRAINED_LEVEL
    trained = share_summary(runs.assign(is_trained=is_trained), "is_trained", "activation")
    judged = _judgements(runs)
    table = summarise(runs, "best_validation_accuracy", "activation", is_share=True).merge(
        trained[["activation", "count", "share"]], on="activation"
    )
    found = {
        "history": history.assign(experiment=NAME),
        "deep_swish": table,
        "claim_comparisons": claims.measurements(judged),
    }
    shown = {"deep_swish": _shown(table, style)}
    drawn = {"deep_swish": figures.training_curves(history, style)}
    return Section(PAGE, found, shown, drawn, asdict(_settings(ACTIVATIONS[0], 0)), judged)


def _judgements(runs: pd.DataFrame) -> list[claims.Judgement]:
    first, second = (paired_arms.arm(runs, "best_validation_accuracy", activation=name) for name in ACTIVATIONS)
    if first.empty or second.empty:
        return []
    lost = int(first.isna().sum() + second.isna().sum())
    trained = [int((arm >= TRAINED_LEVEL).sum()) for arm in (first, second)]
    remarks = [
        f"one depth, width {WIDTH}, {EPOCHS} epochs, {len(first)} seeds; the paper states none of them",
        f"judged by the difference of accuracies, though {trained[0]} and {trained[1]} networks trained in full",
    ]
    remarks += [f"{lost} runs diverged, and their seeds are left out"] if lost else []
    return [claims.judge("P3", "difference", paired_arms.difference(first, second), "; ".join(remarks))]


def _shown(table: pd.DataFrame, style: Style) -> pd.DataFrame:
    rows = [
        {
            "Activation": style.labels[row["activation"]],
            "validation accuracy": formatting.interval(row["mean"], row["ci_low"], row["ci_high"], 100),
            "trained": f"{row['count']} of {row['n'] + row['missing']}",
        }
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(rows)
