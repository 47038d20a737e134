"""Which activation is best once each has its own learning rate? The comparison that the recommendation rests on.

One grid of rates for all, a few epochs each; it grows for every activation while any optimum is at its edge. The best
rate and the next lower one then train to the end on fresh paired seeds, and each seed's validation images choose one.
Seeds are added until the intervals are narrow: `HALF_WIDTH` decides how many, never a p-value.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from experiments import baseline
from study import figures
from study.analysis import comparisons, rule_errors, summaries, tuning
from study.analysis.statistics import summarise
from study.analysis.tuning import GRID_SEEDS, HALF_DECADES
from study.constants import (
    FIRST_FRESH_SEED,
    FIRST_SEEDS,
    HALF_WIDTH,
    MOST_SEEDS,
    NOISE_AMPLITUDES,
    REFERENCE_ACTIVATION,
    SEED_BLOCK,
    TUNING_EPOCHS,
)
from study.figures.drawing import Drawing
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import measures_frame, runs_frame
from study.records.store import Record
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "learning_rate"
METRIC = "best_test_accuracy"
ARTICLE_RATE = Settings.learning_rate
STAGES = ("grid", "both", "untuned")
ARMS = ("tuned", "untuned")  # at each activation's own rate, and at the article's


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Return the grid; its extensions while an optimum is at its edge; then blocks of fresh seeds at two rates each.

    The article's own rate is the baseline's runs, on the first of the fresh seeds. A quick look has no round.
    """
    if plan.is_quick:
        return []
    if not so_far:
        return [*_grid(plan, HALF_DECADES), *baseline.compared(plan, [])]
    runs = _frames(plan, so_far)
    grid = tuning.by_rate(runs["grid"], GRID_SEEDS)
    if more := tuning.extension(grid):
        return _grid(plan, more)
    return _fresh(plan, tuning.candidates(grid), runs["tuned"])


def expected(plan: Plan) -> list[Settings]:
    """Return the runs that all rounds together are expected to ask for, with 40 fresh seeds."""
    if plan.is_quick:
        return []
    rates = [(name, tuning.rate(k)) for name in plan.activations for k in (-6, -7)]
    return [*rounds(plan, []), *_of_seeds(rates, plan.block(plan.seeds or 2 * FIRST_SEEDS, FIRST_FRESH_SEED))]


def by_stage(plan: Plan, records: Sequence[Record]) -> dict[str, list[Record]]:
    """Sort the records into STAGES: the grid; the tuned arm, at both of an activation's rates; the article's rate."""
    found: dict[str, list[Record]] = {stage: [] for stage in STAGES}
    for record in records:
        settings = record["identity"]["settings"]
        is_fresh = plan.is_fresh(settings["seed"])
        stage = "grid" if not is_fresh else "both" if settings["noise"] else "untuned"
        found[stage].append(record)
    return found


def tuned(plan: Plan, records: Sequence[Record]) -> list[Record]:
    """Return, for each activation and fresh seed, the record at the rate that the seed's validation images choose."""
    both = by_stage(plan, records)["both"]
    return [both[place] for place in tuning.chosen_by_seed(runs_frame(both)).index] if both else []


def at_one_rate(plan: Plan, records: Sequence[Record]) -> list[Record]:
    """Return the tuned arm's records at one rate: the rate that most seeds chose for the reference.

    If an activation did not train at that rate, its records are at the rate that most of its own seeds chose.
    """
    if not (both := by_stage(plan, records)["both"]):
        return []
    runs = runs_frame(both)
    usual = tuning.usual_rates(tuning.chosen_by_seed(runs))
    common = usual.get(REFERENCE_ACTIVATION)
    tried = set(zip(runs["activation"], runs["learning_rate"], strict=True))
    rates = {name: common if (name, common) in tried else rate for name, rate in usual.items()}
    is_kept = runs["learning_rate"] == runs["activation"].map(rates)
    return [record for record, kept in zip(both, is_kept, strict=True) if kept]


def _frames(plan: Plan, records: Sequence[Record]) -> dict[str, pd.DataFrame]:
    """Return the runs of each stage, and of the tuned arm those that validation chose."""
    found = by_stage(plan, records) | {"tuned": tuned(plan, records)}
    nothing = runs_frame(records)[:0]
    return {stage: runs_frame(of_stage) if of_stage else nothing for stage, of_stage in found.items()}


def _grid(plan: Plan, half_decades: Iterable[int]) -> list[Settings]:
    return [
        Settings(
            activation=name, seed=seed, learning_rate=tuning.rate(k), epochs=TUNING_EPOCHS, patience=None
        )
        for name in plan.activations
        for k in half_decades
        for seed in plan.block(GRID_SEEDS)
    ]  # fmt: skip


def _fresh(plan: Plan, rates: Sequence[tuple[str, float]], so_far: pd.DataFrame) -> list[Settings]:
    """Return the tuned arm's next block of seeds; none once its intervals are narrow, or as many as were asked for.

    `rates` are pairs of an activation and a rate; `so_far` are the runs that validation chose.
    """
    n = so_far["seed"].nunique()
    if n == 0:
        more = plan.seeds or FIRST_SEEDS
    elif plan.seeds or n >= MOST_SEEDS:
        more = 0
    else:
        half = comparisons.half_width(comparisons.against_reference(so_far, NAME, METRIC))
        more = SEED_BLOCK if half > HALF_WIDTH else 0
    return _of_seeds(rates, plan.block(more, FIRST_FRESH_SEED + n))


def _of_seeds(rates: Sequence[tuple[str, float]], seeds: Iterable[int]) -> list[Settings]:
    """Return the tuned arm's runs on these seeds."""
    return [
        Settings(activation=name, seed=seed, learning_rate=rate, noise=NOISE_AMPLITUDES)
        for name, rate in rates
        for seed in seeds
    ]


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Find the chosen rates and their tolerance, and compare the activations at them."""
    runs = _frames(plan, records)
    grid, fresh = tuning.by_rate(runs["grid"], GRID_SEEDS), runs["tuned"]
    compared = comparisons.against_reference(fresh, NAME, METRIC)
    of_runs = _dead_units(by_stage(plan, records)["grid"])
    dead = of_runs if of_runs.empty else summarise(of_runs, "dead_units", tuning.KEYS, is_share=True)
    tables = {
        "learning_rate_grid": grid,
        "tuned": tuning.gains(grid, {arm: runs[arm] for arm in ARMS}, METRIC),
        "compared_accuracies": comparisons.accuracies(fresh, NAME, METRIC),
        "rule_errors": rule_errors.table(),
        **({} if fresh.empty else {"rates_chosen": _rates_chosen(runs), "accuracy": summaries.accuracy(fresh, NAME)}),
        **({} if compared is None else {"comparisons": compared}),
        **({} if dead.empty else {"dead_by_rate": dead.drop(columns="missing")}),
        **_final_units(at_one_rate(plan, records)),
    }
    protocol = {"first_rates": len(HALF_DECADES), "grid_seeds": GRID_SEEDS, "article_rate": ARTICLE_RATE}
    drawn = _figures(grid, {**runs, "dead": of_runs}, tables["tuned"], dead, style)
    return Section(PAGE, tables, drawn, {**protocol, "asked": plan.seeds})


def _final_units(records: Iterable[Record]) -> dict[str, pd.DataFrame]:
    """Return the tables of `summaries.final_units` for the finished runs that were measured; none without any."""
    done = [record for record in records if record["result"]["status"] == "done"]
    measured = [record for record in done if record["result"].get("measures")]
    return summaries.final_units(measures_frame(measured), NAME) if measured else {}


def _dead_units(records: Iterable[Record]) -> pd.DataFrame:
    """Return the share of dead units at the end of each of the grid's runs that was measured."""
    if not (units := _final_units(records)):
        return pd.DataFrame()
    runs = units["final_units_runs"].rename(columns={"layers_mean": "dead_units"})
    return runs[runs["measure"] == "dead_units"]


def _rates_chosen(runs: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Make one row per activation and rate of the tuned arm: accuracies there, and on how many seeds it was chosen."""
    table = summarise(runs["both"], METRIC, tuning.KEYS).drop(columns=["std", "min", "max"])
    chosen = runs["tuned"].groupby(tuning.KEYS).size().rename("seeds_chosen")
    table = table.join(chosen, on=tuning.KEYS).fillna({"seeds_chosen": 0})
    return table.rename(columns={"mean": "best_test_accuracy_mean"})


def _figures(
    grid: pd.DataFrame, runs: Mapping[str, pd.DataFrame], tuned: pd.DataFrame, dead: pd.DataFrame, style: Style
) -> dict[str, Drawing]:
    """Draw accuracy and dead units against the rate; if any run on fresh seeds finished, also draw both arms."""
    drawn = {NAME: figures.accuracy_against_rate(grid, runs["grid"], style)}
    if not dead.empty:
        dashes = runs["dead"].assign(value=runs["dead"]["dead_units"])
        drawn["dead_by_rate"] = figures.dead_units_against_rate(dead, style, dashes)
    points = pd.concat([runs[arm].assign(arm=arm, accuracy=runs[arm][METRIC]) for arm in ARMS])
    if points["accuracy"].notna().any():
        drawn["tuned"] = figures.tuned_beside_untuned(points, tuned, style, ARTICLE_RATE)
    return drawn
