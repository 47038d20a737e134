"""The compiled program that carries out one epoch, measurements included, and the one that evaluates.

A program depends on the activation, the architecture and the optimiser's kind alone: runs that differ in seed, initial
weights or learning rate share it, and a process compiles it once.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from study import gradients
from study.activations import Activation, derivative_supremum
from study.network import PIXELS, Parameters
from study.optimizers import OPTIMIZERS, Hyperparameters
from study.settings import Settings

CHUNK = 1000  # images evaluated at once
MOST_LOGGED = 24  # logged steps an epoch at most; the 1-2-5 series has 16 entries below 100,000


@dataclass(frozen=True)
class Program:
    """The compiled functions of one activation, architecture and optimiser; `compile_seconds` says what they cost."""

    epoch: Any
    evaluate: Any


def program_key(settings: Settings) -> tuple[Any, ...]:
    """What a compiled program depends on besides the activation: the rest may differ between runs that share it."""
    normalization, residual = settings.normalization, settings.residual
    return settings.widths, normalization, residual, settings.optimizer, settings.precision


@functools.lru_cache(maxsize=8)
def compiled_program(
    activation: Activation, widths: tuple[int, ...], normalization: str, residual: bool, optimizer: str, precision: str
) -> Program:
    """The program that trains this network; a process compiles it once, at its first use."""
    architecture = gradients.Architecture(activation.function, normalization, residual)
    epoch = functools.partial(_epoch, architecture, derivative_supremum(activation), optimizer, precision)
    evaluate = functools.partial(_evaluate, architecture, precision)
    return Program(tf.function(epoch, jit_compile=True), tf.function(evaluate, jit_compile=True))


def _pixels(images: tf.Tensor, indices: tf.Tensor, precision: str) -> tf.Tensor:
    """Rows of `images` as inputs in [0, 1]: (len(indices), 784)."""
    return tf.ensure_shape(tf.cast(tf.gather(images, indices), precision) / 255, [indices.shape[0], PIXELS])


def _epoch(
    architecture: gradients.Architecture,
    supremum: float,
    optimizer: str,
    precision: str,
    state: Any,
    hyperparameters: tf.Tensor,
    first_step: tf.Tensor,
    updates: tf.Tensor,
    order: tf.Tensor,
    rows: tf.Tensor,
    images: tf.Tensor,
    labels: tf.Tensor,
    probe: tf.Tensor,
) -> Any:
    """Carry out `updates` updates, one per row of `order` (steps, B), measuring before update i where rows[i] >= 0.

    `rows` (steps + 1,) holds the row of the result each step is written to, or -1. Returns the new state, the totals
    (sum of batch losses, images classified right, first step with a loss that is not finite or -1) and the measured
    rows (MOST_LOGGED, L + 1, measures).
    """
    rule = OPTIMIZERS[optimizer]

    def measure(parameters: Parameters, signals: Any, found: Any, ratio: tf.Tensor) -> tf.Tensor:
        of_batch = gradients.batch_measures(architecture, signals, found)
        of_probe = gradients.probe_measures(architecture, parameters, supremum, _pixels(images, probe, precision))
        return tf.concat([of_batch, of_probe, ratio[:, tf.newaxis]], 1)

    def step(index: tf.Tensor, state: Any, totals: Any, measured: tf.Tensor) -> Any:
        parameters, slots, ratio, moving = state
        y = tf.cast(tf.gather(labels, order[index]), tf.int32)
        signals = gradients.forward(architecture, parameters, _pixels(images, order[index], precision))
        logits = signals[-1].preactivations[0]
        loss, delta = gradients.loss_and_delta(logits, y)
        found = gradients.backward(architecture, parameters, signals, delta)
        measured = tf.cond(
            rows[index] >= 0,
            lambda: tf.tensor_scatter_nd_update(
                measured, rows[index][tf.newaxis, tf.newaxis], measure(parameters, signals, found, ratio)[tf.newaxis]
            ),
            lambda: measured,
        )
        count = tf.cast(first_step + index + 1, precision)
        h = Hyperparameters(hyperparameters[0], hyperparameters[1], hyperparameters[2], count)
        slopes = tuple(gradient.parameters for gradient in found)
        slots = _zip_map(lambda gradient, slot: rule.advance(slot, gradient, h), slopes, slots)
        changes = _zip_map(lambda gradient, slot: rule.update(slot, gradient, h), slopes, slots)
        ratio = tf.cond(
            rows[index + 1] >= 0,
            lambda: gradients.update_ratios([stage[0] for stage in changes], [stage[0] for stage in parameters]),
            lambda: ratio,
        )
        parameters = _zip_map(tf.add, parameters, changes)
        total, hits, diverged = totals
        hits += tf.reduce_sum(tf.cast(tf.argmax(logits, 1, tf.int32) == y, tf.int32))
        is_first = tf.logical_and(diverged < 0, tf.logical_not(tf.math.is_finite(loss)))
        totals = (total + loss, hits, tf.where(is_first, first_step + index, diverged))
        moving = tuple(gradients.moved(*pair) for pair in zip(moving, signals, strict=False))
        return index + 1, (parameters, slots, ratio, moving), totals, measured

    layers = state[2].shape[0]
    measured = tf.zeros([MOST_LOGGED, layers, len(gradients.MEASURES)], precision)
    totals = (tf.zeros((), precision), tf.constant(0), tf.constant(-1))
    _, *result = tf.while_loop(lambda index, *_: index < updates, step, (0, state, totals, measured))
    return tuple(result)


def _zip_map(function: Callable[..., Any], *stages: Any) -> Any:
    """Apply to every parameter of every stage."""
    return tuple(tuple(function(*items) for items in zip(*group, strict=True)) for group in zip(*stages, strict=True))


def _evaluate(
    architecture: gradients.Architecture,
    precision: str,
    weights: Any,
    images: tf.Tensor,
    labels: tf.Tensor,
    chunks: tf.Tensor,
    used: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Sum of losses and number of hits over the first `used` rows of `chunks` (n, CHUNK); index -1 is no image.

    `weights` are the parameters and the moving moments.
    """

    def chunk(index: tf.Tensor, total: tf.Tensor, hits: tf.Tensor) -> Any:
        is_image = chunks[index] >= 0
        indices = tf.maximum(chunks[index], 0)
        y = tf.cast(tf.gather(labels, indices), tf.int32)
        x = _pixels(images, indices, precision)
        logits = gradients.forward(architecture, weights[0], x, weights[1])[-1].preactivations[0]
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
        is_hit = tf.logical_and(tf.argmax(logits, 1, tf.int32) == y, is_image)
        total += tf.reduce_sum(tf.where(is_image, losses, tf.zeros_like(losses)))
        return index + 1, total, hits + tf.reduce_sum(tf.cast(is_hit, tf.int32))

    _, total, hits = tf.while_loop(lambda index, *_: index < used, chunk, (0, tf.zeros((), precision), tf.constant(0)))
    return total, hits
