"""DataFrame -> Figure for the questions of depth and remedies; as `study.figures.training`, in the same style.

Theory is black and dashed, whatever the activation; intervals are over seeds, at 95%. An exact zero of a norm has its
place in every figure: on the rail of a logarithmic axis, and as a grey hatched cell of a heat map.
"""

import math
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator, PercentFormatter

from study.figures.style import (
    GREY,
    FloatArray,
    Style,
    literal,
    log_axis,
    norm_panel,
    panels,
    power_of_ten,
    say_if_empty,
    styled,
)
from study.figures.training import NORMS

SIGNALS = {key: NORMS[key] for key in ("weight_gradient", "error")} | {"activation_rms": "forward signal\nrms $h_l$"}
LEVELS = {50: "trained", 10: "guessing"}  # percent of validation images; ten digits, about equally frequent
COLORMAP = "viridis"  # perceptually uniform, and monotonic in lightness for every eye
THEORY: dict[str, Any] = {"color": "black", "linestyle": (0, (3.5, 2)), "linewidth": 1.1}
ALL_ZERO: dict[str, Any] = {"facecolor": "#DDDDDD", "edgecolor": "#8A8A8A", "hatch": "////", "linewidth": 0}
SOME_ZERO: dict[str, Any] = {"marker": "o", "linestyle": "", "markersize": 3, "color": "black", "mfc": "white"}


@styled
def errors_beside_theory(theory: pd.DataFrame, style: Style, shared: bool = True) -> Figure:
    """The error's norm by layer, relative to the output layer's, measured and as mean-field theory has it.

    `theory`: activation, layer (1 = nearest the input, the last is the output layer), predicted, measured, ci_low,
    ci_high (ratios, no unit), n (seeds); one row an activation and layer, so of one init, depth, width and quantity. A
    panel an activation, on one logarithmic scale if `shared`. A measured 0 is on the rail, a predicted 0 is not drawn.
    """
    rows = unique(theory, ["activation", "layer"]).sort_values("layer")
    at_zero = rows["measured"] == 0
    rows = rows.assign(mean=rows["measured"].mask(at_zero), n_zero=rows["n"].where(at_zero, 0))
    rows = rows.assign(n=rows["n"].mask(at_zero, 0), predicted=rows["predicted"].where(rows["predicted"] > 0))
    scale = pd.concat([rows, rows.assign(mean=rows["predicted"])])
    names = style.order(rows["activation"])
    figure, shown = _grid([*map(style.label, names)], 2, 1.6, style)
    for panel, name in zip(shown, names, strict=True):
        part = rows[rows["activation"] == name]
        norm_panel(panel, part, scale if shared else scale[scale["activation"] == name], "layer", style)
        panel.plot(part["layer"], part["predicted"], **THEORY, zorder=2.2)
        panel.tick_params(labelleft=not shared or panel in shown[::2])
        _layer_axis(panel, int(rows["layer"].max()) - 1)
    mean, band = Line2D([], [], color=GREY, marker="o"), Rectangle((0, 0), 1, 1, color=GREY, alpha=0.25, linewidth=0)
    legend(figure, {f"measured ({_seeds(theory['n'])})": (band, mean), "theory": Line2D([], [], **THEORY)})
    figure.supylabel(r"$\|\delta_l\|$, relative to output")
    return figure


@styled
def norms_side_by_side(gradient_norms: pd.DataFrame, style: Style, step: int = 0) -> Figure:
    """By layer, the norm of the weight gradient, which hides what the error shows, and the forward signal.

    `gradient_norms`: activation, depth (hidden layers; one), layer (depth + 1 = "out"), step, measure (weight_gradient,
    error, activation_rms), mean, ci_low, ci_high (geometric, over the seeds above zero), n (those seeds), n_zero (seeds
    at exactly 0). One row an activation, layer, step and measure; a panel a measure.
    """
    rows = gradient_norms[(gradient_norms["step"] == step) & gradient_norms["measure"].isin(list(SIGNALS))]
    rows = unique(rows, ["activation", "layer", "measure"])
    figure, axes = panels(1, SIGNALS.values(), 2.3, style, rows["activation"], _notes(rows))
    for panel, measure in zip(axes[0], SIGNALS, strict=True):
        part = rows[rows["measure"] == measure]
        norm_panel(panel, part, part, "layer", style)
        _layer_axis(panel, max(rows["depth"], default=1))
    axes[0, 0].set_ylabel("norm")
    return figure


@styled
def accuracy_against_depth(trained: pd.DataFrame, style: Style) -> Figure:
    """Validation accuracy in percent over the number of hidden layers, where networks stop to learn.

    `trained`: activation, panel (text; at most six, in order of appearance), depth (hidden layers), mean, ci_low,
    ci_high (validation accuracy in [0, 1]), n (seeds) and perhaps share_trained (of the seeds, in [0, 1]): a marker is
    open where it is below 1. One row an activation, panel and depth. Activations stand a little beside each other.
    """
    rows = unique(trained, ["activation", "panel", "depth"]).sort_values("depth")
    rows = rows.assign(some=rows.get("share_trained", pd.Series(1.0, rows.index)) < 1, n_zero=0)
    titles, names = list(dict.fromkeys(trained["panel"])), style.order(rows["activation"])
    if len(titles) > 6:
        raise ValueError(f"at most 6 panels, got {len(titles)}: {titles}")
    short = [literal(str(title), 60 // min(len(titles), 3)) for title in titles]
    figure, shown = _grid(short, 3, 2.1, style, names, _notes(rows))
    depths = np.unique(rows["depth"].to_numpy(float))
    gap = min(0.5 * np.diff(np.log10(depths)).min(initial=0.3), 0.1) / max(len(names), 1)
    limits = depths[[0, -1]] * (1.1 * (depths[-1] / depths[0]) ** 0.06) ** np.array([-1, 1])
    for panel, title in zip(shown, titles, strict=True):
        part = rows[rows["panel"] == title]
        for place, name in enumerate(names):
            shift = 10 ** (gap * (place - (len(names) - 1) / 2))
            _accuracies(panel, part[part["activation"] == name], shift, style.line(name))
        say_if_empty(panel, part)
        panel.set(xscale="log", xlim=limits, ylim=(-4, 104), yticks=(0, 25, 50, 75, 100))
        _depth_ticks(panel.xaxis, depths)
        panel.yaxis.set_major_formatter(PercentFormatter())
        panel.tick_params(labelleft=panel in shown[::3])
        for level, label in LEVELS.items():
            panel.axhline(level, color=GREY, linestyle=":", linewidth=1.2, zorder=1)
            if panel is shown[:3][-1]:
                panel.text(1.03, level, label, transform=panel.get_yaxis_transform(), va="center", color=GREY)
    figure.supxlabel("hidden layers" + "\nopen marker: not every seed trained" * bool(rows["some"].any()))
    figure.supylabel(f"validation accuracy ({_seeds(rows['n'])})")
    return figure


@styled
def error_heat_map(gradient_norms: pd.DataFrame, style: Style) -> Figure:
    """The error's norm in every layer (the output layer on top) at every logged training step, as a colour.

    `gradient_norms` as in `norms_side_by_side`, of one depth; the measure "error" is drawn. A panel an activation, all
    of one logarithmic colour scale. A cell is grey and hatched where every seed is at exactly 0, has a white dot where
    some are (its colour is the mean of the others), and is blank where nothing was measured.
    """
    rows = unique(gradient_norms[gradient_norms["measure"] == "error"], ["activation", "layer", "step"])
    names, steps, depth = style.order(rows["activation"]), np.unique(rows["step"]), max(rows["depth"], default=1)
    means = rows["mean"].dropna().to_numpy(float)
    if (means <= 0).any():
        raise ValueError("a mean on a logarithmic scale must be above zero: exact zeros are counted in n_zero")
    limits, _, ticks = log_axis(means, np.array([]), False)
    scale = ScalarMappable(Normalize(*np.log10(limits)), COLORMAP)
    figure, shown = _grid([*map(style.label, names)], 2, 1.8, style)
    kept, layers = range(0, len(steps), math.ceil(len(steps) / 5)), [1, (depth + 2) // 2, depth + 1]
    for panel, name in zip(shown, names, strict=True):
        part, places = rows[rows["activation"] == name], {"layer": range(1, depth + 2), "step": steps}
        _cells(panel, matrix(part, places, "mean"), matrix(part, places, "n_zero"), scale)
        panel.set_xticks(kept, [f"{steps[at]:g}" for at in kept])
        panel.set_yticks([layer - 1 for layer in layers], [*map(str, layers[:-1]), "out"])
        say_if_empty(panel, part)
    bar = figure.colorbar(scale, ax=figure.axes, label=r"error signal, rms $\|\delta_l\|$", aspect=30)
    bar.set_ticks(np.log10(ticks).tolist(), labels=[power_of_ten(tick) for tick in ticks])
    without = rows["mean"].isna()[rows["n_zero"] > 0]
    every = {"every seed exactly 0": Rectangle((0, 0), 1, 1, **ALL_ZERO)} if without.any() else {}
    legend(figure, every | ({"some seeds exactly 0": Line2D([], [], **SOME_ZERO)} if not without.all() else {}))
    figure.supxlabel("training step (logged steps only)")
    figure.supylabel("layer")
    return figure


@styled
def remedies(table: pd.DataFrame, style: Style) -> Figure:
    """Validation accuracy in percent with each remedy, beside the accuracy before; a panel an activation.

    `table`: activation, remedy (text; rows in order of appearance), baseline (bool: the row "before", drawn first and
    open, with a dotted line through all others), mean, ci_low, ci_high (in [0, 1]), n (seeds). One row an activation
    and remedy. The mean is written beside its row.
    """
    first = unique(table, ["activation", "remedy"]).sort_values("baseline", ascending=False, kind="stable")
    order, names = list(dict.fromkeys(first["remedy"])), style.order(table["activation"])
    figure, shown = _grid([*map(style.label, names)], 2, 0.45 + 0.24 * len(order), style)
    for panel, name in zip(shown, names, strict=True):
        part = first[first["activation"] == name].set_index("remedy")
        for place, remedy in enumerate(order):
            _remedy(panel, place, part.loc[remedy] if remedy in part.index else None, style.line(name))
        for before in 100 * part["mean"][part["baseline"].astype(bool)].dropna():
            panel.axvline(before, color=GREY, linestyle=":", linewidth=1.2, zorder=1)
        panel.set(xlim=(-4, 104), ylim=(len(order) - 0.5, -0.5), xticks=(0, 25, 50, 75, 100))
        panel.set_yticks(range(len(order)), [literal(str(remedy), 34) for remedy in order])
        panel.tick_params(labelleft=panel in shown[::2])
        panel.grid(visible=False, axis="y")
    figure.supxlabel(f"validation accuracy (%, {_seeds(table['n'])}); dotted: before")
    return figure


def unique(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The rows as they are; ValueError if two are of the same keys, or of different depths that no key tells apart."""
    mixed = "depth" in rows and "depth" not in keys and len(rows["depth"].unique()) > 1
    if mixed or rows.duplicated(keys).any():
        raise ValueError(f"one row per {', '.join(keys)} is needed, of one setting (depth, width, init, variant, ...)")
    return rows


def _notes(rows: pd.DataFrame) -> dict[str, str]:
    """For the legend, on each activation that has nothing to draw."""
    drawn = rows["activation"][rows["mean"].notna() | (rows["n_zero"] > 0)]
    return dict.fromkeys(set(rows["activation"]) - set(drawn), " (no data)")


def _seeds(counts: pd.Series) -> str:
    """The number of seeds, or its range."""
    low, high = counts.min(), counts.max()
    return "n = 0" if math.isnan(low) else f"n = {low:g}" if low == high else f"n = {low:g} to {high:g}"


def _grid(titles: list[str], columns: int, height: float, style: Style, *legend: Any) -> tuple[Figure, Any]:
    """A panel a title, `height` inches each, at most `columns` beside each other; the axes are (titles,)."""
    columns = max(1, min(len(titles), columns))
    figure, axes = panels(max(1, math.ceil(len(titles) / columns)), [""] * columns, height, style, *(legend or [()]))
    for panel, title in zip_longest(axes.flat, titles):
        panel.remove() if title is None else panel.set_title(title)
    return figure, axes.flat[: len(titles)]


def legend(figure: Figure, entries: dict[str, Any]) -> None:
    """Above the panels; a pair is drawn over each other."""
    if entries:
        figure.legend([*entries.values()], [*entries], loc="outside upper center", ncols=len(entries))


def _layer_axis(panel: Axes, depth: int) -> None:
    ticks = [*range(1, depth + 2)] if depth < 6 else [1, (depth + 2) // 2, depth + 1]
    panel.set_xticks(ticks, [*map(str, ticks[:-1]), "out"])
    panel.set_xlim(1 - 0.1 * depth, 1 + 1.1 * depth)
    panel.figure.supxlabel("layer (1 is nearest the input)")


def _depth_ticks(axis: Any, depths: FloatArray) -> None:
    """A tick for each of the `depths` (n,); where these are many, a label for 1, 2, 5, 10, 20, ... alone."""
    digits = depths / 10 ** np.floor(np.log10(depths))
    said = np.isin(digits, (1, 2, 5)) | (len(depths) <= 6)
    axis.set_ticks(depths, labels=[f"{depth:g}" if shown else "" for depth, shown in zip(depths, said, strict=True)])
    axis.set_minor_locator(NullLocator())


def _accuracies(panel: Axes, rows: pd.DataFrame, shift: float, line: dict[str, Any]) -> None:
    """Means joined by a line, each with its interval as a bar."""
    at, accuracy = shift * rows["depth"], 100 * rows[["mean", "ci_low", "ci_high"]].clip(0, 1)
    panel.plot(at, accuracy["mean"], **line | {"marker": ""}, linewidth=1)
    panel.vlines(at, accuracy["ci_low"], accuracy["ci_high"], color=line["color"], linewidth=1.4)
    for chosen, face in ((~rows["some"], line["color"]), (rows["some"], "white")):
        mean = accuracy["mean"].where(chosen)
        panel.plot(at, mean, **line | {"linestyle": ""}, markersize=4, markerfacecolor=face)


def matrix(rows: pd.DataFrame, places: dict[str, Any], of: str) -> FloatArray:
    """Column `of` as an array, an axis a key of `places`; NaN where there is no row."""
    index = pd.MultiIndex.from_product(places.values(), names=list(places))
    values = rows.set_index(list(places))[of].reindex(index).to_numpy(float)
    return np.asarray(values.reshape([len(at) for at in places.values()]))


def _cells(panel: Axes, mean: FloatArray, n_zero: FloatArray, scale: Any) -> None:
    """Norms (layers, steps) as colours, hatched where there is only zero, dotted where there is some."""
    colors, edges = np.ma.masked_invalid(np.log10(mean)), [np.arange(n + 1) - 0.5 for n in mean.shape[::-1]]
    panel.pcolormesh(*edges, colors, cmap=scale.cmap, norm=scale.norm, edgecolors="face", linewidth=0.2)
    for layer, step in np.argwhere((n_zero > 0) & np.isnan(mean)):
        panel.add_patch(Rectangle((step - 0.5, layer - 0.5), 1, 1, **ALL_ZERO))
    layer, step = np.nonzero((n_zero > 0) & ~np.isnan(mean))
    panel.plot(step, layer, **SOME_ZERO, markeredgewidth=0.5)
    panel.grid(visible=False)


def _remedy(panel: Axes, place: int, row: Any, line: dict[str, Any]) -> None:
    """One row: a dot with its interval, and the mean written beside it; or why there is none."""
    if row is None or math.isnan(row["mean"]):
        why = "not run" if row is None else "no run finished"
        panel.text(50, place, why, ha="center", va="center", color=GREY)
        return
    mean, low, high = (100 * min(max(row[of], 0), 1) for of in ("mean", "ci_low", "ci_high"))
    panel.hlines(place, low, high, color=line["color"], linewidth=2)
    panel.plot([mean], [place], **line, markersize=6, markerfacecolor="white" if row["baseline"] else line["color"])
    panel.text(1.03, place, f"{mean:.1f}", transform=panel.get_yaxis_transform(), va="center", color=GREY)
