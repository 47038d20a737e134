"""Encode a figure as the bytes of a file, the same bytes for the same figure."""

import io

import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from study.figures.style import DPI, RC


def encode(figure: Figure, extension: str) -> bytes:
    """Return `figure` as "svg" (texts stay text) or "png", without the date and version that would change every time.

    The user's settings do not matter. `Figure.savefig` would draw everything twice.
    """
    buffer = io.BytesIO()
    with matplotlib.style.context(["default", RC, {"svg.hashsalt": "activation study", "svg.fonttype": "none"}]):
        if extension == "svg":
            FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
        elif extension == "png":
            FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
        else:
            raise ValueError(f"extension must be svg or png, got {extension!r}")
    figure.dpi = DPI  # the SVG's is 72
    return buffer.getvalue()
