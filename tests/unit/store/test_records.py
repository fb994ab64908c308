"""Records: what is written is what is loaded; bases are lazy; the constraints of the schema hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from store_kit import ENTITY, Kit, agreed, bound, golden, write_new

from hub.core.state import UNSET, BaseField, Binding, BindingState, GoldenState
from hub.store import records, sweeps
from hub.store.records import Write, binding_id, rewrite
from hub.store.tables import base, binding
from hub.store.tables import golden as golden_table

VALUES: dict[str, Any] = {
    "full_name": "欧阳𠮷",
    "behavior_tags": ("活跃", "房贷"),
    "satisfaction_score": 5,
    "birth_date": "1990-02-28",
    "remark": None,
    "do_not_disturb": False,
}


def test_a_record_comes_back_as_it_was_written(kit: Kit) -> None:
    zoho = bound("h1", version="3", obs_digest=b"\x00\xff", mapping_version="zoho/1", stamped=True)
    far = bound("h1", "fxiaoke", None, object=None, state=BindingState.PENDING, dirty=True)
    made = kit.create("h1", zoho, far, fields=VALUES)
    stored = kit.load("h1")
    assert stored.golden == made
    assert stored.bindings == (far, zoho)
    assert stored.bases == {zoho.binding_id: None, far.binding_id: None}


def test_nothing_personal_stands_outside_the_sealed_blobs(kit: Kit) -> None:
    kit.create("h1", bound("h1"), fields={"full_name": "欧阳𠮷", "customer_tier": "gold"})
    with kit.store.read() as conn:
        row = conn.execute(sa.select(golden_table)).one()
    assert row.facets == {"customer_tier": "gold"}
    assert "欧阳".encode() not in bytes(row.blob)


BASES = [
    {"full_name": agreed("王")},
    {"full_name": agreed("王", sent="Wang"), "behavior_tags": agreed(("a", "b"))},
    {"full_name": agreed(None, seen="旧")},
    {"full_name": BaseField(UNSET, UNSET, "见"), "gender": agreed("male", rule="masked")},
    {},
]


@pytest.mark.parametrize("stands", BASES)
def test_a_materialised_base_comes_back_as_it_was_written(kit: Kit, stands: Any) -> None:
    side = bound("h1")
    with kit.store.begin() as work:
        write_new(work, golden("h1", full_name="王"), side, bases={side.binding_id: stands})
    assert kit.load("h1").bases[side.binding_id] == stands


def test_a_base_is_stored_only_while_it_differs_from_the_golden_record(kit: Kit) -> None:
    side = bound("h1")
    kit.create("h1", side)
    for stands in ({"full_name": agreed("旧")}, {"full_name": agreed("新")}, None, None):
        with kit.store.begin() as work:
            records.write(work, [rewrite(kit.load("h1"), side, stands)])
        assert kit.load("h1").bases[side.binding_id] == stands
        with kit.store.read() as conn:
            assert conn.execute(sa.select(sa.func.count()).select_from(base)).scalar_one() == (stands is not None)


def test_an_update_writes_the_new_revision_and_leaves_other_records_alone(kit: Kit) -> None:
    kit.create("h1", bound("h1"))
    other = kit.create("h2", bound("h2", native_id="n2"))
    before = kit.load("h1")
    fresh = replace(before.golden, revision=2, fields={"full_name": "新名"}, state=GoldenState.ARCHIVED)
    moved = replace(before.bindings[0], version="9", dirty=True, agreed_revision=2)
    with kit.store.begin() as work:
        records.write(work, [Write(before, fresh, (moved,), before.bases, {})])
    assert kit.load("h1") == records.Stored(fresh, (moved,), before.bases)
    assert kit.load("h2").golden == other


def test_a_blob_moved_to_another_row_does_not_open(kit: Kit) -> None:
    kit.create("h1", bound("h1"))
    kit.create("h2", bound("h2", native_id="n2"))
    blob = sa.select(golden_table.c.blob).where(golden_table.c.hub_id == "h1").scalar_subquery()
    with kit.engine.begin() as conn:
        conn.execute(golden_table.update().where(golden_table.c.hub_id == "h2").values(blob=blob))
    assert kit.load("h1")
    with pytest.raises(Exception, match="h2"):
        kit.load("h2")


def _second_place(state: str) -> dict[str, Any]:
    return {"binding_id": "h1/zoho/again", "native_id": "n9", "state": state}


REFUSED = [
    pytest.param({"binding_id": "h2/zoho/main", "hub_id": "h2"}, id="a native record bound twice"),
    *[pytest.param(_second_place(state), id=f"a second {state} binding") for state in ("active", "pending", "doomed")],
    pytest.param({"binding_id": "h3/zoho/main", "hub_id": "h3", "native_id": "n9"}, id="no golden record"),
    pytest.param(
        {"binding_id": "h2/zoho/main", "hub_id": "h2", "native_id": None, "state": "active"}, id="active and nowhere"
    ),
]


def _insert(kit: Kit, changes: dict[str, Any]) -> None:
    with kit.store.begin() as work:
        row = work.conn.execute(sa.select(binding).where(binding.c.binding_id == "h1/zoho/main")).one()
        work.conn.execute(binding.insert().values({**row._mapping, **changes}))


@pytest.mark.parametrize("changes", REFUSED)
def test_the_schema_refuses(kit: Kit, changes: dict[str, Any]) -> None:
    kit.create("h1", bound("h1"))
    kit.create("h2")
    with pytest.raises(IntegrityError):
        _insert(kit, changes)


@pytest.mark.parametrize("state", ["detached", "superseded"])
def test_a_former_binding_may_stand_beside_the_active_one(kit: Kit, state: str) -> None:
    kit.create("h1", bound("h1"))
    _insert(kit, _second_place(state))


def test_place_new_gives_each_new_record_a_pending_place_in_every_system(kit: Kit) -> None:
    kit.create("h1", bound("h1"))
    kit.create("h2", bound("h2", "fxiaoke", "f2", object="AccountObj"))
    with kit.store.begin() as work:
        assert records.place_new(work, ENTITY, ("zoho", "fxiaoke")) == 2
        assert records.place_new(work, ENTITY, ("zoho", "fxiaoke")) == 0
    placed = next(item for item in kit.load("h1").bindings if item.system == "fxiaoke")
    assert placed == Binding(
        binding_id("h1", "fxiaoke"), "h1", ENTITY, "fxiaoke", None, None, BindingState.PENDING, dirty=True
    )


def test_dirty_pages_show_each_debt_once_in_order(kit: Kit) -> None:
    for number in range(7):
        kit.create(f"h{number}", bound(f"h{number}", native_id=f"n{number}", dirty=number != 3))
    found: list[str] = []
    after = ""
    with kit.store.read() as conn:
        while page := records.dirty_page(conn, ENTITY, "zoho", after, 2, BindingState.ACTIVE):
            assert len(page) <= 2
            found += [item.hub_id for item in page]
            after = page[-1].binding_id
        assert not records.dirty_page(conn, ENTITY, "zoho", "", 10, BindingState.PENDING)
        assert not records.dirty_page(conn, ENTITY, "fxiaoke", "", 10, BindingState.ACTIVE)
    assert found == ["h0", "h1", "h2", "h4", "h5", "h6"]


def test_tally_counts_what_is_bound_and_owed(kit: Kit) -> None:
    kit.create("h1", bound("h1", dirty=True))
    kit.create("h2", bound("h2", native_id="n2"))
    kit.create("h3", bound("h3", native_id="n3", state=BindingState.DOOMED, dirty=True))
    kit.create("h4", bound("h4", native_id="n4", state=BindingState.DETACHED))
    kit.create("h5", bound("h5", native_id=None, object=None, state=BindingState.PENDING, dirty=True))
    kit.create("h6", bound("h6", native_id="n6", state=BindingState.SUPERSEDED))
    with kit.store.read() as conn:
        assert records.tally(conn, ENTITY) == {
            "zoho": {"bound": 3, "creates": 1, "updates": 1, "deletes": 1, "detached": 1, "superseded": 1}
        }
        assert records.totals(conn) == {f"{ENTITY}:live": 6}


def test_a_sweep_tells_unknown_moved_and_missing_records(kit: Kit) -> None:
    for number, version in enumerate(("1", "1", None)):
        kit.create(f"h{number}", bound(f"h{number}", native_id=f"n{number}", version=version))
    with kit.store.begin() as work:
        sweeps.begin_sweep(work, "zoho", "Contacts")
        assert sweeps.sweep(work, "zoho", "Contacts", {"n0": "1", "n1": "2", "new": "5"}) == (["new"], ["n1"])
    with kit.store.read() as conn:
        assert sweeps.swept(conn, "zoho", "Contacts") == (3, ["n2"])


def test_versions_are_learned_only_where_none_is_known(kit: Kit) -> None:
    kit.create("h1", bound("h1", version=None))
    kit.create("h2", bound("h2", native_id="n2", version="4"))
    with kit.store.begin() as work:
        records.learn_versions(work, "zoho", "Contacts", {"n1": "8", "n2": "9"})
    assert [kit.load(hub).bindings[0].version for hub in ("h1", "h2")] == ["8", "4"]
