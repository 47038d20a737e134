"""Draw the first pictures of the report: the answer, why ReLU replaced the sigmoid, and digits under noise."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from study.figures.axes import GUESSING, LOG_SCALE, fixed_axis, level, norm_axis, percent_axis, round_axis, rows_axis
from study.figures.marks import lines, middle, unique
from study.figures.naming import name_lines
from study.figures.style import FIGURE_WIDTH, GREY, Style, grid, literal, styled

BAND = "#E9E9E9"
WORDS = {0: "all", -1: "a tenth", -2: "a hundredth", -3: "a thousandth", -6: "a millionth", -9: "a billionth",
         -12: "a trillionth"}  # fmt: skip
LEARNERS_DEPTH = 20  # hidden layers; deeper networks are left to the figure of depths
DEPTHS = (1, 3, 5, 10, 20)  # named on an axis of hidden layers
PERCENT = ["mean", "ci_low", "ci_high"]


@styled
def answer(differences: pd.DataFrame, trained: pd.DataFrame, style: Style) -> Figure:
    """Draw the differences from the reference beside the margin, and accuracy over the depth.

    `differences`: activation, reference, difference, ci_low, ci_high, margin (test accuracy, in [-1, 1]), finding (a
    word); one row per activation. `trained`: activation, panel (text), depth (hidden layers), mean, ci_low, ci_high
    (validation accuracy in [0, 1]), n; one row per activation, panel and depth. It may be empty.
    """
    titles = list(dict.fromkeys(trained["panel"]))
    figure = Figure(figsize=(FIGURE_WIDTH, 2.9), layout="constrained")
    axes = figure.subplots(1, 1 + len(titles), width_ratios=[1, *[1.15] * len(titles)], squeeze=False)[0]
    _differences(axes[0], unique(differences, ["activation"]), style)
    rows = unique(trained, ["activation", "panel", "depth"])
    for panel, title in zip(axes[1:], titles, strict=True):
        panel.set_title(literal(str(title), 20))
        accuracy_over_depth(panel, rows[rows["panel"] == title], style)
        panel.set(xscale="log", xlabel=f"hidden layers\n{LOG_SCALE}")
        depths = np.unique(rows["depth"])
        fixed_axis(panel.xaxis, depths, np.isin(depths, (1, 2, 5, 10, 20, 50)))
        panel.tick_params(labelleft=panel is axes[1])
    if titles:
        axes[1].set_ylabel("validation accuracy")
        name_lines(figure, axes[1:], style, rows["activation"], is_named=True)
    return figure


def _differences(panel: Axes, rows: pd.DataFrame, style: Style) -> None:
    """Draw a row for the reference and for each of `rows`, in points, with its finding in a word."""
    reference, margin = rows["reference"].iloc[0], 100 * rows["margin"].iloc[0]
    found = rows.set_index("activation")
    names = style.order([reference, *found.index])
    panel.axvspan(-margin, margin, color=BAND, linewidth=0, zorder=0)
    panel.axvline(0, color=GREY, linewidth=0.8, zorder=1)
    for place, name in enumerate(names):
        if name == reference:
            middle(panel, place, (0.0, np.nan, np.nan), style.line(name))
            continue
        row = found.loc[name]
        middle(panel, place, [100 * row[end] for end in ("difference", "ci_low", "ci_high")], style.line(name))
        panel.text(100 * row["difference"], place - 0.2, row["finding"], ha="center", va="bottom", fontsize=9)
    rows_axis(panel, [style.label(name) for name in names])
    for tick, name in zip(panel.get_yticklabels(), names, strict=True):
        tick.set_color(style.color(name))
    round_axis(panel.xaxis, 5)
    panel.set_title(f"test accuracy minus {style.label(reference)}'s")
    panel.set_xlabel(f"points; grey: within {margin:g},\ntoo small to matter")


def accuracy_over_depth(panel: Axes, rows: pd.DataFrame, style: Style) -> None:
    """Draw validation accuracy, in percent, over the depth; what guessing reaches is dotted and named."""
    rows = rows.copy()
    rows[PERCENT] = 100 * rows[PERCENT].clip(0, 1)
    lines(panel, rows, "depth", style, band=False)
    percent_axis(panel)
    level(panel, 100 - GUESSING)
    panel.text(0.03, 100 - GUESSING - 1, "guessing", transform=panel.get_yaxis_transform(), va="top", color=GREY,
               fontsize=8.5)  # fmt: skip


@styled
def cause_and_effect(curves: pd.DataFrame, shares: pd.DataFrame, accuracy: pd.DataFrame, style: Style) -> Figure:
    """Draw the curves and slopes, the share of the error that reaches layer 1, and the accuracy, both over the depth.

    `curves`: activation, x, value, derivative. `shares`: activation, depth (hidden layers), share_of_error (no unit; 0
    and NaN are not drawn). `accuracy`: activation, depth, mean, ci_low, ci_high (in [0, 1]), n (seeds). What is deeper
    than LEARNERS_DEPTH is not shown.
    """
    figure = Figure(figsize=(FIGURE_WIDTH, 3.5), layout="constrained")
    axes = figure.subplot_mosaic([["curve", "share", "accuracy"], ["slope", "share", "accuracy"]])
    for panel, column, (least, most) in ((axes["curve"], "value", (-1, 3)), (axes["slope"], "derivative", (-0.6, 1.6))):
        bare = curves.assign(mean=curves[column], ci_low=np.nan, ci_high=np.nan)
        lines(panel, bare, "x", style)
        low, high = min(0, max(least, curves[column].min())), max(1, min(most, curves[column].max()))
        panel.set(xlim=(-4, 4), ylim=(low - 0.08 * (high - low), high + 0.08 * (high - low)))
        round_axis(panel.yaxis, 4)
        round_axis(panel.xaxis, 4)
    axes["slope"].set_yticks((0, 0.25, 0.5, 1))
    for line in [*axes["curve"].lines, *axes["slope"].lines]:
        line.set_marker("None")
    axes["curve"].tick_params(labelbottom=False)
    axes["curve"].set_title("1. the curve ...")
    axes["slope"].set_title("... and its slope")
    axes["slope"].set_xlabel("input of a unit, $z$")
    rows = shares[(shares["share_of_error"] > 0) & (shares["depth"] <= LEARNERS_DEPTH)]
    _shares(axes["share"], rows.assign(mean=rows["share_of_error"], ci_low=np.nan, ci_high=np.nan, n_zero=0), style)
    accuracy_over_depth(axes["accuracy"], accuracy[accuracy["depth"] <= LEARNERS_DEPTH], style)
    axes["share"].set_title(f"2. $\\to$ error that reaches\nlayer 1 {LOG_SCALE}")
    axes["accuracy"].set_title("3. $\\to$ accuracy\n")
    for panel in (axes["share"], axes["accuracy"]):
        panel.set(xlabel="hidden layers", xlim=(0, LEARNERS_DEPTH + 1), xticks=DEPTHS)
    name_lines(figure, [axes["share"], axes["accuracy"]], style, curves["activation"])
    return figure


def _shares(panel: Axes, rows: pd.DataFrame, style: Style) -> None:
    """Draw shares on a logarithmic axis whose ticks are words."""
    norm_axis(panel, pd.concat([rows, rows.assign(mean=1.0)]))
    lines(panel, rows, "depth", style, band=False)
    low, high = np.log10(panel.get_ylim())
    step = 1 if low > -3.5 else 3 if low > -16 else 6
    powers = [power for power in range(0, -300, -step) if low <= power <= high]
    panel.set_yticks([10.0**power for power in powers], [WORDS.get(power, f"$10^{{{power}}}$") for power in powers])
    panel.yaxis.set_minor_locator(NullLocator())


@styled
def digits(table: pd.DataFrame, amplitudes: tuple[float, ...] = (0, 1, 2, 3)) -> Figure:
    """Draw digits as a network sees them, in a panel for each amplitude of the noise.

    `table`: label, row, column (0-27), brightness in [0, 1]; one row per pixel. The noise is Unif[-a, a] on each pixel,
    one draw for all amplitudes; grey levels go from the least to the largest value of an image.
    """
    wide = table.pivot_table("brightness", ["label", "row"], "column", sort=False)
    images = np.hstack([part.to_numpy(float) for _, part in wide.groupby("label", sort=False)])
    noise = np.random.default_rng(0).uniform(-1, 1, images.shape)
    titles = [f"noise {amplitude:g}" if amplitude else "no noise" for amplitude in amplitudes]
    figure, panels = grid(titles, 2, 1.1, Style({}, {}))
    for panel, amplitude in zip(panels, amplitudes, strict=True):
        panel.imshow(images + amplitude * noise, cmap="Greys", vmin=-amplitude, vmax=1 + amplitude)
        panel.set_axis_off()
    return figure
