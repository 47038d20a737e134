"""Convert the weights of a trained network to arrays as Keras shapes them, and to and from the bytes of a file."""

import io
from typing import Any

import numpy as np

from study.engine.architecture import Parameters
from study.engine.network import weights_of
from study.engine.program_kind import groups_of
from study.settings import Settings


def arrays_of(settings: Settings, state: Any) -> list[np.ndarray]:
    """Return the kernel (inputs, units) and bias (units,) of layers 1 .. L + 1 in turn, in one flat list.

    A normalised layer adds gamma and beta (units,). `state` is the engine's `State` of a run with `settings`. If the
    run averages its parameters, the averages are returned.
    """
    return arrays(settings, weights_of(state)[0])


def arrays(settings: Settings, parameters: Parameters) -> list[np.ndarray]:
    """Return the list that `arrays_of` describes, from the `parameters` of a run with `settings`."""
    pairs = zip(parameters, groups_of(settings), strict=True)
    of_groups = (zip(*(role[: group.count].numpy() for role in roles), strict=True) for roles, group in pairs)
    return [np.ascontiguousarray(array.T) for layers in of_groups for layer in layers for array in layer]


def to_bytes(arrays: list[np.ndarray]) -> bytes:
    """Return the bytes of an npz file with `arrays`; `from_bytes` reads them."""
    buffer = io.BytesIO()
    np.savez(buffer, *arrays)
    return buffer.getvalue()


def from_bytes(content: bytes) -> list[np.ndarray]:
    """Return the arrays in `content`, the bytes that `to_bytes` returned, in their order."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return [file[name] for name in file.files]
