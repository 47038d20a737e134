"""Time the least that an epoch needs: its matrix products and nothing else, by numpy's BLAS."""

import itertools
from collections.abc import Iterator

import numpy as np

from tests.benchmarks.task import BATCH, SIZES, STEPS, Contender, Data, timed

Shape = tuple[int, int]


def products() -> Iterator[tuple[str, Shape, Shape, Shape]]:
    """Yield the name and the shapes (left, right, result) of each product of one update.

    A layer has three: forward, weight gradient, input gradient. Images need no gradient: layer 1 has no third.
    """
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(SIZES), start=1):
        yield "forward", (BATCH, fan_in), (fan_in, fan_out), (BATCH, fan_out)
        yield "weight gradient", (fan_in, BATCH), (BATCH, fan_out), (fan_in, fan_out)
        if layer > 1:
            yield "input gradient", (BATCH, fan_out), (fan_out, fan_in), (BATCH, fan_in)


def multiplications() -> int:
    """Return the number of multiplications, each with its addition, of one update."""
    return sum(left[0] * left[1] * right[1] for _, left, right, _ in products())


def contenders(data: Data) -> dict[str, Contender]:
    """Return a contender whose operands lie in memory as in training: transposed ones are views, results are reused."""
    rng = np.random.default_rng(0)

    def operand(shape: Shape, is_transposed: bool) -> np.ndarray:
        drawn = rng.standard_normal(shape[::-1] if is_transposed else shape, dtype=np.float32)
        return drawn.T if is_transposed else drawn

    calls = [
        (
            operand(left, which == "weight gradient"),
            operand(right, which == "input gradient"),
            np.empty(result, np.float32),
        )
        for which, left, right, result in products()
    ]

    def epoch(_: int) -> None:
        for _ in range(STEPS):
            for left, right, result in calls:
                np.matmul(left, right, out=result)

    return {"products": timed(epoch)}
