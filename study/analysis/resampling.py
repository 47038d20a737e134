"""Resample seeds, to find what studies of fewer seeds would have concluded, and how uncertain a statistic is."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from study.analysis.statistics import Interval
from study.constants import CONFIDENCE

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class SmallSamples:
    """Hold how often small studies, drawn from all runs, find differences from the reference: see `draw_small_samples`.

    A draw has a false winner if some activation differs from the reference, although all seeds together support no
    difference of this activation. `false_winners` is the share of such draws. `excess` is this share minus the same
    share after each activation's accuracies are shifted to the reference's mean. Both have intervals over seeds, and
    are NaN if all seeds support a difference for every activation.
    """

    table: pd.DataFrame
    false_winners: Interval
    excess: Interval


def draw_small_samples(
    wide: pd.DataFrame, reference: str, supported: Mapping[str, float], *, n: int, draws: int
) -> SmallSamples:
    """Draw `n` runs of each activation `draws` times, and count the draws in which it differs from the `reference`.

    `wide` has a row per seed and a column of accuracies per activation, without NaN. Raise ValueError unless it has
    more than `n` rows. `supported` maps each activation but the reference to the sign of the difference that all seeds
    support, 0 for none. Runs are drawn without replacement, for each activation separately, because small studies do
    not pair seeds. Two means differ if Welch's test has p < 0.05. The intervals are over seeds, by the jackknife (Tukey
    1958), which suits averages over subsets.

    The table has a row per activation except the reference. In `share_better` and `share_worse` of the draws, it
    differs from the reference in that direction. In `share_unsupported` it differs with another sign than `supported`.
    In `share_by_noise` it differs after its accuracies are shifted to the reference's mean over all seeds.
    """
    if len(wide) <= n:
        raise ValueError(f"wide has {len(wide)} rows; to draw {n} runs, it must have more than {n}")
    generator = np.random.default_rng(0)
    places = {name: generator.random((draws, len(wide))).argpartition(n, axis=1)[:, :n] for name in wide}
    drawn = {name: wide[name].to_numpy(float)[places[name]] for name in wide}
    rows, false, by_noise = [], np.zeros(draws, bool), np.zeros(draws, bool)
    for name in wide.columns.drop(reference):
        winner = _winner_sign(drawn[name], drawn[reference])
        shift = float(wide[reference].mean()) - float(wide[name].mean())
        centred = _winner_sign(drawn[name] + shift, drawn[reference])
        if supported[name] == 0:
            false, by_noise = false | (winner != 0), by_noise | (centred != 0)
        shares = {
            "share_better": (winner > 0).mean(),
            "share_worse": (winner < 0).mean(),
            "share_unsupported": ((winner != 0) & (winner != supported[name])).mean(),
            "share_by_noise": (centred != 0).mean(),
        }
        rows.append({"activation": name, "reference": reference, "n": n, "draws": draws, **shares})
    table = pd.DataFrame(rows)
    if all(supported.values()):
        nothing = Interval(math.nan, math.nan, math.nan, len(wide))
        return SmallSamples(table, nothing, nothing)
    every = np.concatenate(list(places.values()), axis=1)  # (draws, activations * n)
    is_used = np.array([(every == seed).any(axis=1) for seed in range(len(wide))])  # (seeds, draws), by any activation
    return SmallSamples(table, *(_jackknife(of_draw, is_used) for of_draw in (false * 1.0, false * 1.0 - by_noise)))


def _jackknife(of_draw: FloatArray, is_used: npt.NDArray[np.bool_]) -> Interval:
    """Return the mean of `of_draw` (draws,) with its t interval over the seeds, by the jackknife.

    To leave out a seed is to leave out all draws that `is_used` (seeds, draws) marks for it. The bounds are NaN if one
    of the seeds is used by every draw.
    """
    if is_used.all(axis=1).any():
        return Interval(float(of_draw.mean()), math.nan, math.nan, len(is_used))
    without = np.array([of_draw[~used].mean() for used in is_used])
    n = len(without)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * np.sqrt((n - 1) * without.var()))
    mean = float(of_draw.mean())
    return Interval(mean, mean - half, mean + half, n)


def estimate_over_seeds(statistic: Callable[[IntArray], float], n: int, *, draws: int = 1000) -> tuple[Interval, float]:
    """Return an estimate of `statistic` over `n` >= 2 seeds with its t interval, and a p-value (one-sided, null: <= 0).

    `statistic` must be smooth. It takes an array of indices of seeds, some of them left out or repeated. The jackknife
    removes its bias of order 1 / n (Quenouille 1956); for a squared mean, this bias is the variance of the mean. The
    standard error is the bootstrap's over `draws` resamples (Efron 1979), because the jackknife's is near 0 for a
    squared mean near 0.
    """
    places, generator = np.arange(n), np.random.default_rng(0)
    without = [statistic(np.delete(places, place)) for place in places]
    estimate = n * statistic(places) - (n - 1) * float(np.mean(without))
    error = float(np.std([statistic(drawn) for drawn in generator.integers(n, size=(draws, n))], ddof=1))
    half = error * float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1))
    with np.errstate(divide="ignore", invalid="ignore"):  # where every draw of seeds has the same value
        p = float(stats.t.sf(np.divide(estimate, error), n - 1))
    return Interval(estimate, estimate - half, estimate + half, n), p


def _winner_sign(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the sign of mean(a) - mean(b) per draw, 0 unless Welch's test has p < 0.05; `a`, `b` are (draws, n)."""
    n = a.shape[1]
    means, deviations = [x.mean(axis=1) for x in (a, b)], [x.std(axis=1, ddof=1) for x in (a, b)]
    with np.errstate(divide="ignore", invalid="ignore"):  # where neither arm has a spread
        p = stats.ttest_ind_from_stats(means[0], deviations[0], n, means[1], deviations[1], n, equal_var=False).pvalue
    return np.where(p < 1 - CONFIDENCE, np.sign(means[0] - means[1]), 0.0)
