"""Ask experiments, round by round, which runs they want, and find the runs that have a record."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from study.plan import Plan, asks_for_timings
from study.records.catalogue import Catalogue, Entries
from study.records.identity import identity
from study.records.store import Record, Store, has_failed
from study.runner.order import Job, cost_per_worker, run_cost
from study.settings import Settings

Modules = Mapping[str, Any]  # modules of experiments/ by name; study/report/section.py says what a module offers
Jobs = dict[str, dict[str, Job]]  # {experiment: {run id: job}}


@dataclass
class Rounds:
    """Follow the experiments among `modules` through their rounds; `store` has the records of earlier commands.

    `experiments` holds the modules that have `rounds`, by name. Making the object removes the activations that the
    `catalogue` refuses from `plan`, and adds the theory of the others. `known` holds records by id. `jobs` holds each
    experiment's jobs so far by run id, in the order in which the experiment asked for them.
    """

    modules: Modules
    plan: Plan
    catalogue: Catalogue
    store: Store
    known: dict[str, Record] = field(default_factory=dict)
    jobs: Jobs = field(default_factory=dict)

    def __post_init__(self) -> None:
        good = self.catalogue.descriptions(self.plan.activations)
        theory = {name: about["theory"] for name, about in good.items()}
        self.plan = replace(self.plan, activations=tuple(good), theory=theory)
        self.experiments = {name: module for name, module in self.modules.items() if hasattr(module, "rounds")}

    def advance(self) -> Jobs:
        """Advance every experiment to its first round that lacks records; return that round's jobs without a record.

        The result is {experiment: {run id: job}}. An experiment that has all its records is left out.
        """
        missing: Jobs = {}
        for name in self.experiments:
            while name not in missing and (wanted := self._jobs_of_next_round(name)):
                self.jobs[name] = self.jobs.get(name, {}) | wanted
                self.known |= recorded_runs(self.store, [run for run in wanted if run not in self.known])
                if todo := {run: job for run, job in wanted.items() if run not in self.known}:
                    missing[name] = todo
        return missing

    def _jobs_of_next_round(self, name: str) -> dict[str, Job]:
        """Return the jobs of the next round of the experiment `name` as {run id: job}, also those that have a record.

        The catalogue first describes activations that are new to it. Runs of activations that it refuses are left out.
        The dict is empty if no runs remain, or if the experiment asks for none.
        """
        wanted = self.experiments[name].rounds(self.plan, self.records(name))
        described = self.catalogue.descriptions(settings.activation for settings in wanted)
        good = (settings for settings in wanted if settings.activation in described)
        jobs = (job_of(settings, self.catalogue.data.checksum, described) for settings in good)
        return {job.identity.id: job for job in jobs}

    def records(self, name: str) -> list[Record]:
        """Return the known records of the experiment `name`, in the order in which it asked for their runs."""
        return [self.known[run] for run in self.jobs.get(name, {}) if run in self.known]

    def expected_runs(self, name: str, plan: Plan) -> list[Settings]:
        """Return the runs that the experiment `name` is expected to ask for under `plan`, at least its first round."""
        module = self.experiments[name]
        return list(module.expected(plan) if hasattr(module, "expected") else module.rounds(plan, []))

    def remaining_cost(self, missing: Jobs, workers: int = 1) -> float:
        """Return the estimated cost, for the busiest of `workers`, of the jobs that `advance` returned as `missing`.

        The cost (order.py) includes later rounds, evenly divided.
        """
        now = cost_per_worker((job.settings for jobs in missing.values() for job in jobs.values()), workers)
        return now + self.later_cost(missing) / max(workers, 1)

    def later_cost(self, missing: Jobs) -> float:
        """Return the cost, without compiling, of the runs that the experiments in `missing` may still ask for later."""
        expected = {settings for name in missing for settings in self.expected_runs(name, self.plan)}
        asked = {job.settings for name in missing for job in self.jobs[name].values()}
        return max(sum(map(run_cost, expected)) - sum(map(run_cost, asked)), 0.0)

    def asks_for_timings(self, plan: Plan) -> bool:
        """Tell whether activations are to be timed: the plan has some, it is not a quick look, and a module asks."""
        return bool(plan.activations) and not plan.is_quick and any(map(asks_for_timings, self.modules.values()))


def job_of(settings: Settings, checksum: str, described: Entries) -> Job:
    """Return the Job of a run with these `settings`, on data with this `checksum`.

    `described` maps activations to the entries of `Catalogue.descriptions`. The run's identity takes the activation's
    `fingerprint` from there, and its record takes `label`, `formula` and `source`.
    """
    about = described[settings.activation]
    kept = {key: about[key] for key in ("label", "formula", "source")}
    return Job(settings, identity(settings, checksum, about["fingerprint"]), kept)


def recorded_runs(store: Store, runs: Iterable[str]) -> dict[str, Record]:
    """Return {id: record} of those `runs`, given by id, that have a record in `store`; leave out failed runs."""
    return {run: record for run, record in store.find(runs).items() if not has_failed(record)}
