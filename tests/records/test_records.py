"""A record is found again by what it is a record of, is used only if it is whole, and says nothing of when or where."""

import ast
import json
import math
import random
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_records import MEASURES, STEPS, result
from repository import ROOT

from study.records import store as records
from study.records.frames import history_frame, measures_frame, runs_frame
from study.records.store import (
    SCHEMA,
    RecordError,
    Store,
    canonical_json,
    compact,
    engine_fingerprint,
    identity,
    make,
    scientific_content,
    source_fingerprint,
    verified,
)
from study.settings import Settings

ABOUT = {"label": "ReLU", "formula": "z", "source": "made up"}
WHERE = {"environment": {"python": "3"}, "date": "2020-01-01T00:00:00Z"}


def record(how: str | None = None, where: dict = WHERE, **settings):
    asked = Settings(**{"activation": "relu", "seed": 0, **settings})
    return make(identity(asked, "data", "function"), ABOUT, result(asked, how), where)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def resealed(content: dict, **changed) -> bytes:
    """The record with some entries changed and its checksum made to fit, as another version might have written it."""
    body = {key: value for key, value in {**content, **changed}.items() if key != "checksum"}
    return canonical_json({**body, "checksum": records.hashlib.sha256(canonical_json(body)).hexdigest()})


def test_json_has_one_spelling_and_no_nan() -> None:
    """Order and kind of container do not matter; what JSON cannot hold is null; text comes back as it was."""
    assert canonical_json({"b": (1, math.nan), "a": math.inf}) == canonical_json({"a": -math.inf, "b": [1, None]})
    assert canonical_json({"b": [1, None], "a": "é\n"}) == b'{"a":"\\u00e9\\n","b":[1,null]}'


def test_floats_survive_json_to_the_last_bit() -> None:
    """A number read back from a record is the number that was measured."""
    values = np.random.default_rng(0).normal(size=100) * 10.0 ** np.arange(-150, 150, 3)
    assert json.loads(canonical_json(values.tolist())) == values.tolist()


def test_an_identity_is_of_settings_data_activation_and_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the four changes the id; defaults written out or left out, a list or a tuple of widths, do not."""
    plain = Settings(activation="relu", seed=0)
    ids = [
        identity(plain, "data", "function").id,
        identity(Settings(activation="relu", seed=1), "data", "function").id,
        identity(plain, "other data", "function").id,
        identity(plain, "data", "other function").id,
    ]
    monkeypatch.setattr(records, "engine_fingerprint", lambda: "another engine")
    ids.append(identity(plain, "data", "function").id)
    assert len(set(ids)) == len(ids)
    assert all(len(run) == 20 and set(run) <= set("0123456789abcdef") for run in ids)
    spelled = Settings(activation="relu", seed=0, depth=3, learning_rate=0.01)
    assert identity(spelled, "data", "function").id == identity(plain, "data", "function").id
    wide = [Settings(activation="relu", seed=0, depth=2, width=width) for width in ([5, 4], (5, 4))]
    assert len({identity(settings, "data", "function").id for settings in wide}) == 1


def test_a_record_comes_back_as_it_was_written(store: Store) -> None:
    """Read gives what was written, under the id of its settings, and the folder counts one record."""
    written = record()
    store.write(written)
    assert store.read(written["id"]) == written
    assert written["id"] == identity(Settings(activation="relu", seed=0), "data", "function").id
    assert len(store) == 1
    assert store.problems() == []


def test_scientific_content_knows_no_time_and_place() -> None:
    """Another machine, date and duration: the same content; another measured number: another."""
    elsewhere = {"environment": {"python": "4"}, "date": "2030-01-01T00:00:00Z"}
    first, second = record(), record(where=elsewhere)
    assert first["provenance"] != second["provenance"]
    assert scientific_content(first) == scientific_content(second)
    assert scientific_content(first) != scientific_content(record("diverged"))


def damaged(content: bytes) -> dict[str, bytes]:
    """The record's bytes after every kind of damage."""
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
    """It keeps the first and the last logged step of the measures, all else, and has a checksum of its own."""
    whole = record()
    small = compact(whole)
    assert verified(canonical_json(small), whole["id"]) == small
    kept, before = small["result"].pop("measures"), whole["result"].pop("measures")
    assert len(before["step"]) > 2
    assert kept == {name: [steps[0], steps[-1]] for name, steps in before.items()}
    assert {**small, "checksum": ""} == {**whole, "checksum": ""}


def test_a_record_without_measures_is_compact() -> None:
    failed = make(identity(Settings(activation="relu", seed=0), "data", "function"), ABOUT, {"status": "failed"}, WHERE)
    assert compact(failed) == failed


def test_a_record_cut_anywhere_is_refused() -> None:
    """No proper beginning of a record is a record."""
    content = canonical_json(record())
    for length in {*range(0, len(content), 97), *range(len(content) - 40, len(content))}:
        with pytest.raises(RecordError):
            verified(content[:length], record()["id"])


def test_a_record_with_one_bit_flipped_is_refused_or_says_the_same() -> None:
    """A flipped bit is found by the checksum, unless it changes the spelling alone (1e-05 to 1E-05)."""
    good = record()
    content = canonical_json(good)
    rng = random.Random(0)
    found = 0
    for bit in rng.sample(range(8 * len(content)), 1500):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            assert verified(bytes(flipped), good["id"]) == good
        except RecordError:
            found += 1
    assert found > 1450


def test_a_record_under_another_name_is_refused(store: Store) -> None:
    """A copy named as another run's record is not that run's record, however whole; the original stays good."""
    good, other = record(), record(seed=1)
    store.write(good)
    shutil.copy(store.path(good["id"]), store.path(other["id"]))
    assert store.find([good["id"], other["id"]]) == {good["id"]: good}
    assert [other["id"] in problem for problem in store.problems()] == [True]


def test_other_files_are_ignored(store: Store) -> None:
    """Stray and temporary files, folders and notes are no records: not counted, not found, not moved, no problem."""
    good = record()
    store.write(good)
    strays = ["README", "backup.json", "0123.json", f".{good['id']}.json.77.tmp", f"{good['id']}.json.bak", "plan.json"]
    strays += [f"{good['id'].upper()}.JSON", f"{good['id']}0.json", ".lock"]
    for name in strays:
        (store.folder / name).write_text("rubbish")
    (store.folder / "folder.json").mkdir()
    assert len(store) == 1
    assert store.problems() == []
    assert store.find(store.runs()) == {good["id"]: good}
    assert all((store.folder / name).read_text() == "rubbish" for name in strays)


def test_a_folder_that_is_not_there_holds_no_records(tmp_path: Path) -> None:
    """Looking for records where nothing was run finds none, and makes nothing."""
    store = Store(tmp_path / "missing")
    assert (len(store), store.problems(), store.find(["0" * 20])) == (0, [], {})
    assert not store.folder.exists()


def test_runs_are_one_row_each_with_the_promised_columns() -> None:
    """DESIGN.md's columns of tables/runs.csv are there; each number stands in its column."""
    done = record(seed=3, depth=2, width=(7, 5))
    row = runs_frame([done]).iloc[0]
    expected = {"activation": "relu", "depth": 2, "width": "7-5", "init": "glorot_uniform", "variant": "plain",
                "optimiser": "adam", "learning_rate": 0.01, "batch": 100, "dropout": 0.0, "seed": 3, "epochs": 3,
                "status": "done"}  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    for name in ("validation_loss", "validation_accuracy", "test_loss", "test_accuracy"):
        assert row[name] == done["result"]["last"][name]
        assert row[f"best_{name}"] == done["result"]["best"][name]
    assert row["seconds"] == done["provenance"]["timings"]["seconds"]


def test_a_diverged_run_is_a_row_without_scores() -> None:
    """It says at which step it diverged, and its losses and accuracies are NaN: nobody can average them by mistake."""
    frame = runs_frame([record(), record("diverged", seed=1)])
    diverged = frame[frame["seed"] == 1].iloc[0]
    assert (diverged["status"], diverged["diverged_step"], diverged["epochs"]) == ("diverged", 3, 2)
    assert diverged.filter(regex="_loss|_accuracy").isna().all()
    assert frame.filter(regex="_loss|_accuracy").dtypes.eq(float).all()


def test_history_is_one_row_an_epoch_of_numbers() -> None:
    """Epochs and values are those of the run; a loss that became NaN is NaN, also where no other run has a number."""
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


MODULES = sorted((ROOT / "study" / "engine").glob("*.py"))


def fingerprint(folder: Path, module: Path | None = None, old: str = "", new: str = "") -> str:
    """The fingerprint of a copy of the engine's folder in which `old` is replaced by `new` in one module."""
    shutil.copytree(ROOT / "study" / "engine", folder, ignore=shutil.ignore_patterns("__pycache__"))
    if module is not None:
        text = module.read_text()
        assert old in text, f"{old!r} is no longer in {module.name}: choose another place to change"
        (folder / module.name).write_text(text.replace(old, new, 1))
    return source_fingerprint(folder)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_prose_and_layout_never_retrain(tmp_path: Path, module: Path) -> None:
    """A comment, a blank line, a docstring, Windows' line ends: the same engine."""
    text = module.read_text()
    docstring = ast.get_docstring(ast.parse(text), clean=False)
    assert docstring is not None
    assert fingerprint(tmp_path / "a", module, docstring, "Other words.") == engine_fingerprint()
    assert fingerprint(tmp_path / "b", module, text, text + "\n\n\n# a comment\n\n\n") == engine_fingerprint()
    assert fingerprint(tmp_path / "c", module, text, text.replace("\n", "\r\n")) == engine_fingerprint()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_code_of_the_engine_retrains(tmp_path: Path, module: Path) -> None:
    """One statement more in any module of the engine: another engine."""
    text = module.read_text()
    assert fingerprint(tmp_path / "a", module, text, text + "\nCHANGED = 1\n") != engine_fingerprint()


def test_a_number_in_the_training_loop_retrains(tmp_path: Path) -> None:
    """A constant changed in training.py: another engine."""
    module = ROOT / "study" / "engine" / "training.py"
    assert fingerprint(tmp_path / "a", module, "PROBE_IMAGES = 1000", "PROBE_IMAGES = 999") != engine_fingerprint()


def test_a_module_added_or_renamed_retrains(tmp_path: Path) -> None:
    """The engine is its folder: a new module, or one of another name, is another engine."""
    fingerprint(folder := tmp_path / "a")
    (folder / "new.py").write_text("")
    assert source_fingerprint.__wrapped__(folder) != engine_fingerprint()
