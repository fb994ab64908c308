"""What each answer of the vendor means, for a read and for a write."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connectors.base import WriteUnclear
from connectors.errors import AuthRejected, ProtocolViolation, RetryLater
from connectors.fxiaoke.envelope import (
    CONFIGURATION,
    Call,
    QuotaRefused,
    RateRefused,
    Reason,
    Rejected,
    TokenRefused,
    open_answer,
)
from connectors.http import HttpResponse

READ = Call("fxiaoke", "/cgi/crm/v2/data/query", "AccountObj", read=True)
WRITE = Call("fxiaoke", "/cgi/crm/v2/data/create", "AccountObj", read=False)


def answer(body: Any, status: int = 200, **headers: str) -> HttpResponse:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return HttpResponse(status, headers, raw, "POST open.fxiaoke.com")


def outcome(code: Any, message: str, call: Call) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 (the type is what the tests compare)
        open_answer(answer({"errorCode": code, "errorMessage": message, "traceId": "E-O.demo.1000-1"}), call)
    return caught.value


@pytest.mark.parametrize("code", [0, "0"])
def test_success_is_code_zero_and_nothing_else(code: Any) -> None:
    found = open_answer(answer({"errorCode": code, "errorMessage": "boom"}, Date="Sun, 06 Nov 1994 08:49:37 GMT"), READ)
    assert found.server_at == 784111777.0


def test_a_missing_date_is_no_time() -> None:
    assert open_answer(answer({"errorCode": 0}), READ).server_at is None


@pytest.mark.parametrize("body", [b"<html></html>", b'{"errorCode":0,"da', b""])
@pytest.mark.parametrize("status", [200, 302, 403])
def test_an_unreadable_answer_settles_nothing(body: bytes, status: int) -> None:
    with pytest.raises(RetryLater):
        open_answer(answer(body, status), READ)
    with pytest.raises(WriteUnclear):
        open_answer(answer(body, status), WRITE)


@pytest.mark.parametrize("body", [{}, [], {"errorCode": None}, {"errorCode": True}, {"code": 0}])
def test_json_of_somebody_else_is_a_violation(body: Any) -> None:
    with pytest.raises(ProtocolViolation):
        open_answer(answer(body), READ)
    with pytest.raises(WriteUnclear):
        open_answer(answer(body), WRITE)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(14001, RateRefused), (30004, RateRefused), (30002, QuotaRefused), (20005, TokenRefused), (20016, TokenRefused)],
)
def test_codes_about_the_account(code: int, kind: type[Exception]) -> None:
    for call in (READ, WRITE):
        assert type(outcome(code, "x", call)) is kind


@pytest.mark.parametrize("code", sorted(CONFIGURATION))
def test_configuration_codes_name_what_is_missing(code: int) -> None:
    found = outcome(code, "x", WRITE)
    assert isinstance(found, AuthRejected)
    assert found.missing == CONFIGURATION[code]
    assert "the " not in found.zh


@pytest.mark.parametrize("code", [-1, -2, 50009])
def test_a_fault_of_the_service_is_unclear_for_a_write(code: int) -> None:
    assert type(outcome(code, "系统繁忙", READ)) is RetryLater
    assert type(outcome(code, "java.lang.NullPointerException", WRITE)) is WriteUnclear


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        (50009, "不能进行[编辑]操作，以下这些数据已被锁定。", Reason.LOCKED),
        (320002401, "数据已作废或已删除", Reason.NOT_FOUND),
        (320001400, "字段值重复，该字段要求唯一", Reason.DUPLICATE),
        (320001400, "无此操作的数据权限", Reason.PERMISSION),
        (320001400, "关联关系不存在-201112011", Reason.LOOKUP),
        (10006, "the parameter limit is missing or illegal", Reason.PARAMETER),
        (10013, "offset out of range 10000", Reason.PARAMETER),
        (320009999, "校验不通过", Reason.OTHER),
    ],
)
def test_business_refusals_are_told_apart_by_wording(code: int, message: str, reason: Reason) -> None:
    found = outcome(code, message, WRITE)
    assert isinstance(found, Rejected)
    assert (found.code, found.reason) == (code, reason)


def test_the_wording_stays_out_of_the_text_of_a_rejection() -> None:
    found = outcome(320001400, "客户 张三丰 13800000000 重复", WRITE)
    assert "张三丰" not in str(found) + repr(found)
    assert "E-O.demo.1000-1" in str(found)
