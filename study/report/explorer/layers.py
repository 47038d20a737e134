"""Turn the tables on gradients, pre-activations and theory into JSON for the page's view of the layers."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from study.constants import WIDTH
from study.figures.style import Style
from study.report.columns import QUANTILE_NAME

Json = dict[str, Any]

# The columns that tell the networks of the table `gradient_norms` apart.
SETTING_COLUMNS = ["init", "variant", "optimiser", "learning_rate", "depth"]
MEASURES = ("error", "weight_gradient", "preactivation_square")
DIGITS = 3  # significant digits of the measures by layer; a chart cannot show more
ROW_STRIDE = 2  # keep every second row of the table `activations`


def layers(tables: Mapping[str, pd.DataFrame], style: Style) -> Json:
    """Return the data of the view of the layers, from the report's `tables` by name.

    Networks of another width than WIDTH, and measures in float64, are left out. The keys are:

    - settings: a dict for each setting in the table gradient_norms. Its keys are SETTING_COLUMNS, `steps` and `values`
      (see `_profile`), and `quantiles` of the pre-activations (see `_preactivation_quantiles`), {} if not measured.
    - percent: the percentages of these quantiles, ascending; [] if none were measured.
    - theory: the predictions by network (see `_theory`); {} without the table theory.
    - curves: {activation: points of phi and phi'} (see `_curve`).
    """
    norms = tables["gradient_norms"]
    norms = norms[(norms["width"] == WIDTH) & (norms["precision"] == "float32") & norms["measure"].isin(MEASURES)]
    norms = norms.drop_duplicates([*SETTING_COLUMNS, "activation", "measure", "step", "layer"])  # of shared runs
    preactivations = tables.get("preactivations", pd.DataFrame(columns=SETTING_COLUMNS))
    measured = dict(list(preactivations.groupby(SETTING_COLUMNS)))
    settings = []
    for setting, rows in norms.groupby(SETTING_COLUMNS, sort=False):
        about = dict(zip(SETTING_COLUMNS, setting, strict=True))
        quantiles = _preactivation_quantiles(measured[setting]) if setting in measured else {}
        settings.append({**about, **_profile(rows), "quantiles": quantiles})
    return {
        "settings": settings,
        "percent": [float(name[1:]) for name in preactivations if QUANTILE_NAME.fullmatch(name)],
        "theory": _theory(tables["theory"]) if "theory" in tables else {},
        "curves": {name: _curve(rows) for name, rows in tables["activations"].groupby("activation", sort=False)},
    }


def _curve(rows: pd.DataFrame) -> Json:
    """Return the lists x, value and derivative of every second of one activation's `rows`, and `between`.

    `between` holds the mean slope from each of these points to the next, exact also where the derivative jumps. The
    page cannot compute it from the rounded values, which have too few digits.
    """
    kept = rows[::ROW_STRIDE]
    slopes = np.diff(kept["value"]) / np.diff(kept["x"])
    columns = {"x": kept["x"], "value": kept["value"], "derivative": kept["derivative"], "between": slopes}
    return {name: rounded(values, 4) for name, values in columns.items()}


def _profile(rows: pd.DataFrame) -> Json:
    """Return the measures of one setting as {"steps": list, "values": dict}; `rows` are its rows of gradient_norms.

    `steps` are the logged steps, ascending. `values` holds by activation `seeds` and each measure, lists over `steps`.
    An entry of `seeds` is the number of seeds at this step, which falls when runs end. An entry of a measure is a list
    over layers of [mean, low, high], empty if the step lacks the measure.
    """
    steps = sorted(rows["step"].unique().tolist())
    in_order = rows.sort_values("layer", kind="stable")[["activation", "measure", "step", "mean", "ci_low", "ci_high"]]
    found: Json = {}
    for name, measure, step, *bounds in in_order.itertuples(index=False, name=None):
        found.setdefault(name, {}).setdefault(measure, {}).setdefault(step, []).append(rounded(bounds))
    values: Json = {
        name: {measure: [of_steps.get(step, []) for step in steps] for measure, of_steps in measures.items()}
        for name, measures in found.items()
    }
    for name, seeds in rows.pivot_table("n", "activation", "step", "max", fill_value=0).iterrows():
        values[str(name)]["seeds"] = [int(n) for n in seeds]
    return {"steps": steps, "values": values}


def _preactivation_quantiles(rows: pd.DataFrame) -> Json:
    """Return the quantiles of the pre-activations z in one setting's `rows` of the table `preactivations`.

    The result is {activation: {step, as text: list over hidden layers of ascending quantiles}}.
    """
    names = [name for name in rows if QUANTILE_NAME.fullmatch(name)]
    found: Json = {}
    for (name, step), part in rows.sort_values("layer").groupby(["activation", "step"], sort=False):
        found.setdefault(name, {})[str(step)] = [rounded(row) for row in part[names].to_numpy()]
    return found


def _theory(table: pd.DataFrame) -> Json:
    """Return the predictions of the table `theory`, {"activation|init|depth": network}, at the study's width.

    A network has a list over layers for each predicted quantity. With the mean square of the pre-activations z come
    the number of `seeds`, and `measured`, a list over layers of [mean square, low, high] before training. The page
    shows these at step 0 where the trained networks did not log this mean square.
    """
    ours = table[table["width"] == WIDTH].sort_values("layer")
    found: Json = {}
    for (name, init, depth, quantity), rows in ours.groupby(["activation", "init", "depth", "quantity"], sort=False):
        network = found.setdefault(f"{name}|{init}|{depth}", {})
        network[quantity] = rounded(rows["predicted"])
        if quantity == "preactivation_square":
            network["seeds"] = rows["n"].max()
            network["measured"] = [rounded(row) for row in rows[["measured", "ci_low", "ci_high"]].to_numpy()]
    return found


def rounded(values: Iterable[float], digits: int = DIGITS) -> list[float | None]:
    """Return `values` rounded to `digits` significant digits, with None for each that is not finite."""
    return [float(f"{value:.{digits}g}") if math.isfinite(value) else None for value in values]
