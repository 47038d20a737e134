"""The layers of a network, grouped into the stages of a compiled program.

Layers are numbered from 1, nearest the input; L hidden layers are followed by the output layer L + 1. A stage is one
layer, or consecutive layers of equal shape whose parameters are stacked, so that a compiled program loops over them. A
loop ends after as many layers as a run has; up to its `rows` of them, networks of every depth share one program.
"""

from dataclasses import dataclass
from itertools import chain, groupby, pairwise

PIXELS = 784
CLASSES = 10

UNROLLED = 4  # equal layers up to which their own code is faster than a loop over them: in a long run, what counts
BRIEF_EPOCHS = 2  # up to which sharing a program saves more than a faster one
ROWS = 50  # a loop's rows are a multiple of it ...
ROOMY = 256  # ... unless layers have more units: rows that are not used would cost too much memory


@dataclass(frozen=True)
class Stage:
    """`count` consecutive dense layers of fan_in inputs and fan_out units, of the `rows` layers there is room for."""

    count: int
    rows: int
    fan_in: int
    fan_out: int

    @property
    def is_looped(self) -> bool:
        """Whether there may be other than one layer."""
        return self.rows > 1


def layer_shapes(widths: tuple[int, ...]) -> list[tuple[int, int]]:
    """(fan_in, fan_out) of layers 1 .. L + 1 for the given units of the L hidden layers."""
    sizes = (PIXELS, *widths, CLASSES)
    return list(pairwise(sizes))


def stages(widths: tuple[int, ...], epochs: int) -> tuple[Stage, ...]:
    """The layers in order, for a run of so many epochs; layer 1 and the output layer are stages of their own.

    More than UNROLLED equal layers are one stage, and in a brief run all between the two if they are equal.
    """
    shapes = layer_shapes(widths)
    groups = [(len(list(group)), shape) for shape, group in groupby(shapes[1:-1])]
    if epochs <= BRIEF_EPOCHS and set(widths) == {widths[0]} and widths[0] <= ROOMY:
        return _alone(shapes[0]), _looped(len(shapes) - 2, widths[0], widths[0]), _alone(shapes[-1])
    hidden = [[_looped(n, *shape)] if n > UNROLLED else [_alone(shape)] * n for n, shape in groups]
    return (_alone(shapes[0]), *chain.from_iterable(hidden), _alone(shapes[-1]))


def _alone(shape: tuple[int, int]) -> Stage:
    return Stage(1, 1, *shape)


def _looped(count: int, fan_in: int, fan_out: int) -> Stage:
    rows = max(-(-count // ROWS), 1) * ROWS if fan_out <= ROOMY else count
    return Stage(count, rows, fan_in, fan_out)
