"""Depth scales and the correlation map: closed forms, and what their definitions demand."""

import math

import numpy as np
import pytest
from registered import function_of

from study.theory.depth_scale import correlation_map, depth_scale
from study.theory.fixed_points import backward_factor, fixed_points, forward_map
from study.theory.quadrature import moments


def test_depth_scales_of_relu():
    """chi = sigma_w^2 / 2 whatever q: xi = 1 / ln 2 under Glorot, infinite under He (Schoenholz et al. 2017)."""
    glorot, he = (depth_scale(function_of("relu"), 1.0, sigma_w2, 0.0) for sigma_w2 in (1.0, 2.0))
    assert (glorot.phase, glorot.xi) == ("ordered", pytest.approx(1 / math.log(2)))
    assert (he.phase, he.xi) == ("critical", math.inf)


def test_chaotic_depth_scale_of_erf():
    """c* solves Williams' closed form (1997), and chi_c is its derivative there."""
    sigma_w2, sigma_b2 = 3.0, 0.1
    [point] = fixed_points(function_of("erf"), sigma_w2, sigma_b2)
    q = point.q
    c = 0.5
    for _ in range(2000):
        c = (sigma_b2 + sigma_w2 * 2 / math.pi * math.asin(2 * c * q / (1 + 2 * q))) / q
    chi_c = sigma_w2 * 4 / math.pi / math.sqrt((1 + 2 * q) ** 2 - (2 * c * q) ** 2)
    scale = depth_scale(function_of("erf"), q, sigma_w2, sigma_b2)
    assert (scale.phase, scale.c_star) == ("chaotic", pytest.approx(c, abs=1e-6))
    assert scale.xi == pytest.approx(-1 / math.log(chi_c), rel=1e-5)


@pytest.mark.parametrize(("name", "above", "close"), [("tanh", 1e-7, 0.5), ("swish", 1e-4, 0.02)])
def test_just_above_criticality_the_depth_scale_is_that_of_chi(name, above, close):
    """For chi = 1 + e two inputs become almost alike, and xi is near 1 / e; at 1e-7 rounding leaves the magnitude.

    At any q, sigma_w^2 = (1 + e) / E[phi'^2] and sigma_b^2 = q - sigma_w^2 E[phi^2] make q a fixed point with this chi.
    """
    q = 20.0
    at = moments(function_of(name), q)
    sigma_w2 = float((1 + above) / at.derivative_square)
    scale = depth_scale(function_of(name), q, sigma_w2, q - sigma_w2 * float(at.square))
    assert scale.phase == "chaotic"
    assert 1 - scale.c_star < 30 * above + 1e-8
    assert scale.xi * above == pytest.approx(1, abs=close)


def test_a_limit_too_near_1_to_be_told_from_it_is_nearly_1():
    """A kink makes two inputs part as the root of their distance: with chi = 1 + 1e-6 they end within 1e-9 of alike."""
    at = moments(function_of("relu6"), 20.0)
    sigma_w2 = float((1 + 1e-6) / at.derivative_square)
    scale = depth_scale(function_of("relu6"), 20.0, sigma_w2, 20.0 - sigma_w2 * float(at.square))
    assert (scale.phase, scale.c_star) == ("chaotic", 1 - 1e-9)
    assert scale.xi > 1000


def test_a_free_q_has_the_depth_scale_of_every_q():
    """ReLU's chi does not depend on q: nan, which stands for any q, gives what a number gives."""
    relu = function_of("relu")
    assert depth_scale(relu, math.nan, 2.0, 0.0) == depth_scale(relu, 3.0, 2.0, 0.0)


@pytest.mark.parametrize("name", ["sigmoid", "swish", "relu", "hard_swish"])
def test_the_correlation_map_keeps_perfect_correlation(name):
    """c = 1 stays 1 with chi_c = chi, and c' grows with c; the slope is chi_c q / q' (Poole et al. 2016)."""
    c, q, h = [0.1, 0.4, 0.7, 0.9, 1.0], 1.5, 1e-4
    following, factor = np.transpose([correlation_map(function_of(name), q, 1.2, 0.05, at) for at in c])
    assert following[-1] == pytest.approx(1, rel=1e-6)
    assert factor[-1] == pytest.approx(backward_factor(function_of(name), q, 1.2), rel=1e-5)
    assert np.all(np.diff(following) > 0)
    nearby = [correlation_map(function_of(name), q, 1.2, 0.05, at - h)[0] for at in c[:-1]]
    expected = factor[:-1] * q / forward_map(function_of(name), q, 1.2, 0.05)
    assert (following[:-1] - nearby) / h == pytest.approx(expected, rel=2e-3)
