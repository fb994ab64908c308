"""Every error code ends in the recovery that the vendor's table asks for."""

from __future__ import annotations

import pytest

from connectors.base import Op, Refused, Unknown, WriteRequest, Written
from connectors.errors import AuthRejected, ProtocolViolation, QuotaExhausted, RetryLater, SchemaDrift
from connectors.zoho_crm.answers import Answer, field_of, refusal
from connectors.zoho_crm.rows import Moved, outcome
from connectors.zoho_crm.times import instant, server_time, stamp, version

ID = "5843104000000400001"


def request(op: Op = Op.UPDATE, native_id: str | None = ID) -> WriteRequest:
    return WriteRequest(op, "Contacts", native_id, {"Mobile": "+8613800000000"}, "hub-1", "key-1")


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (401, "OAUTH_SCOPE_MISMATCH", AuthRejected),
        (403, "NO_PERMISSION", AuthRejected),
        (400, "AUTHORIZATION_FAILED", AuthRejected),
        (400, "FEATURE_NOT_SUPPORTED", AuthRejected),
        (403, "", AuthRejected),
        (400, "INVALID_MODULE", SchemaDrift),
        (400, "DEPENDENT_SERVICE_ERROR", RetryLater),
        (503, "", RetryLater),
        (400, "STORAGE_SPACE_EXCEEDED", QuotaExhausted),
        (400, "LIMIT_EXCEEDED", ProtocolViolation),
        (404, "INVALID_URL_PATTERN", ProtocolViolation),
        (400, "SYNTAX_ERROR", ProtocolViolation),
        (415, "MEDIA_TYPE_NOT_SUPPORTED", ProtocolViolation),
        (418, "", ProtocolViolation),
    ],
)
def test_request_errors_are_named_by_recovery(status: int, code: str, expected: type) -> None:
    body = {"code": code, "details": {}, "message": "m", "status": "error"} if code else None
    for content in (body, {"data": [body]} if body else None):
        error = refusal(Answer(status, content, 0.0), "zoho", "Contacts", "list records")
        assert type(error) is expected
        assert "zoho Contacts" in error.en
        assert "zoho Contacts" in error.zh


def test_an_unknown_coql_column_is_drift() -> None:
    body = {"code": "INVALID_QUERY", "details": {"column_name": "Hub_Id"}, "status": "error"}
    assert type(refusal(Answer(400, body, 0.0), "zoho", "Contacts", "COQL")) is SchemaDrift


def error_row(code: str, **details: object) -> dict[str, object]:
    return {"code": code, "details": details, "message": "m", "status": "error"}


@pytest.mark.parametrize(
    ("code", "field", "retry_later"),
    [
        ("MANDATORY_NOT_FOUND", "Last_Name", False),
        ("INVALID_DATA", "Email", False),
        ("DEPENDENT_MISMATCH", "Email", False),
        ("NOT_APPROVED", None, False),
        ("NO_PERMISSION", None, False),
        ("RECORD_LOCKED", None, True),
        ("CANNOT_PROCESS", None, True),
        ("SOMETHING_NEW", None, False),
    ],
)
def test_refused_rows_name_field_and_remedy(code: str, field: str | None, retry_later: bool) -> None:
    row = error_row(code, **({"api_name": field} if field else {"id": ID}))
    result = outcome(row, request(), "zoho")
    assert isinstance(result, Refused)
    assert (result.code, result.field, result.retry_later) == (code, field, retry_later)
    assert result.en.startswith(f"zoho Contacts {ID}")
    assert "13800000000" not in result.en + result.zh


@pytest.mark.parametrize("details", [{"id": "77"}, {"duplicate_record": {"id": "77"}}])
def test_a_duplicate_names_the_record_that_holds_the_value(details: dict[str, object]) -> None:
    result = outcome(error_row("DUPLICATE_DATA", api_name="Hub_Id", **details), request(Op.CREATE, None), "zoho")
    assert isinstance(result, Refused)
    assert (result.field, result.existing_id) == ("Hub_Id", "77")


def test_several_rules_name_the_first_field() -> None:
    first = {"code": "INVALID_DATA", "details": {"json_path": "$.data[0].Mailing_Zip"}}
    result = outcome(error_row("MULTIPLE_OR_MULTI_ERRORS", errors=[first]), request(), "zoho")
    assert isinstance(result, Refused)
    assert result.field == "Mailing_Zip"


def test_a_moved_or_missing_record_is_looked_at() -> None:
    assert isinstance(outcome(error_row("ALREADY_MODIFIED", id=ID), request(), "zoho"), Moved)
    assert isinstance(outcome(error_row("INVALID_DATA", id=ID), request(), "zoho"), Moved)
    assert isinstance(outcome(error_row("INVALID_DATA", id=ID), request(Op.DELETE), "zoho"), Moved)
    assert isinstance(outcome(error_row("INVALID_DATA", api_name="Owner"), request(), "zoho"), Refused)


@pytest.mark.parametrize(
    "row",
    [
        None,
        {},
        error_row("INTERNAL_ERROR"),
        error_row("DEPENDENT_SERVICE_ERROR"),
        {"code": "SUCCESS", "status": "success", "details": {}},
        {"code": "SUCCESS", "status": "success", "details": {"id": "another"}},
    ],
)
def test_what_is_not_clear_is_unknown(row: object) -> None:
    assert isinstance(outcome(row, request(), "zoho"), Unknown)


def test_a_written_row_carries_its_version_in_utc() -> None:
    details = {"id": ID, "Modified_Time": "2026-03-01T09:00:00+08:00"}
    row = {"code": "SUCCESS", "status": "success", "details": details}
    assert outcome(row, request(), "zoho") == Written(ID, "2026-03-01T01:00:00Z")


def test_json_path_gives_the_field() -> None:
    assert field_of({"json_path": "$.data[3].Owner"}) == "Owner"
    assert field_of({"json_path": "$.data[0].Tag[1]"}) == "Tag"
    assert field_of({"json_path": "$.data"}) is None
    assert field_of({}) is None


def test_versions_sort_as_text_across_offsets() -> None:
    texts = ["2026-03-01T09:00:00+08:00", "2026-03-01T01:00:01+00:00", "2026-02-28T20:00:02-05:00"]
    versions = [version(text) for text in texts]
    assert versions == sorted(versions)
    assert [instant(text) for text in texts] == [instant(text) for text in versions]
    assert stamp(instant(texts[0]) + 0.9) == "2026-03-01T01:00:00+00:00"


@pytest.mark.parametrize("text", [None, "", 17, "2026-03-01", "2026-03-01T09:00:00", "yesterday"])
def test_a_time_without_offset_is_not_guessed(text: object) -> None:
    with pytest.raises(ProtocolViolation):
        instant(text)


def test_the_date_header_is_read_or_absent() -> None:
    assert server_time("Sun, 01 Mar 2026 01:00:00 GMT") == instant("2026-03-01T01:00:00Z")
    assert server_time("") is None
