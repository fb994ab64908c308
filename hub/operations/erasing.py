"""Erasure of a person: refused while anything speaks for keeping the record, then final, with a certificate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

from hub.audit.event import Event
from hub.core.state import GoldenState
from hub.kernel.errors import Declined
from hub.kernel.redaction import redact
from hub.operations.approvals import require_approval, take
from hub.operations.choice import no_record, person
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.store import erasure, merges, records
from hub.store.database import Connection
from hub.store.erasure import Certificate, Doomed, LegalHold
from hub.store.lease import hold

OWNED: Mapping[str, str] = {"contact_log": "customer_id"}
"""What has no life beyond its owner. A complaint has: what the law wants kept of it outlives its customer."""
_DAY = 86_400.0


@permit("retention.change")
def erase_record(
    hub: Installation, hub_id: str, reason: str, ticket: str | None = None, approval_id: str | None = None
) -> Certificate:
    """Destroys the keys of a record, of who was merged into it and of what belongs to it, and empties their rows.

    Raises NotFound, Busy while a cycle of one of their entities runs, and Declined without a reason, under a legal
    hold, before the time to keep it is over, while a system still holds any of them or a write has no known end, and
    ApprovalPending until a second person has agreed.
    """
    said = _said(reason, "erased", "删除")
    with hub.store.read() as conn:
        _check(hub, conn, hub_id, _family(hub, conn, hub_id))
    change = {"hub_id": hub_id}
    agreed = require_approval(hub, "erasure", change, approval_id=approval_id, ticket=ticket or "", reason=said)
    with ExitStack() as leases:
        with hub.store.read() as conn:
            entities = sorted({item.entity for item in _family(hub, conn, hub_id)})
        for name in entities:
            leases.enter_context(hold(hub.store, name, hub.actor))
        with hub.store.begin() as work:
            doomed = _family(hub, work.conn, hub_id)
            _check(hub, work.conn, hub_id, doomed)
            entity = next(item.entity for item in doomed if item.hub_id == hub_id)
            erasure_id = erasure.begin(work, hub_id, entity, person(hub))
            rows, keys = erasure.erase(work, erasure_id, doomed)
            made = Certificate(
                erasure_id,
                hub_id,
                entity,
                dict(Counter(item.entity for item in doomed)),
                rows,
                keys,
                said,
                ticket,
                person(hub),
                work.now,
            )
            erasure.note(work, made)
            approver = take(hub, work, agreed)
            # Before the commit: a line too many asks for an erasure that is none, a line too few brings a person back.
            erasure.note_outside(hub.settings.var, made)
            counts = {f"records.{name}": number for name, number in made.records.items()}
            work.audit(
                Event(
                    "record.erase",
                    made.entity,
                    hub_id,
                    code=erasure_id,
                    reason=said,
                    ticket=ticket,
                    approver=approver,
                    counts=counts | {f"rows.{name}": number for name, number in rows.items() if number},
                )
            )
    return made


def _said(reason: str, en: str, zh: str) -> str:
    if not reason.strip():
        raise Declined(f"say why it is {en}: --reason TEXT; it is audited", f"请说明{zh}的原因：--reason 文本，将留痕")
    return redact(reason.strip())


def _family(hub: Installation, conn: Connection, hub_id: str) -> list[Doomed]:
    found = erasure.family(conn, hub_id, OWNED)
    if not found:
        raise no_record(hub_id)
    named = next(item for item in found if item.hub_id == hub_id)
    if named.state == GoldenState.ERASED:
        raise Declined(
            f"{hub_id} was erased already; see `crmhub erasure list --record {hub_id}`",
            f"{hub_id} 此前已删除；见 `crmhub erasure list --record {hub_id}`",
        )
    if named.state == GoldenState.MERGED:
        heirs = [item.heir_id for item in merges.of_record(conn, hub_id) if item.loser_id == hub_id]
        raise Declined(
            f"{hub_id} was merged into {heirs[0]}; erase that one, and this goes with it",
            f"{hub_id} 已并入 {heirs[0]}；请删除后者，本记录随之删除",
        )
    return [item for item in found if item.state != GoldenState.ERASED]


def _check(hub: Installation, conn: Connection, hub_id: str, doomed: Sequence[Doomed]) -> None:
    ids = [item.hub_id for item in doomed]
    held = erasure.legal_holds(conn, ids)
    if held:
        first = held[0]
        raise Declined(
            f"legal hold {first.legal_hold_id} stands on {first.hub_id}; lift it first, where that may be done",
            f"{first.hub_id} 处于法律保全 {first.legal_hold_id}；如可解除，请先解除",
        )
    _check_kept(hub, doomed)
    places = erasure.places(conn, ids)
    if places:
        number = Counter(system for _, system, _ in places)
        where = ", ".join(f"{system} ({count})" for system, count in sorted(number.items()))
        owner, system, native_id = places[0]
        raise Declined(
            f"systems still hold it or what belongs to it: {where}, the first {system} {native_id} ({owner}); "
            "delete it there, sync, and erase then",
            f"接入系统中仍有该记录或其下级记录：{where}，首条为 {system} {native_id}（{owner}）；"
            "请先在系统中删除并同步",
        )
    if number_open := erasure.under_way(conn, ids):
        raise Declined(
            f"{number_open} writes of it have no known end yet; sync first",
            f"有 {number_open} 次写入结果未定；请先同步",
        )


def _check_kept(hub: Installation, doomed: Sequence[Doomed]) -> None:
    """Refuses while the time for which an entity must be kept is not over for any record."""
    until: dict[str, float] = {}
    for item in doomed:
        settings = hub.settings.entities.get(item.entity)
        days = 0 if settings is None else settings.keep_days
        if days and item.updated_at + days * _DAY > hub.clock.now():
            until[item.entity] = max(until.get(item.entity, 0.0), item.updated_at + days * _DAY)
    for entity, at in sorted(until.items()):
        day = datetime.fromtimestamp(at, UTC).date().isoformat()
        raise Declined(
            f"{entity} records must be kept (entities.{entity}.keep_days); the last may be erased from {day} on",
            f"{entity} 须按规定期限保存（entities.{entity}.keep_days），最后一条自 {day} 起方可删除",
        )


@permit("retention.change")
def admit_again(hub: Installation, hub_id: str, reason: str, ticket: str | None = None) -> Certificate:
    """Lets a person who was erased come back as a new record. Raises Declined where nobody is kept out."""
    said = _said(reason, "admitted", "准许")
    with hub.store.begin() as work:
        for made in erasure.certificates(work.conn, hub_id):
            if erasure.admit(work, made.erasure_id, person(hub)):
                event = Event("record.admit", made.entity, hub_id, code=made.erasure_id, reason=said, ticket=ticket)
                work.audit(event)
                return erasure.certificates(work.conn, hub_id)[0]
    raise Declined(
        f"nobody of {hub_id} is kept out: it was not erased, or is admitted already",
        f"{hub_id} 未被阻止：未曾删除，或已准许",
    )


@permit("retention.read")
def list_erasures(hub: Installation, hub_id: str | None = None, limit: int = 1000) -> list[Certificate]:
    """Returns the certificates of erasures, the newest first."""
    with hub.store.read() as conn:
        return erasure.certificates(conn, hub_id, limit)


@permit("retention.change")
def place_hold(hub: Installation, hub_id: str, reason: str, ticket: str | None = None) -> LegalHold:
    """Keeps a record from being erased until the hold is lifted. Raises NotFound, and Declined without a reason."""
    said = _said(reason, "held", "保全")
    with hub.store.begin() as work:
        golden = records.load_golden(work.conn, hub.store.ring, [hub_id]).get(hub_id)
        if golden is None:
            raise no_record(hub_id)
        made = LegalHold(work.new_id(), hub_id, said, ticket, person(hub), work.now)
        erasure.keep(work, made)
        work.audit(
            Event("legal_hold.place", golden.entity, hub_id, code=made.legal_hold_id, reason=said, ticket=ticket)
        )
    return made


@permit("retention.change")
def lift_hold(hub: Installation, legal_hold_id: str, reason: str, ticket: str | None = None) -> None:
    """Ends a legal hold. Raises Declined without a reason, and for one that does not stand."""
    said = _said(reason, "lifted", "解除")
    with hub.store.begin() as work:
        standing = {item.legal_hold_id: item for item in erasure.legal_holds(work.conn)}
        if not erasure.release(work, legal_hold_id, person(hub)):
            raise Declined(
                f"no legal hold {legal_hold_id} stands; see `crmhub legal-hold list`",
                f"没有生效的法律保全 {legal_hold_id}；见 `crmhub legal-hold list`",
            )
        about = standing[legal_hold_id].hub_id
        work.audit(Event("legal_hold.lift", "record", about, code=legal_hold_id, reason=said, ticket=ticket))


@permit("retention.read")
def list_holds(hub: Installation, *, standing: bool = True) -> list[LegalHold]:
    """Returns legal holds, the oldest first."""
    with hub.store.read() as conn:
        return erasure.legal_holds(conn, standing=standing)
