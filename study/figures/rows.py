"""Draw a row for each activation, output or remedy: every run, and below the runs their mean with its interval.

A small point is a run. The larger marker below is the mean, and the bar through it is the 95% interval.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.figures.axes import (
    ERROR_SCALE,
    LOG_SCALE,
    draw_level,
    error_axis,
    error_percent,
    round_axis,
    rows_axis,
)
from study.figures.line_panels import line_panel
from study.figures.marks import INTERVAL_COLUMNS, check_unique, draw_estimate, draw_run_points, seed_count_text
from study.figures.naming import name_lines
from study.figures.style import FIGURE_WIDTH, GREY, Style, literal, panels

PLAIN_LOOK: dict[str, Any] = {"color": "#222222", "marker": "o"}  # the look of marks that belong to no activation
ARM_OFFSETS = {"tuned": -0.2, "untuned": 0.2}  # y of each arm, from the centre of its activation's row
MARGIN_COLOR = "#E9E9E9"
TEXT_SIDES = ((0.98, "right"), (0.02, "left"))  # x and alignment of a text: for points on the left, and on the right


def answer(differences: pd.DataFrame, trained: pd.DataFrame, style: Style, runs: pd.DataFrame | None = None) -> Figure:
    """Draw the differences from the reference activation beside the margin, and accuracy over the depth.

    `differences` holds the rows of `decision.findings` that decide, one per activation. Its columns are activation,
    reference, difference, ci_low, ci_high, margin and finding. Differences and margin are of test accuracy, in [-1, 1].
    The finding is a word, written above the marker.

    `trained` is the result of `trainability.success` with the column `panel`, the title of its panel. It has one row
    per activation, panel and depth (hidden layers), and the columns mean, ci_low, ci_high (validation accuracy in [0,
    1]) and n (seeds). If `trained` is empty, only the differences are drawn. `runs` has one row per run, drawn as a
    dash, with the columns activation, panel, depth and value. Raise ValueError for two rows of the same activation in
    `differences`, or of the same activation, panel and depth in `trained`.
    """
    rows, titles = check_unique(trained, ["activation", "panel", "depth"]), list(dict.fromkeys(trained["panel"]))
    figure = Figure(figsize=(FIGURE_WIDTH, 2.9), layout="constrained")
    left, *right = figure.subplots(1, 1 + len(titles), width_ratios=[1, *[1.15] * len(titles)], squeeze=False)[0]
    _draw_differences(left, check_unique(differences, ["activation"]), style)
    for panel, title in zip(right, titles, strict=True):
        points = None if runs is None else runs[runs["panel"] == title]
        line_panel(panel, rows[rows["panel"] == title], "depth", "percent", style, points=points, band=False)
        draw_level(panel, 10)
        panel.text(0.03, 9, "guessing", transform=panel.get_yaxis_transform(), va="top", color=GREY, fontsize=9)
        panel.set(title=literal(str(title), 20), xlabel=f"hidden layers\n{LOG_SCALE}")
        panel.tick_params(labelleft=panel is right[0])
    if titles:
        right[0].set_ylabel("validation accuracy")
        name_lines(figure, right, style, rows["activation"], is_named=True)
    return figure


def test_accuracy(
    runs: pd.DataFrame, accuracy: pd.DataFrame, style: Style, reference: float | None, reference_label: str
) -> Figure:
    """Draw every run's test accuracy, above the mean with its interval; a row for each activation.

    `runs` is the result of `frames.runs_frame`, with the columns activation, status and test_accuracy in [0, 1]. A run
    without an accuracy, or with the status "diverged", has no point. `accuracy` is the result of `summaries.accuracy`
    for these runs, with one row per activation. Its columns are activation, n (runs with a point), diverged,
    test_accuracy_mean, ci_low and ci_high. Raise ValueError if its `n` are not the numbers of points, or for two rows
    of the same activation.

    `reference` is an accuracy in [0, 1], drawn as a vertical line with the text `reference_label`, or None.
    """
    names, table = style.order(accuracy["activation"]), check_unique(accuracy, ["activation"]).set_index("activation")
    points = runs[(runs["status"] != "diverged") & runs["test_accuracy"].notna()]
    counted = points.groupby("activation").size().reindex(table.index, fill_value=0)
    if len(points) != counted.sum() or (counted != table["n"]).any():
        raise ValueError(f"accuracy must summarise these runs: n is {dict(table['n'])}, the runs are {dict(counted)}")
    figure, (panel,) = panels([""], 0.5 + 0.5 * len(names))
    shown = points.assign(place=points["activation"].map(names.index), value=points["test_accuracy"])
    marked = table.loc[names].rename(columns={"test_accuracy_mean": "mean"}).assign(place=range(len(names)))
    _draw_accuracies(panel, shown, marked, style, [] if reference is None else [reference])
    rows_axis(panel, [f"{style.label(name)}\n{_counts_text(table.loc[name])}" for name in names])
    for row in np.flatnonzero(table.loc[names, "n"] == 0).tolist():
        panel.text(0.03, row, "no run finished", transform=panel.get_yaxis_transform(), va="center", color=GREY)
    if reference is not None:
        draw_level(panel, at := float(error_percent(reference)), vertical=True)
        label, above = literal(reference_label, 60), panel.get_xaxis_transform()
        panel.text(
            at, 1.02, label, transform=above, ha="right" if _is_in_right_half(panel, [at]) else "left", color=GREY
        )
    return figure


def tuned_beside_untuned(runs: pd.DataFrame, tuned: pd.DataFrame, style: Style, rate: float) -> Figure:
    """Draw the test accuracy of every run and the means of both arms: a row for each activation, tuned above untuned.

    `runs` has one row per run, with the columns activation, arm ("tuned", "untuned") and accuracy in [0, 1] (NaN is not
    drawn). `tuned` is the result of `tuning.tuning_gains`, with one row per activation. Its columns are activation, and
    for both arms <arm>_n, <arm>_diverged, <arm>_accuracy_mean, <arm>_ci_low and <arm>_ci_high. `rate` is the learning
    rate of the untuned arm.
    """
    names, table = style.order(tuned["activation"]), tuned.set_index("activation")
    figure, (panel,) = panels([""], 0.6 + 0.62 * len(names))
    points = runs[runs["accuracy"].notna()]
    places = points["activation"].map(names.index) + points["arm"].map(ARM_OFFSETS)
    shown = points.assign(place=places, value=points["accuracy"])
    marked = [
        table.loc[names, [f"{arm}_accuracy_mean", f"{arm}_ci_low", f"{arm}_ci_high"]]
        .set_axis(INTERVAL_COLUMNS, axis=1)
        .assign(place=np.arange(len(names)) + ARM_OFFSETS[arm], is_open=arm == "untuned")
        for arm in ARM_OFFSETS
    ]
    _draw_accuracies(panel, shown, pd.concat(marked), style, height=0.14, mean_offset=0.1)
    rows_axis(panel, [f"{style.label(name)}\n{_arm_counts_text(table.loc[name])}" for name in names])
    panel.set_xlabel(f"test accuracy {ERROR_SCALE}\nfilled: rate chosen on validation; open: rate {rate:g}")
    return figure


def accuracy_by_output(runs: pd.DataFrame, outputs: pd.DataFrame) -> Figure:
    """Draw the test accuracy of every run and the means: a panel for each loss, a row for each kind of output layer.

    Both tables come from experiments/output_layer.py. `runs` has one row per run, with the columns output, loss and
    test_accuracy in [0, 1] (NaN is not drawn). `outputs` has one row per output and loss. Its columns are output, loss,
    runs, diverged, n (runs that finished), test_accuracy_mean, ci_low and ci_high. Panels and rows are in the order of
    `outputs`. A text in the row states how many runs diverged, if any did.
    """
    losses, names = list(dict.fromkeys(outputs["loss"])), list(dict.fromkeys(outputs["output"]))
    figure, axes = panels(map(literal, losses), 0.5 + 0.62 * len(names))
    every = [*runs["test_accuracy"], *outputs["test_accuracy_mean"]]
    for panel, loss in zip(axes, losses, strict=True):
        points = runs[(runs["loss"] == loss) & runs["test_accuracy"].notna()]
        table = outputs[outputs["loss"] == loss]
        shown = points.assign(place=points["output"].map(names.index), value=points["test_accuracy"])
        marked = table.rename(columns={"test_accuracy_mean": "mean"}).assign(place=table["output"].map(names.index))
        _draw_accuracies(panel, shown, marked, None, every)
        rows_axis(panel, [literal(name) for name in names])
        panel.tick_params(labelleft=panel is axes[0])
        panel.set_xlabel("")
        for row in marked[marked["diverged"] > 0].to_dict("records"):  # below the mean, on the emptier side
            x, side = TEXT_SIDES[
                _is_in_right_half(panel, error_percent([*shown["value"][shown["place"] == row["place"]], row["mean"]]))
            ]
            text, at = f"{row['diverged']:g} of {row['runs']:g} diverged", panel.get_yaxis_transform()
            panel.text(x, row["place"] + 0.1, text, ha=side, va="center", transform=at, color=GREY, fontsize=9)
    figure.supxlabel(f"test accuracy {ERROR_SCALE}")
    figure.supylabel("output")
    return figure


def ladder(runs: pd.DataFrame, steps: pd.DataFrame) -> Figure:
    """Draw the validation accuracy of every run: a row for each step, in order, with its mean and interval.

    Each step adds a change to the training of all steps before it. Both tables come from experiments/past_99.py. `runs`
    has one row per run, with the columns added (the step's name) and validation_accuracy in [0, 1] (NaN is not drawn).
    `steps` has one row per step, with the columns added, mean, ci_low and ci_high.
    """
    names, points = list(steps["added"]), runs[runs["validation_accuracy"].notna()]
    figure, (panel,) = panels([""], 0.4 + 0.42 * len(names))
    shown = points.assign(place=points["added"].map(names.index), value=points["validation_accuracy"])
    _draw_accuracies(panel, shown, steps.assign(place=range(len(names))), None)
    rows_axis(panel, [literal(name, 34) for name in names])
    panel.set_xlabel(f"validation accuracy {ERROR_SCALE}")
    return figure


def remedies(table: pd.DataFrame, style: Style, runs: pd.DataFrame | None = None) -> Figure:
    """Draw the validation accuracy in percent with each remedy and without, in a panel for each activation.

    `table` has one row per activation and remedy, as `trainability.success` makes it. Its columns are activation,
    remedy (text), mean, ci_low, ci_high (in [0, 1]), n (seeds), and `baseline` (bool). `baseline` marks the row without
    a remedy. That row is on top, as an open marker, with a dotted line through all other rows. Remedies follow in order
    of appearance. The mean is written beside its row. `runs` has one row per run, drawn as a point, with the columns
    activation, remedy and value (in [0, 1]; NaN is not drawn). Raise ValueError for two rows of the same activation and
    remedy.
    """
    first = check_unique(table, ["activation", "remedy"]).sort_values("baseline", ascending=False, kind="stable")
    order, names = list(dict.fromkeys(first["remedy"])), style.order(table["activation"])
    figure, shown = panels(map(style.label, names), 0.45 + 0.24 * len(order), 2)
    for panel, name in zip(shown, names, strict=True):
        part, at = first[first["activation"] == name].set_index("remedy"), panel.get_yaxis_transform()
        if runs is not None:
            of_name = runs[(runs["activation"] == name) & runs["value"].notna()]
            draw_run_points(
                panel, 100 * of_name["value"], of_name["remedy"].map(order.index), 0.2, color=style.color(name)
            )
        for place, remedy in enumerate(order):
            row = part.loc[remedy] if remedy in part.index else None
            if row is None or math.isnan(row["mean"]):
                why = "not run" if row is None else "no run finished"
                panel.text(50, place, why, ha="center", va="center", color=GREY)
                continue
            bounds = 100 * row[INTERVAL_COLUMNS].astype(float).clip(0, 1)
            draw_estimate(panel, place, bounds, style.line(name), is_open=bool(row["baseline"]))
            panel.text(1.03, place, f"{bounds['mean']:.1f}", transform=at, va="center", color=GREY)
        for before in 100 * part["mean"][part["baseline"].astype(bool)].dropna():
            draw_level(panel, before, vertical=True)
        rows_axis(panel, [literal(str(remedy), 34) for remedy in order])
        panel.set(xlim=(-4, 104), xticks=(0, 25, 50, 75, 100))
        panel.tick_params(labelleft=panel in shown[::2])
    figure.supxlabel(f"validation accuracy (%, {seed_count_text(table['n'])}); dotted: plain network")
    return figure


def _draw_differences(panel: Axes, rows: pd.DataFrame, style: Style) -> None:
    """Draw a row for the reference, at 0, and one for each of `rows`, with its difference in points and its finding.

    `rows` is `differences` of `answer`, with at least one row. The margin is a grey band around 0.
    """
    reference, margin = rows["reference"].iloc[0], 100 * rows["margin"].iloc[0]
    found, names = rows.set_index("activation"), style.order([reference, *rows["activation"]])
    panel.axvspan(-margin, margin, color=MARGIN_COLOR, linewidth=0, zorder=0)
    panel.axvline(0, color=GREY, linewidth=0.8, zorder=1)
    for place, name in enumerate(names):
        if name == reference:
            draw_estimate(panel, place, (0.0, np.nan, np.nan), style.line(name))
            continue
        row = found.loc[name]
        draw_estimate(panel, place, [100 * row[end] for end in ("difference", "ci_low", "ci_high")], style.line(name))
        panel.text(100 * row["difference"], place - 0.2, row["finding"], ha="center", va="bottom", fontsize=9)
    rows_axis(panel, [style.label(name) for name in names])
    for tick, name in zip(panel.get_yticklabels(), names, strict=True):
        tick.set_color(style.color(name))
    round_axis(panel.xaxis, 5)
    panel.set_title(f"test accuracy minus {style.label(reference)}'s")
    panel.set_xlabel(f"points; grey: within {margin:g},\ntoo small to matter")


def _draw_accuracies(
    panel: Axes, points: pd.DataFrame, means: pd.DataFrame, style: Style | None, more: Any = (), *,
    height: float = 0.27, mean_offset: float = 0.2,
) -> None:  # fmt: skip
    """Draw the accuracies of runs on `panel`, and below them their means with intervals, on an x axis of errors.

    - points: one row per run, with place (y of its row), value (in [0, 1]) and, with a `style`, activation.
    - means: one row per marker, with place, mean, ci_low, ci_high (in [0, 1]) and, optionally, is_open (bool). With a
      `style`, the index holds the activations.
    - style: the looks of the activations; with None, every mark has PLAIN_LOOK.
    - more: further accuracies that the axis must hold. It always holds the runs. It also holds the intervals, unless
      `more` is given without a `style`.
    - height, mean_offset: how far runs spread above their place, and how far a mean lies below its place. The distance
      between two rows is 1.
    """
    colors: dict[str, Any] = {"color": PLAIN_LOOK["color"]}
    if style:
        colors = {"hue": points["activation"], "palette": style.palette(points["activation"])}
    draw_run_points(panel, error_percent(points["value"]), points["place"] - 0.02, height, **colors)
    for name, row in means.iterrows():
        look = style.line(str(name)) if style else PLAIN_LOOK
        draw_estimate(
            panel,
            row["place"] + mean_offset,
            error_percent(row[INTERVAL_COLUMNS]),
            look,
            is_open=bool(row.get("is_open", False)),
        )
    bounds = means[INTERVAL_COLUMNS].to_numpy(float).ravel()
    error_axis(panel.xaxis, error_percent([*points["value"], *(more or bounds), *(bounds if style else [])]))
    panel.set_xlabel(f"test accuracy {ERROR_SCALE}")


def _is_in_right_half(panel: Axes, values: Any) -> bool:
    """Tell whether `values`, x coordinates in data units, lie on average in the right half of `panel`.

    Ignore NaN and infinite values. If no other value is left, use an error of 100%.
    """
    known = [(value, 0.0) for value in values if math.isfinite(value)]
    at = panel.transAxes.inverted().transform(panel.transData.transform(known or [(100.0, 0.0)]))
    return bool(at[:, 0].mean() > 0.5)


def _counts_text(row: "pd.Series[Any]", prefix: str = "") -> str:
    """Return a text such as "n = 5, 1 diverged" from the columns n and diverged of `row`.

    The names of these columns begin with `prefix`, such as "tuned_".
    """
    n, lost = row[f"{prefix}n"], row[f"{prefix}diverged"]
    return f"n = {0 if math.isnan(n) else n:g}" + (f", {lost:g} diverged" if lost > 0 else "")


def _arm_counts_text(row: "pd.Series[Any]") -> str:
    """Return the counts of both arms as one text, tuned first, or only once if they are equal."""
    texts = [_counts_text(row, f"{arm}_") for arm in ARM_OFFSETS]
    return texts[0] if texts[0] == texts[1] else f"{texts[0]}; {texts[1].removeprefix('n = ')}"
