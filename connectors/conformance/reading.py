"""Clauses about reading."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import orjson

from connectors.base import Bound, Cursor, NativeRecord, NotVisible
from connectors.conformance.kit import MOST_PAGES, Kit, demand, moment, refusal
from connectors.conformance.registration import clause
from connectors.conformance.world import NotOffered
from connectors.errors import CursorExpired, SchemaDrift
from connectors.listing import Bounded, Counting, Selective


@clause("READ-01")
def lists_completely(kit: Kit) -> None:
    ids = set(kit.people_create_many(5))
    kit.settle()
    cursor: Cursor | None = None
    listed: set[str] = set()
    for _ in range(MOST_PAGES):
        page = kit.connector.changes(kit.object, kit.fields, cursor, 2)
        demand(len(page.records) <= 2, "a page holds more rows than the limit")
        listed |= {record.native_id for record in page.records}
        demand(page.complete or page.next_cursor != cursor, "the cursor does not move")
        cursor = page.next_cursor
        if page.complete:
            break
    demand(ids <= listed, f"{len(ids - listed)} of 5 new records were not listed")
    demand(set(kit.world.records()) <= listed, "a record of the world was not listed")


@clause("READ-02")
def delivers_edits(kit: Kit) -> None:
    native_id = kit.people_create()
    cursor = kit.caught_up()
    kit.world.edit(native_id, {kit.subject.text: "改后"})
    seen = kit.polled(cursor)
    demand(native_id in seen, "the edit was not delivered")
    demand(seen[native_id].fields.get(kit.subject.text) == "改后", "the edit was delivered without its new value")


@clause("READ-03")
def delivers_ties(kit: Kit) -> None:
    cursor = kit.caught_up()
    kit.world.freeze()
    ids = set(kit.people_create_many(7))
    seen = kit.polled(cursor, 2)
    demand(ids <= set(seen), f"{len(ids - set(seen))} of 7 records of one instant were lost")


@clause("READ-04")
def stays_behind_the_server(kit: Kit) -> None:
    cursor = kit.caught_up()
    kit.world.freeze()
    ids = set(kit.people_create_many(4))
    early, cursor = kit.drain(cursor)
    ids |= set(kit.people_create_many(2))
    seen = {record.native_id for record in early} | set(kit.polled(cursor))
    demand(ids <= seen, f"{len(ids - seen)} changes near the instant of a poll were lost")


@clause("READ-05")
def resumes_from_json(kit: Kit) -> None:
    kit.people_create_many(3)
    kit.settle()
    page = kit.connector.changes(kit.object, kit.fields, None, 2)
    cursor = orjson.loads(orjson.dumps(dict(page.next_cursor)))
    successor = kit.make_connector()
    try:
        rest, _ = kit.drain(cursor, 2, successor)
    finally:
        successor.close()
    listed = {record.native_id for record in (*page.records, *rest)}
    demand(set(kit.world.records()) <= listed, "a listing resumed by another instance lost records")


@clause("READ-06")
def refuses_foreign_cursors(kit: Kit) -> None:
    with refusal(CursorExpired):
        kit.connector.changes(kit.object, kit.fields, {"made_by": "another connector"}, 2)


@clause("READ-07")
def delivers_values(kit: Kit) -> None:
    cursor = kit.caught_up()
    fields = {kit.subject.text: "甲", kit.subject.other: "乙"}
    native_id = kit.people_create(fields)
    fetched, polled = kit.live(native_id), kit.polled(cursor).get(native_id)
    demand(polled is not None, "a new record was not delivered")
    for name, value in fields.items():
        demand(fetched.fields.get(name) == value, f"fetch does not deliver {name}")
        demand(polled is not None and polled.fields.get(name) == value, f"the change stream does not deliver {name}")


@clause("READ-08")
def tells_empty_from_absent(kit: Kit) -> None:
    cursor = kit.caught_up()
    native_id = kit.people_create()
    name = kit.subject.other
    for record in (kit.live(native_id), kit.polled(cursor)[native_id]):
        if kit.can.returns_nulls:
            demand(name in record.fields and record.fields[name] is None, f"empty {name} is not shown as None")
        else:
            demand(name not in record.fields, f"empty {name} is shown although returns_nulls is not declared")


@clause("READ-09")
def leaves_hidden_fields_out(kit: Kit) -> None:
    cursor = kit.caught_up()
    name = kit.subject.other
    native_id = kit.people_create({name: "乙"})
    kit.world.hide_field(name)
    for record in (kit.live(native_id), kit.polled(cursor)[native_id]):
        demand(name not in record.fields, f"hidden {name} is shown")


@clause("READ-10")
def fetches_strongly(kit: Kit) -> None:
    native_id = kit.people_create()
    kit.world.edit(native_id, {kit.subject.text: "即时"})
    demand(kit.live(native_id).fields.get(kit.subject.text) == "即时", "fetch shows a value from before an edit")


@clause("READ-11")
def answers_for_every_id(kit: Kit) -> None:
    native_id = kit.people_create()
    # The same form as a true id, so that the vendor cannot refuse its format.
    absent = native_id[:-4] + ("0000" if native_id[-4:] != "0000" else "0001")
    if absent in kit.world.records():
        raise NotOffered("no absent id of the right form")
    found = kit.connector.fetch(kit.object, [absent, native_id], kit.fields)
    demand(set(found) == {absent, native_id}, "fetch does not answer for exactly the ids asked")
    demand(isinstance(found[native_id], NativeRecord), "an absent id spoils its neighbour")
    demand(found[absent] == NotVisible(absent), "an id that never was is not answered with NotVisible")


@clause("READ-12")
def enumerates(kit: Kit) -> None:
    kit.people_create_many(5)
    hidden = kit.people_create()
    try:
        kit.world.hide_record(hidden)
    except NotOffered:
        kit.world.delete(hidden)
    kit.settle()
    cursor: Cursor | None = None
    listed: set[str] = set()
    for _ in range(MOST_PAGES):
        page = kit.connector.list_ids(kit.object, cursor, 3)
        listed |= {native_id for native_id, _ in page.ids}
        cursor = page.next_cursor
        if page.complete:
            break
    else:
        demand(False, "list_ids never says complete")
    due = set(kit.world.records()) - {hidden}
    demand(due <= listed, f"{len(due - listed)} records were not enumerated")
    demand(hidden not in listed, "a record that is not visible was enumerated")


@clause("READ-13")
def tells_versions(kit: Kit) -> None:
    native_id = kit.people_create()
    versions = [kit.live(native_id).version]
    for text in ("一", "二"):
        kit.world.advance(kit.can.cursor_resolution)
        kit.world.edit(native_id, {kit.subject.text: text})
        versions.append(kit.live(native_id).version)
    if versions[0] is None:
        demand(not (kit.can.ordered_versions or kit.can.conditional_write), "no version, but it is declared")
        return
    demand(len(set(versions)) == 3, "the version does not move with an edit")
    if kit.can.ordered_versions:
        demand(all(newer(late, early) for early, late in pairwise(versions)), "versions do not grow")


@clause("READ-14")
def describes(kit: Kit) -> None:
    described = kit.connector.describe(kit.object)
    missing = [name for name in kit.fields if name not in described.fields]
    demand(described.object == kit.object and not missing, f"describe does not name {missing}")
    keyed = kit.subject.key_field in described.fields
    demand(keyed == kit.can.external_key_field, "describe and external_key_field disagree")
    with refusal(SchemaDrift):
        kit.connector.describe("KitNoSuchObject")


@clause("READ-15")
def shows_the_actor(kit: Kit) -> None:
    record = kit.live(kit.people_create())
    demand((record.modified_by is not None) == kit.can.shows_actor, "modified_by and shows_actor disagree")


@clause("READ-16")
def survives_edits_between_pages(kit: Kit) -> None:
    kit.people_create_many(4)
    kit.settle()
    first = kit.first_page(2)
    demand(first.records and not first.complete, "a first page of a longer listing is empty or complete")
    passed = first.records[0].native_id
    kit.world.edit(passed, {kit.subject.text: "页间修改"})
    fresh = kit.people_create()
    kit.settle()
    rest, cursor = kit.drain(first.next_cursor, 2)
    seen = {record.native_id: record for record in rest} | kit.polled(cursor)
    demand(fresh in seen, "a record created between two pages was lost")
    demand(passed in seen, "an edit between two pages was lost")
    demand(seen[passed].fields.get(kit.subject.text) == "页间修改", "an edit between two pages came with its old value")


@clause("READ-17")
def shows_the_vendors_time(kit: Kit) -> None:
    kit.world.freeze()
    native_id = kit.people_create()
    before = kit.live(native_id).modified_at
    kit.world.advance(90.0)
    kit.world.edit(native_id, {kit.subject.text: "九十秒后"})
    after = kit.live(native_id).modified_at
    demand(before is not None and after is not None, "modified_at is not shown")
    assert before is not None
    assert after is not None
    demand(abs(after - before - 90.0) <= kit.can.cursor_resolution, "modified_at does not follow the vendor's clock")


def newer(one: str | None, two: str | None) -> bool:
    """Tells whether version `one` is after `two`, as the contract orders them."""
    if one is None or two is None:
        return False
    if one.isdigit() and two.isdigit():
        return int(one) > int(two)
    return one > two


@clause("READ-18")
def leaves_out_only_what_is_too_old(kit: Kit) -> None:
    reader = kit.connector
    if not isinstance(reader, Bounded):
        half = [name for name in ("changes_from", "list_ids_from") if hasattr(reader, name)]
        demand(not half, f"{half} alone is no bounded listing")
        raise NotOffered("no listing with a bound is declared")
    name, values = _instants(kit)
    early, late = min(values, key=moment), max(values, key=moment)
    old, young, empty = (kit.people_create(fields) for fields in ({name: early}, {name: late}, None))
    kit.settle()
    bound = Bound(name, late)
    listed: set[str] = set()
    ids: set[str] = set()
    cursor: Cursor | None = None
    for _ in range(MOST_PAGES):
        page = reader.changes_from(kit.object, kit.fields, cursor, kit.can.page_size, bound)
        listed |= {record.native_id for record in page.records}
        cursor = page.next_cursor
        if page.complete:
            break
    place: Cursor | None = None
    for _ in range(MOST_PAGES):
        shown = reader.list_ids_from(kit.object, place, kit.can.page_size, bound)
        ids |= {native_id for native_id, _ in shown.ids}
        place = shown.next_cursor
        if shown.complete:
            break
    for found, what in ((listed, "listing"), (ids, "enumeration")):
        demand(young in found, f"the {what} lacks a record on the bound")
        demand(empty in found, f"the {what} lacks a record whose field is empty")
    demand((old in listed) is (old in ids), "listing and enumeration disagree about an old record")
    assert cursor is not None
    kit.world.edit(old, {kit.subject.text: "改后"})
    demand(old in kit.polled(cursor), "an edit of an old record was not delivered by a later poll")


@clause("READ-19")
def counts_what_it_lists(kit: Kit) -> None:
    reader = kit.connector
    if not isinstance(reader, Counting):
        raise NotOffered("no count is declared")
    kit.people_create_many(3)
    kit.settle()
    number = reader.count(kit.object, None)
    if number is None:
        raise NotOffered("the system says that it does not know")
    listed = {record.native_id for record in kit.drain(None)[0]}
    demand(number == len(listed), f"{number} were counted and {len(listed)} listed")


@clause("READ-20")
def lists_what_is_selected(kit: Kit) -> None:
    reader = kit.connector
    if not isinstance(reader, Selective):
        raise NotOffered("no selection is declared")
    name = kit.subject.text
    ours, others = kit.people_create({name: "选中"}), kit.people_create({name: "未选"})
    kit.settle()
    narrowed = reader.selecting(kit.object, {name: ["选中", "也选"]})
    listed, cursor = kit.drain(None, connector=narrowed)
    ids = {native_id for native_id, _ in narrowed.list_ids(kit.object, None, kit.can.page_size).ids}
    for found, what in (({record.native_id for record in listed}, "listing"), (ids, "enumeration")):
        demand(ours in found, f"the {what} lacks a record that is selected")
        demand(others not in found, f"the {what} holds a record that is not selected")
    whole = {record.native_id for record in kit.drain(None)[0]}
    demand(others in whole, "selecting narrowed the connector that was asked")
    kit.world.edit(others, {name: "也选"})
    kit.world.edit(ours, {name: "不再"})
    kit.settle()
    polled = {record.native_id for record in kit.drain(cursor, connector=narrowed)[0]}
    demand(others in polled, "a record that became selected was not delivered by a poll")
    # Where every poll is a listing, a record that is selected no longer is left out of it.
    demand(ours in polled or not kit.can.incremental, "a record that is selected no longer was not delivered by a poll")


def _instants(kit: Kit) -> tuple[str, Sequence[Any]]:
    found = kit.subject.round_trip.get("instant")
    if found is None:
        raise NotOffered("the subject has no field for an instant")
    return found
