"""DataFrame -> Figure for the questions of depth, initialisation and remedies; as `study.figures`, in the same style.

Theory is black and dashed, whatever the activation; intervals are over seeds, at 95%. An exact zero of a norm has its
place in every figure: on the rail of a logarithmic axis, and as a grey hatched cell of a heat map.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import NullFormatter, PercentFormatter

from study.figures import NORMS
from study.style import GREY, Style, lines, literal, log_axis, logarithmic, panels, power_of_ten, styled, zeros

SIGNALS = {
    "weight_gradient": NORMS["weight_gradient"],
    "error": NORMS["error"],
    "activation_rms": "forward signal\n" r"rms $h_l$",
}
TRAINED, GUESSING = 50, 10  # percent of validation images; ten digits, about equally frequent
COLORMAP = "viridis"  # perceptually uniform, and monotonic in lightness for every eye
THEORY = {"color": "black", "linestyle": (0, (3.5, 2)), "linewidth": 1.3}
ZERO_CELL = {"hatch": "////", "edgecolor": "#8A8A8A", "linewidth": 0.0}
LABEL = 0.15  # of a panel's width that the label of a tick needs


@styled
def errors_beside_theory(theory: pd.DataFrame, style: Style) -> Figure:
    """The error's norm by layer, relative to the output layer's, measured and as mean-field theory has it.

    `theory`: activation, layer (1 = nearest the input, the last is the output layer), predicted, measured, ci_low,
    ci_high (ratios, no unit), n (seeds); one row an activation and layer, so of one init, depth, width and quantity. A
    panel an activation, all on one logarithmic scale. A measured 0 is on the rail, a predicted one is not drawn.
    """
    rows = _unique(theory, ["activation", "layer"])
    at_zero = rows["measured"] == 0
    rows = rows.assign(mean=rows["measured"].mask(at_zero), n_zero=rows["n"].where(at_zero, 0))
    rows["n"] = rows["n"].mask(at_zero, 0)
    predicted = rows.assign(mean=rows["predicted"].where(rows["predicted"] > 0), ci_low=np.nan, ci_high=np.nan)
    names = style.order(rows["activation"])
    figure, shown = _grid(len(names), 2, 1.6, style)
    for panel, name in zip(shown, names, strict=True):
        part = rows[rows["activation"] == name]
        logarithmic(panel, pd.concat([rows, predicted]))
        expected = predicted[predicted["activation"] == name].sort_values("layer")
        lines(panel, part, "layer", style)
        zeros(panel, part, "layer", style)
        panel.plot(expected["layer"], expected["mean"], **THEORY, zorder=2.2)
        _say(panel, "not measured", part["mean"].notna() | (part["n_zero"] > 0))
        panel.set_title(style.label(name))
        _layer_axis(panel, int(rows["layer"].max()) - 1)
    seeds = _seeds(rows["n"] + rows["n_zero"])
    mean, band = Line2D([], [], color=GREY, marker="o"), Patch(color=GREY, alpha=0.25, linewidth=0)
    _legend(figure, {f"measured ({seeds}, 95% interval)": (band, mean), "theory": Line2D([], [], **THEORY)})
    figure.supylabel(r"error $\|\delta_l\|$ / output layer's")
    figure.supxlabel("layer (1 is nearest the input)")
    return figure


@styled
def norms_side_by_side(gradient_norms: pd.DataFrame, style: Style, step: int = 0) -> Figure:
    """By layer, the norm of the weight gradient, which hides what the error shows, and the forward signal.

    `gradient_norms`: activation, depth (hidden layers; one), layer (depth + 1 = "out"), step, measure (weight_gradient,
    error, activation_rms), mean, ci_low, ci_high (geometric, over the seeds above zero), n (those seeds), n_zero (seeds
    at exactly 0). One row an activation, layer, step and measure; a panel a measure.
    """
    rows = gradient_norms[(gradient_norms["step"] == step) & gradient_norms["measure"].isin(list(SIGNALS))]
    rows = _unique(rows, ["activation", "layer", "measure"])
    depth, drawn = _one_depth(rows), rows["mean"].notna() | (rows["n_zero"] > 0)
    notes = dict.fromkeys(set(rows["activation"]) - set(rows["activation"][drawn]), " (no data)")
    figure, axes = panels(1, SIGNALS.values(), 2.3, style, rows["activation"], notes)
    for panel, measure in zip(axes[0], SIGNALS, strict=True):
        part = rows[rows["measure"] == measure]
        logarithmic(panel, part)
        lines(panel, part, "layer", style)
        zeros(panel, part, "layer", style)
        _say(panel, "not measured", drawn[part.index])
        _layer_axis(panel, depth)
    axes[0, 0].set_ylabel("norm")
    figure.supxlabel("layer (1 is nearest the input)")
    return figure


@styled
def accuracy_against_depth(trained: pd.DataFrame, style: Style) -> Figure:
    """Validation accuracy in percent over the number of hidden layers, where networks stop to learn.

    `trained`: activation, panel (text; at most six, in order of appearance), depth (hidden layers), mean, ci_low,
    ci_high (validation accuracy in [0, 1]), n (seeds) and perhaps share_trained (of the seeds, in [0, 1]): a marker is
    open where it is below 1. One row an activation, panel and depth. Activations stand a little beside each other.
    """
    rows = _unique(trained, ["activation", "panel", "depth"]).sort_values("depth")
    titles, names = list(dict.fromkeys(trained["panel"])), style.order(rows["activation"])
    if len(titles) > 6:
        raise ValueError(f"at most 6 panels, got {len(titles)}: {titles}")
    figure, shown = _grid(len(titles), 3, 2.1, style, names)
    depths = np.unique(rows["depth"].to_numpy(float))
    gap = min(0.5 * np.diff(np.log10(depths)).min(initial=0.3), 0.1) / max(len(names), 1)
    for panel, title in zip(shown, titles, strict=True):
        for place, name in enumerate(names):
            part = rows[(rows["panel"] == title) & (rows["activation"] == name)]
            _accuracies(panel, part, 10 ** (gap * (place - (len(names) - 1) / 2)), style.line(name))
        _say(panel, "no run finished", rows["mean"][rows["panel"] == title].notna())
        _depth_axis(panel, depths)
        panel.set(title=literal(str(title), 26), ylim=(-4, 104), yticks=(0, 25, 50, 75, 100))
        panel.yaxis.set_major_formatter(PercentFormatter())
        panel.tick_params(labelleft=panel in shown[::3])
        for level, label in ((TRAINED, "trained"), (GUESSING, "guessing")):
            panel.axhline(level, color=GREY, linestyle=":", linewidth=1.2, zorder=1)
            if panel in (*shown[2::3], shown[-1]):
                panel.text(1.03, level, label, transform=panel.get_yaxis_transform(), va="center", color=GREY)
    open_markers = "share_trained" in rows and bool((rows["share_trained"] < 1).any())
    figure.supxlabel("hidden layers" + "\nopen marker: not every seed trained" * open_markers)
    figure.supylabel(f"validation accuracy ({_seeds(rows['n'])})")
    return figure


@styled
def error_heat_map(gradient_norms: pd.DataFrame, style: Style) -> Figure:
    """The error's norm in every layer (the output layer on top) at every logged training step, as a colour.

    `gradient_norms` as in `norms_side_by_side`, of one depth; the measure "error" is drawn. A panel an activation, all
    of one logarithmic colour scale. A cell is grey and hatched where every seed is at exactly 0, has a white dot where
    some are (its colour is the mean of the others), and is blank where nothing was measured.
    """
    rows = _unique(gradient_norms[gradient_norms["measure"] == "error"], ["activation", "layer", "step"])
    names, steps, depth = style.order(rows["activation"]), sorted(rows["step"].unique()), _one_depth(rows)
    means = rows["mean"].dropna().to_numpy(float)
    if (means <= 0).any():
        raise ValueError("a mean on a logarithmic scale must be above zero: exact zeros are counted in n_zero")
    limits, _, ticks = log_axis(means, np.array([]), False)
    scale = ScalarMappable(Normalize(*np.log10(limits)), COLORMAP)
    figure, shown = _grid(len(names), 2, 1.8, style)
    for panel, name in zip(shown, names, strict=True):
        part, whole = rows[rows["activation"] == name], {"index": range(1, depth + 2), "columns": steps}
        mean, zero = (part.pivot(index="layer", columns="step", values=of).reindex(**whole) for of in ("mean", "n_zero"))
        _cells(panel, mean.to_numpy(float), zero.to_numpy(float) > 0, scale)
        kept = _thin(np.linspace(0, 1, len(steps)))
        panel.set_xticks(kept, [f"{steps[at]:g}" for at in kept])
        layers = [1, (depth + 2) // 2, depth + 1]
        panel.set_yticks([layer - 1 for layer in layers], [*map(str, layers[:-1]), "out"])
        panel.set_title(style.label(name))
    bar = figure.colorbar(scale, ax=shown, label=r"error signal, rms $\|\delta_l\|$", aspect=30)
    bar.set_ticks(np.log10(ticks), labels=[power_of_ten(tick) for tick in ticks])
    kinds = {"every seed exactly 0": Patch(facecolor="#DDDDDD", **ZERO_CELL)}
    if ((rows["n_zero"] > 0) & rows["mean"].notna()).any():
        kinds["some seeds exactly 0"] = Line2D([], [], linestyle="", **DOT)
    _legend(figure, kinds if (rows["n_zero"] > 0).any() else {})
    figure.supxlabel("training step (logged steps only)")
    figure.supylabel("layer")
    return figure


DOT = {"marker": "o", "markersize": 3, "markerfacecolor": "white", "markeredgecolor": "black", "markeredgewidth": 0.5}


@styled
def remedies(table: pd.DataFrame, style: Style) -> Figure:
    """Validation accuracy in percent with each remedy, beside the accuracy before; a panel an activation.

    `table`: activation, remedy (text; rows in order of appearance), baseline (bool: the row "before", drawn first and
    open, with a dotted line through all others), mean, ci_low, ci_high (in [0, 1]), n (seeds). One row an activation
    and remedy. The mean is written beside its row.
    """
    table = _unique(table, ["activation", "remedy"])
    first = table.sort_values("baseline", ascending=False, kind="stable")
    order, names = list(dict.fromkeys(first["remedy"])), style.order(table["activation"])
    figure, shown = _grid(len(names), 2, 0.45 + 0.24 * len(order), style)
    for panel, name in zip(shown, names, strict=True):
        part = first[first["activation"] == name].set_index("remedy")
        for place, remedy in enumerate(order):
            _remedy(panel, place, part.loc[remedy] if remedy in part.index else None, style.line(name))
        for before in 100 * part["mean"][part["baseline"].astype(bool)].dropna():
            panel.axvline(before, color=GREY, linestyle=":", linewidth=1.2, zorder=1)
        panel.set(title=style.label(name), xlim=(-4, 104), ylim=(len(order) - 0.5, -0.5))
        panel.set_yticks(range(len(order)), [literal(str(remedy), 40) for remedy in order])
        panel.tick_params(labelleft=panel in shown[::2])
        panel.grid(visible=False, axis="y")
        panel.set_xticks([0, 25, 50, 75, 100])
    figure.supxlabel(f"validation accuracy (%, {_seeds(table['n'])}); dotted: before")
    return figure


@styled
def critical_lines(curves: pd.DataFrame, points: pd.DataFrame, style: Style) -> Figure:
    """Where chi = 1 at the fixed point, per activation, and which point of it is the critical initialisation.

    `curves` and `points`: activation, sigma_w, sigma_b (no unit: sigma_w^2 = fan_in Var(W), sigma_b^2 = Var(b)). The
    curves in the order of their rows, with NaN where sigma_b^2 would be negative; at most one point an activation. A
    curve of a single place is drawn as its point alone. A curve may leave the panel, no point does.
    """
    names = style.order([*curves["activation"], *points["activation"]])
    points = _unique(points.dropna(), ["activation"]).set_index("activation")
    notes = {name: " (none)" for name in names if name not in points.index}
    figure, axes = panels(1, [""], 3.2, style, names, notes)
    panel = axes[0, 0]
    for name in names:
        part = curves.loc[curves["activation"] == name, ["sigma_w", "sigma_b"]]
        line = style.line(name)
        if (part.max() - part.min() > 1e-3).any():
            panel.plot(*part.to_numpy(float).T, color=line["color"], linestyle=line["linestyle"])
        if name in points.index:
            panel.plot(*points.loc[name].to_numpy(float), **line, markersize=8, markeredgecolor="white", clip_on=False)
    _initializations(panel)
    right, top = points.max().fillna(0) if len(points) else (0, 0)
    panel.set_xscale("log")
    panel.set(xlim=(0.85, 1.25 * max(right, 2.2)), ylim=(-0.16 * max(top, 0.5), 1.7 * max(top, 0.5)))
    ticks = [tick for tick in (1, 1.5, 2, 3, 5, 7, 10, 15, 20, 50, 100) if tick < panel.get_xlim()[1]]
    panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set(xlabel=r"$\sigma_w$ (logarithmic)", ylabel=r"$\sigma_b$")
    return figure


@styled
def trainable_depth(grid: pd.DataFrame, xi_line: pd.DataFrame) -> Figure:
    """The share of networks that train, over sigma_w and depth, under six times the theory's depth scale (claim P7).

    `grid`: sigma_w, depth (hidden layers), trained (share of the seeds, in [0, 1]; NaN is blank); one row a cell.
    `xi_line`: sigma_w, xi (in layers; infinite at criticality, where the line leaves the panel).
    """
    cells = _unique(grid, ["sigma_w", "depth"]).pivot(index="depth", columns="sigma_w", values="trained")
    figure, axes = panels(1, [""], 3.2, Style({}, {}), [])
    panel = axes[0, 0]
    sigma_w, depth = _edges(cells.columns), 10 ** _edges(np.log10(cells.index.to_numpy(float)))
    shares = np.ma.masked_invalid(cells.to_numpy(float))
    image = panel.pcolormesh(sigma_w, depth, shares, cmap=COLORMAP, vmin=0, vmax=1, edgecolors="face", linewidth=0.2)
    line = xi_line.dropna().sort_values("sigma_w")
    halo = [Stroke(linewidth=4, foreground="white"), Normal()]
    xi = np.clip(6 * line["xi"].to_numpy(float), 1e-9, 1e9)
    (drawn,) = panel.plot(line["sigma_w"], xi, **THEORY | {"linewidth": 1.8}, path_effects=halo)
    panel.set_yscale("log")
    panel.set(xlim=sigma_w[[0, -1]], ylim=depth[[0, -1]], xlabel=r"$\sigma_w$", ylabel="hidden layers")
    panel.set_yticks(cells.index, [f"{layers:g}" for layers in cells.index])
    panel.yaxis.set_minor_formatter(NullFormatter())
    panel.grid(visible=False)
    figure.colorbar(image, ax=panel, label="seeds that train", format=PercentFormatter(1))
    _legend(figure, {r"$6\,\xi$, theory": drawn})
    return figure


def _unique(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    if rows.duplicated(keys).any():
        raise ValueError(f"one row per {', '.join(keys)} is needed: choose one setting (width, init, variant, ...)")
    return rows


def _one_depth(rows: pd.DataFrame) -> int:
    if len(depths := rows["depth"].unique()) > 1:
        raise ValueError(f"one depth a figure, got {sorted(depths)}")
    return int(depths[0]) if len(depths) else 1


def _seeds(counts: pd.Series) -> str:
    """The number of seeds, or its range."""
    low, high = counts.min(), counts.max()
    return "n = 0" if math.isnan(low) else f"n = {low:g}" if low == high else f"n = {low:g} to {high:g}"


def _grid(count: int, columns: int, height: float, style: Style, present: Iterable[str] = ()) -> tuple[Figure, Any]:
    """`count` panels, `height` inches each, at most `columns` beside each other, as `panels`; the axes are (count,)."""
    columns = max(1, min(count, columns))
    figure, axes = panels(max(1, math.ceil(count / columns)), [""] * columns, height, style, present)
    for spare in axes.flat[count:]:
        spare.remove()
    return figure, axes.flat[:count]


def _legend(figure: Figure, entries: dict[str, Any]) -> None:
    """Above the panels; a pair is drawn over each other."""
    if entries:
        over = {tuple: HandlerTuple(ndivide=1)}
        figure.legend([*entries.values()], [*entries], loc="outside upper center", ncols=3, handler_map=over)


def _say(panel: Axes, text: str, drawn: pd.Series) -> None:
    """`text` in a panel where nothing is `drawn`."""
    if not drawn.any():
        panel.text(0.5, 0.3, text, transform=panel.transAxes, ha="center", va="center", color=GREY)


def _layer_axis(panel: Axes, depth: int) -> None:
    ticks = [*range(1, depth + 2)] if depth < 6 else [1, (depth + 2) // 2, depth + 1]
    panel.set_xticks(ticks, [*map(str, ticks[:-1]), "out"])
    panel.set_xlim(1 - 0.1 * depth, 1 + 1.1 * depth)


def _thin(places: Sequence[float]) -> list[int]:
    """Indices of ascending `places` (n,) in [0, 1] whose labels do not meet: first, last, and what fits between."""
    kept = [len(places) - 1]
    for at in range(len(places) - 2, -1, -1):
        if places[kept[-1]] - places[at] >= LABEL and (at == 0 or places[at] - places[0] >= LABEL):
            kept.append(at)
    return kept[::-1]


def _depth_axis(panel: Axes, depths: npt.NDArray[np.float64]) -> None:
    """Logarithmic, a tick for each of the ascending `depths` (n,) and a label where there is room."""
    panel.set_xscale("log")
    if not depths.size:
        return
    low, high = np.log10(depths[[0, -1]])
    margin = 0.06 * (high - low) + 0.04
    panel.set_xlim(10 ** (low - margin), 10 ** (high + margin))
    kept = _thin((np.log10(depths) - low + margin) / (high - low + 2 * margin))
    panel.set_xticks(depths[kept], [f"{depth:g}" for depth in depths[kept]])
    panel.set_xticks(np.delete(depths, kept), minor=True)
    panel.xaxis.set_minor_formatter(NullFormatter())


def _accuracies(panel: Axes, rows: pd.DataFrame, shift: float, line: dict[str, Any]) -> None:
    """Means joined by a line, each with its interval as a bar."""
    at, accuracy = shift * rows["depth"].to_numpy(float), 100 * rows[["mean", "ci_low", "ci_high"]].clip(0, 1)
    panel.plot(at, accuracy["mean"], **line | {"marker": ""}, linewidth=1)
    panel.vlines(at, accuracy["ci_low"], accuracy["ci_high"], color=line["color"], linewidth=1.4)
    some = (rows["share_trained"] < 1).to_numpy() if "share_trained" in rows else np.zeros(len(rows), bool)
    for chosen, face in ((~some, line["color"]), (some, "white")):
        mean = accuracy["mean"].where(chosen)
        panel.plot(at, mean, **line | {"linestyle": ""}, markersize=4, markerfacecolor=face)


def _cells(panel: Axes, mean: npt.NDArray[np.float64], zero: npt.NDArray[np.bool_], scale: ScalarMappable) -> None:
    """Norms (layers, steps) as colours, hatched where there is only zero, dotted where there is some."""
    colors = np.ma.masked_invalid(np.log10(mean))
    panel.pcolormesh(colors, cmap=scale.cmap, norm=scale.norm, edgecolors="face", linewidth=0.2)
    for layer, step in np.argwhere(zero & np.isnan(mean)):
        panel.add_patch(Rectangle((step - 0.5, layer - 0.5), 1, 1, facecolor="#DDDDDD", **ZERO_CELL))
    layer, step = np.nonzero(zero & ~np.isnan(mean))
    panel.plot(step, layer, linestyle="", **DOT)
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


def _initializations(panel: Axes) -> None:
    """Glorot and He, as rings that leave to be seen what lies in them."""
    for label, sigma_w in (("Glorot", 1.0), ("He", math.sqrt(2))):
        panel.plot([sigma_w], [0], "o", markersize=13, markerfacecolor="none", markeredgecolor="black")
        offset = {"xytext": (0, -9), "textcoords": "offset points"}
        panel.annotate(label, (sigma_w, 0), **offset, ha="center", va="top")


def _edges(centres: Any) -> npt.NDArray[np.float64]:
    """(n + 1,) edges half-way between the ascending `centres` (n,) of cells."""
    at = np.asarray(centres, float)
    steps = np.diff(at) if len(at) > 1 else np.array([1.0])
    return np.concatenate([at[:1] - steps[0] / 2, at[:-1] + steps[: len(at) - 1] / 2, at[-1:] + steps[-1] / 2])
