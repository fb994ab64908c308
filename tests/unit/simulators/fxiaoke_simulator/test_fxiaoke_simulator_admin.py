"""The admin path, the faults and the people of the Fxiaoke simulator."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from fxiaoke_client import DATA, Client, describe

from connectors.simulation.server import start_simulator


def test_a_person_edits_creates_deletes_restores_and_merges(api: Client) -> None:
    made = api.admin.post("create", {"fields": {"name": "甲"}, "by": "1002"})["id"]
    assert api.get(made)["created_by"] == ["1002"]
    api.admin.post("edit", {"id": made, "fields": {"remark": "改", "owner": ["1003"]}})
    seen = api.get(made)
    assert (seen["remark"], seen["owner"], seen["last_modified_by"]) == ("改", ["1003"], ["1001"])
    with pytest.raises(RuntimeError, match="no field"):
        api.admin.post("edit", {"id": made, "fields": {"nowhere__c": "x"}})
    api.admin.post("delete", {"id": made})
    assert api.names() == set()
    api.admin.post("restore", {"id": made})
    loser = api.made(name="乙")
    api.admin.post("merge", {"id": made, "losers": [loser]})
    assert api.names() == {"甲"}
    assert api.get(loser)["life_status"] == "invalid"


def test_a_follow_up_moves_the_modified_time_and_no_business_field(api: Client) -> None:
    record_id = api.made(remark="同")
    before = api.get(record_id)
    api.admin.advance(5)
    api.admin.post("touch", {"id": record_id})
    after = api.get(record_id)
    assert after["last_modified_time"] > before["last_modified_time"]
    assert after["last_followed_time"] == after["last_modified_time"]
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed <= {
        "last_modified_time", "last_followed_time", "last_modified_by", "last_modified_by__r", "last_modified_by__l",
        "version", "searchAfterId",
    }  # fmt: skip


def test_a_wrong_switch_is_refused_and_changes_nothing(api: Client) -> None:
    for wrong in ({"nowhere": 1}, {"over_limit": "maybe"}, {"max_limit": "many"}, {"max_limit": True}):
        with pytest.raises(RuntimeError, match="setting"):
            api.admin.settings(**wrong)
    assert api.admin.settings()["max_limit"] == 100


def strike(api: Client, action: str, operation: str = "create", **details: Any) -> None:
    api.admin.faults([{"match": {"path_regex": f"/{operation}$"}, "nth": 1, "action": action, **details}])


@pytest.mark.parametrize(
    ("action", "details", "code"),
    [
        ("vendor_error", {}, -1),
        ("vendor_error", {"code": 50009, "message": "服务异常"}, 50009),
        ("http_429", {}, 30004),
        ("auth_expired", {}, 20016),
        ("row_error", {"field": "tel", "message": "不行"}, 320001400),
    ],
)
def test_error_faults_come_in_the_envelope_and_write_nothing(
    api: Client, action: str, details: dict[str, Any], code: int
) -> None:
    strike(api, action, **details)
    assert api.create()["errorCode"] == code
    assert api.admin.records("AccountObj") == []


def test_auth_expired_really_ends_the_token(api: Client) -> None:
    strike(api, "auth_expired")
    api.create()
    assert api.query()["errorCode"] == 20016


def test_a_timeout_after_commit_leaves_the_record(api: Client) -> None:
    for action, rows in (("timeout_before_commit", 0), ("timeout_after_commit", 1)):
        strike(api, action, seconds=0.2)
        with pytest.raises(requests.ConnectionError):
            api.create()
        assert len(api.admin.records("AccountObj")) == rows


def test_error_after_commit_leaves_the_record(api: Client) -> None:
    strike(api, "vendor_error", code=-2, after_commit=True)
    assert api.create()["errorCode"] == -2
    assert len(api.admin.records("AccountObj")) == 1


def test_infrastructure_faults_are_html_or_broken_json(api: Client) -> None:
    strike(api, "http_502_html")
    answer = api.raw(DATA + "create", {}, api.headers)
    assert (answer.status_code, answer.headers["content-type"][:9]) == (502, "text/html")
    strike(api, "http_500")
    assert api.raw(DATA + "create", {}, api.headers).status_code == 500
    strike(api, "truncated_json", operation="query")
    broken = api.raw(DATA + "query", {"data": {}}, api.headers)
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken.text)


def test_the_ledger_counts_operations_by_object(api: Client) -> None:
    api.admin.reset_calls()
    record_id = api.made()
    api.update(record_id, remark="x")
    api.query()
    api.query(limit=1000)
    report = api.admin.calls()
    assert report["calls"] == {"create AccountObj": 1, "update AccountObj": 1, "query AccountObj": 2}
    assert report["rows"]["query AccountObj"] == 1
    assert report["remarks"] == {"errorCode 10006": 1}


def test_seeded_records_are_those_of_the_truth_and_valid_by_the_simulators_own_checks() -> None:
    with start_simulator("fxiaoke", limits="fast", records=120, seed=5) as running:
        client = Client(running)
        client.sign_in()
        truth = {row["fxiaoke"]: row for row in running.admin.truth() if row["fxiaoke"]}
        stored = {record["_id"]: record for record in running.admin.records("AccountObj")}
        assert set(stored) == set(truth)
        fields = describe(client)
        for record in stored.values():
            writable = {
                name: value
                for name, value in record.items()
                if name in fields and not fields[name].get("is_readonly") and name not in {"owner", "record_type"}
            }
            answer = client.update(record["_id"], **writable)
            assert answer["errorCode"] == 0, answer
        again = {record["_id"]: record for record in running.admin.records("AccountObj")}
        business = [name for name in fields if not fields[name].get("is_readonly")]
        for record_id, record in stored.items():
            assert {n: record.get(n) for n in business} == {n: again[record_id].get(n) for n in business}


def test_vendor_limits_are_the_default() -> None:
    with start_simulator("fxiaoke", records=3, seed=1) as running:
        settings = running.admin.settings()
    assert (settings["calls_per_window"], settings["window_seconds"]) == (100, 20)
    assert (settings["token_calls_per_minute"], settings["daily_quota"]) == (10, 100_000)
    assert settings["index_lag_seconds"] == 2.0


def test_a_csv_file_becomes_the_customers_and_a_broken_row_ends_in_one_line(tmp_path: Path) -> None:
    table, columns = tmp_path / "people.csv", tmp_path / "columns.yaml"
    table.write_text("age,job\n58,management\n44,technician\n", encoding="utf-8")
    columns.write_text(
        "columns:\n  birth_date: {column: age, minus_from: 2026}\n  remark: {column: job}\n"
        "invent: [full_name, mobile_phone]\n",
        encoding="utf-8",
    )
    with start_simulator("fxiaoke", load=table, columns=columns) as running:
        stored = running.admin.records("AccountObj")
        truth = running.admin.truth()
    assert [record["remark"] for record in stored] == ["management", "technician"]
    assert [row["fxiaoke"] for row in truth] == [record["_id"] for record in stored]
    table.write_text("age,job\n58,management\nforty,technician\n", encoding="utf-8")
    command = [sys.executable, "-m", "connectors.fxiaoke.simulator", "--load", str(table), "--columns", str(columns)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "people.csv:3" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    table.write_text("age,job\n58,management\n", encoding="utf-8")
    columns.write_text("columns:\n  customer_tier: {column: job}\ninvent: [full_name]\n", encoding="utf-8")
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
    assert "customer_tier" in ended.stderr
