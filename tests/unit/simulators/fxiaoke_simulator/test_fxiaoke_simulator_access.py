"""Sign-in, transport and limits of the Fxiaoke simulator, over real HTTP."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from fxiaoke_client import APPLICATION, DATA, QUIET, Client


def test_token_is_shared_until_6600_seconds_then_overlaps_with_its_successor(api: Client) -> None:
    api.admin.post("revoke")
    first = api.sign_in()
    old = dict(api.headers)
    api.admin.advance(6500)
    same = api.sign_in()
    assert same["accessToken"] == first["accessToken"]
    assert first["expiresIn"] - same["expiresIn"] in {6500, 6501}
    api.admin.advance(200)
    new = api.sign_in()
    assert new["accessToken"] != first["accessToken"]
    fresh, api.headers = api.headers, old
    assert api.query()["errorCode"] == 0
    api.admin.advance(600)
    assert api.query()["errorCode"] == 20016
    api.headers = fresh
    assert api.query()["errorCode"] == 0


def test_token_endpoint_takes_ten_calls_a_minute(api: Client) -> None:
    api.admin.settings(token_calls_per_minute=10)
    api.admin.advance(60)
    assert [api.sign_in()["errorCode"] for _ in range(11)] == [0] * 10 + [14001]
    api.admin.advance(60)
    assert api.sign_in()["errorCode"] == 0


def test_token_endpoint_refuses_concurrent_calls(api: Client) -> None:
    api.admin.settings(token_latency_ms=400)
    codes: list[int] = []

    def sign_in() -> None:
        codes.append(Client(api.simulator).sign_in()["errorCode"])

    threads = [threading.Thread(target=sign_in) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [0, 14001, 14001, 14001]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"appSecret": None}, 10006),
        ({"appSecret": "no"}, 20006),
        ({"permanentCode": "no"}, 20015),
        ({"grantType": "x"}, 10006),
    ],
)
def test_wrong_application_credentials_are_told_apart(api: Client, change: dict[str, Any], code: int) -> None:
    answer = api.raw("/oauth2.0/token", {**APPLICATION, "grantType": "app_secret", **change}).json()
    assert answer["errorCode"] == code
    assert "accessToken" not in answer


def test_business_call_without_with_wrong_and_with_revoked_credentials(api: Client) -> None:
    signed_in, api.headers = api.headers, {}
    assert api.query()["errorCode"] == 20017
    api.headers = {**signed_in, "authorization": "Bearer bogus"}
    answer = api.query()
    assert (answer["errorCode"], answer["errorMessage"]) == (
        20016,
        "the cropId,cropAccessToken or authorization is error",
    )
    api.headers = {**signed_in, "x-fs-userid": "1007"}
    assert api.query()["errorCode"] == 20012
    api.headers = signed_in
    api.admin.post("revoke")
    assert api.query()["errorCode"] == 20016


def test_legacy_sign_in_speaks_open_ids_and_must_not_be_mixed(api: Client) -> None:
    credentials = api.legacy()
    record_id = api.made()
    bearer, api.headers = api.headers, {}
    seen = api.operate("get", {"objectDataId": record_id}, **credentials)["data"]
    assert seen["owner"][0].startswith("FSUID_")
    assert seen["owner__r"]["id"] == seen["owner"][0]
    plain = api.operate("get", {"objectDataId": record_id}, **credentials, convertUserId=False)["data"]
    assert plain["owner"] == ["1001"]
    api.headers = bearer
    assert api.operate("get", {"objectDataId": record_id}, **credentials)["errorCode"] == 20016
    assert api.operate("get", {"objectDataId": record_id}, corpId=credentials["corpId"])["errorCode"] == 20016
    api.headers = {"x-fs-userid": "1000"}
    assert api.operate("get", {"objectDataId": record_id}, **credentials)["errorCode"] == 20016
    api.headers = bearer
    assert api.get(record_id, convertUserId=True)["owner"] == seen["owner"]


def test_employee_ids_in_the_wrong_form_are_refused(api: Client) -> None:
    assert api.create(owner=["FSUID_simulated"])["errorCode"] == 30027
    assert api.create(flags={**QUIET, "convertUserId": True}, owner=["FSUID_simulated"])["errorCode"] == 0
    api.admin.settings(accept_both_user_ids=True)
    assert api.create(owner=["FSUID_simulated"])["errorCode"] == 0


def test_unknown_path_is_http_200_and_get_is_405(api: Client) -> None:
    answer = api.post("/cgi/crm/v3/data/query", {})
    assert answer["errorCode"] == 10006
    assert answer["errorMessage"] == "the request uri=[/cgi/crm/v3/data/query], apiName=[null] is not exists"
    assert api.http.get(api.simulator.base_url + DATA + "query", timeout=20).status_code == 405


def test_malformed_bodies_are_parameter_errors(api: Client) -> None:
    url = api.simulator.base_url + DATA + "query"
    assert api.http.post(url, data=b"{", headers=api.headers, timeout=20).json()["errorCode"] == 10006
    assert api.post(DATA + "query", {})["errorCode"] == 10006
    missing = api.post(DATA + "query", {"data": {"search_query_info": {"limit": 1}}})
    assert missing["errorMessage"] == "the parameter apiName is missing or illegal"


def test_third_trace_id_is_recorded_and_can_be_demanded(api: Client) -> None:
    missing = api.admin.post("trace")["missing"]
    api.query()
    api.post(DATA + "get?thirdTraceId=abc", {})
    api.post(DATA + "get?thirdTraceId=abc", {})
    report = api.admin.post("trace")
    assert report["missing"] == missing + 1
    assert report["repeated"] >= 1
    api.admin.settings(third_trace_id_strict=True)
    assert api.query()["errorCode"] == 10006


def test_nulls_are_absent_unless_asked_for(api: Client) -> None:
    record_id = api.made(remark="备注")
    api.update(record_id, remark=None)
    assert "remark" not in api.get(record_id)
    full = api.get(record_id, includeNull=True)
    assert full["remark"] is None
    assert full["tel"] is None


def test_the_date_header_follows_the_moved_clock(api: Client) -> None:
    before = api.raw(DATA + "query", {}).headers["Date"]
    api.admin.advance(86_400)
    after = api.raw(DATA + "query", {}).headers["Date"]
    assert before[:16] != after[:16]
    assert "," in after
    assert after.count("GMT") == 1


@pytest.mark.parametrize("code", [30004, 14001])
def test_a_path_takes_100_calls_in_20_seconds(api: Client, code: int) -> None:
    api.admin.settings(calls_per_window=100, rate_limit_code=code)
    api.admin.advance(20)
    codes = [api.query(limit=1)["errorCode"] for _ in range(101)]
    assert codes == [0] * 100 + [code]
    assert api.post("/cgi/crm/v2/object/list", {})["errorCode"] == 0
    api.admin.advance(20)
    assert api.query()["errorCode"] == 0


def test_a_fixed_window_and_counted_refusals_are_switches(api: Client) -> None:
    api.admin.settings(calls_per_window=2, window_kind="fixed")
    api.admin.post("clock", {"set": "2030-01-01T00:00:01Z"})
    api.sign_in()
    assert [api.query(limit=1)["errorCode"] for _ in range(3)] == [0, 0, 30004]
    api.admin.post("clock", {"set": "2030-01-01T00:00:20Z"})
    assert api.query(limit=1)["errorCode"] == 0
    api.admin.settings(calls_per_window=1, window_kind="sliding", refused_calls_count=True)
    api.admin.post("quota", {"left": 2})
    assert [api.query(limit=1)["errorCode"] for _ in range(2)] == [30004, 30004]
    api.admin.settings(calls_per_window=100)
    assert api.query(limit=1)["errorCode"] == 30002


def test_the_daily_quota_ends_and_starts_anew_at_midnight_in_china(api: Client) -> None:
    api.admin.post("clock", {"set": "2030-01-01T15:59:00Z"})
    api.sign_in()
    api.query()
    api.admin.post("quota", {"left": 1})
    assert [api.query()["errorCode"] for _ in range(2)] == [0, 30002]
    api.admin.advance(61)
    assert api.query()["errorCode"] == 0
