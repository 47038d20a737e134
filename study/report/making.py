"""Summarise how the report's runs were made, from the provenance that each record holds."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from study.records.identity import engine_fingerprint
from study.records.ledger import Ledger
from study.records.store import Record


def making(ledger: Ledger, records: Sequence[Record]) -> dict[str, Any]:
    """Return the values that pages/making.md shows, by name, from the successful `records` of `make all`.

    `environments` lists texts on processor, system and package versions, each once. `runs` is the number of records.
    `compute_minutes`, of one core, include `compile_minutes`. `wall_minutes` is the time of all commands that trained.
    `last_run` is the date and time (UTC) of the last run, empty without runs. `data_checksums` lists the SHA-256 of
    each data set.
    """
    provenances = [record["provenance"] for record in records]
    environments = {", ".join(f"{name} {found}" for name, found in p["environment"].items()) for p in provenances}
    return {
        "command": ledger.command,
        "environments": sorted(environments),
        "runs": len(records),
        "compute_minutes": _minutes(records),
        "compile_minutes": _minutes(records, "compile_seconds"),
        "wall_minutes": ledger.wall_seconds / 60,
        "last_run": max((p["date"] for p in provenances), default=""),
        "data_checksums": sorted({record["identity"]["data"] for record in records}),
    }


def _minutes(records: Sequence[Record], timing: str = "seconds") -> float:
    """Return the sum over `records` of their `timing`, "seconds" or "compile_seconds", in minutes."""
    return float(sum(record["provenance"]["timings"].get(timing, 0) for record in records)) / 60


def long_protocol(experiment: str, target: str, records: Sequence[Record]) -> pd.DataFrame:
    """Return one row of the table `long_protocols`, on the runs of one experiment; `records` must not be empty."""
    provenances = [record["provenance"] for record in records]
    days = sorted({p["date"][:10] for p in provenances})
    row = {
        "experiment": experiment,
        "make_target": target,
        "runs": len(records),
        "first": days[0],
        "last": days[-1],
        "cpu": ", ".join(sorted({p["environment"]["cpu"] for p in provenances})),
        "core_minutes": _minutes(records),
        "is_of_this_engine": {record["identity"]["engine"] for record in records} == {engine_fingerprint()},
    }
    return pd.DataFrame([row])
