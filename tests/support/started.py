"""Runs that `train` has not begun, for tests of what it would do with them."""

from study.activations import REGISTRY, Activation
from study.data.mnist import Dataset
from study.engine.run import Run
from study.settings import Settings


def start(settings: Settings, data: Dataset, activation: Activation | None = None) -> Run:
    """Return a run before its first update; the activation is the registry's unless given."""
    return Run(settings, data, REGISTRY[settings.activation] if activation is None else activation)
