"""What stands inside an envelope: one type tag, the value, and padding where its length would tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from hub.crypto.errors import EnvelopeBroken, NotSealable

BUCKET = 32
_BYTES = b"\x01"
_RECORD = b"\x02"
_PADDED_BYTES = b"\x03"
_TAG_RECORD = _RECORD[0]
_TAG_BYTES = _BYTES[0]
_TAG_PADDED_BYTES = _PADDED_BYTES[0]
_SPACES = tuple(b" " * n for n in range(BUCKET))
# Only JSON values pass: a date or a dataclass would come back as something else than it was.
_OPTIONS = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


def encode_record(fields: Mapping[str, object], *, pad: bool = True) -> bytes:
    """Returns a record as tagged JSON with sorted keys, tuples as lists; padded to 32 bytes by trailing spaces.

    Raises NotSealable for what is not JSON. NaN and infinities become null, as JSON has none.
    """
    try:
        text = orjson.dumps(fields if type(fields) is dict else dict(fields), option=_OPTIONS)
    except orjson.JSONEncodeError as error:
        raise NotSealable(str(error)) from None
    return _RECORD + text + _SPACES[-(len(text) + 1) % BUCKET] if pad else _RECORD + text


def decode_record(plaintext: bytes) -> dict[str, Any]:
    """Returns the fields of a record; raises EnvelopeBroken when the plaintext is no record."""
    if not plaintext or plaintext[0] != _TAG_RECORD:
        raise EnvelopeBroken
    try:
        fields: dict[str, Any] = orjson.loads(plaintext[1:])
    except orjson.JSONDecodeError:
        raise EnvelopeBroken from None
    return fields


def encode_bytes(value: bytes, *, pad: bool = False) -> bytes:
    """Returns tagged bytes; padded to 32 bytes by 0x80 and zeros (ISO/IEC 7816-4)."""
    if not pad:
        return _BYTES + value
    return (_PADDED_BYTES + value + b"\x80").ljust(-(-(len(value) + 2) // BUCKET) * BUCKET, b"\0")


def decode_bytes(plaintext: bytes) -> bytes:
    """Returns the bytes of `encode_bytes`; raises EnvelopeBroken when the plaintext is something else."""
    tag = plaintext[0] if plaintext else None
    if tag == _TAG_BYTES:
        return plaintext[1:]
    body = plaintext[1:].rstrip(b"\0")
    if tag != _TAG_PADDED_BYTES or not body.endswith(b"\x80"):
        raise EnvelopeBroken
    return body[:-1]
