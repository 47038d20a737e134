"""The models of Keras' classic examples are measured without further ado, and what ails a model is named."""

import keras
import numpy as np
import pytest
from classic_models import CLASSICS, DIGITS, LABELS, TEXTS
from keras import ops

from study import GradientLogger

L = keras.layers
RATE = 1e-2
ZEROS = {  # by design: a bias before batch normalisation, and the bias of attention's keys
    "unet": ["conv2d", "separable_conv2d", "conv2d_transpose"], "transformer": ["key"],
}  # fmt: skip


class Weights(keras.callbacks.Callback):
    """Keeps all trainable weights before each update."""

    def __init__(self):
        super().__init__()
        self.states = []

    def on_train_batch_begin(self, batch, logs=None):
        self.states.append([weight.numpy() for weight in self.model.trainable_weights])


def trained(name, callbacks):
    """Train two epochs of two batches by SGD; return the model."""
    keras.utils.set_random_seed(4)
    model, x, y, loss = CLASSICS[name]()
    model.compile(optimizer=keras.optimizers.SGD(RATE), loss=loss)
    model.fit(x, y, batch_size=16, epochs=2, verbose=0, callbacks=callbacks)
    return model


@pytest.mark.parametrize("name", CLASSICS)
def test_classic_models(name, capsys):
    """All weights' gradients together are what the first update moves all weights by, over the rate.

    Each layer has an error and a mean activation in a call of its own, and training ends as without the logger. The
    gradients of a GAN's generator are those before the discriminator's update: they differ a little, and it is said.
    Nothing is found but biases whose gradient is of rounding alone.
    """
    keras.backend.clear_session()  # so that layers are named from the start
    logger, weights = GradientLogger("batch"), Weights()
    model, without = trained(name, [logger, weights]), trained(name, [])
    for ours, theirs in zip(model.get_weights(), without.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    frame = logger.to_frame()
    first = frame[frame["step"] == 0]
    moved = sum(np.sum((np.float64(b) - a) ** 2) for a, b in zip(*weights.states[:2], strict=True)) ** 0.5
    together = np.sqrt(np.nansum(first[["weight_gradient", "bias_gradient"]] ** 2))
    assert together == pytest.approx(moved / RATE, rel=5e-2 if name == "gan" else 2e-3)
    assert (frame.groupby(["layer", "step"])[["error", "activation_mean"]].count() > 0).all(axis=None)
    assert frame["step"].unique().tolist() == [0, 1, 2, 3, 4]
    assert frame["is_finite"].all()
    found = logger.diagnose()
    assert found["layer"].tolist() == ZEROS.get(name, [])
    assert (found["finding"] == "zero by design").all()
    assert (found["number"] < 2e-5).all()
    assert ("of every optimizer" in capsys.readouterr().out) == (name == "gan")
    if name == "two_heads":
        shared = first[first["layer"] == "shared"]
        assert shared["call"].tolist() == [1, 2, 3]
        assert shared["error"].nunique() == shared["activation_mean"].nunique() == 3
        assert shared["weight_gradient"].notna().tolist() == [True, False, False]


def test_frozen_layers_are_measured_as_they_train():
    """Frozen layers have an activation and an error; once unfrozen, and compiled, a weight gradient too."""
    keras.utils.set_random_seed(0)
    model, x, y, loss = CLASSICS["convolutional"]()
    logger, names = GradientLogger(1, verbose=0), [model.layers[0].name, model.layers[2].name]
    for trainable in (False, True):
        for name in names:
            model.get_layer(name).trainable = trainable
        model.compile("adam", loss)
        model.fit(x, y, batch_size=16, verbose=0, callbacks=[logger])
        frame = logger.to_frame()
        rows = frame[(frame["fit"] == frame["fit"].max()) & frame["layer"].isin(names)]
        assert rows["activation_rms"].notna().all()
        assert rows["error"].notna().all()
        assert rows["weight_gradient"].notna().all() == rows["update_ratio"].notna().any() == trainable
    assert frame.groupby("fit")["step"].unique().map(list).to_dict() == {1: [0, 1, 2], 2: [0, 1, 2]}
    assert "not learning" not in set(logger.diagnose()["finding"])


def diagnosed(model, x, y, loss="sparse_categorical_crossentropy", optimizer="adam", epochs=2):
    model.compile(optimizer, loss)
    logger = GradientLogger("batch", verbose=0)
    model.fit(x, y, batch_size=16, epochs=epochs, verbose=0, callbacks=[logger])
    return logger


def perceptron(depth, activation, width=32, **options):
    keras.utils.set_random_seed(1)
    hidden = [L.Dense(width, activation, **options) for _ in range(depth)]
    return keras.Sequential([keras.Input((12, 12, 1)), L.Flatten(), *hidden, L.Dense(10, "softmax", name="out")])


def test_a_deep_sigmoid_network_vanishes():
    """Of twelve layers the first ones get no error; theory's ratio stands beside, within a fifth in logarithms."""
    model = perceptron(12, "sigmoid")
    names, found = [layer.name for layer in model.layers[1:]], diagnosed(model, DIGITS, LABELS).diagnose()
    vanishing = found[found["finding"] == "vanishing"]
    assert vanishing["layer"].tolist()[:2] == names[:2]
    assert 2 <= len(vanishing) <= 5
    assert (vanishing["number"] < vanishing["threshold"]).all()
    np.testing.assert_allclose(np.log(vanishing["theory"]), np.log(vanishing["number"]), rtol=0.2)
    assert set(found["finding"]) == {"vanishing", "examples alike"}
    assert found.loc[found["finding"] != "vanishing", "theory"].isna().all()
    assert found["help"].str.contains("batch normalisation").all()


def test_a_dead_relu_layer_is_named():
    """Units whose bias is far below 0 are off for every example, so that nothing before them learns either."""
    model = keras.Sequential([keras.Input((12, 12, 1)), L.Flatten(), L.Dense(16, "relu", name="alive")])
    model.add(L.Dense(16, "relu", bias_initializer=keras.initializers.Constant(-1e3), name="dead"))
    model.add(L.Dense(10, "softmax", name="out"))
    found = diagnosed(model, DIGITS, LABELS).diagnose()
    assert found[["layer", "finding", "number"]].values.tolist() == [
        ["alive", "vanishing", 0.0], ["dead", "vanishing", 0.0], ["dead", "dead", 1.0],
        ["alive", "not learning", 0.0], ["dead", "not learning", 0.0], ["out", "not learning", 0.0],
    ]  # fmt: skip


def test_an_exploding_recurrent_layer_is_named():
    """A recurrent kernel of twice the identity doubles the gradient at each of forty words."""
    rnn = L.SimpleRNN(8, activation="linear", recurrent_initializer=keras.initializers.Identity(2.0), name="rnn")
    model = keras.Sequential([keras.Input((40,)), L.Embedding(20, 8, name="embedding"), rnn, L.Dense(2, name="out")])
    found = diagnosed(model, np.tile(TEXTS, 4), LABELS[:, None] * np.ones(2), "mse", keras.optimizers.SGD(1e-30))
    assert {"embedding", "rnn"} >= set(found.diagnose().query("finding == 'exploding'")["layer"]) > set()


def test_saturated_units_and_infinite_gradients_are_named():
    """A tanh layer of huge weights is flat; a rate without measure makes gradients infinite."""
    large = perceptron(2, "tanh", kernel_initializer=keras.initializers.RandomNormal(stddev=100.0))
    found = diagnosed(large, DIGITS, LABELS, optimizer=keras.optimizers.SGD(1e-6)).diagnose()
    assert found.query("finding == 'saturated'")["layer"].tolist() == [layer.name for layer in large.layers[1:3]]
    found = diagnosed(perceptron(2, "relu"), DIGITS, LABELS, optimizer=keras.optimizers.SGD(1e30)).diagnose()
    assert "exploding" in set(found["finding"])


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_a_layer_without_a_path_to_the_loss_is_named():
    """Its gradient is absent, and its weights do not move. A frozen layer is not blamed."""
    inputs = keras.Input((12, 12, 1))
    h = L.Flatten()(inputs)
    lost = L.Dense(3, name="lost")(h)
    frozen = L.Dense(12, name="frozen", trainable=False)(h)
    model = keras.Model(inputs, [L.Dense(10, "softmax", name="out")(frozen), lost])
    found = diagnosed(model, DIGITS, LABELS, ["sparse_categorical_crossentropy", None]).diagnose()
    assert found[["layer", "finding"]].values.tolist() == [["lost", "not learning"]]


def test_a_healthy_model_raises_no_alarm():
    """Ten seeds of a model that learns, each trained by Adam and by SGD, have no finding."""
    keras.utils.set_random_seed(0)
    model, x, y, _ = CLASSICS["convolutional"]()
    x, y = np.tile(x, (10, 1, 1, 1)), np.tile(y, 10)  # one long epoch takes Keras less time than ten short ones
    for optimizer in (keras.optimizers.Adam(0.003), keras.optimizers.SGD(0.1)):
        model.compile(optimizer, "sparse_categorical_crossentropy")
        logger = GradientLogger(10, verbose=0)
        for seed in range(10):
            keras.utils.set_random_seed(seed)
            model.set_weights(CLASSICS["convolutional"]()[0].get_weights())
            for variable in model.optimizer.variables:
                if variable.name != "learning_rate":
                    variable.assign(ops.zeros_like(variable))
            model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=[logger])
            assert model.evaluate(x[:32], y[:32], verbose=0) < 0.7 * np.log(10)  # that is what guessing costs
            assert logger.diagnose().empty, (seed, logger.diagnose())
    assert logger.to_frame()["fit"].max() == 10
