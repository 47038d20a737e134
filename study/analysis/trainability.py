"""Summarise how deep networks train and how their errors shrink, and compare measurements with theory.

`runs` and `measures` are results of `runs_frame` and `measures_frame` (study/records/frames.py), and `predicted` is the
result of `joined_predictions`. A network has L hidden layers (its `depth`). Layer 1 is nearest the input, and layer L +
1 is the output layer. The error at layer l is delta_l, the derivative of an example's loss by the layer's
pre-activations (study/engine/measures.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from study.analysis.statistics import geometric_summary, share_summary, summarise
from study.constants import PROFILE_DEPTH, TRAINED_LEVEL, TRAINED_MARGIN, WIDTH

SIDE_BY_SIDE = ("error", "weight_gradient", "example_weight_gradient", "activation_rms")  # drawn side by side
KEYS = ["activation", "init", "variant", "optimiser", "learning_rate"]  # columns that name a setting
NETWORK = ["activation", "init", "depth", "width"]  # columns that name a network
FOLLOWED_DEPTHS = (3, 5, 10, 20)  # hidden layers of the networks that the page follows while they train
FOLLOWED_STEPS = (1, 10, 50, 200)  # updates; `thinned_norms` adds step 0 and the last one
FOLLOWED_MEASURES = ("error", "weight_gradient", "preactivation_square", "activation_rms")
DEEP = 5  # hidden layers from which a factor per layer is given


def success(runs: pd.DataFrame, group_by: Sequence[str] = (*KEYS, "depth")) -> pd.DataFrame:
    """Return one row per group of the columns `group_by`: the validation accuracy, and the share of runs that trained.

    A run has trained if its `best_validation_accuracy` is at least TRAINED_LEVEL; a run that diverged has not. `n`
    counts the finished runs, and the column `runs` all. `summarise` and `share_summary` explain the other columns.
    """
    keys = list(group_by)
    accuracy = summarise(runs, "best_validation_accuracy", keys, is_share=True).drop(columns=["std", "min", "max"])
    is_trained = runs["best_validation_accuracy"].fillna(0.0) >= TRAINED_LEVEL
    share = share_summary(runs.assign(is_trained=is_trained), "is_trained", keys)
    renamed = {"count": "n_trained", "share": "share_trained", "ci_low": "share_ci_low", "ci_high": "share_ci_high"}
    return accuracy.merge(share.rename(columns=renamed | {"n": "runs"}), on=keys)


def trainable_depth(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per setting of `runs`: `median`, `low` and `high` of the depth to which networks train, in layers.

    A setting is named by KEYS. A seed's depth is the largest one at which its network trained (see `success`) and so
    did all smaller ones; 0 if the smallest network failed. Only the `n` seeds that ran at `deepest`, the largest depth
    of the setting, count. A smaller depth at which such a seed did not run counts as trained.

    The `median` over an even number of seeds may lie between two depths of the grid. `low` and `high` span a wider
    range than these seeds, to allow for others. `low` is the least depth over seeds at the stricter level TRAINED_LEVEL
    + TRAINED_MARGIN. `high` is the largest depth at the level TRAINED_LEVEL - TRAINED_MARGIN. `next_depth` is the
    smallest depth of the grid above `high`, NaN if there is none.
    """
    rows = []
    accuracies = runs.assign(accuracy=runs["best_validation_accuracy"].fillna(0.0))
    for setting, part in accuracies.groupby(KEYS, sort=False, dropna=False):
        grid = part.pivot_table("accuracy", "depth", "seed", aggfunc="min")
        grid = grid.loc[:, grid.iloc[-1].notna()].fillna(1.0)
        low, median, high = (
            _reached_depths(grid, TRAINED_LEVEL + margin) for margin in (TRAINED_MARGIN, 0, -TRAINED_MARGIN)
        )
        found = {"n": len(median), "median": median.median(), "low": low.min(), "high": high.max()}
        ends = {"deepest": grid.index.max(), "next_depth": grid.index[grid.index > high.max()].min()}
        rows.append(dict(zip(KEYS, setting, strict=True)) | found | ends)
    columns = [*KEYS, "n", "median", "low", "high", "deepest", "next_depth"]
    return pd.DataFrame(rows, columns=columns).astype({"next_depth": float})


def _reached_depths(accuracies: pd.DataFrame, level: float) -> pd.Series:
    """Return for each column of `accuracies` (depths, seeds) the depth up to which all entries reach `level`, or 0."""
    return (accuracies >= level).cumprod().mul(accuracies.index, axis=0).max()


def similarity(measures: pd.DataFrame, predicted: pd.DataFrame, last: int) -> pd.DataFrame:
    """Return the mean cosine between two images' pre-activations, before and after training, by network and layer.

    The `measures` of networks of WIDTH units per layer are averaged over seeds. `when` is "initial" for untrained
    networks, the float64 ones, whose optimiser is "" and whose rate is NaN. It is "end" for trained networks after
    their update `last`, of which theory predicts nothing. The 95% t interval is cut to [-1, 1]. `distance` is 1 minus
    the mean, kept as a column because a mean near 1 loses it by rounding.
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


def joined_predictions(tables: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Join theory's `tables`, one per activation as {column: list}: one row per network, layer and quantity.

    `predicted_rows` (study/theory/mean_field.py) explains the columns. A missing prediction becomes NaN.
    """
    joined = pd.concat([pd.DataFrame(table) for table in tables], ignore_index=True)
    return joined.astype({"predicted": float, "predicted_spread": float})


def initial_values(measures: pd.DataFrame) -> pd.DataFrame:
    """Return the measured counterparts of theory's predictions before training: one row per run, layer and quantity.

    The values of the quantities that end in _norm_ratio are divided by the value in the output layer of the same run.
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
    """Return theory's predictions with their measured counterparts: one row per network, layer and quantity.

    `measured` is the geometric mean over seeds of the `initial_values` of `measures`, with its 95% t interval.
    `is_inside` tells whether the interval holds `predicted`; it is null without an interval. Theory predicts root mean
    squares at infinite width, which lie above a geometric mean at finite width. Inputs have the images' mean ||x||^2 in
    `predicted`, and the ||x||^2 of their own image in `predicted_spread`.
    """
    keys = [*NETWORK, "layer", "quantity"]
    measured = geometric_summary(initial_values(measures), "value", keys).rename(columns={"mean": "measured"})
    table = predicted.merge(measured[[*keys, "measured", "ci_low", "ci_high", "n", "n_zero"]], on=keys)
    is_inside = table["predicted"].between(table["ci_low"], table["ci_high"])
    return table.assign(is_inside=is_inside.where(table["ci_low"].notna()))


def missed_layers(theory: pd.DataFrame) -> pd.DataFrame:
    """Return by quantity and width how many layers test theory, and in which share it lies outside of the interval.

    `theory` is the result of `beside_theory`. Rows without an interval do not count.
    """
    known = theory[theory["is_inside"].notna()]
    outside = known.assign(outside=~known["is_inside"].astype(bool)).groupby(["quantity", "width"])["outside"]
    return outside.agg(layers="size", share_outside="mean").reset_index()


def shrink_factors(measures: pd.DataFrame, predicted: pd.DataFrame) -> pd.DataFrame:
    """Return one row per network: the factor by which the error's norm changes per hidden layer toward the input.

    The factor is (norm of delta_1 / norm of delta_L)^(1 / (L - 1)), for L >= DEEP. `factor` is its geometric mean over
    the seeds of `measures`, and `predicted` the factor of theory, NaN without a prediction.
    """
    measured = _factor_per_layer(initial_values(measures), [*NETWORK, "seed"], "value")
    table = geometric_summary(measured, "factor", NETWORK).rename(columns={"mean": "factor"}).drop(columns="missing")
    theory = _factor_per_layer(predicted, NETWORK, "predicted").rename(columns={"factor": "predicted"})
    return table.merge(theory, on=NETWORK, how="left")


def _factor_per_layer(rows: pd.DataFrame, keys: Sequence[str], value: str) -> pd.DataFrame:
    """Return `keys` and the `factor` that `shrink_factors` describes, from the error's norms in the column `value`."""
    errors = rows[(rows["quantity"] == "error_norm_ratio") & (rows["depth"] >= DEEP)]
    first = errors[errors["layer"] == 1].set_index(list(keys))[value]
    last = errors[errors["layer"] == errors["depth"]].set_index(list(keys))[value]
    depth = first.index.get_level_values("depth").to_numpy()
    with np.errstate(divide="ignore"):
        factor = (first / last.reindex(first.index)) ** (1 / (depth - 1))
    return factor.rename("factor").reset_index()


def thinned_norms(norms: pd.DataFrame, last: int) -> pd.DataFrame:
    """Return the rows of `norms`, the result of `gradient_norms`, that the report keeps; the records hold all.

    Networks of fewer than PROFILE_DEPTH hidden layers keep all measures at step 0 and at the step `last`. Others
    keep SIDE_BY_SIDE at step 0, and the first two of it, the norms that can vanish, at the step `last`. Plain float32
    networks of FOLLOWED_DEPTHS also keep FOLLOWED_MEASURES, at step 0, at FOLLOWED_STEPS and at the step `last`.
    """
    is_deep = norms["depth"] >= PROFILE_DEPTH
    at_first = (norms["step"] == 0) & (~is_deep | norms["measure"].isin(SIDE_BY_SIDE))
    at_last = (norms["step"] == last) & (~is_deep | norms["measure"].isin(SIDE_BY_SIDE[:2]))
    is_shown = norms["step"].isin([0, *FOLLOWED_STEPS, last]) & norms["measure"].isin(FOLLOWED_MEASURES)
    is_shown &= norms["depth"].isin(FOLLOWED_DEPTHS) & (norms["variant"] == "plain")
    is_shown &= norms["precision"] == "float32"
    return norms[at_first | at_last | is_shown]
