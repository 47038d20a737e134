"""Write equal contents as equal JSON bytes, and seal them: add a checksum that reveals damage."""

import hashlib
import json
from typing import Any

from study.errors import RecordError

SCHEMA = 1  # version of the structure of records and documents; other versions are not read


def as_json(content: Any) -> Any:
    """Return `content` as JSON would give it back: tuples become lists, keys text, NaN and infinities None."""
    return json.loads(json.dumps(content), parse_constant=lambda _: None)


def canonical_json(content: Any) -> bytes:
    """Return `as_json(content)` as JSON bytes in ASCII, with sorted keys and no spaces."""
    return json.dumps(as_json(content), sort_keys=True, separators=(",", ":")).encode()


def digest(content: Any) -> str:
    """Return the SHA-256 of the canonical JSON of `content`, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(content)).hexdigest()


def seal(content: dict[str, Any]) -> dict[str, Any]:
    """Return `as_json(content)` with sorted keys and one more entry, `checksum`: the digest of `content`."""
    return {**json.loads(canonical_json(content)), "checksum": digest(content)}


def unseal(sealed: bytes) -> dict[str, Any]:
    """Return the dict in the JSON bytes `sealed`, with its checksum; raise RecordError if that or SCHEMA is wrong."""
    try:
        found: dict[str, Any] = json.loads(sealed)
        checksum, schema = found["checksum"], found["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(f"is incomplete or not JSON ({type(error).__name__})") from error
    unsealed = sealed.replace(f'"checksum":"{checksum}",'.encode(), b"", 1)
    if hashlib.sha256(unsealed).hexdigest() != checksum:
        raise RecordError("does not match its checksum")
    if schema != SCHEMA:
        raise RecordError(f"has schema {schema}; this version reads schema {SCHEMA}")
    return found
