"""Does the choice matter once the test images are noisy? Uniform noise added to them, unclipped, the GELU paper's test.

The networks are the baseline's, measured under noise inside their own runs: no run is made for this.
"""

from collections.abc import Sequence

import pandas as pd

from experiments import baseline
from study import figures
from study.analysis import comparisons
from study.analysis.claims import Judgement, judge
from study.analysis.statistics import geometric_summary, mean_interval, summarise
from study.constants import NOISE_AMPLITUDES, NOISE_CLAIM, REFERENCE_ACTIVATION
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import noise_frame, runs_frame
from study.records.store import Record
from study.report import formatting
from study.report.section import Display, Picture, Section
from study.settings import Settings

TITLE = "Noise on the images"
NAME = "robustness"
METRIC = "noise_accuracy"
BY = ["activation", "amplitude"]
MEAN = ["test_accuracy_mean", "accuracy_ci_low", "accuracy_ci_high"]


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """The baseline's runs; nothing in a quick look, whose runs are not measured under noise."""
    return [] if plan.is_quick else baseline.rounds(plan, so_far)


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Accuracy and loss by amplitude, and the paired difference of their mean over the amplitudes."""
    noisy = noise_frame(records)
    if noisy.empty:
        return Section(TITLE, "", ["No run of the baseline ended with weights that could be measured under noise."])
    overall = _overall(runs_frame(records), noisy)
    table, differences = _by_amplitude(noisy), comparisons.against_reference(overall, NAME, METRIC)
    summary = summarise(overall, METRIC, "activation")
    section_tables = {
        "robustness": table,
        "robustness_mean": summary.rename(columns={"mean": f"{METRIC}_mean"}),
        **({} if differences is None else {"comparisons": differences}),
    }
    blocks: list[str | Display | Picture] = [
        f"Unif[-a, a] is added to every pixel of the 10,000 test images, without clipping, at {len(NOISE_AMPLITUDES)} "
        f"amplitudes from {min(NOISE_AMPLITUDES):g} to {max(NOISE_AMPLITUDES):g}; seed by seed the same noise for "
        "every activation. The networks never saw noise in training; their last weights are measured. An activation is "
        "compared by its mean accuracy over the amplitudes above 0, so there is one test for each.",
        Display(
            "Test accuracy in percent by amplitude a, and its mean over the amplitudes above 0, with 95% t intervals "
            "over seeds.",
            _shown(table, summary, differences, style),
            NAME,
        ),
        _losses(table, style),
        _picture(table, noisy, style),
    ]
    answer = _answer(summary, differences, style)
    return Section(TITLE, answer, blocks, section_tables, _judgements(overall))


def _overall(runs: pd.DataFrame, noisy: pd.DataFrame) -> pd.DataFrame:
    """One row a run: its mean accuracy over the amplitudes above 0; NaN if it was not measured under noise."""
    means = noisy[noisy["amplitude"] > 0].groupby(["activation", "seed"])["test_accuracy"].mean().rename(METRIC)
    return runs[["activation", "seed", "status"]].join(means, on=["activation", "seed"])


def _by_amplitude(noisy: pd.DataFrame) -> pd.DataFrame:
    """The table `robustness`: accuracy, loss (geometric, as it is drawn) and paired difference from the reference."""
    bounds = ["ci_low", "ci_high"]
    accuracy = summarise(noisy, "test_accuracy", BY).set_index(BY)[["n", "mean", *bounds]]
    loss = geometric_summary(noisy, "test_loss", BY).set_index(BY)[["mean", *bounds]]
    wide = noisy.set_index([*BY, "seed"])["test_accuracy"]
    reference = wide.get(REFERENCE_ACTIVATION, wide.iloc[:0].droplevel("activation"))
    joined = noisy.join(reference.rename("reference"), on=["amplitude", "seed"])
    joined["difference"] = (joined["test_accuracy"] - joined["reference"]).where(
        joined["activation"] != REFERENCE_ACTIVATION
    )
    difference = summarise(joined, "difference", BY).set_index(BY)[["mean", *bounds]]
    named = [
        frame.rename(columns={"mean": mean, "ci_low": f"{prefix}_ci_low", "ci_high": f"{prefix}_ci_high"})
        for frame, mean, prefix in (
            (accuracy, "test_accuracy_mean", "accuracy"),
            (loss, "test_loss_mean", "loss"),
            (difference, "difference", "difference"),
        )
    ]
    return pd.concat(named, axis=1).reset_index()


def _shown(table: pd.DataFrame, summary: pd.DataFrame, differences: pd.DataFrame | None, style: Style) -> pd.DataFrame:
    amplitudes = sorted(table["amplitude"].unique())
    shown_amplitudes = [a for a in amplitudes if float(a).is_integer()] or amplitudes[:1]
    rows = []
    for row in summary.to_dict("records"):
        name = row["activation"]
        part = table[table["activation"] == name].set_index("amplitude")[MEAN].reindex(shown_amplitudes)
        cells = {f"a = {a:g}": formatting.interval(mean, low, high, 100) for a, mean, low, high in part.itertuples()}
        rows.append(
            {
                "Activation": style.labels[name],
                "n": row["n"],
                **cells,
                "mean": formatting.interval(row["mean"], row["ci_low"], row["ci_high"], 100),
                **comparisons.columns(differences, name, style.labels),
            }
        )
    return pd.DataFrame(rows)


def _losses(table: pd.DataFrame, style: Style) -> str:
    """The losses under the strongest noise: a network that is wrong more often may be less sure of it."""
    last = table[table["amplitude"] == table["amplitude"].max()].dropna(subset=["test_loss_mean"])
    losses = ", ".join(
        f"{formatting.escape_markdown(style.labels[row['activation']])} "
        f"{formatting.interval(row['test_loss_mean'], row['loss_ci_low'], row['loss_ci_high'])}"
        for row in last.sort_values("test_loss_mean").to_dict("records")
    )
    return (
        f"Accuracy is not all: the loss also says how sure the network is where it is wrong. At a = "
        f"{table['amplitude'].max():g} the mean losses (geometric) are {losses}."
    )


def _answer(summary: pd.DataFrame, differences: pd.DataFrame | None, style: Style) -> str:
    done = summary.dropna(subset=["mean"]).sort_values("mean", ascending=False)
    means = ", ".join(
        f"{formatting.escape_markdown(style.labels[name])} {formatting.percent(mean)}"
        for name, mean in zip(done["activation"], done["mean"], strict=True)
    )
    first = f"With noise on the test images the mean accuracies over the amplitudes are {means}."
    return first if differences is None else f"{first} {comparisons.verdict(differences, style.labels)}"


def _picture(table: pd.DataFrame, noisy: pd.DataFrame, style: Style) -> Picture:
    names = table["activation"].unique()
    has_reference = REFERENCE_ACTIVATION in names and len(names) > 1
    label = style.label(REFERENCE_ACTIVATION) if has_reference else None
    caption = (
        "Accuracy and loss under noise: mean and 95% interval over seeds, every run a small point. "
        + "The middle panel shows the paired differences, which the curves are too close to show. " * has_reference
        + "Look for where accuracy begins to fall, and whether the order there is that of the clean images."
    )
    return Picture(NAME, caption, figures.noise_response(table, noisy, style, label))


def _judgements(overall: pd.DataFrame) -> list[Judgement]:
    """P2, where both of its activations are there."""
    wide = overall.set_index(["seed", "activation"])[METRIC].unstack()  # noqa: PD010 - a pivot_table drops arms
    if not set(NOISE_CLAIM) <= set(wide.columns):
        return []
    first, second = NOISE_CLAIM
    found = mean_interval((wide[first] - wide[second]).dropna())
    return [judge("P2", "accuracy", found, "on the article's network, not the paper's 8x128")]
