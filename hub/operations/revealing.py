"""One value of one record shown whole, for a reason, within a quota; and an auditor's guess at one, never shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field as attribute
from datetime import UTC, datetime

from hub.access.authorize import Denied
from hub.access.masking import show
from hub.audit.event import Event
from hub.canonical.schema import Field
from hub.core.deadlines import ZONE
from hub.core.state import GoldenRecord
from hub.crypto.digests import compare
from hub.kernel.errors import Declined
from hub.kernel.redaction import redact
from hub.operations.choice import no_record
from hub.operations.installation import Installation
from hub.operations.permission import permit, require_record
from hub.operations.values import parse
from hub.store import history, records, reveals
from hub.store.history import value_digest
from hub.store.unit_of_work import UnitOfWork
from hub.telemetry import logger

BURST, BURST_SECONDS = 5, 60.0
"""So many values within so many seconds are an alarm: nobody works that fast with one customer."""


class QuotaSpent(Denied):
    """Is raised when a person has seen as many values today as one may."""

    code = "HUB-ACCESS-008"


@dataclass(frozen=True, slots=True)
class Revealed:
    """Is one value, to be shown until an instant (epoch seconds)."""

    entity: str
    hub_id: str
    field: str
    until: float
    left_today: int
    value: str = attribute(repr=False)


@dataclass(frozen=True, slots=True)
class Probed:
    """Says where a suspected value stands in a record: now, and before or after which of its changes."""

    entity: str
    hub_id: str
    field: str
    now: bool
    changes: tuple[tuple[float, int, str], ...]
    """(epoch seconds, revision, `before` or `after`) of each change that has the value."""


@permit("record.reveal")
def reveal_field(hub: Installation, hub_id: str, name: str, *, reason: str, ticket: str) -> Revealed:
    """Returns one value whole; that it is shown is committed first.

    Raises NotFound, Declined without a reason and a ticket, and QuotaSpent.
    """
    with hub.store.begin() as work:
        golden, field = _field(hub, work, hub_id, name, "record.reveal")
        left = spend(hub, work, golden, field, "record.reveal", reason=reason, ticket=ticket)
    until = hub.clock.now() + hub.settings.access.reveal_seconds
    return Revealed(golden.entity, hub_id, name, until, left, show(golden.fields.get(name)))


@permit("record.probe")
def probe_field(hub: Installation, hub_id: str, name: str, suspected: str, *, reason: str, ticket: str) -> Probed:
    """Tells whether a record has, or had, a suspected value; compares digests and shows nothing.

    It counts against the same quota: who may guess without end may read. Raises as `reveal_field`, and Declined for
    what is no value of the field.
    """
    with hub.store.begin() as work:
        golden, field = _field(hub, work, hub_id, name, "record.probe")
        ring, value = hub.store.ring, parse(field, suspected)
        wanted = value_digest(ring, name, value)
        past = [item for item in history.timeline(work.conn, ring, hub_id) if item.field == name]
        sides = [(item, side, each) for item in past for side, each in (("before", item.before), ("after", item.after))]
        found = tuple(
            (item.at, item.revision, side)
            for item, side, each in sides
            if each is not None and compare(value_digest(ring, name, each), wanted)
        )
        current = golden.fields.get(name)
        now = current is not None and compare(value_digest(ring, name, current), wanted)
        said = "match" if now or found else "no_match"
        spend(hub, work, golden, field, "record.probe", reason=reason, ticket=ticket, code=said)
    return Probed(golden.entity, hub_id, name, now, found)


def spend(
    hub: Installation,
    work: UnitOfWork,
    golden: GoldenRecord,
    field: Field,
    act: str,
    *,
    reason: str,
    ticket: str,
    code: str | None = None,
) -> int:
    """Counts and audits one value about to be shown, and returns how many are left today. Raises QuotaSpent."""
    if not reason.strip() or not ticket.strip():
        raise Declined(
            "to see a value, give a reason and a ticket: --reason TEXT --ticket NUMBER",
            "查看明文须填写原因与工单号：--reason 文本 --ticket 单号",
        )
    quota = hub.settings.access.reveals_per_day
    done = reveals.spent(work, hub.who.id, _midnight(work.now))
    if done >= quota:
        raise QuotaSpent(
            f"{quota} values a day may be seen, and today's are spent; it is possible again from midnight in Beijing",
            f"每日最多查看 {quota} 个明文，今日额度已用完；北京时间零点后恢复",
        )
    number = redact(ticket.strip())[:64]
    reveals.note(work, hub.who.id, golden.entity, golden.hub_id, field.name, number)
    work.audit(
        Event(
            act,
            golden.entity,
            golden.hub_id,
            code=field.name if code is None else f"{field.name}:{code}",
            reason=redact(reason),
            ticket=number,
            branch=hub.branches.path(golden.fields.get("branch_code")),
            counts={"today": done + 1, "quota": quota},
        )
    )
    _alarm(hub, work)
    return quota - done - 1


def _alarm(hub: Installation, work: UnitOfWork) -> None:
    fast = reveals.spent(work, hub.who.id, work.now - BURST_SECONDS)
    if fast >= BURST:
        work.audit(Event("reveal.burst", "user", hub.who.id, "error", "HUB-ACCESS-009", counts={"values": fast}))
        logger("access").error("reveal_burst", user=hub.who.id, values=fast, seconds=int(BURST_SECONDS))


def _midnight(now: float) -> float:
    day = datetime.fromtimestamp(now, UTC).astimezone(ZONE)
    return day.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def _field(hub: Installation, work: UnitOfWork, hub_id: str, name: str, action: str) -> tuple[GoldenRecord, Field]:
    golden = records.load_golden(work.conn, hub.store.ring, [hub_id]).get(hub_id)
    if golden is None:
        raise no_record(hub_id)
    fields = hub.schema.entity(golden.entity).fields
    require_record(hub, action, golden, _known(fields.get(name)))
    if name not in fields:
        raise Declined(f"{golden.entity} has no field {name}", f"{golden.entity} 没有字段 {name}")
    return golden, fields[name]


def _known(field: Field | None) -> Iterable[Field]:
    return () if field is None else (field,)
