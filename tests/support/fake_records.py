"""Make up results of runs that were never trained, and records of such runs."""

import math
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from study.records.canonical import as_json
from study.records.identity import identity
from study.records.store import Record
from study.settings import Settings

SCORES = ("validation_loss", "validation_accuracy", "test_loss", "test_accuracy", "validation_mae", "test_mae")
MEASURES = (
    "weight_gradient", "error", "example_weight_gradient", "preactivation_square", "activation_rms",
    "dead_units", "saturation", "sparsity", "similarity", "update_ratio", "activation_mean",
)  # fmt: skip
STEPS = (0, 1, 2, 5, 9)  # logged steps of a fake run: three epochs of three steps, and the end


def result(settings: Settings, how: str | None = None) -> dict[str, Any]:
    """Return a result of `settings` in the form of study.engine.training.train: three epochs of three steps each.

    The numbers are random; activation and seed decide them, except for the timings. `how` may be "diverged" (in the
    second epoch), "diverged at once" (in the first), or "zero" (gradients of hidden layers are 0).
    """
    rng = np.random.default_rng(zlib.crc32(f"{settings.activation} {settings.seed}".encode()))
    has_diverged = how in ("diverged", "diverged at once")
    epochs = {"diverged": 2, "diverged at once": 1}.get(how or "", 3)
    bad = np.arange(1, epochs + 1) == epochs if has_diverged else np.zeros(epochs, bool)
    history: dict[str, list[float]] = {"epoch": list(range(1, epochs + 1))}
    for column in ("training_loss", "training_accuracy", "validation_loss", "validation_accuracy"):
        values = rng.uniform(0.1, 0.9, epochs)
        history[column] = np.where(bad & column.endswith("loss"), math.nan, values).tolist()
    measures = _measures(rng, settings.depth + 1, how == "zero")
    scores = [dict(zip(SCORES, rng.uniform(0.9, 0.99, len(SCORES)).tolist(), strict=True)) for _ in range(2)]
    return {
        "status": "diverged" if has_diverged else "done",
        "diverged_step": 3 * (epochs - 1) if has_diverged else None,
        "epochs": epochs,
        "steps": 3 * epochs,
        "history": history,
        "last": {"epoch": epochs, **scores[0]},
        "best": {"epoch": 1, **scores[1]},
        "noise": None if has_diverged else noise(settings, 0.95 - 1e-3 * (settings.seed % 5)),
        "measures": measures,
        "timings": {"seconds": 20 + time.monotonic() % 7, "compile_seconds": 15.0},
    }


def _measures(rng: np.random.Generator, layers: int, is_zero: bool) -> dict[str, list[Any]]:
    """Draw {measure: values} from `rng`; values are a list over STEPS of lists over layers."""
    measures: dict[str, list[Any]] = {"step": list(STEPS), "epoch": [step / 3 for step in STEPS]}
    for measure in MEASURES:
        values = np.exp(rng.normal(size=(len(STEPS), layers)))
        if measure in ("dead_units", "saturation", "sparsity"):
            values = values / (1 + values)
            values[:, -1] = math.nan
        if is_zero and measure in ("weight_gradient", "error", "example_weight_gradient"):
            values[:, :-1] = 0.0
        measures[measure] = values.tolist()
    return measures


def noise(settings: Settings, accuracy: float) -> dict[str, list[float]] | None:
    """Return scores on noisy images, which are worse than `accuracy`; None if `settings` do not ask for noise."""
    if not settings.noise:
        return None
    fallen = accuracy / (1 + np.array(settings.noise))
    return {
        "amplitude": list(settings.noise),
        "test_accuracy": fallen.tolist(),
        "test_loss": (2 - fallen).tolist(),
    }


def record(settings: Settings, accuracy: float, **changes: Any) -> Record:
    """Return the record of a run of `settings` without measures, with this `accuracy` on all images after every epoch.

    If `accuracy` is NaN, the run diverged. `changes` overwrite entries of the run's result.
    """
    has_diverged = math.isnan(accuracy)
    loss = math.nan if has_diverged else 1 - accuracy
    mae = (1 - accuracy) / 5  # of outputs that are 0 or 1
    scores = dict(zip(SCORES, (loss, accuracy, loss, accuracy, mae, mae), strict=True))
    epochs = min(settings.epochs, 3)
    parts = {"loss": loss, "accuracy": accuracy}
    history = {
        f"{part}_{name}": [value] * epochs for part in ("training", "validation") for name, value in parts.items()
    }
    flat = {
        "epochs": epochs,
        "steps": 3 * epochs,
        "history": {"epoch": list(range(1, epochs + 1)), **history},
        "last": {"epoch": epochs, **scores},
        "best": {"epoch": 1, **scores},
        "noise": None if has_diverged else noise(settings, accuracy),
        "measures": None,
        "timings": {"seconds": 1.0, "compile_seconds": 0.0},
    }
    return unsealed(settings, result(settings, "diverged" if has_diverged else None) | flat | changes)


def unsealed(settings: Settings, found: dict[str, Any]) -> Record:
    """Return the record of a run with the result `found`, without a checksum: only files need it, and it takes time."""
    run = identity(settings, "data", settings.activation)
    timings = {"timings": found.get("timings", {})}
    record: Record = as_json({"id": run.id, "identity": vars(run), "result": found, "provenance": timings})
    return record


def all_rounds(
    rounds: Callable[..., list[Settings]],
    plan: Any,
    accuracy: Callable[[Settings], float],
    made: Callable[[Settings, float], Record] = record,
) -> list[Record]:
    """Return the records of an experiment's runs, round by round until `rounds(plan, records)` asks for no more.

    `made` makes a record from the settings and their `accuracy`. Raise AssertionError after 20 rounds.
    """
    records: dict[str, Record] = {}
    for _ in range(20):
        wanted = rounds(plan, list(records.values()))
        if not wanted:
            return list(records.values())
        for settings in wanted:
            found = made(settings, accuracy(settings))
            records[found["id"]] = found
    raise AssertionError("not done after 20 rounds")
