"""Goals are met or missed by the estimate, and narrowly by its error, by one rule for both."""

import math

import pandas as pd
import pytest

from study.analysis.goals import goal_columns, with_goal


@pytest.mark.parametrize(
    ("estimate", "low", "high", "met", "narrowly"),
    [
        (2.1, 2.05, 2.2, True, False),
        (2.1, 1.9, 2.2, True, True),
        (1.9, 1.8, 2.2, False, True),
        (1.9, 1.8, 1.95, False, False),
        (2.0, 2.0, 2.0, True, True),
        (2.1, math.nan, math.nan, True, False),
    ],
)
def test_a_win_and_a_miss_are_narrow_by_one_rule(
    estimate: float, low: float, high: float, met: bool, narrowly: bool
) -> None:
    """Of a goal of at least 2, and mirrored of a goal of at most -2."""
    expected = {"met": met, "narrowly": narrowly}
    assert goal_columns(estimate, low, high, 2.0) == expected
    assert goal_columns(-estimate, -high, -low, -2.0, "≤") == expected


def test_without_a_goal_nothing_is_met() -> None:
    assert goal_columns(1.0, 0.0, 2.0, math.nan) == {"met": False, "narrowly": False}


def test_other_test_images_make_a_goal_narrow_too() -> None:
    """Of 10,000 images at 99%: standard error 0.0995 points, 95% interval 98.805 to 99.195, wider than over seeds.

    The third row has a wider interval over seeds. The others with a wide one, or none, have one or two seeds.
    """
    rows = [(0.99, 0.989, 0.991, 5), (0.99, 0.989, 0.991, 5), (0.99, 0.98, 1.0, 3), (0.99, 0.98, 1.0, 2)]
    table = pd.DataFrame([*rows, (0.99, math.nan, math.nan, 1)], columns=["mean", "ci_low", "ci_high", "n"])
    found = with_goal(table, [0.9881, 0.9919, 0.9801, 0.9801, 0.9920])
    assert found["sampling_error"].tolist() == pytest.approx([0.000995] * 5, rel=1e-3)
    assert found["met"].tolist() == [True, False, True, True, False]
    assert found["narrowly"].tolist() == [True, True, True, False, False]
