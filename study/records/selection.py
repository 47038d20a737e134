"""Select records by the settings of their runs."""

from collections.abc import Iterable, Sequence

from study.records.store import Record
from study.settings import Settings


def missing(wanted: Iterable[Settings], so_far: Sequence[Record]) -> list[Settings]:
    """Return the wanted runs that have no record, each once; a record of a failed run counts."""
    done = {Settings(**record["identity"]["settings"]) for record in so_far}
    return [settings for settings in dict.fromkeys(wanted) if settings not in done]


def of_settings(records: Iterable[Record], wanted: Iterable[Settings]) -> list[Record]:
    """Return the records of the wanted runs."""
    chosen = set(wanted)
    return [record for record in records if Settings(**record["identity"]["settings"]) in chosen]
