"""Simulate the whole procedure of the tuned comparison, to see how often its rule errs.

On each seed, validation chooses one of two rates for each activation. A simulated study adds paired seeds until the
intervals are narrow, decides, and recommends. Accuracies are in points (percent).
"""

import functools
import itertools
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
    rows = []
    for (scenario, truth), spread, gap in itertools.product(SCENARIOS.items(), SPREADS, RATE_GAPS):
        studies = simulate(np.array(truth), spread, gap, STUDIES, is_skewed="skewed" in scenario)
        found = studies.found
        row = {
            "scenario": scenario,
            "spread": spread / POINTS,
            "rate_gap": gap / POINTS,
            "studies": STUDIES,
            "seeds_mean": studies.n.mean(),
            "wrong_headlines": (~np.isin(studies.recommended, right(truth))).mean(),
            "contradictions": contradict(found[::2], found[1::2]).any(axis=1).mean(),
            "undecided": (found == "undecided").mean(),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def simulate(truth: FloatArray, spread: float, gap: float, studies: int, *, is_skewed: bool = False) -> Studies:
    """Simulate `studies` whose paired differences have these true means (3,) and this standard deviation, in points.

    Each activation's second rate is `gap` points worse than its first. On each seed, validation chooses one.
    """
    validation, test = _unit_noise(studies, len(truth) + 1, is_skewed)
    deviation = spread / np.sqrt(2)  # of one run; a difference of two has the variance of both
    first, second = deviation * validation[..., 0], deviation * validation[..., 1] - gap
    lost = gap * (second > first)  # points, (studies, seeds, arms)
    accuracy = deviation * test + np.array([0.0, *truth]) - lost
    differences = accuracy[..., 1:] - accuracy[..., :1]
    n = np.arange(FIRST_SEEDS, MOST_SEEDS + 1, SEED_BLOCK)[:, None]  # (sizes, 1) at which a study may end
    mean = differences.cumsum(axis=1)[:, n[:, 0] - 1] / n  # (studies, sizes, 3)
    squares = (differences**2).cumsum(axis=1)[:, n[:, 0] - 1]
    half = half_widths(np.sqrt((squares - n * mean**2) / (n - 1)), n)
    is_narrow = half.max(axis=-1) <= POINTS * HALF_WIDTH
    is_narrow[:, -1] = True
    end = np.arange(studies), is_narrow.argmax(axis=1)
    mean, half = mean[end], half[end]
    found = three_way(mean, mean - half, mean + half, MARGIN)
    return Studies(recommend(mean, found, np.zeros(len(truth))), found, n[end[1], 0])


@functools.lru_cache(maxsize=1)
def _unit_noise(studies: int, arms: int, is_skewed: bool) -> tuple[FloatArray, FloatArray]:
    """Draw noise of variance 1 for validation (studies, seeds, arms, 2 rates) and the test (studies, seeds, arms)."""
    generator, shape = np.random.default_rng(0), (studies, MOST_SEEDS, arms)
    if is_skewed:
        return 1 - generator.standard_exponential((*shape, 2)), 1 - generator.standard_exponential(shape)
    return generator.standard_normal((*shape, 2)), generator.standard_normal(shape)


def right(truth: tuple[float, ...]) -> list[int]:
    """Return the places of the activations that may be recommended: the best by at least the margin, or the reference.

    At the margin itself both may be.
    """
    best = int(np.argmax(truth))
    return [best] * (truth[best] >= MARGIN) + [-1] * (truth[best] <= MARGIN)


def contradict(a: npt.NDArray[np.str_], b: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
    """Tell elementwise whether two findings contradict: both are decided and differ."""
    return np.asarray((a != b) & (a != "undecided") & (b != "undecided"))
