"""Take measurements of whole networks: test those that runs have kept, and find where pre-activations lie."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from study.engine import environment
from study.records.files import prepare_folder
from study.records.identity import STUDY, source_fingerprint
from study.records.store import NETWORK, NETWORKS, PREACTIVATIONS, Record, Store
from study.runner.documents import is_measured, measure_once, read_document
from study.runner.workers import in_each_worker, in_new_workers
from study.settings import Settings


def evaluate_in_worker(kept: Sequence[tuple[Any, ...]], data: Any, saved: Path) -> dict[str, Any]:
    """Return the result of `study.networks.testing.test_networks`; a worker process calls this function.

    `kept` holds the fields of a `Kept` for each network, as `_kept_fields` returns them. `data` is a Dataset. The best
    network is written to the file `saved`.
    """
    environment.start_tensorflow()
    from study.networks import testing

    return testing.test_networks([testing.Kept(*each) for each in kept], data, saved)


def evaluate_networks(store: Store, experiment: str, records: Sequence[Record], data: Any) -> list[str]:
    """Test the networks that the runs of `records` have kept, and write the best one to the file NETWORK.

    `store` holds the networks and the document NETWORKS of the findings, and `data`, a Dataset, the test images. File
    and document belong to this `experiment`. Do nothing if the file exists and the document is of these runs. Return a
    list: one sentence if the test fails, else nothing. If a network is missing, because its run was done elsewhere,
    nothing is tested, and the sentence says so.
    """
    document, saved = NETWORKS.format(experiment), store.folder.parent / NETWORK.format(experiment)
    runs = [record["id"] for record in records]
    if not runs or is_measured(store, document, runs, saved):
        return []
    if missing := [run for run in runs if not store.network(run).is_file()]:
        return [f"{len(missing)} networks are not in {saved.parent}: they are not tested, and {saved} is not written"]
    prepare_folder(saved.parent)
    kept = [_kept_fields(store, record) for record in records]

    def measure() -> dict[str, Any]:
        (found,) = in_each_worker(1, evaluate_in_worker, kept, data, saved)
        return dict(found)

    return measure_once(store, document, runs, f"testing {len(runs)} networks", measure, saved)


def _kept_fields(store: Store, record: Record) -> tuple[Any, ...]:
    """Return the fields of a `study.networks.testing.Kept`: id, path of the network, activation, seed and accuracy.

    This process must not import that class, which needs TensorFlow, so `evaluate_in_worker` makes the object.
    """
    settings, last = record["identity"]["settings"], record["result"]["last"]
    path = store.network(record["id"]).resolve()
    return record["id"], path, settings["activation"], settings["seed"], last["validation_accuracy"]


def measure_in_worker(share: Mapping[str, tuple[Settings, Sequence[int]]], data: Any) -> dict[str, Any]:
    """Train the runs of `share` once more on `data`, a Dataset, and return quantiles of their pre-activations.

    A worker process calls this function. `share` is {run id: (settings, steps)}, a part of the runs `wanted` in
    `measure_preactivations`. The result has, by run id, a dict of `settings`, `percent` and `rows`. A row holds step,
    layer and `quantiles`, the values below which `percent` of the pre-activations lie.
    """
    environment.start_tensorflow()
    from study.activations import REGISTRY
    from study.networks.distributions import PERCENT, quantiles

    return {
        run: {
            "settings": dataclasses.asdict(settings),
            "percent": list(PERCENT),
            "rows": quantiles(settings, data, REGISTRY[settings.activation], steps),
        }
        for run, (settings, steps) in share.items()
    }


def measure_preactivations(
    store: Store, wanted: Mapping[str, tuple[Settings, Sequence[int]]], data: Any, workers: int
) -> list[str]:
    """Write quantiles of pre-activations as the document PREACTIVATIONS of `store`, unless it has them already.

    `wanted` is {run id: (settings, steps)}, where steps are numbers of updates. `data` is a Dataset. The document's
    `networks` holds what `measure_in_worker` returns. Only runs that the document lacks are measured, in at most
    `workers` processes. Return a list: one sentence if that fails, else nothing.
    """
    if not wanted:
        return []
    source = source_fingerprint(STUDY / "networks")
    basis = {run: [source, *steps] for run, (_, steps) in wanted.items()}
    kept = read_document(store, PREACTIVATIONS)
    if basis.items() <= kept.get("basis", {}).items():  # other experiments may have measured more, which stays
        return []
    known = {run: found for run, found in kept.get("networks", {}).items() if kept["basis"].get(run) == basis.get(run)}
    todo = [run for run in wanted if run not in known]

    def measure() -> dict[str, Any]:
        """Measure the runs of `todo` in processes; return the document's content, with the runs known before."""
        shares = [{run: wanted[run] for run in todo[first::workers]} for first in range(min(workers, len(todo)))]
        found = in_new_workers(measure_in_worker, [(share, data) for share in shares]) if shares else []
        networks = dict(itertools.chain(known.items(), *(of_share.items() for of_share in found)))
        return {"networks": {run: networks[run] for run in wanted}}

    return measure_once(store, PREACTIVATIONS, basis, f"measuring the pre-activations of {len(todo)} networks", measure)
