"""Draw lines over a learning rate, depth, noise, width, epoch or input, with 95% intervals over seeds; times by size.

Unless its function says otherwise, a table has one row per activation and place on the x axis, and `runs` one row per
run and place. Both have a column activation. Accuracies and shares are in [0, 1], n is the number of seeds, and ci_low
and ci_high are the bounds of an interval. A run is drawn as a dash if no activation has more than `marks.FEW_RUNS` at
one place; NaN is not drawn.
"""

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from study.analysis.statistics import mean_interval
from study.figures import axes, marks
from study.figures.axes import ERROR_SCALE, GUESSING_PERCENT, LOG_SCALE, X_LABELS
from study.figures.naming import legend, name_lines, no_data_notes
from study.figures.style import COLORS, FIGURE_WIDTH, GREY, Style, literal, panels

LEVEL_LABELS = {50: "trained", GUESSING_PERCENT: "guessing"}  # of dotted lines, by percent of validation images
# The look of the ring around the best learning rate.
RING_LOOK: dict[str, Any] = {"marker": "o", "markersize": 11, "markerfacecolor": "none", "markeredgewidth": 1.4}
SIDE_BY_SIDE = "(log scale; activations side by side)"  # for the label of an x axis
FEWEST_RUNS = 3  # from which a mean over runs has a band
LOSSES = ("training_loss", "validation_loss")
RUN_LOOK: dict[str, Any] = {"units": "seed", "estimator": None, "linewidth": 0.5, "alpha": 0.3}
Y_LIMITS = {"value": (-2.2, 6), "derivative": (-0.6, 2.2)}  # values beyond are not shown, by column
SMALL_Y_LIMITS = {"value": (-1, 3), "derivative": (-0.6, 1.6)}  # in the small panels of cause_and_effect
# The labels of an axis of shares, by the exponent of ten.
SHARE_LABELS = {
    0: "all", -1: "a tenth", -2: "a hundredth", -3: "a thousandth", -6: "a millionth", -9: "a billionth",
    -12: "a trillionth",
}  # fmt: skip
LEARNERS_DEPTH = 20  # hidden layers; cause_and_effect shows no deeper network
LABELLED_DEPTHS = (1, 3, 5, 10, 20)  # on the axes of hidden layers in cause_and_effect
# The label of the x axis in each panel of `growth`, by the quantity that was varied.
GROWTH_LABELS = {
    "depth": "hidden layers of 100 units",
    "width": "units in each of 3 layers",
    "seeds": "runs in one worker",
    "workers": "workers sharing the runs",
}


def accuracy_against_rate(rates: pd.DataFrame, runs: pd.DataFrame, style: Style) -> Figure:
    """Draw validation accuracy over the learning rate, with a ring at the best rate of each activation.

    Columns of `rates`, the result of `tuning.rate_table`: learning_rate, diverged (runs), validation_accuracy_mean,
    ci_low, ci_high, is_best. Columns of `runs`: learning_rate, best_validation_accuracy. A cross at the bottom marks a
    rate at which a seed diverged.
    """
    figure, (panel,) = panels([""], 3.2)
    points = runs.assign(value=runs["best_validation_accuracy"])
    means = rates.assign(mean=rates["validation_accuracy_mean"])
    marks.line_panel(panel, means, "learning_rate", "error", style, points=points, band=False, is_side_by_side=True)
    axes.error_axis(panel.yaxis, axes.error_percent([*points["value"], *means["mean"]]))
    shift = marks.side_by_side_factors(means, "learning_rate", style)
    for row in means.to_dict("records"):
        at, color = row["learning_rate"] * shift[row["activation"]], style.color(row["activation"])
        if row["is_best"]:
            panel.plot([at], axes.error_percent([row["mean"]]), color=color, **RING_LOOK)
        if row["diverged"] > 0:
            panel.plot([at], [0.03], marker="x", color=color, transform=panel.get_xaxis_transform())
    note = "; ×: a seed diverged" if (rates["diverged"] > 0).any() else ""
    panel.set_xlabel(f"learning rate {SIDE_BY_SIDE}\nring: best; dashes: runs{note}")
    panel.set_ylabel(f"validation accuracy at the\nlowest validation loss\n{ERROR_SCALE}")
    name_lines(figure, [panel], style, rates["activation"])
    return figure


def dead_units_against_rate(dead: pd.DataFrame, style: Style, runs: pd.DataFrame | None = None) -> Figure:
    """Draw the share of dead units at the end of training over the learning rate.

    Columns of `dead`: learning_rate, n, mean, ci_low, ci_high. Columns of `runs`: learning_rate, value.
    """
    label, options = f"learning rate {SIDE_BY_SIDE}", {"points": runs, "is_side_by_side": True}
    return _draw_shares(dead, "learning_rate", label, "dead units", style, **options)


def born_dead(born: pd.DataFrame, style: Style) -> Figure:
    """Draw the share of networks that are born dead over the width of their layers, with exact binomial intervals.

    In such a network all units of some hidden layer are dead before training. Columns of `born`, the result of
    `statistics.share_summary`: width (units in each layer), share, ci_low, ci_high, n (networks).
    """
    return _draw_shares(born.assign(mean=born["share"]), "width", X_LABELS["width"], "born dead", style)


def _draw_shares(rows: pd.DataFrame, x: str, label: str, share_name: str, style: Style, **options: Any) -> Figure:
    """Draw `rows`, shares, in percent along column `x` by `marks.line_panel` with `options`; `label` is for `x`."""
    figure, (panel,) = panels([""], 2.5)
    marks.line_panel(panel, rows, x, "percent", style, band=False, **options)
    panel.set(xlabel=label, ylabel=f"{share_name} ({marks.seed_count_text(rows['n'])})")
    name_lines(figure, [panel], style, rows["activation"])
    return figure


def accuracy_against_depth(trained: pd.DataFrame, style: Style, runs: pd.DataFrame | None = None) -> Figure:
    """Draw validation accuracy over the number of hidden layers, in a panel for each setting, in order of appearance.

    Columns of `trained`, the result of `trainability.success`: depth, mean, ci_low, ci_high, n, and panel, the title of
    the setting's panel. Columns of `runs`: panel, depth, value. Raise ValueError for more than six panels, or for two
    rows of the same activation, panel and depth.
    """
    rows = marks.check_unique(trained, ["activation", "panel", "depth"])
    titles = list(dict.fromkeys(trained["panel"]))
    if len(titles) > 6:
        raise ValueError(f"panel has {len(titles)} values, {titles}; it must have at most 6")
    short = {title: literal(str(title), 60 // min(len(titles), 3)) for title in titles}
    figure, shown = marks.small_multiples(
        rows, "depth", "percent", style, ("panel", short), height=2.2, points=runs, band=False, is_side_by_side=True
    )
    for place, panel in enumerate(shown.values()):
        for value, label in LEVEL_LABELS.items():
            axes.draw_level(panel, value, label if place == min(len(titles), 3) - 1 else "")
    figure.supxlabel(f"hidden layers {SIDE_BY_SIDE}" + "\ndashes: runs" * (runs is not None))
    figure.supylabel(f"validation accuracy ({marks.seed_count_text(rows['n'])})")
    name_lines(figure, shown.values(), style, rows["activation"], no_data_notes(rows))
    return figure


def noise_response(robustness: pd.DataFrame, runs: pd.DataFrame, style: Style, reference: str | None) -> Figure:
    """Draw test accuracy (percent), its difference from the reference (points) and test loss, over the noise.

    Columns of `robustness`: amplitude; test_accuracy_mean, accuracy_ci_low, accuracy_ci_high; difference,
    difference_ci_low, difference_ci_high (in [-1, 1]); test_loss_mean, loss_ci_low, loss_ci_high (geometric, nats).
    Columns of `runs`, the result of `frames.noise_frame`: amplitude, test_accuracy, test_loss. `reference` is the label
    of the activation from which the others differ. None leaves out the panel of differences.
    """
    kinds = {"accuracy": "percent", "difference": "linear", "loss": "log"}
    titles = {"accuracy": "test accuracy", "difference": f"minus {reference}, points", "loss": f"test loss {LOG_SCALE}"}
    if reference is None:
        del titles["difference"]
    figure, shown = panels(titles.values(), 2.6)
    for panel, name in zip(shown, titles, strict=True):
        columns, factor, points = [f"test_{name}_mean", f"{name}_ci_low", f"{name}_ci_high"], 1, None
        if name == "difference":
            columns[0], factor = name, 100
        else:
            points = runs.assign(value=runs[f"test_{name}"])
        rows = robustness.assign(**(factor * robustness[columns]).set_axis(marks.INTERVAL, axis=1))
        marks.line_panel(panel, rows, "amplitude", kinds[name], style, points=points)
    axes.draw_level(shown[0], GUESSING_PERCENT)
    figure.supxlabel(f"{X_LABELS['amplitude']}\ndotted: guessing")
    name_lines(figure, shown, style, robustness["activation"])
    return figure


def training_curves(history: pd.DataFrame, style: Style) -> Figure:
    """Draw training and validation loss (on equal logarithmic axes) and validation accuracy over the epochs.

    Columns of `history`, a part of `frames.history_frame` with one row per run and epoch: seed, epoch (from 1),
    training_loss, validation_loss (nats), validation_accuracy. Each run is a faint line if no activation has more than
    `marks.FEW_RUNS`. Means of losses are geometric. A mean ends where its first run stops, because a mean over fewer
    runs would jump. A run with a loss that is not finite has diverged. It is left out of the means, a cross marks its
    last finite epoch, and the legend counts it.
    """
    lost = ~np.isfinite(history[list(LOSSES)]).all(axis=1)
    diverged = lost.groupby([history["activation"], history["seed"]]).transform("any")
    last = history.groupby(["activation", "seed"])["epoch"].transform("max").mask(diverged)
    common = last.groupby(history["activation"]).transform("min").fillna(0)  # the last epoch that all runs reach
    runs = history.assign(diverged=diverged, is_common=history["epoch"] <= common)
    runs["error"] = axes.error_percent(history["validation_accuracy"])
    each = runs.drop_duplicates(["activation", "seed"]).groupby("activation")["diverged"].agg(["sum", "size"])
    notes = {str(name): f" ({count}/{n} diverged)" for name, count, n in each.itertuples() if count}
    has_few_runs = bool(each["size"].max() <= marks.FEW_RUNS)
    finite = runs[np.isfinite(runs[[*LOSSES, "error"]]).all(axis=1)].sort_values("epoch")
    losses = finite.melt(["activation", "epoch"], LOSSES, "loss", "mean").assign(ci_low=math.nan, ci_high=math.nan)
    is_zero = (losses["mean"] == 0).astype(int)
    losses = losses.assign(mean=losses["mean"].where(losses["mean"] > 0), n=1 - is_zero, n_zero=is_zero)
    titles = (f"training loss\n{LOG_SCALE}", f"validation loss\n{LOG_SCALE}", f"validation accuracy\n{ERROR_SCALE}")
    figure, shown = panels(titles, 2.7)
    for panel, column in zip(shown, (*LOSSES, "error"), strict=True):
        if column in LOSSES:
            axes.norm_axis(panel, losses)
            marks.mark_zeros(panel, losses[losses["loss"] == column], "epoch", style.looks(history["activation"]))
        _draw_runs(panel, finite.assign(value=finite[column]), style, has_lines=has_few_runs)
    shown[1].tick_params(which="both", labelleft=False)
    axes.error_axis(shown[2].yaxis, finite["error"])  # after the means: seaborn averages on the scale that it finds
    said = {
        "a mean ends where its first run stops": not (finite["is_common"] | finite["diverged"]).all(),
        "faint: runs": has_few_runs,
        "×: diverged": bool(notes),
    }
    figure.supxlabel("\n".join(filter(None, ("epoch", "; ".join(text for text, is_so in said.items() if is_so)))))
    name_lines(figure, shown, style, history["activation"], notes)
    return figure


def _draw_runs(panel: Axes, runs: pd.DataFrame, style: Style, *, has_lines: bool) -> None:
    """Draw the column value of `runs`, where it is above 0, over the epochs: faint lines if `has_lines`, and means.

    Means and their 95% t intervals are of runs that did not diverge, over epochs with is_common. On a logarithmic axis
    they are computed from logarithms. A cross is the last epoch of a run that diverged.
    """
    looks, runs = style.looks(runs["activation"]), runs[runs["value"] > 0]
    if has_lines and len(runs):
        marks.call_seaborn(sns.lineplot, panel, runs, looks, x="epoch", y="value", **RUN_LOOK)
    kept = runs[runs["is_common"] & ~runs["diverged"]]
    if len(kept):
        look = marks.BAND if kept["epoch"].max() > kept["epoch"].min() else marks.BARS
        marks.draw_lines(panel, kept, "epoch", "value", looks, errorbar=_clipped_interval, **look)
    for row in runs[runs["diverged"]].groupby(["activation", "seed"]).tail(1).itertuples():
        panel.plot([row.epoch], [row.value], "x", color=style.color(row.activation))
    axes.round_axis(panel.xaxis, 4, integer=True)


def _clipped_interval(values: Any) -> tuple[float, float]:
    """Return the low and high end of the 95% t interval of the mean of `values` (n,), cut to [-300, 300].

    On a logarithmic axis `values` are exponents of ten, and larger ones cannot be drawn. Return NaN for fewer than
    FEWEST_RUNS values, whose interval would fill the panel.
    """
    if len(values) < FEWEST_RUNS:
        return math.nan, math.nan
    found = mean_interval(values)
    return max(found.low, -300), min(found.high, 300)


def activation_curves(curves: pd.DataFrame, style: Style) -> Figure:
    """Draw phi(z) and phi'(z) of each activation in two panels, with dotted lines at the slopes 1 and 0.25.

    Columns of `curves`, the result of `Ledger.curves`: x (the input z), value (phi), derivative (phi'). Values outside
    Y_LIMITS are not shown.
    """
    figure, shown = panels([r"activation $\varphi(z)$", r"derivative $\varphi'(z)$"], 2.6)
    for panel, (column, limits) in zip(shown, Y_LIMITS.items(), strict=True):
        _draw_curves(panel, curves, column, limits, style)
    for slope in (1, 0.25):
        axes.draw_level(shown[1], slope, f"slope {slope:g}")
    figure.supxlabel(X_LABELS["x"])
    name_lines(figure, shown, style, curves["activation"])
    return figure


def cause_and_effect(curves: pd.DataFrame, shares: pd.DataFrame, accuracy: pd.DataFrame, style: Style) -> Figure:
    """Draw curves and slopes of activations; beside them, over depth, the error that reaches layer 1, and accuracy.

    `curves` is as in `activation_curves`. Columns of `shares`: depth (hidden layers), share_of_error. This share is the
    norm of the error signal at layer 1 over its norm at the last hidden layer, before training; 0 is not drawn. Columns
    of `accuracy`: depth, mean, ci_low, ci_high. Networks deeper than LEARNERS_DEPTH are left out.
    """
    figure = Figure(figsize=(FIGURE_WIDTH, 3.5), layout="constrained")
    shown = figure.subplot_mosaic([["value", "share", "accuracy"], ["derivative", "share", "accuracy"]])
    for column, limits in SMALL_Y_LIMITS.items():
        for line in _draw_curves(shown[column], curves, column, limits, style):
            line.set_marker("None")
        shown[column].set_xlim(-4, 4)
    shown["value"].set_title("1. the curve ...")
    shown["value"].tick_params(labelbottom=False)
    shown["derivative"].set(title="... and its slope", xlabel=X_LABELS["x"], yticks=(0, 0.25, 0.5, 1))
    rows = shares[(shares["share_of_error"] > 0) & (shares["depth"] <= LEARNERS_DEPTH)]
    rows = rows.assign(mean=rows["share_of_error"], ci_low=math.nan, ci_high=math.nan)
    scale = pd.concat([rows, rows.assign(mean=1.0)])
    marks.line_panel(shown["share"], rows, "depth", "log", style, scale=scale, band=False)
    low, high = np.log10(shown["share"].get_ylim())
    powers = [power for power in range(0, -300, -1 if low > -3.5 else -3 if low > -16 else -6) if low <= power <= high]
    names = [SHARE_LABELS.get(power, f"$10^{{{power}}}$") for power in powers]
    shown["share"].set_yticks([10.0**power for power in powers], names)
    shown["share"].minorticks_off()
    shown["share"].set_title(f"2. error that reaches\nlayer 1 {LOG_SCALE}")
    shallow = accuracy[accuracy["depth"] <= LEARNERS_DEPTH]
    marks.line_panel(shown["accuracy"], shallow, "depth", "percent", style, band=False)
    axes.draw_guessing(shown["accuracy"])
    shown["accuracy"].set_title("3. accuracy after\none epoch of Adam")
    for panel in (shown["share"], shown["accuracy"]):
        panel.set(xscale="linear", xlabel="hidden layers", xlim=(0, LEARNERS_DEPTH + 1))
        axes.fixed_axis(panel.xaxis, LABELLED_DEPTHS)
    legend(figure, {name: style.label(name) for name in style.order(curves["activation"])}, style)
    return figure


def _draw_curves(
    panel: Axes, curves: pd.DataFrame, column: str, limits: tuple[float, float], style: Style
) -> list[Line2D]:
    """Draw `column` of `curves`, as in `activation_curves`, and return the lines.

    The y axis holds 0 and 1, and the values that lie inside `limits`, (low, high).
    """
    looks = style.looks(curves["activation"])
    lines = marks.draw_lines(panel, curves, "x", column, looks, estimator=None, err_style="band")
    low, high = min(0, max(limits[0], curves[column].min())), max(1, min(limits[1], curves[column].max()))
    panel.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    axes.round_axis(panel.xaxis)
    axes.round_axis(panel.yaxis)
    return lines


def growth(rows: pd.DataFrame, fitted: pd.DataFrame) -> Figure:
    """Draw every measured time against the quantity that was varied, with its fitted power law: a panel per quantity.

    Columns of `rows`, one row per measurement: quantity (a key of GROWTH_LABELS), value, measure ("run", or "compile"
    for the time to compile the engine's program), seconds. Columns of `fitted`, the result of
    `benchmark.growth_exponents`: quantity, measure, factor, exponent, and its ci_low and ci_high. The law is
    seconds = factor * value ** exponent, a line on logarithmic axes.
    """
    figure, shown = panels([""] * 4, 2.45, 2)
    for panel, (quantity, label) in zip(shown, GROWTH_LABELS.items(), strict=True):
        part = rows[rows["quantity"] == quantity]
        panel.set_xscale("log")
        axes.log_axis(panel.yaxis, part["seconds"].min() / 1.5, part["seconds"].max() * 1.5)
        for law in fitted[fitted["quantity"] == quantity].to_dict("records"):
            _draw_law(panel, part[part["measure"] == law["measure"]], law)
        axes.fixed_axis(panel.xaxis, np.unique(part["value"]))
        panel.set(xlabel=label, ylabel="")
    figure.supxlabel("both axes logarithmic", color=GREY)
    figure.supylabel("seconds")
    return figure


def _draw_law(panel: Axes, found: pd.DataFrame, law: Mapping[Hashable, Any]) -> None:
    """Draw the measurements `found` and their power `law`, a row of `fitted` in `growth`; write its exponent above.

    Markers of compile times are open. Without a finite exponent, only the measurements are drawn.
    """
    is_open = law["measure"] == "compile"
    color = COLORS[is_open]
    face = {"facecolor": "none", "edgecolor": color} if is_open else {"color": color}
    sns.scatterplot(found, x="value", y="seconds", s=18, alpha=0.7, linewidth=int(is_open), ax=panel, **face)
    if np.isfinite(law["exponent"]):
        ends = np.array([found["value"].min(), found["value"].max()], float)
        panel.plot(ends, law["factor"] * ends ** law["exponent"], color=color, linewidth=1.1)
        low, high = np.floor(100 * law["ci_low"]) / 100, np.ceil(100 * law["ci_high"]) / 100  # rounded outward
        bounds = f" [{low:z.2f}, {high:z.2f}]" if np.isfinite(low) else ""
        text = f"{'compiling' if is_open else 'runs'}: {law['exponent']:z.2f}{bounds}"
        panel.text(0, 1.12 if is_open else 1.02, text, transform=panel.transAxes, va="bottom", color=color)
