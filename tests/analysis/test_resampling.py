"""Check the resampling of seeds on accuracies whose answer is known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from study.analysis.resampling import draw_small_samples, estimate_over_seeds
from study.analysis.statistics import Interval


def arms(seed: int = 0, n: int = 10, **means: float) -> pd.DataFrame:
    """Draw normal accuracies with a deviation of 0.01 about each mean."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: rng.normal(mean, 0.01, n) for name, mean in means.items()})


def test_a_difference_without_doubt_is_always_found() -> None:
    """Arms ten deviations of their scatter apart: Welch at n = 3 finds nearly every draw, and the sign is right."""
    found = draw_small_samples(arms(relu=0.5, up=0.9, down=0.1), "relu", {"up": 1, "down": -1}, n=3, draws=2_000)
    table = found.table.set_index("activation")
    assert table.loc["up", ["share_better", "share_worse"]].tolist() == [1.0, 0.0]
    assert table.loc["down", ["share_better", "share_worse"]].tolist() == [0.0, 1.0]
    assert table["share_unsupported"].tolist() == [0.0, 0.0]
    wrong = draw_small_samples(arms(relu=0.5, up=0.9, down=0.1), "relu", {"up": -1, "down": -1}, n=3, draws=100)
    assert wrong.table["share_unsupported"].tolist() == [1.0, 0.0]


def test_winners_are_welchs() -> None:
    """With n = N - 1 of 4 there are 4 x 4 draws a pair, as likely: the shares are scipy's over all sixteen."""
    found = arms(3, 4, relu=0.5, other=0.55)
    leave_one_out = [[np.delete(found[name].to_numpy(), i) for i in range(4)] for name in found]
    results = [stats.ttest_ind(b, a, equal_var=False) for a in leave_one_out[0] for b in leave_one_out[1]]
    share = np.mean([result.pvalue < 0.05 for result in results])
    assert 0 < share < 1
    row = draw_small_samples(found, "relu", {"other": 0}, n=3, draws=40_000).table.iloc[0]
    assert row["share_better"] == pytest.approx(share, abs=0.01)
    assert row["share_unsupported"] == row["share_better"] + row["share_worse"]


def test_arms_that_differ_have_an_excess_and_equal_ones_have_none() -> None:
    """In an arm two deviations away, n = 3 finds more than noise alone does; in a shifted one, exactly as much."""
    apart = draw_small_samples(arms(1, 40, relu=0.5, a=0.52), "relu", {"a": 0}, n=3, draws=20_000)
    assert apart.excess.low > 0
    assert apart.excess.n == 40
    equal = arms(1, 40, relu=0.5, a=0.5)
    equal["a"] += equal["relu"].mean() - equal["a"].mean()
    same = draw_small_samples(equal, "relu", {"a": 0}, n=3, draws=20_000)
    assert same.excess.estimate == 0.0
    assert same.false_winners.estimate == same.table["share_by_noise"].iloc[0]


def test_without_an_undecided_activation_no_winner_is_false() -> None:
    """All seeds tell the only other one from the reference, so the share of false winners is undefined."""
    found = draw_small_samples(arms(relu=0.5, a=0.9), "relu", {"a": 1}, n=3, draws=100)
    assert np.isnan([found.excess.estimate, found.false_winners.estimate]).all()


@pytest.mark.filterwarnings("error")
def test_a_seed_that_every_draw_uses_leaves_no_interval() -> None:
    """Three of four seeds are drawn for each of ten activations: hardly a draw leaves a seed out."""
    names = [f"a{number}" for number in range(9)]
    wide = arms(0, 4, relu=0.5, **dict.fromkeys(names, 0.5))
    found = draw_small_samples(wide, "relu", dict.fromkeys(names, 0), n=3, draws=200)
    assert 0 <= found.false_winners.estimate <= 1
    assert np.isnan([found.excess.low, found.excess.high]).all()


def test_the_intervals_over_seeds_cover() -> None:
    """In 85% of 50 studies of 25 seeds they hold a large study's share; not in 95%, as a jackknife approximates."""

    def winners(seed: int, n: int, draws: int) -> Interval:
        return draw_small_samples(arms(seed, n, relu=0.5, a=0.51), "relu", {"a": 0}, n=3, draws=draws).false_winners

    truth = winners(9, 2_000, 4_000).estimate
    found = [winners(seed, 25, 3_000) for seed in range(50)]
    assert np.mean([interval.low <= truth <= interval.high for interval in found]) >= 0.85


def test_arms_without_a_spread_have_no_winner_by_accident() -> None:
    """Equal accuracies: no p-value, no winner, no warning. No more runs than are drawn: refused."""
    equal = pd.DataFrame({"relu": [0.5] * 5, "a": [0.5] * 5})
    assert draw_small_samples(equal, "relu", {"a": 0}, n=3, draws=100).false_winners.estimate == 0.0
    with pytest.raises(ValueError, match="wide has 3 rows; to draw 3 runs, it must have more than 3"):
        draw_small_samples(equal[:3], "relu", {"a": 0}, n=3, draws=100)


def test_a_mean_over_seeds_has_nearly_the_t_interval() -> None:
    """The bootstrap's standard error of a mean is s / sqrt(n) sqrt((n - 1) / n), but for its own draws."""
    values = np.random.default_rng(1).normal(0.4, 1.0, 50)
    interval, p = estimate_over_seeds(lambda places: float(values[places].mean()), 50)
    expected = stats.ttest_1samp(values, 0.0)
    assert interval.estimate == pytest.approx(values.mean())
    assert [interval.low, interval.high] == pytest.approx(list(expected.confidence_interval()), abs=0.03)
    assert p == pytest.approx(expected.pvalue / 2, rel=0.3)


def test_the_variance_is_taken_off_a_squared_mean() -> None:
    """Of mean^2 the estimate is mean^2 - s^2 / n, which is right on average."""
    values = np.random.default_rng(2).normal(0.4, 1.0, 12)
    interval, _ = estimate_over_seeds(lambda places: float(values[places].mean() ** 2), 12, draws=2)
    assert interval.estimate == pytest.approx(values.mean() ** 2 - values.var(ddof=1) / 12)


def test_what_does_not_depend_on_the_seeds_is_certain() -> None:
    """A constant has an interval of no width; p is 0 above zero and 1 below it."""
    (above, p_above), (below, p_below) = (estimate_over_seeds(lambda _, value=value: value, 5) for value in (0.1, -0.1))
    assert (above.low, above.high, p_above) == pytest.approx((0.1, 0.1, 0.0))
    assert (below.low, below.high, p_below) == pytest.approx((-0.1, -0.1, 1.0))


@pytest.mark.parametrize(("mean", "scatters"), [(0.0, (0.3, 0.1)), (0.0, (0.1, 0.3)), (0.2, (0.3, 0.1))])
def test_nothing_is_found_where_nothing_is(mean: float, scatters: tuple[float, float]) -> None:
    """At 0.05, two arms of one mean and unequal scatter differ in 5% of 500 studies, and three standard errors."""
    rng = np.random.default_rng(3)

    def study() -> float:
        a, b = (rng.normal(mean, scatter, 20) for scatter in scatters)
        _, p = estimate_over_seeds(lambda places: a[places].mean() ** 2 - b[places].mean() ** 2, 20, draws=100)
        return p

    assert np.mean([study() < 0.05 for _ in range(500)]) <= 0.05 + 3 * (0.05 * 0.95 / 500) ** 0.5
