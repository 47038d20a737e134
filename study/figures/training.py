"""DataFrame -> Figure: nothing is read, saved, or left changed; the caller saves.

Every figure is WIDTH inches wide, takes its activations in the registry's order, and gives each the same colour, marker
and line style. Lines are means over seeds with their 95% intervals as bands, or as bars where a point
stands alone. On a logarithmic axis an exact zero is not lost: it is an open marker on a rail labelled "exactly 0", as
large as the share of the seeds that it holds for; the line is the mean of the others and breaks where there are none.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from study.analysis.statistics import geometric_summary, summarise
from study.figures.style import (
    GREY,
    WIDTH,
    Style,
    accuracy_limits,
    lines,
    literal,
    logarithmic,
    norm_panel,
    panels,
    say_if_empty,
    step_axis,
    stretches,
    styled,
    zeros,
)

NORMS = {
    "weight_gradient": "weight gradient\n" r"$\|\partial\mathcal{L}/\partial W_l\|$",
    "example_weight_gradient": "per-example gradient\n" r"rms $\|\delta_l\|\,\|h_{l-1}\|$",
    "error": "error signal\n" r"rms $\|\delta_l\|$",
}
UNIT_MEASURES = {"dead_units": "dead units", "saturation": "saturated entries", "sparsity": "entries exactly 0"}


@styled
def activation_curves(curves: pd.DataFrame, style: Style) -> Figure:
    """phi and phi' beside each other, with the slopes 1 and 0.25 marked (claim A3).

    `curves`: activation, x, value, derivative; one row a point. What is far outside, slopes above 2.2 say, is cut.
    """
    titles = [r"activation $\varphi(z)$", r"derivative $\varphi'(z)$"]
    figure, axes = panels(1, titles, 2.6, style, curves["activation"])
    for panel, column, least, most in zip(axes[0], ("value", "derivative"), (-2.2, -0.6), (6, 2.2), strict=True):
        lines(panel, curves.assign(mean=curves[column], ci_low=np.nan, ci_high=np.nan), "x", style)
        low, high = min(0, max(least, curves[column].min())), max(1, min(most, curves[column].max()))
        panel.locator_params(nbins=6, steps=[1, 2, 5, 10])
        panel.set(xlabel="$z$", ylim=(low - 0.06 * (high - low), high + 0.06 * (high - low)))
    for slope in (1, 0.25):
        axes[0, 1].axhline(slope, color=GREY, linewidth=0.9, linestyle=":", zorder=1)
        at = axes[0, 1].get_yaxis_transform()
        axes[0, 1].text(1.02, slope, f"slope {slope:g}", transform=at, va="center", color=GREY)
    return figure


@styled
def training_curves(history: pd.DataFrame, style: Style) -> Figure:
    """Training and validation loss (one logarithmic axis) and validation accuracy (percent) over the epochs.

    `history`: activation, seed, epoch (from 1), training_loss, validation_loss (nats), validation_accuracy in [0, 1];
    one row an epoch of a run. Losses are averaged as logarithms, as they are drawn. Runs stop at different epochs, and
    a mean over those still running would move because others left: so the mean and its interval end where the first
    seed stops, and a small marker shows where every seed ended. A run with a loss that is not finite has diverged: it
    enters no mean, a cross shows its last finite epoch, and the legend counts it. The accuracy's axis starts below the
    lowest typical mean (median over epochs): a first epoch may lie outside.
    """
    runs = _common_epochs(history.assign(validation_accuracy=100 * history["validation_accuracy"]))
    each = runs.drop_duplicates(["activation", "seed"]).groupby("activation")["diverged"].agg(["sum", "size"])
    notes = {str(name): f" ({lost}/{n} diverged)" for name, lost, n in each.itertuples() if lost}
    columns = ("training_loss", "validation_loss", "validation_accuracy")
    figure, axes = panels(1, [name.replace("_", " ") for name in columns], 2.5, style, history["activation"], notes)
    curves = [_mean_and_ends(runs, column) for column in columns]
    for panel, (mean, ends) in zip(axes[0], curves, strict=True):
        if panel is not axes[0, 2]:
            logarithmic(panel, pd.concat([*curves[0], *curves[1]]))
            zeros(panel, pd.concat([mean, ends]), "epoch", style)
        lines(panel, mean, "epoch", style)
        _ends(panel, ends, style)
        panel.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    axes[0, 1].tick_params(labelleft=False)
    means, ends = curves[2]
    axes[0, 2].set_ylim(accuracy_limits(means.groupby("activation")["mean"].median(), pd.concat([means, ends])["mean"]))
    axes[0, 2].yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes[0, 2].yaxis.set_major_formatter(PercentFormatter())
    crosses = "; ×: diverged" if notes else ""
    figure.supxlabel(f"epoch\na line ends where its first seed stops; points are the ends of all seeds{crosses}")
    return figure


@styled
def gradient_norms_by_layer(gradient_norms: pd.DataFrame, style: Style, step: int = 0) -> Figure:
    """The three norms of every layer before update `step` + 1, so at initialisation unless told otherwise.

    `gradient_norms`: activation, depth (hidden layers), layer (1 = nearest the input, depth + 1 = "out"), step,
    measure, mean, ci_low, ci_high (geometric, over the seeds above zero), n (those seeds), n_zero (seeds at exactly 0).
    One row an activation, depth, layer and measure; a row of panels per depth.
    """
    rows = _unique(gradient_norms[gradient_norms["step"] == step], ["activation", "depth", "layer", "measure"])
    depths = sorted(map(int, gradient_norms["depth"].unique()))
    figure, axes = panels(max(len(depths), 1), NORMS.values(), 2.1, style, rows["activation"], _absent(rows, NORMS))
    for line, depth in zip(axes, depths, strict=False):
        for panel, measure in zip(line, NORMS, strict=True):
            part = rows[(rows["measure"] == measure) & (rows["depth"] == depth)]
            norm_panel(panel, part, part, "layer", style)
            ticks = [*range(1, depth + 2)] if depth < 6 else [1, (depth + 2) // 2, depth + 1]
            panel.set_xticks(ticks, [*map(str, ticks[:-1]), "out"])
            panel.set_xlim(1 - 0.1 * depth, 1 + 1.1 * depth)
        line[0].set_ylabel(f"{depth} hidden layer{'s' * (depth > 1)}" if len(depths) > 1 else "norm")
    figure.supxlabel("layer (1 is nearest the input)")
    return figure


@styled
def gradient_norms_over_training(
    gradient_norms: pd.DataFrame, style: Style, layers: Sequence[int] | None = None
) -> Figure:
    """The three norms (columns) over the training steps in `layers` (rows; else the first, a middle and the last).

    `gradient_norms` as in `gradient_norms_by_layer`, of one depth. Step 0 is the initialisation; the axis is linear
    below 1 and logarithmic above. A column has one scale, so that its layers can be compared. A line ends where its
    first seed does (n + n_zero falls).
    """
    rows = gradient_norms[gradient_norms["measure"].isin(NORMS)]
    rows = _complete(rows, rows["n"] + rows["n_zero"])
    figure, axes, chosen = _layer_panels(rows, NORMS, layers, style)
    for column, measure in enumerate(NORMS):
        shown = rows[(rows["measure"] == measure) & rows["layer"].isin(chosen)]
        for panel, layer in zip(axes[:, column], chosen, strict=True):
            norm_panel(panel, shown[shown["layer"] == layer], shown, "step", style)
    return figure


@styled
def unit_measures(gradient_norms: pd.DataFrame, style: Style, layers: Sequence[int] | None = None) -> Figure:
    """Dead units, saturated entries and exact zeros (columns, percent) over the steps in hidden `layers` (rows).

    `gradient_norms`: activation, depth, layer, step, measure, mean, ci_low, ci_high (arithmetic, in [0, 1]), n (all
    seeds), n_zero; of one depth. A share has no logarithm: a mean missing where n = 0 < n_zero is drawn as 0. A line
    ends where its first seed does.
    """
    shares = gradient_norms["measure"].isin(UNIT_MEASURES) & (gradient_norms["layer"] <= gradient_norms["depth"])
    rows = _complete(gradient_norms[shares], gradient_norms.loc[shares, ["n", "n_zero"]].max(axis=1)).copy()
    rows["mean"] = rows["mean"].mask(rows["mean"].isna() & (rows["n_zero"] > 0), 0.0)
    rows[["mean", "ci_low", "ci_high"]] = 100 * rows[["mean", "ci_low", "ci_high"]].clip(0, 1)
    figure, axes, chosen = _layer_panels(rows, UNIT_MEASURES, layers, style)
    for column, measure in enumerate(UNIT_MEASURES):
        for panel, layer in zip(axes[:, column], chosen, strict=True):
            part = rows[(rows["measure"] == measure) & (rows["layer"] == layer)]
            lines(panel, part, "step", style)
            say_if_empty(panel, part)
            panel.set(ylim=(-6, 106), yticks=(0, 50, 100))
            panel.yaxis.set_major_formatter(PercentFormatter())
            panel.tick_params(labelleft=column == 0)
    return figure


@styled
def test_accuracy(
    runs: pd.DataFrame, accuracy: pd.DataFrame, style: Style, reference: float | None, reference_label: str
) -> Figure:
    """Every run's test accuracy in percent, above the mean with its interval; a row an activation.

    `runs`: activation, status, test_accuracy in [0, 1] (NaN, or status "diverged": no point, but counted in the label);
    one row a run. `accuracy`: activation, n (runs that have a point), diverged, test_accuracy_mean, ci_low, ci_high.
    `reference`, in [0, 1], is a labelled vertical line. The axis is broken where more than half of it would be empty.
    """
    names, summary = style.order(accuracy["activation"]), _unique(accuracy, ["activation"]).set_index("activation")
    bounds = 100 * summary[["test_accuracy_mean", "ci_low", "ci_high"]].clip(0, 1)
    points = 100 * runs.loc[runs["status"] != "diverged"].set_index("activation")["test_accuracy"].dropna()
    counted = points.groupby(level=0).size().reindex(summary.index, fill_value=0)
    if len(points) != counted.sum() or (counted != summary["n"]).any():
        raise ValueError(f"accuracy must summarise these runs: n is {dict(summary['n'])}, the runs are {dict(counted)}")
    seen = [*points, *bounds["test_accuracy_mean"], *([] if reference is None else [100 * reference])]
    ends = stretches(np.array(seen), bounds.to_numpy().ravel())
    figure = Figure(figsize=(WIDTH, 1.0 + 0.5 * len(names)), layout="constrained")
    axes = figure.subplots(1, len(ends), sharey=True, squeeze=False, width_ratios=[1, 3][-len(ends) :])[0]
    labels = [f"{style.label(name)}\nn = {summary['n'][name]:g}" for name in names]
    lost = [f", {summary['diverged'][name]:g} diverged" if summary["diverged"][name] else "" for name in names]
    axes[0].set_yticks(range(len(names)), [label + note for label, note in zip(labels, lost, strict=True)])
    for panel, limits in zip(axes, ends, strict=True):
        panel.set(xlim=limits, ylim=(len(names) - 0.5, -0.5))
        panel.grid(visible=False, axis="y")
        panel.xaxis.set_major_locator(MaxNLocator(6 if panel is axes[-1] else 2, steps=[1, 2, 5, 10]))
        for place, name in enumerate(names):
            _runs_and_mean(panel, place, points[points.index == name].to_numpy(), bounds.loc[name], style.line(name))
    for row in np.flatnonzero(counted[names] == 0):
        at = axes[-1].get_yaxis_transform()
        axes[-1].text(0.03, row, "no run finished", transform=at, va="center", color=GREY)
    _join(axes)
    if reference is not None:
        _reference_line(axes, 100 * reference, literal(reference_label, 60))
    figure.supxlabel("test accuracy (%)")
    return figure


def _layer_panels(
    rows: pd.DataFrame, titles: Mapping[str, str], layers: Sequence[int] | None, style: Style
) -> tuple[Figure, Any, list[int]]:
    """Panels of `layers` (rows) by measures (columns) over steps, and the layers; of one depth."""
    _unique(rows, ["activation", "layer", "step", "measure"])
    if len(depths := rows["depth"].unique()) > 1:
        raise ValueError(f"one depth a figure, got {sorted(depths)}")
    known = sorted(rows["layer"].unique()) or [1]
    chosen = list(layers or dict.fromkeys([known[0], known[(len(known) - 1) // 2], known[-1]]))
    figure, axes = panels(len(chosen), titles.values(), 1.45, style, rows["activation"], _absent(rows, titles))
    for panel in axes.flat:
        step_axis(panel, max(rows["step"], default=1))
        panel.tick_params(labelbottom=panel in axes[-1])
    for line, layer in zip(axes, chosen, strict=True):
        line[0].set_ylabel("output layer" if layer in set(rows["depth"] + 1) else f"layer {layer}")
    figure.supxlabel("training step")
    return figure, axes, chosen


def _unique(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    if rows.duplicated(keys).any():
        raise ValueError(f"one row per {', '.join(keys)} is needed: choose one setting (width, init, variant, ...)")
    return rows


def _absent(rows: pd.DataFrame, measures: Iterable[str]) -> dict[str, str]:
    """A note for the legend on each activation that has nothing to draw."""
    seen = rows[rows["measure"].isin(list(measures)) & (rows["mean"].notna() | (rows["n_zero"] > 0))]["activation"]
    return dict.fromkeys(set(rows["activation"]) - set(seen), " (no data)")


def _complete(rows: pd.DataFrame, seeds: "pd.Series[int]") -> pd.DataFrame:
    """The steps that all seeds reached: a mean over those still running would move because others stopped."""
    return rows[seeds == seeds.groupby([rows["activation"], rows["layer"], rows["measure"]]).transform("max")]


def _common_epochs(history: pd.DataFrame) -> pd.DataFrame:
    """With `diverged`, is the run one with a loss that is not finite, and `common`, the last epoch all others reach."""
    of_run = [history["activation"], history["seed"]]
    lost = ~np.isfinite(history[["training_loss", "validation_loss"]]).all(axis=1)
    diverged = lost.groupby(of_run).transform("any")
    last = history.groupby(["activation", "seed"])["epoch"].transform("max").mask(diverged)
    return history.assign(diverged=diverged, common=last.groupby(history["activation"]).transform("min").fillna(0))


def _mean_and_ends(runs: pd.DataFrame, column: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mean and interval of `column` up to the common epoch, and the last finite value of every seed."""
    kept = runs[~runs["diverged"] & (runs["epoch"] <= runs["common"])]
    summary = summarise if column == "validation_accuracy" else geometric_summary
    finite = runs[np.isfinite(runs[["training_loss", "validation_loss", column]]).all(axis=1)]
    last = finite.sort_values("epoch").groupby(["activation", "seed"]).tail(1)
    value = last[column]
    single = {"n": (value > 0).astype(int), "n_zero": (value == 0).astype(int), "ci_low": np.nan, "ci_high": np.nan}
    return summary(kept, column, ["activation", "epoch"]), last.assign(mean=value.where(value > 0), **single)


def _ends(panel: Axes, ends: pd.DataFrame, style: Style) -> None:
    """Where each seed ended; a cross where it diverged."""
    for (name, diverged), part in ends.groupby(["activation", "diverged"]):
        line = style.line(str(name)) | ({"marker": "x"} if diverged else {})
        panel.scatter(part["epoch"], part["mean"], c=line["color"], marker=line["marker"], s=22 if diverged else 7)


def _runs_and_mean(panel: Axes, place: int, values: Any, bounds: Any, line: dict[str, Any]) -> None:
    """One activation's runs that lie on this panel, scattered above their mean and its interval."""
    low, high = panel.get_xlim()
    spread = place - 0.08 - 0.27 * (np.arange(len(values)) * 0.618 % 1)  # golden ratio: even, and the same every time
    shown = (values >= low) & (values <= high)
    panel.scatter(values[shown], spread[shown], color=line["color"], s=13, alpha=0.65, linewidths=0)
    mean, ci_low, ci_high = bounds
    panel.hlines(place + 0.2, ci_low, ci_high, color=line["color"], linewidth=2)
    panel.plot([mean], [place + 0.2], **line, markersize=6.5, markeredgecolor="white", markeredgewidth=0.7)


def _join(axes: Any) -> None:
    """Mark where the axis of neighbouring panels is broken."""
    for left, right in pairwise(axes):
        slash = {"marker": [(-0.5, -1), (0.5, 1)], "markersize": 8, "color": "black", "clip_on": False}
        left.plot([1], [0], transform=left.transAxes, **slash)
        right.plot([0], [0], transform=right.transAxes, **slash)
        right.spines["left"].set_visible(False)
        right.tick_params(left=False)


def _reference_line(axes: Any, value: float, label: str) -> None:
    """A vertical line at `value`, named above the panel that holds it."""
    for panel in axes:
        low, high = panel.get_xlim()
        if low <= value <= high:
            side = ("left", "center", "right")[min(int(3 * (value - low) / (high - low)), 2)]
            panel.axvline(value, color=GREY, linestyle=":", linewidth=1.2, zorder=1)
            panel.text(value, 1.02, label, transform=panel.get_xaxis_transform(), ha=side, color=GREY)
