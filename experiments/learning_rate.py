"""Does the ranking change once every activation has its own learning rate, and how safe is the choice of one?

One grid of rates for all, chosen per activation on validation; the grid grows for every activation while any optimum is
at its edge. More seeds choose between each activation's best rates. Then the tuned comparison on fresh paired seeds,
beside the article's rate on the same seeds.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from study import figures
from study.analysis import comparisons, summaries, tuning
from study.analysis.statistics import paired_difference
from study.analysis.tuning import FINALIST_SEEDS, FINALISTS, HALF_DECADES, TUNING_SEEDS
from study.constants import FIRST_FRESH_SEED, REFERENCE_ACTIVATION, TUNING_EPOCHS
from study.figures.drawing import Drawing
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import runs_frame
from study.records.store import Record
from study.report import cells
from study.report import formatting as fmt
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "learning_rate"
UNTUNED = "learning_rate_untuned"
PREFIXES = {NAME: "tuned", UNTUNED: "untuned"}  # of the arms' columns in the table `tuned`
METRIC = "best_test_accuracy"
ARTICLE_RATE = Settings.learning_rate
TUNED_SEEDS = 20  # fresh ones; by 10, two draws of the same protocol did not agree on who differs from ReLU

PROTOCOL = {
    "first_rates": len(HALF_DECADES),
    "tuning_seeds": TUNING_SEEDS,
    "finalists": FINALISTS,
    "finalist_seeds": FINALIST_SEEDS,
    "article_rate": ARTICLE_RATE,
}


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Return the grid; its extensions while an optimum is at its edge; the finalists' seeds; then the fresh ones.

    A quick look has no round.
    """
    if plan.is_quick:
        return []
    if not so_far:
        return _tuning(plan, HALF_DECADES)
    runs = runs_frame(so_far)
    if plan.is_fresh(runs["seed"]).any():
        return []
    table = tuning.by_rate(runs)
    if more := tuning.extension(table):
        return _tuning(plan, more)
    if finalists := tuning.undecided(table):
        return [
            _run(name, rate, seed)
            for name, rate in finalists
            for seed in plan.block(FINALIST_SEEDS - TUNING_SEEDS, TUNING_SEEDS)
        ]
    return _fresh(plan, table)


def compared_seeds(plan: Plan) -> int:
    """Count the fresh paired seeds of the comparison; the rounds before it only choose the rates."""
    return plan.seeds or TUNED_SEEDS


def _tuning(plan: Plan, half_decades: Iterable[int]) -> list[Settings]:
    grid = [(name, tuning.rate(k)) for name in plan.activations for k in half_decades]
    return [_run(name, rate, seed) for name, rate in grid for seed in plan.block(TUNING_SEEDS)]


def _fresh(plan: Plan, rates: pd.DataFrame) -> list[Settings]:
    """Return each activation's runs on fresh seeds: at its finalists and at the article's rate, without duplicates."""
    seeds = plan.block(compared_seeds(plan), FIRST_FRESH_SEED)
    finalists = rates[rates["is_finalist"]]
    arms = dict.fromkeys(zip(finalists["activation"], finalists["learning_rate"], strict=True))
    arms |= dict.fromkeys((name, ARTICLE_RATE) for name in plan.activations)
    return [_run(name, rate, seed) for name, rate in arms for seed in seeds]


def _run(name: str, rate: float, seed: int) -> Settings:
    return Settings(activation=name, seed=seed, learning_rate=rate, epochs=TUNING_EPOCHS, patience=None)


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Find the chosen rates and their tolerance, and compare the activations with and without tuning."""
    runs = runs_frame(records)
    is_fresh = plan.is_fresh(runs["seed"])
    tuning_runs, fresh = runs[~is_fresh], runs[is_fresh]
    rates = tuning.by_rate(tuning_runs, is_over=len(fresh) > 0)
    is_chosen = fresh["learning_rate"] == fresh["activation"].map(tuning.chosen(rates))
    arms = {NAME: fresh[is_chosen], UNTUNED: fresh[fresh["learning_rate"] == ARTICLE_RATE]}
    accuracy = {arm: summaries.accuracy(part, arm) for arm, part in arms.items() if len(part)}
    compared = {arm: comparisons.against_reference(part, arm, METRIC) for arm, part in arms.items()}
    differences = [found for found in compared.values() if found is not None]
    choice = tuning.tolerance(rates).join(tuning.leads(tuning_runs, rates), on="activation")
    choice = choice.join(tuning.from_reference(fresh, rates, METRIC), on="activation")
    tuned = _tuned(choice, accuracy, arms)
    tables = {
        NAME: rates,
        "tuned": tuned,
        **({"accuracy": pd.concat(accuracy.values(), ignore_index=True)} if accuracy else {}),
        **({"comparisons": pd.concat(differences, ignore_index=True)} if differences else {}),
    }
    shown = {
        NAME: _shown_rates(tuned, rates, style),
        "tuned": _shown_accuracy(tuned, style),
        **({} if compared[NAME] is None else {"tuned_differences": _shown_differences(tuned, compared[NAME], style)}),
    }
    return Section(PAGE, tables, shown, _figures(rates, tuning_runs, arms, tuned, style), PROTOCOL)


def _tuned(
    choice: pd.DataFrame, accuracy: Mapping[str, pd.DataFrame], arms: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Make the table `tuned`: the choice of an activation's rate, and both arms' accuracy, rank and paired gain."""
    table = choice.set_index("activation")
    for arm, prefix in PREFIXES.items():
        found = accuracy[arm].set_index("activation") if arm in accuracy else pd.DataFrame()
        for column, source in (
            ("n", "n"), ("diverged", "diverged"), ("accuracy_mean", "best_test_accuracy_mean"),
            ("ci_low", "best_ci_low"), ("ci_high", "best_ci_high"),
        ):  # fmt: skip
            table[f"{prefix}_{column}"] = found.get(source, pd.Series(dtype=float)).reindex(table.index)
        table[f"{prefix}_rank"] = table[f"{prefix}_accuracy_mean"].rank(ascending=False, method="min")
    gains = pd.DataFrame([_gain(name, arms) for name in table.index], table.index)
    return table.join(gains).reset_index()


def _gain(name: str, arms: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """Compute what tuning gained: tuned minus untuned accuracy, over the seeds that finished in both arms."""
    of_arm = [part[part["activation"] == name].set_index("seed")[METRIC] for part in arms.values()]
    a, b = pd.concat(of_arm, axis=1).dropna().to_numpy(float).T
    found = paired_difference(a, b)
    return {"gain": found.difference, "gain_ci_low": found.ci_low, "gain_ci_high": found.ci_high, "gain_n": found.n}


def _shown_rates(tuned: pd.DataFrame, rates: pd.DataFrame, style: Style) -> pd.DataFrame:
    """Show the chosen rate, its lead over the other finalist, and the range of rates that do as well."""
    columns = ["validation_accuracy_mean", "ci_low", "ci_high"]
    best = rates[rates["is_chosen"]].set_index("activation")[columns].reindex(tuned["activation"])
    rows = []
    for row, (mean, low, high) in zip(tuned.to_dict("records"), best.itertuples(index=False), strict=True):
        below, above = "≤ " * row["is_open_low"], "≥ " * row["is_open_high"]
        rows.append(
            {
                "Activation": style.labels[row["activation"]],
                "rate": _known(row["learning_rate"], ".2g"),
                "validation accuracy there": fmt.interval(mean, low, high, 100),
                "lead, points": _points(row, "lead"),
                "over the rate": _known(row["runner_up"], ".2g"),
                "good from": _known(row["tolerance_low"], ".2g", below),
                "to": _known(row["tolerance_high"], ".2g", above),
                "decades": _known(row["tolerance_decades"], ".1f", "≥ " * bool(below or above)),
            }
        )
    return pd.DataFrame(rows)


def _shown_accuracy(tuned: pd.DataFrame, style: Style) -> pd.DataFrame:
    """Show both arms' accuracies and seeds, what tuning gained, and the ranks."""
    rows = []
    for row in tuned.to_dict("records"):
        shown = {"Activation": style.labels[row["activation"]]}
        for prefix, title in (("tuned", "tuned"), ("untuned", f"at {ARTICLE_RATE:g}")):
            bounds = (row[f"{prefix}_accuracy_mean"], row[f"{prefix}_ci_low"], row[f"{prefix}_ci_high"])
            lost = row[f"{prefix}_diverged"]
            shown[title] = fmt.interval(*bounds, 100)
            shown[f"n ({title})"] = _known(row[f"{prefix}_n"], ".0f") + (f", {lost:.0f} diverged" if lost > 0 else "")
        shown["gain, points"] = _points(row, "gain")
        shown["rank tuned / untuned"] = " / ".join(_known(row[f"{arm}_rank"], ".0f") for arm in PREFIXES.values())
        rows.append(shown)
    return pd.DataFrame(rows)


def _shown_differences(tuned: pd.DataFrame, compared: pd.DataFrame, style: Style) -> pd.DataFrame:
    """Show the tuned arm's differences from the reference, and how far they depend on the chosen rates."""
    rows = [
        {
            "Activation": style.labels[row["activation"]],
            **cells.difference_columns(compared, row["activation"], style.labels),
            "over all pairings of finalists": cells.reach(row),
        }
        for row in tuned.to_dict("records")
        if row["activation"] != REFERENCE_ACTIVATION
    ]
    return pd.DataFrame(rows)


def _points(row: Mapping[str, float], column: str) -> str:
    return fmt.interval(row[column], row[f"{column}_ci_low"], row[f"{column}_ci_high"], 100, signed=True)


def _known(value: float, how: str, before: str = "") -> str:
    return fmt.DASH if value != value else f"{before}{value:{how}}"


def _figures(
    rates: pd.DataFrame, tuning_runs: pd.DataFrame, arms: Mapping[str, pd.DataFrame], tuned: pd.DataFrame, style: Style
) -> dict[str, Drawing]:
    """Draw accuracy against the rate; if any run on fresh seeds finished, also draw both arms."""
    drawn = {NAME: figures.accuracy_against_rate(rates, tuning_runs, style)}
    points = pd.concat([part.assign(arm=PREFIXES[arm], accuracy=part[METRIC]) for arm, part in arms.items()])
    if points["accuracy"].notna().any():
        drawn["tuned"] = figures.tuned_beside_untuned(points, tuned, style, ARTICLE_RATE)
    return drawn
