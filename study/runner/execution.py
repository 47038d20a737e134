"""Carry out many runs, one at a time in each process, and record each as soon as it is finished.

A run that raises an exception is recorded as failed; one that exceeds its time limit, as a timeout. A run whose worker
process dies is tried again in another, and recorded as crashed after the third death. The other runs go on.
"""

import contextlib
import ctypes
import functools
import os
import threading
import uuid
from collections.abc import Callable, Generator, Sequence
from typing import Any

import distributed
from distributed.client import FutureCancelledError
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from study.constants import RUN_SECONDS
from study.engine import environment
from study.errors import ClusterError, one_line
from study.records.identity import engine_fingerprint, identity
from study.records.provenance import describe_environment, provenance
from study.records.store import FAILED_STATUSES, Record, Store, make_record
from study.runner.checkpoints import keeps_network, train_and_keep_network, train_resumably
from study.runner.order import Job, alternate, batches, run_cost
from study.runner.progress import Progress
from study.runner.workers import connected, failure_reason, in_thread
from study.settings import Settings

GRACE_SECONDS = 30.0  # past its time limit, a run stops after its epoch; if it goes on for so long, it is abandoned
LONG_COST = 2e7  # runs of at least this cost (order.py), which is about a minute, keep checkpoints
HOUR_COST = 1e8  # a run of a higher cost has a longer time limit, in proportion to its cost
EXIT_SECONDS = 2.0  # from abandoning a run to ending its process, which delivers the failure meanwhile

Result = dict[str, Any]  # what `training.train` returns, or the `status` and `cause` of a failure
Task = Callable[[Settings, str, Any, float], Result]  # takes settings, fingerprint, data and seconds, like `train_job`
Results = Generator[tuple[Job, Result], None, None]


def train_job(
    settings: Settings, fingerprint: str, data: Any, seconds: float, store: Store | None = None, engine: str = ""
) -> Result:
    """Train the run of `settings` on `data`, a Dataset, in this process, and return its result.

    The result is what `training.train` returns, with the additional entry `environment`. Raise ValueError if the
    registry's activation does not have this `fingerprint`, or if `engine` is neither empty nor the fingerprint of this
    engine's code. Raise TimeLimit before an epoch once `seconds` have passed. Unless `store` is None, a long run keeps
    checkpoints there and goes on from the last, and the runs that `keeps_network` selects keep their networks.
    """
    if engine and engine != (ours := engine_fingerprint()):
        wanted = f"expected {engine}; it needs the same study/engine/"
        raise ValueError(f"this process has another engine: fingerprint {ours}, {wanted}")
    environment.start_tensorflow()
    from study import activations
    from study.engine import training

    activation = activations.REGISTRY[settings.activation]
    if (found := activations.fingerprint(activation)) != fingerprint:
        difference = f"fingerprint {found}, expected {fingerprint}"
        raise ValueError(f"this process defines {settings.activation} differently: {difference}")
    train = functools.partial(training.train, settings, data, activation, seconds=seconds)
    if store is not None:
        run = identity(settings, data.checksum, fingerprint).id
        if keeps_network(settings):
            train = functools.partial(train_and_keep_network, train, settings, store.network(run))
        if run_cost(settings) >= LONG_COST:
            train = functools.partial(train_resumably, train, store.checkpoint(run))
    return {**train(), "environment": describe_environment()}


def execute(
    jobs: Sequence[Job],
    data: Any,
    store: Store,
    *,
    label: str = "training",
    later_cost: float = 0.0,
    workers: int = 0,
    scheduler: str | None = None,
    task: Task | None = None,
) -> list[Record]:
    """Carry out the jobs, write their records to `store`, and return these, failed ones too, in the order of finishing.

    `data` is a Dataset. `workers` is the number of local processes; 0 does the jobs in this process. `scheduler` is the
    address of a Dask scheduler to use instead. `task` replaces `train_job`. `label` names the progress bar, and
    `later_cost` is the cost of later work, which counts in the time left. Raise ClusterError if the scheduler cannot be
    reached or is lost, or if the local processes do not start.
    """
    task = task or functools.partial(train_job, store=Store(store.folder.resolve()), engine=engine_fingerprint())
    records = []
    with contextlib.closing(attempt_all(jobs, task, data, label, later_cost, workers, scheduler)) as results:
        for job, result in results:
            made = provenance(result.pop("environment", None))
            records.append(store.write(make_record(job.identity, job.activation, result, made)))
    return records


def attempt_all(
    jobs: Sequence[Job],
    task: Task,
    data: Any,
    label: str,
    later_cost: float = 0.0,
    workers: int = 0,
    scheduler: str | None = None,
) -> Results:
    """Yield each job with the result of its `attempt` by `task`, as soon as it is finished, and show the progress.

    The arguments are as in `execute`.
    """
    if workers == 0 and scheduler is None:
        results: Results = ((job, attempt(task, job, data, RUN_SECONDS)) for job in jobs)
    else:
        results = _in_processes(jobs, workers, scheduler, task, data)
    total = sum(run_cost(job.settings) for job in jobs) + later_cost
    with contextlib.closing(results), contextlib.closing(Progress(label, total, len(jobs))) as progress:
        for job, result in results:
            yield job, result
            progress.advance(run_cost(job.settings), _progress_text(job, result))


def attempt(task: Task, job: Job, data: Any, seconds: float, grace: float | None = None) -> Result:
    """Do the run of `job` on `data` by calling `task`, and return its result, or the status and cause of its failure.

    An exception fails this run alone. The time limit is `seconds`, or more for a run that costs more than HOUR_COST.
    Unless `grace` is None, the run works in a thread. A run that has not ended `grace` seconds after its limit is
    abandoned as a timeout. Its process then ends, and Dask starts another.
    """
    seconds *= max(1.0, run_cost(job.settings) / HOUR_COST)
    train = functools.partial(task, job.settings, job.identity.activation, data, seconds)
    running = None if grace is None else in_thread(train)
    try:
        return train() if running is None else running.result(seconds + (grace or 0))
    except (Exception, SystemExit) as error:  # recorded, so that the other runs go on
        if running is None and isinstance(error, SystemExit):  # this process is to end
            raise
        if running is None or running.done():
            is_late = type(error).__name__ == "TimeLimit"  # its class is in the engine, which must not be imported here
            return _failure("timeout", error) if is_late else _failure("failed", failure_reason(error))
        leave = threading.Timer(EXIT_SECONDS, os._exit, [1])
        leave.daemon = True
        leave.start()
        return _failure("timeout", f"the run hung: no answer {grace:g} s after its limit of {seconds:g} s")
    finally:
        with contextlib.suppress(OSError, AttributeError, TypeError):  # not every system or C library has this
            ctypes.CDLL(None).malloc_trim(0)  # returns the memory that compiling needed


def _in_processes(jobs: Sequence[Job], workers: int, scheduler: str | None, task: Task, data: Any) -> Results:
    """Yield each job with the result of its `attempt`, as soon as it is finished, from several processes."""
    for batch in batches(jobs, workers) if scheduler is None else [alternate(jobs, workers)]:
        with connected(min(workers, len(batch)), scheduler) as client:
            # The data are submitted, not scattered: scattered data would be lost with the worker that holds them.
            shared = client.submit(_unchanged, data, key=f"data-{uuid.uuid4().hex}")
            fillers = _filler_futures(client)
            futures = {}
            for place, job in enumerate(batch):
                how = {"key": f"run-{job.identity.id}", "pure": False, "priority": -place}
                futures[client.submit(attempt, task, job, shared, RUN_SECONDS, GRACE_SECONDS, **how)] = job
            for future in distributed.as_completed(futures, loop=client.loop):
                job = futures.pop(future)
                result = _result_or_failure(future)
                future.release()
                yield job, result
            for filler in fillers:
                filler.release()


def _unchanged(value: Any) -> Any:
    """Return `value`: as a task of Dask, this brings data to the workers, or with None does nothing."""
    return value


def _filler_futures(client: distributed.Client) -> "list[distributed.Future[Any]]":
    """Submit tasks that do nothing to `client`, and return their futures, to be kept until all runs are finished.

    Dask queues runs only if there are more than two similar tasks per thread, finished ones included. Without a queue,
    it sends several runs to one worker, and blames all of them when the worker dies. Raise ClusterError if the
    scheduler is gone.
    """
    try:
        threads = sum(client.nthreads().values())
    except OSError as lost:  # CommClosedError is one
        raise ClusterError(f"the Dask scheduler is gone: {lost}") from lost
    return [client.submit(_unchanged, None, key=f"run-{uuid.uuid4().hex}") for _ in range(2 * threads + 1)]


def _result_or_failure(future: "distributed.Future[Result]") -> Result:
    """Return the result of a finished run, or its failure; raise ClusterError if the scheduler is gone."""
    try:
        return future.result()
    except (FutureCancelledError, CommClosedError) as lost:
        raise ClusterError(f"the Dask scheduler is gone: {lost}") from lost
    except Exception as error:  # noqa: BLE001 - see `attempt`
        return _failure("crashed" if isinstance(error, KilledWorker) else "failed", failure_reason(error))


def _failure(status: str, cause: object) -> Result:
    return {"status": status, "cause": one_line(cause)}


def _progress_text(job: Job, result: Result) -> str:
    """Return a line about a finished run: its activation, depth and seed, and its test accuracy or how it ended."""
    settings, outcome = job.settings, result["status"]
    if outcome == "done":
        score = result["last"].get("test_accuracy")
        outcome = "measured at initialisation" if score is None else f"test accuracy {score:.2%}"
    elif outcome in FAILED_STATUSES:
        outcome += f": {result['cause']}"
    return f"{settings.activation}, depth {settings.depth}, seed {settings.seed}: {outcome}"
