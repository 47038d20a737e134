"""Does the ranking change once every activation has its own learning rate, and how safe is the choice of one?

One grid of rates for all, chosen per activation on validation; the grid grows for every activation while any optimum is
at its edge. More seeds choose between each activation's best rates. Then the tuned comparison on fresh paired seeds,
beside the article's rate on the same seeds.
"""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from study import figures
from study.analysis import comparisons, summaries, tuning
from study.analysis.statistics import paired_difference
from study.constants import (
    FINALIST_SEEDS,
    FINALISTS,
    FIRST_FRESH_SEED,
    HALF_DECADES,
    REFERENCE_ACTIVATION,
    TOLERANCE,
    TUNED_SEEDS,
    TUNING_EPOCHS,
    TUNING_SEEDS,
)
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import runs_frame
from study.records.store import Record
from study.report import formatting as fmt
from study.report.section import Display, Picture, Section
from study.settings import Settings

TITLE = "Learning rates: a tuned comparison"
NAME = "learning_rate"
UNTUNED = "learning_rate_untuned"
METRIC = "best_test_accuracy"
ARTICLE_RATE = Settings.learning_rate


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """The grid; its extensions while an optimum is at its edge; the finalists' seeds; then the fresh ones.

    Nothing in a quick look.
    """
    if plan.is_quick:
        return []
    if not so_far:
        return _tuning(plan, HALF_DECADES)
    runs = runs_frame(so_far)
    if (runs["seed"] >= FIRST_FRESH_SEED).any():
        return []
    table = tuning.by_rate(runs)
    if more := tuning.extension(table):
        return _tuning(plan, more)
    if finalists := tuning.undecided(table):
        return [_run(name, rate, seed) for name, rate in finalists for seed in range(TUNING_SEEDS, FINALIST_SEEDS)]
    return _fresh(plan, table)


def compared_seeds(plan: Plan) -> int:
    """Fresh paired seeds of the comparison; those of the rounds before only choose the rates."""
    return plan.seeds or TUNED_SEEDS


def _tuning(plan: Plan, half_decades: Iterable[int]) -> list[Settings]:
    grid = [(name, tuning.rate(k)) for name in plan.activations for k in half_decades]
    return [_run(name, rate, seed) for name, rate in grid for seed in range(TUNING_SEEDS)]


def _fresh(plan: Plan, rates: pd.DataFrame) -> list[Settings]:
    """Each activation at its finalists, one of them chosen, and at the article's rate; one run where they are one."""
    seeds = range(FIRST_FRESH_SEED, FIRST_FRESH_SEED + compared_seeds(plan))
    finalists = rates[rates["is_finalist"]]
    arms = dict.fromkeys(zip(finalists["activation"], finalists["learning_rate"], strict=True))
    arms |= dict.fromkeys((name, ARTICLE_RATE) for name in plan.activations)
    return [_run(name, rate, seed) for name, rate in arms for seed in seeds]


def _run(name: str, rate: float, seed: int) -> Settings:
    return Settings(activation=name, seed=seed, learning_rate=rate, epochs=TUNING_EPOCHS, patience=None)


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """The chosen rates and their tolerance, and the comparison with and without tuning."""
    runs = runs_frame(records)
    is_fresh = runs["seed"] >= FIRST_FRESH_SEED
    tuning_runs, fresh = runs[~is_fresh], runs[is_fresh]
    rates = tuning.by_rate(tuning_runs, is_over=len(fresh) > 0)
    arms = {NAME: _at(fresh, tuning.chosen(rates)), UNTUNED: fresh[fresh["learning_rate"] == ARTICLE_RATE]}
    accuracy = {arm: summaries.accuracy(part, arm) for arm, part in arms.items() if len(part)}
    compared = {arm: comparisons.against_reference(part, arm, METRIC) for arm, part in arms.items()}
    differences = [found for found in compared.values() if found is not None]
    choice = tuning.tolerance(rates).join(tuning.leads(tuning_runs, rates), on="activation")
    choice = choice.join(tuning.from_reference(fresh, rates, METRIC), on="activation")
    tuned = _tuned(choice, accuracy, arms)
    section_tables = {
        "runs": runs.assign(experiment=NAME)[["experiment", *runs.columns]],
        "learning_rate": rates,
        "tuned": tuned,
        **({"accuracy": pd.concat(accuracy.values(), ignore_index=True)} if accuracy else {}),
        **({"comparisons": pd.concat(differences, ignore_index=True)} if differences else {}),
    }
    blocks: list[str | Display | Picture] = [
        _method(rates),
        Display(
            "The rate chosen on validation; its lead in mean validation accuracy over the other finalist, with a 95% t "
            f"interval; and the range of rates around it that are at most {100 * TOLERANCE:.1f} points behind it (the "
            f"other finalist by {FINALIST_SEEDS} seeds, the rest by {TUNING_SEEDS}): how far off one may be. ≤ and ≥: "
            "the range ends where the grid does.",
            _shown_rates(tuned, rates, style),
            NAME,
        ),
        _edges(tuned, style),
        Display(
            "Test accuracy in percent with 95% t intervals over fresh seeds, at the chosen rate and at the article's "
            f"{ARTICLE_RATE:g}, same seeds and epochs; ranks by mean.",
            _shown_accuracy(tuned, style),
            "tuned",
        ),
        *_differences(tuned, compared[NAME], style),
        *_pictures(rates, tuning_runs, arms, tuned, style),
    ]
    return Section(TITLE, _answer(tuned, compared, style), blocks, section_tables)


def _at(runs: pd.DataFrame, chosen: Mapping[str, float]) -> pd.DataFrame:
    """The runs at their activation's chosen rate."""
    return runs[runs["learning_rate"] == runs["activation"].map(chosen)]


def _tuned(
    choice: pd.DataFrame, accuracy: Mapping[str, pd.DataFrame], arms: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """The table `tuned`: the choice of an activation's rate, and both arms' accuracy, rank and paired gain."""
    table = choice.set_index("activation")
    for arm, prefix in ((NAME, "tuned"), (UNTUNED, "untuned")):
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
    """What tuning gained: tuned minus untuned over the seeds both finished."""
    of_arm = [part[part["activation"] == name].set_index("seed")[METRIC] for part in arms.values()]
    a, b = pd.concat(of_arm, axis=1).dropna().to_numpy(float).T
    found = paired_difference(a, b)
    return {"gain": found.difference, "gain_ci_low": found.ci_low, "gain_ci_high": found.ci_high, "gain_n": found.n}


def _method(rates: pd.DataFrame) -> str:
    grid = rates["learning_rate"].unique()
    added = len(grid) - len(HALF_DECADES)
    grown = (
        f"The grid began with {len(HALF_DECADES)} rates and grew by {added}, for every activation, because an optimum "
        "stood at its edge."
        if added
        else "No optimum stood at its edge, so it was not extended."
    )
    return (
        f"The article's network, Adam, {TUNING_EPOCHS} epochs, batches of 100. {len(grid)} rates from {min(grid):.2g} "
        f"to {max(grid):.2g}, half a decade apart, the same for every activation, {TUNING_SEEDS} seeds each. {grown} "
        f"The {FINALISTS} best of every activation by these, its finalists, have {FINALIST_SEEDS}, by which one is "
        "chosen. Best is the highest mean of the best validation accuracy; a rate where any seed diverged cannot be "
        "chosen. The comparison is then made on fresh seeds, which chose nothing, with the weights of the lowest "
        "validation loss in both arms. The other finalist is run on the same fresh seeds, to show what hangs on the "
        "choice."
    )


def _edges(tuned: pd.DataFrame, style: Style) -> str:
    """Whose optimum is still at the edge of the grid, or has none."""
    at_edge = [fmt.escape_markdown(style.labels[name]) for name in tuned.loc[tuned["is_edge"], "activation"]]
    none = [fmt.escape_markdown(style.labels[name]) for name in tuned.loc[tuned["learning_rate"].isna(), "activation"]]
    parts = [f"Still at the edge of the grid, after all extensions: {', '.join(at_edge)}."] if at_edge else []
    parts += [f"No rate at which every seed finished: {', '.join(none)}."] if none else []
    return " ".join(parts)


def _shown_rates(tuned: pd.DataFrame, rates: pd.DataFrame, style: Style) -> pd.DataFrame:
    best = rates[rates["is_chosen"]].set_index("activation")
    rows = []
    for row in tuned.to_dict("records"):
        name = row["activation"]
        is_found = name in best.index
        mean, low, high = best.reindex([name])[["validation_accuracy_mean", "ci_low", "ci_high"]].iloc[0]
        below, above = ("≤ " * row["is_open_low"], "≥ " * row["is_open_high"])
        width = "≥ " * (row["is_open_low"] or row["is_open_high"])
        rows.append(
            {
                "Activation": style.labels[name],
                "rate": f"{row['learning_rate']:.2g}" if is_found else fmt.DASH,
                "validation accuracy there": fmt.interval(mean, low, high, 100),
                "lead, points": fmt.interval(row["lead"], row["lead_ci_low"], row["lead_ci_high"], 100, signed=True),
                "over the rate": f"{row['runner_up']:.2g}" if row["lead_n"] > 0 else fmt.DASH,
                "good from": f"{below}{row['tolerance_low']:.2g}" if is_found else fmt.DASH,
                "to": f"{above}{row['tolerance_high']:.2g}" if is_found else fmt.DASH,
                "decades": f"{width}{row['tolerance_decades']:.1f}" if is_found else fmt.DASH,
            }
        )
    return pd.DataFrame(rows)


def _differences(tuned: pd.DataFrame, compared: pd.DataFrame | None, style: Style) -> list[Display]:
    """The tuned arm's differences from the reference, if there is one to compare with, and what hangs on the rates."""
    if compared is None:
        return []
    rows = [
        {
            "Activation": style.labels[row["activation"]],
            **comparisons.columns(compared, row["activation"], style.labels),
            "over all pairings of finalists": comparisons.reach(row),
        }
        for row in tuned.to_dict("records")
        if row["activation"] != REFERENCE_ACTIVATION
    ]
    return [
        Display(
            "The tuned arm: the paired difference in test accuracy with its 95% t interval and test, at the rates "
            "chosen; and from where to where such intervals reach over all pairings of the activation's finalists with "
            "the reference's, with the number that lie above 0 (better) or below (worse).",
            pd.DataFrame(rows),
            "tuned_differences",
        )
    ]


def _shown_accuracy(tuned: pd.DataFrame, style: Style) -> pd.DataFrame:
    rows = []
    for row in tuned.to_dict("records"):
        shown = {"Activation": style.labels[row["activation"]]}
        for prefix, title in (("tuned", "tuned"), ("untuned", f"at {ARTICLE_RATE:g}")):
            bounds = (row[f"{prefix}_accuracy_mean"], row[f"{prefix}_ci_low"], row[f"{prefix}_ci_high"])
            shown |= {
                title: fmt.interval(*bounds, 100),
                f"n ({title})": _count(row[f"{prefix}_n"], row[f"{prefix}_diverged"]),
            }
        shown["gain, points"] = fmt.interval(row["gain"], row["gain_ci_low"], row["gain_ci_high"], 100, signed=True)
        shown["rank tuned / untuned"] = " / ".join(_whole(row[f"{arm}_rank"]) for arm in ("tuned", "untuned"))
        rows.append(shown)
    return pd.DataFrame(rows)


def _whole(number: float) -> str:
    return f"{number:.0f}" if number == number else fmt.DASH


def _count(n: float, diverged: float) -> str:
    return f"{_whole(n)}, {diverged:.0f} diverged" if diverged > 0 else _whole(n)


def _answer(tuned: pd.DataFrame, compared: Mapping[str, pd.DataFrame | None], style: Style) -> str:
    """The tuned means in order, whether that is the untuned order, and what the paired tests support in either arm."""
    done = tuned.dropna(subset=["tuned_accuracy_mean"]).sort_values("tuned_accuracy_mean", ascending=False)
    if done.empty:
        return "No activation has a learning rate at which every tuning seed finished."
    means = ", ".join(
        f"{fmt.escape_markdown(style.labels[row['activation']])} {fmt.percent(row['tuned_accuracy_mean'])} "
        f"(rate {row['learning_rate']:.2g})"
        for row in done.to_dict("records")
    )
    first = f"With a learning rate of its own, chosen on validation, the mean test accuracies are {means}."
    if len(done) > 1:
        is_same = (done["tuned_rank"] == done["untuned_rank"]).all()
        order = "is the same" if is_same else "differs"
        first += f" The order of the means {order} at the article's rate of {ARTICLE_RATE:g} for all."
    if unsure := [row["activation"] for row in tuned.to_dict("records") if row["lead_ci_low"] <= 0]:
        names = ", ".join(fmt.escape_markdown(style.labels[name]) for name in unsure)
        first += (
            f" Validation does not tell the chosen rate from the next best for {names}: the lead's interval includes 0."
        )
    arms = {NAME: "Tuned", UNTUNED: f"At {ARTICLE_RATE:g}"}
    verdicts = [
        f"{arms[arm]}: {comparisons.verdict(found, style.labels)}"
        for arm, found in compared.items()
        if found is not None
    ]
    return " ".join([first, *verdicts])


def _pictures(
    rates: pd.DataFrame, tuning_runs: pd.DataFrame, arms: Mapping[str, pd.DataFrame], tuned: pd.DataFrame, style: Style
) -> list[Picture]:
    shown = [
        Picture(
            "learning_rate",
            "Validation accuracy against the learning rate, on a scale on which the error is logarithmic: mean and "
            "interval over seeds, every seed a dot, more of them at an activation's finalists, a ring at the rate "
            "chosen. Look for how flat each top is, and on which side it falls off.",
            figures.accuracy_against_rate(rates, tuning_runs, style),
        )
    ]
    points = pd.concat([part.assign(arm=arm) for arm, part in zip(("tuned", "untuned"), arms.values(), strict=True)])
    if points[METRIC].notna().any():
        caption = (
            "Test accuracy on fresh seeds at each activation's own rate (filled) and at the article's (open): every "
            "run above the mean with its interval. Compare the gaps between activations with those between the arms."
        )
        picture = figures.tuned_beside_untuned(points.assign(accuracy=points[METRIC]), tuned, style, ARTICLE_RATE)
        shown.append(Picture("tuned", caption, picture))
    return shown
