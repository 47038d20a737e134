"""Worker processes on this machine or a Dask cluster's: how they start, what they share, and one for timings alone."""

import contextlib
import gc
import logging
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any

import dask
import distributed

from study.constants import WORKER_DEATHS
from study.engine import environment

# What a worker process does first: a terminal sends Ctrl-C to all processes; this one ends the workers.
QUIETLY = (
    "import logging, signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "logging.getLogger('distributed').setLevel(logging.CRITICAL)"
)
# What the process has imported that workers are forked from. They start in 0.1 s instead of 4, and hold 0.25 GB
# less: of TensorFlow's code only the pages that they use. macOS' libraries do not bear being forked.
PRELOADED = "study.runner.preloaded"
IS_FORKED = sys.platform == "linux"


class ClusterError(Exception):
    """The Dask scheduler cannot be reached, or is gone; the message says which."""


class ProcessDied(Exception):
    """A process that was to answer ended without a word, or with an error; the message says which."""


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """What the function returns in a fresh process of its own, with no other of ours busy: for timings."""
    context = multiprocessing.get_context("spawn")
    answer, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, function, arguments), daemon=True)
    process.start()
    sender.close()
    try:
        is_good, found = answer.recv()
    except EOFError as error:
        raise ProcessDied("its process ended without an answer (killed, out of memory or a fault)") from error
    finally:
        process.terminate()
        process.join()
    if not is_good:
        raise ProcessDied(found)
    return found


def _answer(sender: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to all processes; the first ends this one
    try:
        sender.send((True, function(*arguments)))
    except Exception as error:  # noqa: BLE001 - whatever it raises is the caller's to tell
        sender.send((False, f"{type(error).__name__}: {error}"))


@contextlib.contextmanager
def connected(workers: int, scheduler: str | None) -> Iterator[distributed.Client]:
    """A client of the scheduler at this address, or of a cluster on this machine that ends with the block."""
    # Dask blames every task in progress on a worker that dies, and would prefetch one more.
    options = {
        "distributed.scheduler.worker-saturation": 1.0,
        "distributed.scheduler.allowed-failures": WORKER_DEATHS - 1,
        "distributed.scheduler.work-stealing": False,
        "distributed.comm.timeouts.connect": "20s",
        "distributed.admin.log-format": "%(message)s",
        "distributed.admin.large-graph-warning-threshold": "1GB",  # the data are 55 MB, sent once
        # Left to the C library: as Dask sets it, every array of a run is asked of the system anew and cleared.
        "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
        # What Dask watches of itself wakes every process 50 and 100 times a second: the runs have the cores.
        "distributed.admin.tick.interval": "1s",
        "distributed.worker.profile.enabled": False,
    }
    for room in ("distributed", "distributed.client"):  # what matters of connections that break is said by us
        logging.getLogger(room).setLevel(logging.CRITICAL)
    if scheduler is None:
        options["distributed.worker.multiprocessing-method"] = "forkserver" if IS_FORKED else "spawn"
        _start()
    with dask.config.set(options):
        if scheduler is not None:
            with _reached(scheduler) as client:
                yield client
            return
        cluster = distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=0,
            dashboard_address="127.0.0.1:0",  # any free port; None would be 8787, which another run may have
            silence_logs=logging.CRITICAL,
            preload=[QUIETLY],
            env=dict(os.environ),  # as it is now: the process that they are forked from may be older
        )
        with cluster, distributed.Client(cluster, set_as_default=False) as client:
            yield client


@contextlib.contextmanager
def shared_programs() -> Iterator[None]:
    """Let the worker processes started meanwhile share what they compile, in a folder that ends with the block."""
    with tempfile.TemporaryDirectory(prefix="activation-study-", ignore_cleanup_errors=True) as folder:
        before = os.environ.get("TF_XLA_FLAGS")
        os.environ["TF_XLA_FLAGS"] = (
            f"--tf_xla_persistent_cache_directory={folder} --tf_xla_persistent_cache_read_only=false "
            "--tf_xla_persistent_cache_device_types=CPU,XLA_CPU_JIT"
        )
        try:
            yield
        finally:
            os.environ.pop("TF_XLA_FLAGS")
            if before is not None:
                os.environ["TF_XLA_FLAGS"] = before


def _start() -> None:
    """Set what worker processes inherit, and start the one that they are forked from, if there is none yet."""
    environment.prepare()
    if IS_FORKED:
        multiprocessing.set_forkserver_preload([PRELOADED])
        forkserver.ensure_running()


def _reached(address: str) -> distributed.Client:
    try:
        return distributed.Client(address, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = str(error)
    gc.collect()  # closes the client that failed: later, in a thread of the next one, that would block its start
    raise ClusterError(f"no Dask scheduler answers at {address}: {reason}")
