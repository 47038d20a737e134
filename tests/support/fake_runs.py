"""Make up records as the fake engine (synthetic.py) leaves them on disk, complete and with a checksum."""

from typing import Any

from fake_records import result

from study.records.identity import identity
from study.records.store import Record, make_record
from study.settings import Settings

RELU_TEXTS = {"label": "ReLU", "formula": "z", "source": "made up"}
PROVENANCE = {"environment": {"python": "3"}, "date": "2020-01-01T00:00:00Z"}


def record(how: str | None = None, **settings: Any) -> Record:
    """Return the record of a run of ReLU, seed 0, with `settings` changed; `how` is as in `fake_records.result`."""
    asked = Settings(**{"activation": "relu", "seed": 0, **settings})
    return make_record(identity(asked, "data", "function"), RELU_TEXTS, result(asked, how), PROVENANCE)


def with_flipped_bit(content: bytes, bit: int) -> bytes:
    """Return `content` with one bit changed, counted from the first byte's lowest."""
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)
