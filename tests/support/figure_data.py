"""Build small tables for each figure, draw them, and read back what was drawn."""

import functools
import itertools
import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from study import figures as deferred
from study.figures import cost, norms, style

# The functions that draw at once, behind those that return a Drawing.
figures = types.SimpleNamespace(
    **{name: found.__wrapped__ for name, found in vars(deferred).items() if hasattr(found, "__wrapped__")}
)
NAMES = [f"activation_{place}" for place in range(17)]
STYLE = style.Style({name: f"Label {name[11:]}" for name in NAMES}, {name: place for place, name in enumerate(NAMES)})
HOSTILE = (
    r"$\frac{1}{",
    "<b onload=x> & </b>",
    "a\\nb \\$ $x$",
    "_hidden",
    "two\nlines\x00",
    r"$x^2$ and \alpha " * 9,
    " ",
)
HOSTILE_STYLE = style.Style(dict(zip(NAMES, HOSTILE, strict=False)), {name: k for k, name in enumerate(NAMES[:7])})
STEPS = (0, 1, 2, 5, 10, 100, 480)
MEASURES = (*norms.NORMS, "activation_rms", *norms.UNIT_MEASURES)
RATES = (1e-4, 1e-3, 1e-2, 1e-1)
REMEDIES = ("before", "critical", "batch $norm$")
INTERVAL = ["mean", "ci_low", "ci_high"]


def table(*levels: Any, columns: str) -> pd.DataFrame:
    """Return a row for each combination of `levels`."""
    return pd.DataFrame(list(itertools.product(*levels)), columns=columns.split())


def with_interval(frame: pd.DataFrame, mean: Any, n: int = 5, middle: str = "mean") -> pd.DataFrame:
    """Add `mean` and an interval of 10% around it; one seed has no interval."""
    known = 1.0 if n > 1 else math.nan
    return frame.assign(**{middle: mean, "ci_low": mean * 0.9 * known, "ci_high": mean * 1.1 * known, "n": n})


def gradient_norms(names: list[str], depth: int = 3, seeds: int = 5, **columns: Any) -> pd.DataFrame:
    """Return norms that halve from layer to layer towards the input; `columns` overwrite them."""
    frame = table(names, range(1, depth + 2), STEPS, MEASURES, columns="activation layer step measure")
    mean = 0.8 * 0.5 ** (depth + 1 - frame["layer"]) * (1 + frame["activation"].map(STYLE.positions)) / 20
    frame = with_interval(frame.assign(depth=depth, n_zero=0), mean, seeds)
    frame.loc[frame["measure"].isin(norms.UNIT_MEASURES) & (frame["layer"] > depth), INTERVAL] = math.nan
    return frame.assign(**columns)


def at_zero(frame: pd.DataFrame, where: Any = slice(None)) -> pd.DataFrame:
    """Return `frame` with every seed at exactly zero `where` asked."""
    frame = frame.astype({"mean": float, "n": int})
    frame.loc[where, INTERVAL] = math.nan
    frame.loc[where, ["n", "n_zero"]] = [0, 5]
    return frame


def histories(names: list[str], lengths: tuple[int, ...] = (4, 6, 9)) -> pd.DataFrame:
    """Return for each activation one seed a length, whose loss is 1 / epoch; the accuracy follows the seed."""
    rows = [(name, seed, epoch) for name in names for seed, n in enumerate(lengths) for epoch in range(1, n + 1)]
    frame = pd.DataFrame(rows, columns=["activation", "seed", "epoch"])
    frame = frame.assign(training_loss=1 / frame["epoch"], validation_loss=1.5 / frame["epoch"])
    return frame.assign(validation_accuracy=0.96 + 0.001 * frame["seed"])


def outcomes(accuracies: dict[str, list[float]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return runs, where NaN has diverged, and their summary."""
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
    """Return five test accuracies near 97% for each activation."""
    return {name: [0.97 + 0.001 * seed + 0.0002 * place for seed in range(5)] for place, name in enumerate(names)}


def curves(names: list[str]) -> pd.DataFrame:
    """Return straight lines; the activation at place k has slope k."""
    x = np.linspace(-5, 5, 101)
    each = [pd.DataFrame({"activation": name, "x": x, "value": k * x, "derivative": k}) for k, name in enumerate(names)]
    return pd.concat(each, ignore_index=True)


def rates(names: list[str], best: float = 0.98) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return means of four runs at each rate: the best rate is 1e-3 for all; at the largest rate a seed diverged."""
    runs = table(names, RATES, range(4), columns="activation learning_rate seed")
    away = np.abs(np.log10(runs["learning_rate"]) + 3)
    runs["best_validation_accuracy"] = best - 0.02 * away + 0.001 * runs["seed"]
    runs.loc[(runs["learning_rate"] == RATES[-1]) & (runs["seed"] == 0), "best_validation_accuracy"] = math.nan
    means = runs.groupby(["activation", "learning_rate"])["best_validation_accuracy"].mean()
    frame = means.rename("validation_accuracy_mean").reset_index()
    frame = frame.assign(ci_low=means.to_numpy() - 0.002, ci_high=means.to_numpy() + 0.002, n=4)
    is_last = frame["learning_rate"] == RATES[-1]
    return frame.assign(diverged=is_last.astype(int), is_best=frame["learning_rate"] == 1e-3), runs


def arms(names: list[str], accuracy: float = 0.97) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return four runs of each arm and their summary; the untuned arm is a point worse."""
    runs = table(names, ("tuned", "untuned"), range(4), columns="activation arm seed")
    runs["accuracy"] = accuracy - 0.01 * (runs["arm"] == "untuned") + 0.001 * runs["seed"]
    tuned = pd.DataFrame({"activation": names})
    for arm, part in runs.groupby("arm"):
        mean = part.groupby("activation", sort=False)["accuracy"].mean().to_numpy()
        tuned = tuned.assign(**{f"{arm}_accuracy_mean": mean, f"{arm}_ci_low": mean - 0.001})
        tuned = tuned.assign(**{f"{arm}_ci_high": mean + 0.001, f"{arm}_n": 4, f"{arm}_diverged": 0})
    return runs, tuned


def noisy(names: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return accuracies that fall and losses that grow with the noise, and four runs of each."""
    runs = table(names, (0.0, 0.5, 1.0, 3.0), range(4), columns="activation amplitude seed")
    runs["test_accuracy"] = 0.97 / (1 + runs["amplitude"]) + 0.001 * runs["seed"]
    runs["test_loss"] = 0.1 + runs["amplitude"]
    found = runs.groupby(["activation", "amplitude"], sort=False)[["test_accuracy", "test_loss"]].mean().reset_index()
    found = found.rename(columns={"test_accuracy": "test_accuracy_mean", "test_loss": "test_loss_mean"})
    for kind in ("accuracy", "loss"):
        mean = found[f"test_{kind}_mean"]
        found = found.assign(**{f"{kind}_ci_low": 0.9 * mean, f"{kind}_ci_high": 1.1 * mean})
    return found.assign(difference=0.01, difference_ci_low=0.0, difference_ci_high=0.02), runs


def outputs() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return runs and their summary: the output "b" under the second loss diverged in every run, "a" in one."""
    runs = table(("a", "b"), ("one", "two"), range(4), columns="output loss seed")
    is_lost = (runs["loss"] == "two") & ((runs["output"] == "b") | (runs["seed"] == 0))
    runs["test_accuracy"] = (0.95 + 0.01 * runs["seed"]).mask(is_lost)
    found = runs.groupby(["output", "loss"])["test_accuracy"].agg(n="count", test_accuracy_mean="mean").reset_index()
    mean = found["test_accuracy_mean"]
    return runs, found.assign(runs=4, diverged=4 - found["n"], ci_low=mean - 0.01, ci_high=mean + 0.01)


def timed(names: list[str], slow: float = 1.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return five repeats near 2 ns or ms, the last of which takes `slow` times as long, and a summary."""
    timings = table([*names, "copy"], cost.TIMED, range(5), columns="activation quantity repeat")
    unit = timings["quantity"].map({"forward": 1e-9, "forward_backward": 1e-9, "step": 1e-3})
    timings["seconds"] = unit * (2 + 0.1 * timings["repeat"]) * np.where(timings["repeat"] == 4, slow, 1.0)
    summary = pd.DataFrame({"activation": names, "output_bytes": 4.0, "other_bytes": 8.0})
    for _, _, column in cost.TIMED.values():
        summary = summary.assign(**{column: 2.2, f"{column}_q1": 2.1, f"{column}_q3": 2.3})
    return timings, summary


def theory(names: list[str], depth: int = 5) -> pd.DataFrame:
    """Return errors that halve from layer to layer, measured a tenth below."""
    frame = table(names, range(1, depth + 2), columns="activation layer").assign(depth=depth)
    predicted = 0.5 ** (depth + 1 - frame["layer"])
    return with_interval(frame.assign(predicted=predicted), 0.9 * predicted, middle="measured")


def similarity(names: list[str]) -> pd.DataFrame:
    """Return images that become a tenth as different from layer to layer, until float32 cannot tell; with theory."""
    frame = table(names, (3, 9), ("initial", "end"), range(1, 11), columns="activation depth when layer")
    frame = frame[frame["layer"] <= frame["depth"] + 1]
    cosine = 1 - 0.1 ** frame["layer"].astype(float)
    frame = frame.assign(predicted=cosine.where(frame["when"] == "initial"))
    return with_interval(frame, cosine).assign(ci_low=2 * cosine - 1, ci_high=1.0)


def trained(names: list[str], titles: tuple[str, ...] = ("Adam", "SGD")) -> pd.DataFrame:
    """Return accuracies that fall with depth, in panels of these titles."""
    frame = table(names, titles, (1, 2, 5, 20), columns="activation panel depth")
    return with_interval(frame, 0.9 / frame["depth"])


def remedies(names: list[str]) -> pd.DataFrame:
    """Return 70% before, 90% with each remedy."""
    frame = table(names, REMEDIES, columns="activation remedy")
    return with_interval(frame.assign(baseline=frame["remedy"] == "before"), 0.9 - 0.2 * (frame["remedy"] == "before"))


def plane(names: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return critical points, and curves from them upwards."""
    points = pd.DataFrame({"activation": names, "sigma_w": 1 + np.arange(len(names)), "sigma_b": 0.25})
    lines = pd.concat([points.assign(sigma_b=0.25 + height, sigma_w=points["sigma_w"] + height) for height in (0, 1)])
    return lines, points


def grid(**columns: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the share of networks that train, of twelve cells, and depth scales, one of them infinite."""
    cells = table((1.0, 1.5, 2.0), (5, 10, 20, 50), columns="sigma_w depth").assign(share_trained=0.4)
    return cells.assign(**columns), pd.DataFrame({"sigma_w": [1.0, 1.5, 2.0], "xi": [2.0, math.inf, 3.0]})


def cause(names: list[str]) -> tuple[pd.DataFrame, ...]:
    """Make slopes, shares of the error that fall with depth, and accuracies that fall with it."""
    curves = table(names, (-2.0, 0.0, 2.0), columns="activation x").assign(derivative=0.5, value=1.0)
    shares = table(names, (2, 10, 50), columns="activation depth")
    shares = shares.assign(share_of_error=0.5 ** shares["depth"])
    return curves, shares, with_interval(shares, 1 / shares["depth"], 3)


def decided(names: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make differences of 0.1, 0.2, ... points from the first activation, and accuracies that fall with depth."""
    frame = pd.DataFrame({"activation": names[1:] or ["activation_1"], "reference": names[0], "margin": 0.002})
    points = 0.001 * (1 + np.arange(len(frame)))
    return frame.assign(difference=points, ci_low=points - 1e-4, ci_high=points + 1e-4, finding="tie"), trained(names)


def pixels() -> pd.DataFrame:
    """Make two images of 28 x 28 pixels: one white, and one of half ink."""
    frame = table((3, 8), range(28), range(28), columns="label row column")
    return frame.assign(brightness=0.5 * (frame["label"] == 8))


def dead(names: list[str]) -> pd.DataFrame:
    """Make shares of dead units at five learning rates."""
    rates = [10.0**k for k in range(-4, 1)]
    rows = [
        {"activation": name, "learning_rate": rate, "mean": 0.1 * k} for name in names for k, rate in enumerate(rates)
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(n=3, ci_low=frame["mean"] - 0.02, ci_high=frame["mean"] + 0.02)


def born(names: list[str]) -> pd.DataFrame:
    """Return the share of networks born dead at three widths."""
    frame = table(names, (2, 4, 10), columns="activation width")
    return with_interval(frame, 1 / frame["width"], 60, "share")


def accuracy_figure(accuracies: dict[str, list[float]], looks: style.Style = STYLE, label: str = "article") -> Figure:
    """Draw test accuracies beside a reference of 96.96%."""
    return figures.test_accuracy(*outcomes(accuracies), looks, 0.9696, label)


Frames = tuple[pd.DataFrame, ...]
# Of each figure: its tables, and how to draw them in a style.
CASES: dict[str, tuple[Callable[[list[str]], Any], Callable[..., Figure]]] = {
    "answer": (decided, figures.answer),
    "activation_curves": (curves, figures.activation_curves),
    "training_curves": (histories, figures.training_curves),
    "gradient_norms_by_layer": (gradient_norms, figures.gradient_norms_by_layer),
    "norms_side_by_side": (gradient_norms, figures.norms_side_by_side),
    "gradient_norms_over_training": (gradient_norms, figures.gradient_norms_over_training),
    "unit_measures": (gradient_norms, figures.unit_measures),
    "error_heat_map": (gradient_norms, figures.error_heat_map),
    "errors_beside_theory": (theory, figures.errors_beside_theory),
    "similarity_by_layer": (similarity, figures.similarity_by_layer),
    "test_accuracy": (
        lambda names: outcomes(scattered(names)),
        lambda runs, found, looks: figures.test_accuracy(runs, found, looks, 0.9696, "article"),
    ),
    "accuracy_against_rate": (rates, figures.accuracy_against_rate),
    "tuned_beside_untuned": (arms, functools.partial(figures.tuned_beside_untuned, rate=0.01)),
    "accuracy_against_depth": (trained, figures.accuracy_against_depth),
    "remedies": (remedies, figures.remedies),
    "noise_response": (noisy, functools.partial(figures.noise_response, reference="Label 0")),
    "born_dead": (born, figures.born_dead),
    "cause_and_effect": (cause, figures.cause_and_effect),
    "dead_units_against_rate": (dead, figures.dead_units_against_rate),
    "costs": (timed, functools.partial(figures.costs, floor="copy")),
    "critical_lines": (plane, figures.critical_lines),
}


def frames(figure: str, names: list[str]) -> Frames:
    """Return the tables of a figure of CASES."""
    found = CASES[figure][0](names)
    return found if isinstance(found, tuple) else (found,)


def draw(figure: str, names: list[str], looks: style.Style = STYLE) -> Figure:
    """Draw a figure of CASES."""
    return CASES[figure][1](*frames(figure, names), looks)


@functools.cache
def drawn(figure: str, count: int) -> Figure:
    """Return a figure of the first `count` activations, to be looked at and left as it is."""
    return draw(figure, NAMES[:count])


@functools.cache
def pair(figure: str) -> Figure:
    """Return a figure of two activations, the later one's rows first, to be looked at and left as it is."""
    return draw(figure, [NAMES[12], NAMES[2]])


def texts(figure: Figure) -> list[str]:
    """Return every visible text that says anything."""
    found = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_visible()]
    return [text.get_text() for text in found if text.get_text()]


def offsets(panel: Axes, color: str | None = None, open_markers: bool | None = None) -> np.ndarray:
    """Return the (n, 2) positions of scattered points: of this colour, or open (white inside) or not, if asked."""
    found = np.empty((0, 2))
    for item in panel.collections:
        if isinstance(item, PathCollection):
            points = np.ma.getdata(item.get_offsets())
            faces = [to_hex(face[:3]).upper() for face in item.get_facecolor()] * (len(points) or 1)
            kept = [
                color in (None, face) and open_markers in (None, face == "#FFFFFF") for face in faces[: len(points)]
            ]
            found = np.concatenate([found, points[kept]])
    return found[np.isfinite(found).all(axis=1)]


def marked_lines(panel: Axes, color: str | None = None) -> list[Line2D]:
    """Return the lines with an activation's marker, of this colour if asked."""
    lines = [line for line in panel.lines if line.get_marker() in style.MARKERS]
    return [line for line in lines if color in (None, to_hex(line.get_color()).upper())]


def markers(panel: Axes, color: str) -> np.ndarray:
    """Return the (n, 2) points of the marked lines of this colour."""
    points = [np.asarray(line.get_xydata(), float) for line in marked_lines(panel, color)]
    found = np.concatenate([np.empty((0, 2)), *points])
    return found[np.isfinite(found).all(axis=1)]


def looks_of(figure: Figure) -> set[tuple[str, str]]:
    """Return (colour, marker) of every line that has a marker of the activations', but for rings."""
    lines = [line for line in figure.findobj(Line2D) if line.get_marker() in style.MARKERS]
    lines = [line for line in lines if line.get_markerfacecolor() != "none"]  # a ring around another marker
    return {(to_hex(line.get_color()).upper(), str(line.get_marker())) for line in lines}


def titled(figure: Figure) -> dict[str, Axes]:
    """Return the panels by their titles."""
    return {panel.get_title(): panel for panel in figure.axes if panel.get_title()}
