"""One run trains what Keras trains and logs what it says it logs, and the same seed is the same run."""

import dataclasses
import functools
import itertools
import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras_model import keras_model
from numpy_network import NumpyNetwork
from started import EPOCHS, STEPS, batch, settings, start

from study.activations import REGISTRY, value_and_derivative
from study.engine import losses, measures, training
from study.engine.checkpoint import Checkpoint, Snapshot
from study.engine.measures import derivative_supremum
from study.engine.network import Scores
from study.engine.noise import evaluate_with_noise
from study.engine.program_kind import groups_of
from study.engine.run_log import RunLog
from study.engine.seeds import epoch_order, seed_for
from study.networks import weights

LOGGED = [0, 1, 2, 5, 10, 20, 25, 50, 75, 100]
RECIPE = {  # the settings that the article's protocol leaves off
    "optimizer": "adam", "learning_rate": 0.01, "schedule": "cosine", "warm_up": 1, "weight_decay": 0.5,
    "averaging": 0.9, "label_smoothing": 0.2, "shift": 1, "rotation": 5, "scaling": 0.1, "shear": 0.1, "elastic": 0.5,
    "weaker_epochs": 1, "dropout": 0.1, "normalization": "batch", "residual": "scaled", "output": "sigmoid",
    "loss": "squared_error", "precision": "float32",
}  # fmt: skip


@pytest.fixture
def uncompiled(request):
    """Carry out programs operation by operation, unless the parameter is False: few steps take less than compiling."""
    tf.config.run_functions_eagerly(getattr(request, "param", True))
    yield
    tf.config.run_functions_eagerly(False)


def train(data, **changes):
    chosen = settings(**changes)
    return training.train(chosen, data, REGISTRY[chosen.activation])


def science(result):
    """Return the result of a run as JSON without its timings."""
    return json.dumps({name: value for name, value in result.items() if name != "timings"})


def arrays(run, state=None):
    """Return [W_1, b_1, ...], the trained arrays in Keras' order, of the run's state or another."""
    return weights.arrays(run.settings, run.parameters_of_all_pixels(state or run.state))


def without_averages(state):
    """Return the state without averages, in place of which `arrays` returns the trained parameters."""
    return tuple((*group[:-1], ()) for group in state)


def numpy_network(run):
    """Return the run's network, which must be plain, in numpy."""
    layers = zip(arrays(run)[::2], arrays(run)[1::2], strict=True)
    return NumpyNetwork(layers, lambda z: value_and_derivative(run.activation.function, z))


def batches(run, epochs):
    """Return the indices (epochs * STEPS, B) of the run's batches, in order."""
    chosen = run.settings
    orders = [epoch_order(chosen.seed, epoch, run.training, chosen.batch) for epoch in epochs]
    return np.concatenate(orders)


# It trains what Keras trains


def keras_model_of(run):
    """Return the run's Keras model, not compiled by XLA, and in full float64."""
    model = keras_model(run.settings, run.activation, run.images.square_norm)
    model.jit_compile = False
    for number in {"beta_1", "beta_2", "momentum"} & vars(model.optimizer).keys():
        setattr(model.optimizer, number, np.float64(getattr(model.optimizer, number)))  # or Keras rounds to float32
    return model


def fit(model, data, indices):
    """Train a Keras model on the batches of `indices` (updates, B); a loss that is not sparse takes one-hot labels."""
    is_sparse = isinstance(model.loss, keras.losses.SparseCategoricalCrossentropy)
    for x, y in (batch(data, of_batch) for of_batch in indices):
        model.train_on_batch(x, y if is_sparse else np.eye(10)[y])


def assert_same_as_keras(run, data, epochs=2, model=None):
    """Train the run and its Keras model on the same batches, find all arrays equal, and return the model."""
    model = model or keras_model_of(run)
    before = [array.numpy() for array in model.trainable_variables]
    for epoch in range(1, epochs + 1):
        run.epoch(epoch)
    fit(model, data, batches(run, range(1, epochs + 1)))
    assert int(model.optimizer.iterations) == epochs * STEPS
    found = arrays(run, without_averages(run.state))
    for ours, theirs, first in zip(found, model.trainable_variables, before, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)
        assert ours.ndim == 1 or np.abs(ours - first).max() > 1e-5  # kernels learnt; a normalised layer's bias cannot
    return model


def keras_scores(run, model, x, y):
    """Return loss, accuracy and mean absolute error of the model on images x, by Keras' own losses."""
    found, labels, chosen = model(x), np.eye(10)[y], run.settings
    is_standard = losses.is_standard(chosen.output, chosen.loss)
    outputs = tf.nn.softmax(found) if is_standard else found
    of_logits = keras.losses.categorical_crossentropy(labels, found, from_logits=True)
    loss = of_logits if is_standard else losses.LOSSES[chosen.loss](labels, outputs)
    return np.mean(loss), np.mean(np.argmax(outputs, 1) == y), np.mean(np.abs(labels - outputs))


def assert_scores_as_keras(run, data, model, rtol=1e-8):
    """Keras finds the same validation loss, accuracy and mean absolute error of the weights without averages."""
    found = run.evaluate(without_averages(run.state), run.validation)
    np.testing.assert_allclose(found, keras_scores(run, model, *batch(data, run.validation)), rtol)


def unit_by_unit(names):
    """Return an activation that applies the entries `names` of the registry to the units of a layer, one a unit."""

    def function(z):
        if z.shape[-1] != len(names):  # the grid on which the engine looks for the largest slope
            return REGISTRY[names[0]].function(z)
        columns = [REGISTRY[name].function(column) for name, column in zip(names, tf.unstack(z, axis=-1), strict=True)]
        return tf.stack(columns, -1)

    return dataclasses.replace(REGISTRY[names[0]], function=function, label="an entry a unit")


STUDIED = [name for name, activation in REGISTRY.items() if activation.studied]
OTHERS = [name for name in REGISTRY if name not in STUDIED]


@pytest.mark.parametrize(
    ("names", "epochs", "trained", "uncompiled"),
    [(STUDIED, EPOCHS, 2, False), (STUDIED, 1, 2, False), (OTHERS, 1, 1, True)],
    ids=["layer by layer", "in a loop", "the others"],
    indirect=["uncompiled"],
)
def test_every_activation_trains_as_in_keras(names, epochs, trained, uncompiled, tiny_data, float64_keras):
    """Adam moves every weight where Keras does, to 8 digits; numpy finds the measures logged first and last."""
    activation = unit_by_unit(names)
    shape = {"depth": 3, "width": len(names), "epochs": epochs}
    run = start(settings(optimizer="adam", learning_rate=0.01, epsilon=1e-3, **shape), tiny_data, activation)
    first = numpy_network(run)
    assert_same_as_keras(run, tiny_data, trained)
    run.measure_end(trained)
    probe, _ = batch(tiny_data, run.validation[:1000])
    logged = run.log.to_lists()
    for row, network, epoch in ((0, first, 1), (-1, numpy_network(run), trained + 1)):
        shown = batch(tiny_data, batches(run, [epoch])[0])
        expected = network.measures(*shown, probe, derivative_supremum(activation))
        for measure, values in expected.items():
            np.testing.assert_allclose(logged[measure][row], values, rtol=1e-8, atol=1e-12, err_msg=measure)


@pytest.mark.parametrize(("momentum", "depth"), [(0.0, 1), (0.9, 4)])
def test_sgd_trains_as_in_keras(momentum, depth, tiny_data, float64_keras):
    """Without momentum through a loop over no layers, and with it over equal layers."""
    chosen = settings(depth=depth, width=6, epochs=1, momentum=momentum, learning_rate=0.05)
    assert [group.shape.is_looped for group in groups_of(chosen)] == [False, True, False]
    assert_same_as_keras(start(chosen, tiny_data), tiny_data)


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize(
    ("output", "loss"), [("relu", "squared_error"), ("sigmoid", "crossentropy"), ("softmax", "squared_error")]
)
def test_other_outputs_and_losses_train_as_in_keras(output, loss, tiny_data, float64_keras):
    """Weights and validation scores are equal."""
    run = start(settings(depth=1, width=6, output=output, loss=loss, learning_rate=0.05), tiny_data)
    assert_scores_as_keras(run, tiny_data, assert_same_as_keras(run, tiny_data, epochs=1), 1e-6)


@pytest.mark.parametrize(
    ("epochs", "residual", "uncompiled"), [(EPOCHS, "plain", True), (1, "scaled", False)], indirect=["uncompiled"]
)
def test_normalised_residual_networks_and_adamw_train_as_in_keras(
    epochs, residual, uncompiled, tiny_data, float64_keras
):
    """Batch normalisation, residual connections, AdamW on kernels alone, its cosine and a smoothed loss are Keras'.

    Layer by layer and in a loop. The moving moments and the validation scores are equal. The averages after each update
    are numpy's.
    """
    names = ("optimizer", "learning_rate", "schedule", "weight_decay", "normalization", "label_smoothing")
    recipe = {name: RECIPE[name] for name in names}
    chosen = settings(depth=2, width=6, epochs=epochs, residual=residual, averaging=0.3, **recipe)
    run = start(chosen, tiny_data)
    averages = arrays(run)
    for update in range(1, 6):
        state = run.call_epoch(1, update)[0]
        newest = max(0.7, 9 / (10 + update))
        pairs = zip(averages, arrays(run, without_averages(state)), strict=True)
        averages = [average + newest * (array - average) for average, array in pairs]
    for ours, expected in zip(arrays(run, state), averages, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-12)
    model = keras_model_of(run)
    rate = keras.optimizers.schedules.CosineDecay(np.float64(0.01), chosen.epochs * STEPS)
    optimizer = keras.optimizers.AdamW(rate, beta_1=np.float64(0.9), beta_2=np.float64(0.999), weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2))
    assert_same_as_keras(run, tiny_data, 1, model)
    groups = zip((moving for _, _, moving, _ in run.state[:-1]), groups_of(chosen), strict=False)
    moments = [m for moving, group in groups for layer in list(zip(*moving, strict=True))[: group.count] for m in layer]
    for ours, theirs in zip(moments, model.non_trainable_variables, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)
    assert_scores_as_keras(run, tiny_data, model)
    assert all(0 < share < 1 for share in run.log.to_lists()["update_ratio"][1])


def test_the_first_steps_in_float32_are_those_of_keras(tiny_data):
    """Five updates in float32, in which the study runs, before chaos parts what rounding began."""
    run = start(settings(precision="float32"), tiny_data)
    model = keras_model_of(run)
    state, *_ = run.call_epoch(1, updates=5)
    fit(model, tiny_data, batches(run, [1])[:5])
    for ours, theirs in zip(arrays(run, state), model.trainable_variables, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_it_stops_when_keras_stops(tiny_data, float64_keras):
    """Each epoch's losses and accuracies equal model.fit's to the last; Keras' restored weights score the same."""
    chosen = settings(learning_rate=0.3, epochs=60, patience=2)
    result = training.train(chosen, tiny_data, REGISTRY["swish"])
    run = start(chosen, tiny_data)
    model = keras_model_of(run)
    validation = batch(tiny_data, run.validation)
    stop = keras.callbacks.EarlyStopping("val_loss", patience=2, min_delta=0, restore_best_weights=True)
    stream = (batch(tiny_data, indices) for epoch in range(1, 61) for indices in batches(run, [epoch]))
    kept = model.fit(
        stream, steps_per_epoch=STEPS, epochs=60, shuffle=False, verbose=0, callbacks=[stop], validation_data=validation
    ).history
    best = result["best"]["epoch"]
    assert 3 < result["epochs"] == best + 2 == len(kept["loss"]) < 60
    assert result["status"] == "done"
    for theirs, losses_or_hits in kept.items():
        ours = theirs.replace("val_", "validation_") if theirs.startswith("val_") else f"training_{theirs}"
        np.testing.assert_allclose(result["history"][ours], losses_or_hits, rtol=1e-7)
    on_test = (tiny_data.test_images / 255, tiny_data.test_labels)
    for part, images in (("validation", validation), ("test", on_test)):
        found = [result["best"][f"{part}_{score}"] for score in ("loss", "accuracy", "mae")]
        np.testing.assert_allclose(found, keras_scores(run, model, *images), rtol=1e-7)
    for score in ("validation_loss", "validation_accuracy"):
        assert result["last"][score] == result["history"][score][-1]


# Noise, dropout and distortions


def test_noise_is_the_same_draw_at_every_amplitude(tiny_data):
    """The last weights on the test images + a U, by numpy: U of the seed's stream, unclipped; a = 0 adds nothing."""
    run = start(settings(noise=(0.0, 1.0, 3.0)), tiny_data)
    run.epoch(1)
    found, network = evaluate_with_noise(run), numpy_network(run)
    x, y = tiny_data.test_images / 255, tiny_data.test_labels.astype(np.int64)
    unit = np.random.default_rng(seed_for(run.settings.seed, "noise")).uniform(-1, 1, x.shape)
    assert found["amplitude"] == [0.0, 1.0, 3.0]
    scores = run.evaluate(run.state, run.images.test_indices)
    assert scores.mae == pytest.approx(np.abs(network.outputs(x) - np.eye(10)[y]).mean(), rel=1e-8)
    for amplitude, loss, accuracy in zip(*found.values(), strict=True):
        assert loss == pytest.approx(network.losses(x + amplitude * unit, y).mean(), rel=1e-8)
        assert accuracy == pytest.approx(network.hits(x + amplitude * unit, y) / len(y))
    assert scores.accuracy == pytest.approx(found["test_accuracy"][0])


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_dropout_and_distortions_are_the_same_draws_each_time(normalization, tiny_data):
    """Two runs of one seed agree to the last digit, also layer by layer; other seeds and runs without draws differ."""
    drawn = {"normalization": normalization, "depth": 3, "width": 6, "epochs": 1, "dropout": 0.3, "rotation": 9}

    def loss(**changes):
        return float(start(settings(**{**drawn, **changes}), tiny_data).call_epoch(1, updates=2)[1][0])

    once = loss()
    assert once == loss()
    assert once == pytest.approx(loss(epochs=3), rel=1e-9)
    changed = [{"seed": 4}, {"dropout": 0.0}, {"rotation": 0}, {"dropout": 0.0, "rotation": 0}]
    assert len({once, *(loss(**changes) for changes in changed)}) == 5


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize(("changes", "differs"), [({"dropout": 0.3}, True), ({"shift": 2}, True), ({}, False)])
def test_draws_are_new_in_each_step(changes, differs, tiny_data, monkeypatch):
    """The same batch twice, in a network that hardly learns, has another loss only with dropout or distortions."""
    monkeypatch.setattr("study.engine.run.epoch_order", lambda *about: np.tile(about[2][:8], (STEPS, 1)))
    run = start(settings(width=6, epochs=1, learning_rate=1e-12, **changes), tiny_data)
    first, both = (float(run.call_epoch(1, updates)[1][0]) for updates in (1, 2))
    assert (abs(both - 2 * first) > 1e-3 * first) == differs


@pytest.mark.usefixtures("uncompiled")
def test_distorted_images_keep_the_pixels_that_are_blank(tiny_data):
    """Ink moves to where no image has any: the weights there learn, as they do in no other run."""
    blank = np.arange(0, 784, 11)
    for shift, learns in ((0, False), (1, True)):
        run = start(settings(shift=shift, width=6, epochs=1), tiny_data)
        first, after = arrays(run)[0], arrays(run, run.call_epoch(1, updates=2)[0])[0]
        assert (after[blank] != first[blank]).any() == learns


@pytest.mark.usefixtures("uncompiled")
def test_a_network_may_be_deeper_than_any_loop_of_the_study(tiny_data):
    """151 hidden layers: nothing that counts layers or rows runs over."""
    run = start(settings(depth=151, width=2, epochs=1, dropout=0.1), tiny_data)
    _, (loss, _, diverged), measured = run.call_epoch(1, updates=1)
    assert (math.isfinite(loss), int(diverged)) == (True, -1)
    assert (measured["error"][0, :151].numpy() > 0).all()


# The initial network


def test_a_run_of_no_epochs_measures_the_initial_network(tiny_data):
    """It logs what a training run logs at step 0, and compiles no training; no losses, an empty history."""
    expected = train(tiny_data, width=6, epochs=1)["measures"]
    unseen = dataclasses.replace(REGISTRY["swish"], label="compiled here alone")
    results = [training.train(settings(epochs=0, width=6, depth=depth), tiny_data, unseen) for depth in (3, 1, 7)]
    compiled = start(settings(epochs=0, width=6), tiny_data, unseen).programs
    counts = [part.experimental_get_tracing_count() for part in (compiled.initial, compiled.epoch, compiled.evaluate)]
    assert counts == [1, 0, 0]
    result = results[0]
    assert (result["status"], result["epochs"], result["steps"]) == ("done", 0, 0)
    assert result["last"] == result["best"] == {}
    assert {name: len(values) for name, values in result["history"].items()} == dict.fromkeys(result["history"], 0)
    assert result["measures"].keys() == expected.keys()
    for name, values in result["measures"].items():
        np.testing.assert_allclose(values, expected[name][:1], rtol=1e-9, atol=1e-15, err_msg=name)


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize(
    ("activation", "shape"),
    [
        (REGISTRY["swish"], {}),
        (unit_by_unit(list(REGISTRY)), {"width": len(REGISTRY), "depth": 4}),
        (REGISTRY["sigmoid"], {"width": 6, "depth": 90}),
    ],
    ids=["layer by layer", "every activation in a loop", "deep"],
)
def test_errors_of_an_initial_network_of_float32_are_computed_in_float64(activation, shape, tiny_data):
    """They are the errors that numpy finds for the same float32 weights, also below the least number of float32."""
    chosen = settings(precision="float32", epochs=0, **shape)
    found = training.train(chosen, tiny_data, activation)["measures"]["error"][0]
    run = start(chosen, tiny_data, activation)
    deltas = numpy_network(run).deltas(*batch(tiny_data, batches(run, [1])[0]))
    np.testing.assert_allclose(found, [np.sqrt((delta**2).sum(1).mean()) for delta in deltas], rtol=1e-4)
    assert found[0] > 0
    assert chosen.depth < 90 or found[0] < np.finfo(np.float32).smallest_subnormal


# The log


@pytest.mark.parametrize("shape", [{}, {"width": 6, "epochs": 1}])
def test_weight_gradients_are_of_the_gradients_that_move_the_weights(shape, tiny_data):
    """SGD without momentum moves W_l by rate times the gradient.

    The move at step t, over the rate, is the logged weight_gradient of step t. Over the kernel's norm before it, the
    move is the update_ratio of step t + 1.
    """
    run = start(settings(**shape), tiny_data)
    kernels = [arrays(run, run.call_epoch(1, updates)[0])[::2] for updates in range(STEPS + 1)]
    run.epoch(1)
    logged = run.log.to_lists()

    def ways(step):
        return [np.linalg.norm(b - a) for a, b in zip(kernels[step], kernels[step + 1], strict=True)]

    assert logged["step"] == LOGGED[:6]
    for row, step in enumerate(LOGGED[:6]):
        np.testing.assert_allclose(logged["weight_gradient"][row], np.array(ways(step)) / 0.1, rtol=1e-9)
        if step > 0:
            norms = [np.linalg.norm(kernel) for kernel in kernels[step - 1]]
            np.testing.assert_allclose(logged["update_ratio"][row], np.array(ways(step - 1)) / norms, rtol=1e-9)
    assert np.isnan(logged["update_ratio"][0]).all()


def test_what_is_logged_and_when(tiny_data):
    """At 0, 1, 2, 5, 10, 20, ..., at each epoch's end, once each; a number per layer, as plain JSON."""
    result = json.loads(json.dumps(train(tiny_data)))
    logged = result["measures"]
    assert logged["step"] == LOGGED
    assert logged["epoch"] == [step / STEPS for step in LOGGED]
    assert set(logged) == {"step", "epoch", *measures.MEASURES}
    for measure in measures.MEASURES:
        assert np.shape(logged[measure]) == (len(LOGGED), 4)
        undefined = np.isnan(logged[measure])
        of_hidden_layers = measure in (*measures.UNIT_MEASURES, "activation_rms", "activation_mean")
        assert undefined[:, -1].all() == of_hidden_layers
        assert not undefined[1:, :-1].any()
    assert (result["epochs"], result["steps"]) == (EPOCHS, 100)
    assert result["history"]["epoch"] == [1, 2, 3, 4]
    assert {len(column) for column in result["history"].values()} == {4}


# The same seed is the same run


@pytest.mark.parametrize("patience", [None, 1])
def test_a_run_goes_on_from_any_checkpoint_with_the_same_result_to_the_byte(patience, tiny_data):
    """From the start and after each epoch, with everything that a run can have; a damaged checkpoint is refused."""
    run = functools.partial(training.train, data=tiny_data, activation=REGISTRY["swish"])
    chosen, saved = settings(**RECIPE, noise=(0.5,), patience=patience), []
    once = run(chosen, keep=lambda now: saved.append(now.to_bytes()))
    assert len(saved) == once["epochs"]
    for content in (None, *saved):
        assert science(run(chosen, saved=content)) == science(once)
    assert science(run(dataclasses.replace(chosen, seed=4))) != science(once)
    for damaged in (b"", saved[0][:-9], saved[0][:900] + b"?" + saved[0][901:]):
        with pytest.raises(ValueError, match="checkpoint is damaged"):
            run(chosen, saved=damaged)


def test_a_checkpoint_keeps_the_best_weights_beside_the_last():
    """Each with its epoch, weights and scores. If the last are the best, they are kept once."""

    def snapshot(epoch):
        return Snapshot(epoch, ((tf.fill([2], float(epoch)), ()),), Scores(1 / epoch, 0.5, 0.1))

    def content(kept):
        return [(one.epoch, one.state[0][0].numpy().tolist(), one.scores) for one in (kept.last, kept.best)]

    last = snapshot(3)
    for best in (snapshot(1), last):
        kept = Checkpoint(last, best, RunLog(), {})
        found = Checkpoint.from_bytes(kept.to_bytes(), last.state)
        assert content(found) == content(kept)
        assert (found.best is found.last) == (best is last)


BRIEF = {"depth": 1, "width": 6, "epochs": 1}
OF_A_BRIEF_RUN = (
    {"seed": 9},
    {"learning_rate": 0.7, "momentum": 0.5},
    {"initialization": "he_normal", "patience": 2, "noise": (0.5,)},
    {"depth": 7},
    {"schedule": "cosine", "epochs": 2, "warm_up": 1},
)
OF_A_RECIPE = (
    {"weight_decay": 0.1, "averaging": 0.99, "shift": 0, "rotation": 9, "elastic": 2, "weaker_epochs": 0, "warm_up": 0},
)


@pytest.mark.parametrize(("common", "others"), [(BRIEF, OF_A_BRIEF_RUN), (RECIPE, OF_A_RECIPE)])
def test_runs_that_differ_in_seed_or_rate_share_one_compiled_program(common, others, tiny_data):
    """Traced once, whatever the seed, rate, momentum, initialisation, patience and noise; in brief runs the depth."""
    for change in ({}, *others):
        train(tiny_data, **{**common, **change})
    shared = start(settings(**common), tiny_data).programs
    assert shared.epoch.experimental_get_tracing_count() == 1
    assert shared.evaluate.experimental_get_tracing_count() == 1


# When it diverges


@pytest.mark.parametrize("learning_rate", [1e30, 1e300])
def test_a_run_that_diverges_says_at_which_step(learning_rate, tiny_data):
    """The first loss that is not finite stands where numpy meets it too; the epoch is finished, and no other begun."""
    run = start(settings(learning_rate=learning_rate), tiny_data)
    network, step = numpy_network(run), 0
    shown = [batch(tiny_data, indices) for indices in batches(run, range(1, EPOCHS + 1))]
    with np.errstate(all="ignore"):
        while np.isfinite(network.losses(*shown[step]).mean()):
            for array, slope in zip(itertools.chain(*network.layers), network.gradients(*shown[step]), strict=True):
                array -= learning_rate * slope
            step += 1
    result = train(tiny_data, learning_rate=learning_rate)
    assert (result["status"], result["diverged_step"]) == ("diverged", step)
    assert result["epochs"] == step // STEPS + 1 == len(result["history"]["epoch"])
    assert not math.isfinite(result["history"]["training_loss"][-1])


def test_the_step_is_counted_from_the_start_of_the_run(tiny_data):
    """Weights that are infinite after epoch 1 give a loss that is not finite at step 25; of epoch 3 it is step 50."""
    run = start(settings(), tiny_data)
    assert run.epoch(1)[2] is None
    ((kernel, bias), *rest), *others = run.state
    run.state = (((kernel * math.inf, bias), *rest), *others)
    assert [run.epoch(2)[2], run.epoch(3)[2]] == [25, 50]
