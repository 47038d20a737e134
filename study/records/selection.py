"""Read the settings of runs from their records, and select runs by them."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from study.records.store import Record
from study.settings import Settings

DEFAULTS = {
    field.name: field.default for field in dataclasses.fields(Settings) if field.default is not dataclasses.MISSING
}


def settings_of(record: Record) -> dict[str, Any]:
    """Return all settings of a record's run by name, as JSON holds them: with lists for tuples.

    Settings that an earlier edition of the study did not have are at their defaults. Its `residual`, False or True,
    becomes "none" or "plain".
    """
    found: dict[str, Any] = DEFAULTS | record["identity"]["settings"]
    is_earlier = isinstance(found["residual"], bool)
    return {**found, "residual": "plain" if found["residual"] else "none"} if is_earlier else found


def shared_settings(records: Sequence[Record]) -> dict[str, Any]:
    """Return {name: value} of the settings that are the same in all these runs, of which there must be one at least."""
    every = [settings_of(record) for record in records]
    return {name: value for name, value in every[0].items() if all(each[name] == value for each in every)}


def without_record(wanted: Iterable[Settings], so_far: Sequence[Record]) -> list[Settings]:
    """Return the wanted runs that have no record in `so_far`, each once and in order; a failed run's record counts."""
    done = {Settings(**settings_of(record)) for record in so_far}
    return [settings for settings in dict.fromkeys(wanted) if settings not in done]
