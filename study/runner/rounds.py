"""Ask experiments, round by round, which runs they want, and find those that have a record."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, cast

from study.data.mnist import Dataset
from study.plan import Plan, times_activations
from study.records.catalogue import Catalogue, Entries
from study.records.identity import identity
from study.records.store import Record, Store, has_failed
from study.runner.order import Job, cost, work
from study.settings import Settings

Loader = Callable[[], Dataset]
Modules = Mapping[str, object]  # of experiments, by name


class Experiment(Protocol):
    """Define a module that asks for runs; study/report/section.py says what else it may offer."""

    def rounds(self, plan: Plan, so_far: Sequence[Record]) -> list[Settings]:
        """Return the runs still wanted, given the records `so_far`; an empty list ends the experiment."""


def asking(modules: Modules) -> dict[str, Experiment]:
    """Return the modules that ask for runs."""
    return {name: cast(Experiment, module) for name, module in modules.items() if hasattr(module, "rounds")}


def planned(experiment: Experiment, plan: Plan) -> list[Settings]:
    """Return the runs that an experiment expects in all its rounds; if it does not say, those of its first."""
    expected = getattr(experiment, "expected", None)
    return list(expected(plan)) if expected else experiment.rounds(plan, [])


def planned_work(experiments: Mapping[str, Experiment], plan: Plan) -> float:
    """Estimate the work of all experiments together, from nothing."""
    return work(settings for experiment in experiments.values() for settings in planned(experiment, plan))


def informed(plan: Plan, catalogue: Catalogue) -> Plan:
    """Return the plan without refused activations, and with theory for the others."""
    good = catalogue.of(plan.activations)
    return replace(plan, activations=tuple(good), theory={name: about["theory"] for name, about in good.items()})


def is_to_be_timed(plan: Plan, modules: Modules) -> bool:
    """Tell whether a module asks for timings; a quick look has none, because they need an idle machine."""
    return bool(plan.activations) and not plan.is_quick and any(map(times_activations, modules.values()))


@dataclass
class Rounds:
    """Follow the `experiments` of one plan through their rounds; `store` has the records of earlier commands.

    `known` holds records by id, `jobs` each experiment's jobs so far, in the order in which it asked for them.
    """

    experiments: Mapping[str, Experiment]
    plan: Plan
    catalogue: Catalogue
    store: Store
    known: dict[str, Record] = field(default_factory=dict)
    jobs: dict[str, dict[str, Job]] = field(default_factory=dict)

    def missing(self) -> dict[str, dict[str, Job]]:
        """Advance every experiment to its first round that lacks records, and return by experiment the jobs of these.

        The jobs stand by run id. An experiment that has all its records is left out.
        """
        found = {name: self._advance(name) for name in self.experiments}
        return {name: jobs for name, jobs in found.items() if jobs}

    def _advance(self, name: str) -> dict[str, Job]:
        while wanted := self._wanted(name):
            self.jobs[name] = self.jobs.get(name, {}) | wanted
            self.known |= finished(self.store, [run for run in wanted if run not in self.known])
            if todo := {run: job for run, job in wanted.items() if run not in self.known}:
                return todo
        return {}

    def _wanted(self, name: str) -> dict[str, Job]:
        """Return the experiment's next round of jobs by run id; refused activations get no jobs."""
        wanted = self.experiments[name].rounds(self.plan, self.records(name))
        described = self.catalogue.of(settings.activation for settings in wanted)
        good = (settings for settings in wanted if settings.activation in described)
        jobs = (job_of(settings, self.catalogue.data.checksum, described) for settings in good)
        return {job.identity.id: job for job in jobs}

    def records(self, name: str) -> list[Record]:
        """Return the known records of an experiment, in the order in which it asked for them."""
        return [self.known[run] for run in self.jobs.get(name, {}) if run in self.known]

    def later(self, name: str) -> float:
        """Estimate the work of an experiment in the rounds after this one."""
        asked = sum(cost(job.settings) for job in self.jobs[name].values())
        return max(sum(map(cost, planned(self.experiments[name], self.plan))) - asked, 0.0)

    def work(self, missing: Mapping[str, Mapping[str, Job]]) -> float:
        """Estimate the work of the `missing` jobs and of the rounds that will follow them."""
        now = work(job.settings for jobs in missing.values() for job in jobs.values())
        return now + sum(map(self.later, missing))


def job_of(settings: Settings, checksum: str, described: Entries) -> Job:
    """Return the job of a run on data of this checksum, with the description of its activation."""
    about = described[settings.activation]
    kept = {key: about[key] for key in ("label", "formula", "source")}
    return Job(settings, identity(settings, checksum, about["fingerprint"]), kept)


def finished(store: Store, runs: Iterable[str]) -> dict[str, Record]:
    """Return the existing records of these runs, by id, without failed ones, whose runs are repeated."""
    return {run: record for run, record in store.find(runs).items() if not has_failed(record)}
