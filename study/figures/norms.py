"""Draw gradient norms and the states of units: by layer, over training, and both as a heat map.

Lines are means over seeds; bands are their 95% intervals. On a logarithmic axis an exact zero is an open marker in a
band labelled "exactly 0"; the line is the mean of the other seeds.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from study.figures.axes import LOG_SCALE, in_short, layer_ticks, log_axis, log_limits, percent_axis, step_axis
from study.figures.marks import (
    absent,
    below,
    layer_panel,
    legend,
    lines,
    norm_panel,
    say_if_empty,
    unique,
)
from study.figures.style import Style, grid, panels, styled

NORMS = {
    "weight_gradient": "weight gradient\n" r"$\|\partial\mathcal{L}/\partial W_l\|$",
    "example_weight_gradient": "per-example gradient\n" r"rms $\|\delta_l\|\,\|h_{l-1}\|$",
    "error": "error signal\n" r"rms $\|\delta_l\|$",
}
SIGNALS = {key: NORMS[key] for key in ("weight_gradient", "error")} | {"activation_rms": "forward signal\nrms $h_l$"}
UNIT_MEASURES = {"dead_units": "dead units", "saturation": "saturated entries", "sparsity": "entries exactly 0"}
LAYER_LABEL = "layer (1 is nearest the input)"
COLORMAP = "viridis"  # perceptually uniform, and monotonic in lightness for every eye
ALL_ZERO: dict[str, Any] = {"facecolor": "#DDDDDD", "edgecolor": "#8A8A8A", "hatch": "////", "linewidth": 0}
SOME_ZERO: dict[str, Any] = {"marker": "o", "linestyle": "", "markersize": 3, "color": "black", "mfc": "white"}


@styled
def gradient_norms_by_layer(gradient_norms: pd.DataFrame, style: Style, step: int = 0) -> Figure:
    """Draw the three norms of every layer before update `step` + 1; the default is at initialisation.

    `gradient_norms`: activation, depth (hidden layers), layer (1 = nearest the input, depth + 1 = "out"), step,
    measure, mean, ci_low, ci_high, n, n_zero. The mean and interval are geometric, over the n seeds above zero; n_zero
    counts the seeds at exactly 0. There is one row per activation, depth, layer and measure. Each depth has a row of
    panels.
    """
    rows = unique(gradient_norms[gradient_norms["step"] == step], ["activation", "depth", "layer", "measure"])
    depths = sorted(map(int, gradient_norms["depth"].unique())) or [1]
    figure, axes = panels(len(depths), NORMS.values(), 2.1, style, rows["activation"], absent(rows, NORMS))
    for line, depth in zip(axes, depths, strict=True):
        _by_layer(line, rows[rows["depth"] == depth], NORMS, depth, style)
        if len(depths) > 1:
            line[0].set_ylabel(f"{depth} hidden layer{'s' * (depth > 1)}")
    figure.supylabel(f"norm {LOG_SCALE}")
    figure.supxlabel(LAYER_LABEL)
    return figure


@styled
def norms_side_by_side(gradient_norms: pd.DataFrame, style: Style, step: int = 0) -> Figure:
    """Draw, by layer, the weight gradient, the error that it hides, and the forward signal.

    `gradient_norms` as in `gradient_norms_by_layer`, of one depth.
    """
    rows = gradient_norms[(gradient_norms["step"] == step) & gradient_norms["measure"].isin(list(SIGNALS))]
    rows = unique(rows, ["activation", "layer", "measure"])
    figure, axes = panels(1, SIGNALS.values(), 2.3, style, rows["activation"], absent(rows))
    _by_layer(axes[0], rows, SIGNALS, max(rows["depth"], default=1), style)
    figure.supylabel(f"norm {LOG_SCALE}")
    figure.supxlabel(LAYER_LABEL)
    return figure


@styled
def gradient_norms_over_training(
    gradient_norms: pd.DataFrame, style: Style, layers: Sequence[int] | None = None
) -> Figure:
    """Draw the three norms (columns) over the training steps in `layers` (rows; else the first, a middle, the last).

    `gradient_norms` as in `gradient_norms_by_layer`, of one depth. Step 0 is the initialisation. A column has one
    scale, so that its layers can be compared. A line ends with its first seed, where n + n_zero falls.
    """
    rows = gradient_norms[gradient_norms["measure"].isin(NORMS)]
    rows = _complete(rows, rows["n"] + rows["n_zero"])
    figure, axes, chosen = _layer_panels(rows, NORMS, layers, style)
    for column, measure in zip(axes.T, NORMS, strict=True):
        shown = rows[(rows["measure"] == measure) & rows["layer"].isin(chosen)]
        for panel, layer in zip(column, chosen, strict=True):
            part = shown[shown["layer"] == layer]
            norm_panel(panel, part, shown, "step", style)
            below(panel, part, "step", style)
    _finish_layers(figure, axes, chosen, rows)
    figure.supylabel(f"norm {LOG_SCALE}")
    return figure


@styled
def unit_measures(gradient_norms: pd.DataFrame, style: Style, layers: Sequence[int] | None = None) -> Figure:
    """Draw dead units, saturated entries and exact zeros (columns, percent) over the steps in hidden `layers` (rows).

    `gradient_norms`: activation, depth, layer, step, measure, mean, ci_low, ci_high (arithmetic, in [0, 1]), n (all
    seeds), n_zero; of one depth. A mean that is missing where n = 0 < n_zero is 0. A line ends with its first seed.
    """
    shares = gradient_norms["measure"].isin(UNIT_MEASURES) & (gradient_norms["layer"] <= gradient_norms["depth"])
    rows = _complete(gradient_norms[shares], gradient_norms.loc[shares, ["n", "n_zero"]].max(axis=1)).copy()
    rows["mean"] = rows["mean"].mask(rows["mean"].isna() & (rows["n_zero"] > 0), 0.0)
    rows[["mean", "ci_low", "ci_high"]] = 100 * rows[["mean", "ci_low", "ci_high"]].clip(0, 1)
    figure, axes, chosen = _layer_panels(rows, UNIT_MEASURES, layers, style)
    for column, measure in zip(axes.T, UNIT_MEASURES, strict=True):
        for panel, layer in zip(column, chosen, strict=True):
            part = rows[(rows["measure"] == measure) & (rows["layer"] == layer)]
            lines(panel, part, "step", style)
            say_if_empty(panel, part)
            percent_axis(panel)
            panel.set_yticks((0, 50, 100))
            panel.tick_params(labelleft=panel in axes[:, 0])
    _finish_layers(figure, axes, chosen, rows)
    return figure


@styled
def error_heat_map(gradient_norms: pd.DataFrame, style: Style) -> Figure:
    """Draw the error's norm in every layer (the output layer on top) at every logged training step, as a colour.

    `gradient_norms` as in `norms_side_by_side`; the measure "error" is drawn. A panel for each activation, all of one
    logarithmic colour scale; numbers say the first layer's norm at both ends. A cell is grey and hatched where every
    seed is at exactly 0, has a white dot where some are, and is blank where nothing was measured.
    """
    rows = unique(gradient_norms[gradient_norms["measure"] == "error"], ["activation", "layer", "step"])
    low, high = log_limits(rows.assign(ci_low=math.nan, ci_high=math.nan))
    scale = ScalarMappable(LogNorm(10**low, 10**high), COLORMAP)
    names, steps, depth = style.order(rows["activation"]), np.unique(rows["step"]), max(rows["depth"], default=1)
    figure, shown = grid([*map(style.label, names)], 2, 1.8, style)
    for panel, name in zip(shown, names, strict=True):
        part = rows[rows["activation"] == name]
        cells = part.set_index(["layer", "step"])[["mean", "n_zero"]].astype(float).unstack()  # noqa: PD010
        mean, n_zero = (cells[of].reindex(index=range(1, depth + 2), columns=steps) for of in ("mean", "n_zero"))
        _heat(panel, mean, n_zero, scale)
        say_if_empty(panel, part)
    bar = figure.colorbar(
        scale, ax=figure.axes, label=rf"error signal {LOG_SCALE}" "\n" r"rms $\|\delta_l\|$", aspect=30,
        extend="min" if (rows["mean"] < 10**low).any() else "neither",
    )  # fmt: skip
    log_axis(bar.ax.yaxis, 10**low, 10**high)
    without = rows["mean"].isna()[rows["n_zero"] > 0]
    every = {"every seed exactly 0": Rectangle((0, 0), 1, 1, **ALL_ZERO)} if without.any() else {}
    legend(figure, every | ({"some seeds exactly 0": Line2D([], [], **SOME_ZERO)} if not without.all() else {}))
    figure.supxlabel("training step (logged steps only)")
    figure.supylabel("layer")
    return figure


def _heat(panel: Axes, mean: pd.DataFrame, n_zero: pd.DataFrame, scale: ScalarMappable) -> None:
    """Draw norms (layers, steps) as colours, hatched where every seed is zero, dotted where some are."""
    limits = {"norm": scale.norm, "vmin": scale.norm.vmin, "vmax": scale.norm.vmax}
    bare: dict[str, Any] = {"cbar": False, "xticklabels": False, "yticklabels": False}
    sns.heatmap(mean, cmap=scale.cmap, **limits, **bare, ax=panel, linecolor="face", linewidths=0.2)
    steps, depth = mean.columns, len(mean) - 1
    is_zero, has_mean = n_zero.to_numpy() > 0, mean.notna().to_numpy()
    if (every := is_zero & ~has_mean).any():
        grey = ListedColormap([ALL_ZERO["facecolor"]])
        panel.pcolor(np.ma.masked_where(~every, np.ones(every.shape)), cmap=grey, hatch=ALL_ZERO["hatch"],
                     edgecolor=ALL_ZERO["edgecolor"], linewidth=0)  # fmt: skip
    layer, step = np.nonzero(is_zero & has_mean)
    panel.plot(step + 0.5, layer + 0.5, **SOME_ZERO, markeredgewidth=0.5)
    kept, layers = range(0, len(steps), math.ceil(len(steps) / 5)), layer_ticks(depth)
    panel.set_xticks([at + 0.5 for at in kept], [f"{steps[at]:g}" for at in kept], rotation=0)
    panel.set_yticks([at - 0.5 for at in layers], [*map(str, layers[:-1]), "out"], rotation=0)
    panel.set(xlabel="", ylabel="", ylim=(0, depth + 1))
    panel.grid(visible=False)
    for at, side in ((0, "left"), (len(steps) - 1, "right")):
        if not math.isnan(norm := mean.iloc[0, at]):
            over_colors = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1}
            panel.text(at + 0.25 + at / len(steps) / 2, 0.6, in_short(norm), ha=side, fontsize=8, bbox=over_colors)


def _by_layer(line: Any, rows: pd.DataFrame, measures: Mapping[str, str], depth: int, style: Style) -> None:
    for panel, measure in zip(line, measures, strict=True):
        part = rows[rows["measure"] == measure]
        layer_panel(panel, part, part, depth, style)


def _layer_panels(
    rows: pd.DataFrame, titles: Mapping[str, str], layers: Sequence[int] | None, style: Style
) -> tuple[Figure, Any, list[int]]:
    """Make panels of `layers` (rows) by measures (columns); return the figure, the axes and the layers."""
    unique(rows, ["activation", "layer", "step", "measure"])
    known = sorted(rows["layer"].unique()) or [1]
    chosen = list(layers or dict.fromkeys([known[0], known[(len(known) - 1) // 2], known[-1]]))
    figure, axes = panels(len(chosen), titles.values(), 1.45, style, rows["activation"], absent(rows, titles))
    for panel in axes.flat:
        step_axis(panel, max(rows["step"], default=1))
    return figure, axes, chosen


def _finish_layers(figure: Figure, axes: Any, chosen: list[int], rows: pd.DataFrame) -> None:
    """Name the layers of the rows of panels, and the steps once, at the bottom."""
    for line, layer in zip(axes, chosen, strict=True):
        line[0].set_ylabel("output layer" if layer in set(rows["depth"] + 1) else f"layer {layer}")
    for panel in axes[:-1].flat:
        panel.tick_params(labelbottom=False)
    figure.supxlabel(f"training step {LOG_SCALE}")


def _complete(rows: pd.DataFrame, counts: "pd.Series[int]") -> pd.DataFrame:
    """Keep the `rows` of steps that all seeds reached; `counts` holds the number of seeds of each row.

    A mean over fewer seeds would move only because the others stopped.
    """
    return rows[counts == counts.groupby([rows["activation"], rows["layer"], rows["measure"]]).transform("max")]
