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
ARTICLE_FAMILIES = ("baseline", "baseline_best")  # by the last weights, and by the ones of the lowest validation loss
NEEDED_TABLES = ("activations", "gradient_norms", "theory", "depth_success", "shrink_factors")
OPTIMIZER = "adam"
CLAIM_COLUMNS = ["claim", "statement", "aspect", "aspect_verdict", "claim_verdict"]
NETWORK_COLUMNS = ("activation", "init", "variant", "optimiser", "learning_rate", "depth")


def conclude(plan: Plan, evidence: Evidence, style: Style) -> Section | None:
    """Return the section that compares the share of the error that reaches layer 1 with the accuracy.

    Return None if `plan` lacks one of NEEDED_ACTIVATIONS, if `evidence` lacks one of NEEDED_TABLES, or if no activation
    has both numbers at one depth. The accuracy is on validation images, with Adam in the experiment `depth`.

    The table NAME has both numbers by depth and activation. `why_tuned` has the tuned accuracies; it has no rows if
    nothing was tuned. `why_factors` has the error's factors per layer in the deepest networks of `depth`. `why_article`
    has the comparisons in the article's network, and `why_claims` the verdicts on the article's claims, if any.
    `preactivations` exists if pre-activations were measured.
    """
    tables = evidence.tables
    if not set(NEEDED_ACTIVATIONS) <= set(plan.activations) or not set(NEEDED_TABLES) <= tables.keys():
        return None
    shares = _error_shares(tables["gradient_norms"], tables["theory"])
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
    if "claims" in tables:
        parts = tables["claims"]
        is_judged = parts["claim"].str.startswith("A") & (parts["aspect_verdict"] != "")
        found["why_claims"] = parts[is_judged].drop_duplicates(["claim", "aspect"])[CLAIM_COLUMNS]
    if "comparisons" in tables:
        compared = tables["comparisons"]
        found["why_article"] = compared[compared["experiment"].isin(ARTICLE_FAMILIES)]
    if "preactivations" in evidence.documents:
        found["preactivations"] = _quantile_table(evidence.documents["preactivations"]["content"])
    return Section(PAGE, found, {NAME: drawing}, {"article_depth": ARTICLE_DEPTH}, is_opening=True)


def _quantile_table(content: dict[str, Any]) -> pd.DataFrame:
    """Return one row per network, step and hidden layer with the quantiles of its pre-activations z.

    `content` comes from the document `preactivations` (study/runner/measurements.py). Each quantile has a column, named
    by its percentage: q0.5, q5, ...
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


def _error_shares(norms: pd.DataFrame, theory: pd.DataFrame) -> pd.DataFrame:
    """Return activation, depth and share_of_error, the error at layer 1 over the last hidden layer's before training.

    The share is above 1 if the error grows toward the input. `norms` is the table `gradient_norms`; it has the
    article's network, which `baseline` ran. The networks of other depths, from 2 on, are in the table `theory`: of the
    smallest width, with Keras' default initialisation.
    """
    article = norms[(norms["experiment"] == "baseline") & (norms["measure"] == "error") & (norms["step"] == 0)]
    others = theory[(theory["quantity"] == "error_norm_ratio") & (theory["init"] == "glorot_uniform")]
    others = others[(others["width"] == others["width"].min()) & ~others["depth"].isin([1, ARTICLE_DEPTH])]
    keys = ["activation", "depth"]
    rows = pd.concat(
        [
            article.rename(columns={"mean": "norm"}).assign(depth=ARTICLE_DEPTH)[[*keys, "layer", "norm"]],
            others.rename(columns={"measured": "norm"})[[*keys, "layer", "norm"]],
        ]
    ).drop_duplicates([*keys, "layer"])
    first = rows[rows["layer"] == 1].set_index(keys)["norm"]
    last = rows[rows["layer"] == rows["depth"]].set_index(keys)["norm"]
    return (first / last).dropna().rename("share_of_error").reset_index().sort_values(["depth", "activation"])
