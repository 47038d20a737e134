"""Take measurements that are not runs, each once, and keep each as a document beside the records."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from study.constants import TIMING_PROCESSES, TIMING_REPEATS
from study.engine import environment
from study.errors import RecordError, StudyError
from study.records.catalogue import Entries, refusing
from study.records.files import prepare_folder
from study.records.identity import STUDY, source_fingerprint
from study.records.provenance import cpu_name, provenance
from study.records.store import FAILED_STATUSES, NETWORK, NETWORKS, PREACTIVATIONS, TIMINGS, Record, Store
from study.runner.execution import Result, attempt_all
from study.runner.order import Job
from study.runner.progress import say
from study.runner.workers import failure_reason, in_new_workers
from study.settings import Settings


def _keep(store: Store, name: str, basis: Any, measure: Callable[[], dict[str, Any]], failed: str) -> list[str]:
    """Write what `measure()` returns to `store` as the document `name`, with the JSON `basis` that decides it.

    Return a list: if `measure` raises an exception, the text `failed` with the reason, else nothing.
    """
    try:
        found = measure()
    except StudyError as error:
        return [f"{failed}: {error}"]
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the report
        return [f"{failed}: {failure_reason(error)}"]
    store.write_document(name, {**found, "basis": basis}, provenance())
    return []


def _kept_content(store: Store, name: str) -> dict[str, Any]:
    """Return the content of the document `name` in `store`; an empty dict if the document is missing or damaged."""
    try:
        content: dict[str, Any] = store.read(name)["content"]
    except (FileNotFoundError, RecordError):
        return {}
    return content


def evaluate_networks(store: Store, experiment: str, records: Sequence[Record], data: Any) -> list[str]:
    """Test the networks kept by the runs of `records`, and write the best one to the `experiment`'s file NETWORK.

    The findings are the document NETWORKS of `store`, and `data` is a Dataset. Earlier findings on networks that are
    not here, because another machine trained them, stay. All earlier findings are dropped if the file is missing, or if
    the document has other runs too. Test nothing if every network here has findings. Return a list of sentences: one if
    networks without findings are not here, and one if the test fails.
    """
    document, saved = NETWORKS.format(experiment), store.folder.parent / NETWORK.format(experiment)
    runs = [record["id"] for record in records]
    earlier = _kept_content(store, document)
    if not (saved.is_file() and set(earlier.get("basis", ())) <= set(runs)):
        earlier = {}  # of other networks, or the best one is gone
    tested = set(earlier.get("basis", ()))
    here = [record for record in records if store.network(record["id"]).is_file()]
    missing = set(runs) - tested - {record["id"] for record in here}
    sentences = [f"{len(missing)} networks are not in {saved.parent}: they are not tested"] if missing else []
    if tested.issuperset(record["id"] for record in here):
        return sentences
    prepare_folder(saved.parent)
    say(what := f"testing {len(here)} networks")
    call = _test_networks, [([_kept_fields(store, record) for record in here], data, saved, earlier)]
    basis = [run for run in runs if run not in missing]
    return sentences + _keep(store, document, basis, lambda: in_new_workers(*call)[0], f"{what} failed")


def _kept_fields(store: Store, record: Record) -> tuple[Any, ...]:
    """Return the fields of a `testing.Kept`, whose class needs TensorFlow, which this process must not import."""
    settings, last = record["identity"]["settings"], record["result"]["last"]
    path = store.network(record["id"]).resolve()
    return record["id"], path, settings["activation"], settings["seed"], last["validation_accuracy"]


def _test_networks(
    kept: Sequence[tuple[Any, ...]], data: Any, saved: Path, earlier: Mapping[str, Any]
) -> dict[str, Any]:
    """Call `testing.test_networks`, in a worker process; each of `kept` holds the fields of a `testing.Kept`."""
    environment.start_tensorflow()
    from study.networks import testing

    return testing.test_networks([testing.Kept(*each) for each in kept], data, saved, earlier)


def measure_preactivations(
    store: Store, wanted: Mapping[str, tuple[Job, Sequence[int]]], data: Any, workers: int
) -> list[str]:
    """Write quantiles of pre-activations as the document PREACTIVATIONS of `store`, unless it has them already.

    `wanted` is {run id: (job, steps)}, where steps are numbers of updates. `data` is a Dataset. The document's
    `networks` is {run id: what `_quantiles` returns as `network`}. Only runs that the document lacks are measured, by
    `workers` processes, as in `execute`. The new document has the runs of `wanted` alone. Return a list: one sentence
    if measuring fails, else nothing.
    """
    source = source_fingerprint(STUDY / "networks" / "distributions.py")
    basis = {run: [source, *steps] for run, (_, steps) in wanted.items()}
    kept = _kept_content(store, PREACTIVATIONS)
    if basis.items() <= kept.get("basis", {}).items():  # it may hold more runs, of other experiments
        return []
    found = {run: about for run, about in kept.get("networks", {}).items() if kept["basis"].get(run) == basis.get(run)}
    todo = [about for run, about in wanted.items() if run not in found]
    task = functools.partial(_quantiles, {job.settings: steps for job, steps in todo})
    say(what := f"measuring the pre-activations of {len(todo)} networks")

    def measure() -> dict[str, Any]:
        for job, result in attempt_all([job for job, _ in todo], task, data, "measuring", workers=workers):
            if result["status"] in FAILED_STATUSES:
                raise StudyError(result["cause"])
            found[job.identity.id] = result["network"]
        return {"networks": {run: found[run] for run in wanted}}

    return _keep(store, PREACTIVATIONS, basis, measure, f"{what} failed")


def _quantiles(
    steps: Mapping[Settings, Sequence[int]], settings: Settings, fingerprint: str, data: Any, seconds: float
) -> Result:
    """Train the run of `settings` again, and return quantiles of its pre-activations after `steps[settings]` updates.

    The result has the `status` "measured" and `network`, a dict of `settings`, `percent` and `rows`. A row holds step,
    layer and `quantiles`, the values below which `percent` of the pre-activations lie. As a Task, the function gets a
    `fingerprint` and `seconds`, which it does not use.
    """
    environment.start_tensorflow()
    from study.activations import REGISTRY
    from study.networks.distributions import PERCENT, quantiles

    rows = quantiles(settings, data, REGISTRY[settings.activation], steps[settings])
    network = {"settings": dataclasses.asdict(settings), "percent": list(PERCENT), "rows": rows}
    return {"status": "measured", "network": network}


def time_activations(store: Store, described: Entries) -> list[str]:
    """Time the activations in `described` in new processes, unless the store's document TIMINGS has them.

    Unchanged activations that the document has on the same basis are timed again with them, so that they stay in it.
    Only activations that take turns can be compared. `described` is a result of `Catalogue.descriptions`. Return a
    list: one sentence if timing fails, else nothing.
    """
    if is_timed(store, described):
        return []
    basis, kept = _timing_basis(described), _kept_content(store, TIMINGS).get("basis", {})
    if {**kept, "activations": basis["activations"]} == basis:
        basis["activations"] |= _unchanged_activations(kept["activations"], described)
    names = list(basis["activations"])
    say(f"timing {len(names)} activations, while nothing else of the study runs")
    return _keep(store, TIMINGS, basis, lambda: _timings_of_processes(names), "the activations were not timed")


def _unchanged_activations(kept: Mapping[str, str], described: Entries) -> dict[str, str]:
    """Return the entries of `kept`, {name: fingerprint}, whose activation is unchanged and not in `described`."""
    environment.start_tensorflow()
    from study.activations import REGISTRY, fingerprint

    found = {}
    for name in kept.keys() & REGISTRY.keys() - described.keys():
        with refusing(name, {}):  # an entry that has changed may have no fingerprint
            found[name] = fingerprint(REGISTRY[name])
    return {name: mark for name, mark in kept.items() if found.get(name) == mark}


def _timings_of_processes(names: Sequence[str]) -> dict[str, Any]:
    """Time the activations `names` in TIMING_PROCESSES processes, one after another, and return all timings together.

    The result is as `study.cost.stopwatch.measure` returns it, and each row of `timings` has a `process`, from 0.
    """
    repeats = TIMING_REPEATS // TIMING_PROCESSES
    found = [in_new_workers(_timings, [(names, repeats)])[0] for _ in range(TIMING_PROCESSES)]
    rows = [
        {**row, "repeat": row["repeat"] + repeats * process, "process": process}
        for process, of_process in enumerate(found)
        for row in of_process["timings"]
    ]
    about = {**found[0]["about"], "repeats": TIMING_REPEATS, "processes": TIMING_PROCESSES}
    return {**found[0], "timings": rows, "about": about}


def _timings(names: Sequence[str], repeats: int) -> dict[str, Any]:
    environment.start_tensorflow()
    from study.cost import stopwatch

    return stopwatch.measure(names, repeats)


def is_timed(store: Store, described: Entries) -> bool:
    """Tell whether the store's document TIMINGS holds all activations in `described`, timed on the same basis."""
    kept: dict[str, Any] = _kept_content(store, TIMINGS).get("basis", {})
    wanted = _timing_basis(described)
    wanted["activations"] = {**kept.get("activations", {}), **wanted["activations"]}  # it may hold others, too
    return kept == wanted


def _timing_basis(described: Entries) -> dict[str, Any]:
    """Return what decides the timings: activations with their fingerprints, code, processor and number of repeats."""
    return {
        "activations": {name: about["fingerprint"] for name, about in described.items()},
        "engine": source_fingerprint(STUDY / "engine", STUDY / "cost"),
        "cpu": cpu_name(),
        "repeats": TIMING_REPEATS,
        "processes": TIMING_PROCESSES,
    }
