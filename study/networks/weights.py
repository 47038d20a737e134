"""Keep the weights of a trained network in a file: [kernel, bias] of every layer, as Keras shapes them."""

import io
from typing import Any

import numpy as np

from study.engine.architecture import Parameters
from study.engine.network import weights_of
from study.engine.program_kind import groups_of
from study.settings import Settings


def arrays_of(settings: Settings, state: Any) -> list[np.ndarray]:
    """Return [kernel (inputs, units), bias (units,)] of layers 1 .. L + 1 in turn, averaged if the run averages."""
    return arrays(settings, weights_of(state)[0])


def arrays(settings: Settings, parameters: Parameters) -> list[np.ndarray]:
    """Return the same of the parameters of the engine's layer groups."""
    pairs = zip(parameters, groups_of(settings), strict=True)
    of_groups = (zip(*(role[: group.count].numpy() for role in roles), strict=True) for roles, group in pairs)
    return [np.ascontiguousarray(array.T) for layers in of_groups for layer in layers for array in layer]


def to_bytes(arrays: list[np.ndarray]) -> bytes:
    """Return the arrays as an npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, *arrays)
    return buffer.getvalue()


def from_bytes(content: bytes) -> list[np.ndarray]:
    """Return the arrays that `to_bytes` wrote, in their order."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return [file[name] for name in file.files]
