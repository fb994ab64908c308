"""Channels keep their secrets sealed; hints are ids that wait once each; a message that came is known again."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from store_kit import Kit, bound

from hub.store import callbacks
from hub.store.callbacks import ChannelRow, ChannelState

TOKEN, PATH = "tokentokentokentokentokentokentokentoken", "pathpathpathpathpathpathpathpathpathpath"
ROW = ChannelRow(
    "zoho",
    "90000000000001",
    ChannelState.OPEN,
    ("Contacts",),
    ("Contacts",),
    (TOKEN,),
    f"https://hub.example/{PATH}",
    renew_at=5.0,
    expires_at=6.0,
)


def put(kit: Kit, row: ChannelRow) -> None:
    with kit.store.begin() as work:
        callbacks.put(work, row)


def rows(kit: Kit) -> list[ChannelRow]:
    with kit.store.read() as conn:
        return callbacks.channels(conn, kit.ring)


def test_a_channel_comes_back_as_it_was_kept_and_keeps_its_counts(kit: Kit) -> None:
    put(kit, ROW)
    with kit.store.begin() as work:
        callbacks.count(work, "zoho", received=3, late=1, forged=0)
        callbacks.count(work, "zoho", received=0, late=0, forged=2)
    put(kit, replace(ROW, state=ChannelState.RENEWING, renew_at=7.0))
    (found,) = rows(kit.other())
    assert found.path == PATH
    assert (found.state, found.tokens, found.renew_at) == (ChannelState.RENEWING, (TOKEN,), 7.0)
    assert (found.received, found.late, found.forged, found.heard_at) == (3, 1, 2, kit.clock.at)
    with kit.store.begin() as work:
        callbacks.drop_channel(work, "zoho")
    assert rows(kit) == []


def test_no_secret_of_a_channel_stands_in_the_open(kit: Kit) -> None:
    put(kit, ROW)
    with kit.store.read() as conn:
        shown = repr(conn.execute(sa.text("SELECT * FROM channel")).all())
    assert TOKEN not in shown + repr(rows(kit))
    assert PATH not in shown + repr(rows(kit))
    put(kit, replace(ROW, state=ChannelState.CLOSED, tokens=(), url=""))
    with kit.store.read() as conn:
        assert conn.execute(sa.text("SELECT blob FROM channel")).scalar_one() is None


@pytest.fixture
def hinted(kit: Kit) -> Kit:
    with kit.store.begin() as work:
        callbacks.add_hints(work, [("zoho", "Contacts", "2"), ("zoho", "Contacts", "1"), ("zoho", "Accounts", "1")])
    return kit


def test_a_hint_that_comes_again_is_the_same_one_later(hinted: Kit) -> None:
    start = hinted.clock.at
    hinted.clock.at += 5
    with hinted.other().store.begin() as work:
        callbacks.add_hints(work, [("zoho", "Contacts", "1")] * 3)
    with hinted.store.read() as conn:
        assert callbacks.waiting(conn) == {("zoho", "Contacts"): 2, ("zoho", "Accounts"): 1}
        assert callbacks.hints_of(conn, "zoho", "Contacts", 10) == [("2", start), ("1", start + 5)]
        assert callbacks.hints_of(conn, "zoho", "Contacts", 1) == [("2", start)]
    with hinted.store.begin() as work:
        callbacks.drop_hints(work, "zoho", "Contacts", start)
    with hinted.store.read() as conn:
        assert callbacks.hints_of(conn, "zoho", "Contacts", 10) == [("1", start + 5)], "what came later stays"
        assert callbacks.waiting(conn) == {("zoho", "Contacts"): 1, ("zoho", "Accounts"): 1}


@pytest.mark.parametrize(
    ("seen", "age", "forgotten"),
    [
        (None, 0.0, True),
        (None, 59.0, True),
        # Long after our write it is somebody else's doing; and a record seen since our write shows what is there.
        (None, 61.0, False),
        (b"d" * 16, 0.0, False),
    ],
)
def test_the_answer_to_our_own_write_is_forgotten(kit: Kit, seen: bytes | None, age: float, forgotten: bool) -> None:
    kit.create("h1", bound("h1", native_id="1", obs_digest=seen))
    kit.clock.at += age
    with kit.store.begin() as work:
        callbacks.add_hints(work, [("zoho", "Contacts", "1"), ("zoho", "Contacts", "2"), ("zoho", "Accounts", "1")])
    with kit.store.begin() as work:
        assert callbacks.drop_echoes(work, "zoho", ("Contacts", "Accounts"), 60.0) == int(forgotten)
    with kit.store.read() as conn:
        left = [native_id for native_id, _ in callbacks.hints_of(conn, "zoho", "Contacts", 10)]
        assert left == (["2"] if forgotten else ["1", "2"])
        assert callbacks.waiting(conn)["zoho", "Accounts"] == 1


def test_a_message_is_known_to_everybody_until_its_time_and_not_of_another_system(kit: Kit) -> None:
    start, ids = kit.clock.at, ["M1", "M2", "M3"]
    with kit.store.begin() as work:
        callbacks.remember(work, "fxiaoke", {"M1": start + 10, "M2": start + 20})
    with kit.other().store.begin() as work:
        assert callbacks.heard_before(work.conn, "fxiaoke", ids) == {"M1", "M2"}
        assert callbacks.heard_before(work.conn, "other", ids) == set()
        # A repetition makes it longer, never shorter.
        callbacks.remember(work, "fxiaoke", {"M1": start + 30, "M2": start + 5})
    for at, known in ((15, {"M1", "M2"}), (25, {"M1"}), (31, set())):
        kit.clock.at = start + at
        with kit.store.begin() as work:
            callbacks.remember(work, "fxiaoke", {})
            assert callbacks.heard_before(work.conn, "fxiaoke", ids) == known
