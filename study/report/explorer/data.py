"""Shape the report's tables for the views of the page: small dicts of numbers and ready-made texts, for JSON."""

import math
from collections.abc import Callable, Mapping

import pandas as pd

from study.analysis.claims import DIFFERS
from study.constants import REFERENCE_ACTIVATION, TRAINED_LEVEL, WIDTH
from study.figures.style import Style
from study.report import filters, formatting
from study.report.explorer.layers import SETTING, Json, layers, short
from study.report.quantities import Row, quantified

Tables = Mapping[str, pd.DataFrame]


def views(tables: Tables, style: Style) -> Json:
    """Return the data of each view by its name, or None if one of its tables is missing or empty.

    The keys `activations`, `missing` and `width` hold the activations' style, the missing tables by view, and the units
    of a layer.
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
    """Return name, label, colour, marker and dashes of the activations that the views draw, in the registry's order."""
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
    """Return a dict for each of `rows`: x, y and its interval, as numbers and as text in percent, and n."""
    return [
        {"activation": row["activation"], "x": row[x], "n": row["n"], "text": _text(row[y], row[low], row[high])}
        | dict(zip(("y", "low", "high"), short((row[y], row[low], row[high]), 6), strict=True))
        for row in rows.to_dict("records")
    ]


def _text(estimate: float, low: float, high: float, *, scale: float = 100, signed: bool = False) -> str:
    """Show an estimate with its interval, by default in percent, with minus signs."""
    return formatting.interval(estimate, low, high, scale, signed).replace("-", "\N{MINUS SIGN}")


def _depth(tables: Tables, style: Style) -> Json:
    """Return for each setting the accuracy and the seeds that trained by depth, and the deepest network that trains."""
    keys = [key for key in SETTING if key != "depth"]
    deepest: dict[object, str] = {}
    if "trainable_depth" in tables:
        for row in tables["trainable_depth"].to_dict("records"):
            deepest.setdefault(tuple(row[key] for key in ("activation", *keys)), _reached(row))
    settings = []
    success = tables["depth_success"].drop_duplicates(["activation", *SETTING])  # arms share runs
    for setting, rows in success.groupby(keys, sort=False):
        points = [
            {**point, "trained": f"{trained:g} of {point['n']:g}", "learns": bool(trained == point["n"])}
            for point, trained in zip(_points(rows, "depth", "mean"), rows["n_trained"], strict=True)
        ]
        names = {name: deepest.get((name, *setting), "") for name in rows["activation"].unique()}
        settings.append({**dict(zip(keys, setting, strict=True)), "points": points, "deepest": names})
    return {"settings": settings, "level": TRAINED_LEVEL}


def _rate(tables: Tables, style: Style) -> Json:
    """Return validation accuracy and dead units by learning rate, the best rate, and the rates that seeds chose."""
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
    """Return accuracy by amplitude, with the difference from the reference."""
    rows = tables["robustness"]
    points = _points(rows, "amplitude", "test_accuracy_mean", "accuracy_ci_low", "accuracy_ci_high")
    bounds = ["difference", "difference_ci_low", "difference_ci_high"]
    for point, (difference, low, high) in zip(points, rows[bounds].to_numpy(), strict=True):
        point["difference"] = _text(difference, low, high, signed=True)
    return {"points": points}


def _digits(tables: Tables, style: Style) -> list[Json]:
    """Return each image with its label and its 784 pixels, row by row, from 0 to 255."""
    images = tables["digits"].sort_values(["row", "column"]).groupby("label", sort=False)["brightness"]
    return sorted(
        ({"label": str(label), "pixels": [round(255 * value) for value in image]} for label, image in images),
        key=lambda image: str(image["label"]),
    )


def _verdict(tables: Tables, style: Style) -> Json:
    """Return the headings and rows of the verdict's table, without columns that were not measured."""
    table, reference = tables["verdict"], style.labels.get(REFERENCE_ACTIVATION, REFERENCE_ACTIVATION)
    accuracy = "tuned" if "tuned" in table and table["tuned"].notna().any() else "accuracy"
    rate = "own rate" if accuracy == "tuned" else "one rate for all"
    shown: dict[str, tuple[str, Callable[[Json], str]]] = {
        f"Test accuracy, {rate}, %": (accuracy, lambda row: _bounded(row, accuracy)),
        "n": (f"{accuracy}_n", lambda row: f"{row[f'{accuracy}_n']:g}"),
        f"Against {reference}, points": ("difference", _difference),
        "Trains at, Adam": ("depth_adam", lambda row: _reached(row, "depth_adam")),
        "Trains at, SGD": ("depth_sgd", lambda row: _reached(row, "depth_sgd")),
        "Under noise, %": ("noise", lambda row: _bounded(row, "noise")),
        "Dead units, %": ("dead", lambda row: _bounded(row, "dead")),
        "Step, ms": ("step_ms", lambda row: formatting.number(row["step_ms"])),
    }
    shown = {heading: cell for heading, cell in shown.items() if cell[0] in table}
    rows = []
    for place, row in enumerate(table.to_dict("records")):
        first = {"text": style.labels[row["activation"]], "note": "", "value": place}
        rows.append([first, *(_cell(row, column, text) for column, text in shown.values())])
    return {"headings": ["Activation", *shown], "rows": rows}


def _cell(row: Json, column: str, text: Callable[[Json], str]) -> Json:
    """Return a cell of the verdict: its text, a note with the part in brackets, and the `value` it is sorted by.

    `text` makes the whole text from `row`, and `column` holds the value.
    """
    if row[column] != row[column]:
        return {"text": formatting.DASH, "note": "", "value": None}
    brief, bracket, rest = text(row).partition(" [" if " [" in text(row) else " (")
    return {"text": brief, "note": f"{bracket}{rest}".strip(), "value": row[column]}


def _bounded(row: Json, column: str, signed: bool = False) -> str:
    return _text(row[column], row[f"{column}_low"], row[f"{column}_high"], signed=signed)


def _difference(row: Json) -> str:
    return _bounded(row, "difference", signed=True).replace(" [", f" {row['finding']} [")


def _reached(row: Json, column: str = "") -> str:
    return filters.reached(Row(quantified(row)), column)


def _claims(tables: Tables, style: Style) -> list[Json]:
    """Return every claim with its verdict, and a row of evidence for each of its parts."""
    table = tables["claims"].astype(object)
    return [_claim(str(name), rows) for name, rows in table.where(table.notna(), "").groupby("claim", sort=False)]


def _claim(name: str, rows: pd.DataFrame) -> Json:
    """Return one claim: its `rows` of claims.csv, one for each part, as evidence below the verdict."""
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
    """Return the texts of one part of a claim, with its measurement and n."""
    measured, low, high = (math.nan if row[name] == "" else row[name] for name in ("measured", "ci_low", "ci_high"))
    texts = {name: str(row[name]) for name in ("quantity", "protocol", "expected", "verdict", "remark")}
    n = formatting.DASH if row["n"] == "" else f"{row['n']:g}"
    return {**texts, "n": n, "measured": _text(measured, low, high, scale=1)}


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
