"""Simulate the whole procedure of the tuned comparison, to see how often its rule recommends wrongly.

On each seed, validation chooses one of RATES learning rates for each activation. A simulated study adds paired seeds
until all intervals are narrow, at most MOST_SEEDS. Then `classify_difference` compares each activation with the
reference, and `recommend` recommends one of them or the reference. Accuracies are in points (percent).
"""

import functools
import itertools

import numpy as np
import numpy.typing as npt
import pandas as pd

from study.analysis.comparisons import classify_difference
from study.analysis.decision import half_widths, recommend
from study.constants import EQUIVALENCE_MARGIN, FIRST_SEEDS, HALF_WIDTH, MOST_SEEDS, SEED_BLOCK

FloatArray = npt.NDArray[np.float64]
POINTS = 100  # percentage points in an accuracy of 1
MARGIN = POINTS * EQUIVALENCE_MARGIN  # in points
SPREADS = (0.19, 0.25)  # points; standard deviations of the paired differences in the first edition of the study
RATES = 3  # learning rates between which validation chooses
RATE_GAPS = (0.0, 0.05)  # points by which the other rates are worse than the best; 0: the choice does not matter
STUDIES = 4000  # simulated for each row of `rule_error_table`; the 1st and 2nd, the 3rd and 4th, ... are pairs
SCENARIOS = {
    "all equal": (0.0, 0.0, 0.0),
    "one 0.1 better": (0.1, 0.0, 0.0),
    "one 0.2 better (the margin itself)": (0.2, 0.0, 0.0),
    "one 0.4 better": (0.4, 0.0, 0.0),
    "one 0.22 worse": (-0.22, 0.0, 0.0),
    "as seen before: two 0.13 better, one 0.15 worse": (0.13, 0.13, -0.15),
    "as seen here: two 0.05 better, one 0.24 worse": (0.05, 0.05, -0.24),
    "all equal, skewed seeds": (0.0, 0.0, 0.0),
}  # the true differences of three activations from the reference, in points


def rule_error_table() -> pd.DataFrame:
    """Return one row per scenario, spread and rate gap: how often studies recommend wrongly or contradict each other.

    `spread` and `rate_gap` are in units of accuracy (0 to 1), not in points. `wrong_headlines` is the share of studies
    whose recommendation is not in `recommendable`. `contradictions` is the share of pairs of studies with
    contradicting findings on some activation. `undecided` is the share of all findings that are undecided.
    """
    rows = []
    for (scenario, truth), spread, gap in itertools.product(SCENARIOS.items(), SPREADS, RATE_GAPS):
        recommended, found, n = simulate(np.array(truth), spread, gap, STUDIES, is_skewed="skewed" in scenario)
        row = {
            "scenario": scenario,
            "spread": spread / POINTS,
            "rate_gap": gap / POINTS,
            "studies": STUDIES,
            "seeds_mean": n.mean(),
            "wrong_headlines": (~np.isin(recommended, recommendable(truth))).mean(),
            "contradictions": contradict(found[::2], found[1::2]).any(axis=1).mean(),
            "undecided": (found == "undecided").mean(),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def simulate(
    truth: FloatArray, spread: float, gap: float, studies: int, *, is_skewed: bool = False
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.str_], npt.NDArray[np.intp]]:
    """Simulate `studies` studies that each compare three activations with the reference; return three arrays.

    The first (studies,) holds the place 0, 1 or 2 of the recommended activation, or -1 for the reference. The second
    (studies, 3) holds the results of `classify_difference`, and the third (studies,) the numbers of seeds used. `truth`
    (3,) holds the true means of the paired differences, and `spread` is their standard deviation, in points. All rates
    of an activation but the first are `gap` points worse. On each seed, the highest validation accuracy chooses a rate.
    With `is_skewed`, the noise of a run is skewed toward low accuracies. The noise is the same at every call.
    """
    validation, test = _unit_noise(studies, len(truth) + 1, is_skewed)
    deviation = spread / np.sqrt(2)  # of one run; a difference of two has the variance of both
    is_best = (deviation * validation - gap * (np.arange(RATES) > 0)).argmax(axis=-1) == 0
    lost = np.where(is_best, 0.0, gap)  # points, (studies, seeds, arms)
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
    found = classify_difference(mean, mean - half, mean + half, MARGIN)
    return recommend(mean, found, np.zeros(len(truth))), found, n[end[1], 0]


@functools.lru_cache(maxsize=1)
def _unit_noise(studies: int, arms: int, is_skewed: bool) -> tuple[FloatArray, FloatArray]:
    """Return noise for the validation (studies, seeds, arms, RATES) and for the test (studies, seeds, arms).

    It has mean 0 and variance 1. It is normal, or 1 minus an exponential if `is_skewed`.
    """
    generator, shape = np.random.default_rng(0), (studies, MOST_SEEDS, arms)
    if is_skewed:
        return 1 - generator.standard_exponential((*shape, RATES)), 1 - generator.standard_exponential(shape)
    return generator.standard_normal((*shape, RATES)), generator.standard_normal(shape)


def recommendable(truth: tuple[float, ...]) -> list[int]:
    """Return the right recommendations: the place of the best `truth` if >= MARGIN, -1 (the reference) if <= MARGIN."""
    best = int(np.argmax(truth))
    return [best] * (truth[best] >= MARGIN) + [-1] * (truth[best] <= MARGIN)


def contradict(a: npt.NDArray[np.str_], b: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
    """Tell elementwise whether the findings `a` and `b` contradict: they differ, and neither is "undecided"."""
    return np.asarray((a != b) & (a != "undecided") & (b != "undecided"))
