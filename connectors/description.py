"""What a system says of its objects and fields, and how a connection proves itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldDescription:
    """Is one field as the system describes it. `options` maps stored value to label; length in characters.

    `retired` are options that old records may hold and nobody may write. Options that depend on another field name it
    in `parent`, and in `by_parent` those that each of its values admits. `decimals` are the places behind the point,
    None where unknown. `members` are the fields that a group stands for: they are written, the group is not.
    """

    api_name: str
    label: str
    kind: str
    length: int | None = None
    required: bool = False
    writable: bool = True
    unique: bool = False
    options: Mapping[str, str] | None = None
    lookup: str | None = None
    masked: bool = False
    retired: Mapping[str, str] | None = None
    parent: str | None = None
    by_parent: Mapping[str, tuple[str, ...]] | None = None
    decimals: int | None = None
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ObjectDescription:
    object: str
    label: str
    fields: Mapping[str, FieldDescription]


@dataclass(frozen=True, slots=True)
class CheckLine:
    """Is one proof of `check()`: what was tried, whether it works, and what its absence takes away.

    `ends` tells of a failure that keeps anything else from being proved, `unprepared` of an object or field that is not
    there as the hub needs it, which a survey of the system lists in full.
    """

    name: str
    ok: bool
    en: str
    zh: str
    ends: bool = False
    unprepared: bool = False
