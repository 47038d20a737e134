"""Group consecutive layers, so that a compiled program can loop over equal ones.

Layers are numbered from 1, nearest the input. L hidden layers are followed by the output layer, L + 1. A group is one
layer, or consecutive layers of equal shape whose parameters are stacked as the rows of one tensor. The program loops
over as many rows as the run has layers. Spare rows, which hold no layer, let networks of different depths share one
program.
"""

from dataclasses import dataclass
from itertools import chain, groupby, pairwise
from typing import NamedTuple

PIXELS = 784  # of an image
CLASSES = 10  # digits

UNROLLED = 4  # at most this many consecutive equal layers of a long run are compiled without a loop, which is faster
BRIEF_EPOCHS = 2  # up to this many epochs, a run gains more from sharing a program than from a faster one
ROWS = 50  # the rows of a looped group are a multiple of this number ...
SPARE_UNITS = 256  # ... if units and batch are at most this; else spare rows would take too much memory


class Shape(NamedTuple):
    """Describe the shape of a group: `rows` rows, each for a dense layer of `fan_in` inputs and `fan_out` units."""

    rows: int
    fan_in: int
    fan_out: int

    @property
    def is_looped(self) -> bool:
        """Tell whether the group has more than one row, so that the program loops over its layers."""
        return self.rows > 1


@dataclass(frozen=True)
class LayerGroup:
    """Describe a group of `count` consecutive layers, which are the first rows of `shape`; other rows are spare."""

    count: int
    shape: Shape


def layer_shapes(widths: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return (fan_in, fan_out) of each layer from 1 to L + 1; `widths` holds the units of the L hidden layers."""
    return list(pairwise((PIXELS, *widths, CLASSES)))


def layer_groups(widths: tuple[int, ...], epochs: int, batch: int) -> tuple[LayerGroup, ...]:
    """Return the layer groups of a run of `epochs` epochs in batches of `batch` images, nearest the input first.

    `widths` holds the units of each hidden layer. Layer 1 and the output layer are each alone in a group. In a run of
    at most BRIEF_EPOCHS epochs, the hidden layers 2 to L form one group if all have one width. This width and `batch`
    must be at most SPARE_UNITS. With L = 1, the group has only spare rows. In any other run, more than UNROLLED
    consecutive equal layers form one group, and the other layers are alone.
    """
    first, *between, output = layer_shapes(widths)
    equal = [(len(list(layers)), shape) for shape, layers in groupby(between)]
    is_shared = epochs <= BRIEF_EPOCHS and len(set(widths)) == 1 and max(widths[0], batch) <= SPARE_UNITS
    if is_shared:
        equal = [(len(widths) - 1, (widths[0], widths[0]))]
    hidden = (
        [_looped(count, *shape, batch)] if is_shared or count > UNROLLED else [_alone(*shape)] * count
        for count, shape in equal
    )
    return (_alone(*first), *chain.from_iterable(hidden), _alone(*output))


def _alone(fan_in: int, fan_out: int) -> LayerGroup:
    return LayerGroup(1, Shape(1, fan_in, fan_out))


def _looped(count: int, fan_in: int, fan_out: int, batch: int) -> LayerGroup:
    """Group `count` equal layers; add spare rows up to a multiple of ROWS if SPARE_UNITS allows them."""
    with_spare_rows = max(-(-count // ROWS), 1) * ROWS
    return LayerGroup(count, Shape(with_spare_rows if max(fan_out, batch) <= SPARE_UNITS else count, fan_in, fan_out))
