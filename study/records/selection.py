"""Read the settings of runs from records, find settings that all runs share, and list wanted runs without a record."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from study.records.store import Record
from study.settings import Settings

# {setting: its default}; settings without a default are left out.
DEFAULTS = {
    field.name: field.default for field in dataclasses.fields(Settings) if field.default is not dataclasses.MISSING
}


def settings_of(record: Record) -> dict[str, Any]:
    """Return {name: value} of all settings of the run of `record`, with lists in place of tuples, as in JSON.

    A record of an earlier version of the study may lack settings, which then have their defaults. If the setting
    `residual` of such a record is False or True, it is returned as "none" or "plain".
    """
    found: dict[str, Any] = DEFAULTS | record["identity"]["settings"]
    is_earlier = isinstance(found["residual"], bool)
    return {**found, "residual": "plain" if found["residual"] else "none"} if is_earlier else found


def shared_settings(records: Sequence[Record]) -> dict[str, Any]:
    """Return {name: value} of the settings that all runs of `records` have in common; at least one record is needed."""
    every = [settings_of(record) for record in records]
    return {name: value for name, value in every[0].items() if all(each[name] == value for each in every)}


def without_record(wanted: Iterable[Settings], so_far: Sequence[Record]) -> list[Settings]:
    """Return the `wanted` runs without a record in `so_far`, each once and in order; failed runs have records too."""
    done = {Settings(**settings_of(record)) for record in so_far}
    return [settings for settings in dict.fromkeys(wanted) if settings not in done]
