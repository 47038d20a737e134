"""The text of `study theory NAME` says of every activation what theory predicts."""

import pytest

from study.activations import REGISTRY
from study.theory.criticality import critical_initialization
from study.theory.nonlinearity import from_tensorflow
from study.theory.summary import describe


@pytest.mark.parametrize("name", ["relu", "linear", "tanh", "swish", "softplus", "squared_relu"])
def test_the_critical_point_and_every_layer_are_told(name):
    """The critical point or why there is none, and one line per layer and initialisation, no wider than a screen.

    The critical q* is free, 0 or another number; where there is none, for either reason.
    """
    text = describe(name, depth=3)
    exists = critical_initialization(from_tensorflow(REGISTRY[name].function)) is not None
    assert ("none: " in text) != exists
    assert sum(line.startswith("     4 ") for line in text.splitlines()) == 2 + exists
    assert "nan" not in text.lower()
    assert max(map(len, text.splitlines())) < 120
    assert text.startswith(f"{REGISTRY[name].label}: ")


def test_numbers_are_those_of_the_field():
    """ReLU: xi = 1 / ln 2 under Glorot, infinite under He, where a fixed point is any q; softplus' q grows."""
    relu = [line.split() for line in describe("relu", depth=1).splitlines()]
    assert ["1", "(Glorot)", "0", "0.5", "ordered", "1.443", "8.656"] in relu
    assert ["2", "(He)", "any", "1", "critical", "inf", "inf"] in relu
    assert "2 (He) grows without bound" in " ".join(describe("softplus", depth=1).split())
