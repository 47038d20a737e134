"""A kept network is the same network as a Keras model, which a process without this study can load."""

import dataclasses
import re
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from study.activations import REGISTRY
from study.data.mnist import Dataset
from study.engine.run import Run
from study.networks import keras_models, testing, weights
from study.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # of Keras, as it saves
SETTINGS = Settings(activation="gelu", seed=1, depth=2, width=6, batch=50, validation=1100, epochs=1, rotation=9.0)


@pytest.fixture(scope="module")
def arrays(tiny_data: Dataset) -> list[np.ndarray]:
    run = Run(SETTINGS, tiny_data, REGISTRY["gelu"])
    return weights.from_bytes(weights.to_bytes(weights.arrays_of(SETTINGS, run.state)))


@pytest.mark.parametrize("name", REGISTRY)
def test_keras_has_the_activation_under_the_name_found(name: str) -> None:
    """Its values are the registry's; the study's four are all there."""
    found = keras_models.standard_name(REGISTRY[name])
    z = np.linspace(-9, 9, 41).astype(np.float32)
    if found is not None:
        theirs = tf.keras.activations.get(found)(tf.constant(z))
        np.testing.assert_allclose(theirs, REGISTRY[name].function(tf.constant(z)), atol=1e-5)
    assert found is not None or not REGISTRY[name].studied


def test_keras_alone_loads_it(arrays: list[np.ndarray], tiny_data: Dataset, tmp_path: Path) -> None:
    """Its file names nothing but parts of Keras, and it gives the probabilities that numpy works out."""
    model = keras_models.keras_model(arrays, "gelu")
    keras_models.save(model, tmp_path / "network.keras")
    with zipfile.ZipFile(tmp_path / "network.keras") as file:
        written = file.read("config.json").decode()
    assert {name.split(".")[0] for name in re.findall(r'"module": "([^"]*)"', written)} == {"keras"}
    assert set(re.findall(r'"registered_name": ("[^"]+"|null)', written)) == {"null"}
    assert '"activation": "gelu"' in written
    h = x = tiny_data.test_images.astype(np.float32) / 255
    for kernel, bias in zip(arrays[:-2:2], arrays[1:-2:2], strict=True):
        h = np.array(REGISTRY["gelu"].function(tf.constant(h @ kernel + bias)))
    exps = np.exp(h @ arrays[-2] + arrays[-1])
    expected = exps / exps.sum(axis=1, keepdims=True)
    loaded = keras.models.load_model(tmp_path / "network.keras")
    np.testing.assert_allclose(loaded(x), expected, rtol=1e-4)
    np.testing.assert_allclose(keras_models.probabilities(model, tiny_data.test_images), expected, rtol=1e-4)


def test_a_saved_network_is_small_and_rounds_its_weights_to_16_bits(tmp_path: Path) -> None:
    """The file has less than two bytes a weight. Rounding changes a weight by at most half a unit in the last place."""
    rng = np.random.default_rng(0)
    arrays = [rng.normal(0, 0.04, shape).astype(np.float32) for shape in ((784, 100), (100,), (100, 10), (10,))]
    rounded = keras_models.as_float16(arrays)
    for array, found in zip(arrays, rounded, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found.astype(np.float16), found)
        np.testing.assert_allclose(found, array, rtol=2**-11, atol=2**-25)
    keras_models.save(keras_models.keras_model(rounded, "relu"), tmp_path / "network.keras")
    weights = keras.models.load_model(tmp_path / "network.keras").get_weights()
    for array, found in zip(rounded, weights, strict=True):
        np.testing.assert_array_equal(found, array)
    # the rest is Keras' description of the layers
    assert (tmp_path / "network.keras").stat().st_size < 2 * sum(array.size for array in arrays) + 20_000


@pytest.mark.parametrize("shift", [(-1, 0), (0, 1), (1, -1)])
def test_shifted_images_are_those_of_scipy(shift: tuple[int, int], tiny_data: Dataset) -> None:
    """Whole pixels, black from outside; and the probabilities of several shifts are averaged."""
    expected = ndimage.shift(tiny_data.test_images.reshape(-1, 28, 28), (0, *shift), order=0).reshape(-1, 784)
    np.testing.assert_array_equal(keras_models.shifted(tiny_data.test_images, *shift), expected)


def test_networks_are_tested_alone_and_together(arrays: list[np.ndarray], tiny_data: Dataset, tmp_path: Path) -> None:
    """Two networks of GELU, and one whose activation Keras lacks: accuracies by hand, and the best by validation.

    Most labels are what the second network says of the images as they are, so that shifts make it worse.
    """
    files = [[array * (1 + seed) for array in arrays] for seed in range(3)]
    models = [keras_models.keras_model(file, "gelu") for file in files[:2]]
    each = [keras_models.probabilities(model, tiny_data.test_images) for model in models]
    images = [keras_models.shifted(tiny_data.test_images, *shift) for shift in keras_models.SHIFTS]
    moved = [np.mean([keras_models.probabilities(model, part) for part in images], 0) for model in models]
    labels = np.where(np.arange(40) < 36, each[1].argmax(1), tiny_data.test_labels).astype(np.uint8)
    kept = []
    for seed, name, validation in ((0, "gelu", 0.2), (1, "gelu", 0.3), (2, "leaky_relu", 0.9)):
        path = tmp_path / f"{seed}.npz"
        path.write_bytes(weights.to_bytes(files[seed]))
        kept.append(testing.Kept(str(seed), path, name, seed, validation))
    data, saved = dataclasses.replace(tiny_data, test_labels=labels), tmp_path / "best.keras"
    found = testing.test_networks(kept, data, saved, {})
    plain, shifted = ([float(np.mean(p.argmax(1) == labels)) for p in (*of, of[0] + of[1])] for of in (each, moved))
    assert plain[1] > shifted[1]
    (together,) = [row for row in found["together"] if row["activation"] == "gelu"]
    rows = [*found["alone"][:2], together]
    assert [row["accuracy"] for row in rows] == plain
    assert [row["shifted_accuracy"] for row in rows] == shifted
    assert together["n_networks"] == 2
    assert found["best"]["run"] == "1"
    assert len(found["wrong"]) == round((1 - plain[1]) * 40)
    assert all(row["said"] != row["label"] == labels[row["place"]] for row in found["wrong"])
    assert saved.is_file()
    _check_in_parts(found, kept, data, tmp_path)


def _check_in_parts(whole: dict[str, Any], kept: list[testing.Kept], data: Dataset, folder: Path) -> None:
    """Check that networks tested one by one, each added to the `earlier` findings, are told as those tested at once.

    What needs the networks at the same time cannot be had: an activation's row of `together` is of one network. The
    file holds the best network, whatever the order.
    """
    for order in ([0, 1, 2], [1, 0, 2]):
        found, saved, files = {}, folder / "parts.keras", []
        for place in order:
            found = testing.test_networks([kept[place]], data, saved, found)
            files.append(saved.read_bytes())
        assert sorted(found["alone"], key=lambda row: row["run"]) == whole["alone"]
        assert {row["activation"]: row["n_networks"] for row in found["together"]} == {"gelu": 1, "leaky_relu": 1}
        assert (found["best"], found["wrong"]) == (whole["best"], whole["wrong"])
        assert (files[0] == files[1], files[1] == files[2]) == (order[0] == 1, True)
        assert testing.test_networks(kept, data, saved, found)["together"] == whole["together"]
        saved.unlink()
