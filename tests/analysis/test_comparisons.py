"""Each activation against the reference: the rows of the table, and when there are none."""

import math

import pandas as pd

from study.analysis.comparisons import against_reference


def runs(**shifts: float) -> pd.DataFrame:
    """Ten seeds whose accuracy is 0.97, scattered by seed and activation, shifted by activation."""
    rows = [
        {"activation": name, "seed": seed, "accuracy": 0.97 + shift + 1e-4 * ((seed * (3 + place)) % 7)}
        for place, (name, shift) in enumerate(shifts.items())
        for seed in range(10)
    ]
    return pd.DataFrame(rows)


def test_rows_say_what_was_compared() -> None:
    """The experiment, the metric and both activations; the difference is the mean over seeds of the paired one."""
    frame = runs(relu=0, gelu=0.01)
    found = against_reference(frame, "here", "accuracy")
    assert found is not None
    assert found.iloc[0][["experiment", "metric", "activation", "reference"]].tolist() == [
        "here", "accuracy", "gelu", "relu",
    ]  # fmt: skip
    means = frame.groupby("activation")["accuracy"].mean()
    assert math.isclose(found["difference"][0], means["gelu"] - means["relu"])


def test_nothing_is_compared_without_the_reference_or_another() -> None:
    """One activation, two that are not the reference, or no run at all."""
    assert against_reference(runs(relu=0), "here", "accuracy") is None
    assert against_reference(runs(gelu=0, swish=0), "here", "accuracy") is None
    assert against_reference(runs(relu=0)[:0], "here", "accuracy") is None


def test_one_seed_has_no_interval() -> None:
    """The difference is known, and its bounds are not."""
    found = against_reference(runs(relu=0, gelu=0.01)[lambda frame: frame["seed"] == 0], "here", "accuracy")
    assert found is not None
    assert math.isfinite(found["difference"][0])
    assert math.isnan(found["ci_low"][0])
