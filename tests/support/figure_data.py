"""Build small made-up tables for each figure of the study, draw it, and read back what was drawn.

The tables have the columns that the functions of study.figures ask for. In most, `mean` comes with the interval ci_low
and ci_high and the number of runs `n`. `names` are names of activations, from NAMES. A figure that shows single runs
has two tables, the means and the runs behind them.
"""

import inspect
import itertools
import math
import types
from collections.abc import Callable
from typing import Any
from unittest import mock

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from study import figures as deferred
from study.figures import layers, naming, rows, style

DRAWN = {name: found for name, found in vars(deferred).items() if hasattr(found, "__wrapped__")}


def contents(function: Callable[..., Figure]) -> Callable[..., Figure]:
    """Return a function that draws as `function` in the study's style, but names lines by a legend.

    It leaves out the slow search for places of the names beside the lines.
    """

    def drawn(*args: Any, **options: Any) -> Figure:
        with matplotlib.style.context(["default", style.RC]), mock.patch.object(naming, "MOST_NAMED", 0):
            return function(*args, **options)

    return drawn


# The functions of study.figures by name: `whole` draws figures as the study does, `figures` as `contents` does.
whole = types.SimpleNamespace(
    **{name: lambda *args, make=made, **options: make(*args, **options).draw() for name, made in DRAWN.items()}
)
figures = types.SimpleNamespace(**{name: contents(made.__wrapped__) for name, made in DRAWN.items()})
MANY = 13  # activations: one more than the style has looks
NAMES = [*style.FIXED_LOOKS, *(f"activation_{place}" for place in range(4, MANY))]
PLACES = {name: place for place, name in enumerate(NAMES)}
STYLE = style.Style({name: f"Label {place}" for name, place in PLACES.items()}, PLACES)
# Labels that could break TeX, HTML, or the layout of a figure.
HOSTILE = (
    r"$\frac{1}{",
    "<b onload=x> & </b>",
    "a\\nb \\$ $x$",
    "_hidden",
    "two\nlines\x00",
    r"$x^2$ and \alpha " * 9,
    " ",
)
HOSTILE_STYLE = style.Style(STYLE.labels | dict(zip(NAMES, HOSTILE, strict=False)), STYLE.positions)
STEPS = (0, 1, 2, 5, 10, 100, 480)
MEASURES = (*layers.NORM_TITLES, "activation_rms", *layers.UNIT_TITLES)
RATES = (1e-4, 1e-3, 1e-2, 1e-1)
REMEDIES = ("before", "critical", "batch $norm$")
INTERVAL = ["mean", "ci_low", "ci_high"]
Frames = tuple[pd.DataFrame, ...]


def table(*levels: Any, columns: str) -> pd.DataFrame:
    """Return a row for each combination of values: `levels` holds the values of each of `columns`, split at spaces."""
    return pd.DataFrame(list(itertools.product(*levels)), columns=columns.split())


def with_interval(frame: pd.DataFrame, mean: Any, n: int = 5, middle: str = "mean") -> pd.DataFrame:
    """Return `frame` with the column `middle` set to `mean`, ci_low 10% below it, ci_high 10% above it, and `n`."""
    return frame.assign(**{middle: mean, "ci_low": mean * 0.9, "ci_high": mean * 1.1, "n": n})


def gradient_norms(names: list[str], depth: int = 3, **columns: Any) -> pd.DataFrame:
    """Return norms that halve from layer to layer towards the input; `columns` overwrites columns.

    The measures of UNIT_TITLES are NaN in the output layer.
    """
    frame = table(names, range(1, depth + 2), STEPS, MEASURES, columns="activation layer step measure")
    mean = 0.8 * 0.5 ** (depth + 1 - frame["layer"]) * (1 + frame["activation"].map(STYLE.positions)) / 20
    frame = with_interval(frame.assign(depth=depth, n_zero=0), mean)
    frame.loc[frame["measure"].isin(layers.UNIT_TITLES) & (frame["layer"] > depth), INTERVAL] = math.nan
    return frame.assign(**columns)


def at_zero(frame: pd.DataFrame, where: Any = slice(None)) -> pd.DataFrame:
    """Return a copy of `frame` whose rows `where` (a mask; by default all) have all five seeds at exactly 0."""
    frame = frame.astype({"mean": float, "n": int})
    frame.loc[where, INTERVAL] = math.nan
    frame.loc[where, ["n", "n_zero"]] = [0, 5]
    return frame


def histories(names: list[str], lengths: tuple[int, ...] = (4, 6, 9)) -> pd.DataFrame:
    """Return the training histories of len(lengths) seeds per activation: seed k has lengths[k] epochs."""
    rows = [(name, seed, epoch) for name in names for seed, n in enumerate(lengths) for epoch in range(1, n + 1)]
    frame = pd.DataFrame(rows, columns=["activation", "seed", "epoch"])
    frame = frame.assign(training_loss=1 / frame["epoch"], validation_loss=1.5 / frame["epoch"])
    return frame.assign(validation_accuracy=0.96 + 0.001 * frame["seed"])


def outcomes(accuracies: dict[str, list[float]]) -> Frames:
    """Return the runs with these test accuracies, and their summary; `accuracies` maps activations to lists.

    A run diverged if its accuracy is NaN. The interval is the mean minus and plus one standard deviation.
    """
    rows = [
        (name, value, "done" if value == value else "diverged") for name in accuracies for value in accuracies[name]
    ]
    runs = pd.DataFrame(rows, columns=["activation", "test_accuracy", "status"])
    groups = runs.groupby("activation", sort=False)["test_accuracy"]
    found = groups.agg(n="count", diverged=lambda values: values.isna().sum(), test_accuracy_mean="mean")
    half = groups.std()
    found = found.assign(ci_low=found["test_accuracy_mean"] - half, ci_high=found["test_accuracy_mean"] + half)
    return runs, found.reset_index()


def scattered(names: list[str]) -> dict[str, list[float]]:
    """Return {activation: five test accuracies near 97%}, which grow with the seed and the place in `names`."""
    return {name: [0.97 + 0.001 * seed + 0.0002 * place for seed in range(5)] for place, name in enumerate(names)}


def curves(names: list[str]) -> pd.DataFrame:
    """Return straight lines on 101 points x in [-5, 5]: the activation at place k of `names` is k * x."""
    x = np.linspace(-5, 5, 101)
    each = [pd.DataFrame({"activation": name, "x": x, "value": k * x, "derivative": k}) for k, name in enumerate(names)]
    return pd.concat(each, ignore_index=True)


def rates(names: list[str]) -> Frames:
    """Return mean accuracies at RATES, best at 1e-3, and the four runs behind each; seed 0 diverged at the largest."""
    runs = table(names, RATES, range(4), columns="activation learning_rate seed")
    away = np.abs(np.log10(runs["learning_rate"]) + 3)
    runs["best_validation_accuracy"] = 0.98 - 0.02 * away + 0.001 * runs["seed"]
    runs.loc[(runs["learning_rate"] == RATES[-1]) & (runs["seed"] == 0), "best_validation_accuracy"] = math.nan
    means = runs.groupby(["activation", "learning_rate"])["best_validation_accuracy"].mean()
    frame = means.rename("validation_accuracy_mean").reset_index()
    frame = frame.assign(ci_low=means.to_numpy() - 0.002, ci_high=means.to_numpy() + 0.002, n=4)
    is_last = frame["learning_rate"] == RATES[-1]
    return frame.assign(diverged=is_last.astype(int), is_best=frame["learning_rate"] == 1e-3), runs


def arms(names: list[str]) -> Frames:
    """Return four runs near 97% with a tuned, and four near 96% with an untuned learning rate, and their summary."""
    runs = table(names, ("tuned", "untuned"), range(4), columns="activation arm seed")
    runs["accuracy"] = 0.97 - 0.01 * (runs["arm"] == "untuned") + 0.001 * runs["seed"]
    tuned = pd.DataFrame({"activation": names})
    for arm, part in runs.groupby("arm"):
        mean = part.groupby("activation", sort=False)["accuracy"].mean().to_numpy()
        tuned = tuned.assign(**{f"{arm}_accuracy_mean": mean, f"{arm}_ci_low": mean - 0.001})
        tuned = tuned.assign(**{f"{arm}_ci_high": mean + 0.001, f"{arm}_n": 4, f"{arm}_diverged": 0})
    return runs, tuned


def noisy(names: list[str]) -> Frames:
    """Return mean accuracies that fall and losses that grow with the noise, and the four runs behind each mean."""
    runs = table(names, (0.0, 0.5, 1.0, 3.0), range(4), columns="activation amplitude seed")
    runs["test_accuracy"] = 0.97 / (1 + runs["amplitude"]) + 0.001 * runs["seed"]
    runs["test_loss"] = 0.1 + runs["amplitude"]
    found = runs.groupby(["activation", "amplitude"], sort=False)[["test_accuracy", "test_loss"]].mean()
    found = found.add_suffix("_mean").reset_index()
    for kind in ("accuracy", "loss"):
        mean = found[f"test_{kind}_mean"]
        found = found.assign(**{f"{kind}_ci_low": 0.9 * mean, f"{kind}_ci_high": 1.1 * mean})
    return found.assign(difference=0.01, difference_ci_low=0.0, difference_ci_high=0.02), runs


def outputs() -> Frames:
    """Return four runs for each output and loss, five of which diverged under loss "two", and their summary."""
    runs = table(("a", "b"), ("one", "two"), range(4), columns="output loss seed")
    is_lost = (runs["loss"] == "two") & ((runs["output"] == "b") | (runs["seed"] == 0))
    runs["test_accuracy"] = (0.95 + 0.01 * runs["seed"]).mask(is_lost)
    found = runs.groupby(["output", "loss"])["test_accuracy"].agg(n="count", test_accuracy_mean="mean").reset_index()
    mean = found["test_accuracy_mean"]
    return runs, found.assign(runs=4, diverged=4 - found["n"], ci_low=mean - 0.01, ci_high=mean + 0.01)


def ladder() -> Frames:
    """Return three runs of each of six steps of improvement, with errors that fall from 3% to 1%, and the means."""
    steps = pd.DataFrame({"added": [f"one thing more, the {place}th" for place in range(6)]})
    steps = steps.assign(mean=1 - np.geomspace(0.03, 0.01, 6))
    steps = steps.assign(ci_low=steps["mean"] - 1e-3, ci_high=steps["mean"] + 1e-3)
    runs = pd.concat([steps.assign(validation_accuracy=steps["mean"] + gap) for gap in (-1e-3, 0, 1e-3)])
    return runs[["added", "validation_accuracy"]], steps


def timed(names: list[str], slow: float = 1.0) -> Frames:
    """Return five timings of each activation and "copy", the last `slow` times as long, and a summary."""
    timings = table([*names, "copy"], rows.TIME_PANELS, range(5), columns="activation quantity repeat")
    unit = timings["quantity"].map({"forward": 1e-9, "forward_backward": 1e-9, "step": 1e-3})
    timings["seconds"] = unit * (2 + 0.1 * timings["repeat"]) * np.where(timings["repeat"] == 4, slow, 1.0)
    summary = pd.DataFrame({"activation": names, "output_bytes": 4.0, "other_bytes": 8.0})
    for _, _, column in rows.TIME_PANELS.values():
        summary = summary.assign(**{column: 2.2, f"{column}_q1": 2.1, f"{column}_q3": 2.3})
    return timings, summary


def theory(names: list[str], depth: int = 5) -> pd.DataFrame:
    """Return predicted errors that halve from layer to layer towards the input, and measured ones 10% lower."""
    frame = table(names, range(1, depth + 2), columns="activation layer").assign(depth=depth, n_zero=0)
    predicted = 0.5 ** (depth + 1 - frame["layer"])
    return with_interval(frame.assign(predicted=predicted), 0.9 * predicted, middle="measured")


def similarity(names: list[str]) -> pd.DataFrame:
    """Return two images' mean cosine: 1 - cosine falls tenfold a layer, from 7 on below float32's limit."""
    frame = table(names, (3, 9), ("initial", "end"), range(1, 11), columns="activation depth when layer")
    frame = frame[frame["layer"] <= frame["depth"] + 1]
    cosine = 1 - 0.1 ** frame["layer"].astype(float)
    frame = frame.assign(predicted=cosine.where(frame["when"] == "initial"))
    return with_interval(frame, cosine).assign(ci_low=2 * cosine - 1, ci_high=1.0)


def trained(names: list[str], titles: tuple[str, ...] = ("Adam", "SGD")) -> pd.DataFrame:
    """Return accuracies 0.9 / depth, in panels of these `titles`."""
    frame = table(names, titles, (1, 2, 5, 20), columns="activation panel depth")
    return with_interval(frame, 0.9 / frame["depth"])


def runs_of(means: pd.DataFrame) -> pd.DataFrame:
    """Return three rows for each row of `means`, with a new column `value`: 90%, 100% and 110% of `mean`."""
    return pd.concat([means.assign(value=share * means["mean"]) for share in (0.9, 1.0, 1.1)])


def remedies(names: list[str]) -> Frames:
    """Return an accuracy of 70% before a remedy and 90% with each remedy, and three runs of each."""
    frame = table(names, REMEDIES, columns="activation remedy")
    is_before = frame["remedy"] == "before"
    means = with_interval(frame.assign(baseline=is_before), 0.9 - 0.2 * is_before)
    return means, runs_of(means)


def plane(names: list[str]) -> Frames:
    """Return critical lines of two points each, which start at the critical points, and these points."""
    points = pd.DataFrame({"activation": names, "sigma_w": 1 + np.arange(len(names)), "sigma_b": 0.25})
    lines = pd.concat([points.assign(sigma_b=0.25 + height, sigma_w=points["sigma_w"] + height) for height in (0, 1)])
    return lines, points


def grid(**columns: Any) -> Frames:
    """Return the share of networks that train in twelve cells, and theory's depth scales, one of which is infinite.

    `columns` overwrites columns of the cells.
    """
    cells = table((1.0, 1.5, 2.0), (5, 10, 20, 50), columns="sigma_w depth").assign(share_trained=0.4)
    return cells.assign(**columns), pd.DataFrame({"sigma_w": [1.0, 1.5, 2.0], "xi": [2.0, math.inf, 3.0]})


def cause(names: list[str]) -> Frames:
    """Return three frames: `curves`, the first layer's share of the error by depth, and the accuracy by depth."""
    shares = table(names, (2, 10, 50), columns="activation depth")
    shares = shares.assign(share_of_error=0.1 ** shares["depth"])
    return curves(names), shares, with_interval(shares, 1 / shares["depth"], 3)


def decided(names: list[str]) -> Frames:
    """Return differences of accuracy from the first activation, 0.1, 0.2, ... points, and the result of `trained`.

    With one name, "sigmoid" is compared with it.
    """
    frame = pd.DataFrame({"activation": names[1:] or ["sigmoid"], "reference": names[0], "margin": 0.002})
    points = 0.001 * (1 + np.arange(len(frame)))
    return frame.assign(difference=points, ci_low=points - 1e-4, ci_high=points + 1e-4, finding="tie"), trained(names)


def pixels() -> pd.DataFrame:
    """Return two images, a row per pixel: the brightness is 0 (no ink) in all of digit 3, and 0.5 in all of digit 8."""
    frame = table((3, 8), range(28), range(28), columns="label row column")
    return frame.assign(brightness=0.5 * (frame["label"] == 8))


def dead(names: list[str]) -> Frames:
    """Return the share of dead units at each of RATES, and three runs of each."""
    frame = table(names, RATES, columns="activation learning_rate")
    means = with_interval(frame, 0.1 + frame["learning_rate"])
    return means, runs_of(means)


def born(names: list[str]) -> pd.DataFrame:
    """Return the share of networks born dead, that is, with a hidden layer of dead units at initialisation."""
    frame = table(names, (2, 4, 10), columns="activation width")
    return with_interval(frame, 1 / frame["width"], 60, "share")


def accuracy_figure(
    accuracies: dict[str, list[float]], looks: style.Style = STYLE, label: str = "article", among: Any = figures
) -> Figure:
    """Draw runs' test accuracies beside a reference of 96.96% named `label`, by `figures` or `whole` (`among`)."""
    return among.test_accuracy(*outcomes(accuracies), looks, 0.9696, label)


# By the figure's name: the function that builds its tables for some activations, and other arguments of the figure.
TABLES: dict[str, Callable[[list[str]], Any]] = {
    "answer": decided,
    "activation_curves": curves,
    "training_curves": histories,
    "gradient_norms_by_layer": gradient_norms,
    "norms_side_by_side": gradient_norms,
    "gradient_norms_over_training": gradient_norms,
    "unit_measures": gradient_norms,
    "error_heat_map": gradient_norms,
    "errors_beside_theory": theory,
    "similarity_by_layer": similarity,
    "test_accuracy": lambda names: outcomes(scattered(names)),
    "accuracy_against_rate": rates,
    "tuned_beside_untuned": arms,
    "accuracy_against_depth": trained,
    "remedies": remedies,
    "noise_response": noisy,
    "born_dead": born,
    "cause_and_effect": cause,
    "dead_units_against_rate": dead,
    "costs": timed,
    "critical_lines": plane,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "test_accuracy": {"reference": 0.9696, "reference_label": "article"},
    "tuned_beside_untuned": {"rate": 0.01},
    "noise_response": {"reference": "Label 0"},
    "costs": {"floor": "copy"},
}


def frames(figure: str, names: list[str]) -> Frames:
    """Return the tables of `figure`, a key of TABLES, for the activations `names`, always as a tuple."""
    found = TABLES[figure](names)
    return found if isinstance(found, tuple) else (found,)


def draw(figure: str, tables: Frames, looks: style.Style = STYLE) -> Figure:
    """Draw `figure`, a key of TABLES, as the study does, from `tables`, the result of `frames`, with its OPTIONS."""
    arguments: list[Any] = list(tables)
    arguments.insert(list(inspect.signature(DRAWN[figure]).parameters).index("style"), looks)
    return DRAWN[figure](*arguments, **OPTIONS.get(figure, {})).draw()


def texts(figure: Figure) -> list[str]:
    """Return the content of every visible text in the figure that is not empty."""
    found = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_visible()]
    return [text.get_text() for text in found if text.get_text()]


def offsets(panel: Axes, color: str | None = None, open_markers: bool | None = None) -> np.ndarray:
    """Return the finite positions (n, 2) of the points in `panel`, of any colour or of `color` ("#RRGGBB").

    `open_markers` selects those that are white inside, or those that are not.
    """
    found = np.empty((0, 2))
    for item in panel.collections:
        if isinstance(item, PathCollection):
            points = np.ma.getdata(item.get_offsets())
            faces = item.get_facecolor() if len(item.get_facecolor()) else item.get_edgecolor()  # a dash has no face
            shades = [to_hex(face[:3]).upper() for face in faces] * (len(points) or 1)
            kept = [color in (None, shade) and open_markers in (None, shade == "#FFFFFF") for shade in shades]
            found = np.concatenate([found, points[kept[: len(points)]]])
    return found[np.isfinite(found).all(axis=1)]


def line_of(panel: Axes, name: str) -> Line2D:
    (line,) = [line for line in panel.lines if line.get_label() == name]
    return line


def marked_lines(panel: Axes, color: str | None = None) -> list[Line2D]:
    """Return the lines in `panel` that have a marker of the study's style, of any colour or of `color` ("#RRGGBB")."""
    lines = [line for line in panel.lines if line.get_marker() in style.MARKERS]
    return [line for line in lines if color in (None, to_hex(line.get_color()).upper())]


def markers(panel: Axes, color: str) -> np.ndarray:
    """Return the finite points (n, 2) of the lines that `marked_lines` returns for `panel` and `color`."""
    points = [np.asarray(line.get_xydata(), float) for line in marked_lines(panel, color)]
    found = np.concatenate([np.empty((0, 2)), *points])
    return found[np.isfinite(found).all(axis=1)]


def bars(panel: Axes) -> np.ndarray:
    """Return the two ends of every interval that `panel` shows as a bar: (n, 2 ends, 2 coordinates) without NaN."""
    found = [item.get_segments() for item in panel.collections if isinstance(item, LineCollection)]
    segments = np.array([segment for of_item in found for segment in of_item if len(segment)]).reshape(-1, 2, 2)
    return segments[np.isfinite(segments).all(axis=(1, 2))]


def band_corners(panel: Axes) -> np.ndarray:
    """Return the corners (n, 2) of all intervals that `panel` shows as bands."""
    bands = [item for item in panel.collections if isinstance(item, PolyCollection)]
    return np.concatenate([np.empty((0, 2)), *(path.vertices for band in bands for path in band.get_paths())])


def titled(figure: Figure) -> dict[str, Axes]:
    """Return {title: panel} for the panels of `figure` that have a title."""
    return {panel.get_title(): panel for panel in figure.axes if panel.get_title()}
