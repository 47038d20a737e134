"""Prove the statistics by enumeration on paper, by a second method and by simulation. All simulations are seeded."""

import gc
import math
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from study.analysis import statistics
from study.constants import SEEDS

ARMS = ("gelu", "sigmoid", "swish")  # the family of three against ReLU
NOT_NUMBERS = ([math.nan], [1.0, math.inf], [0.1, -math.inf, 0.2], [[1.0, 2.0]])


def long_frame(columns: dict[str, list[float]]) -> pd.DataFrame:
    """Return one row a run, from a list of accuracies per activation; the seed is the position in the list."""
    rows = [(name, seed, value) for name, values in columns.items() for seed, value in enumerate(values)]
    return pd.DataFrame(rows, columns=["activation", "seed", "accuracy"])


# Intervals


def test_t_interval_by_hand() -> None:
    """(1, 2, 3): mean 2, s = 1, t of 2 degrees of freedom 4.3027, so 2 +- 4.3027 / sqrt(3)."""
    interval = statistics.mean_interval([1.0, 2.0, 3.0])
    assert (interval.estimate, interval.n) == (2.0, 3)
    assert interval.high - 2 == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert 2 - interval.low == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)


def test_simultaneous_intervals_by_hand() -> None:
    """(1, 2, 3) in a family of 5 at 95%: the quantile of t with 2 degrees of freedom at 0.995 is 9.9248."""
    interval = statistics.simultaneous_interval([1.0, 2.0, 3.0], comparisons=5)
    assert (interval.estimate, interval.n) == (2.0, 3)
    assert interval.high - 2 == pytest.approx(9.924843 / math.sqrt(3), rel=1e-6)
    assert statistics.simultaneous_interval([1.0, 2.0, 3.0], 1) == statistics.mean_interval([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="comparisons must be"):
        statistics.simultaneous_interval([1.0], 0)


@pytest.mark.parametrize(("values", "estimate"), [([], math.nan), ([0.5], 0.5)])
def test_intervals_without_a_spread_say_so(values: list[float], estimate: float) -> None:
    """n=0 has no estimate, n=1 has one and no bounds; on the log scale alike; and neither warns."""
    for interval in (statistics.mean_interval(values), statistics.log_mean_interval([0.0, *values])[0]):
        assert interval.estimate == pytest.approx(estimate, nan_ok=True)
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)
        assert interval.n == len(values)


def test_equal_values_have_an_interval_of_no_width() -> None:
    """Ten times 0.1, whose mean rounds to another number than 0.1: the spread is exactly 0, not 1e-17."""
    interval = statistics.mean_interval([0.1] * 10)
    assert interval.low == interval.high == interval.estimate == pytest.approx(0.1)


@pytest.mark.parametrize("values", NOT_NUMBERS)
def test_diverged_runs_are_never_averaged(values: list[float]) -> None:
    """NaN, infinite or badly shaped input to any function on a sample is refused, and the message says what to do."""
    one_sample = (
        statistics.mean_interval,
        statistics.log_mean_interval,
        statistics.sign_flip_test,
        statistics.wilcoxon_test,
        lambda sample: statistics.paired_difference(sample, sample),
        lambda sample: statistics.equivalence(sample, 1.0),
    )
    for function in one_sample:
        with pytest.raises(ValueError, match="diverged run is counted"):
            function(values)


def test_geometric_interval_by_hand() -> None:
    """(0.01, 1, 0, 100): geometric mean 1 of three, one zero apart, symmetric on the log scale."""
    interval, zeros = statistics.log_mean_interval([0.01, 1.0, 0.0, 100.0])
    assert (interval.n, zeros) == (3, 1)
    assert interval.estimate == pytest.approx(1.0)
    assert math.log(interval.high) == pytest.approx(4.302653 * math.log(100) / math.sqrt(3), rel=1e-6)
    assert interval.low == pytest.approx(1 / interval.high)


def test_geometric_interval_can_be_wider_than_floating_point() -> None:
    """Two gradient norms 60 powers of ten apart at 99.9%: bounds 0 and infinite, without a warning."""
    interval, _ = statistics.log_mean_interval([1e-30, 1e30], confidence=0.999)
    assert (interval.low, interval.high) == (0.0, math.inf)
    assert interval.estimate == pytest.approx(1.0)
    row = statistics.geometric_summary(pd.DataFrame({"layer": 1, "norm": [1e-30, 1e30]}), "norm", "layer", 0.999).iloc[
        0
    ]
    assert (row["ci_low"], row["ci_high"]) == (0.0, math.inf)


def test_binomial_interval_by_hand() -> None:
    """0 of n: the upper bound solves (1 - p)^n = 0.025; n of n mirrors it; 0 of 0 knows nothing."""
    none, every = statistics.proportion_interval(0, 10), statistics.proportion_interval(10, 10)
    assert (none.low, none.high) == (0.0, pytest.approx(1 - 0.025**0.1))
    assert (every.low, every.high) == (pytest.approx(0.025**0.1), 1.0)
    assert math.isnan(statistics.proportion_interval(0, 0).estimate)
    with pytest.raises(ValueError, match="k"):
        statistics.proportion_interval(4, 3)


@pytest.mark.parametrize("n", [3, 5, 10, SEEDS])
def test_binomial_interval_covers_at_least_its_level(n: int) -> None:
    """Summing the binomial over all outcomes, no rate on a grid is covered by less than 95%."""
    found = [statistics.proportion_interval(count, n) for count in range(n + 1)]
    rates = np.linspace(0.005, 0.995, 199)
    covered = [[interval.low <= rate <= interval.high for interval in found] for rate in rates]
    coverage = (stats.binom.pmf(np.arange(n + 1), n, rates[:, None]) * np.array(covered)).sum(axis=1)
    assert coverage.min() >= 0.95
    assert coverage.min() < 0.9999  # an interval of [0, 1] would pass too


@pytest.mark.parametrize("n", [3, 5, 10, SEEDS, 20, 30])
def test_t_intervals_cover_within_two_points(n: int) -> None:
    """10,000 samples of normal data: the 95% interval holds the true mean in 93% to 97%, at each n in use.

    The same data taken as logarithms proves the geometric interval, whose truth is exp(0.7).
    """
    data = np.random.default_rng(n).normal(0.7, 0.2, size=(10_000, n))
    frame = pd.DataFrame({"sample": np.repeat(np.arange(10_000), n), "value": data.ravel()})
    for table, truth in (
        (statistics.summarise(frame, "value", "sample"), 0.7),
        (statistics.geometric_summary(frame.assign(value=np.exp(frame["value"])), "value", "sample"), math.exp(0.7)),
    ):
        assert 0.93 <= table["ci_low"].le(truth).mul(table["ci_high"].ge(truth)).mean() <= 0.97


@pytest.mark.parametrize(("n", "expected"), [(5, 0.82), (10, 0.84), (30, 0.88)])
def test_t_intervals_cover_less_on_skewed_data(
    n: int, expected: float, record_property: Callable[[str, object], None]
) -> None:
    """Reported, not promised: on lognormal data (sigma 1) the 95% interval covers 82% at n=5, 84% at 10, 88% at 30."""
    data = np.random.default_rng(n).lognormal(sigma=1.0, size=(10_000, n))
    frame = pd.DataFrame({"sample": np.repeat(np.arange(10_000), n), "value": data.ravel()})
    table, truth = statistics.summarise(frame, "value", "sample"), math.exp(0.5)
    coverage = float(table["ci_low"].le(truth).mul(table["ci_high"].ge(truth)).mean())
    record_property("coverage", coverage)
    assert coverage == pytest.approx(expected, abs=0.015)


# Paired tests


def test_sign_flip_by_hand_at_four() -> None:
    """Differences 4, 3, 2, -1 sum to 8. The magnitudes 4, 3, 2, 1 have 16 signed sums, listed by their signs:

    ++++ 10   +++-  8   ++-+  6   ++--  4   +-++  4   +-+-  2   +--+  0   +--- -2
    -+++  2   -++-  0   -+-+ -2   -+-- -4   --++ -4   --+- -6   ---+ -8   ---- -10

    Four are at least 8 in size: 10, 8, -8, -10, so p = 4/16. The magnitudes are their own ranks, so Wilcoxon gives 4/16
    as well.
    """
    differences = [4.0, 3.0, 2.0, -1.0]
    assert statistics.sign_flip_test(differences) == 4 / 16
    assert statistics.wilcoxon_test(differences) == 4 / 16


def test_wilcoxon_is_not_the_sign_flip_test() -> None:
    """-10, 3, 2, 1 sum to -4, and 10 +- 3 +- 2 +- 1 is at least 4: p = 16/16. The signed ranks -4, 3, 2, 1 sum to 2 in
    size: of the 16 sums listed above all but the two zeros reach that, p = 14/16.
    """
    assert statistics.sign_flip_test([-10.0, 3.0, 2.0, 1.0]) == 16 / 16
    assert statistics.wilcoxon_test([-10.0, 3.0, 2.0, 1.0]) == 14 / 16


@pytest.mark.parametrize("n", [2, 3, 5, 8, 10])
def test_sign_flip_agrees_with_scipy(n: int) -> None:
    """The exact p is scipy's, on continuous and on tied differences."""
    generator = np.random.default_rng(n)
    for differences in (generator.normal(0.5, 1, n), generator.integers(-2, 4, n).astype(float)):
        expected = stats.permutation_test((differences,), np.sum, permutation_type="samples", n_resamples=np.inf).pvalue
        assert statistics.sign_flip_test(differences) == pytest.approx(expected, abs=1e-12)


def test_sums_that_tie_but_for_rounding_tie() -> None:
    """Accuracies in steps of 0.01 give the p of the same differences as whole numbers, which have no rounding."""
    hundredths = np.random.default_rng(2).integers(85, 99, size=(100, 2, 8))
    accuracies = hundredths / 100
    for (a, b), (whole_a, whole_b) in zip(accuracies, hundredths, strict=True):
        assert statistics.sign_flip_test(a - b) == statistics.sign_flip_test(whole_a - whole_b)
        assert statistics.wilcoxon_test(a - b) == statistics.wilcoxon_test(whole_a - whole_b)


def test_sign_flip_above_twenty_is_drawn_and_seeded() -> None:
    """18 of 25 differences of 1 are positive: the sign test's exact binomial p, but for the drawing."""
    differences = [1.0] * 18 + [-1.0] * 7
    exact = stats.binomtest(18, 25).pvalue
    found = statistics.sign_flip_test(differences, seed=1)
    assert found == pytest.approx(exact, abs=0.003)  # standard error 0.0006
    assert found == statistics.sign_flip_test(differences, seed=1) != statistics.sign_flip_test(differences, seed=2)
    assert statistics.sign_flip_test([1.0] * 40) == statistics.smallest_p(40) == 1e-5  # (0 + 1) / (99,999 + 1)


@pytest.mark.parametrize("n", [1, 4, 10, 13])
def test_wilcoxon_agrees_with_scipy_where_scipy_is_exact(n: int) -> None:
    """Without ties, with ties and with zeros, which are dropped; and with one value not zero, where scipy raises."""
    generator = np.random.default_rng(n)
    continuous, tied = generator.normal(0.5, 1, n), generator.choice([-2.0, -1.0, 1.0, 2.0, 3.0], n)
    for differences in (continuous, tied):
        expected = stats.wilcoxon(differences).pvalue
        assert statistics.wilcoxon_test(differences) == pytest.approx(expected, abs=1e-12)
        assert statistics.wilcoxon_test([0.0, *differences, 0.0]) == pytest.approx(expected, abs=1e-12)
    assert statistics.wilcoxon_test([0.0, 5.0]) == 1.0


def test_degenerate_pairs() -> None:
    """n=0 is NaN throughout, n=1 and zeros cannot reject, equal differences have no effect size; none of it warns."""
    empty = statistics.paired_difference([], [])
    assert empty.n == 0
    assert all(math.isnan(number) for name, number in vars(empty).items() if name != "n")
    one = statistics.paired_difference([0.9], [0.8])
    assert (one.p_sign_flip, one.p_wilcoxon, one.probability_greater) == (1.0, 1.0, 1.0)
    assert math.isnan(one.ci_low)
    assert math.isnan(one.std)
    zero = statistics.paired_difference([0.1135] * 4, [0.1135] * 4)
    assert (zero.difference, zero.p_sign_flip, zero.p_wilcoxon, zero.probability_greater) == (0.0, 1.0, 1.0, 0.5)
    equal = statistics.paired_difference([0.91, 0.93, 0.95], [0.9, 0.92, 0.94])
    assert (equal.p_sign_flip, equal.p_wilcoxon, equal.std) == (2 / 8, 2 / 8, 0.0)
    assert math.isnan(equal.effect_size)
    with pytest.raises(ValueError, match="one length, got 2 and 1"):
        statistics.paired_difference([1.0, 2.0], [1.0])


def test_effect_size_and_probability_by_hand() -> None:
    """a = (1, 4), b = (1, 2): differences 0 and 2, mean 1, s = sqrt(2). Couples 1-1 tie, 1-2, 4-1, 4-2: 2.5 of 4."""
    paired = statistics.paired_difference([1.0, 4.0], [1.0, 2.0])
    assert paired.effect_size == pytest.approx(1 / math.sqrt(2))
    assert paired.probability_greater == 2.5 / 4


def test_holm_by_hand() -> None:
    """0.01 x 3, then 0.03 x 2, then 0.04 raised to its predecessor's 0.06; a comparison never made still counts."""
    np.testing.assert_allclose(statistics.holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(statistics.holm([0.01, math.nan, 0.03]), [0.03, math.nan, 0.06])
    assert statistics.holm([]).size == 0


def null_differences(kind: str, runs: int, n: int) -> np.ndarray:
    """(runs, 3, n) differences of three arms from a shared reference, with a seed's effect common to all arms.

    `one real` shifts the first arm, so that only the other two are null.
    """
    generator = np.random.default_rng(11)
    noise = generator.normal(size=(runs, 4, n)) if kind != "skewed" else generator.lognormal(size=(runs, 4, n))
    scores = noise + generator.normal(size=(runs, 1, n))
    scores[:, 1] += 3.0 if kind == "one real" else 0.0
    return scores[:, 1:] - scores[:, :1]


@pytest.mark.parametrize("kind", ["normal", "skewed", "one real"])
def test_family_wise_error_is_at_most_five_percent(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """n=10, three comparisons with one reference, 5,000 families: Holm rejects a true null in at most 5% of them.

    Uncorrected, the families without a real difference err in more than 8%: the simulation can see a failure.
    """
    monkeypatch.setattr(gc, "collect", lambda: 0)  # statsmodels' Holm collects garbage at each call, for 35 ms
    differences = null_differences(kind, 5_000, 10)
    p = np.array([[statistics.sign_flip_test(arm) for arm in family] for family in differences])
    null = slice(1, None) if kind == "one real" else slice(None)
    adjusted = np.array([statistics.holm(family) for family in p])
    assert (adjusted[:, null] <= 0.05).any(axis=1).mean() <= 0.05
    assert kind == "one real" or (p <= 0.05).any(axis=1).mean() > 0.08
    assert kind != "one real" or (adjusted[:, 0] <= 0.05).mean() > 0.9


# Equivalence and power


def test_equivalence_is_two_one_sided_t_tests() -> None:
    """The p is the larger of scipy's two one-sided ones, and is below alpha exactly where the interval is inside."""
    generator, seen = np.random.default_rng(5), set()
    for _ in range(200):
        differences = generator.normal(generator.uniform(-1, 1), 1, 8)
        found = statistics.equivalence(differences, 1.0)
        above, below = (
            stats.ttest_1samp(differences, bound, alternative=side).pvalue
            for bound, side in ((-1.0, "greater"), (1.0, "less"))
        )
        assert found.p == pytest.approx(max(above, below))
        assert found.equivalent == (found.p < 0.05)
        seen.add(found.equivalent)
    assert seen == {True, False}


def test_equivalence_errs_in_five_percent_at_the_margin() -> None:
    """True difference equal to the margin, n=10, 5,000 samples: called equivalent in 4% to 6% of them."""
    samples = np.random.default_rng(6).normal(1.0, 0.5, size=(5_000, 10))
    assert 0.04 <= np.mean([statistics.equivalence(sample, 1.0).equivalent for sample in samples]) <= 0.06


def test_equivalence_of_degenerate_differences() -> None:
    """Fewer than two pairs show nothing; equal differences are inside or outside; a margin of 0 or NaN is refused."""
    for differences in ([], [0.0]):
        found = statistics.equivalence(differences, 1.0)
        assert not found.equivalent
        assert math.isnan(found.p)
    inside, outside = statistics.equivalence([0.1] * 5, 0.2), statistics.equivalence([0.1] * 5, 0.05)
    assert (inside.equivalent, inside.p, outside.equivalent, outside.p) == (True, 0.0, False, 1.0)
    for margin in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="margin must be positive"):
            statistics.equivalence([0.1, 0.2], margin)


@pytest.mark.parametrize(("comparisons", "expected"), [(1, 6), (3, 7), (5, 8)])
def test_minimum_n_is_where_the_clearest_result_first_rejects(comparisons: int, expected: int) -> None:
    """All differences positive is the clearest result: after Holm it rejects at `minimum_n`, but not a pair earlier."""
    assert statistics.minimum_n(comparisons=comparisons) == expected
    for n, rejects in ((expected, True), (expected - 1, False)):
        p = statistics.sign_flip_test(np.arange(1.0, n + 1))
        assert p == statistics.smallest_p(n)
        assert (statistics.holm([p] + [1.0] * (comparisons - 1))[0] <= 0.05) == rejects


def test_smallest_p_by_hand() -> None:
    """Five pairs cannot pass 0.0625; none and one cannot pass 1; alpha beyond any n is an error, not a loop."""
    assert [statistics.smallest_p(n) for n in (0, 1, 2, 5)] == [1.0, 1.0, 0.5, 0.0625]
    assert statistics.minimum_n(alpha=0.0625) == 5  # equality rejects
    with pytest.raises(ValueError, match="no n up to 20"):
        statistics.minimum_n(alpha=0.0)


@pytest.mark.parametrize(("n", "alpha"), [(2, 0.05), (3, 0.05 / 3), (5, 0.05 / 3), (10, 0.05), (30, 0.05)])
def test_detectable_difference_is_seen_in_four_of_five(n: int, alpha: float) -> None:
    """40,000 samples whose true mean is the detectable difference: the t interval excludes zero in 80% (+- 1)."""
    difference = statistics.detectable_difference(0.2, n, alpha)
    samples = np.random.default_rng(n).normal(difference, 0.2, size=(40_000, n))
    frame = pd.DataFrame({"sample": np.repeat(np.arange(40_000), n), "value": samples.ravel()})
    table = statistics.summarise(frame, "value", "sample", confidence=1 - alpha)
    assert ((table["ci_low"] > 0) | (table["ci_high"] < 0)).mean() == pytest.approx(0.8, abs=0.01)


def test_detectable_difference_agrees_with_statsmodels() -> None:
    """From n=5 statsmodels finds the same root; it scales with the deviation, and has its own degenerate answers."""
    for n in (5, 10, 16, 63):
        expected = TTestPower().solve_power(effect_size=None, nobs=n, alpha=0.05, power=0.8)
        assert statistics.detectable_difference(1.0, n) == pytest.approx(expected, rel=1e-4)
        assert statistics.detectable_difference(0.2, n) == pytest.approx(0.2 * expected, rel=1e-4)
    assert statistics.detectable_difference(0.0, 5) == 0.0
    assert all(math.isnan(statistics.detectable_difference(*case)) for case in ((1.0, 0), (1.0, 1), (math.nan, 5)))
    with pytest.raises(ValueError, match="alpha < power"):
        statistics.detectable_difference(1.0, 5, alpha=0.9)


# Frames


def test_comparison_pairs_the_seeds_both_finished() -> None:
    """Swish diverges at seed 1, ReLU at seed 3: of 4 seeds 2 remain, with differences 0.02 and 0.04."""
    frame = long_frame({"relu": [0.90, 0.92, 0.94, math.inf], "swish": [0.92, math.nan, 0.98, 0.90]})
    row = statistics.compare_with_reference(frame.sample(frac=1, random_state=0), metric="accuracy", margin=0.01).iloc[
        0
    ]
    assert (row["activation"], row["n"], row["dropped"], row["smallest_p"]) == ("swish", 2, 2, 0.5)
    assert row["difference"] == pytest.approx(0.03)
    assert row["ci_high"] - 0.03 == pytest.approx(12.7062 * 0.01, rel=1e-5)  # t of 1 degree times s / sqrt(2) = 0.01
    assert not row["equivalent"]


def test_comparison_is_one_family_in_order_of_appearance() -> None:
    """Each row is `paired_difference` of its arm, Holm spans the rows, and power is at Holm's strictest level."""
    generator = np.random.default_rng(3)
    columns = {name: generator.normal(0.9, 0.01, 10).tolist() for name in ("swish", "relu", "sigmoid", "gelu")}
    columns["sigmoid"] = [value - 0.2 for value in columns["sigmoid"]]
    table = statistics.compare_with_reference(long_frame(columns), metric="accuracy", margin=0.05)
    assert table["activation"].tolist() == ["swish", "sigmoid", "gelu"]
    np.testing.assert_allclose(table["p_holm"], statistics.holm(table["p_sign_flip"]))
    assert table["p_holm"][1] == pytest.approx(3 * 2 / 2**10)
    assert table["equivalent"].tolist() == [True, False, True]
    for row in table.itertuples():
        expected = statistics.paired_difference(columns[row.activation], columns["relu"])
        assert {name: getattr(row, name) for name in vars(expected)} == vars(expected)
        assert row.detectable_difference == pytest.approx(statistics.detectable_difference(expected.std, 10, 0.05 / 3))


def test_comparison_judges_equivalence_by_the_ninety_percent_interval() -> None:
    """At 95% confidence alpha is 5%, so the 90% interval decides: a margin a hair outside its end, and one inside."""
    frame = long_frame({"relu": [0.91, 0.92, 0.94, 0.95], "gelu": [0.92, 0.94, 0.95, 0.98]})
    end = statistics.mean_interval([0.01, 0.02, 0.01, 0.03], confidence=0.9).high
    for margin, expected in ((1.001 * end, True), (0.999 * end, False)):
        row = statistics.compare_with_reference(frame, metric="accuracy", margin=margin).iloc[0]
        assert (row["equivalent"], row["margin"]) == (expected, margin)
        assert (row["p_equivalence"] < 0.05) == expected


def test_comparison_survives_an_activation_that_never_finished() -> None:
    """Every sigmoid run diverged: its row is NaN with n=0 and dropped=3, and still counts in Holm's family of two."""
    frame = long_frame({"relu": [0.1, 0.2, 0.3], "sigmoid": [math.nan] * 3, "gelu": [0.2, 0.4, 0.5]})
    table = statistics.compare_with_reference(frame, metric="accuracy", margin=0.01).set_index("activation")
    assert (table.loc["sigmoid", "n"], table.loc["sigmoid", "dropped"]) == (0, 3)
    assert table.loc["sigmoid", ["difference", "ci_low", "p_sign_flip", "p_holm"]].isna().all()
    assert not table.loc["sigmoid", "equivalent"]
    assert table.loc["gelu", "p_holm"] == pytest.approx(2 * table.loc["gelu", "p_sign_flip"])


def test_comparison_refuses_what_it_cannot_pair() -> None:
    """A reference that is not there and two runs of one seed are named; the reference alone is an empty table."""
    frame = long_frame({"relu": [0.1, 0.2]})
    with pytest.raises(ValueError, match="must hold the reference 'tanh'"):
        statistics.compare_with_reference(frame, metric="accuracy", reference="tanh", margin=0.01)
    with pytest.raises(ValueError, match="one row per seed and activation"):
        statistics.compare_with_reference(pd.concat([frame, frame]), metric="accuracy", margin=0.01)
    alone = statistics.compare_with_reference(frame, metric="accuracy", margin=0.01)
    assert alone.empty
    assert {"activation", "difference", "p_holm", "detectable_difference"} <= set(alone.columns)


def test_summary_counts_what_is_missing() -> None:
    """Groups keep their order, null keys are groups, and NaN and infinite values are counted and not averaged."""
    frame = pd.DataFrame(
        {"init": ["he", None, "he", "he", None], "depth": 1, "loss": [1.0, math.inf, 3.0, math.nan, math.nan]}
    )
    table = statistics.summarise(frame, "loss", ["init", "depth"])
    assert table["n"].tolist() == [2, 0]
    assert table["missing"].tolist() == [1, 2]
    assert table.loc[0, ["mean", "min", "max"]].tolist() == [2.0, 1.0, 3.0]
    assert table.loc[1, ["mean", "ci_low", "std", "min"]].isna().all()
    assert pd.isna(table.loc[1, "init"])


def test_summary_of_one_run_and_of_equal_runs() -> None:
    """One run has no standard deviation; runs alike but for rounding (0.1 + 0.2 is not 0.3) have one of exactly 0."""
    frame = pd.DataFrame({"depth": [1, 2, 2, 2], "loss": [0.3, 0.3, 0.1 + 0.2, 0.3]})
    table = statistics.summarise(frame, "loss", "depth")
    assert math.isnan(table["std"][0])
    assert table["std"][1] == 0.0
    assert table["ci_low"][1] == table["ci_high"][1] == table["mean"][1]


def norms() -> pd.DataFrame:
    """Gradient norms over 24 orders of magnitude in small groups, with zeros, gaps, and one layer of equal values."""
    generator = np.random.default_rng(8)
    frame = pd.DataFrame(
        {"layer": generator.integers(0, 60, 300), "measure": generator.choice(["error", "square"], 300)}
    )
    values = 10.0 ** generator.uniform(-25, -1, 300)
    values[generator.random(300) < 0.15], values[generator.random(300) < 0.1] = 0.0, math.nan
    return frame.assign(value=np.where(frame["layer"] == 7, 0.1, values))


def test_frame_summaries_equal_the_sample_functions() -> None:
    """Group by group, `summarise` is `mean_interval` and `geometric_summary` is `log_mean_interval`."""
    frame = norms()
    keys = ["layer", "measure"]
    plain = statistics.summarise(frame, "value", keys).set_index(keys)
    geometric = statistics.geometric_summary(frame, "value", keys).set_index(keys)
    assert geometric["n_zero"].sum() > 20
    for key, group in frame.groupby(keys)["value"]:
        finished = group.dropna()
        for table, (interval, zeros) in (
            (plain.assign(n_zero=0), (statistics.mean_interval(finished), 0)),
            (geometric, statistics.log_mean_interval(finished)),
        ):
            row = table.loc[key]
            found = row[["mean", "ci_low", "ci_high", "n"]].tolist()
            np.testing.assert_allclose(found, list(vars(interval).values()), rtol=1e-9, atol=1e-300)
            assert (row["n_zero"], row["missing"]) == (zeros, len(group) - len(finished))


def test_geometric_summary_is_fast_and_refuses_negatives() -> None:
    """200,000 rows in 40,000 groups take under 2 s, which a Python loop does not; a norm below 0 is an error."""
    frame = pd.DataFrame(
        {"step": np.arange(200_000) % 40_000, "layer": 1, "value": np.random.default_rng(0).random(200_000)}
    )
    start = time.perf_counter()
    assert len(statistics.geometric_summary(frame, "value", ["step", "layer"])) == 40_000
    assert time.perf_counter() - start < 2
    with pytest.raises(ValueError, match=r"must not be negative on a log scale, got -1\.0"):
        statistics.geometric_summary(frame.assign(value=-1.0), "value", "layer")


def test_rates_have_exact_intervals() -> None:
    """One diverged run of four and none of two: the counts, the shares and `proportion_interval`'s bounds."""
    frame = pd.DataFrame({"activation": ["relu"] * 4 + ["gelu"] * 2, "diverged": [True] + [False] * 5})
    table = statistics.share_summary(frame, "diverged", "activation")
    assert table[["activation", "n", "count", "share"]].to_numpy().tolist() == [
        ["relu", 4, 1, 0.25],
        ["gelu", 2, 0, 0.0],
    ]
    assert table["ci_high"].tolist() == [statistics.proportion_interval(*case).high for case in ((1, 4), (0, 2))]
    with pytest.raises(ValueError, match="diverged must be boolean"):
        statistics.share_summary(frame.assign(diverged=math.nan), "diverged", "activation")


def test_empty_frames_give_empty_tables() -> None:
    """No runs yet, or none of this kind: a table without rows and with its columns."""
    frame = long_frame({}).astype({"accuracy": float}).assign(diverged=pd.Series(dtype=bool))
    assert "ci_low" in statistics.summarise(frame, "accuracy", "activation")
    assert "n_zero" in statistics.geometric_summary(frame, "accuracy", ["activation", "seed"])
    assert "ci_high" in statistics.share_summary(frame, "diverged", "activation")


@pytest.mark.parametrize("confidence", [-0.5, 95])
def test_confidence_is_a_share(confidence: float) -> None:
    """95 for 95% is refused by every function that takes it."""
    for function in (statistics.mean_interval, statistics.log_mean_interval):
        with pytest.raises(ValueError, match="confidence"):
            function([1.0, 2.0], confidence)
    with pytest.raises(ValueError, match="onfidence"):
        statistics.proportion_interval(1, 2, confidence)
