"""A long run that is killed goes on from its checkpoint, to the same record."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scientific import scientific_content

from study.activations import REGISTRY, fingerprint
from study.data.mnist import Dataset
from study.engine import training
from study.engine.run import Run
from study.networks import weights
from study.records import files
from study.records.identity import identity
from study.records.store import Store
from study.runner import checkpoints, execution
from study.runner.order import Job
from study.settings import Settings

SETTINGS = Settings(
    activation="relu", seed=1, depth=1, width=6, batch=50, validation=1100, epochs=4, averaging=0.9, rotation=9.0
)


def job(data: Dataset) -> Job:
    return Job(SETTINGS, identity(SETTINGS, data.checksum, fingerprint(REGISTRY["relu"])), {"label": "ReLU"})


def hang_at_the_second_checkpoint(folder: Path, data: Dataset) -> None:
    """Do the run in this process, which waits to be killed once the checkpoint of epoch 2 is written."""
    execution.LONG_COST, checkpoints.CHECKPOINT_SECONDS = 0.0, 0.0
    written = []

    def write(path: Path, content: bytes) -> None:
        files.write_atomically(path, content)
        written.append(path)
        if len(written) == 2:
            (folder / "ready").touch()
            time.sleep(600)

    checkpoints.write_atomically = write
    execution.execute([job(data)], data, Store(folder))


def test_a_killed_run_goes_on_from_its_checkpoint(
    tmp_path: Path, tiny_data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By SIGKILL after two of four epochs: the same record, two epochs of work, and no checkpoint is left.

    Its seconds include those before the checkpoint, here given as 1000. A damaged checkpoint costs its epochs alone:
    the run begins again.
    """
    (tmp_path / "undisturbed").mkdir()
    (undisturbed,) = execution.execute([job(tiny_data)], tiny_data, Store(tmp_path / "undisturbed"))
    store = Store(tmp_path)
    child = multiprocessing.get_context("spawn").Process(
        target=hang_at_the_second_checkpoint, args=(tmp_path, tiny_data)
    )
    child.start()
    while child.is_alive() and not (tmp_path / "ready").exists():
        time.sleep(0.05)
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()
    (checkpoint,) = tmp_path.glob("*.checkpoint")
    assert checkpoint == store.checkpoint(undisturbed["id"])
    whole = checkpoints.SPENT.pack(1000.0) + checkpoint.read_bytes()[checkpoints.SPENT.size :]
    done: list[int] = []
    train = Run.epoch
    monkeypatch.setattr(Run, "epoch", lambda run, epoch: (done.append(epoch), train(run, epoch))[1])
    monkeypatch.setattr(execution, "LONG_COST", 0.0)
    for content, expected in ((whole, [3, 4]), (whole[:-100], [1, 2, 3, 4]), (whole[:7], [1, 2, 3, 4])):
        done.clear()
        checkpoint.write_bytes(content)
        (record,) = execution.execute([job(tiny_data)], tiny_data, store)
        assert done == expected
        assert (record["provenance"]["timings"]["seconds"] > 1000) == (expected == [3, 4])
        assert scientific_content(record) == scientific_content(undisturbed)
        assert not checkpoint.exists()
        network = store.network(record["id"])
        assert accuracy(network, tiny_data) == pytest.approx(record["result"]["last"]["test_accuracy"])
        network.unlink()


def accuracy(network: Path, data: Dataset) -> float:
    """Return the share of test images that the network in the file classifies correctly: ReLU, one hidden layer."""
    kernel, bias, last_kernel, last_bias = weights.from_bytes(network.read_bytes())
    hidden = np.maximum(data.test_images / np.float32(255) @ kernel + bias, 0)
    return float(np.mean(np.argmax(hidden @ last_kernel + last_bias, 1) == data.test_labels))


def test_checkpoints_are_at_least_two_minutes_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch ends every 50 s, and a checkpoint takes a second or two to write: every third epoch is enough.

    Each holds the seconds that the run has taken, those before the checkpoint that it goes on from included.
    """
    written: list[tuple[float, bytes]] = []
    clock = SimpleNamespace(now=0.0)

    def train(saved: bytes | None, keep: Callable[[Any], None]) -> dict[str, Any]:
        started = clock.now
        for seconds in range(50, 501, 50):
            clock.now = started + seconds
            keep(SimpleNamespace(to_bytes=lambda: b"state"))
        return {"saved": saved, "timings": {"seconds": 500.0}}

    monkeypatch.setattr(checkpoints, "CHECKPOINT_SECONDS", 120.0)
    monkeypatch.setattr(checkpoints, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(checkpoints, "write_atomically", lambda path, content: written.append((clock.now, content)))
    path, pack = tmp_path / "checkpoint", checkpoints.SPENT.pack
    assert checkpoints.train_resumably(train, path) == {"saved": None, "timings": {"seconds": 500.0}}
    assert written == [(spent, pack(spent) + b"state") for spent in (150, 300, 450)]
    path.write_bytes(written[-1][1])
    written.clear()
    assert checkpoints.train_resumably(train, path) == {"saved": b"state", "timings": {"seconds": 950.0}}
    assert written == [(500 + spent, pack(450 + spent) + b"state") for spent in (150, 300, 450)]


@pytest.mark.parametrize(
    ("changes", "is_kept"), [({}, True), ({"rotation": 0.0}, False), ({"residual": "plain"}, False)]
)
def test_only_plain_networks_trained_on_distorted_images_are_kept(
    tmp_path: Path, tiny_data: Dataset, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], is_kept: int
) -> None:
    """The network of a run on images as they are is not written, nor one with normalisation or residuals."""
    wrapped: list[Path] = []
    monkeypatch.setattr(training, "train", lambda *asked, **how: {})
    monkeypatch.setattr(execution, "train_and_keep_network", lambda train, settings, path: wrapped.append(path) or {})
    store = Store(tmp_path)
    execution.train_job(replace(SETTINGS, **changes), fingerprint(REGISTRY["relu"]), tiny_data, 60.0, store)
    assert len(wrapped) == is_kept
