"""Which activation, how sure is that, and what does it cost? One table of all sections, and a recommendation by rule.

The module asks for no runs. The page shows a dash for a number that was not measured, and its text does not mention it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.baseline import BEST_WEIGHTS
from experiments.learning_rate import LAST_WEIGHTS, ONE_RATE
from experiments.narrow import LAST_WEIGHTS as NARROW_LAST
from experiments.robustness import OWN_RATES_COMPARISON
from study import figures
from study.analysis import comparisons, decision
from study.analysis.decision import Source
from study.constants import REFERENCE_ACTIVATION, STABLE
from study.figures.drawing import Drawing
from study.figures.style import Style
from study.plan import Plan
from study.report.section import Evidence, Section

PAGE = Path(__file__).with_suffix(".md")
NAME = "verdict"
DECIDING = ("learning_rate", "baseline")  # experiments; the comparison of the first one that was run decides
# Experiments whose comparisons are listed.
FAMILIES = (*DECIDING, LAST_WEIGHTS, ONE_RATE, BEST_WEIGHTS, "robustness", OWN_RATES_COMPARISON)
# {table: comparisons of the same kind on different seeds, which are pooled there}
POOLED = {"pooled_comparisons": ("learning_rate", "narrow"), "pooled_last": (LAST_WEIGHTS, NARROW_LAST)}
OPTIMIZERS = {"adam": "Adam", "sgd": "SGD"}
MARK = "†"  # of a finding that more seeds do not confirm
# {ending of the column difference... of the table `verdict`: column of the table `verdict_findings`}
DIFFERENCE_COLUMNS = {"": "difference", "_low": "ci_low", "_high": "ci_high"}


def _interval_columns(name: str, mean: str, prefix: str = "ci") -> dict[str, str]:
    """Return {new column: source column} of an estimate and its interval, for `Source.columns`."""
    return {name: mean, f"{name}_low": f"{prefix}_low", f"{name}_high": f"{prefix}_high"}


SOURCES = (
    Source(
        "accuracy",
        {"experiment": "baseline"},
        {**_interval_columns("accuracy", "test_accuracy_mean"), "accuracy_n": "n"},
    ),
    Source(
        "tuned",
        {},
        {
            **_interval_columns("tuned", "tuned_accuracy_mean", "tuned_ci"),
            **{name: name for name in ("tuned_n", "learning_rate", "tolerance_low", "tolerance_high", "gain")},
            **{name: name for name in ("usual_low", "usual_high")},
            "gain_low": "gain_ci_low",
        },
    ),
    *(
        Source(
            "trainable_depth",
            {"experiment": "depth", "optimiser": name},
            {
                f"depth_{name}": "median",
                **{f"depth_{name}_{column}": column for column in ("low", "high", "n", "deepest", "next_depth")},
            },
        )
        for name in OPTIMIZERS
    ),
    Source("robustness_mean", {}, {**_interval_columns("noise", "noise_accuracy_mean"), "noise_n": "n"}),
    Source("cost", {}, {"step_ms": "step_ms", "cost_cpu": "cpu"}),
    Source("cost", {"ratio_to": REFERENCE_ACTIVATION}, _interval_columns("step_ratio", "step_ratio", "step")),
    Source("final_units", {"experiment": "learning_rate", "measure": "dead_units"}, _interval_columns("dead", "mean")),
)


def conclude(plan: Plan, evidence: Evidence, style: Style) -> Section | None:
    """Return the decision table and the recommendation; None if `evidence` has no measurement for the table.

    The table `verdict` has a row per activation: the columns of SOURCES, `cost_finding`, what `_with_choice` adds, and
    `pooled_finding`, the value of `_unconfirmed` or "". Page and figure mark a finding that more seeds do not confirm
    by MARK. The figure `answer` is drawn if a comparison decides.
    """
    table = decision.decision_table(plan.activations, evidence.tables, SOURCES)
    if table.drop(columns="activation").isna().all(axis=None):
        return None
    table["cost_finding"] = decision.classify_cost_ratio(table["step_ratio_low"], table["step_ratio_high"])
    saved = np.where(table["cost_finding"] == "cheaper", 1 - table["step_ratio"], 0.0)  # share of the reference's time
    saving = dict(zip(table["activation"], saved.tolist(), strict=True))
    compared = evidence.tables.get("comparisons")
    nothing = pd.DataFrame(columns=decision.FINDINGS)
    found = decision.findings(nothing if compared is None else compared, FAMILIES, DECIDING)
    decided = found[found["decides"]]
    pooled = {name: _pooled_comparisons(evidence.tables, families) for name, families in POOLED.items()}
    unconfirmed = _unconfirmed(decided, pooled["pooled_comparisons"])
    shares, drawn = pd.DataFrame({"activation": [], "share_recommended": []}), {}
    if len(decided):
        marked = decided["finding"] + np.where(decided["activation"].isin(unconfirmed), MARK, "")
        drawn = {"answer": _picture(decided.assign(finding=marked), evidence.tables, style)}
        runs = evidence.tables["compared_accuracies"]
        deciding = runs[runs["experiment"] == decided["experiment"].iloc[0]]
        shares = decision.stability(comparisons.table_by_seed(deciding, "accuracy"), saving)
    table = _with_choice(table, _recommendation(decided, saving), shares, found)
    tables = {
        NAME: table.assign(pooled_finding=[unconfirmed.get(name, "") for name in table["activation"]]),
        **({} if compared is None else {"verdict_findings": found}),
        **{name: rows for name, rows in pooled.items() if rows is not None},
    }
    return Section(PAGE, tables, drawn, {"is_quick": plan.is_quick, "mark": MARK}, is_opening=True)


def _pooled_comparisons(
    tables: Mapping[str, pd.DataFrame], families: Sequence[str] = POOLED["pooled_comparisons"]
) -> pd.DataFrame | None:
    """Compare the activations on the seeds of all `families` of comparisons together (see `against_reference`).

    Only activations that all these families have are compared. A seed that two of the families have counts once. Return
    None if nothing was run, or if these activations lack the reference or any other.
    """
    if "compared_accuracies" not in tables:
        return None
    rows = tables["compared_accuracies"]
    rows = rows[rows["experiment"].isin(families)]
    in_all = rows.groupby("activation")["experiment"].transform("nunique") == len(families)
    runs = rows[in_all].drop_duplicates(["activation", "seed"])
    return comparisons.against_reference(runs, "pooled", "accuracy")


def _unconfirmed(decided: pd.DataFrame, pooled: pd.DataFrame | None) -> dict[str, str]:
    """Return {activation: finding in `pooled`} for activations whose finding in `decided` is another one.

    `decided` has the rows of `decision.findings` that decide. `pooled` has the same comparisons on more seeds, if any.
    """
    if pooled is None:
        return {}
    both = decided.merge(pooled, on="activation", suffixes=("", "_pooled"))
    both = both[both["finding"] != both["finding_pooled"]]
    return dict(zip(both["activation"], both["finding_pooled"], strict=True))


def _picture(decided: pd.DataFrame, tables: Mapping[str, pd.DataFrame], style: Style) -> Drawing:
    """Draw the rows `decided` of `verdict_findings`, beside the accuracy over the depth if that was measured."""
    if "depth_success" not in tables:
        return figures.answer(decided, pd.DataFrame(columns=["activation", "panel", "depth"]), style)
    success, runs = tables["depth_success"], tables["runs"]
    success = success[success["experiment"] == "depth"]
    is_deep = runs["experiments"].str.split().map(lambda names: "depth" in names) & (runs["epochs"] > 0)
    dashes = runs[is_deep].assign(value=runs["best_validation_accuracy"])
    means, dashes = (rows.assign(panel=rows["optimiser"].map(OPTIMIZERS)) for rows in (success, dashes))
    return figures.answer(decided, means, style, dashes)


def _recommendation(decided: pd.DataFrame, saving: Mapping[str, float]) -> dict[str, int]:
    """Return {activation: 1} for the activation that `decision.recommend` recommends, else an empty dict.

    It is empty if no comparison decides, or if no difference is known because every run of a pair diverged. `saving`
    maps activations to the share of a training step's time that they save.
    """
    if decided["difference"].isna().all():
        return {}
    differences = decided["difference"].to_numpy(float)
    kept = np.array([saving.get(name, 0.0) for name in decided["activation"]])
    place = int(decision.recommend(differences, decided["finding"].to_numpy(str), kept))
    return {REFERENCE_ACTIVATION if place < 0 else str(decided["activation"].iloc[place]): 1}


def _with_choice(
    table: pd.DataFrame, recommendation: Mapping[str, int], shares: pd.DataFrame, found: pd.DataFrame
) -> pd.DataFrame:
    """Return the decision `table` with the recommendation, its stability, and the findings as further columns.

    `recommendation` comes from `_recommendation`, `shares` from `decision.stability`, `found` from `decision.findings`.
    `remaining` marks the activations that the headline names. It names the recommended activation, then others by
    falling share, until STABLE of the resamples recommend one of the named activations. `finding` and `difference` come
    from the comparison that decides, and `noise_finding` from the comparison under noise. `depth_adam_apart` and
    `depth_sgd_apart` compare depths with the recommended activation (see `decision.side_of_chosen`).
    """
    share = table["activation"].map(shares.set_index("activation")["share_recommended"])
    recommended = table["activation"].map(recommendation)
    in_order = share.where(recommended != 1, np.inf).sort_values(ascending=False, kind="stable").index
    before = share[in_order].fillna(0).cumsum().shift(fill_value=0)  # the summed share of the activations named before
    first = next(iter(recommendation), None)
    columns = [f"depth_{optimizer}" for optimizer in OPTIMIZERS]
    decided = found[found["decides"]].set_index("activation")
    noisy = found[found["experiment"] == "robustness"].set_index("activation")
    return table.assign(
        recommended=recommended,
        share_recommended=share,
        remaining=(recommended == 1) | ((share > 0) & (before < STABLE)),
        finding=table["activation"].map(decided["finding"]),
        **{f"difference{end}": table["activation"].map(decided[name]) for end, name in DIFFERENCE_COLUMNS.items()},
        noise_finding=table["activation"].map(noisy["finding"]),
        **{f"{name}_apart": decision.side_of_chosen(table, first, name) if first else "" for name in columns},
    )
