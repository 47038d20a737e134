"""Which activation is best once each has its own learning rate? The comparison that the recommendation rests on.

One grid of rates for all, a few epochs each; it grows for every activation while any optimum is at its edge. The best
rate and the next lower one then train to the end on fresh paired seeds, and each seed's validation images choose one.
Seeds are added until the intervals are narrow: `HALF_WIDTH` decides how many, never a p-value.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from experiments import baseline
from study import figures
from study.analysis import comparisons, rule_errors, summaries, tuning
from study.analysis.statistics import mean_interval, summarise
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
from study.report import cells
from study.report import formatting as fmt
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "learning_rate"
METRIC = "best_test_accuracy"
ARTICLE_RATE = Settings.learning_rate
STAGES = ("grid", "both", "untuned")
PROTOCOL = {
    "first_rates": len(HALF_DECADES),
    "grid_seeds": GRID_SEEDS,
    "article_rate": ARTICLE_RATE,
}


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
    """Return of each activation and fresh seed the record whose rate the seed's validation images choose."""
    both = by_stage(plan, records)["both"]
    return [both[place] for place in tuning.chosen_by_seed(runs_frame(both)).index] if both else []


def at_one_rate(plan: Plan, records: Sequence[Record]) -> list[Record]:
    """Return the tuned arm's records at one rate: the rate that most seeds chose for the reference.

    If an activation did not train at that rate, its records are at the rate that most of its own seeds chose.
    """
    if not (both := by_stage(plan, records)["both"]):
        return []
    runs = runs_frame(both)
    usual = _usual_rates(tuning.chosen_by_seed(runs))
    common = usual.get(REFERENCE_ACTIVATION)
    tried = set(zip(runs["activation"], runs["learning_rate"], strict=True))
    rates = {name: common if (name, common) in tried else rate for name, rate in usual.items()}
    is_kept = runs["learning_rate"] == runs["activation"].map(rates)
    return [record for record, kept in zip(both, is_kept, strict=True) if kept]


def _usual_rates(chosen: pd.DataFrame) -> "pd.Series[float]":
    """Return by activation the rate that most seeds chose; of equal ones the lower."""
    return chosen.groupby("activation")["learning_rate"].agg(lambda rates: rates.mode().min()).astype(float)


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
    table = _tuned(tuning.tolerance(grid), runs)
    measured = tuned_measures(plan, records)
    dead = _dead_by_rate(by_stage(plan, records)["grid"])
    tables = {
        "learning_rate_grid": grid,
        **({} if fresh.empty else {"rates_chosen": _rates_chosen(runs)}),
        "tuned": table,
        **({} if fresh.empty else {"accuracy": summaries.accuracy(fresh, NAME)}),
        **({} if measured.empty else summaries.final_units(measured, NAME)),
        **({} if compared is None else {"comparisons": compared}),
        "compared_accuracies": comparisons.accuracies(fresh, NAME, METRIC),
        **({} if dead.empty else {"dead_by_rate": dead}),
        "rule_errors": rule_errors.table(),
    }
    shown = {
        NAME: _shown_rates(table, grid, style),
        "tuned": _shown_accuracy(table, compared, style),
        **({"rates_chosen": _shown_chosen(tables["rates_chosen"], style)} if "rates_chosen" in tables else {}),
        "rule_errors": _shown_errors(tables["rule_errors"]),
    }
    half = comparisons.half_width(compared)
    protocol = {**PROTOCOL, "half_width": half, "asked": plan.seeds}
    drawn = _figures(grid, runs, table, dead, style)
    return Section(PAGE, tables, shown, drawn, protocol)


def tuned_measures(plan: Plan, records: Sequence[Record]) -> pd.DataFrame:
    """Return the measures of the tuned arm's finished runs, at one rate."""
    done = [record for record in at_one_rate(plan, records) if record["result"]["status"] == "done"]
    measured = [record for record in done if record["result"].get("measures")]
    return measures_frame(measured) if measured else pd.DataFrame()


def _dead_by_rate(records: Sequence[Record]) -> pd.DataFrame:
    """Return by activation and rate the share of dead units at the end of the grid's runs, with its interval."""
    measured = [record for record in records if record["result"].get("measures")]
    if not measured:
        return pd.DataFrame()
    of_runs = summaries.final_units(measures_frame(measured), NAME)["final_units_runs"]
    dead = of_runs[of_runs["measure"] == "dead_units"].rename(columns={"layers_mean": "dead_units"})
    return summarise(dead, "dead_units", tuning.KEYS, is_share=True).drop(columns="missing")


def _rates_chosen(runs: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Make one row per activation and rate of the tuned arm: accuracies there, and on how many seeds it was chosen."""
    table = summarise(runs["both"], METRIC, tuning.KEYS).drop(columns=["std", "min", "max"])
    chosen = runs["tuned"].groupby(tuning.KEYS).size().rename("seeds_chosen")
    table = table.join(chosen, on=tuning.KEYS).fillna({"seeds_chosen": 0})
    return table.rename(columns={"mean": "best_test_accuracy_mean"})


def _tuned(tolerance: pd.DataFrame, runs: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Make the table `tuned`: an activation's rate, its accuracy there and at the article's rate, and what it gained.

    `learning_rate` is the rate that most seeds chose; of equal ones the lower.

    `gain` is the paired difference over the seeds that finished at both rates, with its 95% t interval.
    """
    table = tolerance.set_index("activation")
    table.insert(0, "learning_rate", _usual_rates(runs["tuned"]).reindex(table.index))
    for arm in ("tuned", "untuned"):
        found = summarise(runs[arm], METRIC, "activation", is_share=True).set_index("activation").reindex(table.index)
        for column, source in (("n", "n"), ("accuracy_mean", "mean"), ("ci_low", "ci_low"), ("ci_high", "ci_high")):
            table[f"{arm}_{column}"] = found[source]
        lost = runs[arm].loc[runs[arm]["status"] == "diverged", "activation"].value_counts()
        table[f"{arm}_diverged"] = lost.reindex(table.index, fill_value=0)
        table[f"{arm}_rank"] = found["mean"].rank(ascending=False, method="min")
    wide = [comparisons.by_seed(runs[arm], METRIC) for arm in ("tuned", "untuned")]
    gains = (wide[0] - wide[1]).reindex(columns=table.index)
    rows = [mean_interval(gains[name].dropna()) for name in table.index]
    table = table.assign(
        gain=[row.estimate for row in rows],
        gain_ci_low=[row.low for row in rows],
        gain_ci_high=[row.high for row in rows],
        gain_n=[row.n for row in rows],
    )
    return table.reset_index()


def _shown_rates(tuned: pd.DataFrame, grid: pd.DataFrame, style: Style) -> pd.DataFrame:
    """Show the chosen rate, the grid's best, and the range of rates that do as well there."""
    best = grid[grid["is_best"]].set_index("activation").reindex(tuned["activation"])
    rows = []
    for row, at in zip(tuned.to_dict("records"), best.to_dict("records"), strict=True):
        below, above = "≤ " * row["is_open_low"], "≥ " * row["is_open_high"]
        rows.append(
            {
                "Activation": style.labels[row["activation"]],
                "rate": _known(row["learning_rate"], ".2g"),
                "best of the grid": _known(at["learning_rate"], ".2g"),
                "validation accuracy there, at the lowest validation loss": fmt.interval(
                    at["validation_accuracy_mean"], at["ci_low"], at["ci_high"], 100
                ),
                "good from": _known(row["tolerance_low"], ".2g", below),
                "to": _known(row["tolerance_high"], ".2g", above),
                "decades": _known(row["tolerance_decades"], ".1f", "≥ " * bool(below or above)),
            }
        )
    return pd.DataFrame(rows)


def _shown_accuracy(tuned: pd.DataFrame, compared: pd.DataFrame | None, style: Style) -> pd.DataFrame:
    """Show both arms' accuracies and seeds, the difference from the reference, what tuning gained, and the ranks."""
    rows = []
    for row in tuned.to_dict("records"):
        shown = {"Activation": style.labels[row["activation"]]}
        for arm, title in (("tuned", "own rate"), ("untuned", f"at {ARTICLE_RATE:g}")):
            bounds = (row[f"{arm}_accuracy_mean"], row[f"{arm}_ci_low"], row[f"{arm}_ci_high"])
            lost = row[f"{arm}_diverged"]
            shown[title] = fmt.interval(*bounds, 100)
            shown[f"n ({title})"] = _known(row[f"{arm}_n"], ".0f") + (f", {lost:.0f} diverged" if lost > 0 else "")
        shown["gain, points"] = fmt.interval(row["gain"], row["gain_ci_low"], row["gain_ci_high"], 100, signed=True)
        shown["rank own / article's"] = " / ".join(_known(row[f"{arm}_rank"], ".0f") for arm in ("tuned", "untuned"))
        rows.append(shown | cells.difference_columns(compared, row["activation"], style.labels))
    return pd.DataFrame(rows)


def _shown_chosen(rates: pd.DataFrame, style: Style) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Activation": style.labels[row["activation"]],
            "rate": f"{row['learning_rate']:.2g}",
            "accuracy at the lowest validation loss": fmt.interval(
                row["best_test_accuracy_mean"], row["ci_low"], row["ci_high"], 100
            ),
            "n": row["n"],
            "chosen on": f"{row['seeds_chosen']:.0f} seeds",
        }
        for row in rates.sort_values(["activation", "learning_rate"], key=_in_order).to_dict("records")
    )


def _in_order(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Sort activations in their order of appearance, and rates by size."""
    return column if column.name == "learning_rate" else pd.Series(pd.factorize(column)[0], column.index)


def _shown_errors(errors: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "True differences, points": row["scenario"],
            "spread": fmt.percent(row["spread"]).rstrip("%"),
            "rates apart": fmt.percent(row["rate_gap"]).rstrip("%"),
            "seeds": f"{row['seeds_mean']:.0f}",
            "wrong headlines": fmt.percent(row["wrong_headlines"], 1),
            "contradictions": fmt.percent(row["contradictions"], 1),
            "undecided": fmt.percent(row["undecided"], 1),
        }
        for row in errors.to_dict("records")
    )


def _known(value: float, how: str, before: str = "") -> str:
    return fmt.DASH if value != value else f"{before}{value:{how}}"


def _figures(
    grid: pd.DataFrame, runs: Mapping[str, pd.DataFrame], tuned: pd.DataFrame, dead: pd.DataFrame, style: Style
) -> dict[str, Drawing]:
    """Draw accuracy and dead units against the rate; if any run on fresh seeds finished, also draw both arms."""
    drawn = {NAME: figures.accuracy_against_rate(grid, runs["grid"], style)}
    if not dead.empty:
        drawn["dead_by_rate"] = figures.dead_units_against_rate(dead, style)
    points = pd.concat([runs[arm].assign(arm=arm, accuracy=runs[arm][METRIC]) for arm in ("tuned", "untuned")])
    if points["accuracy"].notna().any():
        drawn["tuned"] = figures.tuned_beside_untuned(points, tuned, style, ARTICLE_RATE)
    return drawn
