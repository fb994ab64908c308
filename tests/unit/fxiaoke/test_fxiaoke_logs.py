"""Contact logs: linked as the tenant links them, dated when they happened, left alone where nobody may edit them."""

from __future__ import annotations

from typing import Any

import pytest
from fxiaoke_tenant import SERIAL, Context, Make, create, linked, make_in, request, row_of, settle, writes

from connectors.base import NativeRecord, Op, Refused, Written
from connectors.errors import Unsupported
from connectors.fxiaoke.connector import FxiaokeConnector
from connectors.fxiaoke.links import links_of, read_links
from connectors.simulation.server import RunningSimulator

LOG, COMPLAINT, CALL = "ActiveRecordObj", "complaint__c", "ServiceRecordObj"
FIELDS = ("account_id", "related_object_data", "active_record_content", "hub_id__c", "create_time")
TENANTS = [
    pytest.param({}, {}, id="both"),
    pytest.param({"log_account_lookup": False}, {}, id="list-alone"),
    pytest.param({"log_account_lookup": False, "log_related_described": False}, {"log_links": "related"}, id="hidden"),
    pytest.param({"log_links_mirrored": False}, {}, id="unmirrored"),
    pytest.param({"log_links_mirrored": False}, {"log_links": "related"}, id="unmirrored-list"),
]


def shown(connector: FxiaokeConnector, native_id: str, object: str = LOG) -> NativeRecord:
    found = connector.fetch(object, [native_id], FIELDS)[native_id]
    assert isinstance(found, NativeRecord)
    return found


def new_log(connector: FxiaokeConnector, **fields: Any) -> Written:
    made = request(Op.CREATE, object=LOG, **{"owner": ["1001"], "active_record_content": "回访", **fields})
    [result] = connector.write([made])
    assert isinstance(result, Written), result
    return result


@pytest.mark.parametrize(("tenant_has", "settings"), TENANTS)
def test_a_log_is_linked_to_customer_and_complaint_however_the_tenant_keeps_links(
    vendor: RunningSimulator, make: Make, context: Context, tenant_has: dict[str, Any], settings: dict[str, Any]
) -> None:
    vendor.admin.settings(**tenant_has)
    connector = make(**settings)
    customer, complaint = create(vendor), make_in(vendor, COMPLAINT, name=f"WT-{next(SERIAL)}")
    links = linked(AccountObj=customer, complaint__c=complaint)
    written = new_log(connector, account_id=customer, related_object_data=links)
    seen = shown(connector, written.native_id).fields
    assert (seen["account_id"], seen["related_object_data"]) == (customer, links)
    settle(vendor, context)
    page = connector.changes(LOG, FIELDS, None, 100)
    polled = next(record for record in page.records if record.native_id == written.native_id)
    assert (polled.fields["account_id"], polled.fields["related_object_data"]) == (customer, links)


def test_a_link_that_people_made_to_another_object_stays(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    first, second = create(vendor, name="甲"), create(vendor, name="乙")
    contact = make_in(vendor, "ContactObj", name="李四")
    log = make_in(vendor, LOG, related_object_data=linked(AccountObj=first, ContactObj=contact))
    moved = {"account_id": second, "related_object_data": linked(AccountObj=second)}
    [result] = connector.write([request(Op.UPDATE, log, "1", LOG, **moved)])
    assert isinstance(result, Written)
    stored = row_of(vendor, LOG, log)
    assert stored["account_id"] == second
    assert stored["related_object_data"] == linked(AccountObj=second, ContactObj=contact)
    vendor.admin.reset_calls()
    [again] = connector.write([request(Op.UPDATE, log, stored["version"], LOG, **moved)])
    assert isinstance(again, Written)
    assert "update" not in writes(vendor)  # the same links in another order are no change


def test_a_complaint_is_unlinked_and_its_customer_stays(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    customer, complaint = create(vendor), make_in(vendor, COMPLAINT, name="WT-unlinked")
    log = make_in(vendor, LOG, related_object_data=linked(AccountObj=customer, complaint__c=complaint))
    [result] = connector.write([request(Op.UPDATE, log, "1", LOG, related_object_data=[])])
    assert isinstance(result, Written)
    assert row_of(vendor, LOG, log)["related_object_data"] == linked(AccountObj=customer)


def test_the_name_of_a_linked_customer_is_no_part_of_the_log(
    vendor: RunningSimulator, connector: FxiaokeConnector
) -> None:
    customer = create(vendor, name="机密客户")
    log = make_in(vendor, LOG, account_id=customer)
    assert "机密客户" not in str(dict(shown(connector, log).fields))


def test_links_are_described_as_they_can_be_mapped(vendor: RunningSimulator, make: Make) -> None:
    both = make().describe(LOG).fields
    assert (both["account_id"].lookup, both["account_id"].writable) == ("AccountObj", True)
    assert (both["related_object_data"].kind, both["related_object_data"].writable) == ("object_reference_many", True)
    assert not both["related_api_names"].writable
    assert not both["name"].writable
    assert "related_object_data" not in make(log_links="lookup").describe(LOG).fields
    vendor.admin.settings(log_account_lookup=False)
    assert make().describe(LOG).fields["account_id"].lookup == "AccountObj"
    assert "account_id" not in make(log_links="lookup").describe(LOG).fields
    vendor.admin.settings(log_related_described=False)
    connector = make()
    assert {"account_id", "related_object_data"}.isdisjoint(connector.describe(LOG).fields)
    customer = create(vendor)
    [refused] = connector.write([request(Op.CREATE, object=LOG, owner=["1001"], account_id=customer)])
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == ("fxiaoke.field-unknown", "account_id")
    assert not next(line for line in make(objects=[LOG]).check() if line.name == f"links {LOG}").ok


def test_a_list_in_a_wrong_form_is_not_sent(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    for wrong in ("x", ["x"], [{"describe_api_name": "AccountObj"}]):
        [refused] = connector.write([request(Op.CREATE, object=LOG, owner=["1001"], related_object_data=wrong)])
        assert isinstance(refused, Refused)
        assert (refused.code, refused.field) == ("fxiaoke.wrong-form", "related_object_data")
    assert "create" not in writes(vendor)


def test_a_link_to_a_missing_customer_is_refused_by_its_reason(connector: FxiaokeConnector) -> None:
    for fields in ({"account_id": "0" * 24}, {"related_object_data": linked(AccountObj="0" * 24)}):
        [refused] = connector.write([request(Op.CREATE, object=LOG, owner=["1001"], **fields)])
        assert isinstance(refused, Refused)
        assert refused.code == "fxiaoke.lookup-missing"


def test_malformed_links_of_the_vendor_are_left_out() -> None:
    row = {"_id": "1", "related_object_data": ["x", {"describe_api_name": "AccountObj"}, *linked(AccountObj="7")]}
    assert read_links(row) == {"_id": "1", "account_id": "7", "related_object_data": linked(AccountObj="7")}
    assert read_links({"_id": "1"}) == {"_id": "1"}
    assert read_links({"_id": "1", "related_object_data": None})["account_id"] is None


def test_an_update_that_names_no_link_sends_none() -> None:
    links = links_of(("account_id", "related_object_data"), "described", ("AccountObj",))
    assert links.written({"subject__c": "x"}, {"account_id": "7"}) == {"subject__c": "x"}


def test_the_time_of_creation_is_written_once(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    customer = create(vendor)
    dated = new_log(connector, account_id=customer, create_time=1_500_000_000_000)
    undated = new_log(connector, account_id=customer)
    assert row_of(vendor, LOG, dated.native_id)["create_time"] == 1_500_000_000_000
    assert row_of(vendor, LOG, undated.native_id)["create_time"] > 1_700_000_000_000
    [refused] = connector.write([request(Op.UPDATE, dated.native_id, None, LOG, create_time=1)])
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == ("fxiaoke.creation-only", "create_time")


def test_a_log_makes_its_customer_come_back_without_a_change(
    vendor: RunningSimulator, connector: FxiaokeConnector, context: Context
) -> None:
    customer = create(vendor, remark="不变")
    settle(vendor, context)
    cursor = connector.changes("AccountObj", ("remark",), None, 100).next_cursor
    settle(vendor, context, 60)
    new_log(connector, account_id=customer)
    settle(vendor, context)
    again = connector.changes("AccountObj", ("remark",), cursor, 100).records
    assert [(record.native_id, record.version, record.fields) for record in again] == [
        (customer, "2", {"remark": "不变"})
    ]


@pytest.mark.parametrize("switch", [{"log_edit": "refused"}, {"log_edit": "window", "log_edit_window_seconds": 60}])
def test_a_tenant_that_lets_nobody_edit_logs_is_told_with_a_remedy(
    vendor: RunningSimulator, connector: FxiaokeConnector, context: Context, switch: dict[str, Any]
) -> None:
    log = make_in(vendor, LOG, account_id=create(vendor))
    settle(vendor, context, 120)
    vendor.admin.settings(**switch, log_invalid_allowed=False)
    [edit] = connector.write([request(Op.UPDATE, log, None, LOG, active_record_content="改")])
    [delete] = connector.write([request(Op.DELETE, log, None, LOG)])
    for refused in (edit, delete):
        assert isinstance(refused, Refused)
        assert refused.code == "fxiaoke.permission"
        assert "append_only" in refused.en
        assert "append_only" in refused.zh


def test_an_append_only_object_is_created_and_never_changed(vendor: RunningSimulator, make: Make) -> None:
    connector = make(append_only=[LOG])
    can = connector.capabilities(LOG)
    assert (can.can_create, can.can_update, can.can_delete, can.can_restore) == (True, False, False, False)
    others = connector.capabilities("AccountObj")
    assert others.can_update
    assert others.can_delete
    log = new_log(connector, account_id=create(vendor)).native_id
    vendor.admin.reset_calls()
    for op, fields in ((Op.UPDATE, {"active_record_content": "改"}), (Op.DELETE, {}), (Op.RESTORE, {})):
        with pytest.raises(Unsupported):
            connector.write([request(op, log, None, LOG, **fields)])
    assert writes(vendor) == {}


def test_an_object_that_is_never_invalidated_is_changed_all_the_same(vendor: RunningSimulator, make: Make) -> None:
    vendor.admin.settings(log_invalid_allowed=False)
    connector = make(never_invalidated=[LOG])
    can = connector.capabilities(LOG)
    assert (can.can_create, can.can_update, can.can_delete, can.can_restore) == (True, True, False, False)
    log = new_log(connector, account_id=create(vendor)).native_id
    [edited] = connector.write([request(Op.UPDATE, log, None, LOG, active_record_content="改")])
    assert isinstance(edited, Written)
    with pytest.raises(Unsupported):
        connector.write([request(Op.DELETE, log, None, LOG)])


def test_a_read_only_object_is_read_and_never_written(vendor: RunningSimulator, make: Make) -> None:
    vendor.admin.settings(uncreatable_objects=[CALL])
    [refused] = make().write([request(Op.CREATE, object=CALL, owner=["1001"])])
    assert isinstance(refused, Refused)
    assert refused.code == "fxiaoke.permission"
    connector = make(read_only=[CALL])
    can = connector.capabilities(CALL)
    assert (can.can_create, can.can_update, can.can_delete, can.can_restore) == (False,) * 4
    noted = make_in(vendor, CALL, account_id=create(vendor), content__c="来电咨询")
    for op, fields in ((Op.CREATE, {"owner": ["1001"]}), (Op.UPDATE, {"content__c": "改"}), (Op.DELETE, {})):
        with pytest.raises(Unsupported):
            connector.write([request(op, noted, None, CALL, **fields)])
    assert shown(connector, noted, CALL).native_id == noted


def test_a_log_gets_another_owner_by_a_call_of_its_own(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    log = make_in(vendor, LOG, account_id=create(vendor))
    [result] = connector.write([request(Op.UPDATE, log, "1", LOG, owner=["1002"])])
    assert isinstance(result, Written)
    assert row_of(vendor, LOG, log)["owner"] == ["1002"]
    vendor.admin.settings(log_owner_changeable=False)
    both = request(Op.UPDATE, log, None, LOG, active_record_content="再改", owner=["1003"])
    [mixed] = connector.write([both])
    assert isinstance(mixed, Refused)
    assert mixed.code == "fxiaoke.own-call"
    [refused] = connector.write([request(Op.UPDATE, log, None, LOG, owner=["1003"])])
    assert isinstance(refused, Refused)
