"""Which activation is best once each has its own learning rate? The recommendation rests on this comparison.

First, every activation trains for TUNING_EPOCHS epochs at the same rates (the grid). While the best rate of any
activation is at an end of the grid, the grid is extended there for all. Then each activation trains to the end at its
best rate and the next lower one, on fresh seeds that all activations share. On each seed, the validation images choose
between the rates. Rates are added until the usual rate, which the first seeds choose most often, has a neighbour on
both sides. Seeds are added until the intervals are narrow: `HALF_WIDTH` decides how many, never a p-value. Limits are
MOST_EXTENSIONS rates more at each end of the grid, MOST_RATES rates to the end, and MOST_SEEDS seeds.
"""

import itertools
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
METRIC = "best_test_accuracy"  # with the weights of the lowest validation loss
LAST_METRIC = "test_accuracy"  # with the last weights
# Names of comparisons that decide nothing: of the same runs' last weights, and at one learning rate for all.
LAST_WEIGHTS, ONE_RATE = "learning_rate_last", "learning_rate_one_rate"
ARTICLE_RATE = Settings.learning_rate
# Kinds of runs. The runs of "grid" are short, at all rates of the grid. The runs of "to_the_end" are full, on fresh
# seeds, at rates of each activation. The runs of "untuned" are full, on fresh seeds, at the article's rate.
STAGES = ("grid", "to_the_end", "untuned")
# Kinds of runs that are compared: the runs of "to_the_end" whose rate the validation images chose, and "untuned".
ARMS = ("tuned", "untuned")


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Return the settings of the next round, given the records `so_far`. A quick look has no round.

    Round 1 has the grid, and the runs at the article's rate, which `baseline` has too. While an activation's best rate
    is at an end of the grid, a further round extends the grid there, at most MOST_EXTENSIONS times at each end. The
    later rounds come from `fresh_runs`.
    """
    if plan.is_quick:
        return []
    if not so_far:
        return [*grid_runs(plan, HALF_DECADES), *baseline.run_settings(plan, plan.activations)]
    runs = runs_by_stage(plan, so_far)
    grid = tuning.rate_table(runs["grid"], GRID_SEEDS)
    if more := tuning.added_half_decades(grid):
        return grid_runs(plan, more)
    return fresh_runs(plan, grid, runs["to_the_end"])


def expected(plan: Plan) -> list[Settings]:
    """Return the settings that all rounds are expected to ask for; none in a quick look.

    If `plan` names no number of seeds, 40 fresh seeds are expected.
    """
    if plan.is_quick:
        return []
    return [*rounds(plan, []), *at_usual_rates(plan, plan.seeds or 2 * FIRST_SEEDS, FIRST_FRESH_SEED)]


def at_usual_rates(plan: Plan, n: int, first: int) -> list[Settings]:
    """Return the settings that all rounds of `fresh_runs` are expected to request on `n` seeds from `first` on.

    The rates are not known yet. The estimate uses three for each activation: 10^-2.5, 10^-3 and 10^-3.5.
    """
    rates = [(name, tuning.learning_rate_of(k)) for name in plan.activations for k in (-5, -6, -7)]
    return of_seeds(rates, plan.block(n, first))


def by_stage(plan: Plan, records: Sequence[Record]) -> dict[str, list[Record]]:
    """Return {stage: records} for all of STAGES, a partition of `records`.

    Runs on seeds that are not fresh are "grid". A run on a fresh seed is "to_the_end" if it was evaluated under noise,
    else "untuned".
    """
    found: dict[str, list[Record]] = {stage: [] for stage in STAGES}
    for record in records:
        settings = record["identity"]["settings"]
        is_fresh = plan.is_fresh(settings["seed"])
        stage = "grid" if not is_fresh else "to_the_end" if settings["noise"] else "untuned"
        found[stage].append(record)
    return found


def tuned_records(plan: Plan, records: Sequence[Record]) -> list[Record]:
    """Return one of `records` per activation and fresh seed: at the rate that the seed's validation images choose."""
    tried = by_stage(plan, records)["to_the_end"]
    return [tried[place] for place in tuning.chosen_by_seed(runs_frame(tried)).index] if tried else []


def at_one_rate(plan: Plan, records: Sequence[Record]) -> list[Record]:
    """Return the records of the stage "to_the_end" at one rate, which most seeds chose for the reference.

    An activation without runs at this rate has its own usual rate instead (see `tuning.usual_rates`). If the reference
    was not run, every activation has its own.
    """
    if not (tried := by_stage(plan, records)["to_the_end"]):
        return []
    runs = runs_frame(tried)
    usual = tuning.usual_rates(tuning.chosen_by_seed(runs))
    common = usual.get(REFERENCE_ACTIVATION)
    pairs = set(zip(runs["activation"], runs["learning_rate"], strict=True))
    rates = {name: common if (name, common) in pairs else rate for name, rate in usual.items()}
    return list(itertools.compress(tried, runs["learning_rate"] == runs["activation"].map(rates)))


def runs_by_stage(plan: Plan, records: Sequence[Record]) -> dict[str, pd.DataFrame]:
    """Return {name: `runs_frame`} for each of STAGES and for "tuned"; all columns exist even without rows."""
    found = by_stage(plan, records) | {"tuned": tuned_records(plan, records)}
    nothing = runs_frame(records)[:0]
    return {stage: runs_frame(of_stage) if of_stage else nothing for stage, of_stage in found.items()}


def grid_runs(plan: Plan, half_decades: Iterable[int]) -> list[Settings]:
    """Return the grid's settings: all activations at the rates 10^(k/2), k in `half_decades`, on GRID_SEEDS seeds."""
    return [
        Settings(
            activation=name, seed=seed, learning_rate=tuning.learning_rate_of(k), epochs=TUNING_EPOCHS, patience=None
        )
        for name in plan.activations
        for k in half_decades
        for seed in plan.block(GRID_SEEDS)
    ]  # fmt: skip


def fresh_runs(
    plan: Plan,
    grid: pd.DataFrame,
    so_far: pd.DataFrame,
    first: int = FIRST_FRESH_SEED,
    most: int = MOST_SEEDS,
    half_width: float = HALF_WIDTH,
) -> list[Settings]:
    """Return the settings of the next round of runs to the end, on fresh seeds from `first` on.

    `grid` is the result of `tuning.rate_table`, and `so_far` is the frame "to_the_end" of `runs_by_stage`. On the first
    FIRST_SEEDS seeds, or fewer if the plan asks for fewer, each activation runs at its `tuning.first_full_rates`, then
    at its `tuning.added_rates`. Then it runs at all these rates on the other seeds that the plan asks for.

    If the plan names no number, each round adds SEED_BLOCK seeds. These rounds end when there are `most` seeds, or when
    every known interval of the comparison has a half width of at most `half_width`. An activation whose runs diverge
    has no interval, and does not count here.
    """
    first_seeds = plan.block(min(plan.seeds or FIRST_SEEDS, FIRST_SEEDS), first)
    if so_far.empty:
        return of_seeds(tuning.first_full_rates(grid), first_seeds)
    if added := tuning.added_rates(so_far):
        return of_seeds(added, first_seeds)
    n = so_far["seed"].nunique()
    if plan.seeds:
        more = plan.seeds - n
    else:
        compared = comparisons.against_reference(tuning.chosen_by_seed(so_far), NAME, METRIC)
        is_wide = compared is not None and compared["half_width"].max() > half_width
        more = SEED_BLOCK if is_wide and n < most else 0
    rates = dict.fromkeys(zip(so_far["activation"], so_far["learning_rate"], strict=True))
    return of_seeds(list(rates), plan.block(more, first + n))


def of_seeds(rates: Sequence[tuple[str, float]], seeds: Iterable[int]) -> list[Settings]:
    """Return the settings of each (activation, rate) of `rates` on each of these seeds, evaluated under noise too."""
    return [
        Settings(activation=name, seed=seed, learning_rate=rate, noise=NOISE_AMPLITUDES)
        for name, rate in rates
        for seed in seeds
    ]


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Find the best rates and the ranges of rates that do as well, and compare the activations at chosen rates.

    The comparisons LAST_WEIGHTS and ONE_RATE decide nothing. `dead_by_rate` has the share of dead units on the grid,
    and `final_units` is about the runs of `at_one_rate`. Without their runs or measures, some tables are left out.
    """
    runs = runs_by_stage(plan, records)
    grid, fresh = tuning.rate_table(runs["grid"], GRID_SEEDS), runs["tuned"]
    one_rate = runs_frame(at_one_rate(plan, records)) if len(fresh) else fresh
    families = {NAME: (fresh, METRIC), LAST_WEIGHTS: (fresh, LAST_METRIC), ONE_RATE: (one_rate, METRIC)}
    of_runs = _dead_units(by_stage(plan, records)["grid"])
    dead = of_runs if of_runs.empty else summarise(of_runs, "dead_units", tuning.KEYS, is_share=True)
    tables = {
        "learning_rate_grid": grid,
        "tuned": tuning.tuning_gains(grid, {arm: runs[arm] for arm in ARMS}, METRIC),
        "rule_errors": rule_errors.rule_error_table(),
        **({} if fresh.empty else {"rates_chosen": rates_chosen(runs), "accuracy": summaries.accuracy(fresh, NAME)}),
        **comparisons.family_tables(families),
        **({} if dead.empty else {"dead_by_rate": dead.drop(columns="missing")}),
        **_final_units(at_one_rate(plan, records)),
    }
    protocol = {
        "first_rates": len(HALF_DECADES),
        "grid_seeds": GRID_SEEDS,
        "article_rate": ARTICLE_RATE,
        "choosing_seeds": min(plan.seeds or FIRST_SEEDS, FIRST_SEEDS),
        "most_rates": tuning.MOST_RATES,
    }
    drawn = _figures(grid, {**runs, "dead": of_runs}, tables["tuned"], dead, style)
    return Section(PAGE, tables, drawn, {**protocol, "asked": plan.seeds})


def _final_units(records: Iterable[Record]) -> dict[str, pd.DataFrame]:
    """Return the tables of `summaries.final_units`, by name, of those `records` that finished with measures, if any."""
    done = [record for record in records if record["result"]["status"] == "done"]
    measured = [record for record in done if record["result"].get("measures")]
    return summaries.final_units(measures_frame(measured), NAME) if measured else {}


def _dead_units(records: Iterable[Record]) -> pd.DataFrame:
    """Return each finished and measured run with dead_units, the mean share over its hidden layers after training."""
    if not (units := _final_units(records)):
        return pd.DataFrame()
    runs = units["final_units_runs"].rename(columns={"layers_mean": "dead_units"})
    return runs[runs["measure"] == "dead_units"]


def rates_chosen(runs: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return one row per activation and rate of "to_the_end": the test accuracy, and how many seeds chose the rate."""
    table = summarise(runs["to_the_end"], METRIC, tuning.KEYS, is_share=True).drop(columns=["std", "min", "max"])
    chosen = runs["tuned"].groupby(tuning.KEYS).size().rename("seeds_chosen")
    table = table.join(chosen, on=tuning.KEYS).fillna({"seeds_chosen": 0})
    return table.rename(columns={"mean": "best_test_accuracy_mean"})


def _figures(
    grid: pd.DataFrame, runs: Mapping[str, pd.DataFrame], tuned: pd.DataFrame, dead: pd.DataFrame, style: Style
) -> dict[str, Drawing]:
    """Return {file name: drawing}: accuracy and dead units against the rate, and both ARMS if any fresh run finished.

    `runs` is the result of `runs_by_stage`, with one more entry, "dead": the result of `_dead_units`.
    """
    drawn = {NAME: figures.accuracy_against_rate(grid, runs["grid"], style)}
    if not dead.empty:
        dashes = runs["dead"].assign(value=runs["dead"]["dead_units"])
        drawn["dead_by_rate"] = figures.dead_units_against_rate(dead, style, dashes)
    points = pd.concat([runs[arm].assign(arm=arm, accuracy=runs[arm][METRIC]) for arm in ARMS])
    if points["accuracy"].notna().any():
        drawn["tuned"] = figures.tuned_beside_untuned(points, tuned, style, ARTICLE_RATE)
    return drawn
