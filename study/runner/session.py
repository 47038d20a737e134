"""Do what one command asks for in one results folder: the experiments' runs, round by round, or a single run."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.data.mnist import Dataset
from study.plan import Plan, depth_scales
from study.records.catalogue import Catalogue
from study.records.files import prepare_folder
from study.records.folders import DIGITS, RecordFolder, record_folders, write_document
from study.records.ledger import Ledger
from study.records.store import has_failed, sentence
from study.runner import estimate, timing
from study.runner.execution import execute
from study.runner.progress import say
from study.runner.rounds import Loader, Modules, Rounds, asking, finished, informed, is_to_be_timed, job_of
from study.runner.workers import shared_programs
from study.settings import Settings

CLASSES = (0, 2, 7)  # whose first test image the report shows under noise


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
    rounds = Rounds(asking(modules), informed(plan, catalogue), catalogue, folder.store)
    trained = 0
    with shared_programs():
        while missing := rounds.missing():
            if not trained and scheduler is None:
                say(estimate.in_words(rounds, missing, modules, workers))
            jobs = {run: job for of_one in missing.values() for run, job in of_one.items()}
            done = execute(list(jobs.values()), data, folder.store, workers=workers, scheduler=scheduler)
            trained += len(done)
            rounds.known |= {record["id"]: record for record in done}
    failures = _note(rounds, ledger, time.monotonic() - started if trained else 0.0)
    folder.save(ledger)
    if not folder.is_committed:
        keep_digits(folder.path.parent, data)
    if is_to_be_timed(rounds.plan, modules):
        failures += timing.time_activations(folder.path, catalogue.of(rounds.plan.activations))
    recorded = {run for runs in ledger.runs.values() for run in runs}
    return Outcome(trained, len(recorded), tuple(failures))


def keep_digits(results: Path, data: Dataset) -> None:
    """Write the first test image of each of CLASSES to the committed folder of `results`, unless images are there."""
    folder, labels = record_folders(results)[1].path, data.test_labels.tolist()
    images = {str(label): data.test_images[labels.index(label)].tolist() for label in CLASSES if label in labels}
    if images and not (folder / f"{DIGITS}.json").exists():
        prepare_folder(folder)
        write_document(folder, DIGITS, {"images": images}, {"data": data.checksum})


def _note(rounds: Rounds, ledger: Ledger, seconds: float) -> list[str]:
    """Write in the ledger what the experiments asked for; return one sentence for each failure."""
    failed: dict[str, str] = {}
    for name in rounds.experiments:
        found = rounds.records(name)
        used = dict.fromkeys(record["identity"]["settings"]["activation"] for record in found)
        ledger.note(name, rounds.plan, [record["id"] for record in found], list(used))
        failed |= {record["id"]: sentence(record) for record in found if has_failed(record)}
    refused = rounds.catalogue.refused
    ledger.command = "make quick" if rounds.plan.is_quick else "make all"
    ledger.activations, ledger.refused = rounds.catalogue.beside(ledger.activations), dict(refused)
    ledger.wall_seconds += seconds
    ledger.keep_only_used()
    return [*failed.values(), *(f"activation {name!r} was refused: it {why}" for name, why in refused.items())]


def train_one(settings: Settings, results: Path, load: Loader) -> dict[str, Any]:
    """Return the result of one run, from its record; if there is none, train in this process and record it."""
    data = load()
    catalogue = Catalogue(data, {}, {})
    if not (described := catalogue.of([settings.activation])):
        return {"status": "failed", "cause": catalogue.refused[settings.activation]}
    store = record_folders(results)[0].store
    job = job_of(settings, data.checksum, described)
    records = list(finished(store, [job.identity.id]).values()) or execute([job], data, store, label="train")
    result: dict[str, Any] = records[0]["result"]
    return result
