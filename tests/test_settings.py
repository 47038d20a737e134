"""Settings of a run: bad values are refused by name, JSON keeps them, the defaults are the article's."""

import dataclasses
import json
import math

import pytest

from study.errors import UsageError
from study.settings import Settings

BAD = {
    "activation": ["", None, 3],
    "seed": [-1, 2**32, 1.0, True, "1", None],
    "depth": [0, -1, 1.5, 3.0, True, "3", None],
    "width": [0, -1, 1.5, 100.0, True, "100", None, (), (100, 100), (100, 100, 0), (100, 1.5, 100), [100, 100]],
    "initialization": ["he_uniform", "", None],
    "sigma_w": [1.5, 0, "1"],  # of the Gaussian initialisations alone
    "sigma_b": [0.1, 0],
    "first_square": [1.0, 0],
    "normalization": ["group", "", None],
    "residual": [True, False, None, "yes"],
    "dropout": [-0.1, 1, 1.0, math.nan, "0.5", None],
    "shift": [-1, 28, math.nan, True, None],
    "rotation": [-1, 181, "9", None],
    "scaling": [-0.1, 1, None],
    "shear": [-0.1, 1, None],
    "elastic": [-1, 28, math.inf, None],
    "weaker_epochs": [-1, 2.0, None],
    "weaker_share": [-0.1, 1.1, None],
    "output": ["linear", "", None],
    "loss": ["hinge", "", None],
    "label_smoothing": [-0.1, 1, "0.1", None],
    "optimizer": ["adamw", "Adam", None],
    "learning_rate": [0, 10**400, 0.0, -0.01, math.nan, math.inf, -math.inf, True, "0.01", None],
    "schedule": ["linear", "", None],
    "warm_up": [-1, 3000, 1.0, None],
    "momentum": [-0.1, 1, 1.5, math.nan, "0", None],
    "epsilon": [0, -1e-7, math.nan, math.inf, None],
    "weight_decay": [-0.1, math.inf, None],
    "averaging": [-0.1, 1, 1.0, None],
    "batch": [0, -100, 100.0, True, None],
    "validation": [0, -1, 0.2, True, None],
    "epochs": [-1, 2.5, math.inf, True, None],
    "patience": [0, -1, 1.5, True, math.inf],
    "precision": ["float16", "double", 32, None],
    "noise": [None, 1.0, (-1.0,), (math.nan,), ("1",), (math.inf,), [True]],
}


def settings(**changes):
    return Settings(**{"activation": "relu", "seed": 1, **changes})


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BAD.items() for value in values])
def test_a_bad_value_is_named_with_its_field_and_what_is_allowed(field, value):
    """One sentence, of the one field that is wrong, its value, and what it must be."""
    with pytest.raises(UsageError) as caught:
        settings(**{field: value})
    (sentence,) = caught.value.problems
    shown = tuple(value) if isinstance(value, list) else value
    assert sentence.startswith(f"{field} is {shown!r}; it must be ")
    assert str(caught.value) == sentence


def test_several_wrong_at_once_are_all_named():
    """Every field wrong at once: a sentence for each, in the order of the fields, all of them in the message."""
    assert list(BAD) == [field.name for field in dataclasses.fields(Settings)], "a new field cannot go unchecked"
    with pytest.raises(UsageError) as caught:
        Settings(**{field: values[0] for field, values in BAD.items()})
    assert [sentence.split()[0] for sentence in caught.value.problems] == list(BAD)
    assert all(sentence in str(caught.value) for sentence in caught.value.problems)


@pytest.mark.parametrize("initialization", ["critical", "centred", "gaussian"])
@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({}, []),
        ({"sigma_b": 0.0}, []),
        ({"sigma_w": None}, ["sigma_w"]),
        ({"sigma_b": 1.0, "first_square": 0.5}, ["first_square"]),  # no sigma_w^2 is negative
        ({"sigma_w": 0.0, "sigma_b": None}, ["sigma_w", "sigma_b"]),
        ({"sigma_w": math.nan, "sigma_b": -0.1, "first_square": 0.0}, ["sigma_w", "sigma_b", "first_square"]),
        ({"sigma_w": math.inf, "sigma_b": math.inf, "first_square": math.inf}, ["sigma_w", "sigma_b", "first_square"]),
    ],
)
def test_gaussian_initializations_need_their_scales(initialization, changes, fields):
    """sigma_w above 0 and sigma_b from 0 must be there; whatever is wrong is named."""
    chosen = {"initialization": initialization, "sigma_w": 1.5, "sigma_b": 0.5, **changes}
    if not fields:
        assert settings(**chosen).to_dict().items() >= chosen.items()
        return
    with pytest.raises(UsageError) as caught:
        settings(**chosen)
    assert [sentence.split()[0] for sentence in caught.value.problems] == fields


@pytest.mark.parametrize(
    ("initialization", "fields"), [("critical", []), ("gaussian", []), ("centred", ["first_square"])]
)
def test_first_square_is_refused_where_it_would_do_nothing(initialization, fields):
    """A centred network's layer 1 is never scaled; a setting that is ignored would still name another run."""
    scales = {"initialization": initialization, "sigma_w": 1.5, "sigma_b": 0.5}
    problems = []
    try:
        settings(**scales, first_square=1.0)
    except UsageError as error:
        problems = error.problems
    assert [sentence.split()[0] for sentence in problems] == fields


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"initialization": "critical", "sigma_w": 1.4, "sigma_b": 0.0},
        {"normalization": "batch", "residual": "scaled", "epochs": 0},
        {"depth": 2, "width": (64, 32)},
        {"seed": 0, "patience": None, "optimizer": "sgd", "momentum": 0.9, "precision": "float64"},
        {"seed": 2**32 - 1, "depth": 1, "width": (7,), "learning_rate": 1e-300, "patience": 1, "batch": 1},
    ],
)
def test_settings_survive_json(changes):
    """Through JSON and back: equal, hashable, every field there with its default filled in."""
    before = settings(**changes)
    text = json.dumps(before.to_dict(), allow_nan=False)
    after = Settings(**json.loads(text))
    assert after == before
    assert hash(after) == hash(before)
    assert list(json.loads(text)) == [field.name for field in dataclasses.fields(Settings)]


def test_a_whole_number_is_the_same_setting_as_its_float():
    """Both are written alike, and so name one run: for numbers that must be there, and for those that may be None."""
    scales = {"initialization": "gaussian", "sigma_w": 2, "sigma_b": 1, "first_square": 3}
    whole = settings(rotation=12, noise=(0, 1), **scales)
    exact = settings(rotation=12.0, noise=(0.0, 1.0), **{**scales, "sigma_w": 2.0, "sigma_b": 1.0, "first_square": 3.0})
    assert json.dumps(whole.to_dict()) == json.dumps(exact.to_dict())


def test_widths_by_hand():
    """One number serves every hidden layer; a tuple gives each its own, nearest the input first."""
    assert settings(depth=4, width=7).widths == (7, 7, 7, 7)
    assert settings(depth=2, width=(6, 5)).widths == settings(depth=2, width=[6, 5]).widths == (6, 5)


def test_the_defaults_are_the_articles_protocol():
    """Three layers of 100, Adam at Keras' defaults with rate 0.01, batches of 100, 12,000 held out, patience 10."""
    expected = {
        "normalization": "none", "residual": "none",
        "depth": 3, "width": 100, "initialization": "glorot_uniform", "optimizer": "adam", "learning_rate": 0.01,
        "epsilon": 1e-7, "batch": 100, "validation": 12_000, "patience": 10, "precision": "float32",
    }  # fmt: skip
    assert expected.items() <= settings().to_dict().items()
