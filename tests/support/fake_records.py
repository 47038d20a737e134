"""Records of runs that never ran, for tests of what experiments make of them."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from study.records.identity import identity
from study.records.store import Record, make
from study.settings import Settings

Scores = dict[str, float]
SCORES = ("validation_loss", "validation_accuracy", "test_loss", "test_accuracy")


def record(settings: Settings, accuracy: float, **changes: Any) -> Record:
    """A run that ended with this accuracy on all images; NaN: it diverged. `changes` overwrite its result."""
    has_diverged = math.isnan(accuracy)
    loss = math.nan if has_diverged else 1 - accuracy
    scores = dict(zip(SCORES, (loss, accuracy, loss, accuracy), strict=True))
    epochs = min(settings.epochs, 3)
    history = {"epoch": list(range(1, epochs + 1))}
    history |= {f"{part}_loss": [loss] * epochs for part in ("training", "validation")}
    history |= {f"{part}_accuracy": [accuracy] * epochs for part in ("training", "validation")}
    result = {
        "status": "diverged" if has_diverged else "done",
        "diverged_step": 7 if has_diverged else None,
        "epochs": epochs,
        "steps": 3 * epochs,
        "history": history,
        "last": {"epoch": epochs, **scores},
        "best": {"epoch": 1, **scores},
        "noise": None if has_diverged else noise(settings, accuracy),
        "timings": {"seconds": 1.0, "compile_seconds": 0.0},
    }
    return make(identity(settings, "data", settings.activation), {"label": settings.activation}, result | changes, {})


def noise(settings: Settings, accuracy: float) -> dict[str, list[float]] | None:
    """Under noise of amplitude a the accuracy falls as 1 / (1 + a)."""
    if not settings.noise:
        return None
    fallen = accuracy / (1 + np.array(settings.noise))
    return {
        "amplitude": list(settings.noise),
        "test_accuracy": fallen.tolist(),
        "test_loss": (2 - fallen).tolist(),
    }


def all_rounds(
    rounds: Callable[..., list[Settings]], plan: Any, accuracy: Callable[[Settings], float], most: int = 20
) -> list[Record]:
    """The records of every round, if a run's accuracy is that of this function."""
    records: dict[str, Record] = {}
    for _ in range(most):
        wanted = rounds(plan, list(records.values()))
        if not wanted:
            return list(records.values())
        for settings in wanted:
            found = record(settings, accuracy(settings))
            records[found["id"]] = found
    raise AssertionError(f"not done after {most} rounds")
