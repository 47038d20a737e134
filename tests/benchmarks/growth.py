"""Measure how the time of a run grows with depth, width, seeds and workers: runs of one epoch, all steps logged."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.catalogue import DEPTHS, RUNS, SEEDS, STUDY, WIDTHS, worker_counts
from tests.benchmarks.parent import Child, ask_all

Row = dict[str, Any]
ONE_EPOCH = {"epochs": 1, "patience": None, "seed": 0}


def measure(cores: list[int], mnist: Path, say: Callable[[str], None], repeats: int) -> list[Row]:
    """Return one row per measurement: quantity, value, measure ("run" or "compile"), worker, repeat and seconds.

    Depth and width are measured in one worker on each core at the same time, as the study runs. Compiling is measured
    once per worker and value, in processes that compiled before. Usually, brief runs of all depths share one program;
    here each depth compiles its own. Rows of seeds and workers also count their `runs`.
    """
    workers = [Child(STUDY, "engine", core, mnist) for core in cores]
    try:
        ask_all(workers, [{"run": {**ONE_EPOCH, "depth": 2}}] * len(workers))
        rows = []
        for quantity, values in (("depth", DEPTHS), ("width", WIDTHS)):
            for value in values:
                rows += _of_architecture(workers, quantity, value, repeats)
                say(f"growth: {quantity} {value}, {rows[-1]['seconds']:.2f} s a run")
        ask_all(workers, [{"run": ONE_EPOCH}] * len(workers))
        most, counts = RUNS * max(1, len(workers) // RUNS), worker_counts(len(workers))
        for repeat in range(1, repeats + 1):  # in one worker while the others rest; then shared among one, two, ... all
            rows += [_shared(workers[-1:], "seeds", seeds, seeds, repeat) for seeds in SEEDS]
            rows += [_shared(workers[:count], "workers", count, most, repeat) for count in counts]
        return rows
    finally:
        for worker in workers:
            worker.close()


def _of_architecture(workers: Sequence[Child], quantity: str, value: int, repeats: int) -> list[Row]:
    rows = []
    for repeat in range(repeats + 1):
        is_first = repeat == 0  # it compiles, and is slower for it afterwards too
        request = {"run": {**ONE_EPOCH, quantity: value}, "anew": is_first}
        for worker, answer in enumerate(ask_all(workers, [request] * len(workers))):
            row = {"quantity": quantity, "value": value, "measure": "compile" if is_first else "run"}
            seconds = answer["compile_seconds" if is_first else "seconds"]
            rows.append({**row, "worker": worker, "repeat": repeat, "seconds": seconds})
    return rows


def _shared(workers: Sequence[Child], quantity: str, value: int, runs: int, repeat: int) -> Row:
    """Share `runs` runs equally among `workers`; return a row with the seconds from the first begin to the last end."""
    started = time.perf_counter()
    for seed in range(runs):
        workers[seed % len(workers)].ask(run={**ONE_EPOCH, "seed": seed})
    for seed in range(runs):
        workers[seed % len(workers)].answer()
    seconds = time.perf_counter() - started
    row = {"quantity": quantity, "value": value, "measure": "run", "worker": None, "repeat": repeat}
    return {**row, "runs": runs, "seconds": seconds}
