"""The article's protocol to the letter, over paired seeds: does the choice of activation matter there, and by how much?

784-100-100-100-10, Keras' defaults, Adam at 0.01, batches of 100, early stopping on the validation loss with patience
10, last weights kept: Settings' own defaults.
"""

from collections.abc import Sequence

import pandas as pd

from study import figures, tables
from study.constants import ARTICLE_ACCURACY, EQUIVALENCE_MARGIN, QUICK_EPOCHS, QUICK_SEEDS, REFERENCE_ACTIVATION, SEEDS
from study.experiment import Display, Picture, Plan, Section
from study.records import Record, history_frame, measures_frame, runs_frame
from study.settings import Settings
from study.statistics import compare_with_reference
from study.style import Style

ORDER = 1
TITLE = "The article's network"
NAME = "baseline"


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """One round: every activation with every seed. Seeds come last, so that a first look covers every activation."""
    if so_far:
        return []
    seeds = plan.seeds or (QUICK_SEEDS if plan.is_quick else SEEDS)
    epochs = QUICK_EPOCHS if plan.is_quick else Settings.epochs
    return [Settings(activation=name, seed=seed, epochs=epochs) for name in plan.activations for seed in range(seeds)]


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Accuracies with intervals, paired differences from ReLU, curves and gradient norms."""
    runs, history = runs_frame(records), history_frame(records)
    norms = tables.gradient_norms(measures_frame(records), NAME)
    accuracy = tables.accuracy(runs, NAME)
    differences = _differences(runs)
    section_tables = {
        "accuracy": accuracy,
        "runs": runs.assign(experiment=NAME)[["experiment", *runs.columns]],
        "gradient_norms": norms,
        "history": history.assign(experiment=NAME),
        **({} if differences is None else {"comparisons": differences}),
    }
    blocks: list[str | Display | Picture] = [
        _protocol(runs, plan),
        Display(
            "Test accuracy on the 10,000 test images, in percent, with 95% t intervals over seeds.",
            _shown(accuracy, differences, style),
        ),
        _article(runs, style),
        *_pictures(runs, accuracy, history, norms, style),
    ]
    return Section(TITLE, _answer(accuracy, differences, style), blocks, section_tables)


def _differences(runs: pd.DataFrame) -> pd.DataFrame | None:
    """Paired differences in test accuracy from the reference, if it and another are there."""
    names = runs["activation"].unique()
    if REFERENCE_ACTIVATION not in names or len(names) < 2:
        return None
    found = compare_with_reference(
        runs, metric="test_accuracy", reference=REFERENCE_ACTIVATION, margin=EQUIVALENCE_MARGIN
    )
    found.insert(0, "experiment", NAME)
    found.insert(1, "metric", "test_accuracy")
    found.insert(3, "reference", REFERENCE_ACTIVATION)
    return found


def _shown(accuracy: pd.DataFrame, differences: pd.DataFrame | None, style: Style) -> pd.DataFrame:
    compared = {} if differences is None else differences.set_index("activation").to_dict("index")
    rows = []
    for row in accuracy.to_dict("records"):
        against = compared.get(row["activation"])
        shown = {
            "Activation": style.labels[row["activation"]],
            "n": row["n"],
            "diverged": row["diverged"],
            "last weights": tables.interval(row["test_accuracy_mean"], row["ci_low"], row["ci_high"], 100),
            "best validation": tables.interval(
                row["best_test_accuracy_mean"], row["best_ci_low"], row["best_ci_high"], 100
            ),
            "epochs": f"{row['epochs_mean']:.1f}",
        }
        if compared:
            label = style.labels[REFERENCE_ACTIVATION]
            shown[f"minus {label}, points"] = tables.DASH if against is None else _difference(against)
            shown["p (Holm)"] = tables.DASH if against is None else tables.probability(against["p_holm"])
        rows.append(shown)
    return pd.DataFrame(rows)


def _difference(row: dict[str, float]) -> str:
    return tables.interval(row["difference"], row["ci_low"], row["ci_high"], 100, signed=True)


def _answer(accuracy: pd.DataFrame, differences: pd.DataFrame | None, style: Style) -> str:
    """Two sentences, computed: the means in order, and what the paired tests support."""
    done = accuracy[accuracy["n"] > 0].sort_values("test_accuracy_mean", ascending=False)
    if done.empty:
        return "Every run diverged. There is nothing to compare."
    means = ", ".join(
        f"{_label(style, name)} {tables.percent(mean)}"
        for name, mean in zip(done["activation"], done["test_accuracy_mean"], strict=True)
    )
    first = f"In the article's own network the mean test accuracies are {means} (n = {_span(done['n'])} seeds each)."
    return first if differences is None else f"{first} {_verdict(differences, style)}"


def _verdict(differences: pd.DataFrame, style: Style) -> str:
    reference = _label(style, REFERENCE_ACTIVATION)
    differing = differences[differences["p_holm"] < 0.05]
    if differing.empty:
        widest = differences[["ci_low", "ci_high"]].abs().max(axis=None)
        return (
            f"No difference from {reference} is significant at this n (sign-flip test, Holm); "
            f"every interval lies within {100 * widest:.2f} points of it."
        )
    found = ", ".join(
        f"{_label(style, row['activation'])} ({_difference(row)} points)" for row in differing.to_dict("records")
    )
    others = len(differences) - len(differing)
    rest = f"; the other {others} cannot be told from it at this n" if others else ""
    return f"Different from {reference} beyond chance (sign-flip test, Holm, p < 0.05): {found}{rest}."


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


def _article(runs: pd.DataFrame, style: Style) -> str:
    """Where the article's single figure falls among the reference's seeds."""
    found = runs.loc[(runs["activation"] == REFERENCE_ACTIVATION), "test_accuracy"].dropna()
    if found.empty:
        return ""
    below = int((found < ARTICLE_ACCURACY).sum())
    return (
        f"The article's {tables.percent(ARTICLE_ACCURACY)} for {_label(style, REFERENCE_ACTIVATION)}, from one run: "
        f"{below} of {len(found)} seeds here end below it and {len(found) - below} at or above it "
        f"(lowest {tables.percent(found.min())}, highest {tables.percent(found.max())})."
    )


def _pictures(
    runs: pd.DataFrame, accuracy: pd.DataFrame, history: pd.DataFrame, norms: pd.DataFrame, style: Style
) -> list[Picture]:
    reference = f"article: {tables.percent(ARTICLE_ACCURACY)}"
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
    return tables.escape_markdown(style.labels[name])
