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
PAIR = ("relu", "sigmoid")
ARTICLE_DEPTH = 3
NEEDED = ("activations", "gradient_norms", "theory", "depth_success", "shrink_factors")
OPTIMIZER = "adam"
NETWORK = ("activation", "init", "variant", "optimiser", "learning_rate", "depth")


def conclude(plan: Plan, evidence: Evidence, style: Style) -> Section | None:
    """Return the section that compares the share of the error that reaches layer 1 with the accuracy.

    Return None without ReLU, the sigmoid or a table of NEEDED, or if no activation has both numbers at one depth. The
    tables are:

    - `why_relu`: a row per activation and number of hidden layers, from 2 on. It holds share_of_error before training,
      and the validation accuracy with Adam in the experiment `depth`: mean, ci_low, ci_high and n.
    - `why_tuned`: each activation's accuracy at its own learning rate; empty if nothing was tuned.
    - `why_factors`: the rows of `shrink_factors` of the experiment `depth` at the largest depth.
    - `preactivations`: the result of `_preactivations`, if these were measured.
    """
    tables = evidence.tables
    if not set(PAIR) <= set(plan.activations) or not set(NEEDED) <= tables.keys():
        return None
    shares = pd.concat([_of_article(tables["gradient_norms"]), _of_depth(tables["theory"])], ignore_index=True)
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
        found["preactivations"] = _preactivations(evidence.documents["preactivations"]["content"])
    return Section(PAGE, found, {NAME: drawing}, {"article_depth": ARTICLE_DEPTH}, is_opening=True)


def _preactivations(content: dict[str, Any]) -> pd.DataFrame:
    """Return one row per network, step and hidden layer with the quantiles of its pre-activations z.

    `content` comes from the document `preactivations` (study/runner/networks.py). The columns are NETWORK, seed, step
    (updates done), layer (1 is nearest the input), and a column per quantile, named by its percentage: q0.5, q5, ...
    """
    rows = []
    for network in content["networks"].values():
        names = [f"q{percent:g}" for percent in network["percent"]]
        keys = frames.run_keys(network["settings"])
        of_network = {key: keys[key] for key in (*NETWORK, "seed")}
        for row in network["rows"]:
            quantiles = dict(zip(names, row["quantiles"], strict=True))
            rows.append({**of_network, "step": row["step"], "layer": row["layer"], **quantiles})
    return pd.DataFrame(rows)


def _of_article(norms: pd.DataFrame) -> pd.DataFrame:
    """Return, per activation, the share of the last hidden layer's error that reaches layer 1 before training.

    `norms` is the table `gradient_norms`; its rows of `baseline` are of the article's network. The columns are
    activation, depth and share_of_error.
    """
    first = norms[(norms["experiment"] == "baseline") & (norms["measure"] == "error") & (norms["step"] == 0)]
    return _share(first.rename(columns={"mean": "norm"}).assign(depth=ARTICLE_DEPTH), ARTICLE_DEPTH)


def _of_depth(theory: pd.DataFrame) -> pd.DataFrame:
    """Return the share of the error that `_of_article` defines, per activation and for every depth but the article's.

    `theory` is the table of this name. Only networks of the smallest width under Keras' default initialisation count,
    with the norms `measured` in them, not the predicted ones.
    """
    rows = theory[(theory["quantity"] == "error_norm_ratio") & (theory["init"] == "glorot_uniform")]
    rows = rows[rows["width"] == rows["width"].min()].rename(columns={"measured": "norm"})
    parts = [_share(part, int(depth)) for depth, part in rows.groupby("depth") if depth != ARTICLE_DEPTH]
    nothing = pd.DataFrame(columns=["activation", "depth", "share_of_error"])
    return pd.concat(parts, ignore_index=True) if parts else nothing


def _share(rows: pd.DataFrame, depth: int) -> pd.DataFrame:
    """Divide the error at layer 1 by the error at the last hidden layer, whose number is `depth`.

    `rows`: activation, layer, norm. Return one row per activation with both: activation, depth, share_of_error (no
    unit; above 1 if the error grows toward the input).
    """
    wide = rows[rows["layer"].isin([1, depth])].drop_duplicates(["activation", "layer"])
    norms = wide.pivot(index="activation", columns="layer", values="norm")  # noqa: PD010 - one value a cell
    norms = norms.reindex(columns=sorted({1, depth}))
    share = (norms[1] / norms[depth]).dropna()
    return pd.DataFrame({"activation": share.index, "depth": depth, "share_of_error": share.to_numpy()})
