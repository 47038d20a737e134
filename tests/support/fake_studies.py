"""Make up whole studies: theory, records with measures, and the section of every question."""

import functools
from collections.abc import Callable, Collection
from itertools import product
from typing import Any

import fake_records
import pandas as pd
import synthetic

import experiments
from study.activations import REGISTRY
from study.constants import INITIAL_DEPTHS, INITIAL_WIDTHS, INITIALIZATIONS
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import all_runs
from study.records.store import Record
from study.report.page import joined_tables
from study.report.section import Evidence, Section
from study.settings import Settings

NAMES = tuple(REGISTRY)
STYLE = Style({name: entry.label for name, entry in REGISTRY.items()}, {name: i for i, name in enumerate(REGISTRY)})
Accuracy = Callable[[Settings], float]
QUANTITIES = ("preactivation_square", "error_norm_ratio", "example_weight_gradient_norm_ratio", "similarity")
# Columns of theory's table `rows`, besides activation.
COLUMNS = ["init", "depth", "width", "layer", "quantity", "predicted", "predicted_spread"]
SIGMA_W = experiments.trainable_depth_6xi.SIGMA_W


def theory(*names: str) -> dict[str, dict[str, Any]]:
    """Return {name: theory} for `names`, in the form of study.records.catalogue; theory predicts 1 for every quantity.

    Only ReLU has a critical point. The depth scale is 2 layers everywhere.
    """
    networks = [
        (init, layers, width, layer, quantity, 1.0, 1.0)
        for init, layers, width in product(INITIALIZATIONS, INITIAL_DEPTHS, INITIAL_WIDTHS)
        for layer, quantity in product(range(1, layers + 2), QUANTITIES)
    ]
    rows = pd.DataFrame(networks, columns=COLUMNS)
    return {
        name: {
            "critical": {"sigma_w": 1.5, "sigma_b": 0.25, "first_square": None} if name == "relu" else None,
            "why_none": "" if name == "relu" else "slope too small",
            "line": {"sigma_w": [1.4, 1.5], "sigma_b": [0.0, 0.25]},
            "rows": rows.assign(activation=name).to_dict("list"),
            "depth_scales": {"trainable_depth_6xi": {"sigma_w": SIGMA_W, "xi": [2.0] * len(SIGMA_W)}},
        }
        for name in names
    }


def measured(settings: Settings, accuracy: float) -> Record:
    """Return a run's record with this `accuracy` and measures, of the first step alone if it trains 0 epochs."""
    measures = fake_records.result(settings)["measures"]
    steps = None if settings.epochs else 1
    return fake_records.record(settings, accuracy, measures={name: values[:steps] for name, values in measures.items()})


def sections(
    plan: Plan, accuracy: Accuracy, documents: dict[str, Any], only: Collection[str] | None = None
) -> dict[str, Section]:
    """Return {name of an experiment: its section}, made as a report makes the sections, without those that lack input.

    `accuracy` tells the accuracy of each run of the `plan`. `documents` are the measured documents, such as costs, that
    `Evidence` holds. With `only`, the experiments of these names alone have runs.
    """
    used, found = {}, {}
    made = functools.cache(measured)  # questions share runs, and some their rounds
    records = functools.cache(lambda rounds: fake_records.all_rounds(rounds, plan, accuracy, made))
    for name, module in experiments.experiments().items():
        used[name] = records(module.rounds) if only is None or name in only else []
        if used[name]:
            found[name] = module.interpret(plan, used[name], STYLE)
    curves = [
        pd.DataFrame(synthetic.curve(synthetic.REGISTRY[name])).assign(activation=name) for name in plan.activations
    ]
    more = {"runs": all_runs(used), "activations": pd.concat(curves, names=["activation"]).reset_index(0)}
    for name, module in reversed(list(experiments.by_name().items())):
        if name not in used:
            tables = {**joined_tables(list(found.values())), **more}
            if section := module.conclude(plan, Evidence(tables, documents), STYLE):
                found[name] = section
    return found
