"""Native references: how a translated record points at another one before the engine resolves it to a hub id.

A lens is pure and knows no bindings, so it reads a lookup as `@object/native id` and writes from such a string.
"""

from __future__ import annotations

from hub.canonical.values import Value

MARK = "@"


def native_ref(object: str, native_id: str) -> str:
    """Returns the native reference to a record of an object."""
    return f"{MARK}{object}/{native_id}"


def is_native_ref(value: Value) -> bool:
    return isinstance(value, str) and value.startswith(MARK)


def parse_ref(value: Value) -> tuple[str, str]:
    """Returns the object and the native id of a native reference. Raises ValueError for anything else."""
    if not isinstance(value, str) or not is_native_ref(value):
        raise ValueError("not a native reference")
    object_, slash, native_id = value[1:].partition("/")
    if not (object_ and slash and native_id):
        raise ValueError("not a native reference")
    return object_, native_id
