"""A5, its second half: "tune it to 99%". Dropout and shifts of the images, chosen on validation images alone.

Two wider layers than the article's; a small grid with one seed, then the choice on fresh seeds.
"""

from collections.abc import Sequence

import pandas as pd

from study import figures
from study.analysis import paired_arms
from study.analysis.claims import Judgement, judge
from study.analysis.statistics import Interval, mean_interval, summarise
from study.constants import (
    FIRST_FRESH_SEED,
    TUNED_CLAIM,
    TUNED_DROPOUTS,
    TUNED_FINAL_EPOCHS,
    TUNED_FINAL_SEEDS,
    TUNED_RATE,
    TUNED_SHIFTS,
    TUNED_TRIAL_EPOCHS,
    TUNED_TRIAL_SEEDS,
    TUNED_VALIDATION,
    TUNED_WIDTHS,
)
from study.figures.style import Style
from study.plan import Plan
from study.records import selection
from study.records.frames import history_frame, runs_frame
from study.records.store import Record
from study.report import formatting
from study.report.section import Display, Picture, Section
from study.settings import Settings

TITLE = "Can it be tuned to 99%?"
NAME = "ninety_nine"
TARGET = "ninety_nine"
KEYS = ["dropout", "shift"]
Choice = tuple[float, int]  # dropout and shift


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """First the grid, then what it chose, on fresh seeds."""
    trials = [
        _settings((dropout, shift), seed, TUNED_TRIAL_EPOCHS)
        for dropout in TUNED_DROPOUTS
        for shift in TUNED_SHIFTS
        for seed in range(TUNED_TRIAL_SEEDS)
    ]
    return selection.missing(_final(plan, so_far) if so_far else trials, so_far)


def _settings(choice: Choice, seed: int, epochs: int) -> Settings:
    dropout, shift = choice
    return Settings(
        activation=TUNED_CLAIM, seed=seed, depth=len(TUNED_WIDTHS), width=TUNED_WIDTHS, dropout=dropout, shift=shift,
        learning_rate=TUNED_RATE, validation=TUNED_VALIDATION, epochs=epochs, patience=None,
    )  # fmt: skip


def _final(plan: Plan, records: Sequence[Record]) -> list[Settings]:
    choice = _chosen(_trials(_runs(records)))
    seeds = range(FIRST_FRESH_SEED, FIRST_FRESH_SEED + (plan.seeds or TUNED_FINAL_SEEDS))
    return [] if choice is None else [_settings(choice, seed, TUNED_FINAL_EPOCHS) for seed in seeds]


def _runs(records: Sequence[Record]) -> pd.DataFrame:
    runs = runs_frame(records)
    return runs.assign(shift=[record["identity"]["settings"]["shift"] for record in records])


def _trials(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a point of the grid: its mean best validation accuracy."""
    return summarise(runs[runs["seed"] < FIRST_FRESH_SEED], "best_validation_accuracy", KEYS)


def _chosen(trials: pd.DataFrame) -> Choice | None:
    """The point with the highest validation accuracy, of equals the first; None if no run of the grid finished."""
    good = trials.dropna(subset=["mean"])
    if good.empty:
        return None
    best = good.loc[good["mean"].idxmax()]
    return float(best["dropout"]), int(best["shift"])


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """The grid's validation accuracies, and the test accuracy of the choice."""
    runs = _runs(records)
    trials, choice = _trials(runs), _chosen(_trials(runs))
    final = selection.of_settings(records, _final(plan, records))
    found = {"runs": runs.assign(experiment=NAME)[["experiment", *runs.columns.drop("shift")]]}
    found["ninety_nine_trials"] = trials
    widths = "-".join(map(str, TUNED_WIDTHS))
    label = formatting.escape_markdown(style.labels[TUNED_CLAIM])
    blocks: list[str | Display | Picture] = [
        f"784-{widths}-10, {label}, Adam at {TUNED_RATE:g}, batches of {Settings.batch}. Dropout and the most pixels "
        f"by which a training image is moved are chosen by the accuracy on {TUNED_VALIDATION:,} validation images "
        f"after {TUNED_TRIAL_EPOCHS} epochs; the choice then trains {TUNED_FINAL_EPOCHS} epochs on fresh seeds, and "
        "the weights with the lowest validation loss are tested. No test image had a part in any choice.",
        Display("Best validation accuracy in percent.", _shown_trials(trials), "ninety_nine_trials"),
    ]
    if choice is None or not final:
        return Section(TITLE, "", blocks, found)
    accuracy = mean_interval(runs_frame(final)["best_test_accuracy"].dropna())
    found["ninety_nine"] = pd.DataFrame([paired_arms.interval_row(dict(zip(KEYS, choice, strict=True)), accuracy)])
    found["history"] = history_frame(final).assign(experiment=NAME)
    shown = formatting.interval(accuracy.estimate, accuracy.low, accuracy.high, 100)
    blocks += [
        f"Chosen: dropout {choice[0]:g} and shifts of up to {choice[1]} pixels. Test accuracy over {accuracy.n} fresh "
        f"seeds: {shown}%.",
        Picture(
            "ninety_nine",
            "Losses and validation accuracy by epoch.",
            figures.training_curves(history_frame(final), style),
        ),
    ]
    answer = f"Tuned on validation images alone, a wider {label} network reaches {shown}% of the test images."
    return Section(TITLE, answer, blocks, found, [_judgement(accuracy)])


def _judgement(accuracy: Interval) -> Judgement:
    widths = "-".join(map(str, TUNED_WIDTHS))
    remark = (
        f"of this search alone: hidden layers {widths}, dropout and shifts chosen on validation, {TUNED_FINAL_EPOCHS} "
        "epochs; what another search would find is not said"
    )
    return judge("A5", "ninety_nine", accuracy, remark)


def _shown_trials(trials: pd.DataFrame) -> pd.DataFrame:
    rows: dict[float, dict[str, str]] = {}
    for row in trials.to_dict("records"):
        cells = rows.setdefault(row["dropout"], {"Dropout": f"{row['dropout']:g}"})
        cells[f"shift {row['shift']}"] = formatting.percent(row["mean"])
    return pd.DataFrame(rows.values()).fillna(formatting.DASH)
