"""The layers of a network, grouped into the stages of a compiled program.

Layers are numbered from 1, nearest the input; L hidden layers are followed by the output layer L + 1. A stage is one
layer, or consecutive layers of equal shape whose parameters are stacked, so that a compiled program loops over them.
The loop ends after as many layers as a run has, and there may be rows to spare: then networks of different depths share
one program.
"""

from dataclasses import dataclass
from itertools import chain, groupby, pairwise
from typing import NamedTuple

PIXELS = 784
CLASSES = 10

UNROLLED = 4  # in a long run, up to so many equal layers have code of their own each, which runs faster than a loop
BRIEF_EPOCHS = 2  # a run of no more epochs gains more from sharing a program than from a faster one
ROWS = 50  # the rows of a loop are a multiple of it ...
ROOMY = 256  # ... up to so many units and images a batch; beyond, rows to spare would take too much memory


class Shape(NamedTuple):
    """Of a stage: room for `rows` dense layers of fan_in inputs and fan_out units each."""

    rows: int
    fan_in: int
    fan_out: int

    @property
    def is_looped(self) -> bool:
        """Whether there may be more than one layer, or none."""
        return self.rows > 1


@dataclass(frozen=True)
class Stage:
    """`count` consecutive layers, in the first rows of a shape."""

    count: int
    shape: Shape


def layer_shapes(widths: tuple[int, ...]) -> list[tuple[int, int]]:
    """(fan_in, fan_out) of layers 1 .. L + 1 for the given units of the L hidden layers."""
    sizes = (PIXELS, *widths, CLASSES)
    return list(pairwise(sizes))


def stages(widths: tuple[int, ...], epochs: int, batch: int) -> tuple[Stage, ...]:
    """The layers in order, for a run of so many epochs and images a batch.

    Layer 1 and the output layer are stages of their own. In a brief run the hidden layers between them are one stage if
    all are of one width and there may be rows to spare; else more than UNROLLED equal ones are.
    """
    shapes = layer_shapes(widths)
    groups = [(len(list(group)), shape) for shape, group in groupby(shapes[1:-1])]
    is_shared = epochs <= BRIEF_EPOCHS and len(set(widths)) == 1 and max(widths[0], batch) <= ROOMY
    if is_shared:
        groups = [(len(widths) - 1, (widths[0], widths[0]))]
    hidden = (
        [_looped(count, *shape, batch)] if is_shared or count > UNROLLED else [_alone(*shape)] * count
        for count, shape in groups
    )
    return (_alone(*shapes[0]), *chain.from_iterable(hidden), _alone(*shapes[-1]))


def _alone(fan_in: int, fan_out: int) -> Stage:
    return Stage(1, Shape(1, fan_in, fan_out))


def _looped(count: int, fan_in: int, fan_out: int, batch: int) -> Stage:
    multiples = max(-(-count // ROWS), 1)
    return Stage(count, Shape(multiples * ROWS if max(fan_out, batch) <= ROOMY else count, fan_in, fan_out))
