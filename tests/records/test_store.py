"""A record is found again by what it is a record of, is used only if it is whole, and says nothing of when or where."""

import json
import math
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from fake_runs import PROVENANCE, RELU_TEXTS, record, with_flipped_bit

from study.errors import RecordError
from study.records.canonical import SCHEMA, canonical_json, seal
from study.records.identity import identity
from study.records.store import Store, compact_record, make_record, read_verified
from study.settings import Settings


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def resealed(content: dict, **changed) -> bytes:
    """Return the record with entries changed and a checksum that fits, as another version might have written it."""
    return canonical_json(seal({key: value for key, value in {**content, **changed}.items() if key != "checksum"}))


def test_json_has_one_spelling_and_keeps_every_bit_of_a_number() -> None:
    """Order and kind of container do not matter, what JSON cannot hold is null, text and floats come back."""
    assert canonical_json({"b": (1, math.nan), "a": math.inf}) == canonical_json({"a": -math.inf, "b": [1, None]})
    assert canonical_json({"b": [1, None], "a": "é\n"}) == b'{"a":"\\u00e9\\n","b":[1,null]}'
    values = np.random.default_rng(0).normal(size=100) * 10.0 ** np.arange(-150, 150, 3)
    assert json.loads(canonical_json(values.tolist())) == values.tolist()


def damaged(content: bytes) -> dict[str, bytes]:
    """Return the record's bytes after every kind of damage."""
    other = json.loads(content)
    return {
        "emptied": b"",
        "zeros": bytes(len(content)),
        "not text": b"\xff\xfe\xff",
        "not an object": b"[]",
        "null": b"null",
        "empty object": b"{}",
        "a newer schema": resealed(other, schema=SCHEMA + 1),
        "another run's identity": resealed(other, identity={**other["identity"], "data": "other"}),
        "another id": resealed(other, id="0" * 20),
        "an identity of another shape": resealed(other, identity={"new": 1}),
        "an identity that is none": resealed(other, identity=None),
        "a number changed": content.replace(b'"depth":3', b'"depth":4'),
        "trailing rubbish": content + b"{}",
    }


@pytest.mark.parametrize("kind", damaged(canonical_json(record())))
def test_a_damaged_record_is_refused_and_set_aside(store: Store, kind: str) -> None:
    """Each kind of damage: read refuses, verify lists the file until the run is done again, find sets it aside."""
    good = record()
    store.write(good)
    store.path(good["id"]).write_bytes(damaged(canonical_json(good))[kind])
    with pytest.raises(RecordError):
        store.read(good["id"])
    assert [good["id"] in problem for problem in store.problems()] == [True]
    assert store.find([good["id"]]) == {}
    assert not store.path(good["id"]).exists()
    assert [good["id"] in problem for problem in store.problems()] == [True], "set aside is not done again"
    store.write(good)
    assert store.problems() == []
    assert store.find([good["id"]]) == {good["id"]: good}


def test_a_compact_record_is_the_same_run() -> None:
    """It keeps the first and the last logged step of the measures, all else, and has a checksum of its own.

    A run that failed has no measures, and keeps its record as it is.
    """
    whole = record()
    small = compact_record(whole)
    assert read_verified(canonical_json(small), whole["id"]) == small
    kept, before = small["result"].pop("measures"), whole["result"].pop("measures")
    assert len(before["step"]) > 2
    assert kept == {name: [steps[0], steps[-1]] for name, steps in before.items()}
    assert {**small, "checksum": ""} == {**whole, "checksum": ""}
    run = identity(Settings(activation="relu", seed=0), "data", "function")
    failed = make_record(run, RELU_TEXTS, {"status": "failed"}, PROVENANCE)
    assert compact_record(failed) == failed


def test_a_record_cut_anywhere_or_with_a_bit_flipped_is_refused() -> None:
    """No proper beginning of a record is a record, and the checksum finds every flipped bit."""
    good = record()
    content = canonical_json(good)
    for length in {*range(0, len(content), 97), *range(len(content) - 40, len(content))}:
        with pytest.raises(RecordError):
            read_verified(content[:length], good["id"])
    for bit in random.Random(0).sample(range(8 * len(content)), 1500):
        with pytest.raises(RecordError):
            read_verified(with_flipped_bit(content, bit), good["id"])


def test_a_record_is_itself_under_its_own_name_alone(store: Store) -> None:
    """It comes back as it was written. A copy named as another run's record is not that run's record, however whole."""
    good, other = record(), record(seed=1)
    store.write(good)
    assert store.read(good["id"]) == good
    assert good["id"] == identity(Settings(activation="relu", seed=0), "data", "function").id
    assert (len(store.runs()), store.problems()) == (1, [])
    shutil.copy(store.path(good["id"]), store.path(other["id"]))
    assert store.find([good["id"], other["id"]]) == {good["id"]: good}
    assert [other["id"] in problem for problem in store.problems()] == [True]


def test_other_files_are_ignored(store: Store) -> None:
    """Stray files, folders and notes are not records, and left alone; a folder that is not there has none."""
    missing = Store(store.folder / "missing")
    assert (len(missing.runs()), missing.problems(), missing.find(["0" * 20])) == (0, [], {})
    assert not missing.folder.exists()
    good = record()
    store.write(good)
    strays = ["README", "backup.json", "0123.json", f".{good['id']}.json.77.tmp", f"{good['id']}.json.bak"]
    strays += [f"{good['id'].upper()}.JSON", f"{good['id']}0.json", ".lock"]
    for name in strays:
        (store.folder / name).write_text("rubbish")
    (store.folder / "folder.json").mkdir()
    assert len(store.runs()) == 1
    assert store.problems() == []
    assert store.find(store.runs()) == {good["id"]: good}
    assert all((store.folder / name).read_text() == "rubbish" for name in strays)
