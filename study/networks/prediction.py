"""Classify the picture files of a user with a saved network."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from study.errors import FolderError, UsageError
from study.networks import pictures
from study.networks.keras_models import SHIFTS, probabilities


def predict(paths: Sequence[Path], network: Path) -> tuple[dict[Path, np.ndarray], list[str]]:
    """Classify the picture files `paths` with the Keras model in the file `network`.

    Return by path the probabilities (10,) of each picture that holds a digit, and a list of one sentence for each
    picture that is refused. The probabilities are averaged over nine positions of the digit. Raise FolderError if
    `network` does not exist.
    """
    if not network.is_file():
        raise FolderError(f"there is no network in {network}; make past_99 trains it, and the repository holds one")
    model = keras.models.load_model(network)
    found: dict[Path, np.ndarray] = {}
    problems: list[str] = []
    for path in paths:
        try:
            (found[path],) = probabilities(model, pictures.read(path)[np.newaxis], SHIFTS)
        except UsageError as error:
            problems += error.problems
    return found, problems
