"""Networks are tested once, when all are there, and what was found is a document of the committed folder."""

from pathlib import Path
from typing import Any

import pytest
from fake_records import record

from study.records.store import NETWORK, NETWORKS, stores
from study.runner import documents, testing
from study.settings import Settings


def test_networks_are_tested_once_and_only_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One network missing: a sentence, and nothing is tested. All there: tested in one call; then never again.

    A failure is a sentence too. With other runs they are tested anew.
    """
    calls: list[tuple[Any, ...]] = []

    def measured(workers: int, function: Any, *arguments: Any) -> list[dict[str, Any]]:
        calls.append(arguments)
        if len(calls) == 1:
            raise OSError("the disk is gone")
        return [{"alone": []}]

    monkeypatch.setattr(documents, "in_each_worker", measured)
    store = stores(tmp_path)[1]
    store.folder.mkdir()
    runs = [record(Settings(activation="relu", seed=seed, rotation=5.0), 0.9) for seed in (0, 1)]
    store.network("").parent.mkdir()
    store.network(runs[0]["id"]).touch()
    (sentence,) = testing.test_networks(store, runs, None)
    assert sentence.startswith("1 networks are not in ")
    store.network(runs[1]["id"]).touch()
    (sentence,) = testing.test_networks(store, runs, None)
    assert "the disk is gone" in sentence
    for _ in range(2):
        assert testing.test_networks(store, runs, None) == []
    assert len(calls) == 2
    kept, _, saved = calls[1]
    assert [(each[0], each[1].name, each[2:4]) for each in kept] == [
        (run["id"], f"{run['id']}.npz", ("relu", seed)) for seed, run in enumerate(runs)
    ]
    assert saved == tmp_path / NETWORK
    assert store.read(NETWORKS)["content"] == {"alone": [], "basis": [run["id"] for run in runs]}
    for run in runs:
        store.network(run["id"]).unlink()
    assert testing.test_networks(store, runs, None) == testing.test_networks(store, [], None) == []
    assert len(testing.test_networks(store, runs[:1], None)) == 1
