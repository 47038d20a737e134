"""Measure networks as a whole: test those that runs have left, and count where pre-activations lie."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from study.engine import environment
from study.records.files import prepare_folder
from study.records.identity import STUDY, source_fingerprint
from study.records.store import NETWORK, NETWORKS, PREACTIVATIONS, Record, Store
from study.runner.documents import is_measured, measure_once
from study.runner.order import Job
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
    return measure_once(store, NETWORKS, runs, f"testing {len(runs)} networks", test_kept, kept, data, saved)


def _kept(store: Store, record: Record) -> tuple[Any, ...]:
    settings, last = record["identity"]["settings"], record["result"]["last"]
    path = store.network(record["id"]).resolve()
    return record["id"], path, settings["activation"], settings["seed"], last["validation_accuracy"]


def count(runs: Sequence[Settings], data: Any) -> dict[str, Any]:
    """Return `rows`: for each run, the quantiles of its pre-activations by step and layer, with what tells it apart."""
    environment.start_tensorflow()
    from study.activations import REGISTRY
    from study.networks.distributions import PERCENT, quantiles

    rows = []
    for settings in runs:
        about = {key: getattr(settings, key) for key in ("activation", "depth", "optimizer", "learning_rate", "seed")}
        about["init"] = settings.initialization
        rows += [{**about, **row} for row in quantiles(settings, data, REGISTRY[settings.activation])]
    return {"percent": list(PERCENT), "rows": rows}


def count_preactivations(store: Store, jobs: Sequence[Job], data: Any) -> list[str]:
    """Measure where the pre-activations of these runs lie, unless it is known; return a sentence if that fails."""
    if not jobs:
        return []
    basis = [source_fingerprint(STUDY / "networks"), *(job.identity.id for job in jobs)]
    what = f"measuring the pre-activations of {len(jobs)} networks"
    return measure_once(store, PREACTIVATIONS, basis, what, count, [job.settings for job in jobs], data)
