"""Measure where the pre-activations of a network lie, layer by layer, before and after it is trained."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from study.activations import Activation
from study.data.mnist import Dataset
from study.engine.run import PROBE_IMAGES, Run
from study.networks.weights import arrays
from study.settings import Settings

PERCENT = (0.5, *range(5, 100, 5), 99.5)  # of the entries that lie below a quantile


def quantiles(settings: Settings, data: Dataset, activation: Activation) -> list[dict[str, Any]]:
    """Return a row per step (0, and the last of `settings.epochs`) and hidden layer: step, layer, `quantiles`.

    The quantiles are of all entries of z on the probe images, at PERCENT. The run is trained here and leaves no record.
    """
    run = Run(settings, data, activation)
    images = data.training_images[run.validation[:PROBE_IMAGES]].astype(np.float32) / 255
    rows = []
    for epoch in range(settings.epochs + 1):
        if epoch:
            run.epoch(epoch)
        if epoch in (0, settings.epochs):
            found = _preactivations(arrays(settings, run.parameters_of_all_pixels(run.state)), images, activation)
            at = [np.percentile(z, PERCENT).tolist() for z in found]
            rows += [{"step": epoch * run.steps, "layer": 1 + i, "quantiles": values} for i, values in enumerate(at)]
    return rows


def _preactivations(weights: list[np.ndarray], h: np.ndarray, activation: Activation) -> Iterator[np.ndarray]:
    """Yield z (images, units) of each hidden layer."""
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        z = h @ kernel + bias
        yield z
        h = activation.function(tf.constant(z)).numpy()
