"""P3: does Swish train at 45 hidden layers where ReLU fails (Ramachandran, Zoph & Le 2017, section 5)?

Batch normalisation and dropout, Adam; the paper gives neither width nor rate nor dropout.
"""

from collections.abc import Sequence

import pandas as pd

from study import figures
from study.analysis import paired_arms
from study.analysis.claims import Judgement, judge
from study.analysis.statistics import rate_summary, summarise
from study.constants import (
    CLAIM_SEEDS,
    DEPTH_OPTIMIZERS,
    P3_CLAIM,
    P3_DEPTH,
    P3_DROPOUT,
    P3_EPOCHS,
    TRAINED_LEVEL,
    WIDTH,
)
from study.figures.style import Style
from study.plan import Plan
from study.records import selection
from study.records.frames import history_frame, runs_frame
from study.records.store import Record
from study.report import formatting
from study.report.section import Display, Picture, Section
from study.settings import Settings

TITLE = f"Swish and ReLU at {P3_DEPTH} layers"
NAME = "deep_swish"
TARGET = "claims"
OPTIMIZER, RATE = DEPTH_OPTIMIZERS[0]


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """One round."""
    wanted = [_settings(name, seed) for name in P3_CLAIM for seed in range(plan.seeds or CLAIM_SEEDS)]
    return selection.missing(wanted, so_far)


def _settings(name: str, seed: int) -> Settings:
    return Settings(
        activation=name, seed=seed, depth=P3_DEPTH, width=WIDTH, normalization="batch", dropout=P3_DROPOUT,
        optimizer=OPTIMIZER, learning_rate=RATE, epochs=P3_EPOCHS, patience=None,
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
    blocks: list[str | Display | Picture] = [
        f"{P3_DEPTH} hidden layers of {WIDTH} units, batch normalisation, dropout {P3_DROPOUT:g}, Adam at {RATE:g}, "
        f"{P3_EPOCHS} epochs. A network counts as trained from a validation accuracy of "
        f"{formatting.percent(TRAINED_LEVEL, 0)}.",
        Display(
            "Best validation accuracy in percent, 95% t interval; and how many trained.",
            _shown(found["deep_swish"], trained, style),
            "deep_swish",
        ),
        Picture("deep_swish", "Losses and validation accuracy by epoch.", figures.training_curves(history, style)),
    ]
    return Section(TITLE, _answer(found["deep_swish"], judged, style), blocks, found, judged)


def _judgements(runs: pd.DataFrame) -> list[Judgement]:
    first, second = (paired_arms.arm(runs, "best_validation_accuracy", activation=name) for name in P3_CLAIM)
    if first.empty or second.empty:
        return []
    lost = int(first.isna().sum() + second.isna().sum())
    remark = f"one depth, width {WIDTH}, {P3_EPOCHS} epochs, {len(first)} seeds; the paper states none of them"
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


def _answer(table: pd.DataFrame, judged: Sequence[Judgement], style: Style) -> str:
    parts = ", ".join(
        f"{formatting.escape_markdown(style.labels[row['activation']])} {formatting.percent(row['mean'], 1)}"
        for row in table.to_dict("records")
    )
    measured = [
        formatting.interval(j.measured.estimate, j.measured.low, j.measured.high, 100, signed=True) for j in judged
    ]
    rest = f"; the paired difference is {measured[0]} points" if measured else ""
    return f"With {P3_DEPTH} hidden layers, batch normalisation and dropout, validation accuracies are {parts}{rest}."
