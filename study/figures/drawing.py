"""Keep a figure's function and arguments until its files are wanted, hash them, and encode the figure as a file."""

import functools
import hashlib
import io
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image

from study.figures.style import DPI, RC

P = ParamSpec("P")
logging.getLogger("fontTools").setLevel(logging.ERROR)  # it warns of the dates in a font
# The rcParams of a file: letters stay text, and the ids in an SVG are always the same.
TEXT_SETTINGS = {"svg.hashsalt": "activation study", "svg.fonttype": "none", "pdf.fonttype": 42}
VECTOR_FORMATS = {  # by extension: the canvas, and metadata left out because it holds a date or a version
    "svg": (FigureCanvasSVG, ("Date", "Creator")),
    "pdf": (FigureCanvasPdf, ("CreationDate", "Creator", "Producer")),
}


@dataclass(frozen=True)
class Drawing:
    """Hold a `function` that draws a Figure, with the positional `arguments` and the keyword `options` of its call."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def draw(self) -> Figure:
        """Call the function and return its Figure, with its layout computed once and then fixed.

        The rcParams are RC over matplotlib's defaults, whatever the user has set.
        """
        with matplotlib.style.context(["default", RC]):
            figure: Figure = self.function(*self.arguments, **self.options)
            if engine := figure.get_layout_engine():
                engine.execute(figure)  # now, because each saved format would otherwise repeat it
                figure.set_layout_engine("none")
        return figure

    @property
    def fingerprint(self) -> str:
        """Return a SHA-256 hash, in hexadecimal, of the function's name and its arguments, but not of its code."""
        digest = hashlib.sha256(self.function.__qualname__.encode())
        for part in (*self.arguments, *sorted(self.options.items())):
            digest.update(_argument_bytes(part))
        return digest.hexdigest()


def deferred(function: Callable[P, Figure]) -> Callable[P, Drawing]:
    """Return a function with the parameters of `function`. It draws nothing, and returns the call as a Drawing."""

    @functools.wraps(function)
    def made(*args: P.args, **kwargs: P.kwargs) -> Drawing:
        return Drawing(function, args, kwargs)

    return made


def encode(figure: Figure, extension: str) -> bytes:
    """Return the bytes of `figure` as a file; raise ValueError if `extension` is not "svg", "png" or "pdf".

    The file has no date and no version, so that equal figures have equal bytes. A PNG has at most 256 colours, which
    makes it less than half as large. `Figure.savefig` is not used because it would draw everything twice.
    """
    if extension not in ("png", *VECTOR_FORMATS):
        raise ValueError(f"extension is {extension!r}; it must be one of {', '.join(['png', *VECTOR_FORMATS])}")
    buffer = io.BytesIO()
    with matplotlib.style.context(["default", RC, TEXT_SETTINGS]):
        if extension == "png":
            canvas = FigureCanvasAgg(figure)
            canvas.draw()  # type: ignore[no-untyped-call]
            pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
            Image.fromarray(pixels[..., :3]).quantize(256).save(buffer, "png", optimize=True, dpi=(DPI, DPI))
        else:
            vectors, changing = VECTOR_FORMATS[extension]
            getattr(vectors(figure), f"print_{extension}")(buffer, metadata=dict.fromkeys(changing))
    figure.dpi = DPI  # the canvases of vector formats set it to 72
    return buffer.getvalue()


def _argument_bytes(part: Any) -> bytes:
    """Return bytes that differ if `part`, an argument of a drawing, differs: its values, types, names or shape."""
    if isinstance(part, pd.DataFrame):
        names = repr([(str(name), str(kind)) for name, kind in part.dtypes.items()])
        return names.encode() + np.asarray(pd.util.hash_pandas_object(part)).tobytes()
    if isinstance(part, np.ndarray):
        return f"{part.dtype} {part.shape}".encode() + part.tobytes()
    return repr(part).encode()
