"""Bulk Read on the simulated Zoho over real HTTP: jobs in time, files, tokens, criteria, limits."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from zipfile import ZipFile

import pytest
import requests
from zoho_client import ZohoClient

from connectors.simulation.server import RunningSimulator, start_simulator

COLUMNS = ["id", "Last_Name", "First_Name", "Email_Opt_Out", "Owner", "Modified_Time", "Description"]


class Bulk(ZohoClient):
    def bulk(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.http.request(method, f"{self.base}/crm/bulk/v8/{path}", timeout=20, **options)

    def make(self, module: str = "Contacts", **query: Any) -> requests.Response:
        query = {"module": {"api_name": module}, "fields": COLUMNS, **query}
        return self.bulk("POST", "read", json={"query": {k: v for k, v in query.items() if v is not None}})

    def job(self, module: str = "Contacts", **query: Any) -> str:
        made = self.make(module, **query)
        assert made.status_code == 201, made.text
        return str(made.json()["data"][0]["details"]["id"])

    def state(self, job: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.bulk("GET", f"read/{job}").json()["data"][0]
        return shown

    def rows(self, job: str) -> list[dict[str, str]]:
        answer = self.bulk("GET", f"read/{job}/result")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/zip"
        with ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.namelist() == [f"{job}.csv"]
            return list(csv.DictReader(io.StringIO(archive.read(f"{job}.csv").decode(), newline="")))

    def export(self, module: str = "Contacts", **query: Any) -> list[dict[str, str]]:
        return self.rows(self.job(module, **query))


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with start_simulator("zoho_crm", settings={"bulk_seconds": 0}) as started:
        yield started


@pytest.fixture
def zoho(running: RunningSimulator) -> Bulk:
    """An empty org, started over for each test."""
    running.admin.reset()
    return Bulk(running)


@pytest.fixture(scope="module")
def reader() -> Iterator[Bulk]:
    with start_simulator("zoho_crm", records=600, seed=7, settings={"bulk_seconds": 0}, limits="fast") as running:
        running.admin.settings(bulk_seconds=0)
        yield Bulk(running)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_job_goes_through_its_states_in_time(zoho: Bulk) -> None:
    zoho.insert(Last_Name="王")
    zoho.admin.settings(bulk_seconds=30)
    zoho.admin.post("clock", {"freeze": True})
    made = zoho.make()
    assert made.json()["info"] == {}
    row = made.json()["data"][0]
    assert (row["status"], row["code"], row["message"]) == ("success", "ADDED_SUCCESSFULLY", "Added successfully.")
    assert row["details"].keys() == {"id", "operation", "state", "created_by", "created_time"}
    job, seen = row["details"]["id"], []
    for _ in range(4):
        seen.append(zoho.state(job)["state"])
        assert ("result" in zoho.state(job)) == (seen[-1] == "COMPLETED")
        if seen[-1] != "COMPLETED":
            assert code(zoho.bulk("GET", f"read/{job}/result")) == (404, "RESOURCE_NOT_FOUND")
        zoho.admin.advance(10)
    assert seen == ["ADDED", "QUEUED", "IN PROGRESS", "COMPLETED"]
    result = zoho.state(job)["result"]
    assert result == {
        "page": 1,
        "per_page": 200_000,
        "count": 1,
        "download_url": f"/crm/bulk/v8/read/{job}/result",
        "more_records": False,
    }
    assert zoho.rows(job)[0]["Last_Name"] == "王"
    zoho.admin.advance(86_400)
    zoho.sign_in()
    assert code(zoho.bulk("GET", f"read/{job}/result")) == (404, "RESOURCE_NOT_FOUND")


def test_a_file_shows_records_as_they_were_when_the_job_was_made(zoho: Bulk) -> None:
    record = zoho.insert(Last_Name='王, "小"', First_Name="𠮷", Email_Opt_Out=True, Description="一\n二")
    job = zoho.job()
    zoho.write("PUT", "Contacts", {"id": record, "First_Name": "后来"})
    zoho.insert(Last_Name="新")
    (row,) = zoho.rows(job)
    shown = zoho.get(f"Contacts/{record}").json()["data"][0]
    assert row == {
        "id": record,
        "Last_Name": '王, "小"',
        "First_Name": "𠮷",
        "Email_Opt_Out": "true",
        "Owner": shown["Owner"]["id"],
        "Modified_Time": row["Modified_Time"],
        "Description": "一\n二",
    }


def test_a_module_goes_into_several_files_in_no_order(reader: Bulk) -> None:
    everybody = {row["id"] for row in reader.walk(fields="Last_Name", per_page=200)}
    reader.admin.settings(bulk_rows=100)
    listed: list[str] = []
    query: dict[str, Any] = {}
    while True:
        job = reader.job(**query)
        result = reader.state(job)["result"]
        ids = [row["id"] for row in reader.rows(job)]
        assert len(ids) == result["count"] <= 100
        assert ids != sorted(ids)
        listed += ids
        if not result["more_records"]:
            break
        assert result["page"] == query.get("page", 1) or "page_token" in query
        query = {"page_token": result["next_page_token"]}
    assert len(listed) == len(set(listed))
    assert set(listed) == everybody
    by_number = [row["id"] for page in (1, 2, 3, 4, 5) for row in reader.export(page=page)]
    assert sorted(by_number) == sorted(listed)
    reader.admin.settings(bulk_rows=200_000)


def test_tokens_belong_to_their_question_and_expire(zoho: Bulk) -> None:
    for n in range(3):
        zoho.insert(Last_Name=f"王{n}")
    zoho.admin.settings(bulk_rows=2)
    token = zoho.state(zoho.job())["result"]["next_page_token"]
    criteria = {"field": {"api_name": "Last_Name"}, "comparator": "equal", "value": "王"}
    assert code(zoho.make(page_token=token, criteria=criteria)) == (400, "INVALID_DATA")
    assert code(zoho.make("Accounts", page_token=token, fields=["id"])) == (400, "INVALID_DATA")
    assert code(zoho.make(page_token="else")) == (400, "INVALID_DATA")
    assert code(zoho.make(page_token=token, page=2)) == (400, "INVALID_REQUEST")
    same: Any = SimpleNamespace(base_url=zoho.base, admin=zoho.admin)
    second = Bulk(same, refresh_token="1000.simulated.refresh.second")
    assert code(second.make(page_token=token)) == (400, "INVALID_DATA")
    assert len(zoho.export(page_token=token)) == 1
    zoho.admin.advance(86_400)
    zoho.sign_in()
    assert code(zoho.make(page_token=token)) == (400, "EXPIRED_VALUE")


ROWS = [
    {"Last_Name": "Ann", "Loyalty_Points": 5, "Date_of_Birth": "1960-02-29", "Customer_Tier": "贵宾"},
    {"Last_Name": "Anton", "Loyalty_Points": 10, "Date_of_Birth": "1990-01-01", "Customer_Tier": "普通"},
    {"Last_Name": "Bo", "Next_Follow_Up_At": "2026-03-29T02:30:00+08:00"},
]


@pytest.mark.parametrize(
    ("name", "comparator", "value", "found"),
    [
        ("Last_Name", "equal", "ann", "Ann"),
        ("Last_Name", "not_equal", "Ann", "Anton Bo"),
        ("Last_Name", "in", "Ann,Bo", "Ann Bo"),
        ("Last_Name", "not_in", ["Ann", "Bo"], "Anton"),
        ("Last_Name", "contains", "nt", "Anton"),
        ("Last_Name", "not_contains", "n", "Bo"),
        ("Last_Name", "starts_with", "An", "Ann Anton"),
        ("Last_Name", "ends_with", "n", "Ann Anton"),
        ("Loyalty_Points", "less_than", "10", "Ann"),
        ("Loyalty_Points", "less_equal", "10", "Ann Anton"),
        ("Loyalty_Points", "greater_than", "5", "Anton"),
        ("Loyalty_Points", "between", ["5", "9"], "Ann"),
        ("Loyalty_Points", "not_between", ["5", "9"], "Anton"),
        ("Loyalty_Points", "equal", "${EMPTY}", "Bo"),
        ("Loyalty_Points", "not_equal", "${EMPTY}", "Ann Anton"),
        ("Date_of_Birth", "greater_equal", "1990-01-01", "Anton"),
        ("Next_Follow_Up_At", "greater_equal", "2026-03-28T18:30:00+00:00", "Bo"),
        ("Next_Follow_Up_At", "less_than", "2026-03-28T18:30:00+00:00", ""),
        ("Owner", "equal", "5843104000000301000", "Ann Anton Bo"),
    ],
)
def test_criteria_choose_records(criteria_org: Bulk, name: str, comparator: str, value: Any, found: str) -> None:
    one = {"field": {"api_name": name}, "comparator": comparator, "value": value}
    rows = criteria_org.export(criteria=one)
    assert sorted(row["Last_Name"] for row in rows) == found.split()


@pytest.fixture(scope="module")
def criteria_org() -> Iterator[Bulk]:
    with start_simulator("zoho_crm", limits="fast") as running:
        running.admin.settings(bulk_seconds=0)
        client = Bulk(running)
        for row in ROWS:
            client.insert(**row)
        yield client


def test_criteria_are_joined_and_limited(criteria_org: Bulk) -> None:
    def one(name: str, comparator: str, value: str) -> dict[str, Any]:
        return {"field": {"api_name": name}, "comparator": comparator, "value": value}

    old_or_unknown = [one("Loyalty_Points", "greater_equal", "10"), one("Loyalty_Points", "equal", "${EMPTY}")]
    either = criteria_org.export(criteria={"group_operator": "or", "group": old_or_unknown})
    assert sorted(row["Last_Name"] for row in either) == ["Anton", "Bo"]
    assert criteria_org.export(criteria={"group_operator": "and", "group": old_or_unknown}) == []
    many = {"group_operator": "or", "group": [one("Last_Name", "equal", str(n)) for n in range(26)]}
    refused = {
        "CRITERIA_LIMIT_EXCEEDED": many,
        "GROUP_OPERATOR_NOT_SUPPORTED": {"group_operator": "xor", "group": old_or_unknown},
        "FIELD_IN_CRITERIA_NOT_AVAILABLE": one("Nowhere", "equal", "1"),
        "INVALID_CRITERIA": one("Last_Name", "like", "1"),
        "FIELD_AND_COMPARATOR_IN_CRITERIA_NOT_COMPATIBLE": one("Last_Name", "greater_than", "1"),
        "COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE": one("Loyalty_Points", "greater_than", "${EMPTY}"),
    }
    for expected, criteria in refused.items():
        assert code(criteria_org.make(criteria=criteria)) == (400, expected)


def test_what_cannot_be_exported_is_refused(zoho: Bulk) -> None:
    assert code(zoho.make("Notes")) == (400, "MODULE_NOT_SUPPORTED")
    assert code(zoho.make("Nowhere")) == (400, "MODULE_NOT_AVAILABLE")
    assert code(zoho.make(fields=["id", "Nowhere"])) == (400, "FIELD_NOT_AVAILABLE")
    assert code(zoho.make(fields=["id", "Tag"])) == (400, "FIELD_NOT_SUPPORTED")
    assert code(zoho.make("Events", fields=["id", "Participants"])) == (400, "FIELD_NOT_SUPPORTED")
    assert code(zoho.make("Calls", fields=["id", "$se_module"])) == (400, "FIELD_NOT_AVAILABLE")
    assert code(zoho.make(page=501)) == (400, "PAGE_RANGE_EXCEEDED")
    assert code(zoho.make(fields=[f"F{n}" for n in range(201)])) == (400, "LIMIT_EXCEEDED")
    zoho.admin.settings(bulk_modules="Accounts")
    assert code(zoho.make()) == (400, "MODULE_NOT_SUPPORTED")
    assert code(zoho.bulk("GET", "read/1")) == (404, "RESOURCE_NOT_FOUND")
    assert code(zoho.bulk("GET", "read/1/result")) == (404, "RESOURCE_NOT_FOUND")
    assert code(zoho.bulk("GET", "export/1")) == (404, "INVALID_URL_PATTERN")
    wrong = zoho.bulk("POST", "read", data=b"{}", headers={"Content-Type": "text/plain"})
    assert code(wrong) == (415, "MEDIA_TYPE_NOT_SUPPORTED")
    assert code(zoho.bulk("POST", "read", json={})) == (400, "INVALID_REQUEST")
    query = {"module": {"api_name": "Accounts"}}
    ics = zoho.bulk("POST", "read", json={"query": query, "file_type": "ics"})
    assert code(ics) == (400, "INVALID_DATA")
    for callback, expected in (
        ({"url": "http://hub.example", "method": "post"}, "INVALID_CALLBACK_URL"),
        ({"url": "https://hub.example", "method": "get"}, "INVALID_CALLBACK_METHOD"),
    ):
        answer = zoho.bulk("POST", "read", json={"query": query, "callback": callback})
        assert code(answer) == (400, expected)


def test_without_fields_everything_that_a_file_can_show_is_exported(zoho: Bulk) -> None:
    zoho.insert(Last_Name="王")
    (row,) = zoho.export(fields=None)
    assert {"id", "Last_Name", "Hub_Id", "Modified_Time"} <= row.keys()
    assert "Tag" not in row


def test_the_scopes_of_bulk_read_and_of_the_module_are_needed(zoho: Bulk) -> None:
    form = {"grant_type": "client_credentials", "soid": "ZohoCRM.60001234567"}
    zoho.sign_in(**form, scope="ZohoCRM.modules.ALL")
    assert code(zoho.make()) == (401, "OAUTH_SCOPE_MISMATCH")
    zoho.sign_in(**form, scope="ZohoCRM.bulk.READ,ZohoCRM.modules.accounts.READ")
    assert code(zoho.make()) == (401, "OAUTH_SCOPE_MISMATCH")
    assert zoho.make("Accounts", fields=["id"]).status_code == 201


def test_ten_downloads_a_minute_and_fifty_credits_a_job(zoho: Bulk) -> None:
    zoho.insert(Last_Name="王")
    job = zoho.job()
    zoho.admin.post("clock", {"freeze": True})
    for _ in range(10):
        assert zoho.bulk("GET", f"read/{job}/result").status_code == 200
    assert code(zoho.bulk("GET", f"read/{job}/result")) == (429, "TOO_MANY_REQUESTS")
    zoho.admin.advance(61)
    assert zoho.bulk("GET", f"read/{job}/result").status_code == 200
    zoho.admin.settings(credits_per_day=120)
    left = int(zoho.bulk("GET", f"read/{job}").headers["X-API-CREDITS-REMAINING"])
    assert zoho.make().status_code == 201
    assert int(zoho.bulk("GET", f"read/{job}").headers["X-API-CREDITS-REMAINING"]) == left - 51


@pytest.mark.parametrize(("outcome", "state"), [("failure", "FAILURE"), ("stuck", "IN PROGRESS")])
def test_a_job_may_fail_or_never_end(zoho: Bulk, outcome: str, state: str) -> None:
    zoho.admin.settings(bulk_outcome=outcome)
    job = zoho.job()
    zoho.admin.advance(86_000)
    zoho.sign_in()
    assert zoho.state(job)["state"] == state
    assert code(zoho.bulk("GET", f"read/{job}/result")) == (404, "RESOURCE_NOT_FOUND")


def test_a_module_is_filled_with_copies_of_its_records(reader: Bulk) -> None:
    before = {row["id"] for row in reader.walk("Accounts", fields="Account_Name")}
    made = reader.admin.post("grow", {"object": "Accounts", "to": 1000})["made"]
    rows = reader.walk("Accounts", fields="Account_Name,Hub_Id")
    assert len(rows) == len(before) + made == 1000
    assert len({row["Account_Name"] for row in rows if row["id"] not in before}) == made
    with pytest.raises(RuntimeError, match="no record to copy"):
        reader.admin.post("grow", {"object": "Leads", "to": 10})


def test_columns_follow_lookups_by_a_dot_and_events_come_as_a_calendar(zoho: Bulk) -> None:
    firm = zoho.write("POST", "Accounts", {"Account_Name": "甲公司", "Phone": "010-1"}).json()["data"][0]["details"][
        "id"
    ]
    zoho.insert(Last_Name="王", Account_Name={"id": firm})
    zoho.insert(Last_Name="李")
    rows = zoho.export(fields=["Last_Name", "Account_Name.Account_Name", "Account_Name.Phone"])
    assert sorted(tuple(row.values()) for row in rows) == [("李", "", ""), ("王", "甲公司", "010-1")]
    assert code(zoho.make(fields=["Mobile.Phone"])) == (400, "FIELD_NOT_AVAILABLE")
    assert code(zoho.make(fields=["Account_Name.Nothing"])) == (400, "FIELD_NOT_AVAILABLE")
    zoho.admin.settings(bulk_joins=1)
    two = ["Account_Name.Phone", "Reporting_To.Mobile"]
    assert code(zoho.make(fields=two)) == (400, "JOIN_LIMIT_EXCEEDED")
    event = {"Event_Title": "会谈;贷款", "Start_DateTime": "2026-03-01T09:00:00+08:00"}
    event["End_DateTime"] = "2026-03-01T10:00:00+08:00"
    assert zoho.write("POST", "Events", event).status_code == 201
    query = {"query": {"module": {"api_name": "Events"}}, "file_type": "ics"}
    job = zoho.bulk("POST", "read", json=query).json()["data"][0]["details"]["id"]
    shown = zoho.state(job)
    assert (shown["file_type"], shown["result"]["per_page"]) == ("ics", 20_000)
    with ZipFile(io.BytesIO(zoho.bulk("GET", f"read/{job}/result").content)) as archive:
        text = archive.read(f"{job}.ics").decode()
    assert {"DTSTART:20260301T010000Z", "SUMMARY:会谈\\;贷款", "END:VCALENDAR"} <= set(text.split("\r\n"))
    other = zoho.bulk("POST", "read", json={"query": {"module": {"api_name": "Contacts"}}, "file_type": "ics"})
    assert code(other) == (400, "INVALID_DATA")
