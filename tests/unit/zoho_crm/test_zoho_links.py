"""Contact logs and complaints through the connector: links, wide records, refusals and bursts of deletes."""

from __future__ import annotations

from typing import Any

from connectors.base import Gone, NativeRecord, Op, Refused, WriteRequest, WriteResult, Written

CALL = {
    "Subject": "回访",
    "Call_Type": "Outbound",
    "Call_Start_Time": "2026-03-01T09:00:00+08:00",
    "Call_Duration": "03:25",
}
CASE = {"Subject": "排队过长", "Status": "已登记", "Case_Origin": "Phone"}
LINKED = ("Subject", "Who_Id", "What_Id", "$se_module", "Hub_Id")


def make(org: Any, object_name: str, **fields: Any) -> str:
    return str(org.admin.post("create", {"object": object_name, "fields": fields})["id"])


def write(org: Any, object_name: str, fields: dict[str, Any], op: Op = Op.CREATE, native_id: str | None = None) -> Any:
    result: WriteResult = org.zoho.write([WriteRequest(op, object_name, native_id, fields, "hub-1", "k1")])[0]
    return result


def test_describe_names_the_module_of_a_link_whether_metadata_do_or_not(org: Any) -> None:
    for described in (False, True):
        org.admin.settings(se_module_described=described)
        fields = org.zoho.describe("Calls").fields
        assert fields["$se_module"].writable
        assert fields["What_Id"].lookup is None
        assert fields["Who_Id"].lookup == "Contacts"
    assert fields["Call_Duration"].required
    assert not fields["Call_Duration_in_seconds"].writable
    assert "$se_module" not in org.zoho.describe("Cases").fields
    assert not org.zoho.describe("Cases").fields["Case_Number"].writable


def test_links_are_read_in_lists_by_id_and_by_hub_id_whatever_lists_show(org: Any) -> None:
    firm = make(org, "Accounts", Account_Name="甲公司")
    linked = make(org, "Tasks", Subject="短信", Hub_Id="h1", What_Id={"id": firm}, **{"$se_module": "Accounts"})
    bare = make(org, "Tasks", Subject="微信", Hub_Id="h2")
    for shown in (True, False):
        org.admin.settings(se_module_in_lists=shown)
        listed = {one.native_id: one.fields for one in org.zoho.changes("Tasks", LINKED, None, 200).records}
        fetched = org.zoho.fetch("Tasks", [linked, bare], LINKED)
        found = {one.native_id: one.fields for one in org.zoho.find("Tasks", "Hub_Id", ["h1", "h2"], LINKED)}
        for rows in (listed, {each: one.fields for each, one in fetched.items()}, found):
            assert rows[linked]["What_Id"]["id"] == firm
            assert rows[linked]["$se_module"] == "Accounts"
            assert rows[bare].get("$se_module") is None


def test_a_list_that_tells_no_module_costs_one_call_for_each_linked_row(org: Any) -> None:
    firm = make(org, "Accounts", Account_Name="甲公司")
    for number in range(3):
        make(org, "Tasks", Subject=f"{number}", What_Id={"id": firm}, **{"$se_module": "Accounts"})
        make(org, "Tasks", Subject=f"无关联{number}")
    org.zoho.changes("Tasks", LINKED, None, 200)
    before = org.calls()
    org.zoho.changes("Tasks", LINKED, None, 200)
    assert {name: count - before.get(name, 0) for name, count in org.calls().items() if count != before.get(name)} == {
        "list Tasks": 1
    }
    org.admin.settings(se_module_in_lists=False)
    org.zoho.changes("Tasks", LINKED, None, 200)
    assert org.calls()["get Tasks"] == 3


def test_more_than_fifty_fields_of_a_case_come_joined(org: Any) -> None:
    contact = org.create("王")
    ids = [make(org, "Cases", **CASE, Related_To={"id": contact}, Branch_Code=f"B{n}") for n in range(3)]
    fields = tuple(org.zoho.describe("Cases").fields)
    assert len(fields) > 51
    pages = {one.native_id: one for one in org.zoho.changes("Cases", fields, None, 200).records}
    fetched = org.zoho.fetch("Cases", ids, fields)
    for number, native_id in enumerate(ids):
        for record in (pages[native_id], fetched[native_id]):
            assert isinstance(record, NativeRecord)
            assert set(record.fields) == set(fields)
            assert record.fields["Branch_Code"] == f"B{number}"
            assert record.fields["Related_To"]["id"] == contact
            assert record.fields["Case_Number"] == f"TS{number + 1:08d}"


def test_refusals_name_the_field(org: Any) -> None:
    contact, firm = org.create("王"), make(org, "Accounts", Account_Name="甲公司")
    wrong = (
        ({"Call_Duration": "00:00"}, "DEPENDENT_MISMATCH", "Call_Duration"),
        ({"What_Id": {"id": firm}}, "INVALID_DATA", "What_Id"),
        ({"Who_Id": {"id": firm}}, "INVALID_DATA", "Who_Id"),
        ({"Owner": {"id": "5843104000000301007"}}, "INVALID_DATA", "Owner"),
        ({"Call_Type": None}, "MANDATORY_NOT_FOUND", "Call_Type"),
    )
    for change, code, field in wrong:
        result = write(org, "Calls", {**CALL, "Who_Id": {"id": contact}, **change})
        assert isinstance(result, Refused)
        assert (result.code, result.field) == (code, field)
        assert field in result.zh
    ended = {"Event_Title": "访", "Start_DateTime": "2026-03-01T09:00:00+08:00"}
    result = write(org, "Events", {**ended, "End_DateTime": ended["Start_DateTime"]})
    assert (result.code, result.field) == ("INVALID_DATA", "End_DateTime")


def test_a_missed_call_is_written_without_length_and_a_link_is_cleared(org: Any) -> None:
    firm = make(org, "Accounts", Account_Name="甲公司")
    missed = {**CALL, "Call_Type": "Missed", "Call_Duration": "00:00"}
    made = write(org, "Calls", {**missed, "What_Id": {"id": firm}, "$se_module": "Accounts", "Hub_Id": "h1"})
    assert isinstance(made, Written)
    cleared = write(org, "Calls", {"What_Id": None, "$se_module": None}, Op.UPDATE, made.native_id)
    assert isinstance(cleared, Written)
    record = org.zoho.fetch("Calls", [made.native_id], LINKED)[made.native_id]
    assert (record.fields["What_Id"], record.fields["$se_module"]) == (None, None)


def test_a_repeated_create_is_refused_by_the_hub_id_and_never_merged_by_subject(org: Any) -> None:
    first = write(org, "Cases", {**CASE, "Hub_Id": "h1"})
    second = write(org, "Cases", {**CASE, "Hub_Id": "h2"})
    again = write(org, "Cases", {**CASE, "Hub_Id": "h1"})
    assert isinstance(first, Written)
    assert isinstance(second, Written)
    assert first.native_id != second.native_id
    assert isinstance(again, Refused)
    assert (again.code, again.existing_id) == ("DUPLICATE_DATA", first.native_id)
    assert not any(name.startswith("upsert") for name in org.admin.calls()["calls"])


def test_a_deleted_customer_takes_the_logs_along_in_the_delete_feed(org: Any) -> None:
    contact = org.create("王")
    logs = [make(org, "Calls", **CALL, Who_Id={"id": contact}) for _ in range(5)]
    kept = make(org, "Calls", **CALL)
    cursor = org.zoho.deletions("Calls", None, 200).next_cursor
    org.delete(contact)
    org.advance(5)
    page = org.zoho.deletions("Calls", cursor, 200)
    assert {record.native_id for record in page.records} == set(logs)
    fetched = org.zoho.fetch("Calls", [*logs, kept], LINKED)
    assert all(isinstance(fetched[each], Gone) for each in logs)
    assert isinstance(fetched[kept], NativeRecord)


def test_rich_texts_that_lists_cut_are_read_whole_where_they_are_named(org: Any) -> None:
    org.admin.settings(rich_text_fields="Solution,Description")
    text = "处理意见" * 200
    native_id = make(org, "Cases", **CASE, Hub_Id="h1", Solution=text, Description="短")
    short = make(org, "Cases", **CASE, Solution="短")
    fields = ("Subject", "Solution", "Description", "Hub_Id")
    org.admin.settings(textarea_described=False)
    zoho = org.connect(rich_text_fields=["Solution", "Description"])
    for record in (
        {one.native_id: one for one in zoho.changes("Cases", fields, None, 200).records}[native_id],
        zoho.fetch("Cases", [native_id, short], fields)[native_id],
        zoho.find("Cases", "Hub_Id", ["h1"], fields)[0],
    ):
        assert (record.fields["Solution"], record.fields["Description"]) == (text, "短")
