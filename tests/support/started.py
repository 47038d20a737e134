"""Make small runs on the fixture `tiny_data`, before their training begins."""

import numpy as np

from study.activations import REGISTRY, Activation
from study.data.mnist import Dataset
from study.engine.run import Run
from study.settings import Settings

# 203 training images in batches of 8 make 25 updates per epoch, and 3 images are left out.
STEPS, EPOCHS = 25, 4


def settings(**changes: object) -> Settings:
    """Return the settings of a small run with `changes`; some changes compile another program, which takes seconds."""
    chosen = {
        "activation": "swish", "seed": 3, "depth": 3, "width": (6, 5, 5), "optimizer": "sgd", "learning_rate": 0.1,
        "batch": 8, "validation": 1100, "epochs": EPOCHS, "patience": None, "precision": "float64",
    }  # fmt: skip
    return Settings(**{**chosen, **changes})  # type: ignore[arg-type]


def start(chosen: Settings, data: Dataset, activation: Activation | None = None) -> Run:
    """Return a run of `chosen` on `data` before its first update; `activation` replaces the registry's unless None."""
    return Run(chosen, data, REGISTRY[chosen.activation] if activation is None else activation)


def batch(data: Dataset, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs (n, 784) in [0, 1] and the labels (n,) of the training images at `indices` (n,)."""
    return data.training_images[indices] / 255, data.training_labels[indices].astype(np.int64)
