"""P6: does a sigmoid network of four hidden layers stay at chance (Lippe, UvA deep learning tutorial 3)?

The network, optimiser and early stopping are Lippe's. The data are MNIST instead of Fashion-MNIST. P6 is judged by
networks with PyTorch's default initialisation, as Lippe's have. Networks with Keras' default initialisation are shown
beside them, and judge nothing.
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
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "lippe"
TARGET = "claims"
ACTIVATION = "sigmoid"
PARTS = {"glorot_uniform": "keras", "torch_default": "torch"}  # {initialisation: part of claim P6}
DECIDING_INIT = "torch_default"  # the initialisation that decides the claim
TITLES = {"glorot_uniform": "Keras' default", "torch_default": "PyTorch's default"}
WIDTHS = (512, 256, 256, 128)
LEARNING_RATE, MOMENTUM, BATCH = 0.01, 0.9, 256
EPOCHS, PATIENCE, VALIDATION = 50, 7, 10_000
SEEDS = 3


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Return the settings of the runs without a record in `so_far`: both initialisations on every seed of `plan`."""
    wanted = [
        Settings(
            activation=ACTIVATION, seed=seed, depth=len(WIDTHS), width=WIDTHS, initialization=init, optimizer="sgd",
            learning_rate=LEARNING_RATE, momentum=MOMENTUM, batch=BATCH, validation=VALIDATION, epochs=EPOCHS,
            patience=PATIENCE,
        )
        for init in PARTS
        for seed in plan.block(plan.seeds or SEEDS)
    ]  # fmt: skip
    return selection.without_record(wanted, so_far)


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Summarise the validation accuracy at the lowest validation loss, by initialisation, and judge P6.

    The figure shows the training from each initialisation, in colours of their own, because no activation of the study
    differs between them.
    """
    runs, history = runs_frame(records), history_frame(records)
    epochs = summarise(runs, "epochs", "init")
    table = summarise(runs, "best_validation_accuracy", "init", is_share=True)
    table = table.assign(epochs_min=epochs["min"], epochs_max=epochs["max"])
    found = {"history": history.assign(experiment=NAME), "lippe": table}
    arms = Style(TITLES, {init: place for place, init in enumerate(TITLES)})
    drawn = {"lippe": figures.training_curves(history.assign(activation=history["init"]), arms)}
    protocol = {**selection.shared_settings(records), "initialization": DECIDING_INIT, "titles": TITLES}
    return Section(PAGE, found, drawn, protocol, _judgements(runs, protocol["epochs"]))


def _judgements(runs: pd.DataFrame, epochs: int) -> list[Judgement]:
    """Judge each part of P6 by the mean validation accuracy of `runs` with its initialisation, if it has runs."""
    found = []
    easier = "MNIST, easier images, instead of Fashion-MNIST"
    remark = f"stopped on the validation loss, at most {epochs} epochs"
    for init, part in PARTS.items():
        values = runs.loc[runs["init"] == init, "best_validation_accuracy"].dropna()
        if len(values):
            found.append(judge("P6", part, mean_interval(values, is_share=True), remark, easier))
    return found
