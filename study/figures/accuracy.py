"""Draw the accuracy of every run, a row for each activation, output or remedy.

A small point is a run. Below the runs stands their mean, on a bar that is its 95% interval.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from study.figures.axes import ERROR_SCALE, error_axis, errors, level, rows_axis
from study.figures.marks import middle, run_points, seeds, unique
from study.figures.style import FIGURE_WIDTH, GREY, FloatArray, Style, grid, literal, styled

OUTPUT: dict[str, Any] = {"color": "#222222", "marker": "o"}  # an output layer is not an activation
BOUNDS = ["mean", "ci_low", "ci_high"]
ARMS = {"tuned": -0.2, "untuned": 0.2}  # the place of each in its activation's row


@styled
def test_accuracy(
    runs: pd.DataFrame, accuracy: pd.DataFrame, style: Style, reference: float | None, reference_label: str
) -> Figure:
    """Draw every run's test accuracy, above the mean with its interval; a row for each activation.

    `runs`: activation, status, test_accuracy in [0, 1] (NaN, or status "diverged": no point, but counted in the label);
    one row per run. `accuracy`: activation, n (runs that have a point), diverged, test_accuracy_mean, ci_low, ci_high.
    `reference`, in [0, 1], is a labelled vertical line.
    """
    names, table = style.order(accuracy["activation"]), unique(accuracy, ["activation"]).set_index("activation")
    points = runs[(runs["status"] != "diverged") & runs["test_accuracy"].notna()]
    counted = points.groupby("activation").size().reindex(table.index, fill_value=0)
    if len(points) != counted.sum() or (counted != table["n"]).any():
        raise ValueError(f"accuracy must summarise these runs: n is {dict(table['n'])}, the runs are {dict(counted)}")
    figure = Figure(figsize=(FIGURE_WIDTH, 1.0 + 0.5 * len(names)), layout="constrained")
    panel = figure.subplots()
    places = points["activation"].map(names.index) - 0.02
    run_points(panel, errors(points["test_accuracy"]), places, hue=points["activation"], palette=style.palette(names))
    bounds = errors(table.loc[names, ["test_accuracy_mean", "ci_low", "ci_high"]])
    _middles(panel, names, bounds, 0.2, style)
    shown = [*errors(points["test_accuracy"]), *bounds.ravel(), *errors([] if reference is None else [reference])]
    error_axis(panel.xaxis, np.array(shown))
    rows_axis(panel, [f"{style.label(name)}\n{_counts(table.loc[name])}" for name in names])
    for row in np.flatnonzero(table.loc[names, "n"] == 0).tolist():
        panel.text(0.03, row, "no run finished", transform=panel.get_yaxis_transform(), va="center", color=GREY)
    if reference is not None:
        level(panel, at := float(errors(reference)), vertical=True)
        label, above = literal(reference_label, 60), panel.get_xaxis_transform()
        panel.text(at, 1.02, label, transform=above, ha="right" if _is_right(panel, [at]) else "left", color=GREY)
    panel.set_xlabel(f"test accuracy {ERROR_SCALE}")
    return figure


@styled
def tuned_beside_untuned(runs: pd.DataFrame, tuned: pd.DataFrame, style: Style, rate: float) -> Figure:
    """Draw the test accuracy of every run: a row for each activation, tuned above untuned.

    `runs`: activation, arm ("tuned", "untuned"), accuracy in [0, 1] (NaN: no point). `tuned`: activation, and for both
    arms <arm>_n, <arm>_diverged, <arm>_accuracy_mean, <arm>_ci_low, <arm>_ci_high; one row per activation. The
    untuned arm has the learning rate `rate`.
    """
    names, table = style.order(tuned["activation"]), tuned.set_index("activation")
    figure = Figure(figsize=(FIGURE_WIDTH, 1.1 + 0.62 * len(names)), layout="constrained")
    panel, points = figure.subplots(), runs[runs["accuracy"].notna()]
    wrong, places = errors(points["accuracy"]), points["activation"].map(names.index) + points["arm"].map(ARMS)
    run_points(panel, wrong, places, 0.14, hue=points["activation"], palette=style.palette(names))
    columns = {arm: [f"{arm}_accuracy_mean", f"{arm}_ci_low", f"{arm}_ci_high"] for arm in ARMS}
    for arm, place in ARMS.items():
        _middles(panel, names, errors(table.loc[names, columns[arm]]), place + 0.1, style, is_open=arm == "untuned")
    error_axis(panel.xaxis, np.array([*wrong, *errors(table[[*columns["tuned"], *columns["untuned"]]]).ravel()]))
    rows_axis(panel, [f"{style.label(name)}\n{_counts_of_arms(table.loc[name])}" for name in names])
    handle: dict[str, Any] = {"color": GREY, "marker": "o", "linestyle": "", "markersize": 6}
    handles = [Line2D([], [], **handle), Line2D([], [], **handle, markerfacecolor="white")]
    labels = ["rate chosen on validation", f"rate {literal(f'{rate:g}')}"]
    figure.legend(handles, labels, loc="outside upper center", ncols=2)
    panel.set_xlabel(f"test accuracy {ERROR_SCALE}")
    return figure


@styled
def accuracy_by_output(runs: pd.DataFrame, outputs: pd.DataFrame) -> Figure:
    """Draw the test accuracy of every run: a panel for each loss, a row for each output.

    `runs`: output, loss, test_accuracy in [0, 1] (NaN: no point); one row per run. `outputs`: output, loss, runs,
    diverged, n (that finished), test_accuracy_mean, ci_low, ci_high; one row per output and loss, in order. A row says
    how many runs diverged.
    """
    losses, names = list(dict.fromkeys(outputs["loss"])), list(dict.fromkeys(outputs["output"]))
    figure = Figure(figsize=(FIGURE_WIDTH, 1.0 + 0.55 * len(names)), layout="constrained")
    axes = figure.subplots(1, len(losses), sharey=True, squeeze=False)[0]
    seen = np.concatenate([errors(runs["test_accuracy"]), errors(outputs["test_accuracy_mean"])])
    for panel, loss in zip(axes, losses, strict=True):
        error_axis(panel.xaxis, seen)
        points = runs[(runs["loss"] == loss) & runs["test_accuracy"].notna()]
        places = points["output"].map(names.index)
        run_points(panel, errors(points["test_accuracy"]), places + 0.05, color=OUTPUT["color"])
        for row in outputs[outputs["loss"] == loss].to_dict("records"):
            place = names.index(row["output"])
            bounds = errors([row["test_accuracy_mean"], row["ci_low"], row["ci_high"]])
            middle(panel, place + 0.15, bounds, OUTPUT)
            if row["diverged"]:  # below the mean, on the emptier side
                is_right = _is_right(panel, [*errors(points["test_accuracy"][places == place]), *bounds])
                text, at = f"{row['diverged']:g} of {row['runs']:g} diverged", panel.get_yaxis_transform()
                x, side = (0.02, "left") if is_right else (0.98, "right")
                panel.text(x, place + 0.37, text, ha=side, va="center", transform=at, color=GREY, fontsize=9)
        panel.set_title(literal(loss))
        rows_axis(panel, [literal(name) for name in names])
    figure.supxlabel(f"test accuracy {ERROR_SCALE}")
    figure.supylabel("output")
    return figure


@styled
def remedies(table: pd.DataFrame, style: Style) -> Figure:
    """Draw the validation accuracy in percent with each remedy and without, in a panel for each activation.

    `table`: activation, remedy (text; rows in order of appearance), baseline, mean, ci_low, ci_high (in [0, 1]), n
    (seeds). One row per activation and remedy. `baseline` (bool) marks the row "before". It is drawn first, as an open
    marker, with a dotted line through all other rows. The mean is written beside its row.
    """
    first = unique(table, ["activation", "remedy"]).sort_values("baseline", ascending=False, kind="stable")
    order, names = list(dict.fromkeys(first["remedy"])), style.order(table["activation"])
    figure, shown = grid([*map(style.label, names)], 2, 0.45 + 0.24 * len(order), style)
    for panel, name in zip(shown, names, strict=True):
        part = first[first["activation"] == name].set_index("remedy")
        for place, remedy in enumerate(order):
            _remedy(panel, place, part.loc[remedy] if remedy in part.index else None, style.line(name))
        for before in 100 * part["mean"][part["baseline"].astype(bool)].dropna():
            level(panel, before, vertical=True)
        rows_axis(panel, [literal(str(remedy), 34) for remedy in order])
        panel.set(xlim=(-4, 104), xticks=(0, 25, 50, 75, 100))
        panel.tick_params(labelleft=panel in shown[::2])
    figure.supxlabel(f"validation accuracy (%, {seeds(table['n'])}); dotted: before")
    return figure


def _middles(
    panel: Axes, names: list[str], bounds: FloatArray, below: float, style: Style, *, is_open: bool = False
) -> None:
    """Draw the middle and interval of each of `names`, from `bounds` (n, 3), at the distance `below` its row."""
    for row, (name, of_row) in enumerate(zip(names, bounds, strict=True)):
        middle(panel, row + below, of_row, style.line(name), is_open=is_open)


def _is_right(panel: Axes, values: list[float]) -> bool:
    """Tell whether the middle of `values` lies in the right half of the panel; NaN does not count."""
    known = [(value, 0.0) for value in values if math.isfinite(value)]
    at = panel.transAxes.inverted().transform(panel.transData.transform(known or [(100.0, 0.0)]))
    return bool(at[:, 0].mean() > 0.5)


def _counts(row: "pd.Series[Any]", arm: str = "") -> str:
    """Say how many runs of the `arm` finished, and how many diverged."""
    n, lost = row[f"{arm}n"], row[f"{arm}diverged"]
    return f"n = {0 if math.isnan(n) else n:g}" + (f", {lost:g} diverged" if lost > 0 else "")


def _counts_of_arms(row: "pd.Series[Any]") -> str:
    texts = [_counts(row, f"{arm}_") for arm in ARMS]
    return texts[0] if texts[0] == texts[1] else f"{texts[0]}; {texts[1].removeprefix('n = ')}"


def _remedy(panel: Axes, place: int, row: Any, line: dict[str, Any]) -> None:
    """Draw one row: the mean with its interval and its number, or why there is none."""
    if row is None or math.isnan(row["mean"]):
        why = "not run" if row is None else "no run finished"
        panel.text(50, place, why, ha="center", va="center", color=GREY)
        return
    bounds = 100 * row[BOUNDS].astype(float).clip(0, 1)
    middle(panel, place, bounds, line, is_open=bool(row["baseline"]))
    at = panel.get_yaxis_transform()
    panel.text(1.03, place, f"{bounds['mean']:.1f}", transform=at, va="center", color=GREY)
