"""Compile the programs of a network: one trains and measures an epoch, one evaluates, one measures without training.

A program depends on the activation, on `ProgramKind` and on the sizes of the data alone. Runs that differ in seed,
initial weights, learning rate or, as far as layer_groups.py allows, depth share it, and a process compiles it once.
"""

import functools
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from study.activations import Activation
from study.engine.epoch import train_epoch
from study.engine.evaluation import evaluate
from study.engine.initial_network import measure_initial
from study.engine.measures import derivative_supremum
from study.engine.network import Network
from study.engine.program_kind import ProgramKind


@dataclass(frozen=True)
class Programs:
    """Hold a network, and its train_epoch, evaluate and measure_initial, each compiled when sizes of data are new."""

    network: Network
    epoch: Any
    evaluate: Any
    initial: Any
    compiled: set[Any] = field(default_factory=set)  # `Run` collects here for which sizes of data it compiled


@functools.lru_cache(maxsize=8)
def compiled_programs(activation: Activation, kind: ProgramKind) -> Programs:
    """Return the programs of an activation and a kind; the latest eight results are stored."""
    network = Network(activation.function, derivative_supremum(activation), kind)
    # Autograph has nothing to convert here, and takes six times as long as tracing.
    compiled = functools.partial(tf.function, jit_compile=True, autograph=False)
    functions = (train_epoch, evaluate, measure_initial)
    return Programs(network, *(compiled(functools.partial(function, network)) for function in functions))
