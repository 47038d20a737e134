"""Why did ReLU replace the sigmoid? The slope, the error that reaches layer 1 and the accuracy, side by side.

The error of a layer is the norm of the loss gradient with respect to its pre-activations z, the root mean square over
the examples of a batch. The module asks for no runs: `baseline` and `depth` have measured the numbers.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from study import figures
from study.figures.style import Style
from study.plan import Plan
from study.records import frames
from study.report.section import Evidence, Section

PAGE = Path(__file__).with_suffix(".md")
NAME = "why_relu"
NEEDED_ACTIVATIONS = ("relu", "sigmoid")
ARTICLE_DEPTH = 3
NEEDED_TABLES = ("activations", "gradient_norms", "theory", "depth_success", "shrink_factors")
OPTIMIZER = "adam"
NETWORK_COLUMNS = ("activation", "init", "variant", "optimiser", "learning_rate", "depth")


def conclude(plan: Plan, evidence: Evidence, style: Style) -> Section | None:
    """Return the section that compares the share of the error that reaches layer 1 with the accuracy.

    Return None if `plan` lacks one of NEEDED_ACTIVATIONS, if `evidence` lacks one of NEEDED_TABLES, or if no activation
    has both numbers at one depth. The tables are:

    - `why_relu`: a row per activation and number of hidden layers, from 2 on. `share_of_error` is the share before
      training. The columns mean, ci_low, ci_high and n hold the validation accuracy with Adam in the experiment
      `depth`.
    - `why_tuned`: each activation's accuracy at its own learning rate; empty if nothing was tuned.
    - `why_factors`: the rows of `shrink_factors` of the experiment `depth` at the largest depth.
    - `preactivations`: the result of `_quantile_table`, if pre-activations were measured.
    """
    tables = evidence.tables
    if not set(NEEDED_ACTIVATIONS) <= set(plan.activations) or not set(NEEDED_TABLES) <= tables.keys():
        return None
    shares = pd.concat([_article_shares(tables["gradient_norms"]), _depth_shares(tables["theory"])], ignore_index=True)
    shares = shares[shares["depth"] > 1]
    success = tables["depth_success"]
    is_plain = (success["experiment"] == "depth") & (success["optimiser"] == OPTIMIZER)
    accuracy = success.loc[is_plain, ["activation", "depth", "mean", "ci_low", "ci_high", "n"]]
    table = shares.merge(accuracy, on=["activation", "depth"]).sort_values(["depth", "activation"])
    if table.empty:
        return None
    curves = tables["activations"]
    drawing = figures.cause_and_effect(curves[curves["activation"].isin(plan.activations)], shares, accuracy, style)
    factors = tables["shrink_factors"].assign(is_deepest=lambda frame: frame["depth"] == frame["depth"].max())
    tuned = tables.get("tuned", pd.DataFrame(columns=["activation", "tuned_accuracy_mean"]))
    found = {
        NAME: table,
        "why_tuned": tuned[["activation", "tuned_accuracy_mean"]],
        "why_factors": factors[factors["is_deepest"] & (factors["experiment"] == "depth")],
    }
    if "preactivations" in evidence.documents:
        found["preactivations"] = _quantile_table(evidence.documents["preactivations"]["content"])
    return Section(PAGE, found, {NAME: drawing}, {"article_depth": ARTICLE_DEPTH}, is_opening=True)


def _quantile_table(content: dict[str, Any]) -> pd.DataFrame:
    """Return one row per network, step and hidden layer with the quantiles of its pre-activations z.

    `content` comes from the document `preactivations` (study/runner/measurements.py). The columns are NETWORK_COLUMNS,
    seed, step (updates done), layer (1 is nearest the input), and a column per quantile, named by its percentage: q0.5,
    q5, ...
    """
    rows = []
    for network in content["networks"].values():
        names = [f"q{percent:g}" for percent in network["percent"]]
        keys = frames.run_keys(network["settings"])
        of_network = {key: keys[key] for key in (*NETWORK_COLUMNS, "seed")}
        for row in network["rows"]:
            quantiles = dict(zip(names, row["quantiles"], strict=True))
            rows.append({**of_network, "step": row["step"], "layer": row["layer"], **quantiles})
    return pd.DataFrame(rows)


def _article_shares(norms: pd.DataFrame) -> pd.DataFrame:
    """Return, per activation, the share of the last hidden layer's error that reaches layer 1 before training.

    `norms` is the table `gradient_norms`; its rows of `baseline` are of the article's network. The columns are
    activation, depth and share_of_error.
    """
    first = norms[(norms["experiment"] == "baseline") & (norms["measure"] == "error") & (norms["step"] == 0)]
    return _error_shares(first.rename(columns={"mean": "norm"}).assign(depth=ARTICLE_DEPTH), ARTICLE_DEPTH)


def _depth_shares(theory: pd.DataFrame) -> pd.DataFrame:
    """Return the share that `_article_shares` defines, per activation and for every depth but the article's.

    `theory` is the table `theory`. Only networks of the smallest width under Keras' default initialisation count, with
    the norms `measured` in them, not the predicted ones.
    """
    rows = theory[(theory["quantity"] == "error_norm_ratio") & (theory["init"] == "glorot_uniform")]
    rows = rows[rows["width"] == rows["width"].min()].rename(columns={"measured": "norm"})
    parts = [_error_shares(part, int(depth)) for depth, part in rows.groupby("depth") if depth != ARTICLE_DEPTH]
    nothing = pd.DataFrame(columns=["activation", "depth", "share_of_error"])
    return pd.concat(parts, ignore_index=True) if parts else nothing


def _error_shares(rows: pd.DataFrame, depth: int) -> pd.DataFrame:
    """Divide the error at layer 1 by the error at the last hidden layer, whose number is `depth`.

    `rows` has the columns activation, layer and norm. Return one row per activation that has both errors, with the
    columns activation, depth and share_of_error (without unit; above 1 if the error grows toward the input).
    """
    wide = rows[rows["layer"].isin([1, depth])].drop_duplicates(["activation", "layer"])
    norms = wide.pivot(index="activation", columns="layer", values="norm")  # noqa: PD010 - one value a cell
    norms = norms.reindex(columns=sorted({1, depth}))
    share = (norms[1] / norms[depth]).dropna()
    return pd.DataFrame({"activation": share.index, "depth": depth, "share_of_error": share.to_numpy()})
