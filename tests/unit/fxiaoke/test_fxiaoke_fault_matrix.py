"""Every fault of the simulator at every endpoint that the connector calls, writes by both generations of sign-in.

Reads end in the class that says what to do next and go on from the same place; writes end in a result that the
vendor's own store bears out, and what recovery then does makes no twin and overwrites no edit. Nothing that is said
or logged holds a value, a token or a secret.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from fxiaoke_tenant import FIELDS, SECRETS, Context, create, edit, make_in, request, row_of, stored

from connectors.addresses import Egress
from connectors.allowance import MemoryBooks
from connectors.base import CheckLine, Cursor, Gone, NativeRecord, Op, Refused, Stale, Unknown, WriteRequest, Written
from connectors.conformance.context import MemoryTokens
from connectors.errors import (
    AuthRejected,
    ConnectorError,
    ProtocolViolation,
    QuotaExhausted,
    RateLimited,
    RetryLater,
)
from connectors.fxiaoke.connector import FxiaokeConnector
from connectors.fxiaoke.settings import HOSTS
from connectors.fxiaoke.simulator.app import build_app, build_backend
from connectors.http import HttpClient, HttpPolicy
from connectors.simulation.reset import Resettable
from connectors.simulation.server import Admin, SimulatorOptions
from tests.patience import BrieflyAt
from tests.served import serve_here

NAME, PHONE, THEIRS = "欧阳保密", "+8613812345678", "+8613987654321"
PATIENCE = 0.4
"""Seconds that a silent vendor is waited for here."""
ENDS = 86_400.0
"""Seconds after which every pause, and the day of a quota, is over."""
OWNER, NEXT_OWNER = "1001", "1002"
SIGN_INS: dict[str, dict[str, Any]] = {
    "bearer": {},
    "legacy": {"auth_style": "legacy", "operator_id": "FSUID_simulated"},
}
Rule = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """Is one fault: what a lasting one makes of a read, and whether a write that meets it is carried out."""

    name: str
    rule: Rule
    read: type[ConnectorError] | None
    write: type[object] = Unknown
    happens: bool = False
    sign_in: type[ConnectorError] | None = field(default=RetryLater)

    @property
    def silent(self) -> bool:
        """Tells whether the vendor gives no whole answer in time."""
        return str(self.rule["action"]).startswith("timeout") or float(self.rule.get("ms", 0)) >= 1000


def coded(name: str, code: int, message: str, read: type[ConnectorError], write: type[object], **more: Any) -> Fault:
    return Fault(name, {"action": "vendor_error", "code": code, "message": message}, read, write, **more)


def both(name: str, rule: Rule, read: type[ConnectorError], **more: Any) -> list[Fault]:
    """Returns a fault that comes before the call is done, and one that comes after."""
    return [
        Fault(name, rule, read, **more),
        Fault(f"{name} after", {**rule, "after_commit": True}, read, happens=True, **more),
    ]


ABNORMAL = "服务异常，请稍后重试"
FAULTS = [
    Fault("silence", {"action": "timeout_before_commit", "seconds": 5}, RetryLater),
    Fault("silence after", {"action": "timeout_after_commit", "seconds": 5}, RetryLater, happens=True),
    Fault("reset", {"action": "reset_before_commit"}, RetryLater),
    Fault("reset after", {"action": "reset_after_commit"}, RetryLater, happens=True),
    *both("500", {"action": "http_500"}, RetryLater),
    *both("502 html", {"action": "http_502_html"}, RetryLater),
    Fault("503", {"action": "http_503"}, RetryLater),
    Fault("truncated", {"action": "truncated_json"}, RetryLater, happens=True),
    *both("proxy page", {"action": "html_200"}, RetryLater),
    Fault("slow", {"action": "slow_body", "ms": 20}, None, Written, True, None),
    Fault("too slow", {"action": "slow_body", "ms": 5000}, RetryLater, happens=True),
    Fault("wrong type", {"action": "wrong_content_type"}, None, Written, True, None),
    *both("-1 busy", {"action": "vendor_error", "code": -1, "message": "系统繁忙"}, RetryLater),
    *both("-2 error", {"action": "vendor_error", "code": -2, "message": "系统错误"}, RetryLater),
    *both("50009 abnormal", {"action": "vendor_error", "code": 50009, "message": ABNORMAL}, RetryLater),
    coded("14001", 14001, "接口调用超过限制", RateLimited, RateLimited, sign_in=RateLimited),
    coded("30004", 30004, "接口调用频率超过限制", RateLimited, RateLimited, sign_in=RateLimited),
    coded("30002 day", 30002, "当日接口调用次数已用完", QuotaExhausted, QuotaExhausted, sign_in=QuotaExhausted),
    coded("20016 unknown token", 20016, "error", AuthRejected, AuthRejected, sign_in=AuthRejected),
    coded("20005 token expired", 20005, "error", AuthRejected, AuthRejected, sign_in=AuthRejected),
    Fault("tokens revoked", {"action": "auth_expired"}, AuthRejected, AuthRejected, sign_in=AuthRejected),
    coded("20021 app stopped", 20021, "应用已停用", AuthRejected, AuthRejected, sign_in=AuthRejected),
    coded("30003 no quota bought", 30003, "未购买", AuthRejected, AuthRejected, sign_in=AuthRejected),
]
LOCKED = coded("50009 locked", 50009, f"[{NAME}]数据已锁定，不能编辑", ProtocolViolation, Refused)
each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
each_write_fault = pytest.mark.parametrize("fault", [*FAULTS, LOCKED], ids=lambda fault: fault.name)


class Tenant:
    """Is a simulated tenant, emptied for each test, with a connector to it."""

    def __init__(self, url: str) -> None:
        self.base_url, self.admin = url, Admin(url)
        self.context = Context()
        self._patient = self.context.client
        once = HttpPolicy(Egress(HOSTS, profile="lab"), read_timeout=60.0, read_attempts=1)
        briefly = replace(once, read_timeout=PATIENCE)
        self._once, self._brief = (
            HttpClient(policy, self.context.clock, system="fxiaoke") for policy in (once, briefly)
        )
        self._faulted: dict[str, str] = {}
        self.fx = self.connect()

    def emptied(self, **settings: Any) -> Tenant:
        self.fx.close()
        self.admin.reset()
        # Only the transport is kept, which is slow to make.
        self.context.tokens, self.context.books = MemoryTokens(), MemoryBooks()
        self.context.clock.offset = 0.0
        self.fx = self.connect(**settings)
        return self

    def connect(self, **settings: Any) -> FxiaokeConnector:
        style = {"app_id": "FSAID_simulated", "operator_id": "1000", **settings}
        pace = {"rate_per_second": 1000.0, "rate_burst": 1000, "index_lag": 1.0, "overlap": 2.0}
        made = {"base_url": self.base_url, "external_key_unique": True, "workers": 2, **pace, **style}
        return FxiaokeConnector(made, self.context)

    def fault(self, path: str, times: int = 0, **rule: Any) -> None:
        self._faulted = {"method": "POST", "path_regex": path}
        self.admin.faults([{"match": self._faulted, "times": times, **rule}])

    def over(self) -> None:
        """Ends the fault and lets every pause pass by."""
        self.admin.faults([])
        self.pass_(ENDS)

    def pass_(self, seconds: float = 5.0) -> None:
        self.admin.advance(seconds)
        self.context.clock.offset += seconds

    @contextmanager
    def waiting_briefly(self, fault: Fault) -> Iterator[None]:
        """Gives the vendor no second try while the fault lasts, and little time where it is silent."""
        self.context.http = BrieflyAt(self._faulted, self._brief, self._once) if fault.silent else self._once
        try:
            yield
        finally:
            self.context.http = self._patient


@pytest.fixture(scope="module")
def served() -> Iterator[Tenant]:
    options = SimulatorOptions(limits="fast")
    with serve_here(Resettable(lambda: build_app(build_backend(options)))) as url:
        made = Tenant(url)
        yield made
        made.fx.close()
        made._patient.close()
        made._brief.close()
        made._once.close()


@pytest.fixture
def tenant(served: Tenant, caplog: pytest.LogCaptureFixture) -> Tenant:
    caplog.set_level(logging.DEBUG)
    return served.emptied()


@pytest.fixture(params=SIGN_INS)
def writer(served: Tenant, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest) -> Tenant:
    """Gives the tenant to a connector that signs in by one generation, then by the other."""
    caplog.set_level(logging.DEBUG)
    return served.emptied(**SIGN_INS[request.param])


def says_nothing(tenant: Tenant, caplog: pytest.LogCaptureFixture, *said: object) -> None:
    """Fails where anything that was said or logged holds a value, a token or a secret."""
    texts = [caplog.text]
    for one in said:
        texts += [str(one), repr(one), str(getattr(one, "en", "")), str(getattr(one, "zh", ""))]
        cause = one.__context__ if isinstance(one, BaseException) else None
        texts += [str(cause), repr(cause)]
    told = "\n".join(texts)
    kept = [value.decode() for name, value in tenant.context.tokens.kept.items() if name == "access"]
    tokens = [part for text in kept for part in text.split('"') if len(part) > 20 and not part.startswith("http")]
    for secret in (NAME, PHONE, THEIRS, *SECRETS.values(), *tokens):
        assert secret not in told


# --- reads ------------------------------------------------------------------------------------------------------------


@dataclass
class Reads:
    """Makes each call that reads, against one customer; a call returns whether a good answer brought what it must."""

    tenant: Tenant
    native_id: str
    cursor: Cursor | None

    def _signed_in(self, **settings: Any) -> bool:
        self.tenant.context.tokens.kept.clear()
        fx = self.tenant.connect(**settings)
        try:
            return self._brought(fx.changes("AccountObj", FIELDS, None, 100).records)
        finally:
            fx.close()

    def _brought(self, records: Sequence[NativeRecord]) -> bool:
        return [(one.native_id, one.fields["tel"]) for one in records] == [(self.native_id, PHONE)]

    def bearer(self) -> bool:
        return self._signed_in()

    def legacy(self) -> bool:
        return self._signed_in(**SIGN_INS["legacy"])

    def query(self) -> bool:
        return self._brought(self.tenant.fx.changes("AccountObj", FIELDS, None, 100).records)

    def poll(self) -> bool:
        return self._brought(self.tenant.fx.changes("AccountObj", FIELDS, self.cursor, 100).records)

    def sweep(self) -> bool:
        return [native_id for native_id, _ in self.tenant.fx.list_ids("AccountObj", None, 100).ids] == [self.native_id]

    def find(self) -> bool:
        return self._brought(self.tenant.fx.find("AccountObj", "hub_id__c", ["hub-x"], FIELDS))

    def count(self) -> bool:
        return self.tenant.fx.count("AccountObj", None) == 1

    def get(self) -> bool:
        found = self.tenant.fx.fetch("AccountObj", [self.native_id], FIELDS)[self.native_id]
        return isinstance(found, NativeRecord) and self._brought([found])

    def describe(self) -> bool:
        return "tel" in self.tenant.fx.describe("AccountObj").fields

    def staff(self) -> bool:
        with closing(self.tenant.connect(staff_source="directory")) as fx:
            return {one.native_id for one in fx.staff()} >= {OWNER, NEXT_OWNER}

    def branches(self) -> bool:
        with closing(self.tenant.connect(staff_source="directory")) as fx:
            return "2011" in {one.native_id for one in fx.branches()}

    def regions(self) -> bool:
        return "2101" in {one.code for one in self.tenant.fx.regions()}


@dataclass(frozen=True)
class Endpoint:
    """Is a path of the vendor's, and the calls that read by it."""

    name: str
    path: str
    calls: tuple[str, ...]
    signs_in: bool = False


ENDPOINTS = [
    Endpoint("bearer token", "^/oauth2.0/token$", ("bearer",), signs_in=True),
    Endpoint("legacy token", "^/cgi/corpAccessToken/get/V2$", ("legacy",), signs_in=True),
    Endpoint("query", "/v2/data/query$", ("query", "poll", "sweep", "find", "count")),
    Endpoint("get", "/v2/data/get$", ("get",)),
    Endpoint("describe", "/v2/object/describe$", ("describe",)),
    Endpoint("directory", "/(user/list|department/list|countryAreaOptions/get)$", ("staff", "branches", "regions")),
]
SHOWS_RECORDS = [endpoint for endpoint in ENDPOINTS if endpoint.name in ("query", "get", "describe")]
each_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)


def reads_of(tenant: Tenant) -> Reads:
    cursor = tenant.fx.changes("AccountObj", FIELDS, None, 100).next_cursor
    native_id = create(tenant, name=NAME, tel=PHONE, hub_id__c="hub-x", owner=[OWNER])
    tenant.pass_()
    return Reads(tenant, native_id, cursor)


@each_fault
@each_endpoint
def test_a_read_that_fails_says_what_to_do_and_goes_on(
    tenant: Tenant, endpoint: Endpoint, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    reads = reads_of(tenant)
    calls: list[Callable[[], bool]] = [getattr(reads, name) for name in endpoint.calls]
    expected = fault.sign_in if endpoint.signs_in else fault.read
    tenant.fault(endpoint.path, **fault.rule)
    with tenant.waiting_briefly(fault):
        for call in calls:
            if expected is None:
                assert call()
                continue
            with pytest.raises(ConnectorError) as told:
                call()
            assert type(told.value) is expected
            says_nothing(tenant, caplog, told.value)
    tenant.over()
    # The same place is read on, and nothing of it is missing.
    assert all(call() for call in calls)
    says_nothing(tenant, caplog)


@each_fault
def test_a_check_names_what_does_not_work(tenant: Tenant, fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    tenant.fault("/v2/object/list$", **fault.rule)
    told: list[object] = []
    with tenant.waiting_briefly(fault):
        try:
            told += [line for line in tenant.fx.check() if not line.ok]
        except ConnectorError as error:
            told.append(error)
    assert bool(told) is (fault.read is not None)
    assert {type(one) for one in told} <= {CheckLine, fault.read}
    assert all(getattr(one, "en", "") and getattr(one, "zh", "") for one in told)
    says_nothing(tenant, caplog, *told)


@pytest.mark.parametrize("endpoint", ENDPOINTS[2:], ids=lambda endpoint: endpoint.name)
def test_one_fault_is_met_by_one_more_call(tenant: Tenant, endpoint: Endpoint) -> None:
    call: Callable[[], bool] = getattr(reads_of(tenant), endpoint.calls[0])
    for action in ("http_502_html", "reset_before_commit"):
        tenant.fault(endpoint.path, times=1, action=action)
        assert call(), "a read that broke on its way repeats by itself"
    tenant.fault(endpoint.path, times=1, action="auth_expired")
    tenant.admin.reset_calls()
    assert call(), "a token that died meanwhile is renewed once"
    assert tenant.admin.calls()["calls"]["token"] == 1


@pytest.mark.parametrize("endpoint", SHOWS_RECORDS, ids=lambda endpoint: endpoint.name)
def test_an_old_answer_is_an_old_answer_and_no_more(tenant: Tenant, endpoint: Endpoint) -> None:
    reads = reads_of(tenant)
    for name in endpoint.calls:
        call: Callable[[], bool] = getattr(reads, name)
        tenant.fault(endpoint.path, action="stale_read", every=2)
        assert call()
        edit(tenant, reads.native_id, remark=name)
        assert call(), "what was there is still shown"
        assert tenant.admin.calls()["faults"][0]["struck"] == 1
        assert call()


def test_an_edit_that_an_old_query_hid_comes_with_the_next_poll(tenant: Tenant) -> None:
    reads = reads_of(tenant)
    cursor = tenant.fx.changes("AccountObj", FIELDS, reads.cursor, 100).next_cursor
    tenant.fault("/v2/data/query$", action="stale_read", nth=2)
    before = tenant.fx.changes("AccountObj", FIELDS, cursor, 100)
    edit(tenant, reads.native_id, tel=THEIRS)
    tenant.pass_(1.5)
    hidden = tenant.fx.changes("AccountObj", FIELDS, cursor, 100)
    assert hidden.records == before.records
    tenant.pass_(1.5)
    shown = tenant.fx.changes("AccountObj", FIELDS, hidden.next_cursor, 100)
    assert [one.fields["tel"] for one in shown.records] == [THEIRS]


# --- writes -----------------------------------------------------------------------------------------------------------


def sent(tenant: Tenant, requests: Sequence[WriteRequest], caplog: pytest.LogCaptureFixture) -> list[Any]:
    """Returns what became of a batch; an error of the whole batch stands for each of its rows."""
    try:
        results: list[object] = list(tenant.fx.write(requests))
    except ConnectorError as error:
        says_nothing(tenant, caplog, error)
        return [error] * len(requests)
    says_nothing(tenant, caplog, *results)
    return results


def is_due(results: Sequence[object], fault: Fault) -> None:
    """A batch stops at the first error, and says of the rest that it was not sent."""
    assert {type(result) for result in results} == {fault.write}
    if fault is LOCKED:
        assert all(isinstance(result, Refused) and result.retry_later for result in results)


def alive(tenant: Tenant, object: str) -> list[str]:
    return sorted(row["hub_id__c"] for row in tenant.admin.records(object) if not row.get("is_deleted"))


def version_of(tenant: Tenant, native_id: str) -> str | None:
    found = tenant.fx.fetch("AccountObj", [native_id], FIELDS)[native_id]
    assert isinstance(found, NativeRecord)
    return found.version


CREATED = {
    "AccountObj": ("^/cgi/crm/v2/data/create$", {"tel": PHONE}),
    "complaint__c": ("^/cgi/crm/custom/v2/data/create$", {"complainant_phone__c": PHONE}),
}


def new(object: str, hub_id: str) -> WriteRequest:
    fields = {"name": f"{NAME}{hub_id}", "owner": [OWNER], **CREATED[object][1]}
    return request(Op.CREATE, object=object, hub_id__c=hub_id, **fields)


@each_write_fault
@pytest.mark.parametrize(
    ("writer", "object"), [*(("bearer", name) for name in CREATED), ("legacy", "AccountObj")], indirect=["writer"]
)
def test_a_create_that_fails_makes_no_twin(
    writer: Tenant, object: str, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    path = CREATED[object][0]
    hub_ids = ["hub-0", "hub-1", "hub-2"]
    requests = [new(object, hub_id) for hub_id in hub_ids]
    writer.fault(path, **fault.rule)
    with writer.waiting_briefly(fault):
        is_due(sent(writer, requests, caplog), fault)
    assert alive(writer, object) == (hub_ids if fault.happens else [])
    writer.over()
    # What recovery does after the lag: look by hub id, then repeat what is not there. One came late, after the look.
    found = {one.fields["hub_id__c"] for one in writer.fx.find(object, "hub_id__c", hub_ids, ())}
    assert found == set(hub_ids if fault.happens else [])
    left = [replace(one, may_exist=True) for one in requests if one.hub_id not in found]
    late = "" if fault.happens else make_in(writer, object, hub_id__c="hub-1", owner=[OWNER], name="别人写的")
    results = sent(writer, left, caplog)
    assert alive(writer, object) == hub_ids
    if late:
        assert row_of(writer, object, late)["name"] == "别人写的", "what a person wrote meanwhile stands"
        assert [type(result) for result in results] == [Written, Refused, Written]
        assert results[1].code == "fxiaoke.duplicate"


STEPS = [
    *(("bearer", "get", fault) for fault in FAULTS),
    *((by, step, fault) for by in SIGN_INS for step in ("update", "changeOwner") for fault in (*FAULTS, LOCKED)),
]


@pytest.mark.parametrize(
    ("writer", "step", "fault"),
    STEPS,
    ids=[f"{by}-{step}-{fault.name}" for by, step, fault in STEPS],
    indirect=["writer"],
)
def test_an_update_that_fails_loses_no_edit(
    writer: Tenant, step: str, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    ids = [create(writer, name=f"{NAME}{n}", tel=PHONE, owner=[OWNER]) for n in range(2)]
    fields: dict[str, Any] = {"owner": [NEXT_OWNER]} if step == "changeOwner" else {"remark": "新备注"}
    name, wanted, was = ("owner", [NEXT_OWNER], [OWNER]) if step == "changeOwner" else ("remark", "新备注", None)
    requests = [request(Op.UPDATE, one, version_of(writer, one), **fields) for one in ids]
    writer.fault(f"/v2/data/{step}$", **fault.rule)
    with writer.waiting_briefly(fault):
        results = sent(writer, requests, caplog)
    happened = fault.happens if step != "get" else fault.read is None
    assert {type(result) for result in results} == {fault.write if step != "get" else fault.read or Written}
    assert [stored(writer, one).get(name) for one in ids] == [wanted if happened else was] * 2
    writer.over()
    edit(writer, ids[0], remark="客户经理补充", tel=THEIRS)
    again = sent(writer, requests, caplog)
    assert isinstance(again[0], Stale), "the record moved since it was observed"
    assert stored(writer, ids[0])["tel"] == THEIRS
    assert stored(writer, ids[0])["remark"] == "客户经理补充"
    anew = [request(Op.UPDATE, one, version_of(writer, one), account_level="1") for one in ids]
    assert all(isinstance(result, Written) for result in sent(writer, anew, caplog))
    assert stored(writer, ids[0])["remark"] == "客户经理补充"


@each_write_fault
@pytest.mark.parametrize("step", ["invalid", "recover"])
def test_what_ends_or_returns_does_so_once(
    writer: Tenant, step: str, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    native_id = create(writer, name=NAME, tel=PHONE, owner=[OWNER])
    if step == "recover":
        writer.admin.post("delete", {"object": "AccountObj", "id": native_id})
    asked = [request(Op.DELETE if step == "invalid" else Op.RESTORE, native_id)]
    writer.fault(f"/v2/data/{step}$", **fault.rule)
    with writer.waiting_briefly(fault):
        is_due(sent(writer, asked, caplog), fault)
    assert bool(stored(writer, native_id).get("is_deleted")) is (fault.happens is (step == "invalid"))
    writer.over()
    writer.admin.reset_calls()
    assert [type(result) for result in sent(writer, asked, caplog)] == [Written]
    assert writer.admin.calls()["calls"].get(f"{step} AccountObj", 0) == (0 if fault.happens else 1)
    found = writer.fx.fetch("AccountObj", [native_id], FIELDS)[native_id]
    assert isinstance(found, Gone if step == "invalid" else NativeRecord)
    assert stored(writer, native_id)["tel"] == PHONE


@pytest.mark.parametrize(
    ("fault", "second", "third"),
    [
        (FAULTS[0], Unknown, Written),
        (FAULTS[3], Unknown, Written),
        (LOCKED, Refused, Written),
        *((fault, Refused, Refused) for fault in FAULTS if fault.name in ("30002 day", "20021 app stopped")),
    ],
    ids=lambda value: getattr(value, "name", None) or value.__name__,
)
def test_a_fault_amid_a_batch_takes_nothing_from_the_others(
    tenant: Tenant, fault: Fault, second: type, third: type, caplog: pytest.LogCaptureFixture
) -> None:
    one_by_one = tenant.connect(workers=1)
    tenant.fault(CREATED["AccountObj"][0], nth=2, **fault.rule)
    requests = [new("AccountObj", f"hub-{n}") for n in range(3)]
    with tenant.waiting_briefly(fault):
        results = list(one_by_one.write(requests))
    one_by_one.close()
    says_nothing(tenant, caplog, *results)
    assert [type(result) for result in results] == [Written, second, third]
    assert all(result.retry_later for result in results if isinstance(result, Refused))
    done = ["hub-0", *["hub-1"] * fault.happens, *["hub-2"] * (third is Written)]
    assert alive(tenant, "AccountObj") == done


@pytest.mark.parametrize("object", CREATED)
def test_an_index_that_lags_hides_a_lost_create_and_no_second_one_comes_of_it(
    tenant: Tenant, object: str, caplog: pytest.LogCaptureFixture
) -> None:
    tenant.admin.settings(index_lag_seconds=30.0)
    fx = tenant.connect(index_lag=40.0)
    assert fx.capabilities(object).visibility_lag == 40.0, "recovery waits at least as long before it believes"
    requests = [new(object, "hub-0")]
    tenant.fault(CREATED[object][0], times=1, action="reset_after_commit")
    assert [type(result) for result in sent(tenant, requests, caplog)] == [Unknown]
    assert fx.find(object, "hub_id__c", ["hub-0"], ()) == []
    # Who does not wait is stopped by the unique field.
    (result,) = sent(tenant, [replace(requests[0], may_exist=True)], caplog)
    assert isinstance(result, Refused)
    assert result.code == "fxiaoke.duplicate"
    tenant.pass_(40.0)
    assert len(fx.find(object, "hub_id__c", ["hub-0"], ())) == 1
    assert alive(tenant, object) == ["hub-0"]
    fx.close()
