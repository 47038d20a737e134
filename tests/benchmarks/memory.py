"""Measure a worker's memory after each of several programs, in processes as `make all` starts them."""

import itertools
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

from study.activations import REGISTRY, fingerprint
from study.data.mnist import Dataset
from study.records.identity import Identity
from study.records.store import Store
from study.runner import execution, workers
from study.runner.order import Job
from study.settings import Settings
from tests.benchmarks.catalogue import ACTIVATIONS, WIDTHS

Row = dict[str, Any]


def measure(data: Dataset) -> list[Row]:
    """Return one row per program: the process's peak memory so far, `bytes`, and `own_bytes`, which no other shares."""
    asked = [
        Settings(activation=name, width=width, seed=0, epochs=1, patience=None)
        for name, width in itertools.product(ACTIVATIONS, WIDTHS)
    ]
    jobs = [Job(s, Identity(s.to_dict(), "", fingerprint(REGISTRY[s.activation]), ""), {}) for s in asked]
    with tempfile.TemporaryDirectory() as folder, workers.shared_programs(Path(folder) / "programs"):
        records = execution.execute(jobs, data, Store(Path(folder)), label="memory", workers=1, task=_trained)
    return [record["result"]["memory"] for record in records]


def _trained(settings: Settings, function: str, data: Any, seconds: float) -> dict[str, Any]:
    import resource  # Windows has none

    result = execution.train_job(settings, function, data, seconds)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {**result, "memory": {"bytes": most, "own_bytes": psutil.Process().memory_full_info().uss}}
