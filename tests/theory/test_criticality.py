"""Critical points: hand-checkable values, and what their definition demands."""

import math

import numpy as np
import pytest
from registered import NAMES, function_of

from study.theory.criticality import critical_curve, critical_initialization, why_not_critical
from study.theory.fixed_points import backward_factor, fixed_points, forward_map

NONE = {"softplus", "squared_relu"}


@pytest.mark.parametrize(
    ("name", "sigma_w2", "sigma_b2", "q_star"),
    [
        ("relu", 2, 0, None),
        ("leaky_relu", 2 / (1 + 0.01**2), 0, None),
        ("linear", 1, 0, None),
        ("tanh", 1, 0, 0),
        ("softsign", 1, 0, 0),
        ("elu", 1, 0, 0),
        ("erf", math.pi / 4, 0, 0),
        ("relu6", 2, 0, 0),
        ("selu", 2 / (1.0507009873554805**2 * (1 + 1.6732632423543772**2)), 0, 0),
        ("swish", 1.98800, 0.55514, 14.32017),  # Roberts, Yaida & Hanin 2022, section 5.3.4
        ("gelu", 1.98305, 0.17292, None),  # the same; q* is not checked here
    ],
)
def test_known_critical_points(name, sigma_w2, sigma_b2, q_star):
    """By hand where q* is 0 or free: sigma_w^2 = 2 / (phi'(0-)^2 + phi'(0+)^2), sigma_b = 0; else from the book."""
    point = critical_initialization(function_of(name))
    assert point is not None
    assert point.sigma_w**2 == pytest.approx(sigma_w2, abs=1e-5 if sigma_b2 else 1e-7)
    assert point.sigma_b**2 == pytest.approx(sigma_b2, abs=1e-5)
    if name != "gelu":
        assert point.q_star == (pytest.approx(q_star, abs=1e-5) if q_star else q_star)


@pytest.mark.parametrize("name", NAMES)
def test_a_critical_point_is_what_its_definition_says(name):
    """chi = 1 and q' = q at q*, sigma_b^2 >= 0, dq'/dq <= 1, and no smaller q on a fine grid has all of that."""
    point, function = critical_initialization(function_of(name)), function_of(name)
    finer = np.geomspace(1e-3, 1e3, 4001)
    if point is not None:
        q = point.q_star or 1e-12
        assert backward_factor(function, q, point.sigma_w**2) == pytest.approx(1, abs=1e-5)
        assert forward_map(function, q, point.sigma_w**2, point.sigma_b**2) == pytest.approx(q, rel=1e-5)
        assert point.sigma_b >= 0
        assert point.slope <= 1 + 1e-9
        finer = finer[finer < 0.999 * (point.q_star or 0)]
    curve = critical_curve(function, finer)
    assert not np.any((curve.sigma_b2 >= 0) & (curve.slope <= 1))
    assert (point is None) == (name in NONE)


def test_the_reason_for_none_is_told():
    """Softplus would need a negative variance of the biases; squared ReLU's q* repels."""
    assert "negative bias variance" in why_not_critical(function_of("softplus"))
    assert "unstable" in why_not_critical(function_of("squared_relu"))


@pytest.mark.parametrize("name", ["gelu", "swish"])
def test_smooth_gates_are_critical_where_the_forward_map_touches_the_diagonal(name):
    """Half-stable (Roberts, Yaida & Hanin 2022): on both sides of q* the map moves q the same way, ever so slightly."""
    point, function = critical_initialization(function_of(name)), function_of(name)
    assert point.stability == "half-stable"
    assert point.slope == pytest.approx(1, abs=1e-9)
    near = point.q_star * np.array([0.99, 1, 1.01])
    below, at, above = forward_map(function, near, point.sigma_w**2, point.sigma_b**2) / near - 1
    assert below * above > 0
    assert 1e-10 < abs(below) < 1e-6
    assert at == pytest.approx(0, abs=1e-12)
    touching = fixed_points(function, point.sigma_w**2, point.sigma_b**2)
    assert point.q_star in [pytest.approx(p.q, rel=1e-4) for p in touching]


def test_tanh_critical_curve():
    """It passes (sigma_w, sigma_b) = (1, 0), and sigma_w^2 = 1.76 at sigma_b^2 = 0.05 (Schoenholz et al. 2017)."""
    curve = critical_curve(function_of("tanh"), np.geomspace(1e-6, 10, 4000))
    assert (curve.sigma_w2[0], curve.sigma_b2[0]) == pytest.approx((1, 0), abs=1e-5)
    assert np.interp(0.05, curve.sigma_b2, curve.sigma_w2) == pytest.approx(1.76, abs=0.005)
