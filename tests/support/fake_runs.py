"""Records as a run of the fake engine leaves them, for tests of what is on disk."""

from typing import Any

from fake_records import result

from study.records.identity import identity
from study.records.store import Record, make
from study.settings import Settings

ABOUT = {"label": "ReLU", "formula": "z", "source": "made up"}
WHERE = {"environment": {"python": "3"}, "date": "2020-01-01T00:00:00Z"}


def record(how: str | None = None, **settings: Any) -> Record:
    """Return the record of a ReLU run with these settings; see `fake_records.result` for `how` it may go."""
    asked = Settings(**{"activation": "relu", "seed": 0, **settings})
    return make(identity(asked, "data", "function"), ABOUT, result(asked, how), WHERE)
