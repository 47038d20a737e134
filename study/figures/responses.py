"""Draw accuracy and loss against what was varied: epochs, learning rate, depth, noise, width.

Lines are means over seeds; bands and bars are their 95% intervals.
"""

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogFormatterMathtext, LogLocator

from study.analysis.statistics import mean_interval
from study.figures.axes import (
    ERROR_SCALE,
    GUESSING,
    LOG_SCALE,
    error_axis,
    errors,
    fixed_axis,
    level,
    norm_axis,
    percent_axis,
    round_axis,
)
from study.figures.marks import (
    absent,
    below,
    lines,
    say_if_empty,
    seaborn_lines,
    seeds,
    thin_markers,
    unique,
    unlabelled,
    zeros,
)
from study.figures.style import GREY, FloatArray, Style, grid, literal, panels, styled

LEVELS = {50: "trained", 100 - GUESSING: "guessing"}  # percent of validation images
LOSSES = ("training_loss", "validation_loss")
BESIDE = 10**-0.035  # the factor from a mean's rate to its seeds', so that the marker does not hide them
RING: dict[str, Any] = {"marker": "o", "markersize": 11, "markerfacecolor": "none", "markeredgewidth": 1.4}


@styled
def training_curves(history: pd.DataFrame, style: Style) -> Figure:
    """Draw training and validation loss (one logarithmic axis) and validation accuracy over the epochs.

    `history`: activation, seed, epoch (from 1), training_loss, validation_loss (nats), validation_accuracy in [0, 1];
    one row per epoch of a run. Losses are averaged as logarithms. A mean ends where its first seed stops, because it
    would move when others leave; a small marker shows where every seed ended. A run with a loss that is not finite has
    diverged: it enters no mean, a cross shows its last finite epoch, and the legend counts it.
    """
    runs = _common_epochs(history.assign(error=errors(history["validation_accuracy"])))
    each = runs.drop_duplicates(["activation", "seed"]).groupby("activation")["diverged"].agg(["sum", "size"])
    notes = {str(name): f" ({lost}/{n} diverged)" for name, lost, n in each.itertuples() if lost}
    titles = (f"training loss\n{LOG_SCALE}", f"validation loss\n{LOG_SCALE}", f"validation accuracy\n{ERROR_SCALE}")
    figure, axes = panels(1, titles, 2.5, style, history["activation"], notes)
    kept = runs[~runs["diverged"] & (runs["epoch"] <= runs["common"])]
    finite = runs[np.isfinite(runs[[*LOSSES, "error"]]).all(axis=1)].sort_values("epoch")
    ends = finite.groupby(["activation", "seed"]).tail(1)
    drawn = pd.concat([kept, ends])
    for panel, column in zip(axes[0], (*LOSSES, "error"), strict=True):
        if column in LOSSES:
            norm_axis(panel, pd.concat([_as_means(drawn, loss) for loss in LOSSES]))
            zeros(panel, _shares_at_zero(drawn.drop_duplicates(), column), "epoch", style)
            below(panel, _as_means(kept, column), "epoch", style)
        _mean_over_seeds(panel, kept, column, style)
        _ends(panel, ends, column, style)
        round_axis(panel.xaxis, 4, integer=True)
    axes[0, 1].tick_params(which="both", labelleft=False)
    error_axis(axes[0, 2].yaxis, drawn["error"].to_numpy())  # now, because seaborn averages on the scale it finds
    crosses = "; ×: diverged" if notes else ""
    figure.supxlabel(f"epoch\na line ends where its first seed stops; points are the ends of all seeds{crosses}")
    return figure


@styled
def accuracy_against_rate(rates: pd.DataFrame, runs: pd.DataFrame, style: Style) -> Figure:
    """Draw validation accuracy over the learning rate, with a ring at the best rate.

    `rates`: activation, learning_rate, n, diverged, validation_accuracy_mean, ci_low, ci_high (in [0, 1]), is_best;
    one row per activation and rate. `runs`: activation, learning_rate, best_validation_accuracy (NaN: no point); one
    row per run. A cross at the bottom stands at each rate at which a seed of that activation diverged. Activations
    stand side by side at each rate.
    """
    names, tried = style.order(rates["activation"]), np.unique(rates["learning_rate"])
    figure, axes = panels(1, [""], 3.2, style, names)
    panel, points = axes[0, 0], runs[runs["best_validation_accuracy"].notna()]
    shift = _side_by_side(names, 0.18 / max(len(names) - 1, 1))
    means = rates.assign(
        at=rates["learning_rate"] * rates["activation"].map(shift), mean=rates["validation_accuracy_mean"]
    )
    means[["mean", "ci_low", "ci_high"]] = errors(means[["mean", "ci_low", "ci_high"]])
    at, wrong = points["learning_rate"] * points["activation"].map(shift), errors(points["best_validation_accuracy"])
    panel.set(xscale="log", xlim=(tried[0] / 1.5, tried[-1] * 1.5))
    error_axis(panel.yaxis, np.array([*wrong, *means["mean"]]))
    colors = points["activation"].map(style.color)
    panel.scatter(at * BESIDE, wrong, c=colors, s=8, linewidths=0)
    lines(panel, means, "at", style, band=False)
    for row in means.to_dict("records"):
        color = style.color(row["activation"])
        if row["is_best"]:
            panel.plot([row["at"]], [row["mean"]], color=color, **RING)
        if row["diverged"] > 0:
            panel.plot([row["at"]], [0.03], marker="x", color=color, transform=panel.get_xaxis_transform())
    panel.xaxis.set_major_locator(LogLocator())
    panel.xaxis.set_major_formatter(LogFormatterMathtext())
    panel.xaxis.set_minor_locator(FixedLocator(tried.tolist()))
    beside = "; activations side by side" if len(names) > 1 else ""
    note = "\n×: a seed diverged" if (rates["diverged"] > 0).any() else ""
    panel.set_xlabel(f"learning rate (log scale; ring: best{beside}){note}")
    panel.set_ylabel(f"validation accuracy at the lowest validation loss\n{ERROR_SCALE}")
    return figure


@styled
def dead_units_against_rate(dead: pd.DataFrame, style: Style) -> Figure:
    """Draw the share of dead units at the end of training over the learning rate.

    `dead`: activation, learning_rate, n, mean, ci_low, ci_high (shares in [0, 1]); one row per activation and rate.
    """
    figure, axes = panels(1, [""], 2.6, style, dead["activation"])
    panel, rates = axes[0, 0], np.unique(dead["learning_rate"])
    rows = dead.assign(n_zero=0)
    rows[["mean", "ci_low", "ci_high"]] = 100 * rows[["mean", "ci_low", "ci_high"]].clip(0, 1)
    panel.set(xscale="log", xlim=(rates[0] / 1.5, rates[-1] * 1.5))
    lines(panel, rows, "learning_rate", style, band=False)
    percent_axis(panel)
    panel.set(xlabel="learning rate (log scale)", ylabel=f"dead units ({seeds(dead['n'])})")
    return figure


@styled
def accuracy_against_depth(trained: pd.DataFrame, style: Style) -> Figure:
    """Draw validation accuracy in percent over the number of hidden layers.

    `trained`: activation, panel (text; at most six, in order of appearance), depth (hidden layers), mean, ci_low,
    ci_high (validation accuracy in [0, 1]), n (seeds) and perhaps share_trained (of the seeds, in [0, 1]): a marker is
    open where it is below 1. One row per activation, panel and depth. Activations stand side by side at each depth.
    """
    rows = unique(trained, ["activation", "panel", "depth"])
    titles, names = list(dict.fromkeys(trained["panel"])), style.order(rows["activation"])
    if len(titles) > 6:
        raise ValueError(f"at most 6 panels, got {len(titles)}: {titles}")
    depths = np.unique(rows["depth"].to_numpy(float))
    gap = min(0.5 * np.diff(np.log10(depths)).min(initial=0.3), 0.1) / max(len(names), 1)
    rows = rows.assign(at=rows["depth"] * rows["activation"].map(_side_by_side(names, gap)), n_zero=0)
    rows[["mean", "ci_low", "ci_high"]] = 100 * rows[["mean", "ci_low", "ci_high"]].clip(0, 1)
    some = rows[rows["share_trained"] < 1] if "share_trained" in rows else rows[:0]
    short = [literal(str(title), 60 // min(len(titles), 3)) for title in titles]
    figure, shown = grid(short, 3, 2.1, style, names, absent(rows))
    for panel, title in zip(shown, titles, strict=True):
        _depth_axes(panel, depths)
        part = rows[rows["panel"] == title]
        lines(panel, part, "at", style, band=False)
        for name, x, y in some.loc[some["panel"] == title, ["activation", "at", "mean"]].itertuples(index=False):
            panel.plot([x], [y], **style.line(name), markerfacecolor="white", zorder=3)
        say_if_empty(panel, part)
        panel.tick_params(labelleft=panel in shown[::3])
        for value, label in LEVELS.items():
            level(panel, value)
            if panel is shown[:3][-1]:
                panel.text(1.03, value, label, transform=panel.get_yaxis_transform(), va="center", color=GREY)
    beside = "; activations side by side" if len(names) > 1 else ""
    figure.supxlabel(f"hidden layers (log scale{beside})" + "\nopen marker: not every seed trained" * (len(some) > 0))
    figure.supylabel(f"validation accuracy ({seeds(rows['n'])})")
    return figure


@styled
def noise_response(robustness: pd.DataFrame, runs: pd.DataFrame, style: Style, reference: str | None) -> Figure:
    """Draw test accuracy (percent), its difference from the reference (points) and the loss, over the noise.

    `robustness`: activation, amplitude, test_accuracy_mean, accuracy_ci_low, accuracy_ci_high, difference,
    difference_ci_low, difference_ci_high (in [-1, 1]), test_loss_mean, loss_ci_low, loss_ci_high (geometric, nats);
    one row per activation and amplitude. `runs`: activation, amplitude, test_accuracy, test_loss; one row per run and
    amplitude, drawn as small points. The panel of differences needs a `reference` (its label).
    """
    titles = {"accuracy": "test accuracy", "difference": f"minus {reference}, points", "loss": f"test loss {LOG_SCALE}"}
    if reference is None:
        del titles["difference"]
    figure, axes = panels(1, titles.values(), 2.6, style, robustness["activation"])
    colors: dict[str, Any] = {"hue": "activation", "palette": style.palette(style.order(runs["activation"]))}
    for panel, kind in zip(axes[0], titles, strict=True):
        factor = 1 if kind == "loss" else 100
        rows = _interval_columns(robustness, kind, factor)
        if kind == "loss":
            norm_axis(panel, rows)
            below(panel, rows, "amplitude", style)
        if kind != "difference":
            y = factor * runs[f"test_{kind}"]
            with unlabelled(panel):
                sns.scatterplot(runs, x="amplitude", y=y, **colors, s=4, alpha=0.4, linewidth=0, legend=False, ax=panel)
        lines(panel, rows, "amplitude", style)
        say_if_empty(panel, rows)
        round_axis(panel.xaxis, 4, integer=True)
    percent_axis(axes[0, 0])
    level(axes[0, 0], 100 - GUESSING)
    figure.supxlabel("amplitude $a$ of the noise, Unif$[-a, a]$ on each pixel in [0, 1]\ndotted: guessing")
    return figure


@styled
def born_dead(born: pd.DataFrame, style: Style) -> Figure:
    """Draw the share of networks that are born dead over the width of their layers, with exact intervals.

    `born`: activation, width (units), share, ci_low, ci_high (in [0, 1]), n (networks); one row per activation and
    width.
    """
    figure, axes = panels(1, [""], 2.4, style, born["activation"])
    panel = axes[0, 0]
    lines(panel, born.assign(mean=born["share"]), "width", style, band=False)
    percent_axis(panel, whole=1)
    fixed_axis(panel.xaxis, sorted(born["width"].unique()))
    panel.set(xlabel="units in each hidden layer", ylabel=f"born dead ({seeds(born['n'])})")
    return figure


def _common_epochs(history: pd.DataFrame) -> pd.DataFrame:
    """Add `diverged` (has the run a loss that is not finite?) and `common` (the last epoch that all others reach)."""
    of_run = [history["activation"], history["seed"]]
    lost = ~np.isfinite(history[list(LOSSES)]).all(axis=1)
    diverged = lost.groupby(of_run).transform("any")
    last = history.groupby(["activation", "seed"])["epoch"].transform("max").mask(diverged)
    return history.assign(diverged=diverged, common=last.groupby(history["activation"]).transform("min").fillna(0))


def _as_means(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return `column` of single runs in the columns that `norm_axis` reads."""
    value, rows = runs[column], runs[["activation", "epoch"]]
    return rows.assign(mean=value.where(value > 0), ci_low=np.nan, ci_high=np.nan, n_zero=(value == 0).astype(int))


def _shares_at_zero(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """Count the runs of each activation and epoch whose `column` is exactly 0 (`n_zero`), and the others (`n`)."""
    at_zero = runs.assign(n_zero=runs[column] == 0, n=runs[column] != 0)
    return at_zero.groupby(["activation", "epoch"])[["n", "n_zero"]].sum().reset_index()


def _mean_over_seeds(panel: Axes, runs: pd.DataFrame, column: str, style: Style) -> None:
    """Draw the mean of `column` and its interval over seeds, both of logarithms if the panel's axis is logarithmic."""
    if (found := runs[runs[column] > 0]).empty:
        return
    is_line = found["epoch"].max() > found["epoch"].min()
    band: dict[str, Any] = {"err_style": "band", "err_kws": {"alpha": 0.17, "linewidth": 0}}
    intervals = band if is_line else {"err_style": "bars"}
    seaborn_lines(panel, found, "epoch", column, style, errorbar=_bounds, **intervals)
    thin_markers(panel)


def _bounds(values: Any) -> tuple[float, float]:
    """Return the interval of the mean of `values` (n,), within what can be drawn as a power of ten."""
    found = mean_interval(values)
    return max(found.low, -300), min(found.high, 300)


def _ends(panel: Axes, ends: pd.DataFrame, column: str, style: Style) -> None:
    """Mark where each seed ended, with a cross if it diverged."""
    for (name, diverged), part in ends[ends[column] > 0].groupby(["activation", "diverged"]):
        marker, size = ("x", 22) if diverged else (style.marker(str(name)), 6)
        panel.scatter(part["epoch"], part[column], color=style.color(str(name)), marker=marker, s=size)


def _side_by_side(names: list[str], gap: float) -> dict[str, float]:
    """Return one factor for each of `names` that shifts its points by `gap` decades on a logarithmic axis."""
    return {name: 10 ** (gap * (place - (len(names) - 1) / 2)) for place, name in enumerate(names)}


def _depth_axes(panel: Axes, depths: FloatArray) -> None:
    """Show percent over `depths` on a logarithmic axis; of many depths, only 1, 2, 5, 10, 20, ... are named."""
    limits = depths[[0, -1]] * (1.1 * (depths[-1] / depths[0]) ** 0.06) ** np.array([-1, 1])
    panel.set(xscale="log", xlim=limits)
    digits = depths / 10 ** np.floor(np.log10(depths))
    fixed_axis(panel.xaxis, depths, np.isin(digits, (1, 2, 5)) | (len(depths) <= 6))
    percent_axis(panel)


def _interval_columns(robustness: pd.DataFrame, kind: str, factor: float) -> pd.DataFrame:
    """Return the columns that `lines` draws: activation, amplitude, mean, ci_low, ci_high; no zeros."""
    mean = kind if kind == "difference" else f"test_{kind}_mean"
    names = {"mean": mean, "ci_low": f"{kind}_ci_low", "ci_high": f"{kind}_ci_high"}
    found = {new: factor * robustness[old] for new, old in names.items()}
    return robustness[["activation", "amplitude"]].assign(**found, n=1, n_zero=0)
