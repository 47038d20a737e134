"""Defer drawing a figure until its files are wanted, tell whether it has changed, and encode it as a file."""

import functools
import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from study.figures.style import DPI, RC

P = ParamSpec("P")
SVG = {"svg.hashsalt": "activation study", "svg.fonttype": "none"}  # texts stay text


@dataclass(frozen=True)
class Drawing:
    """Hold a function that draws a figure, with its arguments."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def draw(self) -> Figure:
        """Draw the figure in the study's look, whatever the user's rcParams are, and lay it out once and for all."""
        with matplotlib.style.context(["default", RC]):
            figure: Figure = self.function(*self.arguments, **self.options)
            if engine := figure.get_layout_engine():
                engine.execute(figure)  # now, because each saved format would otherwise repeat it
                figure.set_layout_engine("none")
        return figure

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


def encode(figure: Figure, extension: str) -> bytes:
    """Return `figure` as "svg" or "png", without the date and version that would change every time.

    `Figure.savefig` would draw everything twice.
    """
    buffer = io.BytesIO()
    with matplotlib.style.context(["default", RC, SVG]):
        if extension == "svg":
            FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
        elif extension == "png":
            FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
        else:
            raise ValueError(f"extension must be svg or png, got {extension!r}")
    figure.dpi = DPI  # the SVG's is 72
    return buffer.getvalue()


def _spelled(part: Any) -> bytes:
    if isinstance(part, pd.DataFrame):
        names = repr([(str(name), str(kind)) for name, kind in part.dtypes.items()])
        return names.encode() + np.asarray(pd.util.hash_pandas_object(part)).tobytes()
    if isinstance(part, np.ndarray):
        return f"{part.dtype} {part.shape}".encode() + part.tobytes()
    return repr(part).encode()
