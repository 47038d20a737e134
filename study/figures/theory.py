"""Draw the activation functions, the effects of their slopes, and mean-field theory beside measurements.

A wide grey line is theory, and measurements are drawn over it in the activation's colour.
"""

import math
import textwrap

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, PercentFormatter

from study.figures.axes import GUESSING, LOG_SCALE, X_LABELS, fixed_axis, level, log_axis, norm_axis, round_axis
from study.figures.layers import COLORMAP
from study.figures.marks import THEORY, absent, line_panel, lines, multiples, seeds, unique
from study.figures.naming import name_lines
from study.figures.style import FIGURE_WIDTH, GREY, Style, panels

CUTS = {"value": (-2.2, 6), "derivative": (-0.6, 2.2)}  # what lies outside is not shown
NARROW_CUTS = {"value": (-1, 3), "derivative": (-0.6, 1.6)}
TIMES = {"initial": "before training", "end": "after training"}
NESTED = (9, 5.5, 3)  # points; sizes of the markers of activations at one place
WORDS = {0: "all", -1: "a tenth", -2: "a hundredth", -3: "a thousandth", -6: "a millionth", -9: "a billionth",
         -12: "a trillionth"}  # fmt: skip
LEARNERS_DEPTH = 20  # hidden layers; deeper networks are left to the figure of depths
DEPTHS = (1, 3, 5, 10, 20)  # named on an axis of hidden layers


def activation_curves(curves: pd.DataFrame, style: Style) -> Figure:
    """Draw phi and phi' beside each other, with the slopes 1 and 0.25 marked.

    `curves`: activation, x, value, derivative; one row per point. What lies outside CUTS is not shown.
    """
    figure, axes = panels([r"activation $\varphi(z)$", r"derivative $\varphi'(z)$"], 2.6)
    for panel, (column, cut) in zip(axes, CUTS.items(), strict=True):
        _curve(panel, curves, column, cut, style)
    for slope in (1, 0.25):
        level(axes[1], slope, f"slope {slope:g}")
    figure.supxlabel(X_LABELS["x"])
    name_lines(figure, axes, style, curves["activation"])
    return figure


def cause_and_effect(curves: pd.DataFrame, shares: pd.DataFrame, accuracy: pd.DataFrame, style: Style) -> Figure:
    """Draw the curves and slopes, the share of the error that reaches layer 1, and the accuracy, both over the depth.

    `curves`: activation, x, value, derivative. `shares`: activation, depth (hidden layers), share_of_error (no unit; 0
    and NaN are not drawn). `accuracy`: activation, depth, mean, ci_low, ci_high (in [0, 1]), n (seeds). Leave out
    networks deeper than LEARNERS_DEPTH.
    """
    figure = Figure(figsize=(FIGURE_WIDTH, 3.5), layout="constrained")
    axes = figure.subplot_mosaic([["value", "share", "accuracy"], ["derivative", "share", "accuracy"]])
    for column, cut in NARROW_CUTS.items():
        _curve(axes[column], curves, column, cut, style)
        axes[column].set_xlim(-4, 4)
        for line in axes[column].lines:
            line.set_marker("None")
    axes["derivative"].set_yticks((0, 0.25, 0.5, 1))
    axes["value"].tick_params(labelbottom=False)
    axes["value"].set_title("1. the curve ...")
    axes["derivative"].set(title="... and its slope", xlabel=X_LABELS["x"])
    rows = shares[(shares["share_of_error"] > 0) & (shares["depth"] <= LEARNERS_DEPTH)]
    _shares(axes["share"], rows.assign(mean=rows["share_of_error"], ci_low=np.nan, ci_high=np.nan, n_zero=0), style)
    shown = accuracy[accuracy["depth"] <= LEARNERS_DEPTH]
    line_panel(axes["accuracy"], shown, "depth", "percent", style, band=False)
    level(axes["accuracy"], GUESSING)
    axes["accuracy"].text(1, GUESSING - 2, "guessing", va="top", color=GREY, fontsize=9)
    axes["share"].set_title(f"2. $\\to$ error that reaches\nlayer 1 {LOG_SCALE}")
    axes["accuracy"].set_title("3. $\\to$ accuracy\n")
    for panel in (axes["share"], axes["accuracy"]):
        panel.set(xscale="linear", xlabel="hidden layers", xlim=(0, LEARNERS_DEPTH + 1))
        fixed_axis(panel.xaxis, DEPTHS)
    name_lines(figure, [axes["share"], axes["accuracy"]], style, curves["activation"])
    return figure


def errors_beside_theory(theory: pd.DataFrame, style: Style) -> Figure:
    """Draw the error's norm by layer, relative to the output layer's, measured and predicted.

    `theory`: activation, depth, layer (1 = nearest the input, depth + 1 = output), predicted, measured, ci_low, ci_high
    (ratios, no unit), n (seeds); one row per activation and layer. Each activation has a panel, all on one logarithmic
    scale. A measured 0 is in the band of zeros; a predicted 0 is not drawn.
    """
    rows = unique(theory, ["activation", "layer"]).sort_values("layer")
    at_zero = rows["measured"] == 0
    rows = rows.assign(mean=rows["measured"].mask(at_zero), n_zero=rows["n"].where(at_zero, 0))
    rows = rows.assign(n=rows["n"].mask(at_zero, 0), predicted=rows["predicted"].where(rows["predicted"] > 0))
    names = {name: style.label(name) for name in style.order(rows["activation"])}
    figure, shown = multiples(
        rows, "layer", "log", style, ("activation", names), height=1.7, columns=2, shared="all", band=False
    )
    scale = pd.concat([rows, rows.assign(mean=rows["predicted"])])
    for (_, name), panel in shown.items():
        norm_axis(panel, scale)
        _predicted(panel, rows[rows["activation"] == name])
        for line in panel.lines:
            if line.get_label() == name:
                line.set_linestyle("")
    figure.supxlabel(f"{X_LABELS['layer']}\nmarkers: measured ({seeds(theory['n'])}); grey: theory")
    figure.supylabel(r"$\|\delta_l\|$, relative to output" + f"\n{LOG_SCALE}")
    return figure


def similarity_by_layer(similarity: pd.DataFrame, style: Style) -> Figure:
    """Draw 1 minus the mean cosine of two images by layer: a column for each depth, a row for each `when`.

    `similarity`: activation, depth, layer, when ("initial" or "end" of training), mean, ci_low, ci_high (cosines), n,
    predicted (a cosine; NaN is not drawn); one row per activation, depth, layer and `when`. Differences that float32,
    in which networks compute, cannot tell from 0 are in the band of zeros.
    """
    rows = unique(similarity, ["activation", "depth", "layer", "when"])
    apart = 1 - rows[["mean", "ci_high", "ci_low", "predicted"]].astype(float)
    apart = apart.where(apart > 2 * np.finfo(np.float32).eps).set_axis(
        ["mean", "ci_low", "ci_high", "predicted"], axis=1
    )
    is_zero = rows["mean"].notna() & apart["mean"].isna()
    rows = rows.assign(**apart, n_zero=rows["n"].where(is_zero, 0), n=rows["n"].mask(is_zero, 0))
    depths = {depth: f"{depth} hidden layer{'s' * (depth > 1)}" for depth in sorted(set(rows["depth"]))}
    times = {when: TIMES.get(when, when) for when in dict.fromkeys(rows["when"])}
    figure, shown = multiples(rows, "layer", "log", style, ("depth", depths), ("when", times), height=2.0, shared="all")
    for (when, depth), panel in shown.items():
        _predicted(panel, rows[(rows["when"] == when) & (rows["depth"] == depth)])
    figure.supxlabel(f"{X_LABELS['layer']}\ngrey: theory")
    figure.supylabel(f"1 - mean cosine of two images {LOG_SCALE}")
    name_lines(figure, shown.values(), style, rows["activation"], absent(rows))
    return figure


def critical_lines(curves: pd.DataFrame, points: pd.DataFrame, style: Style) -> Figure:
    """Draw the line where chi = 1 for each activation, and the point on it that is the critical initialisation.

    `curves` and `points`: activation, sigma_w, sigma_b (no unit: sigma_w^2 = fan_in Var(W), sigma_b^2 = Var(b)). A
    curve goes through its rows in order; sigma_b is NaN where its square would be negative. `points` has at most one
    row per activation. A curve of a single place is drawn as its point alone. All points are on the panel, but curves
    may leave it. "Glorot" and "He" are marked too.
    """
    names = style.order([*curves["activation"], *points["activation"]])
    points = unique(points.dropna(), ["activation"]).set_index("activation")[["sigma_w", "sigma_b"]]
    figure, (panel,) = panels([""], 3.2)
    for name in names:
        part, line = curves.loc[curves["activation"] == name, ["sigma_w", "sigma_b"]], style.line(name)
        if (part.dropna().max() - part.dropna().min() > 1e-3).any():
            panel.plot(*part.to_numpy(float).T, **line | {"marker": "None"}, label=name)
    same = points.round(3).groupby(["sigma_w", "sigma_b"])
    nested = {name: size for _, part in same for name, size in zip(style.order(part.index), NESTED, strict=False)}
    for name, size in nested.items():
        at, line = points.loc[name].to_numpy(float), style.line(name)
        panel.plot(*at[:, None], **line, markersize=size, markeredgecolor="white", zorder=4 - size / 10, label=name)
    for label, at in (("Glorot", 1.0), ("He", math.sqrt(2))):  # rings, so that what lies in them is seen
        panel.plot([at], [0], "o", color="black", markersize=15, markerfacecolor="none")
        panel.annotate(label, (at, 0), (0, -10), textcoords="offset points", ha="center", va="top")
    right, top = np.fmax(points.max().to_numpy(float), (2.2, 0.5))  # fmax: no point at all is NaN
    log_axis(panel.xaxis, 0.85, 1.25 * right)
    panel.set(ylim=(-0.22 * top, 1.7 * top))
    round_axis(panel.yaxis, 6)
    none = ", ".join(style.label(name) for name in names if name not in points.index)
    note = textwrap.fill(f"no critical point: {none}", 80) if none else ""
    panel.set(xlabel=rf"$\sigma_w$ {LOG_SCALE}" + f"\n{note}" * bool(note), ylabel=r"$\sigma_b$")
    name_lines(figure, [panel], style, names)
    return figure


def trainable_depth(grid: pd.DataFrame, xi_line: pd.DataFrame) -> Figure:
    """Draw the share of networks that train, by sigma_w and depth, and a line at six times the theory's depth scale.

    `grid`: sigma_w, depth (hidden layers), share_trained (of the seeds, in [0, 1]; NaN is blank); one row per cell.
    `xi_line`: sigma_w, xi (the depth scale in layers; infinite at criticality, where the line leaves the panel).
    """
    cells = unique(grid, ["depth", "sigma_w"]).pivot_table("share_trained", "depth", "sigma_w", dropna=False)
    figure, (panel,) = panels([""], 3.2)
    bar = {"label": "seeds that train", "format": PercentFormatter(1)}
    sns.heatmap(cells, vmin=0, vmax=1, cmap=COLORMAP, cbar_kws=bar, ax=panel)
    line = xi_line.dropna().sort_values("sigma_w")
    depths, six_xi = np.log(cells.index.to_numpy(float)), np.log(6 * line["xi"].to_numpy(float))
    at = np.interp(line["sigma_w"], cells.columns, np.arange(len(cells.columns)) + 0.5)
    height = np.interp(six_xi, depths, np.arange(len(cells)) + 0.5, left=-1, right=len(cells) + 1)  # or off the panel
    for color, width, dashes in (("white", 4, "-"), ("black", 1.8, (0, (3.5, 2)))):
        panel.plot(at, height, color=color, linewidth=width, linestyle=dashes)
    panel.set(ylim=(0, len(cells)), xlabel=r"$\sigma_w$; dashed: $6\,\xi$, theory", ylabel="hidden layers")
    panel.tick_params(rotation=0)
    return figure


def _curve(panel: Axes, curves: pd.DataFrame, column: str, cut: tuple[float, float], style: Style) -> None:
    """Draw `column` of `curves` over x. The panel holds 0 and 1, and nothing outside `cut`, (low, high)."""
    lines(panel, curves.assign(mean=curves[column], ci_low=np.nan, ci_high=np.nan), "x", style)
    low, high = min(0, max(cut[0], curves[column].min())), max(1, min(cut[1], curves[column].max()))
    panel.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    round_axis(panel.xaxis)
    round_axis(panel.yaxis)


def _shares(panel: Axes, rows: pd.DataFrame, style: Style) -> None:
    """Draw the `mean` of `rows` over the depth on a logarithmic axis up to 1, whose ticks are words."""
    line_panel(panel, rows, "depth", "log", style, scale=pd.concat([rows, rows.assign(mean=1.0)]), band=False)
    low, high = np.log10(panel.get_ylim())
    step = 1 if low > -3.5 else 3 if low > -16 else 6
    powers = [power for power in range(0, -300, -step) if low <= power <= high]
    panel.set_yticks([10.0**power for power in powers], [WORDS.get(power, f"$10^{{{power}}}$") for power in powers])
    panel.yaxis.set_minor_locator(NullLocator())


def _predicted(panel: Axes, rows: pd.DataFrame) -> None:
    """Draw the column `predicted` over the layers, a grey line for each activation."""
    for _, part in rows.sort_values("layer").groupby("activation"):
        panel.plot(part["layer"], part["predicted"], **THEORY)
