"""Decide at which steps a run is measured, and log the measurements."""

from typing import Any

import numpy as np

from study.engine.measures import MEASURES


def is_log_spaced(step: int) -> bool:
    """Tell whether the step is one of 0, 1, 2, 5, 10, 20, 50, ..., the 1-2-5 series."""
    return str(step).rstrip("0") in ("", "1", "2", "5")


def logged_steps(epoch: int, steps: int) -> np.ndarray:
    """Return which steps of an epoch, counted from 1, are measured, as (steps + 1,) bool.

    Entry i is for the epoch's step i, and the last is for the first step of the next epoch. The first and the last
    entry are true, and the others if the run's step is in the 1-2-5 series.
    """
    first = (epoch - 1) * steps
    logged = np.array([is_log_spaced(first + step) for step in range(steps + 1)])
    logged[[0, -1]] = True
    return logged


class RunLog:
    """Hold the measures of a run: for each logged step its number, its time in epochs, and its measures by name."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.epochs: list[float] = []
        self.rows: list[dict[str, np.ndarray]] = []

    def add(self, step: int, epoch: float, measured: dict[str, np.ndarray]) -> None:
        """Add the measures `measured`, {name: (L + 1,)} over the layers, at a step; `epoch` is its time in epochs."""
        self.steps.append(step)
        self.epochs.append(epoch)
        self.rows.append(measured)

    def to_lists(self) -> dict[str, Any]:
        """Return the lists "step" and "epoch", and for each measure a list over steps of lists over layers."""
        columns = {name: [row[name].tolist() for row in self.rows] for name in MEASURES}
        return {"step": self.steps, "epoch": self.epochs, **columns}
