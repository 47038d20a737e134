"""Turn gradient norms and theory's predictions into JSON for the page's view of the layers."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from study.constants import WIDTH
from study.figures.style import Style
from study.report.columns import QUANTILE

Json = dict[str, Any]

SETTING = ["init", "variant", "optimiser", "learning_rate", "depth"]  # what tells the networks of gradient_norms apart
MEASURES = ("error", "weight_gradient", "preactivation_square", "activation_rms")
DIGITS = 3  # significant, of the measures by layer: a point of a chart is no wider
EVERY = 2  # of the rows of `activations`, one in so many is kept


def layers(tables: Mapping[str, pd.DataFrame], style: Style) -> Json:
    """Return the measures by setting, activation, step and layer; theory by activation, initialisation and depth."""
    norms = tables["gradient_norms"]
    kept = (norms["width"] == WIDTH) & (norms["precision"] == "float32") & norms["measure"].isin(MEASURES)
    norms = norms[kept & norms["activation"].isin(style.labels)]
    norms = norms.drop_duplicates([*SETTING, "activation", "measure", "step", "layer"])  # arms share runs
    settings = [
        {**dict(zip(SETTING, setting, strict=True)), **_profile(rows)}
        for setting, rows in norms.groupby(SETTING, sort=False)
    ]
    curves = tables["activations"]
    lying = tables.get("preactivations", pd.DataFrame())
    for setting in settings:
        setting["lying"] = _lying(lying, setting)
    return {
        "settings": settings,
        "percent": [float(name[1:]) for name in lying if QUANTILE.fullmatch(name)],
        "theory": _theory(tables["theory"]) if "theory" in tables else {},
        "curves": {
            name: {column: short(rows[column][::EVERY], 4) for column in ("x", "value", "derivative")}
            for name, rows in curves[curves["activation"].isin(style.labels)].groupby("activation", sort=False)
        },
    }


def _profile(rows: pd.DataFrame) -> Json:
    """Return the steps of one setting, and by activation its seeds and its measures: bounds by step and layer."""
    steps = sorted(rows["step"].unique().tolist())
    in_order = rows.sort_values("layer", kind="stable")[["activation", "measure", "step", "mean", "ci_low", "ci_high"]]
    found: Json = {}
    for name, measure, step, *bounds in in_order.itertuples(index=False, name=None):
        found.setdefault(name, {}).setdefault(measure, {}).setdefault(step, []).append(short(bounds))
    values: Json = {
        name: {measure: [of_steps.get(step, []) for step in steps] for measure, of_steps in measures.items()}
        for name, measures in found.items()
    }
    for name, seeds in rows.groupby("activation")["n"].max().items():
        values[name]["seeds"] = seeds
    return {"steps": steps, "values": values}


def _lying(table: pd.DataFrame, setting: Json) -> Json:
    """Return by activation, step and layer the quantiles of z in this setting, as far as they were measured."""
    if table.empty:
        return {}
    rows = table[(table[SETTING] == pd.Series({key: setting[key] for key in SETTING})).all(axis=1)].sort_values("layer")
    names = [name for name in table if QUANTILE.fullmatch(name)]
    found: Json = {}
    for (name, step), part in rows.groupby(["activation", "step"], sort=False):
        found.setdefault(name, {})[str(step)] = [short(row) for row in part[names].to_numpy()]
    return found


def _theory(table: pd.DataFrame) -> Json:
    """Return by "activation|init|depth" and quantity the predictions, layer by layer.

    `measured` are those networks' mean squares of z, with intervals: deep networks record none when they train.
    """
    ours = table[table["width"] == WIDTH].sort_values("layer")
    found: Json = {}
    for (name, init, depth, quantity), rows in ours.groupby(["activation", "init", "depth", "quantity"], sort=False):
        network = found.setdefault(f"{name}|{init}|{depth}", {})
        network[quantity] = short(rows["predicted"])
        if quantity == "preactivation_square":
            network["seeds"] = rows["n"].max()
            network["measured"] = [short(row) for row in rows[["measured", "ci_low", "ci_high"]].to_numpy()]
    return found


def short(values: Iterable[float], digits: int = DIGITS) -> list[float | None]:
    """Return `values` with so many significant digits, and None for what is not finite."""
    return [float(f"{value:.{digits}g}") if math.isfinite(value) else None for value in values]
