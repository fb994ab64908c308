"""Complete listings by Bulk Read: the set that pages give, jobs that outlive a process, and every way to fail."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import pytest
from zoho_lab import LabContext

from connectors.base import Bound, Cursor, NativeRecord
from connectors.errors import AuthRejected, ConnectorError, CursorExpired, ProtocolViolation, RateLimited, RetryLater
from connectors.zoho_crm.bulk.listing import NAP
from connectors.zoho_crm.connector import ZohoCrmConnector

FIELDS = (
    "Hub_Id",
    "Last_Name",
    "First_Name",
    "Description",
    "Email_Opt_Out",
    "Loyalty_Points",
    "Date_of_Birth",
    "Customer_Tier",
    "Next_Follow_Up_At",
    "Owner",
    "Account_Name",
)
BULK = {"bulk_read_above": 3, "page_size": 2}
RESULT = "/crm/bulk/v8/read/[0-9]+/result$"
SECRET_NAME = "李秘密"


def fill(org: Any, number: int, **fields: Any) -> list[str]:
    account = org.admin.post("create", {"object": "Accounts", "fields": {"Account_Name": "宏远"}})["id"]
    made = []
    for n in range(number):
        own: dict[str, Any] = {
            "First_Name": '名"字,' if n % 2 else None,
            "Description": f"第一行\n第{n}行\t制表",
            "Email_Opt_Out": bool(n % 3),
            "Loyalty_Points": n * 100 - 100,
            "Date_of_Birth": "1960-02-29" if n % 2 else None,
            "Customer_Tier": "贵宾",
            "Next_Follow_Up_At": "2026-03-29T02:30:00+08:00",
            "Account_Name": {"id": account} if n % 2 else None,
        }
        made.append(org.create(f"{SECRET_NAME}{n}", Hub_Id=f"hub-{n}", **own, **fields))
    org.advance(600)
    return made


class Load:
    """What a listing gave: its records, its pages and where it ended."""

    def __init__(self, zoho: ZohoCrmConnector, object: str, fields: tuple[str, ...]) -> None:
        self.zoho, self.object, self.fields = zoho, object, fields
        self.records: list[NativeRecord] = []
        self.cursor: Cursor | None = None
        self.empty = 0
        self.complete = False

    def step(self, limit: int = 4, bound: Bound | None = None) -> Load:
        if bound is None:
            page = self.zoho.changes(self.object, self.fields, self.cursor, limit)
        else:
            page = self.zoho.changes_from(self.object, self.fields, self.cursor, limit, bound)
        assert len(page.records) <= limit
        assert page.complete or page.next_cursor != self.cursor
        self.records += page.records
        self.empty += not page.records
        self.cursor = json.loads(json.dumps(page.next_cursor))
        self.complete = page.complete
        return self

    def all(self, limit: int = 4, bound: Bound | None = None) -> Load:
        for _ in range(300):
            waited = self.empty
            if self.step(limit, bound).complete:
                return self
            if self.empty > waited:
                time.sleep(0.01)  # the vendor makes its file in its own time, which no clock of ours moves
        raise AssertionError("the listing has no end")

    @property
    def ids(self) -> list[str]:
        return [record.native_id for record in self.records]

    @property
    def mode(self) -> str:
        assert self.cursor is not None
        return str(self.cursor["mode"])

    @property
    def place(self) -> dict[str, Any]:
        assert self.cursor is not None
        return dict(self.cursor["place"])


def load(zoho: ZohoCrmConnector, object: str = "Contacts", fields: tuple[str, ...] = FIELDS) -> Load:
    return Load(zoho, object, fields)


def resumed(org: Any, before: Load, **settings: Any) -> Load:
    """Goes on as a new process does: another connector, nothing but the cursor."""
    after = load(org.connect(LabContext(), **{**BULK, **settings}), before.object, before.fields)
    after.cursor = before.cursor
    return after


def known(record: NativeRecord) -> tuple[Any, ...]:
    """Returns what a record says; a link by its id, since a file does not name it."""
    fields = {
        name: value["id"] if isinstance(value, dict) else value if name != "Tag" else [tag["name"] for tag in value]
        for name, value in record.fields.items()
    }
    return record.native_id, record.version, record.modified_at, record.modified_by, json.dumps(fields, sort_keys=True)


def bulk_calls(org: Any) -> dict[str, int]:
    made = org.admin.calls()["calls"]
    return {name.split()[1]: number for name, number in made.items() if name.startswith("bulk ")}


# What it gives.


@pytest.mark.parametrize(
    "vendor",
    [{}, {"bulk_rows": 4}, {"bulk_rows": 4, "bulk_page_tokens": False}, {"bulk_id_header": "Id", "bulk_rows": 12}],
    ids=["one job", "several jobs", "several jobs by number", "another header"],
)
def test_a_bulk_load_gives_what_pages_give(org: Any, vendor: dict[str, Any]) -> None:
    ids = fill(org, 12)
    org.admin.settings(**vendor)
    by_pages = load(org.zoho).all()
    assert by_pages.zoho is org.zoho
    assert bulk_calls(org) == {}
    by_bulk = load(org.connect(**BULK)).all()
    assert sorted(map(known, by_bulk.records)) == sorted(map(known, by_pages.records))
    assert sorted(by_bulk.ids) == sorted(ids)
    jobs = -(-12 // vendor.get("bulk_rows", 200_000))
    made = bulk_calls(org)
    assert (made["create"], made["download"]) == (jobs, jobs)
    assert sum(org.admin.calls()["rows"][f"bulk {act} Contacts"] for act in ("download",)) == 12
    assert by_bulk.mode == "walking"


def test_records_of_a_bulk_load_show_no_value_in_their_text(org: Any) -> None:
    fill(org, 5)
    loaded = load(org.connect(**BULK)).all()
    assert SECRET_NAME not in repr(loaded.records)


@pytest.mark.parametrize("above", [None, 0, 12, 50_000])
def test_at_or_below_the_size_and_switched_off_pages_do_it(org: Any, above: int | None) -> None:
    ids = fill(org, 12)
    loaded = load(org.connect(page_size=2, bulk_read_above=above)).all()
    assert sorted(loaded.ids) == sorted(ids)
    assert bulk_calls(org) == {}
    # One count compares the end of a listing; one more decides, where there is anything to decide.
    assert org.admin.calls()["calls"]["count Contacts"] == 1 + bool(above)


def test_a_module_of_one_page_is_not_even_counted(org: Any) -> None:
    fill(org, 3)
    org.admin.reset_calls()
    load(org.connect(bulk_read_above=1)).all()
    assert org.admin.calls()["calls"] == {"list Contacts": 1, "token": 1}


def test_one_that_nobody_may_count_is_read_by_pages(org: Any) -> None:
    ids = fill(org, 8)
    org.admin.faults([{"match": {"path_regex": "/actions/count$"}, "action": "vendor_error", "status": 401,
                       "code": "OAUTH_SCOPE_MISMATCH"}])  # fmt: skip
    assert sorted(load(org.connect(**BULK)).all().ids) == sorted(ids)
    assert bulk_calls(org) == {}


def test_changes_after_the_job_was_made_are_delivered_by_the_walk(org: Any) -> None:
    ids = fill(org, 8)
    org.admin.settings(bulk_seconds=60.0)
    zoho = org.connect(**BULK)
    begun = load(zoho).step()
    assert begun.mode == "bulk"
    org.edit(ids[3], Description="后来")
    newcomer = org.create("新")
    org.delete(ids[5])
    org.advance(61)
    begun.all()
    assert begun.ids.count(ids[3]) == 1
    assert ids[5] in begun.ids
    walked = load(zoho)
    walked.cursor = begun.cursor
    walked.all()
    newest = {record.native_id: record.fields["Description"] for record in walked.records}
    assert newest.keys() == {ids[3], newcomer}
    assert newest[ids[3]] == "后来"
    gone = zoho.deletions("Contacts", None, 100).records
    assert [record.native_id for record in gone] == [ids[5]]


def test_a_cut_off_is_asked_of_the_job(org: Any) -> None:
    ids = fill(org, 8)
    org.edit(ids[1], Date_of_Birth="1950-01-01")
    org.edit(ids[2], Date_of_Birth="1990-01-01")
    org.edit(ids[3], Date_of_Birth="1970-01-01")
    bound = Bound("Date_of_Birth", "1970-01-01")
    kept = [row for row in ids if (org.stored(row)["Date_of_Birth"] or "9") >= "1970-01-01"]
    assert 0 < len(kept) < 8
    zoho = org.connect(**BULK)
    assert sorted(load(zoho).all(bound=bound).ids) == sorted(kept)
    assert bulk_calls(org)["create"] == 1
    # Without the cut-off nothing of what the job left out may be missing.
    moved = load(zoho).step(bound=bound)
    assert moved.mode == "bulk"
    assert set(moved.all().ids) == set(ids)


# What a file does not show.


def test_columns_beyond_what_a_job_takes_and_tags_are_read_by_id(org: Any) -> None:
    ids = fill(org, 7, Tag=[{"name": "老客户"}])
    fields = (*FIELDS, "Tag")
    by_pages = load(org.zoho, fields=fields).all(200)
    org.admin.reset_calls()
    zoho = org.connect(bulk_read_above=3, page_size=2, bulk_columns=10)
    by_bulk = load(zoho, fields=fields).all(4)
    assert sorted(map(known, by_bulk.records)) == sorted(map(known, by_pages.records))
    assert sorted(by_bulk.ids) == sorted(ids)
    # The page that showed that more follows, and one call for the rest of each page of the file.
    assert org.admin.calls()["calls"]["list Contacts"] == 1 + 2


def test_tags_are_read_from_the_file_where_it_shows_them(org: Any) -> None:
    fill(org, 5, Tag=[{"name": "老客户"}, {"name": "贵宾"}])
    org.admin.settings(bulk_tags="names")
    org.admin.reset_calls()
    zoho = org.connect(**BULK, bulk_unreadable=[])
    loaded = load(zoho, fields=("Last_Name", "Tag")).all()
    assert {tuple(tag["name"] for tag in record.fields["Tag"]) for record in loaded.records} == {("老客户", "贵宾")}
    assert org.admin.calls()["calls"]["list Contacts"] == 1


@pytest.mark.parametrize("shown", [True, False], ids=["lists show it", "only a single read shows it"])
def test_the_module_of_a_link_is_asked_for_only_where_there_is_a_link(org: Any, shown: bool) -> None:
    account = org.admin.post("create", {"object": "Accounts", "fields": {"Account_Name": "宏远"}})["id"]
    for n in range(6):
        linked = {"What_Id": {"id": account}, "$se_module": "Accounts"} if n > 3 else {}
        org.admin.post("create", {"object": "Tasks", "fields": {"Subject": f"任务{n}", **linked}})
    org.advance(600)
    org.admin.settings(se_module_in_lists=shown)
    fields = ("Subject", "What_Id", "$se_module", "Who_Id")
    by_pages = load(org.zoho, "Tasks", fields).all()
    org.admin.reset_calls()
    by_bulk = load(org.connect(**BULK), "Tasks", fields).all(200)
    modules = {record.fields["Subject"]: record.fields["$se_module"] for record in by_bulk.records}
    assert modules == {f"任务{n}": "Accounts" if n > 3 else None for n in range(6)}
    if shown:
        assert sorted(map(known, by_bulk.records)) == sorted(map(known, by_pages.records))
    calls = org.admin.calls()["calls"]
    assert (calls["list Tasks"], calls.get("get Tasks", 0)) == (1 + 1, 0 if shown else 2)


@pytest.mark.parametrize("cuts", [True, False], ids=["cut", "whole"])
def test_a_rich_text_is_whole_whether_files_cut_it_or_not(org: Any, cuts: bool) -> None:
    org.admin.settings(rich_text_fields="Description", bulk_cuts_rich_text=cuts)
    texts = ["短", "满" * 498, "满" * 500, "满" * 501, "满" * 3000]
    for text in texts:
        org.create("王", Description=text)
    org.advance(600)
    org.admin.reset_calls()
    zoho = org.connect(**BULK, rich_text_fields=["Description"])
    loaded = load(zoho).all()
    assert {record.fields["Description"] for record in loaded.records} == set(texts)
    assert org.admin.calls()["calls"].get("full Contacts", 0) == (3 if cuts else 1)


# Jobs take time, and processes end.


def test_waiting_is_pages_without_records_and_ever_rarer_looks(org: Any) -> None:
    fill(org, 5)
    org.admin.settings(bulk_seconds=1e9)
    loaded = load(org.connect(**BULK)).step()
    began, places = org.context.clock.now(), []
    while org.context.clock.now() - began < 120:
        before = org.context.clock.now()
        loaded.step()
        places.append(loaded.place)
        assert org.context.clock.now() - before <= NAP + 0.5
    assert loaded.records == []
    # Looks after 2, 6, 14, 30, 60 and 90 seconds, then 120.
    assert bulk_calls(org)["look"] in (6, 7)
    assert {place["job"] for place in places} == {loaded.place["job"]}


def test_a_new_process_goes_on_with_the_same_job(org: Any) -> None:
    ids = fill(org, 6)
    org.admin.settings(bulk_seconds=50.0)
    waiting = load(org.connect(**BULK)).step().step()
    assert waiting.mode == "bulk"
    later = resumed(org, waiting).step()
    assert later.place["job"] == waiting.place["job"]
    org.advance(51)
    assert sorted(resumed(org, later).all().ids) == sorted(ids)
    assert bulk_calls(org)["create"] == 1


@pytest.mark.parametrize("pages", [1, 2, 3, 5])
def test_a_new_process_goes_on_at_the_row_where_the_old_one_stood(org: Any, pages: int) -> None:
    ids = fill(org, 11)
    org.admin.settings(bulk_rows=6)
    first = load(org.connect(**BULK))
    while len(first.records) < 2 * pages:
        first.step(2)
    rest = resumed(org, first).all(2)
    assert sorted(first.ids + rest.ids) == sorted(ids)
    assert bulk_calls(org)["create"] == 2
    # Fetched again only where the file was not at its end.
    assert bulk_calls(org)["download"] == 2 + (2 * pages % 6 != 0)


def test_a_clock_that_was_set_back_makes_nobody_wait_long(org: Any) -> None:
    ids = fill(org, 5)
    loaded = load(org.connect(**BULK)).step()
    org.context.clock.offset -= 86_400.0
    before = org.context.clock.now()
    assert sorted(loaded.all().ids) == sorted(ids)
    assert org.context.clock.now() - before < 120


def test_a_result_that_is_kept_no_longer_is_made_again(org: Any) -> None:
    ids = fill(org, 9)
    first = load(org.connect(**BULK))
    while not first.records:
        first.step()
    org.advance(2 * 86_400)
    rest = resumed(org, first).all()
    assert set(rest.ids) == set(ids)
    assert bulk_calls(org)["create"] == 2


def test_a_token_that_expired_starts_the_load_over(org: Any) -> None:
    ids = fill(org, 9)
    org.admin.settings(bulk_rows=4)
    first = load(org.connect(**BULK))
    while len(first.records) < 5:
        first.step(1)
    assert first.place["token"]
    org.advance(2 * 86_400)
    rest = resumed(org, first).all()
    assert sorted(rest.ids) == sorted(ids)


def test_tokens_that_are_never_known_end_in_pages(org: Any, caplog: pytest.LogCaptureFixture) -> None:
    ids = fill(org, 9)
    org.admin.settings(bulk_rows=4, bulk_token_lifetime=0)
    with caplog.at_level(logging.WARNING):
        loaded = load(org.connect(**BULK)).all()
    assert set(loaded.ids) == set(ids)
    assert bulk_calls(org)["create"] <= 4
    assert len([line for line in caplog.messages if "token" in line]) == 1


def test_a_cursor_of_another_module_or_connection_is_refused(org: Any) -> None:
    fill(org, 5)
    begun = load(org.connect(**BULK)).step()
    assert begun.cursor is not None
    with pytest.raises(CursorExpired):
        org.connect(**BULK).changes("Accounts", ("Phone",), begun.cursor, 4)
    for wrong in ({**begun.cursor, "origin": "https://www.zohoapis.com"}, {**begun.cursor, "place": {"job": "1"}}):
        with pytest.raises(CursorExpired):
            org.connect(**BULK).changes("Contacts", FIELDS, wrong, 4)
    with pytest.raises(CursorExpired):
        org.connect(**BULK).list_ids("Contacts", begun.cursor, 4)


# Pages do what a job cannot.


@pytest.mark.parametrize(
    ("vendor", "settings", "reason"),
    [
        ({"bulk_modules": "Accounts"}, {}, "MODULE_NOT_SUPPORTED"),
        ({"bulk_columns": 5}, {}, "LIMIT_EXCEEDED"),
        ({"bulk_outcome": "failure"}, {}, "failed twice"),
        ({"bulk_outcome": "stuck"}, {"bulk_patience": 90.0}, "bulk_patience"),
        ({}, {"bulk_unreadable": []}, "FIELD_NOT_SUPPORTED"),
    ],
    ids=["module", "columns", "failure", "stuck", "field"],
)
def test_where_no_job_is_to_be_had_pages_list_everything_and_one_line_says_why(
    org: Any, caplog: pytest.LogCaptureFixture, vendor: dict[str, Any], settings: dict[str, Any], reason: str
) -> None:
    ids = fill(org, 8)
    org.admin.settings(**vendor)
    with caplog.at_level(logging.WARNING):
        loaded = load(org.connect(**BULK, **settings), fields=(*FIELDS, "Tag")).all()
    assert set(loaded.ids) == set(ids)
    assert loaded.mode == "walking"
    told = [line for line in caplog.messages if "bulk read" in line]
    assert len(told) == 1
    assert reason in told[0]
    assert SECRET_NAME not in caplog.text


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_a_scope_that_is_missing_or_a_gateway_in_the_way_ends_in_pages(org: Any, status: int) -> None:
    ids = fill(org, 8)
    body = {"code": "OAUTH_SCOPE_MISMATCH", "details": {}, "message": "no", "status": "error"}
    shown: dict[str, Any] = {"body": body if status == 401 else {}}
    org.admin.faults([{"match": {"path_regex": "/crm/bulk/"}, "action": "vendor_error", "status": status, **shown}])
    assert set(load(org.connect(**BULK)).all().ids) == set(ids)


def test_a_token_without_the_scope_is_refused_by_the_vendor(org: Any) -> None:
    ids = fill(org, 8)
    scopes = ("ZohoCRM.modules.ALL", "ZohoCRM.settings.ALL", "ZohoCRM.coql.READ")
    grant = {"grant": "client_credentials", "org_id": "60001234567", "scopes": scopes}
    zoho = org.connect(LabContext(), **grant, **BULK)
    assert set(load(zoho).all().ids) == set(ids)
    assert [line.name for line in zoho.check() if "bulk" in line.name and not line.ok] == ["ZohoCRM.bulk.READ"]


def test_a_file_beyond_the_cap_is_left_and_pages_do_it(org: Any, caplog: pytest.LogCaptureFixture) -> None:
    ids = fill(org, 8)
    for n, one in enumerate(ids):
        noise = "".join(chr(0x4E00 + (n * 7919 + k * k * 104_729 + k * 31) % 20_000) for k in range(20_000))
        org.edit(one, Description=noise)
    org.advance(600)
    with caplog.at_level(logging.WARNING):
        loaded = load(org.connect(**BULK, bulk_file_bytes=64 * 1024)).all()
    assert set(loaded.ids) == set(ids)
    assert "bulk_file_bytes" in caplog.text


def test_switching_it_off_amid_a_load_goes_on_by_pages(org: Any) -> None:
    ids = fill(org, 8)
    begun = load(org.connect(**BULK)).step()
    rest = resumed(org, begun, bulk_read_above=None).all()
    assert sorted(rest.ids) == sorted(ids)
    assert "download" not in bulk_calls(org)


# What goes wrong on the way.

WRONG_JOB = {"details": {"id": "../result"}}

FAULTS: list[tuple[str, str, dict[str, Any], type[ConnectorError]]] = [
    ("POST", "/bulk/v8/read$", {"action": "http_500"}, RetryLater),
    ("POST", "/bulk/v8/read$", {"action": "http_502_html"}, RetryLater),
    ("POST", "/bulk/v8/read$", {"action": "reset_after_commit"}, RetryLater),
    ("POST", "/bulk/v8/read$", {"action": "reset_before_commit"}, RetryLater),
    ("POST", "/bulk/v8/read$", {"action": "truncated_json"}, RetryLater),
    ("POST", "/bulk/v8/read$", {"action": "http_429"}, RateLimited),
    ("POST", "/bulk/v8/read$", {"action": "vendor_error", "status": 415, "code": "MEDIA_TYPE_NOT_SUPPORTED"},
     ProtocolViolation),
    ("POST", "/bulk/v8/read$", {"action": "vendor_error", "status": 400, "code": "REQUEST_BODY_NOT_SUPPORTED"},
     ProtocolViolation),
    ("POST", "/bulk/v8/read$", {"action": "vendor_error", "status": 201, "body": {"data": [WRONG_JOB]}},
     ProtocolViolation),
    ("GET", "/bulk/v8/read/[0-9]+$", {"action": "http_500"}, RetryLater),
    ("GET", "/bulk/v8/read/[0-9]+$", {"action": "http_502_html"}, RetryLater),
    ("GET", "/bulk/v8/read/[0-9]+$", {"action": "reset_after_commit"}, RetryLater),
    ("GET", "/bulk/v8/read/[0-9]+$", {"action": "truncated_json"}, ProtocolViolation),
    ("GET", "/bulk/v8/read/[0-9]+$", {"action": "http_429"}, RateLimited),
    ("GET", "/bulk/v8/read/[0-9]+$", {"action": "vendor_error", "status": 403, "code": "NO_PERMISSION"}, AuthRejected),
    ("GET", "/bulk/v8/read/[0-9]+$", {"action": "vendor_error", "status": 200, "body": {"data": [{"state": "NEW"}]}},
     ProtocolViolation),
    ("GET", RESULT, {"action": "http_500"}, RetryLater),
    ("GET", RESULT, {"action": "http_502_html"}, RetryLater),
    ("GET", RESULT, {"action": "reset_after_commit"}, RetryLater),
    ("GET", RESULT, {"action": "http_429"}, RateLimited),
    ("GET", RESULT, {"action": "truncated_json"}, ProtocolViolation),
    ("GET", RESULT, {"action": "vendor_error", "status": 200, "body": {"data": []}}, ProtocolViolation),
    ("GET", RESULT, {"action": "vendor_error", "status": 403, "code": "NO_PERMISSION"}, AuthRejected),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "fault", "expected"),
    FAULTS,
    ids=[f"{m}-{len(p)}-{f['action']}-{n}" for n, (m, p, f, _) in enumerate(FAULTS)],
)
def test_every_fault_has_its_class_and_costs_nothing(
    org: Any, method: str, path: str, fault: dict[str, Any], expected: type[ConnectorError]
) -> None:
    ids = fill(org, 7)
    loaded = load(org.connect(**BULK))
    org.admin.faults([{"match": {"method": method, "path_regex": path}, **fault}])
    with pytest.raises(ConnectorError) as caught:
        loaded.all()
    assert type(caught.value) is expected
    assert loaded.records == []
    error = caught.value
    assert error.en
    assert error.zh
    for text in (error.en, error.zh):
        assert SECRET_NAME not in text
        assert "simulated" not in text
    org.admin.faults([])
    org.advance(120)
    rest = load(loaded.zoho)
    rest.cursor = loaded.cursor
    assert sorted(rest.all().ids) == sorted(ids)


def test_an_expired_token_is_renewed_at_each_call(org: Any) -> None:
    ids = fill(org, 7)
    rules = [("POST", "/bulk/v8/read$"), ("GET", "/bulk/v8/read/[0-9]+$"), ("GET", RESULT)]
    org.admin.faults(
        [{"match": {"method": m, "path_regex": p}, "action": "auth_expired", "times": 1} for m, p in rules]
    )
    assert sorted(load(org.connect(**BULK)).all().ids) == sorted(ids)
    assert bulk_calls(org)["create"] == 1


def test_a_file_that_broke_off_once_is_fetched_again(org: Any) -> None:
    ids = fill(org, 7)
    org.fault("GET", RESULT, "truncated_json")
    assert sorted(load(org.connect(**BULK)).all().ids) == sorted(ids)
    assert bulk_calls(org)["download"] == 2
    assert bulk_calls(org)["create"] == 1


def test_downloads_of_a_minute_are_waited_for_and_then_go_on(org: Any) -> None:
    ids = fill(org, 7)
    org.admin.settings(bulk_downloads=1)
    loaded = load(org.connect(**BULK))
    while not loaded.records:
        loaded.step()
    other = resumed(org, loaded)
    with pytest.raises(RateLimited) as limited:
        other.all()
    assert limited.value.after >= 60
    org.advance(61)
    assert sorted(loaded.ids + other.all().ids) == sorted(ids)


def test_an_unclear_answer_to_a_job_is_no_listing_and_another_is_made(org: Any) -> None:
    ids = fill(org, 7)
    org.fault("POST", "/bulk/v8/read$", "reset_after_commit")
    zoho = org.connect(**BULK)
    with pytest.raises(RetryLater):
        load(zoho).all()
    assert sorted(load(zoho).all().ids) == sorted(ids)


def test_the_credits_of_a_job_are_taken_from_the_budget(org: Any) -> None:
    fill(org, 7)
    org.admin.settings(credits_per_day=1000)
    org.admin.reset_calls()
    load(org.connect(**BULK)).all(200)
    calls = org.admin.calls()["calls"]
    spent = 50 + calls["bulk look Contacts"] + calls["bulk download Contacts"] + 1 + 2 + 2
    assert calls == {
        "token": 1,
        "list Contacts": 1,
        "count Contacts": 2,  # to decide, and to compare at the end
        "settings/modules": 1,
        "settings/fields Contacts": 1,
        "bulk create Contacts": 1,
        "bulk look Contacts": calls["bulk look Contacts"],
        "bulk download Contacts": 1,
    }
    org.admin.settings(credits_per_day=spent)
    with pytest.raises(ConnectorError) as stopped:
        load(org.connect()).all()
    assert stopped.value.code in ("HUB-QUOTA-001", "HUB-NET-002")
