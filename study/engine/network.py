"""Describe the network of a compiled program: prepare its data, score examples and join its measures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from study.engine import augmentation, losses
from study.engine.architecture import Architecture, Function, Parameters
from study.engine.forward import outputs
from study.engine.measures import Measures, unpacked
from study.engine.program_kind import ProgramKind

# One entry per layer group, of four nests of tensors (rows, ...). The first holds the parameters, and the second the
# optimiser's slots of each parameter. The third holds the moving mean and variance, or () without batch normalisation.
# The fourth holds the moving averages of the parameters, or () without averaging.
State = tuple[Any, ...]


class Data(NamedTuple):
    """Hold images (n, columns) uint8, labels (n,) uint8, and `probe` (P,) int32, the indices of the probe images."""

    images: tf.Tensor
    labels: tf.Tensor
    probe: tf.Tensor


class Scores(NamedTuple):
    """Hold three scores, each an array over examples, a sum or a mean; the function that returns them says which."""

    loss: Any
    accuracy: Any
    mae: Any  # mean absolute error; see losses.absolute_errors


@dataclass(frozen=True)
class Network:
    """Describe a network: its activation `function` phi, the `supremum` of |phi'|, and the `kind` of its program."""

    function: Function
    supremum: float
    kind: ProgramKind

    def architecture(self, counts: tf.Tensor) -> Architecture:
        """Return the architecture whose groups have `counts` (groups,) int32 layers."""
        kind = self.kind
        unstacked = tf.unstack(counts, len(kind.shapes))
        return Architecture(self.function, kind.normalization, kind.residual, kind.dropout, unstacked)

    def function_of(self, group: int) -> Function | None:
        """Return the activation of the layer group with index `group`, or None for the output layer, the last group."""
        return None if group == len(self.kind.shapes) - 1 else self.function

    def inputs(self, images: tf.Tensor) -> tf.Tensor:
        """Convert images (B, columns) from 0 to 255 to inputs in [0, 1], in the program's precision."""
        return tf.cast(images, self.kind.precision) / 255

    def batch(
        self, seed: tf.Tensor, most: tf.Tensor, images: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the inputs (B, columns) and labels (B,) int32 of a batch, with images distorted if the kind says so.

        `images` and `labels` are uint8. `most` (5,) holds the strengths of distortions, and `seed` (2,) decides them.
        """
        images = augmentation.distorted(images, most, seed) if self.kind.distorts else images
        return self.inputs(images), tf.cast(labels, tf.int32)

    def scores(self, counts: tf.Tensor, weights: Any, x: tf.Tensor, labels: tf.Tensor) -> Scores:
        """Return the scores of every example, each (B,), computed as outside of training; the accuracies are bool.

        `counts` (groups,) holds the number of layers of each group; `weights` comes from `weights_of`. x is (B,
        columns).
        """
        parameters, moving = weights
        logits = outputs(self.architecture(counts), parameters, x, moving)
        output, loss = self.kind.output, self.kind.loss
        return Scores(
            losses.example_losses(output, loss, logits, labels),
            losses.hits(output, logits, labels),
            losses.absolute_errors(output, logits, labels),
        )

    def measure_buffers(self, names: tuple[str, ...], precision: str) -> list[Any]:
        """Return zeros (rows, measures) for the measures `names` of each looped group, and () for each other group."""
        shapes = self.kind.shapes
        return [tf.zeros([shape.rows, len(names)], precision) if shape.is_looped else () for shape in shapes]

    @property
    def rows(self) -> int:
        """Return the number of rows of all groups, spare rows included."""
        return sum(shape.rows for shape in self.kind.shapes)


def joined(names: tuple[str, ...], measured: Sequence[tf.Tensor]) -> Measures:
    """Join the groups' packed measures, (rows, measures) or (measures,), to {name: (rows of all groups,)}."""
    return unpacked(names, tf.concat([tf.reshape(of_group, [-1, len(names)]) for of_group in measured], 0))


def parameters_of(state: State) -> Parameters:
    """Return the parameters of each group, without slots, moments and averages."""
    return tuple(group[0] for group in state)


def weights_of(state: State) -> tuple[Parameters, tuple[Any, ...]]:
    """Return two tuples over groups: parameters, or their moving averages if any, and moving means and variances."""
    averaged = tuple(averages or parameters for parameters, _, _, averages in state)
    return averaged, tuple(moving for _, _, moving, _ in state)
