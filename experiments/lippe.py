"""P6: does a sigmoid network of four hidden layers stay at chance (Lippe, UvA deep learning tutorial 3)?

His network, optimiser and stopping, on MNIST instead of Fashion-MNIST: once with Keras' default initialisation, once
with PyTorch's.
"""

from collections.abc import Sequence

import pandas as pd

from study import figures
from study.analysis.claims import Judgement, judge
from study.analysis.statistics import mean_interval, summarise
from study.constants import (
    CHANCE_LEVEL,
    P6_BATCH,
    P6_CLAIM,
    P6_EPOCHS,
    P6_MOMENTUM,
    P6_PATIENCE,
    P6_RATE,
    P6_SEEDS,
    P6_VALIDATION,
    P6_WIDTHS,
)
from study.figures.style import Style
from study.plan import Plan
from study.records import selection
from study.records.frames import history_frame, runs_frame
from study.records.store import Record
from study.report import formatting
from study.report.section import Display, Picture, Section
from study.settings import Settings

TITLE = "A sigmoid network of four layers"
NAME = "lippe"
TARGET = "claims"
INITIALIZATIONS = {init: part for part, init in P6_CLAIM[1].items()}
TITLES = {"keras": "Keras' default", "torch": "PyTorch's default"}


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """One round."""
    wanted = [_settings(init, seed) for init in INITIALIZATIONS for seed in range(plan.seeds or P6_SEEDS)]
    return selection.missing(wanted, so_far)


def _settings(init: str, seed: int) -> Settings:
    return Settings(
        activation=P6_CLAIM[0], seed=seed, depth=len(P6_WIDTHS), width=P6_WIDTHS, initialization=init, optimizer="sgd",
        learning_rate=P6_RATE, momentum=P6_MOMENTUM, batch=P6_BATCH, validation=P6_VALIDATION, epochs=P6_EPOCHS,
        patience=P6_PATIENCE,
    )  # fmt: skip


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Best validation accuracy under each initialisation."""
    runs, history = runs_frame(records), history_frame(records)
    accuracy = summarise(runs, "best_validation_accuracy", "init")
    epochs = summarise(runs, "epochs", "init").rename(columns={"mean": "epochs_mean"})
    found = {
        "runs": runs.assign(experiment=NAME)[["experiment", *runs.columns]],
        "history": history.assign(experiment=NAME),
        "lippe": accuracy.merge(epochs[["init", "epochs_mean"]], on="init"),
    }
    pictures = [
        Picture(
            f"lippe_{INITIALIZATIONS[str(init)]}",
            f"Losses and validation accuracy by epoch, {TITLES[INITIALIZATIONS[str(init)]]} initialisation.",
            figures.training_curves(part, style),
        )
        for init, part in history.groupby("init", sort=False)
    ]
    blocks: list[str | Display | Picture] = [
        f"784-{'-'.join(map(str, P6_WIDTHS))}-10, SGD at {P6_RATE:g} with momentum {P6_MOMENTUM:g}, batches of "
        f"{P6_BATCH}, at most {P6_EPOCHS} epochs, stopped after {P6_PATIENCE} without a lower validation loss. At "
        f"chance: under {formatting.percent(CHANCE_LEVEL, 0)}.",
        Display("Validation accuracy in percent, 95% t interval.", _shown(found["lippe"]), "lippe"),
        *pictures,
    ]
    return Section(TITLE, _answer(accuracy, style), blocks, found, _judgements(runs))


def _judgements(runs: pd.DataFrame) -> list[Judgement]:
    found = []
    remark = f"MNIST instead of Fashion-MNIST; stopped on the validation loss, at most {P6_EPOCHS} epochs"
    for part, init in P6_CLAIM[1].items():
        values = runs.loc[runs["init"] == init, "best_validation_accuracy"].dropna()
        if len(values):
            added = "" if part == "torch" else "this study's addition, for the source uses PyTorch's initialisation; "
            found.append(judge("P6", part, mean_interval(values), added + remark))
    return found


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {
            "Initialisation": TITLES[INITIALIZATIONS[row["init"]]],
            "n": row["n"],
            "validation accuracy": formatting.interval(row["mean"], row["ci_low"], row["ci_high"], 100),
            "epochs": f"{row['epochs_mean']:.1f}",
        }
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _answer(accuracy: pd.DataFrame, style: Style) -> str:
    label = formatting.escape_markdown(style.labels[P6_CLAIM[0]])
    parts = ", ".join(
        f"{formatting.percent(row['mean'], 1)} under {TITLES[INITIALIZATIONS[row['init']]]} initialisation"
        for row in accuracy.to_dict("records")
    )
    return f"A {label} network of {len(P6_WIDTHS)} hidden layers reaches validation accuracies of {parts}."
