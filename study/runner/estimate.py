"""Estimate how long a command takes: the cost of its work (order.py) times the seconds per unit on this machine."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from study.constants import REFERENCE_ACTIVATION
from study.engine import environment
from study.plan import EVERYTHING, Plan, make_target
from study.records.catalogue import Catalogue
from study.records.store import stores
from study.runner import measurements
from study.runner.order import cost_per_worker, run_cost
from study.runner.progress import duration, say
from study.runner.rounds import Jobs, Modules, Rounds
from study.runner.workers import in_new_workers
from study.settings import Settings

USUAL_PACE = 2.2e-6  # seconds that a process takes for a unit of work, on a core of 2023 with AVX-512
LEAST_SECONDS = 60.0  # for work that takes less at USUAL_PACE, the machine is not measured
PROBE_SECONDS = 1.0  # of training, after compiling, when the machine is measured
REPORT_COST = 1e7  # of writing the report, in units of work (order.py)
TIMING_COST = 4e6  # of timing an activation, in units of work
SMALLER_SEEDS = 5  # of the smaller study that is named beside the one asked for
SMALLER_SHARE = 0.8  # a smaller study is named if its cost is below this share of the cost asked for


def time_in_words(rounds: Rounds, missing: Jobs, workers: int) -> str:
    """Return in words how long the `missing` jobs and the later work take, and smaller studies that are much shorter.

    `missing` is the result of `rounds.advance()`. The later work is the later rounds, the timing of activations and the
    report. `workers` processes train; 0 stands for this process.
    """
    plan, amount = rounds.plan, rounds.remaining_cost(missing, workers)
    unit_seconds = pace(amount, workers, rounds.catalogue.data)

    def time_text(amount: float, plan: Plan) -> str:
        after = REPORT_COST + TIMING_COST * len(plan.activations) * rounds.asks_for_timings(plan)
        return f"about {duration((amount + after) * unit_seconds)}"

    smaller = {f"SEEDS={SMALLER_SEEDS}": replace(plan, seeds=SMALLER_SEEDS)}
    if all(make_target(module) == EVERYTHING for module in rounds.modules.values()):
        smaller["make quick"] = replace(plan, is_quick=True)
    others = []
    for name, less in smaller.items():
        runs = chain.from_iterable(rounds.expected_runs(one, less) for one in rounds.experiments)
        cost = cost_per_worker(runs, workers)
        others += [f"{name} {time_text(cost, less)}"] if cost < SMALLER_SHARE * amount else []
    but = f"; smaller studies, counting all their runs: {', '.join(others)}" if others else ""
    return f"this takes {time_text(amount, plan)} on this machine{but}"


def pace(amount: float, workers: int, data: Any) -> float:
    """Return a process's seconds for a unit of work: measured if its `amount` of work is worth it, else USUAL_PACE.

    The measurement trains on `data`, a Dataset, in `workers` processes at once. If it fails, return USUAL_PACE.
    """
    if amount * USUAL_PACE < LEAST_SECONDS:
        return USUAL_PACE
    say("measuring this machine for some seconds")
    try:
        return _measured_pace(workers, data)
    except Exception as error:  # noqa: BLE001 - an estimate must stop no study
        say(f"could not measure this machine ({type(error).__name__}: {error}); estimating for a typical one")
        return USUAL_PACE


def _measured_pace(workers: int, data: Any) -> float:
    if workers == 0:
        return seconds_per_unit(data)
    return statistics.fmean(in_new_workers(seconds_per_unit, [(data,)] * workers))


def seconds_per_unit(data: Any) -> float:
    """Train the article's network on `data`, a Dataset, for PROBE_SECONDS or more; return the seconds per unit of work.

    order.py defines the unit. Whole epochs are timed, each with its validation, and without compiling.
    """
    environment.start_tensorflow()
    from study.activations import REGISTRY
    from study.engine.run import Run

    run = Run(Settings(activation=REFERENCE_ACTIVATION, seed=0), data, REGISTRY[REFERENCE_ACTIVATION])
    run.warm_up()
    started, epochs = time.perf_counter(), 0
    while time.perf_counter() - started < PROBE_SECONDS:
        epochs += 1
        run.epoch(epochs)
        run.evaluate(run.state, run.validation)
    epoch_cost = run_cost(replace(run.settings, epochs=2)) - run_cost(replace(run.settings, epochs=1))
    return (time.perf_counter() - started) / epochs / epoch_cost


def preview(plan: Plan, modules: Modules, results: Path, load: Callable[[], Any], workers: int) -> Iterator[str]:
    """Yield lines that say what `plan` would do: refused activations, each experiment's runs, and the time they take.

    `modules` are the experiments by name, and `results` is the results folder. An experiment's runs are counted up to
    the first round that lacks records. `load` returns the Dataset. `workers` is the number of processes. A last line
    for each folder of records says so if the activations are to be timed.
    """
    places = stores(results)
    catalogue = Catalogue(load(), places[0].ledger().activations, {})
    catalogue.descriptions(plan.activations)
    yield from (f"activation {name!r} would be refused: it {reason}" for name, reason in catalogue.refused.items())
    for store in places:
        here = {name: module for name, module in modules.items() if store.keeps_runs_of(make_target(module))}
        rounds = Rounds(here, plan, catalogue, store)
        missing = rounds.advance()
        for name in rounds.experiments:
            yield f"{name}: {len(rounds.jobs.get(name, ()))} runs, {len(missing.get(name, ()))} to do"
        if missing:
            yield f"with {max(workers, 1)} processes {time_in_words(rounds, missing, workers)}"
        described = catalogue.descriptions(rounds.plan.activations)
        if rounds.asks_for_timings(rounds.plan) and not measurements.is_timed(store, described):
            yield "after all runs, the activations will be timed while nothing else of the study runs"
