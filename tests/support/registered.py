"""The activations of the registry, as theory integrates them."""

from study.activations import REGISTRY
from study.theory.nonlinearity import Nonlinearity, from_tensorflow

NAMES = list(REGISTRY)


def function_of(name: str) -> Nonlinearity:
    return from_tensorflow(REGISTRY[name].function)
