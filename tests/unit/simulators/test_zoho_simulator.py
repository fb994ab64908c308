"""The simulated Zoho over real HTTP: sign-in, limits, metadata, faults, and its answers against the documents."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse
from zoho_client import FIELDS, ZohoClient

from connectors.simulation.server import RunningSimulator, start_simulator


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningSimulator]:
    with start_simulator("zoho_crm", records=300, seed=5) as running:
        yield running


@pytest.fixture(scope="module")
def empty_org() -> Iterator[RunningSimulator]:
    with start_simulator("zoho_crm") as running:
        yield running


@pytest.fixture
def fresh(empty_org: RunningSimulator) -> RunningSimulator:
    """An empty org, started over for each test."""
    empty_org.admin.reset()
    return empty_org


@pytest.fixture(scope="module")
def zoho(shared: RunningSimulator) -> ZohoClient:
    return ZohoClient(shared)


def test_errors_of_the_token_endpoint_answer_200(zoho: ZohoClient) -> None:
    wrong = {
        "invalid_client": {"client_id": "1000.OTHER"},
        "invalid_client_secret": {"client_secret": "wrong"},
        "invalid_code": {"refresh_token": "1000.wrong"},
        "missing_org_info": {"grant_type": "client_credentials"},
        "invalid_redirect_uri": {"grant_type": "authorization_code", "redirect_uri": "https://elsewhere.example"},
        "invalid_scope": {"grant_type": "client_credentials", "soid": "ZohoCRM.60001234567", "scope": "nonsense"},
    }
    for error, form in wrong.items():
        answer = zoho.token(**form)
        assert (answer.status_code, answer.json()) == (200, {"error": error})


def test_grant_token_works_once_and_brings_a_refresh_token(fresh: RunningSimulator) -> None:
    zoho = ZohoClient(fresh)
    grant = {"grant_type": "authorization_code", "code": "1000.simulated.grant"}
    issued = zoho.token(**grant).json()
    assert issued["api_domain"] == fresh.base_url
    assert issued["token_type"] == "Bearer"
    assert issued["expires_in"] == 3600
    assert zoho.token(**grant).json() == {"error": "invalid_code"}
    assert "access_token" in zoho.token(refresh_token=issued["refresh_token"]).json()
    late = fresh.admin.post("tokens", {"grant": {"lifetime": 180}})["grant"]
    fresh.admin.advance(181)
    assert zoho.token(grant_type="authorization_code", code=late).json() == {"error": "invalid_code"}


def test_more_than_ten_tokens_in_ten_minutes_are_throttled(fresh: RunningSimulator) -> None:
    zoho = ZohoClient(fresh)
    assert all(zoho.token().status_code == 200 for _ in range(9))
    throttled = zoho.token()
    assert throttled.status_code == 400
    assert throttled.json()["error"] == "Access Denied"
    fresh.admin.settings(throttle_status=200)
    assert (zoho.token().status_code, zoho.token().json()) == (200, {"error": "access_denied"})
    fresh.admin.advance(601)
    assert "access_token" in zoho.token().json()


def test_sixteenth_token_kills_the_first_and_all_expire_after_an_hour(fresh: RunningSimulator) -> None:
    fresh.admin.settings(tokens_per_window=100)
    zoho = ZohoClient(fresh)
    first = zoho.http.headers["Authorization"]
    for _ in range(14):
        zoho.sign_in()
    assert zoho.get("org", headers={"Authorization": str(first)}).status_code == 200
    zoho.sign_in()
    dead = zoho.get("org", headers={"Authorization": str(first)})
    assert (dead.status_code, dead.json()["code"]) == (401, "INVALID_TOKEN")
    assert zoho.get("org").status_code == 200
    fresh.admin.advance(3601)
    assert zoho.get("org").json()["code"] == "INVALID_TOKEN"


def test_only_the_vendors_header_is_accepted(zoho: ZohoClient) -> None:
    token = str(zoho.http.headers["Authorization"]).split()[1]
    bearer = zoho.get("org", headers={"Authorization": f"Bearer {token}"})
    assert (bearer.status_code, bearer.json()["code"]) == (401, "INVALID_TOKEN")
    bare = requests.get(f"{zoho.base}/crm/v8/org", timeout=10)
    assert (bare.status_code, bare.json()["code"]) == (401, "AUTHENTICATION_FAILURE")


def test_missing_scope_is_named_so() -> None:
    reading = "ZohoCRM.modules.contacts.READ,ZohoCRM.settings.fields.READ"
    with start_simulator("zoho_crm", settings={"scopes": reading}) as running:
        zoho = ZohoClient(running)
        assert zoho.list().status_code == 204
        assert zoho.get("settings/fields", module="Contacts").status_code == 200
        for refused in (zoho.write("POST", "Contacts", {"Last_Name": "x"}), zoho.list("Accounts"), zoho.get("users")):
            assert (refused.status_code, refused.json()["code"]) == (401, "OAUTH_SCOPE_MISMATCH")


def test_wrong_paths_and_modules(zoho: ZohoClient) -> None:
    assert zoho.get("Contacts", version="v99").json()["code"] == "INVALID_URL_PATTERN"
    assert zoho.get("Contacts/1/nothing/here").status_code == 404
    wrong = zoho.list("Kontacts")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "INVALID_MODULE")
    assert zoho.call("POST", "Contacts", data=b"{broken").status_code == 400


def test_credits_are_counted_shown_late_and_run_out(fresh: RunningSimulator) -> None:
    fresh.admin.settings(credits_per_day=30)
    zoho = ZohoClient(fresh)
    assert "X-API-CREDITS-REMAINING" not in zoho.list().headers
    rows = [{"Last_Name": f"第{number}"} for number in range(95)]
    assert zoho.write("POST", "Contacts", *rows).status_code == 201  # 10 credits
    assert zoho.get("Contacts/deleted").status_code == 204  # 2 credits
    assert "X-API-CREDITS-REMAINING" not in zoho.list().headers
    assert (
        zoho.coql("select id from Contacts where id is not null limit 2000").headers["X-API-CREDITS-REMAINING"] == "13"
    )
    fresh.admin.settings(credits_per_day=17)
    used_up = zoho.list()
    assert (used_up.status_code, used_up.json()["code"]) == (429, "TOO_MANY_REQUESTS")
    fresh.admin.advance(86_460)
    zoho.sign_in()
    assert zoho.list().status_code == 200


def test_too_many_calls_at_once_answer_429(fresh: RunningSimulator) -> None:
    from concurrent.futures import ThreadPoolExecutor

    fresh.admin.settings(concurrency=2, latency_ms=300.0)
    zoho = ZohoClient(fresh)
    headers = {"Authorization": str(zoho.http.headers["Authorization"])}

    def ask(_: int) -> int:
        return requests.get(f"{zoho.base}/crm/v8/org", headers=headers, timeout=10).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(ask, range(6)))
    assert 429 in statuses
    assert 200 in statuses


def test_metadata_tells_types_picklists_and_what_may_be_written(zoho: ZohoClient) -> None:
    fields = {one["api_name"]: one for one in zoho.get("settings/fields", module="Contacts").json()["fields"]}
    assert fields["Last_Name"]["system_mandatory"]
    assert fields["Last_Name"]["length"] == 80
    assert not fields["Full_Name"]["operation_type"]["api_update"]
    assert fields["Hub_Id"]["unique"] == {"case_sensitive": False}
    assert fields["Hub_Id"]["custom_field"]
    values = [value["actual_value"] for value in fields["Customer_Tier"]["pick_list_values"]]
    assert values == ["-None-", "私人银行", "贵宾", "金卡", "普通"]
    assert fields["Account_Name"]["lookup"]["module"]["api_name"] == "Accounts"
    old = {
        one["api_name"]: one for one in zoho.get("settings/fields", version="v2", module="Contacts").json()["fields"]
    }
    assert old["Account_Name"]["lookup"]["module"] == "Accounts"
    assert [one["api_name"] for one in zoho.get("settings/modules").json()["modules"]] == [
        "Contacts",
        "Accounts",
        "Leads",
        "Calls",
        "Events",
        "Tasks",
        "Cases",
        "Notes",
    ]
    assert zoho.get("settings/layouts", module="Accounts").json()["layouts"][0]["sections"][0]["fields"]
    assert zoho.get("settings/fields", module="Nothing").json()["code"] == "INVALID_MODULE"


def test_users_and_org(zoho: ZohoClient) -> None:
    everybody = zoho.get("users", type="AllUsers").json()["users"]
    active = zoho.get("users", type="ActiveUsers").json()["users"]
    assert {user["id"] for user in everybody} - {user["id"] for user in active} == {"5843104000000301007"}
    assert zoho.get("org").json()["org"][0]["zgid"] == "60001234567"


def test_an_org_without_custom_fields_ignores_them() -> None:
    with start_simulator("zoho_crm", records=20, settings={"custom_fields": False}) as running:
        zoho = ZohoClient(running)
        names = {one["api_name"] for one in zoho.get("settings/fields", module="Contacts").json()["fields"]}
        assert "Hub_Id" not in names
        record_id = zoho.insert(Hub_Id="lost")
        assert "Hub_Id" not in zoho.get(f"Contacts/{record_id}").json()["data"][0]


@pytest.mark.parametrize(
    ("rule", "status", "code"),
    [
        ({"action": "http_500"}, 500, "INTERNAL_ERROR"),
        ({"action": "http_429"}, 429, "TOO_MANY_REQUESTS"),
        ({"action": "auth_expired"}, 401, "INVALID_TOKEN"),
        ({"action": "vendor_error", "status": 403, "code": "NO_PERMISSION"}, 403, "NO_PERMISSION"),
    ],
)
def test_injected_errors_come_in_the_vendors_form(
    zoho: ZohoClient, rule: dict[str, Any], status: int, code: str
) -> None:
    zoho.admin.faults([{"match": {"method": "GET", "path_regex": "/Contacts$"}, "nth": 1, **rule}])
    failed = zoho.list()
    assert (failed.status_code, failed.json()["code"]) == (status, code)
    assert zoho.list().status_code == 200
    zoho.admin.faults([])


def test_injected_damage_to_the_answer(zoho: ZohoClient) -> None:
    zoho.admin.faults([{"action": "http_502_html", "nth": 1}, {"action": "truncated_json", "times": 1}])
    page = zoho.list()
    assert (page.status_code, page.headers["content-type"]) == (502, "text/html; charset=utf-8")
    cut = zoho.list()
    assert cut.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        cut.json()
    zoho.admin.faults([])


@pytest.mark.parametrize(("action", "committed"), [("reset_before_commit", 0), ("timeout_after_commit", 1)])
def test_cut_connections_leave_the_outcome_unknown(fresh: RunningSimulator, action: str, committed: int) -> None:
    zoho = ZohoClient(fresh)
    fresh.admin.faults([{"match": {"method": "POST", "path_regex": "Contacts"}, "action": action, "seconds": 0.1}])
    with pytest.raises(requests.exceptions.ConnectionError):
        zoho.insert(Hub_Id="h")
    assert len(fresh.admin.records("Contacts")) == committed
    assert fresh.admin.calls()["statuses"]["0"] == 1


def test_ledger_counts_operations_rows_and_triggers(fresh: RunningSimulator) -> None:
    zoho = ZohoClient(fresh)
    zoho.insert()
    zoho.list()
    counted = fresh.admin.calls()
    assert counted["calls"] == {"token": 1, "insert Contacts": 1, "list Contacts": 1}
    assert counted["rows"]["list Contacts"] == 1
    assert counted["remarks"] == {"insert Contacts trigger=[]": 1}
    fresh.admin.reset_calls()
    assert fresh.admin.calls()["total"] == 0


def test_date_header_follows_the_simulated_clock(fresh: RunningSimulator) -> None:
    from email.utils import parsedate_to_datetime

    zoho = ZohoClient(fresh)
    now = fresh.admin.advance(1_000_000)
    zoho.sign_in()
    told = parsedate_to_datetime(zoho.get("org").headers["Date"]).timestamp()
    assert abs(told - now) < 5


def test_wrong_settings_and_faults_are_refused(zoho: ZohoClient) -> None:
    with pytest.raises(RuntimeError, match="unknown setting"):
        zoho.admin.settings(no_such=1)
    with pytest.raises(RuntimeError, match="must be int"):
        zoho.admin.settings(concurrency="many")
    with pytest.raises(RuntimeError, match="action must be one of"):
        zoho.admin.faults([{"action": "explode"}])
    with pytest.raises(RuntimeError, match="path_regex"):
        zoho.admin.faults([{"action": "slow", "match": {"path_regex": "("}}])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--set", "no_such=1"], "unknown setting no_such"),
        (["--set", "concurrency=many"], "Expecting value"),
        (["--load", "rows.csv"], "--load needs --columns"),
        (["--faults", "absent.yaml"], "absent.yaml"),
    ],
)
def test_wrong_options_end_with_the_reason(arguments: list[str], reason: str) -> None:
    command = [sys.executable, "-m", "connectors.zoho_crm.simulator", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert reason in ended.stderr
    assert "Traceback" not in ended.stderr


def _overlay(document: dict[str, Any]) -> dict[str, Any]:
    """Patches what the published documents have wrong (zoho-crm reference §16)."""
    document["servers"] = [{"url": "https://zohoapis.com/crm/v8"}]

    def visit(node: Any) -> None:
        if isinstance(node, list):
            for part in node:
                visit(part)
        if not isinstance(node, dict):
            return
        if "\\p{" in str(node.get("pattern", "")):  # no Python pattern
            del node["pattern"]
        if node.get("maxItems") in (100, 200):
            node["maxItems"] = 2000
        properties = node.get("properties")
        if isinstance(properties, dict):
            for name in ("next_page_token", "previous_page_token", "page_token_expiry"):
                if name in properties:
                    properties[name] = {"type": ["string", "null"]}
            if {"code", "details", "message", "status"} <= set(properties):  # upsert tells what it did
                properties |= {"action": {"type": "string"}, "duplicate_field": {"type": ["string", "null"]}}
            for name in ("Created_By", "Modified_By"):  # records show the e-mail too
                if isinstance(properties.get(name), dict) and "properties" in properties[name]:
                    properties[name]["properties"]["email"] = {"type": "string"}
        for part in node.values():
            visit(part)

    visit(document)
    for path in document["paths"].values():
        for method in ("post", "put"):
            if method in path and "200" in path[method]["responses"] | {"200": None}:
                path[method]["responses"].setdefault(
                    "207", {"description": "partial", "content": {"application/json": {}}}
                )
    return document


@pytest.mark.reference
@pytest.mark.slow
def test_answers_are_valid_against_the_published_documents(fresh: RunningSimulator) -> None:
    folder = Path(os.environ.get("CRMHUB_REFERENCE", "absent")) / "zoho-oas"
    if not (folder / "record.json").is_file():
        pytest.skip("CRMHUB_REFERENCE names no folder with zoho-oas, Zoho's OpenAPI documents")

    specs: dict[str, OpenAPI] = {}

    def check(document: str, method: str, path: str, answer: requests.Response, **params: str) -> None:
        if document not in specs:
            text = (folder / f"{document}.json").read_text("utf-8")
            specs[document] = OpenAPI.from_dict(_overlay(json.loads(text)))
        sent = answer.request.body
        asked = MockRequest(
            "https://zohoapis.com",
            method,
            f"/crm/v8{path}",
            args={name: str(value) for name, value in params.items()},
            data=sent if isinstance(sent, bytes) else None,
        )
        specs[document].validate_response(
            asked, MockResponse(answer.content, answer.status_code, content_type="application/json")
        )

    zoho = ZohoClient(fresh)
    made = zoho.write("POST", "Contacts", {"Last_Name": "甲", "Email": "a@bank.example"}, {"Last_Name": "乙"})
    check("record", "post", "/Contacts", made)
    first, second = (row["details"]["id"] for row in made.json()["data"])
    check("record", "get", "/Contacts", zoho.list(), fields=FIELDS)
    check("record", "get", f"/Contacts/{first}", zoho.get(f"Contacts/{first}"))
    check("record", "put", "/Contacts", zoho.write("PUT", "Contacts", {"id": first, "Title": "经理"}))
    upserted = zoho.write(
        "POST", "Contacts/upsert", {"Last_Name": "丙", "Hub_Id": "h"}, duplicate_check_fields=["Hub_Id"]
    )
    check("record", "post", "/Contacts/upsert", upserted)
    check("record", "delete", "/Contacts", zoho.call("DELETE", "Contacts", params={"ids": second}), ids=second)
    check("record", "get", "/Contacts/deleted", zoho.get("Contacts/deleted", type="all"), type="all")
    check("fields", "get", "/settings/fields", zoho.get("settings/fields", module="Contacts"), module="Contacts")
    check("modules", "get", "/settings/modules", zoho.get("settings/modules"))
    check("users", "get", "/users", zoho.get("users", type="AllUsers"), type="AllUsers")
    check("org", "get", "/org", zoho.get("org"))
    check("record-count", "get", "/Contacts/actions/count", zoho.get("Contacts/actions/count"))
    check("coql", "post", "/coql", zoho.coql("select Last_Name from Contacts where id is not null limit 5"))
