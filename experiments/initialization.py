"""Is it the activation or its initialisation that vanishes? Each activation under three initialisations, by depth.

glorot_uniform (Keras' default), he_normal, and the activation's own critical point, where theory has one; Adam, the
networks and updates of `depth`. No published comparison separates the two.
"""

from collections.abc import Sequence

import pandas as pd

from experiments.depth import depths, trained
from study import figures
from study.analysis import summaries, trainability
from study.constants import (
    DEPTH_EPOCHS,
    DEPTH_OPTIMIZERS,
    DEPTH_UPDATES,
    INITIALIZATION_SEEDS,
    INITIALIZATIONS,
    WIDTH,
)
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import measures_frame, runs_frame
from study.records.store import Record
from study.report import formatting
from study.report.section import Display, Picture, Section
from study.settings import Settings

TITLE = "Initialisation: the activation or its weights?"
NAME = "initialization"
OPTIMIZER, RATE = DEPTH_OPTIMIZERS[0]


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """One round, none in a quick look. The default initialisation's runs are those of `depth`, and are trained once."""
    if so_far or plan.is_quick:
        return []
    shared = [run for run in trained(plan) if run.optimizer == OPTIMIZER and run.seed < _seeds(plan)]
    return [*shared, *(_under(name, init, depth, seed, plan) for name, init, depth, seed in _grid(plan))]


def _seeds(plan: Plan) -> int:
    """Paired seeds at every depth."""
    return plan.seeds or INITIALIZATION_SEEDS


def _grid(plan: Plan) -> list[tuple[str, str, int, int]]:
    """Activation, initialisation, depth and seed; without `critical` for an activation that has no critical point."""
    return [
        (name, init, depth, seed)
        for name in plan.activations
        for init in INITIALIZATIONS[1:]
        if init != "critical" or plan.theory[name]["critical"] is not None
        for depth in depths(plan)
        for seed in range(_seeds(plan))
    ]


def _under(name: str, init: str, depth: int, seed: int, plan: Plan) -> Settings:
    scales = plan.theory[name]["critical"] if init == "critical" else {}
    return Settings(
        activation=name, seed=seed, depth=depth, width=WIDTH, initialization=init, optimizer=OPTIMIZER,
        learning_rate=RATE, epochs=DEPTH_EPOCHS, patience=None, **scales,
    )  # fmt: skip


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Trainable depth and factor per layer by activation and initialisation, and the critical points."""
    runs, measures = runs_frame(records), measures_frame(records)
    reached, success = trainability.trainable_depth(runs), trainability.success(runs)
    theory, shrink = trainability.beside_theory(measures, plan), trainability.shrink_factors(measures, plan)
    norms = trainability.thinned(summaries.gradient_norms(measures, NAME), DEPTH_UPDATES)
    depth = max(depths(plan))
    section_tables = {
        "runs": runs.assign(experiment=NAME)[["experiment", *runs.columns]],
        "gradient_norms": norms[norms["init"] != INITIALIZATIONS[0]],
        "theory": theory[theory["init"] != INITIALIZATIONS[0]],
        "shrink_factors": shrink.assign(experiment=NAME),
        "trainable_depth": reached.assign(experiment=NAME),
        "depth_success": success.assign(experiment=NAME),
        "critical_points": _critical_points(plan),
    }
    blocks: list[str | Display | Picture] = [
        f"The networks and updates of the section before, {OPTIMIZER.title()} at {RATE:g}, under "
        f"{len(INITIALIZATIONS)} initialisations, with {_seeds(plan)} paired seeds at every depth (of the default "
        "initialisation the first of that section's). The critical one is computed from the activation's function "
        "alone: the variances of weights and biases at which theory's error signal neither shrinks nor grows. The "
        "output layer keeps Keras' default.",
        Display("The critical initialisations, from theory.", _shown_points(plan, style), "critical_points"),
        Display(
            f"Factor per layer of the error's norm at initialisation, {depth} layers: geometric mean over seeds, 95% "
            "interval, and theory's.",
            _shown_factors(shrink[shrink["depth"] == depth], style),
            "initialization_factors",
        ),
        Display(
            "The deepest network that trained with all shallower ones: median over seeds, least and most.",
            _shown_depths(reached, style),
            "initialization_depths",
        ),
        *_pictures(success, plan, style),
    ]
    return Section(TITLE, _answer(reached, style), blocks, section_tables)


def _critical_points(plan: Plan) -> pd.DataFrame:
    none = {"sigma_w": float("nan"), "sigma_b": float("nan"), "first_square": float("nan")}
    rows = [
        {"activation": name, **(plan.theory[name]["critical"] or none), "why_none": plan.theory[name]["why_none"]}
        for name in plan.activations
    ]
    return pd.DataFrame(rows).astype(dict.fromkeys(none, float))


def _shown_points(plan: Plan, style: Style) -> pd.DataFrame:
    rows = []
    for row in _critical_points(plan).to_dict("records"):
        is_there = not row["why_none"]
        rows.append(
            {
                "Activation": style.labels[row["activation"]],
                "sigma_w": f"{row['sigma_w']:.3f}" if is_there else f"none: {row['why_none']}",
                "sigma_b": f"{row['sigma_b']:.3f}" if is_there else formatting.DASH,
                "q*": f"{row['first_square']:.3f}" if row["first_square"] == row["first_square"] else formatting.DASH,
            }
        )
    return pd.DataFrame(rows)


def _shown_factors(shrink: pd.DataFrame, style: Style) -> pd.DataFrame:
    rows = []
    for name, of_one in shrink.groupby("activation", sort=False):
        shown = {"Activation": style.labels[str(name)]}
        for row in of_one.to_dict("records"):
            factor = formatting.interval(row["factor"], row["ci_low"], row["ci_high"])
            shown[row["init"]] = f"{factor}; theory {row['predicted']:.2f}"
        rows.append(shown)
    return pd.DataFrame(rows).fillna(formatting.DASH)


def _shown_depths(reached: pd.DataFrame, style: Style) -> pd.DataFrame:
    rows = []
    for name, of_one in reached.groupby("activation", sort=False):
        shown = {"Activation": style.labels[str(name)], "n": int(of_one["n"].min())}
        for row in of_one.to_dict("records"):
            shown[row["init"]] = trainability.shown_depth(row)
        rows.append(shown)
    return pd.DataFrame(rows).fillna(formatting.DASH)


def _answer(reached: pd.DataFrame, style: Style) -> str:
    parts = []
    for name, of_one in reached.groupby("activation", sort=False):
        found = ", ".join(f"{row['init']} {trainability.shown_depth(row)}" for row in of_one.to_dict("records"))
        parts.append(f"{formatting.escape_markdown(style.labels[str(name)])}: {formatting.escape_markdown(found)}")
    return (
        "The deepest network that trains by initialisation (median; least to most over seeds): "
        + "; ".join(parts)
        + "."
    )


def _pictures(success: pd.DataFrame, plan: Plan, style: Style) -> list[Picture]:
    points = _critical_points(plan)[["activation", "sigma_w", "sigma_b"]].dropna()
    lines = [pd.DataFrame(plan.theory[name]["line"]).assign(activation=name) for name in plan.activations]
    return [
        Picture(
            "initialization_accuracy",
            "Best validation accuracy after 480 updates against depth, one panel an initialisation. Compare an "
            "activation with itself from panel to panel: what changes there is the initialisation's doing.",
            figures.accuracy_against_depth(success.assign(panel=success["init"]), style),
        ),
        Picture(
            "initialization_critical",
            "The plane of weight and bias scales, with each activation's critical line and the point used here. Glorot "
            "and He are points of it that serve every activation alike.",
            figures.critical_lines(pd.concat(lines, ignore_index=True), points, style),
        ),
    ]
