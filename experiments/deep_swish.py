"""P3: does Swish train at 45 hidden layers where ReLU fails (Ramachandran, Zoph & Le 2017, section 5)?

Batch normalisation and dropout, Adam; the paper gives neither width nor rate nor dropout.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from study import figures
from study.analysis import paired_arms
from study.analysis.claims import Judgement, judge
from study.analysis.statistics import rate_summary, summarise
from study.constants import CLAIM_SEEDS, DEPTH_OPTIMIZERS, TRAINED_LEVEL, WIDTH
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
DROPOUT = 0.1  # the paper does not say how much
EPOCHS = 5


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """One round."""
    wanted = [_settings(name, seed) for name in ACTIVATIONS for seed in range(plan.seeds or CLAIM_SEEDS)]
    return selection.missing(wanted, so_far)


def _settings(name: str, seed: int) -> Settings:
    return Settings(
        activation=name, seed=seed, depth=DEPTH, width=WIDTH, normalization="batch", dropout=DROPOUT,
        optimizer=OPTIMIZER, learning_rate=RATE, epochs=EPOCHS, patience=None,
    )  # fmt: skip


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Best validation accuracies, their paired difference, and how many trained at all."""
    runs, history = runs_frame(records), history_frame(records)
    accuracy = summarise(runs, "best_validation_accuracy", "activation")
    is_trained = runs["best_validation_accuracy"].fillna(0.0) >= TRAINED_LEVEL
    trained = rate_summary(runs.assign(is_trained=is_trained), "is_trained", "activation")
    judged = _judgements(runs)
    found = {
        "runs": runs.assign(experiment=NAME)[["experiment", *runs.columns]],
        "history": history.assign(experiment=NAME),
        "deep_swish": accuracy.merge(trained[["activation", "count", "rate"]], on="activation"),
        "claim_comparisons": pd.DataFrame(
            [paired_arms.interval_row({"claim": "P3", "part": j.part}, j.measured) for j in judged]
        ),
    }
    shown = {"deep_swish": _shown(found["deep_swish"], trained, style)}
    drawn = {"deep_swish": figures.training_curves(history, style)}
    protocol = {"depth": DEPTH, "width": WIDTH, "dropout": DROPOUT, "learning_rate": RATE, "epochs": EPOCHS}
    return Section(PAGE, found, shown, drawn, protocol, judged)


def _judgements(runs: pd.DataFrame) -> list[Judgement]:
    first, second = (paired_arms.arm(runs, "best_validation_accuracy", activation=name) for name in ACTIVATIONS)
    if first.empty or second.empty:
        return []
    lost = int(first.isna().sum() + second.isna().sum())
    remark = f"one depth, width {WIDTH}, {EPOCHS} epochs, {len(first)} seeds; the paper states none of them"
    trained = [int((arm >= TRAINED_LEVEL).sum()) for arm in (first, second)]
    remark += f"; judged by the difference of accuracies, though {trained[0]} and {trained[1]} networks trained in full"
    remark += f"; {lost} runs diverged, and their seeds are left out" if lost else ""
    return [judge("P3", "difference", paired_arms.difference(first, second), remark)]


def _shown(table: pd.DataFrame, trained: pd.DataFrame, style: Style) -> pd.DataFrame:
    seeds = trained.set_index("activation")["n"]
    rows = [
        {
            "Activation": style.labels[row["activation"]],
            "validation accuracy": formatting.interval(row["mean"], row["ci_low"], row["ci_high"], 100),
            "trained": f"{row['count']} of {seeds[row['activation']]}",
        }
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(rows)
