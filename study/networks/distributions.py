"""Train a network, and compute quantiles of its pre-activations in each hidden layer at chosen steps."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from study.activations import Activation
from study.data.mnist import Dataset
from study.engine.forward import forward
from study.engine.network import State, parameters_of
from study.engine.program_kind import groups_of
from study.engine.run import Run
from study.settings import Settings

PERCENT = (0.5, 5, *range(10, 100, 10), 95, 99.5)  # percent of the entries of z that lie below each quantile
DIGITS = 4  # significant digits of a quantile


def quantiles(settings: Settings, data: Dataset, activation: Activation, steps: Iterable[int]) -> list[dict[str, Any]]:
    """Train a network as far as the last of `steps`; return quantiles of its pre-activations z at each of the steps.

    `settings`, `data` and `activation` are the engine's, as for its `Run`. `steps` are numbers of updates, 0 for the
    initial network, in any order. The run leaves no record.

    Return a dict per step and hidden layer, ascending: step, layer (from 1) and the list `quantiles`. This list holds
    the PERCENT quantiles of all entries of z, rounded to DIGITS significant digits. The inputs are the probe images,
    the first PROBE_IMAGES of the run's validation images (see study/engine/run.py).
    """
    run = Run(settings, data, activation)
    rows, trained = [], 0
    for step in sorted(steps):
        epochs, updates = divmod(step, run.steps)
        for epoch in range(trained + 1, epochs + 1):
            run.epoch(epoch)
        trained = epochs
        state = run.call_epoch(epochs + 1, updates)[0] if updates else run.state
        for layer, z in enumerate(_preactivations(run, state), start=1):
            found = [float(f"{value:.{DIGITS}g}") for value in np.percentile(z, PERCENT)]
            rows.append({"step": step, "layer": layer, "quantiles": found})
    return rows


def _preactivations(run: Run, state: State) -> list[np.ndarray]:
    """Return z (images, units) of every hidden layer of the network `state`, on the probe images of `run`.

    Batch normalisation uses the moments of these images, as in training.
    """
    network = run.programs.network
    x = network.inputs(tf.gather(run.data.images, run.data.probe))
    _, signals = forward(network.architecture(run.counts), parameters_of(state), x)
    found = []
    for of_group, group in zip(signals[:-1], groups_of(run.settings)[:-1], strict=True):
        z = of_group.preactivations.numpy()
        found += list(z[: group.count]) if group.shape.is_looped else [z]
    return found
