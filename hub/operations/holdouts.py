"""Quarantine: records held out with their reason, listed by cause and tried again when a person says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.base import Gone, NativeRecord, NotVisible
from hub.audit.event import Event
from hub.kernel.errors import Declined
from hub.operations.choice import entities_of
from hub.operations.installation import Installation
from hub.operations.permission import permit, reach
from hub.store import intents, quarantine
from hub.store.intents import ABSENT, IntentState
from hub.store.quarantine import INBOUND, Held
from hub.sync.stage import Stream, stage

ASKING = ("HUB-CREATE-001", "HUB-TWIN-001")
"""Codes of creates whose outcome nobody can prove: their intents wait for a person."""


@dataclass(frozen=True, slots=True)
class Retried:
    """Is what a retry came to: `resend`, `adopt` (it exists there after all), `staged` or `gone`."""

    quarantine_id: str
    system: str
    native_id: str
    outcome: str


@permit("quarantine.read")
def list_held(hub: Installation, entity: str | None = None, limit: int = 1000) -> list[Held]:
    """Returns open quarantine rows, oldest first."""
    with hub.store.read() as conn:
        return [
            row
            for name, near in reach(hub, "quarantine.read", entities_of(hub, entity)).items()
            for row in quarantine.listing(conn, name, limit=limit, codes=near)
        ]


@permit("quarantine.retry")
def retry_held(hub: Installation, quarantine_id: str) -> Retried:
    """Lets one row be tried again. Raises Declined for a row that is no longer open, or whose cause still stands.

    An unprovable create is looked up first: what exists is adopted, what does not is sent again, twins stay asked. A
    record held out on arrival is read again now, under the entity's lease.
    """
    row = _find(hub, quarantine_id)
    if row.code in ASKING and row.hub_id is not None:
        return _retry_asked(hub, row, row.hub_id)
    return _retry_inbound(hub, row) if row.direction == INBOUND else _release(hub, row, "resend")


def _find(hub: Installation, quarantine_id: str) -> Held:
    with hub.store.read() as conn:
        for entity, near in reach(hub, "quarantine.retry", hub.rules).items():
            for row in quarantine.listing(conn, entity, quarantine_id=quarantine_id, codes=near):
                return row
    raise Declined(
        f"quarantine row {quarantine_id} is not open: it went through, or its input has moved; see "
        "`crmhub quarantine list`",
        f"异常记录 {quarantine_id} 已不再待处理：已通过，或输入已变化；请查看 `crmhub quarantine list`",
    )


def _release(
    hub: Installation, row: Held, outcome: str, settled: Sequence[tuple[str, IntentState, str]] = ()
) -> Retried:
    with hub.store.begin() as work:
        if not quarantine.retry(work, row.quarantine_id):
            raise Declined(
                f"quarantine row {row.quarantine_id} was closed meanwhile; nothing was changed",
                f"异常记录 {row.quarantine_id} 已被关闭；未做任何改动",
            )
        intents.settle(work, {intent_id: (state, said) for intent_id, state, said in settled})
        subject = row.hub_id or row.native_id
        work.audit(Event("quarantine.retry", row.entity, subject, code=row.code, reason=outcome, connection=row.system))
    return Retried(row.quarantine_id, row.system, row.native_id, outcome)


def _retry_asked(hub: Installation, row: Held, hub_id: str) -> Retried:
    link = hub.links(row.entity)[row.system]
    key = link.mapping.hub_id_field(row.object)
    found = link.connector.find(row.object, key, [hub_id], link.native_fields(row.object))
    if len(found) > 1:
        raise Declined(
            f"{len(found)} records of {row.system} still carry hub id {hub_id}; merge them there first",
            f"{row.system} 中仍有 {len(found)} 条记录带有统一编号 {hub_id}；请先在该系统合并",
        )
    with hub.store.read() as conn:
        asked = intents.asked(conn, row.entity)
    mine = [item.intent_id for item in asked if (item.hub_id, item.system) == (hub_id, row.system)]
    # Found: uncertain, so that the next cycle's recovery adopts it. Not found, and a person looked: to be sent again.
    state, said = (IntentState.UNCERTAIN, "retried") if found else (IntentState.SETTLED, ABSENT)
    return _release(hub, row, "adopt" if found else "resend", [(intent_id, state, said) for intent_id in mine])


def _retry_inbound(hub: Installation, row: Held) -> Retried:
    with hub.run(row.entity) as run:
        link = run.links[row.system]
        shown = link.connector.fetch(row.object, [row.native_id], link.native_fields(row.object))[row.native_id]
        if isinstance(shown, NotVisible):
            raise Declined(
                f"{row.system} {row.object} {row.native_id} cannot be seen now: deleted or hidden, nobody can tell; "
                "give the hub's user access, then retry",
                f"{row.system} 的 {row.object} {row.native_id} 当前不可见，无法判断是否已删除；请授权后重新处理",
            )
        # A kill between the two commits loses nothing: reconciliation finds a listed record that is not bound.
        done = _release(hub, row, "gone" if isinstance(shown, Gone) else "staged")
        if isinstance(shown, NativeRecord):
            stage(run, link, Stream(row.object, "retry", None), [shown], strong=True)
    return done if not _held_again(hub, row) else _refuse(row)


def _held_again(hub: Installation, row: Held) -> bool:
    place = (row.system, row.object, row.native_id, INBOUND)
    return any((r.system, r.object, r.native_id, r.direction) == place for r in _open(hub, row.entity))


def _open(hub: Installation, entity: str) -> list[Held]:
    with hub.store.read() as conn:
        return quarantine.listing(conn, entity, limit=100_000)


def _refuse(row: Held) -> Retried:
    raise Declined(
        f"{row.system} {row.object} {row.native_id} is still at fault and stays in quarantine: {row.en}",
        f"{row.system} 的 {row.object} {row.native_id} 仍有问题，继续留在异常记录中：{row.zh}",
    )
