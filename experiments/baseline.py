"""Does the choice of activation matter in the article's protocol, and by how much?

All activations run on the same seeds. The protocol is the defaults of `Settings`. A network with three hidden layers of
100 units and Keras' default initialisation is trained by Adam, at learning rate 0.01, in batches of 100 images.
Training stops early on the validation loss, with patience 10. The last weights are evaluated.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from study import figures
from study.analysis import comparisons, paired_arms, summaries
from study.analysis.claims import Judgement, judge
from study.analysis.statistics import Interval, mean_interval, share_summary
from study.constants import (
    ARTICLE_ACCURACY,
    FIRST_FRESH_SEED,
    QUICK_EPOCHS,
    QUICK_SEEDS,
    REFERENCE_ACTIVATION,
    SEEDS,
    SPARSITY_CLAIM,
    WITHOUT_ZEROS,
)
from study.figures.drawing import Drawing
from study.figures.style import Style
from study.plan import Plan
from study.records import selection
from study.records.frames import history_frame, measures_frame, runs_frame
from study.records.store import Record
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "baseline"
METRIC = "test_accuracy"
BEST_WEIGHTS = "baseline_best"  # the name of the comparison with the weights of the lowest validation loss


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Return the settings of one round: every activation of `plan` on every seed; none if there are records `so_far`.

    If `plan` has the reference and is not a quick look, WITHOUT_ZEROS runs too, because claim A2 compares the two.
    """
    has_zeros = REFERENCE_ACTIVATION in plan.activations and not plan.is_quick
    names = dict.fromkeys([*plan.activations, WITHOUT_ZEROS]) if has_zeros else plan.activations
    return [] if so_far else run_settings(plan, names)


def run_settings(plan: Plan, names: Iterable[str]) -> list[Settings]:
    """Return the settings of the activations `names` on every seed of `plan`, with fewer epochs in a quick look."""
    seeds = plan.seeds or (QUICK_SEEDS if plan.is_quick else SEEDS)
    epochs = QUICK_EPOCHS if plan.is_quick else Settings.epochs
    return [
        Settings(activation=name, seed=seed, epochs=epochs)
        for name in names
        for seed in plan.block(seeds, FIRST_FRESH_SEED)
    ]


def preactivations(plan: Plan, records: Sequence[Record]) -> dict[Settings, tuple[int, ...]]:
    """Return {settings: logged steps} at which to measure pre-activations: finished runs on the first fresh seed."""
    first = plan.block(1, FIRST_FRESH_SEED)[0]
    return {
        Settings(**selection.settings_of(record)): tuple(record["result"]["measures"]["step"])
        for record in records
        if selection.settings_of(record)["seed"] == first and record["result"]["status"] == "done"
    }


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Compare accuracies with the reference's, show curves and norms, and judge A2 and the part `accuracy` of A5.

    Runs of an activation that `plan` does not compare are in the table `zeros` alone. The rows of the experiment
    BEST_WEIGHTS compare the weights of the lowest validation loss.
    """
    all_runs = runs_frame(records)
    records = [record for record in records if record["identity"]["settings"]["activation"] in plan.activations]
    runs, history, measures = runs_frame(records), history_frame(records), measures_frame(records)
    norms = summaries.gradient_norms(measures, NAME)
    accuracy, outcomes = summaries.accuracy(runs, NAME), _outcome_shares(runs)
    finished = runs.loc[runs["status"] == "done", ["activation", "seed"]]
    of_units = summaries.final_units(measures.merge(finished), NAME)
    units, zeros = of_units["final_units"], _zero_intervals(all_runs, of_units["final_units_runs"])
    section_tables = {
        "accuracy": accuracy,
        "gradient_norms": norms,
        "history": history.assign(experiment=NAME),
        "outcomes": outcomes,
        **of_units,
        **({"zeros": pd.DataFrame([{"quantity": key, **zeros[key].columns()} for key in zeros])} if zeros else {}),
        **comparisons.family_tables({NAME: (runs, METRIC), BEST_WEIGHTS: (runs, f"best_{METRIC}")}),
    }
    pictures = _pictures(runs, accuracy, history, norms, style)
    protocol = {"is_quick": plan.is_quick, "epochs": QUICK_EPOCHS, "without_zeros": WITHOUT_ZEROS}
    return Section(PAGE, section_tables, pictures, protocol, _judgements(plan, runs, units, zeros))


def _outcome_shares(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per activation and outcome: n (all runs), count, and share with its exact binomial interval.

    The outcomes are the keys of `summaries.bad_outcomes`, and "below_article": a test accuracy below ARTICLE_ACCURACY.
    """
    found = {**summaries.bad_outcomes(runs), "below_article": runs[METRIC] < ARTICLE_ACCURACY}
    parts = [share_summary(runs.assign(event=event), "event", "activation") for event in found.values()]
    table = pd.concat([part.assign(outcome=name) for name, part in zip(found, parts, strict=True)], ignore_index=True)
    return table.assign(experiment=NAME)[
        ["experiment", "activation", "outcome", "n", "count", "share", "ci_low", "ci_high"]
    ]


def _zero_intervals(runs: pd.DataFrame, units: pd.DataFrame) -> dict[str, Interval]:
    """Return {quantity: mean over seeds with its t interval} for two quantities about the reference's exact zeros.

    The quantity "accuracy" is the test accuracy of the reference minus the accuracy of WITHOUT_ZEROS on the same seed.
    The quantity "dead" is the share of the zeros that belong to dead units. It is dead units over zeros in `units`, the
    table `final_units_runs`, because a dead ReLU unit is 0 for every probe image and the layers are equally wide. A
    quantity without a run is left out.
    """
    found, names = {}, (REFERENCE_ACTIVATION, WITHOUT_ZEROS)
    reference, without = (paired_arms.arm(runs, METRIC, activation=name) for name in names)
    if len(reference) and len(without):
        found["accuracy"] = paired_arms.difference(reference, without)
    dead, zero = (
        paired_arms.arm(units, "layers_mean", activation=REFERENCE_ACTIVATION, measure=measure)
        for measure in ("dead_units", "sparsity")
    )
    if len(zero):
        found["dead"] = mean_interval((dead / zero)[zero > 0], is_share=True)
    return found


def _judgements(plan: Plan, runs: pd.DataFrame, units: pd.DataFrame, zeros: Mapping[str, Interval]) -> list[Judgement]:
    """Judge what was measured of A2, by `_zero_intervals` and the table `final_units`, and of A5, by the accuracy."""
    shorter = f"a quick look: {QUICK_EPOCHS} epochs" if plan.is_quick else ""
    found = []
    sparsity = units[units["measure"] == "sparsity"].set_index("activation")
    for part, name in SPARSITY_CLAIM.items():
        if name in sparsity.index:
            mean, low, high, n = sparsity.loc[name, ["mean", "ci_low", "ci_high", "n"]]
            measured = Interval(mean, low, high, int(n))
            found.append(judge("A2", part, measured, "mean over the three hidden layers", shorter))
    if "accuracy" in zeros:
        found.append(judge("A2", "zeros", zeros["accuracy"], scaled_down=shorter))
    accuracies = runs.loc[runs["activation"] == REFERENCE_ACTIVATION, METRIC].dropna()
    if len(accuracies):
        found.append(judge("A5", "accuracy", mean_interval(accuracies, is_share=True), scaled_down=shorter))
    return found


def _pictures(
    runs: pd.DataFrame, accuracy: pd.DataFrame, history: pd.DataFrame, norms: pd.DataFrame, style: Style
) -> dict[str, Drawing]:
    reference = f"article: {ARTICLE_ACCURACY:.2%}"
    return {
        "baseline_accuracy": figures.test_accuracy(runs, accuracy, style, ARTICLE_ACCURACY, reference),
        "baseline_training": figures.training_curves(history, style),
        "baseline_gradients_initial": figures.gradient_norms_by_layer(norms, style),
        "baseline_gradients_training": figures.gradient_norms_over_training(norms, style),
        "baseline_units": figures.unit_measures(norms, style),
    }
