"""Which activation, how sure is that, and what does it cost: one table of all sections, and a recommendation by rule.

It asks for no runs. An unmeasured number is a dash in the table, and the recommendation does not mention it.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from experiments.baseline import BEST_WEIGHTS
from study.analysis import decision
from study.analysis.decision import Source
from study.figures.style import Style
from study.plan import Plan
from study.report import cells, formatting
from study.report.section import Evidence, Section

PAGE = Path(__file__).with_suffix(".md")
NAME = "verdict"
DECIDING = ("learning_rate", "baseline")  # whose tests decide: the first that was run
FAMILIES = (*DECIDING, BEST_WEIGHTS, "robustness")
OPTIMIZERS = {"adam": "Adam", "sgd": "SGD"}


def _bounded(name: str, mean: str, prefix: str = "ci") -> dict[str, str]:
    """Map the columns `name`, `name`_low and `name`_high to their source columns."""
    return {name: mean, f"{name}_low": f"{prefix}_low", f"{name}_high": f"{prefix}_high"}


TOLERANCE = ("tolerance_low", "tolerance_high")
PAIRINGS = ("any_finalist_low", "any_finalist_high", "pairings_better", "pairings_worse", "pairings")
SOURCES = (
    Source("accuracy", {"experiment": "baseline"}, {**_bounded("accuracy", "test_accuracy_mean"), "accuracy_n": "n"}),
    Source(
        "tuned",
        {},
        {
            **_bounded("tuned", "tuned_accuracy_mean", "tuned_ci"),
            "tuned_n": "tuned_n",
            "rate": "learning_rate",
            **{name: name for name in (*TOLERANCE, *PAIRINGS)},
        },
    ),
    *(
        Source(
            "trainable_depth",
            {"experiment": "depth", "optimiser": name},
            {
                f"depth_{name}": "median",
                **{f"depth_{name}_{column}": column for column in ("low", "high", "n", "deepest")},
            },
        )
        for name in OPTIMIZERS
    ),
    Source("robustness_mean", {}, {**_bounded("noise", "noise_accuracy_mean"), "noise_n": "n"}),
    Source("cost", {}, {"element_ns": "forward_backward_ns", "step_ms": "step_ms"}),
    Source("final_units", {"experiment": "baseline", "measure": "dead_units"}, _bounded("dead", "mean")),
)


def conclude(plan: Plan, evidence: Evidence, style: Style) -> Section | None:
    """Make the decision table and the recommendation; None if no section measured anything for the table."""
    table = decision.decision_table(plan.activations, evidence.tables, SOURCES)
    if table.drop(columns="activation").isna().all(axis=None):
        return None
    shown = {NAME: _shown(table, style)}
    found, choice = None, []
    if "comparisons" in evidence.tables:
        found = decision.findings(evidence.tables["comparisons"], FAMILIES, DECIDING)
        choice = decision.recommended(found, dict(zip(table["activation"], table["step_ms"], strict=True)))
    tables = {NAME: _with_choice(table, choice), **({} if found is None else {"verdict_findings": found})}
    return Section(PAGE, tables, shown, protocol={"optimizers": OPTIMIZERS}, leads=True)


def _with_choice(table: pd.DataFrame, choice: Sequence[str]) -> pd.DataFrame:
    """Add each activation's place in the recommendation `choice`, and how its depths compare with the first choice."""
    places = {name: place for place, name in enumerate(choice, start=1)}
    columns = [f"depth_{optimizer}" for optimizer in OPTIMIZERS]
    depths = {f"{column}_apart": decision.apart(table, choice[0], column) if choice else "" for column in columns}
    return table.assign(recommended=table["activation"].map(places), **depths)


def _shown(table: pd.DataFrame, style: Style) -> pd.DataFrame:
    rates = table[["rate", *TOLERANCE]].itertuples(index=False)
    return pd.DataFrame(
        {
            "Activation": [style.labels[name] for name in table["activation"]],
            "test accuracy": _percents(table, "accuracy"),
            "tuned": _percents(table, "tuned"),
            "rate (from, to)": [
                formatting.DASH if rate != rate else f"{rate:.2g} ({low:.2g}, {high:.2g})" for rate, low, high in rates
            ],
            **{f"depth, {label}": _depths(table, name) for name, label in OPTIMIZERS.items()},
            "under noise": _percents(table, "noise"),
            "ns an entry": _numbers(table["element_ns"]),
            "ms a step": _numbers(table["step_ms"]),
            "dead units": _percents(table, "dead"),
        }
    )


def _depths(table: pd.DataFrame, optimizer: str) -> list[str]:
    """Show the deepest network that trained: median (least to most)."""
    column = f"depth_{optimizer}"
    renamed = {column: "median"} | {f"{column}_{name}": name for name in ("low", "high", "deepest")}
    rows = table.rename(columns=renamed).to_dict("records")
    return [formatting.DASH if row["median"] != row["median"] else cells.reached_depth(row) for row in rows]


def _percents(table: pd.DataFrame, column: str) -> list[str]:
    bounds = table[[column, f"{column}_low", f"{column}_high"]].itertuples(index=False)
    return [formatting.interval(estimate, low, high, 100) for estimate, low, high in bounds]


def _numbers(values: "pd.Series[float]") -> list[str]:
    return [formatting.DASH if value != value else f"{value:.2f}" for value in values]
