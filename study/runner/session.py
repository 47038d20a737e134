"""What the commands do, on one results folder: run experiments round by round, each with what is recorded already."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, cast

from study.analysis.statistics import minimum_n, smallest_p
from study.constants import CONFIDENCE, REFERENCE_ACTIVATION
from study.data.mnist import Dataset
from study.plan import EVERYTHING, Plan, times_activations
from study.records.catalogue import Catalogue, Entries
from study.records.ledger import Shelf, shelves
from study.records.store import Record, Store, engine_fingerprint, has_failed, identity, sentence
from study.runner import timing
from study.runner.execution import execute
from study.runner.order import Job, cost
from study.runner.progress import duration
from study.runner.workers import shared_programs
from study.settings import Settings

Loader = Callable[[], Dataset]
Modules = Mapping[str, object]  # of experiments, by name


class Experiment(Protocol):
    """A module that asks for runs."""

    def rounds(self, plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
        """Return the runs still wanted, given the records so far; none means that the experiment is done."""


@dataclass(frozen=True)
class Outcome:
    """How many runs were done now and are recorded in all, and one sentence for each that failed."""

    trained: int
    recorded: int
    failures: tuple[str, ...]


def run_experiments(
    plan: Plan, modules: Modules, shelf: Shelf, load: Loader, workers: int, scheduler: str | None
) -> Outcome:
    """Do every run of these experiments that is not recorded on their shelf yet, then the timing they ask for."""
    data, store, ledger = load(), shelf.store, shelf.ledger()
    catalogue = Catalogue(data, ledger.activations)
    plan = _informed(plan, catalogue)
    started, trained = time.monotonic(), 0
    known = _asking(modules)
    records: dict[str, dict[str, Record]] = {name: {} for name in known}
    with shared_programs():
        while wanted := _next_round(known, plan, records, catalogue):
            jobs = {run: job for of_one in wanted.values() for run, job in of_one.items()}
            found = finished(store, jobs)
            todo = [job for run, job in jobs.items() if run not in found]
            done = execute(todo, data, store, workers=workers, scheduler=scheduler) if todo else []
            trained += len(done)
            found |= {record["id"]: record for record in done}
            for name, of_one in wanted.items():
                records[name] |= {run: found[run] for run in of_one}  # in the order declared, whichever finished first
    for name, found in records.items():
        used = dict.fromkeys(record["identity"]["settings"]["activation"] for record in found.values())
        ledger.note(name, plan, list(found), list(used))
    ledger.command = "make quick" if plan.is_quick else "make all"
    ledger.activations, ledger.refused = catalogue.beside(ledger.activations), dict(catalogue.refused)
    ledger.wall_seconds += time.monotonic() - started if trained else 0.0
    ledger.keep_only_used()
    shelf.save(ledger)
    failed = {run: record for of_one in records.values() for run, record in of_one.items() if has_failed(record)}
    failures = [sentence(record) for record in failed.values()]
    failures += [f"activation {name!r} was refused: it {reason}" for name, reason in ledger.refused.items()]
    if _is_to_be_timed(plan, modules.values()):
        failures += timing.time_activations(shelf.folder, catalogue.of(plan.activations))
    recorded = {run for runs in ledger.runs.values() for run in runs}
    return Outcome(trained, len(recorded), tuple(failures))


def _informed(plan: Plan, catalogue: Catalogue) -> Plan:
    """The plan with the activations that are good, and what theory says of them."""
    good = catalogue.of(plan.activations)
    return replace(plan, activations=tuple(good), theory={name: about["theory"] for name, about in good.items()})


def _asking(modules: Modules) -> dict[str, Experiment]:
    """Return the modules that ask for runs."""
    return {name: cast(Experiment, module) for name, module in modules.items() if hasattr(module, "rounds")}


def _is_to_be_timed(plan: Plan, modules: Iterable[object]) -> bool:
    """Return whether timing is asked for: it takes a while and a quiet machine, so not in a quick look."""
    return bool(plan.activations) and not plan.is_quick and any(map(times_activations, modules))


def _next_round(
    known: Mapping[str, Experiment], plan: Plan, records: Mapping[str, dict[str, Record]], catalogue: Catalogue
) -> dict[str, dict[str, Job]]:
    """The next round's jobs by run id, of every experiment that wants one."""
    rounds = {name: _jobs(e, plan, list(records[name].values()), catalogue) for name, e in known.items()}
    return {name: jobs for name, jobs in rounds.items() if jobs}


def train_one(settings: Settings, results: Path, load: Loader) -> dict[str, Any]:
    """One run in this process, recorded; its result, from the record if there is one."""
    data = load()
    catalogue = Catalogue(data, {})
    if not (described := catalogue.of([settings.activation])):
        return {"status": "failed", "cause": catalogue.refused[settings.activation]}
    store = shelves(results)[0].store
    job = _job(settings, data.checksum, described)
    records = list(finished(store, [job.identity.id]).values()) or execute([job], data, store, label="train")
    result: dict[str, Any] = records[0]["result"]
    return result


def planned(plan: Plan, modules: Modules, results: Path, load: Loader, workers: int) -> Iterable[str]:
    """What the first round of each experiment would run, how long that takes, and what its n cannot show."""
    places = shelves(results)
    catalogue = Catalogue(load(), places[0].ledger().activations)
    plan = _informed(plan, catalogue)
    pace = _seconds_per_cost(place.store for place in places)
    lines = []
    for name, experiment in _asking(modules).items():
        jobs = _jobs(experiment, plan, [], catalogue)
        found = finished(_shelf_of(experiment, places).store, jobs)
        todo = [job for run, job in jobs.items() if run not in found]
        spent = duration(sum(cost(job.settings) for job in todo) * pace / max(workers, 1))
        lines.append(f"{name}: {len(jobs)} runs, {len(todo)} to do, about {spent} with {max(workers, 1)} processes")
        compared = getattr(experiment, "compared_seeds", None)
        lines += _power(jobs.values(), compared(plan) if compared else None)
    yield from (f"activation {name!r} would be refused: it {reason}" for name, reason in catalogue.refused.items())
    yield from lines
    if _is_to_be_timed(plan, modules.values()) and not timing.is_timed(
        places[0].folder, catalogue.of(plan.activations)
    ):
        yield "the activations' cost is to be timed, alone, once all runs are done"


def _shelf_of(experiment: object, places: Sequence[Shelf]) -> Shelf:
    return next(shelf for shelf in places if shelf.holds(getattr(experiment, "TARGET", EVERYTHING)))


def _power(jobs: Iterable[Job], compared: int | None) -> Iterable[str]:
    """A warning where the seeds (`compared`, or the jobs') are too few for the primary test to reject anything."""
    jobs = list(jobs)
    seeds = len({job.settings.seed for job in jobs}) if compared is None else compared
    others = len({job.settings.activation for job in jobs} - {REFERENCE_ACTIVATION})
    needed = minimum_n(1 - CONFIDENCE, max(others, 1))
    if others and seeds < needed:
        yield (
            f"  warning: with {seeds} seeds the sign-flip test's smallest p is {smallest_p(seeds):.4f}; against "
            f"{others} comparisons (Holm) it can reject nothing below {needed} seeds"
        )


def _jobs(experiment: Experiment, plan: Plan, so_far: Sequence[Record], catalogue: Catalogue) -> dict[str, Job]:
    """The next round's jobs by run id, without those of activations that are refused."""
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
    """The records there are of these runs, by id; runs that failed are done again, so theirs do not count."""
    return {run: record for run, record in store.find(runs).items() if not has_failed(record)}


def _seconds_per_cost(stores: Iterable[Store]) -> float:
    """From the records there are; without any, what one core of 2023 needed."""
    engine = engine_fingerprint()
    records = (record for store in stores for record in finished(store, store.runs()).values())
    good = [record for record in records if record["identity"]["engine"] == engine]
    seconds = sum(record["provenance"]["timings"]["seconds"] for record in good)
    done = sum(cost(Settings(**record["identity"]["settings"])) for record in good)
    return seconds / done if done else 4e-6
