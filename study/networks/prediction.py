"""Classify the picture files of a user with a saved network."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from study.errors import FolderError, UsageError, one_line
from study.networks import pictures
from study.networks.keras_models import SHIFTS, probabilities
from study.records.store import NETWORK

EXPERIMENTS = ("flagship", "past_99")  # whose best network classifies; the second one's if the first has none


def predict(paths: Sequence[Path], results: Path) -> tuple[dict[Path, np.ndarray], list[str]]:
    """Classify the picture files `paths` with the best network in the folder `results`.

    Return {path: probabilities (10,)} of the pictures that hold a digit, and a list of one sentence for each picture
    that is refused. The probabilities are averaged over nine positions of the digit. Raise FolderError if the folder
    has no network of EXPERIMENTS, or if the network cannot be read.
    """
    networks = [path for name in EXPERIMENTS if (path := results / NETWORK.format(name)).is_file()]
    if not networks:
        folder = (results / NETWORK).parent
        raise FolderError(
            f"there is no network in {folder}; the repository holds one: name its results folder with --results"
        )
    try:
        model = keras.models.load_model(networks[0])
    except Exception as error:  # noqa: BLE001 - damaged bytes make the libraries raise errors of many types
        raise FolderError(f"{networks[0]} cannot be read as a network: {one_line(error)}") from None
    found: dict[Path, np.ndarray] = {}
    problems: list[str] = []
    for path in paths:
        try:
            (found[path],) = probabilities(model, pictures.read(path)[np.newaxis], SHIFTS)
        except UsageError as error:
            problems += error.problems
    return found, problems
