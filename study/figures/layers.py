"""Draw norms and the states of units by layer, over training, and both as a heat map.

Lines are means over seeds, and bands are their 95% intervals. On a logarithmic axis an exact zero is an open marker in
a band labelled "exactly 0"; the line is the mean of the other seeds.

In titles, L is the loss and rms a root mean square. Layer l has the weights W_l, the activations h_l, and the error
signal delta_l, the gradient of one example's loss with respect to the layer's pre-activations. The measures are defined
in study/engine/measures.py.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure

from study.figures.axes import LOG_SCALE, layer_ticks, log_axis, log_limits, scientific
from study.figures.line_panels import small_multiples
from study.figures.marks import check_unique, say_if_empty
from study.figures.naming import name_lines, no_data_notes
from study.figures.style import Style, panels

# The title of each measure's panels, by its name in study/engine/measures.py.
NORMS = {
    "weight_gradient": "weight gradient\n" r"$\|\partial\mathcal{L}/\partial W_l\|$",
    "example_weight_gradient": "per-example gradient\n" r"rms $\|\delta_l\|\,\|h_{l-1}\|$",
    "error": "error signal\n" r"rms $\|\delta_l\|$",
}
SIGNALS = {key: NORMS[key] for key in ("weight_gradient", "error")} | {"activation_rms": "forward signal\nrms $h_l$"}
UNIT_MEASURES = {"dead_units": "dead units", "saturation": "saturated entries", "sparsity": "entries exactly 0"}
COLORMAP = "viridis"  # perceptually uniform, and monotonic in lightness for every eye
ALL_ZERO_LOOK: dict[str, Any] = {"facecolor": "#DDDDDD", "edgecolor": "#8A8A8A", "hatch": "////"}  # of a cell
NUMBERED_LAYERS, NUMBERED_STEPS = 5, 3  # layers and steps whose norms are written in a heat map


def gradient_norms_by_layer(gradient_norms: pd.DataFrame, style: Style) -> Figure:
    """Draw the three NORMS by layer at initialisation (step 0): a panel for each norm, a line for each activation.

    `gradient_norms` is a part of the table of `summaries.gradient_norms`, with one row per activation, layer, step and
    measure. Its columns are activation, depth (hidden layers), layer, step, measure, mean, ci_low, ci_high, n, n_zero.
    Layer 1 is nearest the input, and layer depth + 1 is the output. The mean and interval of a norm are geometric, over
    the n seeds above 0. `n_zero` counts the seeds at exactly 0. Raise ValueError for two depths, or for two rows of the
    same activation, layer and measure.
    """
    return _draw_by_layer(gradient_norms, NORMS, style)


def norms_side_by_side(gradient_norms: pd.DataFrame, style: Style) -> Figure:
    """Draw the norms SIGNALS by layer at initialisation: of the weight gradient, error signal and forward signal.

    `gradient_norms`, the panels and the errors raised are as in `gradient_norms_by_layer`.
    """
    return _draw_by_layer(gradient_norms, SIGNALS, style)


def gradient_norms_over_training(gradient_norms: pd.DataFrame, style: Style) -> Figure:
    """Draw the three NORMS (columns) over the training steps in the first, a middle and the output layer (rows).

    `gradient_norms` is as in `gradient_norms_by_layer`. Step 0 is the initialisation. All panels of a column have the
    same scale, so that layers can be compared. A line ends where its first seed stops, that is, where n + n_zero falls.
    Raise ValueError for two depths, or for two rows of the same activation, layer, step and measure.
    """
    rows = gradient_norms[gradient_norms["measure"].isin(NORMS)]
    figure = _draw_over_training(_reached_by_all_seeds(rows, rows["n"] + rows["n_zero"]), NORMS, "log", style)
    figure.supylabel(f"norm {LOG_SCALE}")
    return figure


def unit_measures(gradient_norms: pd.DataFrame, style: Style) -> Figure:
    """Draw dead units, saturated entries and exact zeros (columns, percent) over the steps, in three hidden layers.

    `gradient_norms` is as in `gradient_norms_by_layer`, but the rows of UNIT_MEASURES are used. Their means are
    arithmetic, in [0, 1], and `n` counts all seeds. A missing mean counts as 0 where n_zero is above 0. A line ends
    where its first seed stops. Raise ValueError for two depths, or for two rows of the same activation, layer, step and
    measure.
    """
    shares = gradient_norms["measure"].isin(UNIT_MEASURES) & (gradient_norms["layer"] <= gradient_norms["depth"])
    rows = _reached_by_all_seeds(gradient_norms[shares], gradient_norms.loc[shares, ["n", "n_zero"]].max(axis=1))
    rows = rows.assign(mean=rows["mean"].mask(rows["mean"].isna() & (rows["n_zero"] > 0), 0.0))
    return _draw_over_training(rows, UNIT_MEASURES, "percent", style)


def error_heat_map(gradient_norms: pd.DataFrame, style: Style, digits: int = 1) -> Figure:
    """Draw the error signal's norm as a colour, by layer (rows, output on top) and logged training step (columns).

    `gradient_norms` is as in `gradient_norms_by_layer`; only the measure "error" is used. Each activation has a panel,
    and all panels share one logarithmic colour scale. Some norms are also written as numbers, with these `digits`. A
    cell is grey and hatched where every seed is at exactly 0. A cell has a white dot where only some seeds are at 0,
    and is blank where nothing was measured. Raise ValueError for two depths, or for two rows of the same activation,
    layer and step.
    """
    rows = check_unique(gradient_norms[gradient_norms["measure"] == "error"], ["activation", "layer", "step"])
    low, high = log_limits(rows.assign(ci_low=math.nan, ci_high=math.nan))
    scale = ScalarMappable(LogNorm(10**low, 10**high), COLORMAP)
    names, steps, depth = style.order(rows["activation"]), np.unique(rows["step"]), max(rows["depth"], default=1)
    figure, shown = panels(map(style.label, names), 1.9, 2)
    for panel, name in zip(shown, names, strict=True):
        part = rows[rows["activation"] == name]
        cells = part.set_index(["layer", "step"])[["mean", "n_zero"]].astype(float).unstack()  # noqa: PD010
        mean, n_zero = (cells[of].reindex(index=range(1, depth + 2), columns=steps) for of in ("mean", "n_zero"))
        _draw_heat_map(panel, mean, n_zero, scale, digits)
        say_if_empty(panel, part)
    bar = figure.colorbar(
        scale, ax=figure.axes, label=rf"error signal {LOG_SCALE}" "\n" r"rms $\|\delta_l\|$", aspect=30,
        extend="min" if (rows["mean"] < 10**low).any() else "neither",
    )  # fmt: skip
    log_axis(bar.ax.yaxis, 10**low, 10**high)
    has_zero = rows["n_zero"] > 0
    without = rows["mean"].isna()[has_zero]
    said = "hatched: every seed exactly 0" * bool(without.any()), "dots: some seeds exactly 0" * (not without.all())
    figure.supxlabel("training step (logged steps only)" + "\n" * any(said) + "; ".join(filter(None, said)))
    figure.supylabel("layer")
    return figure


def _draw_heat_map(panel: Axes, mean: pd.DataFrame, n_zero: pd.DataFrame, scale: ScalarMappable, digits: int) -> None:
    """Draw one activation's norms `mean` as colours of `scale` on `panel`, and mark the cells with seeds at exactly 0.

    `mean` and `n_zero` have a row for each layer, from 1, and a column for each step. `n_zero` counts the seeds at
    exactly 0. Where it is above 0, cells without a mean are hatched, and other cells have a dot.
    """
    steps, depth = mean.columns, len(mean) - 1
    bare: dict[str, Any] = {"cbar": False, "xticklabels": False, "yticklabels": False, "ax": panel}
    numbers = pd.DataFrame("", mean.index, mean.columns)
    for layer in mean.index[np.linspace(0, depth, NUMBERED_LAYERS).astype(int)]:
        for step in steps[np.linspace(0, len(steps) - 1, 2 * NUMBERED_STEPS + 1).astype(int)[1::2]]:
            numbers.loc[layer, step] = "" if math.isnan(norm := mean.loc[layer, step]) else scientific(norm, digits)
    limits = {"norm": scale.norm, "vmin": scale.norm.vmin, "vmax": scale.norm.vmax}
    shown: dict[str, Any] = {"annot": numbers, "fmt": "", "annot_kws": {"fontsize": 8}, "linecolor": "face"}
    sns.heatmap(mean, cmap=scale.cmap, **limits, **shown, **bare, linewidths=0.2)
    for text in panel.texts:  # move each number wholly onto the panel
        text.set_y(float(np.clip(text.get_position()[1], 0.04 * len(mean), 0.96 * len(mean))))
    is_zero, has_mean = n_zero.to_numpy() > 0, mean.notna().to_numpy()
    if (every := is_zero & ~has_mean).any():
        grey, cells = ListedColormap([ALL_ZERO_LOOK["facecolor"]]), np.ma.masked_where(~every, np.ones(every.shape))
        panel.pcolor(cells, cmap=grey, hatch=ALL_ZERO_LOOK["hatch"], edgecolor=ALL_ZERO_LOOK["edgecolor"], linewidth=0)
    layer, step = np.nonzero(is_zero & has_mean)
    panel.plot(step + 0.5, layer + 0.5, "o", markersize=3, color="black", mfc="white", markeredgewidth=0.5)
    kept, layers = range(0, len(steps), math.ceil(len(steps) / 5)), layer_ticks(depth)
    panel.set_xticks([at + 0.5 for at in kept], [f"{steps[at]:g}" for at in kept], rotation=0)
    panel.set_yticks([at - 0.5 for at in layers], [*map(str, layers[:-1]), "out"], rotation=0)
    panel.set(xlabel="", ylabel="", ylim=(0, depth + 1))
    panel.grid(visible=False)


def _draw_by_layer(rows: pd.DataFrame, measures: Mapping[str, str], style: Style) -> Figure:
    """Draw a panel for each of `measures` over the layers at step 0, and return the figure.

    `rows` and the errors raised are as for `gradient_norms` in `gradient_norms_by_layer`. `measures` maps the names of
    measures to titles.
    """
    rows = rows[(rows["step"] == 0) & rows["measure"].isin(list(measures))]
    rows = check_unique(rows, ["activation", "layer", "measure"])
    figure, shown = small_multiples(rows, "layer", "log", style, ("measure", measures), height=2.4)
    figure.supylabel(f"norm {LOG_SCALE}")
    name_lines(figure, shown.values(), style, rows["activation"], no_data_notes(rows))
    return figure


def _draw_over_training(rows: pd.DataFrame, measures: Mapping[str, str], kind: str, style: Style) -> Figure:
    """Draw measures over the steps in the first, a middle and the last layer of `rows`, and return the figure.

    `measures` maps names of measures to titles: each measure has a column of panels, and each layer a row. `rows` is as
    `gradient_norms` in `gradient_norms_by_layer`. `kind` is the kind of the y axes, as in `line_panels.line_panel`.
    Raise ValueError for two depths, or for two rows of the same activation, layer, step and measure.
    """
    check_unique(rows, ["activation", "layer", "step", "measure"])
    known, output = sorted(rows["layer"].unique()) or [1], set(rows["depth"] + 1)
    chosen = dict.fromkeys([known[0], known[(len(known) - 1) // 2], known[-1]])
    layers = {layer: "output layer" if layer in output else f"layer {layer}" for layer in chosen}
    shown_rows = rows[rows["layer"].isin(list(layers))]
    figure, shown = small_multiples(
        shown_rows, "step", kind, style, ("measure", measures), ("layer", layers), height=1.5, shared="column"
    )
    if kind == "percent":
        for panel in shown.values():
            panel.set_yticks((0, 50, 100))
    name_lines(figure, shown.values(), style, rows["activation"], no_data_notes(rows))
    return figure


def _reached_by_all_seeds(rows: pd.DataFrame, counts: "pd.Series[int]") -> pd.DataFrame:
    """Return the `rows` of steps that all seeds of the activation reached.

    `counts` (n,) holds the number of seeds of each row. A mean over fewer seeds would jump where the others stopped.
    """
    return rows[counts == counts.groupby([rows["activation"], rows["layer"], rows["measure"]]).transform("max")]
