"""Test the networks that an experiment's runs have left, and keep what was found as a document beside the records."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from study.engine import environment
from study.errors import RecordError
from study.records.files import prepare_folder
from study.records.provenance import describe
from study.records.store import NETWORK, NETWORKS, Record, Store
from study.runner.progress import say
from study.runner.workers import in_each_worker, reason


def measure(kept: Sequence[tuple[Any, ...]], data: Any, saved: Path) -> dict[str, Any]:
    """Return what `study.networks.testing` finds in these networks."""
    environment.start_tensorflow()
    from study.networks import testing

    return testing.test_networks([testing.Kept(*each) for each in kept], data, saved)


def test_networks(store: Store, records: Sequence[Record], data: Any) -> list[str]:
    """Test the networks of these runs unless the store's document has them; return a sentence if that fails.

    A network may be missing, because its run was done elsewhere. Then nothing is tested.
    """
    runs = [record["id"] for record in records]
    if not runs or _tested(store) == runs:
        return []
    if missing := [run for run in runs if not store.network(run).is_file()]:
        return [f"the networks were not tested: {len(missing)} of {len(runs)} are not in {store.network('').parent}"]
    say(f"testing {len(runs)} networks, alone and together")
    saved = store.folder.parent / NETWORK
    prepare_folder(saved.parent)
    try:
        (found,) = in_each_worker(1, measure, [_kept(store, record) for record in records], data, saved)
    except Exception as error:  # noqa: BLE001 - whatever it is, the runs are done and kept
        return [f"the networks were not tested: {reason(error)}"]
    provenance = {"environment": describe(), "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    store.write_document(NETWORKS, {**found, "runs": runs}, provenance)
    return []


def _tested(store: Store) -> list[str] | None:
    """Return the runs whose networks the store's document holds; None if it is missing or damaged."""
    try:
        runs: list[str] = store.read(NETWORKS)["content"]["runs"]
    except (FileNotFoundError, RecordError):
        return None
    return runs


def _kept(store: Store, record: Record) -> tuple[Any, ...]:
    settings, last = record["identity"]["settings"], record["result"]["last"]
    path = store.network(record["id"]).resolve()
    return record["id"], path, settings["activation"], settings["seed"], last["validation_accuracy"]
