"""Turn the report's tables into the data of report.html's views, parts of the page: numbers and texts, for JSON."""

import re
from collections.abc import Callable, Collection, Mapping

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

    Four more keys are `activations` (see `_activations`), `missing` (the names of missing tables, by view), `pages`
    (see `_pages`) and `width` (the units of a hidden layer).
    """
    known = {}
    for name, table in tables.items():
        known[name] = table[table["activation"].isin(style.labels)] if "activation" in table else table
    present = {name for name, table in known.items() if not table.empty}
    absent = {view: [name for name in needed if name not in present] for view, (needed, _) in VIEWS.items()}
    missing = {view: names for view, names in absent.items() if names}
    shown = {view: None if view in missing else shape(known, style) for view, (_, shape) in VIEWS.items()}
    more = {"missing": missing, "pages": _pages(present, known), "width": WIDTH}
    return {"activations": _activations(known, style), **more, **shown}


def _pages(present: Collection[str], tables: Tables) -> dict[str, list[str]]:
    """Return the names of the questions' pages about each view: {view: names}. A page is there if its table is.

    `present` holds the names of the `tables` with rows.
    """
    pages: dict[str, list[str]] = {view: [] for view in VIEWS}
    pages |= {view: [page] for view, (table, page) in OWN_PAGES.items() if table in present}
    shared = {view: tables[table]["experiment"] for view, table in SHARED_TABLES.items() if table in present}
    return pages | {view: names.unique().tolist() for view, names in shared.items()}


def _activations(tables: Tables, style: Style) -> list[Json]:
    """Return name, label, `color` (#RRGGBB), and matplotlib's `marker` and `dash` of each activation in the views."""
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
    """Return a dict for each of `rows`, in their order: a point with its interval.

    The keys are activation, x, n, y, low, high, and `text`, which is y with its interval in percent. `x`, `y`, `low`
    and `high` name their columns. y, low and high have six significant digits, or are None if they are not finite.
    """
    points = []
    for row in rows.to_dict("records"):
        numbers = (row[y], row[low], row[high])
        about = {"activation": row["activation"], "x": row[x], "n": row["n"], "text": _interval_text(*numbers)}
        points.append(about | dict(zip(("y", "low", "high"), rounded(numbers, 6), strict=True)))
    return points


def _interval_text(estimate: float, low: float, high: float, *, scale: float = 100, signed: bool = False) -> str:
    """Return the text of `formatting.interval`, by default in percent, with typographic minus signs."""
    return formatting.interval(estimate, low, high, scale, signed).replace("-", "\N{MINUS SIGN}")


def _depth(tables: Tables, style: Style) -> Json:
    """Return the data of the view of depth: the list `settings`, and `level`, the accuracy from which a run trained.

    The tables are depth_success and trainable_depth. Each entry of `settings` is a dict with these keys:

    - init, variant, optimiser, learning_rate: the setting.
    - points: a point by `_points` for each activation and depth. x is the depth in hidden layers, and y is the mean
      validation accuracy in [0, 1]. A point also has `trained`, a text such as "2 of 3" (seeds). Its `learns` tells
      whether all seeds trained.
    - deepest: {activation: the text of `filters.reached`}, "" if the table trainable_depth has no row.
    """
    keys = [key for key in SETTING_COLUMNS if key != "depth"]
    deepest: dict[object, str] = {}
    for row in tables.get("trainable_depth", pd.DataFrame()).to_dict("records"):
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

    - `points`: `_points` of the rate (x) and the validation accuracy (y). Each also has `rate`, the rate as text, and
      `best`, which tells whether it is the activation's best rate.
    - `dead`: `_points` of the rate (x) and the share of dead units (y); empty without dead_by_rate.
    - `chosen`: by activation, its rates and on how many seeds each was chosen, such as "0.001 on 29, 0.0032 on 11".
      Empty without rates_chosen.
    """
    grid = tables["learning_rate_grid"]
    points = _points(grid, "learning_rate", "validation_accuracy_mean")
    for point, is_best in zip(points, grid["is_best"], strict=True):
        point |= {"best": bool(is_best), "rate": f"{point['x']:.2g}"}
    chosen: dict[str, list[str]] = {}
    if "rates_chosen" in tables:
        for row in tables["rates_chosen"].sort_values("seeds_chosen", ascending=False).to_dict("records"):
            chosen.setdefault(row["activation"], []).append(f"{row['learning_rate']:.2g} on {row['seeds_chosen']:g}")
    return {
        "points": points,
        "dead": _points(tables["dead_by_rate"], "learning_rate", "mean") if "dead_by_rate" in tables else [],
        "chosen": {name: ", ".join(texts) for name, texts in chosen.items()},
    }


def _noise(tables: Tables, style: Style) -> Json:
    """Return `points`, the `_points` of the table robustness, and `reference`, the label of the reference activation.

    x is the noise's amplitude, y the mean test accuracy. Each point also has the text `difference`: the accuracy minus
    the reference's in points, with its interval.
    """
    rows = tables["robustness"]
    points = _points(rows, "amplitude", "test_accuracy_mean", "accuracy_ci_low", "accuracy_ci_high")
    bounds = ["difference", "difference_ci_low", "difference_ci_high"]
    for point, (difference, low, high) in zip(points, rows[bounds].to_numpy(), strict=True):
        point["difference"] = _interval_text(difference, low, high, signed=True)
    return {"points": points, "reference": _reference(style)}


def _reference(style: Style) -> str:
    return style.labels.get(REFERENCE_ACTIVATION, REFERENCE_ACTIVATION)


def _digits(tables: Tables, style: Style) -> list[Json]:
    """Return a dict for each image of the table digits, by label: `label` and 784 `pixels` (0 to 255), row by row."""
    images = tables["digits"].sort_values(["row", "column"]).astype({"label": str}).groupby("label")["brightness"]
    return [{"label": label, "pixels": [round(255 * value) for value in image]} for label, image in images]


def _verdict(tables: Tables, style: Style) -> Json:
    """Return the `headings` and the `rows` of the page's verdict, each a list of `_cell`; one row per activation.

    Columns that the table verdict lacks are left out. If they were measured, accuracies are at own learning rates.
    """
    table = tables["verdict"]
    accuracy = "tuned" if "tuned" in table and table["tuned"].notna().any() else "accuracy"
    rate = "own rate" if accuracy == "tuned" else "one rate for all"
    shown: dict[str, tuple[str, Callable[[Json, str], str]]] = {
        f"Test accuracy, {rate}, %": (accuracy, _estimate_text),
        "Seeds": (f"{accuracy}_n", lambda row, column: f"{row[column]:g}"),
        f"Against {_reference(style)}, points": ("difference", _difference_text),
        "Layers that train, Adam": ("depth_adam", _depth_text),
        "Layers that train, SGD": ("depth_sgd", _depth_text),
        "Accuracy under noise, %": ("noise", _estimate_text),
        "Dead units, %": ("dead", _estimate_text),
        "Training step, ms": ("step_ms", lambda row, column: formatting.number(row[column])),
    }
    shown = {heading: cell for heading, cell in shown.items() if cell[0] in table}
    rows = []
    for place, row in enumerate(table.to_dict("records")):
        first = {"text": style.labels[row["activation"]], "note": "", "value": place}
        rows.append([first, *(_cell(row, column, text) for column, text in shown.values())])
    return {"headings": ["Activation", *shown], "rows": rows}


def _cell(row: Json, column: str, make_text: Callable[[Json, str], str]) -> Json:
    """Return the cell of `column`: its `text`, the `note` below it, and the `value` by which rows are sorted.

    `make_text` makes the whole text; from the first bracket on, it is the note. NaN becomes a dash.
    """
    if row[column] != row[column]:
        return {"text": formatting.DASH, "note": "", "value": None}
    brief, *note = re.split(r" (?=[\[(])", make_text(row, column), maxsplit=1)
    return {"text": brief, "note": "".join(note), "value": row[column]}


def _estimate_text(row: Json, column: str, signed: bool = False) -> str:
    return _interval_text(row[column], row[f"{column}_low"], row[f"{column}_high"], signed=signed)


def _difference_text(row: Json, column: str) -> str:
    more = row.get("pooled_finding")  # which tables of older editions lack
    unless = f"; with more seeds {more}" if isinstance(more, str) and more else ""
    return _estimate_text(row, column, signed=True).replace(" [", f" {row['finding']} [") + unless


def _depth_text(row: Json, column: str = "") -> str:
    return filters.reached(Row(quantified(row)), column)


def _claims(tables: Tables, style: Style) -> list[Json]:
    """Return each claim: its statement, source, verdict (by aspect if these differ), and `_evidence` of its parts."""
    found = []
    for name, rows in tables["claims"].groupby("claim", sort=False):
        first, aspects = rows.iloc[0], rows[rows["aspect"].fillna("") != ""].drop_duplicates("aspect")
        told = "; ".join(f"{part.aspect}: {part.aspect_verdict}" for part in aspects.itertuples())
        about = {"name": str(name), "statement": first["statement"], "source": first["source"]}
        verdict = told if first["claim_verdict"] == DIFFERS else first["claim_verdict"]
        found.append({**about, "verdict": verdict, "evidence": list(map(_evidence, rows.to_dict("records")))})
    return found


def _evidence(row: Json) -> Json:
    """Return the texts that the page shows of a part of a claim; `row` is the part's row of claims.csv."""
    names = ("quantity", "protocol", "expected", "verdict", "remark")
    texts = {name: "" if pd.isna(row[name]) else str(row[name]) for name in names}
    n = formatting.DASH if pd.isna(row["n"]) else f"{row['n']:g}"
    measured = _interval_text(row["measured"], row["ci_low"], row["ci_high"], scale=1)
    return {**texts, "n": n, "measured": measured}


OWN_PAGES = {  # by view: a table of one question alone, and the question's page
    "rate": ("learning_rate_grid", "learning_rate"),
    "noise": ("robustness", "robustness"),
    "claims": ("claims", "claims"),
}
SHARED_TABLES = {"layers": "gradient_norms", "depth": "depth_success"}  # by view: a table that names its questions
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
