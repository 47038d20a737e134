"""Prepare the activations of the registry for theory's integrals."""

from study.activations import REGISTRY
from study.theory.nonlinearity import Nonlinearity, from_tensorflow

NAMES = list(REGISTRY)


def function_of(name: str) -> Nonlinearity:
    return from_tensorflow(REGISTRY[name].function)
