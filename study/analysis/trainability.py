"""Records' frames -> how deep a network trains, how its errors shrink, and theory beside measurement."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from study.analysis.statistics import geometric_summary, rate_summary, summarise
from study.constants import PROFILE_DEPTH, TRAINED_LEVEL
from study.plan import Plan

SIDE_BY_SIDE = ("error", "weight_gradient", "example_weight_gradient", "activation_rms")
KEYS = ["activation", "init", "variant", "optimiser", "learning_rate"]


def success(runs: pd.DataFrame, by: Sequence[str] = (*KEYS, "depth")) -> pd.DataFrame:
    """Per setting and depth (or `by`): mean best validation accuracy with interval, and share of runs that trained.

    A run has trained if its best validation accuracy is at least TRAINED_LEVEL; one that diverged has not.
    """
    keys = list(by)
    accuracy = summarise(runs, "best_validation_accuracy", keys).drop(columns=["std", "min", "max"])
    share = rate_summary(runs.assign(is_trained=_is_trained(runs)), "is_trained", keys)
    renamed = {"count": "trained", "rate": "share_trained", "ci_low": "share_ci_low", "ci_high": "share_ci_high"}
    return accuracy.merge(share.rename(columns=renamed).drop(columns="n"), on=keys)


def trainable_depth(runs: pd.DataFrame) -> pd.DataFrame:
    """Per setting, over seeds: median, least and most of the largest depth that trained with all smaller ones.

    0 where the smallest depth already failed. A seed counts with the depths it was run at; `n` is the number of seeds,
    `deepest` the largest depth any was run at: a value equal to it means "at least".
    """
    marked = runs.assign(is_trained=_is_trained(runs)).sort_values("depth", kind="stable")
    grouped = marked.groupby([*KEYS, "seed"], sort=False, dropna=False)
    reached = grouped.apply(_reached, include_groups=False).rename("reached").reset_index()
    complete = reached[reached["seed"].isin(marked.loc[marked["depth"] == marked["depth"].max(), "seed"])]
    by_setting = complete.groupby(KEYS, sort=False, dropna=False)["reached"]
    table = by_setting.agg(n="count", median="median", low="min", high="max").reset_index()
    return table.assign(deepest=int(marked["depth"].max()))


def _is_trained(runs: pd.DataFrame) -> pd.Series:
    return runs["best_validation_accuracy"].fillna(0.0) >= TRAINED_LEVEL


def _reached(of_one_seed: pd.DataFrame) -> int:
    through = of_one_seed.loc[of_one_seed["is_trained"].cumprod().astype(bool), "depth"]
    return int(through.max()) if len(through) else 0


def ratios(measures: pd.DataFrame) -> pd.DataFrame:
    """Per run and layer at initialisation: the quantities theory predicts, as rows of `quantity` and `value`.

    error_norm_ratio and example_weight_gradient_norm_ratio are relative to the output layer's of the same run.
    """
    initial = measures[measures["step"] == 0]
    keys = [*KEYS, "depth", "width", "seed"]
    parts = [initial[initial["measure"] == "preactivation_square"].assign(quantity="preactivation_square")]
    for measure in ("error", "example_weight_gradient"):
        rows = initial[initial["measure"] == measure]
        output = rows[rows["layer"] == rows["depth"] + 1].set_index(keys)["value"].rename("output")
        joined = rows.join(output, on=keys)
        parts.append(joined.assign(value=joined["value"] / joined["output"], quantity=f"{measure}_norm_ratio"))
    return pd.concat(parts, ignore_index=True)[[*keys, "layer", "quantity", "value"]]


def beside_theory(measures: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """The rows of theory.csv: predicted and measured per activation, init, depth, width, layer and quantity.

    Measured is the geometric mean over seeds with its interval; theory predicts root mean squares at infinite width,
    which at finite width lie above it. `predicted` is for inputs of the images' mean ||x||^2, `predicted_spread` for
    inputs of their own.
    """
    predicted = theory_rows(plan)
    keys = ["activation", "init", "depth", "width", "layer", "quantity"]
    measured = geometric_summary(ratios(measures), "value", keys).rename(columns={"mean": "measured"})
    table = predicted.merge(measured[[*keys, "measured", "ci_low", "ci_high", "n", "n_zero"]], on=keys)
    is_inside = table["predicted"].between(table["ci_low"], table["ci_high"])
    return table.assign(is_inside=is_inside.where(table["ci_low"].notna()))


def theory_rows(plan: Plan) -> pd.DataFrame:
    """What theory predicts for the plan's activations, one row a layer and quantity."""
    rows = [pd.DataFrame(plan.theory[name]["rows"]) for name in plan.activations]
    return pd.concat(rows, ignore_index=True).astype({"predicted": float, "predicted_spread": float})


def shrink_factors(measures: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Per setting and depth >= 5: by what factor the error's norm changes per hidden layer towards the input.

    The factor is (norm of delta_1 / norm of delta_L)^(1 / (L - 1)) at initialisation: geometric mean over seeds with
    its interval, beside theory's.
    """
    keys = ["activation", "init", "depth", "width"]
    found = ratios(measures)
    found = found[(found["quantity"] == "error_norm_ratio") & (found["depth"] >= 5)]
    measured = _factor(found, [*keys, "seed"], "value")
    table = geometric_summary(measured, "factor", keys).rename(columns={"mean": "factor"}).drop(columns="missing")
    rows = theory_rows(plan)
    rows = rows[(rows["quantity"] == "error_norm_ratio") & (rows["depth"] >= 5)]
    predicted = _factor(rows, keys, "predicted").rename(columns={"factor": "predicted"})
    return table.merge(predicted, on=keys, how="left")


def _factor(rows: pd.DataFrame, keys: Sequence[str], value: str) -> pd.DataFrame:
    first = rows[rows["layer"] == 1].set_index(list(keys))[value]
    last = rows[rows["layer"] == rows["depth"]].set_index(list(keys))[value]
    depth = first.index.get_level_values("depth").to_numpy()
    with np.errstate(divide="ignore"):
        factor = (first / last.reindex(first.index)) ** (1 / (depth - 1))
    return factor.rename("factor").reset_index()


def thinned(norms: pd.DataFrame, last: int) -> pd.DataFrame:
    """The first and the `last` step: what of many layers is worth a table, the records have the rest.

    From PROFILE_DEPTH on, the norms that are shown side by side at the first, and those that vanish at the last.
    """
    is_deep = norms["depth"] >= PROFILE_DEPTH
    at_first = (norms["step"] == 0) & (~is_deep | norms["measure"].isin(SIDE_BY_SIDE))
    at_last = (norms["step"] == last) & (~is_deep | norms["measure"].isin(SIDE_BY_SIDE[:2]))
    return norms[at_first | at_last]
