"""Measure networks as a whole: test those that runs have left, and find where pre-activations lie."""

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


def test_kept(kept: Sequence[tuple[Any, ...]], data: Any, saved: Path) -> dict[str, Any]:
    """Return what `study.networks.testing` finds in these networks."""
    environment.start_tensorflow()
    from study.networks import testing

    return testing.test_networks([testing.Kept(*each) for each in kept], data, saved)


def test_networks(store: Store, records: Sequence[Record], data: Any) -> list[str]:
    """Test the networks of these runs unless the store's document has them; return a sentence if that fails.

    A network may be missing, because its run was done elsewhere. Then nothing is tested.
    """
    runs = [record["id"] for record in records]
    if not runs or is_measured(store, NETWORKS, runs):
        return []
    if missing := [run for run in runs if not store.network(run).is_file()]:
        return [f"{len(missing)} networks are not in {store.network('').parent} and not tested"]
    saved = store.folder.parent / NETWORK
    prepare_folder(saved.parent)
    kept = [_kept(store, record) for record in records]

    def measure() -> dict[str, Any]:
        (found,) = in_each_worker(1, test_kept, kept, data, saved)
        return dict(found)

    return measure_once(store, NETWORKS, runs, f"testing {len(runs)} networks", measure)


def _kept(store: Store, record: Record) -> tuple[Any, ...]:
    settings, last = record["identity"]["settings"], record["result"]["last"]
    path = store.network(record["id"]).resolve()
    return record["id"], path, settings["activation"], settings["seed"], last["validation_accuracy"]


def measure_shares(share: Mapping[str, tuple[Settings, Sequence[int]]], data: Any) -> dict[str, Any]:
    """Return by run its settings, and its pre-activations' quantiles at `percent`, in `rows` by step and layer."""
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
    """Measure where the pre-activations of these runs lie, at these steps, unless the store's document knows it.

    `wanted` has the ids of the runs. Return a sentence if the measurement fails.
    """
    if not wanted:
        return []
    source = source_fingerprint(STUDY / "networks")
    basis = {run: [source, *steps] for run, (_, steps) in wanted.items()}
    kept = read_document(store, PREACTIVATIONS)
    known = {run: found for run, found in kept.get("networks", {}).items() if kept["basis"].get(run) == basis.get(run)}
    todo = [run for run in wanted if run not in known]

    def measure() -> dict[str, Any]:
        shares = [{run: wanted[run] for run in todo[first::workers]} for first in range(min(workers, len(todo)))]
        found = in_new_workers(measure_shares, [(share, data) for share in shares]) if shares else []
        networks = dict(itertools.chain(known.items(), *(of_share.items() for of_share in found)))
        return {"networks": {run: networks[run] for run in wanted}}

    return measure_once(store, PREACTIVATIONS, basis, f"measuring the pre-activations of {len(todo)} networks", measure)
