"""Read and select records by the settings of their runs."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from study.records.store import Record
from study.settings import Settings

DEFAULTS = {
    field.name: field.default for field in dataclasses.fields(Settings) if field.default is not dataclasses.MISSING
}


def asked(record: Record) -> dict[str, Any]:
    """Return all settings of a record's run.

    Settings that an earlier edition did not have are at their defaults. Its `residual`, False or True, is "none" or
    "plain".
    """
    found: dict[str, Any] = DEFAULTS | record["identity"]["settings"]
    is_earlier = isinstance(found["residual"], bool)
    return {**found, "residual": "plain" if found["residual"] else "none"} if is_earlier else found


def shared(records: Sequence[Record]) -> dict[str, Any]:
    """Return the settings that all these runs have in common, by name."""
    every = [asked(record) for record in records]
    return {name: value for name, value in every[0].items() if all(each[name] == value for each in every)}


def missing(wanted: Iterable[Settings], so_far: Sequence[Record]) -> list[Settings]:
    """Return the wanted runs that have no record, each once; a record of a failed run counts."""
    done = {Settings(**asked(record)) for record in so_far}
    return [settings for settings in dict.fromkeys(wanted) if settings not in done]
