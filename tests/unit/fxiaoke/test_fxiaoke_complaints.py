"""Complaints in a custom object: its own path, a unique name, and creates that may not name their record."""

from __future__ import annotations

from typing import Any

import pytest
from fxiaoke_tenant import SERIAL, Context, Make, create, make_in, request, row_of, settle, writes

from connectors.base import Op, Refused, Unknown, WriteRequest, Written
from connectors.fxiaoke.connector import FxiaokeConnector
from connectors.simulation.server import RunningSimulator

COMPLAINT = "complaint__c"


def new_complaint(**fields: Any) -> WriteRequest:
    number = next(SERIAL)
    filled = {"name": f"WT-{number}", "owner": ["1001"], "title__c": "服务态度", "hub_id__c": f"complaint-{number}"}
    return request(Op.CREATE, object=COMPLAINT, **{**filled, **fields})


def test_a_complaint_is_created_quietly_on_its_own_path(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    customer = create(vendor)
    [written] = connector.write([new_complaint(account_id=customer, status__c="option4")])
    assert isinstance(written, Written)
    stored = row_of(vendor, COMPLAINT, written.native_id)
    assert (stored["account_id"], stored["status__c"], stored["life_status"]) == (customer, "option4", "normal")
    assert (stored["lock_status"], stored["version"]) == ("0", "1")  # the tenant has an approval flow here, too


def test_a_second_complaint_of_one_number_is_refused_by_the_field(connector: FxiaokeConnector) -> None:
    [first] = connector.write([new_complaint(name="TS-7")])
    [second] = connector.write([new_complaint(name="TS-7")])
    assert isinstance(first, Written)
    assert isinstance(second, Refused)
    assert (second.code, second.field) == ("fxiaoke.duplicate", "name")


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"name": None}, "fxiaoke.refused", "name"),
        ({"status__c": "option10"}, "fxiaoke.option-unknown", "status__c"),
        ({"account_id": "0" * 24}, "fxiaoke.lookup-missing", None),
        ({"title__c": "长" * 201}, "fxiaoke.too-long", "title__c"),
    ],
)
def test_a_complaint_that_the_object_does_not_take_is_refused(
    connector: FxiaokeConnector, fields: dict[str, Any], code: str, field: str | None
) -> None:
    [refused] = connector.write([new_complaint(**fields)])
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert field in (None, refused.field)


def test_creates_that_name_no_record_are_found_by_hub_id_in_one_look(
    vendor: RunningSimulator, connector: FxiaokeConnector
) -> None:
    vendor.admin.settings(custom_create_returns_id=False, index_lag_seconds=0)
    wanted = [new_complaint() for _ in range(4)]
    vendor.admin.reset_calls()
    results = connector.write(wanted)
    for sent, result in zip(wanted, results, strict=True):
        assert isinstance(result, Written)
        stored = row_of(vendor, COMPLAINT, result.native_id)
        assert (stored["hub_id__c"], stored["version"]) == (sent.hub_id, result.version)
    calls = vendor.admin.calls()["calls"]
    assert (calls[f"create {COMPLAINT}"], calls[f"query {COMPLAINT}"]) == (4, 1)


def test_a_create_that_the_index_does_not_show_yet_stays_unknown(
    vendor: RunningSimulator, make: Make, context: Context
) -> None:
    vendor.admin.settings(custom_create_returns_id=False, index_lag_seconds=30)
    connector = make(created_id_wait=3.0)
    sent = new_complaint()
    before = context.clock.offset
    [result] = connector.write([sent])
    assert type(result) is Unknown
    assert context.clock.offset - before >= 3.0  # it has waited once
    settle(vendor, context, 60)
    [found] = connector.find(COMPLAINT, "hub_id__c", [sent.hub_id], ("name",))
    assert found.fields["name"] == sent.fields["name"]


def test_a_failing_look_for_a_nameless_record_changes_nothing_about_it(
    vendor: RunningSimulator, connector: FxiaokeConnector
) -> None:
    vendor.admin.settings(custom_create_returns_id=False, index_lag_seconds=0)
    vendor.admin.faults([{"match": {"path_regex": "data/query$"}, "action": "http_429", "every": 1}])
    [result] = connector.write([new_complaint()])
    assert type(result) is Unknown


def test_a_hub_id_that_two_records_hold_names_neither(vendor: RunningSimulator, make: Make) -> None:
    vendor.admin.settings(custom_create_returns_id=False, index_lag_seconds=0)
    vendor.admin.post("schema", {"object": COMPLAINT, "field": "hub_id__c", "changes": {"unique": False}})
    try:
        make_in(vendor, COMPLAINT, name="WT-twin", hub_id__c="twin")
        [result] = make(external_key_unique=False).write([new_complaint(hub_id__c="twin")])
        assert type(result) is Unknown
    finally:
        vendor.admin.post("schema", {"object": COMPLAINT, "field": "hub_id__c", "changes": {"unique": True}})


def test_a_customer_that_complaints_hold_on_to_is_not_deleted(
    vendor: RunningSimulator, connector: FxiaokeConnector
) -> None:
    vendor.admin.settings(target_delete_stage="invalid")
    rule = {"object": COMPLAINT, "field": "account_id"}
    vendor.admin.post("schema", {**rule, "changes": {"on_target_delete": "do_not_allow"}})
    try:
        customer = create(vendor)
        make_in(vendor, COMPLAINT, name="WT-held", account_id=customer)
        [refused] = connector.write([request(Op.DELETE, customer)])
        assert isinstance(refused, Refused)
        assert refused.code == "fxiaoke.referenced"
        assert row_of(vendor, "AccountObj", customer)["life_status"] == "normal"
    finally:
        vendor.admin.post("schema", {**rule, "changes": {"on_target_delete": "set_null"}})


def test_a_complaint_is_updated_invalidated_and_recovered(
    vendor: RunningSimulator, connector: FxiaokeConnector
) -> None:
    complaint = make_in(vendor, COMPLAINT, name="WT-life", account_id=create(vendor))
    [updated] = connector.write([request(Op.UPDATE, complaint, "1", COMPLAINT, status__c="option2")])
    assert isinstance(updated, Written)
    [owned] = connector.write([request(Op.UPDATE, complaint, updated.version, COMPLAINT, owner=["1002"])])
    assert isinstance(owned, Written)
    [deleted] = connector.write([request(Op.DELETE, complaint, owned.version, COMPLAINT)])
    assert isinstance(deleted, Written)
    assert row_of(vendor, COMPLAINT, complaint)["is_deleted"] is True
    [restored] = connector.write([request(Op.RESTORE, complaint, None, COMPLAINT, title__c="恢复")])
    assert isinstance(restored, Written)
    stored = row_of(vendor, COMPLAINT, complaint)
    assert (stored["is_deleted"], stored["title__c"], stored["owner"]) == (False, "恢复", ["1002"])
    assert {"changeOwner", "invalid", "recover"} <= writes(vendor).keys()
