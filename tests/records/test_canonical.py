"""JSON has one spelling, keeps numbers to the last bit, and is trusted only under its checksum."""

import json
import math

import numpy as np

from study.records.canonical import canonical_json


def test_json_has_one_spelling_and_no_nan() -> None:
    """Order and kind of container do not matter; what JSON cannot hold is null; text comes back as it was."""
    assert canonical_json({"b": (1, math.nan), "a": math.inf}) == canonical_json({"a": -math.inf, "b": [1, None]})
    assert canonical_json({"b": [1, None], "a": "é\n"}) == b'{"a":"\\u00e9\\n","b":[1,null]}'


def test_floats_survive_json_to_the_last_bit() -> None:
    """A number read back from a record is the number that was measured."""
    values = np.random.default_rng(0).normal(size=100) * 10.0 ** np.arange(-150, 150, 3)
    assert json.loads(canonical_json(values.tolist())) == values.tolist()
