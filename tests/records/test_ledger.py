"""A ledger says which activations and runs each experiment was asked for, and comes back as it was written."""

import json
import random
from pathlib import Path

import pytest
from fake_runs import record, with_flipped_bit

from study.errors import RecordError
from study.plan import Plan
from study.records import selection
from study.records.ledger import Ledger
from study.records.store import TIMINGS, stores
from study.settings import Settings


def ledger() -> Ledger:
    """Return a ledger of two experiments, one of which also uses tanh."""
    activations = {name: {"theory": {"of": name, "rows": {"q": [1.0]}}} for name in ("relu", "gelu", "tanh", "gone")}
    found = Ledger(activations=activations, wall_seconds=1.5, command="make all")
    found.note("one", Plan(("relu", "gelu"), seeds=3), ["a", "b"], ["relu", "tanh"])
    found.note("two", Plan(("gelu",), is_quick=True, first_seed=7), ["c"], ["gelu"])
    return found


def test_a_ledger_gives_back_its_plans(tmp_path: Path) -> None:
    """A plan read back has its activations, seeds, first seed and theory, and tanh's theory where runs use tanh.

    Activations that no plan and no run names are forgotten."""
    ledger().save(tmp_path / "plan.json")
    kept = Ledger.load(tmp_path / "plan.json")
    one, two = kept.plan("one"), kept.plan("two")
    assert (one.activations, one.seeds, one.is_quick, list(one.theory)) == (
        ("relu", "gelu"), 3, False, ["relu", "gelu", "tanh"],
    )  # fmt: skip
    assert (two.activations, two.seeds, two.is_quick, list(two.theory)) == (("gelu",), None, True, ["gelu"])
    assert (one.first_seed, two.first_seed) == (0, 7)
    assert (kept.runs, kept.wall_seconds, kept.command) == ({"one": ["a", "b"], "two": ["c"]}, 1.5, "make all")
    assert kept.compared_activations() == ["relu", "gelu"]
    kept.keep_only_used()
    assert list(kept.activations) == ["relu", "gelu", "tanh"]


def test_a_missing_ledger_is_empty_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    """No file means nothing was asked for. A damaged one, if only by a bit, is an error with its path and the way out.

    `verify` names the file too. The file of an earlier version, without a checksum, is read.
    """
    store = stores(tmp_path)[0]
    store.folder.mkdir()
    assert store.ledger() == Ledger()
    store.save(ledger())
    path = store.folder / "plan.json"
    content = path.read_bytes()
    whole = store.ledger()
    assert store.problems() == []
    bits = random.Random(0).sample(range(8 * len(content)), 500)
    for damaged in (b"", b"[]", b"{", b'{"unknown": 1}', *(with_flipped_bit(content, bit) for bit in bits)):
        path.write_bytes(damaged)
        with pytest.raises(RecordError, match=r"plan\.json is damaged .*run again"):
            store.ledger()
        assert ["plan.json is damaged" in problem for problem in store.problems()] == [True]
    path.write_text(json.dumps({key: value for key, value in json.loads(content).items() if key != "checksum"}))
    assert store.ledger() == whole


def test_the_committed_folder_alone_is_compact(tmp_path: Path) -> None:
    """It keeps the ends of the measures and no table of theory; the other keeps all. Each holds its own targets."""
    for folder in stores(tmp_path):
        folder.folder.mkdir()
        written = record()
        folder.write(written)
        folder.save(ledger())
        steps = folder.read(written["id"])["result"]["measures"]["step"]
        assert (len(steps) == 2) == folder.is_committed
        kept = folder.ledger().activations["relu"]["theory"]
        assert kept == {"of": "relu", "rows": {"q": [] if folder.is_committed else [1.0]}}
        assert folder.keeps_runs_of("all") != folder.keeps_runs_of("claims")
        assert folder.keeps_runs_of("claims") == folder.is_committed


def test_documents_are_found_by_name_and_damage_is_told(tmp_path: Path) -> None:
    """A document comes back; changed or renamed it is refused with its path. Records are not documents.

    Beside the runs of `make all` only the timings are a document; a stranger's file there is ignored.
    """
    runs, committed = stores(tmp_path)
    committed.folder.mkdir()
    committed.write(record())
    committed.save(ledger())
    committed.write_document("bench", {"a": 1}, {"date": "2020"})
    path = committed.path("bench")
    assert [found["content"] for found in committed.documents().values()] == [{"a": 1}]
    assert committed.problems() == []
    whole = path.read_bytes()
    committed.path("other").write_bytes(whole)
    path.write_bytes(whole.replace(b'"a":1', b'"a":2'))
    assert all(name in problem for name, problem in zip(("bench", "other"), committed.problems(), strict=True))
    with pytest.raises(RecordError, match=r"bench\.json: .*measure it again"):
        committed.documents()
    for name in ("other", TIMINGS):
        runs.folder.mkdir(exist_ok=True)
        runs.write_document(name, {}, {})
    runs.path("other").write_text("rubbish")
    assert list(runs.documents()) == [TIMINGS]
    assert runs.problems() == []
    assert runs.read(TIMINGS)["content"] == {}


def test_records_are_selected_by_settings() -> None:
    """A run is missing unless a record has exactly its settings; each is wanted once, in the order asked."""
    wanted = [Settings(activation="relu", seed=seed, width=(5, 4), depth=2) for seed in (2, 0, 1, 2)]
    found = [record(seed=1, width=[5, 4], depth=2), record(seed=0)]
    assert [settings.seed for settings in selection.without_record(wanted, found)] == [2, 0]
