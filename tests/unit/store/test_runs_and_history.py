"""Runs, cursors, guards and schemas as recorded; a record's timeline; sealed tokens."""

from __future__ import annotations

import sqlalchemy as sa
from store_kit import ENTITY, RUN, START, Kit, bound, event

from hub.core.guards import Trip
from hub.core.state import FieldChange
from hub.store import history, runs
from hub.store.tables import field_change, secret
from hub.store.vault import SealedTokens, audit_tail, read_meta, write_meta


def test_a_run_is_recorded_from_start_to_end(kit: Kit) -> None:
    with kit.store.begin() as work:
        runs.start(work, "run-1", ENTITY, "sync", "local:me")
        runs.start(work, "run-2", ENTITY, "plan", "local:me")
    kit.clock.at += 5
    with kit.store.begin() as work:
        runs.end(work, "run-1", "blocked", ["conflicts=1"], {"read": 3})
    with kit.store.read() as conn:
        newest, first = runs.latest(conn, ENTITY)
    assert (newest.run_id, newest.ended_at, newest.outcome, newest.counts) == ("run-2", None, None, {})
    assert first == runs.Run(
        "run-1", ENTITY, "sync", "local:me", START, START + 5, "blocked", ("conflicts=1",), {"read": 3}
    )


def test_a_cursor_is_good_for_its_scope_only(kit: Kit) -> None:
    def stored(scope: str) -> object:
        with kit.store.read() as conn:
            return runs.load_cursor(conn, ENTITY, "zoho", "Contacts", "changes", scope)

    assert stored("one") is None
    for page in (1, 2):
        with kit.store.begin() as work:
            runs.save_cursor(work, ENTITY, "zoho", "Contacts", "changes", "one", {"page": page}, RUN)
    assert (stored("one"), stored("two")) == ({"page": 2}, None)
    with kit.store.read() as conn:
        assert runs.cursor_moved_at(conn, ENTITY, "zoho", "Contacts", "changes") == START
        assert runs.cursor_moved_at(conn, ENTITY, "zoho", "Contacts", "deletions") is None
    with kit.store.begin() as work:
        runs.drop_cursor(work, ENTITY, "zoho", "Contacts", "changes")
    assert stored("one") is None


def test_a_guard_trips_is_released_for_what_was_seen_and_is_spent(kit: Kit) -> None:
    def standing() -> list[tuple[int, int, str, str | None]]:
        with kit.store.read() as conn:
            return [(row.count, row.allowed, row.state, row.released_by) for row in runs.guards(conn, ENTITY)]

    with kit.store.begin() as work:
        runs.trip(work, ENTITY, RUN, Trip("mass_delete", "zoho", 30, 10))
        runs.trip(work, ENTITY, RUN, Trip("mass_delete", "zoho", 40, 10))
    assert standing() == [(40, 10, "tripped", None)]
    with kit.store.begin() as work:
        runs.release(work, runs.guards(work.conn, ENTITY)[0], "local:me", "a purge")
    assert standing() == [(40, 40, "released", "local:me")]
    with kit.store.begin() as work:
        runs.spend(work, runs.guards(work.conn, ENTITY)[0])
    assert standing() == [(40, 0, "released", "local:me")]
    with kit.store.begin() as work:
        runs.clear_guard(work, ENTITY, "zoho", "mass_delete")
    assert standing() == []


def test_the_schema_last_accepted_stands(kit: Kit) -> None:
    for kind in ("text", "picklist"):
        with kit.store.begin() as work:
            runs.accept_schema(work, "zoho", "Contacts", "digest", f'{{"Rating": "{kind}"}}', "zoho/1")
    with kit.store.read() as conn:
        found = runs.accepted_schema(conn, "zoho", "Contacts")
        assert runs.accepted_schema(conn, "zoho", "Accounts") is None
    assert found == runs.AcceptedSchema({"Rating": "picklist"}, "zoho/1", START)


CHANGES = (
    FieldChange("full_name", "旧名", "新名", "zoho", (("fxiaoke", "输了的名"),)),
    FieldChange("behavior_tags", None, ("a", "b"), "fxiaoke"),
)


def test_the_timeline_keeps_every_change_and_every_loser_sealed(kit: Kit) -> None:
    made = kit.create("h1", bound("h1"))
    with kit.store.begin() as work:
        history.keep(work, RUN, [(made, CHANGES)])
    kit.load("h1")
    with kit.store.read() as conn:
        past = history.timeline(conn, kit.ring, "h1")
        blobs = b"".join(bytes(row.blob) for row in conn.execute(sa.select(field_change.c.blob)))
    assert [(item.field, item.before, item.after, item.losers) for item in past] == [
        (item.field, item.before, item.after, item.losers) for item in CHANGES
    ]
    assert not any(value.encode() in blobs for value in ("旧名", "新名", "输了的名"))


def test_returns_count_how_often_a_field_came_back_to_a_value(kit: Kit) -> None:
    made = kit.create("h1", bound("h1"))
    for at, value in ((-100, "a"), (0, "b"), (1, "a"), (2, "b")):
        kit.clock.at = START + at
        with kit.store.begin() as work:
            history.keep(work, RUN, [(made, [FieldChange("remark", None, value)])])
    with kit.store.read() as conn:
        every, often = (history.returns(conn, ["h1"], START, times) for times in (1, 2))
    digests = {value: history.value_digest(kit.ring, "remark", value) for value in ("a", "b")}
    assert every == {("h1", "remark", digests["a"]): 1, ("h1", "remark", digests["b"]): 2}
    assert often == {("h1", "remark", digests["b"]): 2}


def test_tokens_are_kept_sealed_per_system_and_seen_by_every_process(kit: Kit) -> None:
    zoho, fxiaoke = SealedTokens(kit.store, "zoho"), SealedTokens(kit.store, "fxiaoke")
    for value in (b"token-one", b"token-two"):
        zoho.put("access", value)
    other = kit.other()
    assert SealedTokens(other.store, "zoho").get("access") == b"token-two"
    assert fxiaoke.get("access") is None
    with other.store.read() as conn:
        assert b"token" not in bytes(conn.execute(sa.select(secret.c.blob)).scalar_one())
    other.close()


def test_meta_is_replaced_and_the_audit_tail_is_in_order(kit: Kit) -> None:
    write_meta(kit.engine, {"tenant": "one", "profile": "lab"})
    write_meta(kit.engine, {"tenant": "two"})
    assert [read_meta(kit.engine, key) for key in ("tenant", "profile", "other")] == ["two", "lab", None]
    with kit.store.begin() as work:
        for number in range(4):
            work.audit(event("golden.change", f"h{number}"))
    with kit.store.read() as conn:
        assert [row[1] for row in audit_tail(conn, 3)] == [1, 2, 3]
