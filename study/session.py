"""What the commands do, on one results folder: run experiments round by round, and report on what is there."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.constants import CONFIDENCE, REFERENCE_ACTIVATION
from study.dataset import Dataset
from study.execution import Job, cost, execute
from study.experiment import Experiment, Plan, Section, experiments
from study.ledger import Ledger
from study.progress import duration
from study.records import FAILED, Record, Store, identity
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
    described, refused = _checked(REGISTRY, plan.activations)
    plan = Plan(tuple(described), plan.seeds, plan.is_quick)
    store, ledger = Store(results / "runs"), Ledger.load(results / "runs" / "plan.json")
    ledger.command = "make quick" if plan.is_quick else "make all"
    ledger.activations, ledger.refused = _in_order({**ledger.activations, **described}), refused
    started, trained, failures = time.monotonic(), 0, []
    for name in names:
        records: dict[str, Record] = {}
        while jobs := _jobs(experiments()[name], plan, list(records.values()), data, described):
            found = {run: record for run, record in store.find(jobs).items() if not _has_failed(record)}
            todo = [job for run, job in jobs.items() if run not in found]
            done = execute(todo, data, store, label=name, workers=workers, scheduler=scheduler) if todo else []
            trained += len(done)
            found |= {record["id"]: record for record in done}
            records |= {run: found[run] for run in jobs}  # in the order declared, whichever finished first
        failures += [_sentence(record) for record in records.values() if _has_failed(record)]
        ledger.plans[name] = {"activations": plan.activations, "seeds": plan.seeds, "is_quick": plan.is_quick}
        ledger.runs[name] = list(records)
    if trained:
        ledger.wall_seconds += time.monotonic() - started
    _keep_only_used(ledger)
    ledger.save(results / "runs" / "plan.json")
    failures += [f"activation {name!r} was refused: it {reason}" for name, reason in refused.items()]
    return Outcome(trained, sum(map(len, ledger.runs.values())), tuple(failures))


def train_one(settings: Settings, results: Path, load: Loader) -> dict[str, Any]:
    """One run in this process, recorded; its result, from the record if there is one."""
    from study.activations import REGISTRY

    data = load()
    described, refused = _checked(REGISTRY, [settings.activation])
    if refused:
        return {"status": "failed", "cause": refused[settings.activation]}
    store = Store(results / "runs")
    job = _job(settings, data, described)
    found = store.find([job.identity.id])
    records = list(found.values()) or execute([job], data, store, label="train")
    result: dict[str, Any] = records[0]["result"]
    return result


def planned(plan: Plan, names: Sequence[str], results: Path, load: Loader, workers: int) -> Iterable[str]:
    """What the first round of each experiment would run, how long that takes, and what its n cannot show."""
    from study.activations import REGISTRY

    data = load()
    described, refused = _checked(REGISTRY, plan.activations)
    yield from (f"activation {name!r} would be refused: it {reason}" for name, reason in refused.items())
    store = Store(results / "runs")
    pace = _seconds_per_cost(store)
    for name in names:
        jobs = _jobs(experiments()[name], Plan(tuple(described), plan.seeds, plan.is_quick), [], data, described)
        todo = [job for run, job in jobs.items() if run not in store.find([run])]
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
    curves = ledger.curves()
    caption = "Each activation and its derivative. The sigmoid's slope is at most 0.25; that bound is not yet a rate."
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


def _checked(registry: dict[str, Any], names: Iterable[str]) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """What is recorded of each good entry, and why the others are refused."""
    from study.activations import ActivationError, check, curve, fingerprint

    described, refused = {}, {}
    positions = {name: position for position, name in enumerate(registry)}
    for name in names:
        entry = registry[name]
        try:
            check(entry)
        except ActivationError as error:
            refused[name] = str(error)
            continue
        described[name] = {
            "label": entry.label,
            "formula": entry.formula,
            "source": entry.source,
            "position": positions[name],
            "fingerprint": fingerprint(entry),
            "curve": curve(entry),
        }
    return described, refused


def _jobs(
    experiment: Experiment, plan: Plan, so_far: Sequence[Record], data: Dataset, described: dict[str, dict[str, Any]]
) -> dict[str, Job]:
    """The next round's jobs by run id."""
    jobs = (_job(settings, data, described) for settings in experiment.rounds(plan, so_far))
    return {job.identity.id: job for job in jobs}


def _job(settings: Settings, data: Dataset, described: dict[str, dict[str, Any]]) -> Job:
    about = described[settings.activation]
    kept = {key: about[key] for key in ("label", "formula", "source")}
    return Job(settings, identity(settings, data.checksum, about["fingerprint"]), kept)


def _in_order(activations: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return dict(sorted(activations.items(), key=lambda item: item[1]["position"]))


def _keep_only_used(ledger: Ledger) -> None:
    used = {name for plan in ledger.plans.values() for name in plan["activations"]}
    ledger.activations = {name: about for name, about in ledger.activations.items() if name in used}


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
    records = store.find(path.stem for path in store.folder.glob("[0-9a-f]*.json")).values()
    good = [record for record in records if not _has_failed(record)]
    seconds = sum(record["provenance"]["timings"]["seconds"] for record in good)
    done = sum(cost(Settings(**record["identity"]["settings"])) for record in good)
    return seconds / done if done else 4e-6
