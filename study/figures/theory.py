"""Draw the activation functions, and what mean-field theory predicts beside what was measured.

Theory is black and dashed, whatever the activation.
"""

import math
import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from study.figures.axes import LOG_SCALE, fixed_axis, level, log_axis, round_axis
from study.figures.marks import THEORY, absent, layer_panel, legend, lines, seeds, unique
from study.figures.norms import COLORMAP, LAYER_LABEL
from study.figures.style import GREY, FloatArray, Style, grid, panels, styled

CUTS = {"value": (-2.2, 6), "derivative": (-0.6, 2.2)}  # what lies outside is not shown
TIMES = {"initial": "before training", "end": "after training"}
NESTED = (9, 5.5, 3)  # points; sizes of the markers of activations at one place


@styled
def activation_curves(curves: pd.DataFrame, style: Style) -> Figure:
    """Draw phi and phi' beside each other, with the slopes 1 and 0.25 marked.

    `curves`: activation, x, value, derivative; one row per point. What lies outside CUTS is not shown.
    """
    titles = [r"activation $\varphi(z)$", r"derivative $\varphi'(z)$"]
    figure, axes = panels(1, titles, 2.6, style, curves["activation"])
    for panel, (column, (least, most)) in zip(axes[0], CUTS.items(), strict=True):
        lines(panel, curves.assign(mean=curves[column], ci_low=np.nan, ci_high=np.nan), "x", style)
        low, high = min(0, max(least, curves[column].min())), max(1, min(most, curves[column].max()))
        panel.set(xlabel="$z$", ylim=(low - 0.06 * (high - low), high + 0.06 * (high - low)))
        round_axis(panel.xaxis, 6)
        round_axis(panel.yaxis, 6)
    for slope in (1, 0.25):
        level(axes[0, 1], slope)
        at = axes[0, 1].get_yaxis_transform()
        axes[0, 1].text(1.02, slope, f"slope {slope:g}", transform=at, va="center", color=GREY)
    return figure


@styled
def errors_beside_theory(theory: pd.DataFrame, style: Style, shared: bool = True) -> Figure:
    """Draw the error's norm by layer, relative to the output layer's, measured and predicted.

    `theory`: activation, layer (1 = nearest the input, the last is the output layer), predicted, measured, ci_low,
    ci_high (ratios, no unit), n (seeds); one row per activation and layer. A panel for each activation, all on one
    logarithmic scale if `shared`. A measured 0 is in the band of zeros; a predicted 0 is not drawn.
    """
    rows = unique(theory, ["activation", "layer"]).sort_values("layer")
    at_zero = rows["measured"] == 0
    rows = rows.assign(mean=rows["measured"].mask(at_zero), n_zero=rows["n"].where(at_zero, 0))
    rows = rows.assign(n=rows["n"].mask(at_zero, 0), predicted=rows["predicted"].where(rows["predicted"] > 0))
    scale = pd.concat([rows, rows.assign(mean=rows["predicted"])])
    names = style.order(rows["activation"])
    figure, shown = grid([*map(style.label, names)], 2, 1.6, style)
    for panel, name in zip(shown, names, strict=True):
        part = rows[rows["activation"] == name]
        of_panel = scale if shared else scale[scale["activation"] == name]
        panel.plot(part["layer"], part["predicted"], **THEORY, zorder=1.9)
        layer_panel(panel, part, of_panel, int(rows["layer"].max()) - 1, style)
        _markers_alone(panel)
        panel.tick_params(which="both", labelleft=not shared or panel in shown[::2])
    mean = Line2D([], [], color=GREY, marker="o", linestyle="", markeredgecolor="white")
    band = Rectangle((0, 0), 1, 1, color=GREY, alpha=0.25, linewidth=0)
    legend(figure, {f"measured ({seeds(theory['n'])})": (band, mean), "theory": Line2D([], [], **THEORY)})
    figure.supxlabel(LAYER_LABEL)
    figure.supylabel(r"$\|\delta_l\|$, relative to output" + f"\n{LOG_SCALE}")
    return figure


def _markers_alone(panel: Axes) -> None:
    """Show every measured point, without the line that would hide the theory."""
    for line in panel.lines:
        if line.get_marker() not in ("None", "v"):
            line.set(linestyle="", markevery=None, markersize=4, markeredgewidth=0.5)


@styled
def similarity_by_layer(similarity: pd.DataFrame, style: Style) -> Figure:
    """Draw 1 minus the mean cosine of two images by layer: a column for each depth, a row for each `when`.

    `similarity`: activation, depth, layer, when, mean, ci_low, ci_high (cosines), n, predicted (a cosine; NaN
    is not drawn); one row per activation, depth, layer and `when`. What float32, in which networks compute, cannot tell
    from 0 is in the band of zeros.
    """
    rows = unique(similarity, ["activation", "depth", "layer", "when"])
    apart = 1 - rows[["mean", "ci_high", "ci_low", "predicted"]].astype(float)
    apart = apart.where(apart > 2 * np.finfo(np.float32).eps).set_axis(
        ["mean", "ci_low", "ci_high", "predicted"], axis=1
    )
    is_zero = rows["mean"].notna() & apart["mean"].isna()
    rows = rows.assign(**apart, n_zero=rows["n"].where(is_zero, 0), n=rows["n"].mask(is_zero, 0))
    depths, times = sorted(map(int, rows["depth"].unique())) or [1], [*dict.fromkeys(rows["when"])] or [""]
    titles = [f"{depth} hidden layer{'s' * (depth > 1)}" for depth in depths]
    figure, axes = panels(len(times), titles, 1.9, style, rows["activation"], absent(rows))
    for line, when in zip(axes, times, strict=True):
        for panel, depth in zip(line, depths, strict=True):
            part = rows[(rows["when"] == when) & (rows["depth"] == depth)].sort_values("layer")
            for _, of_one in part.groupby("activation"):
                panel.plot(of_one["layer"], of_one["predicted"], **THEORY, zorder=1.9)
            layer_panel(panel, part, rows, depth, style)
        line[0].set_ylabel(TIMES.get(when, when))
    figure.supxlabel(LAYER_LABEL)
    figure.supylabel(f"1 - mean cosine of two images {LOG_SCALE}")
    return figure


@styled
def critical_lines(curves: pd.DataFrame, points: pd.DataFrame, style: Style) -> Figure:
    """Draw where chi = 1 at the fixed point, for each activation, and which point of it is the critical initialisation.

    `curves` and `points`: activation, sigma_w, sigma_b (no unit: sigma_w^2 = fan_in Var(W), sigma_b^2 = Var(b)). The
    curves in the order of their rows, with NaN where sigma_b^2 would be negative; at most one point per activation. A
    curve of a single place is drawn as its point alone. A curve may leave the panel; no point does.
    """
    names = style.order([*curves["activation"], *points["activation"]])
    points = unique(points.dropna(), ["activation"]).set_index("activation")[["sigma_w", "sigma_b"]]
    figure, axes = panels(1, [""], 3.2, style, names)
    panel = axes[0, 0]
    for name in names:
        part, line = curves.loc[curves["activation"] == name, ["sigma_w", "sigma_b"]], style.line(name)
        if (part.dropna().max() - part.dropna().min() > 1e-3).any():
            panel.plot(*part.to_numpy(float).T, color=line["color"], linestyle=line["linestyle"])
    same = points.round(3).groupby(["sigma_w", "sigma_b"])
    nested = {name: size for _, part in same for name, size in zip(style.order(part.index), NESTED, strict=False)}
    for name, size in nested.items():
        at, line = points.loc[name].to_numpy(float), style.line(name)
        panel.plot(*at[:, None], **line, markersize=size, markeredgecolor="white", zorder=4 - size / 10)
    for label, at in (("Glorot", 1.0), ("He", math.sqrt(2))):  # rings, so that what lies in them is seen
        panel.plot([at], [0], "o", color="black", markersize=15, markerfacecolor="none")
        panel.annotate(label, (at, 0), (0, -10), textcoords="offset points", ha="center", va="top")
    right, top = np.fmax(points.max().to_numpy(float), (2.2, 0.5))  # fmax: no point at all is NaN
    log_axis(panel.xaxis, 0.85, 1.25 * right, coarsest=2)
    panel.set(ylim=(-0.22 * top, 1.7 * top))
    round_axis(panel.yaxis, 6)
    none = ", ".join(style.label(name) for name in names if name not in points.index)
    note = textwrap.fill(f"no critical point: {none}", 80) if none else ""
    panel.set(xlabel=rf"$\sigma_w$ {LOG_SCALE}" + f"\n{note}" * bool(note), ylabel=r"$\sigma_b$")
    return figure


@styled
def trainable_depth(grid: pd.DataFrame, xi_line: pd.DataFrame) -> Figure:
    """Draw the share of networks that train, over sigma_w and depth, under six times the theory's depth scale.

    `grid`: sigma_w, depth (hidden layers), share_trained (of the seeds, in [0, 1]; NaN is blank); a row per cell.
    `xi_line`: sigma_w, xi (in layers; infinite at criticality, where the line leaves the panel).
    """
    cells = unique(grid, ["depth", "sigma_w"]).pivot_table("share_trained", "depth", "sigma_w", dropna=False)
    figure, axes = panels(1, [""], 3.2, Style({}, {}), [])
    panel = axes[0, 0]
    depth, sigma_w = 10 ** _edges(np.log10(cells.index.to_numpy(float))), _edges(cells.columns.to_numpy(float))
    shares = np.ma.masked_invalid(cells.to_numpy(float))
    image = panel.pcolormesh(sigma_w, depth, shares, cmap=COLORMAP, vmin=0, vmax=1, edgecolors="face", linewidth=0.2)
    line = xi_line.dropna().sort_values("sigma_w")
    xi = np.clip(6 * line["xi"].to_numpy(float), 1e-9, 1e9)  # off the panel, and yet on the line
    panel.plot(line["sigma_w"], xi, color="white", linewidth=4)
    (drawn,) = panel.plot(line["sigma_w"], xi, **THEORY | {"linewidth": 1.8})
    panel.set(yscale="log", xlim=sigma_w[[0, -1]], ylim=depth[[0, -1]], xlabel=r"$\sigma_w$")
    panel.set_ylabel(f"hidden layers {LOG_SCALE}")
    fixed_axis(panel.yaxis, cells.index)  # only what was run
    fixed_axis(panel.xaxis, cells.columns)
    panel.grid(visible=False)
    figure.colorbar(image, ax=panel, label="seeds that train", format=PercentFormatter(1))
    legend(figure, {r"$6\,\xi$, theory": drawn})
    return figure


def _edges(centres: FloatArray) -> FloatArray:
    """Return the (n + 1,) edges half-way between the ascending `centres` (n,) of cells."""
    half = np.diff(centres) / 2 if len(centres) > 1 else np.array([0.5])
    return np.concatenate([centres[:1] - half[0], (centres[1:] + centres[:-1]) / 2, centres[-1:] + half[-1]])
