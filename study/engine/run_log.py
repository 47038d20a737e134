"""Decide at which steps a run is measured, and log the measurements."""

from typing import Any

import numpy as np

from study.engine.measures import MEASURES


def is_log_spaced(step: int) -> bool:
    """Tell whether the step is one of 0, 1, 2, 5, 10, 20, 50, ..."""
    return str(step).rstrip("0") in ("", "1", "2", "5")


def logged_steps(epoch: int, steps: int) -> np.ndarray:
    """Return (steps + 1,) bool: which steps of an epoch of `steps` updates are measured; the last begins the next."""
    first = (epoch - 1) * steps
    logged = np.array([is_log_spaced(first + step) for step in range(steps + 1)])
    logged[[0, -1]] = True
    return logged


class RunLog:
    """Hold the measures of a run, by logged step."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.epochs: list[float] = []
        self.rows: list[dict[str, np.ndarray]] = []

    def add(self, step: int, epoch: float, measured: dict[str, np.ndarray]) -> None:
        """Add the measures {name: (L + 1,)} of one step; `epoch` is its time in epochs."""
        self.steps.append(step)
        self.epochs.append(epoch)
        self.rows.append(measured)

    def to_lists(self) -> dict[str, Any]:
        """Return {"step", "epoch": lists; name of a measure: a list over steps of lists over layers}."""
        columns = {name: [row[name].tolist() for row in self.rows] for name in MEASURES}
        return {"step": self.steps, "epoch": self.epochs, **columns}
