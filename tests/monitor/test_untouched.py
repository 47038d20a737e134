"""Training is the same to the bit with a GradientLogger as without."""

import random

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from study import GradientLogger

L = keras.layers


class Noise(keras.layers.Layer):
    """Draws from Keras' global generator, which is made only when it is first asked."""

    def call(self, x, training=False):
        return x + 0.1 * keras.random.normal(keras.ops.shape(x)) if training else x


class OwnNoise(keras.layers.Layer):
    """Draws from Python's generator and numpy's, in every call, or once if the call is traced."""

    def call(self, x, training=False):
        return x * (1 + 0.1 * random.random() + 0.1 * np.random.rand()) if training else x  # noqa: NPY002


class Subclassed(keras.Model):
    """Has no variables before its first step, and draws initial weights only then."""

    def __init__(self):
        super().__init__()
        self.hidden, self.normalize, self.noise, self.out = L.Dense(8), L.BatchNormalization(), Noise(), L.Dense(3)
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, x, training=False):
        h = self.noise(self.normalize(self.hidden(x), training=training), training=training)
        self.add_loss(0.01 * keras.ops.mean(h**2))
        return self.scale * self.out(h)


def sequential():
    """Batch normalisation, dropout, noise, regularised weights and activities, a constraint."""
    return keras.Sequential(
        [
            L.Dense(8, "relu", kernel_regularizer="l2", activity_regularizer="l1"),
            L.BatchNormalization(),
            L.Dropout(0.4),
            Noise(),
            L.Dense(3, kernel_constraint="unit_norm"),
        ]
    )


def drawing():
    """Has its variables before its first step; a model that has none yet draws in one call more with a logger."""
    return keras.Sequential([L.Input((5,)), L.Dense(8, "relu"), OwnNoise(), L.Dense(3)])


def random_slope(x):
    """Draw the slope of negative values from Keras' global generator."""
    return keras.ops.where(x > 0, x, x * keras.random.uniform(keras.ops.shape(x)))


def random_activation():
    return keras.Sequential([L.Input((5,)), L.Dense(8, random_slope), L.Dense(3)])


def tensorflow_noise():
    noisy = L.Lambda(lambda x: x + tf.random.normal(tf.shape(x)))
    return keras.Sequential([L.Input((5,)), L.Dense(8, "relu"), noisy, L.Dense(3)])


def adam(**options):
    return keras.optimizers.Adam(0.01, **options)


def arrays():
    rng = np.random.default_rng(0)
    return rng.normal(size=(43, 5)).astype(np.float32), rng.integers(0, 3, 43)


def dataset():
    return tf.data.Dataset.from_tensor_slices(arrays()).shuffle(43, seed=1).batch(8)


def generator():
    x, y = arrays()
    for start in range(0, 80, 8):
        yield x[start % 40 :][:8], y[start % 40 :][:8]


CASES = {
    "plain": (sequential, {}, {}, arrays),
    "compiled": (sequential, {"jit_compile": True}, {}, lambda: tuple(array[:16] for array in arrays())),
    "drawing": (drawing, {}, {}, arrays),
    "drawing, eager": (drawing, {"run_eagerly": True}, {}, arrays),
    "random activation": (random_activation, {}, {}, arrays),
    "TensorFlow's noise, eager": (tensorflow_noise, {"run_eagerly": True}, {}, arrays),
    "eager": (Subclassed, {"run_eagerly": True}, {}, arrays),
    "several steps, weighted classes": (
        sequential, {"steps_per_execution": 4}, {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}, "validation_split": 0.2},
        arrays,
    ),
    "clipped average": (Subclassed, {"optimizer": lambda: adam(clipnorm=0.1, use_ema=True)}, {}, arrays),
    "scaled": (sequential, {"optimizer": lambda: keras.optimizers.LossScaleOptimizer(adam())}, {}, dataset),
    "accumulated, endless": (
        sequential, {"optimizer": lambda: adam(gradient_accumulation_steps=2)}, {"steps_per_epoch": 3},
        lambda: dataset().repeat(),
    ),
    "generator": (sequential, {"steps_per_execution": 3}, {"steps_per_epoch": 5}, generator),
    "generator, whole": (Subclassed, {}, {}, generator),
}  # fmt: skip


def trained(case, loggers):
    """Train two epochs; return what a user could see of it: history, all variables, the next random numbers."""
    model, options, of_fit, source = CASES[case]
    keras.utils.set_random_seed(7)
    options = {name: value() if name == "optimizer" else value for name, value in options.items()}
    model, given = model(), source()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(**{"optimizer": adam()} | options, loss=loss, metrics=["accuracy"])
    is_arrays = isinstance(given, tuple)
    xy = {"x": given[0], "y": given[1], "batch_size": 8} if is_arrays else {"x": given, "shuffle": False}
    history = model.fit(**xy, epochs=2, verbose=0, callbacks=loggers, **of_fit).history
    states = {v.path: v.numpy() for v in (*model.variables, *model.optimizer.variables, *model.metrics_variables)}
    drawn = [np.random.rand(), keras.random.uniform(()).numpy(), tf.random.uniform(()).numpy()]  # noqa: NPY002
    return history, list(states.values()), drawn


@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # Keras says so of generators, in both
@pytest.mark.parametrize("case", CASES)
def test_training_is_the_same_to_the_bit(case):
    """Histories, weights, moving averages, the optimiser's slots, metrics, and what is drawn next are equal."""
    logger = GradientLogger("batch", verbose=0)
    expected, found = trained(case, []), trained(case, [logger])
    assert found[0] == expected[0]
    for ours, theirs in zip(found[1], expected[1], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert found[2] == expected[2]
    frame = logger.to_frame()
    assert frame["weight_gradient"].notna().any()
    assert frame["step"].min() == 0
    assert frame["update_ratio"].notna().any()


def test_two_loggers_do_not_disturb_each_other():
    """Both log what each alone does, though one takes more batches, and leave fit's train function as they found it."""
    alone, both = ([GradientLogger(2, probe=share, verbose=0) for share in (0.5, None)] for _ in range(2))
    histories = [trained("plain", loggers)[0] for loggers in (alone[:1], alone[1:], both)]
    assert histories[0] == histories[1] == histories[2]
    for loggers in zip(alone, both, strict=True):
        pd.testing.assert_frame_equal(*(each.to_frame().drop(columns="layer") for each in loggers))
        assert not hasattr(loggers[1].model.train_function, "__wrapped__")


class Stopped(keras.callbacks.Callback):
    """Ends a fit after its first batch, as Ctrl-C does."""

    def on_train_batch_end(self, batch, logs=None):
        raise KeyboardInterrupt


def test_no_layer_or_optimizer_keeps_a_trace():
    """After training, and after a step that fails, no object has a call, an activation or an apply of its own.

    The fit after one that was interrupted trains on its own batches, by the model's own train function.
    """
    model = sequential()
    model.compile(adam(), "sparse_categorical_crossentropy")
    x, y = arrays()
    with pytest.raises(Exception, match=r"Dimensions|shape|rank|incompatible"):
        model.fit(x, y, verbose=0, callbacks=[GradientLogger(probe=(x, np.zeros((3, 4, 5))), verbose=0)])
    own = model.train_function
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=8, verbose=0, callbacks=[GradientLogger(1, probe=1.0, verbose=0), Stopped()])
    assert not any("call" in vars(layer) for layer in model._flatten_layers())
    assert model.layers[0].activation is keras.activations.relu
    assert "apply" not in vars(model.optimizer)
    model.fit(x[:4], y[:4], verbose=0)
    assert model.train_function is own


def test_a_process_that_never_set_a_seed(monkeypatch):
    """TensorFlow has no generator of seeds until a seed is first set: training works, and there is still none."""
    monkeypatch.delattr(context.context(), "_rng", raising=False)
    model = keras.Sequential([L.Input((5,)), L.Dense(8, "relu"), L.Dropout(0.4), L.Dense(3)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    logger = GradientLogger()
    model.fit(np.ones((40, 5), "float32"), np.zeros(40), callbacks=[logger], verbose=0)
    assert len(logger.to_frame())
    assert not hasattr(context.context(), "_rng")
