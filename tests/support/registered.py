"""Prepare the activations of the registry for theory's integrals."""

from study.activations import REGISTRY
from study.theory.nonlinearity import Nonlinearity, from_tensorflow

NAMES = list(REGISTRY)


def function_of(name: str) -> Nonlinearity:
    """Return the activation `name` in the form that theory integrates."""
    return from_tensorflow(REGISTRY[name].function)
