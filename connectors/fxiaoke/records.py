"""Turns the vendor's record maps into native records, and names what a read must ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.base import NativeRecord

SYSTEM_FIELDS = ("_id", "version", "last_modified_time", "last_modified_by", "life_status", "is_deleted")
_COMPANIONS = ("__r", "__l", "__v", "__p", "__e", "__relation_ids")


def is_companion(name: str) -> bool:
    """Tells whether a field is a read-only companion that changes without its record changing.

    Source: Fxiaoke guide/values, `<field>__x`.
    """
    return name.endswith(_COMPANIONS)


def wanted(fields: Iterable[str]) -> tuple[str, ...]:
    """Returns the fields that may be read as a record's own, each once."""
    return tuple(dict.fromkeys(name for name in fields if not is_companion(name)))


def projection(fields: Iterable[str]) -> list[str]:
    """Returns the field names to ask for: the wanted ones and those that identify and order a record."""
    return list(dict.fromkeys((*SYSTEM_FIELDS, *wanted(fields))))


def is_invalid(row: Mapping[str, Any]) -> bool:
    """Tells whether a row is in the recycle state (作废), which is the vendor's form of deletion."""
    return row.get("is_deleted") is True or row.get("life_status") == "invalid"


@dataclass(frozen=True, slots=True)
class Shape:
    """Is how the rows of one read become native records."""

    object: str
    names: tuple[str, ...]
    masked: Callable[[], frozenset[str]]
    trust_nulls: bool
    empty: frozenset[str] = frozenset()
    """Fields that are empty where a row lacks them."""

    def native(self, row: Mapping[str, Any]) -> NativeRecord:
        """Makes a native record of a row."""
        modified = row.get("last_modified_time")
        return NativeRecord(
            object=self.object,
            native_id=str(row["_id"]),
            fields=self._shown(row),
            version=version_of(row),
            modified_at=None if modified is None else int(modified) / 1000,
            modified_by=_first(row.get("last_modified_by")),
            deleted=is_invalid(row),
        )

    def _shown(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the fields observed; a masked value is not the stored one, so its field counts as not observed."""
        shown: dict[str, Any] = {}
        for name in self.names:
            if name not in row and name not in self.empty:
                continue
            value = row.get(name)
            if value is None and not self.trust_nulls:
                continue
            # The description is asked only when a value looks masked, so that a plain poll stays one call.
            if value.__class__ is str and "*" in value and name in self.masked():
                continue
            shown[name] = value
        return shown


def version_of(row: Mapping[str, Any]) -> str | None:
    """Returns the version, a number that the vendor keeps as text."""
    found = row.get("version")
    return None if found is None or found == "" else str(found)


def later(version: str | None) -> str | None:
    """Returns the least version after one more write. Source: Fxiaoke records, +1 per write."""
    return str(int(version) + 1) if version is not None and version.isdigit() else None


def _first(value: Any) -> str | None:
    if isinstance(value, list):
        value = value[0] if value else None
    return None if value in (None, "") else str(value)
