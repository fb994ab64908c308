"""Looks for planted values in files and dumps, in every form in which a careless program would leave them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Hit:
    """Is one find: which value, in which form, where."""

    value: str
    form: str
    place: str


def forms(text: str) -> Iterator[tuple[str, bytes]]:
    """Yields a text as it may stand in a file: plain, UTF-16, JSON escapes, hex, base64 at each alignment, reversed."""
    raw = text.encode()
    yield "utf-8", raw
    yield "utf-16-le", text.encode("utf-16-le")
    yield "utf-16-be", text.encode("utf-16-be")
    yield "hex", raw.hex().encode()
    yield "HEX", raw.hex().upper().encode()
    if not text.isascii():
        yield "json", text.encode("ascii", "backslashreplace")
    if any(letter.isdigit() for letter in text):
        yield "reversed", text[::-1].encode()
    for encoding in ("utf-8", "utf-16-le"):
        for shift in range(3):
            yield f"base64 of {encoding} at {shift}", _inner_base64(text.encode(encoding), shift, b"+/")
            yield f"base64url of {encoding} at {shift}", _inner_base64(text.encode(encoding), shift, b"-_")


def _inner_base64(raw: bytes, shift: int, marks: bytes) -> bytes:
    """Returns the letters that do not depend on what stands before and after the value."""
    whole = base64.b64encode(b"\x00" * shift + raw, marks)
    first = -(-shift * 8 // 6)
    return whole[first : (shift + len(raw)) * 8 // 6]


def scan(values: Iterable[str], pieces: Mapping[str, bytes]) -> list[Hit]:
    """Returns every form of a value found in the pieces, which are named by place."""
    wanted = [(value, form, needle) for value in values for form, needle in dict(forms(value)).items()]
    return [
        Hit(value, form, place)
        for place, content in pieces.items()
        for value, form, needle in wanted
        if needle in content
    ]


def files_below(folder: Path) -> dict[str, bytes]:
    """Reads every file of a folder, links not followed."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
