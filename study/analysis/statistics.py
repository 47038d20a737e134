"""Intervals, paired tests, equivalence, rates and power: long frames in, frames out.

A sample has shape (n,), one finite number a run; arms are paired by seed. A run that diverged (NaN, infinite) is never
averaged: functions on frames count it, those on a sample refuse it. The sign-flip test, the primary one, asks that the
differences be symmetric where nothing differs, the t intervals that they be about normal.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, special, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

FloatArray = npt.NDArray[np.float64]
Keys = str | Sequence[str]  # columns that name a group

EXACT_UP_TO = 20  # pairs; all 2^20 sign patterns take milliseconds, beyond that they are drawn
SIGN_DRAWS = 99_999  # random sign patterns, so the smallest p they give is 1e-5
BOOTSTRAP_SMALLEST_N = 30  # below, a nominal 95% BCa interval covers 84% (n=5) to 91% (n=10)
ROUNDING = 1e-9  # relative; 0.98 - 0.97 and 0.99 - 0.98 differ by 1e-14 of themselves, and are a tie
SIDES: dict[str, Any] = {"two-sided": np.abs, "greater": np.positive, "less": np.negative}


@dataclass(frozen=True)
class Interval:
    """An estimate from n values and its interval, in the values' unit. NaN bounds at n=1, all NaN at n=0."""

    estimate: float
    low: float
    high: float
    n: int

    def columns(self) -> dict[str, float]:
        """Return the columns of a table row: n, estimate, ci_low, ci_high."""
        return {"n": self.n, "estimate": self.estimate, "ci_low": self.low, "ci_high": self.high}


@dataclass(frozen=True)
class PairedDifference:
    """Arm a minus arm b over n pairs: mean, t interval and standard deviation in the metric's unit; no other has."""

    difference: float
    ci_low: float
    ci_high: float
    std: float
    n: int
    p_sign_flip: float
    p_wilcoxon: float
    effect_size: float  # Cohen's d_z, difference / std (Cohen 1988); NaN without a spread
    probability_greater: float  # P(A > B) over all n^2 couples of runs, not the pairs alone (Agarwal et al. 2021)


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided t tests: `equivalent` where the 1 - 2 alpha `interval` lies inside (-margin, margin): p < alpha."""

    equivalent: bool
    p: float
    interval: Interval
    margin: float


def mean_interval(values: npt.ArrayLike, confidence: float = 0.95) -> Interval:
    """Mean of `values` (n,) and Student's t interval, mean +- t_{n-1} s / sqrt(n) (Student 1908)."""
    sample = _sample(values)
    mean = float(sample.mean()) if sample.size else math.nan
    half = float(_half_width(_deviation(sample), sample.size, confidence))
    return Interval(mean, mean - half, mean + half, sample.size)


def log_mean_interval(values: npt.ArrayLike, confidence: float = 0.95) -> tuple[Interval, int]:
    """Geometric mean of the n positive `values`, the t interval of their logarithms taken back; the count of zeros."""
    sample = _sample(values)
    logs = mean_interval(_logarithms(sample)[sample > 0], confidence)
    with np.errstate(over="ignore"):  # the bound above values hundreds of powers apart is infinite
        estimate, low, high = np.exp([logs.estimate, logs.low, logs.high]).tolist()
    return Interval(estimate, low, high, logs.n), sample.size - logs.n


def proportion_interval(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Share of `successes` among `n` runs with the exact binomial interval (Clopper & Pearson 1934)."""
    if n == 0 == successes:
        return Interval(math.nan, math.nan, math.nan, 0)
    bounds = stats.binomtest(successes, n).proportion_ci(confidence, method="exact")
    return Interval(successes / n, float(bounds.low), float(bounds.high), n)


def bootstrap_interval(
    values: npt.ArrayLike, statistic: Callable[..., Any], *, seed: int, confidence: float = 0.95
) -> Interval:
    """BCa interval (Efron 1987) of a `statistic`, (n,) to a number, without a t form; NaN if no one value moves it."""
    sample = _sample(values)
    if sample.size < BOOTSTRAP_SMALLEST_N:
        raise ValueError(f"a bootstrap covers too little below n={BOOTSTRAP_SMALLEST_N}, got n={sample.size}")
    low = high = math.nan
    if np.ptp([float(statistic(np.delete(sample, left_out))) for left_out in range(sample.size)]) > 0:
        bca = stats.bootstrap((sample,), statistic, confidence_level=confidence, method="BCa", rng=seed)
        low, high = bca.confidence_interval
    return Interval(float(statistic(sample)), float(low), float(high), sample.size)


def sign_flip_test(differences: npt.ArrayLike, *, alternative: str = "two-sided", seed: int = 0) -> float:
    """p-value of the mean of paired `differences` (n,) among its values under all signs (Fisher 1935; Pitman 1937).

    Exact up to n=20, over all 2^n patterns; above, (b + 1) / (m + 1) over m patterns drawn with `seed` (Phipson &
    Smyth 2010). NaN at n=0. `scipy.stats.permutation_test` agrees, but n=20 takes it 8 s, here 10 ms.
    """
    if alternative not in SIDES:
        raise ValueError(f"alternative must be one of {list(SIDES)}, got {alternative!r}")
    sample, side = _sample(differences), SIDES[alternative]
    if sample.size == 0:
        return math.nan
    drawn, generator, sums = sample.size > EXACT_UP_TO, np.random.default_rng(seed), np.zeros(1)
    for value in sample:
        signed = value * generator.choice([-1.0, 1.0], SIGN_DRAWS) if drawn else np.array([[value], [-value]])
        sums = (sums + signed).ravel()
    tolerance = ROUNDING * np.abs(sample).sum()
    extreme = int((side(sums) >= side(sample.sum()) - tolerance).sum())
    return (extreme + drawn) / (sums.size + drawn)  # the observed pattern is one of all, but joins those drawn


def wilcoxon_test(differences: npt.ArrayLike, *, seed: int = 0) -> float:
    """Two-sided signed-rank p of `differences` (n,), zeros dropped (Wilcoxon 1945): the sign-flip test of signed ranks.

    `scipy.stats.wilcoxon` agrees where exact; with ties, and accuracies tie, it approximates from n=14 or raises.
    """
    sample = _sample(differences)
    relative = np.round(sample / (np.abs(sample).max(initial=0) or 1), 9)
    ranks = stats.rankdata(np.abs(relative)) - (relative == 0).sum()  # the zeros would take the lowest ranks
    return sign_flip_test(np.sign(relative) * ranks, seed=seed)


def paired_difference(a: npt.ArrayLike, b: npt.ArrayLike, confidence: float = 0.95) -> PairedDifference:
    """Arm `a` (n,) minus arm `b` (n,), the same seeds in the same order."""
    first, second = _sample(a), _sample(b)
    if first.size != second.size:
        raise ValueError(f"paired arms must be of one length, got {first.size} and {second.size}")
    differences = first - second
    mean, std = mean_interval(differences, confidence), _deviation(differences)
    effect_size = mean.estimate / std if std > 0 else math.nan
    greater = float((np.sign(first[:, None] - second).mean() + 1) / 2) if mean.n else math.nan
    tests = (sign_flip_test(differences), wilcoxon_test(differences))
    return PairedDifference(mean.estimate, mean.low, mean.high, std, mean.n, *tests, effect_size, greater)


def holm(p_values: npt.ArrayLike) -> FloatArray:
    """Holm's adjustment (Holm 1979) of a family's `p_values` (k,); NaN stays NaN and counts, as it was planned."""
    p = np.asarray(p_values, dtype=np.float64)
    return np.where(np.isnan(p), np.nan, multipletests(np.where(np.isnan(p), 1.0, p), method="holm")[1])


def equivalence(differences: npt.ArrayLike, margin: float, alpha: float = 0.05) -> Equivalence:
    """Is the mean of `differences` (n,) within +-`margin`, stated before looking (Schuirmann 1987)? Never below n=2."""
    if not 0 < margin < math.inf:
        raise ValueError(f"margin must be positive and finite, got {margin}")
    sample, p = _sample(differences), math.nan
    interval, std = mean_interval(sample, 1 - 2 * alpha), _deviation(sample)
    if sample.size > 1:
        p = float(DescrStatsW(sample).ttost_mean(-margin, margin)[0] if std > 0 else abs(interval.estimate) >= margin)
    return Equivalence(-margin < interval.low and interval.high < margin, p, interval, margin)


def smallest_p(n: int) -> float:
    """The smallest two-sided p the sign-flip test can give `n` pairs: 2 / 2^n, or 1e-5 once patterns are drawn."""
    return max(min(1.0, 2.0 ** (1 - n)), 1 / (SIGN_DRAWS + 1) if n > EXACT_UP_TO else 0.0)


def minimum_n(alpha: float = 0.05, comparisons: int = 1) -> int:
    """The fewest pairs at which the sign-flip test can reject any of `comparisons` under Holm at `alpha`."""
    for n in range(EXACT_UP_TO + 1):
        if comparisons * smallest_p(n) <= alpha:
            return n
    raise ValueError(f"no n up to {EXACT_UP_TO} can reject one of {comparisons} comparisons at alpha={alpha}")


def detectable_difference(standard_deviation: float, n: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """The mean difference a two-sided paired t test of `n` pairs sees with probability `power`; NaN below n=2.

    In the unit of `standard_deviation`, that of the differences. Solves the noncentral F of t^2 (Cohen 1988), because
    statsmodels' `solve_power` silently returns a wrong root at small n (n=3, alpha=0.05/3: power 0.61 instead of 0.8).
    """
    if not 0 < alpha < power < 1:
        raise ValueError(f"0 < alpha < power < 1 must hold, got alpha={alpha}, power={power}")
    if n < 2 or not math.isfinite(standard_deviation):
        return math.nan
    miss, degrees, critical = 1 - power, n - 1, stats.t.isf(alpha / 2, n - 1)
    enough = critical * math.sqrt(stats.chi2.isf(miss / 2, degrees) / degrees) + stats.norm.isf(miss / 2)  # union bound
    shift = optimize.brentq(lambda delta: special.ncfdtr(1, degrees, delta**2, critical**2) - miss, 0, enough)
    return float(standard_deviation * shift / math.sqrt(n))


def compare_with_reference(
    frame: pd.DataFrame,
    *,
    metric: str,
    reference: str = "relu",
    pair: str = "seed",
    group: str = "activation",
    margin: float,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Each other `group` minus `reference`, one row each in order of appearance: one family for Holm. One run a row in.

    The fields of `PairedDifference` over the pairs both finished (finite `metric`); `dropped`, the rest of the pairs:
    read it beside the rate of diverged runs, for what is left flatters an arm that diverges. `equivalent` is at
    alpha = 1 - `confidence`; `detectable_difference` at power 0.8 and Holm's strictest level, in the metric's unit.
    """
    keys, alpha, rows = frame[[pair, group]], 1 - confidence, []
    if keys.isna().any(axis=None) or keys.duplicated().any():
        raise ValueError(f"one row per {pair} and {group} is needed, and neither missing")
    # Not a pivot_table, which drops an arm that never finished.
    wide = keys.assign(_metric=_finite(frame[metric])).pivot(index=pair, columns=group, values="_metric")  # noqa: PD010
    if reference not in wide.columns:
        raise ValueError(f"{group} must hold the reference {reference!r}, got {list(wide.columns)}")
    others = [name for name in frame[group].unique() if name != reference]
    for name in others:
        a, b = wide[[name, reference]].dropna().to_numpy().T
        paired, tost = paired_difference(a, b, confidence), equivalence(a - b, margin, alpha)
        detectable = detectable_difference(paired.std, paired.n, alpha / len(others))
        rest = (len(wide) - paired.n, tost.equivalent, tost.p, margin, smallest_p(paired.n), detectable)
        rows.append((name, *asdict(paired).values(), *rest))
    rest_names = ("dropped", "equivalent", "p_equivalence", "margin", "smallest_p", "detectable_difference")
    table = pd.DataFrame(rows, columns=[group, *(field.name for field in fields(PairedDifference)), *rest_names])
    return table.assign(p_holm=holm(table["p_sign_flip"]))


def summarise(frame: pd.DataFrame, value: str, by: Keys, confidence: float = 0.95) -> pd.DataFrame:
    """`mean_interval` of `value` per group of `by`: n, mean, std, min, max, ci_low, ci_high, in the value's unit.

    `missing` counts the values that are NaN or infinite. Groups keep their order of appearance; their keys may be null.
    """
    values = _finite(frame[value])
    table: pd.DataFrame = _grouped(frame, by, values).agg(n="count", mean="mean", std="std", min="min", max="max")
    alike = table["max"] - table["min"] <= ROUNDING * np.maximum(table["min"].abs(), table["max"].abs())
    table["std"] = table["std"].mask(alike & (table["n"] > 1), 0.0)
    half = _half_width(table["std"], table["n"], confidence)
    missing = _grouped(frame, by, np.isnan(values)).sum()
    return table.assign(ci_low=table["mean"] - half, ci_high=table["mean"] + half, missing=missing).reset_index()


def geometric_summary(frame: pd.DataFrame, value: str, by: Keys, confidence: float = 0.95) -> pd.DataFrame:
    """`log_mean_interval` of `value` per group, else as `summarise`: n, mean, ci_low, ci_high, missing, n_zero."""
    values = _finite(frame[value])
    table = summarise(frame.assign(**{value: _logarithms(values)}), value, by, confidence)
    table["n_zero"] = _grouped(frame, by, values == 0).sum().to_numpy()
    table["missing"] -= table["n_zero"]  # a zero has no logarithm
    columns = ["mean", "ci_low", "ci_high"]
    with np.errstate(over="ignore"):  # as in `log_mean_interval`
        table[columns] = np.exp(table[columns])
    return table.drop(columns=["std", "min", "max"])


def rate_summary(frame: pd.DataFrame, event: str, by: Keys, confidence: float = 0.95) -> pd.DataFrame:
    """`proportion_interval` of a boolean `event` (diverged, say) per group of `by`: n, count, rate, ci_low, ci_high."""
    if frame[event].dtype != bool:
        raise ValueError(f"{event} must be boolean and never missing, got {frame[event].dtype}")
    table: pd.DataFrame = _grouped(frame, by, frame[event].to_numpy()).agg(n="size", count="sum", rate="mean")
    found = [proportion_interval(count, n, confidence) for count, n in table[["count", "n"]].to_numpy().tolist()]
    return table.assign(ci_low=[share.low for share in found], ci_high=[share.high for share in found]).reset_index()


def _grouped(frame: pd.DataFrame, by: Keys, values: npt.NDArray[Any]) -> Any:
    """`values` (rows,) by the columns `by`: groups in order of appearance, null keys among them."""
    keys = [by] if isinstance(by, str) else list(by)
    return frame[keys].assign(_value=values).groupby(keys, sort=False, dropna=False, observed=True)["_value"]


def _half_width(std: Any, n: Any, confidence: float) -> Any:
    """Half of Student's t interval, elementwise: t_{n-1} s / sqrt(n); NaN, without a warning, below n=2."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie strictly between 0 and 1, got {confidence}")
    return stats.t.ppf((1 + confidence) / 2, n - 1) * std / np.sqrt(np.maximum(n, 1))


def _deviation(sample: FloatArray) -> float:
    """Sample standard deviation of (n,): NaN below n=2, exactly 0 where values differ by rounding alone."""
    if sample.size < 2:
        return math.nan
    return 0.0 if np.ptp(sample) <= ROUNDING * np.abs(sample).max() else float(sample.std(ddof=1))


def _logarithms(values: FloatArray) -> FloatArray:
    if (values < 0).any():
        raise ValueError(f"values must not be negative on a log scale, got {np.nanmin(values)}")
    return np.log(values, where=values > 0, out=np.full(values.shape, np.nan))


def _finite(column: "pd.Series[Any]") -> FloatArray:
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _sample(values: npt.ArrayLike) -> FloatArray:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not np.isfinite(sample).all():
        raise ValueError(f"values must be flat and finite (a diverged run is counted, not averaged), got {sample}")
    return sample
