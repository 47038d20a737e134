"""What makes a deep sigmoid network train, and does the same help other activations?

A network of 20 hidden layers, trained by SGD, is changed by one remedy at a time. The remedies are critical and centred
initialisation, batch and layer normalisation, residual connections (plain and scaled), and Adam instead of SGD. Adam
runs with smaller values of epsilon too, because Keras' 1e-7 is larger than the gradients of a deep sigmoid network.
With the smallest epsilon, the sigmoid network runs in float64 too: Adam squares the gradients, and float32 holds no
square below 1e-38.
"""

import itertools
import operator
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from experiments.depth import preactivations as preactivations  # is called with the records of this module
from study import figures
from study.analysis import summaries, trainability
from study.analysis.statistics import geometric_summary
from study.constants import DEPTH_EPOCHS, DEPTH_OPTIMIZERS, DEPTH_UPDATES, PROFILE_DEPTH, WIDTH
from study.figures.style import Style
from study.plan import Plan
from study.records import selection
from study.records.frames import measures_frame, runs_frame
from study.records.store import Record
from study.report.section import Section
from study.settings import Settings

PAGE = Path(__file__).with_suffix(".md")
NAME = "remedies"
NO_REMEDY = "none"  # in the place of a remedy: the network without a remedy
KEYS = ["activation", "remedy"]
REMEDY_SEEDS = 3
CENTRED_SIGMA_W = 4.0  # with it, a centred sigmoid network is at the start a critical tanh network
EPSILONS = (1e-12, 1e-16, 1e-20)  # Adam's, the smallest last
PLAIN_RESIDUAL, SCALED_RESIDUAL = "residual connections", "scaled residual connections"
SMALLEST_EPSILON = f"Adam, epsilon {EPSILONS[-1]:g}"
SMALLEST_IN_FLOAT64 = f"{SMALLEST_EPSILON} in float64"


def remedy_settings(plan: Plan, name: str) -> dict[str, dict[str, object]]:
    """Return {remedy: {setting: value}}: what each remedy changes in the plain network of activation `name`.

    Critical initialisation needs a critical point in `plan.theory`. Only the sigmoid has the remedy
    SMALLEST_IN_FLOAT64.
    """
    (adam, adam_rate), _ = DEPTH_OPTIMIZERS
    critical = plan.theory[name]["critical"]
    by_adam = {"optimizer": adam, "learning_rate": adam_rate}
    smallest = {**by_adam, "epsilon": EPSILONS[-1], "precision": "float64"}
    return {
        NO_REMEDY: {},
        **({} if critical is None else {"critical initialisation": {"initialization": "critical", **critical}}),
        "centred initialisation": {"initialization": "centred", "sigma_w": CENTRED_SIGMA_W, "sigma_b": 0.0},
        "batch normalisation": {"normalization": "batch"},
        "layer normalisation": {"normalization": "layer"},
        PLAIN_RESIDUAL: {"residual": "plain"},
        SCALED_RESIDUAL: {"residual": "scaled"},
        "Adam": by_adam,
        **{f"Adam, epsilon {epsilon:g}": {**by_adam, "epsilon": epsilon} for epsilon in EPSILONS},
        **({SMALLEST_IN_FLOAT64: smallest} if name == "sigmoid" else {}),
    }


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """Return the settings of one round: every remedy, activation and seed; none with records or in a quick look.

    The runs without a remedy and with the remedy "Adam" are runs of `depth` too.
    """
    return [] if so_far or plan.is_quick else list(_remedy_by_settings(plan))


def _remedy_by_settings(plan: Plan) -> dict[Settings, str]:
    """Return {settings: remedy} of every run of `plan`."""
    _, (sgd, rate) = DEPTH_OPTIMIZERS
    plain = {
        "depth": PROFILE_DEPTH, "width": WIDTH, "optimizer": sgd, "learning_rate": rate, "epochs": DEPTH_EPOCHS,
        "patience": None,
    }  # fmt: skip
    return {
        Settings(activation=name, seed=seed, **{**plain, **change}): remedy  # type: ignore[arg-type]
        for name in plan.activations
        for remedy, change in remedy_settings(plan, name).items()
        for seed in plan.block(plan.seeds or REMEDY_SEEDS)
    }


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Compare the accuracy with each remedy and without, and the first layer's error at initialisation."""
    names = _remedy_by_settings(plan)
    of_record = [names[Settings(**selection.settings_of(record))] for record in records]
    runs = runs_frame(records).assign(remedy=of_record)
    in_turn = itertools.groupby(zip(of_record, records, strict=True), key=operator.itemgetter(0))
    measures = pd.concat(measures_frame(record for _, record in part).assign(remedy=name) for name, part in in_turn)
    success = trainability.success(runs, KEYS)
    tables = {
        "gradient_norms": trainability.thinned_norms(summaries.gradient_norms(measures, NAME), DEPTH_UPDATES),
        "remedies": success.merge(_first_errors(measures), on=KEYS, how="left"),
    }
    figure = figures.remedies(
        success.assign(baseline=success["remedy"] == NO_REMEDY),
        style,
        runs.assign(value=runs["best_validation_accuracy"]),
    )
    protocol = {
        "plain": NO_REMEDY,
        "residual": [PLAIN_RESIDUAL, SCALED_RESIDUAL],
        "smallest": [SMALLEST_EPSILON, SMALLEST_IN_FLOAT64],
        "variants": [*(f"Adam, epsilon {epsilon:g}" for epsilon in EPSILONS), SMALLEST_IN_FLOAT64],
        "epsilon": EPSILONS[-1],
        "sgd_rate": DEPTH_OPTIMIZERS[1][1],
        "centred_sigma_w": CENTRED_SIGMA_W,
    }
    return Section(PAGE, tables, {NAME: figure}, protocol)


def _first_errors(measures: pd.DataFrame) -> pd.DataFrame:
    """Return the error at layer 1 before training, by KEYS: its geometric mean first_error with its t interval."""
    errors = measures[(measures["step"] == 0) & (measures["measure"] == "error") & (measures["layer"] == 1)]
    renamed = {"mean": "first_error", "ci_low": "first_error_low", "ci_high": "first_error_high"}
    return geometric_summary(errors, "value", KEYS).rename(columns=renamed)[[*KEYS, *renamed.values()]]
