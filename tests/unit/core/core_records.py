"""What the tests of the core share: a few fields of every policy, and records written as plain dicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.canonical.values import Value
from hub.core.plan import EntityPolicy
from hub.core.policy import FieldRule
from hub.core.state import (
    UNSET,
    Base,
    BaseField,
    Binding,
    BindingState,
    Fields,
    GoldenRecord,
    Kind,
    Observation,
    Resolution,
    Side,
    Snapshot,
)

NOW = "2026-01-05T08:00:00Z"
HUB_ID = "h1"
CONSENT = {"granted": 1, "unknown": 2, "service_only": 3, "withdrawn": 4}
STATUS = {"registered": 1, "accepted": 2, "investigating": 3, "awaiting": 3, "closed": 6}

RULES = {
    rule.name: rule
    for rule in (
        FieldRule("name", "ask", ("masked",)),
        FieldRule("city", "prefer"),
        FieldRule("zip", "prefer"),
        FieldRule("note", "hub"),
        FieldRule("tags", "union", is_set=True),
        FieldRule("consent", "strictest", ("consent_loosened",), CONSENT),
        FieldRule("status", "lattice", ("status_back",), STATUS, (("closed", "investigating"),)),
        FieldRule("received", "min"),
        FieldRule("score", "max"),
        FieldRule("due", "ask", ("later_without_extension",)),
        FieldRule(
            "extension",
            "ask",
            ("extension_unapproved",),
            {"none": 0, "first": 1, "more": 2},
            approved=frozenset({"more"}),
        ),
        FieldRule("kind", "prefer"),
        FieldRule("entry", "append"),
    )
}
FIELDS = frozenset(RULES)
PREFER = ("a", "b")


def policy(**changes: Any) -> EntityPolicy:
    return EntityPolicy(**{"entity": "customer", "rules": RULES, "prefer": PREFER, **changes})


def golden(fields: Fields, revision: int = 3, **changes: Any) -> GoldenRecord:
    kept = {name: value for name, value in fields.items() if value is not None}
    return GoldenRecord(HUB_ID, "customer", kept, changes.pop("origins", {"*": "a"}), revision, **changes)


def binding(system: str, state: BindingState = BindingState.ACTIVE, **changes: Any) -> Binding:
    native_id = changes.pop("native_id", f"{system}-1")
    return Binding(f"{HUB_ID}/{system}/main", HUB_ID, "customer", system, "Things", native_id, state, **changes)


def observation(system: str, fields: Fields | None, **changes: Any) -> Observation:
    """Makes an observation; no fields at all means that the record is gone."""
    kind = changes.pop("kind", Kind.GONE if fields is None else Kind.UPSERT)
    return Observation(f"o-{system}", "customer", system, "Things", f"{system}-1", kind, fields or {}, **changes)


def agreed(fields: Fields) -> Base:
    return {name: BaseField(value, value) for name, value in fields.items()}


def known(agreed_: Any = UNSET, sent: Any = UNSET, seen: Any = UNSET, rule: str = "plain") -> BaseField:
    return BaseField(agreed_, sent, seen, rule)


def side(
    system: str,
    shows: Fields | str | None = "nothing",
    base: Base | None = None,
    *,
    state: BindingState = BindingState.ACTIVE,
    fields: frozenset[str] = FIELDS,
    **changes: Any,
) -> Side:
    """Makes a side; `shows` is what its page said (None: gone, "nothing": it was not read)."""
    seen = None if isinstance(shows, str) else observation(system, shows)
    seen = changes.pop("observation", seen)
    native_id = changes.pop("native_id", f"{system}-1")
    bound = binding(system, state, native_id=native_id)
    clearable, writable = changes.pop("clearable", fields), changes.pop("writable", fields)
    return Side(bound, base, seen, fields, writable, clearable, **changes)


def snapshot(stands: Fields, *sides: Side, **changes: Any) -> Snapshot:
    revision = changes.pop("revision", 3)
    origins = changes.pop("origins", {"*": "a"})
    return Snapshot(golden(stands, revision, origins=origins), tuple(sides), **changes)


def answer(field: str, value: Value, **candidates: Value) -> Mapping[str, Resolution]:
    return {field: Resolution(field, value, tuple(sorted(candidates.items())))}
