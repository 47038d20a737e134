"""Draw accuracy and loss against what was varied: epochs, learning rate, depth, noise, width.

Lines are means over seeds; bands and bars are their 95% intervals; a dash is a run, where runs are few.
"""

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.analysis.statistics import mean_interval
from study.figures.axes import (
    ERROR_SCALE,
    GUESSING,
    LOG_SCALE,
    X_LABELS,
    error_axis,
    errors,
    level,
    norm_axis,
    round_axis,
)
from study.figures.marks import (
    FEW,
    absent,
    line_panel,
    multiples,
    seaborn_lines,
    seeds,
    side_by_side,
    thin_markers,
    unique,
    unlabelled,
    zeros,
)
from study.figures.naming import name_lines
from study.figures.style import Style, literal, panels

LEVELS = {50: "trained", GUESSING: "guessing"}  # percent of validation images
LOSSES = ("training_loss", "validation_loss")
RING: dict[str, Any] = {"marker": "o", "markersize": 11, "markerfacecolor": "none", "markeredgewidth": 1.4}
APART = "(log scale; activations side by side)"
NOISES = (0.0, 1.0, 2.0, 3.0)  # amplitudes under which digits are shown

SIDE = 28  # pixels of an image
WRONG_COLUMNS, WRONG_STRIP = 10, 12  # images a row, and pixels above each for its words


def training_curves(history: pd.DataFrame, style: Style) -> Figure:
    """Draw training and validation loss (one logarithmic axis) and validation accuracy over the epochs.

    `history`: activation, seed, epoch (from 1), training_loss, validation_loss (nats), validation_accuracy in [0, 1];
    one row per epoch of a run. Each run is a faint line if there are at most FEW. Losses are averaged as logarithms. A
    mean ends where its first seed stops, because a mean over fewer seeds would jump. A run with a loss that is not
    finite has diverged. It enters no mean, a cross shows its last finite epoch, and the legend counts it.
    """
    runs = _common_epochs(history.assign(error=errors(history["validation_accuracy"])))
    each = runs.drop_duplicates(["activation", "seed"]).groupby("activation")["diverged"].agg(["sum", "size"])
    notes = {str(name): f" ({lost}/{n} diverged)" for name, lost, n in each.itertuples() if lost}
    titles = (f"training loss\n{LOG_SCALE}", f"validation loss\n{LOG_SCALE}", f"validation accuracy\n{ERROR_SCALE}")
    figure, axes = panels(titles, 2.7)
    finite = runs[np.isfinite(runs[[*LOSSES, "error"]]).all(axis=1)].sort_values("epoch")
    kept = finite[~finite["diverged"] & (finite["epoch"] <= finite["common"])]
    lost = finite[finite["diverged"]].groupby(["activation", "seed"]).tail(1)
    for panel, column in zip(axes, (*LOSSES, "error"), strict=True):
        if column in LOSSES:
            norm_axis(panel, pd.concat([_as_means(finite, loss) for loss in LOSSES]))
            zeros(panel, _as_means(finite, column), "epoch", style)
        _every_run(panel, finite, column, style)
        _mean_over_seeds(panel, kept, column, style)
        for name, epoch, value in lost[["activation", "epoch", column]].itertuples(index=False):
            panel.plot([epoch], [value], "x", color=style.color(name))
        round_axis(panel.xaxis, 4, integer=True)
    axes[1].tick_params(which="both", labelleft=False)
    error_axis(axes[2].yaxis, finite["error"])  # now, because seaborn averages on the scale it finds
    faint = "; faint: runs" * bool(each["size"].max() <= FEW)
    figure.supxlabel(f"epoch\na mean ends where its first run stops{faint}" + "; ×: diverged" * bool(notes))
    name_lines(figure, axes, style, history["activation"], notes)
    return figure


def accuracy_against_rate(rates: pd.DataFrame, runs: pd.DataFrame, style: Style) -> Figure:
    """Draw validation accuracy over the learning rate, with a ring at the best rate.

    `rates`: activation, learning_rate, n, diverged, validation_accuracy_mean, ci_low, ci_high (in [0, 1]), is_best;
    one row per activation and rate. `runs`: activation, learning_rate, best_validation_accuracy (NaN: no point); one
    row per run. A cross at the bottom stands at each rate at which a seed of that activation diverged. Activations
    stand side by side at each rate.
    """
    figure, (panel,) = panels([""], 3.2)
    points = runs.assign(value=runs["best_validation_accuracy"])
    means = rates.assign(mean=rates["validation_accuracy_mean"])
    line_panel(panel, means, "learning_rate", "error", style, points=points, band=False, apart=True)
    error_axis(panel.yaxis, errors([*points["value"], *means["mean"]]))
    shift = side_by_side(means, "learning_rate", style)
    for row in means.to_dict("records"):
        at, color = row["learning_rate"] * shift[row["activation"]], style.color(row["activation"])
        if row["is_best"]:
            panel.plot([at], errors([row["mean"]]), color=color, **RING)
        if row["diverged"] > 0:
            panel.plot([at], [0.03], marker="x", color=color, transform=panel.get_xaxis_transform())
    note = "; ×: a seed diverged" if (rates["diverged"] > 0).any() else ""
    panel.set_xlabel(f"learning rate {APART}\nring: best; dashes: runs{note}")
    panel.set_ylabel(f"validation accuracy at the\nlowest validation loss\n{ERROR_SCALE}")
    name_lines(figure, [panel], style, rates["activation"])
    return figure


def dead_units_against_rate(dead: pd.DataFrame, style: Style, runs: pd.DataFrame | None = None) -> Figure:
    """Draw the share of dead units at the end of training over the learning rate.

    `dead`: activation, learning_rate, n, mean, ci_low, ci_high (shares in [0, 1]); one row per activation and rate.
    `runs`: activation, learning_rate, value; one row per run.
    """
    return _shares(dead, "learning_rate", f"learning rate {APART}", "dead units", style, points=runs, apart=True)


def accuracy_against_depth(trained: pd.DataFrame, style: Style, runs: pd.DataFrame | None = None) -> Figure:
    """Draw validation accuracy in percent over the number of hidden layers.

    `trained`: activation, panel (its title), depth, mean, ci_low, ci_high (validation accuracy in [0, 1]), n (seeds).
    It has one row per activation, panel and depth, and at most six panels, drawn in order of appearance. `runs`:
    activation, panel, depth, value; one row per run. Activations stand side by side at each depth.
    """
    rows = unique(trained, ["activation", "panel", "depth"])
    titles = list(dict.fromkeys(trained["panel"]))
    if len(titles) > 6:
        raise ValueError(f"at most 6 panels, got {len(titles)}: {titles}")
    short = {title: literal(str(title), 60 // min(len(titles), 3)) for title in titles}
    figure, shown = multiples(
        rows, "depth", "percent", style, ("panel", short), height=2.2, points=runs, band=False, apart=True
    )
    for place, panel in enumerate(shown.values()):
        for value, label in LEVELS.items():
            level(panel, value, label if place == min(len(titles), 3) - 1 else "")
    figure.supxlabel(f"hidden layers {APART}" + "\ndashes: runs" * (runs is not None))
    figure.supylabel(f"validation accuracy ({seeds(rows['n'])})")
    name_lines(figure, shown.values(), style, rows["activation"], absent(rows))
    return figure


def noise_response(robustness: pd.DataFrame, runs: pd.DataFrame, style: Style, reference: str | None) -> Figure:
    """Draw test accuracy (percent), its difference from the reference (points) and the loss, over the noise.

    `robustness`: activation, amplitude, test_accuracy_mean, accuracy_ci_low, accuracy_ci_high, difference,
    difference_ci_low, difference_ci_high (in [-1, 1]), test_loss_mean, loss_ci_low, loss_ci_high (geometric, nats);
    one row per activation and amplitude. `runs`: activation, amplitude, test_accuracy, test_loss; one row per run and
    amplitude. `reference` is the label of the reference activation; None leaves out the panel of differences.
    """
    titles = {"accuracy": "test accuracy", "difference": f"minus {reference}, points", "loss": f"test loss {LOG_SCALE}"}
    kinds = {"accuracy": "percent", "difference": "linear", "loss": "log"}
    if reference is None:
        del titles["difference"]
    figure, axes = panels(titles.values(), 2.6)
    for panel, name in zip(axes, titles, strict=True):
        mean = name if name == "difference" else f"test_{name}_mean"
        columns = {"mean": mean, "ci_low": f"{name}_ci_low", "ci_high": f"{name}_ci_high"}
        rows = robustness[["activation", "amplitude"]].assign(
            **{new: robustness[old] * (100 if name == "difference" else 1) for new, old in columns.items()}
        )
        points = None if name == "difference" else runs.assign(value=runs[f"test_{name}"])
        line_panel(panel, rows, "amplitude", kinds[name], style, points=points)
    level(axes[0], GUESSING)
    figure.supxlabel(f"{X_LABELS['amplitude']}\ndotted: guessing")
    name_lines(figure, axes, style, robustness["activation"])
    return figure


def digits(table: pd.DataFrame) -> Figure:
    """Draw digits as a network sees them, in a panel for each of NOISES.

    `table`: label, row, column (0-27), brightness in [0, 1]; one row per pixel. The noise is Unif[-a, a] on each pixel,
    one draw for all amplitudes; grey levels go from the least to the largest value of an image.
    """
    wide = table.pivot_table("brightness", ["label", "row"], "column", sort=False)
    images = np.hstack([part.to_numpy(float) for _, part in wide.groupby("label", sort=False)])
    noise = np.random.default_rng(0).uniform(-1, 1, images.shape)
    titles = [f"noise {amplitude:g}" if amplitude else "no noise" for amplitude in NOISES]
    figure, shown = panels(titles, 1.1, 2)
    for panel, amplitude in zip(shown, NOISES, strict=True):
        panel.imshow(images + amplitude * noise, cmap="Greys", vmin=-amplitude, vmax=1 + amplitude)
        panel.set_axis_off()
    return figure


def wrong_digits(wrong: pd.DataFrame, images: pd.DataFrame) -> Figure:
    """Draw images that a network gets wrong, WRONG_COLUMNS side by side, each under its label and the network's answer.

    `wrong`: label, said (the answer); one row per image. `images` has the same rows, and a column for each of the 784
    pixels, from 0 (white) to 255.
    """
    count = -(-len(wrong) // WRONG_COLUMNS)
    cell = SIDE + WRONG_STRIP
    mosaic = np.zeros((max(count, 1) * cell, WRONG_COLUMNS * cell))
    figure, (panel,) = panels([""], max(count, 1) * 0.62)
    for place, (row, pixels) in enumerate(zip(wrong.itertuples(), images.to_numpy(float), strict=True)):
        down, across = (cell * step for step in divmod(place, WRONG_COLUMNS))
        mosaic[down + WRONG_STRIP : down + cell, across : across + SIDE] = pixels.reshape(SIDE, SIDE)
        middle = across + SIDE / 2, down + WRONG_STRIP / 2
        panel.text(*middle, f"{row.label}, not {row.said}", ha="center", va="center", fontsize="x-small")
    panel.imshow(mosaic, cmap="Greys", vmin=0, vmax=255)
    panel.set_axis_off()
    return figure


def born_dead(born: pd.DataFrame, style: Style) -> Figure:
    """Draw the share of networks that are born dead over the width of their layers, with exact intervals.

    `born`: activation, width (units), share, ci_low, ci_high (in [0, 1]), n (networks); one row per activation and
    width.
    """
    return _shares(born.assign(mean=born["share"]), "width", X_LABELS["width"], "born dead", style)


def _shares(rows: pd.DataFrame, x: str, label: str, what: str, style: Style, **options: Any) -> Figure:
    """Draw the shares of `rows` along column `x` in one panel, with the `options` of `line_panel`.

    `label` is the text of the x axis, and `what` names the share on the y axis.
    """
    figure, (panel,) = panels([""], 2.5)
    line_panel(panel, rows, x, "percent", style, band=False, **options)
    panel.set(xlabel=label, ylabel=f"{what} ({seeds(rows['n'])})")
    name_lines(figure, [panel], style, rows["activation"])
    return figure


def _common_epochs(history: pd.DataFrame) -> pd.DataFrame:
    """Add the columns `diverged` and `common` to `history`.

    `diverged` (bool) marks runs with a loss that is not finite. `common` is the last epoch that all other runs of the
    activation reach.
    """
    of_run = [history["activation"], history["seed"]]
    lost = ~np.isfinite(history[list(LOSSES)]).all(axis=1)
    diverged = lost.groupby(of_run).transform("any")
    last = history.groupby(["activation", "seed"])["epoch"].transform("max").mask(diverged)
    return history.assign(diverged=diverged, common=last.groupby(history["activation"]).transform("min").fillna(0))


def _as_means(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return `column` of `runs` as means of one run each, in the columns that `norm_axis` and `zeros` need."""
    value, is_zero = runs[column], (runs[column] == 0).astype(int)
    bare = runs[["activation", "epoch"]].assign(ci_low=np.nan, ci_high=np.nan)
    return bare.assign(mean=value.where(value > 0), n=1 - is_zero, n_zero=is_zero)


def _every_run(panel: Axes, runs: pd.DataFrame, column: str, style: Style) -> None:
    """Draw `column` of each run as a faint line, if no activation has more than FEW runs."""
    found = runs[runs[column] > 0]
    if not 0 < found.groupby("activation")["seed"].nunique().max() <= FEW:
        return
    colors: dict[str, Any] = {"hue": "activation", "palette": style.palette(found["activation"]), "units": "seed"}
    with unlabelled(panel):
        sns.lineplot(
            found, x="epoch", y=column, **colors, estimator=None, linewidth=0.5, alpha=0.3, legend=False, ax=panel
        )


def _mean_over_seeds(panel: Axes, runs: pd.DataFrame, column: str, style: Style) -> None:
    """Draw the mean of `column` over seeds with its interval; on a logarithmic axis both are of logarithms."""
    if (found := runs[runs[column] > 0]).empty:
        return
    is_line = found["epoch"].max() > found["epoch"].min()
    band: dict[str, Any] = {"err_style": "band", "err_kws": {"alpha": 0.17, "linewidth": 0}}
    intervals = band if is_line else {"err_style": "bars"}
    first = len(panel.lines)
    seaborn_lines(panel, found, "epoch", column, style, errorbar=_bounds, **intervals)
    thin_markers(panel.lines[first:])


def _bounds(values: Any) -> tuple[float, float]:
    """Return the bounds of the mean of `values` (n,), cut to [-300, 300], exponents of ten that can be drawn."""
    found = mean_interval(values)
    return max(found.low, -300), min(found.high, 300)
