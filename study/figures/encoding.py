"""Figure -> the bytes of a file, the same bytes for the same figure."""

import io

import matplotlib as mpl
from matplotlib.figure import Figure

DPI = 200  # pixels an inch; a figure is 6.3 inches wide


def encode(figure: Figure, extension: str) -> bytes:
    """The figure as "svg" (texts stay text) or "png"; without the date and version that would change every time."""
    metadata = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}[extension]
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "activation study", "svg.fonttype": "none"}):
        figure.savefig(buffer, format=extension, dpi=DPI, metadata=metadata)
    return buffer.getvalue()
