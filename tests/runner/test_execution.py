"""Every run is recorded with how it ended, whatever becomes of its process; the others are none the worse."""

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import product, repeat
from pathlib import Path
from unittest.mock import Mock

import distributed
import pytest
import synthetic
from scientific import scientific_content
from synthetic import VARIABLE, environment, started, told

from study.constants import WORKER_DEATHS
from study.engine.environment import VARIABLES
from study.errors import ClusterError
from study.records.identity import Identity
from study.records.store import Record, Store
from study.runner import execution, workers
from study.runner.execution import attempt, execute, train_job
from study.runner.order import Job, alternate, batches
from study.runner.workers import IS_FORKED, shared_programs
from study.settings import Settings

GOOD = range(4)
FATES = {4: "kill", 5: "segfault", 6: "raise no <b>such</b>\x1b[2J\nthing", 7: "hang", 8: "late", 9: "diverged"}
HOW = {f"relu {seed}": fate for seed, fate in FATES.items()}


def job(seed: int, activation: str = "relu", **more: int) -> Job:
    settings = Settings(activation=activation, seed=seed, **more)
    return Job(settings, Identity(settings.to_dict(), "data", "function", "engine"), {"label": "ReLU"})


def records(store: Store) -> dict[int, Record]:
    return {record["identity"]["settings"]["seed"]: record for record in store.find(store.runs()).values()}


def contents(store: Store) -> dict[int, bytes]:
    return {seed: scientific_content(record) for seed, record in records(store).items()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[int, bytes]:
    """Return the records of twelve runs in this process, one after the other."""
    store = Store(tmp_path_factory.mktemp("undisturbed"))
    execute([job(seed) for seed in range(12)], None, store, task=synthetic.task)
    return contents(store)


def test_every_run_is_recorded_with_how_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: dict[int, bytes]
) -> None:
    """Killed and segfaulted: crashed; raised: failed; hung and late: timeout; the others: as if nothing happened.

    Two processes do four good runs among one each of every bad kind. A cause is one line without terminal escapes; a
    hang says how long it was waited. The good runs have the same scientific content as serially and undisturbed.
    """
    store = Store(tmp_path)
    monkeypatch.setenv(VARIABLE, told(how=HOW))
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    for limit in ("RUN_SECONDS", "GRACE_SECONDS"):
        monkeypatch.setattr(execution, limit, 1.0)
    execute([job(seed) for seed in [*FATES, *GOOD]], {"some": "data"}, store, workers=2, task=synthetic.task)
    found = {seed: record["result"] for seed, record in records(store).items()}
    bad = {4: "crashed", 5: "crashed", 6: "failed", 7: "timeout", 8: "timeout", 9: "diverged"}
    assert {seed: result["status"] for seed, result in found.items()} == {**bad, **dict.fromkeys(GOOD, "done")}
    assert found[6]["cause"] == "RuntimeError: no <b>such</b>\N{REPLACEMENT CHARACTER}[2J thing"
    assert found[7]["cause"] == "the run hung: no answer 1 s after its limit of 1 s"
    assert found[8]["cause"] == "the run took more than it was allowed"
    assert {seed: contents(store)[seed] for seed in GOOD} == {seed: undisturbed[seed] for seed in GOOD}


def test_a_run_that_kills_its_process_is_tried_three_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three times, no more, and not for the death of another run; the record says so.

    One process is used: if two die at once, and one has the only copy of the data, Dask does not count the death.
    """
    store, log = Store(tmp_path), tmp_path / "log"
    monkeypatch.setenv(VARIABLE, told(log, how=HOW))
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    execute([job(4), job(5), job(0)], {"some": "data"}, store, workers=1, task=synthetic.task)
    assert started(log) == {"relu 4": WORKER_DEATHS, "relu 5": WORKER_DEATHS, "relu 0": 1}
    found = records(store)
    assert found[0]["result"]["status"] == "done"
    assert all("died 3 times" in found[seed]["result"]["cause"] for seed in (4, 5))


def test_order_does_not_matter(tmp_path: Path, undisturbed: dict[int, bytes]) -> None:
    """The runs in reversed order give the same records."""
    store = Store(tmp_path)
    execute([job(seed) for seed in reversed(range(12))], None, store, task=synthetic.task)
    assert contents(store) == undisturbed


def test_what_dask_does_for_itself_leaves_the_runs_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker keeps freed memory, nothing samples its threads, and variables are set when the C library reads them."""
    for name in ("MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)

    def told_by_the_worker(settings, fingerprint, data, seconds):
        import os
        import pathlib
        import threading

        threads = " ".join(thread.name for thread in threading.enumerate())
        at_start = pathlib.Path("/proc/self/environ")  # Linux alone, as the variable
        given = at_start.read_text() if at_start.exists() else f"GLIBC_TUNABLES={os.environ['GLIBC_TUNABLES']}"
        trim = os.environ.get("MALLOC_TRIM_THRESHOLD_")
        return {"status": "done", "last": {}, "trim": trim, "threads": threads, "given": given}

    (record,) = execute([job(0)], None, Store(tmp_path), workers=1, task=told_by_the_worker)
    assert record["result"]["trim"] is None
    assert f"GLIBC_TUNABLES={VARIABLES['GLIBC_TUNABLES']}" in record["result"]["given"]
    assert "profile" not in record["result"]["threads"].lower()


@pytest.mark.skipif(not IS_FORKED, reason="worker processes are spawned here")
def test_a_worker_is_forked_from_a_process_with_tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds the engine imported, and its environment is this process's of now, with the folder of shared programs.

    The process that it is forked from has one thread: a fork leaves others behind, and what they had locked.
    """

    def told_by_the_worker(settings, fingerprint, data, seconds):
        import os
        import sys

        result = {"status": "done", "last": {}, "has_engine": "study.engine.training" in sys.modules}
        result |= {"now": os.environ.get("NOW"), "folder": os.environ.get("TF_XLA_FLAGS")}
        return {**result, "threads": len(os.listdir(f"/proc/{os.getppid()}/task"))}  # noqa: PTH208

    for now in ("1", "2"):
        monkeypatch.setenv("NOW", now)
        with shared_programs(tmp_path / "programs"):
            (record,) = execute([job(int(now))], None, Store(tmp_path), workers=1, task=told_by_the_worker)
            assert record["result"]["folder"] == os.environ["TF_XLA_FLAGS"]
        assert (record["result"]["has_engine"], record["result"]["threads"]) == (True, 1)
        assert record["result"]["now"] == now
    (record,) = execute([job(3)], None, Store(tmp_path), workers=1, task=told_by_the_worker)
    assert record["result"]["folder"] == os.environ.get("TF_XLA_FLAGS")


def test_shared_programs_are_not_left_behind(tmp_path: Path) -> None:
    """The folder, whose path may hold a quote, is removed at the end, and first if a killed process has left it."""
    folder = tmp_path / "it's a" / "folder"
    folder.mkdir(parents=True)
    with shared_programs(folder):
        assert not folder.exists()
        assert f'"{folder}" ' in os.environ["TF_XLA_FLAGS"]
        folder.mkdir()
    assert not folder.exists()
    assert "TF_XLA_FLAGS" not in os.environ


def test_a_worker_with_another_activation_or_engine_does_not_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster with an older checkout must not measure under this identity: the run says both fingerprints."""
    synthetic.install(monkeypatch)
    right = synthetic.fingerprint(synthetic.REGISTRY["relu"])
    settings = Settings(activation="relu", seed=0)
    assert train_job(settings, right, None, 1.0)["status"] == "done"
    with pytest.raises(ValueError, match=f"defines relu differently: fingerprint {right}, expected 0123"):
        train_job(settings, "0123", None, 1.0)
    found = iter(["the client's", "the worker's"])
    monkeypatch.setattr(execution, "engine_fingerprint", lambda: next(found))
    (record,) = execute([job(0)], None, Store(tmp_path))
    assert record["result"]["status"] == "failed"
    assert "another engine: fingerprint the worker's, expected the client's" in record["result"]["cause"]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_runs_that_share_a_program_are_done_together(count: int) -> None:
    """Every job is there once, at most `count` programs take turns, and each program's jobs keep their order."""
    kinds = list(product(("relu", "gelu"), (1, 2)))
    jobs = [job(seed, name, depth=depth) for seed in range(3) for name, depth in kinds]
    found = [job.settings for job in alternate(jobs, count)]
    assert sorted(map(repr, found)) == sorted(repr(job.settings) for job in jobs)
    for name, depth in kinds:
        assert [s.seed for s in found if (s.activation, s.depth) == (name, depth)] == [0, 1, 2]
    places = {kind: [i for i, s in enumerate(found) if (s.activation, s.depth) == kind] for kind in kinds}
    open_at = [sum(p[0] <= place <= p[-1] for p in places.values()) for place in range(len(found))]
    assert max(open_at) == min(max(count, 1), len(kinds))


@pytest.mark.parametrize("most", [1, 2, 3, 9])
@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_a_worker_process_compiles_few_programs(workers: int, most: int) -> None:
    """Every job is in one batch, in turn, and so is every program.

    No batch has more programs than asked, or than workers, and none but the last has fewer than workers.
    """
    kinds = list(product(("relu", "swish"), (3, 5)))
    jobs = [job(seed, name, depth=depth) for name, depth in kinds for seed in range(2)]
    parts = batches(jobs, workers, most)
    assert [j for part in parts for j in part] == alternate(jobs, workers)
    programs = [{(j.settings.activation, j.settings.depth) for j in part} for part in parts]
    assert sum(map(len, programs)) == len(kinds)
    assert max(map(len, programs)) <= max(most, workers)
    assert min(map(len, programs[:-1]), default=workers) >= workers
    assert batches([job(0)], workers, most) == [[job(0)]]


def test_brief_runs_share_a_program_whatever_their_depth_and_untrained_ones_another() -> None:
    """Three programs: of a long run, of brief runs, and of what measures initial networks; one batch for each here."""
    jobs = [job(0), *(job(0, depth=depth, epochs=epochs) for epochs in (1, 0) for depth in (1, 2, 50))]
    assert [len(part) for part in batches(jobs, 1, 1)] == [1, 3, 3]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start a Dask scheduler with two workers that nobody restarts; yield its address and process."""
    file = tmp_path / "scheduler.json"
    where = ["--scheduler-file", str(file), "--no-dashboard"]
    serving = [*where, "--host", "127.0.0.1", "--port", "0"]
    working = [*where, "--no-nanny", "--nthreads", "1", "--local-directory", str(tmp_path)]
    commands = [["dask_scheduler", *serving], *repeat(["dask_worker", *working], 2)]
    processes = []
    with (tmp_path / "output").open("w") as output:
        try:
            for name, *arguments in commands:
                command = [sys.executable, "-m", f"distributed.cli.{name}", *arguments]
                variables = environment(**{VARIABLE: os.environ[VARIABLE]})
                processes.append(subprocess.Popen(command, env=variables, stdout=output, stderr=output))
                wait_for(file)
            yield json.loads(file.read_text())["address"], processes[0]
        finally:
            for process in processes:
                process.kill()
                process.wait()


def wait_for(file: Path) -> None:
    for _ in range(600):
        if file.exists() and file.read_text().rstrip().endswith("}"):
            return
        time.sleep(0.05)
    raise TimeoutError(f"{file.name} was not written")


def test_a_cluster_may_lose_a_worker_and_then_its_scheduler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, undisturbed: dict[int, bytes]
) -> None:
    """A worker's death costs its run a second start; the scheduler's ends the study, and a second run takes it up."""
    log, store = tmp_path / "log", Store(tmp_path / "runs")
    store.folder.mkdir()
    victim = tmp_path / "victim"
    how = {"relu 2": "kill once", "relu 8": f"kill the process in {victim}"}
    monkeypatch.setenv(VARIABLE, told(log, pace=0.05, how=how))
    address, scheduler = request.getfixturevalue("cluster")  # only now, so that its workers are told, too
    victim.write_text(str(scheduler.pid))
    execute([job(seed) for seed in range(6)], None, store, scheduler=address, task=synthetic.task)
    assert contents(store) == {seed: undisturbed[seed] for seed in range(6)}
    assert started(log)["relu 2"] == 2

    with pytest.raises(ClusterError, match="scheduler is gone"):
        execute([job(seed) for seed in range(6, 12)], None, store, scheduler=address, task=synthetic.task)
    before = started(log)
    kept = contents(store)
    assert len(kept) < 12

    monkeypatch.setenv(VARIABLE, told(log))
    todo = [seed for seed in range(12) if seed not in kept]
    execute([job(seed) for seed in todo], None, store, task=synthetic.task)
    assert contents(store) == undisturbed
    assert started(log) - before == Counter(f"relu {seed}" for seed in todo)


def test_a_cluster_without_workers_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command says once, with the address, that it waits for workers; it goes on when the first one has come."""
    with distributed.LocalCluster(
        n_workers=0, processes=False, threads_per_worker=1, protocol="tcp", dashboard_address="127.0.0.1:0"
    ) as cluster:
        said: list[str] = []

        def start_a_worker(text: str) -> None:
            said.append(text)
            cluster.scale(1)

        monkeypatch.setattr(workers, "say", start_a_worker)
        monkeypatch.setattr(workers, "PATIENCE", 0.01)
        for _ in range(2):
            with workers.connected(0, cluster.scheduler_address) as client:
                assert len(client.nthreads()) == 1
        assert said == [f"waiting for workers of {cluster.scheduler_address}"]


@pytest.mark.parametrize(("answer", "told"), [(b"", "no answer within 0.2 s"), (b"HTTP/1.1 400 Bad\r\n\r\n", "")])
def test_a_server_that_is_not_a_scheduler_is_said(monkeypatch: pytest.MonkeyPatch, answer: bytes, told: str) -> None:
    """Whether it is silent or speaks another language, a sentence names its address, in bounded time."""
    monkeypatch.setattr(workers, "SILENT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"

        def speak() -> None:
            with server.accept()[0] as connection:
                connection.sendall(answer)

        if answer:
            threading.Thread(target=speak, daemon=True).start()
        said = f"no Dask scheduler answers at {address}: {told}"
        with pytest.raises(ClusterError, match=said), workers.connected(0, address):
            pytest.fail("connected")


def test_workers_that_do_not_start_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine under load they may not answer in time: a sentence, as for a scheduler."""
    late = Mock(side_effect=RuntimeError("Cluster failed to start: timed out after 20 s"))
    monkeypatch.setattr(distributed, "LocalCluster", late)
    with pytest.raises(ClusterError, match="did not start: Cluster failed"), workers.connected(1, None):
        pytest.fail("connected")


def test_an_interruption_while_workers_start_comes_before_their_failure() -> None:
    """Ctrl-C ends a process that the workers need, so that they do not start: that is an interruption."""
    with pytest.raises(KeyboardInterrupt), workers._interrupted_later():
        signal.raise_signal(signal.SIGINT)
        raise ClusterError("the worker processes did not start")


def test_the_process_that_workers_are_forked_from_ignores_an_interruption() -> None:
    """Also while it imports TensorFlow, which takes seconds; here Ctrl-C and an exit come instead."""
    script = (
        "import signal, sys\nfrom study.engine import environment\n"
        "environment.start_tensorflow = lambda: sys.exit(signal.raise_signal(signal.SIGINT))\n"
        "import study.runner.preloaded"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_interrupted_measurement_leaves_nothing_to_complain_of(caplog: pytest.LogCaptureFixture) -> None:
    """Dask, which still waits for the worker, writes no traceback."""

    def interrupt(process: int) -> None:
        os.kill(process, signal.SIGINT)
        time.sleep(3600)

    with pytest.raises(KeyboardInterrupt):
        workers.in_new_workers(interrupt, [(os.getpid(),)])
    gc.collect()
    assert caplog.text == ""


def test_an_error_in_closing_workers_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask raises one if a worker that replaces a dead one is just starting; the results are there by then."""
    close = distributed.LocalCluster.close

    def closed_too_early(cluster: distributed.LocalCluster) -> None:
        close(cluster)
        raise AssertionError("can only join a started process")

    monkeypatch.setattr(distributed.LocalCluster, "close", closed_too_early)
    assert workers.in_new_workers(len, [("abc",)]) == [3]


@pytest.mark.parametrize("error", [SystemExit(3), ValueError("no")])
def test_whatever_a_run_raises_in_its_thread_fails_this_run_alone(error: BaseException) -> None:
    """Also an exit, which would end the worker with all its runs."""

    def task(*_: object) -> dict[str, object]:
        raise error

    result = attempt(task, job(0), None, 60.0, 1.0)
    assert result["status"] == "failed"
    assert type(error).__name__ in result["cause"]
