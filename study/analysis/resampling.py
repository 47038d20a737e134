"""Resample seeds: find the results that a study of fewer seeds would have had, and the uncertainty over seeds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from study.analysis.statistics import Interval, proportion_interval

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class SmallSamples:
    """Hold one row per activation, and the share of draws with any winner that all runs do not support."""

    table: pd.DataFrame
    unsupported: Interval


def small_samples(
    arms: Mapping[str, npt.ArrayLike],
    reference: str,
    supported: Mapping[str, float],
    *,
    n: int,
    draws: int,
    alpha: float = 0.05,
    seed: int = 0,
) -> SmallSamples:
    """Count how often `n` runs an arm, drawn without replacement, have a winner: Welch p < alpha against the reference.

    `arms` holds the accuracies (N,) of each activation's runs, N > n. `supported` holds the sign of the difference that
    all N runs support, 0 for none; a winner of another sign is unsupported. Each arm is drawn separately, because small
    studies do not pair seeds. The interval covers the drawing (Clopper & Pearson 1934), and not other seeds.
    """
    generator = np.random.default_rng(seed)
    drawn = {name: _draw(np.asarray(values, float), n, draws, generator) for name, values in arms.items()}
    rows, is_any = [], np.zeros(draws, bool)
    for name in arms:
        if name == reference:
            continue
        winner = _winner(drawn[name], drawn[reference], alpha)
        is_unsupported = (winner != 0) & (winner != supported[name])
        is_any |= is_unsupported
        shares = [float(np.mean(found)) for found in (winner > 0, winner < 0, is_unsupported)]
        rows.append((name, reference, n, draws, *shares))
    columns = ["activation", "reference", "n", "draws", "share_better", "share_worse", "share_unsupported"]
    return SmallSamples(pd.DataFrame(rows, columns=columns), proportion_interval(int(is_any.sum()), draws))


def over_seeds(
    statistic: Callable[[IntArray], float], n: int, confidence: float = 0.95, *, draws: int = 1000
) -> tuple[Interval, float]:
    """Estimate `statistic` over n >= 2 seeds with its t interval, and test whether it is above 0 (one-sided p).

    `statistic` must be smooth. It takes the indices of the seeds to use, so that the values of one seed stay together.
    The jackknife removes its bias of order 1 / n (Quenouille 1956); for a squared mean, that is the variance of the
    mean. The standard error is the bootstrap's (Efron 1979), because the jackknife's is near 0 for a squared mean near
    0.
    """
    places, generator = np.arange(n), np.random.default_rng(0)
    without = [statistic(np.delete(places, place)) for place in places]
    estimate = n * statistic(places) - (n - 1) * float(np.mean(without))
    error = float(np.std([statistic(drawn) for drawn in generator.integers(n, size=(draws, n))], ddof=1))
    half = error * float(stats.t.ppf((1 + confidence) / 2, n - 1))
    with np.errstate(divide="ignore", invalid="ignore"):  # where every draw of seeds has the same value
        p = float(stats.t.sf(np.divide(estimate, error), n - 1))
    return Interval(estimate, estimate - half, estimate + half, n), p


def _draw(values: FloatArray, n: int, draws: int, generator: np.random.Generator) -> FloatArray:
    """Draw (draws, n) of the `values` (N,), each row without replacement."""
    if not values.size > n:
        raise ValueError(f"to draw {n} runs takes more than {n}, got {values.size}")
    return values[generator.random((draws, values.size)).argsort(axis=1)[:, :n]]


def _winner(a: FloatArray, b: FloatArray, alpha: float) -> FloatArray:
    """Return the sign (draws,) of the mean difference of arms (draws, n) where Welch's test rejects, else 0."""
    n = a.shape[1]
    means, deviations = [x.mean(axis=1) for x in (a, b)], [x.std(axis=1, ddof=1) for x in (a, b)]
    with np.errstate(divide="ignore", invalid="ignore"):  # where neither arm has a spread
        p = stats.ttest_ind_from_stats(means[0], deviations[0], n, means[1], deviations[1], n, equal_var=False).pvalue
    return np.where(p < alpha, np.sign(means[0] - means[1]), 0.0)
