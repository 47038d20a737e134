"""Networks are tested once, and what was found is a document of the committed folder."""

from pathlib import Path
from typing import Any

import pytest
from fake_records import record

from study.records.identity import Identity
from study.records.store import NETWORK, NETWORKS, PREACTIVATIONS, stores
from study.runner import measurements
from study.runner.order import Job
from study.settings import Settings


def test_networks_are_tested_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All networks that are here are tested in one call, and then never again; a missing one is a sentence.

    A failure is a sentence too. Networks that were tested and are gone need no further test: their findings go into the
    next call as the earlier ones. They do not if the file of the best one is gone, or if other runs are asked for.
    """
    calls: list[tuple[Any, ...]] = []

    def measured(function: Any, asked: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
        (arguments,) = asked
        calls.append(arguments)
        if len(calls) == 1:
            raise OSError("the disk is gone")
        arguments[2].touch()
        return [{"alone": [], "call": len(calls)}]

    monkeypatch.setattr(measurements, "in_new_workers", measured)
    store = stores(tmp_path)[1]
    store.folder.mkdir()
    runs = [record(Settings(activation="relu", seed=seed, rotation=5.0), 0.9) for seed in (0, 1, 2)]
    ids = [run["id"] for run in runs]
    places = [store.network(run) for run in ids]
    places[0].parent.mkdir()
    saved = tmp_path / NETWORK.format("past_99")

    def sentences(asked: list[Any] = runs) -> list[str]:
        return measurements.evaluate_networks(store, "past_99", asked, None)

    assert [sentence[:22] for sentence in sentences()] == ["3 networks are not in "]
    places[0].touch()
    places[1].touch()
    missing, failed = sentences()
    assert (missing[:22], "the disk is gone" in failed) == ("1 networks are not in ", True)
    for _ in range(2):
        assert len(sentences()) == 1
    assert len(calls) == 2
    kept, _, path, earlier = calls[1]
    assert [(each[0], each[1], *each[2:4]) for each in kept] == [
        (run, places[seed].resolve(), "relu", seed) for seed, run in enumerate(ids[:2])
    ]
    content = {"alone": [], "call": 2, "basis": ids[:2]}
    assert (path, earlier, store.read(NETWORKS.format("past_99"))["content"]) == (saved, {}, content)
    places[0].unlink()
    places[1].unlink()
    places[2].touch()
    assert sentences() == sentences() == sentences([]) == []
    assert ([each[0] for each in calls[2][0]], calls[2][3], len(calls)) == (ids[2:], content, 3)
    assert store.read(NETWORKS.format("past_99"))["content"]["basis"] == ids
    assert len(sentences(runs[:1])) == 1
    saved.unlink()
    assert [sentence[:22] for sentence in sentences()] == ["2 networks are not in "]
    assert ([each[0] for each in calls[3][0]], calls[3][3], saved.is_file()) == (ids[2:], {}, True)


def test_pre_activations_are_measured_once_for_each_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run whose steps stay the same is kept; others are measured, or dropped. One that fails is a sentence, and the
    document stays as it is. Progress is shown as for runs.
    """
    done: list[int] = []

    def measured(steps: Any, settings: Settings, *_: Any) -> dict[str, Any]:
        done.append(settings.seed)
        if settings.seed == 4:
            raise KeyError("no reason")
        return {"status": "measured", "network": {"rows": [settings.seed, *steps[settings]]}}

    def measure(asked: dict[int, list[int]]) -> list[str]:
        wanted = {run[seed]: (jobs[seed], steps) for seed, steps in asked.items()}
        return measurements.measure_preactivations(store, wanted, None, 0)

    monkeypatch.setattr(measurements, "_quantiles", measured)
    jobs = {seed: job(seed) for seed in range(5)}
    run = {seed: job.identity.id for seed, job in jobs.items()}
    store = stores(tmp_path)[0]
    store.folder.mkdir()
    assert measure({}) == []
    for _ in range(2):
        assert measure({seed: [0, 480] for seed in range(3)}) == []
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "measuring the pre-activations of 3 networks"
    assert [line.partition(" runs, ")[0] for line in said[1:]] == ["measuring: 1/3", "measuring: 3/3"]
    assert said[1].endswith("(relu, depth 3, seed 0: measured)")
    assert measure({0: [0, 480]}) == []
    assert store.read(PREACTIVATIONS)["content"]["networks"].keys() == {run[0], run[1], run[2]}
    changed = {3: [0, 480], 1: [0, 480], 2: [0]}
    assert measure(changed) == []
    assert done == [0, 1, 2, 3, 2]
    networks = {run[3]: {"rows": [3, 0, 480]}, run[1]: {"rows": [1, 0, 480]}, run[2]: {"rows": [2, 0]}}
    for _ in range(2):
        assert store.read(PREACTIVATIONS)["content"]["networks"] == networks
        failure = measure(changed | {4: [0]})
        assert failure == ["measuring the pre-activations of 1 networks failed: KeyError: 'no reason'"]


def job(seed: int) -> Job:
    settings = Settings(activation="relu", seed=seed)
    return Job(settings, Identity(settings.to_dict(), "data", "function", "engine"), {})
