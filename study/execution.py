"""Many runs -> local processes or a Dask cluster, one run in flight a process; every finished run is recorded at once.

A run that raises is recorded as failed, one that outlives its time limit as a timeout, one that takes its process with
it is tried again on another and recorded as crashed after the third death. The other runs go on.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import dask
import distributed
from distributed.scheduler import KilledWorker

from study import environment
from study.constants import RUN_SECONDS, WORKER_DEATHS
from study.progress import Progress
from study.records import FAILED, Identity, Record, Store, make
from study.settings import Settings

GRACE_SECONDS = 30.0  # a run past its limit is asked to stop between epochs; this much later it is abandoned
EXPECTED_EPOCHS = 25  # of a run that stops early, for the time left

Task = Callable[[Settings, str, Any, float], dict[str, Any]]


@dataclass(frozen=True)
class Job:
    """A run to be done: its settings, identity and what its record says of the activation."""

    settings: Settings
    identity: Identity
    activation: dict[str, str]


def cost(settings: Settings) -> float:
    """Multiplications of a run's matrix products, roughly; for the time left alone."""
    products = sum(a * b for a, b in pairwise((784, *settings.widths, 10)))
    return products * min(settings.epochs, EXPECTED_EPOCHS)


def train_job(settings: Settings, fingerprint: str, data: Any, seconds: float) -> dict[str, Any]:
    """One run, in whatever process this is called; the activation is looked up by name and must be the one meant."""
    environment.prepare()
    from study import activations, training

    activation = activations.REGISTRY[settings.activation]
    found = activations.fingerprint(activation)
    if found != fingerprint:
        raise ValueError(f"this process has another {settings.activation}: fingerprint {found}, expected {fingerprint}")
    return {**training.train(settings, data, activation, seconds=seconds), "environment": environment.describe()}


def execute(
    jobs: Sequence[Job],
    data: Any,
    store: Store,
    *,
    label: str = "training",
    workers: int = 0,
    scheduler: str | None = None,
    seconds: float = RUN_SECONDS,
    task: Task = train_job,
) -> list[Record]:
    """Do the jobs and write their records; returns the records, failed ones included, in order of completion.

    `workers` local processes, one thread each; 0 does them one after the other in this process (for debugging).
    `scheduler` is the address of a Dask scheduler to use instead. `data` reaches every worker once.
    """
    progress = Progress(label, sum(cost(job.settings) for job in jobs), len(jobs))
    records = []
    results = _serially(jobs, data, seconds, task) if _is_serial(workers, scheduler) else None
    with contextlib.ExitStack() as stack:
        if results is None:
            client = stack.enter_context(_client(min(workers, len(jobs)), scheduler))
            results = _on_cluster(client, jobs, data, seconds, task)
        for job, result in results:
            about = result.pop("environment", None) or environment.describe()
            provenance = {"environment": about, "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
            record = make(job.identity, job.activation, result, provenance)
            store.write(record)
            records.append(record)
            progress.advance(cost(job.settings), _what(job, result))
    progress.finish()
    return records


def _is_serial(workers: int, scheduler: str | None) -> bool:
    return workers == 0 and scheduler is None


def _what(job: Job, result: dict[str, Any]) -> str:
    settings = job.settings
    outcome = result["status"]
    if outcome == "done":
        outcome = f"test accuracy {result['last']['test_accuracy']:.2%}"
    elif outcome in FAILED:
        outcome += f": {result['cause']}"
    return f"{settings.activation}, depth {settings.depth}, seed {settings.seed}: {outcome}"


def _failure(status: str, cause: object) -> dict[str, Any]:
    text = " ".join(str(cause).split())
    return {"status": status, "cause": text[:500]}


def _guarded(task: Task, settings: Settings, fingerprint: str, data: Any, seconds: float) -> dict[str, Any]:
    """The run's result, or how it failed; any exception is this run's own failure, never the study's."""
    try:
        return task(settings, fingerprint, data, seconds)
    except Exception as error:  # noqa: BLE001 - whatever a run raises is recorded, and the others go on
        is_late = type(error).__name__ == "TimeLimit"
        return _failure(
            "timeout" if is_late else "failed", f"{error}" if is_late else f"{type(error).__name__}: {error}"
        )


def _serially(jobs: Sequence[Job], data: Any, seconds: float, task: Task) -> Iterator[tuple[Job, dict[str, Any]]]:
    for job in jobs:
        yield job, _guarded(task, job.settings, job.identity.activation, data, seconds)


def _in_worker(task: Task, settings: Settings, fingerprint: str, data: Any, seconds: float) -> dict[str, Any]:
    """As _guarded, in a thread that is given up if it hangs; the process then ends and Dask starts another."""
    results: list[dict[str, Any]] = []

    def work() -> None:
        results.append(_guarded(task, settings, fingerprint, data, seconds))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds + GRACE_SECONDS)
    if results:
        return results[0]
    leave = threading.Timer(2.0, os._exit, [1])  # after the result is delivered
    leave.daemon = True
    leave.start()
    return _failure("timeout", f"the run hung: no answer {GRACE_SECONDS:g} s after its limit of {seconds:g} s")


@contextlib.contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator[distributed.Client]:
    """A client of the scheduler at this address, or of a cluster on this machine that ends with the block."""
    # Dask blames every task in progress on a worker that dies, and would prefetch one more.
    options = {
        "distributed.scheduler.worker-saturation": 1.0,
        "distributed.scheduler.allowed-failures": WORKER_DEATHS - 1,
        "distributed.scheduler.work-stealing": False,
        "distributed.comm.timeouts.connect": "20s",
        "distributed.admin.log-format": "%(message)s",
    }
    with dask.config.set(options):
        if scheduler is not None:
            with distributed.Client(scheduler, set_as_default=False) as client:
                yield client
            return
        environment.prepare()
        cluster = distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=0,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        )
        with cluster, distributed.Client(cluster, set_as_default=False) as client:
            yield client


def _on_cluster(
    client: distributed.Client, jobs: Sequence[Job], data: Any, seconds: float, task: Task
) -> Iterator[tuple[Job, dict[str, Any]]]:
    shared = client.scatter(data, broadcast=True)
    futures = {
        client.submit(
            _in_worker, task, job.settings, job.identity.activation, shared, seconds,
            key=f"run-{job.identity.id}", pure=False, priority=-position,
        ): job
        for position, job in enumerate(jobs)
    }  # fmt: skip
    for future in distributed.as_completed(futures, loop=client.loop):
        job = futures.pop(future)
        error = future.exception()
        if error is None:
            result = future.result()
        elif isinstance(error, KilledWorker):
            result = _failure(
                "crashed", f"its worker process died {WORKER_DEATHS} times (killed, out of memory or a fault)"
            )
        else:
            result = _failure("failed", f"{type(error).__name__}: {error}")
        future.release()
        yield job, result
