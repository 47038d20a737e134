"""What people type and what they get: arguments, files, figures, words, refusals."""

import contextlib
import io
import itertools
import re
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from classic_models import DIGITS, LABELS
from repository import ROOT
from synthetic import environment

from study import GradientLogger
from study.monitor import plotting

L = keras.layers


def model(**options):
    keras.utils.set_random_seed(0)
    hidden = [L.Dense(8, "relu", name="first"), L.Dense(8, "sigmoid", name="second")]
    built = keras.Sequential([keras.Input((12, 12, 1)), L.Flatten(), *hidden, L.Dense(10, "softmax", name="out")])
    built.compile(options.pop("optimizer", "adam"), "sparse_categorical_crossentropy", **options)
    return built


def fit(logger, trained=None, **options):
    """Train 4 batches an epoch; return the steps that were logged."""
    (trained or model()).fit(DIGITS, LABELS, batch_size=8, verbose=0, callbacks=[logger], **options)
    return logger.to_frame()["step"].unique().tolist()


@pytest.mark.parametrize(
    ("frequency", "options", "steps"),
    [
        (100, {}, [0, 8]),
        (3, {}, [0, 3, 6, 8]),
        ("batch", {}, list(range(9))),
        ("epoch", {}, [0, 4, 8]),
        (3, {"steps_per_execution": 2}, [0, 4, 6, 8]),
        (2, {"optimizer": keras.optimizers.SGD(gradient_accumulation_steps=2)}, [0, 2, 4]),
    ],
)
def test_steps_are_the_optimizers(frequency, options, steps):
    """Each `update_freq` updates, or the first chance after it; the first and last state; each with its update."""
    logger = GradientLogger(frequency, verbose=0)
    assert fit(logger, model(**options), epochs=2) == steps
    ratios = logger.to_frame().groupby("step")["update_ratio"].count()
    assert ratios[0] == 0
    assert (ratios.drop(0) == 3).all()


def test_a_fit_or_an_epoch_without_updates_logs_nothing_and_finds_nothing():
    """After no epochs, the next fit is measured.

    Of 4 batches an epoch, five make an update: an epoch has none or one, and seldom as its last batch.
    """
    logger = GradientLogger()
    assert fit(logger, epochs=0) == []
    assert fit(logger) == [0, 4]
    logger = GradientLogger("epoch", verbose=0)
    trained = model(optimizer=keras.optimizers.SGD(0.1, gradient_accumulation_steps=5))
    assert fit(logger, trained, epochs=5) == [0, 1, 2, 3, 4]
    assert not logger.to_frame().duplicated(["step", "layer"]).any()
    assert logger.diagnose().empty
    assert fit(GradientLogger("epoch", verbose=0), trained, epochs=1) == [4]


def test_data_that_are_not_numbers_are_one_finding():
    """One finding tells of NaN; no layer counts as dead or without a gradient. A figure of nothing is refused."""
    logger, nan = GradientLogger("batch", verbose=0), np.full_like(DIGITS, np.nan)
    model().fit(nan, LABELS, batch_size=8, verbose=0, callbacks=[logger])
    assert logger.diagnose()["finding"].tolist() == ["exploding"]
    for kind in ("training", "layers", "heat"):
        with pytest.raises(ValueError, match="cannot be drawn: no value is finite"):
            logger.plot(kind)


def test_a_file_that_could_not_be_made_is_tried_again(tmp_path):
    """The fit after one that was refused for a folder that is a file writes what it logs."""
    (tmp_path / "folder").write_text("")
    logger = GradientLogger(verbose=0, filename=tmp_path / "folder" / "log.csv")
    with pytest.raises(OSError, match="folder"):
        fit(logger)
    (tmp_path / "folder").unlink()
    fit(logger)
    assert len(pd.read_csv(logger.filename)) == 6


def test_layers_are_chosen_by_name_expression_or_function():
    """Each way chooses, in the model's order; a name that the model lacks is refused with those it has.

    The fit after a refused one is not disturbed by it. An invalid regular expression is refused before any fit.
    """
    with pytest.raises(ValueError, match=r"layers is 'conv\(', which is not a regular expression"):
        GradientLogger(layers="conv(")
    trained = model()
    for refused in (["thrid"], "^none$"):
        with pytest.raises(ValueError, match=r"layers .*(allowed: |the model has ).*'second'"):
            fit(GradientLogger(layers=refused, verbose=0), trained)
        for choice in (["out", "first"], "^(first|out)$", lambda layer: layer.name in ("first", "out")):
            logger = GradientLogger(layers=choice, verbose=0)
            fit(logger, trained)
            assert logger.to_frame()["layer"].unique().tolist() == ["first", "out"]
    once = GradientLogger(layers=(name for name in ["out"]), verbose=0)
    for _ in range(2):  # two models, so that the names are looked up twice
        fit(once, model())
    assert once.to_frame()["fit"].nunique() == 2


def test_every_layer_with_a_name_is_measured():
    """Flatten and Reshape too: their error is the error of what they reshape, and theory is as without them.

    An input layer, which computes nothing, is refused by name.
    """

    def logged_layers(choice):
        keras.utils.set_random_seed(0)
        h = inputs = keras.Input((12, 12, 1), name="given")
        for layer in (
            L.Conv2D(4, 3, activation="relu", name="convolution"),
            L.MaxPooling2D(name="pool"),
            L.Flatten(name="flat"),
            L.Reshape((10, 10), name="square"),
            L.Flatten(name="again"),
            L.Dense(6, "relu", name="dense"),
            L.Reshape((3, 2), name="pairs"),
            L.Flatten(name="last"),
        ):
            h = layer(h)
        built = keras.Model(inputs, L.Dense(10, "softmax", name="out")(h))
        built.compile("adam", "sparse_categorical_crossentropy")
        logger = GradientLogger(layers=choice, verbose=0)
        fit(logger, built)
        return logger

    names = ["pool", "flat", "square", "again", "dense", "pairs", "last", "out"]
    logger = logged_layers(names)
    frame = logger.to_frame().set_index("layer")
    found = frame[frame["step"] == 0]
    assert found.index.tolist() == names
    assert found[["error", "activation_mean", "activation_rms", "similarity"]].notna().all(axis=None)
    for name in ("flat", "square", "again"):
        assert found.loc[name, "error"] == found.loc["pool", "error"]
    pd.testing.assert_frame_equal(logger.theory(), logged_layers(["dense", "out"]).theory())
    with pytest.raises(ValueError, match=r"layers has unknown names \['given'\]; allowed: \['again', "):
        logged_layers(["given", "out"])


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """Log each of four steps everywhere; return the logger, what it said, and the file's rows after each step."""
    folder, rows, said = tmp_path_factory.mktemp("log"), [], io.StringIO()
    path = folder / "new" / "log.csv"
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: rows.append(len(pd.read_csv(path))))
    logger = GradientLogger("batch", filename=path, log_dir=folder / "events")
    with contextlib.redirect_stdout(said):
        model().fit(DIGITS, LABELS, batch_size=8, verbose=0, callbacks=[logger, count])
    return logger, said.getvalue(), rows


def test_a_killed_fit_keeps_its_rows(logged):
    """The file has each logged step's rows before training goes on; read again it is the frame."""
    logger, _, rows = logged
    assert rows == [6, 9, 12, 15]
    pd.testing.assert_frame_equal(pd.read_csv(logger.filename), logger.to_frame(), check_dtype=False)


def test_tensorboard_gets_a_scalar_for_each_measure(logged):
    """The events hold tag, step and value; a sentence says what to install to look at them."""
    logger, said, _ = logged
    found = {}
    for path in logger.log_dir.iterdir():
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                found[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    for row in logger.to_frame().to_dict("records"):
        assert found[f"{row['layer']}/error", row["step"]] == pytest.approx(row["error"])
    assert ("first/weight_gradient", 4) in found
    assert "install the package tensorboard" in said


@pytest.mark.parametrize("kind", ["layers", "training", "heat", "units"])
def test_figures_bear_the_layers_names(kind, logged):
    """Each kind is a figure that a notebook shows by itself, with the model's own names."""
    figure = logged[0].plot(kind)
    assert figure._repr_png_().startswith(b"\x89PNG")
    texts = {text.get_text() for panel in figure.axes for text in (*panel.get_xticklabels(), *panel.get_yticklabels())}
    assert {"first", "second"} <= texts | {panel.get_ylabel() for panel in figure.axes}


@pytest.mark.parametrize(("n_layers", "n_steps"), [(3, 3), (50, 40)])
def test_a_heat_map_is_legible(n_layers, n_steps):
    """Its numbers have two significant digits; neither they nor the names of layers overlap, with many layers too."""
    layers, steps = np.meshgrid(np.arange(n_layers), np.arange(n_steps), indexing="ij")
    frame = pd.DataFrame({"layer": layers.ravel(), "step": steps.ravel(), "call": 1, "kind": "Dense", "weight_rms": 1})
    frame["error"], frame["layer"] = 3.04 * 10.0 ** -frame["layer"], "dense_" + frame["layer"].astype(str)
    figure = plotting.draw("heat", frame, "model")
    figure.canvas.draw()
    panel = figure.axes[0]
    numbers, names = [text for text in panel.texts if text.get_text()], panel.get_yticklabels()
    assert len(numbers) >= min(n_layers, 10)
    assert all(re.fullmatch(r"3\.0e-?\d+", text.get_text()) for text in numbers)
    for texts in (numbers, names):
        boxes = [text.get_window_extent() for text in texts]
        assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert [names[0].get_text(), names[-1].get_text()] == ["dense_0", f"dense_{n_layers - 1}"]


def test_it_says_what_it_found(capsys):
    """verbose=1 has a line at the end, and one on clipping; 2 has a line a step; 0 has none."""
    logger, trained = GradientLogger(2, verbose=0), model(optimizer=keras.optimizers.Adam(clipnorm=1.0))
    for verbose, count in ((0, 0), (1, 2), (2, 5)):
        logger.verbose = verbose
        fit(logger, trained)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == count
        if lines:
            assert re.search(r"measured before the optimizer clips them \(clipnorm\)", lines[0])
            assert lines[-1] == "GradientLogger: logged 3 steps of 3 layers, nothing found"


def test_skipped_steps_are_marked():
    """With a loss scale near float16's limit the first steps are left out, and the rows say so and are not judged."""
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=2.0**40)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        trained = model(optimizer=scaled)
    finally:
        keras.config.set_dtype_policy("float32")
    logger = GradientLogger(1, verbose=0)
    fit(logger, trained, epochs=8)
    frame = logger.to_frame().groupby("step")[["skipped", "is_skipped", "is_finite"]].first()
    assert frame.loc[0].tolist() == [0, True, False]
    assert frame["skipped"].sum() == 32 - int(scaled.iterations) > 0
    assert not frame["is_skipped"].iloc[-1]
    assert "exploding" not in set(logger.diagnose()["finding"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"update_freq": 0}, r"update_freq is 0; it must be a whole number above 0, 'batch' or 'epoch'"),
        ({"update_freq": "step"}, r"update_freq is 'step'"),
        ({"probe": 2}, r"probe must be \(x, y\), .* a share of the training data in \(0, 1\], or None"),
        ({"probe": [1, 2]}, r"probe must be"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    """The sentence says what was given and what is allowed, before any training."""
    with pytest.raises(ValueError, match=message):
        GradientLogger(**arguments)


def test_what_cannot_be_measured_is_refused(monkeypatch):
    """Nothing to measure, or logged yet, a distribution strategy, another backend: each in a sentence of what to do."""
    with pytest.raises(ValueError, match="probe has an array without examples"):
        fit(GradientLogger(probe=(DIGITS[:0], LABELS[:0])))
    without = keras.Sequential([keras.Input((12, 12, 1)), L.Flatten(), L.Softmax()])
    without.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="layers is None, which chooses no layer"):
        fit(GradientLogger(), without)
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        distributed = model()
    with pytest.raises(RuntimeError, match="made for a distribution strategy; train a copy without"):
        fit(GradientLogger(), distributed)
    with pytest.raises(ValueError, match="nothing is logged yet; pass the logger to fit"):
        GradientLogger().diagnose()
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match="needs Keras on the TensorFlow backend, not jax; set KERAS_BACKEND"):
        fit(GradientLogger())


class Counting(keras.Sequential):
    """Counts its steps in a variable that Keras does not manage."""

    def train_step(self, batch):
        self.steps.assign_add(1.0)
        return super().train_step(batch)


class Decorated(keras.Sequential):
    """Compiles its own step."""

    @tf.function
    def train_step(self, batch):
        return super().train_step(batch)


HIDDEN = [keras.optimizers.SGD(0.1)]


class Secret(keras.Sequential):
    """Has an optimizer that is not an attribute of the model."""

    def train_step(self, batch):
        x, y = batch
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x))
        weights = self.trainable_weights
        HIDDEN[0].apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Counting, r"state that Keras does not manage \(AssignAddVariableOp\); keep it in keras.Variable"),
        (Decorated, r"a train_step that is decorated with tf.function; remove the decorator"),
        (Secret, r"does not manage \(.*/kernel, .*/bias\); .* optimizers in attributes"),  # found in eager mode
    ],
)
def test_a_train_step_that_would_be_disturbed_is_refused(kind, message):
    """The step is refused before it changes anything, or undone."""
    built = kind([keras.Input((12, 12, 1)), L.Flatten(), L.Dense(10, "softmax")])
    built.steps = tf.Variable(0.0)
    built.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=kind is Secret)
    before = built.get_weights()
    with pytest.raises(ValueError, match=message):
        fit(GradientLogger(verbose=0), built)
    assert built.steps.numpy() == 0
    for now, value in zip(built.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, value)


def test_theory_stands_beside_what_a_wide_network_measures():
    """Factors of the error from layer to layer are within a tenth of mean-field theory's, dense and convolutional."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((12, 12, 1))
    h = L.Conv2D(64, 3, activation="relu", name="relu")(inputs)
    h = L.Conv2D(64, 3, activation="tanh", kernel_initializer="he_normal", name="tanh")(h)
    h = L.Dense(300, "gelu", name="gelu")(L.Flatten()(h))
    h = L.ReLU(name="rectified")(L.Dense(300, kernel_initializer="orthogonal")(h))
    built = keras.Model(inputs, L.Dense(10, "softmax")(L.Dense(300, "sigmoid", name="sigmoid")(h)))
    built.compile("adam", "sparse_categorical_crossentropy")
    logger = GradientLogger(verbose=0)
    fit(logger, built)
    theory = logger.theory()
    assert theory["layer"].tolist() == ["relu", "tanh", "gelu", "rectified", "sigmoid"]
    np.testing.assert_allclose(theory["measured"], theory["predicted"], rtol=0.1)


def test_a_model_without_a_theory_is_told_why():
    """Normalisation, pooling, softmax, and a fit that began with trained weights: the reason, and what has a theory."""

    def theory_of(*layers):
        built = keras.Sequential([keras.Input((12, 12, 1)), *layers, L.Flatten(), L.Dense(10, "softmax")])
        built.compile("adam", "sparse_categorical_crossentropy")
        logger = GradientLogger(verbose=0)
        fit(logger, built)
        return logger.theory()

    needs = "applies to no pair of the measured layers. It needs an elementwise activation, and a dense or"
    for layers, takers in (
        ([L.Flatten(), L.Dense(8, "relu"), L.BatchNormalization()], "BatchNormalization, Dense"),
        ([L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D()], "MaxPooling2D"),
        ([L.Flatten(), L.Dense(8, "softmax")], "Dense"),
        ([], "no layer"),
    ):
        with pytest.raises(ValueError, match=f"{needs} .* outputs go to: {takers}$"):
            theory_of(*layers)
    logger, trained = GradientLogger(verbose=0), model()
    for _ in range(2):
        fit(logger, trained)
    with pytest.raises(ValueError, match="theory is for initial weights, and the last fit has no row for step 0"):
        logger.theory()


def test_the_example_of_the_readme_runs():
    """Its code leaves a logger with the finding and the theory that the text tells."""
    text = (ROOT / "study" / "monitor" / "README.md").read_text()
    names = {}
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1].replace("callbacks=", "verbose=0, callbacks="), names)
    row = names["logger"].diagnose().iloc[0]
    told = [row["layer"], row["finding"], *(f"{row[name]:.0e}" for name in ("number", "threshold", "theory"))]
    shown = re.search(r"\| (conv1) \| (\w+) \| (\S+) \| (\S+) \| (\S+) \|", text).groups()
    assert told == [*shown[:2], *(f"{float(number):.0e}" for number in shown[2:])]
    assert (ROOT / "study" / "monitor" / "example.png").stat().st_size < 50_000


def test_the_import_is_light():
    """`import study` takes under 0.1 s and loads no TensorFlow, and the logger is there when it is asked for."""
    program = "import sys, time; t = time.perf_counter(); import study; t = time.perf_counter() - t; "
    program += "print(t, 'tensorflow' in sys.modules or 'keras' in sys.modules, study.__version__)"
    command = [sys.executable, "-c", program]
    done = [subprocess.run(command, env=environment(), capture_output=True, text=True, check=True) for _ in range(3)]
    seconds, loaded, version = zip(*(each.stdout.split() for each in done), strict=True)
    assert min(map(float, seconds)) < 0.1
    assert set(loaded) == {"False"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", version[0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"layers": 5}, "layers is 5; it must be names"),
        ({"probe": ([[0.0, 1.0]], [1])}, "probe holds numbers"),
        ({"filename": "."}, "filename is '.', a folder"),
    ],
)
def test_arguments_are_refused_before_any_fit(arguments: dict[str, object], said: str) -> None:
    """The message names the argument, its value and what is allowed."""
    with pytest.raises(ValueError, match=re.escape(said)):
        GradientLogger(**arguments)
