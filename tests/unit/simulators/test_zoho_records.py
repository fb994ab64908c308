"""Reading and writing records on the simulated Zoho over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from zoho_client import ZohoClient

from connectors.simulation.server import RunningSimulator, start_simulator


@pytest.fixture(scope="module")
def reader() -> Iterator[ZohoClient]:
    """A populated org that no test changes."""
    with start_simulator("zoho_crm", records=1500, seed=7) as running:
        yield ZohoClient(running)


@pytest.fixture(scope="module")
def empty_org() -> Iterator[RunningSimulator]:
    with start_simulator("zoho_crm") as running:
        yield running


@pytest.fixture
def zoho(empty_org: RunningSimulator) -> ZohoClient:
    """An empty org, started over for each test."""
    empty_org.admin.reset()
    return ZohoClient(empty_org)


def code(answer: Any) -> tuple[int, str]:
    """Returns status and error code of a refused request."""
    return answer.status_code, answer.json()["code"]


def row_codes(answer: Any) -> list[str]:
    """Returns the code of every row result."""
    return [row["code"] for row in answer.json()["data"]]


def test_list_needs_fields_and_at_most_fifty(reader: ZohoClient) -> None:
    missing = reader.get("Contacts")
    assert code(missing) == (400, "REQUIRED_PARAM_MISSING")
    assert missing.json()["details"] == {"param_name": "fields"}
    assert code(reader.list(fields=",".join(f"F{n}" for n in range(51)))) == (400, "LIMIT_EXCEEDED")
    assert reader.get("Contacts", version="v2").status_code == 200


def test_list_defaults_and_page_notes(reader: ZohoClient) -> None:
    page = reader.list().json()
    ids = [int(row["id"]) for row in page["data"]]
    assert ids == sorted(ids, reverse=True)
    notes = page["info"]
    assert (notes["per_page"], notes["count"], notes["page"], notes["more_records"]) == (200, 200, 1, True)
    assert (notes["sort_by"], notes["sort_order"]) == ("id", "desc")
    assert notes["next_page_token"]
    assert page["data"][0]["Modified_Time"].endswith("+08:00")
    assert set(reader.get("Contacts", version="v2").json()["info"]) == {"per_page", "count", "page", "more_records"}
    assert code(reader.list(per_page=201)) == (400, "INVALID_DATA")


@pytest.mark.parametrize("sort_by", ["id", "Created_Time", "Modified_Time"])
@pytest.mark.parametrize("sort_order", ["asc", "desc"])
def test_page_tokens_walk_every_record_once_in_order(reader: ZohoClient, sort_by: str, sort_order: str) -> None:
    fields = "id,Created_Time,Modified_Time"
    rows = reader.walk(sort_by=sort_by, sort_order=sort_order, per_page=170, fields=fields)
    total = reader.get("Contacts/actions/count").json()["count"]
    assert len({row["id"] for row in rows}) == len(rows) == total
    keys = [(row[sort_by], int(row["id"])) for row in rows]
    assert [key[0] for key in keys] == sorted((key[0] for key in keys), reverse=sort_order == "desc")


def test_plain_pages_end_at_two_thousand_rows(reader: ZohoClient) -> None:
    assert reader.list(page=2, per_page=200).json()["info"]["page"] == 2
    assert reader.list(page=10).status_code == 204
    assert code(reader.list(page=11)) == (400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED")


def test_page_token_is_bound_to_parameters_user_and_time(reader: ZohoClient) -> None:
    token = reader.list(sort_by="id").json()["info"]["next_page_token"]
    assert reader.list(sort_by="id", page_token=token).json()["info"]["page"] == 2
    assert code(reader.list(sort_by="id", page_token=token, page=2)) == (400, "AMBIGUITY_DURING_PROCESSING")
    assert code(reader.list(sort_by="Modified_Time", page_token=token)) == (400, "TOKEN_BOUND_DATA_MISMATCH")
    assert code(reader.list("Accounts", sort_by="id", page_token=token)) == (400, "TOKEN_BOUND_DATA_MISMATCH")
    other = {"Authorization": f"Zoho-oauthtoken {_second_user(reader)}"}
    assert code(reader.list(sort_by="id", page_token=token, headers=other)) == (400, "INVALID_DATA")
    assert code(reader.list(page_token="nonsense")) == (400, "INVALID_DATA")


def _second_user(zoho: ZohoClient) -> str:
    return str(zoho.token(refresh_token="1000.simulated.refresh.second").json()["access_token"])


def test_page_token_expires_and_has_a_last_row(zoho: ZohoClient) -> None:
    zoho.write("POST", "Contacts", *[{"Last_Name": f"第{number}"} for number in range(9)])
    token = zoho.list(per_page=3).json()["info"]["next_page_token"]
    zoho.admin.settings(token_rows=6)
    second = zoho.list(per_page=3, page_token=token).json()["info"]
    assert code(zoho.list(per_page=3, page_token=second["next_page_token"])) == (400, "PAGINATION_LIMIT_EXCEEDED")
    zoho.admin.advance(86_401)
    zoho.sign_in()
    assert code(zoho.list(per_page=3, page_token=token)) == (400, "EXPIRED_VALUE")


def test_modified_since_is_inclusive_and_says_not_modified(zoho: ZohoClient) -> None:
    zoho.admin.post("clock", {"freeze": True})
    zoho.insert(Email="a@bank.example")
    zoho.admin.advance(10)
    second = zoho.insert(Email="b@bank.example")
    stamp = zoho.get(f"Contacts/{second}").json()["data"][0]["Modified_Time"]
    changed = zoho.list(headers={"If-Modified-Since": stamp}, sort_by="Modified_Time", sort_order="asc")
    assert [row["id"] for row in changed.json()["data"]] == [second]
    assert len(zoho.list(headers={"If-Modified-Since": "2020-01-01T00:00:00+00:00"}).json()["data"]) == 2
    later = {"If-Modified-Since": "2099-01-01T00:00:00+08:00"}
    for answer in (zoho.list(headers=later), zoho.get(f"Contacts/{second}", headers=later)):
        assert (answer.status_code, answer.content) == (304, b"")
    assert code(zoho.list(headers={"If-Modified-Since": "yesterday"})) == (400, "INVALID_DATA")


def test_empty_list_absent_and_malformed_ids(zoho: ZohoClient) -> None:
    empty = zoho.list()
    assert (empty.status_code, empty.content) == (204, b"")
    assert zoho.get("Contacts/5843104000999999999").status_code == 204
    zoho.admin.settings(absent_get_status=400)
    assert code(zoho.get("Contacts/5843104000999999999")) == (400, "INVALID_DATA")
    assert code(zoho.get("Contacts/not-an-id")) == (400, "INVALID_DATA")


def test_ids_are_fetched_together_and_hidden_records_are_not(zoho: ZohoClient) -> None:
    first, second = zoho.insert(), zoho.insert()
    found = zoho.list(ids=f"{first},{second},123").json()["data"]
    assert {row["id"] for row in found} == {first, second}
    zoho.admin.post("hide", {"object": "Contacts", "id": first})
    assert [row["id"] for row in zoho.list().json()["data"]] == [second]
    assert code(zoho.get(f"Contacts/{first}")) == (403, "NO_PERMISSION")
    assert row_codes(zoho.write("PUT", "Contacts", {"id": first, "Title": "x"})) == ["NO_PERMISSION"]


def test_a_hidden_field_is_absent_everywhere(zoho: ZohoClient) -> None:
    record_id = zoho.insert(Email="a@bank.example", Title="经理")
    zoho.admin.post("hide_field", {"object": "Contacts", "field": "Email"})
    assert "Email" not in zoho.list().json()["data"][0]
    assert "Email" not in zoho.get(f"Contacts/{record_id}").json()["data"][0]
    assert "Email" not in {one["api_name"] for one in zoho.get("settings/fields", module="Contacts").json()["fields"]}
    assert code(zoho.coql("select Email from Contacts where id is not null")) == (400, "INVALID_QUERY")
    assert zoho.write("PUT", f"Contacts/{record_id}", {"Email": "b@bank.example"}).status_code == 200
    assert zoho.admin.records("Contacts")[0]["Email"] == "a@bank.example"


def test_results_keep_the_order_of_rows_and_the_status_tells_the_mix(zoho: ZohoClient) -> None:
    good, bad = {"Last_Name": "好"}, {"First_Name": "缺姓"}
    assert zoho.write("POST", "Contacts", good, good).status_code == 201
    mixed = zoho.write("POST", "Contacts", good, bad, good)
    assert (mixed.status_code, row_codes(mixed)) == (207, ["SUCCESS", "MANDATORY_NOT_FOUND", "SUCCESS"])
    assert mixed.json()["data"][1]["details"] == {"api_name": "Last_Name", "json_path": "$.data[1].Last_Name"}
    assert zoho.write("POST", "Contacts", bad).status_code == 400
    zoho.admin.settings(all_failed_status=202)
    assert zoho.write("POST", "Contacts", bad).status_code == 202
    assert code(zoho.write("POST", "Contacts", *[good] * 101)) == (400, "LIMIT_EXCEEDED")
    assert code(zoho.call("POST", "Contacts", json={})) == (400, "MANDATORY_NOT_FOUND")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Email": "no mail"}, {"api_name": "Email", "expected_data_type": "email"}),
        ({"Mobile": "call me"}, {"api_name": "Mobile", "expected_data_type": "phone"}),
        ({"First_Name": "长" * 41}, {"api_name": "First_Name", "maximum_length": 40}),
        ({"First_Name": 7}, {"api_name": "First_Name", "expected_data_type": "text"}),
        ({"Date_of_Birth": "1990-02-30"}, {"api_name": "Date_of_Birth", "expected_data_type": "date"}),
        ({"Next_Follow_Up_At": "2026-01-01T00:00:00"}, {"expected_data_type": "datetime"}),
        ({"Next_Follow_Up_At": "2026-01-01T00:00:00.000+08:00"}, {"expected_data_type": "datetime"}),
        ({"Satisfaction_Score": "5"}, {"expected_data_type": "integer"}),
        ({"Email_Opt_Out": "yes"}, {"expected_data_type": "boolean"}),
        ({"Customer_Tier": "白金"}, {"api_name": "Customer_Tier", "expected_data_type": "picklist"}),
        ({"Account_Name": {"id": "1"}}, {"api_name": "Account_Name"}),
        ({"Owner": {"id": "5843104000000301007"}}, {"api_name": "Owner"}),
        ({"Tag": ["plain"]}, {"api_name": "Tag", "expected_data_type": "jsonarray"}),
    ],
)
def test_wrong_values_are_refused_with_field_and_reason(
    zoho: ZohoClient, fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    answer = zoho.write("POST", "Contacts", {"Last_Name": "错", **fields})
    assert row_codes(answer) == ["INVALID_DATA"]
    details = answer.json()["data"][0]["details"]
    assert expected.items() <= details.items()
    assert details["json_path"] == f"$.data[0].{next(iter(fields))}"


def test_values_come_back_as_the_vendor_keeps_them(zoho: ZohoClient) -> None:
    account = zoho.write("POST", "Accounts", {"Account_Name": "甲公司"}).json()["data"][0]["details"]["id"]
    record_id = zoho.insert(
        First_Name=" 𠮷祥😀 ",
        Next_Follow_Up_At="2026-03-01T01:00:00Z",
        Account_Name={"id": account},
        Owner={"id": "5843104000000301002"},
        Tag=[{"name": "高净值"}],
        Customer_Tier="-None-",
        No_Such_Field=1,
    )
    kept = zoho.get(f"Contacts/{record_id}").json()["data"][0]
    assert kept["First_Name"] == "𠮷祥😀"
    assert kept["Full_Name"] == "𠮷祥😀 测试"
    assert kept["Next_Follow_Up_At"] == "2026-03-01T09:00:00+08:00"
    assert kept["Account_Name"] == {"name": "甲公司", "id": account}
    assert kept["Owner"]["name"] == "李秀英"
    assert [set(tag) for tag in kept["Tag"]] == [{"name", "id", "color_code"}]
    assert kept["Customer_Tier"] is None
    assert kept["Created_By"]["id"] == "5843104000000301000"
    assert "No_Such_Field" not in kept


def test_update_is_partial_null_clears_and_the_time_moves(zoho: ZohoClient) -> None:
    zoho.admin.post("clock", {"freeze": True})
    record_id = zoho.insert(First_Name="甲", Mobile="13800000000")
    zoho.admin.advance(5)
    done = zoho.write("PUT", f"Contacts/{record_id}", {"Mobile": None})
    kept = zoho.get(f"Contacts/{record_id}").json()["data"][0]
    assert (kept["First_Name"], kept["Mobile"]) == ("甲", None)
    assert done.json()["data"][0]["details"]["Modified_Time"] == kept["Modified_Time"] > kept["Created_Time"]
    zoho.admin.advance(5)
    zoho.write("PUT", "Contacts", {"id": record_id})
    assert zoho.get(f"Contacts/{record_id}").json()["data"][0]["Modified_Time"] > kept["Modified_Time"]
    refused = zoho.write(
        "PUT", "Contacts", {"Title": "无号"}, {"id": "77", "Title": "x"}, {"id": record_id, "Last_Name": None}
    )
    assert row_codes(refused) == ["MANDATORY_NOT_FOUND", "INVALID_DATA", "MANDATORY_NOT_FOUND"]


def test_unique_values_clash_without_regard_to_case(zoho: ZohoClient) -> None:
    first = zoho.insert(Hub_Id="Hub-1")
    clash = zoho.write("POST", "Contacts", {"Last_Name": "乙", "Hub_Id": "hub-1"})
    assert row_codes(clash) == ["DUPLICATE_DATA"]
    assert clash.json()["data"][0]["details"] == {"api_name": "Hub_Id", "json_path": "$.data[0].Hub_Id", "id": first}
    twice = zoho.write("POST", "Contacts", *[{"Last_Name": "丙", "Hub_Id": "hub-2"}] * 2)
    assert row_codes(twice) == ["SUCCESS", "DUPLICATE_DATA"]
    zoho.admin.settings(duplicate_details="duplicate_record")
    clash = zoho.write("POST", "Contacts", {"Last_Name": "乙", "Hub_Id": "hub-1"})
    assert clash.json()["data"][0]["details"]["duplicate_record"]["id"] == first
    zoho.call("DELETE", f"Contacts/{first}")
    assert zoho.write("POST", "Contacts", {"Last_Name": "乙", "Hub_Id": "hub-1"}).status_code == 201


def test_upsert_matches_listed_and_unique_fields(zoho: ZohoClient) -> None:
    first = zoho.insert(Hub_Id="h1", Email="same@bank.example")
    by_hub = zoho.write(
        "POST", "Contacts/upsert", {"Last_Name": "甲", "Hub_Id": "h1"}, duplicate_check_fields=["Hub_Id"]
    )
    result = by_hub.json()["data"][0]
    assert (result["action"], result["duplicate_field"], result["details"]["id"]) == ("update", "Hub_Id", first)
    listed = {"Last_Name": "乙", "Hub_Id": "h2", "Email": "same@bank.example"}
    made = zoho.write("POST", "Contacts/upsert", listed, duplicate_check_fields=["Hub_Id"]).json()["data"][0]
    assert (made["action"], made["duplicate_field"]) == ("insert", None)
    # Without a list the vendor's own duplicate field decides: two people with one e-mail are merged.
    twin = {"Last_Name": "丙", "Email": "SAME@bank.example"}
    assert zoho.write("POST", "Contacts/upsert", twin).json()["data"][0]["duplicate_field"] == "Email"


def test_upsert_only_matches_fields_that_are_unique(zoho: ZohoClient) -> None:
    row = {"Last_Name": "甲", "Mobile": "13800000000"}
    assert code(zoho.write("POST", "Contacts/upsert", row, duplicate_check_fields=["Mobile"])) == (400, "INVALID_DATA")


def test_conditional_upsert_fails_when_the_record_moved_on(zoho: ZohoClient) -> None:
    zoho.insert(Hub_Id="h1")
    header = {"If-Unmodified-Since": "2020-01-01T00:00:00+08:00"}
    row = {"Last_Name": "甲", "Hub_Id": "h1"}
    more = {"duplicate_check_fields": ["Hub_Id"], "headers": header}
    assert code(zoho.write("POST", "Contacts/upsert", row, **more)) == (412, "ALREADY_MODIFIED")
    both = zoho.write("POST", "Contacts/upsert", row, {"Last_Name": "乙", "Hub_Id": "h2"}, **more)
    assert (both.status_code, row_codes(both)) == (207, ["ALREADY_MODIFIED", "SUCCESS"])


def test_conditional_update_fails_when_the_record_moved_on(zoho: ZohoClient) -> None:
    zoho.admin.post("clock", {"freeze": True})
    record_id, other = zoho.insert(), zoho.insert()
    seen = zoho.get(f"Contacts/{record_id}").json()["data"][0]["Modified_Time"]
    header = {"If-Unmodified-Since": seen}
    assert zoho.write("PUT", f"Contacts/{record_id}", {"Title": "一"}, headers=header).status_code == 200
    zoho.admin.advance(2)
    zoho.admin.post("edit", {"object": "Contacts", "id": record_id, "fields": {"Title": "人改"}})
    stale = zoho.write("PUT", f"Contacts/{record_id}", {"Title": "二"}, headers=header)
    assert code(stale) == (412, "ALREADY_MODIFIED")
    assert stale.json()["details"]["id"] == record_id
    both = [{"id": other, "Title": "三"}, {"id": record_id, "Title": "三"}]
    assert zoho.write("PUT", "Contacts", *both, headers=header).status_code == 412
    zoho.admin.settings(conditional_batch="per_row", error_style="data")
    mixed = zoho.write("PUT", "Contacts", *both, headers=header)
    assert (mixed.status_code, row_codes(mixed)) == (207, ["SUCCESS", "ALREADY_MODIFIED"])
    wrapped = zoho.write("PUT", f"Contacts/{record_id}", {"Title": "二"}, headers=header)
    assert wrapped.json()["data"][0]["code"] == "ALREADY_MODIFIED"
    assert zoho.get(f"Contacts/{record_id}").json()["data"][0]["Title"] == "人改"


def test_automations_run_unless_trigger_is_empty(zoho: ZohoClient) -> None:
    silent, loud = zoho.insert(), zoho.insert()
    zoho.write("PUT", "Contacts", {"id": loud, "Title": "x"}, trigger=None)
    assert zoho.get(f"Contacts/{silent}").json()["data"][0]["Lead_Source"] is None
    assert zoho.get(f"Contacts/{loud}").json()["data"][0]["Lead_Source"] == "Other"
    zoho.admin.post(
        "rules", {"automations": [{"module": "Contacts", "when": {"Title": "y"}, "set": {"Department": "自动"}}]}
    )
    zoho.write("PUT", "Contacts", {"id": silent, "Title": "y"}, trigger=["workflow"])
    assert zoho.get(f"Contacts/{silent}").json()["data"][0]["Department"] == "自动"
    assert code(zoho.write("POST", "Contacts", {"Last_Name": "x"}, trigger=["nonsense"])) == (400, "INVALID_DATA")
    assert zoho.admin.calls()["remarks"]["update Contacts trigger=omitted"] == 1


def test_rules_locks_and_row_faults_refuse_single_rows(zoho: ZohoClient) -> None:
    record_id = zoho.insert()
    zoho.admin.post("rules", {"refusals": [{"module": "Contacts", "field": "Title", "value": "禁用"}]})
    refused = zoho.write("PUT", "Contacts", {"id": record_id, "Title": "禁用"})
    assert refused.json()["data"][0]["details"]["api_name"] == "Title"
    zoho.admin.post("lock", {"object": "Contacts", "id": record_id})
    assert row_codes(zoho.write("PUT", "Contacts", {"id": record_id, "Title": "好"})) == ["RECORD_LOCKED"]
    zoho.admin.faults([{"match": {"method": "POST"}, "action": "row_error", "row": 1, "code": "NO_PERMISSION"}])
    assert row_codes(zoho.write("POST", "Contacts", *[{"Last_Name": "甲"}] * 3)) == [
        "SUCCESS",
        "NO_PERMISSION",
        "SUCCESS",
    ]


def test_deleted_records_go_to_the_bin_age_and_come_back(zoho: ZohoClient) -> None:
    first, second = zoho.insert(First_Name="甲"), zoho.insert(First_Name="乙")
    gone = zoho.call("DELETE", "Contacts", params={"ids": f"{first},{second}"})
    assert gone.json()["data"][0]["details"] == {"id": first}
    assert row_codes(zoho.call("DELETE", f"Contacts/{first}")) == ["INVALID_DATA"]
    assert zoho.get(f"Contacts/{first}").status_code == 204
    rows = zoho.get("Contacts/deleted").json()["data"]
    assert {row["id"]: (row["type"], row["display_name"]) for row in rows} == {
        first: ("recycle", "甲 测试"),
        second: ("recycle", "乙 测试"),
    }
    restored = zoho.call("POST", "settings/recycle_bin/actions/restore", json={"ids": [first, "1"]})
    assert restored.status_code == 207
    assert zoho.get(f"Contacts/{first}").status_code == 200
    zoho.admin.advance(61 * 86_400)
    zoho.sign_in()
    row = zoho.get("Contacts/deleted", type="permanent").json()["data"][0]
    assert (row["id"], row["display_name"], row["deleted_by"]) == (second, None, None)
    zoho.admin.advance(60 * 86_400)
    zoho.sign_in()
    assert zoho.get("Contacts/deleted").status_code == 204
    assert code(zoho.get("Contacts/deleted", type="some")) == (400, "PATTERN_NOT_MATCHED")


def test_merge_deletes_the_loser_and_keeps_the_chosen_values(zoho: ZohoClient) -> None:
    master, loser = zoho.insert(Title="经理"), zoho.insert(Mobile="13900000000")
    body = {"merge": [{"data": [{"id": loser, "_fields": [{"api_name": "Mobile"}]}]}]}
    assert zoho.call("POST", f"Contacts/{master}/actions/merge", json=body).status_code == 200
    assert zoho.get(f"Contacts/{master}").json()["data"][0]["Mobile"] == "13900000000"
    assert [row["id"] for row in zoho.get("Contacts/deleted").json()["data"]] == [loser]
    assert zoho.get(f"Contacts/{loser}").status_code == 204


def test_admin_edits_act_as_a_person(zoho: ZohoClient) -> None:
    made = zoho.admin.post("create", {"object": "Accounts", "fields": {"Account_Name": "乙公司"}})["id"]
    zoho.admin.post(
        "edit", {"object": "Accounts", "id": made, "fields": {"Rating": "贵宾"}, "by": "5843104000000301005"}
    )
    kept = zoho.get(f"Accounts/{made}").json()["data"][0]
    assert (kept["Rating"], kept["Modified_By"]["id"]) == ("贵宾", "5843104000000301005")
    with pytest.raises(RuntimeError, match="INVALID_DATA"):
        zoho.admin.post("edit", {"object": "Accounts", "id": made, "fields": {"Rating": "错"}})
    zoho.admin.post("delete", {"object": "Accounts", "id": made})
    assert [row["_state"] for row in zoho.admin.records("Accounts")] == ["recycle"]
    zoho.admin.post("restore", {"object": "Accounts", "id": made})
    assert zoho.get(f"Accounts/{made}").status_code == 200


def test_seeded_records_carry_the_ids_of_the_truth() -> None:
    with start_simulator("zoho_crm", records=200, seed=9) as running:
        seeded = {row["id"] for name in ("Contacts", "Accounts") for row in running.admin.records(name)}
        truth = running.admin.truth()
        assert {row["zoho_crm"] for row in truth if row["zoho_crm"]} == seeded
        assert len(truth) == 200
        _assert_nothing_is_refused(running)


def _assert_nothing_is_refused(running: RunningSimulator) -> None:
    """Every seeded record is one that the vendor itself would have accepted."""
    zoho = ZohoClient(running)
    for module in ("Contacts", "Accounts"):
        for record in zoho.walk(module, fields="Last_Name,Account_Name"):
            full = zoho.get(f"{module}/{record['id']}").json()["data"][0]
            payload = {name: value for name, value in full.items() if name not in ("Owner", "Tag")}
            answer = zoho.write("PUT", module, payload)
            assert answer.status_code == 200, answer.text
