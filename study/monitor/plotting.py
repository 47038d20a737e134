"""Draw the measures of one fit with the study's own figures, with the names of the model's layers."""

import math
from collections.abc import Callable, Collection

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from study.figures import layers, maps
from study.figures.axes import LOG_SCALE
from study.figures.drawing import Drawing, encode
from study.figures.marks import small_multiples
from study.figures.naming import name_lines
from study.figures.style import Style, literal

MOST_TICKS = 12  # names of layers that fit below or beside a panel
MOST_NAME_CHARACTERS = 18  # of a layer's name in a figure


def draw(kind: str, frame: pd.DataFrame, model: str) -> Figure:
    """Return the figure of one fit that `GradientLogger.plot` calls `kind`; raise ValueError as that method does.

    `frame` has the rows of one fit, as `GradientLogger.to_frame` returns them. `model` is the model's name. It takes
    the place of an activation in the study's figures; in "layers", each of three logged steps does.
    """
    kinds: dict[str, Callable[[pd.DataFrame, str], Figure]] = {
        "layers": _draw_layers, "training": _draw_training, "heat": _draw_heat_map, "units": _draw_units,
    }  # fmt: skip
    if kind not in kinds:
        raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(kinds)}")
    figure = Drawing(kinds[kind], (frame, model)).draw()
    # A notebook shows a figure that was made without pyplot by this method alone.
    figure._repr_png_ = lambda: encode(figure, "png")  # type: ignore[attr-defined]
    return figure


def _draw_layers(frame: pd.DataFrame, model: str) -> Figure:
    """Draw a panel for each norm in SIGNAL_TITLES, over the layers with weights but without normalisations.

    Each panel has a line for the first, a middle and the last logged step. The name `model` is not shown.
    """
    rows, names = _long_form(_rows_with_weights(frame), model, layers.SIGNAL_TITLES)
    steps = np.unique(rows["step"])
    labels = {step: f"step {step}" for step in (steps[0], steps[len(steps) // 2], steps[-1])}
    rows = rows[rows["step"].isin(list(labels))].assign(activation=lambda part: part["step"].map(labels))
    style = _style(*labels.values())
    height = 2 + 0.07 * max(map(len, names))
    figure, shown = small_multiples(rows, "layer", "log", style, ("measure", layers.SIGNAL_TITLES), height=height)
    places = _named_places(names)
    for panel in shown.values():
        panel.set_xticks([place + 1 for place in places], [names[place] for place in places], rotation=90)
    figure.supxlabel("layer, from input to output")
    figure.supylabel(f"norm {LOG_SCALE}")
    name_lines(figure, shown.values(), style, labels.values())
    return figure


def _draw_training(frame: pd.DataFrame, model: str) -> Figure:
    return _draw_over_training(_rows_with_weights(frame), model, layers.NORM_TITLES, "log")


def _draw_units(frame: pd.DataFrame, model: str) -> Figure:
    """Draw the shares of units and entries over the steps; raise ValueError without an elementwise activation."""
    has_units = frame["dead_units"].notna()
    if not has_units.any():
        raise ValueError("units cannot be drawn: none of the measured layers has an elementwise activation")
    return _draw_over_training(frame[has_units], model, layers.UNIT_TITLES, "percent")


def _draw_over_training(frame: pd.DataFrame, model: str, measures: dict[str, str], kind: str) -> Figure:
    """Draw `measures`, {name: title}, in columns and the first, a middle and the last layer in rows, over the steps.

    `kind` is the scale of the y axes: "log" or "percent".
    """
    rows, names = _long_form(frame, model, measures)
    known = sorted(rows["layer"].unique())
    chosen = {layer: names[layer - 1] for layer in (known[0], known[(len(known) - 1) // 2], known[-1])}
    rows, choices = rows[rows["layer"].isin(list(chosen))], (("measure", measures), ("layer", chosen))
    return small_multiples(rows, "step", kind, _style(model), *choices, height=1.5, shared="column")[0]


def _draw_heat_map(frame: pd.DataFrame, model: str) -> Figure:
    """Draw the error of each layer at each logged step as a colour, with the names of the layers beside the rows."""
    rows, names = _long_form(_rows_with_weights(frame), model, ["error"])
    figure = maps.error_heat_map(rows, _style(model), digits=2)
    places = _named_places(names)
    figure.axes[0].set_yticks([place + 0.5 for place in places], [names[place] for place in places], rotation=0)
    return figure


def _named_places(names: list[str]) -> list[int]:
    """Return the places of at most MOST_TICKS of the `names`, the first and the last among them."""
    return [round(place) for place in np.linspace(0, len(names) - 1, min(len(names), MOST_TICKS))]


def _rows_with_weights(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of calls with weights and a known error, without normalisations; all rows if none are left."""
    has_error = frame.groupby(["layer", "call"])["error"].transform("count") > 0
    has_weights = frame.groupby("layer")["weight_rms"].transform("count") > 0
    is_shown = has_error & has_weights & ~frame["kind"].str.endswith("Normalization")
    return frame[is_shown] if is_shown.any() else frame


def _long_form(frame: pd.DataFrame, model: str, measures: Collection[str]) -> tuple[pd.DataFrame, list[str]]:
    """Return `measures` in the form that the study's figures take, and the names of the calls of layers, in order.

    The form has one row per call, step and finite measure. Its column activation holds the `model`, depth the number of
    calls less 1, layer the call's place in `frame`, from 1, and mean the value. A norm of 0, which has no logarithm,
    has NaN, n = 0 and n_zero = 1. Raise ValueError if no value is finite.
    """
    calls = list(dict.fromkeys(zip(frame["layer"], frame["call"], strict=True)))
    numbers = [calls.index(call) + 1 for call in zip(frame["layer"], frame["call"], strict=True)]
    long = frame.assign(depth=len(calls) - 1, activation=model, layer=numbers).melt(
        ["activation", "depth", "layer", "step"], list(measures), "measure", "mean"
    )
    long = long[np.isfinite(long["mean"])].assign(ci_low=math.nan, ci_high=math.nan, n=1, n_zero=0)
    if long.empty:
        raise ValueError(f"{', '.join(measures)} cannot be drawn: no value is finite")
    is_zero = ~long["measure"].isin(list(layers.UNIT_TITLES)) & (long["mean"] == 0)
    long.loc[is_zero, ["mean", "n", "n_zero"]] = math.nan, 0, 1
    several = frame.groupby("layer")["call"].max()
    names = [name if several[name] == 1 else f"{name}, call {call}" for name, call in calls]
    return long, [literal(name, MOST_NAME_CHARACTERS) for name in names]


def _style(*labels: str) -> Style:
    return Style({label: label for label in labels}, {label: place for place, label in enumerate(labels)})
