"""Reading: complete listings, windows by the server's clock, strong reads, masks, drift."""

from __future__ import annotations

from typing import Any

import pytest
from fxiaoke_tenant import FIELDS, Context, Make, create, edit, settle

from connectors.base import Cursor, Gone, NativeRecord, NotVisible
from connectors.errors import AuthRejected, CursorExpired, ProtocolViolation, RetryLater, SchemaDrift, Unsupported
from connectors.fxiaoke.connector import FxiaokeConnector
from connectors.simulation.server import RunningSimulator


def read_all(
    connector: FxiaokeConnector, cursor: Cursor | None = None, limit: int = 100
) -> tuple[list[NativeRecord], Cursor]:
    found: list[NativeRecord] = []
    while True:
        page = connector.changes("AccountObj", FIELDS, cursor, limit)
        found += page.records
        cursor = page.next_cursor
        if page.complete:
            return found, cursor


def queries(vendor: RunningSimulator) -> int:
    return int(vendor.admin.calls()["calls"].get("query AccountObj", 0))


def test_a_listing_in_small_pages_meets_every_record_once(
    vendor: RunningSimulator, connector: FxiaokeConnector, context: Context
) -> None:
    vendor.admin.post("clock", {"freeze": True})  # equal modified times
    ids = {create(vendor, name=f"甲{n}") for n in range(7)}
    vendor.admin.post("clock", {"freeze": False})
    settle(vendor, context)
    found, _ = read_all(connector, limit=2)
    assert len(found) == len({record.native_id for record in found})
    assert ids <= {record.native_id for record in found}


def test_an_idle_poll_is_exactly_one_call(
    vendor: RunningSimulator, connector: FxiaokeConnector, context: Context
) -> None:
    create(vendor)
    settle(vendor, context)
    _, cursor = read_all(connector)
    settle(vendor, context)
    vendor.admin.reset_calls()
    page = connector.changes("AccountObj", FIELDS, cursor, 200)
    assert (page.records, page.complete, vendor.admin.calls()["total"]) == ((), True, 1)


def test_a_change_that_the_index_shows_late_is_not_lost(vendor: RunningSimulator, make: Make, context: Context) -> None:
    connector = make(index_lag=4.0)
    native_id = create(vendor)
    settle(vendor, context, 60)
    _, cursor = read_all(connector)
    settle(vendor, context, 60)
    vendor.admin.post("lag", {"seconds": 3.5})
    edit(vendor, native_id, remark="迟到")
    early, cursor = read_all(connector, cursor)
    settle(vendor, context, 4)
    late, cursor = read_all(connector, cursor)
    assert [record.fields["remark"] for record in early] == []
    assert [record.fields["remark"] for record in late] == ["迟到"]


def test_an_edit_behind_the_scan_is_in_the_next_window(
    vendor: RunningSimulator, connector: FxiaokeConnector, context: Context
) -> None:
    ids = sorted(create(vendor, name=f"乙{n}") for n in range(4))
    settle(vendor, context)
    vendor.admin.post("lag", {"seconds": 0.0})
    page = connector.changes("AccountObj", FIELDS, None, 2)
    while page.records[-1].native_id < ids[1]:
        page = connector.changes("AccountObj", FIELDS, page.next_cursor, 2)
    edit(vendor, ids[0], remark="扫描之后")
    _, cursor = read_all(connector, page.next_cursor, 2)
    found, _ = read_all(connector, cursor)
    assert {r.native_id: r.fields["remark"] for r in found}[ids[0]] == "扫描之后"


def test_the_watermark_is_the_servers_clock_less_the_lag(
    vendor: RunningSimulator, make: Make, context: Context
) -> None:
    connector = make(index_lag=30.0)
    context.clock.offset -= 86_400  # ours is a day slow, and must not matter
    now = vendor.admin.post("clock", {"freeze": True})["now"]
    _, cursor = read_all(connector)
    vendor.admin.post("clock", {"freeze": False})
    assert cursor["watermark"] == pytest.approx(now - 30, abs=1)
    assert cursor["watermark"] <= now - 30


def test_a_server_clock_set_back_asks_for_a_listing(vendor: RunningSimulator, make: Make, context: Context) -> None:
    connector = make()
    _, cursor = read_all(connector)
    ahead = {**cursor, "watermark": cursor["watermark"] + 3600}
    with pytest.raises(CursorExpired):
        connector.changes("AccountObj", FIELDS, ahead, 100)


@pytest.mark.parametrize(
    "foreign",
    [
        {},
        {"page_token": "x"},
        {"format": 1, "object": "ContactObj", "mode": "poll", "watermark": 0, "until": None, "after": ""},
        {"format": 1, "object": "AccountObj", "mode": "poll", "watermark": "yesterday", "until": None, "after": ""},
    ],
)
def test_a_foreign_cursor_is_refused(connector: FxiaokeConnector, foreign: dict[str, Any]) -> None:
    with pytest.raises(CursorExpired):
        connector.changes("AccountObj", FIELDS, foreign, 100)
    with pytest.raises(CursorExpired):
        connector.list_ids("AccountObj", foreign, 100)


def test_records_carry_nulls_but_no_companions(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    native_id = create(vendor, tel="13800000002")
    fields = (*FIELDS, "owner__r")
    record = connector.fetch("AccountObj", [native_id], fields)[native_id]
    assert isinstance(record, NativeRecord)
    assert set(record.fields) == set(FIELDS)
    assert record.fields["remark"] is None
    assert (record.version, record.modified_by, record.deleted) == ("1", "1001", False)


def test_invalid_is_proof_of_deletion_and_hidden_is_not(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    invalid, hidden = create(vendor), create(vendor)
    vendor.admin.post("delete", {"id": invalid})
    vendor.admin.post("hide", {"id": hidden})
    found = connector.fetch("AccountObj", [invalid, hidden, "0" * 24], ())
    assert found[invalid] == Gone(invalid)
    assert found[hidden] == NotVisible(hidden)
    assert found["0" * 24] == NotVisible("0" * 24)
    vendor.admin.settings(get_invalid=False)
    assert connector.fetch("AccountObj", [invalid], ())[invalid] == NotVisible(invalid)


def test_find_takes_many_values_and_goes_on_past_a_page(vendor: RunningSimulator, make: Make, context: Context) -> None:
    connector = make(page_limit=2)
    for n in range(5):
        create(vendor, customer_no__c="same", hub_id__c=f"find-{n}")
    settle(vendor, context)
    assert len(connector.find("AccountObj", "customer_no__c", ["same"], ("hub_id__c",))) == 5
    wanted = [f"find-{n}" for n in range(5)] + [f"none-{n}" for n in range(60)]
    found = connector.find("AccountObj", "hub_id__c", wanted, ("hub_id__c",))
    assert sorted(record.fields["hub_id__c"] for record in found) == wanted[:5]


def test_list_ids_enumerates_with_versions(
    vendor: RunningSimulator, connector: FxiaokeConnector, context: Context
) -> None:
    native_id = create(vendor)
    edit(vendor, native_id, remark="二")
    settle(vendor, context)
    seen: dict[str, str | None] = {}
    cursor: Cursor | None = None
    complete = False
    while not complete:
        page = connector.list_ids("AccountObj", cursor, 3)
        assert len(page.ids) <= 3
        seen |= dict(page.ids)
        cursor, complete = page.next_cursor, page.complete
    assert seen[native_id] == "2"
    assert len(seen) == sum(not row.get("is_deleted") for row in vendor.admin.records("AccountObj")) - 1  # one hidden


@pytest.mark.parametrize("described", [True, False])
def test_a_masked_value_is_not_observed(
    vendor: RunningSimulator, connector: FxiaokeConnector, context: Context, described: bool
) -> None:
    vendor.admin.settings(masked_fields=["tel", "email"], mask_described=described)
    native_id = create(vendor, tel="13800000003", email="wang@bank.example", remark="五*星")
    settle(vendor, context)
    fields = (*FIELDS, "email")
    read = connector.fetch("AccountObj", [native_id], fields)[native_id]
    listed = {r.native_id: r for r in connector.changes("AccountObj", fields, None, 100).records}[native_id]
    for record in (read, listed):
        assert isinstance(record, NativeRecord)
        assert {"tel", "email"}.isdisjoint(record.fields)
        assert record.fields["remark"] == "五*星", "an asterisk in a text is a text"


def test_a_mask_that_is_put_on_later_is_noticed_and_types_are_a_setting(
    vendor: RunningSimulator, make: Make, context: Context
) -> None:
    native_id = create(vendor, tel="13800000004", short_name__c="王*国")
    connector = make(masked_types=[])

    def observed() -> set[str]:
        record = connector.fetch("AccountObj", [native_id], ("tel", "short_name__c"))[native_id]
        assert isinstance(record, NativeRecord)
        return set(record.fields)

    assert observed() == {"tel", "short_name__c"}
    vendor.admin.settings(masked_fields=["tel"], mask_described=False)
    assert observed() == {"tel", "short_name__c"}, "nothing tells that it is masked"
    vendor.admin.settings(mask_described=True)
    context.clock.offset += 61
    assert observed() == {"short_name__c"}


def test_a_field_that_is_gone_is_drift(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    with pytest.raises(SchemaDrift) as caught:
        connector.find("AccountObj", "hub_key__c", ["x"], ())
    assert "hub_key__c" in caught.value.en


def test_an_unknown_object_is_drift(connector: FxiaokeConnector) -> None:
    with pytest.raises(SchemaDrift):
        connector.describe("NothingObj")
    with pytest.raises(SchemaDrift):
        connector.changes("NothingObj", ("name",), None, 10)


def test_an_object_without_permission_is_named(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    vendor.admin.settings(denied_objects=["AccountObj"])
    with pytest.raises(AuthRejected) as caught:
        connector.changes("AccountObj", FIELDS, None, 10)
    assert "AccountObj" in caught.value.missing


@pytest.mark.parametrize("action", ["http_502_html", "truncated_json", "vendor_error", "reset_before_commit"])
def test_a_broken_answer_is_never_an_empty_page(
    vendor: RunningSimulator, connector: FxiaokeConnector, action: str
) -> None:
    vendor.admin.faults([{"match": {"path_regex": "data/query"}, "action": action, "every": 1}])
    with pytest.raises((RetryLater, ProtocolViolation)):
        connector.changes("AccountObj", FIELDS, None, 10)


def test_there_is_no_feed_of_deletions(connector: FxiaokeConnector) -> None:
    with pytest.raises(Unsupported):
        connector.deletions("AccountObj", None, 10)


def test_nulls_are_left_out_where_they_are_not_trusted(vendor: RunningSimulator, make: Make) -> None:
    connector = make(trust_nulls=False)
    record = connector.fetch("AccountObj", [native_id := create(vendor)], FIELDS)[native_id]
    assert isinstance(record, NativeRecord)
    assert "remark" not in record.fields
    assert not connector.capabilities("AccountObj").returns_nulls


@pytest.mark.parametrize("answered", ["honoured", "ignored"])
@pytest.mark.parametrize("asked", [True, False])
def test_an_absent_field_is_empty_only_where_nulls_were_not_asked_for(
    vendor: RunningSimulator, make: Make, context: Context, answered: str, asked: bool
) -> None:
    connector = make(include_null=asked)
    vendor.admin.settings(include_null=answered)
    native_id = create(vendor, remark="有")
    settle(vendor, context)
    _, cursor = read_all(connector)
    edit(vendor, native_id, remark=None)
    settle(vendor, context)
    vendor.admin.reset_calls()
    found, _ = read_all(connector, cursor)
    (record,) = [r for r in found if r.native_id == native_id]
    if asked and answered == "ignored":
        assert "remark" not in record.fields, "the tenant needs include_null: false; nothing is guessed meanwhile"
    else:
        assert record.fields["remark"] is None
    calls = vendor.admin.calls()["calls"]
    assert calls == {"query AccountObj": 1} if asked else calls == {"query AccountObj": 1, "describe AccountObj": 1}


def test_a_hidden_field_is_not_empty_where_nulls_were_not_asked_for(vendor: RunningSimulator, make: Make) -> None:
    connector = make(include_null=False)
    native_id = create(vendor, remark="有")
    connector.describe("AccountObj")
    vendor.admin.post("schema", {"field": "remark", "changes": {"active": False}})
    try:
        record = connector.fetch("AccountObj", [native_id], FIELDS)[native_id]
    finally:
        vendor.admin.post("schema", {"field": "remark", "changes": {"active": True}})
    assert isinstance(record, NativeRecord)
    assert "remark" not in record.fields
    assert record.fields["tel"] is None


def test_invalid_records_that_a_query_shows_are_flagged_and_not_enumerated(
    vendor: RunningSimulator, make: Make, context: Context
) -> None:
    connector = make(invalid_records="listed")
    vendor.admin.settings(invalid_listed=True)
    native_id = create(vendor)
    settle(vendor, context)
    _, cursor = read_all(connector)
    vendor.admin.post("delete", {"id": native_id})
    settle(vendor, context)
    found, _ = read_all(connector, cursor)
    assert {r.native_id: r.deleted for r in found}[native_id] is True
    page = connector.list_ids("AccountObj", None, 100)
    assert page.complete
    assert native_id not in dict(page.ids)


@pytest.mark.parametrize("moved", [True, False])
def test_invalid_records_on_request_are_a_feed_of_deletions(
    vendor: RunningSimulator, make: Make, context: Context, moved: bool
) -> None:
    connector = make(invalid_records="filtered")
    vendor.admin.settings(invalid_queryable=True, invalid_touches_modified=moved, get_invalid=False)
    native_id, kept = create(vendor), create(vendor)
    settle(vendor, context)
    cursor = connector.deletions("AccountObj", None, 100).next_cursor
    settle(vendor, context)
    vendor.admin.post("delete", {"id": native_id})
    settle(vendor, context)
    vendor.admin.reset_calls()
    page = connector.deletions("AccountObj", cursor, 100)
    assert [(r.native_id, r.deleted) for r in page.records] == ([(native_id, True)] if moved else [])
    assert vendor.admin.calls()["total"] == 1, "an idle look is one call"
    found = connector.fetch("AccountObj", [native_id, kept, "0" * 24], ())
    assert found[native_id] == Gone(native_id), "reconciliation finds it either way: a query shows what get refuses"
    assert isinstance(found[kept], NativeRecord)
    assert found["0" * 24] == NotVisible("0" * 24)


@pytest.mark.parametrize(("answer", "refused"), [("not_found", False), ("permission", True)])
def test_what_is_hidden_is_never_gone_and_what_is_gone_only_by_a_code_that_was_declared(
    vendor: RunningSimulator, make: Make, answer: str, refused: bool
) -> None:
    vendor.admin.settings(hidden_answer=answer)
    hidden, deleted = create(vendor), create(vendor)
    vendor.admin.post("hide", {"id": hidden})
    vendor.admin.post("delete", {"id": deleted, "physical": True})
    found = make().fetch("AccountObj", [hidden, deleted], ())
    assert found == {hidden: NotVisible(hidden), deleted: NotVisible(deleted)}
    assert (found[hidden].refused, found[deleted].refused) == (refused, False)  # type: ignore[union-attr]
    if refused:
        declared = make(deleted_codes=[320002401]).fetch("AccountObj", [hidden, deleted], ())
        assert declared == {hidden: NotVisible(hidden), deleted: Gone(deleted)}


def test_followed_up_customers_and_renamed_labels_change_no_field(
    vendor: RunningSimulator, connector: FxiaokeConnector, context: Context
) -> None:
    fields = ("name", "account_level", "parent_account_id", "owner")
    companions = tuple(f"{name}__{end}" for name in fields[1:] for end in ("r", "l", "v", "p", "e", "relation_ids"))
    parent = create(vendor, name="总公司")
    native_id = create(vendor, account_level="1", parent_account_id=parent)
    settle(vendor, context)

    def seen() -> NativeRecord:
        page = connector.changes("AccountObj", (*fields, *companions), None, 100)
        return {r.native_id: r for r in page.records}[native_id]

    before = seen()
    vendor.admin.post("touch", {"id": native_id})
    edit(vendor, parent, name="总公司（更名）")
    vendor.admin.post("schema", {"field": "account_level", "changes": {"disable": ["2"]}})
    settle(vendor, context)
    after = seen()
    assert after.version != before.version
    assert after.fields == before.fields
    assert set(after.fields) == set(fields)


@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("bumped", [True, False])
def test_a_recovered_record_is_polled_where_its_time_moved_and_enumerated_in_any_case(
    vendor: RunningSimulator, connector: FxiaokeConnector, context: Context, moved: bool, bumped: bool
) -> None:
    vendor.admin.settings(
        invalid_touches_modified=moved, recover_touches_modified=moved, lifecycle_bumps_version=bumped
    )
    native_id = create(vendor)
    settle(vendor, context, 10)
    _, cursor = read_all(connector)
    vendor.admin.post("delete", {"id": native_id})
    settle(vendor, context, 10)
    gone, cursor = read_all(connector, cursor)
    assert native_id not in dict(connector.list_ids("AccountObj", None, 100).ids)
    vendor.admin.post("restore", {"id": native_id})
    settle(vendor, context, 10)
    found, _ = read_all(connector, cursor)
    assert ([r.native_id for r in gone], [r.native_id for r in found]) == ([], [native_id] if moved else [])
    assert dict(connector.list_ids("AccountObj", None, 100).ids)[native_id] == ("3" if bumped else "1")
