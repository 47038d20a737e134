"""Connect to the processes that train: start Dask workers on this machine, or join the scheduler of a cluster.

Workers started in a block of `shared_programs` share the programs that XLA compiles.
"""

import asyncio
import contextlib
import functools
import gc
import logging
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from multiprocessing import forkserver
from multiprocessing import util as multiprocessing_util
from pathlib import Path
from typing import Any, TypeVar

import dask
import distributed
from distributed.comm.core import connect
from distributed.scheduler import KilledWorker

from study.constants import WORKER_DEATHS
from study.engine import environment
from study.errors import ClusterError, one_line
from study.runner.progress import say

T = TypeVar("T")  # of the result of a function

# Linux workers are forked from a process that has imported PRELOADED. They start in 0.1 s instead of 4, and need
# 0.25 GB less each, because they share its code. The libraries of macOS cannot be forked.
PRELOADED = "study.runner.preloaded"
IS_FORKED = sys.platform == "linux"
# Each worker runs this code at its start. It ignores Ctrl-C: the main process ends the workers.
WORKER_PRELOAD = (
    "import logging, signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "logging.getLogger('distributed').setLevel(logging.CRITICAL)"
)
LONGEST_FOLDER = 75  # bytes of a path; multiprocessing adds 32 for its socket, and Linux allows 107
FOLDER_VARIABLES = ("TMPDIR", "TEMP", "TMP")  # variables that say where temporary files go
SILENT_SECONDS = 20.0  # after which a scheduler that has not answered counts as absent
PATIENCE = 3.0  # seconds until a command says that a scheduler has no workers
DASK_SETTINGS = {
    # Dask blames every task in progress on a worker that dies, and would prefetch one more.
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.allowed-failures": WORKER_DEATHS - 1,
    "distributed.scheduler.work-stealing": False,
    "distributed.worker.multiprocessing-method": "forkserver" if IS_FORKED else "spawn",
    "distributed.comm.timeouts.connect": f"{SILENT_SECONDS:g}s",
    "distributed.admin.log-format": "%(message)s",
    "distributed.admin.large-graph-warning-threshold": "1GB",  # the data take 55 MB and are sent once.
    # With Dask's setting the C library would return every freed array to the system and ask for it again.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
    # Dask's statistics would wake every process 50 and 100 times a second.
    "distributed.admin.tick.interval": "1s",
    "distributed.worker.profile.enabled": False,
}


def in_new_workers(function: Callable[..., T], calls: Sequence[tuple[Any, ...]]) -> list[T]:
    """Return `function(*call)` for each of `calls`, all done at the same time, each in a new local process."""
    with connected(len(calls), None) as client:
        client.wait_for_workers(len(calls))  # or one process could get two calls
        futures = [client.submit(function, *arguments, pure=False) for arguments in calls]
        # Unlike `gather`, this leaves no task of Dask's behind, to be complained of, if it is interrupted.
        found = {future: future.result() for future in distributed.as_completed(futures, loop=client.loop)}
        return [found[future] for future in futures]


def failure_reason(error: BaseException) -> str:
    """Return why a task failed: the name and text of `error`, or that the task's worker process died each time."""
    if isinstance(error, KilledWorker):
        return f"its worker process died {WORKER_DEATHS} times (killed, out of memory or a fault)"
    return f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def connected(workers: int, scheduler: str | None) -> Iterator[distributed.Client]:
    """Yield a Dask client of the scheduler at the address `scheduler`; if it is None, of `workers` new local processes.

    The local processes end with the block. Wait until a scheduler at an address has a worker. Raise ClusterError if
    none answers there, if it ends meanwhile, or if the local processes do not start.
    """
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # a broken connection is reported by ClusterError
    start_client = functools.partial(distributed.Client, set_as_default=False)
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(DASK_SETTINGS))
        if scheduler is None:
            failed = "the worker processes did not start"
            with _interrupted_later():
                cluster = stack.enter_context(_closing(_started(failed, _local_cluster, workers)))
                client = stack.enter_context(_closing(_started(failed, start_client, cluster)))
        else:
            failed = f"no Dask scheduler answers at {scheduler}"
            # In a thread of its own, because this one may have an event loop already, as in a notebook.
            _started(failed, in_thread(lambda: asyncio.run(_shake_hands(scheduler))).result)
            client = stack.enter_context(_closing(_started(failed, start_client, scheduler)))
            _wait_for_workers(client, scheduler)
        yield client


@contextlib.contextmanager
def _interrupted_later() -> Iterator[None]:
    """Raise KeyboardInterrupt for a first Ctrl-C or SIGTERM at the end of the block only; a second one comes at once.

    A cluster that is interrupted while it starts cannot be closed. Outside of the main thread, which gets the signals,
    do nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came, found = [], {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    kept = {number: handler for number, handler in found.items() if callable(handler)}  # not one that is ignored

    def restore() -> None:
        for number, handler in kept.items():
            signal.signal(number, handler)

    def wait(number: int, frame: Any) -> None:
        came.append(number)
        restore()

    for number in kept:
        signal.signal(number, wait)
    try:
        yield
    finally:
        restore()
        if came:  # also if the cluster did not start, because the signal has ended a process of it
            raise KeyboardInterrupt


def _started(failed: str, start: Callable[..., Any], *arguments: Any) -> Any:
    """Return `start(*arguments)`; if that raises, raise ClusterError with the text `failed` and the reason."""
    try:
        return start(*arguments)
    except Exception as error:  # noqa: BLE001 - what answers at an address may be any server, and send anything
        why = one_line(error)
    gc.collect()  # closes a client that failed; closed later, in a thread of the next one, it would block its start
    raise ClusterError(f"{failed}: {why}")


def in_thread(call: Callable[[], T]) -> Future[T]:
    """Start `call` in a new thread, and return the future of its result; the thread does not outlive the process."""
    outcome: Future[T] = Future()

    def work() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised in the waiting thread
            outcome.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return outcome


async def _shake_hands(address: str) -> None:
    """Connect to the scheduler at `address` and leave; raise TimeoutError if it is silent.

    A client would wait for a silent server without end, and could then not be closed.
    """
    try:
        async with asyncio.timeout(SILENT_SECONDS):
            comm = await connect(address, **distributed.Security().get_connection_args("client"))
            await comm.close()
    except TimeoutError as error:
        raise TimeoutError(f"no answer within {SILENT_SECONDS:g} s") from error


@contextlib.contextmanager
def _closing(opened: Any) -> Iterator[Any]:
    """Yield `opened`, a Dask client or local cluster, and close it when the block ends, also after an exception.

    A TimeoutError or AssertionError of closing is ignored.
    """
    try:
        yield opened
    finally:  # TimeoutError: the scheduler is silent; AssertionError: a worker that replaces a dead one is starting
        with contextlib.suppress(TimeoutError, AssertionError):
            opened.close()


def _local_cluster(workers: int) -> distributed.LocalCluster:
    """Start `workers` processes of one thread on this machine, and return the cluster that they form."""
    environment.prepare()
    if IS_FORKED:
        _shorten_sockets()
        multiprocessing.set_forkserver_preload([PRELOADED])
        forkserver.ensure_running()
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        memory_limit=0,
        dashboard_address="127.0.0.1:0",  # any free port; None would be 8787, which another run may have
        silence_logs=logging.CRITICAL,
        preload=[WORKER_PRELOAD],
        env=dict(os.environ),  # as it is now: the process that workers are forked from may have started earlier
    )


def _shorten_sockets() -> None:
    """Let multiprocessing keep its sockets in the system's temporary folder if the user's is beyond LONGEST_FOLDER."""
    if len(os.fsencode(tempfile.gettempdir())) <= LONGEST_FOLDER:
        return
    folder, removed = tempfile.tempdir, {name: os.environ.pop(name) for name in FOLDER_VARIABLES if name in os.environ}
    tempfile.tempdir = None
    try:
        multiprocessing_util.get_temp_dir()  # decided once for the life of this process
    finally:
        tempfile.tempdir = folder
        os.environ.update(removed)


def _wait_for_workers(client: distributed.Client, address: str) -> None:
    """Wait until the scheduler at `address` has a worker; say so after PATIENCE. Raise ClusterError if it is lost."""
    try:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            say(f"waiting for workers of {address}")
            client.wait_for_workers(1)
    except OSError as lost:
        raise ClusterError(f"the Dask scheduler is gone: {lost}") from lost


@contextlib.contextmanager
def shared_programs(folder: Path) -> Iterator[None]:
    """Let the workers started in the block share the programs that XLA compiles, as files in the temporary `folder`."""
    shutil.rmtree(folder, ignore_errors=True)  # a process that was killed may have left it
    path = str(folder.resolve())
    quote = '"' if "'" in path else "'"
    os.environ["TF_XLA_FLAGS"] = (
        f"--tf_xla_persistent_cache_directory={quote}{path}{quote} --tf_xla_persistent_cache_read_only=false "
        "--tf_xla_persistent_cache_device_types=CPU,XLA_CPU_JIT"
    )
    try:
        yield
    finally:
        os.environ.pop("TF_XLA_FLAGS")
        shutil.rmtree(folder, ignore_errors=True)
