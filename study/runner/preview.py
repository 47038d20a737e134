"""Preview a command: its runs, how long they take, and which tests have too few seeds."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from study.analysis.statistics import minimum_n, smallest_p
from study.constants import CONFIDENCE, REFERENCE_ACTIVATION
from study.plan import EVERYTHING, Plan
from study.records.catalogue import Catalogue
from study.records.folders import record_folders
from study.records.identity import engine_fingerprint
from study.records.store import Store
from study.runner import timing
from study.runner.order import Job, cost
from study.runner.progress import duration
from study.runner.session import Loader, Modules, asking, finished, informed, is_to_be_timed, jobs_of
from study.settings import Settings

USUAL_PACE = 4e-6  # seconds per unit of cost, of a core of 2023


def preview(plan: Plan, modules: Modules, results: Path, load: Loader, workers: int) -> Iterator[str]:
    """Yield lines: each experiment's first round, how long it takes, and a warning if it has too few seeds."""
    places = record_folders(results)
    catalogue = Catalogue(load(), places[0].ledger().activations, {})
    plan = informed(plan, catalogue)
    pace = _seconds_per_cost(place.store for place in places)
    lines = []
    for name, experiment in asking(modules).items():
        jobs = jobs_of(experiment, plan, [], catalogue)
        place = next(place for place in places if place.holds(getattr(experiment, "TARGET", EVERYTHING)))
        found = finished(place.store, jobs)
        todo = [job for run, job in jobs.items() if run not in found]
        spent = duration(sum(cost(job.settings) for job in todo) * pace / max(workers, 1))
        lines.append(f"{name}: {len(jobs)} runs, {len(todo)} to do, about {spent} with {max(workers, 1)} processes")
        compared = getattr(experiment, "compared_seeds", None)
        lines += _power(list(jobs.values()), compared(plan) if compared else None)
    yield from (f"activation {name!r} would be refused: it {reason}" for name, reason in catalogue.refused.items())
    yield from lines
    described = catalogue.of(plan.activations)
    if is_to_be_timed(plan, modules) and not timing.is_timed(places[0].path, described):
        yield "the activations' cost is to be timed, alone, once all runs are done"


def _power(jobs: list[Job], compared: int | None) -> Iterator[str]:
    """Warn if the primary test cannot reject anything with so few seeds: `compared`, or the seeds of the jobs."""
    seeds = len({job.settings.seed for job in jobs}) if compared is None else compared
    others = len({job.settings.activation for job in jobs} - {REFERENCE_ACTIVATION})
    needed = minimum_n(1 - CONFIDENCE, max(others, 1))
    if others and seeds < needed:
        yield (
            f"  warning: with {seeds} seeds the sign-flip test's smallest p is {smallest_p(seeds):.4f}; against "
            f"{others} comparisons (Holm) it can reject nothing below {needed} seeds"
        )


def _seconds_per_cost(stores: Iterable[Store]) -> float:
    """Return the seconds per unit of cost, from runs of today's engine, or the usual value if there are none."""
    engine = engine_fingerprint()
    records = (record for store in stores for record in finished(store, store.runs()).values())
    good = [record for record in records if record["identity"]["engine"] == engine]
    seconds = sum(record["provenance"]["timings"]["seconds"] for record in good)
    done = sum(cost(Settings(**record["identity"]["settings"])) for record in good)
    return seconds / done if done else USUAL_PACE
