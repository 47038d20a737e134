"""Kills `study run` at random moments: `killing.py FOLDER DATA ROUNDS SEED` prints a JSON line a round.

In each a child process, forked when everything is imported, runs the fake study in a folder of its own and is killed
with SIGKILL after a random part of the time that an undisturbed run takes; a second child then runs it again. Rounds in
which the first child was done before it could be killed are printed, but do not count.
"""

import hashlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
import synthetic
from scientific import scientific_content

from study.cli import main
from study.records import provenance
from study.records.store import Store

SEEDS = 3
PACE = 0.002  # seconds a run takes


def start(folder: Path, data: Path) -> int:
    """The process id of a child that runs the study in the folder, in this process and without Dask."""
    child = os.fork()
    if child:
        return child
    os.environ[synthetic.VARIABLE] = synthetic.told(folder / "log", PACE)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    words = ["run", "baseline", "--results", folder / "r", "--mnist", data, "--any-data", "--workers", 0]
    os._exit(main([*map(str, words), "--seeds", str(SEEDS)]))


def look(folder: Path) -> dict[str, str]:
    """A hash of the scientific content of every record that is whole, by run id; nothing is set aside by looking."""
    store = Store(folder / "r" / "runs")
    damaged = [problem for problem in store.problems() if "damaged/" not in problem]
    assert not damaged, damaged
    return {run: hashlib.sha256(scientific_content(store.read(run))).hexdigest() for run in store.runs()}


def exercise(folder: Path, data: Path, delay: float) -> dict:
    """One round: run, kill after `delay` seconds, run again; what was there in between and afterwards."""
    folder.mkdir()
    child = start(folder, data)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    between = look(folder)
    before = synthetic.started(folder / "log")
    _, code = os.waitpid(start(folder, data), 0)
    again = synthetic.started(folder / "log") - before
    return {
        "killed": os.WIFSIGNALED(status),
        "between": between,
        "code": os.waitstatus_to_exitcode(code),
        "started again": sum(again.values()),
        "most starts of a run": max(again.values(), default=0),
        "after": look(folder),
        "left": sorted(path.name for path in (folder / "r" / "runs").iterdir() if path.suffix != ".json"),
    }


if __name__ == "__main__":
    folder, data, rounds, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    synthetic.install(pytest.MonkeyPatch())
    warm = folder / "warm"  # imports what an experiment imports, once and for all children
    warm.mkdir()
    provenance.describe()
    main(["plan", "baseline", "--results", str(warm), "--mnist", str(data), "--any-data"])
    sys.stdout.flush()
    undisturbed = folder / "undisturbed"
    undisturbed.mkdir()
    began = time.monotonic()
    os.waitpid(start(undisturbed, data), 0)
    seconds = time.monotonic() - began
    rng = random.Random(seed)
    print(json.dumps(look(undisturbed)))
    place = killed = 0
    while killed < rounds:
        delay = rng.uniform(0, seconds)
        found = exercise(folder / str(place), data, delay)
        print(json.dumps(found))
        place, killed = place + 1, killed + found["killed"]
        seconds = 1.05 * seconds if found["killed"] else delay  # the machine is slower, or faster, than it was
