"""The GradientLogger measures rightly: by finite differences, by numpy, and by the study's own engine."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from finite_differences import central_difference
from keras_model import keras_model
from numpy_network import NumpyNetwork

from study import GradientLogger
from study.activations import REGISTRY
from study.engine.measures import BATCH_MEASURES, PROBE_MEASURES
from study.engine.run import Run
from study.engine.seeds import epoch_order
from study.settings import Settings

SHAPE = (6, 5, 4, 3)
GELU = REGISTRY["gelu"].function


def dense_model(activation="tanh", seed=0, dtype=None, **options):
    keras.utils.set_random_seed(seed)
    hidden = [keras.layers.Dense(n, activation, bias_initializer="random_normal", dtype=dtype) for n in SHAPE[1:-1]]
    model = keras.Sequential([keras.Input(SHAPE[:1]), *hidden, keras.layers.Dense(SHAPE[-1], dtype=dtype)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(options.pop("optimizer", keras.optimizers.SGD(0.1)), loss, **options)
    return model


def data(batch=12, seed=1):
    rng = np.random.default_rng(seed)
    return rng.random((batch, SHAPE[0])), rng.integers(0, SHAPE[-1], batch)


def measured(model, x, y):
    """Fit for one epoch and return the rows of the first step."""
    logger = GradientLogger("batch", verbose=0)
    model.fit(x, y, batch_size=len(x), shuffle=False, verbose=0, callbacks=[logger])
    frame = logger.to_frame()
    return frame[frame["step"] == frame["step"].min()].reset_index(drop=True)


def test_norms_are_those_of_finite_differences(float64_keras):
    """Kernels, biases and pre-activations are nudged entry by entry; numpy computes the loss. In float64."""
    (x, y), model = data(), dense_model()
    arrays = [[layer.kernel.numpy(), layer.bias.numpy()] for layer in model.layers]
    network = NumpyNetwork(arrays, lambda z: (np.tanh(z), None))
    found = measured(model, x, y)
    for number, (kernel, bias) in enumerate(network.layers, start=1):
        row = found.loc[number - 1]
        for name, array in (("weight_gradient", kernel), ("bias_gradient", bias)):
            numeric = central_difference(lambda: network.losses(x, y).mean(), array)
            assert row[name] == pytest.approx(np.linalg.norm(numeric), rel=1e-7)
        nudge = np.zeros((len(x), bias.size))
        delta = central_difference(lambda n=number, d=nudge: network.losses(x, y, {n: d}).sum(), nudge)
        assert row["error"] == pytest.approx(np.sqrt((delta**2).sum(1).mean()), rel=1e-7)


@pytest.mark.parametrize(("name", "normalization"), [("relu", "none"), ("sigmoid", "batch")])
def test_measures_are_the_studys_on_the_studys_network(name, normalization, tiny_data, float64_keras):
    """The engine trains 25 updates and logs; Keras' fit trains the same with three loggers, on the same data.

    For the measures of a batch, a logger's probe is the batch of the next update; for the others, the engine's probe.
    The engine leaves out blank pixels, so that the norm of its first kernel is smaller.
    """
    settings = Settings(
        activation=name, seed=3, depth=3, width=(6, 5, 5), optimizer="sgd", learning_rate=0.1, batch=8, epochs=1,
        validation=1100, patience=None, precision="float64", normalization=normalization,
    )  # fmt: skip
    run = Run(settings, tiny_data, REGISTRY[name])
    model = keras_model(settings, REGISTRY[name], run.images.square_norm)
    run.epoch(1)
    engine = run.log.to_lists()
    x, y = tiny_data.training_images / 255, tiny_data.training_labels.astype(np.int64)
    order = epoch_order(settings.seed, 1, run.training, settings.batch)
    first = GradientLogger(1, verbose=0)
    later, shown = (
        GradientLogger(5, probe=(x[images], y[images]), verbose=0) for images in (order[10], run.validation[:1000])
    )
    ordered = order.ravel()
    model.fit(x[ordered], y[ordered], batch_size=8, shuffle=False, verbose=0, callbacks=[first, later, shown])

    def compare(logger, step, measures, layers=slice(None)):
        frame = logger.to_frame()
        found = frame[frame["step"] == step].reset_index(drop=True)
        # A Keras layer is its Dense layer's weights and, three rows on, its activation's signals.
        at_dense = found[found["kind"] == "Dense"].reset_index(drop=True)
        at_activation = found[found["kind"] == "Activation"].reset_index(drop=True)
        for measure in measures:
            expected = np.array(engine[measure][engine["step"].index(step)], float)
            of_weights = measure in ("weight_gradient", "update_ratio")
            of_inputs = measure == "example_weight_gradient"
            hidden = (at_dense if of_weights or of_inputs else at_activation)[measure].to_numpy()[:3]
            ours = np.append(hidden, at_dense[measure].to_numpy()[-1])
            known = ~np.isnan(expected) & ~(of_inputs & (np.arange(4) < 3) & (normalization != "none"))
            np.testing.assert_allclose(
                ours[known][layers], expected[known][layers], rtol=1e-6, atol=1e-12, err_msg=measure
            )

    compare(first, 0, BATCH_MEASURES)
    compare(later, 10, BATCH_MEASURES)
    for step in (0, 5, 10, 20):
        compare(shown, step, PROBE_MEASURES)
        if step:
            compare(first, step, ("update_ratio",), slice(1, None))


@functools.cache
def in_float64():
    """Return the weights of a GELU network, and its measures in float64."""
    (x, y), model = data(), dense_model(GELU)
    weights = model.get_weights()
    return weights, measured(model, x, y)


@pytest.mark.parametrize(
    ("dtype", "tolerance", "options"),
    [
        ("float32", 1e-5, {"jit_compile": True}),
        ("float32", 1e-5, {"run_eagerly": True}),
        ("float32", 1e-5, {"steps_per_execution": 2, "optimizer": keras.optimizers.SGD(0.1, clipnorm=1e-3)}),
        ("float32", 1e-5, {"optimizer": keras.optimizers.SGD(0.1, loss_scale_factor=1024.0)}),
        ("float32", 1e-5, {"optimizer": keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)}),
        ("mixed_float16", 1e-2, {}),
        ("mixed_bfloat16", 5e-2, {}),
    ],
)
def test_precision_and_compilation_change_no_measure(dtype, tolerance, options, float64_keras):
    """Against float64, in that precision: clipping comes later, and the scale of the loss is taken out again."""
    (x, y), names = data(), ["weight_gradient", "bias_gradient", "error", "example_weight_gradient", "activation_rms"]
    weights, expected = in_float64()
    model = dense_model(GELU, dtype=dtype, **options)
    model.set_weights(weights)
    found = measured(model, x.astype(np.float32), y)
    np.testing.assert_allclose(found[names], expected[names], rtol=tolerance, err_msg=str(options))
    assert found["is_finite"].all()


def test_weights_of_examples_and_classes_count_as_in_training(float64_keras):
    """Training data come with their weights, in which Keras folds the classes' weights; a probe may bring its own."""
    (x, y), weights = data(), np.linspace(0, 2, 12)
    classes = {0: 1.0, 1: 3.0, 2: 0.5}

    def gradients(**options):
        model, logger = dense_model(), GradientLogger(probe=options.pop("probe", None), verbose=0)
        model.fit(x, y, batch_size=12, shuffle=False, verbose=0, callbacks=[logger], **options)
        return logger.to_frame()["weight_gradient"].to_numpy()[:3]

    by_hand = gradients(probe=(x, y, weights))
    assert not np.allclose(by_hand, gradients(), rtol=0.05)
    np.testing.assert_allclose(gradients(sample_weight=weights), by_hand, rtol=1e-12)
    of_classes = np.array([classes[label] for label in y])
    np.testing.assert_allclose(gradients(class_weight=classes), gradients(probe=(x, y, of_classes)), rtol=1e-12)


@pytest.mark.parametrize("is_eager", [False, True])
def test_a_kernel_that_the_step_assigns_has_the_gradient_of_training(is_eager, float64_keras):
    """Spectral normalisation assigns its kernel in each call: a gradient tape around the model gives the same norm."""

    def spectral_model():
        keras.utils.set_random_seed(0)
        normalised = keras.layers.SpectralNormalization(keras.layers.Dense(5, "tanh"))
        return keras.Sequential([keras.Input(SHAPE[:1]), normalised, keras.layers.Dense(3, "softmax")])

    (x, y), model, copy = data(), spectral_model(), spectral_model()
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=is_eager)
    with tf.GradientTape() as tape:
        loss = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(y, copy(x, training=True)))
    gradients = tape.gradient(loss, [layer.kernel for layer in (copy.layers[0].layer, copy.layers[1])])
    expected = [np.linalg.norm(gradient) for gradient in gradients]
    found = measured(model, x, y).dropna(subset="weight_gradient")
    np.testing.assert_allclose(found["weight_gradient"], expected, rtol=1e-7)


def test_statistics_are_not_weights(float64_keras):
    """The mean square of weights leaves out what is never trained, but not the weights of a frozen layer."""

    class Counted(keras.layers.Dense):
        def build(self, shape):
            super().build(shape)
            self.total = self.add_weight(shape=(), initializer="ones", trainable=False, name="total")

    (x, y), normalise = data(), keras.layers.Normalization()
    normalise.adapt(x)
    model = keras.Sequential([keras.Input(SHAPE[:1]), normalise, Counted(3, trainable=False)])
    model.add(keras.layers.Dense(3, "softmax"))
    model.compile("sgd", "sparse_categorical_crossentropy")
    found = measured(model, x, y)
    assert found["kind"].tolist() == ["Counted", "Dense"]
    kernels = [layer.kernel.numpy() for layer in model.layers[1:]]
    assert found["weight_rms"][0] == pytest.approx(np.sqrt(np.mean(kernels[0] ** 2)), rel=1e-12)


def test_a_probe_of_half_the_data_is_the_first_half_of_the_batches(float64_keras):
    """The share is rounded to batches, in the order of training. It needs a known number of batches."""
    (x, y), names = data(), ["weight_gradient", "error", "similarity"]
    frames = []
    for probe in (0.5, (x[:6], y[:6])):
        logger, model = GradientLogger(1, probe=probe, verbose=0), dense_model()
        model.fit(x, y, batch_size=3, shuffle=False, verbose=0, callbacks=[logger])
        frames.append(logger.to_frame())
    np.testing.assert_allclose(frames[0][names], frames[1][names], rtol=1e-12)
    endless = ((x[:3], y[:3]) for _ in range(4))
    with pytest.raises(ValueError, match=r"probe is 0.5, .* give steps_per_epoch to fit"):
        dense_model().fit(endless, shuffle=False, verbose=0, callbacks=[GradientLogger(probe=0.5, verbose=0)])
