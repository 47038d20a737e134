"""Draw accuracy, loss and shares of units against what was varied: epochs, learning rate, depth, noise, width.

Lines are means over seeds; bands and bars are their 95% intervals. Single runs are dashes or faint lines, drawn if
there are at most FEW of them at one place.
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

LEVELS = {50: "trained", GUESSING: "guessing"}  # labels of dotted lines, by percent of validation images
LOSSES = ("training_loss", "validation_loss")
# The look of the ring around the best learning rate.
RING: dict[str, Any] = {"marker": "o", "markersize": 11, "markerfacecolor": "none", "markeredgewidth": 1.4}
APART = "(log scale; activations side by side)"
NOISES = (0.0, 1.0, 2.0, 3.0)  # amplitudes under which digits are shown

SIDE = 28  # pixels of an image
WRONG_COLUMNS, WRONG_STRIP = 10, 12  # images in a row, and pixels above each image for its text


def training_curves(history: pd.DataFrame, style: Style) -> Figure:
    """Draw training and validation loss (one logarithmic axis) and validation accuracy over the epochs.

    `history` is a part of `frames.history_frame`, with one row per run and epoch: activation, seed, epoch (from 1),
    training_loss, validation_loss (nats), validation_accuracy in [0, 1]. Each run is a faint line if there are at most
    FEW. Means of losses are geometric. A mean ends where its first seed stops, because a mean over fewer seeds would
    jump.

    A run with a loss that is not finite has diverged. It is left out of the means, a cross marks its last finite epoch,
    and the legend counts it.
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
    error_axis(axes[2].yaxis, finite["error"])  # after the means, because seaborn averages on the scale that it finds
    faint = "; faint: runs" * bool(each["size"].max() <= FEW)
    figure.supxlabel(f"epoch\na mean ends where its first run stops{faint}" + "; ×: diverged" * bool(notes))
    name_lines(figure, axes, style, history["activation"], notes)
    return figure


def accuracy_against_rate(rates: pd.DataFrame, runs: pd.DataFrame, style: Style) -> Figure:
    """Draw validation accuracy over the learning rate, with a ring at the best rate of each activation.

    `rates` is the result of `tuning.by_rate`, with one row per activation and rate: activation, learning_rate, n,
    diverged (runs), validation_accuracy_mean, ci_low, ci_high (in [0, 1]), is_best. `runs` is the `frames.runs_frame`
    from which it was made: activation, learning_rate, best_validation_accuracy (NaN is not drawn). A cross at the
    bottom marks a rate at which a seed of that activation diverged. Activations stand side by side at each rate.
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

    `dead` is made by `statistics.summarise`, with one row per activation and rate: activation, learning_rate, n
    (seeds), mean, ci_low, ci_high (shares in [0, 1]). `runs` has one row per run, drawn as a dash: activation,
    learning_rate, value (the run's share). Activations stand side by side at each rate.
    """
    return _shares(dead, "learning_rate", f"learning rate {APART}", "dead units", style, points=runs, apart=True)


def accuracy_against_depth(trained: pd.DataFrame, style: Style, runs: pd.DataFrame | None = None) -> Figure:
    """Draw validation accuracy in percent over the number of hidden layers, in a panel for each setting.

    `trained` is the result of `trainability.success` with the column `panel`, the setting as the title of its panel. It
    has one row per activation, panel and depth: activation, panel, depth, mean, ci_low, ci_high (in [0, 1]), n (seeds).
    `runs` has one row per run, drawn as a dash: activation, panel, depth, value (in [0, 1]). Panels are in order of
    appearance; activations stand side by side at each depth. Raise ValueError for more than six panels, or for two rows
    of the same activation, panel and depth.
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
    """Draw test accuracy (percent), its difference from the reference (points) and test loss, over the noise.

    `robustness` is the table of that name, with one row per activation and amplitude of the noise. It holds activation,
    amplitude, test_accuracy_mean, accuracy_ci_low, accuracy_ci_high (in [0, 1]), difference, difference_ci_low,
    difference_ci_high (in [-1, 1]), and test_loss_mean, loss_ci_low, loss_ci_high (geometric, nats).

    `runs` is the result of `frames.noise_frame`, with one row per run and amplitude: activation, amplitude,
    test_accuracy, test_loss. `reference` is the label of the activation from which the others differ. None leaves out
    the panel of differences.
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
    """Draw digits as a network sees them under noise, in a panel for each amplitude a in NOISES.

    `table` is made by experiments/digits.py, with one row per pixel: label (the digit), row and column (0-27),
    brightness in [0, 1]. The digits stand side by side. Each pixel's noise is uniform in [-a, a], and its draw is the
    same for all amplitudes but for the factor a. Grey levels go from -a, the least possible value, to 1 + a.
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
    """Draw images that a network gets wrong, WRONG_COLUMNS side by side, each below its label and the network's answer.

    Both tables come from experiments/wrong_digits.py. `wrong` has one row per image: label (the true digit), said (the
    network's answer). `images` has the same rows, and a column for each of the 784 pixels, one image row after another,
    from 0 (drawn white) to 255.
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
    """Draw the share of networks that are born dead over the width of their layers, with exact binomial intervals.

    In such a network a hidden layer has only dead units before training. `born` is made by `statistics.share_summary`,
    with one row per activation and width: activation, width (units in each layer), share, ci_low, ci_high (in [0, 1]),
    n (networks).
    """
    return _shares(born.assign(mean=born["share"]), "width", X_LABELS["width"], "born dead", style)


def _shares(rows: pd.DataFrame, x: str, label: str, what: str, style: Style, **options: Any) -> Figure:
    """Draw the shares of `rows` in percent along column `x` in one panel, and return the figure.

    `rows` and `options` are as in `marks.line_panel`, and `rows` has the column n. `label` is the text of the x axis,
    and `what` names the share on the y axis.
    """
    figure, (panel,) = panels([""], 2.5)
    line_panel(panel, rows, x, "percent", style, band=False, **options)
    panel.set(xlabel=label, ylabel=f"{what} ({seeds(rows['n'])})")
    name_lines(figure, [panel], style, rows["activation"])
    return figure


def _common_epochs(history: pd.DataFrame) -> pd.DataFrame:
    """Return `history`, which has one row per run and epoch, with the columns `diverged` and `common` added.

    `diverged` (bool) marks runs with a loss that is not finite. `common` is the last epoch that all other runs of the
    activation reach, or 0 if all diverged.
    """
    of_run = [history["activation"], history["seed"]]
    lost = ~np.isfinite(history[list(LOSSES)]).all(axis=1)
    diverged = lost.groupby(of_run).transform("any")
    last = history.groupby(["activation", "seed"])["epoch"].transform("max").mask(diverged)
    return history.assign(diverged=diverged, common=last.groupby(history["activation"]).transform("min").fillna(0))


def _as_means(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return `column` of `runs` as if each row were a mean over one run, in the columns of `norm_axis` and `zeros`.

    These are activation, epoch, mean (NaN for 0), ci_low and ci_high (NaN), n, and n_zero (1 for 0).
    """
    value, is_zero = runs[column], (runs[column] == 0).astype(int)
    bare = runs[["activation", "epoch"]].assign(ci_low=np.nan, ci_high=np.nan)
    return bare.assign(mean=value.where(value > 0), n=1 - is_zero, n_zero=is_zero)


def _every_run(panel: Axes, runs: pd.DataFrame, column: str, style: Style) -> None:
    """Draw `column` of each run in `runs` over the epochs as a faint line, if no activation has more than FEW runs.

    `runs` has one row per run and epoch: activation, seed, epoch, `column`. Values of 0 or less are not drawn.
    """
    found = runs[runs[column] > 0]
    if not 0 < found.groupby("activation")["seed"].nunique().max() <= FEW:
        return
    colors: dict[str, Any] = {"hue": "activation", "palette": style.palette(found["activation"]), "units": "seed"}
    with unlabelled(panel):
        sns.lineplot(
            found, x="epoch", y=column, **colors, estimator=None, linewidth=0.5, alpha=0.3, legend=False, ax=panel
        )


def _mean_over_seeds(panel: Axes, runs: pd.DataFrame, column: str, style: Style) -> None:
    """Draw the mean over seeds of `column` in `runs`, with its 95% t interval, over the epochs.

    Both are computed from logarithms on a logarithmic axis. Values of 0 or less are left out.
    """
    if (found := runs[runs[column] > 0]).empty:
        return
    is_line = found["epoch"].max() > found["epoch"].min()
    band: dict[str, Any] = {"err_style": "band", "err_kws": {"alpha": 0.17, "linewidth": 0}}
    intervals = band if is_line else {"err_style": "bars"}
    first = len(panel.lines)
    seaborn_lines(panel, found, "epoch", column, style, errorbar=_bounds, **intervals)
    thin_markers(panel.lines[first:])


def _bounds(values: Any) -> tuple[float, float]:
    """Return the low and high end of the 95% t interval of the mean of `values` (n,), cut to [-300, 300].

    On a logarithmic axis `values` are exponents of ten, and larger ones cannot be drawn.
    """
    found = mean_interval(values)
    return max(found.low, -300), min(found.high, 300)
