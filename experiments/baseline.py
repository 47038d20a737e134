"""The article's protocol to the letter, over paired seeds: does the choice of activation matter there, and by how much?

784-100-100-100-10, Keras' defaults, Adam at 0.01, batches of 100, early stopping on the validation loss with patience
10, last weights kept: Settings' own defaults.
"""

from collections.abc import Sequence

import pandas as pd

from study import figures
from study.analysis import comparisons, summaries
from study.analysis.claims import Judgement, judge
from study.analysis.statistics import Interval, mean_interval, rate_summary
from study.constants import (
    ARTICLE_ACCURACY,
    CHANCE_LEVEL,
    NOISE_AMPLITUDES,
    QUICK_EPOCHS,
    QUICK_SEEDS,
    REFERENCE_ACTIVATION,
    SEEDS,
    SPARSITY_CLAIM,
)
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import history_frame, measures_frame, runs_frame
from study.records.store import Record
from study.report import formatting as fmt
from study.report.section import Display, Picture, Section
from study.settings import Settings

TITLE = "The article's network"
NAME = "baseline"
METRIC = "test_accuracy"
BEST_WEIGHTS = "baseline_best"  # the same comparison by the weights of the lowest validation loss
UNITS = ("dead_units", "saturation", "sparsity")  # the shares shown as they are at the end of training


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """One round: every activation with every seed. Seeds come last, so that a first look covers every activation."""
    if so_far:
        return []
    seeds = plan.seeds or (QUICK_SEEDS if plan.is_quick else SEEDS)
    epochs = QUICK_EPOCHS if plan.is_quick else Settings.epochs
    noise = () if plan.is_quick else NOISE_AMPLITUDES
    return [
        Settings(activation=name, seed=seed, epochs=epochs, noise=noise)
        for name in plan.activations
        for seed in range(seeds)
    ]


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Accuracies with intervals, paired differences from ReLU, curves and gradient norms; A2 and A5."""
    runs, history = runs_frame(records), history_frame(records)
    measures = measures_frame(records)
    norms = summaries.gradient_norms(measures, NAME)
    accuracy, outcomes = summaries.accuracy(runs, NAME), _outcomes(runs)
    differences = comparisons.against_reference(runs, NAME, METRIC)
    of_best = comparisons.against_reference(runs, BEST_WEIGHTS, f"best_{METRIC}")
    finished = runs.loc[runs["status"] == "done", ["activation", "seed"]]
    units = summaries.final_shares(measures.merge(finished), NAME)
    section_tables = {
        "accuracy": accuracy,
        "runs": runs.assign(experiment=NAME)[["experiment", *runs.columns]],
        "gradient_norms": norms,
        "history": history.assign(experiment=NAME),
        "outcomes": outcomes,
        "final_units": units,
        **({} if differences is None or of_best is None else {"comparisons": pd.concat([differences, of_best])}),
    }
    blocks: list[str | Display | Picture] = [
        _protocol(runs, plan),
        Display(
            "Test accuracy on the 10,000 test images, in percent, with 95% t intervals over seeds.",
            _shown(accuracy, differences, style),
            NAME,
        ),
        _by_best(of_best, style),
        _article(accuracy, runs, style),
        _worst(outcomes),
        *_pictures(runs, accuracy, history, norms, style),
        Display(
            "The hidden layers at the end of training: shares of units or entries, in percent, mean over the layers of "
            "a network, 95% t intervals over seeds.",
            _shown_units(units, style),
            "final_units",
        ),
    ]
    judgements = _judgements(plan, runs, units)
    return Section(TITLE, _answer(accuracy, differences, style), blocks, section_tables, judgements)


def _by_best(differences: pd.DataFrame | None, style: Style) -> str:
    """The same tests of the weights that the tuned comparison uses."""
    if differences is None:
        return ""
    return (
        "The differences and p in the table are of the last weights, as the article has it. By the weights of the "
        f"lowest validation loss: {comparisons.verdict(differences, style.labels)}"
    )


def _outcomes(runs: pd.DataFrame) -> pd.DataFrame:
    """One row an activation and outcome: n, count, rate and its exact interval of the runs that ended so.

    "diverged"; "at_chance", which never learnt; "below_article", whose test accuracy is less than the article's.
    """
    found = {
        "diverged": runs["status"] == "diverged",
        "at_chance": (runs["status"] == "done") & (runs["best_validation_accuracy"] < CHANCE_LEVEL),
        "below_article": runs[METRIC] < ARTICLE_ACCURACY,
    }
    parts = [rate_summary(runs.assign(event=event), "event", "activation") for event in found.values()]
    table = pd.concat([part.assign(outcome=name) for name, part in zip(found, parts, strict=True)], ignore_index=True)
    return table.assign(experiment=NAME)[
        ["experiment", "activation", "outcome", "n", "count", "rate", "ci_low", "ci_high"]
    ]


def _judgements(plan: Plan, runs: pd.DataFrame, units: pd.DataFrame) -> list[Judgement]:
    """A2 and A5's accuracy, each part where its activation is there."""
    remark = f"a quick look: {QUICK_EPOCHS} epochs" if plan.is_quick else ""
    found = []
    sparsity = units[units["measure"] == "sparsity"].set_index("activation")
    for part, name in SPARSITY_CLAIM.items():
        if name in sparsity.index:
            row = sparsity.loc[name]
            measured = Interval(row["mean"], row["ci_low"], row["ci_high"], int(row["n"]))
            found.append(judge("A2", part, measured, remark or "mean over the three hidden layers"))
    accuracies = runs.loc[runs["activation"] == REFERENCE_ACTIVATION, METRIC].dropna()
    if len(accuracies):
        found.append(judge("A5", "accuracy", mean_interval(accuracies), remark))
    return found


def _shown(accuracy: pd.DataFrame, differences: pd.DataFrame | None, style: Style) -> pd.DataFrame:
    rows = [
        {
            "Activation": style.labels[row["activation"]],
            "n": row["n"],
            "diverged": row["diverged"],
            "last weights": fmt.interval(row["test_accuracy_mean"], row["ci_low"], row["ci_high"], 100),
            "best validation": fmt.interval(
                row["best_test_accuracy_mean"], row["best_ci_low"], row["best_ci_high"], 100
            ),
            "epochs": f"{row['epochs_mean']:.1f}",
            **comparisons.columns(differences, row["activation"], style.labels),
        }
        for row in accuracy.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _shown_units(units: pd.DataFrame, style: Style) -> pd.DataFrame:
    rows = []
    for name, part in units.groupby("activation", sort=False):
        shown = {"Activation": style.labels[str(name)], "n": int(part["n"].max())}
        for row in part[part["measure"].isin(UNITS)].to_dict("records"):
            shown[row["measure"].replace("_", " ")] = fmt.interval(row["mean"], row["ci_low"], row["ci_high"], 100)
        rows.append(shown)
    return pd.DataFrame(rows).fillna(fmt.DASH)


def _answer(accuracy: pd.DataFrame, differences: pd.DataFrame | None, style: Style) -> str:
    """Two sentences, computed: the means in order, and what the paired tests support."""
    done = accuracy[accuracy["n"] > 0].sort_values("test_accuracy_mean", ascending=False)
    if done.empty:
        return "Every run diverged. There is nothing to compare."
    means = ", ".join(
        f"{_label(style, name)} {fmt.percent(mean)}"
        for name, mean in zip(done["activation"], done["test_accuracy_mean"], strict=True)
    )
    first = f"In the article's own network the mean test accuracies are {means} (n = {_span(done['n'])} seeds each)."
    return first if differences is None else f"{first} {comparisons.verdict(differences, style.labels)}"


def _span(counts: "pd.Series[int]") -> str:
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low} to {high}"


def _protocol(runs: pd.DataFrame, plan: Plan) -> str:
    stopping = f"{QUICK_EPOCHS} epochs only (a quick look)" if plan.is_quick else "early stopping with patience 10"
    return (
        "784-100-100-100-10, Keras' default initialisation, Adam at 0.01, batches of 100, 48,000 images to train on "
        f"and 12,000 to validate, {stopping}. Seeds are paired: a seed is one split, one batch order and, layer by "
        "layer, one draw of initial weights for every activation. The article keeps the last weights, so that is the "
        "accuracy compared; the accuracy of the weights with the lowest validation loss stands beside it."
    )


def _article(accuracy: pd.DataFrame, runs: pd.DataFrame, style: Style) -> str:
    """Where the article's single figure falls among the reference's seeds."""
    found = runs.loc[(runs["activation"] == REFERENCE_ACTIVATION), METRIC].dropna()
    if found.empty:
        return ""
    below = int((found < ARTICLE_ACCURACY).sum())
    row = accuracy.set_index("activation").loc[REFERENCE_ACTIVATION]
    return (
        f"The article's {fmt.percent(ARTICLE_ACCURACY)} for {_label(style, REFERENCE_ACTIVATION)}, from one run: "
        f"{below} of {len(found)} seeds here end below it and {len(found) - below} at or above it "
        f"(lowest {fmt.percent(row['test_accuracy_min'])}, highest {fmt.percent(row['test_accuracy_max'])})."
    )


def _worst(outcomes: pd.DataFrame) -> str:
    """How many runs diverged or stayed at chance, and how high an unseen rate may still be."""
    counts = outcomes.groupby("outcome")["count"].sum()
    is_unseen = (outcomes["count"] == 0) & outcomes["outcome"].isin(["diverged", "at_chance"])
    bound = outcomes.loc[is_unseen, "ci_high"].max()
    text = f"Of {_span(outcomes['n'])} runs an activation, {counts['diverged']} diverged and {counts['at_chance']} "
    text += f"stayed at chance (best validation accuracy under {fmt.percent(CHANCE_LEVEL, 0)}), all together"
    unseen = f"; where none did, the rate may still be up to {fmt.percent(bound, 0)} (exact binomial 95% interval)"
    return f"{text}{unseen if bound == bound else ''}."


def _pictures(
    runs: pd.DataFrame, accuracy: pd.DataFrame, history: pd.DataFrame, norms: pd.DataFrame, style: Style
) -> list[Picture]:
    reference = f"article: {fmt.percent(ARTICLE_ACCURACY)}"
    return [
        Picture(
            "baseline_accuracy",
            "Test accuracy of every run (small points) and the mean with its 95% interval. The spread over seeds is of "
            "the size of the differences between activations; the article's figure is one draw from such a spread.",
            figures.test_accuracy(runs, accuracy, style, ARTICLE_ACCURACY, reference),
        ),
        Picture(
            "baseline_training",
            "Loss and validation accuracy by epoch, mean and 95% interval over seeds, drawn while every seed still "
            "runs. Look for how soon each curve flattens, and for the validation loss that turns upwards.",
            figures.training_curves(history, style),
        ),
        Picture(
            "baseline_gradients_initial",
            "The three norms by layer at initialisation, before any training (geometric mean over seeds). The error "
            "signal is what vanishes; the weight gradient alone hides part of it, for it also holds the layer's input.",
            figures.gradient_norms_by_layer(norms, style),
        ),
        Picture(
            "baseline_gradients_training",
            "The same norms over training. Look at how the first layer's lag behind the last layer's at the start, and "
            "whether the gap closes once the network has learnt.",
            figures.gradient_norms_over_training(norms, style),
        ),
        Picture(
            "baseline_units",
            "Shares of dead units, saturated entries and exact zeros on 1,000 validation images, over training. A "
            "smooth activation's exact zeros are rounding: in float32, GELU is 0 once its normal probability rounds "
            "to 0.",
            figures.unit_measures(norms, style),
        ),
    ]


def _label(style: Style, name: str) -> str:
    """The activation's label in running text."""
    return fmt.escape_markdown(style.labels[name])
