"""Summarise how deep networks train and how their errors shrink, and set theory beside measurement."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from study.analysis.statistics import geometric_summary, share_summary, summarise
from study.constants import PROFILE_DEPTH, TRAINED_LEVEL

SIDE_BY_SIDE = ("error", "weight_gradient", "example_weight_gradient", "activation_rms")
KEYS = ["activation", "init", "variant", "optimiser", "learning_rate"]
NETWORK = ["activation", "init", "depth", "width"]
DEEP = 5  # hidden layers from which a factor per layer is given


def success(runs: pd.DataFrame, by: Sequence[str] = (*KEYS, "depth")) -> pd.DataFrame:
    """Return per group of `by` the mean `best_validation_accuracy` with its interval, and the share of runs that train.

    A run has trained if this accuracy is at least TRAINED_LEVEL. A run that diverged has not.
    """
    keys = list(by)
    accuracy = summarise(runs, "best_validation_accuracy", keys, is_share=True).drop(columns=["std", "min", "max"])
    share = share_summary(runs.assign(is_trained=_is_trained(runs)), "is_trained", keys)
    renamed = {"count": "n_trained", "share": "share_trained", "ci_low": "share_ci_low", "ci_high": "share_ci_high"}
    return accuracy.merge(share.rename(columns=renamed).drop(columns="n"), on=keys)


def trainable_depth(runs: pd.DataFrame) -> pd.DataFrame:
    """Return per setting the median, least and most over seeds of the largest depth that trained with all smaller ones.

    The depth is 0 if the smallest network already failed. Only seeds that ran at the largest depth count; `n` is their
    number. `deepest` is the largest depth of `runs`: a value equal to it means "at least".
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


def predictions(tables: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Join theory's `tables` of several activations, given by columns: one row per network, layer and quantity."""
    joined = pd.concat([pd.DataFrame(table) for table in tables], ignore_index=True)
    return joined.astype({"predicted": float, "predicted_spread": float})


def ratios(measures: pd.DataFrame) -> pd.DataFrame:
    """Return the measured counterparts of theory's predictions at initialisation, per run and layer.

    The columns are `quantity` and `value`. The two norm ratios are relative to the output layer's norm of the same run.
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


def beside_theory(measures: pd.DataFrame, predicted: pd.DataFrame) -> pd.DataFrame:
    """Join `measures` with `predicted`, by network, layer and quantity.

    `measured` is the geometric mean over seeds with its interval. Theory predicts root mean squares at infinite width,
    which lie above a geometric mean at finite width. `predicted` is for inputs of the images' mean ||x||^2,
    `predicted_spread` for inputs of the images' own.
    """
    keys = [*NETWORK, "layer", "quantity"]
    measured = geometric_summary(ratios(measures), "value", keys).rename(columns={"mean": "measured"})
    table = predicted.merge(measured[[*keys, "measured", "ci_low", "ci_high", "n", "n_zero"]], on=keys)
    is_inside = table["predicted"].between(table["ci_low"], table["ci_high"])
    return table.assign(is_inside=is_inside.where(table["ci_low"].notna()))


def missed_layers(theory: pd.DataFrame) -> pd.DataFrame:
    """Count per quantity and width the layers of `theory`, and the share whose interval excludes the prediction."""
    known = theory[theory["is_inside"].notna()]
    outside = known.assign(outside=~known["is_inside"].astype(bool)).groupby(["quantity", "width"])["outside"]
    return outside.agg(layers="size", share_outside="mean").reset_index()


def shrink_factors(measures: pd.DataFrame, predicted: pd.DataFrame) -> pd.DataFrame:
    """Return the factor by which the error's norm changes per hidden layer toward the input, at initialisation.

    The factor is (norm of delta_1 / norm of delta_L)^(1 / (L - 1)) for L >= DEEP hidden layers. `factor` is its
    geometric mean over seeds with its interval, and `predicted` is theory's.
    """
    measured = _factor(ratios(measures), [*NETWORK, "seed"], "value")
    table = geometric_summary(measured, "factor", NETWORK).rename(columns={"mean": "factor"}).drop(columns="missing")
    theory = _factor(predicted, NETWORK, "predicted").rename(columns={"factor": "predicted"})
    return table.merge(theory, on=NETWORK, how="left")


def _factor(rows: pd.DataFrame, keys: Sequence[str], value: str) -> pd.DataFrame:
    errors = rows[(rows["quantity"] == "error_norm_ratio") & (rows["depth"] >= DEEP)]
    first = errors[errors["layer"] == 1].set_index(list(keys))[value]
    last = errors[errors["layer"] == errors["depth"]].set_index(list(keys))[value]
    depth = first.index.get_level_values("depth").to_numpy()
    with np.errstate(divide="ignore"):
        factor = (first / last.reindex(first.index)) ** (1 / (depth - 1))
    return factor.rename("factor").reset_index()


def thinned(norms: pd.DataFrame, last: int) -> pd.DataFrame:
    """Keep only the first step and the step `last` of gradient norms; the records hold the others.

    Networks of PROFILE_DEPTH or more keep fewer measures. These are the norms that figures show side by side at the
    first step, and the two that vanish at the last.
    """
    is_deep = norms["depth"] >= PROFILE_DEPTH
    at_first = (norms["step"] == 0) & (~is_deep | norms["measure"].isin(SIDE_BY_SIDE))
    at_last = (norms["step"] == last) & (~is_deep | norms["measure"].isin(SIDE_BY_SIDE[:2]))
    return norms[at_first | at_last]
