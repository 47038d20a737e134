"""Where does each activation stop learning, and is it the vanishing gradient? 1 to 50 hidden layers, Adam and SGD.

Width 100, Keras' defaults, 480 updates; and, over more seeds and without training, every measure at initialisation.
"""

from collections.abc import Sequence

import pandas as pd

from study import figures
from study.analysis import summaries, theory_gaps, trainability
from study.constants import (
    DEEPEST_SEEDS,
    DEPTH_EPOCHS,
    DEPTH_OPTIMIZERS,
    DEPTH_SEEDS,
    DEPTH_UPDATES,
    DEPTHS,
    INITIAL_SEEDS,
    INITIAL_WIDTHS,
    PROFILE_DEPTH,
    QUICK_SEEDS,
    WIDTH,
)
from study.engine.program_kind import INITIAL_ERRORS
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import measures_frame, runs_frame
from study.records.store import Record
from study.report import formatting as fmt
from study.report.section import Display, Picture, Section
from study.settings import Settings

TITLE = "Depth: where the gradient vanishes, and where learning stops"
NAME = "depth"
QUICK_DEPTHS = (1, 20)
NAMES = {"adam": "Adam", "sgd": "SGD"}


def seeds_at(depth: int, plan: Plan) -> int:
    """Paired seeds trained at a depth: fewer at the deepest, which costs as much as all the others."""
    usual = QUICK_SEEDS if plan.is_quick else DEEPEST_SEEDS if depth == DEPTHS[-1] else DEPTH_SEEDS
    return plan.seeds or usual


def depths(plan: Plan) -> tuple[int, ...]:
    """The grid of depths."""
    return QUICK_DEPTHS if plan.is_quick else DEPTHS


def optimizers(plan: Plan) -> tuple[tuple[str, float], ...]:
    """Optimisers and their learning rates; in a quick look SGD alone, under which depth tells most."""
    return DEPTH_OPTIMIZERS[1:] if plan.is_quick else DEPTH_OPTIMIZERS


def trained(plan: Plan) -> list[Settings]:
    """The runs that train."""
    return [
        Settings(
            activation=name, seed=seed, depth=depth, width=WIDTH, optimizer=optimizer, learning_rate=rate,
            epochs=DEPTH_EPOCHS, patience=None,
        )
        for name in plan.activations
        for optimizer, rate in optimizers(plan)
        for depth in depths(plan)
        for seed in range(seeds_at(depth, plan))
    ]  # fmt: skip


def initial(plan: Plan) -> list[Settings]:
    """The networks that are measured at initialisation alone, their errors in float64, where none is too small."""
    seeds = max(plan.seeds or 0, QUICK_SEEDS if plan.is_quick else INITIAL_SEEDS)
    return [
        Settings(activation=name, seed=seed, depth=depth, width=width, epochs=0)
        for name in plan.activations
        for width in INITIAL_WIDTHS
        for depth in depths(plan)
        for seed in range(seeds)
    ]


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """One round: the networks that train, then those that do not."""
    return [] if so_far else [*trained(plan), *initial(plan)]


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Factors per layer beside theory, the three norms side by side, accuracy against depth."""
    runs, measures = runs_frame(records), measures_frame(records)
    is_trained = runs["epochs"] > 0
    norms = summaries.gradient_norms(measures, NAME)
    initial_rows = measures[measures["precision"] == INITIAL_ERRORS]  # not trained, and more seeds than those that are
    theory = trainability.beside_theory(initial_rows, plan)
    gaps = theory_gaps.gaps(initial_rows, plan)
    causes = theory_gaps.causes(initial_rows, plan)
    shrink = trainability.shrink_factors(initial_rows, plan)
    reached = trainability.trainable_depth(runs[is_trained])
    success = trainability.success(runs[is_trained])
    section_tables = {
        "runs": runs.assign(experiment=NAME)[["experiment", *runs.columns]],
        "gradient_norms": _kept(norms),
        "theory": theory,
        "theory_gaps": gaps.assign(experiment=NAME),
        "theory_gaps_by_width": theory_gaps.by_width(gaps),
        "theory_gap_causes": causes,
        "shrink_factors": shrink.assign(experiment=NAME),
        "trainable_depth": reached.assign(experiment=NAME),
        "depth_success": success.assign(experiment=NAME),
    }
    blocks: list[str | Display | Picture] = [
        _method(plan),
        Display(
            "By what factor the norm of the error signal changes for each hidden layer it passes on its way to the "
            f"input, at initialisation, {max(depths(plan))} layers; geometric mean over seeds, 95% interval.",
            _shown_factors(shrink, max(depths(plan)), style),
            "shrink_factors",
        ),
        _bound(shrink, max(depths(plan)), style),
        Display(
            "The deepest network of the grid that trained (validation accuracy of at least 50%) with all shallower "
            "ones: median over seeds (least to most).",
            _shown_depths(reached, style),
            "trainable_depth",
        ),
        _outside(theory),
        Display(
            f"How far the error's norm at the first layer is from theory, {max(depths(plan))} layers: ln(measured / "
            "predicted), mean over seeds with its 95% interval, and the same of the root mean square over seeds.",
            theory_gaps.shown(gaps[gaps["depth"] == max(depths(plan))], style.labels),
            "theory_gaps",
        ),
        theory_gaps.outside(gaps),
        Display(
            "What makes the gap? Its root mean square over activations and depths, and what it is without the cause "
            "named: at the larger width; of the root mean square over seeds, which has no such bias; from theory for "
            "the images' own lengths. p, one-sided and Holm-adjusted over this table, is that its mean square is no "
            "smaller so, by resampling the seeds, whose draws networks of all depths share.",
            theory_gaps.shown_causes(causes),
            "theory_gap_causes",
        ),
        *_pictures(plan, norms, theory, success, style),
    ]
    return Section(TITLE, _answer(shrink, reached, max(depths(plan)), style), blocks, section_tables)


def _kept(norms: pd.DataFrame) -> pd.DataFrame:
    """Few steps for the table, and every one of the errors in the heat map."""
    is_profile = (norms["depth"] == PROFILE_DEPTH) & (norms["measure"] == "error") & (norms["optimiser"] == "sgd")
    return pd.concat([trainability.thinned(norms, DEPTH_UPDATES), norms[is_profile]]).drop_duplicates()


def _method(plan: Plan) -> str:
    by = " and ".join(f"{NAMES[name]} at {rate:g}" for name, rate in optimizers(plan))
    return (
        f"{', '.join(map(str, depths(plan)))} hidden layers of {WIDTH} units, Keras' default initialisation "
        f"(glorot_uniform, zero biases), {by}, 480 updates, {seeds_at(1, plan)} paired seeds "
        f"({seeds_at(max(depths(plan)), plan)} at depth {max(depths(plan))}, and so for the deepest network that "
        "trains, which wants a seed at every depth). "
        "Failing in 480 updates is not failing for ever. "
        f"Measures at initialisation are of networks of {' and '.join(map(str, INITIAL_WIDTHS))} units, their "
        "errors in float64."
    )


def _shown_factors(shrink: pd.DataFrame, depth: int, style: Style) -> pd.DataFrame:
    rows = []
    for name, of_one in shrink[shrink["depth"] == depth].groupby("activation", sort=False):
        shown = {"Activation": style.labels[str(name)], "n": int(of_one["n"].iloc[0])}
        for row in of_one.sort_values("width").to_dict("records"):
            shown[f"measured, width {row['width']}"] = fmt.interval(row["factor"], row["ci_low"], row["ci_high"])
        shown["theory, infinite width"] = f"{of_one['predicted'].iloc[0]:.3f}"
        rows.append(shown)
    return pd.DataFrame(rows)


def _shown_depths(reached: pd.DataFrame, style: Style) -> pd.DataFrame:
    rows = []
    for name, of_one in reached.groupby("activation", sort=False):
        shown = {"Activation": style.labels[str(name)], "n": int(of_one["n"].iloc[0])}
        for row in of_one.to_dict("records"):
            shown[f"{row['optimiser']}, {row['learning_rate']:g}"] = trainability.shown_depth(row)
        rows.append(shown)
    return pd.DataFrame(rows)


def _bound(shrink: pd.DataFrame, depth: int, style: Style) -> str:
    """A3: is the bound 0.25 on the sigmoid's slope the factor per layer?"""
    narrow = shrink[(shrink["depth"] == depth) & (shrink["width"] == WIDTH)].set_index("activation")
    parts = []
    if "sigmoid" in narrow.index:
        row = narrow.loc["sigmoid"]
        side = "inside" if row["ci_low"] <= 0.25 <= row["ci_high"] else "outside"
        parts.append(
            f"The article's 0.25 is the bound on the sigmoid's slope, not its error's factor per layer: that is "
            f"{fmt.interval(row['factor'], row['ci_low'], row['ci_high'])}, and 0.25 is {side} the interval. The "
            "weights count as much as the slope: under another initialisation the factor is another."
        )
    if "relu" in narrow.index:
        row = narrow.loc["relu"]
        parts.append(
            f"ReLU's slope is 1 where it is not 0, and yet under Glorot its errors shrink too, by "
            f"{fmt.interval(row['factor'], row['ci_low'], row['ci_high'])} per layer: half its units are off."
        )
    return " ".join(parts)


def _outside(theory: pd.DataFrame) -> str:
    """Where theory lies outside the seeds' interval, by width and quantity."""
    known = theory[theory["is_inside"].notna()]
    shares = known.assign(outside=~known["is_inside"].astype(bool)).groupby(["quantity", "width"])["outside"].mean()
    parts = ", ".join(
        f"{quantity} at width {width}: {fmt.percent(share, 0)}" for (quantity, width), share in shares.items()
    )
    return (
        f"Theory lies outside the seeds' 95% interval in these shares of layers: {fmt.escape_markdown(parts)}. It "
        "predicts root mean squares at infinite width, for inputs of one length; three things can part the two."
    )


def _answer(shrink: pd.DataFrame, reached: pd.DataFrame, depth: int, style: Style) -> str:
    narrow = shrink[(shrink["depth"] == depth) & (shrink["width"] == WIDTH)]
    factors = ", ".join(
        f"{fmt.escape_markdown(style.labels[row['activation']])} {row['factor']:.2f}"
        for row in narrow.to_dict("records")
    )
    sgd = reached[reached["optimiser"] == "sgd"]
    depths_reached = ", ".join(
        f"{fmt.escape_markdown(style.labels[row['activation']])} {trainability.shown_depth(row)}"
        for row in sgd.to_dict("records")
    )
    return (
        f"Under Keras' default initialisation the error signal changes by these factors per hidden layer: {factors}. "
        f"After 480 updates of SGD the deepest network that trains has this many hidden layers (median over seeds): "
        f"{depths_reached}."
    )


def _pictures(
    plan: Plan, norms: pd.DataFrame, theory: pd.DataFrame, success: pd.DataFrame, style: Style
) -> list[Picture]:
    profile = max(d for d in depths(plan) if d <= PROFILE_DEPTH)
    deep = norms[(norms["depth"] == profile) & (norms["width"] == WIDTH) & (norms["precision"] != INITIAL_ERRORS)]
    errors = theory[
        (theory["quantity"] == "error_norm_ratio") & (theory["depth"] == profile) & (theory["width"] == WIDTH)
    ]
    deep = deep[deep["optimiser"] == "sgd"]
    panels = success.assign(panel=success["optimiser"].map(NAMES) + success["learning_rate"].map(" at {:g}".format))
    return [
        Picture(
            "depth_errors",
            f"The error signal's norm by layer, relative to the output layer's, {profile} hidden layers at "
            "initialisation: measured (markers, band: 95% interval over seeds) over theory (dashed).",
            figures.errors_beside_theory(errors, style),
        ),
        Picture(
            "depth_side_by_side",
            "Weight gradient, error and forward signal of the same networks. A weight gradient is the error times the "
            "layer's input: where the forward signal shrinks towards the output as the error does towards the input, "
            "it hides what the error shows; where the forward signal keeps its size, it vanishes with the error.",
            figures.norms_side_by_side(deep, style),
        ),
        Picture(
            "depth_accuracy",
            "Best validation accuracy after 480 updates against depth. Above the upper dotted line a network counts as "
            "trained; at the lower it guesses.",
            figures.accuracy_against_depth(panels, style),
        ),
        Picture(
            "depth_heat",
            f"The error signal by layer and training step, {profile} hidden layers, SGD, a panel an activation: do "
            "the layers near the input (below) get a signal before the updates are over?",
            figures.error_heat_map(deep[deep["measure"] == "error"], style),
        ),
    ]
