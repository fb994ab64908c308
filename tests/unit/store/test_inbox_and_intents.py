"""What waits to be done: observations in the inbox, and the notes of remote writes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from store_kit import ENTITY, RUN, Kit, bound, observed

from hub.core.state import Kind, Observation
from hub.store import inbox, intents
from hub.store.inbox import Wait
from hub.store.intents import Intent, IntentState
from hub.store.tables import intent as intent_table
from hub.store.unit_of_work import Lease

SEEN = [
    observed("o1", stamp="h1", digest=b"\x01"),
    observed("o1", kind=Kind.GONE, fields={}),
    observed("o1", kind=Kind.MERGED, fields={}, survivor="n9", version=None),
    observed("o1", kind=Kind.EDIT, fields={"remark": None}),
]


def _stage(kit: Kit, *items: Observation, hub_id: str | None = None, subject: str | None = None) -> None:
    with kit.store.begin() as work:
        rows = [inbox.seal_row(kit.ring, item, hub_id, subject, RUN, work.now) for item in items]
        inbox.stage(work, rows)


@pytest.mark.parametrize("item", SEEN)
@pytest.mark.parametrize("owned", [False, True])
def test_an_observation_comes_back_as_it_was_staged(kit: Kit, item: Observation, owned: bool) -> None:
    kit.create("h1", bound("h1"))
    _stage(kit, item, hub_id="h1" if owned else None, subject="subject-h1" if owned else None)
    with kit.store.read() as conn:
        row = inbox.by_native(conn, "zoho", "Contacts", ["n1"])["n1"]
    assert "李四".encode() not in (row.blob or b"")
    assert inbox.open_row(kit.ring, row) == item
    assert row.state is Wait.NEW


def test_the_inbox_holds_one_row_a_native_record(kit: Kit) -> None:
    _stage(kit, observed("o1"))
    with pytest.raises(IntegrityError):
        _stage(kit, observed("o2"))


def test_the_queue_is_read_by_arrival_page_by_page(kit: Kit) -> None:
    _stage(kit, *[observed(f"o{n}", native_id=f"n{n}") for n in (3, 1, 2)], observed("o0", "n0", "fxiaoke"))
    found, after = [], ""
    with kit.store.read() as conn:
        while page := inbox.queue_page(conn, ENTITY, "zoho", after, 2):
            found += [row.obs_id for row in page]
            after = page[-1].obs_id
    assert found == ["o1", "o2", "o3"]


def test_rows_that_wait_leave_the_queue_until_they_are_woken(kit: Kit) -> None:
    kit.create("h1", bound("h1"))
    _stage(kit, observed("o1"), hub_id="h1", subject="subject-h1")
    _stage(kit, observed("o2", "n2"))

    def queue() -> list[str]:
        with kit.store.read() as conn:
            return [row.obs_id for row in inbox.queue_page(conn, ENTITY, "zoho", "", 10)]

    steps: list[tuple[Any, list[str]]] = [
        (lambda work: inbox.put_off(work, ["o1", "o2"]), []),
        (lambda work: inbox.wake(work, ["h1"]), ["o1"]),
        (lambda work: inbox.wake_native(work, "zoho", "Contacts", "n2"), ["o1", "o2"]),
        (lambda work: inbox.consume(work, ["o1"]), ["o2"]),
    ]
    for act, left in steps:
        with kit.store.begin() as work:
            act(work)
        assert queue() == left


def test_load_counts_changed_and_gone_but_not_what_we_wrote_ourselves(kit: Kit) -> None:
    for number, digest in enumerate((b"seen", None, b"seen", None)):
        kit.create(f"h{number}", bound(f"h{number}", native_id=f"n{number}", obs_digest=digest))
    _stage(kit, *[observed(f"o{number}", native_id=f"n{number}") for number in range(2)])
    _stage(kit, *[observed(f"o{n}", native_id=f"n{n}", kind=Kind.GONE) for n in (2, 3)], observed("o9", "stranger"))
    with kit.store.read() as conn:
        assert inbox.load_of(conn, ENTITY) == {"zoho": {"changed": 1, "gone": 2}}
        assert inbox.depth(conn, ENTITY) == {"new": 5}


def _intent(number: int = 1, **changes: Any) -> Intent:
    made = Intent(
        f"i{number}",
        ENTITY,
        "h1",
        "h1/zoho/main",
        "subject-h1",
        "zoho",
        "Contacts",
        "n1",
        "update",
        b"digest",
        {"full_name": ("王", "王"), "behavior_tags": (("a",), None)},
        sent_at=1_790_000_000.0,
        epoch=1,
    )
    return replace(made, **changes)


def _commit(kit: Kit, *items: Intent, epoch: int = 1) -> None:
    with kit.store.begin() as work:
        intents.commit(work, Lease(ENTITY, epoch), RUN, items)


def _open(kit: Kit, before_epoch: int) -> list[Intent]:
    with kit.store.read() as conn:
        assert set(intents.unsettled_records(conn, ENTITY, before_epoch)) <= {"h1", "h2"}
        return intents.unsettled(conn, kit.ring, ENTITY, before_epoch)


def test_an_intent_comes_back_to_the_next_epoch_only(kit: Kit) -> None:
    kit.create("h1", bound("h1"))
    _commit(kit, _intent())
    assert _open(kit, 1) == []
    assert _open(kit, 2) == [_intent()]


def test_a_record_has_one_open_intent_and_a_key_is_used_once(kit: Kit) -> None:
    kit.create("h1", bound("h1"))
    _commit(kit, _intent())
    with pytest.raises(IntegrityError):
        _commit(kit, _intent(2))
    with kit.store.begin() as work:
        intents.settle(work, {"i1": (IntentState.SETTLED, "written")})
    _commit(kit, _intent(2))
    with pytest.raises(IntegrityError):
        _commit(kit, _intent(1, binding_id="h2/zoho/main"))


def test_a_settled_intent_drops_its_payload_and_an_uncertain_one_keeps_it(kit: Kit) -> None:
    kit.create("h1", bound("h1"))
    kit.create("h2", bound("h2", native_id="n2"))
    second = _intent(2, hub_id="h2", binding_id="h2/zoho/main", subject_id="subject-h2")
    _commit(kit, _intent(), second)
    with kit.store.begin() as work:
        intents.settle(work, {"i1": (IntentState.SETTLED, "written"), "i2": (IntentState.UNCERTAIN, "unknown")})
    with kit.store.read() as conn:
        kept = dict(conn.execute(sa.select(intent_table.c.intent_id, intent_table.c.blob.isnot(None))).all())
        assert kept == {"i1": False, "i2": True}
        assert intents.count(conn, ENTITY) == {"uncertain": 1}
        assert intents.open_bindings(conn, ["h1/zoho/main", "h2/zoho/main"]) == {"h2/zoho/main"}
    assert _open(kit, 2) == [replace(second, state=IntentState.UNCERTAIN, said="unknown")]


def test_an_asked_intent_waits_for_a_person_and_blocks_its_record(kit: Kit) -> None:
    kit.create("h1", bound("h1"))
    _commit(kit, _intent())
    with kit.store.begin() as work:
        intents.settle(work, {"i1": (IntentState.ASKED, "unprovable")})
    assert _open(kit, 2) == []
    with kit.store.read() as conn:
        assert [row.intent_id for row in intents.asked(conn, ENTITY)] == ["i1"]
        assert intents.open_bindings(conn, ["h1/zoho/main"]) == {"h1/zoho/main"}


def test_an_intent_needs_its_record(kit: Kit) -> None:
    kit.create("h1")
    with pytest.raises(IntegrityError):
        _commit(kit, _intent(binding_id="h9/zoho/main"))
