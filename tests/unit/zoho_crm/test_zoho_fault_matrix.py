"""Every fault of the simulator at every endpoint that the connector calls.

Reads end in the class that says what to do next and go on from the same place; writes end in a result that the
vendor's own store bears out, and what recovery then does makes no twin and overwrites no edit. Nothing that is said
or logged holds a value, a token or a secret.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
from zoho_lab import CREDENTIALS

from connectors.addresses import Egress
from connectors.base import Gone, NativeRecord, Op, Stale, Unknown, WriteRequest, WriteResult, Written
from connectors.conformance.context import PatientClock
from connectors.errors import (
    AuthRejected,
    ConnectorError,
    ProtocolViolation,
    QuotaExhausted,
    RateLimited,
    RetryLater,
)
from connectors.http import HttpClient, HttpPolicy
from connectors.preparing import FieldNeed, Form, State
from tests.patience import BrieflyAt

NAME, MOBILE, THEIRS, TEXT = "欧阳保密", "+8613812345678", "+8613987654321", "不外传的正文" * 100
PATIENCE = 0.5
"""Seconds that a silent vendor is waited for here."""
SPENT = {"code": "TOO_MANY_REQUESTS", "details": {}, "message": "You have reached your 24 hour API credit limit"}
Rule = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """Is one fault: what a lasting one makes of a read, and whether a write that meets it is carried out."""

    name: str
    rule: Rule
    read: type[ConnectorError] | None
    write: type[object] = Unknown
    happens: bool = False
    sign_in: type[ConnectorError] | None = RetryLater

    @property
    def silent(self) -> bool:
        """Tells whether the vendor gives no whole answer in time."""
        return str(self.rule["action"]).startswith("timeout") or float(self.rule.get("ms", 0)) >= 1000


FAULTS = [
    Fault("silence", {"action": "timeout_before_commit", "seconds": 5}, RetryLater),
    Fault("silence after", {"action": "timeout_after_commit", "seconds": 5}, RetryLater, happens=True),
    Fault("reset", {"action": "reset_before_commit"}, RetryLater),
    Fault("reset after", {"action": "reset_after_commit"}, RetryLater, happens=True),
    Fault("500", {"action": "http_500"}, RetryLater),
    Fault("500 after", {"action": "http_500", "after_commit": True}, RetryLater, happens=True),
    Fault("502 html", {"action": "http_502_html"}, RetryLater),
    Fault("502 html after", {"action": "http_502_html", "after_commit": True}, RetryLater, happens=True),
    Fault("503", {"action": "http_503"}, RetryLater),
    Fault("truncated", {"action": "truncated_json"}, ProtocolViolation, happens=True),
    Fault("proxy page", {"action": "html_200"}, ProtocolViolation),
    Fault("proxy page after", {"action": "html_200", "after_commit": True}, ProtocolViolation, happens=True),
    Fault("slow", {"action": "slow_body", "ms": 20}, None, Written, True, None),
    Fault("too slow", {"action": "slow_body", "ms": 5000}, RetryLater, happens=True),
    Fault("wrong type", {"action": "wrong_content_type"}, None, Written, True, None),
    Fault("throttled", {"action": "http_429"}, RateLimited, RateLimited, sign_in=RateLimited),
    Fault(
        "credits spent",
        {"action": "vendor_error", "status": 429, "body": SPENT},
        QuotaExhausted,
        QuotaExhausted,
        sign_in=RateLimited,
    ),
    Fault("token expired", {"action": "auth_expired"}, AuthRejected, AuthRejected, sign_in=ProtocolViolation),
]
each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


@pytest.fixture
def org(served_org: Any, caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.DEBUG)
    made = served_org.emptied()
    made.zoho = made.connect(rich_text_fields=["Description"])
    return made


@contextmanager
def waiting_briefly(org: Any, fault: Fault) -> Iterator[None]:
    """Gives the vendor no second try while the fault lasts, and half a second where it is silent."""
    patient, clock = org.context.http, org.context.clock
    once = _once(clock, 60.0)
    org.context.http = BrieflyAt(org.faulted, _once(clock, PATIENCE), once) if fault.silent else once
    try:
        yield
    finally:
        org.context.http = patient


@cache
def _once(clock: PatientClock, seconds: float) -> HttpClient:
    policy = HttpPolicy(Egress((), profile="lab"), read_timeout=seconds, read_attempts=1)
    return HttpClient(policy, clock, system="zoho")


def says_nothing(org: Any, caplog: pytest.LogCaptureFixture, *said: object) -> None:
    """Fails where anything that was said or logged holds a value, a token or a secret."""
    texts = [caplog.text]
    for one in said:
        texts += [str(one), repr(one), str(getattr(one, "en", "")), str(getattr(one, "zh", ""))]
        cause = one.__context__ if isinstance(one, BaseException) else None
        texts += [str(cause), repr(cause)]
    told = "\n".join(texts)
    kept = [value.decode() for value in org.context.tokens.kept.values()]
    tokens = [part for text in kept for part in text.split('"') if part.startswith("1000.")]
    secrets = (CREDENTIALS["client_secret"], CREDENTIALS["refresh_token"], *tokens)
    for secret in (NAME, MOBILE, THEIRS, TEXT[:10], *secrets):
        assert secret not in told


# --- reads ------------------------------------------------------------------------------------------------------------

FIELDS = ("Last_Name", "Mobile", "Description")


@dataclass
class Reads:
    """Makes each call that reads, against one customer; a call returns what a good answer must bring."""

    org: Any
    native_id: str
    cursor: Any

    def token(self) -> object:
        self.org.context.tokens.kept.clear()
        zoho = self.org.connect()
        return [record.native_id for record in zoho.changes("Contacts", FIELDS, None, 200).records] == [self.native_id]

    def list(self) -> object:
        page = self.org.zoho.changes("Contacts", FIELDS, None, 200)
        return [record.native_id for record in page.records] == [self.native_id]

    def incremental(self) -> object:
        page = self.org.zoho.changes("Contacts", FIELDS, self.cursor, 200)
        return self.native_id in [record.native_id for record in page.records]

    def by_ids(self) -> object:
        found = self.org.zoho.fetch("Contacts", [self.native_id], FIELDS)[self.native_id]
        return isinstance(found, NativeRecord) and found.fields["Mobile"] == MOBILE

    def single(self) -> object:
        # A list that lags does not show it yet, so the record is asked for by itself.
        self.org.admin.settings(list_lag=600.0)
        found = self.org.zoho.fetch("Contacts", [self.native_id], FIELDS)[self.native_id]
        return isinstance(found, NativeRecord) and found.fields["Mobile"] == MOBILE

    def full_text(self) -> object:
        found = self.org.zoho.fetch("Contacts", [self.native_id], FIELDS)[self.native_id]
        return isinstance(found, NativeRecord) and found.fields["Description"] == TEXT

    def deleted(self) -> object:
        return len(self.org.zoho.deletions("Contacts", None, 200).records) == 1

    def coql(self) -> object:
        found = self.org.zoho.find("Contacts", "Hub_Id", ["hub-x"], ("Last_Name",))
        return [record.native_id for record in found] == [self.native_id]

    def count(self) -> object:
        return self.org.zoho.count("Contacts", None) == 1

    def modules(self) -> object:
        return "Mobile" in self.org.zoho.describe("Contacts").fields

    def fields(self) -> object:
        return "Mobile" in self.org.zoho.describe("Contacts").fields

    def users(self) -> object:
        return len(self.org.zoho.staff()) > 1

    def notes(self) -> object:
        found = self.org.connect(objects=["Contacts", "Notes"]).notes("Contacts", self.native_id, ("Note_Content",))
        return [record.fields["Note_Content"] for record in found] == [TEXT]


PATHS = {
    "token": ("POST", "/oauth/v2/token$"),
    "list": ("GET", "/Contacts$"),
    "incremental": ("GET", "/Contacts$"),
    "by_ids": ("GET", "/Contacts$"),
    "single": ("GET", r"/Contacts/\d+$"),
    "full_text": ("GET", "/fetch_full_data$"),
    "deleted": ("GET", "/Contacts/deleted$"),
    "coql": ("POST", "/coql$"),
    "count": ("GET", "/actions/count$"),
    "modules": ("GET", "/settings/modules$"),
    "fields": ("GET", "/settings/fields$"),
    "users": ("GET", "/users$"),
    "notes": ("GET", r"/Contacts/\d+/Notes$"),
}


def reads_of(org: Any) -> Reads:
    org.admin.settings(rich_text_fields="Description")
    org.delete(org.create(NAME))
    cursor = org.drain(zoho=org.zoho).cursor
    native_id = org.create(NAME, Mobile=MOBILE, Hub_Id="hub-x", Description=TEXT)
    parent = {"id": native_id, "module": {"api_name": "Contacts", "id": ""}}
    org.admin.post("create", {"object": "Notes", "fields": {"Note_Content": TEXT, "Parent_Id": parent}})
    return Reads(org, native_id, cursor)


@each_fault
@pytest.mark.parametrize("endpoint", PATHS)
def test_a_read_that_fails_says_what_to_do_and_goes_on(
    org: Any, endpoint: str, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    reads = reads_of(org)
    call: Callable[[], object] = getattr(reads, endpoint)
    method, path = PATHS[endpoint]
    expected = fault.sign_in if endpoint == "token" else fault.read
    org.fault(method, path, times=0, **fault.rule)
    if expected is None:
        assert call()
    else:
        with waiting_briefly(org, fault), pytest.raises(ConnectorError) as told:
            call()
        assert type(told.value) is expected
        says_nothing(org, caplog, told.value)
    org.admin.faults([])
    # What was paused waits for its end; the same place is read on, and nothing of it is missing.
    org.context.clock.offset += 700
    org.context.tokens.kept.pop("token_paused_until", None)
    assert call()
    says_nothing(org, caplog)


@each_fault
def test_a_check_names_what_does_not_work(org: Any, fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    org.zoho.changes("Contacts", FIELDS, None, 200)
    org.fault("GET", "/org$", times=0, **fault.rule)
    with waiting_briefly(org, fault):
        line = next(line for line in org.zoho.check() if line.name == "ZohoCRM.org.READ")
    assert line.ok is (fault.read is None)
    assert line.en
    assert line.zh
    says_nothing(org, caplog, line)


@pytest.mark.parametrize("endpoint", ["list", "incremental", "by_ids", "single", "deleted", "coql", "count", "fields"])
def test_an_old_answer_is_an_old_answer_and_no_more(org: Any, endpoint: str) -> None:
    reads = reads_of(org)
    call: Callable[[], object] = getattr(reads, endpoint)
    method, path = PATHS[endpoint]
    org.admin.faults([{"match": {"method": method, "path_regex": path}, "action": "stale_read", "every": 2}])
    assert call()
    org.advance(3)
    org.edit(reads.native_id, Short_Name="新职务")
    assert call(), "what was there is still shown"
    assert call()


# --- writes -----------------------------------------------------------------------------------------------------------

WRITES = {
    "insert": ("POST", "/Contacts$"),
    "upsert": ("POST", "/Contacts/upsert$"),
    "update": ("PUT", "/Contacts$"),
    "conditional": ("PUT", r"/Contacts/\d+$"),
    "delete": ("DELETE", "/Contacts$"),
}


def alive(org: Any) -> list[dict[str, Any]]:
    return [row for row in org.admin.records("Contacts") if row["_state"] == "live"]


def creates(count: int, again: bool) -> list[WriteRequest]:
    made = []
    for n in range(count):
        fields = {"Last_Name": NAME, "Mobile": MOBILE, "Hub_Id": f"hub-{n}"}
        made.append(WriteRequest(Op.CREATE, "Contacts", None, fields, f"hub-{n}", f"key-{n}", may_exist=again))
    return made


def send(org: Any, requests: Sequence[WriteRequest], caplog: pytest.LogCaptureFixture) -> list[object]:
    try:
        results: list[object] = list(org.zoho.write(requests))
    except ConnectorError as error:
        says_nothing(org, caplog, error)
        return [error] * len(requests)
    says_nothing(org, caplog, *results)
    return results


def is_what_was_due(results: Sequence[object], fault: Fault) -> None:
    assert {type(result) for result in results} == {fault.write}


@each_fault
@pytest.mark.parametrize("endpoint", ["insert", "upsert"])
def test_a_create_that_fails_makes_no_twin(
    org: Any, endpoint: str, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    org.zoho.changes("Contacts", FIELDS, None, 200)
    method, path = WRITES[endpoint]
    requests = creates(3, again=endpoint == "upsert")
    org.zoho.describe("Contacts")  # known before nobody waits long
    org.fault(method, path, times=0, **fault.rule)
    with waiting_briefly(org, fault):
        is_what_was_due(send(org, requests, caplog), fault)
    assert len(alive(org)) == (3 if fault.happens else 0)
    org.admin.faults([])
    org.context.clock.offset += 700
    # What recovery does: look by hub id, then repeat what is not there. One came late, after the look.
    found = {str(r.fields["Hub_Id"]) for r in org.zoho.find("Contacts", "Hub_Id", ["hub-0", "hub-1", "hub-2"], ())}
    assert found == ({"hub-0", "hub-1", "hub-2"} if fault.happens else set())
    if not fault.happens:
        late = org.create(NAME, Hub_Id="hub-1", Mobile=THEIRS)
    left = [replace(request, may_exist=True) for request in requests if request.hub_id not in found]
    results = send(org, left, caplog)
    assert sorted(row["Hub_Id"] for row in alive(org)) == ["hub-0", "hub-1", "hub-2"]
    if not fault.happens:
        assert org.stored(late)["Mobile"] == THEIRS, "what a person wrote meanwhile stands"
        assert [type(result) for result in results] == [Written, type(results[1]), Written]
        assert getattr(results[1], "existing_id", None) == late


@each_fault
@pytest.mark.parametrize("endpoint", ["update", "conditional"])
def test_an_update_that_fails_loses_no_edit(
    org: Any, endpoint: str, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    # Three at once go together, one goes alone under its own condition.
    ids = [org.create(NAME, Mobile=MOBILE) for _ in range(3 if endpoint == "update" else 1)]
    org.advance(3600)
    versions = {r.native_id: r.version for r in org.drain(zoho=org.zoho).records}
    requests = [org.update_request(one, versions[one], Short_Name="经理") for one in ids]
    method, path = WRITES[endpoint]
    org.fault(method, path, times=0, **fault.rule)
    with waiting_briefly(org, fault):
        is_what_was_due(send(org, requests, caplog), fault)
    assert [org.stored(one)["Short_Name"] for one in ids] == ["经理" if fault.happens else None] * len(ids)
    org.admin.faults([])
    org.context.clock.offset += 700
    org.advance(2)
    org.edit(ids[0], Short_Name="总监", Mobile=THEIRS)
    results = send(org, requests, caplog)
    assert isinstance(results[0], Stale), "the record moved since it was observed"
    assert org.stored(ids[0])["Short_Name"] == "总监"
    assert org.stored(ids[0])["Mobile"] == THEIRS
    again = [org.update_request(one, _version(org, one), Mobile=MOBILE) for one in ids]
    assert all(isinstance(result, Written) for result in send(org, again, caplog))
    assert org.stored(ids[0])["Short_Name"] == "总监"


def _version(org: Any, native_id: str) -> str | None:
    found = org.zoho.fetch("Contacts", [native_id], FIELDS)[native_id]
    assert isinstance(found, NativeRecord)
    return found.version


@each_fault
def test_a_delete_that_fails_is_done_once(org: Any, fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    ids = [org.create(NAME, Mobile=MOBILE) for _ in range(2)]
    org.zoho.changes("Contacts", FIELDS, None, 200)
    requests = [WriteRequest(Op.DELETE, "Contacts", one, {}, "hub", f"key-{one}") for one in ids]
    org.fault(*WRITES["delete"], times=0, **fault.rule)
    with waiting_briefly(org, fault):
        is_what_was_due(send(org, requests, caplog), fault)
    assert len(alive(org)) == (0 if fault.happens else 2)
    org.admin.faults([])
    org.context.clock.offset += 700
    results: list[Any] = send(org, requests, caplog)
    assert results == [Written(one, None) for one in ids]
    assert all(isinstance(org.zoho.fetch("Contacts", [one], ())[one], Gone) for one in ids)


NEEDS = {
    "POST": ("Contacts", FieldNeed("Nick_Name", Form.TEXT, "Nick name", "昵称", 40)),
    "PATCH": ("Cases", FieldNeed("Status", Form.CHOICE, "Status", "处理状态", options=("待核查",))),
}


@each_fault
@pytest.mark.parametrize("method", NEEDS)
def test_a_field_or_option_that_a_fault_meets_is_made_once(
    org: Any, method: str, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    module, need = NEEDS[method]
    zoho = org.connect(field_wait=0.0)
    zoho.describe(module)
    org.fault(method, "/settings/fields$", times=0, **fault.rule)
    stops = issubclass(fault.write, ConnectorError)
    with waiting_briefly(org, fault), pytest.raises(fault.write) if stops else nullcontext() as told:
        (found,) = zoho.prepare(module, (need,))
        assert found.state in ((State.CREATED, State.EXTENDED) if fault.happens else (State.WAITING,))
        says_nothing(org, caplog, found)
    says_nothing(org, caplog, *([told.value] if stops else []))
    org.admin.faults([])
    org.context.clock.offset += 700
    (again,) = zoho.prepare(module, (need,))
    assert again.state in ((State.READY,) if fault.happens else (State.CREATED, State.EXTENDED))
    options = zoho.describe(module).fields[need.api_name].options
    assert options is None if method == "POST" else "待核查" in options


@pytest.mark.parametrize("batches", ["whole", "per_row", "ignored", "refused"])
@pytest.mark.parametrize("equal", [True, False])
def test_an_old_answer_before_a_write_overwrites_nobody(org: Any, batches: str, equal: bool) -> None:
    org.admin.settings(conditional_batch=batches, conditional_equal_passes=equal)
    ids = [org.create(NAME, Mobile=MOBILE) for _ in range(4)]
    org.advance(3600)
    versions = {r.native_id: r.version for r in org.drain(zoho=org.zoho).records}
    requests = [org.update_request(one, versions[one], Short_Name="经理") for one in ids]
    match = {"method": "GET", "path_regex": "/Contacts$"}
    org.admin.faults([{"match": match, "action": "stale_read", "nth": 2}])
    org.zoho.fetch("Contacts", ids, ())
    org.edit(ids[2], Short_Name="总监")
    results: list[WriteResult] = org.zoho.write(requests)
    org.admin.settings(conditional_batch="whole", conditional_equal_passes=True)
    if batches in ("whole", "per_row"):
        assert org.stored(ids[2])["Short_Name"] == "总监"
        assert isinstance(results[2], Stale)
        assert sum(isinstance(result, Written) for result in results) >= 2
    else:
        # Where the vendor heeds no condition on several rows, the read before them is all there is.
        assert all(isinstance(result, Written) for result in results)
