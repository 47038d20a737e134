"""What mean-field theory predicts for a network at initialisation, from its activation's function alone.

Conventions are those of the measurements (engine/gradients.py): z_l = h_{l-1} W_l + b_l, h_l = phi(z_l), h_0 = x;
hidden layers 1..L, output layer L+1; delta_{l,i} = B * d loss / d z_{l,i}. Arrays over layers start at layer 1. One
layer alone, and infinitely many, are the business of study/theory/criticality.py.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from study.activations import REGISTRY, value_and_derivative
from study.theory.criticality import CriticalPoint, critical_initialization, depth_scale, fixed_points, why_not_critical
from study.theory.quadrature import Array, Nonlinearity, correlated_moments, moments, nonlinearity

INITIALIZATIONS = ("glorot_uniform", "he_normal", "critical")
MNIST_SQUARE_NORM = 87.81  # mean ||x||^2 of the 60,000 training images, pixels in [0, 1]; scatters by 32
TRAINABLE_DEPTH = 6  # depth scales to which networks train, Schoenholz et al. 2017


@functools.cache
def from_tensorflow(function: Callable[..., Any]) -> Nonlinearity:
    """An activation of the registry as its values and derivatives in float64: all that theory knows of it."""
    return nonlinearity(lambda x: value_and_derivative(function, x))


@dataclass(frozen=True)
class Scales:
    """The widths (L+2,), inputs and outputs included, and the variances of weights and biases (L+1,) per layer."""

    widths: tuple[int, ...]
    weight_variance: Array
    bias_variance: Array

    @property
    def sigma_w2(self) -> Array:
        """fan_in * Var(W_l); (L+1,)."""
        return np.asarray(self.widths[:-1] * self.weight_variance)


@dataclass(frozen=True)
class Propagation:
    """Mean squares through the network, one column per example when `square_norm` was an array."""

    q: Array  # (L+1, ...) mean square pre-activation
    chi: Array  # (L, ...) E||delta_l||^2 / E||delta_{l+1}||^2
    input_square: Array  # (L+1, ...) E||h_{l-1}||^2, what layer l receives


@dataclass(frozen=True)
class BatchPrediction:
    """Root mean squares over initialisations of what is measured on one batch; each (L+1,)."""

    preactivation_square: Array
    error: Array
    example_weight_gradient: Array
    weight_gradient: Array


def scales(
    initialization: str, widths: Sequence[int], function: Nonlinearity, square_norm: float = MNIST_SQUARE_NORM
) -> Scales | None:
    """The variances an initialisation gives each layer; None where it asks for a critical point that does not exist.

    glorot_uniform: Var(W) = 2 / (fan_in + fan_out). he_normal: 2 / fan_in. critical: sigma_w^2 / fan_in, and biases of
    variance sigma_b^2, the first layer scaled so that q_1 = q* when q* > 0, for inputs of this mean ||x||^2. The output
    layer is glorot_uniform without bias whatever the hidden layers are (see study/engine/initial.py).
    """
    if initialization not in INITIALIZATIONS:
        raise ValueError(f"initialization is {initialization!r}; allowed: {', '.join(INITIALIZATIONS)}")
    fan_in, fan_out = np.array(widths[:-1], float), np.array(widths[1:], float)
    glorot, biases = 2 / (fan_in + fan_out), np.zeros(fan_in.size)
    weights = glorot.copy() if initialization == "glorot_uniform" else 2 / fan_in
    if initialization == "critical":
        point = critical_initialization(function)
        if point is None:
            return None
        weights, biases[:-1] = point.sigma_w**2 / fan_in, point.sigma_b**2
        if point.q_star:
            weights[0] = (point.q_star - point.sigma_b**2) / square_norm
    weights[-1] = glorot[-1]
    return Scales(tuple(widths), weights, biases)


def propagate(function: Nonlinearity, scale: Scales, square_norm: float | Array) -> Propagation:
    """q_l, chi_l and ||h_{l-1}||^2 of every layer for inputs of this ||x||^2, a number or one per example.

    q_1 = Var(W_1) ||x||^2 + sigma_b^2, then the forward map (Poole et al. 2016). chi_l holds for unequal widths too:
    E||delta_l||^2 sums E[(W_{l+1} delta_{l+1})_k^2] E[phi'^2] = Var(W_{l+1}) E||delta_{l+1}||^2 E[phi'^2] over the n_l
    units k, and n_l is the fan-in of W_{l+1}.
    """
    sigma_w2 = scale.sigma_w2
    q = [np.asarray(scale.weight_variance[0] * square_norm + scale.bias_variance[0], float)]
    chi, inputs = [], [np.asarray(square_norm, float)]
    for layer in range(1, len(sigma_w2)):
        at = moments(function, q[-1])
        chi.append(sigma_w2[layer] * at.derivative_square)
        inputs.append(scale.widths[layer] * at.square)
        q.append(scale.bias_variance[layer] + sigma_w2[layer] * at.square)
    return Propagation(np.stack(q), np.array(chi), np.stack(inputs))


def error_ratio(propagation: Propagation, reference: int | None = None) -> Array:
    """E||delta_l||^2 / E||delta_m||^2 of every layer l, the product of chi between them; (L+1, ...).

    m = `reference`, 1-based, None for the output layer. A ratio of squares: take the root to compare norms.
    """
    backward = np.ones_like(propagation.q)
    backward[:-1] = np.cumprod(propagation.chi[::-1], axis=0)[::-1]
    return backward if reference is None else np.asarray(backward / backward[reference - 1])


def example_weight_gradient_ratio(propagation: Propagation, reference: int | None = None) -> Array:
    """The same for the gradient of one example's loss, ||dW_l|| = ||delta_l|| ||h_{l-1}||; again a ratio of squares."""
    square = error_ratio(propagation) * propagation.input_square
    return np.asarray(square / square[-1 if reference is None else reference - 1])


def finite_width_offset(depth: float, width: float) -> float:
    """What finite width adds to the mean natural log of a ReLU network's gradient norm over `depth` layers: -5L/(4n).

    The log of the squared norm is near normal with variance 5L/n and mean minus half of it, so that the mean square is
    what infinite width has (Hanin & Nica 2018). The log of the norm then has variance 5L/(4n).
    """
    return -5 * depth / (4 * width)


def softmax_error_gram(
    logit_gram: Array, labels: Array, classes: int, rng: np.random.Generator, draws: int = 200
) -> Array:
    """E[delta_i . delta_j] at the output (B, B): delta = softmax(logits) - one_hot(labels), labels (B,) integers.

    The logits of the classes are independent Gaussian over examples with covariance `logit_gram` (B, B); their mean
    over `draws` is by Monte Carlo. For small logits it is 1{same label} - 1 / classes.
    """
    values, vectors = np.linalg.eigh(logit_gram)
    root = vectors * np.sqrt(np.maximum(values, 0))
    logits = root @ rng.standard_normal((draws, len(labels), classes))
    odds = np.exp(logits - logits.max(axis=2, keepdims=True))
    errors = odds / odds.sum(axis=2, keepdims=True) - np.eye(classes)[labels]
    return np.asarray(np.tensordot(errors, errors, axes=((0, 2), (0, 2)))) / draws


def predict_batch(
    function: Nonlinearity, scale: Scales, input_gram: Array, output_error_gram: Callable[[Array], Array]
) -> BatchPrediction:
    """The norms of one batch, from the Gram matrix X X^T (B, B) of its inputs.

    `output_error_gram` takes the covariance of the logits (B, B) to E[delta_i . delta_j] of the output layer, for
    example `softmax_error_gram` with the labels filled in. The covariances of z are propagated forward, those of
    delta backward, and ||dW_l||^2 = sum_ij (delta_i . delta_j)(h_i . h_j) / B^2, where forward and backward are taken
    as independent (Schoenholz et al. 2017; Yang 2019 for when that holds).
    """
    sigma_w2, inputs, factors = scale.sigma_w2, [np.asarray(input_gram, float)], []
    covariances = [scale.weight_variance[0] * inputs[0] + scale.bias_variance[0]]
    for layer in range(1, len(sigma_w2)):
        q = np.diag(covariances[-1])
        correlation = np.clip(covariances[-1] / np.sqrt(np.outer(q, q)), -1, 1)
        product, derivative_product = correlated_moments(function, q, correlation)
        inputs.append(scale.widths[layer] * product)
        factors.append(sigma_w2[layer] * derivative_product)
        covariances.append(scale.bias_variance[layer] + sigma_w2[layer] * product)
    errors = [output_error_gram(covariances[-1])]
    for factor in factors[::-1]:
        errors.append(errors[-1] * factor)
    errors.reverse()
    error_square = np.array([np.diag(e) for e in errors])
    input_square = np.array([np.diag(h) for h in inputs])
    return BatchPrediction(
        preactivation_square=np.array([np.diag(c).mean() for c in covariances]),
        error=np.sqrt(error_square.mean(axis=1)),
        example_weight_gradient=np.sqrt((error_square * input_square).mean(axis=1)),
        weight_gradient=np.array([math.sqrt(np.mean(e * h)) for e, h in zip(errors, inputs, strict=True)]),
    )


def theory_table(
    names: Iterable[str],
    initializations: Iterable[str],
    depths: Iterable[int],
    width: int,
    square_norm: float | Array = MNIST_SQUARE_NORM,
    inputs: int = 784,
    classes: int = 10,
) -> list[dict[str, Any]]:
    """Long rows: activation, init, sigma_w, sigma_b, depth, width, layer, quantity, predicted.

    quantity: preactivation_square (mean z_l^2); error_norm_ratio and example_weight_gradient_norm_ratio, root mean
    squares over examples relative to the output layer's. `square_norm` (examples,) takes the spread of ||x|| into
    account. An activation without a critical point has no rows for `critical`.
    """
    rows = []
    for name, initialization, depth in itertools.product(names, initializations, depths):
        function = from_tensorflow(REGISTRY[name].function)
        scale = scales(initialization, (inputs, *[width] * depth, classes), function, float(np.mean(square_norm)))
        if scale is None:
            continue
        through = propagate(function, scale, np.atleast_1d(square_norm))
        error = error_ratio(through).mean(axis=1)
        gradient = (error_ratio(through) * through.input_square).mean(axis=1)
        with np.errstate(invalid="ignore"):  # signals that are exactly 0 have no ratio: NaN
            relative = gradient / gradient[-1]
        quantities = {
            "preactivation_square": through.q.mean(axis=1),
            "error_norm_ratio": np.sqrt(error / error[-1]),
            "example_weight_gradient_norm_ratio": np.sqrt(relative),
        }
        sigma_w, sigma_b = np.sqrt(scale.sigma_w2).tolist(), np.sqrt(scale.bias_variance).tolist()
        same = {"activation": name, "init": initialization, "depth": depth, "width": width}
        for quantity, predicted in quantities.items():
            for i, value in enumerate(predicted.tolist()):
                layer = {"sigma_w": sigma_w[i], "sigma_b": sigma_b[i], "layer": i + 1}
                rows.append(same | layer | {"quantity": quantity, "predicted": value})
    return rows


def describe(name: str, square_norm: float = MNIST_SQUARE_NORM, depth: int = 20, width: int = 100) -> str:
    """The predictions for one entry of the registry as plain text, for `study theory NAME`."""
    entry = REGISTRY[name]
    function = from_tensorflow(entry.function)
    parts = [
        f"{entry.label}: {entry.formula}\n{entry.source}",
        _describe_critical(critical_initialization(function), function),
        _describe_infinite(function),
        *(_describe_network(i, function, square_norm, depth, width) for i in INITIALIZATIONS),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _describe_critical(point: CriticalPoint | None, function: Nonlinearity) -> str:
    title = "Critical initialisation (chi = 1 at the fixed point q* of the forward map)"
    if point is None:
        return f"{title}\n  none: {why_not_critical(function)}"
    q_star = "any" if point.q_star is None else "0 (a limit)" if point.q_star == 0 else f"{point.q_star:.6g}"
    return (
        f"{title}\n  sigma_w = {point.sigma_w:.6g} (sigma_w^2 = {point.sigma_w**2:.6g}), "
        f"sigma_b = {point.sigma_b:.6g} (sigma_b^2 = {point.sigma_b**2:.6g})\n"
        f"  q* = {q_star}, {point.stability}: dq'/dq = {point.slope:.4g}"
    )


def _describe_infinite(function: Nonlinearity) -> str:
    lines = ["Infinitely deep and wide, no bias"]
    lines.append("  sigma_w^2    q*          chi       phase      depth scale xi  6 xi")
    for sigma_w2, label in ((1.0, "1 Glorot"), (2.0, "2 He")):
        points = [p for p in fixed_points(function, sigma_w2, 0.0) if p.stability != "unstable"]
        if not points:
            lines.append(f"  {label:11s}  no stable fixed point: q grows without bound")
        for point in points:
            free = math.isnan(point.q)
            scale = depth_scale(function, 1.0 if free else point.q, sigma_w2, 0.0)
            q = "any" if free else f"{point.q:.5g}"
            reach = f"{scale.xi:<14.4g}  {TRAINABLE_DEPTH * scale.xi:.3g}"
            lines.append(f"  {label:11s}  {q:10s}  {point.chi:<8.4g}  {scale.phase:9s}  {reach}")
    return "\n".join(lines)


def _describe_network(initialization: str, function: Nonlinearity, square_norm: float, depth: int, width: int) -> str:
    scale = scales(initialization, (784, *[width] * depth, 10), function, square_norm)
    if scale is None:
        return ""
    through = propagate(function, scale, square_norm)
    errors, gradients = np.sqrt(error_ratio(through)), np.sqrt(example_weight_gradient_ratio(through))
    factor = errors[0] ** (1 / depth)
    lines = [
        f"784-{depth}x{width}-10, {initialization}, mean ||x||^2 = {square_norm:.4g}: going backward,",
        f"the error's norm is multiplied by {factor:.4g} a layer (geometric mean)",
        "  layer  q           chi       error / output's  example weight gradient / output's",
    ]
    for i in range(depth + 1):
        chi = f"{through.chi[i]:<8.4g}" if i < depth else "-       "
        lines.append(f"  {i + 1:<5d}  {through.q[i]:<10.4g}  {chi}  {errors[i]:<16.4g}  {gradients[i]:.4g}")
    return "\n".join(lines)
