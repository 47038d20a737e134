"""Is ReLU a poor output activation? The article's network with softmax, sigmoid and ReLU outputs, under two losses.

Outputs are taken as probabilities through Keras' categorical cross-entropy, or compared with the classes by the mean
squared error. A row of zeros has no logarithm: such a run diverges, which is an outcome with a rate of its own.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from study import figures
from study.analysis.claims import Judgement, judge
from study.analysis.statistics import mean_interval, proportion_interval, rate_summary, summarise
from study.constants import CHANCE_LEVEL, OUTPUT_EPOCHS, OUTPUT_SEEDS, REFERENCE_ACTIVATION
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import runs_frame
from study.records.store import Record
from study.report import formatting as fmt
from study.report.section import Display, Picture, Section
from study.settings import LOSSES, OUTPUTS, Settings

TITLE = "The output layer"
NAME = "output_layer"
BY = ["loss", "output"]
LOSS_NAMES = {"crossentropy": "cross-entropy", "squared_error": "squared error"}
USUAL, POOR = "softmax", "relu"  # outputs, not hidden activations: the claim's two


def hidden(plan: Plan) -> str:
    """The hidden layers' activation: the reference if it is among those compared, else the first."""
    return REFERENCE_ACTIVATION if REFERENCE_ACTIVATION in plan.activations else plan.activations[0]


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """One round: every output with every loss and seed. Nothing in a quick look."""
    if so_far or plan.is_quick or not plan.activations:
        return []
    return [
        Settings(
            activation=hidden(plan), seed=seed, output=output, loss=loss, epochs=OUTPUT_EPOCHS, patience=None
        )
        for loss in LOSSES
        for output in OUTPUTS
        for seed in range(plan.seeds or OUTPUT_SEEDS)
    ]  # fmt: skip


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """The rates of diverged runs and of those at chance, the accuracy of those that finished, and A4."""
    runs = runs_frame(records)
    table = _table(runs)
    section_tables = {
        "runs": runs.assign(experiment=NAME)[["experiment", *runs.columns]],
        "output_layer": table,
    }
    label = fmt.escape_markdown(style.labels[runs["activation"].iloc[0]])
    blocks: list[str | Display | Picture] = [
        f"The article's network with {label} in the hidden layers, {OUTPUT_EPOCHS} epochs, Adam at "
        f"{Settings.learning_rate:g}, the same seeds for every output. Cross-entropy is Keras' of probabilities: "
        "outputs are divided by their sum, so a row of zeros is not a number, and the run has diverged. A ReLU output "
        "that is 0 for every class also passes no gradient, under either loss.",
        Display(
            "Runs that diverged, with the exact 95% binomial interval of their share; runs that finished and "
            f"never learnt (best validation accuracy under {fmt.percent(CHANCE_LEVEL, 0)}); and the test accuracy "
            "(last weights) of all that finished, in percent, with a t interval.",
            _shown(table),
            NAME,
        ),
        Picture(
            NAME,
            "Test accuracy of every run that finished, above the mean with its interval; the error's scale is "
            "logarithmic, so that 10% (guessing) and 98% are both there. Look for outputs that never leave chance, and "
            "for runs that did not finish.",
            figures.accuracy_by_output(runs.replace({"loss": LOSS_NAMES}), table.replace({"loss": LOSS_NAMES})),
        ),
    ]
    return Section(TITLE, _answer(table), blocks, section_tables, _judgements(runs))


def _table(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a loss and output: runs, how many diverged or stayed at chance, and the accuracy of the n that finished.

    Both rates have exact binomial intervals.
    """
    events = {
        "diverged": runs["status"] == "diverged",
        "at_chance": (runs["status"] == "done") & (runs["best_validation_accuracy"] < CHANCE_LEVEL),
    }
    found = [rate_summary(runs.assign(event=event), "event", BY).assign(event=name) for name, event in events.items()]
    named = [
        part.drop(columns="event").rename(
            columns={
                "n": "runs",
                "count": name,
                "rate": f"{name}_rate",
                "ci_low": f"{name}_low",
                "ci_high": f"{name}_high",
            }
        )
        for name, part in zip(events, found, strict=True)
    ]
    rates = named[0].merge(named[1], on=[*BY, "runs"])
    accuracy = summarise(runs, "test_accuracy", BY)[[*BY, "n", "mean", "ci_low", "ci_high", "min", "max"]]
    renamed = {"mean": "test_accuracy_mean", "min": "test_accuracy_min", "max": "test_accuracy_max"}
    return rates.merge(accuracy.rename(columns=renamed), on=BY)


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Loss": LOSS_NAMES[row["loss"]],
            "Output": row["output"],
            "runs": row["runs"],
            "diverged": row["diverged"],
            "share, %": fmt.interval(row["diverged_rate"], row["diverged_low"], row["diverged_high"], 100),
            "at chance": row["at_chance"],
            "test accuracy": fmt.interval(row["test_accuracy_mean"], row["ci_low"], row["ci_high"], 100),
            "lowest": fmt.percent(row["test_accuracy_min"]),
            "highest": fmt.percent(row["test_accuracy_max"]),
        }
        for row in table.to_dict("records")
    )


def _answer(table: pd.DataFrame) -> str:
    """What became of every output, loss by loss."""
    sentences = []
    for loss, part in table.groupby("loss", sort=False):
        found = ", ".join(
            f"{row['output']} {fmt.percent(row['test_accuracy_mean'])}" + _failures(row)
            for row in part.to_dict("records")
        )
        sentences.append(f"with {LOSS_NAMES[str(loss)]}, {found}")
    return f"Mean test accuracy by output layer, of the runs that finished: {'; '.join(sentences)}."


def _failures(row: Mapping[str, int]) -> str:
    """How many runs diverged or never learnt, in brackets; nothing if none did."""
    kinds = {"diverged": "diverged", "at_chance": "at chance"}
    found = [f"{row[kind]} of {row['runs']} {word}" for kind, word in kinds.items() if row[kind]]
    return f" ({', '.join(found)})" if found else ""


def _judgements(runs: pd.DataFrame) -> list[Judgement]:
    """A4, by seed: cross-entropy counts a run that diverged as worse; squared error compares those that finished."""
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
