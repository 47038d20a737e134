"""Is ReLU a poor output activation? The article's network with softmax, sigmoid and ReLU outputs, under two losses.

Keras' categorical cross-entropy takes the outputs as probabilities; the mean squared error compares them with the
classes. A row of zeros has no logarithm: such a run diverges, which is an outcome with a rate of its own.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from study import figures
from study.analysis.claims import Judgement, judge
from study.analysis.statistics import mean_interval, proportion_interval, share_summary, summarise
from study.constants import CHANCE_LEVEL, REFERENCE_ACTIVATION
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import runs_frame
from study.records.store import Record
from study.report import formatting as fmt
from study.report.section import Section
from study.settings import LOSSES, OUTPUTS, Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "output_layer"
OUTPUT_SEEDS = 10  # with 5, the exact interval of "5 of 5" begins below a half
OUTPUT_EPOCHS = 5
BY = ["loss", "output"]
LOSS_NAMES = {"crossentropy": "cross-entropy", "squared_error": "squared error"}
USUAL, POOR = "softmax", "relu"  # outputs, not hidden activations: the claim's two


def hidden(plan: Plan) -> str:
    """Return the hidden layers' activation: the reference if it is among those compared, else the first."""
    return REFERENCE_ACTIVATION if REFERENCE_ACTIVATION in plan.activations else plan.activations[0]


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Return one round: every output with every loss and seed; nothing in a quick look."""
    if so_far or plan.is_quick or not plan.activations:
        return []
    return [
        Settings(
            activation=hidden(plan), seed=seed, output=output, loss=loss, epochs=OUTPUT_EPOCHS, patience=None
        )
        for loss in LOSSES
        for output in OUTPUTS
        for seed in plan.block(plan.seeds or OUTPUT_SEEDS)
    ]  # fmt: skip


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Compare the rates of runs that diverged or stayed at chance, and the accuracy of finished runs; judge A4."""
    runs = runs_frame(records)
    table = _table(runs)
    tables = {"output_layer": table}
    figure = figures.accuracy_by_output(runs.replace({"loss": LOSS_NAMES}), table.replace({"loss": LOSS_NAMES}))
    protocol = {
        "activation": runs["activation"].iloc[0],
        "epochs": OUTPUT_EPOCHS,
        "rate": Settings.learning_rate,
        "losses": LOSS_NAMES,
    }
    return Section(PAGE, tables, {NAME: _shown(table)}, {NAME: figure}, protocol, _judgements(runs))


def _table(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a row per loss and output: runs that diverged or stayed at chance, and accuracy of the n that finished.

    Both shares have exact binomial intervals.
    """
    events = {
        "diverged": runs["status"] == "diverged",
        "at_chance": (runs["status"] == "done") & (runs["best_validation_accuracy"] < CHANCE_LEVEL),
    }
    diverged, at_chance = (_rates(runs.assign(event=event), name) for name, event in events.items())
    rates = diverged.merge(at_chance, on=[*BY, "runs"])
    accuracy = summarise(runs, "test_accuracy", BY, is_share=True).drop(columns=["std", "missing"])
    renamed = {"mean": "test_accuracy_mean", "min": "test_accuracy_min", "max": "test_accuracy_max"}
    return rates.merge(accuracy.rename(columns=renamed), on=BY)


def _rates(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the share of `event` by loss and output, in columns that begin with `name`."""
    renamed = {"share": f"{name}_share", "ci_low": f"{name}_low", "ci_high": f"{name}_high"}
    return share_summary(runs, "event", BY).rename(columns={"n": "runs", "count": name, **renamed})


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Loss": LOSS_NAMES[row["loss"]],
            "Output": row["output"],
            "runs": row["runs"],
            "diverged": row["diverged"],
            "share, %": fmt.interval(row["diverged_share"], row["diverged_low"], row["diverged_high"], 100),
            "at chance": row["at_chance"],
            "test accuracy": fmt.interval(row["test_accuracy_mean"], row["ci_low"], row["ci_high"], 100),
            "lowest": fmt.percent(row["test_accuracy_min"]),
            "highest": fmt.percent(row["test_accuracy_max"]),
        }
        for row in table.to_dict("records")
    )


def _judgements(runs: pd.DataFrame) -> list[Judgement]:
    """Judge A4 by seed: under cross-entropy a diverged run counts as worse; squared error compares finished runs."""
    remark = f"{OUTPUT_EPOCHS} epochs; the hidden layers' activation is {runs['activation'].iloc[0]}"
    parts = []
    for loss in LOSSES:
        part = runs[runs["loss"] == loss].pivot(index="seed", columns="output")  # noqa: PD010 - it would drop arms
        if not {USUAL, POOR} <= set(part.columns.get_level_values(1)):
            continue
        accuracy, status = part["test_accuracy"], part["status"]
        if loss == "crossentropy":
            pairs = status[[USUAL, POOR]].notna().all(axis=1)
            is_worse = (status[POOR] == "diverged") | (accuracy[POOR] < accuracy[USUAL])
            found = proportion_interval(int(is_worse[pairs].sum()), int(pairs.sum()))
        else:
            found = mean_interval((accuracy[POOR] - accuracy[USUAL]).dropna())
        nothing = "; no seed finished with both outputs" if found.n == 0 else ""
        parts.append(judge("A4", loss, found, remark + nothing))
    return parts
