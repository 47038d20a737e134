"""DataFrame -> Figure for critical initialisations: where they lie, and how deep a network they train.

As `study.figures.depth`: theory is black and dashed where it stands beside measurement.
"""

import math
import textwrap

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter

from study.figures.depth import COLORMAP, THEORY, legend, matrix, unique
from study.figures.style import FloatArray, Style, panels, styled


@styled
def critical_lines(curves: pd.DataFrame, points: pd.DataFrame, style: Style) -> Figure:
    """Where chi = 1 at the fixed point, per activation, and which point of it is the critical initialisation.

    `curves` and `points`: activation, sigma_w, sigma_b (no unit: sigma_w^2 = fan_in Var(W), sigma_b^2 = Var(b)). The
    curves in the order of their rows, with NaN where sigma_b^2 would be negative; at most one point an activation. A
    curve of a single place is drawn as its point alone. A curve may leave the panel, no point does.
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
    nested = {name: size for _, part in same for name, size in zip(style.order(part.index), (9, 5.5, 3), strict=False)}
    for name, size in nested.items():
        at, line = points.loc[name].to_numpy(float), style.line(name)
        panel.plot(*at[:, None], **line, markersize=size, markeredgecolor="white", zorder=4 - size / 10)
    for label, at in (("Glorot", 1.0), ("He", math.sqrt(2))):  # rings, so that what lies in them is seen
        panel.plot([at], [0], "o", color="black", markersize=15, markerfacecolor="none")
        panel.annotate(label, (at, 0), (0, -10), textcoords="offset points", ha="center", va="top")
    right, top = np.fmax(points.max().to_numpy(float), (2.2, 0.5))  # fmax: no point at all is NaN
    panel.set(xscale="log", xlim=(0.85, 1.25 * right), ylim=(-0.22 * top, 1.7 * top))
    ticks = [tick for tick in (1, 1.5, 2, 3, 5, 7, 10, 15, 20, 50, 100) if tick < 1.25 * right]
    panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.xaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_locator(MaxNLocator(6))
    none = ", ".join(style.label(name) for name in names if name not in points.index)
    note = textwrap.fill(f"no critical point: {none}", 80) if none else ""
    panel.set(xlabel=r"$\sigma_w$ (logarithmic)" + f"\n{note}" * bool(note), ylabel=r"$\sigma_b$")
    return figure


@styled
def trainable_depth(grid: pd.DataFrame, xi_line: pd.DataFrame) -> Figure:
    """The share of networks that train, over sigma_w and depth, under six times the theory's depth scale (claim P7).

    `grid`: sigma_w, depth (hidden layers), trained (share of the seeds, in [0, 1]; NaN is blank); one row a cell.
    `xi_line`: sigma_w, xi (in layers; infinite at criticality, where the line leaves the panel).
    """
    places = {of: np.unique(unique(grid, ["depth", "sigma_w"])[of].to_numpy(float)) for of in ("depth", "sigma_w")}
    figure, axes = panels(1, [""], 3.2, Style({}, {}), [])
    panel = axes[0, 0]
    depth, sigma_w = 10 ** _edges(np.log10(places["depth"])), _edges(places["sigma_w"])
    shares = np.ma.masked_invalid(matrix(grid, places, "trained"))
    image = panel.pcolormesh(sigma_w, depth, shares, cmap=COLORMAP, vmin=0, vmax=1, edgecolors="face", linewidth=0.2)
    line = xi_line.dropna().sort_values("sigma_w")
    xi = np.clip(6 * line["xi"].to_numpy(float), 1e-9, 1e9)  # off the panel, and yet on the line
    panel.plot(line["sigma_w"], xi, color="white", linewidth=4)
    (drawn,) = panel.plot(line["sigma_w"], xi, **THEORY | {"linewidth": 1.8})
    panel.set(yscale="log", xlim=sigma_w[[0, -1]], ylim=depth[[0, -1]], xlabel=r"$\sigma_w$", ylabel="hidden layers")
    for axis, of in ((panel.yaxis, "depth"), (panel.xaxis, "sigma_w")):  # what was run, and nothing else
        axis.set_ticks(places[of], labels=[f"{tick:g}" for tick in places[of]])
        axis.set_minor_locator(NullLocator())
    panel.grid(visible=False)
    figure.colorbar(image, ax=panel, label="seeds that train", format=PercentFormatter(1))
    legend(figure, {r"$6\,\xi$, theory": drawn})
    return figure


def _edges(centres: FloatArray) -> FloatArray:
    """(n + 1,) edges half-way between the ascending `centres` (n,) of cells."""
    half = np.diff(centres) / 2 if len(centres) > 1 else np.array([0.5])
    return np.concatenate([centres[:1] - half[0], (centres[1:] + centres[:-1]) / 2, centres[-1:] + half[-1]])
