"""Do gradients vanish because of the activation or its initialisation? Each activation has three initialisations.

The initialisations are glorot_uniform (Keras' default), he_normal and critical. Critical draws Gaussian weights and
biases at the activation's critical point. This is the point (sigma_w, sigma_b) at which, in mean field theory, errors
neither shrink nor grow from layer to layer. Some activations have no critical point. Networks and updates are as in
`depth`, and the optimiser is Adam. No published comparison separates the two influences.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from experiments.depth import preactivations as preactivations  # is called with the records of this module
from experiments.depth import seed_count, trained_networks
from study import figures
from study.analysis import paired_arms, summaries, trainability
from study.constants import DEPTH_EPOCHS, DEPTH_OPTIMIZERS, DEPTH_UPDATES, INITIAL_DEPTHS, INITIALIZATIONS, WIDTH
from study.figures.drawing import Drawing
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import measures_frame, runs_frame
from study.records.store import Record
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "initialization"
OPTIMIZER, RATE = DEPTH_OPTIMIZERS[0]
ACCURACY = "best_validation_accuracy"
# Titles of panels, and of columns on the page.
TITLES = dict(zip(INITIALIZATIONS, ("Keras' default", "He's", "its own (critical)"), strict=True))


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Return the settings of one round: each activation, initialisation, depth and seed of `plan`.

    A quick look has no round. The runs under the default initialisation are runs of `depth` too. An activation without
    a critical point has no runs with the initialisation `critical`.
    """
    if so_far or plan.is_quick:
        return []
    shared = [run for run in trained_networks(plan) if run.optimizer == OPTIMIZER and run.depth in INITIAL_DEPTHS]
    scales = {  # sigma_w, sigma_b and first_square; None without a critical point
        (name, init): plan.theory[name]["critical"] if init == "critical" else {}
        for name in plan.activations
        for init in INITIALIZATIONS[1:]
    }
    own = [
        Settings(
            activation=name, seed=seed, depth=depth, width=WIDTH, initialization=init, optimizer=OPTIMIZER,
            learning_rate=RATE, epochs=DEPTH_EPOCHS, patience=None, **of_init,
        )
        for (name, init), of_init in scales.items()
        if of_init is not None
        for depth in INITIAL_DEPTHS
        for seed in plan.block(seed_count(plan))
    ]  # fmt: skip
    return [*shared, *own]


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Compare how deep networks train and how errors shrink per layer, by activation and initialisation.

    The tables `gradient_norms` and `theory` leave out the default initialisation, because `depth` has it too.
    """
    runs, measures = runs_frame(records), measures_frame(records)
    predicted = trainability.joined_predictions(plan.theory[name]["rows"] for name in plan.activations)
    theory = trainability.beside_theory(measures, predicted)
    norms = trainability.thinned_norms(summaries.gradient_norms(measures, NAME), DEPTH_UPDATES)
    tables = {
        "gradient_norms": norms[norms["init"] != INITIALIZATIONS[0]],
        "theory": theory[theory["init"] != INITIALIZATIONS[0]],
        "shrink_factors": trainability.shrink_factors(measures, predicted).assign(experiment=NAME),
        "trainable_depth": trainability.trainable_depth(runs).assign(experiment=NAME),
        "depth_success": trainability.success(runs).assign(experiment=NAME),
        "critical_points": _critical_points(plan),
        "initialization_effects": _effects(runs),
    }
    protocol = {
        "optimizer": OPTIMIZER.title(),
        "rate": RATE,
        "seeds": seed_count(plan),
        "deepest": max(INITIAL_DEPTHS),
        "titles": TITLES,
    }
    return Section(
        PAGE, tables, _figures(runs, tables["depth_success"], tables["critical_points"], plan, style), protocol
    )


def _effects(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per activation and initialisation except the default, for the deepest networks of `runs`.

    The difference is the mean over paired seeds of the validation accuracy minus the accuracy under the default.
    """
    deepest = runs[(runs["depth"] == runs["depth"].max()) & (runs["status"] == "done")]
    rows = []
    for (name, init), part in deepest.groupby(["activation", "init"], sort=False):
        if init != INITIALIZATIONS[0]:
            default = paired_arms.arm(deepest, ACCURACY, activation=name, init=INITIALIZATIONS[0])
            found = paired_arms.difference(part.set_index("seed")[ACCURACY], default)
            rows.append((name, init, part["depth"].iloc[0], found.estimate, found.low, found.high, found.n))
    return pd.DataFrame(rows, columns=["activation", "init", "depth", "difference", "ci_low", "ci_high", "n"])


def _critical_points(plan: Plan) -> pd.DataFrame:
    """Return one row per activation of `plan`: sigma_w and sigma_b of its critical point, first_square and why_none.

    `first_square` is the mean of z^2 in layer 1. Without a critical point, numbers are NaN and `why_none` says why.
    """
    none = {"sigma_w": float("nan"), "sigma_b": float("nan"), "first_square": float("nan")}
    rows = [
        {"activation": name, **(plan.theory[name]["critical"] or none), "why_none": plan.theory[name]["why_none"]}
        for name in plan.activations
    ]
    return pd.DataFrame(rows).astype(dict.fromkeys(none, float))


def _figures(
    runs: pd.DataFrame, success: pd.DataFrame, points: pd.DataFrame, plan: Plan, style: Style
) -> dict[str, Drawing]:
    """Return {file name: drawing}, from the frame `runs` and the tables `depth_success` and `critical_points`."""
    dashes = runs.assign(panel=runs["init"].map(TITLES), value=runs[ACCURACY])
    points = points[["activation", "sigma_w", "sigma_b"]].dropna()
    lines = [pd.DataFrame(plan.theory[name]["line"]).assign(activation=name) for name in plan.activations]
    return {
        "initialization_accuracy": figures.accuracy_against_depth(
            success.assign(panel=success["init"].map(TITLES)), style, dashes
        ),
        "initialization_critical": figures.critical_lines(pd.concat(lines, ignore_index=True), points, style),
    }
