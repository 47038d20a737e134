"""Estimate the brightness of the paper in a picture, also below the ink.

Light that changes slowly is a quadratic surface. A shadow with a sharp edge is not; there, strokes are filled by grey
morphology (Serra 1982, Image Analysis and Mathematical Morphology), which leaves whatever is wider than a stroke.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FITS = 8  # number of fits of the surface; each leaves out the pixels that the fit before took for ink
MISS, MISSES = 0.1, 0.05  # the surface fails if it misses more than MISSES of the outermost pixels by more than MISS
# Strokes are narrower than NARROW of the picture's longer side, in a few pictures than WIDE. Shadows are wider.
NARROW, WIDE = 0.2, 0.4
MOVED = 1.5  # weight of the paper's edges against the ink's: taking a dark 0 for a dark spot with a hole costs more
ADDED = 1.08  # paper and ink have more edges than the picture, by this factor, if strokes are filled in part
FloatArray = NDArray[np.float64]


def brightness(grey: FloatArray) -> FloatArray:
    """Return the brightness of the paper, in [0, 1], in the shape of the picture `grey` (rows, columns).

    It is a quadratic surface, fitted to all pixels of `grey` but those that differ much from the surface. If the
    surface misses many of the outermost pixels, as it does in a shadow with a sharp edge, strokes are filled instead.
    """
    y, x = np.meshgrid(*(np.linspace(-1, 1, size) for size in grey.shape), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * y, x**2, y**2], axis=-1).reshape(-1, 6)
    values, outwards = grey.ravel(), np.maximum(np.abs(x), np.abs(y)).ravel()
    near = np.abs(values - np.median(values[outwards > 0.9])) < 0.25  # near the median brightness of the border
    for _ in range(FITS):
        fitted, *_ = np.linalg.lstsq(terms[near], values[near], rcond=None)
        error = np.abs(values - terms @ fitted)
        near = error < max(0.04, 2.5 * float(np.median(error[near])))
    surface: FloatArray = (terms @ fitted).reshape(grey.shape)
    return _without_strokes(grey) if np.mean(error[outwards == 1] > MISS) > MISSES else surface


def _without_strokes(grey: FloatArray) -> FloatArray:
    """Return `grey` with its dark strokes filled, or its bright ones; shadows stay.

    Fill strokes narrower than NARROW. If that adds edges to the picture, and filling strokes narrower than WIDE changes
    whether they are dark or bright, the strokes are wider than NARROW: fill those narrower than WIDE.
    """
    smooth = ndimage.median_filter(grey, 3)
    narrow, wide = (_filled(smooth, max(3, round(share * max(grey.shape)))) for share in (NARROW, WIDE))
    adds = _edges(smooth - narrow) + _edges(narrow) > ADDED * _edges(smooth)
    return wide if adds and np.any(narrow > smooth) != np.any(wide > smooth) else narrow


def _filled(grey: FloatArray, width: int) -> FloatArray:
    """Return `grey` with what is narrower than `width` pixels filled: what is dark, or what is bright.

    Choose the one of which paper and ink have fewer edges. The light at the picture's edge continues outside.
    """
    outside = np.pad(grey, width, mode="edge")
    papers = [fill(outside, width)[width:-width, width:-width] for fill in (ndimage.grey_closing, ndimage.grey_opening)]
    return min(papers, key=lambda paper: _edges(grey - paper) + MOVED * _edges(paper))


def _edges(image: FloatArray) -> float:
    """Return the total variation of `image` (rows, columns): the sum of the differences of all neighbours."""
    return sum(float(np.abs(np.diff(image, axis=axis)).sum()) for axis in (0, 1))
