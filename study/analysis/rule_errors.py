"""Simulate the whole procedure of the tuned comparison, to see how often its rule errs.

On each seed, validation chooses one of two rates for each activation. A simulated study adds paired seeds until the
intervals are narrow, decides, and recommends. Accuracies are in points (percent).
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from study.analysis.comparisons import three_way
from study.analysis.decision import half_widths, recommend
from study.constants import EQUIVALENCE_MARGIN, FIRST_SEEDS, HALF_WIDTH, MOST_SEEDS, SEED_BLOCK

FloatArray = npt.NDArray[np.float64]
POINTS = 100
MARGIN = POINTS * EQUIVALENCE_MARGIN
SPREADS = (0.19, 0.25)  # points; standard deviations of the paired differences that the first edition saw
RATE_GAPS = (0.0, 0.05)  # points by which the second of two rates is behind the first; 0: the choice does not matter
STUDIES = 4000  # of a scenario and spread; each two in turn are compared with each other
SCENARIOS = {
    "all equal": (0.0, 0.0, 0.0),
    "one 0.1 better": (0.1, 0.0, 0.0),
    "one 0.2 better (the margin itself)": (0.2, 0.0, 0.0),
    "one 0.4 better": (0.4, 0.0, 0.0),
    "one 0.22 worse": (-0.22, 0.0, 0.0),
    "as seen here: two 0.13 better, one 0.15 worse": (0.13, 0.13, -0.15),
    "all equal, skewed seeds": (0.0, 0.0, 0.0),
}  # the true differences of three activations from the reference, in points


@dataclass(frozen=True)
class Studies:
    """Hold simulated studies: `recommended` (studies,), -1 for the reference; `found` (studies, 3); seeds `n`."""

    recommended: npt.NDArray[np.intp]
    found: npt.NDArray[np.str_]
    n: npt.NDArray[np.intp]


def table() -> pd.DataFrame:
    """Return one row per scenario and spread: shares of wrong headlines and of pairs of studies that contradict."""
    return pd.DataFrame(list(_rows()))


def _rows() -> Iterator[dict[str, object]]:
    for scenario, truth in SCENARIOS.items():
        for spread, gap in itertools.product(SPREADS, RATE_GAPS):
            studies = simulate(np.array(truth), spread, gap, STUDIES, is_skewed="skewed" in scenario)
            is_wrong = ~np.isin(studies.recommended, right(truth))
            found = studies.found
            yield {
                "scenario": scenario,
                "spread": spread / POINTS,
                "rate_gap": gap / POINTS,
                "studies": STUDIES,
                "seeds_mean": float(studies.n.mean()),
                "wrong_headlines": float(is_wrong.mean()),
                "contradictions": float(contradict(found[::2], found[1::2]).any(axis=1).mean()),
                "undecided": float((found == "undecided").mean()),
            }


def simulate(truth: FloatArray, spread: float, gap: float, studies: int, *, is_skewed: bool = False) -> Studies:
    """Simulate `studies` whose paired differences have these true means (3,) and this standard deviation, in points.

    Each activation's second rate is `gap` points worse than its first. On each seed, validation chooses one.
    """
    generator, arms = np.random.default_rng(0), len(truth) + 1
    deviation = spread / np.sqrt(2)  # of one run; a difference of two has the variance of both

    def noise(*shape: int) -> FloatArray:
        drawn = 1 - generator.standard_exponential(shape) if is_skewed else generator.standard_normal(shape)
        return np.asarray(deviation * drawn)

    validation = noise(studies, MOST_SEEDS, arms, 2) - gap * np.arange(2)
    lost = gap * validation.argmax(axis=-1)  # points, (studies, seeds, arms)
    accuracy = noise(studies, MOST_SEEDS, arms) + np.array([0.0, *truth]) - lost
    differences = accuracy[..., 1:] - accuracy[..., :1]
    is_open = np.ones(studies, bool)
    means, found = np.empty((studies, arms - 1)), np.empty((studies, arms - 1), "<U9")
    n = np.full(studies, MOST_SEEDS)
    sums, squares = differences.cumsum(axis=1), (differences**2).cumsum(axis=1)
    for seeds in range(FIRST_SEEDS, MOST_SEEDS + 1, SEED_BLOCK):
        mean = sums[:, seeds - 1] / seeds
        half = half_widths(np.sqrt((squares[:, seeds - 1] - seeds * mean**2) / (seeds - 1)), seeds)
        now = three_way(mean, mean - half, mean + half, MARGIN)
        means[is_open], found[is_open], n[is_open] = mean[is_open], now[is_open], seeds
        is_open &= half.max(axis=-1) > POINTS * HALF_WIDTH
    return Studies(recommend(means, found, np.zeros(arms - 1)), found, n)


def right(truth: tuple[float, ...]) -> list[int]:
    """Return the places of the activations that may be recommended: the best by at least the margin, or the reference.

    At the margin itself both may be.
    """
    best = int(np.argmax(truth))
    return [best] * (truth[best] >= MARGIN) + [-1] * (truth[best] <= MARGIN)


def contradict(a: npt.NDArray[np.str_], b: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
    """Tell elementwise whether two findings contradict: both are decided and differ."""
    return np.asarray((a != b) & (a != "undecided") & (b != "undecided"))
