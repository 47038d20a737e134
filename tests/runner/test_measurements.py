"""Networks are tested once, when all are there, and what was found is a document of the committed folder."""

from pathlib import Path
from typing import Any

import pytest
from fake_records import record

from study.records.store import NETWORK, NETWORKS, PREACTIVATIONS, stores
from study.runner import measurements
from study.settings import Settings


def test_networks_are_tested_once_and_only_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One network missing: a sentence, and nothing is tested. All there: tested in one call; then never again.

    A failure is a sentence too. With other runs they are tested anew, and if the file of the best one is deleted.
    """
    calls: list[tuple[Any, ...]] = []

    def measured(function: Any, asked: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
        (arguments,) = asked
        calls.append(arguments)
        if len(calls) == 1:
            raise OSError("the disk is gone")
        arguments[-1].touch()
        return [{"alone": []}]

    monkeypatch.setattr(measurements, "in_new_workers", measured)
    store = stores(tmp_path)[1]
    store.folder.mkdir()
    runs = [record(Settings(activation="relu", seed=seed, rotation=5.0), 0.9) for seed in (0, 1)]
    store.network("").parent.mkdir()
    store.network(runs[0]["id"]).touch()
    (sentence,) = measurements.evaluate_networks(store, "past_99", runs, None)
    assert sentence.startswith("1 networks are not in ")
    store.network(runs[1]["id"]).touch()
    (sentence,) = measurements.evaluate_networks(store, "past_99", runs, None)
    assert "the disk is gone" in sentence
    for _ in range(2):
        assert measurements.evaluate_networks(store, "past_99", runs, None) == []
    assert len(calls) == 2
    kept, _, saved = calls[1]
    assert [(each[0], each[1].name, each[2:4]) for each in kept] == [
        (run["id"], f"{run['id']}.npz", ("relu", seed)) for seed, run in enumerate(runs)
    ]
    assert saved == tmp_path / NETWORK.format("past_99")
    assert store.read(NETWORKS.format("past_99"))["content"] == {"alone": [], "basis": [run["id"] for run in runs]}
    saved.unlink()
    assert measurements.evaluate_networks(store, "past_99", runs, None) == []
    assert (len(calls), saved.is_file()) == (3, True)
    for run in runs:
        store.network(run["id"]).unlink()
    for some in (runs, []):
        assert measurements.evaluate_networks(store, "past_99", some, None) == []
    assert len(measurements.evaluate_networks(store, "past_99", runs[:1], None)) == 1


def test_pre_activations_are_measured_once_for_each_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes share the runs. A run whose steps stay the same is kept; others are measured, or dropped."""
    shares: list[list[dict[str, Any]]] = []

    def measured(function: Any, calls: Any) -> list[dict[str, Any]]:
        shares.append([share for share, _ in calls])
        return [{run: {"rows": [run, *steps]} for run, (_, steps) in share.items()} for share, _ in calls]

    monkeypatch.setattr(measurements, "in_new_workers", measured)
    store, settings = stores(tmp_path)[0], Settings(activation="relu", seed=0)
    store.folder.mkdir()
    assert measurements.measure_preactivations(store, {}, None, 2) == []
    wanted = {name: (settings, [0, 480]) for name in "abc"}
    for _ in range(2):
        assert measurements.measure_preactivations(store, wanted, None, 2) == []
    assert measurements.measure_preactivations(store, {"a": wanted["a"]}, None, 2) == []
    assert list(store.read(PREACTIVATIONS)["content"]["networks"]) == ["a", "b", "c"]
    changed = {"d": wanted["a"], "b": wanted["b"], "c": (settings, [0])}
    assert measurements.measure_preactivations(store, changed, None, 2) == []
    assert [[list(share) for share in call] for call in shares] == [[["a", "c"], ["b"]], [["d"], ["c"]]]
    found = store.read(PREACTIVATIONS)["content"]["networks"]
    assert found == {"d": {"rows": ["d", 0, 480]}, "b": {"rows": ["b", 0, 480]}, "c": {"rows": ["c", 0]}}
