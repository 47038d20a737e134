"""Fixed points of the forward map: hand-checkable values, and what their definition demands."""

import math

import numpy as np
import pytest
from registered import NAMES, function_of

from study.theory.fixed_points import attracting_point, fixed_points, forward_map
from study.theory.quadrature import moments


@pytest.mark.parametrize("name", NAMES)
def test_slope_is_the_derivative_of_the_forward_map(name):
    """dq'/dq = sigma_w^2 E[phi phi' z] / sqrt(q): central differences of the map agree."""
    q = np.array([0.01, 1.3, 40.0])
    above, below = (forward_map(function_of(name), q * factor, 1.7, 0.2) for factor in (1 + 1e-4, 1 - 1e-4))
    assert 1.7 * moments(function_of(name), q).square_slope == pytest.approx((above - below) / (2e-4 * q), rel=1e-6)


def test_fixed_points_of_relu():
    """q* = sigma_b^2 / (1 - sigma_w^2 / 2) if sigma_w^2 < 2; any q at (sqrt 2, 0); none beyond but the repelling 0."""
    relu = function_of("relu")
    [point] = fixed_points(relu, 1.0, 0.5)
    assert (point.q, point.slope, point.chi, point.stability) == (pytest.approx(1), *[pytest.approx(0.5)] * 2, "stable")
    [point] = fixed_points(relu, 1.0, 0.0)
    assert (point.q, point.slope, point.chi, point.stability) == (0, *[pytest.approx(0.5)] * 2, "stable")
    [point] = fixed_points(relu, 2.0, 0.0)
    assert math.isnan(point.q)
    assert point.stability == "neutral"
    assert [(p.q, p.stability) for p in fixed_points(relu, 3.0, 0.0)] == [(0, "unstable")]
    assert fixed_points(relu, 2.5, 0.1) == []


def test_selu_normalises_itself():
    """With sigma_w = 1 and no bias its q* is 1 and attracts (Klambauer et al. 2017: zero mean, unit variance)."""
    assert [p.q for p in fixed_points(function_of("selu"), 1.0, 0.0) if p.stability == "stable"] == [pytest.approx(1)]


@pytest.mark.parametrize("name", NAMES)
def test_the_forward_map_settles_on_a_stable_fixed_point(name):
    """Iterating it from q = 0.1 ends at a fixed point said to be stable."""
    function, q = function_of(name), 0.1
    for _ in range(30):
        q = float(forward_map(function, q, 0.5, 0.1))
    assert q in [pytest.approx(p.q) for p in fixed_points(function, 0.5, 0.1) if p.stability == "stable"]


def test_the_attracting_point_is_the_first_that_is_not_unstable():
    """tanh with sigma_w^2 = 3 leaves 0 for another point; squared values grow beyond every bound; ReLU keeps any q."""
    found = attracting_point(function_of("tanh"), 3.0, 0.0)
    assert found in fixed_points(function_of("tanh"), 3.0, 0.0)
    assert found.q > 0.1
    assert attracting_point(function_of("relu"), 3.0, 0.1) is None
    assert math.isnan(attracting_point(function_of("relu"), 2.0, 0.0).q)
