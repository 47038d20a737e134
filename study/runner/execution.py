"""Many runs -> local processes or a Dask cluster, one run in flight a process; every finished run is recorded at once.

A run that raises is recorded as failed, one that outlives its time limit as a timeout, one that takes its process with
it is tried again on another and recorded as crashed after the third death. The other runs go on.
"""

import contextlib
import ctypes
import functools
import os
import threading
import time
import uuid
from collections.abc import Callable, Generator, Sequence
from typing import Any

import distributed
from distributed.client import FutureCancelledError
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from study.constants import RUN_SECONDS, WORKER_DEATHS
from study.engine import environment
from study.records.provenance import describe
from study.records.store import FAILED, Record, Store, make
from study.runner.order import Job, cost, interleaved, lives
from study.runner.progress import Progress
from study.runner.workers import ClusterError, connected
from study.settings import Settings

GRACE_SECONDS = 30.0  # a run past its limit is asked to stop between epochs; this much later it is abandoned

Task = Callable[[Settings, str, Any, float], dict[str, Any]]
Results = Generator[tuple[Job, dict[str, Any]], None, None]


@functools.cache
def _fingerprint(activation: Any) -> str:
    """Once a process and activation: it takes longer than a network that is not trained."""
    from study.activations import fingerprint

    return fingerprint(activation)


def train_job(settings: Settings, fingerprint: str, data: Any, seconds: float) -> dict[str, Any]:
    """One run, in whatever process this is called; the activation is looked up by name and must be the one meant."""
    environment.start_tensorflow()
    from study import activations
    from study.engine import training

    activation = activations.REGISTRY[settings.activation]
    found = _fingerprint(activation)
    if found != fingerprint:
        raise ValueError(f"this process has another {settings.activation}: fingerprint {found}, expected {fingerprint}")
    return {**training.train(settings, data, activation, seconds=seconds), "environment": describe()}


def execute(
    jobs: Sequence[Job],
    data: Any,
    store: Store,
    *,
    label: str = "training",
    workers: int = 0,
    scheduler: str | None = None,
    seconds: float = RUN_SECONDS,
    grace: float = GRACE_SECONDS,
    task: Task = train_job,
) -> list[Record]:
    """Do the jobs and write their records; returns the records, failed ones included, in order of completion.

    `workers` local processes, one thread each; 0 does them one after the other in this process (for debugging).
    `scheduler` is the address of a Dask scheduler to use instead. `data` reaches every worker once. A run has `seconds`
    to end by itself; `grace` seconds later its process is given up (not so without processes).
    """
    progress = Progress(label, sum(cost(job.settings) for job in jobs), len(jobs))
    records = []
    if _is_serial(workers, scheduler):
        results = _serially(jobs, data, seconds, task)
    else:
        parts = lives(jobs, workers) if scheduler is None else [interleaved(jobs, workers)]
        results = _in_processes(parts, workers, scheduler, data, (seconds, grace), task)
    with contextlib.closing(results):
        for job, result in results:
            about = result.pop("environment", None) or describe()
            provenance = {"environment": about, "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
            records.append(store.write(make(job.identity, job.activation, result, provenance)))
            progress.advance(cost(job.settings), _what(job, result))
    progress.finish()
    return records


def _is_serial(workers: int, scheduler: str | None) -> bool:
    return workers == 0 and scheduler is None


def _what(job: Job, result: dict[str, Any]) -> str:
    settings = job.settings
    outcome = result["status"]
    if outcome == "done":
        score = result["last"].get("test_accuracy")
        outcome = "measured at initialisation" if score is None else f"test accuracy {score:.2%}"
    elif outcome in FAILED:
        outcome += f": {result['cause']}"
    return f"{settings.activation}, depth {settings.depth}, seed {settings.seed}: {outcome}"


def _failure(status: str, cause: object) -> dict[str, Any]:
    text = " ".join(str(cause).split())[:500]  # on one line, and without a terminal's control sequences
    return {"status": status, "cause": "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)}


def _guarded(task: Task, settings: Settings, fingerprint: str, data: Any, seconds: float) -> dict[str, Any]:
    """The run's result, or how it failed; any exception is this run's own failure, never the study's."""
    try:
        return task(settings, fingerprint, data, seconds)
    except Exception as error:  # noqa: BLE001 - whatever a run raises is recorded, and the others go on
        is_late = type(error).__name__ == "TimeLimit"
        return _failure(
            "timeout" if is_late else "failed", f"{error}" if is_late else f"{type(error).__name__}: {error}"
        )


def _serially(jobs: Sequence[Job], data: Any, seconds: float, task: Task) -> Results:
    for job in jobs:
        yield job, _guarded(task, job.settings, job.identity.activation, data, seconds)


def _in_worker(
    task: Task, settings: Settings, fingerprint: str, data: Any, seconds: float, grace: float
) -> dict[str, Any]:
    """As _guarded, in a thread that is given up if it hangs; the process then ends and Dask starts another."""
    results: list[dict[str, Any]] = []

    def work() -> None:
        results.append(_guarded(task, settings, fingerprint, data, seconds))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds + grace)
    if results:
        with contextlib.suppress(OSError, AttributeError):  # a C library without it
            ctypes.CDLL(None).malloc_trim(0)  # what compiling left over
        return results[0]
    leave = threading.Timer(2.0, os._exit, [1])  # after the result is delivered
    leave.daemon = True
    leave.start()
    return _failure("timeout", f"the run hung: no answer {grace:g} s after its limit of {seconds:g} s")


def _given(data: Any) -> Any:
    return data


def _outcome(future: "distributed.Future[dict[str, Any]]") -> dict[str, Any]:
    """What the run gave, or how its process ended; ClusterError if there is nobody left who would know."""
    try:
        error = future.exception()
        if error is None:
            return future.result()  # the result may have been lost since with its worker, and the run done again
    except KilledWorker as killed:
        error = killed
    except (FutureCancelledError, CommClosedError) as lost:
        raise ClusterError(f"the Dask scheduler is gone: {lost}") from lost
    if isinstance(error, KilledWorker):
        cause = f"its worker process died {WORKER_DEATHS} times (killed, out of memory or a fault)"
        return _failure("crashed", cause)
    return _failure("failed", f"{type(error).__name__}: {error}")


def _in_processes(
    parts: Sequence[Sequence[Job]],
    workers: int,
    scheduler: str | None,
    data: Any,
    limits: tuple[float, float],
    task: Task,
) -> Results:
    """The results of every part of the jobs, each part in worker processes of its own unless they are a scheduler's."""
    for jobs in parts:
        with connected(min(workers, len(jobs)), scheduler) as client:
            yield from _on_cluster(client, jobs, data, limits, task)


def _on_cluster(
    client: distributed.Client, jobs: Sequence[Job], data: Any, limits: tuple[float, float], task: Task
) -> Results:
    shared = client.submit(_given, data, key=f"data-{uuid.uuid4().hex}")  # scattered, it would die with its worker
    kept = _fillers(client, len(jobs))
    futures = {
        client.submit(
            _in_worker, task, job.settings, job.identity.activation, shared, *limits,
            key=f"run-{job.identity.id}", pure=False, priority=-position,
        ): job
        for position, job in enumerate(jobs)
    }  # fmt: skip
    for future in distributed.as_completed(futures, loop=client.loop):
        job = futures.pop(future)
        result = _outcome(future)
        future.release()
        yield job, result
    for filler in kept:
        filler.release()


def _fillers(client: distributed.Client, runs: int) -> "list[distributed.Future[Any]]":
    """Tasks that do nothing, which a few runs need beside them while they last.

    Dask keeps to itself what waits, so that a worker has one run in flight, only where there are more than two tasks of
    a kind for every thread. Of fewer a worker is sent several, and when it dies all of them are blamed.
    """
    try:
        threads = sum(client.nthreads().values())
    except OSError as lost:  # CommClosedError is one
        raise ClusterError(f"the Dask scheduler is gone: {lost}") from lost
    return [client.submit(_given, None, key=f"run-{uuid.uuid4().hex}") for _ in range(runs, 2 * threads + 1)]
