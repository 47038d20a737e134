"""Defer drawing a figure until its files are wanted, and tell whether it has changed."""

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

P = ParamSpec("P")


@dataclass(frozen=True)
class Drawing:
    """Hold a function that draws a figure, with its arguments."""

    function: Callable[..., Figure]
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def draw(self) -> Figure:
        """Draw the figure."""
        return self.function(*self.arguments, **self.options)

    @property
    def fingerprint(self) -> str:
        """Hash the function's name and its arguments, but not its code."""
        digest = hashlib.sha256(self.function.__qualname__.encode())
        for part in (*self.arguments, *sorted(self.options.items())):
            digest.update(_spelled(part))
        return digest.hexdigest()


def deferred(function: Callable[P, Figure]) -> Callable[P, Drawing]:
    """Make `function`, which draws, return a Drawing that draws later."""

    @functools.wraps(function)
    def made(*args: P.args, **kwargs: P.kwargs) -> Drawing:
        return Drawing(function, args, kwargs)

    return made


def _spelled(part: Any) -> bytes:
    if isinstance(part, pd.DataFrame):
        names = repr([(str(name), str(kind)) for name, kind in part.dtypes.items()])
        return names.encode() + np.asarray(pd.util.hash_pandas_object(part)).tobytes()
    if isinstance(part, np.ndarray):
        return f"{part.dtype} {part.shape}".encode() + part.tobytes()
    return repr(part).encode()
