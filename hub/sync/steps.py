"""Cuts an update in two where a system takes some fields by a call of their own: the rest first, then those.

Each step has an intent of its own, so that a death between them leaves the second one owed and the first one known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.core.state import Binding
from hub.store import intents, records
from hub.store.intents import Intent
from hub.sync.engine import Link, RunContext


@dataclass(frozen=True, slots=True)
class Step:
    """Is what one call writes: native fields, and the canonical fields that are written out with it."""

    native: Mapping[str, Any]
    names: frozenset[str]
    follows: bool
    """Whether a second step follows where this one is accepted."""


def next_step(
    link: Link, object_: str, native: Mapping[str, Any], names: Iterable[str], *, stamped: bool, second: bool
) -> Step:
    """Returns the next step of an update. A canonical field that both steps write is written out by the second."""
    own = frozenset(link.can(object_).own_call_fields)
    alone = {name: value for name, value in native.items() if name in own}
    rest = {name: value for name, value in native.items() if name not in own}
    last = {name for name in names if not own.isdisjoint(link.mapping.written_to(object_, name))}
    if second:
        return Step(alone, frozenset(last), follows=False)
    if not alone:
        return Step(rest, frozenset(names), follows=False)
    if not rest and stamped:
        return Step(alone, frozenset(last), follows=False)
    return Step(rest, frozenset(names) - last, follows=True)


def owed_second(run: RunContext, link: Link, first: Sequence[Intent]) -> list[Binding]:
    """Returns the bindings whose first step was accepted, as they stand now."""
    with run.store.read() as conn:
        accepted = intents.written(conn, [item.intent_id for item in first])
        wanted: Collection[str] = {item.binding_id for item in first if item.intent_id in accepted}
        found = records.load_bindings(conn, [item.hub_id for item in first if item.binding_id in wanted])
    return [item for item in found if item.binding_id in wanted and item.system == link.system and item.dirty]
