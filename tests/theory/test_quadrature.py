"""Gaussian integrals: against scipy, closed forms, and identities that hold for any activation."""

import numpy as np
import pytest
from registered import NAMES, function_of
from scipy import integrate
from scipy.special import erf, ndtr

from study.activations import REGISTRY, value_and_derivative
from study.theory.nonlinearity import nonlinearity
from study.theory.quadrature import correlated_moments, moments


def pair(function, q, correlations):
    """Return the two correlated moments at these correlations (n,); (2, n)."""
    return np.transpose([correlated_moments(function, q, c) for c in correlations])


def clipped(low, high):
    """clip(x, low, high): kinks anywhere, and E[phi' phi'] is the probability of a box."""
    return nonlinearity(lambda x: (np.clip(x, low, high), ((x > low) & (x < high)).astype(float)))


relu = nonlinearity(lambda x: (np.maximum(x, 0), (x > 0).astype(float)))
error_function = nonlinearity(lambda x: (erf(x), 2 / np.sqrt(np.pi) * np.exp(-(x**2))))


@pytest.mark.parametrize("name", NAMES)
def test_moments_agree_with_adaptive_integration(name):
    """To a relative 1e-8 with tanh-sinh integration over pieces split by hand, from q = 1e-12 to 1e6."""
    q = np.array([1e-12, 1e-3, 0.7, 30.0, 1e6])
    sigma = np.sqrt(q)[:, None]
    breaks = np.minimum([0, 1, 3, 6, 50, np.inf], 12 * sigma)  # some pieces are empty
    breaks = np.concatenate([-breaks[:, :0:-1], breaks], axis=1)

    def integrand(x, q, which):
        value, derivative = value_and_derivative(REGISTRY[name].function, np.ascontiguousarray(x))
        factor = np.choose(which, [value**2, value * derivative * x / q, derivative**2])
        return factor * np.exp(-(x**2) / (2 * q)) / np.sqrt(2 * np.pi * q)

    which = np.arange(3)[:, None, None]
    pieces = integrate.tanhsinh(integrand, breaks[:, :-1], breaks[:, 1:], args=(q[:, None], which), rtol=1e-11)
    found = moments(function_of(name), q)
    of_fields = np.stack([found.square, found.square_slope, found.derivative_square])
    assert of_fields == pytest.approx(pieces.integral.sum(axis=-1), rel=1e-8)


def test_moments_have_their_closed_forms():
    """ReLU: q/2 and 1/2. erf: Williams 1997. For a whole array of q at once."""
    q = np.array([[1e-12, 1e-3], [2.0, 1e6]])
    assert moments(relu, q).square == pytest.approx(q / 2, rel=1e-10)
    assert moments(relu, q).derivative_square == pytest.approx(np.full((2, 2), 0.5), rel=1e-10)
    williams = 2 / np.pi * np.arcsin(2 * q / (1 + 2 * q))
    assert moments(error_function, q).square == pytest.approx(williams, rel=1e-10)
    assert moments(error_function, q).derivative_square == pytest.approx(4 / np.pi / np.sqrt(1 + 4 * q), rel=1e-10)


def test_moments_at_zero_are_the_limit():
    """q = 0 gives phi(0)^2 and, at a kink in 0, the mean of the two sides' phi'^2."""
    at = moments(nonlinearity(lambda x: (np.abs(x) / 2 + x / 2 + 3, (x > 0).astype(float))), 0.0)
    assert at.square == pytest.approx(9)
    assert at.derivative_square == pytest.approx(0.5)


def test_overflow_is_infinite_and_silent():
    """exp(x) has no finite second moment in float64 at q = 1e6; nothing else is disturbed by it."""

    def grows(x):
        with np.errstate(over="ignore"):
            return np.exp(x), np.exp(x)

    assert moments(nonlinearity(grows), np.array([1.0, 1e6])).square == pytest.approx([np.exp(2), np.inf])


@pytest.mark.parametrize("q", [1e-6, 1.0, 1e4])
def test_relu_correlations_are_the_arc_cosine_kernel(q):
    """Cho & Saul 2009, from parallel to opposite: the hard case is near c = 1, where a kink shows."""
    angle = np.array([0, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 0.59, 0.61, 1, 2, 3.1, 3.1415])
    product, derivatives = pair(relu, q, np.cos(angle))
    assert derivatives == pytest.approx((np.pi - angle) / (2 * np.pi), abs=1e-10)
    exact = (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
    assert product / q == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("q", [0.1, 1.0, 10.0, 100.0])
def test_erf_correlations_are_williams_kernel(q):
    """Williams 1997: (2/pi) arcsin(2 c q / (1 + 2 q)), and its derivative by Price's theorem."""
    c = np.cos([0, 1e-3, 0.03, 0.2, 0.55, 1, 2, 3.1])
    product, derivatives = pair(error_function, q, c)
    assert product == pytest.approx(2 / np.pi * np.arcsin(2 * c * q / (1 + 2 * q)), abs=1e-12)
    assert derivatives == pytest.approx(4 / np.pi / np.sqrt((1 + 2 * q) ** 2 - (2 * c * q) ** 2), abs=1e-12)


@pytest.mark.parametrize(("low", "high", "q"), [(0, 6, 9), (0, 6, 100), (0.3, 1.1, 1), (-0.7, 0.4, 4)])
def test_correlations_with_kinks_off_zero(low, high, q):
    """clip(x, low, high): E[phi' phi'] is the probability of a box, integrated from the conditional distribution."""
    a, b = low / np.sqrt(q), high / np.sqrt(q)

    def box(c):
        s = np.sqrt(1 - c * c)

        def density(z):
            return np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * (ndtr((b - c * z) / s) - ndtr((a - c * z) / s))

        inside = [min(max(e + k * s, a), b) for e in (a, b) for k in (-5, 5)]
        return integrate.quad(density, a, b, points=inside, epsabs=1e-11, limit=200)[0]

    c = np.cos([1e-3, 0.03, 0.2, 0.5, 0.7, 2.0, 3.1])
    _, derivatives = pair(clipped(low, high), q, c)
    assert derivatives == pytest.approx([box(x) for x in c], abs=1e-9)


@pytest.mark.parametrize("name", ["sigmoid", "swish", "squared_relu", "relu", "selu", "relu6", "hard_swish"])
def test_price_theorem(name):
    """d/dc E[phi(u) phi(v)] = q E[phi'(u) phi'(v)] (Price 1958), near c = 1 too; smooth, and with kinks."""
    q, c, h = 2.0, np.array([-0.6, 0.5, 0.999]), 2e-4
    product, _ = pair(function_of(name), q, np.append(c + h, c - h))
    _, derivatives = pair(function_of(name), q, c)
    assert (product[: c.size] - product[c.size :]) / (2 * h) == pytest.approx(q * derivatives, rel=2e-4)


@pytest.mark.parametrize("name", NAMES)
def test_perfect_correlation_is_the_second_moment(name):
    """At c = 1 the two-dimensional integrals are the one-dimensional ones; at c = 0 they are squared means."""
    function = function_of(name)
    for q in (0.0, 0.3, 1e4):
        product, slopes = correlated_moments(function, q, 1.0)
        exact = moments(function, q)
        assert product == pytest.approx(float(exact.square), rel=1e-9)
        assert slopes == pytest.approx(float(exact.derivative_square), rel=1e-9)
    z = np.linspace(-10, 10, 400_001)
    density = np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
    means = [density @ values for values in function.at(np.sqrt(0.3) * z)]
    assert correlated_moments(function, 0.3, 0.0) == pytest.approx(tuple(np.square(means)), rel=1e-4, abs=1e-12)


def test_a_periodic_activation():
    """Snake (Ziyin et al. 2020), x + sin(x)^2, has no kink. Closed form at small q; NaN where it takes too long."""
    snake = nonlinearity(lambda x: (x + np.sin(x) ** 2, 1 + np.sin(2 * x)))
    assert not snake.kinks.size
    for q, c in ((1.0, 0.5), (0.3, -0.8)):
        cosines = (np.exp(-4 * q * (1 + c)) + np.exp(-4 * q * (1 - c))) / 2
        expected = q * c + (1 - 2 * np.exp(-2 * q) + cosines) / 4
        assert correlated_moments(snake, q, c)[0] == pytest.approx(expected, rel=1e-8)
    assert np.isnan(correlated_moments(snake, 1e6, 0.5)).all()
