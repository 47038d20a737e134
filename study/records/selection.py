"""Select records by the settings of their runs."""

from collections.abc import Iterable, Sequence

from study.records.store import Record
from study.settings import Settings


def missing(wanted: Iterable[Settings], so_far: Sequence[Record]) -> list[Settings]:
    """The wanted runs that are not among the records, failed ones included, each once."""
    done = {Settings(**record["identity"]["settings"]) for record in so_far}
    return [settings for settings in dict.fromkeys(wanted) if settings not in done]


def of_settings(records: Iterable[Record], wanted: Iterable[Settings]) -> list[Record]:
    """The records of these runs."""
    chosen = set(wanted)
    return [record for record in records if Settings(**record["identity"]["settings"]) in chosen]
