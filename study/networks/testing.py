"""Test kept networks on the test images: alone, with shifted images, and all networks of an activation together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from study.activations import REGISTRY
from study.data.mnist import Dataset
from study.networks.keras_models import SHIFTS, keras_model, probabilities, standard_name
from study.networks.weights import from_bytes


class Kept(NamedTuple):
    """Name a kept network: its run, where its weights are, and what its record says of it."""

    run: str
    path: Path
    activation: str
    seed: int
    validation_accuracy: float


def test_networks(kept: Sequence[Kept], data: Dataset, saved: Path) -> dict[str, Any]:
    """Return how well the networks classify the test images, and write the best one as a Keras model to `saved`.

    The best one has the highest accuracy on validation images, among those whose activation is one of Keras' own.

    - `alone`: for each network its activation, seed, and accuracies on images as they are (`accuracy`) and averaged
      over nine positions (`shifted_accuracy`);
    - `together`: for each activation the same of its networks' mean probabilities, and their number `n_networks`;
    - `best`: activation, seed and accuracies of the best network;
    - `wrong`: each test image it gets wrong: place (from 0), label, said, probability, and image (784 bytes).
    """
    labels = data.test_labels
    standard = {name: standard_name(REGISTRY[name]) for name in {each.activation for each in kept}}
    best = max((each for each in kept if standard[each.activation]), key=lambda each: each.validation_accuracy)
    alone: list[dict[str, Any]] = []
    sums: dict[str, Any] = {}
    for each in kept:
        function = standard[each.activation] or REGISTRY[each.activation].function
        model = keras_model(from_bytes(each.path.read_bytes()), function)
        found = [probabilities(model, data.test_images, shifts) for shifts in (((0, 0),), SHIFTS)]
        about = {"run": each.run, "activation": each.activation, "seed": each.seed}
        alone.append(about | _accuracies(found, labels))
        sums[each.activation] = np.add(sums.get(each.activation, 0.0), found)
        if each is best:
            model.save(saved)
            wrong = _wrong(found[0], data)
            of_best = {**alone[-1], "validation_accuracy": each.validation_accuracy}
    together = [
        {"activation": name, "n_networks": sum(each.activation == name for each in kept), **_accuracies(found, labels)}
        for name, found in sums.items()
    ]
    return {"alone": alone, "together": together, "best": of_best, "wrong": wrong}


def _accuracies(found: Any, labels: np.ndarray) -> dict[str, float]:
    """Return the shares of `labels` (n,) that the plain and the shifted probabilities `found` (2, n, 10) hit."""
    plain, shifted = np.mean(np.argmax(found, axis=2) == labels, axis=1).tolist()
    return {"accuracy": plain, "shifted_accuracy": shifted}


def _wrong(found: np.ndarray, data: Dataset) -> list[dict[str, Any]]:
    said = np.argmax(found, axis=1)
    return [
        {
            "place": int(place),
            "label": int(data.test_labels[place]),
            "said": int(said[place]),
            "probability": float(found[place, said[place]]),
            "image": data.test_images[place].tolist(),
        }
        for place in np.flatnonzero(said != data.test_labels)
    ]
