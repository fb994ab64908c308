"""Reads JSON that strangers send: no name twice in one object, no deep nesting, so that all readers see the same."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import orjson

DEPTH = 32


def read_json(octets: bytes) -> Any:
    """Parses JSON of strangers. Raises ValueError for what is none, repeats a name or nests deeper than 32."""
    # orjson bounds the depth for the second parser and refuses NaN, lone surrogates and bytes that are no UTF-8.
    orjson.loads(octets)
    try:
        found = json.loads(octets, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _deeper(found, DEPTH):
        raise ValueError("nested too deeply")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _deeper(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [inner for item in level for inner in _inside(item)]
    return any(isinstance(item, dict | list) for item in level)


def _inside(item: Any) -> Iterable[Any]:
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, list) else ()
