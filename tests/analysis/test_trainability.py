"""How deep a network trains and how its errors shrink, on small frames whose answer is known."""

import math

import numpy as np
import pandas as pd
import pytest

from study.analysis import trainability
from study.constants import PROFILE_DEPTH, TRAINED_LEVEL, WIDTH

SAME = {"activation": "relu", "init": "glorot_uniform", "variant": "plain", "optimiser": "sgd", "learning_rate": 0.01}


def runs(accuracies: dict[tuple[int, int], float]) -> pd.DataFrame:
    """Make a row per (seed, depth) with this best validation accuracy."""
    rows = [SAME | {"seed": s, "depth": d, "best_validation_accuracy": a} for (s, d), a in accuracies.items()]
    return pd.DataFrame(rows)


def measured(depth: int, errors: dict[int, list[float]]) -> pd.DataFrame:
    """Make the initial errors per seed of layers 1 .. depth + 1."""
    rows = [
        SAME
        | {"depth": depth, "width": 100, "seed": seed, "layer": i + 1, "step": 0, "measure": measure, "value": value}
        for seed, values in errors.items()
        for i, value in enumerate(values)
        for measure in ("error", "example_weight_gradient", "preactivation_square")
    ]
    return pd.DataFrame(rows)


def predicted(depth: int, values: list[float]) -> pd.DataFrame:
    """Theory's error of layers 1 .. depth + 1, relative to the output layer's."""
    rows = {"layer": range(1, len(values) + 1), "predicted": values, "predicted_spread": values}
    return pd.DataFrame(rows).assign(
        activation="relu", init="glorot_uniform", depth=depth, width=100, quantity="error_norm_ratio"
    )


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        # Seed 0 trains at 1 and 5 but not at 2: it reached 1. Seed 1 trains at all: it reached 5.
        ({(0, 1): 0.9, (0, 2): 0.1, (0, 5): 0.9, (1, 1): 0.9, (1, 2): 0.8, (1, 5): 0.7}, (2, 3, 1, 5, 5, math.nan)),
        # Seed 1 was never run at depth 5, so that it reached 2 says nothing of depth 5: only seed 0 counts.
        ({(0, 1): 0.9, (0, 2): 0.9, (0, 5): 0.9, (1, 1): 0.9, (1, 2): 0.9}, (1, 5, 5, 5, 5, math.nan)),
        # A run that diverged at the smallest depth has failed there, which is depth 0.
        ({(0, 1): math.nan, (0, 2): 0.9}, (1, 0, 0, 0, 2, 1)),
        # At depth 2 the network is clearly above 50%, a little above, a little below, clearly below.
        ({(0, 1): 0.9, (0, 2): 0.65, (0, 5): 0.1}, (1, 2, 2, 2, 5, 5)),
        ({(0, 1): 0.9, (0, 2): 0.55, (0, 5): 0.1}, (1, 2, 1, 2, 5, 5)),
        ({(0, 1): 0.9, (0, 2): 0.45, (0, 5): 0.1}, (1, 1, 1, 2, 5, 5)),
        ({(0, 1): 0.9, (0, 2): 0.35, (0, 5): 0.1}, (1, 1, 1, 1, 5, 2)),
    ],
)
def test_the_trained_depth_of_seeds(accuracies: dict[tuple[int, int], float], expected: tuple[float, ...]) -> None:
    """A success at a depth after a failure does not count, and near the level a depth is in the range alone."""
    row = trainability.trainable_depth(runs(accuracies)).iloc[0]
    found = row[["n", "median", "low", "high", "deepest", "next_depth"]].astype(float)
    np.testing.assert_array_equal(found, expected)


def test_each_setting_has_its_own_grid() -> None:
    """Adam trains at 1 and 2 of 1, 2 and 5; SGD, run to depth 2 alone, trains at all depths and has no next one."""
    adam = runs({(0, 1): 0.9, (0, 2): 0.9, (0, 5): 0.1}).assign(optimiser="adam")
    table = trainability.trainable_depth(pd.concat([adam, runs({(0, 1): 0.9, (0, 2): 0.9})]))
    assert table[["median", "deepest", "next_depth"]].to_numpy().tolist()[0] == [2, 5, 5]
    assert table[["median", "deepest"]].to_numpy().tolist()[1] == [2, 2]
    assert math.isnan(table["next_depth"][1])


def test_similarity_is_of_untrained_networks_and_of_the_last_update() -> None:
    """Two float64 networks at 0.2 and 0.4: mean 0.3, with theory; the trained one at its last step, without theory."""
    layer = {"depth": 2, "width": WIDTH, "layer": 1, "measure": "similarity"}
    rows = [
        *({"precision": "float64", "seed": seed, "step": 0, "value": value} for seed, value in ((0, 0.2), (1, 0.4))),
        *({"precision": "float32", "seed": 0, "step": step, "value": step / 1000} for step in (0, 10, 480)),
    ]
    theory = predicted(2, [0.5]).assign(quantity="similarity", width=WIDTH)
    found = trainability.similarity(pd.DataFrame([SAME | layer | row for row in rows]), theory, 480)
    initial, end = found.to_dict("records")
    assert (initial["when"], initial["n"], initial["predicted"]) == ("initial", 2, 0.5)
    assert initial["mean"] == pytest.approx(0.3)
    assert (initial["ci_low"], initial["ci_high"]) == (pytest.approx(0.3 - 12.7062 * 0.1, rel=1e-5), 1)
    assert (end["when"], end["mean"], end["distance"], end["optimiser"]) == ("end", 0.48, 0.52, "sgd")
    assert math.isnan(end["predicted"])


@pytest.mark.parametrize(("accuracy", "is_trained"), [(TRAINED_LEVEL, 1), (TRAINED_LEVEL - 1e-9, 0)])
def test_trained_is_at_least_the_level(accuracy: float, is_trained: int) -> None:
    table = trainability.success(runs({(0, 1): accuracy}))
    assert table["n_trained"].item() == is_trained
    assert table["n"].item() == 1


def test_the_factor_is_the_geometric_mean_step_between_hidden_layers() -> None:
    """Errors 1, 2, 4, 8, 16 over five layers grow by 2 a layer towards the output: 1/2 a layer towards the input."""
    values = [1.0, 2.0, 4.0, 8.0, 16.0, 100.0]
    table = trainability.shrink_factors(measured(5, {0: values, 1: values}), predicted(5, values))
    row = table[table["depth"] == 5].iloc[0]
    assert row["factor"] == pytest.approx(0.5)
    assert row["predicted"] == pytest.approx(0.5)
    assert (row["n"], row["n_zero"]) == (2, 0)


def test_measured_ratios_are_to_the_output_layer_of_the_same_run() -> None:
    """Seed 1's errors are ten times seed 0's, and 5% above in the hidden layers: the ratios differ by 5% alone.

    On the log scale their t interval is a factor of e^0.31 each way: theory's 0.1 lies inside it, 0.3 outside.
    """
    one = [0.1, 0.2, 1.0]
    frame = trainability.beside_theory(measured(2, {0: one, 1: [1.05, 2.1, 10.0]}), predicted(2, [0.1, 0.3, 1.0]))
    assert frame["measured"].tolist() == pytest.approx([0.1 * 1.05**0.5, 0.2 * 1.05**0.5, 1.0])
    assert frame["is_inside"].tolist()[:2] == [True, False]
    missed = trainability.missed_layers(frame)
    assert missed.to_numpy().tolist() == [["error_norm_ratio", 100, 3, pytest.approx(1 / 3)]]


def test_an_error_of_exactly_zero_is_counted_apart() -> None:
    """A seed whose first layer's error is 0 has no logarithm: it is counted in n_zero and not in the mean."""
    values = [1.0, 2.0, 4.0, 8.0, 16.0, 100.0]
    found = measured(5, {0: values, 1: [0.0, *values[1:]]})
    table = trainability.shrink_factors(found, predicted(5, values))
    assert table[["n", "n_zero"]].iloc[0].tolist() == [1, 1]
    assert table["factor"].item() == pytest.approx(0.5)


def test_of_deep_networks_a_table_keeps_the_ends_of_training() -> None:
    """All of shallow networks there; of deep ones the norms; of followed plain ones also steps between."""
    shallow, deep, followed = PROFILE_DEPTH - 1, PROFILE_DEPTH + 1, trainability.FOLLOWED_DEPTHS[0]
    rows = [
        {"depth": depth, "variant": variant, "precision": "float32", "step": step, "measure": measure}
        for depth, variant in ((shallow, "plain"), (deep, "plain"), (followed, "plain"), (followed, "residual"))
        for step in (0, 10, 480)
        for measure in ("error", "example_weight_gradient", "sparsity")
    ]
    every = trainability.thinned_norms(pd.DataFrame(rows), 480)
    between = every[every["step"] == 10]
    assert between[["depth", "variant", "measure"]].to_numpy().tolist() == [[followed, "plain", "error"]]
    kept = every[every["variant"] == "plain"]
    assert kept[kept["depth"] == shallow]["step"].tolist() == [0, 0, 0, 480, 480, 480]
    of_deep = kept[kept["depth"] == deep]
    assert of_deep[["step", "measure"]].to_numpy().tolist() == [
        [0, "error"], [0, "example_weight_gradient"], [480, "error"],
    ]  # fmt: skip
