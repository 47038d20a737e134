"""DataFrame -> Figure for noise on the images; as `study.figures.training`, in the same style."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from study.figures.style import GREY, Style, lines, logarithmic, panels, say_if_empty, styled

CHANCE = 10  # percent, of guessing among ten digits


@styled
def noise_response(robustness: pd.DataFrame, runs: pd.DataFrame, style: Style, reference: str | None) -> Figure:
    """Test accuracy (percent), its difference from the reference (points) and the loss, over the amplitude of noise.

    `robustness`: activation, amplitude, test_accuracy_mean, accuracy_ci_low, accuracy_ci_high, difference,
    difference_ci_low, difference_ci_high (in [-1, 1]), test_loss_mean, loss_ci_low, loss_ci_high (geometric, nats);
    one row an activation and amplitude. `runs`: activation, amplitude, test_accuracy, test_loss; one row a run and
    amplitude, drawn as small points. Without a `reference` (its label) there is no panel of differences.
    """
    middle = [] if reference is None else ["difference"]
    kinds = ["test_accuracy", *middle, "test_loss"]
    titles = {"test_accuracy": "test accuracy", "difference": f"minus {reference}, points", "test_loss": "test loss"}
    figure, axes = panels(1, [titles[kind] for kind in kinds], 2.6, style, robustness["activation"])
    for panel, kind in zip(axes[0], kinds, strict=True):
        factor = 1 if kind == "test_loss" else 100
        rows = _interval_columns(robustness, kind, factor)
        if kind == "test_loss":
            logarithmic(panel, rows)
        if kind != "difference":
            for name in style.order(runs["activation"]):
                part = runs[runs["activation"] == name]
                panel.scatter(
                    part["amplitude"], factor * part[kind], color=style.color(name), s=3, alpha=0.4, linewidths=0
                )
        lines(panel, rows, "amplitude", style)
        say_if_empty(panel, rows)
        panel.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes[0, 0].yaxis.set_major_formatter(PercentFormatter())
    axes[0, 0].set(ylim=(0, 103), yticks=(0, 25, 50, 75, 100))
    axes[0, 0].axhline(CHANCE, color=GREY, linestyle=":", linewidth=1.2, zorder=1)
    figure.supxlabel("amplitude $a$ of the noise, Unif$[-a, a]$ on each pixel in [0, 1]\ndotted: guessing")
    return figure


def _interval_columns(robustness: pd.DataFrame, kind: str, factor: float) -> pd.DataFrame:
    """The columns that `style.lines` draws: activation, amplitude, mean, ci_low, ci_high; no zeros."""
    names = {
        "test_accuracy": ("test_accuracy_mean", "accuracy_ci_low", "accuracy_ci_high"),
        "difference": ("difference", "difference_ci_low", "difference_ci_high"),
        "test_loss": ("test_loss_mean", "loss_ci_low", "loss_ci_high"),
    }[kind]
    found = {new: factor * robustness[old] for new, old in zip(("mean", "ci_low", "ci_high"), names, strict=True)}
    return robustness[["activation", "amplitude"]].assign(**found, n=1, n_zero=0)
