"""One run: it trains what Keras trains, logs what it says it logs, and the same seed is the same run."""

import dataclasses
import itertools
import json
import math
import types

import hypothesis
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from keras_model import keras_model, layer_parameters
from numpy_network import NumpyNetwork
from started import start

from study.activations import REGISTRY, value_and_derivative
from study.engine import losses, measures, training
from study.engine.epoch import MOST_LOGGED
from study.engine.images import images_of
from study.engine.measures import derivative_supremum
from study.engine.noise import evaluate_with_noise
from study.engine.program_kind import groups_of
from study.engine.run_log import logged_steps
from study.engine.seeds import epoch_order, seed_for, split
from study.settings import Settings

# 203 training images in batches of 8: 25 updates an epoch, and 3 images left out; 100 updates in 4 epochs.
STEPS, EPOCHS = 25, 4
steadily = hypothesis.settings(deadline=None, derandomize=True)
LOGGED = [0, 1, 2, 5, 10, 20, 25, 50, 75, 100]


def settings(**changes):
    """Most tests share two compiled programs, which cost seconds each: this one's, and its like in float32."""
    chosen = {
        "activation": "swish", "seed": 3, "depth": 3, "width": (6, 5, 5), "optimizer": "sgd", "learning_rate": 0.1,
        "batch": 8, "validation": 1100, "epochs": EPOCHS, "patience": None, "precision": "float64",
    }  # fmt: skip
    return Settings(**{**chosen, **changes})


def train(data, **changes):
    chosen = settings(**changes)
    return training.train(chosen, data, REGISTRY[chosen.activation])


def science(result):
    """Return the result of a run without its timings."""
    return {name: value for name, value in result.items() if name != "timings"}


def arrays(run, state=None):
    """[W_1, b_1, ...], the trained arrays in Keras' order, of the run's state or another."""
    return layer_parameters(run.parameters_of_all_pixels(state or run.state), groups_of(run.settings))


def trained(state):
    """The state without averages, which `arrays` would return."""
    return tuple((*group[:-1], ()) for group in state)


def layers(run):
    """[(W_1, b_1), ...] of a plain network."""
    return list(zip(arrays(run)[::2], arrays(run)[1::2], strict=True))


def batches(run, epochs):
    """Indices (epochs * STEPS, B) of the run's batches, in order."""
    chosen = run.settings
    orders = [epoch_order(chosen.seed, epoch, run.training, chosen.batch) for epoch in epochs]
    return np.concatenate(orders)


def batch(data, indices):
    """Inputs (n, 784) in [0, 1] and labels (n,)."""
    return data.training_images[indices] / 255, data.training_labels[indices].astype(np.int64)


def keras_model_of(run, activation):
    """Return the run's Keras model, not compiled by XLA, and in full float64."""
    model = keras_model(run.settings, activation, run.images.square_norm)
    model.jit_compile = False
    for number in ("beta_1", "beta_2", "momentum"):  # Keras rounds them to float32 unless they are numpy's
        if hasattr(model.optimizer, number):
            setattr(model.optimizer, number, np.float64(getattr(model.optimizer, number)))
    return model


def keras_scores(model, x, y, output):
    """Loss, accuracy and mean absolute error by Keras' own metrics, of the model's last activation `output`."""
    labels = y if y.ndim == 2 else np.eye(10)[y]
    return *model.evaluate(x, y, verbose=0), float(keras.metrics.MeanAbsoluteError()(labels, output(model(x))))


def assert_same_as_keras(run, data, activation):
    """After the run's four epochs and one call of fit on the same 100 batches, the arrays are equal."""
    model = keras_model_of(run, activation)
    chosen = run.settings
    is_standard = losses.is_standard(chosen.output, chosen.loss)
    before = [array.numpy() for array in model.trainable_variables]
    for epoch in range(1, EPOCHS + 1):
        run.epoch(epoch)
    x, y = batch(data, batches(run, range(1, EPOCHS + 1)).ravel())
    model.fit(x, y if is_standard else np.eye(10)[y], batch_size=chosen.batch, shuffle=False, epochs=1, verbose=0)
    assert int(model.optimizer.iterations) == 100
    for ours, theirs, first in zip(arrays(run), model.trainable_variables, before, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)
        assert ours.ndim == 1 or np.abs(ours - first).max() > 1e-5  # kernels learnt; a normalised layer's bias cannot
    return model


def assert_scores_as_keras(run, data, model, rtol):
    """Keras finds the same validation loss, accuracy and mean absolute error."""
    x, y = batch(data, run.validation)
    is_standard = losses.is_standard(run.settings.output, run.settings.loss)
    labels, output = (y, tf.nn.softmax) if is_standard else (np.eye(10)[y], tf.identity)
    np.testing.assert_allclose(run.evaluate(run.state, run.validation), keras_scores(model, x, labels, output), rtol)


# It trains what Keras trains


def unit_by_unit(names):
    """Return an activation that applies the registry's entries `names` to the units of a layer, one entry a unit."""

    def function(z):
        if z.shape[-1] != len(names):  # the grid on which the engine looks for the largest slope
            return REGISTRY[names[0]].function(z)
        columns = [REGISTRY[name].function(column) for name, column in zip(names, tf.unstack(z, axis=-1), strict=True)]
        return tf.stack(columns, -1)

    return dataclasses.replace(REGISTRY[names[0]], function=function, label="an entry a unit")


OTHERS = tuple(name for name, activation in REGISTRY.items() if not activation.studied)
TRAINED = {name: REGISTRY[name] for name in REGISTRY if name not in OTHERS} | {"the others": unit_by_unit(OTHERS)}


@pytest.mark.parametrize("name", TRAINED)
def test_every_activation_trains_as_in_keras(name, tiny_data, float64_keras):
    """From the same weights on the same 100 batches, Adam moves every weight where model.fit does, to 8 digits in
    float64. Numpy finds in those weights the measures logged before the first update and after the last.

    The studied activations train layer by layer, as in a long run. The others share a brief run's loop, one a unit, so
    that one program is compiled for all of them.
    """
    activation = TRAINED[name]
    shape = {"depth": 4, "width": len(OTHERS), "epochs": 1} if name == "the others" else {"depth": 2, "width": (6, 5)}
    registered = OTHERS[0] if name == "the others" else name
    chosen = settings(activation=registered, optimizer="adam", learning_rate=0.01, **shape)
    run = start(chosen, tiny_data, activation)
    first = layers(run)
    assert_same_as_keras(run, tiny_data, activation)
    run.measure_end(EPOCHS)
    _, validation = split(1303, 1100, 3)
    probe, _ = batch(tiny_data, validation[:1000])
    logged = run.log.to_lists()
    for row, weights, indices in ((0, first, batches(run, [1])[0]), (-1, layers(run), batches(run, [5])[0])):
        numpy_network = NumpyNetwork(weights, lambda z: value_and_derivative(activation.function, z))
        expected = numpy_network.measures(*batch(tiny_data, indices), probe, derivative_supremum(activation))
        for measure, values in expected.items():
            # Compilers round tanh differently in its last digit, so that an output of gelu_tanh may be 0 or not.
            atol = 1e-3 if measure == "sparsity" and name == "the others" else 1e-12
            np.testing.assert_allclose(logged[measure][row], values, rtol=1e-8, atol=atol, err_msg=measure)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_trains_as_in_keras(momentum, tiny_data, float64_keras):
    """With momentum and without, through a loop over equal layers, and a loop over none."""
    for depth in (4, 1):
        chosen = settings(depth=depth, width=6, epochs=1, momentum=momentum, learning_rate=0.05)
        assert [group.shape.is_looped for group in groups_of(chosen)] == [False, True, False]
        assert_same_as_keras(start(chosen, tiny_data), tiny_data, REGISTRY["swish"])


@pytest.mark.parametrize(("epochs", "residual"), [(EPOCHS, "plain"), (EPOCHS, "scaled"), (1, "scaled")])
def test_normalised_residual_networks_train_as_in_keras(epochs, residual, tiny_data, float64_keras):
    """Batch normalisation and residual connections, layer by layer and in a loop.

    Weights, gamma, beta and the moving moments are equal, and so is the validation loss, which uses the moments.
    """
    changes = {"normalization": "batch", "residual": residual, "optimizer": "adam", "learning_rate": 0.01}
    chosen = settings(depth=2, width=6, epochs=epochs, **changes)
    run = start(chosen, tiny_data)
    model = assert_same_as_keras(run, tiny_data, REGISTRY["swish"])
    groups = zip((moving for _, _, moving, _ in run.state[:-1]), groups_of(run.settings), strict=False)
    moments = [m for moving, group in groups for layer in list(zip(*moving, strict=True))[: group.count] for m in layer]
    for ours, theirs in zip(moments, model.non_trainable_variables, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)
    assert_scores_as_keras(run, tiny_data, model, 1e-8)


@pytest.mark.parametrize(
    ("output", "loss"), [("relu", "squared_error"), ("sigmoid", "crossentropy"), ("softmax", "squared_error")]
)
def test_other_outputs_and_losses_train_as_in_keras(output, loss, tiny_data, float64_keras):
    run = start(settings(depth=1, width=6, output=output, loss=loss, learning_rate=0.05), tiny_data)
    assert_scores_as_keras(run, tiny_data, assert_same_as_keras(run, tiny_data, REGISTRY["swish"]), 1e-6)


def test_noise_is_the_same_draw_at_every_amplitude(tiny_data):
    """The last weights on the test images + a U, by numpy: U of the seed's stream, unclipped; a = 0 adds nothing."""
    chosen = settings(activation="tanh", noise=(0.0, 1.0, 3.0), depth=1, width=5)
    run = start(chosen, tiny_data)
    run.epoch(1)
    found = evaluate_with_noise(run)
    x, y = tiny_data.test_images / 255, tiny_data.test_labels.astype(np.int64)
    unit = np.random.default_rng(seed_for(chosen.seed, "noise")).uniform(-1, 1, x.shape)
    numpy_network = NumpyNetwork(layers(run), lambda z: (np.tanh(z), 1 - np.tanh(z) ** 2))
    assert found["amplitude"] == [0.0, 1.0, 3.0]
    scores = run.evaluate(run.state, run.images.test_indices)
    distances = np.abs(numpy_network.outputs(x) - np.eye(10)[y])
    assert scores.mae == pytest.approx(distances.mean(), rel=1e-8)
    for amplitude, loss, accuracy in zip(*found.values(), strict=True):
        assert loss == pytest.approx(numpy_network.losses(x + amplitude * unit, y).mean(), rel=1e-8)
        assert accuracy == pytest.approx(numpy_network.hits(x + amplitude * unit, y) / len(y))
    assert scores.accuracy == pytest.approx(found["test_accuracy"][0])


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_dropout_and_distortions_are_drawn_anew_each_step_and_the_same_each_time(normalization, tiny_data):
    """Two runs of one seed agree to the last digit, another seed's differ, and so does a run without. Layer by layer,
    as long runs are, the draws are the loop's.
    """
    drawn = {"normalization": normalization, "depth": 2, "width": 6, "epochs": 1, "dropout": 0.3, "rotation": 9}

    def loss(**changes):
        return start(settings(**{**drawn, **changes}), tiny_data).epoch(1)[:2]

    once, again, other = (loss(seed=seed) for seed in (3, 3, 4))
    assert once == again != other
    assert loss(epochs=3) == pytest.approx(once, rel=1e-9)
    if normalization == "none":
        assert once != loss(dropout=0.0) != loss(dropout=0.0, rotation=0)


def test_a_network_may_be_deeper_than_any_loop_of_the_study(tiny_data):
    """151 hidden layers: nothing that counts layers or rows runs over."""
    chosen = settings(depth=151, width=2, epochs=1, dropout=0.1)
    assert start(chosen, tiny_data).epoch(1)[2] is None  # every loss was finite


def test_the_first_steps_in_float32_are_those_of_keras(tiny_data):
    """Five updates in float32, in which the study runs, before chaos parts what rounding began."""
    run = start(settings(precision="float32"), tiny_data)
    model = keras_model_of(run, REGISTRY["swish"])
    state, *_ = run.call_epoch(1, updates=5)
    x, y = batch(tiny_data, batches(run, [1])[:5].ravel())
    model.fit(x.astype(np.float32), y, batch_size=8, shuffle=False, epochs=1, verbose=0)
    for ours, theirs in zip(arrays(run, state), model.trainable_variables, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_it_stops_when_keras_stops(tiny_data, float64_keras):
    """Losses and accuracies equal model.fit's epoch by epoch, and EarlyStopping stops after the same one.

    The weights that Keras restores score the same on validation and test images.
    """
    chosen = settings(learning_rate=0.3, epochs=60, patience=5)
    result = training.train(chosen, tiny_data, REGISTRY["swish"])
    run = start(chosen, tiny_data)
    model = keras_model_of(run, REGISTRY["swish"])
    _, validation = split(1303, 1100, 3)
    stop = keras.callbacks.EarlyStopping("val_loss", patience=5, min_delta=0, restore_best_weights=True)
    stream = (batch(tiny_data, indices) for epoch in range(1, 61) for indices in batches(run, [epoch]))
    kept = model.fit(
        stream, steps_per_epoch=STEPS, epochs=60, shuffle=False, verbose=0, callbacks=[stop],
        validation_data=batch(tiny_data, validation),
    ).history  # fmt: skip
    best = result["best"]["epoch"]
    assert 5 < result["epochs"] == best + 5 == len(kept["loss"]) < 60
    assert result["status"] == "done"
    names = {
        "training_loss": "loss", "training_accuracy": "accuracy",
        "validation_loss": "val_loss", "validation_accuracy": "val_accuracy",
    }  # fmt: skip
    for ours, theirs in names.items():
        np.testing.assert_allclose(result["history"][ours], kept[theirs], rtol=1e-7)
    on_test = (tiny_data.test_images / 255, tiny_data.test_labels.astype(np.int64))
    for part, images in (("validation", batch(tiny_data, validation)), ("test", on_test)):
        found = [result["best"][f"{part}_{score}"] for score in ("loss", "accuracy", "mae")]
        np.testing.assert_allclose(found, keras_scores(model, *images, tf.nn.softmax), rtol=1e-7)
    last = [result["last"][f"validation_{score}"] for score in ("loss", "accuracy")]
    assert last == [result["history"][f"validation_{score}"][-1] for score in ("loss", "accuracy")]


@pytest.mark.parametrize("shape", [{}, {"width": 6}])
def test_a_run_of_no_epochs_measures_the_initial_network(shape, tiny_data):
    """It logs what a training run logs at step 0, and compiles no training; no losses, an empty history."""
    expected = train(tiny_data, **shape, epochs=1)["measures"]
    unseen = dataclasses.replace(REGISTRY["swish"], label="compiled here alone")
    result = training.train(settings(epochs=0, **shape), tiny_data, unseen)
    for depth in (1, 7) if shape else ():  # of one program
        training.train(settings(epochs=0, **shape, depth=depth), tiny_data, unseen)
    compiled = start(settings(epochs=0, **shape), tiny_data, unseen).programs
    counts = [part.experimental_get_tracing_count() for part in (compiled.initial, compiled.epoch, compiled.evaluate)]
    assert counts == [1, 0, 0]
    assert (result["status"], result["epochs"], result["steps"]) == ("done", 0, 0)
    assert result["last"] == result["best"] == {}
    assert {name: len(values) for name, values in result["history"].items()} == dict.fromkeys(result["history"], 0)
    assert result["measures"].keys() == expected.keys()
    for name, values in result["measures"].items():
        np.testing.assert_allclose(values, expected[name][:1], rtol=1e-9, atol=1e-15, err_msg=name)


def errors_in_numpy(run, data):
    """(L + 1,) of the initial network on its first batch: every signal in float64, whatever the parameters are in."""
    network = NumpyNetwork(layers(run), lambda z: value_and_derivative(run.activation.function, z))
    deltas = network.deltas(*batch(data, batches(run, [1])[0]))
    return np.sqrt([(delta**2).sum(1).mean() for delta in deltas])


@pytest.mark.parametrize(("name", "shape"), [*((name, {}) for name in REGISTRY), ("swish", {"width": 6, "depth": 4})])
def test_errors_of_an_initial_network_of_float32_are_computed_in_float64(name, shape, tiny_data, uncompiled):
    """In a loop and layer by layer, they are the errors that numpy finds in float64 for the same float32 weights."""
    chosen = settings(activation=name, precision="float32", epochs=0, **shape)
    found = training.train(chosen, tiny_data, REGISTRY[name])["measures"]["error"][0]
    np.testing.assert_allclose(found, errors_in_numpy(start(chosen, tiny_data), tiny_data), rtol=2e-5)


@pytest.fixture
def uncompiled():
    """Programs are carried out as they are written: compiling takes longer."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_no_error_of_a_deep_initial_network_is_too_small(tiny_data):
    """Those at the first of 90 layers of sigmoids are below the least number of float32."""
    chosen = settings(activation="sigmoid", precision="float32", epochs=0, width=6, depth=90)
    found = training.train(chosen, tiny_data, REGISTRY["sigmoid"])["measures"]["error"][0]
    assert 0 < found[0] < np.finfo(np.float32).smallest_subnormal
    np.testing.assert_allclose(found, errors_in_numpy(start(chosen, tiny_data), tiny_data), rtol=1e-4)


# The log


@pytest.mark.parametrize("shape", [{}, {"width": 6, "epochs": 1}])
def test_weight_gradients_are_of_the_gradients_that_move_the_weights(shape, tiny_data):
    """SGD without momentum moves W_l by rate times the gradient.

    The move at step t, over the rate, is the logged weight_gradient of step t. Over the kernel's norm before it, the
    move is the update_ratio of step t + 1.
    """
    logged = train(tiny_data, **shape)["measures"]
    run = start(settings(**shape), tiny_data)
    states = {updates: run.call_epoch(1, updates)[0] for updates in range(STEPS + 1)}
    kernels = {updates: arrays(run, state)[::2] for updates, state in states.items()}

    def ways(step):
        return [np.linalg.norm(b - a) for a, b in zip(kernels[step], kernels[step + 1], strict=True)]

    assert logged["step"][:7] == LOGGED[:7]
    for row, step in enumerate(LOGGED[:7]):
        if step < STEPS:
            np.testing.assert_allclose(logged["weight_gradient"][row], np.array(ways(step)) / 0.1, rtol=1e-9)
        if step > 0:
            norms = [np.linalg.norm(kernel) for kernel in kernels[step - 1]]
            np.testing.assert_allclose(logged["update_ratio"][row], np.array(ways(step - 1)) / norms, rtol=1e-9)
    assert np.isnan(logged["update_ratio"][0]).all()
    assert (np.array(logged["weight_gradient"]) > 0).all()


def test_what_is_logged_and_when(tiny_data):
    """At 0, 1, 2, 5, 10, 20, ..., at each epoch's end, once each; a number per layer, as plain JSON."""
    result = train(tiny_data)
    logged = result["measures"]
    assert logged["step"] == LOGGED
    assert logged["epoch"] == [step / STEPS for step in LOGGED]
    assert set(logged) == {"step", "epoch", *measures.MEASURES}
    for measure in measures.MEASURES:
        assert np.shape(logged[measure]) == (len(LOGGED), 4)
        undefined = np.isnan(logged[measure])
        of_hidden_layers = measure in ("activation_rms", "activation_mean", "dead_units", "saturation", "sparsity")
        assert undefined[:, -1].all() == of_hidden_layers
        assert not undefined[1:, :-1].any()
    assert (result["epochs"], result["steps"]) == (EPOCHS, 100)
    assert result["history"]["epoch"] == [1, 2, 3, 4]
    assert {len(column) for column in result["history"].values()} == {4}
    assert json.loads(json.dumps(science(result)))["measures"]["step"] == LOGGED


@pytest.mark.parametrize("epoch", [1, 2, 7])
def test_each_epoch_is_measured_at_both_ends(epoch: int) -> None:
    """The steps are 0, 1, 2, 5, 10, ... of the run, and the first step and the end of the epoch."""
    begin, end = 375 * (epoch - 1), 375 * epoch
    series = {digit * 10**power for digit in (1, 2, 5) for power in range(5)} | {0}
    wanted = {step for step in series if begin <= step <= end} | {begin, end}
    assert set((begin + np.flatnonzero(logged_steps(epoch, 375))).tolist()) == wanted


@pytest.mark.parametrize("steps", [1, 2, 10, 25, 480, 600, 60_000])
def test_no_logged_step_is_lost(steps):
    """However many updates an epoch has, its logged steps fit into the table they are written to."""
    most = max(logged_steps(epoch, steps).sum() for epoch in (1, 2, 11))
    assert most <= MOST_LOGGED


RECIPE = {  # every setting that the article's protocol leaves off
    "optimizer": "adam", "learning_rate": 0.01, "schedule": "cosine", "warm_up": 1, "weight_decay": 0.5,
    "averaging": 0.9, "label_smoothing": 0.2, "shift": 1, "rotation": 5, "scaling": 0.1, "shear": 0.1, "elastic": 0.5,
    "weaker_epochs": 1, "dropout": 0.1,
}  # fmt: skip


@pytest.mark.parametrize("epochs", [EPOCHS, 1])
def test_decay_schedule_and_smoothing_train_as_in_keras(epochs, tiny_data, float64_keras):
    """Keras' AdamW, which spares the biases, its cosine and its smoothed loss move every weight to the same place.

    Layer by layer and in a loop. What is evaluated is the average of the parameters after each update, by numpy.
    """
    recipe = {name: RECIPE[name] for name in ("optimizer", "learning_rate", "schedule", "weight_decay", "averaging")}
    run = start(settings(depth=2, width=6, epochs=epochs, label_smoothing=0.2, **recipe), tiny_data)
    model = keras_model_of(run, REGISTRY["swish"])
    rate = keras.optimizers.schedules.CosineDecay(np.float64(0.01), epochs * STEPS)
    optimizer = keras.optimizers.AdamW(rate, beta_1=np.float64(0.9), beta_2=np.float64(0.999), weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2))
    averages = arrays(run)
    for update in range(1, STEPS + 1):
        after = arrays(run, trained(run.call_epoch(1, update)[0]))
        newest = max(0.1, 9 / (10 + update))
        averages = [average + newest * (array - average) for average, array in zip(averages, after, strict=True)]
    for epoch in range(1, epochs + 1):
        run.epoch(epoch)
        if epoch == 1:
            for ours, expected in zip(arrays(run), averages, strict=True):
                np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-12)
    x, y = batch(tiny_data, batches(run, range(1, epochs + 1)).ravel())
    model.fit(x, np.eye(10)[y], batch_size=8, shuffle=False, epochs=1, verbose=0)
    for ours, theirs in zip(arrays(run, trained(run.state)), model.trainable_variables, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)
    ratio = run.log.to_lists()["update_ratio"]
    assert all(0 < share < 1 for share in ratio[1])


# The same seed is the same run


@pytest.mark.parametrize("patience", [None, 1])
def test_a_run_goes_on_from_any_checkpoint_with_the_same_result_to_the_byte(patience, tiny_data):
    """From after each epoch, the last one too, with everything that a run can have; a damaged checkpoint is refused."""
    chosen = settings(**RECIPE, precision="float32", noise=(0.5,), patience=patience)
    saved = []
    once = training.train(chosen, tiny_data, REGISTRY["swish"], keep=lambda now: saved.append(now.to_bytes()))
    assert len(saved) == once["epochs"]
    for content in saved:
        again = training.train(chosen, tiny_data, REGISTRY["swish"], saved=content)
        assert json.dumps(science(again)) == json.dumps(science(once))
    for damaged in (b"", saved[0][:-9], saved[0][:900] + b"?" + saved[0][901:]):
        with pytest.raises(ValueError, match="checkpoint is damaged"):
            training.train(chosen, tiny_data, REGISTRY["swish"], saved=damaged)


def test_the_same_run_twice_is_the_same_to_the_last_digit(tiny_data):
    """In float32: everything but the timings, compared as JSON."""
    once, again = (json.dumps(science(train(tiny_data, precision="float32"))) for _ in range(2))
    assert once == again
    assert once != json.dumps(science(train(tiny_data, precision="float32", seed=4)))


def test_runs_that_differ_in_seed_or_rate_share_one_compiled_program(tiny_data):
    """Traced once, whatever the seed, rate, momentum, initialisation, patience and noise; in brief runs the depth."""
    activation, first = REGISTRY["swish"], settings(depth=1, width=6, epochs=1)
    changes = (
        {"seed": 9},
        {"learning_rate": 0.7, "momentum": 0.5},
        {"initialization": "he_normal", "patience": 2, "noise": (0.5,)},
        {"depth": 7},
        {"schedule": "cosine", "epochs": 2, "warm_up": 1},
    )
    recipe = dataclasses.replace(first, **{**RECIPE, "warm_up": 0}, precision="float32")
    strengths = {"weight_decay": 0.1, "averaging": 0.99, "shift": 0, "rotation": 9, "elastic": 2, "weaker_epochs": 0}
    for one, others in ((first, changes), (recipe, [strengths])):
        for change in ({}, *others):
            training.train(dataclasses.replace(one, **change), tiny_data, activation)
        shared = start(one, tiny_data, activation).programs
        assert shared.epoch.experimental_get_tracing_count() == 1
        assert shared.evaluate.experimental_get_tracing_count() == 1


class Stub:
    """A program that trains nothing and keeps what it is handed: for what happens around it, without compiling.

    Its parameters count the epochs; `losses` are the validation losses after each of them.
    """

    def __init__(self, losses=(1.0,) * EPOCHS, diverged=-1):
        self.losses, self.diverged, self.epochs = losses, diverged, 0
        self.first, self.orders, self.probe, self.compiled = None, [], None, set()

    def epoch(self, state, counts, epoch, data):
        if int(epoch.updates) == 0:
            self.first, self.probe = [parameters for parameters, *_ in state], data.probe.numpy()
            return state, (0.0, 0, -1), {}
        self.epochs += int(epoch.updates) > 1
        self.orders.append(epoch.order.numpy())
        diverged = self.diverged if self.epochs == len(self.losses) else -1
        measured = dict.fromkeys(measures.MEASURES, tf.zeros((MOST_LOGGED, 4)))
        return ((self.epochs, *state[0][1:]), *state[1:]), (0.0, 0, diverged), measured

    def evaluate(self, weights, counts, images, labels, chunks, used):
        first = weights[0][0]
        epochs = first if isinstance(first, int) else 0
        return (chunks.numpy() >= 0).sum() * (self.losses[epochs - 1] if epochs else 99.0), 0, 0


@pytest.fixture
def stubbed(monkeypatch, tiny_data):
    def run(stub, **changes):
        monkeypatch.setattr("study.engine.run.compiled_programs", lambda *key: stub)
        return train(tiny_data, **changes)

    return run


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_a_seed_decides_split_order_and_weights_for_every_activation(seed, stubbed):
    """Two activations get the same validation images, batches and weights; another seed changes all three."""
    seen = {}
    for key in ((seed, "relu"), (seed, "sigmoid"), (seed ^ 1, "relu")):
        stub = Stub()
        stubbed(stub, seed=key[0], activation=key[1])
        weights = [kernel.numpy() for kernel, _ in stub.first]
        seen[key] = [stub.probe, np.array(stub.orders), *weights]
    same, other, changed = seen.values()
    assert all(map(np.array_equal, same, other))
    assert not any(map(np.array_equal, same, changed))


def test_an_epoch_shows_every_training_image_at_most_once(stubbed):
    """All but the 3 that fill no batch, in an order of its own; never one of the 1,100 held out, 1,000 of which are
    the probe. The last batch measured would have come next.
    """
    stub = Stub()
    stubbed(stub, seed=5)
    orders = [order.ravel() for order in stub.orders]
    assert [len(set(order)) for order in orders] == [STEPS * 8] * (EPOCHS + 1)
    assert len({tuple(order) for order in orders}) == EPOCHS + 1
    assert len({frozenset(order) for order in orders}) > 1  # the images left out differ
    inside, outside = split(1303, 1100, 5)
    assert set(np.concatenate(orders)) <= set(inside)
    assert stub.probe.tolist() == outside[:1000].tolist()
    assert set(inside) | set(outside) == set(range(1303))


# When it ends


@steadily
@hypothesis.given(
    st.lists(st.integers(0, 30).map(lambda n: n / 8), min_size=1, max_size=12),
    st.none() | st.integers(1, 4),
)
@hypothesis.example([3.0, 2.0, 2.0, 2.0, 1.0], 2)
def test_patience_is_that_of_early_stopping(losses, patience):
    """For any validation losses, ties included: the last epoch, the best and the loss of either are Keras'."""
    callback = keras.callbacks.EarlyStopping("val_loss", 0, patience or 99, mode="min", restore_best_weights=True)
    callback.set_model(types.SimpleNamespace(stop_training=False, get_weights=list, set_weights=lambda weights: None))
    callback.on_train_begin()
    for last, loss in enumerate(losses, start=1):
        callback.on_epoch_end(last - 1, {"val_loss": loss})
        if callback.model.stop_training:
            break
    ours = training.EarlyStopping(patience)
    best = 0
    for epoch, loss in enumerate(losses, start=1):
        best = epoch if ours.improved(loss) else best
        if ours.is_over:
            break
    assert (epoch, best) == (last, callback.best_epoch + 1)


def numpy_losses(network, chosen, data, indices):
    """Return the loss before every update of plain gradient descent, until it is not finite."""
    losses = []
    for row in indices:
        x, y = batch(data, row)
        losses.append(network.losses(x, y).mean())
        if not np.isfinite(losses[-1]):
            break
        for array, slope in zip(itertools.chain(*network.layers), network.gradients(x, y), strict=True):
            array -= chosen.learning_rate * slope
    return losses


@pytest.mark.parametrize("learning_rate", [1e30, 1e300])
def test_a_run_that_diverges_says_at_which_step(learning_rate, tiny_data):
    """The first loss that is not finite stands where numpy meets it too; the epoch is finished, and no other begun."""
    chosen = settings(learning_rate=learning_rate)
    run = start(chosen, tiny_data)
    numpy_network = NumpyNetwork(layers(run), lambda z: value_and_derivative(REGISTRY["swish"].function, z))
    with np.errstate(all="ignore"):
        losses = numpy_losses(numpy_network, chosen, tiny_data, batches(run, range(1, EPOCHS + 1)))
    assert not np.isfinite(losses[-1])
    result = training.train(chosen, tiny_data, REGISTRY["swish"])
    assert (result["status"], result["diverged_step"]) == ("diverged", len(losses) - 1)
    assert result["epochs"] == (len(losses) - 1) // STEPS + 1
    assert len(result["history"]["epoch"]) == result["epochs"]
    assert not math.isfinite(result["history"]["training_loss"][-1])


def test_the_step_is_counted_from_the_start_of_the_run(tiny_data):
    """Weights that are infinite at the end of epoch 1 give a loss that is not finite at step 25, the first of epoch 2.

    And a run that has diverged stays so: the next epoch would say step 50.
    """
    run = start(settings(), tiny_data)
    assert run.epoch(1)[2] is None
    ((kernel, bias), *rest), *others = run.state
    run.state = (((kernel * math.inf, bias), *rest), *others)
    assert [run.epoch(2)[2], run.epoch(3)[2]] == [25, 50]


def test_a_diverged_run_keeps_what_it_found_before(stubbed):
    """Divergence in the third epoch: the best of the two before stand, and patience plays no part."""
    result = stubbed(Stub([3.0, 2.0, math.nan], diverged=2 * STEPS + 4), epochs=9, patience=1)
    assert (result["status"], result["diverged_step"], result["epochs"]) == ("diverged", 54, 3)
    assert (result["best"]["epoch"], result["best"]["validation_loss"]) == (2, 2.0)


def test_a_run_whose_last_update_ruins_it_has_diverged(stubbed):
    """Every training loss was finite, but the weights after update 50 give no finite validation loss: diverged at 50.

    As "done", its NaN would be averaged with the others' losses, or stop the statistics, which refuse it.
    """
    result = stubbed(Stub([3.0, math.nan]), epochs=2)
    assert (result["status"], result["diverged_step"]) == ("diverged", 50)
    assert result["best"]["epoch"] == 1


def test_a_run_ends_at_its_time_limit(stubbed, monkeypatch, tiny_data):
    """Between two epochs, and the message says how far it came."""
    clock = itertools.count(0.0, 10.0)  # seconds; every look at it takes ten
    monkeypatch.setattr("study.engine.run.compiled_programs", lambda *key: Stub())
    monkeypatch.setattr(training.time, "perf_counter", lambda: next(clock))
    with pytest.raises(training.TimeLimit, match=r"more than 45 s; it had finished 2 epochs"):
        training.train(settings(), tiny_data, REGISTRY["swish"], seconds=45.0)


@pytest.mark.parametrize(("changes", "message"), [({"batch": 204}, "batch is 204"), ({"validation": 1303}, "1303")])
def test_settings_that_do_not_fit_the_data_are_refused(changes, message, tiny_data):
    """A batch larger than what is left to train on, or nothing left: said before anything is compiled."""
    with pytest.raises(ValueError, match=message):
        train(tiny_data, **changes)


def test_data_sets_are_told_apart_by_their_checksum(tiny_data):
    """A second data set of the process is not mistaken for the first; each has the mean ||x||^2 of its own images."""
    other = dataclasses.replace(tiny_data, training_images=255 - tiny_data.training_images, checksum="its negative")
    for data in (tiny_data, other, tiny_data):
        images = images_of(data)
        restored = images.widened(images.images.numpy(), np.zeros((1343, 784), np.uint8))
        np.testing.assert_array_equal(restored[:1303], data.training_images)
        np.testing.assert_array_equal(restored[1303:], data.test_images)
        x = data.training_images / 255
        assert images.square_norm == pytest.approx((x**2).sum(1).mean(), rel=1e-12)
        assert images.test_indices.tolist() == list(range(1303, 1343))


def test_pixels_that_are_blank_in_every_image_are_left_out(tiny_data):
    """What layer 1 gives and its norm stay; ink in one test image keeps a pixel. Whole images keep all."""
    inked = dataclasses.replace(tiny_data, test_images=tiny_data.test_images.copy(), checksum="a blot more")
    inked.test_images[7, 11] = 1
    kernel = np.random.default_rng(0).standard_normal((5, 784))
    for data, blank in ((tiny_data, list(range(0, 784, 11))), (inked, [0, *range(22, 784, 11)])):
        images = images_of(data)
        assert np.setdiff1d(np.arange(784), images.inked).tolist() == blank
        narrow = images.narrowed(kernel)
        assert narrow.shape[1] == images.images.shape[1] == 720
        both = np.concatenate([data.training_images, data.test_images])
        np.testing.assert_allclose(images.images.numpy() @ narrow.T, both @ kernel.T, rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(np.linalg.norm(narrow), np.linalg.norm(kernel), rtol=1e-14)
        np.testing.assert_array_equal(images.widened(narrow, kernel), kernel)
    whole = images_of(tiny_data, is_whole=True)
    np.testing.assert_array_equal(whole.images[:1303], tiny_data.training_images)
    assert whole.narrowed(kernel) is kernel


def test_distorted_images_keep_the_pixels_that_are_blank(tiny_data):
    """Ink moves to where no image has any: the weights there learn, as they do in no other run."""
    data = dataclasses.replace(tiny_data, checksum="distorted")
    blank = np.arange(0, 784, 11)
    for shift, learns in ((0, False), (1, True)):
        chosen = settings(shift=shift, width=6, epochs=1)
        run = start(chosen, data)
        first = arrays(run)[0][blank]
        run.epoch(1)
        assert (arrays(run)[0][blank] != first).any() == learns
