"""Side records in the inbox: found by the main record that they point at, granted, and parked again."""

from __future__ import annotations

from dataclasses import replace

from store_kit import ENTITY, RUN, Kit, bound, observed

from hub.core.state import BindingState
from hub.store import claims, inbox, records, references
from hub.store.references import Awaited


def _wait(kit: Kit, obs_id: str, native_id: str, main: str, state: str = "parked") -> None:
    item = replace(observed(obs_id, native_id), object="Persons")
    with kit.store.begin() as work:
        row = inbox.seal_row(kit.ring, item, None, None, RUN, work.now)
        inbox.stage(work, [{**row, "state": state}])
        references.park(work, [Awaited(obs_id, claims.MAIN_RECORD, ENTITY, "zoho", "Contacts", main)])


def _claimed(kit: Kit) -> list[tuple[str, str]]:
    with kit.store.read() as conn:
        hub_ids = claims.owners(conn, ENTITY, "", 10)
        return [(row.native_id, row.owner) for row in claims.of_owners(conn, ENTITY, hub_ids)]


def test_side_records_are_found_by_a_main_record_that_stands_and_granted_once(kit: Kit) -> None:
    main = bound("h1")
    kit.create("h1", main)
    kit.create("h2", bound("h2", native_id="n2"))
    _wait(kit, "o1", "p1", "n1")
    _wait(kit, "o2", "p2", "n1", "waiting")
    _wait(kit, "o3", "p3", "n2")
    _wait(kit, "o4", "p4", "n9")
    assert _claimed(kit) == [("p1", "h1"), ("p2", "h1"), ("p3", "h2")]
    with kit.store.read() as conn:
        assert claims.owners(conn, ENTITY, "h1", 10) == ["h2"]
        # They wait for `claim`, never for the parents of a reference.
        assert references.ripe(conn, ENTITY, "", 10) == []
    with kit.store.begin() as work:
        claims.grant(work, [("o1", "h1")])
        records.change_bindings(work, [(main, replace(main, state=BindingState.DETACHED))])
    with kit.store.read() as conn:
        assert [row.hub_id for row in inbox.queue_page(conn, ENTITY, "zoho", "", 10)] == ["h1"]
        left = claims.left_alone(conn, ENTITY)
    assert _claimed(kit) == [("p3", "h2")]
    assert left == [("o2", "zoho", "Persons", "p2")]
    with kit.store.begin() as work:
        claims.park_again(work, ["o2"])
    with kit.store.read() as conn:
        assert claims.left_alone(conn, ENTITY) == []
