"""Is ReLU a poor output activation? The article's network is trained with three output activations and two losses.

The output activations are softmax, sigmoid and ReLU. The losses are Keras' categorical cross-entropy, which takes the
outputs as probabilities, and the mean squared error from the one-hot labels. Cross-entropy divides the ten outputs of
an image by their sum. If all are 0, the loss is NaN and the run diverges. The share of runs that diverge is reported.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from study import figures
from study.analysis import summaries
from study.analysis.claims import Judgement, judge
from study.analysis.statistics import mean_interval, proportion_interval, share_summary, summarise
from study.constants import REFERENCE_ACTIVATION
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import runs_frame
from study.records.store import Record
from study.report.section import Section
from study.settings import LOSSES, OUTPUTS, Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "output_layer"
OUTPUT_SEEDS = 6  # with 5, the exact interval of "5 of 5" begins below a half
RATES = (Settings.learning_rate, 0.001)  # the article's, at which A4 is judged, and Adam's default
OUTPUT_EPOCHS = 5
KEYS = ["learning_rate", "loss", "output"]
LOSS_NAMES = {"crossentropy": "cross-entropy", "squared_error": "squared error"}
USUAL_OUTPUT, POOR_OUTPUT = "softmax", "relu"  # the two output activations that A4 compares
THIRD_OUTPUT = "sigmoid"


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Return the settings of one round: every rate of RATES with every loss, output activation and seed.

    The hidden layers' activation is the reference if `plan` compares it, else its first. A quick look has no round.
    """
    if so_far or plan.is_quick or not plan.activations:
        return []
    hidden = REFERENCE_ACTIVATION if REFERENCE_ACTIVATION in plan.activations else plan.activations[0]
    return [
        Settings(
            activation=hidden, seed=seed, output=output, loss=loss, learning_rate=rate,
            epochs=OUTPUT_EPOCHS, patience=None,
        )
        for rate in RATES
        for loss in LOSSES
        for output in OUTPUTS
        for seed in plan.block(plan.seeds or OUTPUT_SEEDS)
    ]  # fmt: skip


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Compare how many runs diverged or stayed at chance, and the accuracy of the finished runs.

    The figure and the section's judgements are about the article's rate, RATES[0], alone.
    """
    runs = runs_frame(records)
    table = _outcome_table(runs)
    judgements = {rate: _judgements(runs[runs["learning_rate"] == rate]) for rate in RATES}
    verdicts = [
        {"learning_rate": rate, "loss": found.part, **found.measured.columns(), "verdict": found.verdict}
        for rate, of_rate in judgements.items()
        for found in of_rate
    ]
    tables = {"output_layer": table, "output_verdicts": pd.DataFrame(verdicts)}
    shown = {"loss": LOSS_NAMES, "output": {name: style.labels.get(name, name) for name in OUTPUTS}}
    drawn = (rows[rows["learning_rate"] == RATES[0]].replace(shown) for rows in (runs, table))
    protocol = {"activation": runs["activation"].iloc[0], "epochs": OUTPUT_EPOCHS, "rates": RATES, "losses": LOSS_NAMES}
    return Section(PAGE, tables, {NAME: figures.accuracy_by_output(*drawn)}, protocol, judgements[RATES[0]])


def _outcome_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a row per learning rate, loss and output activation, with outcomes and test accuracy over seeds.

    `runs` counts all runs, and n those that finished. Each of `summaries.bad_outcomes` has its number, share and exact
    interval, as in diverged, diverged_share, diverged_low and diverged_high.
    """
    tables = []
    for name, event in summaries.bad_outcomes(runs).items():
        renamed = {"share": f"{name}_share", "ci_low": f"{name}_low", "ci_high": f"{name}_high"}
        shares = share_summary(runs.assign(event=event), "event", KEYS)
        tables.append(shares.rename(columns={"n": "runs", "count": name, **renamed}))
    rates = tables[0].merge(tables[1], on=[*KEYS, "runs"])
    accuracy = summarise(runs, "test_accuracy", KEYS, is_share=True).drop(columns=["std", "missing"])
    renamed = {"mean": "test_accuracy_mean", "min": "test_accuracy_min", "max": "test_accuracy_max"}
    return rates.merge(accuracy.rename(columns=renamed), on=KEYS)


def _judgements(runs: pd.DataFrame) -> list[Judgement]:
    """Judge A4 by the `runs` of one rate, and return at most one judgement per loss.

    ReLU and softmax outputs are compared on the same seeds. Under cross-entropy, the measurement is the share of seeds
    on which ReLU's run diverged or has the lower test accuracy. Under the squared error, it is the mean of ReLU's minus
    softmax's accuracy, where both runs finished. A loss without both outputs is left out.
    """
    shorter = f"{OUTPUT_EPOCHS} epochs; the article trains until the validation loss stops falling"
    remark = f"the hidden layers' activation is {runs['activation'].iloc[0]}"
    parts, guesses = [], summaries.bad_outcomes(runs)["at_chance"]
    for loss in LOSSES:
        part = runs[runs["loss"] == loss].pivot(index="seed", columns="output")  # noqa: PD010 - it would drop arms
        if not {USUAL_OUTPUT, POOR_OUTPUT} <= set(part.columns.get_level_values(1)):
            continue
        accuracy, status = part["test_accuracy"], part["status"]
        if loss == "crossentropy":
            pairs = status[[USUAL_OUTPUT, POOR_OUTPUT]].notna().all(axis=1)
            is_worse = (status[POOR_OUTPUT] == "diverged") | (accuracy[POOR_OUTPUT] < accuracy[USUAL_OUTPUT])
            found = proportion_interval(int(is_worse[pairs].sum()), int(pairs.sum()))
        else:
            found = mean_interval((accuracy[POOR_OUTPUT] - accuracy[USUAL_OUTPUT]).dropna())
        nothing = "; no seed finished with both outputs" if found.n == 0 else ""
        third = guesses[(runs["loss"] == loss) & (runs["output"] == THIRD_OUTPUT)]
        beside = f"; {THIRD_OUTPUT} outputs only guess on {third.sum()} of {len(third)} seeds" if third.any() else ""
        parts.append(judge("A4", loss, found, remark + nothing + beside, shorter))
    return parts
