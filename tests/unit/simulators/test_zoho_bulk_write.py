"""Bulk Write on the simulated Zoho over real HTTP: uploads, jobs in time, what became of each row, limits."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any
from zipfile import ZipFile

import pytest
import requests
from zoho_client import ZohoClient

from connectors.simulation.server import start_simulator

ORG = {"X-CRM-ORG": "60001234567", "feature": "bulk-write"}


class Bulk(ZohoClient):
    def upload(self, content: bytes, headers: dict[str, str] = ORG) -> requests.Response:
        return self.call("POST", "upload", headers=headers, files={"file": ("rows.zip", content)})

    def file(self, *rows: str) -> str:
        answer = self.upload(packed("\n".join(rows)))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["details"]["file_id"])

    def order(self, operation: str, file_id: str, module: str = "Contacts", **resource: Any) -> requests.Response:
        asked = {"type": "data", "module": {"api_name": module}, "file_id": file_id, **resource}
        return self.write_job(operation=operation, resource=[asked])

    def write_job(self, **body: Any) -> requests.Response:
        return self.http.post(f"{self.base}/crm/bulk/v8/write", json=body, timeout=10)

    def look(self, job: str) -> Any:
        return self.http.get(f"{self.base}/crm/bulk/v8/write/{job}", timeout=10).json()

    def written(self, operation: str, *rows: str, **resource: Any) -> list[dict[str, str]]:
        made = self.order(operation, self.file(*rows), **resource)
        assert made.status_code == 201, made.text
        answer = self.http.get(self.look(made.json()["details"]["id"])["result"]["download_url"], timeout=10)
        with ZipFile(io.BytesIO(answer.content)) as archive:
            return list(csv.DictReader(io.StringIO(archive.read(archive.namelist()[0]).decode(), newline="")))

    def record(self, native_id: str, module: str = "Contacts") -> Any:
        return self.get(f"{module}/{native_id}").json()["data"][0]


def packed(text: str, name: str = "rows.csv") -> bytes:
    held = io.BytesIO()
    with ZipFile(held, "w") as archive:
        archive.writestr(name, text)
    return held.getvalue()


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.fixture(scope="module")
def served() -> Iterator[Bulk]:
    with start_simulator("zoho_crm", limits="fast", settings={}) as running:
        yield Bulk(running)


@pytest.fixture
def zoho(served: Bulk) -> Bulk:
    served.admin.reset()
    served.sign_in()
    served.admin.settings(bulk_write_seconds=0)
    return served


def test_a_job_goes_through_its_states_and_writes_nothing_before_its_time(zoho: Bulk) -> None:
    zoho.admin.settings(bulk_write_seconds=30)
    zoho.admin.post("clock", {"freeze": True})
    zoho.admin.reset_calls()
    made = zoho.order("insert", zoho.file("Last_Name,Mobile", "王,+8613800000001"), file_names=["rows.csv"]).json()
    assert (made["status"], made["code"]) == ("success", "SUCCESS")
    job = made["details"]["id"]
    assert zoho.admin.calls()["costs"] == {"bulk upload": 1, "bulk write create Contacts": 500}
    seen = []
    for _ in range(3):
        shown = zoho.look(job)
        seen.append((shown["status"], shown["resource"][0]["status"], "result" in shown))
        assert zoho.admin.records("Contacts") == []
        zoho.admin.advance(12)
    zoho.list()
    assert [row["Last_Name"] for row in zoho.admin.records("Contacts")] == ["王"]
    done = zoho.look(job)
    assert seen == [("ADDED", "ADDED", False)] + [("IN PROGRESS", "INPROGRESS", False)] * 2
    counted = {"added_count": 1, "updated_count": 0, "skipped_count": 0, "total_count": 1}
    assert done["resource"][0]["file"] == {"status": "COMPLETED", "name": "rows.csv", **counted}
    assert done["status"] == "COMPLETED"


def test_rows_are_added_updated_or_skipped_each_with_its_reason(zoho: Bulk) -> None:
    first, second = zoho.written("insert", "Last_Name;Hub_Id", "王;hub-1", ";hub-2")
    assert (first["STATUS"], second["STATUS"], second["ERRORS"]) == (
        "ADDED",
        "SKIPPED",
        "MANDATORY_NOT_FOUND:Last_Name",
    )
    assert zoho.record(first["RECORD_ID"])["Hub_Id"] == "hub-1"
    taken = zoho.written("insert", "Last_Name|Hub_Id", "李|hub-1")[0]
    assert (taken["STATUS"], taken["RECORD_ID"], taken["ERRORS"]) == ("SKIPPED", "", "DUPLICATE_DATA:Hub_Id")
    rows = zoho.written("upsert", "Hub_Id,Last_Name", "HUB-1,王二", "hub-3,赵", find_by="Hub_Id")
    assert [(row["STATUS"], row["RECORD_ID"] == first["RECORD_ID"]) for row in rows] == [
        ("UPDATED", True),
        ("ADDED", False),
    ]
    absent = zoho.written("update", "id,Last_Name", f"{first['RECORD_ID']},王三", "42,谁", find_by="id")
    assert [row["STATUS"] for row in absent] == ["UPDATED", "SKIPPED"]
    assert zoho.record(first["RECORD_ID"])["Last_Name"] == "王三"


def test_cells_become_values_by_type_and_empty_ones_clear_unless_ignored(zoho: Bulk) -> None:
    firm = zoho.written("insert", "Account_Name,Employees", "甲公司,12", module="Accounts")[0]["RECORD_ID"]
    assert zoho.record(firm, "Accounts")["Employees"] == 12
    mappings = [
        {"api_name": "Last_Name", "index": 0},
        {"api_name": "Date_of_Birth", "index": 1, "format": "yyyy-MM-dd"},
        {"api_name": "Next_Follow_Up_At", "index": 2},
        {"api_name": "Account_Name.id", "index": 3},
        {"api_name": "Email_Opt_Out", "index": 4},
        {"api_name": "Title", "default_value": {"value": "经理"}},
    ]
    line = f"王,1980-02-29,03/01/2026 09:30:00,{firm},true"
    native_id = zoho.written("insert", "a,b,c,d,e", line, field_mappings=mappings)[0]["RECORD_ID"]
    row = zoho.record(native_id)
    assert (row["Date_of_Birth"], row["Next_Follow_Up_At"]) == ("1980-02-29", "2026-03-01T09:30:00+08:00")
    assert (row["Account_Name"]["id"], row["Email_Opt_Out"], row["Title"]) == (firm, True, "经理")
    wrong = zoho.written("insert", "Last_Name,Date_of_Birth", "李,29.02.1980")[0]
    assert wrong["ERRORS"] == "INVALID_DATA:Date_of_Birth"
    for ignores, left in ((True, "经理"), (False, None)):
        zoho.written("update", "id,Title", f"{native_id},", find_by="id", ignore_empty=ignores)
        assert zoho.record(native_id)["Title"] == left


def test_limits_and_outcomes_of_jobs(zoho: Bulk) -> None:
    zoho.admin.settings(bulk_write_rows=2)
    job = zoho.order("insert", zoho.file("Last_Name", "王", "李", "赵")).json()["details"]["id"]
    shown = zoho.look(job)
    assert (shown["status"], shown["resource"][0]["code"]) == ("SKIPPED", "ROW_LIMIT_EXCEEDED")
    for outcome, state in (("failed", "FAILED"), ("stuck", "IN PROGRESS")):
        zoho.admin.settings(bulk_write_outcome=outcome)
        job = zoho.order("insert", zoho.file("Last_Name", "王")).json()["details"]["id"]
        assert zoho.look(job)["status"] == state
        answer = zoho.http.get(f"{zoho.base}/crm/bulk/v8/write/{job}/result", timeout=10)
        assert code(answer) == (404, "RESOURCE_NOT_FOUND")
    assert zoho.admin.records("Contacts") == []


@pytest.mark.parametrize("automates", [False, True])
def test_whether_rows_run_automations_is_a_switch(zoho: Bulk, automates: bool) -> None:
    zoho.admin.settings(bulk_write_automates=automates)
    native_id = zoho.written("insert", "Last_Name", "王")[0]["RECORD_ID"]
    assert zoho.record(native_id)["Lead_Source"] == ("Other" if automates else None)


def test_what_is_no_upload_is_refused(zoho: Bulk) -> None:
    good = packed("Last_Name\n王")
    assert code(zoho.upload(good, {"feature": "bulk-write"})) == (400, "MANDATORY_NOT_FOUND")
    assert code(zoho.upload(good, ORG | {"feature": "mail"})) == (400, "NOT_SUPPORTED_FEATURE")
    assert code(zoho.upload(good, ORG | {"X-CRM-ORG": "1"})) == (400, "INVALID_DATA")
    assert code(zoho.upload(packed("x", "rows.txt"))) == (400, "INVALID_FILE_FORMAT")
    zoho.admin.settings(upload_refused_status=200)
    assert code(zoho.upload(b"Last_Name\n")) == (200, "INVALID_FILE_FORMAT")
    other = zoho.call("POST", "upload", headers=ORG, files={"rows": ("rows.zip", good)})
    assert code(other) == (400, "MANDATORY_NOT_FOUND")


def test_what_is_no_job_is_refused(zoho: Bulk) -> None:
    file_id = zoho.file("Last_Name,Title", "王,经理")
    for module in ("Notes", "Events", "Calls", "Nowhere"):
        assert code(zoho.order("insert", file_id, module)) == (400, "MODULE_NOT_AVAILABLE")
    assert code(zoho.order("insert", "42")) == (400, "FILE_NOT_FOUND")
    assert code(zoho.order("merge", file_id)) == (400, "INVALID_DATA")
    assert code(zoho.order("update", file_id)) == (400, "MANDATORY_NOT_FOUND")
    assert code(zoho.order("update", file_id, find_by="Title")) == (400, "INVALID_DATA")
    title = [{"api_name": "Title", "index": 1}]
    assert code(zoho.order("insert", file_id, field_mappings=title)) == (400, "MANDATORY_FIELDS_NOT_MAPPED")
    for mapping in (
        {"api_name": "Full_Name", "index": 0},
        {"api_name": "Title", "index": 9},
        {"api_name": "X", "index": 0},
    ):
        assert code(zoho.order("insert", file_id, field_mappings=[mapping])) == (400, "INVALID_DATA")
    assert code(zoho.order("insert", file_id, field_mappings=[{"api_name": "Title"}])) == (400, "MISSING_REQUIRED_KEY")
    assert code(zoho.write_job(operation="insert", resource=[])) == (400, "INVALID_REQUEST")
    callback = {"url": "http://hub.example", "method": "post"}
    assert code(zoho.write_job(operation="insert", resource=[{"type": "data"}], callback=callback)) == (
        400,
        "INVALID_CALLBACK_URL",
    )
