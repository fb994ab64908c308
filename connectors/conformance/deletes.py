"""Clauses about deletes, merges and hidden records."""

from __future__ import annotations

from connectors.base import Cursor, Deletes, Gone, NativeRecord, NotVisible, Op, Stale, Written
from connectors.conformance.kit import MOST_PAGES, ClauseBroken, Kit, demand, refusal
from connectors.conformance.registration import clause
from connectors.errors import Unsupported


def _tombstones(kit: Kit) -> dict[str, NativeRecord]:
    """Reads the whole delete feed after settling."""
    kit.settle()
    found: dict[str, NativeRecord] = {}
    cursor: Cursor | None = None
    for _ in range(MOST_PAGES):
        page = kit.connector.deletions(kit.object, cursor, kit.can.page_size)
        found |= {record.native_id: record for record in page.records}
        cursor = page.next_cursor
        if page.complete:
            return found
    raise ClauseBroken(f"the delete feed was not complete after {MOST_PAGES} pages")


@clause("DEL-01")
def feeds_deletes(kit: Kit) -> None:
    deleted, kept = kit.people_create(), kit.people_create()
    kit.world.delete(deleted)
    if kit.can.deletes != Deletes.FEED:
        with refusal(Unsupported):
            kit.connector.deletions(kit.object, None, 2)
        return
    found = _tombstones(kit)
    demand(deleted in found and found[deleted].deleted, "a deleted record is not in the delete feed")
    demand(kept not in found, "a live record is in the delete feed")


@clause("DEL-02")
def flags_deletes(kit: Kit) -> None:
    deleted = kit.people_create()
    cursor = kit.caught_up()
    kit.world.delete(deleted)
    seen = kit.polled(cursor).get(deleted)
    if kit.can.deletes == Deletes.FLAG:
        demand(seen is not None and seen.deleted, "FLAG is declared, but the change stream does not flag a delete")
    else:
        demand(seen is None or not seen.deleted, "the change stream flags a delete although FLAG is not declared")


@clause("DEL-03")
def proves_deletes(kit: Kit) -> None:
    deleted = kit.people_create()
    kit.world.delete(deleted)
    found = kit.fetched(deleted)
    if kit.can.deletes == Deletes.NONE and found == NotVisible(deleted):
        return
    demand(isinstance(found, Gone) and found.native_id == deleted, "fetch does not answer Gone for a deleted record")


@clause("DEL-04")
def keeps_hidden_from_gone(kit: Kit) -> None:
    hidden = kit.people_create()
    cursor = kit.caught_up()
    kit.world.hide_record(hidden)
    try:
        demand(kit.fetched(hidden) == NotVisible(hidden), "a hidden record is not answered with NotVisible")
        seen = kit.polled(cursor).get(hidden)
        demand(seen is None or not seen.deleted, "a hidden record is flagged as deleted")
        if kit.can.deletes == Deletes.FEED:
            demand(hidden not in _tombstones(kit), "a hidden record is in the delete feed")
    finally:
        kit.world.show_record(hidden)


@clause("DEL-05")
def names_survivors(kit: Kit) -> None:
    loser, survivor = kit.people_create(), kit.people_create()
    kit.world.merge(loser, survivor)
    named = {getattr(kit.fetched(loser), "merged_into", None)}
    if kit.can.deletes == Deletes.FEED:
        tombstone = _tombstones(kit).get(loser)
        demand(tombstone is not None, "a merged record is not in the delete feed")
        named.add(tombstone.merged_into if tombstone is not None else None)
    demand(named == {survivor if kit.can.merge_feed else None}, "the survivor and merge_feed disagree")


@clause("DEL-06")
def delivers_restored(kit: Kit) -> None:
    native_id = kit.people_create()
    kit.world.delete(native_id)
    cursor = kit.caught_up()
    kit.world.restore(native_id)
    kit.live(native_id)
    seen = kit.polled(cursor).get(native_id)
    demand(seen is not None and not seen.deleted, "a restored record is not delivered as live")


@clause("DEL-07")
def deletes_remotely(kit: Kit) -> None:
    if not kit.can.can_delete:
        return  # WRITE-11 asserts the refusal
    native_id = kit.people_create()
    result = kit.write(kit.request(Op.DELETE, native_id, expected=kit.live(native_id).version))
    demand(isinstance(result, Written), f"a delete ended in {type(result).__name__}")
    demand(native_id not in kit.world.records(), "a delete left its record")
    again = kit.write(kit.request(Op.DELETE, native_id))
    demand(isinstance(again, Written | Stale), f"a delete of a deleted record ended in {type(again).__name__}")
