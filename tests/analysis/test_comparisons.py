"""Each activation against the reference: the table's rows and the sentence made of them."""

import math

import pandas as pd

from study.analysis.comparisons import against_reference, columns, verdict

LABELS = {"relu": "ReLU", "gelu": "G*LU", "swish": "Swish"}


def runs(**shifts: float) -> pd.DataFrame:
    """Ten seeds whose accuracy is 0.97, scattered by seed and activation, shifted by activation."""
    rows = [
        {"activation": name, "seed": seed, "accuracy": 0.97 + shift + 1e-4 * ((seed * (3 + place)) % 7)}
        for place, (name, shift) in enumerate(shifts.items())
        for seed in range(10)
    ]
    return pd.DataFrame(rows)


def test_rows_say_what_was_compared() -> None:
    found = against_reference(runs(relu=0, gelu=0.01), "here", "accuracy")
    assert found is not None
    assert found.iloc[0][["experiment", "metric", "activation", "reference"]].tolist() == [
        "here", "accuracy", "gelu", "relu",
    ]  # fmt: skip


def test_nothing_is_compared_without_the_reference_or_another() -> None:
    assert against_reference(runs(relu=0), "here", "accuracy") is None
    assert against_reference(runs(gelu=0, swish=0), "here", "accuracy") is None
    assert against_reference(runs(relu=0)[:0], "here", "accuracy") is None
    assert columns(None, "relu", LABELS) == {}


def test_the_sentence_names_who_differs_and_bounds_the_others() -> None:
    """Labels are escaped for Markdown; the bound is the furthest end of the others' intervals, in points."""
    found = against_reference(runs(relu=0, gelu=0.01, swish=0), "here", "accuracy")
    assert found is not None
    text = verdict(found, LABELS)
    assert text.startswith("Different from ReLU beyond chance (sign-flip test, Holm, p < 0.05): G\\*LU (+0.996 [")
    furthest = 100 * found.loc[found["activation"] == "swish", ["ci_low", "ci_high"]].abs().max(axis=None)
    assert f"Not told from ReLU at this n: Swish; every interval lies within {furthest:.2f} points of it." in text


def test_one_seed_bounds_nothing() -> None:
    found = against_reference(runs(relu=0, gelu=0.01)[lambda frame: frame["seed"] == 0], "here", "accuracy")
    assert found is not None
    assert math.isnan(found["ci_low"][0])
    assert verdict(found, LABELS) == "Not told from ReLU at this n: G\\*LU."


def test_cells_of_the_reference_are_dashes() -> None:
    found = against_reference(runs(relu=0, gelu=0.01), "here", "accuracy")
    assert set(columns(found, "relu", LABELS).values()) == {"–"}
    assert list(columns(found, "gelu", LABELS)) == ["minus ReLU, points", "p (Holm)"]
