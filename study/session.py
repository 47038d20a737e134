"""What the commands do, on one results folder: run experiments round by round, and report on what is there."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from study.constants import CONFIDENCE, REFERENCE_ACTIVATION
from study.dataset import Dataset, square_norm
from study.entries import Entries, describe
from study.execution import Job, cost, execute
from study.experiment import Experiment, Plan, Section, experiments
from study.files import FolderError
from study.ledger import Ledger
from study.progress import duration
from study.records import FAILED, Record, Store, engine_fingerprint, identity
from study.report import Facts, write
from study.settings import Settings
from study.statistics import minimum_n, smallest_p

Loader = Callable[[], Dataset]


@dataclass(frozen=True)
class Outcome:
    """How many runs were done now and are recorded in all, and one sentence for each that failed."""

    trained: int
    recorded: int
    failures: tuple[str, ...]


def run_experiments(
    plan: Plan, names: Sequence[str], results: Path, load: Loader, workers: int, scheduler: str | None
) -> Outcome:
    """Do every run of these experiments that is not recorded yet."""
    from study.activations import REGISTRY

    data = load()
    store, ledger = Store(results / "runs"), Ledger.load(results / "runs" / "plan.json")
    described, ledger.refused = describe(plan.activations, square_norm(data), ledger.activations)
    ledger.command = "make quick" if plan.is_quick else "make all"
    ledger.activations = _in_order({**ledger.activations, **described}, REGISTRY)
    plan = _informed(plan, described)
    started, trained = time.monotonic(), 0
    known = {name: experiment for name, experiment in experiments().items() if name in names}
    records: dict[str, dict[str, Record]] = {name: {} for name in names}
    while wanted := _next_round(known, plan, records, data, described):
        jobs = {run: job for of_one in wanted.values() for run, job in of_one.items()}
        found = _finished(store, jobs)
        todo = [job for run, job in jobs.items() if run not in found]
        done = execute(todo, data, store, workers=workers, scheduler=scheduler) if todo else []
        trained += len(done)
        found |= {record["id"]: record for record in done}
        for name, of_one in wanted.items():
            records[name] |= {run: found[run] for run in of_one}  # in the order declared, whichever finished first
    for name in names:
        ledger.plans[name] = {"activations": plan.activations, "seeds": plan.seeds, "is_quick": plan.is_quick}
        ledger.runs[name] = list(records[name])
    if trained:
        ledger.wall_seconds += time.monotonic() - started
    _keep_only_used(ledger)
    ledger.save(results / "runs" / "plan.json")
    failed = {run: record for of_one in records.values() for run, record in of_one.items() if _has_failed(record)}
    failures = [_sentence(record) for record in failed.values()]
    failures += [f"activation {name!r} was refused: it {reason}" for name, reason in ledger.refused.items()]
    recorded = {run for runs in ledger.runs.values() for run in runs}
    return Outcome(trained, len(recorded), tuple(failures))


def _informed(plan: Plan, described: Entries) -> Plan:
    """The plan with the activations that are good, and what theory says of them."""
    return replace(plan, activations=tuple(described), theory={name: e["theory"] for name, e in described.items()})


def _next_round(
    known: Mapping[str, Experiment],
    plan: Plan,
    records: Mapping[str, dict[str, Record]],
    data: Dataset,
    described: Entries,
) -> dict[str, dict[str, Job]]:
    """The next round's jobs by run id, of every experiment that wants one."""
    rounds = {name: _jobs(e, plan, list(records[name].values()), data, described) for name, e in known.items()}
    return {name: jobs for name, jobs in rounds.items() if jobs}


def train_one(settings: Settings, results: Path, load: Loader) -> dict[str, Any]:
    """One run in this process, recorded; its result, from the record if there is one."""
    data = load()
    described, refused = describe([settings.activation], square_norm(data), {})
    if refused:
        return {"status": "failed", "cause": refused[settings.activation]}
    store = Store(results / "runs")
    job = _job(settings, data, described)
    records = list(_finished(store, [job.identity.id]).values()) or execute([job], data, store, label="train")
    result: dict[str, Any] = records[0]["result"]
    return result


def planned(plan: Plan, names: Sequence[str], results: Path, load: Loader, workers: int) -> Iterable[str]:
    """What the first round of each experiment would run, how long that takes, and what its n cannot show."""
    data = load()
    kept = Ledger.load(results / "runs" / "plan.json").activations
    described, refused = describe(plan.activations, square_norm(data), kept)
    yield from (f"activation {name!r} would be refused: it {reason}" for name, reason in refused.items())
    plan = _informed(plan, described)
    store = Store(results / "runs")
    pace = _seconds_per_cost(store)
    for name in names:
        jobs = _jobs(experiments()[name], plan, [], data, described)
        found = _finished(store, jobs)
        todo = [job for run, job in jobs.items() if run not in found]
        seconds = sum(cost(job.settings) for job in todo) * pace / max(workers, 1)
        yield f"{name}: {len(jobs)} runs, {len(todo)} to do, about {duration(seconds)} with {max(workers, 1)} processes"
        yield from _power(jobs.values())


def _power(jobs: Iterable[Job]) -> Iterable[str]:
    """A warning where the seeds are too few for the primary test to reject anything."""
    jobs = list(jobs)
    seeds = len({job.settings.seed for job in jobs})
    others = len({job.settings.activation for job in jobs} - {REFERENCE_ACTIVATION})
    needed = minimum_n(1 - CONFIDENCE, max(others, 1))
    if others and seeds < needed:
        yield (
            f"  warning: with {seeds} seeds the sign-flip test's smallest p is {smallest_p(seeds):.4f}; against "
            f"{others} comparisons (Holm) it can reject nothing below {needed} seeds"
        )


def write_report(results: Path) -> list[str]:
    """Tables, figures and README.md from the records; returns one sentence for every run that is missing."""
    from study.experiment import Display, Picture
    from study.figures import activation_curves

    store, ledger = Store(results / "runs"), Ledger.load(results / "runs" / "plan.json")
    if not ledger.plans:
        raise FolderError(f"there is nothing to report in {results}: no runs were made there (make all)")
    style = ledger.style()
    missing = [f"{name} was refused: it {why}" for name, why in ledger.refused.items()]
    sections: list[Section] = []
    used: dict[str, Record] = {}
    for name, experiment in experiments().items():
        if name not in ledger.runs:
            continue
        found = store.find(ledger.runs[name])
        missing += [f"the record of run {run} is missing" for run in ledger.runs[name] if run not in found]
        missing += [_sentence(record) for record in found.values() if _has_failed(record)]
        good = [record for record in found.values() if not _has_failed(record)]
        if good:
            sections.append(experiment.interpret(ledger.plan(name), good, style))
            used |= {record["id"]: record for record in good}
    if ledger.activations:
        curves = ledger.curves()
        caption = (
            "Each activation and its derivative. The sigmoid's slope is at most 0.25; that bound is not yet a rate."
        )
        shapes: list[str | Display | Picture] = [
            Picture("activations", caption, activation_curves(curves, style)),
            Display("As registered when the runs were made.", ledger.described()),
        ]
        sections.append(Section("What was compared", "", shapes, {"activations": curves}))
    write(results, sections, _facts(ledger, list(used.values()), missing))
    return missing


def _facts(ledger: Ledger, records: Sequence[Record], missing: Sequence[str]) -> Facts:
    provenances = [record["provenance"] for record in records]
    environments = {tuple(sorted(p["environment"].items())): p["environment"] for p in provenances}
    return Facts(
        command=ledger.command,
        environments=list(environments.values()),
        runs=len(records),
        failed=missing,
        compute_seconds=sum(p["timings"].get("seconds", 0.0) for p in provenances),
        wall_seconds=ledger.wall_seconds,
        last_run=max((p["date"] for p in provenances), default=""),
        data_checksums=sorted({record["identity"]["data"] for record in records}),
    )


def _jobs(
    experiment: Experiment, plan: Plan, so_far: Sequence[Record], data: Dataset, described: Entries
) -> dict[str, Job]:
    """The next round's jobs by run id."""
    jobs = (_job(settings, data, described) for settings in experiment.rounds(plan, so_far))
    return {job.identity.id: job for job in jobs}


def _job(settings: Settings, data: Dataset, described: Entries) -> Job:
    about = described[settings.activation]
    kept = {key: about[key] for key in ("label", "formula", "source")}
    return Job(settings, identity(settings, data.checksum, about["fingerprint"]), kept)


def _in_order(activations: Entries, registry: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The activations at their places in the registry of today; after them those that have left it."""
    names = dict.fromkeys([*registry, *activations])
    return {name: {**activations[name], "position": place} for place, name in enumerate(names) if name in activations}


def _keep_only_used(ledger: Ledger) -> None:
    used = {name for plan in ledger.plans.values() for name in plan["activations"]}
    ledger.activations = {name: about for name, about in ledger.activations.items() if name in used}


def _finished(store: Store, runs: Iterable[str]) -> dict[str, Record]:
    """The records there are of these runs, by id; runs that failed are done again, so theirs do not count."""
    return {run: record for run, record in store.find(runs).items() if not _has_failed(record)}


def _has_failed(record: Record) -> bool:
    return record["result"]["status"] in FAILED


def _sentence(record: Record) -> str:
    settings, result = record["identity"]["settings"], record["result"]
    return (
        f"run {record['id']} ({settings['activation']}, depth {settings['depth']}, seed {settings['seed']}) "
        f"{result['status']}: {result['cause']}"
    )


def _seconds_per_cost(store: Store) -> float:
    """From the records there are; without any, what one core of 2023 needed."""
    engine = engine_fingerprint()
    good = [record for record in _finished(store, store.runs()).values() if record["identity"]["engine"] == engine]
    seconds = sum(record["provenance"]["timings"]["seconds"] for record in good)
    done = sum(cost(Settings(**record["identity"]["settings"])) for record in good)
    return seconds / done if done else 4e-6
