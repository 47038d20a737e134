"""Draw what was logged with the study's figures, whose layers bear the model's names here."""

import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from study.figures import norms
from study.figures.style import Style, literal

MOST_TICKS = 12  # names of layers that fit below a panel
MOST_CHARACTERS = 18  # of a layer's name


def draw(kind: str, frame: pd.DataFrame, model: str) -> Figure:
    """Draw the rows of one fit as `kind`: "layers", "training", "heat" or "units".

    A model counts as one activation of the study's figures; by layer, three of the logged steps do.
    """
    kinds: dict[str, Callable[[pd.DataFrame, str], Figure]] = {
        "layers": _layers, "training": _training, "heat": _heat, "units": _units,
    }  # fmt: skip
    if kind not in kinds:
        raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(kinds)}")
    figure = kinds[kind](frame, model)
    figure.set_layout_engine("constrained")  # the names take other space than the study's numbers

    def png() -> bytes:  # a notebook shows a figure that was made without pyplot by this method alone
        file = io.BytesIO()
        figure.savefig(file, format="png")
        return file.getvalue()

    figure._repr_png_ = png  # type: ignore[attr-defined]
    return figure


def _layers(frame: pd.DataFrame, model: str) -> Figure:
    rows, names = _long(_weighted(frame), model)
    steps = np.unique(rows["step"])
    chosen = list(dict.fromkeys([steps[0], steps[len(steps) // 2], steps[-1]]))
    labels = {step: f"step {step}" for step in chosen}
    rows = rows[rows["step"].isin(chosen)].assign(activation=lambda part: part["step"].map(labels), step=0)
    figure = norms.norms_side_by_side(rows, _style(*labels.values()))
    for panel in figure.axes:
        places = range(0, len(names), math.ceil(len(names) / MOST_TICKS))
        panel.set_xticks([place + 1 for place in places], [names[place] for place in places], rotation=90)
    figure.supxlabel("layer, from input to output", fontsize=10)
    figure.set_figheight(figure.get_figheight() + 0.07 * max(map(len, names)))
    return figure


def _training(frame: pd.DataFrame, model: str) -> Figure:
    rows, names = _long(_weighted(frame), model)
    return _by_layer(norms.gradient_norms_over_training(rows, _style(model)), rows, names, norms.NORMS)


def _units(frame: pd.DataFrame, model: str) -> Figure:
    has_units = frame["dead_units"].notna()
    if not has_units.any():
        raise ValueError("no measured layer has an elementwise activation, so that there are no units to draw")
    rows, names = _long(frame[has_units], model)
    rows = rows.assign(depth=len(names))
    return _by_layer(norms.unit_measures(rows, _style(model)), rows, names, norms.UNIT_MEASURES)


def _by_layer(figure: Figure, rows: pd.DataFrame, names: list[str], measures: Any) -> Figure:
    """Name the rows of panels, which show the first, a middle and the last layer that has the measures."""
    known = sorted(rows.loc[rows["measure"].isin(list(measures)), "layer"].unique())
    chosen = dict.fromkeys([known[0], known[(len(known) - 1) // 2], known[-1]])
    for place, layer in enumerate(chosen):
        figure.axes[place * len(measures)].set_ylabel(names[layer - 1])
    return figure


def _heat(frame: pd.DataFrame, model: str) -> Figure:
    rows, names = _long(_weighted(frame), model)
    figure = norms.error_heat_map(rows, _style(model))
    figure.axes[0].set_yticks([place + 0.5 for place in range(len(names))], names, rotation=0)
    return figure


def _weighted(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the calls of layers with weights, but normalisations, whose error is known; all calls if there is none."""
    has_error = frame.groupby(["layer", "call"])["error"].transform("count") > 0
    has_weights = frame.groupby("layer")["weight_rms"].transform("count") > 0
    has_weights &= ~frame["kind"].str.endswith("Normalization")
    return frame[has_error & has_weights] if (has_error & has_weights).any() else frame


def _long(frame: pd.DataFrame, model: str) -> tuple[pd.DataFrame, list[str]]:
    """Return one row per call, step and measure as the study's figures take them, and the names of the calls."""
    calls = list(dict.fromkeys(zip(frame["layer"], frame["call"], strict=True)))
    places = {call: place for place, call in enumerate(calls, start=1)}
    measures = [*norms.SIGNALS, "example_weight_gradient", *norms.UNIT_MEASURES]
    numbered = frame.assign(depth=len(calls) - 1, activation=model)
    numbered["layer"] = [places[call] for call in zip(frame["layer"], frame["call"], strict=True)]
    long = numbered.melt(["activation", "depth", "layer", "step"], measures, "measure", "mean")
    long = long[np.isfinite(long["mean"])].assign(ci_low=math.nan, ci_high=math.nan)
    is_norm = ~long["measure"].isin(list(norms.UNIT_MEASURES))
    long["n_zero"] = (is_norm & (long["mean"] == 0)).astype(int)
    long["n"] = 1 - long["n_zero"]
    long["mean"] = long["mean"].mask(long["n_zero"] > 0)
    several = frame.groupby("layer")["call"].max()
    names = [name if several[name] == 1 else f"{name}, call {call}" for name, call in calls]
    return long, [literal(name, MOST_CHARACTERS) for name in names]


def _style(*labels: str) -> Style:
    return Style({label: label for label in labels}, {label: place for place, label in enumerate(labels)})
