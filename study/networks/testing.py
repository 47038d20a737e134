"""Test kept networks on the test images: alone, with shifted images, and the networks of an activation together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from study.activations import REGISTRY
from study.data.mnist import Dataset
from study.networks.keras_models import SHIFTS, as_float16, keras_model, probabilities, save, standard_name
from study.networks.weights import from_bytes


class Kept(NamedTuple):
    """Describe a kept network: the id of its run, the file of its weights, and what the run's record says of it.

    `activation` is a key of REGISTRY, and `validation_accuracy`, in [0, 1], belongs to the last epoch.
    """

    run: str
    path: Path
    activation: str
    seed: int
    validation_accuracy: float


def test_networks(kept: Sequence[Kept], data: Dataset, saved: Path, earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Test the networks `kept` on the test images of `data`, write the best to the file `saved`, return the findings.

    The best one has the highest validation accuracy among those whose activation Keras has, and is written as a Keras
    model. Raise ValueError if Keras has none of the activations and `earlier` is empty. The weights are rounded to 16
    bits, so that the file is small. Every network answers twice: to the images as they are, and with its probabilities
    averaged over nine positions of each image. The dict is ready for JSON:

    - `alone`: a row per network with run, activation, seed, `accuracy` on the images as they are, and
      `shifted_accuracy` over the nine positions.
    - `together`: a row per activation with activation, `n_networks`, and both accuracies of the mean probabilities of
      its networks.
    - `best`: the best network's row of `alone`, and its `validation_accuracy`.
    - `wrong`: a row per image, as it is, that the best network gets wrong. It holds `place` (from 0), `label`, `said`
      (the network's answer), `probability` (of the answer) and `image` (784 pixels from 0 to 255).

    `earlier` are earlier findings of this function, whose best network `saved` holds, or an empty dict. They are joined
    to the new ones: all rows of `alone`, and of each activation the row of `together` with more networks. Of both best
    networks the better one counts. If this is the earlier one, `saved` stays as it is.
    """
    found: dict[str, Any] = {"alone": [], "together": []}
    standard = {name: standard_name(REGISTRY[name]) for name in {each.activation for each in kept}}
    known = [each for each in kept if standard[each.activation]]
    if not known and not earlier:
        raise ValueError(f"Keras has none of the activations {', '.join(standard)}")
    best = max(known, key=lambda each: each.validation_accuracy, default=None)
    sums: dict[str, Any] = {}
    for each in kept:
        function = standard[each.activation] or REGISTRY[each.activation].function
        model = keras_model(as_float16(from_bytes(each.path.read_bytes())), function)
        answers = [probabilities(model, data.test_images, shifts) for shifts in (((0, 0),), SHIFTS)]
        row = {"run": each.run, "activation": each.activation, "seed": each.seed}
        found["alone"].append(row | _accuracies(answers, data.test_labels))
        sums[each.activation] = np.add(sums.get(each.activation, 0.0), answers)
        if each is best:
            best_model = model
            of_best = {**found["alone"][-1], "validation_accuracy": each.validation_accuracy}
            found |= {"best": of_best, "wrong": _wrong(answers[0], data)}
    for name, answers in sums.items():
        row = {"activation": name, "n_networks": sum(each.activation == name for each in kept)}
        found["together"].append(row | _accuracies(answers, data.test_labels))
    joined = _joined(found, earlier) if earlier else found
    if best and joined["best"]["run"] == best.run:
        save(best_model, saved)
    return joined


def _joined(found: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Join the findings `found` and `earlier` as `test_networks` says; of a network in both, `found` has the row."""
    alone = {row["run"]: row for row in (*earlier["alone"], *found["alone"])}
    rows = sorted((*earlier["together"], *found["together"]), key=lambda row: row["n_networks"])
    both = [part for part in (found, earlier) if "best" in part]
    best = max(both, key=lambda part: part["best"]["validation_accuracy"])
    together = {row["activation"]: row for row in rows}
    return {
        **{part: best[part] for part in ("best", "wrong")},
        "alone": [*alone.values()],
        "together": [*together.values()],
    }


def _accuracies(found: Any, labels: np.ndarray) -> dict[str, float]:
    """Return the `accuracy` of the plain and the `shifted_accuracy` of the shifted probabilities, in [0, 1].

    `found` (2, n, 10) holds the plain probabilities and then the shifted ones; `labels` are (n,).
    """
    plain, shifted = np.mean(np.argmax(found, axis=2) == labels, axis=1).tolist()
    return {"accuracy": plain, "shifted_accuracy": shifted}


def _wrong(found: np.ndarray, data: Dataset) -> list[dict[str, Any]]:
    """Return the rows `wrong` of `test_networks`, from the best network's probabilities `found` (n, 10) on `data`."""
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
