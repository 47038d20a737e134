"""DataFrame -> Figure for published claims; as `study.figures.training`, in the same style."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from study.figures.style import Style, panels, styled


@styled
def born_dead(born: pd.DataFrame, style: Style) -> Figure:
    """The share of networks that are born dead over the width of their layers, with exact intervals.

    `born`: activation, width (units), rate, ci_low, ci_high (in [0, 1]), n (networks); one row an activation and width.
    """
    names = style.order(born["activation"])
    figure, axes = panels(1, [""], 2.4, style, names)
    panel = axes[0, 0]
    for name in names:
        rows, line = born[born["activation"] == name].sort_values("width"), style.line(name)
        panel.plot(rows["width"], rows["rate"], **line)
        panel.vlines(rows["width"], rows["ci_low"], rows["ci_high"], color=line["color"], linewidth=1.6)
    widths = sorted(born["width"].unique())
    panel.set(ylim=(-0.04, 1.04), xticks=widths, xlabel="units in each hidden layer")
    low, high = born["n"].min(), born["n"].max()
    panel.set_ylabel(f"born dead (n = {low:g})" if low == high else f"born dead (n = {low:g} to {high:g})")
    panel.yaxis.set_major_formatter(PercentFormatter(1))
    return figure
