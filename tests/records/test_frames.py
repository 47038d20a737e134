"""Records become one flat row an observation, each number in its column."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_records import MEASURES, SCORES, STEPS
from fake_runs import record

from study.records.frames import all_runs, history_frame, measures_frame, noise_frame, runs_frame, runs_used_by
from study.records.identity import identity
from study.records.store import make_record
from study.report import columns
from study.settings import Settings


def test_runs_are_one_row_each_with_the_promised_columns() -> None:
    """The columns that say which run it was are there, and each number stands in its column."""
    done = record(seed=3, depth=2, width=(7, 5))
    row = runs_frame([done]).iloc[0]
    expected = {"activation": "relu", "depth": 2, "width": "7-5", "init": "glorot_uniform", "variant": "plain",
                "optimiser": "adam", "learning_rate": 0.01, "batch": 100, "dropout": 0.0, "seed": 3, "epochs": 3,
                "status": "done"}  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    for name in SCORES:
        assert row[name] == done["result"]["last"][name]
        assert row[f"best_{name}"] == done["result"]["best"][name]
    assert row["seconds"] == done["provenance"]["timings"]["seconds"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", 1), ("depth", 2), ("width", 50), ("residual", "plain"), ("dropout", 0.5), ("shift", 1), ("batch", 50),
        ("learning_rate", 0.1), ("epsilon", 1e-12), ("validation", 10), ("epochs", 0), ("patience", None),
        ("noise", (0.5, 1.0)), ("initialization", "he_normal"), ("normalization", "layer"), ("loss", "squared_error"),
        ("schedule", "cosine"), ("warm_up", 2), ("weight_decay", 0.1), ("averaging", 0.9), ("label_smoothing", 0.1),
        ("rotation", 1), ("scaling", 0.1), ("shear", 0.1), ("elastic", 1), ("weaker_epochs", 1), ("weaker_share", 0.5),
    ],
)  # fmt: skip
def test_a_run_is_told_from_any_other_by_its_row(name: str, value: object) -> None:
    """Two runs that differ in one setting differ in a column besides the id, and every column has a meaning."""
    frame = runs_frame([record(), record(**{name: value})])
    plain, other = frame.drop(columns=["run", "seconds"]).astype(str).to_numpy()
    assert (plain != other).any()
    assert [column for column in frame if columns.meaning(column) is None] == []


def test_every_run_has_one_row_with_all_its_users() -> None:
    """A run that two experiments share stands once, with both names; a failed one has its status, and is not used.

    `seeds` does not use the run of `few_seeds`, a name that contains its own.
    """
    shared, own = record(seed=1), record(seed=2)
    another = identity(Settings(activation="relu", seed=3), "data", "function")
    failed = make_record(another, own["activation"], {"status": "crashed", "cause": "?"}, {})
    runs = all_runs({"seeds": [shared, own], "few_seeds": [shared, failed], "few": [record(seed=4)]})
    assert runs[["experiments", "seed", "status"]].to_numpy().tolist() == [
        ["seeds few_seeds", 1, "done"], ["seeds", 2, "done"], ["few_seeds", 3, "crashed"], ["few", 4, "done"],
    ]  # fmt: skip
    assert runs["run"].tolist()[:3] == [one["id"] for one in (shared, own, failed)]
    assert [runs_used_by(runs, name)["seed"].tolist() for name in ("seeds", "few_seeds", "few")] == [[1, 2], [1], [4]]


def test_a_diverged_run_is_a_row_without_scores() -> None:
    """It says at which step it diverged, and its scores are NaN: nobody can average them by mistake."""
    frame = runs_frame([record(), record("diverged", seed=1)])
    diverged = frame[frame["seed"] == 1].iloc[0]
    assert (diverged["status"], diverged["diverged_step"], diverged["epochs"]) == ("diverged", 3, 2)
    assert diverged.filter(regex="_loss|_accuracy|_mae").isna().all()
    assert frame.filter(regex="_loss|_accuracy|_mae").dtypes.eq(float).all()


def test_history_is_one_row_an_epoch_of_numbers() -> None:
    """Each run keeps its epochs and values; a loss that became NaN is NaN, also where no other run has a number."""
    runs = [record("diverged at once"), record(seed=1)]
    frame = history_frame(runs)
    assert list(frame.groupby("seed")["epoch"].apply(list)) == [[1], [1, 2, 3]]
    assert frame.loc[frame["seed"] == 1, "training_loss"].tolist() == runs[1]["result"]["history"]["training_loss"]
    assert math.isnan(frame.loc[frame["seed"] == 0, "training_loss"].item())
    assert history_frame(runs[:1])["training_loss"].dtype == float


def test_measures_are_one_row_a_run_step_layer_and_measure() -> None:
    """Every measured number is found at its step and layer (1 = nearest the input); null is NaN."""
    runs = [record(seed=1, depth=2), record(seed=2, depth=1)]
    frame = measures_frame(runs)
    assert len(frame) == len(STEPS) * len(MEASURES) * (3 + 2)
    assert not frame.duplicated(["seed", "step", "layer", "measure"]).any()
    at = frame.set_index(["seed", "measure", "step", "layer"])["value"]
    for run, seed in zip(runs, (1, 2), strict=True):
        for name in MEASURES:
            for place, step in enumerate(STEPS):
                for layer, value in enumerate(run["result"]["measures"][name][place], start=1):
                    expected = math.nan if value is None else value
                    np.testing.assert_equal(at[seed, name, step, layer], expected)
    assert pd.isna(at[1, "dead_units", 0, 3]), "the output layer has no units to die"


def test_noise_is_one_row_a_run_and_amplitude() -> None:
    """A run without noisy test images has no row; the others have theirs, under their own seed."""
    runs = [record(seed=1, noise=(0.0, 0.5)), record(seed=2)]
    frame = noise_frame(runs)
    assert frame[["seed", "amplitude"]].to_numpy().tolist() == [[1, 0.0], [1, 0.5]]
    assert frame["test_accuracy"].tolist() == runs[0]["result"]["noise"]["test_accuracy"]
    assert noise_frame(runs[1:]).empty


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "plain"),
        ({"normalization": "batch", "residual": "plain"}, "batch normalisation, residual"),
        ({"residual": "scaled"}, "scaled residual"),
        ({"output": "sigmoid", "loss": "squared_error"}, "sigmoid output, squared error"),
        ({"shift": 2, "epsilon": 1e-12}, "shift 2, epsilon 1e-12"),
        ({"schedule": "cosine", "averaging": 0.999, "elastic": 1.5}, "cosine, averaging 0.999, elastic 1.5"),
        ({"optimizer": "sgd", "momentum": 0.9}, "momentum 0.9"),
    ],
)
def test_a_variant_names_what_is_not_plain(settings: dict[str, Any], expected: str) -> None:
    """Whatever sets a network apart from the article's is in its variant, and nothing else is."""
    assert runs_frame([record(**settings)])["variant"].item() == expected
