"""Prove the statistics by enumeration on paper, by a second method and by simulation. All simulations are seeded."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study.analysis import statistics
from study.constants import SEEDS

NOT_NUMBERS = ([math.nan], [1.0, math.inf], [0.1, -math.inf, 0.2], [[1.0, 2.0]])


def test_t_interval_by_hand() -> None:
    """(1, 2, 3): mean 2, s = 1, t of 2 degrees of freedom 4.3027, so 2 +- 4.3027 / sqrt(3)."""
    interval = statistics.mean_interval([1.0, 2.0, 3.0])
    assert (interval.estimate, interval.n) == (2.0, 3)
    assert interval.high - 2 == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert 2 - interval.low == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)


@pytest.mark.parametrize(("values", "estimate"), [([], math.nan), ([0.5], 0.5)])
def test_intervals_without_a_spread_say_so(values: list[float], estimate: float) -> None:
    """n=0 has no estimate, n=1 has one and no bounds; on the log scale alike; and neither warns."""
    for interval in (statistics.mean_interval(values), statistics.log_mean_interval([0.0, *values])[0]):
        assert interval.estimate == pytest.approx(estimate, nan_ok=True)
        assert np.isnan([interval.low, interval.high]).all()
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
        lambda sample: statistics.equivalence_test(sample, 1.0),
    )
    for function in one_sample:
        with pytest.raises(ValueError, match="leave out diverged runs"):
            function(values)


def test_intervals_of_shares_end_at_zero_and_one() -> None:
    """A mean of shares is in [0, 1], so an interval cut there holds it as often; one that lies inside is not cut."""
    for sample in np.random.default_rng(4).beta(0.2, 10, size=(500, 5)):
        whole, cut = statistics.mean_interval(sample), statistics.mean_interval(sample, is_share=True)
        assert (cut.low, cut.high) == (max(whole.low, 0), min(whole.high, 1))
    table = statistics.summarise(pd.DataFrame({"name": "a", "share": [1.0, 0.9, 1.0]}), "share", "name", is_share=True)
    assert table["ci_high"].item() == 1
    assert table["ci_low"].item() == statistics.mean_interval([1.0, 0.9, 1.0]).low


def test_geometric_interval_by_hand() -> None:
    """(0.01, 1, 0, 100): geometric mean 1 of three, one zero apart, symmetric on the log scale."""
    interval, zeros = statistics.log_mean_interval([0.01, 1.0, 0.0, 100.0])
    assert (interval.n, zeros) == (3, 1)
    assert interval.estimate == pytest.approx(1.0)
    assert math.log(interval.high) == pytest.approx(4.302653 * math.log(100) / math.sqrt(3), rel=1e-6)
    assert interval.low == pytest.approx(1 / interval.high)


def test_geometric_interval_can_be_wider_than_floating_point() -> None:
    """Two gradient norms 60 powers of ten apart: bounds 0 and infinite, without a warning."""
    interval, _ = statistics.log_mean_interval([1e-30, 1e30])
    assert (interval.low, interval.high) == (0.0, math.inf)
    assert interval.estimate == pytest.approx(1.0)
    frame = pd.DataFrame({"layer": 1, "norm": [1e-30, 1e30]})
    table = statistics.geometric_summary(frame, "norm", "layer")
    assert table[["ci_low", "ci_high"]].to_numpy().tolist() == [[0.0, math.inf]]


def test_binomial_interval_by_hand() -> None:
    """0 of n: the upper bound solves (1 - p)^n = 0.025; n of n mirrors it; 0 of 0 knows nothing."""
    none, every = statistics.proportion_interval(0, 10), statistics.proportion_interval(10, 10)
    assert (none.low, none.high) == (0.0, pytest.approx(1 - 0.025**0.1))
    assert (every.low, every.high) == (pytest.approx(0.025**0.1), 1.0)
    assert math.isnan(statistics.proportion_interval(0, 0).estimate)
    with pytest.raises(ValueError, match="k"):
        statistics.proportion_interval(4, 3)


@pytest.mark.parametrize("n", [3, SEEDS])
def test_binomial_interval_covers_at_least_its_level(n: int) -> None:
    """Summing the binomial over all outcomes, no rate on a grid is covered by less than 95%."""
    found = [statistics.proportion_interval(count, n) for count in range(n + 1)]
    rates = np.linspace(0.005, 0.995, 199)
    covered = [[interval.low <= rate <= interval.high for interval in found] for rate in rates]
    coverage = (stats.binom.pmf(np.arange(n + 1), n, rates[:, None]) * np.array(covered)).sum(axis=1)
    assert coverage.min() >= 0.95
    assert coverage.min() < 0.9999  # an interval of [0, 1] would pass too


@pytest.mark.parametrize("n", [3, SEEDS])
def test_t_intervals_cover_within_two_points(n: int) -> None:
    """10,000 samples: the interval holds the mean in 93% to 97%, and the geometric one of their exponentials too."""
    data = np.random.default_rng(n).normal(0.7, 0.2, size=(10_000, n))
    frame = pd.DataFrame({"sample": np.repeat(np.arange(10_000), n), "value": data.ravel()})
    for table, truth in (
        (statistics.summarise(frame, "value", "sample"), 0.7),
        (statistics.geometric_summary(frame.assign(value=np.exp(frame["value"])), "value", "sample"), math.exp(0.7)),
    ):
        assert 0.93 <= table["ci_low"].le(truth).mul(table["ci_high"].ge(truth)).mean() <= 0.97


def test_sign_flip_by_hand_at_four() -> None:
    """Differences 4, 3, 2, -1 sum to 8. The magnitudes 4, 3, 2, 1 have 16 signed sums, listed by their signs:

    ++++ 10   +++-  8   ++-+  6   ++--  4   +-++  4   +-+-  2   +--+  0   +--- -2
    -+++  2   -++-  0   -+-+ -2   -+-- -4   --++ -4   --+- -6   ---+ -8   ---- -10

    Four are at least 8 in size: 10, 8, -8, -10, so p = 4/16. No difference is NaN, and one cannot reject.
    """
    assert statistics.sign_flip_test([4.0, 3.0, 2.0, -1.0]) == 4 / 16
    assert math.isnan(statistics.sign_flip_test([]))
    assert statistics.sign_flip_test([0.1]) == statistics.sign_flip_test([0.0] * 4) == 1.0


def test_sums_that_tie_but_for_rounding_tie() -> None:
    """Accuracies in steps of 0.01 give the p of the same differences as whole numbers, which have no rounding."""
    hundredths = np.random.default_rng(2).integers(85, 99, size=(100, 2, 8))
    accuracies = hundredths / 100
    for (a, b), (whole_a, whole_b) in zip(accuracies, hundredths, strict=True):
        assert statistics.sign_flip_test(a - b) == statistics.sign_flip_test(whole_a - whole_b)


def test_sign_flip_above_twenty_is_drawn_and_seeded() -> None:
    """18 of 25 differences of 1 are positive: the sign test's exact binomial p, but for the drawing."""
    differences = [1.0] * 18 + [-1.0] * 7
    exact = stats.binomtest(18, 25).pvalue
    found = statistics.sign_flip_test(differences)
    assert found == pytest.approx(exact, abs=0.003)  # standard error 0.0006
    assert found == statistics.sign_flip_test(differences)
    assert statistics.sign_flip_test([1.0] * 40) == 1e-5  # (0 + 1) / (99,999 + 1)


def test_holm_by_hand() -> None:
    """0.01 x 3, then 0.03 x 2, then 0.04 raised to 0.06; a comparison never made still counts; at most 1."""
    np.testing.assert_allclose(statistics.holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(statistics.holm([0.01, math.nan, 0.03]), [0.03, math.nan, 0.06])
    np.testing.assert_allclose(statistics.holm([0.7, 0.6]), [1, 1])
    assert statistics.holm([]).size == 0


def null_differences(kind: str, runs: int, n: int) -> np.ndarray:
    """(runs, 3, n) differences from a shared reference, with a seed's effect; `one real` shifts the first arm."""
    generator = np.random.default_rng(11)
    noise = generator.normal(size=(runs, 4, n)) if kind != "skewed" else generator.lognormal(size=(runs, 4, n))
    scores = noise + generator.normal(size=(runs, 1, n))
    scores[:, 1] += 3.0 if kind == "one real" else 0.0
    return scores[:, 1:] - scores[:, :1]


@pytest.mark.parametrize("kind", ["normal", "skewed", "one real"])
def test_family_wise_error_is_at_most_five_percent(kind: str) -> None:
    """n=10, three comparisons with one reference, 2,000 families: Holm rejects a true null in at most 5% of them.

    Simultaneous intervals miss a true difference in at most 5%, but for the simulation's error.

    Uncorrected, the families without a real difference err in more than 8%: the simulation can see a failure.
    """
    differences = null_differences(kind, 2_000, 10)
    p = np.array([[statistics.sign_flip_test(arm) for arm in family] for family in differences])
    null = slice(1, None) if kind == "one real" else slice(None)
    adjusted = np.array([statistics.holm(family) for family in p])
    assert (adjusted[:, null] <= 0.05).any(axis=1).mean() <= 0.05
    assert kind == "one real" or (p <= 0.05).any(axis=1).mean() > 0.08
    assert kind != "one real" or (adjusted[:, 0] <= 0.05).mean() > 0.9
    centred = differences - (np.array([3.0, 0, 0])[:, None] if kind == "one real" else 0)
    bounds = [[statistics.mean_interval(arm, 1 - 0.05 / 3) for arm in family] for family in centred]
    assert np.mean([any(i.low > 0 or i.high < 0 for i in family) for family in bounds]) <= 0.055


@pytest.mark.parametrize("mean", [-0.9, -0.3, 0.3, 0.9])
def test_equivalence_is_two_one_sided_t_tests(mean: float) -> None:
    """The p is the larger of scipy's two one-sided ones, and is below 0.05 exactly where the 90% interval is inside."""
    differences = np.random.default_rng(5).normal(mean, 0.5, 8)
    p, interval = statistics.equivalence_test(differences, 1.0), statistics.mean_interval(differences, 0.9)
    sides = ((-1.0, "greater"), (1.0, "less"))
    assert p == pytest.approx(max(stats.ttest_1samp(differences, end, alternative=side).pvalue for end, side in sides))
    assert (interval.low > -1 and interval.high < 1) == (p < 0.05)


def test_equivalence_of_degenerate_differences() -> None:
    """Fewer than two pairs show nothing; equal differences are inside or outside; a margin of 0 or NaN is refused."""
    assert all(math.isnan(statistics.equivalence_test(differences, 1.0)) for differences in ([], [0.0]))
    assert [statistics.equivalence_test([0.1] * 5, margin) for margin in (0.2, 0.05)] == [0.0, 1.0]
    for margin in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="margin must be positive"):
            statistics.equivalence_test([0.1, 0.2], margin)


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


def test_geometric_summary_refuses_negatives() -> None:
    """A norm below 0 is an error."""
    frame = pd.DataFrame({"layer": 1, "value": [1.0, -1.0]})
    with pytest.raises(ValueError, match=r"must not be negative on a log scale, got -1\.0"):
        statistics.geometric_summary(frame, "value", "layer")


def test_rates_have_exact_intervals() -> None:
    """One diverged run of four and none of two: the counts, the shares and `proportion_interval`'s bounds."""
    frame = pd.DataFrame({"activation": ["relu"] * 4 + ["gelu"] * 2, "diverged": [True] + [False] * 5})
    table = statistics.share_summary(frame, "diverged", "activation")
    assert table.iloc[:, :4].to_numpy().tolist() == [["relu", 4, 1, 0.25], ["gelu", 2, 0, 0.0]]
    assert table["ci_high"].tolist() == [statistics.proportion_interval(*case).high for case in ((1, 4), (0, 2))]
    with pytest.raises(ValueError, match="diverged must be boolean"):
        statistics.share_summary(frame.assign(diverged=math.nan), "diverged", "activation")


def test_empty_frames_give_empty_tables() -> None:
    """No runs yet, or none of this kind: a table without rows and with its columns."""
    frame = pd.DataFrame({"activation": [], "seed": [], "accuracy": [], "diverged": np.array([], bool)})
    assert "ci_low" in statistics.summarise(frame, "accuracy", "activation")
    assert "n_zero" in statistics.geometric_summary(frame, "accuracy", ["activation", "seed"])
    assert "ci_high" in statistics.share_summary(frame, "diverged", "activation")


@pytest.mark.parametrize("confidence", [-0.5, 95])
def test_confidence_is_a_share(confidence: float) -> None:
    """95 for 95% is refused."""
    with pytest.raises(ValueError, match="confidence"):
        statistics.mean_interval([1.0, 2.0], confidence)
