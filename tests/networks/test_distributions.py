"""Where pre-activations lie: the quantiles agree with the mean squares that the engine measures in its runs."""

from typing import Any

import numpy as np
import pytest

from study.activations import REGISTRY
from study.data.mnist import Dataset
from study.engine.training import train
from study.networks.distributions import PERCENT, quantiles
from study.settings import Settings

STEPS = (8, 0, 5, 1)  # of 2 epochs of 4 updates


@pytest.mark.parametrize(
    "network",
    [
        {"activation": "relu", "depth": 1},
        {"activation": "sigmoid", "depth": 3, "normalization": "batch", "residual": "scaled"},
    ],
)
def test_quantiles_have_the_mean_square_of_the_runs_own_measure(network: dict[str, Any], tiny_data: Dataset) -> None:
    """At each step, in every hidden layer. The engine measures 50 training images, so a quarter is allowed."""
    settings = Settings(**network, seed=3, width=50, validation=1100, batch=50, epochs=2, patience=None)
    activation = REGISTRY[settings.activation]
    rows = quantiles(settings, tiny_data, activation, STEPS)
    measured = train(settings, tiny_data, activation)["measures"]
    layers = range(1, 1 + settings.depth)
    assert [(row["step"], row["layer"]) for row in rows] == [
        (step, layer) for step in sorted(STEPS) for layer in layers
    ]
    for row in rows:
        low, high = np.array(row["quantiles"][:-1]), np.array(row["quantiles"][1:])
        square = np.average((low**2 + low * high + high**2) / 3, weights=np.diff(PERCENT))
        expected = measured["preactivation_square"][measured["step"].index(row["step"])][row["layer"] - 1]
        assert square == pytest.approx(expected, rel=0.25)
        assert (high > low).all()
