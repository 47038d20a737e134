"""Kill `study run` at random moments: `killing.py FOLDER DATA KILLS SEED` prints one JSON line per attempt.

An attempt is a child process, forked when everything is imported, that runs the fake study in a results folder. It is
killed with SIGKILL after a random part of the time that a run without kills takes, and the next attempt continues in
the same folder. When an attempt ends before it is killed, the next one begins with an empty folder. The script ends
after KILLS kills, when the last folder is complete.
"""

import hashlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import synthetic
from scientific import scientific_contents

from study.cli import main
from study.records import provenance
from study.runner import session  # noqa: F401 - imported once and for all children, as the experiments below

SEEDS = 2  # of the fake study
PACE = 0.002  # seconds that each run takes


def start(folder: Path, data: Path) -> int:
    """Fork a child process that runs the study on the file `data` in `folder`, without Dask; return its process id."""
    child = os.fork()
    if child:
        return child
    os.environ[synthetic.VARIABLE] = synthetic.told(folder / "log", PACE)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    words = ["run", "baseline", "--results", folder / "r", "--mnist", data, "--any-data", "--workers", 0]
    os._exit(main([*map(str, words), "--seeds", str(SEEDS)]))


def look(folder: Path) -> dict[str, str]:
    """Return {run id: hash of its record's scientific content} of the records in `folder`, which must all be whole."""
    return {run: hashlib.sha256(found).hexdigest() for run, found in scientific_contents(folder / "r").items()}


def attempt(folder: Path, data: Path, delay: float) -> dict:
    """Run the study on `data` in `folder`, kill it after `delay` seconds unless it has ended, and return what happened.

    The dict has these entries:

    - `killed` tells whether the study was killed, and `code` is its exit code.
    - `before` and `after` are the records, as `look` returns them.
    - `starts` is a list of how often each run was started in this attempt.
    - `left` lists the files that are not records, if the study ended by itself.
    """
    folder.mkdir(exist_ok=True)
    before, log = look(folder), synthetic.started(folder / "log")
    child = start(folder, data)
    end = time.monotonic() + delay
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < end:
        time.sleep(0.001)
    if ended == (0, 0):
        os.kill(child, signal.SIGKILL)
        ended = os.waitpid(child, 0)
    was_killed = os.WIFSIGNALED(ended[1])
    return {
        "killed": was_killed,
        "code": os.waitstatus_to_exitcode(ended[1]),
        "before": before,
        "after": look(folder),
        "starts": list((synthetic.started(folder / "log") - log).values()),
        "left": [] if was_killed else sorted(p.name for p in (folder / "r" / "runs").iterdir() if p.suffix != ".json"),
    }


if __name__ == "__main__":
    folder, data, kills, rng = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), random.Random(sys.argv[4])
    synthetic.install(synthetic.Patch())
    warm = folder / "warm"  # the plan made here imports the experiments before the forks
    warm.mkdir()
    provenance.describe_environment()
    main(["plan", "baseline", "--results", str(warm), "--mnist", str(data), "--any-data"])
    sys.stdout.flush()
    began = time.monotonic()
    print(json.dumps(attempt(folder / "undisturbed", data, 60)))
    seconds = time.monotonic() - began
    place = killed = 0
    is_over = True
    while killed < kills or not is_over:
        began = time.monotonic()
        found = attempt(folder / str(place), data, rng.uniform(0, seconds) if killed < kills else 60)
        if is_over and not found["killed"]:
            seconds = min(seconds, time.monotonic() - began)
        print(json.dumps(found))
        is_over = not found["killed"]
        place, killed = place + is_over, killed + found["killed"]
