"""Draw a row for each activation, output, remedy or program: every run, and below the runs their mean or median.

A small point is a run, or one repeat of a timing. The larger marker is the mean, and the bar through it is the 95%
interval, ci_low to ci_high. In `costs` they are the median and the quartiles, in `bench` the median alone. Accuracies
are in [0, 1], and NaN is not drawn.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.figures import axes, marks
from study.figures.axes import ERROR_SCALE, LOG_SCALE
from study.figures.naming import name_lines
from study.figures.style import COLORS, FIGURE_WIDTH, GREY, Looks, Style, literal, panels

PLAIN_LOOKS: Looks = {"none": {"color": "#222222", "marker": "o"}}  # of rows that belong to no activation
ARM_SHIFTS = {"tuned": -0.2, "untuned": 0.2}  # y of each arm, from the centre of its activation's row
MARGIN_COLOR = "#E9E9E9"
WIDE_BARS: dict[str, Any] = {"err_style": "bars", "err_kws": {"fmt": "none", "zorder": 1.9, "elinewidth": 1.9}}
# By the quantity of a timing: the title of its panel, the factor from seconds to its unit, the column of its median.
TIME_PANELS = {
    "forward": ("forward\nns / element", 1e9, "forward_ns"),
    "forward_backward": ("forward + backward\nns / element", 1e9, "forward_backward_ns"),
    "step": ("training step\nms", 1e3, "step_ms"),
}
AXIS_END = 1.25  # where an axis of times ends, in multiples of the largest upper quartile or median
# The contender that only multiplies matrices, on one thread. The one on all cores has a name that begins with it.
PRODUCTS = "products"

Labels = Mapping[Any, str]  # {what a row is about: its text}, from the top


def answer(differences: pd.DataFrame, trained: pd.DataFrame, style: Style, runs: pd.DataFrame | None = None) -> Figure:
    """Draw the differences from the reference activation beside the margin, and accuracy over the depth.

    Columns of `differences`, the deciding rows of `decision.findings`: activation, reference, difference, ci_low,
    ci_high, margin (of test accuracy, in [-1, 1]), finding. The finding is a word, written above the marker. `trained`
    and `runs` are as in `lines.accuracy_against_depth`. If `trained` is empty, only the differences are drawn. Raise
    ValueError for two `differences` of one activation, or two of `trained` with the same activation, panel and depth.
    """
    marks.check_unique(trained, ["activation", "panel", "depth"])
    titles = list(dict.fromkeys(trained["panel"]))
    figure = Figure(figsize=(FIGURE_WIDTH, 2.9), layout="constrained")
    left, *right = figure.subplots(1, 1 + len(titles), width_ratios=[1, *[1.15] * len(titles)], squeeze=False)[0]
    _draw_differences(left, marks.check_unique(differences, ["activation"]), style)
    for panel, title in zip(right, titles, strict=True):
        rows, points = trained[trained["panel"] == title], None if runs is None else runs[runs["panel"] == title]
        marks.line_panel(panel, rows, "depth", "percent", style, points=points, band=False)
        axes.draw_guessing(panel)
        panel.set(title=literal(str(title), 20), xlabel=f"hidden layers\n{LOG_SCALE}")
        panel.tick_params(labelleft=panel is right[0])
    if titles:
        right[0].set_ylabel("validation accuracy")
        name_lines(figure, right, style, trained["activation"], is_named=True)
    return figure


def _draw_differences(panel: Axes, rows: pd.DataFrame, style: Style) -> None:
    """Draw a row for the reference, at 0, and one for each row of `rows`, the `differences` of `answer`."""
    reference, margin = rows["reference"].iloc[0], 100 * rows["margin"].iloc[0]
    labels = {name: style.label(name) for name in style.order([reference, *rows["activation"]])}
    panel.axvspan(-margin, margin, color=MARGIN_COLOR, linewidth=0, zorder=0)
    panel.axvline(0, color=GREY, linewidth=0.8, zorder=1)
    points = (100 * rows[["difference", "ci_low", "ci_high"]]).set_axis(marks.INTERVAL, axis=1)
    means = pd.concat([pd.DataFrame({"activation": [reference], "mean": 0.0}), rows[["activation"]].assign(**points)])
    _draw_rows(panel, labels, None, means, style.looks(labels), below=0)
    for tick, name in zip(panel.get_yticklabels(), labels, strict=True):
        tick.set_color(style.color(name))
    for row in rows.to_dict("records"):
        at = (100 * row["difference"], list(labels).index(row["activation"]) - 0.2)
        panel.text(*at, row["finding"], ha="center", va="bottom", fontsize=9)
    axes.round_axis(panel.xaxis, 5)
    panel.set_title(f"test accuracy minus {style.label(reference)}'s")
    panel.set_xlabel(f"points; grey: within {margin:g},\ntoo small to matter")


def test_accuracy(
    runs: pd.DataFrame, accuracy: pd.DataFrame, style: Style, reference: float | None, reference_label: str
) -> Figure:
    """Draw every run's test accuracy, above the mean with its interval; a row for each activation.

    Columns of `runs`, the result of `frames.runs_frame`: activation, status, test_accuracy. A run with the status
    "diverged" has no point. Columns of `accuracy`, the result of `summaries.accuracy` for these runs: activation, n
    (runs with a point), diverged, test_accuracy_mean, ci_low, ci_high. Raise ValueError if n is not the number of
    points, or for two rows of the same activation. `reference` is an accuracy, drawn as a vertical line with the text
    `reference_label`, or None.
    """
    table = marks.check_unique(accuracy, ["activation"]).set_index("activation", drop=False)
    points = runs[(runs["status"] != "diverged") & runs["test_accuracy"].notna()]
    counted = points.groupby("activation").size().reindex(table.index, fill_value=0)
    if len(points) != counted.sum() or (counted != table["n"]).any():
        raise ValueError(f"accuracy must summarise these runs: n is {dict(table['n'])}, the runs are {dict(counted)}")
    labels = {name: f"{style.label(name)}\n{_counts_text(table.loc[name], '')}" for name in style.order(table.index)}
    figure, (panel,) = panels([""], 0.5 + 0.5 * len(labels))
    more = [] if reference is None else [reference]
    points, means = points.assign(value=points["test_accuracy"]), table.assign(mean=table["test_accuracy_mean"])
    _draw_accuracies(panel, labels, points, means, style.looks(labels), *more)
    for place, name in enumerate(labels):
        if table.loc[name, "n"] == 0:
            _write(panel, 0.03, place, "no run finished")
    if reference is not None:
        axes.draw_level(panel, at := float(axes.error_percent(reference)), vertical=True)
        label, side = literal(reference_label, 60), "right" if _is_in_right_half(panel, [at]) else "left"
        panel.text(at, 1.02, label, transform=panel.get_xaxis_transform(), ha=side, color=GREY)
    return figure


def tuned_beside_untuned(runs: pd.DataFrame, tuned: pd.DataFrame, style: Style, rate: float) -> Figure:
    """Draw the test accuracy of every run and the means of both arms: a row for each activation, tuned above untuned.

    Columns of `runs`: activation, arm ("tuned", "untuned"), accuracy. Columns of `tuned`, the result of
    `tuning.tuning_gains`, with one row per activation: activation, and for both arms <arm>_n, <arm>_diverged,
    <arm>_accuracy_mean, <arm>_ci_low, <arm>_ci_high. `rate` is the learning rate of the untuned arm.
    """
    table, means = tuned.set_index("activation"), []
    labels = {
        name: f"{style.label(name)}\n{_counts_text(table.loc[name], 'tuned_', 'untuned_')}"
        for name in style.order(table.index)
    }
    for arm, shift in ARM_SHIFTS.items():
        part = table[[f"{arm}_accuracy_mean", f"{arm}_ci_low", f"{arm}_ci_high"]].set_axis(marks.INTERVAL, axis=1)
        means.append(part.assign(shift=shift, is_open=arm == "untuned").reset_index())
    figure, (panel,) = panels([""], 0.6 + 0.62 * len(labels))
    points = runs.assign(value=runs["accuracy"], shift=runs["arm"].map(ARM_SHIFTS))
    _draw_accuracies(
        panel, labels, points, pd.concat(means), style.looks(labels), shift="shift", spread=0.14, below=0.1
    )
    panel.set_xlabel(f"test accuracy {ERROR_SCALE}\nfilled: rate chosen on validation; open: rate {rate:g}")
    return figure


def accuracy_by_output(runs: pd.DataFrame, outputs: pd.DataFrame) -> Figure:
    """Draw the test accuracy of every run and the means: a panel for each loss, a row for each kind of output layer.

    Columns of `runs`: output, loss, test_accuracy. Columns of `outputs`, with one row per output and loss, in the order
    of panels and rows: output, loss, runs, diverged, test_accuracy_mean, ci_low, ci_high. A text in the row states how
    many runs diverged, if any did.
    """
    labels, losses = ({name: literal(name) for name in outputs[column]} for column in ("output", "loss"))
    figure, shown = panels(losses.values(), 0.5 + 0.62 * len(labels))
    every = axes.error_percent([*runs["test_accuracy"], *outputs["test_accuracy_mean"]])
    for panel, loss in zip(shown, losses, strict=True):
        points, table = runs[runs["loss"] == loss], outputs[outputs["loss"] == loss]
        points, table = points.assign(value=points["test_accuracy"]), table.assign(mean=table["test_accuracy_mean"])
        _draw_accuracies(panel, labels, points, table, PLAIN_LOOKS, by="output")
        axes.error_axis(panel.xaxis, every)  # the same in both panels; wide intervals leave it
        panel.tick_params(labelleft=panel is shown[0])
        panel.set_xlabel("")
        for row in table[table["diverged"] > 0].to_dict("records"):  # below the mean, on the emptier side
            values = axes.error_percent([*points["value"][points["output"] == row["output"]], row["mean"]])
            x, side = (0.02, "left") if _is_in_right_half(panel, values) else (0.98, "right")
            text, y = f"{row['diverged']:g} of {row['runs']:g} diverged", list(labels).index(row["output"]) + 0.1
            _write(panel, x, y, text, ha=side, fontsize=9)
    figure.supxlabel(f"test accuracy {ERROR_SCALE}")
    figure.supylabel("output")
    return figure


def ladder(runs: pd.DataFrame, steps: pd.DataFrame) -> Figure:
    """Draw the validation accuracy of every run: a row for each step, in order, with its mean and interval.

    Each step adds a change to the training of all steps before it. Columns of `runs`: added (the step's name),
    validation_accuracy. Columns of `steps`: added, mean, ci_low, ci_high.
    """
    labels = {name: literal(name, 34) for name in steps["added"]}
    figure, (panel,) = panels([""], 0.4 + 0.42 * len(labels))
    _draw_accuracies(panel, labels, runs.assign(value=runs["validation_accuracy"]), steps, PLAIN_LOOKS, by="added")
    panel.set_xlabel(f"validation accuracy {ERROR_SCALE}")
    return figure


def remedies(table: pd.DataFrame, style: Style, runs: pd.DataFrame | None = None) -> Figure:
    """Draw the validation accuracy in percent with each remedy and without, in a panel for each activation.

    Columns of `table`, the result of `trainability.success`: activation, remedy (text), mean, ci_low, ci_high, n
    (seeds), baseline (bool). The row without a remedy is the baseline. It is on top, as an open marker, with a dotted
    line through all other rows. Remedies follow in order of appearance. The mean is written beside its row. Columns of
    `runs`: activation, remedy, value. Raise ValueError for two rows of the same activation and remedy, or two depths.
    """
    rows = marks.check_unique(table, ["activation", "remedy"]).sort_values("baseline", ascending=False, kind="stable")
    rows = marks.scaled(rows.assign(is_open=rows["baseline"].astype(bool)), "percent")
    points = None if runs is None else marks.scaled(runs, "percent", ["value"])
    labels, names = {name: literal(str(name), 34) for name in rows["remedy"]}, style.order(rows["activation"])
    figure, shown = panels(map(style.label, names), 0.45 + 0.24 * len(labels), 2)
    for panel, name in zip(shown, names, strict=True):
        part = rows[rows["activation"] == name]
        own = None if points is None else points[points["activation"] == name]
        _draw_rows(panel, labels, own, part, style.looks([name]), by="remedy", spread=0.2, below=0)
        means = part.set_index("remedy")["mean"]
        for place, remedy in enumerate(labels):
            if math.isnan(mean := means.get(remedy, math.nan)):
                _write(panel, 0.5, place, "no run finished" if remedy in means else "not run", ha="center")
            else:
                _write(panel, 1.03, place, f"{mean:.1f}")
        for before in part["mean"][part["is_open"]].dropna():
            axes.draw_level(panel, before, vertical=True)
        panel.set(xlim=(-4, 104), xticks=(0, 25, 50, 75, 100))
        panel.tick_params(labelleft=panel in shown[::2])
    figure.supxlabel(f"validation accuracy (%, {marks.seed_count_text(table['n'])}); dotted: plain network")
    return figure


def costs(timings: pd.DataFrame, cost: pd.DataFrame, style: Style, floor: str) -> Figure:
    """Draw the times of TIME_PANELS and the bytes kept for the backward pass, in panels with a row for each activation.

    Columns of `timings`, of `stopwatch.measure` for one tensor size: activation, quantity (a key of TIME_PANELS),
    seconds (per element, or per step). Columns of `cost`, the result of `study.analysis.cost.cost_table`: activation,
    output_bytes and other_bytes (per element), and the medians that TIME_PANELS names, with their quartiles <median>_q1
    and <median>_q3. An arrowhead at the end of the axis stands for repeats beyond it. `floor` is the activation of
    `timings` that only copies: a dotted line marks its median.
    """
    labels = {name: style.label(name) for name in style.order(cost["activation"])}
    looks, table = style.looks(labels), cost.set_index("activation").loc[list(labels)]
    figure, shown = panels([""] * 4, 0.65 + 0.43 * max(len(labels), 1), 2)
    for panel, (quantity, (title, factor, column)) in zip(shown, TIME_PANELS.items(), strict=False):
        rows = timings[timings["quantity"] == quantity]
        rows, is_floor = rows.assign(value=factor * rows["seconds"]), rows["activation"] == floor
        medians = table[[column, f"{column}_q1", f"{column}_q3"]].set_axis(marks.INTERVAL, axis=1).reset_index()
        end = AXIS_END * np.nanmax([*medians["ci_high"], *medians["mean"], 0.0])
        is_beyond = rows["activation"].isin(labels) & (rows["value"] > end)
        _draw_rows(panel, labels, rows[rows["activation"].isin(labels) & ~is_beyond], medians, looks)
        for name in set(rows["activation"][is_beyond]):
            panel.plot([0.98 * end], [list(labels).index(name) - 0.15], ">", color=looks[name]["color"], markersize=5)
        panel.set_xlim(0, end if end > 0 else 1)
        if is_floor.any():
            axes.draw_level(panel, float(rows["value"][is_floor].median()), vertical=True)
        panel.set_title(title)
    _draw_bytes(shown[-1], table, looks)
    for panel in shown:
        axes.rows_axis(panel, list(labels.values()))
        axes.round_axis(panel.xaxis)
        panel.tick_params(labelleft=panel in shown[::2])
    return figure


def _draw_bytes(panel: Axes, table: pd.DataFrame, looks: Looks) -> None:
    """Draw a bar on `panel` for each row of `table`: filled for the column other_bytes, and open for output_bytes."""
    places, colors = range(len(table)), [look["color"] for look in looks.values()]
    other, own = table["other_bytes"].to_numpy(float), table["output_bytes"].to_numpy(float)
    bar: dict[str, Any] = {"height": 0.5, "edgecolor": colors, "linewidth": 1.2}
    panel.barh(places, other, color=colors, **bar)
    panel.barh(places, own, left=other, color="white", **bar)
    for place in np.flatnonzero(other + own == 0).tolist():
        _write(panel, 0.02, place, "0")
    panel.set_title("kept for backward\nbytes / element")
    panel.set_xlim(0, max(1.6 * np.nanmax([*(other + own), 0.0]), 4.0))
    panel.set_xlabel("filled: other\nopen: own output")


def bench(table: pd.DataFrame, rows: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Draw each contender's speed in thousand training images a second: every repeat (small) and the median (large).

    A contender is a program that trains the network, or that only multiplies its matrices. Columns of `table`, the
    result of `benchmark.contender_table`: contender, threads, processes. Columns of `rows`, with one row per contender
    and repeat: contender, images (trained on), seconds. `labels` maps each contender of `table` to its text. Contenders
    on all cores stand above those on one thread. A dashed line marks the median of the matrix products on one thread.
    The study's engine is blue, other libraries are grey, and matrix products are black.
    """
    is_alone = table["threads"] * table["processes"] == 1
    order = [*table.loc[~is_alone, "contender"], *table.loc[is_alone, "contender"]]
    colors = {PRODUCTS: "black", "engine": COLORS[0]}  # by the beginning of a contender's name
    looks: Looks = {name: {"color": colors.get(name.split("_")[0], GREY), "marker": "o"} for name in order}
    boundary, bottom = int((~is_alone).sum()) - 0.5, len(order) - 0.5
    figure, (panel,) = panels([""], 0.4 + 0.27 * len(order))
    speeds = rows.assign(activation=rows["contender"], value=rows["images"] / rows["seconds"] / 1000)
    speeds = speeds[speeds["contender"].isin(order)]
    found = speeds.groupby("activation")["value"].agg(mean="median", least="min").assign(ci_low=np.nan, ci_high=np.nan)
    names = {name: literal(labels[name], 40) for name in order}
    _draw_rows(panel, names, speeds, found.reset_index(), looks, spread=0, below=0)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    at: dict[str, Any] = {"xytext": (-7, 0), "textcoords": "offset points", "ha": "right", "va": "center", "bbox": box}
    for place, name in enumerate(order):
        text, slowest = f"{found.loc[name, 'mean']:.0f}", found.loc[name, "least"]
        panel.annotate(text, (slowest, place), color=looks[name]["color"], **at)
    axes.log_axis(panel.xaxis, speeds["value"].min() / 1.5, speeds["value"].max() * 1.5)
    if PRODUCTS in found.index:
        line: dict[str, Any] = {"color": "black", "linestyle": "--", "linewidth": 1.1, "zorder": 1.8}
        panel.plot([found.loc[PRODUCTS, "mean"]] * 2, [boundary + 1, bottom], **line)
    panel.axhline(boundary, color=GREY, linewidth=0.7)
    _write(panel, 0.99, 0, "all cores", ha="right")
    _write(panel, 0.99, boundary + 0.5, "one thread", ha="right")
    panel.set_xlabel(f"thousand training images a second {LOG_SCALE}")
    return figure


def _draw_accuracies(
    panel: Axes, labels: Labels, points: pd.DataFrame, means: pd.DataFrame, looks: Looks, *more: float, **options: Any
) -> None:
    """Draw accuracies by `_draw_rows` with `options`, on an x axis of errors that also holds the accuracies `more`."""
    points, means = marks.scaled(points, "error", ["value"]), marks.scaled(means, "error")
    _draw_rows(panel, labels, points, means, looks, **options)
    drawn = [*points["value"], *means[marks.INTERVAL].to_numpy().ravel()]
    axes.error_axis(panel.xaxis, [*drawn, *axes.error_percent(more)])
    panel.set_xlabel(f"test accuracy {ERROR_SCALE}")


def _draw_rows(
    panel: Axes, labels: Labels, points: pd.DataFrame | None, means: pd.DataFrame, looks: Looks, *,
    by: str = "activation", shift: str = "", spread: float = 0.27, below: float = 0.2,
) -> None:  # fmt: skip
    """Draw on `panel`, for each key of `labels`, a value of the column `by`, a row with its points and their mean.

    `points` has the column value, and `means` mean, ci_low, ci_high and perhaps is_open (bool), in units of the x axis.
    The distance between two rows is 1. Points spread over the height `spread` above the centre of their row, and means
    lie by `below` under it, with open markers where is_open. Both are lower by the column `shift`, if it is named. With
    PLAIN_LOOKS, no column activation is needed.
    """
    points = means[:0].assign(value=math.nan) if points is None else points
    if looks is PLAIN_LOOKS:
        points, means = (frame.assign(activation=next(iter(looks))) for frame in (points, means))
    at, of_point = (frame[by].map(list(labels).index) for frame in (means, points))
    if shift:
        at, of_point = at + means[shift], of_point + points[shift]
    turn = points.groupby(of_point).cumcount()
    points = points.assign(place=of_point - spread * (0.2 + turn * marks.GOLDEN_FRACTION % 1))
    marks.draw_points(panel, points, "value", "place", looks, s=13, alpha=0.6, linewidth=0)
    for is_open, part in means.assign(place=at + below).groupby(means.get("is_open", at.isna())):
        for line in marks.draw_intervals(panel, part, "place", looks, orient="y", **WIDE_BARS):
            line.set(linestyle="", markersize=6.5, markeredgewidth=0.7)
            if is_open:
                line.set(markerfacecolor="white", markeredgecolor=line.get_color(), markeredgewidth=1.1)
    axes.rows_axis(panel, list(labels.values()))


def _write(panel: Axes, x: float, row: float, text: str, **options: Any) -> None:
    """Write a grey `text` at y = `row` of `panel`, and at the share `x` of its width."""
    panel.text(x, row, text, transform=panel.get_yaxis_transform(), va="center", color=GREY, **options)


def _is_in_right_half(panel: Axes, errors: Any) -> bool:
    """Tell whether `errors`, without NaN, lie on average in the right half of the error axis of `panel`."""
    known = [error for error in errors if not math.isnan(error)] or [100.0]
    return bool(np.log(known).mean() < np.log(panel.get_xlim()).mean())


def _counts_text(row: "pd.Series[Any]", *prefixes: str) -> str:
    """Return a text such as "n = 5, 1 diverged; 6" of all <prefix>n and <prefix>diverged in `row`, without repeats."""
    counts = [(row[f"{prefix}n"], row[f"{prefix}diverged"]) for prefix in prefixes]
    texts = [f"{0 if math.isnan(n) else n:g}" + (f", {lost:g} diverged" if lost > 0 else "") for n, lost in counts]
    return f"n = {'; '.join(dict.fromkeys(texts))}"
