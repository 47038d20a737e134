"""At which depth does each activation stop learning, and is the reason the vanishing gradient?

Networks of 1 to 50 hidden layers (SGD: 1 to 20) of 100 units are trained for 480 updates, by Adam and by SGD. They have
Keras' default initialisation. Further networks, on more seeds and of two widths, are measured at initialisation and
not trained. The error of a layer is the norm of the loss gradient with respect to its pre-activations.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from study import figures
from study.analysis import summaries, theory_gaps, trainability
from study.constants import (
    DEPTH_EPOCHS,
    DEPTH_OPTIMIZERS,
    DEPTH_UPDATES,
    DEPTHS,
    INITIAL_DEPTHS,
    INITIAL_SEEDS,
    INITIAL_WIDTHS,
    PROFILE_DEPTH,
    QUICK_SEEDS,
    WIDTH,
)
from study.engine.program_kind import INITIAL_ERRORS
from study.figures.drawing import Drawing
from study.figures.style import Style
from study.plan import Plan
from study.records import frames, selection
from study.records.frames import measures_frame, runs_frame
from study.records.store import Record
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "depth"
QUICK_DEPTHS = (1, 20)
# With 3 seeds, the range of trained depths varied with the seeds. With an odd number, the median depth is on the grid.
DEPTH_SEEDS = 5
SGD_DEEPEST = 20  # hidden layers; SGD fails to train far shallower networks, and deeper ones would double its time
SIMILARITY_DEPTHS = (10, 20)  # hidden layers of the networks whose images are compared in a figure
ALIKE_COSINE = 0.99  # from this mean cosine of two images' pre-activations on, the images count as alike
DIFFERENT_COSINE = 0.9  # below this mean cosine, images count as clearly different
OPTIMIZER_NAMES = {"adam": "Adam", "sgd": "SGD"}


def seed_count(plan: Plan) -> int:
    """Return how many paired seeds `plan` trains at every depth."""
    return plan.seeds or (QUICK_SEEDS if plan.is_quick else DEPTH_SEEDS)


def depths(plan: Plan, optimizer: str = "adam", grid: tuple[int, ...] = DEPTHS) -> tuple[int, ...]:
    """Return the numbers of hidden layers in `grid` that `plan` runs with `optimizer`.

    SGD trains none deeper than SGD_DEEPEST. If `plan` is a quick look, QUICK_DEPTHS take the place of `grid`.
    """
    deepest = SGD_DEEPEST if optimizer == "sgd" else max(grid)
    return tuple(depth for depth in (QUICK_DEPTHS if plan.is_quick else grid) if depth <= deepest)


def optimizers(plan: Plan) -> tuple[tuple[str, float], ...]:
    """Return (optimiser, learning rate) of each optimiser; in a quick look only SGD, which depth affects most."""
    return DEPTH_OPTIMIZERS[1:] if plan.is_quick else DEPTH_OPTIMIZERS


def trained_networks(plan: Plan) -> list[Settings]:
    """Return the settings of all networks to train: every activation, optimiser, depth and seed of the plan."""
    return [
        Settings(
            activation=name, seed=seed, depth=depth, width=WIDTH, optimizer=optimizer, learning_rate=rate,
            epochs=DEPTH_EPOCHS, patience=None,
        )
        for name in plan.activations
        for optimizer, rate in optimizers(plan)
        for depth in depths(plan, optimizer)
        for seed in plan.block(seed_count(plan))
    ]  # fmt: skip


def initial_networks(plan: Plan) -> list[Settings]:
    """Return the settings of the networks measured only at initialisation: every activation, width, depth and seed."""
    count = max(plan.seeds or 0, QUICK_SEEDS if plan.is_quick else INITIAL_SEEDS)
    return [
        Settings(activation=name, seed=seed, depth=depth, width=width, epochs=0)
        for name in plan.activations
        for width in INITIAL_WIDTHS
        for depth in depths(plan, grid=INITIAL_DEPTHS)
        for seed in plan.block(count)
    ]


def preactivations(plan: Plan, records: Sequence[Record]) -> dict[Settings, tuple[int, ...]]:
    """Return {settings: steps}: the runs whose pre-activations are to be measured, each with the steps to measure at.

    These are the trained and finished float32 runs among `records` on the first seed of `plan`. A step is a number of
    updates: 0, DEPTH_UPDATES and, in plain networks of FOLLOWED_DEPTHS, FOLLOWED_STEPS, as far as they were logged.
    """
    found = {}
    for record in records:
        has, result = selection.settings_of(record), record["result"]
        is_measured = has["seed"] == plan.first_seed and has["epochs"] and has["precision"] == "float32"
        if is_measured and result["status"] == "done":
            is_followed = has["depth"] in trainability.FOLLOWED_DEPTHS and frames.variant(has) == "plain"
            shown = (0, *(trainability.FOLLOWED_STEPS if is_followed else ()), DEPTH_UPDATES)
            found[Settings(**has)] = tuple(step for step in result["measures"]["step"] if step in shown)
    return found


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Return the settings of one round, trained and then untrained networks; none if there are records `so_far`."""
    return [] if so_far else [*trained_networks(plan), *initial_networks(plan)]


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Return the section: norms by layer, accuracy against depth, and the untrained networks beside theory.

    The table `adam_updates` has the update_ratio of layer 1 at the end of training by Adam, by activation and depth.
    """
    runs, measures = runs_frame(records), measures_frame(records)
    trained_runs = runs[runs["epochs"] > 0]
    untrained = measures[measures["precision"] == INITIAL_ERRORS]  # these networks have more seeds
    predicted = trainability.joined_predictions(plan.theory[name]["rows"] for name in plan.activations)
    norms = summaries.gradient_norms(measures, NAME)
    is_last = (norms["measure"] == "update_ratio") & (norms["step"] == DEPTH_UPDATES) & (norms["layer"] == 1)
    theory = trainability.beside_theory(untrained, predicted)
    gaps = theory_gaps.gaps(untrained, predicted)
    tables = {
        "gradient_norms": _kept_norms(norms),
        "adam_updates": norms[is_last & (norms["optimiser"] == "adam") & (norms["precision"] == "float32")],
        "theory": theory,
        "theory_layers": trainability.missed_layers(theory),
        "theory_gaps": gaps.assign(experiment=NAME),
        "theory_gaps_by_width": theory_gaps.sizes_by_width(gaps),
        "theory_gap_causes": theory_gaps.causes(untrained, predicted),
        "shrink_factors": trainability.shrink_factors(untrained, predicted).assign(experiment=NAME),
        "similarity": trainability.similarity(measures, predicted, DEPTH_UPDATES).assign(experiment=NAME),
        "trainable_depth": trainability.trainable_depth(trained_runs).assign(experiment=NAME),
        "depth_success": trainability.success(trained_runs).assign(experiment=NAME),
    }
    return Section(PAGE, tables, _figures(plan, norms, trained_runs, tables, style), _protocol(plan))


def _protocol(plan: Plan) -> dict[str, object]:
    """Return the settings that the page names: depths, optimisers, seeds, and from which cosine on images are alike."""
    return {
        "depths": depths(plan),
        "sgd_depths": depths(plan, "sgd"),
        "similarity_depth": min(set(SIMILARITY_DEPTHS) & set(depths(plan))),
        "alike": ALIKE_COSINE,
        "different": DIFFERENT_COSINE,
        "deepest": max(depths(plan)),
        "profile": _profile_depth(plan),
        "optimizers": [{"key": name, "name": OPTIMIZER_NAMES[name], "rate": rate} for name, rate in optimizers(plan)],
        "seeds": seed_count(plan),
    }


def _profile_depth(plan: Plan) -> int:
    """Return the depth of the networks of `plan` that the figures show layer by layer."""
    return max(depth for depth in depths(plan) if depth <= PROFILE_DEPTH)


def _kept_norms(norms: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `norms` that the report keeps: `trainability.thinned_norms`, and the rows of the heat map.

    The heat map needs the errors after every logged update in networks of PROFILE_DEPTH layers under SGD.
    """
    is_profile = (norms["depth"] == PROFILE_DEPTH) & (norms["measure"] == "error") & (norms["optimiser"] == "sgd")
    return pd.concat([trainability.thinned_norms(norms, DEPTH_UPDATES), norms[is_profile]]).drop_duplicates()


def _figures(
    plan: Plan, norms: pd.DataFrame, runs: pd.DataFrame, tables: dict[str, pd.DataFrame], style: Style
) -> dict[str, Drawing]:
    """Return {file name: drawing} for the page, from all `norms`, the trained `runs` and the section's `tables`."""
    deep = norms[
        (norms["depth"] == _profile_depth(plan))
        & (norms["width"] == WIDTH)
        & (norms["precision"] != INITIAL_ERRORS)
        & (norms["optimiser"] == "sgd")
    ]
    theory = tables["theory"][tables["theory"]["quantity"] == "error_norm_ratio"]
    errors = theory[(theory["depth"] == _profile_depth(plan)) & (theory["width"] == WIDTH)]
    similarity = tables["similarity"]
    is_shown = (similarity["when"] == "initial") | (similarity["optimiser"] == optimizers(plan)[0][0])
    is_shown &= similarity["depth"].isin(SIMILARITY_DEPTHS)
    means, dashes = (
        rows.assign(panel=rows["optimiser"].map(OPTIMIZER_NAMES) + rows["learning_rate"].map(" at {:g}".format))
        for rows in (tables["depth_success"], runs.assign(value=runs["best_validation_accuracy"]))
    )
    return {
        "depth_errors": figures.errors_beside_theory(errors, style),
        "depth_side_by_side": figures.norms_side_by_side(deep, style),
        "depth_similarity": figures.similarity_by_layer(similarity[is_shown], style),
        "depth_accuracy": figures.accuracy_against_depth(means, style, dashes),
        "depth_heat": figures.error_heat_map(deep[deep["measure"] == "error"], style),
    }
