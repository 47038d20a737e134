"""Read a picture of a digit as MNIST's digits were made: white on black, 20 pixels high or wide, centred by mass.

LeCun, Bottou, Bengio & Haffner 1998, Proceedings of the IEEE 86: 2278-2324, section III.A.
"""

import itertools
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage

from study.errors import UsageError
from study.networks import paper

SIDE, BOX = 28, 20  # pixels of MNIST's images, and of the box that a digit fills
WORKED_ON = 400  # pixels of the longer side to which a larger picture is reduced
LEAST_SIDE = 8  # pixels that each side of a picture must have
LEAST_CONTRAST = 0.12  # least difference of the ink from the paper in brightness, where the full range is 1
MOST_INK = 0.6  # largest share of a picture that ink may cover; a digit covers less
SPECK = 0.05  # a spot with less than this share of the largest stroke's area is dirt
# A spot is a frame if a spot inside it has at least this share of its height. Smaller spots inside a 0 are dots.
FRAMED = 0.3
APART = 0.6  # least share of the tallest height for which things side by side count as digits
# A sheet of paper fills at least SHEET of the smallest rectangle around it, and its sides differ by at most 1 / THIN.
# Of 3,000 digits of MNIST that are not thinner than 0.3, none fills more than 0.71.
SHEET, THIN = 0.75, 0.4
FAINT, BRIGHT = 0.2, 0.7  # pixels below FAINT of the brightest are left out; the others' BRIGHT quantile becomes white
DEEPEST = 0.3  # least brightness of the paper in a shadow, as a share of the brightest paper
FloatArray = NDArray[np.float64]


def read(path: Path) -> FloatArray:
    """Return the digit in the picture file `path` as MNIST would hold it: (784,), 0 = background, 255 = ink.

    The pixels are row by row from the top left. Raise UsageError if the file is not a picture, or holds no digit or
    more than one.
    """
    grey = _grey(path)
    ink = _ink(grey, path)
    if (sheet := _sheet_of_paper(grey, ink)) is not None:
        ink = _ink(sheet, path)
    return _centred(_alone(ink, path)).ravel()


def _grey(path: Path) -> FloatArray:
    """Return the brightness (rows, columns), in [0, 1], of the picture file `path`, upright.

    Transparent parts are white, or black if all visible parts are bright, as a white digit is. The longer side of a
    large picture is reduced to WORKED_ON pixels. Raise UsageError if the file does not exist, or if the picture cannot
    be read, is too small or has too many pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                upright = _in_8_bits(ImageOps.exif_transpose(file)).convert("RGBA")
    except FileNotFoundError:
        raise UsageError([f"{path} does not exist"]) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UsageError([f"{path} has too many pixels; make the picture smaller"]) from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, RuntimeError) as error:  # Pillow's
        raise UsageError([f"{path} cannot be read as a picture ({type(error).__name__}); give a PNG or JPEG"]) from None
    if min(upright.size) < LEAST_SIDE:
        found = "{} x {}".format(*upright.size)
        raise UsageError([f"{path} has {found} pixels; a picture must have at least {LEAST_SIDE} x {LEAST_SIDE}"])
    visible = np.asarray(upright.convert("L"))[np.asarray(upright.getchannel("A")) > 127]
    ground = Image.new("RGBA", upright.size, "black" if visible.min(initial=255) > 127 else "white")
    flat = Image.alpha_composite(ground, upright).convert("L")
    flat.thumbnail((WORKED_ON, WORKED_ON))
    return np.asarray(flat, float) / 255


def _in_8_bits(image: Image.Image) -> Image.Image:
    """Return `image` scaled to 8 bits, 0 to 255, if its values have 16 or more bits, else unchanged.

    A 16-bit image is scaled so that 65,535 becomes 255, and a 32-bit image so that its largest value does. Pillow's own
    conversion would clip all values above 255.
    """
    if image.mode[0] not in "IF":
        return image
    values = np.nan_to_num(np.asarray(image, float))
    top = 65535.0 if image.mode.startswith("I;16") else max(float(values.max()), 1e-9)
    return Image.fromarray((255 * values / top).clip(0, 255).astype(np.uint8))


def _ink(grey: FloatArray, path: Path) -> FloatArray:
    """Return how much each pixel of `grey` (rows, columns) differs from the paper, in [0, 1]; 0 where the paper is.

    Ink is darker or brighter than the paper, on the side where the largest differences are. Dark ink counts as much in
    a shadow as in the light. Raise UsageError, which names `path`, if the differences are too small for a digit.
    """
    ground = paper.brightness(grey)
    dark, light = ground - grey, grey - ground
    top = max(_strongest(dark), _strongest(light))
    if top < LEAST_CONTRAST:
        raise UsageError([f"{path} holds no digit: its contrast is {top:.2f}, at least {LEAST_CONTRAST} is needed"])
    ink = light if _strongest(dark) < top else dark / np.maximum(ground / ground.max(), DEEPEST)
    return np.clip(ink / _strongest(ink), 0, 1)


def _strongest(ink: FloatArray) -> float:
    return max(float(np.quantile(ink, 0.995)), float(ink.max()) / 2)


def _sheet_of_paper(grey: FloatArray, ink: FloatArray) -> FloatArray | None:
    """Return the part of `grey` inside a sheet of paper that lies on another ground, turned upright; None without one.

    `grey` is the picture's brightness, and `ink` the result of `_ink` for it, which takes a sheet for ink. The largest
    spot of ink is a sheet if it fills SHEET of the smallest rectangle around it and is not long and thin. A digit of
    such a shape fills less.
    """
    spots, count = ndimage.label(ink > _threshold(ink), np.ones((3, 3)))
    if count == 0:
        return None
    sizes = ndimage.sum_labels(np.ones_like(ink), spots, np.arange(1, count + 1))
    sheet = spots == 1 + int(sizes.argmax())
    y, x = np.nonzero(sheet)
    degrees = np.arange(-45, 45, 3)
    cos, sin = (turn(np.radians(degrees))[:, np.newaxis] for turn in (np.cos, np.sin))
    sides = 1 + np.stack([np.ptp(x * cos + y * sin, axis=1), np.ptp(y * cos - x * sin, axis=1)])
    best = int(sides.prod(axis=0).argmin())
    least = sides[:, best]
    if y.size < SHEET * least.prod() or least.min() < THIN * least.max():
        return None
    level, upright = (
        ndimage.rotate(image, degrees[best], reshape=False, order=order, mode="nearest")
        for image, order in ((grey, 1), (sheet.astype(float), 0))
    )
    if not upright.any():  # a speck near a corner is turned out of the picture
        return None
    y, x = np.nonzero(upright)
    edge = max(2, int(least.max()) // 20)
    inside: FloatArray = level[y.min() + edge : y.max() - edge, x.min() + edge : x.max() - edge]
    is_blank = min(inside.shape) < LEAST_SIDE or np.ptp(inside) < LEAST_CONTRAST
    return None if is_blank else inside


def _alone(ink: FloatArray, path: Path) -> FloatArray:
    """Return the part (rows, columns) of `ink` that holds the digit, cropped, without other spots.

    Remove spots that touch the edge of the picture (unless all do), small spots, and frames around other spots. A frame
    that touches the digit stays. Raise UsageError, which names `path`, unless there is exactly one digit.
    """
    level = _threshold(ink)
    spots, count = ndimage.label(ink > level, np.ones((3, 3)))
    if (share := np.mean(ink > level)) > MOST_INK or count == 0:
        found = f"ink covers {share:.0%} of it; a digit covers some, and at most {MOST_INK:.0%}"
        raise UsageError([f"{path} holds no digit: {found}. Photograph one digit on plain paper"])
    sizes = ndimage.sum_labels(np.ones_like(ink), spots, np.arange(1, count + 1))
    places = ndimage.find_objects(spots)
    inside = [number for number, place in enumerate(places) if not _touches(place, ink.shape)] or list(range(count))
    largest = max(sizes[number] for number in inside)
    clean = [number for number in inside if sizes[number] >= SPECK * largest]
    kept = [number for number in clean if not any(_frames(places[number], places[other]) for other in clean)]
    if side_by_side(boxes := [places[number] for number in kept]):
        found = f"{len(boxes)} digits or other marks, side by side or one above the other"
        raise UsageError([f"{path} holds {found}; cut out one digit"])
    rows, columns = (slice(min(b[axis].start for b in boxes), max(b[axis].stop for b in boxes)) for axis in (0, 1))
    near = ndimage.binary_dilation(np.isin(spots, np.array(kept) + 1), iterations=2)
    return np.where(near, ink, 0.0)[rows, columns]


def _threshold(ink: FloatArray) -> float:
    """Return the level of `ink`, in [0, 1], that best divides paper from ink (Otsu 1979)."""
    counts, edges = np.histogram(ink, 64, (0, 1))
    middles = (edges[1:] + edges[:-1]) / 2
    below, total = np.cumsum(counts), np.cumsum(counts * middles)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (total / below - (total[-1] - total) / above) ** 2
    return float(edges[1 + int(np.nanargmax(between[:-1]))])


def _touches(place: tuple[slice, ...], shape: Sequence[int]) -> bool:
    return any(part.start == 0 or part.stop == size for part, size in zip(place, shape, strict=True))


def _frames(outer: tuple[slice, ...], inner: tuple[slice, ...]) -> bool:
    """Tell whether the box `outer` frames the box `inner`: it holds `inner`, which is at least FRAMED as tall.

    Boxes are slices (rows, columns).
    """
    is_in = all(out.start < part.start and part.stop < out.stop for out, part in zip(outer, inner, strict=True))
    return is_in and inner[0].stop - inner[0].start >= FRAMED * (outer[0].stop - outer[0].start)


def side_by_side(boxes: Sequence[tuple[slice, ...]]) -> bool:
    """Tell whether two of `boxes`, slices (rows, columns), are about as tall and share no column or no row."""
    heights = [rows.stop - rows.start for rows, _ in boxes]
    tall = [box for box, height in zip(boxes, heights, strict=True) if height >= APART * max(heights)]
    along = [sorted((box[axis] for box in tall), key=lambda part: part.start) for axis in (0, 1)]
    return any(second.start >= first.stop for parts in along for first, second in itertools.pairwise(parts))


def _centred(ink: FloatArray) -> FloatArray:
    """Return the digit in `ink` (rows, columns), in [0, 1], as an image (28, 28) from 0 to 255.

    Its longer side is scaled to BOX pixels, and its centre of mass is in the middle of the image.
    """
    scale = BOX / max(ink.shape)
    rows, columns = (max(1, round(size * scale)) for size in ink.shape)
    image = Image.fromarray((255 * ink).astype(np.uint8)).resize(
        (columns, rows), Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    )
    small = np.asarray(image, float)
    small *= 255 / max(np.quantile(small[small > FAINT * small.max()], BRIGHT), 1.0)  # MNIST's strokes are full white
    canvas = np.zeros((2 * SIDE, 2 * SIDE))
    canvas[SIDE : SIDE + rows, SIDE : SIDE + columns] = np.minimum(small, 255)
    centre = np.array(ndimage.center_of_mass(canvas))
    moved = ndimage.shift(canvas, SIDE / 2 - centre, order=1)  # MNIST's centres are at (14, 14), counted from 0
    found: FloatArray = np.clip(moved[:SIDE, :SIDE], 0, 255)
    return found
