"""Draw activation functions, how their slopes affect errors and accuracy, and mean-field theory beside measurements.

A wide grey line is theory, and measurements are drawn over it in the activation's colour. In axis labels, phi is an
activation function, phi' its derivative, and z the input of a unit.
"""

import math
import textwrap

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, PercentFormatter

from study.figures.axes import (
    GUESSING_PERCENT,
    LOG_SCALE,
    X_LABELS,
    draw_level,
    fixed_axis,
    log_axis,
    norm_axis,
    round_axis,
)
from study.figures.layers import COLORMAP
from study.figures.line_panels import line_panel, small_multiples
from study.figures.marks import THEORY_LOOK, check_unique, draw_lines, seed_count_text
from study.figures.naming import legend, name_lines, no_data_notes
from study.figures.style import FIGURE_WIDTH, GREY, Style, panels

Y_LIMITS = {"value": (-2.2, 6), "derivative": (-0.6, 2.2)}  # values beyond are not shown, by column
SMALL_Y_LIMITS = {"value": (-1, 3), "derivative": (-0.6, 1.6)}  # in the small panels of cause_and_effect
TIME_LABELS = {"initial": "before training", "end": "after training"}
NESTED_SIZES = (9, 5.5, 3)  # points; markers of up to three activations at the same place, one inside the other
SIZE_STEP = 4  # points; if there are more than three, each further marker is larger by this than the one inside it
# The labels of an axis of shares, by the exponent of ten.
SHARE_LABELS = {
    0: "all", -1: "a tenth", -2: "a hundredth", -3: "a thousandth", -6: "a millionth", -9: "a billionth",
    -12: "a trillionth",
}  # fmt: skip
LEARNERS_DEPTH = 20  # hidden layers; cause_and_effect shows no deeper network
LABELLED_DEPTHS = (1, 3, 5, 10, 20)  # on the axes of hidden layers in cause_and_effect


def activation_curves(curves: pd.DataFrame, style: Style) -> Figure:
    """Draw phi(z) and phi'(z) of each activation in two panels, with dotted lines at the slopes 1 and 0.25.

    `curves` is the result of `Ledger.curves`, with one row per point. Its columns are activation, x (the input z),
    value (phi) and derivative (phi'). Values outside Y_LIMITS are not shown.
    """
    figure, axes = panels([r"activation $\varphi(z)$", r"derivative $\varphi'(z)$"], 2.6)
    for panel, (column, limits) in zip(axes, Y_LIMITS.items(), strict=True):
        _draw_curve(panel, curves, column, limits, style)
    for slope in (1, 0.25):
        draw_level(axes[1], slope, f"slope {slope:g}")
    figure.supxlabel(X_LABELS["x"])
    name_lines(figure, axes, style, curves["activation"])
    return figure


def cause_and_effect(curves: pd.DataFrame, shares: pd.DataFrame, accuracy: pd.DataFrame, style: Style) -> Figure:
    """Draw three parts side by side: activations and their slopes, the error that reaches layer 1, and accuracy.

    The second and third part are over the depth. `curves` is as in `activation_curves`. `shares` is made by
    experiments/why_relu.py, with one row per activation and depth, and the columns activation, depth (hidden layers)
    and share_of_error. The share is the norm of the error signal at layer 1 over its norm at the last hidden layer,
    before training; 0 and NaN are not drawn. `accuracy` is a part of `trainability.success`, with one row per
    activation and depth. Its columns are activation, depth, mean, ci_low, ci_high (validation accuracy in [0, 1]) and n
    (seeds). Networks deeper than LEARNERS_DEPTH are left out.
    """
    figure = Figure(figsize=(FIGURE_WIDTH, 3.5), layout="constrained")
    axes = figure.subplot_mosaic([["value", "share", "accuracy"], ["derivative", "share", "accuracy"]])
    for column, limits in SMALL_Y_LIMITS.items():
        _draw_curve(axes[column], curves, column, limits, style)
        axes[column].set_xlim(-4, 4)
        for line in axes[column].lines:
            line.set_marker("None")
    axes["derivative"].set_yticks((0, 0.25, 0.5, 1))
    axes["value"].tick_params(labelbottom=False)
    axes["value"].set_title("1. the curve ...")
    axes["derivative"].set(title="... and its slope", xlabel=X_LABELS["x"])
    rows = shares[(shares["share_of_error"] > 0) & (shares["depth"] <= LEARNERS_DEPTH)]
    _draw_shares(
        axes["share"], rows.assign(mean=rows["share_of_error"], ci_low=np.nan, ci_high=np.nan, n_zero=0), style
    )
    shown = accuracy[accuracy["depth"] <= LEARNERS_DEPTH]
    line_panel(axes["accuracy"], shown, "depth", "percent", style, band=False)
    draw_level(axes["accuracy"], GUESSING_PERCENT)
    axes["accuracy"].text(1, GUESSING_PERCENT - 2, "guessing", va="top", color=GREY, fontsize=9)
    axes["share"].set_title(f"2. error that reaches\nlayer 1 {LOG_SCALE}")
    axes["accuracy"].set_title("3. accuracy after\none epoch of Adam")
    for panel in (axes["share"], axes["accuracy"]):
        panel.set(xscale="linear", xlabel="hidden layers", xlim=(0, LEARNERS_DEPTH + 1))
        fixed_axis(panel.xaxis, LABELLED_DEPTHS)
    legend(figure, {name: style.label(name) for name in style.order(curves["activation"])}, style)
    return figure


def errors_beside_theory(theory: pd.DataFrame, style: Style) -> Figure:
    """Draw the error signal's norm by layer, relative to the output layer's norm, as measured and as predicted.

    `theory` is a part of `trainability.beside_theory` with one row per activation and layer. Its columns are
    activation, depth, layer (1 is nearest the input, depth + 1 the output), predicted, measured, ci_low, ci_high
    (ratios), n (seeds above 0), n_zero (seeds at exactly 0). Each activation has a panel, and all panels share one
    logarithmic scale. Seeds at exactly 0 have a marker in the band of zeros; a predicted 0 is not drawn. Raise
    ValueError for two depths, or for two rows of the same activation and layer.
    """
    rows = check_unique(theory, ["activation", "layer"]).sort_values("layer")
    rows = rows.assign(mean=rows["measured"], predicted=rows["predicted"].where(rows["predicted"] > 0))
    names = {name: style.label(name) for name in style.order(rows["activation"])}
    figure, shown = small_multiples(
        rows, "layer", "log", style, ("activation", names), height=1.7, columns=2, shared="all", band=False
    )
    scale = pd.concat([rows, rows.assign(mean=rows["predicted"])])
    for (_, name), panel in shown.items():
        norm_axis(panel, scale)
        _draw_predictions(panel, rows[rows["activation"] == name])
        for line in panel.lines:
            if line.get_label() == name:
                line.set_linestyle("")
    figure.supxlabel(
        f"{X_LABELS['layer']}\nmarkers: measured ({seed_count_text(rows['n'] + rows['n_zero'])}); grey: theory"
    )
    figure.supylabel(r"$\|\delta_l\|$, relative to output" + f"\n{LOG_SCALE}")
    return figure


def similarity_by_layer(similarity: pd.DataFrame, style: Style) -> Figure:
    """Draw 1 minus the mean cosine of two images by layer: a column for each depth, a row for each value of `when`.

    The cosine is of the pre-activations of two images. `similarity` is the result of `trainability.similarity`, with
    one row per activation, depth, layer and `when`. Its columns are activation, depth, layer, when ("initial" or "end"
    of training), mean, ci_low, ci_high (cosines), n (seeds), predicted (a cosine; NaN is not drawn).

    Differences that float32, in which trained networks compute, cannot tell from 0 are in the band of zeros. Raise
    ValueError for two rows of the same activation, depth, layer and `when`.
    """
    rows = check_unique(similarity, ["activation", "depth", "layer", "when"])
    apart = 1 - rows[["mean", "ci_high", "ci_low", "predicted"]].astype(float)
    apart = apart.where(apart > 2 * np.finfo(np.float32).eps).set_axis(
        ["mean", "ci_low", "ci_high", "predicted"], axis=1
    )
    is_zero = rows["mean"].notna() & apart["mean"].isna()
    rows = rows.assign(**apart, n_zero=rows["n"].where(is_zero, 0), n=rows["n"].mask(is_zero, 0))
    depths = {depth: f"{depth} hidden layer{'s' * (depth > 1)}" for depth in sorted(set(rows["depth"]))}
    times = {when: TIME_LABELS.get(when, when) for when in dict.fromkeys(rows["when"])}
    figure, shown = small_multiples(
        rows, "layer", "log", style, ("depth", depths), ("when", times), height=2.0, shared="all"
    )
    for (when, depth), panel in shown.items():
        _draw_predictions(panel, rows[(rows["when"] == when) & (rows["depth"] == depth)])
    figure.supxlabel(f"{X_LABELS['layer']}\ngrey: theory")
    figure.supylabel(f"1 - mean cosine of two images {LOG_SCALE}")
    name_lines(figure, shown.values(), style, rows["activation"], no_data_notes(rows))
    return figure


def critical_lines(curves: pd.DataFrame, points: pd.DataFrame, style: Style) -> Figure:
    """Draw for each activation the line of initialisations where chi = 1, and its critical initialisation on this line.

    chi is the factor by which theory expects the squared error to change per layer. An initialisation is sigma_w, with
    sigma_w^2 = fan_in Var(W), and sigma_b, with sigma_b^2 = Var(b), for weights W and biases b.

    `curves` and `points` have the columns activation, sigma_w, sigma_b. A line joins its rows in order, and breaks at
    NaN. A line that is a single place is drawn as its point alone. `points` has at most one row per activation, else
    ValueError is raised. All points are on the panel, but lines may leave it. "Glorot" and "He" initialisation are
    marked too. Activations without a point are named below the panel.
    """
    names = style.order([*curves["activation"], *points["activation"]])
    points = check_unique(points.dropna(), ["activation"]).set_index("activation")[["sigma_w", "sigma_b"]]
    figure, (panel,) = panels([""], 3.2)
    for name in names:
        part, line = curves.loc[curves["activation"] == name, ["sigma_w", "sigma_b"]], style.line(name)
        if (part.dropna().max() - part.dropna().min() > 1e-3).any():
            panel.plot(*part.to_numpy(float).T, **line | {"marker": "None"}, label=name)
    same = points.round(3).groupby(["sigma_w", "sigma_b"])
    nested = {name: size for _, part in same for name, size in _nested_sizes(style.order(part.index)).items()}
    for name, size in nested.items():
        at, line = points.loc[name].to_numpy(float), style.line(name)
        panel.plot(*at[:, None], **line, markersize=size, markeredgecolor="white", zorder=4 - size / 30, label=name)
    for label, at in (("Glorot", 1.0), ("He", math.sqrt(2))):  # rings, so that what lies in them is seen
        panel.plot([at], [0], "o", color="black", markersize=15, markerfacecolor="none", zorder=4)
        panel.annotate(label, (at, 0), (0, -10), textcoords="offset points", ha="center", va="top", zorder=4)
    right, top = np.fmax(points.max().to_numpy(float), (2.2, 0.5))  # fmax ignores NaN, the maximum of no points
    log_axis(panel.xaxis, 0.85, 1.25 * right)
    panel.set(ylim=(-0.22 * top, 1.7 * top))
    round_axis(panel.yaxis, 6)
    none = ", ".join(style.label(name) for name in names if name not in points.index)
    note = textwrap.fill(f"no critical point: {none}", 80) if none else ""
    panel.set(xlabel=rf"$\sigma_w$ {LOG_SCALE}" + f"\n{note}" * bool(note), ylabel=r"$\sigma_b$")
    name_lines(figure, [panel], style, names)
    return figure


def _nested_sizes(names: list[str]) -> dict[str, float]:
    """Return the size in points of the marker of each of `names`, which are at the same place: the first is largest."""
    wider = [NESTED_SIZES[0] + SIZE_STEP * more for more in range(len(names) - len(NESTED_SIZES), 0, -1)]
    return dict(zip(names, [*wider, *NESTED_SIZES], strict=False))


def trainable_depth(grid: pd.DataFrame, xi_line: pd.DataFrame) -> Figure:
    """Draw the share of networks that train, by sigma_w and depth, and a line at six times the theory's depth scale xi.

    sigma_w^2 is the variance of a weight times its fan-in. `grid` is the result of `trainability.success`, with one row
    per cell: sigma_w, depth (hidden layers), share_trained (of the seeds, in [0, 1]; NaN is blank). `xi_line` has the
    columns sigma_w and xi, in layers. xi is infinite at criticality, where the line leaves the panel. Raise ValueError
    for two rows of the same cell.
    """
    cells = check_unique(grid, ["depth", "sigma_w"]).pivot_table("share_trained", "depth", "sigma_w", dropna=False)
    figure, (panel,) = panels([""], 3.2)
    bar = {"label": "seeds that train", "format": PercentFormatter(1)}
    sns.heatmap(cells, vmin=0, vmax=1, cmap=COLORMAP, cbar_kws=bar, ax=panel)
    line = xi_line.dropna().sort_values("sigma_w")
    depths, six_xi = np.log(cells.index.to_numpy(float)), np.log(6 * line["xi"].to_numpy(float))
    at = np.interp(line["sigma_w"], cells.columns, np.arange(len(cells.columns)) + 0.5)
    # A depth outside the grid lies off the panel.
    height = np.interp(six_xi, depths, np.arange(len(cells)) + 0.5, left=-1, right=len(cells) + 1)
    for color, width, dashes in (("white", 4, "-"), ("black", 1.8, (0, (3.5, 2)))):
        panel.plot(at, height, color=color, linewidth=width, linestyle=dashes)
    panel.set(ylim=(0, len(cells)), xlabel=r"$\sigma_w$; dashed: $6\,\xi$, theory", ylabel="hidden layers")
    panel.tick_params(rotation=0)
    return figure


def _draw_curve(panel: Axes, curves: pd.DataFrame, column: str, limits: tuple[float, float], style: Style) -> None:
    """Draw `column` of `curves` over x on `panel`; `curves` is as in `activation_curves`.

    The y axis holds 0 and 1, and the values of `column` that lie inside `limits`, (low, high).
    """
    draw_lines(panel, curves.assign(mean=curves[column], ci_low=np.nan, ci_high=np.nan), "x", style)
    low, high = min(0, max(limits[0], curves[column].min())), max(1, min(limits[1], curves[column].max()))
    panel.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    round_axis(panel.xaxis)
    round_axis(panel.yaxis)


def _draw_shares(panel: Axes, rows: pd.DataFrame, style: Style) -> None:
    """Draw the column `mean` of `rows` over the depth, on a logarithmic axis up to 1 whose ticks are words.

    `rows` is as in `line_panels.line_panel`.
    """
    line_panel(panel, rows, "depth", "log", style, scale=pd.concat([rows, rows.assign(mean=1.0)]), band=False)
    low, high = np.log10(panel.get_ylim())
    step = 1 if low > -3.5 else 3 if low > -16 else 6
    powers = [power for power in range(0, -300, -step) if low <= power <= high]
    panel.set_yticks(
        [10.0**power for power in powers], [SHARE_LABELS.get(power, f"$10^{{{power}}}$") for power in powers]
    )
    panel.yaxis.set_minor_locator(NullLocator())


def _draw_predictions(panel: Axes, rows: pd.DataFrame) -> None:
    """Draw the column `predicted` of `rows` over the layers as a wide grey line for each activation."""
    for _, part in rows.sort_values("layer").groupby("activation"):
        panel.plot(part["layer"], part["predicted"], **THEORY_LOOK)
