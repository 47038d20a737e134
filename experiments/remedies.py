"""What rescues a deep sigmoid network, and does the same help the others? One remedy at a time, 20 hidden layers, SGD.

Critical and centred initialisation, batch and layer normalisation, residual connections, Adam instead of SGD, and Adam
with a smaller epsilon: Keras' 1e-7 is larger than the gradients it is to normalise.
"""

from collections.abc import Sequence

import pandas as pd

from study import figures
from study.analysis import summaries, trainability
from study.analysis.statistics import geometric_summary
from study.constants import (
    CENTRED_SIGMA_W,
    DEPTH_EPOCHS,
    DEPTH_OPTIMIZERS,
    DEPTH_UPDATES,
    PROFILE_DEPTH,
    REMEDY_SEEDS,
    SMALL_EPSILON,
    TRAINED_LEVEL,
    WIDTH,
)
from study.figures.style import Style
from study.plan import Plan
from study.records.frames import measures_frame, runs_frame
from study.records.store import Record
from study.report import formatting
from study.report.section import Display, Picture, Section
from study.settings import Settings

TITLE = "Remedies for a deep network"
NAME = "remedies"
BEFORE = "none"
KEYS = ["activation", "remedy"]


def remedies(plan: Plan, name: str) -> dict[str, dict[str, object]]:
    """What each remedy changes of the plain network trained by SGD; without a critical point, no critical remedy."""
    (adam, adam_rate), _ = DEPTH_OPTIMIZERS
    critical = plan.theory[name]["critical"]
    by_adam = {"optimizer": adam, "learning_rate": adam_rate}
    return {
        BEFORE: {},
        **({} if critical is None else {"critical initialisation": {"initialization": "critical", **critical}}),
        "centred initialisation": {"initialization": "centred", "sigma_w": CENTRED_SIGMA_W, "sigma_b": 0.0},
        "batch normalisation": {"normalization": "batch"},
        "layer normalisation": {"normalization": "layer"},
        "residual connections": {"residual": True},
        "Adam": by_adam,
        f"Adam, epsilon {SMALL_EPSILON:g}": {**by_adam, "epsilon": SMALL_EPSILON},
    }


def rounds(plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
    """One round, none in a quick look: every remedy, activation and seed; plain SGD and Adam are runs of `depth`."""
    return [] if so_far or plan.is_quick else list(_settings(plan))


def _settings(plan: Plan) -> dict[Settings, str]:
    """The runs, and which remedy each one is."""
    _, (sgd, rate) = DEPTH_OPTIMIZERS
    seeds = plan.seeds or REMEDY_SEEDS
    plain = {
        "depth": PROFILE_DEPTH,
        "width": WIDTH,
        "optimizer": sgd,
        "learning_rate": rate,
        "epochs": DEPTH_EPOCHS,
        "patience": None,
    }
    return {
        Settings(activation=name, seed=seed, **{**plain, **change}): remedy  # type: ignore[arg-type]
        for name in plan.activations
        for remedy, change in remedies(plan, name).items()
        for seed in range(seeds)
    }


def interpret(plan: Plan, records: Sequence[Record], style: Style) -> Section:
    """Accuracy before and after each remedy, and the first layer's error at initialisation."""
    names = _settings(plan)
    of_record = [names[Settings(**record["identity"]["settings"])] for record in records]
    runs = runs_frame(records).assign(remedy=of_record)
    measures = pd.concat(
        [measures_frame([record]).assign(remedy=remedy) for record, remedy in zip(records, of_record, strict=True)]
    )
    errors = measures[(measures["step"] == 0) & (measures["measure"] == "error") & (measures["layer"] == 1)]
    first = geometric_summary(errors, "value", KEYS)
    success = trainability.success(runs, KEYS)
    norms = trainability.thinned(summaries.gradient_norms(measures, NAME), DEPTH_UPDATES)
    section_tables = {
        "runs": runs.assign(experiment=NAME)[["experiment", *runs.columns.drop("remedy")]],
        "gradient_norms": norms,
        "remedies": success.merge(
            first.rename(columns={"mean": "first_error", "ci_low": "first_error_low", "ci_high": "first_error_high"})[
                [*KEYS, "first_error", "first_error_low", "first_error_high"]
            ],
            on=KEYS,
        ),
    }
    shown = success.assign(baseline=success["remedy"] == BEFORE)
    blocks: list[str | Display | Picture] = [
        f"{PROFILE_DEPTH} hidden layers of {WIDTH} units, SGD at {DEPTH_OPTIMIZERS[1][1]:g}, 480 updates, n = "
        f"{int(success['n'].max())} paired seeds; each row changes one thing of the plain network. Centred: sigma_w = "
        f"{CENTRED_SIGMA_W:g} and biases minus half the incoming sum, which makes a sigmoid network a critical tanh "
        "network at the start; on the other activations it is a control.",
        Display("Best validation accuracy after 480 updates, percent, 95% interval.", _shown(success, style), NAME),
        Picture(
            "remedies",
            "Each remedy's validation accuracy (point and 95% interval) beside the plain network's (vertical line). "
            "Where no run finished, the loss of every seed became infinite.",
            figures.remedies(shown, style),
        ),
    ]
    return Section(TITLE, _answer(success, style), blocks, section_tables)


def _shown(success: pd.DataFrame, style: Style) -> pd.DataFrame:
    rows: dict[str, dict[str, str]] = {}
    for row in success.to_dict("records"):
        cells = rows.setdefault(row["remedy"], {"Remedy": row["remedy"]})
        low, high = max(row["ci_low"], 0.0), min(row["ci_high"], 1.0)
        found = formatting.interval(row["mean"], low, high, 100)
        cells[style.labels[row["activation"]]] = found if row["n"] else f"{row['missing']} diverged"
    return pd.DataFrame(rows.values()).fillna(formatting.DASH)


def _answer(success: pd.DataFrame, style: Style) -> str:
    """Every remedy that surely works, the best mean first: with three seeds their order is not told."""
    parts = []
    for name, of_one in success.groupby("activation", sort=False):
        before = of_one[of_one["remedy"] == BEFORE]["mean"].iloc[0]
        works = of_one[(of_one["remedy"] != BEFORE) & (of_one["ci_low"] > TRAINED_LEVEL)]
        listed = ", ".join(
            f"{row['remedy'].replace(', ', ' with ')} {formatting.percent(row['mean'], 1)}"
            for row in works.sort_values("mean", ascending=False).to_dict("records")
        )
        label = formatting.escape_markdown(style.labels[str(name)])
        parts.append(f"{label} (plain {formatting.percent(before, 1)}): {listed or 'none'}")
    return (
        f"At {PROFILE_DEPTH} hidden layers, where plain SGD is the start, these changes take the validation accuracy "
        f"above {100 * TRAINED_LEVEL:g}% with its whole 95% interval. " + "; ".join(parts) + "."
    )
