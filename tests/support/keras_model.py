"""Build the network of a run as a Keras model, to check what the engine trains by a second method."""

import keras
import numpy as np

from study.activations import Activation
from study.engine import losses
from study.engine.initialization import initial_parameters
from study.engine.layer_groups import CLASSES, PIXELS
from study.networks.weights import arrays
from study.settings import Settings


def keras_model(settings: Settings, activation: Activation, square_norm: float) -> keras.Model:
    """Return the compiled Keras model of a run; `square_norm` is the mean of ||x||^2 over the training images x."""
    dtype = settings.precision
    inputs = h = keras.Input((PIXELS,), dtype=dtype)
    for units in settings.widths:
        z = keras.layers.Dense(units, dtype=dtype)(h)
        if settings.normalization == "batch":
            z = keras.layers.BatchNormalization(dtype=dtype)(z)
        elif settings.normalization == "layer":
            z = keras.layers.LayerNormalization(dtype=dtype)(z)
        output = keras.layers.Activation(activation.function, dtype=dtype)(z)
        is_added = settings.residual != "none" and h is not inputs and h.shape[-1] == units
        if is_added and settings.residual == "scaled":
            output = keras.layers.Rescaling(np.float64((2 * settings.depth) ** -0.5), dtype=dtype)(output)
        h = keras.layers.Add(dtype=dtype)([output, h]) if is_added else output
    outputs = keras.layers.Dense(CLASSES, dtype=dtype)(h)
    is_standard = losses.is_standard(settings.output, settings.loss)
    if not is_standard:
        outputs = keras.layers.Activation(losses.OUTPUTS[settings.output], dtype=dtype)(outputs)
    model = keras.Model(inputs, outputs)
    initial = arrays(settings, initial_parameters(settings, square_norm))
    for variable, value in zip(model.trainable_variables, initial, strict=True):
        variable.assign(value)
    # A loss that is not the standard one takes the labels as one-hot rows (B, 10).
    logits_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    loss = logits_loss if is_standard else losses.LOSSES[settings.loss]
    model.compile(optimizer=_optimizer(settings), loss=loss, metrics=["accuracy"])
    return model


def _optimizer(settings: Settings) -> keras.optimizers.Optimizer:
    if settings.optimizer == "adam":
        return keras.optimizers.Adam(settings.learning_rate, epsilon=settings.epsilon)
    return keras.optimizers.SGD(settings.learning_rate, momentum=settings.momentum)
