"""Compute the measures that need no training batch: on the probe images, and of the optimiser's last update.

The probe images are the first PROBE_IMAGES validation images (run.py).
"""

from typing import Any

import tensorflow as tf

from study.engine import measures
from study.engine.architecture import Architecture, Signals
from study.engine.forward import visit_forward
from study.engine.measures import WEIGHT_MEASURES, Measures
from study.engine.network import Network, joined, parameters_of
from study.engine.optimizers import OPTIMIZERS, Hyperparameters
from study.engine.rows import row_of


def measure_weights(
    network: Network, architecture: Architecture, state: Any, x: tf.Tensor, last: Hyperparameters | None
) -> Measures:
    """Measure every layer of `network` without a training batch: on probe images, and by the last update.

    Return {name: (rows of all groups,)} for the names in WEIGHT_MEASURES. PROBE_MEASURES, such as dead_units, come from
    a forward pass of the probe inputs x (P, columns). In this pass, batch normalisation uses the moments of x.
    UPDATE_MEASURES compare the last update with the kernels.

    `state` holds the groups; their slots are read only for UPDATE_MEASURES. `last` holds the hyperparameters of the
    last update. UPDATE_MEASURES are NaN if `last` is None or its step is 0, that is, before the first update.
    """
    kind = network.kind
    rule = OPTIMIZERS[kind.optimizer]

    def of_update(group: int, row: Any) -> Measures:
        undefined = measures.undefined(measures.UPDATE_MEASURES, kind.precision)
        if last is None:
            return undefined
        (kernel, *_), (slots, *_), *_ = state[group]
        kernel, slots = row_of((kernel, slots), row)
        found = measures.of_update(rule.update(slots, last), kernel)
        return {name: tf.where(last.step > 0, found[name], nan) for name, nan in undefined.items()}

    def visit(group: int, row: Any, signals: Signals) -> tf.Tensor:
        of_probe = measures.of_probe(network.function_of(group), network.supremum, signals.preactivations)
        return measures.packed(WEIGHT_MEASURES, of_probe | of_update(group, row))

    buffers = network.measure_buffers(WEIGHT_MEASURES, kind.precision)
    _, found = visit_forward(architecture, parameters_of(state), x, visit, buffers)
    return joined(WEIGHT_MEASURES, found)
