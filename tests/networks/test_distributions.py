"""Where pre-activations lie: the quantiles agree with the mean squares that the engine measures in its runs."""

import numpy as np
import pytest

from study.activations import REGISTRY
from study.data.mnist import Dataset
from study.engine.training import train
from study.networks.distributions import PERCENT, quantiles
from study.settings import Settings


@pytest.mark.parametrize("name", ["relu", "sigmoid"])
def test_quantiles_have_the_mean_square_of_the_runs_own_measure(name: str, tiny_data: Dataset) -> None:
    """Before and after training, in every hidden layer. The engine measures 50 other images: a quarter is allowed."""
    settings = Settings(activation=name, seed=3, depth=2, width=50, validation=1100, batch=50, epochs=2, patience=None)
    rows = quantiles(settings, tiny_data, REGISTRY[name])
    measured = train(settings, tiny_data, REGISTRY[name])["measures"]
    assert [(row["step"], row["layer"]) for row in rows] == [(0, 1), (0, 2), (8, 1), (8, 2)]
    for row in rows:
        low, high = np.array(row["quantiles"][:-1]), np.array(row["quantiles"][1:])
        square = np.average((low**2 + low * high + high**2) / 3, weights=np.diff(PERCENT))
        expected = measured["preactivation_square"][measured["step"].index(row["step"])][row["layer"] - 1]
        assert square == pytest.approx(expected, rel=0.25)
        assert (high > low).all()
