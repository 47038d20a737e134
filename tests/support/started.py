"""Runs that `train` has not begun, for tests of what it would do with them."""

from study.activations import REGISTRY, Activation
from study.data.mnist import Dataset
from study.engine import training
from study.engine.splitting import split
from study.settings import Settings


def start(settings: Settings, data: Dataset, activation: Activation | None = None) -> training._Run:
    """A run before its first update, as `train` would set it up."""
    images = training.images_for(settings, data)
    activation = REGISTRY[settings.activation] if activation is None else activation
    return training._Run(settings, activation, images, *split(images.training, settings.validation, settings.seed))
