"""DataFrame -> Figure for the tuned comparison; as `study.figures.training`, in the same style."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from study.figures.rows import accuracy_scale, lane, percent_of, rows_axis
from study.figures.style import GREY, WIDTH, Style, literal, panels, power_of_ten, styled

DODGE = 0.09  # decades from the rate to the outermost of the activations at it
BESIDE = 10**-0.035  # where a mean's seeds stand, left of it, so that the marker does not hide them


@styled
def accuracy_against_rate(rates: pd.DataFrame, runs: pd.DataFrame, style: Style) -> Figure:
    """Validation accuracy (percent, the error logarithmic) over the learning rate, a ring at the rate chosen.

    `rates`: activation, learning_rate, n, diverged, validation_accuracy_mean, ci_low, ci_high (in [0, 1]), is_chosen;
    one row an activation and rate. `runs`: activation, learning_rate, best_validation_accuracy (NaN: no point); one row
    a run. A cross at the bottom stands at each rate at which a seed of that activation diverged. Activations stand a
    little beside each other.
    """
    names = style.order(rates["activation"])
    figure, axes = panels(1, [""], 3.2, style, names)
    panel = axes[0, 0]
    columns = ["validation_accuracy_mean", "ci_low", "ci_high"]
    points = percent_of(runs["best_validation_accuracy"])
    accuracy_scale(panel.yaxis, [*points, *percent_of(rates["validation_accuracy_mean"])], 8)
    ticks = np.unique(rates["learning_rate"])
    panel.set_xscale("log")
    panel.set_xlim(ticks[0] / 1.5, ticks[-1] * 1.5)
    for place, name in enumerate(names):
        shift = 10 ** (DODGE * (2 * place - len(names) + 1) / max(len(names) - 1, 1))
        part, line = rates[rates["activation"] == name].sort_values("learning_rate"), style.line(name)
        at, shown = part["learning_rate"] * shift, percent_of(part[columns]).T
        panel.plot(at, shown[0], **line, zorder=3)
        panel.vlines(at, shown[1], shown[2], color=line["color"], linewidth=1.2, alpha=0.6)
        of_name = (runs["activation"] == name).to_numpy()
        panel.scatter(
            runs["learning_rate"][of_name] * shift * BESIDE, points[of_name], color=line["color"], s=7, linewidths=0
        )
        _ring(panel, at[part["is_chosen"]], shown[0][part["is_chosen"]], line["color"])
        lost = at[part["diverged"] > 0]
        panel.plot(
            lost, np.full(len(lost), 0.03), marker="x", linestyle="", color=line["color"],
            transform=panel.get_xaxis_transform(),
        )  # fmt: skip
    _rate_ticks(panel, ticks)
    note = "\n×: a seed diverged" if (rates["diverged"] > 0).any() else ""
    panel.set(xlabel=f"learning rate (ring: chosen on validation){note}", ylabel="best validation accuracy")
    return figure


def _ring(panel: Axes, x: Any, y: Any, color: str) -> None:
    panel.plot(x, y, marker="o", linestyle="", markersize=11, markerfacecolor="none", color=color, markeredgewidth=1.4)


def _rate_ticks(panel: Axes, rates: Any) -> None:
    """A tick a rate of the grid, named at whole decades."""
    exponents = np.log10(rates)
    is_decade = np.isclose(exponents, np.round(exponents))
    panel.set_xticks(rates, [power_of_ten(rate) if named else "" for rate, named in zip(rates, is_decade, strict=True)])
    panel.xaxis.set_minor_locator(NullLocator())


@styled
def tuned_beside_untuned(runs: pd.DataFrame, tuned: pd.DataFrame, style: Style, rate: float) -> Figure:
    """Test accuracy of every run (percent, the error logarithmic): a row an activation, tuned above untuned.

    `runs`: activation, arm ("tuned", "untuned"), accuracy in [0, 1] (NaN: no point). `tuned`: activation, and for both
    arms <arm>_n, <arm>_diverged, <arm>_accuracy_mean, <arm>_ci_low, <arm>_ci_high; one row an activation. `rate` is
    that of the untuned arm.
    """
    table = tuned.set_index("activation")
    names = style.order(table.index)
    bounds = {arm: [f"{arm}_accuracy_mean", f"{arm}_ci_low", f"{arm}_ci_high"] for arm in ("tuned", "untuned")}
    figure = Figure(figsize=(WIDTH, 1.1 + 0.62 * len(names)), layout="constrained")
    panel = figure.subplots()
    for row, name in enumerate(names):
        for arm, columns in bounds.items():
            values = runs.loc[(runs["activation"] == name) & (runs["arm"] == arm), "accuracy"].dropna()
            place, is_open = row + (0.2 if arm == "untuned" else -0.2), arm == "untuned"
            lane(
                panel, place, percent_of(values), percent_of(table.loc[name, columns]).tolist(), style.line(name),
                is_open=is_open, height=0.14,
            )  # fmt: skip
    of_arms = [column for columns in bounds.values() for column in columns]
    accuracy_scale(panel.xaxis, [*percent_of(runs["accuracy"]), *percent_of(table[of_arms]).ravel()], 7)
    rows_axis(panel, [f"{style.label(name)}\n{_counts(table.loc[name])}" for name in names])
    handles = [
        Line2D([], [], color=GREY, marker="o", linestyle="", markersize=6),
        Line2D([], [], color=GREY, marker="o", linestyle="", markersize=6, markerfacecolor="white"),
    ]
    labels = ["rate chosen on validation", f"rate {literal(f'{rate:g}')}"]
    figure.legend(handles, labels, loc="outside upper center", ncols=2)
    panel.set_xlabel("test accuracy")
    return figure


def _counts(row: "pd.Series[Any]") -> str:
    """n of both arms, and what diverged."""
    arms = [(row[f"{arm}_n"], row[f"{arm}_diverged"]) for arm in ("tuned", "untuned")]
    texts = [("0" if n != n else f"{n:g}") + (f" ({lost:g} diverged)" if lost > 0 else "") for n, lost in arms]
    return f"n = {texts[0]}" if texts[0] == texts[1] else f"n = {texts[0]}; {texts[1]}"
