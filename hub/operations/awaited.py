"""Says which command brings on what others wait for: the customers of parked logs, the complaints of written ones."""

from __future__ import annotations

from collections.abc import Iterable

from hub.operations.choice import entities_of
from hub.operations.installation import Installation
from hub.store import runs
from hub.store.database import Connection
from hub.sync.cycle import FIRST_SYNC, Standing, read_standing

_WAITS = frozenset({"parked", "waiting_parent"})


def parent_command(hub: Installation, conn: Connection, entity: str, reasons: Iterable[str]) -> str:
    """Returns the command that helps the parents of an entity on, where records or writes of it wait for them.

    The first parent with something undone is named, in the order in which entities are synchronised; where none has,
    the record is missing at its system or was never listed, which a reconciliation tells.
    """
    if not _WAITS & {reason.partition("=")[0] for reason in reasons}:
        return ""
    known = set(hub.rules[entity].references.values()) - {entity}
    parents = [name for name in entities_of(hub, None) if name in known] or [entity]
    found = (_undone(hub, conn, name) for name in parents)
    return next(filter(None, found), f"crmhub reconcile {parents[0]}")


def _undone(hub: Installation, conn: Connection, entity: str) -> str:
    if not runs.latest(conn, entity, 1):
        return f"crmhub plan {entity}"
    standing = read_standing(conn, entity)
    stopped = any(row.guard == FIRST_SYNC and row.state == "tripped" for row in standing.guards)
    if stopped or unreleased(hub, entity, standing):
        return f"crmhub guard release {FIRST_SYNC} --entity {entity} --reason TEXT"
    if standing.waiting.get("match_questions"):
        return f"crmhub match list --entity {entity}"
    if standing.causes:
        return f"crmhub quarantine list --entity {entity}"
    return f"crmhub sync {entity}" if standing.debts or standing.queued else ""


def unreleased(hub: Installation, entity: str, standing: Standing) -> dict[str, int]:
    """Returns what the first sync of an entity would write to each system that no guard row names yet."""
    if not hub.rules[entity].limits.first_sync:
        return {}
    named = {row.system for row in standing.guards if row.guard == FIRST_SYNC}
    owed = {
        system: sum(counts.get(kind, 0) for kind in ("creates", "updates", "deletes"))
        for system, counts in standing.owed.items()
        if system not in named
    }
    return {system: number for system, number in owed.items() if number}
