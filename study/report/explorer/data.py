"""Shape the report's tables for the views of the page: small dicts of numbers and ready-made texts, for JSON."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from study.constants import TRAINED_LEVEL, WIDTH
from study.figures.style import Style
from study.report import cells, formatting

Tables = Mapping[str, pd.DataFrame]
Json = dict[str, Any]

SETTING = ["init", "variant", "optimiser", "learning_rate", "depth"]  # what tells the networks of gradient_norms apart
MEASURES = ("error", "weight_gradient", "preactivation_square", "activation_rms")
DIGITS = 3  # significant, of the measures by layer: a point of a chart is no wider
EVERY = 2  # of the rows of `activations`, one in so many is kept
NEEDED = {
    "layers": ("gradient_norms", "activations"),
    "depth": ("depth_success",),
    "rate": ("learning_rate_grid",),
    "noise": ("robustness",),
    "verdict": ("verdict",),
    "claims": ("claims",),
}  # by view, the tables without which it is not shown


def views(tables: Tables, style: Style) -> Json:
    """Return by view what it shows, or None if one of its tables is missing or empty; and the activations' style."""
    shaped: dict[str, Callable[[Tables, Style], object]] = {
        "layers": _layers, "depth": _depth, "rate": _rate, "noise": _noise, "verdict": _verdict, "claims": _claims,
    }  # fmt: skip
    found = {
        view: shape(tables, style) if all(name in tables and len(tables[name]) for name in NEEDED[view]) else None
        for view, shape in shaped.items()
    }
    return {"activations": _activations(tables, style), "missing": _missing(tables), "width": WIDTH, **found}


def _missing(tables: Tables) -> dict[str, list[str]]:
    """Return by view the tables that it misses, the pictures of the digits included."""
    needed = {**NEEDED, "digits": ("digits",)}
    absent = {view: [name for name in names if name not in tables or tables[name].empty] for view, names in needed.items()}
    return {view: names for view, names in absent.items() if names}


def _activations(tables: Tables, style: Style) -> list[Json]:
    """Return name, label, colour, marker and dashes of the activations that the views draw, in the registry's order."""
    drawn = {name for names in NEEDED.values() for name in names} - {"claims"}
    columns = [tables[name]["activation"] for name in drawn if name in tables]
    names = style.order({name for column in columns for name in column} & style.labels.keys())
    return [
        {
            "name": name,
            "label": " ".join(style.labels[name].split()) or name,
            "color": style.color(name),
            "marker": style.marker(name),
            "dash": style.line(name)["linestyle"],
        }
        for name in names
    ]


def _layers(tables: Tables, style: Style) -> Json:
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
    return {
        "settings": settings,
        "theory": _theory(tables["theory"]) if "theory" in tables else {},
        "curves": {
            name: {column: _short(rows[column][::EVERY], 4) for column in ("x", "value", "derivative")}
            for name, rows in curves[curves["activation"].isin(style.labels)].groupby("activation", sort=False)
        },
    }


def _profile(rows: pd.DataFrame) -> Json:
    """Return the steps of one setting, and by activation its seeds and its measures: bounds by step and layer."""
    times = rows.drop_duplicates("step").sort_values("step")
    steps = times["step"].tolist()
    values: Json = {}
    for (name, measure), part in rows.groupby(["activation", "measure"], sort=False):
        found = {
            step: [_short(row) for row in layer.sort_values("layer")[["mean", "ci_low", "ci_high"]].to_numpy()]
            for step, layer in part.groupby("step")
        }
        values.setdefault(name, {})[measure] = [found.get(step, []) for step in steps]
    for name, seeds in rows.groupby("activation")["n"].max().items():
        values[name]["seeds"] = seeds
    return {"steps": steps, "values": values}


def _theory(table: pd.DataFrame) -> Json:
    """Return by "activation|init|depth" and quantity the predictions, layer by layer.

    `measured` are the networks' own mean squares of z with their intervals, for depths at which no training records them.
    """
    ours = table[table["width"] == WIDTH].sort_values("layer")
    found: Json = {}
    for (name, init, depth, quantity), rows in ours.groupby(["activation", "init", "depth", "quantity"], sort=False):
        network = found.setdefault(f"{name}|{init}|{depth}", {})
        network[quantity] = _short(rows["predicted"])
        if quantity == "preactivation_square":
            network["seeds"] = rows["n"].max()
            network["measured"] = [_short(row) for row in rows[["measured", "ci_low", "ci_high"]].to_numpy()]
    return found


def _short(values: Any, digits: int = DIGITS) -> list[float | None]:
    return [float(f"{value:.{digits}g}") if math.isfinite(value) else None for value in values]


def _points(rows: pd.DataFrame, x: str, y: str, low: str, high: str) -> list[Json]:
    """Return the points of a chart, with their interval as numbers and as text in percent."""
    return [
        {
            "activation": row["activation"], "x": row[x], "n": row["n"],
            **dict(zip(("y", "low", "high"), _short((row[y], row[low], row[high]), 6), strict=True)),
            "text": _text(row[y], row[low], row[high]),
        }
        for row in rows.to_dict("records")
    ]  # fmt: skip


def _depth(tables: Tables, style: Style) -> Json:
    """Return accuracy by depth for each setting, how many seeds trained, and the deepest network that trains."""
    keys = [key for key in SETTING if key != "depth"]
    success = tables["depth_success"].drop_duplicates(["activation", *SETTING])
    success = success[success["activation"].isin(style.labels)]
    deepest: Json = {}
    if "trainable_depth" in tables:
        for row in tables["trainable_depth"].to_dict("records"):
            deepest.setdefault("|".join(str(row[key]) for key in ("activation", *keys)), cells.reached_depth(row))
    settings = []
    for setting, rows in success.groupby(keys, sort=False):
        points = _points(rows, "depth", "mean", "ci_low", "ci_high")
        for point, row in zip(points, rows.to_dict("records"), strict=True):
            point["trained"] = f"{row['n_trained']:g} of {row['n']:g}"
            point["learns"] = bool(row["n_trained"] == row["n"])
        names = {name: deepest.get("|".join(map(str, (name, *setting))), "") for name in rows["activation"].unique()}
        settings.append({**dict(zip(keys, setting, strict=True)), "points": points, "deepest": names})
    return {"settings": settings, "level": TRAINED_LEVEL}


def _rate(tables: Tables, style: Style) -> Json:
    """Return validation accuracy and dead units by learning rate, the grid's best rate and the seeds' choice."""
    grid = tables["learning_rate_grid"]
    grid = grid[grid["activation"].isin(style.labels)]
    points = _points(grid, "learning_rate", "validation_accuracy_mean", "ci_low", "ci_high")
    for point, row in zip(points, grid.to_dict("records"), strict=True):
        point |= {"best": bool(row["is_best"]), "diverged": row["diverged"], "rate": f"{row['learning_rate']:.3g}"}
    dead = tables.get("dead_by_rate", pd.DataFrame(columns=["activation"]))
    dead = dead[dead["activation"].isin(style.labels)]
    chosen: dict[str, list[str]] = {}
    if "rates_chosen" in tables:
        for row in tables["rates_chosen"].sort_values("seeds_chosen", ascending=False).to_dict("records"):
            chosen.setdefault(row["activation"], []).append(f"{row['learning_rate']:.3g} on {row['seeds_chosen']:g}")
    return {
        "points": points,
        "dead": _points(dead, "learning_rate", "mean", "ci_low", "ci_high"),
        "chosen": {name: ", ".join(texts) for name, texts in chosen.items()},
    }


def _noise(tables: Tables, style: Style) -> Json:
    """Return accuracy by amplitude with the difference from the reference, and one image a digit, as 784 bytes."""
    rows = tables["robustness"]
    rows = rows[rows["activation"].isin(style.labels)]
    points = _points(rows, "amplitude", "test_accuracy_mean", "accuracy_ci_low", "accuracy_ci_high")
    bounds = ["difference", "difference_ci_low", "difference_ci_high"]
    for point, row in zip(points, rows[bounds].to_numpy(), strict=True):
        point["difference"] = _text(*row, signed=True)
    digits: list[Json] = []
    if "digits" in tables:
        for label, pixels in tables["digits"].groupby("label"):
            inked = pixels.sort_values(["row", "column"])["brightness"]
            digits.append({"label": str(label), "pixels": [round(255 * value) for value in inked]})
    return {"points": points, "digits": digits}


def _verdict(tables: Tables, style: Style) -> Json:
    """Return headings and rows of the verdict: cells of a text and what it is sorted by, which may be None."""
    table = tables["verdict"]
    is_tuned = "tuned" in table and table["tuned"].notna().any()
    accuracy = "tuned" if is_tuned else "accuracy"
    shown: dict[str, tuple[str, Callable[[Json], str]]] = {
        f"Test accuracy, {'own' if is_tuned else 'one'} rate, %": (accuracy, lambda row: _interval(row, accuracy)),
        "n": (f"{accuracy}_n", lambda row: f"{row[f'{accuracy}_n']:g}"),
        "Against ReLU, points": ("difference", _difference),
        "Trains at, Adam": ("depth_adam", lambda row: _reached(row, "depth_adam")),
        "Trains at, SGD": ("depth_sgd", lambda row: _reached(row, "depth_sgd")),
        "Under noise, %": ("noise", lambda row: _interval(row, "noise")),
        "Dead units, %": ("dead", lambda row: _interval(row, "dead")),
        "Step, ms": ("step_ms", lambda row: formatting.number(row["step_ms"])),
    }
    shown = {heading: cell for heading, cell in shown.items() if cell[0] in table}
    rows = [
        [
            {"text": style.labels.get(row["activation"], row["activation"]), "note": "", "value": place},
            *(_cell(text(row), row[column]) if _known(row[column]) else _cell(formatting.DASH, None)
              for column, text in shown.values()),
        ]
        for place, row in enumerate(table.to_dict("records"))
    ]  # fmt: skip
    return {"headings": ["Activation", *shown], "rows": rows}


def _known(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _cell(text: str, value: float | None) -> Json:
    """Make a cell that is sorted by `value`; what stands in brackets goes on a line of its own, the note."""
    brief, bracket, rest = text.partition(" [" if " [" in text else " (")
    return {"text": brief, "note": f"{bracket}{rest}".strip(), "value": value}


def _interval(row: Json, column: str, signed: bool = False) -> str:
    return _text(*(row[f"{column}{end}"] for end in ("", "_low", "_high")), signed=signed)


def _difference(row: Json) -> str:
    return f"{_interval(row, 'difference', signed=True)}".replace(" [", f" {row['finding']} [")


def _text(estimate: float, low: float, high: float, scale: float = 100, signed: bool = False) -> str:
    """Show an estimate with its interval, by default in percent, with minus signs."""
    return formatting.interval(estimate, low, high, scale, signed).replace("-", "\N{MINUS SIGN}")


def _reached(row: Json, column: str) -> str:
    ends = {end: row[f"{column}_{end}"] for end in ("low", "high", "deepest", "next_depth")}
    return cells.reached_depth({"median": row[column], **ends})


def _claims(tables: Tables, style: Style) -> list[Json]:
    """Return every claim with its verdict, and a row of evidence for each of its parts."""
    table = tables["claims"].astype(object)
    return [_claim(str(name), rows) for name, rows in table.where(table.notna(), "").groupby("claim", sort=False)]


def _claim(name: str, rows: pd.DataFrame) -> Json:
    first = rows.iloc[0]
    aspects = rows[rows["aspect"] != ""].drop_duplicates("aspect")
    differs = aspects["aspect_verdict"].nunique() > 1
    told = "; ".join(f"{part.aspect}: {part.aspect_verdict}" for part in aspects.itertuples())
    return {
        "name": name,
        "statement": first["statement"],
        "source": first["source"],
        "verdict": told if differs else first["claim_verdict"],
        "evidence": [_evidence(row) for row in rows.to_dict("records")],
    }


def _evidence(row: Json) -> Json:
    numbers = [row[name] if row[name] != "" else math.nan for name in ("measured", "ci_low", "ci_high")]
    texts = {name: str(row[name]) for name in ("quantity", "protocol", "expected", "verdict", "remark")}
    n = formatting.DASH if row["n"] == "" else f"{row['n']:g}"
    return {**texts, "n": n, "measured": _text(*numbers, scale=1)}
