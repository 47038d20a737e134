"""Draw norms and the states of units by layer and over training, and theory's predictions beside them.

Lines or markers are means over seeds, and bands or bars their 95% intervals. On a logarithmic axis an exact zero is an
open marker in a band labelled "exactly 0"; the line is the mean of the other seeds. A wide grey line is theory.

`gradient_norms` is a part of the table of `summaries.gradient_norms`, with one row per activation, layer, step and
measure. Its columns are activation, depth (hidden layers), layer, step, measure, mean, ci_low, ci_high, n and n_zero.
Layer 1 is nearest the input, and layer depth + 1 is the output. Step 0 is the initialisation. The mean and interval of
a norm are geometric, over the n seeds above 0. `n_zero` counts the seeds at exactly 0. All functions raise ValueError
for two depths in one panel, or for two rows that would be the same point of a line.

In titles, L is the loss and rms a root mean square. Layer l has the weights W_l, the activations h_l, and the error
signal delta_l, the gradient of one example's loss with respect to the layer's pre-activations. The measures are defined
in study/engine/measures.py.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.figures.axes import LOG_SCALE, X_LABELS, norm_axis
from study.figures.marks import INTERVAL, THEORY_LOOK, check_unique, seed_count_text, small_multiples
from study.figures.naming import name_lines, no_data_notes
from study.figures.style import Style

# The title of each measure's panels, by its name in study/engine/measures.py.
NORM_TITLES = {
    "weight_gradient": "weight gradient\n" r"$\|\partial\mathcal{L}/\partial W_l\|$",
    "example_weight_gradient": "per-example gradient\n" r"rms $\|\delta_l\|\,\|h_{l-1}\|$",
    "error": "error signal\n" r"rms $\|\delta_l\|$",
}
SIGNAL_TITLES = {
    "weight_gradient": NORM_TITLES["weight_gradient"],
    "error": NORM_TITLES["error"],
    "activation_rms": "forward signal\nrms $h_l$",
}
UNIT_TITLES = {"dead_units": "dead units", "saturation": "saturated entries", "sparsity": "entries exactly 0"}
TIME_LABELS = {"initial": "before training", "end": "after training"}


def gradient_norms_by_layer(gradient_norms: pd.DataFrame, style: Style) -> Figure:
    """Draw the norms in NORM_TITLES by layer at initialisation: a panel per norm, a line per activation."""
    return _draw_by_layer(gradient_norms, NORM_TITLES, style)


def norms_side_by_side(gradient_norms: pd.DataFrame, style: Style) -> Figure:
    """Draw the norms of the weight gradient, error signal and forward signal by layer at initialisation."""
    return _draw_by_layer(gradient_norms, SIGNAL_TITLES, style)


def gradient_norms_over_training(gradient_norms: pd.DataFrame, style: Style) -> Figure:
    """Draw the norms in NORM_TITLES (columns) over the training steps in the first, a middle and the last layer (rows).

    All panels of a column have the same scale, so that layers can be compared. A line ends where its first seed stops,
    that is, where n + n_zero falls.
    """
    rows = gradient_norms[gradient_norms["measure"].isin(NORM_TITLES)]
    figure = _draw_over_training(_reached_by_all_seeds(rows, rows["n"] + rows["n_zero"]), NORM_TITLES, "log", style)
    figure.supylabel(f"norm {LOG_SCALE}")
    return figure


def unit_measures(gradient_norms: pd.DataFrame, style: Style) -> Figure:
    """Draw dead units, saturated entries and exact zeros (columns, percent) over the steps, by hidden layer (rows).

    The layers are the first, a middle and the last. Means of these measures are arithmetic, in [0, 1], and `n` counts
    all seeds. A missing mean counts as 0 where n_zero is above 0. A line ends where its first seed stops.
    """
    shares = gradient_norms["measure"].isin(UNIT_TITLES) & (gradient_norms["layer"] <= gradient_norms["depth"])
    rows = _reached_by_all_seeds(gradient_norms[shares], gradient_norms.loc[shares, ["n", "n_zero"]].max(axis=1))
    rows = rows.assign(mean=rows["mean"].mask(rows["mean"].isna() & (rows["n_zero"] > 0), 0.0))
    return _draw_over_training(rows, UNIT_TITLES, "percent", style)


def errors_beside_theory(theory: pd.DataFrame, style: Style) -> Figure:
    """Draw the error signal's norm by layer, relative to the output layer's norm, as measured and as predicted.

    `theory` is a part of the table of `trainability.beside_theory`, with one row per activation and layer. Columns:
    activation, depth, layer, predicted, measured, ci_low, ci_high (ratios), n and n_zero. Each activation has a panel,
    and all panels share one logarithmic scale. A predicted 0 is not drawn.
    """
    rows = check_unique(theory, ["activation", "layer"]).sort_values("layer")
    rows = rows.assign(mean=rows["measured"], predicted=rows["predicted"].where(rows["predicted"] > 0))
    names = {name: style.label(name) for name in style.order(rows["activation"])}
    figure, shown = small_multiples(
        rows, "layer", "log", style, ("activation", names), height=1.7, columns=2, shared="all", band=False
    )
    scale = pd.concat([rows, rows.assign(mean=rows["predicted"])])
    for (_, name), panel in shown.items():
        norm_axis(panel, scale)
        for line in panel.lines:
            line.set_linestyle("")
        _draw_predictions(panel, rows[rows["activation"] == name])
    counts = seed_count_text(rows["n"] + rows["n_zero"])
    figure.supxlabel(f"{X_LABELS['layer']}\nmarkers: measured ({counts}); grey: theory")
    figure.supylabel(r"$\|\delta_l\|$, relative to output" + f"\n{LOG_SCALE}")
    return figure


def similarity_by_layer(similarity: pd.DataFrame, style: Style) -> Figure:
    """Draw 1 minus the mean cosine of two images by layer: a column for each depth, a row for each value of `when`.

    The cosine is of the pre-activations of two images. `similarity` is a part of the table `trainability.similarity`,
    with one row per activation, depth, layer and `when`. Its columns are activation, depth, layer, when ("initial" or
    "end" of training), mean, ci_low, ci_high (cosines), n (seeds), predicted (a cosine; NaN is not drawn).

    A difference from 1 that float32, in which trained networks compute, cannot tell from 0 counts as an exact zero.
    """
    rows = check_unique(similarity, ["activation", "depth", "layer", "when"])
    apart = 1 - rows[["mean", "ci_high", "ci_low", "predicted"]].astype(float)
    apart = apart.where(apart > 2 * np.finfo(np.float32).eps).set_axis([*INTERVAL, "predicted"], axis=1)
    is_zero = rows["mean"].notna() & apart["mean"].isna()
    rows = rows.assign(**apart, n_zero=rows["n"].where(is_zero, 0), n=rows["n"].mask(is_zero, 0))
    depths = {depth: f"{depth} hidden layer{'s' * (depth > 1)}" for depth in sorted(set(rows["depth"]))}
    times = {when: TIME_LABELS.get(when, when) for when in dict.fromkeys(rows["when"])}
    choices = ("depth", depths), ("when", times)
    figure, shown = small_multiples(rows, "layer", "log", style, *choices, height=2.0, shared="all")
    for (when, depth), panel in shown.items():
        _draw_predictions(panel, rows[(rows["when"] == when) & (rows["depth"] == depth)])
    figure.supxlabel(f"{X_LABELS['layer']}\ngrey: theory")
    figure.supylabel(f"1 - mean cosine of two images {LOG_SCALE}")
    name_lines(figure, shown.values(), style, rows["activation"], no_data_notes(rows))
    return figure


def _draw_by_layer(rows: pd.DataFrame, measures: Mapping[str, str], style: Style) -> Figure:
    """Draw a panel for each of `measures`, {name: title}, over the layers at step 0; `rows` is `gradient_norms`."""
    rows = rows[(rows["step"] == 0) & rows["measure"].isin(list(measures))]
    rows = check_unique(rows, ["activation", "layer", "measure"])
    figure, shown = small_multiples(rows, "layer", "log", style, ("measure", measures), height=2.4)
    figure.supylabel(f"norm {LOG_SCALE}")
    name_lines(figure, shown.values(), style, rows["activation"], no_data_notes(rows))
    return figure


def _draw_over_training(rows: pd.DataFrame, measures: Mapping[str, str], kind: str, style: Style) -> Figure:
    """Draw measures over the steps in the first, a middle and the last layer of `rows`, a part of `gradient_norms`.

    `measures` maps names of measures to titles: each measure has a column of panels, and each layer a row. `kind` is
    the kind of the y axes, as in `marks.line_panel`.
    """
    check_unique(rows, ["activation", "layer", "step", "measure"])
    known, output = sorted(rows["layer"].unique()) or [1], set(rows["depth"] + 1)
    chosen = dict.fromkeys([known[0], known[(len(known) - 1) // 2], known[-1]])
    layers = {layer: "output layer" if layer in output else f"layer {layer}" for layer in chosen}
    rows, choices = rows[rows["layer"].isin(list(layers))], (("measure", measures), ("layer", layers))
    figure, shown = small_multiples(rows, "step", kind, style, *choices, height=1.5, shared="column")
    if kind == "percent":
        for panel in shown.values():
            panel.set_yticks((0, 50, 100))
    name_lines(figure, shown.values(), style, rows["activation"], no_data_notes(rows))
    return figure


def _reached_by_all_seeds(rows: pd.DataFrame, counts: "pd.Series[int]") -> pd.DataFrame:
    """Return the `rows` of steps that all seeds of the activation reached.

    `counts` (n,) holds the number of seeds of each row. A mean over fewer seeds would jump where the others stopped.
    """
    return rows[counts == counts.groupby([rows["activation"], rows["layer"], rows["measure"]]).transform("max")]


def _draw_predictions(panel: Axes, rows: pd.DataFrame) -> None:
    """Draw the column `predicted` of `rows` over the layers as a wide grey line for each activation."""
    for _, part in rows.sort_values("layer").groupby("activation"):
        panel.plot(part["layer"], part["predicted"], **THEORY_LOOK)
