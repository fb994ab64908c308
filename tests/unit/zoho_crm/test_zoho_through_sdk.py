"""`backend: zcrmsdk`: what the SDK hides, loses or would leak reaches nobody, and one process keeps orgs apart."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from zoho_lab import CREDENTIALS, LabContext, simulator

from connectors.addresses import Egress
from connectors.base import NativeRecord, Op, Refused, Unknown, WriteRequest, WriteResult, Written
from connectors.conformance.hygiene import spelled_out
from connectors.conformance.kit import captured_logs
from connectors.errors import (
    AuthRejected,
    ConnectorError,
    ProtocolViolation,
    RateLimited,
    RetryLater,
    SchemaDrift,
    SettingsInvalid,
)
from connectors.http import HttpClient, HttpPolicy
from connectors.simulation.server import Admin
from connectors.zoho_crm import sdk, sdk_session
from connectors.zoho_crm.backends import open_connector
from connectors.zoho_crm.connector import ZohoCrmConnector
from connectors.zoho_crm.sdk_connector import ZohoSdkConnector
from tests.catcher import wait_for

FIELDS = ("Hub_Id", "Last_Name", "Mobile", "Description", "Owner", "Account_Name", "Customer_Tier", "Loyalty_Points")


def through_sdk(url: str, context: LabContext, **settings: Any) -> ZohoSdkConnector:
    urls = {"accounts_url": url, "api_url": url}
    made = open_connector({"backend": "zcrmsdk", "visibility_lag": 0.0, **urls, **settings}, context)
    assert isinstance(made, ZohoSdkConnector)
    return made


@pytest.fixture
def zoho(org: Any) -> Iterator[ZohoSdkConnector]:
    made = through_sdk(org.url, org.context)
    yield made
    made.close()


def read(zoho: ZohoSdkConnector, fields: tuple[str, ...] = FIELDS) -> list[NativeRecord]:
    found: list[NativeRecord] = []
    cursor = None
    while True:
        page = zoho.changes("Contacts", fields, cursor, 200)
        found += page.records
        cursor = page.next_cursor
        if page.complete:
            return found


def update(zoho: ZohoSdkConnector, native_id: str, version: str | None = None, **fields: Any) -> WriteResult:
    return zoho.write([WriteRequest(Op.UPDATE, "Contacts", native_id, fields, "hub", "key", version)])[0]


def creates(number: int, **fields: Any) -> list[WriteRequest]:
    return [
        WriteRequest(
            Op.CREATE, "Contacts", None, {"Last_Name": f"李{n}", "Hub_Id": f"hub-{n}", **fields}, f"hub-{n}", f"k{n}"
        )
        for n in range(number)
    ]


def called(org: Any) -> dict[str, int]:
    counted: dict[str, int] = org.admin.calls()["calls"]
    return counted


# --- choosing it ------------------------------------------------------------------------------------------------------


def test_the_backend_is_a_setting_and_rest_is_the_default(org: Any) -> None:
    urls = {"accounts_url": org.url, "api_url": org.url}
    assert isinstance(open_connector(urls, org.context), ZohoCrmConnector)
    assert isinstance(open_connector({**urls, "backend": "rest"}, org.context), ZohoCrmConnector)
    with pytest.raises(SettingsInvalid, match="backend"):
        open_connector({**urls, "backend": "sdk"}, org.context)


@pytest.mark.parametrize(
    ("setting", "value"), [("grant", "client_credentials"), ("conditional_updates", "single_row_if_unmodified_since")]
)
def test_what_only_the_other_backend_can_do_is_named(org: Any, setting: str, value: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"{setting}.*backend: rest"):
        open_connector({"backend": "zcrmsdk", "org_id": "1", setting: value}, org.context)


def test_the_borrowed_mysql_is_given_back(zoho: ZohoSdkConnector) -> None:
    read(zoho)
    assert "zcrmsdk" in sys.modules
    assert "mysql" not in sys.modules
    assert "mysql.connector" not in sys.modules


def test_it_says_what_it_cannot_do(zoho: ZohoSdkConnector) -> None:
    can = zoho.capabilities("Contacts")
    assert (can.can_clear, can.can_restore, can.conditional_write, can.strong_read_by_key) == (False, False, True, True)
    assert not hasattr(zoho, "count")


# --- what it sends ----------------------------------------------------------------------------------------------------


def test_everything_goes_over_v2_and_through_our_transport(org: Any, zoho: ZohoSdkConnector) -> None:
    native_id = org.create()
    read(zoho)
    assert isinstance(update(zoho, native_id, Mobile="+8613900000001"), Written)
    zoho.fetch("Contacts", [native_id], FIELDS)
    zoho.find("Contacts", "Hub_Id", ["hub"], FIELDS)
    zoho.describe("Contacts")
    zoho.deletions("Contacts", None, 200)
    counted = org.admin.calls()
    assert sum(org.context.http.calls().values()) == counted["total"]
    assert {path.split("/")[2] for path in counted["paths"]} == {"v2"}


def test_an_idle_poll_is_one_call(org: Any, zoho: ZohoSdkConnector) -> None:
    org.create()
    cursor = zoho.changes("Contacts", FIELDS, None, 200).next_cursor
    org.advance(200)
    cursor = zoho.changes("Contacts", FIELDS, cursor, 200).next_cursor
    before = org.calls()
    page = zoho.changes("Contacts", FIELDS, cursor, 200)
    assert page.complete
    assert {
        name: count - before.get(name, 0) for name, count in org.calls().items() if count - before.get(name, 0)
    } == {"list Contacts": 1}


def test_instants_keep_their_moment_and_lookups_their_ids(org: Any, zoho: ZohoSdkConnector) -> None:
    account = org.admin.post("create", {"object": "Accounts", "fields": {"Account_Name": "样本单位"}})["id"]
    sent = {
        "Next_Follow_Up_At": "2026-03-29T02:30:00+08:00",
        "Date_of_Birth": "1960-02-29",
        "Account_Name": {"id": account},
        "Customer_Tier": "贵宾",
        "Loyalty_Points": -7,
        "Email_Opt_Out": True,
        "Tag": [{"name": "高净值"}],
    }
    (written,) = zoho.write(creates(1, **sent))
    assert isinstance(written, Written)
    stored = org.stored(written.native_id)
    assert stored["Next_Follow_Up_At"] == "2026-03-29T02:30:00+08:00"
    assert (stored["Account_Name"]["id"], stored["Customer_Tier"], stored["Loyalty_Points"]) == (account, "贵宾", -7)
    (shown,) = read(zoho, tuple(sent))
    assert shown.fields["Next_Follow_Up_At"] == "2026-03-28T18:30:00+00:00"
    assert shown.fields["Date_of_Birth"] == "1960-02-29"
    assert shown.fields["Account_Name"] == {"name": "样本单位", "id": account}
    assert shown.fields["Customer_Tier"] == "贵宾"
    assert shown.fields["Tag"][0]["name"] == "高净值"
    assert shown.version == zoho.fetch("Contacts", [written.native_id], ())[written.native_id].version  # type: ignore[union-attr]


# --- rows that the SDK would refuse, and with them their batch --------------------------------------------------------


def test_a_row_that_the_sdk_would_not_take_is_refused_alone(org: Any, zoho: ZohoSdkConnector) -> None:
    requests = creates(5)
    bad = WriteRequest(Op.CREATE, "Contacts", None, {**requests[2].fields, "Loyalty_Points": "many"}, "hub-2", "k2")
    results = zoho.write([*requests[:2], bad, *requests[3:]])
    assert [type(result) for result in results] == [Written, Written, Refused, Written, Written]
    assert isinstance(results[2], Refused)
    assert (results[2].code, results[2].field) == ("INVALID_DATA", "Loyalty_Points")
    assert "many" not in results[2].en + results[2].zh
    assert org.calls()["create Contacts"] == 1


def test_a_batch_that_the_sdk_refuses_is_sent_in_halves(org: Any, zoho: ZohoSdkConnector) -> None:
    requests = creates(4)
    bad = WriteRequest(Op.CREATE, "Contacts", None, {"Hub_Id": "hub-1"}, "hub-1", "k1")
    results = zoho.write([requests[0], bad, *requests[2:]])
    assert [type(result) for result in results] == [Written, Refused, Written, Written]
    assert isinstance(results[1], Refused)
    assert (results[1].code, results[1].field) == ("MANDATORY_NOT_FOUND", "Last_Name")
    assert org.calls()["create Contacts"] == 2


def test_rows_that_the_vendor_refuses_come_in_order(org: Any, zoho: ZohoSdkConnector) -> None:
    taken = org.create(Hub_Id="hub-1")
    requests = creates(3)
    results = zoho.write(requests)
    assert [type(result) for result in results] == [Written, Refused, Written]
    assert isinstance(results[1], Refused)
    assert (results[1].code, results[1].field, results[1].existing_id) == ("DUPLICATE_DATA", "Hub_Id", taken)


def test_an_empty_value_is_refused_where_it_would_clear(org: Any, zoho: ZohoSdkConnector) -> None:
    full, bare = org.create(Mobile="+8613900000001", Description="备注"), org.create()
    refused, written = zoho.write(
        [
            WriteRequest(Op.UPDATE, "Contacts", each, {"Mobile": None, "Description": "新"}, f"hub-{each}", each)
            for each in (full, bare)
        ]
    )
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field, refused.retry_later) == ("CANNOT_CLEAR", "Mobile", False)
    assert "backend: rest" in refused.en
    assert org.stored(full)["Description"] == "备注"
    assert isinstance(written, Written)
    assert org.stored(bare)["Description"] == "新"


def test_what_a_list_does_not_show_yet_is_not_taken_for_empty(org: Any, zoho: ZohoSdkConnector) -> None:
    native_id = org.create(Mobile="+8613900000001")
    org.admin.settings(list_lag=60.0)
    assert isinstance(update(zoho, native_id, Mobile=None), Refused)
    assert org.stored(native_id)["Mobile"] == "+8613900000001"


def test_choices_lookups_and_tags_can_be_emptied(org: Any, zoho: ZohoSdkConnector) -> None:
    account = org.admin.post("create", {"object": "Accounts", "fields": {"Account_Name": "样本单位"}})["id"]
    native_id = org.create(Customer_Tier="贵宾", Account_Name={"id": account}, Tag=[{"name": "高净值"}])
    result = update(zoho, native_id, Customer_Tier=None, Account_Name=None, Tag=None)
    assert isinstance(result, Written)
    stored = org.stored(native_id)
    assert (stored["Customer_Tier"], stored["Account_Name"], stored["Tag"]) == (None, None, [])


def test_a_field_of_a_type_that_the_sdk_does_not_know_does_not_block_its_module(
    org: Any, zoho: ZohoSdkConnector
) -> None:
    described = {"api_name": "Total_Assets", "data_type": "rollup_summary", "system_mandatory": False}
    name = {"api_name": "Last_Name", "data_type": "text", "system_mandatory": True}
    org.fault("GET", "/settings/fields", "vendor_error", status=200, body={"fields": [name, described]})
    assert isinstance(zoho.write(creates(1))[0], Written)


# --- answers that the SDK loses ---------------------------------------------------------------------------------------


def test_a_truncated_page_is_a_violation_and_never_no_records(org: Any, zoho: ZohoSdkConnector) -> None:
    org.create()
    read(zoho)
    org.fault("GET", "/Contacts$", "truncated_json")
    with pytest.raises(ProtocolViolation):
        read(zoho)


def test_an_answer_that_the_sdk_cannot_read_is_a_violation(org: Any, zoho: ZohoSdkConnector) -> None:
    org.create()
    read(zoho)
    body = {"data": [{"id": "5843104000000000001", "Modified_Time": "yesterday"}], "info": {"more_records": False}}
    org.fault("GET", "/Contacts$", "vendor_error", status=200, body=body)
    with pytest.raises(ProtocolViolation, match="zcrmsdk"):
        read(zoho)


def test_an_unreadable_answer_to_a_write_is_unknown(org: Any, zoho: ZohoSdkConnector) -> None:
    native_id = org.create()
    org.fault("PUT", "/Contacts", "vendor_error", status=200, body={"data": [{"details": {"id": "soon"}}]})
    assert isinstance(update(zoho, native_id, Mobile="+8613900000001"), Unknown)


@pytest.mark.parametrize(
    ("action", "expected"), [("http_502_html", RetryLater), ("http_500", RetryLater), ("http_429", RateLimited)]
)
def test_server_errors_are_told_apart(
    org: Any, zoho: ZohoSdkConnector, action: str, expected: type[ConnectorError]
) -> None:
    org.create()
    read(zoho)
    org.fault("GET", "/Contacts$", action, times=0)
    with pytest.raises(expected):
        read(zoho)


def test_a_stalled_server_ends_in_our_timeout(org: Any) -> None:
    policy = HttpPolicy(Egress((), profile="lab"), read_timeout=60.0, read_attempts=2)
    org.context.http = client = HttpClient(policy, org.context.clock, system="zoho")
    zoho = through_sdk(org.url, org.context)
    org.create()
    read(zoho)
    client._policy = replace(policy, read_timeout=0.4)
    org.fault("GET", "/Contacts$", "timeout_before_commit", times=0, seconds=30)
    with pytest.raises(RetryLater, match="no answer in time"):
        read(zoho)
    org.fault("PUT", "/Contacts", "timeout_after_commit", seconds=30)
    assert isinstance(update(zoho, org.create(), Mobile="+8613900000001"), Unknown)
    zoho.close()
    org.context.http.close()


def test_a_module_that_is_gone_is_drift(org: Any) -> None:
    zoho = through_sdk(org.url, org.context, objects=["Contacts", "Deals"])
    for act in (
        lambda: zoho.changes("Deals", ("Stage",), None, 200),
        lambda: zoho.write([WriteRequest(Op.CREATE, "Deals", None, {"Stage": "x"}, "hub", "key")]),
        lambda: zoho.describe("Deals"),
    ):
        with pytest.raises(SchemaDrift):
            act()
    zoho.close()


def test_only_addresses_of_the_connection_are_reached(org: Any) -> None:
    elsewhere = LabContext()
    elsewhere.http = HttpClient(HttpPolicy(Egress((), profile="production")), elsewhere.clock, system="zoho")
    zoho = through_sdk(org.url, elsewhere)
    with pytest.raises(SettingsInvalid):
        read(zoho)
    assert called(org) == {}
    zoho.close()


# --- long walks -------------------------------------------------------------------------------------------------------


def test_a_second_that_fills_pages_is_read_by_id(org: Any, zoho: ZohoSdkConnector) -> None:
    cursor = zoho.changes("Contacts", ("Mobile",), None, 200).next_cursor
    org.advance(130)
    org.admin.post("clock", {"freeze": True})
    ids = {org.create(f"样本{n}") for n in range(7)}
    org.advance(5)
    later = org.create("其后")
    org.admin.post("clock", {"freeze": False})
    seen: list[str] = []
    for _ in range(50):
        page = zoho.changes("Contacts", ("Mobile",), cursor, 3)
        assert len(page.records) <= 3
        seen += [record.native_id for record in page.records]
        cursor = page.next_cursor
        if page.complete:
            break
    assert set(seen) == {*ids, later}
    assert page.complete


def test_a_listing_past_its_first_page_goes_by_query(org: Any, zoho: ZohoSdkConnector) -> None:
    ids = {org.create(f"样本{n}") for n in range(7)}
    seen: list[str] = []
    cursor = None
    while True:
        page = zoho.changes("Contacts", ("Mobile",), cursor, 3)
        seen += [record.native_id for record in page.records]
        cursor = page.next_cursor
        if page.complete:
            break
    assert sorted(seen) == sorted(ids)
    assert org.calls()["coql Contacts"] == 2


# --- sign-in and tenants ----------------------------------------------------------------------------------------------


def signed_in(context: LabContext) -> int:
    return dict(context.http.calls()).get("token", 0)


def test_eight_threads_with_an_expired_token_sign_in_once(org: Any) -> None:
    org.create()
    connections = [through_sdk(org.url, org.context) for _ in range(8)]
    read(connections[0])
    assert signed_in(org.context) == 1
    org.admin.post("tokens", {"expire": True})
    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(read, connections))
    assert signed_in(org.context) == 2
    assert [len(page) for page in pages] == [1] * 8
    for each in connections:
        each.close()


def test_a_sign_in_and_a_refused_call_do_not_wait_for_each_other(org: Any, zoho: ZohoSdkConnector) -> None:
    org.create()
    read(zoho)
    other = through_sdk(org.url, org.context)
    org.fault("GET", "/Contacts$", "slow", ms=600)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(read, zoho)
        wait_for(lambda: any(rule["struck"] for rule in org.admin.calls()["faults"]))
        org.admin.post("tokens", {"expire": True})
        org.context.clock.offset += 3600
        assert len(pool.submit(read, other).result(30)) == len(slow.result(30)) == 1
    assert signed_in(org.context) == 2
    other.close()


def test_a_token_that_comes_due_is_renewed_ahead_by_our_clock(org: Any, zoho: ZohoSdkConnector) -> None:
    read(zoho)
    org.context.clock.offset += 3600 - 310
    read(zoho)
    assert signed_in(org.context) == 1
    org.context.clock.offset += 20
    read(zoho)
    assert signed_in(org.context) == 2


def test_a_token_kept_by_another_process_is_used(org: Any, zoho: ZohoSdkConnector) -> None:
    read(zoho)
    later = through_sdk(org.url, LabContext(tokens=org.context.tokens))
    read(later)
    later.close()
    assert called(org)["token"] == 1


def test_a_write_whose_token_was_refused_is_sent_once_more(org: Any, zoho: ZohoSdkConnector) -> None:
    native_id = org.create()
    read(zoho)
    org.admin.post("tokens", {"expire": True})
    assert isinstance(update(zoho, native_id, Mobile="+8613900000001"), Written)
    assert signed_in(org.context) == 2


def test_a_fresh_token_that_is_refused_too_ends_it(org: Any, zoho: ZohoSdkConnector) -> None:
    read(zoho)
    org.fault("GET", "/Contacts", "auth_expired", times=0)
    with pytest.raises(AuthRejected):
        read(zoho)
    assert signed_in(org.context) == 2


@pytest.mark.parametrize(
    ("name", "value", "missing"),
    [
        ("client_id", "1000.OTHER", "client_id, client_secret"),
        ("client_secret", "wrong-secret", "client_secret"),
        ("refresh_token", "1000.wrong", "refresh_token"),
    ],
)
def test_wrong_credentials_name_what_to_replace(org: Any, name: str, value: str, missing: str) -> None:
    zoho = through_sdk(org.url, LabContext(credentials={**CREDENTIALS, name: value}))
    with pytest.raises(AuthRejected) as refused:
        read(zoho)
    assert refused.value.missing == missing
    zoho.close()


def test_a_token_of_another_data_center_is_refused_and_nothing_is_sent_there(org: Any, zoho: ZohoSdkConnector) -> None:
    body = {"access_token": "1000.elsewhere", "expires_in": 3600, "api_domain": "https://www.zohoapis.eu"}
    org.fault("POST", "/oauth/v2/token", "vendor_error", status=200, body=body)
    with pytest.raises(SettingsInvalid, match="data_center"):
        read(zoho)
    assert org.context.tokens.get("access_token") is None


def test_two_organisations_in_one_process_never_mix(org: Any) -> None:
    with simulator() as other_url:
        other, context = Admin(other_url), LabContext()
        here, there = through_sdk(org.url, org.context), through_sdk(other_url, context)
        mine = {org.create(f"甲{n}") for n in range(3)}
        theirs = {
            other.post("create", {"object": "Contacts", "fields": {"Last_Name": f"乙{n}"}})["id"] for n in range(4)
        }

        def names(zoho: ZohoSdkConnector) -> set[str]:
            return {str(record.fields["Last_Name"])[0] for record in read(zoho)}

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(names, [here, there] * 12))
        assert found == [{"甲"}, {"乙"}] * 12
        assert (len(read(here)), len(read(there))) == (len(mine), len(theirs))
        assert isinstance(update(there, min(theirs), Mobile="+8613900000001"), Written)
        assert all(row["Mobile"] is None for row in org.admin.records("Contacts"))
        assert signed_in(org.context) == signed_in(context) == 1
        for each in (here, there):
            each.close()


# --- what must not leak -----------------------------------------------------------------------------------------------

SECRET_NAME = "机密客户王小明"
PLANTED: Mapping[str, str] = {
    "client_id": "1000.SIMULATED",
    "client_secret": "simulated-secret",
    "refresh_token": "1000.simulated.refresh",
}


def test_secrets_and_values_leak_nowhere(org: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    said: list[str] = []
    with captured_logs() as lines:
        zoho = through_sdk(org.url, org.context)
        native_id = org.create(SECRET_NAME, Description=SECRET_NAME)
        read(zoho)
        faults: list[tuple[str, dict[str, Any]]] = [
            ("truncated_json", {}),
            ("http_502_html", {}),
            ("vendor_error", {"status": 200, "body": {"data": [{"id": "1", "Modified_Time": SECRET_NAME}]}}),
            ("vendor_error", {"status": 200, "body": {"data": [{"id": SECRET_NAME}], "info": {"count": SECRET_NAME}}}),
            (
                "vendor_error",
                {"status": 418, "body": {"code": "NEW", "message": SECRET_NAME, "details": {"reason": SECRET_NAME}}},
            ),
            ("auth_expired", {}),
            ("reset_before_commit", {}),
        ]
        for action, details in faults:
            for method in ("GET", "PUT", "POST"):
                org.fault(method, "/(Contacts|coql)", action, times=0, **details)
                for act in (
                    lambda: read(zoho),
                    lambda: update(zoho, native_id, Description=SECRET_NAME),
                    lambda: zoho.find("Contacts", "Last_Name", [SECRET_NAME], FIELDS),
                ):
                    try:
                        act()
                    except ConnectorError as error:
                        said.append(spelled_out(error))
        org.admin.faults([])
        said += [repr(update(zoho, native_id, Loyalty_Points=SECRET_NAME)), repr(zoho), repr(zoho._api._session)]
        kept = org.context.tokens.kept["access_token"].decode()
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert files
        said += [path.name + path.read_text(encoding="utf-8") for path in files]
    said += lines
    everything = "\n".join(said)
    token = kept.split('"value": "')[1].split('"')[0]
    for planted in (*PLANTED.values(), token, SECRET_NAME):
        assert planted not in everything
    assert any("zcrmsdk reports an error in" in line for line in lines)
    zoho.close()
    assert not list(tmp_path.iterdir())


def test_the_sdk_keeps_no_credentials_after_signing_in(org: Any, zoho: ZohoSdkConnector) -> None:
    read(zoho)
    token = zoho._api._session._mine.token
    assert (token.client_id, token.client_secret, token.refresh_token) == ("", "", "")


def test_the_metadata_folder_is_private_and_names_no_person(org: Any, zoho: ZohoSdkConnector) -> None:
    read(zoho)
    folder = zoho._api._session._folder
    assert folder is not None
    assert Path(folder.name).stat().st_mode & 0o077 == 0
    zoho.close()
    assert not Path(folder.name).exists()
    read(zoho)
    assert zoho._api._session._folder is not None


def test_a_missing_temporary_folder_is_named(org: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    zoho = through_sdk(org.url, org.context)
    with pytest.raises(SettingsInvalid, match="TMPDIR"):
        read(zoho)


def test_a_failed_job_does_not_stop_the_worker() -> None:
    def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        sdk.on_worker(fails)
    assert sdk.on_worker(lambda: sdk.on_worker(lambda: 7)) == 7
    assert sdk_session.load() is sdk.load()
