"""Which activation, how sure is that, and what does it cost: one table of all sections, and a recommendation by rule.

It asks for no runs. What was not measured is a dash in the table, and is not mentioned in the recommendation.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from experiments.baseline import BEST_WEIGHTS
from study.analysis import comparisons, decision
from study.analysis.decision import Finding, Source
from study.constants import DEPTH_OPTIMIZERS, DEPTH_UPDATES, REFERENCE_ACTIVATION, TOLERANCE, TUNING_EPOCHS
from study.figures.style import Style
from study.plan import Plan
from study.report import cells, formatting
from study.report.section import Display, Evidence, Picture, Section

TITLE = "Verdict"
TUNED = "learning_rate"
FAMILIES = (TUNED, "baseline")  # whose tests decide: the first that was run
NOISE = "robustness"
IN_WORDS = {
    TUNED: f"each with a learning rate of its own, {TUNING_EPOCHS} epochs",
    "baseline": "in the article's network, one learning rate for all",
    BEST_WEIGHTS: "in the article's network, one learning rate for all, by the weights of the lowest validation loss",
}
OPTIMIZERS = {"adam": "Adam", "sgd": "SGD"}
SOURCES = (
    Source(
        "accuracy",
        {"experiment": "baseline"},
        {
            "accuracy": "test_accuracy_mean",
            "accuracy_low": "ci_low",
            "accuracy_high": "ci_high",
            "accuracy_n": "n",
        },
    ),
    Source(
        "tuned",
        {},
        {
            "tuned": "tuned_accuracy_mean",
            "tuned_low": "tuned_ci_low",
            "tuned_high": "tuned_ci_high",
            "tuned_n": "tuned_n",
            "rate": "learning_rate",
            "tolerance_low": "tolerance_low",
            "tolerance_high": "tolerance_high",
            "any_finalist_low": "any_finalist_low",
            "any_finalist_high": "any_finalist_high",
            "pairings_better": "pairings_better",
            "pairings_worse": "pairings_worse",
            "pairings": "pairings",
        },
    ),
    *(
        Source(
            "trainable_depth",
            {"experiment": "depth", "optimiser": name},
            {
                f"depth_{name}": "median",
                f"depth_{name}_low": "low",
                f"depth_{name}_high": "high",
                f"depth_{name}_n": "n",
                f"depth_{name}_deepest": "deepest",
            },
        )
        for name, _ in DEPTH_OPTIMIZERS
    ),
    Source(
        "robustness_mean",
        {},
        {"noise": "noise_accuracy_mean", "noise_low": "ci_low", "noise_high": "ci_high", "noise_n": "n"},
    ),
    Source("cost", {}, {"element_ns": "forward_backward_ns", "step_ms": "step_ms"}),
    Source(
        "final_units",
        {"experiment": "baseline", "measure": "dead_units"},
        {"dead": "mean", "dead_low": "ci_low", "dead_high": "ci_high"},
    ),
)


def conclude(plan: Plan, evidence: Evidence, style: Style) -> Section | None:
    """The decision table and the recommendation; None if no section measured anything for the table."""
    table = decision.decision_table(plan.activations, evidence.tables, SOURCES)
    if table.drop(columns="activation").isna().all(axis=None):
        return None
    reference = formatting.escape_markdown(style.labels.get(REFERENCE_ACTIVATION, REFERENCE_ACTIVATION))
    blocks: list[str | Display | Picture] = [
        Display(_caption(table), _shown(table, style), "verdict"),
        decision.RULE.replace("the reference", f"the reference ({reference})", 1),
    ]
    return Section(TITLE, _answer(table, evidence.tables, style), blocks, {"verdict": table}, leads=True)


def _answer(table: pd.DataFrame, found: Mapping[str, pd.DataFrame], style: Style) -> str:
    compared = found.get("comparisons", pd.DataFrame())
    findings = {name: decision.finding(compared, name) for name in (*IN_WORDS, NOISE)}
    family = next((name for name in FAMILIES if findings[name]), None)
    if family is None or (decided := findings[family]) is None:
        return "No two activations were compared with each other, so none is recommended."
    names = _Names(style)
    cost = dict(zip(table["activation"], table["step_ms"], strict=True))
    choice = decision.recommended(decided, cost)
    parts = [
        f"**Use {names.all(choice[:1])}.**",
        *accuracy_in_words(decided, choice, names, IN_WORDS[family]),
        *(choice_in_words(table, decided, names) if family == TUNED else ()),
        otherwise_in_words({how: findings[name] for name, how in IN_WORDS.items() if name != family}, decided, names),
        *depth_in_words(table, choice[0], names),
        *noise_in_words(findings[NOISE], names),
        *cost_in_words(table, choice[0], names),
    ]
    return " ".join(part for part in parts if part)


class _Names:
    """Activations by their labels, in running text."""

    def __init__(self, style: Style) -> None:
        self._labels = style.labels

    def all(self, names: Sequence[str]) -> str:
        return ", ".join(formatting.escape_markdown(self._labels[name]) for name in names)


def accuracy_in_words(found: Finding, choice: Sequence[str], names: _Names, how: str) -> list[str]:
    """What the tests of accuracy support, how small a difference they exclude, and which they could have seen."""
    reference = names.all([found.reference])
    if not found.can_reject:
        return [
            f"But that says little: {found.n} paired seeds are too few for the test to reject anything, whatever the "
            f"difference; {reference} is only where the rule begins."
        ]
    parts = []
    if found.better:
        parts.append(f"Better than {reference} in test accuracy, {how}: {names.all(found.better)}.")
    if len(choice) > 1:
        parts.append(f"Of these {names.all(choice[:1])} comes first, by the time of a training step.")
    if found.worse:
        parts.append(f"Worse than {reference} in test accuracy, {how}: {names.all(found.worse)}.")
    if not found.better and not found.worse:
        parts.append(f"No difference from {reference} in test accuracy was seen, {how} (n = {found.n} paired seeds).")
    if found.undecided:
        parts.append(
            f"{_which(found, names)}, the 95% intervals reach from {100 * found.most_worse:.2f} points worse than "
            f"{reference} to {100 * found.most_better:.2f} better; equivalence within {100 * found.margin:g} points is "
            f"shown for {names.all(found.equivalent) or 'none'}. At this n a true difference of "
            f"{100 * found.detectable:.2f} points or more would have been seen with a probability of at least 0.8."
        )
    return parts


def choice_in_words(table: pd.DataFrame, decided: Finding, names: _Names) -> list[str]:
    """What hangs on the choice of rates: the differences had validation chosen the other of the two best."""
    rows = table[table["any_finalist_high"].notna() & (table["pairings"] > 1)].to_dict("records")
    reaches = [f"{names.all([row['activation']])} {comparisons.reach(row)}" for row in rows]
    text = (
        "That is for the rates chosen. Over all pairings of an activation's two best rates with "
        f"{names.all([decided.reference])}'s, the 95% intervals of the difference reach, in points, from"
    )
    return [f"{text}: {'; '.join(reaches)}."] if reaches else []


def otherwise_in_words(others: Mapping[str, Finding | None], decided: Finding, names: _Names) -> str:
    """What `others`, families of tests by their protocols' names, find that the deciding one does not."""
    parts = []
    for protocol, found in others.items():
        if found is None:
            continue
        new = {
            "better": [name for name in found.better if name not in decided.better],
            "worse": [name for name in found.worse if name not in decided.worse],
        }
        told = [f"{word} than {names.all([found.reference])}: {names.all(who)}" for word, who in new.items() if who]
        parts += [f"{protocol}, {', '.join(told)}"] if told else []
    return f"It depends on the protocol: {'; '.join(parts)}." if parts else ""


def _which(found: Finding, names: _Names) -> str:
    return f"For {names.all(found.undecided)}" if found.better or found.worse else "For all others"


def depth_in_words(table: pd.DataFrame, chosen: str, names: _Names) -> list[str]:
    """Who trains to other depths than the one recommended, beyond the seeds' range, by optimiser."""
    parts = []
    for name, _ in DEPTH_OPTIMIZERS:
        below, above = decision.apart(table, chosen, f"depth_{name}")
        depths = dict(zip(table["activation"], _depths(table, name), strict=True))
        found = [f"{names.all([other])} {depths[other]}" for other in (*below, *above)]
        if found:
            parts.append(f"under {OPTIMIZERS[name]} {names.all([chosen])} {depths[chosen]}, {', '.join(found)}")
    text = "Depth does separate them: the deepest network that trained has, in hidden layers, "
    condition = f" (after {DEPTH_UPDATES} updates from Keras' initialisation; the report has others too)"
    return [f"{text}{'; '.join(parts)}{condition}."] if parts else []


def noise_in_words(found: Finding | None, names: _Names) -> list[str]:
    """Who is better or worse under noise."""
    if found is None:
        return []
    reference = names.all([found.reference])
    parts = [f"more accurate than {reference}: {names.all(found.better)}"] if found.better else []
    parts += [f"less accurate than {reference}: {names.all(found.worse)}"] if found.worse else []
    return [f"Under noise on the images, {'; '.join(parts)}."] if parts else []


def cost_in_words(table: pd.DataFrame, chosen: str, names: _Names) -> list[str]:
    """The time of a training step, of the one recommended and the range over all."""
    cost = table.set_index("activation")["step_ms"].dropna()
    if chosen not in cost.index or len(cost) < 2:
        return []
    return [
        f"A training step takes {cost[chosen]:.2f} ms with {names.all([chosen])}, and from {cost.min():.2f} ms "
        f"({names.all([str(cost.idxmin())])}) to {cost.max():.2f} ms ({names.all([str(cost.idxmax())])}) over all."
    ]


def _depths(table: pd.DataFrame, optimizer: str) -> list[str]:
    """Median (least to most) of the deepest network that trained, for people."""
    column = f"depth_{optimizer}"
    renamed = {column: "median"} | {f"{column}_{name}": name for name in ("low", "high", "deepest")}
    rows = table.rename(columns=renamed).to_dict("records")
    return [formatting.DASH if row["median"] != row["median"] else cells.reached_depth(row) for row in rows]


def _shown(table: pd.DataFrame, style: Style) -> pd.DataFrame:
    shown = {"Activation": [style.labels[name] for name in table["activation"]]}
    shown["test accuracy"], shown["tuned"] = _percents(table, "accuracy"), _percents(table, "tuned")
    shown["rate (from, to)"] = [
        formatting.DASH if rate != rate else f"{rate:.2g} ({low:.2g}, {high:.2g})"
        for rate, low, high in table[["rate", "tolerance_low", "tolerance_high"]].itertuples(index=False)
    ]
    for name, _ in DEPTH_OPTIMIZERS:
        shown[f"depth, {OPTIMIZERS[name]}"] = _depths(table, name)
    shown["under noise"] = _percents(table, "noise")
    shown["ns an entry"] = [formatting.DASH if cost != cost else f"{cost:.2f}" for cost in table["element_ns"]]
    shown["ms a step"] = [formatting.DASH if cost != cost else f"{cost:.2f}" for cost in table["step_ms"]]
    shown["dead units"] = _percents(table, "dead")
    return pd.DataFrame(shown)


def _percents(table: pd.DataFrame, column: str) -> list[str]:
    bounds = table[[column, f"{column}_low", f"{column}_high"]].itertuples(index=False)
    return [formatting.interval(estimate, low, high, 100) for estimate, low, high in bounds]


def _caption(table: pd.DataFrame) -> str:
    seeds = {
        "article's network": "accuracy_n", "tuned": "tuned_n", "depth": f"depth_{DEPTH_OPTIMIZERS[0][0]}_n",
        "noise": "noise_n",
    }  # fmt: skip
    counts = [f"{name} {int(table[column].min())}" for name, column in seeds.items() if table[column].notna().any()]
    return (
        "Accuracies and dead units in percent with 95% t intervals: the article's network, last weights, stopped "
        f"early; tuned, on fresh seeds, {TUNING_EPOCHS} epochs, best validation weights (so the two columns are of two "
        "protocols), with the rate chosen and the range of rates at most "
        f"{100 * TOLERANCE:g} points behind it on validation; the deepest network that trained, in hidden "
        "layers, median (least to most); the mean accuracy under noise; time of an "
        "entry forward and backward, and of a training step; units dead at the end of training. "
        f"Seeds: {', '.join(counts)}."
    )
