"""Say how the report was made, from the provenance of its records."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from study.records.identity import engine_fingerprint
from study.records.ledger import Ledger
from study.records.store import Record


def making(ledger: Ledger, records: Sequence[Record]) -> dict[str, Any]:
    """Return the `protocol` of pages/making.md: command, packages, processors, counts, minutes and checksums."""
    provenances = [record["provenance"] for record in records]
    environments = {", ".join(f"{name} {found}" for name, found in p["environment"].items()) for p in provenances}
    return {
        "command": ledger.command,
        "environments": sorted(environments),
        "runs": len(records),
        "compute_minutes": minutes(records),
        "compile_minutes": minutes(records, "compile_seconds"),
        "wall_minutes": ledger.wall_seconds / 60,
        "last_run": max((p["date"] for p in provenances), default=""),
        "data_checksums": sorted({record["identity"]["data"] for record in records}),
    }


def minutes(records: Sequence[Record], of: str = "seconds") -> float:
    """Return the sum over `records` of the timing `of` (a name), in minutes."""
    return float(sum(record["provenance"]["timings"].get(of, 0.0) for record in records)) / 60


def long_protocol(experiment: str, target: str, records: Sequence[Record]) -> pd.DataFrame:
    """Return the row of the table `long_protocols` for one experiment: its runs, days, processors and minutes."""
    provenances = [record["provenance"] for record in records]
    days = sorted({p["date"][:10] for p in provenances})
    row = {
        "experiment": experiment,
        "make_target": target,
        "runs": len(records),
        "first": days[0],
        "last": days[-1],
        "cpu": ", ".join(sorted({p["environment"]["cpu"] for p in provenances})),
        "core_minutes": minutes(records),
        "is_of_this_engine": {record["identity"]["engine"] for record in records} == {engine_fingerprint()},
    }
    return pd.DataFrame([row])
