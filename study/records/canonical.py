"""Write equal contents as equal JSON bytes, and seal them with a checksum."""

import hashlib
import json
from typing import Any

from study.errors import RecordError

SCHEMA = 1


def valid(content: Any) -> Any:
    """Convert `content` to values that JSON can hold: tuples become lists, NaN and infinities become None."""
    return json.loads(json.dumps(content), parse_constant=lambda _: None)


def canonical_json(content: Any) -> bytes:
    """Write `valid(content)` as JSON with sorted keys and no spaces."""
    return json.dumps(valid(content), sort_keys=True, separators=(",", ":")).encode()


def digest(content: Any) -> str:
    """Return the SHA-256 of the canonical JSON of `content`."""
    return hashlib.sha256(canonical_json(content)).hexdigest()


def seal(content: dict[str, Any]) -> dict[str, Any]:
    """Convert `content` to valid JSON values with sorted keys, and add its checksum."""
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
