"""Turn the report's tables into the data of report.html's views: numbers and ready-made texts, for JSON.

A view is a part of the page with its charts; VIEWS lists them. Each function of VIEWS takes the tables by name, and the
style.
"""

import math
from collections.abc import Callable, Mapping

import pandas as pd

from study.analysis.claims import DIFFERS
from study.constants import REFERENCE_ACTIVATION, TRAINED_LEVEL, WIDTH
from study.figures.style import Style
from study.report import filters, formatting
from study.report.explorer.layers import SETTING_COLUMNS, Json, layers, rounded
from study.report.quantities import Row, quantified

Tables = Mapping[str, pd.DataFrame]


def views(tables: Tables, style: Style) -> Json:
    """Return the data of each view by the view's name; None if a table that the view needs is missing or empty.

    `tables` holds the report's tables by name. Three more keys are `activations` (see `_activations`), `missing` (the
    names of missing tables, by view) and `width` (the units of a hidden layer).
    """
    known = {
        name: table[table["activation"].isin(style.labels)] if "activation" in table else table
        for name, table in tables.items()
    }
    present = {name for name, table in known.items() if not table.empty}
    absent = {view: [name for name in needed if name not in present] for view, (needed, _) in VIEWS.items()}
    shown = {view: None if absent[view] else shape(known, style) for view, (_, shape) in VIEWS.items()}
    missing = {view: names for view, names in absent.items() if names}
    return {"activations": _activations(known, style), "missing": missing, "width": WIDTH, **shown}


def _activations(tables: Tables, style: Style) -> list[Json]:
    """Return a dict for each activation in the tables of the views, in the registry's order.

    The keys are `name`, `label`, `color` (#RRGGBB), and matplotlib's names of the `marker` and the line style (`dash`).
    """
    drawn = {name for needed, _ in VIEWS.values() for name in needed} & tables.keys()
    columns = [tables[name]["activation"] for name in drawn if "activation" in tables[name]]
    return [
        {
            "name": name,
            "label": " ".join(style.labels[name].split()) or name,
            "color": style.color(name),
            "marker": style.marker(name),
            "dash": style.line(name)["linestyle"],
        }
        for name in style.order(name for column in columns for name in column)
    ]


def _points(rows: pd.DataFrame, x: str, y: str, low: str = "ci_low", high: str = "ci_high") -> list[Json]:
    """Return a dict for each of `rows`, a point with its interval, in the order of `rows`.

    The keys are activation, x, y, low, high, n, and `text`, which is y with its interval in percent. `x`, `y`, `low`
    and `high` name the columns that hold these values. The numbers y, low and high have six significant digits; None
    stands for one that is not finite.
    """
    return [
        {
            "activation": row["activation"],
            "x": row[x],
            "n": row["n"],
            "text": _interval_text(row[y], row[low], row[high]),
        }
        | dict(zip(("y", "low", "high"), rounded((row[y], row[low], row[high]), 6), strict=True))
        for row in rows.to_dict("records")
    ]


def _interval_text(estimate: float, low: float, high: float, *, scale: float = 100, signed: bool = False) -> str:
    """Return an estimate with its interval as text, all times `scale`, with typographic minus signs.

    By default, fractions become percent or points. If `signed`, positive numbers have a plus.
    """
    return formatting.interval(estimate, low, high, scale, signed).replace("-", "\N{MINUS SIGN}")


def _depth(tables: Tables, style: Style) -> Json:
    """Return the data of the tables depth_success and trainable_depth: `settings`, a list, and `level`, a number.

    A run counts as trained from the accuracy `level` on. Each dict in `settings` has the keys of SETTING_COLUMNS
    without the depth, and the keys `points` and `deepest`. The points are made by `_points`: x is the depth in hidden
    layers and y the mean validation accuracy. A point also has `trained`, a text such as "2 of 3" seeds, and `learns`,
    which tells whether all did. `deepest` holds the text of `filters.reached` by activation, empty if unknown.
    """
    keys = [key for key in SETTING_COLUMNS if key != "depth"]
    deepest: dict[object, str] = {}
    if "trainable_depth" in tables:
        for row in tables["trainable_depth"].to_dict("records"):
            deepest.setdefault(tuple(row[key] for key in ("activation", *keys)), _depth_text(row))
    settings = []
    success = tables["depth_success"].drop_duplicates(["activation", *SETTING_COLUMNS])  # experiments share runs
    for setting, rows in success.groupby(keys, sort=False):
        points = [
            {**point, "trained": f"{trained:g} of {point['n']:g}", "learns": bool(trained == point["n"])}
            for point, trained in zip(_points(rows, "depth", "mean"), rows["n_trained"], strict=True)
        ]
        names = {name: deepest.get((name, *setting), "") for name in rows["activation"].unique()}
        settings.append({**dict(zip(keys, setting, strict=True)), "points": points, "deepest": names})
    return {"settings": settings, "level": TRAINED_LEVEL}


def _rate(tables: Tables, style: Style) -> Json:
    """Return the data of the tables learning_rate_grid, dead_by_rate and rates_chosen.

    - `points`: the points that `_points` makes of the rate (x) and the validation accuracy (y). Each also has its
      `rate` as text, and `best`, which tells whether it is the activation's best rate.
    - `dead`: the points that `_points` makes of the rate (x) and the share of dead units (y); empty without
      dead_by_rate.
    - `chosen`: a text by activation, such as "0.001 on 29, 0.00316 on 11": learning rates, and on how many seeds each
      was chosen. Empty without rates_chosen.
    """
    grid = tables["learning_rate_grid"]
    points = _points(grid, "learning_rate", "validation_accuracy_mean")
    for point, is_best in zip(points, grid["is_best"], strict=True):
        point |= {"best": bool(is_best), "rate": f"{point['x']:.3g}"}
    chosen: dict[str, list[str]] = {}
    if "rates_chosen" in tables:
        for row in tables["rates_chosen"].sort_values("seeds_chosen", ascending=False).to_dict("records"):
            chosen.setdefault(row["activation"], []).append(f"{row['learning_rate']:.3g} on {row['seeds_chosen']:g}")
    return {
        "points": points,
        "dead": _points(tables["dead_by_rate"], "learning_rate", "mean") if "dead_by_rate" in tables else [],
        "chosen": {name: ", ".join(texts) for name, texts in chosen.items()},
    }


def _noise(tables: Tables, style: Style) -> Json:
    """Return the data of the table robustness: `points`, where x is the noise's amplitude and y the mean test accuracy.

    `_points` makes the points. Each also has the text `difference`: the accuracy minus the reference's in percentage
    points, with its interval.
    """
    rows = tables["robustness"]
    points = _points(rows, "amplitude", "test_accuracy_mean", "accuracy_ci_low", "accuracy_ci_high")
    bounds = ["difference", "difference_ci_low", "difference_ci_high"]
    for point, (difference, low, high) in zip(points, rows[bounds].to_numpy(), strict=True):
        point["difference"] = _interval_text(difference, low, high, signed=True)
    return {"points": points}


def _digits(tables: Tables, style: Style) -> list[Json]:
    """Return a dict for each image of the table digits, by label: `label` and 784 `pixels` (0 to 255), row by row."""
    images = tables["digits"].sort_values(["row", "column"]).groupby("label", sort=False)["brightness"]
    return sorted(
        ({"label": str(label), "pixels": [round(255 * value) for value in image]} for label, image in images),
        key=lambda image: str(image["label"]),
    )


def _verdict(tables: Tables, style: Style) -> Json:
    """Return the `headings` and the `rows` of the page's table of the verdict; each row is a list of `_cell` dicts.

    There is one row for each activation in the table verdict. Columns that this table lacks are left out. The accuracy
    is at each activation's own learning rate if that was measured, otherwise at one rate for all.
    """
    table, reference = tables["verdict"], style.labels.get(REFERENCE_ACTIVATION, REFERENCE_ACTIVATION)
    accuracy = "tuned" if "tuned" in table and table["tuned"].notna().any() else "accuracy"
    rate = "own rate" if accuracy == "tuned" else "one rate for all"
    shown: dict[str, tuple[str, Callable[[Json], str]]] = {
        f"Test accuracy, {rate}, %": (accuracy, lambda row: _estimate_text(row, accuracy)),
        "n": (f"{accuracy}_n", lambda row: f"{row[f'{accuracy}_n']:g}"),
        f"Against {reference}, points": ("difference", _difference_text),
        "Trains at, Adam": ("depth_adam", lambda row: _depth_text(row, "depth_adam")),
        "Trains at, SGD": ("depth_sgd", lambda row: _depth_text(row, "depth_sgd")),
        "Under noise, %": ("noise", lambda row: _estimate_text(row, "noise")),
        "Dead units, %": ("dead", lambda row: _estimate_text(row, "dead")),
        "Step, ms": ("step_ms", lambda row: formatting.number(row["step_ms"])),
    }
    shown = {heading: cell for heading, cell in shown.items() if cell[0] in table}
    rows = []
    for place, row in enumerate(table.to_dict("records")):
        first = {"text": style.labels[row["activation"]], "note": "", "value": place}
        rows.append([first, *(_cell(row, column, text) for column, text in shown.values())])
    return {"headings": ["Activation", *shown], "rows": rows}


def _cell(row: Json, column: str, make_text: Callable[[Json], str]) -> Json:
    """Return a cell of the verdict: a dict of `text`, `note`, and the `value` by which rows are sorted.

    `make_text` makes the cell's whole text from `row`. The part from the first bracket on becomes the note. `column` of
    `row` holds the value. A NaN is shown as a dash.
    """
    if row[column] != row[column]:
        return {"text": formatting.DASH, "note": "", "value": None}
    brief, bracket, rest = make_text(row).partition(" [" if " [" in make_text(row) else " (")
    return {"text": brief, "note": f"{bracket}{rest}".strip(), "value": row[column]}


def _estimate_text(row: Json, column: str, signed: bool = False) -> str:
    return _interval_text(row[column], row[f"{column}_low"], row[f"{column}_high"], signed=signed)


def _difference_text(row: Json) -> str:
    return _estimate_text(row, "difference", signed=True).replace(" [", f" {row['finding']} [")


def _depth_text(row: Json, column: str = "") -> str:
    return filters.reached(Row(quantified(row)), column)


def _claims(tables: Tables, style: Style) -> list[Json]:
    """Return the result of `_claim` for each claim of the table `claims`, in the table's order."""
    table = tables["claims"].astype(object)
    return [_claim(str(name), rows) for name, rows in table.where(table.notna(), "").groupby("claim", sort=False)]


def _claim(name: str, rows: pd.DataFrame) -> Json:
    """Return the claim `name`: its statement, source and verdict, and as `evidence` a dict for each of its parts.

    `rows` are its rows of claims.csv, one for each part, with "" instead of NaN. If aspects have different verdicts,
    the verdict lists each of them.
    """
    first, aspects = rows.iloc[0], rows[rows["aspect"] != ""].drop_duplicates("aspect")
    told = "; ".join(f"{part.aspect}: {part.aspect_verdict}" for part in aspects.itertuples())
    return {
        "name": name,
        "statement": first["statement"],
        "source": first["source"],
        "verdict": told if first["claim_verdict"] == DIFFERS else first["claim_verdict"],
        "evidence": [_evidence(row) for row in rows.to_dict("records")],
    }


def _evidence(row: Json) -> Json:
    """Return the texts that the page shows of one part of a claim, by column of claims.csv; `row` is the part's row.

    The keys are quantity, protocol, expected, verdict, remark, n and measured; the last includes the interval.
    """
    measured, low, high = (math.nan if row[name] == "" else row[name] for name in ("measured", "ci_low", "ci_high"))
    texts = {name: str(row[name]) for name in ("quantity", "protocol", "expected", "verdict", "remark")}
    n = formatting.DASH if row["n"] == "" else f"{row['n']:g}"
    return {**texts, "n": n, "measured": _interval_text(measured, low, high, scale=1)}


# By view: the tables without which it is not shown, and the function that shapes them.
VIEWS: dict[str, tuple[tuple[str, ...], Callable[[Tables, Style], object]]] = {
    "layers": (("gradient_norms", "activations"), layers),
    "depth": (("depth_success",), _depth),
    "rate": (("learning_rate_grid",), _rate),
    "noise": (("robustness",), _noise),
    "digits": (("digits",), _digits),
    "verdict": (("verdict",), _verdict),
    "claims": (("claims",), _claims),
}
