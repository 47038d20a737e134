"""Do what one command asks for in one results folder: the experiments' runs, round by round, or a single run."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, cast

from study.data.mnist import Dataset
from study.plan import Plan, depth_scales, times_activations
from study.records.catalogue import Catalogue, Entries
from study.records.folders import RecordFolder, record_folders
from study.records.identity import identity
from study.records.store import Record, Store, has_failed, sentence
from study.runner import timing
from study.runner.execution import execute
from study.runner.order import Job
from study.runner.workers import shared_programs
from study.settings import Settings

Loader = Callable[[], Dataset]
Modules = Mapping[str, object]  # of experiments, by name


class Experiment(Protocol):
    """Define a module that asks for runs."""

    def rounds(self, plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
        """Return the runs still wanted, given the records `so_far`; an empty list ends the experiment."""


@dataclass(frozen=True)
class Outcome:
    """Count the runs done now and recorded in all, with one sentence for each failed run."""

    trained: int
    recorded: int
    failures: tuple[str, ...]


def run_experiments(
    plan: Plan, modules: Modules, folder: RecordFolder, load: Loader, workers: int, scheduler: str | None
) -> Outcome:
    """Do every run of these experiments that their folder does not hold yet, then the timing they ask for."""
    started = time.monotonic()
    data, ledger = load(), folder.ledger()
    catalogue = Catalogue(data, ledger.activations, depth_scales(modules))
    plan = informed(plan, catalogue)

    def carry_out(jobs: Sequence[Job]) -> list[Record]:
        return execute(jobs, data, folder.store, workers=workers, scheduler=scheduler) if jobs else []

    with shared_programs():
        records, trained = _all_rounds(asking(modules), plan, catalogue, folder.store, carry_out)
    for name, found in records.items():
        used = dict.fromkeys(record["identity"]["settings"]["activation"] for record in found.values())
        ledger.note(name, plan, list(found), list(used))
    ledger.command = "make quick" if plan.is_quick else "make all"
    ledger.activations, ledger.refused = catalogue.beside(ledger.activations), dict(catalogue.refused)
    ledger.wall_seconds += time.monotonic() - started if trained else 0.0
    ledger.keep_only_used()
    folder.save(ledger)
    failed = {run: record for of_one in records.values() for run, record in of_one.items() if has_failed(record)}
    failures = [sentence(record) for record in failed.values()]
    failures += [f"activation {name!r} was refused: it {reason}" for name, reason in ledger.refused.items()]
    if is_to_be_timed(plan, modules):
        failures += timing.time_activations(folder.path, catalogue.of(plan.activations))
    recorded = {run for runs in ledger.runs.values() for run in runs}
    return Outcome(trained, len(recorded), tuple(failures))


def _all_rounds(
    experiments: Mapping[str, Experiment],
    plan: Plan,
    catalogue: Catalogue,
    store: Store,
    carry_out: Callable[[Sequence[Job]], list[Record]],
) -> tuple[dict[str, dict[str, Record]], int]:
    """Do all rounds of the experiments; return the records of each by run id, and how many runs were done.

    In each round all experiments say which runs they want, given their records so far; those not in the store are
    carried out together.
    """
    records: dict[str, dict[str, Record]] = {name: {} for name in experiments}
    trained = 0
    while True:
        wanted = {
            name: jobs_of(experiment, plan, list(records[name].values()), catalogue)
            for name, experiment in experiments.items()
        }
        jobs = {run: job for of_one in wanted.values() for run, job in of_one.items()}
        if not jobs:
            return records, trained
        found = finished(store, jobs)
        done = carry_out([job for run, job in jobs.items() if run not in found])
        trained += len(done)
        found |= {record["id"]: record for record in done}
        for name, of_one in wanted.items():
            records[name] |= {run: found[run] for run in of_one}  # in the order declared, whichever finished first


def informed(plan: Plan, catalogue: Catalogue) -> Plan:
    """Return the plan without refused activations, and with theory for the others."""
    good = catalogue.of(plan.activations)
    return replace(plan, activations=tuple(good), theory={name: about["theory"] for name, about in good.items()})


def asking(modules: Modules) -> dict[str, Experiment]:
    """Return the modules that ask for runs."""
    return {name: cast(Experiment, module) for name, module in modules.items() if hasattr(module, "rounds")}


def is_to_be_timed(plan: Plan, modules: Modules) -> bool:
    """Tell whether a module asks for timings; a quick look has none, because they need an idle machine."""
    return bool(plan.activations) and not plan.is_quick and any(map(times_activations, modules.values()))


def jobs_of(experiment: Experiment, plan: Plan, so_far: Sequence[Record], catalogue: Catalogue) -> dict[str, Job]:
    """Return the experiment's next round of jobs by run id; refused activations get no jobs."""
    wanted = experiment.rounds(plan, so_far)
    described = catalogue.of(settings.activation for settings in wanted)
    good = (settings for settings in wanted if settings.activation in described)
    jobs = (_job(settings, catalogue.data.checksum, described) for settings in good)
    return {job.identity.id: job for job in jobs}


def _job(settings: Settings, checksum: str, described: Entries) -> Job:
    about = described[settings.activation]
    kept = {key: about[key] for key in ("label", "formula", "source")}
    return Job(settings, identity(settings, checksum, about["fingerprint"]), kept)


def finished(store: Store, runs: Iterable[str]) -> dict[str, Record]:
    """Return the existing records of these runs, by id, without failed ones, whose runs are repeated."""
    return {run: record for run, record in store.find(runs).items() if not has_failed(record)}


def train_one(settings: Settings, results: Path, load: Loader) -> dict[str, Any]:
    """Return the result of one run, from its record; if there is none, train in this process and record it."""
    data = load()
    catalogue = Catalogue(data, {}, {})
    if not (described := catalogue.of([settings.activation])):
        return {"status": "failed", "cause": catalogue.refused[settings.activation]}
    store = record_folders(results)[0].store
    job = _job(settings, data.checksum, described)
    records = list(finished(store, [job.identity.id]).values()) or execute([job], data, store, label="train")
    result: dict[str, Any] = records[0]["result"]
    return result
