"""Every row of the vendor's error table, met at a list, at metadata, at a whole write and at one row of it.

Source: Zoho API v8 status-codes, insert-records, update-records; both forms of the error body, top level and `data[]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from zoho_lab import LabContext

from connectors.base import NativeRecord, Op, Page, Refused, Stale, Unknown, WriteRequest, Written
from connectors.errors import (
    AuthRejected,
    ConnectorError,
    CursorExpired,
    ProtocolViolation,
    QuotaExhausted,
    RateLimited,
    RetryLater,
    SchemaDrift,
)

SECRET = "王小明"
Outcome = type[object]


@dataclass(frozen=True)
class Line:
    """Is one row of the table: what a list, a whole write and one row of a write end in.

    `row` Refused keeps the vendor's code; an error class there says that the row speaks of the whole connection.
    """

    code: str
    status: int
    read: Outcome
    write: Outcome
    row: Outcome = Refused


def lines(codes: str, status: int, read: Outcome, write: Outcome, row: Outcome = Refused) -> list[Line]:
    return [Line(code, status, read, write, row) for code in codes.split()]


TOKEN = "INVALID_TOKEN INVALID_OAUTHTOKEN AUTHENTICATION_FAILURE AUTHENTICATION_FAILED"
EDITION = "NOT_SUPPORTED FEATURE_NOT_SUPPORTED NOT_ALLOWED LICENSE_LIMIT_EXCEEDED"
DATA = (
    "INVALID_DATA PATTERN_NOT_MATCHED UNABLE_TO_PARSE_DATA_TYPE INVALID_REQUEST MANDATORY_NOT_FOUND "
    "DEPENDENT_FIELD_MISSING EXPECTED_FIELD_MISSING DEPENDENT_MISMATCH MAPPING_MISMATCH DATA_MISMATCH "
    "MULTIPLE_OR_MULTI_ERRORS DUPLICATE_DATA DUPLICATE_LINKING_DATA RECORD_LOCKED CANNOT_PROCESS NOT_APPROVED "
    "RECORD_IN_BLUEPRINT ID_ALREADY_CONVERTED CONVERTED_RECORD CANNOT_PERFORM_ACTION"
)
WALLS = (
    "DISCRETE_PAGINATION_LIMIT_EXCEEDED PAGINATION_LIMIT_EXCEEDED TOKEN_BOUND_DATA_MISMATCH EXPIRED_VALUE "
    "AMBIGUITY_DURING_PROCESSING"
)
TABLE = [
    *lines(TOKEN, 401, AuthRejected, AuthRejected, AuthRejected),
    *lines("OAUTH_SCOPE_MISMATCH", 401, AuthRejected, AuthRejected, AuthRejected),
    *lines("OAUTH_SCOPE_MISMATCH", 403, AuthRejected, AuthRejected, AuthRejected),
    *lines("NO_PERMISSION", 403, AuthRejected, AuthRejected),
    *lines("AUTHORIZATION_FAILED", 400, AuthRejected, AuthRejected),
    *lines(EDITION, 403, AuthRejected, AuthRejected, AuthRejected),
    *lines(EDITION, 400, AuthRejected, AuthRejected, AuthRejected),
    *lines("INVALID_URL_PATTERN", 404, ProtocolViolation, ProtocolViolation, ProtocolViolation),
    *lines("INVALID_REQUEST_METHOD", 400, ProtocolViolation, ProtocolViolation, ProtocolViolation),
    *lines("METHOD_NOT_ALLOWED", 405, ProtocolViolation, ProtocolViolation, ProtocolViolation),
    *lines("INVALID_MODULE", 400, SchemaDrift, SchemaDrift, SchemaDrift),
    *lines("REQUIRED_PARAM_MISSING EXPECTED_PARAM_MISSING", 400, *[ProtocolViolation] * 3),
    *lines(DATA, 400, ProtocolViolation, Refused),
    *lines("DEPENDENT_SERVICE_ERROR", 400, RetryLater, Unknown, Unknown),
    *lines("ALREADY_SCHEDULED", 400, RetryLater, Unknown, Unknown),
    *lines("LIMIT_EXCEEDED", 400, ProtocolViolation, ProtocolViolation),
    *lines("RECORD_LIMIT_EXCEEDED LIMIT_REACHED CRITERIA_LIMIT_EXCEEDED", 400, *[ProtocolViolation] * 3),
    *lines(WALLS, 400, CursorExpired, CursorExpired),
    *lines("SYNTAX_ERROR INVALID_QUERY INVALID_ALIAS DUPLICATE_ALIAS", 400, ProtocolViolation, ProtocolViolation),
    *lines("NO_RECORDS_FOUND", 400, Page, SchemaDrift),
    *lines("NO_RECORDS_FOUND", 404, Page, SchemaDrift),
    *lines("RESOURCE_NOT_FOUND NOT_FOUND", 404, SchemaDrift, SchemaDrift),
    *lines("NOT_SUBSCRIBED", 400, ProtocolViolation, ProtocolViolation),
    *lines("STORAGE_SPACE_EXCEEDED", 400, QuotaExhausted, QuotaExhausted, QuotaExhausted),
    *lines("REQUEST_ENTITY_TOO_LARGE FILE_TOO_LARGE", 413, ProtocolViolation, Refused),
    *lines("MEDIA_TYPE_NOT_SUPPORTED UNSUPPORTED_MEDIA_TYPE", 415, *[ProtocolViolation] * 3),
    *lines("TOO_MANY_REQUESTS RATE_LIMIT_EXCEEDED", 429, RateLimited, RateLimited, RateLimited),
    *lines("INTERNAL_ERROR INTERNAL_SERVER_ERROR", 500, RetryLater, Unknown, Unknown),
    *lines("BAD_GATEWAY", 502, RetryLater, Unknown, Unknown),
    *lines("SERVICE_UNAVAILABLE", 503, RetryLater, Unknown, Unknown),
]
RETRIED_LATER = {"RECORD_LOCKED", "CANNOT_PROCESS"}
named = pytest.mark.parametrize("line", TABLE, ids=lambda line: f"{line.code}-{line.status}")


@pytest.fixture
def org(served_org: Any) -> Any:
    return served_org.emptied()


def bodies(line: Line) -> list[dict[str, Any]]:
    error = {"code": line.code, "details": {"note": SECRET}, "message": f"about {SECRET}", "status": "error"}
    return [error, {"data": [error]}]


def fails(org: Any, method: str, path: str, line: Line, body: object, times: int = 0) -> None:
    org.fault(method, path, "vendor_error", status=line.status, body=body, times=times)


def safe(*said: object) -> None:
    text = " ".join(str(one) for one in said)
    assert SECRET not in text
    assert "1000." not in text, "a token"


def read(org: Any) -> object:
    try:
        return org.connect().changes("Contacts", ("Last_Name",), None, 200)
    except ConnectorError as error:
        safe(error, error.en, error.zh)
        return error


def write(org: Any, requests: list[WriteRequest]) -> list[object]:
    try:
        results: list[object] = list(org.connect(throttle_patience=0).write(requests))
    except ConnectorError as error:
        safe(error, error.en, error.zh)
        return [error] * len(requests)
    safe(*results)
    return results


@named
def test_a_list_is_told(org: Any, line: Line) -> None:
    for body in bodies(line):
        fails(org, "GET", "/Contacts$", line, body)
        assert type(read(org)) is line.read


@named
def test_metadata_is_told(org: Any, line: Line) -> None:
    expected = SchemaDrift if line.read is Page else line.read
    for path in ("/settings/modules$", "/settings/fields$"):
        for body in bodies(line):
            fails(org, "GET", path, line, body)
            with pytest.raises(ConnectorError) as told:
                org.connect().describe("Contacts")
            assert type(told.value) is expected
            safe(told.value, told.value.zh)


@named
def test_a_whole_write_is_told(org: Any, line: Line) -> None:
    for size in (1, 3):
        for body in bodies(line):
            fails(org, "POST", "/Contacts$", line, body)
            results = write(org, org.create_requests(size))
            assert [type(result) for result in results] == [line.write if size > 1 else _alone(line, body)] * size
            assert not [row for row in org.admin.records("Contacts") if row["_state"] == "live"], "nothing was written"


def _alone(line: Line, body: dict[str, Any]) -> Outcome:
    """Returns what one row ends in: its refusal may stand in `data[]`, and under 400 that is the result of the row."""
    if "data" in body and line.status == 400:
        return line.row
    return Refused if line.code in ("NO_RECORDS_FOUND", "RESOURCE_NOT_FOUND", "NOT_FOUND") else line.write


@named
def test_one_row_is_told_and_its_neighbours_are_written(org: Any, line: Line) -> None:
    ids = [org.create(f"王{n}") for n in range(3)]
    org.fault("PUT", "/Contacts$", "row_error", row=1, code=line.code, field="Mobile", message=SECRET)
    results = write(org, [org.update_request(one, Mobile="+8613700000000") for one in ids])
    assert isinstance(results[0], Written)
    assert isinstance(results[2], Written)
    told = results[1]
    if line.row is Unknown:
        assert isinstance(told, Unknown)
    else:
        assert isinstance(told, Refused)
        whole = line.row is not Refused
        # What speaks of the whole connection waits for it; what speaks of the record waits for its owner.
        assert told.retry_later is (whole or line.code in RETRIED_LATER)
        assert told.code == (line.row.code if whole and issubclass(line.row, ConnectorError) else line.code)
        assert told.field == (None if whole else "Mobile")
        assert told.en
        assert told.zh
    assert [org.stored(one)["Mobile"] for one in ids] == ["+8613700000000", None, "+8613700000000"]


@named
def test_a_row_that_stands_alone_stops_what_concerns_everybody(org: Any, line: Line) -> None:
    native_id = org.create("王")
    org.fault("PUT", "/Contacts$", "row_error", row=0, code=line.code, field="Mobile", message=SECRET)
    (told,) = write(org, [org.update_request(native_id, Mobile="+8613700000000")])
    assert type(told) is line.row
    assert org.stored(native_id)["Mobile"] is None


@pytest.mark.parametrize("code", TOKEN.split())
@pytest.mark.parametrize("form", ["top", "data", "html", "gateway", "gateway_200"])
def test_a_refused_token_is_renewed_once(org: Any, code: str, form: str) -> None:
    error = {"code": code, "details": {}, "message": "m", "status": "error"}
    gateway = {"ERROR_CODE": 401, "ERROR_MESSAGE": "m"}
    body = {"top": error, "data": {"data": [error]}, "html": "<html>", "gateway": gateway, "gateway_200": gateway}[form]
    status = 200 if form == "gateway_200" else 401
    for method in ("GET", "POST"):
        context = LabContext()
        zoho = org.connect(context)
        org.fault(method, "/Contacts$", "vendor_error", status=status, body=body, times=1)
        if method == "GET":
            assert zoho.changes("Contacts", ("Last_Name",), None, 200).complete
        else:
            assert isinstance(zoho.write(org.create_requests(1))[0], Written)
        assert context.http.calls()["token"] == 2
        # A second refusal of a fresh token is the administrator's.
        org.fault(method, "/Contacts$", "vendor_error", status=status, body=body, times=0)
        with pytest.raises(AuthRejected):
            if method == "GET":
                zoho.changes("Contacts", ("Last_Name",), None, 200)
            else:
                zoho.write(org.create_requests(2))
        org.admin.faults([])


@pytest.mark.parametrize("code", [*WALLS.split(), "INVALID_DATA"])
def test_a_lost_page_token_restarts_the_walk(org: Any, code: str) -> None:
    ids = {org.create(f"王{n}") for n in range(5)}
    first = org.zoho.changes("Contacts", ("Last_Name",), None, 2)
    error = {"code": code, "details": {}, "message": "m", "status": "error"}
    for body in (error, {"data": [error]}):
        org.fault("GET", "/Contacts$", "vendor_error", status=400, body=body, times=1)
        page, seen = first, [record.native_id for record in first.records]
        while not page.complete:
            page = org.zoho.changes("Contacts", ("Last_Name",), page.next_cursor, 2)
            seen += [record.native_id for record in page.records]
        assert ids == set(seen)


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("code", ["INVALID_DATA", "NO_RECORDS_FOUND", "RESOURCE_NOT_FOUND", "NOT_FOUND"])
def test_a_record_that_is_not_there_is_no_error(org: Any, status: int, code: str) -> None:
    never = "5843104000009999999"
    error = {"code": code, "details": {}, "message": "m", "status": "error"}
    org.fault("GET", f"/{never}$", "vendor_error", status=status, body=error, times=0)
    assert not isinstance(org.zoho.fetch("Contacts", [never], ())[never], NativeRecord)
    # A write to a record that was there a moment ago: what it is now decides.
    gone = org.create("王")
    version = next(r.version for r in org.drain().records if r.native_id == gone)
    org.delete(gone)
    org.fault("PUT", f"/{gone}$", "vendor_error", status=status, body=error, times=0)
    (told,) = org.zoho.write([org.update_request(gone, version, Mobile="1")])
    assert isinstance(told, Stale)


@pytest.mark.parametrize("body", ["top", "data"])
def test_412_is_stale_and_shows_the_record(org: Any, body: str) -> None:
    org.admin.settings(error_style=body)
    native_id = org.create("王")
    version = org.drain().records[0].version
    org.advance(5)
    org.edit(native_id, Mobile="+8613900000001")
    (told,) = org.zoho.write([org.update_request(native_id, version, Mobile="1")])
    org.admin.settings(error_style="top")
    assert isinstance(told, Stale)
    assert isinstance(told.current, NativeRecord)
    assert told.current.fields["Mobile"] == "+8613900000001"


@pytest.mark.parametrize("code", ["RECORD_LOCKED", "NOT_APPROVED", "RECORD_IN_BLUEPRINT"])
@pytest.mark.parametrize("op", [Op.UPDATE, Op.DELETE])
def test_what_state_a_record_is_in(org: Any, code: str, op: Op) -> None:
    held, free = org.create("王"), org.create("李")
    if code == "RECORD_LOCKED":
        org.admin.post("lock", {"object": "Contacts", "id": held})
    else:
        state = {"awaits_approval": True} if code == "NOT_APPROVED" else {"blueprint": ["Mobile"]}
        org.admin.post("state", {"object": "Contacts", "id": held, **state})
    fields = {"Mobile": "+8613700000000"} if op is Op.UPDATE else {}
    results = org.zoho.write([WriteRequest(op, "Contacts", one, fields, "hub", f"key-{one}") for one in (held, free)])
    assert isinstance(results[1], Written)
    if code == "RECORD_IN_BLUEPRINT" and op is Op.DELETE:
        assert isinstance(results[0], Written), "a blueprint owns fields, not the record"
        return
    assert isinstance(results[0], Refused)
    assert (results[0].code, results[0].retry_later) == (code, code == "RECORD_LOCKED")
    assert org.stored(held)["Mobile"] is None
    assert org.stored(held)["_state"] == "live"


def test_what_looks_like_a_code_but_is_none_is_not_repeated(org: Any) -> None:
    body = {"code": f"客户 {SECRET} 无效", "details": {"api_name": SECRET}, "message": SECRET, "status": "error"}
    org.fault("GET", "/Contacts$", "vendor_error", status=400, body=body)
    assert type(read(org)) is ProtocolViolation
    org.fault("POST", "/Contacts$", "vendor_error", status=400, body={"data": [body]})
    assert [type(result) for result in write(org, org.create_requests(1))] == [Unknown]


def test_texts_too_large_for_one_request_are_sent_in_parts(org: Any) -> None:
    body = {"code": "REQUEST_ENTITY_TOO_LARGE", "details": {}, "message": "m", "status": "error"}
    org.fault("POST", "/Contacts$", "vendor_error", status=413, body=body, times=2)
    assert all(isinstance(result, Written) for result in org.zoho.write(org.create_requests(4)))
    org.fault("POST", "/Contacts$", "vendor_error", status=413, body="<html>413</html>", times=0)
    (told,) = org.zoho.write([WriteRequest(Op.CREATE, "Contacts", None, {"Last_Name": "李"}, "hub-9", "k")])
    assert isinstance(told, Refused)
    assert told.code == "REQUEST_ENTITY_TOO_LARGE"
