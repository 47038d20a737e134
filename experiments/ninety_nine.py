"""A5, second half: can the network be tuned to 99%?

Dropout and shifts of the images are chosen on validation images alone, from a small grid with one seed. The chosen
network, whose two layers are wider than the article's, is then trained on fresh seeds.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from study import figures
from study.analysis.claims import Judgement, judge
from study.analysis.statistics import Interval, mean_interval, summarise
from study.figures.style import Style
from study.plan import Plan
from study.records import selection
from study.records.frames import history_frame, runs_frame
from study.records.store import Record
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "ninety_nine"
TARGET = "ninety_nine"
KEYS = ["dropout", "shift"]
Choice = tuple[float, int]  # dropout and shift
ACTIVATION = "relu"
WIDTHS = (512, 512)
LEARNING_RATE = 1e-3
DROPOUTS = (0.0, 0.25)
SHIFTS = (0, 1, 2)
VALIDATION = 5000
TRIAL_SEEDS, TRIAL_EPOCHS = 1, 12
FINAL_SEEDS, FINAL_EPOCHS = 5, 50
FIRST_FINAL_SEED = 1000


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Ask for the grid, then for its best point on fresh seeds."""
    trials = [
        _settings((dropout, shift), seed, TRIAL_EPOCHS)
        for dropout in DROPOUTS
        for shift in SHIFTS
        for seed in plan.block(TRIAL_SEEDS)
    ]
    return selection.missing(_final(plan, so_far) if so_far else trials, so_far)


def _settings(choice: Choice, seed: int, epochs: int) -> Settings:
    dropout, shift = choice
    return Settings(
        activation=ACTIVATION, seed=seed, depth=len(WIDTHS), width=WIDTHS, dropout=dropout, shift=shift,
        learning_rate=LEARNING_RATE, validation=VALIDATION, epochs=epochs, patience=None,
    )  # fmt: skip


def _final(plan: Plan, records: Sequence[Record]) -> list[Settings]:
    choice = _chosen(_trials(plan, runs_frame(records)))
    seeds = plan.block(plan.seeds or FINAL_SEEDS, FIRST_FINAL_SEED)
    return [] if choice is None else [_settings(choice, seed, FINAL_EPOCHS) for seed in seeds]


def _trials(plan: Plan, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the mean validation accuracy at the lowest validation loss at each point of the grid."""
    trials = runs[runs["seed"] < plan.first_seed + FIRST_FINAL_SEED]
    return summarise(trials, "best_validation_accuracy", KEYS, is_share=True)


def _chosen(trials: pd.DataFrame) -> Choice | None:
    """Return the first point with the highest validation accuracy; None if no run of the grid finished."""
    good = trials.dropna(subset=["mean"])
    if good.empty:
        return None
    best = good.loc[good["mean"].idxmax()]
    return float(best["dropout"]), int(best["shift"])


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Return the grid's validation accuracies, and the test accuracy of its best point."""
    trials = _trials(plan, runs_frame(records))
    first = plan.first_seed + FIRST_FINAL_SEED
    final = [record for record in records if selection.asked(record)["seed"] >= first]
    tried = [record for record in records if record not in final]
    found = {"ninety_nine_trials": trials}
    protocol = selection.shared(tried)
    if not final:
        return Section(PAGE, found, protocol=protocol)
    accuracy = mean_interval(runs_frame(final)["best_test_accuracy"].dropna(), is_share=True)
    history, chosen = history_frame(final), selection.shared(final)
    found["history"] = history.assign(experiment=NAME)
    found["ninety_nine"] = pd.DataFrame([{**{key: chosen[key] for key in KEYS}, **accuracy.columns()}])
    drawn = {"ninety_nine": figures.training_curves(history, style)}
    protocol |= {"final_epochs": chosen["epochs"]}
    return Section(PAGE, found, drawn, protocol, [_judgement(accuracy, chosen)])


def _judgement(accuracy: Interval, chosen: Mapping[str, Any]) -> Judgement:
    layers = "-".join(map(str, chosen["width"]))
    remark = f"hidden layers {layers}, {chosen['epochs']} epochs; another search may find more"
    return judge("A5", "ninety_nine", accuracy, remark)
