"""DataFrame -> Figure for the output layers; as `study.figures.training`, in the same style."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from study.figures.rows import accuracy_scale, lane, percent_of, rows_axis
from study.figures.style import GREY, WIDTH, literal, styled

LINE: dict[str, Any] = {"color": "#222222", "marker": "o"}  # outputs are no activations, and have no colour of one


@styled
def accuracy_by_output(runs: pd.DataFrame, outputs: pd.DataFrame) -> Figure:
    """Test accuracy of every run (percent, the error logarithmic): a panel a loss, a row an output.

    `runs`: output, loss, test_accuracy in [0, 1] (NaN: no point); one row a run. `outputs`: output, loss, runs,
    diverged, n (that finished), test_accuracy_mean, ci_low, ci_high; one row an output and loss, in order. Where runs
    diverged the row says how many.
    """
    losses, names = list(dict.fromkeys(outputs["loss"])), list(dict.fromkeys(outputs["output"]))
    figure = Figure(figsize=(WIDTH, 1.0 + 0.5 * len(names)), layout="constrained")
    axes = figure.subplots(1, len(losses), sharey=True, squeeze=False)[0]
    columns = ["test_accuracy_mean", "ci_low", "ci_high"]
    seen = [*percent_of(runs["test_accuracy"]), *percent_of(outputs["test_accuracy_mean"])]
    for panel, loss in zip(axes, losses, strict=True):
        accuracy_scale(panel.xaxis, seen)
        for row, name in enumerate(names):
            values = runs.loc[(runs["output"] == name) & (runs["loss"] == loss), "test_accuracy"].dropna()
            found = outputs[(outputs["output"] == name) & (outputs["loss"] == loss)]
            if found.empty:
                continue
            lane(panel, row + 0.05, percent_of(values), percent_of(found[columns].iloc[0]).tolist(), LINE)
            _say_how_many_diverged(panel, row, found.iloc[0])
        panel.set_title(literal(loss))
        rows_axis(panel, [literal(name) for name in names])
    figure.supxlabel("test accuracy")
    figure.supylabel("output")
    return figure


def _say_how_many_diverged(panel: Any, row: int, found: "pd.Series[Any]") -> None:
    if found["diverged"]:
        text = f"{found['diverged']:g} of {found['runs']:g} diverged"
        at = panel.get_yaxis_transform()
        panel.text(0.5, row + 0.32 * (found["n"] > 0), text, transform=at, ha="center", va="center", color=GREY)
