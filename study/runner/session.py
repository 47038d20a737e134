"""Do what one command asks for in one results folder: the experiments' runs, round by round, or a single run."""

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from study.data.mnist import Dataset
from study.plan import Plan
from study.records.catalogue import Catalogue
from study.records.files import lock_folder, prepare_folder
from study.records.ledger import Ledger
from study.records.store import DIGITS, Store, failure_text, has_failed, stores
from study.runner import estimate, measurements
from study.runner.execution import execute
from study.runner.order import Job
from study.runner.progress import say
from study.runner.rounds import Modules, Rounds, job_of, recorded_runs
from study.runner.workers import shared_programs
from study.settings import Settings

PROGRAMS_FOLDER = ".programs"  # of compiled programs, in the folder of the runs while a command does them
SHOWN_DIGITS = (0, 2, 7)  # the report shows the first test image of each of these digits under noise


def run_experiments(
    plan: Plan, modules: Modules, store: Store, load: Callable[[], Dataset], workers: int, scheduler: str | None
) -> list[str]:
    """Do every run that the experiments in `modules` ask for under `plan` and `store` lacks, then measure and time.

    The ledger is written before networks are measured and activations are timed. `load` returns the Dataset. `workers`
    and `scheduler` are as in `execute`. Return one sentence for each failed run, refused activation or failed
    measurement. Raise FolderHeld if another command works in the folder of `store`.
    """
    with lock_folder(store.folder):
        started = time.monotonic()
        ledger, data = store.ledger(), load()
        grids = {name: getattr(module, "DEPTH_SCALES", {}) for name, module in modules.items()}
        catalogue = Catalogue(data, ledger.activations, grids)
        rounds = Rounds(modules, plan, catalogue, store)
        trained = 0
        with shared_programs(store.folder / PROGRAMS_FOLDER):
            for number in itertools.count(1):
                if not (missing := rounds.advance()):
                    break
                if not trained and scheduler is None:
                    say(estimate.time_in_words(rounds, missing, workers))
                jobs = {run: job for of_one in missing.values() for run, job in of_one.items()}.values()
                label, later = f"training, round {number}", rounds.later_cost(missing)
                done = execute(
                    [*jobs], data, store, label=label, later_cost=later, workers=workers, scheduler=scheduler
                )
                trained += len(done)
                rounds.known |= {record["id"]: record for record in done}
            failures = _enter_in_ledger(rounds, ledger, time.monotonic() - started if trained else 0.0)
            store.save(ledger)
            if not store.is_committed:
                keep_digits(store.folder.parent, data)
            failures += _measure_networks(rounds, store, data, workers)
        if rounds.asks_for_timings(rounds.plan):
            failures += measurements.time_activations(store, catalogue.descriptions(rounds.plan.activations))
    recorded = {run for runs in ledger.runs.values() for run in runs}
    say(f"{trained} runs done, {len(recorded)} recorded in {store.folder}")
    return failures


def _measure_networks(rounds: Rounds, store: Store, data: Dataset, workers: int) -> list[str]:
    """Measure the networks that the experiments of `rounds` ask for, and return one sentence for each failure."""
    failures = []
    followed: dict[str, tuple[Job, Sequence[int]]] = {}
    for name, module in rounds.experiments.items():
        records = rounds.records(name)
        if hasattr(module, "networks"):
            failures += measurements.evaluate_networks(store, name, module.networks(rounds.plan, records), data)
        if hasattr(module, "preactivations"):
            steps = module.preactivations(rounds.plan, records)
            jobs = rounds.jobs.get(name, {})
            followed |= {run: (job, steps[job.settings]) for run, job in jobs.items() if job.settings in steps}
    return failures + measurements.measure_preactivations(store, followed, data, workers)


def keep_digits(results: Path, data: Dataset) -> None:
    """Write the first test image in `data` of each of SHOWN_DIGITS to the document DIGITS, unless it exists.

    Its `images` are {digit as text: list of 784 grey levels from 0 to 255}. A digit without an image is left out.
    """
    store, labels = stores(results)[1], data.test_labels.tolist()
    images = {str(label): data.test_images[labels.index(label)].tolist() for label in SHOWN_DIGITS if label in labels}
    if images and not store.path(DIGITS).exists():
        prepare_folder(store.folder)
        store.write_document(DIGITS, {"images": images}, {"data": data.checksum})


def _enter_in_ledger(rounds: Rounds, ledger: Ledger, seconds: float) -> list[str]:
    """Update `ledger` with the plan, runs and activations of each experiment in `rounds`, and with these `seconds`.

    Do not write the file. Return one sentence for each failed run and each refused activation.
    """
    failed: dict[str, str] = {}
    for name in rounds.experiments:
        found = rounds.records(name)
        used = dict.fromkeys(record["identity"]["settings"]["activation"] for record in found)
        ledger.note(name, rounds.plan, [record["id"] for record in found], list(used))
        failed |= {record["id"]: failure_text(record) for record in found if has_failed(record)}
    refused = rounds.catalogue.refused
    ledger.command = "make quick" if rounds.plan.is_quick else "make all"
    ledger.activations, ledger.refused = rounds.catalogue.merged_with(ledger.activations), dict(refused)
    ledger.wall_seconds += seconds
    ledger.keep_only_used()
    return [*failed.values(), *(f"activation {name!r} was refused: it {why}" for name, why in refused.items())]


def train_one(settings: Settings, store: Store, load: Callable[[], Dataset]) -> dict[str, Any]:
    """Return the result of the run of `settings` from its record in `store`; if it has none or failed, train it here.

    The result is what `training.train` returns, or the `status` and `cause` of a failure. `load` returns the Dataset.
    """
    with lock_folder(store.folder):
        data = load()
        catalogue = Catalogue(data, {}, {})
        if not (described := catalogue.descriptions([settings.activation])):
            why = catalogue.refused[settings.activation]
            return {"status": "failed", "cause": f"activation {settings.activation!r} was refused: it {why}"}
        job = job_of(settings, data.checksum, described)
        records = list(recorded_runs(store, [job.identity.id]).values()) or execute([job], data, store, label="train")
        result: dict[str, Any] = records[0]["result"]
        return result
