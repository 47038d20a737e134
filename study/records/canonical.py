"""Write equal contents as equal JSON bytes, and seal them with a checksum."""

import hashlib
import json
import math
from typing import Any

SCHEMA = 1


class RecordError(Exception):
    """Say that a record is damaged, of another identity or of a newer schema; the message says which and why."""


def canonical_json(content: Any) -> bytes:
    """Write `content` as JSON with sorted keys and no spaces; NaN and infinities become null."""
    return json.dumps(valid(content), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def valid(content: Any) -> Any:
    """Convert `content` to values that JSON can hold: NaN and infinities become None."""
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, dict):
        return {key: valid(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [valid(value) for value in content]
    return content


def digest(content: Any) -> str:
    """Return the SHA-256 of the canonical JSON of `content`."""
    return hashlib.sha256(canonical_json(content)).hexdigest()


def seal(content: dict[str, Any]) -> dict[str, Any]:
    """Convert `content` to valid JSON values, and add its checksum."""
    return {**json.loads(canonical_json(content)), "checksum": digest(content)}


def unseal(spelled: bytes) -> dict[str, Any]:
    """Read canonical JSON bytes, checksum included; raise RecordError if they are damaged or of another schema."""
    try:
        found: dict[str, Any] = json.loads(spelled)
        checksum, schema = found["checksum"], found["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(f"is not a whole record ({type(error).__name__})") from error
    unsealed = spelled.replace(f'"checksum":"{checksum}",'.encode(), b"", 1)
    if hashlib.sha256(unsealed).hexdigest() != checksum:
        raise RecordError("does not match its checksum")
    if schema != SCHEMA:
        raise RecordError(f"has schema {schema}; this version reads schema {SCHEMA}")
    return found
