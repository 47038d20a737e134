"""Do other seeds agree with the tuned comparison, and what do the seeds of both say together?

The network, the choice of learning rates and the rule are the same as in `learning_rate`. The seeds are different, from
FIRST_SEED on. Up to MOST_NARROW_SEEDS are added, until intervals over the seeds of both experiments should have a half
width of at most a third of the margin. This module compares the activations on its own seeds, `verdict` on all seeds.
"""

from collections.abc import Sequence
from pathlib import Path

from experiments import learning_rate
from study.analysis import comparisons, summaries, tuning
from study.analysis.tuning import GRID_SEEDS, HALF_DECADES
from study.constants import FIRST_FRESH_SEED, HALF_WIDTH, MOST_NARROW_SEEDS, MOST_SEEDS, NARROW_HALF_WIDTH
from study.figures.style import Style
from study.plan import Plan
from study.records.store import Record
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "narrow"
TARGET = "narrow"
METRIC = learning_rate.METRIC
LAST_WEIGHTS = "narrow_last"  # the name of the comparison of the same runs' last weights
FIRST_SEED = FIRST_FRESH_SEED + MOST_SEEDS  # after the seeds of `learning_rate`, unless it is told to run more
# The half width to reach on these seeds alone: two estimates pool by adding the inverse squares of their half widths.
OWN_HALF_WIDTH = (NARROW_HALF_WIDTH**-2 - HALF_WIDTH**-2) ** -0.5


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Return the settings of the next round. A quick look has no round.

    First comes the grid of `learning_rate`, extended as there. The runs of `learning_rate.fresh_runs` follow, on the
    seeds of this module, with OWN_HALF_WIDTH and MOST_NARROW_SEEDS as limits.
    """
    if plan.is_quick:
        return []
    if not so_far:
        return learning_rate.grid_runs(plan, HALF_DECADES)
    runs = learning_rate.runs_by_stage(plan, so_far)
    grid = tuning.rate_table(runs["grid"], GRID_SEEDS)
    if more := tuning.added_half_decades(grid):
        return learning_rate.grid_runs(plan, more)
    return learning_rate.fresh_runs(plan, grid, runs["to_the_end"], FIRST_SEED, MOST_NARROW_SEEDS, OWN_HALF_WIDTH)


def expected(plan: Plan) -> list[Settings]:
    """Return the settings that all rounds should ask for: the grid, and 50 fresh seeds by default; none if quick."""
    if plan.is_quick:
        return []
    return [*rounds(plan, []), *learning_rate.at_usual_rates(plan, plan.seeds or 50, FIRST_SEED)]


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Compare the activations on the seeds of this experiment alone; without fresh runs, return only the page."""
    runs = learning_rate.runs_by_stage(plan, records)
    fresh = runs["tuned"]
    protocol = {"first_seed": plan.first_seed + FIRST_SEED, "asked": plan.seeds}
    if fresh.empty:
        return Section(PAGE, protocol=protocol)
    families = {NAME: (fresh, METRIC), LAST_WEIGHTS: (fresh, learning_rate.LAST_METRIC)}
    tables = {
        "accuracy": summaries.accuracy(fresh, NAME),
        "narrow_rates": learning_rate.rates_chosen(runs),
        **comparisons.family_tables(families),
    }
    return Section(PAGE, tables, protocol=protocol)
