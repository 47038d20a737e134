"""Draw accuracy, loss and shares of units against what was varied: learning rate, depth, noise, width.

Lines are means over seeds; bands and bars are their 95% intervals. Each run is a dash. Dashes are drawn if an
activation has at most FEW_RUNS runs at one place.
"""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from study.figures.axes import (
    ERROR_SCALE,
    GUESSING_PERCENT,
    LOG_SCALE,
    X_LABELS,
    draw_level,
    error_axis,
    error_percent,
)
from study.figures.line_panels import line_panel, side_by_side_factors, small_multiples
from study.figures.marks import check_unique, seed_count_text
from study.figures.naming import name_lines, no_data_notes
from study.figures.style import Style, literal, panels

LEVEL_LABELS = {50: "trained", GUESSING_PERCENT: "guessing"}  # of dotted lines, by percent of validation images
# The look of the ring around the best learning rate.
RING_LOOK: dict[str, Any] = {"marker": "o", "markersize": 11, "markerfacecolor": "none", "markeredgewidth": 1.4}
SIDE_BY_SIDE = "(log scale; activations side by side)"  # for the label of an x axis


def accuracy_against_rate(rates: pd.DataFrame, runs: pd.DataFrame, style: Style) -> Figure:
    """Draw validation accuracy over the learning rate, with a ring at the best rate of each activation.

    `rates` is the result of `tuning.rate_table`, with one row per activation and rate. Its columns are activation,
    learning_rate, n, diverged (runs), validation_accuracy_mean, ci_low, ci_high (in [0, 1]) and is_best. `rates` was
    made from `runs`, the result of `frames.runs_frame`, with the columns activation, learning_rate and
    best_validation_accuracy (NaN is not drawn). A cross at the bottom marks a rate at which a seed of that activation
    diverged. Activations stand side by side at each rate.
    """
    figure, (panel,) = panels([""], 3.2)
    points = runs.assign(value=runs["best_validation_accuracy"])
    means = rates.assign(mean=rates["validation_accuracy_mean"])
    line_panel(panel, means, "learning_rate", "error", style, points=points, band=False, is_side_by_side=True)
    error_axis(panel.yaxis, error_percent([*points["value"], *means["mean"]]))
    shift = side_by_side_factors(means, "learning_rate", style)
    for row in means.to_dict("records"):
        at, color = row["learning_rate"] * shift[row["activation"]], style.color(row["activation"])
        if row["is_best"]:
            panel.plot([at], error_percent([row["mean"]]), color=color, **RING_LOOK)
        if row["diverged"] > 0:
            panel.plot([at], [0.03], marker="x", color=color, transform=panel.get_xaxis_transform())
    note = "; ×: a seed diverged" if (rates["diverged"] > 0).any() else ""
    panel.set_xlabel(f"learning rate {SIDE_BY_SIDE}\nring: best; dashes: runs{note}")
    panel.set_ylabel(f"validation accuracy at the\nlowest validation loss\n{ERROR_SCALE}")
    name_lines(figure, [panel], style, rates["activation"])
    return figure


def dead_units_against_rate(dead: pd.DataFrame, style: Style, runs: pd.DataFrame | None = None) -> Figure:
    """Draw the share of dead units at the end of training over the learning rate.

    `dead` is made by `statistics.summarise`, with one row per activation and rate. Its columns are activation,
    learning_rate, n (seeds), mean, ci_low and ci_high (shares in [0, 1]). `runs` has one row per run, drawn as a dash,
    with the columns activation, learning_rate and value (the run's share). Activations stand side by side at each rate.
    """
    return _draw_shares(
        dead, "learning_rate", f"learning rate {SIDE_BY_SIDE}", "dead units", style, points=runs, is_side_by_side=True
    )


def accuracy_against_depth(trained: pd.DataFrame, style: Style, runs: pd.DataFrame | None = None) -> Figure:
    """Draw validation accuracy in percent over the number of hidden layers, in a panel for each setting.

    `trained` is the result of `trainability.success` with the column `panel`, the setting as the title of its panel. It
    has one row per activation, panel and depth, and the columns mean, ci_low, ci_high (in [0, 1]) and n (seeds). `runs`
    has one row per run, drawn as a dash, with the columns activation, panel, depth and value (in [0, 1]). Panels are in
    order of appearance; activations stand side by side at each depth. Raise ValueError for more than six panels, or for
    two rows of the same activation, panel and depth.
    """
    rows = check_unique(trained, ["activation", "panel", "depth"])
    titles = list(dict.fromkeys(trained["panel"]))
    if len(titles) > 6:
        raise ValueError(f"at most 6 panels, got {len(titles)}: {titles}")
    short = {title: literal(str(title), 60 // min(len(titles), 3)) for title in titles}
    figure, shown = small_multiples(
        rows, "depth", "percent", style, ("panel", short), height=2.2, points=runs, band=False, is_side_by_side=True
    )
    for place, panel in enumerate(shown.values()):
        for value, label in LEVEL_LABELS.items():
            draw_level(panel, value, label if place == min(len(titles), 3) - 1 else "")
    figure.supxlabel(f"hidden layers {SIDE_BY_SIDE}" + "\ndashes: runs" * (runs is not None))
    figure.supylabel(f"validation accuracy ({seed_count_text(rows['n'])})")
    name_lines(figure, shown.values(), style, rows["activation"], no_data_notes(rows))
    return figure


def noise_response(robustness: pd.DataFrame, runs: pd.DataFrame, style: Style, reference: str | None) -> Figure:
    """Draw test accuracy (percent), its difference from the reference (points) and test loss, over the noise.

    `robustness` is the table of that name, with one row per activation and amplitude of the noise. It holds activation,
    amplitude, test_accuracy_mean, accuracy_ci_low, accuracy_ci_high (in [0, 1]), difference, difference_ci_low,
    difference_ci_high (in [-1, 1]), and test_loss_mean, loss_ci_low, loss_ci_high (geometric, nats).

    `runs` is the result of `frames.noise_frame`, with one row per run and amplitude. Its columns are activation,
    amplitude, test_accuracy and test_loss. `reference` is the label of the activation from which the others differ.
    None leaves out the panel of differences.
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
    draw_level(axes[0], GUESSING_PERCENT)
    figure.supxlabel(f"{X_LABELS['amplitude']}\ndotted: guessing")
    name_lines(figure, axes, style, robustness["activation"])
    return figure


def born_dead(born: pd.DataFrame, style: Style) -> Figure:
    """Draw the share of networks that are born dead over the width of their layers, with exact binomial intervals.

    In such a network a hidden layer has only dead units before training. `born` is made by `statistics.share_summary`,
    with one row per activation and width. Its columns are activation, width (units in each layer), share, ci_low,
    ci_high (in [0, 1]) and n (networks).
    """
    return _draw_shares(born.assign(mean=born["share"]), "width", X_LABELS["width"], "born dead", style)


def _draw_shares(rows: pd.DataFrame, x: str, label: str, share_name: str, style: Style, **options: Any) -> Figure:
    """Draw the shares of `rows` in percent along column `x` in one panel, and return the figure.

    `rows` and `options` are as in `line_panels.line_panel`, and `rows` has the column n. `label` is the text of the x
    axis, and `share_name` is the text of the y axis.
    """
    figure, (panel,) = panels([""], 2.5)
    line_panel(panel, rows, x, "percent", style, band=False, **options)
    panel.set(xlabel=label, ylabel=f"{share_name} ({seed_count_text(rows['n'])})")
    name_lines(figure, [panel], style, rows["activation"])
    return figure
