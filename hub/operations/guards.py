"""Mass guards: listed, and released by a named person who gives a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.audit.event import Event
from hub.core.guards import Trip
from hub.kernel.errors import Declined
from hub.kernel.redaction import redact
from hub.operations.choice import person, system_of
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.store import records, runs
from hub.store.runs import GuardRow
from hub.sync.cycle import FIRST_SYNC


@dataclass(frozen=True, slots=True)
class Released:
    """Is one release: up to `allowed` changes of a system may pass."""

    entity: str
    system: str
    guard: str
    allowed: int


@permit("status.read")
def list_guards(hub: Installation, entity: str) -> list[GuardRow]:
    """Returns the guards of an entity that tripped or were released."""
    with hub.store.read() as conn:
        return sorted(runs.guards(conn, entity), key=lambda row: (row.guard, row.system))


@permit("guard.release")
def release_guard(
    hub: Installation, entity: str, guard: str, *, system: str | None = None, reason: str
) -> list[Released]:
    """Lets through what a guard stopped, up to the number the person saw; `first_sync` in every system at once.

    Raises Declined without a reason, or where nothing of that name is stopped.
    """
    if not reason.strip():
        raise Declined("a release needs a reason: --reason TEXT", "放行须填写原因：--reason 文本")
    if system is not None:
        system_of(hub, system)
    if guard == FIRST_SYNC:
        return _release_first_sync(hub, entity, reason)
    with hub.store.begin() as work:
        tripped = [r for r in runs.guards(work.conn, entity) if r.guard == guard and r.state == "tripped"]
        chosen = [row for row in tripped if system is None or row.system == system]
        if not chosen:
            raise Declined(
                f"guard {guard} stops nothing of {system or entity}; see `crmhub guard list`",
                f"批量变更保护 {guard} 未拦下 {system or entity} 的变更；请查看 `crmhub guard list`",
            )
        if len(chosen) > 1:
            named = ", ".join(row.system for row in chosen)
            raise Declined(
                f"guard {guard} stops several systems; name one with --system: {named}",
                f"批量变更保护 {guard} 涉及多个系统，请用 --system 指定其一：{named}",
            )
        runs.release(work, chosen[0], person(hub), redact(reason))
        made = Released(entity, chosen[0].system, guard, chosen[0].count)
        work.audit(_event(made, reason))
    return [made]


def _release_first_sync(hub: Installation, entity: str, reason: str) -> list[Released]:
    rules, made = hub.entity_rules(entity), []
    with hub.store.begin() as work:
        owed = records.tally(work.conn, entity)
        rows = {row.system: row for row in runs.guards(work.conn, entity) if row.guard == FIRST_SYNC}
        closed = [s for s in hub.settings.entities[entity].systems if s not in rows or rows[s].state != "released"]
        if not rules.limits.first_sync or not closed:
            raise Declined(
                f"the first sync of {entity} needs no release, or has it already",
                f"{entity} 的首次同步无需放行，或已放行",
            )
        # An entity that was read and has no records yet may be released as well: what comes first is not held up.
        if not owed and not runs.latest(work.conn, entity, 1):
            raise Declined(
                f"nothing of {entity} was read yet; run `crmhub plan {entity}` and read it before you release "
                "the first sync",
                f"尚未读取 {entity}；请先运行并查看 `crmhub plan {entity}`，再放行首次同步",
            )
        for system in closed:
            count = _writes(owed.get(system, {}))
            row = _tripped(entity, system, count, work.now)
            runs.trip(work, entity, "release", Trip(FIRST_SYNC, system, count, 0))
            runs.release(work, row, person(hub), redact(reason))
            made.append(Released(entity, system, FIRST_SYNC, count))
            work.audit(_event(made[-1], reason))
    return made


def _tripped(entity: str, system: str, count: int, now: float) -> GuardRow:
    """Returns the row of a guard as `runs.trip` records it."""
    return GuardRow(entity, system, FIRST_SYNC, count, 0, "tripped", None, None, now, None)


def _writes(owed: Mapping[str, int]) -> int:
    return owed.get("creates", 0) + owed.get("updates", 0)


def _event(made: Released, reason: str) -> Event:
    counts = {"allowed": made.allowed}
    return Event("guard.release", made.entity, made.guard, connection=made.system, reason=reason, counts=counts)
