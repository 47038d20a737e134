"""P6: does a sigmoid network of four hidden layers stay at chance (Lippe, UvA deep learning tutorial 3)?

His network, optimiser and stopping, on MNIST instead of Fashion-MNIST: once with Keras' default initialisation, once
with PyTorch's.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from study import figures
from study.analysis.claims import Judgement, judge
from study.analysis.statistics import mean_interval, summarise
from study.figures.style import Style
from study.plan import Plan
from study.records import selection
from study.records.frames import history_frame, runs_frame
from study.records.store import Record
from study.report import formatting
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "lippe"
TARGET = "claims"
TITLES = {"keras": "Keras' default", "torch": "PyTorch's default"}
ACTIVATION = "sigmoid"
INITIALIZATIONS = {"glorot_uniform": "keras", "torch_default": "torch"}  # to the parts of claim P6
WIDTHS = (512, 256, 256, 128)
LEARNING_RATE, MOMENTUM, BATCH = 0.01, 0.9, 256
EPOCHS, PATIENCE, VALIDATION = 50, 7, 10_000
SEEDS = 3


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """One round."""
    wanted = [_settings(init, seed) for init in INITIALIZATIONS for seed in range(plan.seeds or SEEDS)]
    return selection.missing(wanted, so_far)


def _settings(init: str, seed: int) -> Settings:
    return Settings(
        activation=ACTIVATION, seed=seed, depth=len(WIDTHS), width=WIDTHS, initialization=init, optimizer="sgd",
        learning_rate=LEARNING_RATE, momentum=MOMENTUM, batch=BATCH, validation=VALIDATION, epochs=EPOCHS,
        patience=PATIENCE,
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
    drawn = {
        f"lippe_{INITIALIZATIONS[str(init)]}": figures.training_curves(part, style)
        for init, part in history.groupby("init", sort=False)
    }
    protocol = {
        "widths": "-".join(map(str, WIDTHS)), "depth": len(WIDTHS), "learning_rate": LEARNING_RATE,
        "momentum": MOMENTUM, "batch": BATCH, "epochs": EPOCHS, "patience": PATIENCE, "activation": ACTIVATION,
        "titles": {init: TITLES[part] for init, part in INITIALIZATIONS.items()},
        "figures": {name: TITLES[name.removeprefix("lippe_")] for name in drawn},
    }  # fmt: skip
    return Section(PAGE, found, {"lippe": _shown(found["lippe"])}, drawn, protocol, _judgements(runs))


def _judgements(runs: pd.DataFrame) -> list[Judgement]:
    found = []
    remark = f"MNIST instead of Fashion-MNIST; stopped on the validation loss, at most {EPOCHS} epochs"
    for init, part in INITIALIZATIONS.items():
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
