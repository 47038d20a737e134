"""Draw losses and accuracy over the epochs: each run as a faint line, and the mean over seeds with its 95% band."""

import math
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.analysis.statistics import mean_interval
from study.figures.axes import ERROR_SCALE, LOG_SCALE, error_axis, error_percent, norm_axis, round_axis
from study.figures.marks import FEW_RUNS, mark_zeros, seaborn_lines, thin_markers, unlabelled
from study.figures.naming import name_lines
from study.figures.style import Style, panels

FEWEST_RUNS = 3  # from which a mean has a band
LOSSES = ("training_loss", "validation_loss")


def training_curves(history: pd.DataFrame, style: Style) -> Figure:
    """Draw training and validation loss (one logarithmic axis) and validation accuracy over the epochs.

    `history` is a part of `frames.history_frame`, with one row per run and epoch. Its columns are activation, seed,
    epoch (from 1), training_loss, validation_loss (nats) and validation_accuracy in [0, 1]. Each run is a faint line if
    no activation has more than FEW_RUNS. Means of losses are geometric. A mean ends where its first seed stops, because
    a mean over fewer seeds would jump.

    A run with a loss that is not finite has diverged. It is left out of the means, a cross marks its last finite epoch,
    and the legend counts it.
    """
    runs = _with_common_epochs(history.assign(error=error_percent(history["validation_accuracy"])))
    each = runs.drop_duplicates(["activation", "seed"]).groupby("activation")["diverged"].agg(["sum", "size"])
    notes = {str(name): f" ({lost}/{n} diverged)" for name, lost, n in each.itertuples() if lost}
    titles = (f"training loss\n{LOG_SCALE}", f"validation loss\n{LOG_SCALE}", f"validation accuracy\n{ERROR_SCALE}")
    figure, axes = panels(titles, 2.7)
    finite = runs[np.isfinite(runs[[*LOSSES, "error"]]).all(axis=1)].sort_values("epoch")
    kept = finite[~finite["diverged"] & (finite["epoch"] <= finite["common"])]
    lost = finite[finite["diverged"]].groupby(["activation", "seed"]).tail(1)
    for panel, column in zip(axes, (*LOSSES, "error"), strict=True):
        if column in LOSSES:
            norm_axis(panel, pd.concat([_as_means(finite, loss) for loss in LOSSES]))
            mark_zeros(panel, _as_means(finite, column), "epoch", style)
        _draw_runs(panel, finite, column, style)
        _draw_means(panel, kept, column, style)
        for name, epoch, value in lost[["activation", "epoch", column]].itertuples(index=False):
            panel.plot([epoch], [value], "x", color=style.color(name))
        round_axis(panel.xaxis, 4, integer=True)
    axes[1].tick_params(which="both", labelleft=False)
    error_axis(axes[2].yaxis, finite["error"])  # after the means, because seaborn averages on the scale that it finds
    ends_early = (finite["epoch"] > finite["common"]) & ~finite["diverged"]
    said = {
        "a mean ends where its first run stops": bool(ends_early.any()),
        "faint: runs": bool(each["size"].max() <= FEW_RUNS),
        "×: diverged": bool(notes),
    }
    figure.supxlabel("\n".join(filter(None, ("epoch", "; ".join(text for text, is_so in said.items() if is_so)))))
    name_lines(figure, axes, style, history["activation"], notes)
    return figure


def _with_common_epochs(history: pd.DataFrame) -> pd.DataFrame:
    """Return `history`, which has one row per run and epoch, with the columns `diverged` and `common` added.

    `diverged` (bool) marks runs with a loss that is not finite. `common` is the last epoch that all runs of the
    activation reach, without those that diverged. It is 0 if all diverged.
    """
    of_run = [history["activation"], history["seed"]]
    lost = ~np.isfinite(history[list(LOSSES)]).all(axis=1)
    diverged = lost.groupby(of_run).transform("any")
    last = history.groupby(["activation", "seed"])["epoch"].transform("max").mask(diverged)
    return history.assign(diverged=diverged, common=last.groupby(history["activation"]).transform("min").fillna(0))


def _as_means(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return `column` of `runs` as if each row were a mean of one run, in the columns of `norm_axis` and `mark_zeros`.

    These are activation, epoch, mean (NaN for 0), ci_low and ci_high (NaN), n, and n_zero (1 for 0).
    """
    value, is_zero = runs[column], (runs[column] == 0).astype(int)
    bare = runs[["activation", "epoch"]].assign(ci_low=np.nan, ci_high=np.nan)
    return bare.assign(mean=value.where(value > 0), n=1 - is_zero, n_zero=is_zero)


def _draw_runs(panel: Axes, runs: pd.DataFrame, column: str, style: Style) -> None:
    """Draw `column` of each run in `runs` over the epochs as a faint line.

    `runs` has one row per run and epoch, with the columns activation, seed, epoch and `column`. Values of 0 or less are
    not drawn. Draw nothing if an activation has more than FEW_RUNS runs.
    """
    found = runs[runs[column] > 0]
    if not 0 < found.groupby("activation")["seed"].nunique().max() <= FEW_RUNS:
        return
    colors: dict[str, Any] = {"hue": "activation", "palette": style.palette(found["activation"]), "units": "seed"}
    with unlabelled(panel):
        sns.lineplot(
            found, x="epoch", y=column, **colors, estimator=None, linewidth=0.5, alpha=0.3, legend=False, ax=panel
        )


def _draw_means(panel: Axes, runs: pd.DataFrame, column: str, style: Style) -> None:
    """Draw the mean over seeds of `column` in `runs`, with its 95% t interval, over the epochs.

    On a logarithmic axis, both are computed from logarithms. On any axis, values of 0 or less are left out.
    """
    if (found := runs[runs[column] > 0]).empty:
        return
    is_line = found["epoch"].max() > found["epoch"].min()
    band: dict[str, Any] = {"err_style": "band", "err_kws": {"alpha": 0.17, "linewidth": 0}}
    intervals = band if is_line else {"err_style": "bars"}
    first = len(panel.lines)
    seaborn_lines(panel, found, "epoch", column, style, errorbar=_clipped_interval, **intervals)
    thin_markers(panel.lines[first:])


def _clipped_interval(values: Any) -> tuple[float, float]:
    """Return the low and high end of the 95% t interval of the mean of `values` (n,), cut to [-300, 300].

    On a logarithmic axis `values` are exponents of ten, and larger ones cannot be drawn. Return NaN for fewer than
    FEWEST_RUNS values, whose interval would fill the panel.
    """
    if len(values) < FEWEST_RUNS:
        return math.nan, math.nan
    found = mean_interval(values)
    return max(found.low, -300), min(found.high, 300)
