"""Draw heat maps over two quantities, the initialisations that theory calls critical, and images of digits."""

import math
import textwrap
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from study.figures.axes import LOG_SCALE, layer_ticks, log_axis, log_limits, round_axis, scientific
from study.figures.marks import check_unique, say_if_empty
from study.figures.naming import name_lines
from study.figures.style import Style, panels

COLORMAP = "viridis"  # perceptually uniform, and monotonic in lightness for every eye
ALL_ZERO_LOOK: dict[str, Any] = {"hatch": "////", "edgecolor": "#8A8A8A", "linewidth": 0}  # of a grey cell
NUMBERED_LAYERS, NUMBERED_STEPS = 5, 3  # layers and steps whose norms are written in a heat map
MARKER_STEP = 3  # points by which each of several markers at the same place is smaller than the one around it
SHOWN_AMPLITUDES = (0.0, 1.0, 2.0, 3.0)  # of the noise under which digits are shown
IMAGE_SIDE = 28  # pixels
WRONG_COLUMNS, WRONG_STRIP = 10, 12  # images in a row, and pixels above each image for its text


def error_heat_map(gradient_norms: pd.DataFrame, style: Style, digits: int = 1) -> Figure:
    """Draw the error signal's norm as a colour, by layer (rows, output on top) and logged training step (columns).

    `gradient_norms` is as in `study.figures.layers`; only the measure "error" is used. Each activation has a panel, and
    all panels share one colour scale. Some norms are also written as numbers, with these `digits`. A cell is grey and
    hatched where every seed is at exactly 0, and has a white dot where only some seeds are. It is blank where nothing
    was measured.
    """
    rows = check_unique(gradient_norms[gradient_norms["measure"] == "error"], ["activation", "layer", "step"])
    low, high = log_limits(rows.assign(ci_low=math.nan, ci_high=math.nan))
    scale = ScalarMappable(LogNorm(10**low, 10**high), COLORMAP)
    names, steps, depth = style.order(rows["activation"]), np.unique(rows["step"]), max(rows["depth"], default=1)
    figure, shown = panels(map(style.label, names), 1.9, 2)
    for panel, name in zip(shown, names, strict=True):
        part = rows[rows["activation"] == name]
        cells = part.pivot_table(["mean", "n_zero"], "layer", "step", dropna=False).astype(float)
        mean, n_zero = (cells[of].reindex(index=range(1, depth + 2), columns=steps) for of in ("mean", "n_zero"))
        _draw_heat_map(panel, mean, n_zero, scale, digits)
        say_if_empty(panel, part)
    label = rf"error signal {LOG_SCALE}" "\n" r"rms $\|\delta_l\|$"
    extend = "min" if (rows["mean"] < 10**low).any() else "neither"
    bar = figure.colorbar(scale, ax=figure.axes, label=label, aspect=30, extend=extend)
    log_axis(bar.ax.yaxis, 10**low, 10**high)
    without = rows["mean"].isna()[rows["n_zero"] > 0]
    said = "hatched: every seed exactly 0" * bool(without.any()), "dots: some seeds exactly 0" * (not without.all())
    figure.supxlabel("training step (logged steps only)" + "\n" * any(said) + "; ".join(filter(None, said)))
    figure.supylabel("layer")
    return figure


def _draw_heat_map(panel: Axes, mean: pd.DataFrame, n_zero: pd.DataFrame, scale: ScalarMappable, digits: int) -> None:
    """Draw one activation's norms `mean` as colours of `scale` on `panel`, and mark the cells with seeds at exactly 0.

    `mean` and `n_zero` (seeds) have a row for each layer, from 1, and a column for each step. `digits` is the number of
    significant digits of the norms that are also written.
    """
    steps, depth = mean.columns, len(mean) - 1
    is_numbered = np.zeros(mean.shape, bool)
    columns = np.linspace(0, len(steps) - 1, 2 * NUMBERED_STEPS + 1).astype(int)[1::2]
    is_numbered[np.ix_(np.linspace(0, depth, NUMBERED_LAYERS).astype(int), columns)] = True
    numbers = mean.map(scientific, na_action="ignore", digits=digits).where(is_numbered & mean.notna(), "")
    sns.heatmap(
        mean, cmap=scale.cmap, norm=scale.norm, vmin=scale.norm.vmin, vmax=scale.norm.vmax, annot=numbers, fmt="",
        annot_kws={"fontsize": 8}, linecolor="face", linewidths=0.2, cbar=False, xticklabels=False, yticklabels=False,
        ax=panel,
    )  # fmt: skip
    for text in panel.texts:  # move each number wholly onto the panel
        text.set_y(float(np.clip(text.get_position()[1], 0.04 * len(mean), 0.96 * len(mean))))
    is_zero, has_mean = n_zero.to_numpy() > 0, mean.notna().to_numpy()
    if (every := is_zero & ~has_mean).any():
        panel.pcolor(np.ma.masked_equal(every, 0), cmap=ListedColormap(["#DDDDDD"]), **ALL_ZERO_LOOK)
    layer, step = np.nonzero(is_zero & has_mean)
    panel.plot(step + 0.5, layer + 0.5, "o", markersize=3, color="black", mfc="white", markeredgewidth=0.5)
    kept, layers = range(0, len(steps), math.ceil(len(steps) / 5)), layer_ticks(depth)
    panel.set_xticks([at + 0.5 for at in kept], [f"{steps[at]:g}" for at in kept], rotation=0)
    panel.set_yticks([at - 0.5 for at in layers], [*map(str, layers[:-1]), "out"], rotation=0)
    panel.set(xlabel="", ylabel="", ylim=(0, depth + 1))
    panel.grid(visible=False)


def trainable_depth(grid: pd.DataFrame, xi_line: pd.DataFrame) -> Figure:
    """Draw the share of networks that train, by sigma_w and depth, and a line at six times the theory's depth scale xi.

    The square of sigma_w is the variance of a weight times its fan-in. `grid` is the result of `trainability.success`,
    with one row per cell: sigma_w, depth (hidden layers), share_trained (of the seeds, in [0, 1]; NaN is blank).
    `xi_line` has the columns sigma_w and xi, in layers; the line leaves the panel where xi is infinite. Raise
    ValueError for two rows of the same cell.
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


def critical_lines(curves: pd.DataFrame, points: pd.DataFrame, style: Style) -> Figure:
    """Draw for each activation the line of initialisations where chi = 1, and its critical initialisation on this line.

    By theory, the mean square of the error signal changes by the factor chi per layer. An initialisation is sigma_w,
    with sigma_w^2 = fan_in Var(W), and sigma_b, with sigma_b^2 = Var(b), for weights W and biases b.

    `curves` (lines) and `points` have the columns activation, sigma_w, sigma_b. A line joins its rows in order, and
    breaks at NaN. It is not drawn if it is a single place. Points with sigma_w above 0.85 are all on the panel; lines
    may leave it. Activations without a point are named below. Raise ValueError for two points of one activation.
    """
    names = style.order([*curves["activation"], *points["activation"]])
    points = check_unique(points.dropna(), ["activation"]).set_index("activation")[["sigma_w", "sigma_b"]]
    figure, (panel,) = panels([""], 3.2)
    for name in names:
        part, line = curves.loc[curves["activation"] == name, ["sigma_w", "sigma_b"]], style.line(name)
        if (part.dropna().max() - part.dropna().min() > 1e-3).any():
            panel.plot(*part.to_numpy(float).T, **line | {"marker": "None"}, label=name)
    shown = points.loc[[name for name in names if name in points.index]]
    same = shown.round(3).groupby(["sigma_w", "sigma_b"])["sigma_w"]
    sizes = MARKER_STEP * (same.transform("size").clip(lower=3) - same.cumcount())
    for (name, at), size in zip(shown.iterrows(), sizes, strict=True):
        look = style.line(name) | {"markersize": size, "markeredgecolor": "white", "zorder": 4 - size / 30}
        panel.plot(*at.to_numpy(float)[:, None], **look, label=name)
    for label, at in (("Glorot", 1.0), ("He", math.sqrt(2))):  # rings, so that what lies in them is seen
        panel.plot([at], [0], "o", color="black", markersize=15, markerfacecolor="none", zorder=4)
        panel.annotate(label, (at, 0), (0, -10), textcoords="offset points", ha="center", va="top", zorder=4)
    right, top = np.fmax(points.max().to_numpy(float), (2.2, 0.5))  # fmax ignores NaN, the maximum of no points
    log_axis(panel.xaxis, 0.85, 1.25 * right)
    panel.set(ylim=(-0.22 * top, 1.7 * top))
    round_axis(panel.yaxis, 6)
    none = ", ".join(style.label(name) for name in names if name not in points.index)
    note = "\n" + textwrap.fill(f"no critical point: {none}", 80) if none else ""
    panel.set(xlabel=rf"$\sigma_w$ {LOG_SCALE}{note}", ylabel=r"$\sigma_b$")
    name_lines(figure, [panel], style, names)
    return figure


def digits(table: pd.DataFrame) -> Figure:
    """Draw digits side by side, without noise and with noise: a panel for each amplitude a in SHOWN_AMPLITUDES.

    `table` has one row per image and pixel, as experiments/digits.py makes it. Its columns are label (the digit), row
    and column (0 to 27), and brightness in [0, 1]. The noise of a pixel is a * u. The number u is drawn from
    Unif[-1, 1] and is the same in all panels. The grey scale goes from -a (white) to 1 + a (black).
    """
    wide = table.pivot_table("brightness", ["label", "row"], "column", sort=False)
    images = np.hstack([part.to_numpy(float) for _, part in wide.groupby("label", sort=False)])
    noise = np.random.default_rng(0).uniform(-1, 1, images.shape)
    titles = [f"noise {amplitude:g}" if amplitude else "no noise" for amplitude in SHOWN_AMPLITUDES]
    figure, shown = panels(titles, 1.1, 2)
    for panel, amplitude in zip(shown, SHOWN_AMPLITUDES, strict=True):
        panel.imshow(images + amplitude * noise, cmap="Greys", vmin=-amplitude, vmax=1 + amplitude)
        panel.set_axis_off()
    return figure


def wrong_digits(wrong: pd.DataFrame, images: pd.DataFrame) -> Figure:
    """Draw images that a network gets wrong, WRONG_COLUMNS side by side, each below its label and the network's answer.

    Both tables come from experiments/wrong_digits.py. `wrong` has one row per image, with the columns label (the true
    digit) and said (the network's answer). `images` has the same rows, and a column for each of the 784 pixels, one
    image row after another, from 0 (drawn white) to 255.
    """
    n_rows, cell = max(math.ceil(len(wrong) / WRONG_COLUMNS), 1), IMAGE_SIDE + WRONG_STRIP
    pixels = images.to_numpy(float).reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
    cells = np.pad(pixels, ((0, n_rows * WRONG_COLUMNS - len(pixels)), (WRONG_STRIP, 0), (0, WRONG_STRIP)))
    mosaic = cells.reshape(n_rows, WRONG_COLUMNS, cell, cell).swapaxes(1, 2).reshape(n_rows * cell, -1)
    figure, (panel,) = panels([""], n_rows * 0.62)
    panel.imshow(mosaic, cmap="Greys", vmin=0, vmax=255)
    for place, row in enumerate(wrong.itertuples()):
        down, across = (cell * step for step in divmod(place, WRONG_COLUMNS))
        at = across + IMAGE_SIDE / 2, down + WRONG_STRIP / 2
        panel.text(*at, f"{row.label}, not {row.said}", ha="center", va="center", fontsize="x-small")
    panel.set_axis_off()
    return figure
