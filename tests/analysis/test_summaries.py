"""Summary tables count and average what they say."""

import math

import numpy as np
import pandas as pd
import pytest

from study.analysis.summaries import RUN_KEYS, accuracy, final_units, gradient_norms


def runs(**columns: list) -> pd.DataFrame:
    return pd.DataFrame({"best_test_accuracy": math.nan, "test_mae": 0.01, "epochs": 3.0, "seconds": 1.0, **columns})


def test_accuracy_counts_diverged_runs_and_averages_the_others() -> None:
    """0.90, 0.92 and 0.94: mean 0.92, t interval 0.92 -+ 4.303 * 0.02 / sqrt(3); the diverged run enters neither.

    The weights of the lowest validation loss have an accuracy of their own, of half the spread. The columns that
    readers of tables/accuracy.csv rely on come first, in their order.
    """
    table = accuracy(
        runs(
            activation=["relu"] * 4 + ["gelu"],
            status=["done"] * 3 + ["diverged"] * 2,
            test_accuracy=[0.90, 0.92, 0.94, math.nan, math.nan],
            best_test_accuracy=[0.95, 0.96, 0.97, math.nan, math.nan],
        ),
        "baseline",
    )
    promised = ["experiment", "activation", "n", "diverged", "test_accuracy_mean", "ci_low", "ci_high"]
    assert list(table.columns[:7]) == promised
    assert table.iloc[:, :4].to_numpy().tolist() == [["baseline", "relu", 3, 1], ["baseline", "gelu", 0, 1]]
    half = 4.30265 * 0.02 / math.sqrt(3)
    best = ["best_test_accuracy_mean", "best_ci_low", "best_ci_high"]
    expected = [0.92, 0.92 - half, 0.92 + half, 0.96, 0.96 - half / 2, 0.96 + half / 2]
    np.testing.assert_allclose(table.loc[0, [*promised[4:], *best]].astype(float), expected, rtol=1e-5)
    assert table.loc[1, promised[4:]].isna().all()


def test_groups_are_never_mixed_up() -> None:
    """Whatever the order of the rows and of the counted columns, a group's diverged runs stay with its accuracies."""
    frame = runs(
        activation=["b", "a", "b", "a", "c"],
        status=["done", "diverged", "diverged", "diverged", "done"],
        test_accuracy=[0.5, math.nan, math.nan, math.nan, 0.7],
    )
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]):
        table = accuracy(frame.iloc[order], "x").set_index("activation")
        assert table["diverged"].to_dict() == {"a": 2, "b": 1, "c": 0}
        assert table["n"].to_dict() == {"a": 0, "b": 1, "c": 1}


def measured(measure: str, values: list[float]) -> pd.DataFrame:
    keys = dict.fromkeys(RUN_KEYS, "same")
    return pd.DataFrame({"value": values, "layer": 1, "epoch": 0.0, "step": 0, "measure": measure, **keys})


@pytest.mark.parametrize(
    ("measure", "values", "mean", "counts"),
    [
        ("error", [1.0, 100.0, 0.0], 10, (2, 1)),
        ("error", [0.0, 0.0], math.nan, (0, 2)),
        ("dead_units", [0.0, 0.5], 0.25, (2, 0)),
    ],
)
def test_norms_are_averaged_as_logarithms(
    measure: str, values: list[float], mean: float, counts: tuple[int, int]
) -> None:
    """Exact zeros of norms are counted apart; only zeros have no mean. Shares are averaged as they are."""
    row = gradient_norms(measured(measure, values), "x").iloc[0]
    assert row["mean"] == pytest.approx(mean, nan_ok=True)
    assert (row["n"], row["n_zero"]) == counts
    assert math.isnan(mean) == row[["ci_low", "ci_high"]].isna().all()
    assert math.isnan(mean) or row["ci_low"] < mean < row["ci_high"]


def test_final_shares_are_of_each_runs_own_last_step() -> None:
    """(0.2 + 0.4) / 2 and (0.5 + 0.7) / 2 of the hidden layers at steps 2 and 3; 0.45 -+ 12.7062 * 0.15 is clipped."""
    keys = dict.fromkeys(RUN_KEYS, "same")
    rows = [
        *((0, 2, layer, "sparsity", value) for layer, value in ((1, 0.2), (2, 0.4), (3, 0.9))),
        *((1, 3, layer, "sparsity", value) for layer, value in ((1, 0.5), (2, 0.7), (3, math.nan))),
        *((seed, 1, 1, "sparsity", 0.9) for seed in (0, 1)),
        (0, 2, 1, "error", 5.0),
    ]
    frame = pd.DataFrame(rows, columns=["seed", "step", "layer", "measure", "value"]).assign(**keys | {"depth": 2})
    of_activations, of_runs = final_units(frame, "x").values()
    assert of_runs[["seed", "measure"]].to_numpy().tolist() == [[0, "sparsity"], [1, "sparsity"]]
    assert of_runs["layers_mean"].tolist() == pytest.approx([0.3, 0.6])
    (row,) = of_activations.to_dict("records")
    assert (row["experiment"], row["measure"], row["n"]) == ("x", "sparsity", 2)
    assert row["mean"] == pytest.approx(0.45)
    assert (row["ci_low"], row["ci_high"]) == (0, 1)


def test_what_is_undefined_is_no_row() -> None:
    """The output layer has no dead units: not zero of them, and not a row of dashes."""
    assert gradient_norms(measured("dead_units", [math.nan]), "x").empty
