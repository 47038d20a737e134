"""Summarise how deep networks train and how their errors shrink, and set theory beside measurement."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from study.analysis.statistics import geometric_summary, share_summary, summarise
from study.constants import PROFILE_DEPTH, TRAINED_LEVEL, WIDTH

SIDE_BY_SIDE = ("error", "weight_gradient", "example_weight_gradient", "activation_rms")
KEYS = ["activation", "init", "variant", "optimiser", "learning_rate"]
NETWORK = ["activation", "init", "depth", "width"]
FOLLOWED_DEPTHS = (3, 5, 10, 20)  # hidden layers of the networks that the page follows while they train
FOLLOWED_STEPS = (1, 10, 50, 200)  # between the first and the last one
FOLLOWED_MEASURES = ("error", "weight_gradient", "preactivation_square", "activation_rms")
DEEP = 5  # hidden layers from which a factor per layer is given


def success(runs: pd.DataFrame, by: Sequence[str] = (*KEYS, "depth")) -> pd.DataFrame:
    """Return per group of `by` the mean `best_validation_accuracy` with its interval, and the share of runs that train.

    A run has trained if this accuracy is at least TRAINED_LEVEL. A run that diverged has not.
    """
    keys = list(by)
    accuracy = summarise(runs, "best_validation_accuracy", keys, is_share=True).drop(columns=["std", "min", "max"])
    share = share_summary(runs.assign(is_trained=_is_trained(runs)), "is_trained", keys)
    renamed = {"count": "n_trained", "share": "share_trained", "ci_low": "share_ci_low", "ci_high": "share_ci_high"}
    return accuracy.merge(share.rename(columns=renamed | {"n": "runs"}), on=keys)


def trainable_depth(runs: pd.DataFrame) -> pd.DataFrame:
    """Return per setting the median, least and most over seeds of the largest depth that trained with all smaller ones.

    The depth is 0 if the smallest network already failed. Only seeds that ran at `deepest`, the largest depth of the
    setting, count; `n` is their number. The median network trains at `median` layers and no longer at `next_depth`, the
    next depth of the grid; NaN if the grid ends.
    """
    rows = []
    for setting, part in runs.assign(is_trained=_is_trained(runs)).groupby(KEYS, sort=False, dropna=False):
        grid = part.pivot_table("is_trained", "depth", "seed", aggfunc="min")
        grid = grid.loc[:, grid.iloc[-1].notna()].fillna(1.0).cumprod()
        reached = grid.mul(grid.index, axis=0).max()
        median = reached.median()
        found = {"n": len(reached), "median": median, "low": int(reached.min()), "high": int(reached.max())}
        ends = {"deepest": grid.index.max(), "next_depth": grid.index[grid.index > median].min()}
        rows.append(dict(zip(KEYS, setting, strict=True)) | found | ends)
    return pd.DataFrame(rows).astype({"next_depth": float})


def _is_trained(runs: pd.DataFrame) -> pd.Series:
    return runs["best_validation_accuracy"].fillna(0.0) >= TRAINED_LEVEL


def similarity(measures: pd.DataFrame, predicted: pd.DataFrame, last: int) -> pd.DataFrame:
    """Return the mean cosine of two images by layer, over seeds, with its interval, n and theory's prediction.

    `distance` is 1 minus the mean, which would round to 1.

    `when` is "initial" for networks that are not trained. It is "end" for trained networks after their update `last`.
    Theory predicts nothing for trained networks.
    """
    found = measures[(measures["measure"] == "similarity") & (measures["width"] == WIDTH)]
    is_untrained = found["precision"] == "float64"
    initial = found[is_untrained & (found["step"] == 0)].assign(when="initial", optimiser="", learning_rate=np.nan)
    end = found[~is_untrained & (found["step"] == last)].assign(when="end")
    keys = [*NETWORK, "layer", "when", "optimiser", "learning_rate", "precision"]
    table = summarise(pd.concat([initial, end]), "value", keys)[[*keys, "mean", "ci_low", "ci_high", "n"]]
    theory = predicted[predicted["quantity"] == "similarity"].assign(when="initial")
    table = table.merge(theory[[*NETWORK, "layer", "when", "predicted"]], how="left", on=[*NETWORK, "layer", "when"])
    bounds = {"ci_low": table["ci_low"].clip(lower=-1), "ci_high": table["ci_high"].clip(upper=1)}
    return table.assign(**bounds, distance=1 - table["mean"])


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
    """Keep only some steps of gradient norms; the records hold the others.

    The first step and the step `last` are kept of all networks. Those of PROFILE_DEPTH or more keep fewer measures:
    the norms that figures show side by side at the first step, and the two that vanish at the last. The networks that
    the page follows keep FOLLOWED_MEASURES at FOLLOWED_STEPS too.
    """
    is_deep = norms["depth"] >= PROFILE_DEPTH
    at_first = (norms["step"] == 0) & (~is_deep | norms["measure"].isin(SIDE_BY_SIDE))
    at_last = (norms["step"] == last) & (~is_deep | norms["measure"].isin(SIDE_BY_SIDE[:2]))
    is_shown = norms["step"].isin([0, *FOLLOWED_STEPS, last]) & norms["measure"].isin(FOLLOWED_MEASURES)
    is_shown &= norms["depth"].isin(FOLLOWED_DEPTHS) & (norms["variant"] == "plain")
    is_shown &= norms["precision"] == "float32"
    return norms[at_first | at_last | is_shown]
