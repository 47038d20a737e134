"""Register the activation functions to compare, one entry each.

To add an activation, add one entry to `REGISTRY` and run `make all`. This repeats no run of the others. But the tuned
comparison may need more learning rates or seeds, at which all activations then train.
"""

import functools
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Activation:
    """Describe one activation function phi, applied elementwise to the pre-activations z of hidden layers.

    A change of the texts `label`, `formula` and `source` retrains nothing.
    """

    function: Callable[[tf.Tensor], tf.Tensor]  # keeps shape and dtype; study/fitness.py checks all conditions
    label: str
    formula: str  # in LaTeX, without dollar signs
    source: str
    studied: bool = True  # False: compared only if it is asked for by name; a claim or a control may run it anyway


class ActivationError(ValueError):
    """Say what is wrong with an entry of the registry, as in "has no gradient"; the activation is the subject."""


# Colours and markers follow the order of this table, so new entries go last.
REGISTRY: dict[str, Activation] = {
    "relu": Activation(tf.nn.relu, "ReLU", r"\max(0, z)", "Nair & Hinton 2010"),
    "sigmoid": Activation(tf.math.sigmoid, "Sigmoid", r"1 / (1 + e^{-z})", "Rumelhart, Hinton & Williams 1986"),
    "gelu": Activation(lambda z: tf.nn.gelu(z, approximate=False), "GELU", r"z\,\Phi(z)", "Hendrycks & Gimpel 2016"),
    "swish": Activation(
        lambda z: z * tf.math.sigmoid(z),
        "Swish",
        r"z / (1 + e^{-z})",
        "Ramachandran, Zoph & Le 2017 (beta = 1; also SiLU, Elfwing et al. 2018)",
    ),
    "tanh": Activation(tf.math.tanh, "Tanh", r"\tanh z", "LeCun et al. 1998, Efficient BackProp", studied=False),
    "linear": Activation(tf.identity, "Linear", r"z", "the control without a non-linearity", studied=False),
    "leaky_relu": Activation(
        lambda z: tf.nn.leaky_relu(z, alpha=0.01),
        "Leaky ReLU",
        r"\max(0.01 z, z)",
        "Maas, Hannun & Ng 2013 (slope 0.01)",
        studied=False,
    ),
    "elu": Activation(
        tf.nn.elu,
        "ELU",
        r"z \;(z > 0),\; e^z - 1 \;(z \leq 0)",
        "Clevert, Unterthiner & Hochreiter 2015 (alpha = 1)",
        studied=False,
    ),
    "selu": Activation(
        tf.nn.selu,
        "SELU",
        r"\lambda z \;(z > 0),\; \lambda \alpha (e^z - 1) \;(z \leq 0)",
        "Klambauer et al. 2017 (lambda = 1.0507, alpha = 1.6733)",
        studied=False,
    ),
    "softplus": Activation(tf.math.softplus, "Softplus", r"\ln(1 + e^z)", "Dugas et al. 2001", studied=False),
    "softsign": Activation(tf.math.softsign, "Softsign", r"z / (1 + |z|)", "Bergstra et al. 2009", studied=False),
    "mish": Activation(
        lambda z: z * tf.math.tanh(tf.math.softplus(z)), "Mish", r"z \tanh(\ln(1 + e^z))", "Misra 2019", studied=False
    ),
    "hard_swish": Activation(
        lambda z: z * tf.clip_by_value(z + 3, 0, 6) / 6,
        "Hard swish",
        r"z \min(\max(z + 3, 0), 6) / 6",
        "Howard et al. 2019, MobileNetV3",
        studied=False,
    ),
    "gelu_tanh": Activation(
        lambda z: tf.nn.gelu(z, approximate=True),
        "GELU (tanh form)",
        r"\frac{z}{2} (1 + \tanh(\sqrt{2/\pi} (z + 0.044715 z^3)))",
        "Hendrycks & Gimpel 2016, the approximation of section 2",
        studied=False,
    ),
    "relu6": Activation(tf.nn.relu6, "ReLU6", r"\min(\max(0, z), 6)", "Krizhevsky 2010", studied=False),
    "erf": Activation(
        tf.math.erf,
        "Erf",
        r"\mathrm{erf}(z)",
        "the smooth gate whose mean field has a closed form (Williams 1997)",
        studied=False,
    ),
    "squared_relu": Activation(
        lambda z: tf.math.square(tf.nn.relu(z)),
        "Squared ReLU",
        r"\max(0, z)^2",
        "So et al. 2021, Primer",
        studied=False,
    ),
}


def value_and_derivative(function: Callable[[tf.Tensor], tf.Tensor], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return phi(x) and phi'(x) for phi = `function`, as arrays in the shape and dtype of `x`.

    `function` must keep shape and dtype. Raise ActivationError if TensorFlow finds no gradient of it.
    """
    points = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(points)
        values = function(points)
    derivatives = tape.gradient(values, points)
    if derivatives is None:
        raise ActivationError("has no gradient: TensorFlow cannot differentiate it")
    return values.numpy(), tf.convert_to_tensor(derivatives).numpy()


@functools.cache  # once per process: it takes longer than measuring an untrained network
def fingerprint(activation: Activation) -> str:
    """Return a SHA-256 (64 hex digits) of phi and phi' of `activation` on a fixed float64 grid.

    It identifies the function, whatever its label, formula or code. Values below pi in size are rounded to 8 decimals,
    all others to 9 significant digits. So last-digit differences between CPUs do not change the fingerprint, even after
    cancellation.
    """
    grid = np.concatenate([np.linspace(-10, 10, 4001), np.linspace(-100, 100, 401)])
    columns = value_and_derivative(activation.function, grid)
    text = "\n".join(_rounded_text(value) for column in columns for value in column)
    return hashlib.sha256(text.encode()).hexdigest()


def _rounded_text(value: float) -> str:
    # The formats change at pi, a value that no usual activation takes. Adding 0.0 turns -0 into 0.
    return f"{round(value, 8) + 0.0:.8f}" if abs(value) < math.pi else f"{value:.8e}"


def curve(activation: Activation) -> dict[str, list[float]]:
    """Return the curve that the report draws, as lists of 501 numbers: `x` from -5 to 5, `value` and `derivative`."""
    x = np.linspace(-5, 5, 501)
    value, derivative = value_and_derivative(activation.function, x)
    return {"x": x.tolist(), "value": value.tolist(), "derivative": derivative.tolist()}
