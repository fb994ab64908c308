"""Every row of the vendor's error table, met at a query and at a create, and at the sign-in where it can come there.

Source: Fxiaoke 全局返回码 and the overloads that clients observed. Class and message are what the hub gets to see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from fxiaoke_tenant import FIELDS, Context, Make, request

from connectors.base import Op, Refused, Unknown, Written
from connectors.errors import (
    AuthRejected,
    ConnectorError,
    ProtocolViolation,
    QuotaExhausted,
    RateLimited,
    RetryLater,
)
from connectors.fxiaoke.connector import FxiaokeConnector
from connectors.simulation.server import RunningSimulator

PERSONAL = ("张三丰", "13800138000", "simulated-secret")
Outcome = type[object]


@dataclass(frozen=True)
class Line:
    """Is one row: what a read and a write end in; `named` stands in the message or in the code of the row result."""

    code: int
    message: str
    read: Outcome
    write: Outcome
    named: str = ""


def auth(code: int, named: str, message: str = "appId 错误") -> Line:
    return Line(code, message, AuthRejected, AuthRejected, named)


def request_fault(code: int, message: str, named: str = "fxiaoke.parameter") -> Line:
    return Line(code, message, ProtocolViolation, Refused, named)


def unclear(code: int, message: str) -> Line:
    return Line(code, message, RetryLater, Unknown)


MISSING = "the parameter {} is missing or illegal"
TABLE = [
    unclear(-1, "系统繁忙"),
    unclear(-2, "系统错误"),
    unclear(-2, "java.lang.NullPointerException: object_data"),
    auth(10001, "app_id"),
    auth(10002, "app_secret"),
    auth(10003, "credentials of the call"),
    request_fault(10004, "缺少参数redirectUri"),
    request_fault(10006, MISSING.format("limit")),
    auth(10006, "operator_id", MISSING.format("x-fs-userid")),
    auth(10006, "credentials of the call", MISSING.format("corpAccessToken")),
    Line(
        10006,
        "the request uri=[/cgi/crm/v9/x], apiName=[null] is not exists",
        ProtocolViolation,
        ProtocolViolation,
        "base_url",
    ),
    request_fault(10008, "缺少参数code"),
    auth(10010, "operator_id"),
    auth(10012, "permanent_code"),
    auth(10013, "credentials of the call", "缺少参数corpAccessToken"),
    request_fault(10013, "offset out of range 10000"),
    auth(10014, "corpId"),
    request_fault(10015, "缺少参数toUser"),
    request_fault(11001, "参数不合法"),
    auth(11013, "permanent_code"),
    auth(11014, "credentials of the call"),
    auth(11015, "corpId"),
    request_fault(11018, "参数不合法"),
    Line(14001, "接口调用超过限制", RateLimited, RateLimited),
    Line(30004, "接口每秒调用频率超限", RateLimited, RateLimited),
    request_fault(15002, "参数不合法"),
    auth(15003, "API permission"),
    auth(20005, "operator_id", "the cropId,cropAccessToken or authorization is error"),
    auth(20016, "IP 白名单", "the cropId,cropAccessToken or authorization is error"),
    auth(20006, "app_secret"),
    auth(20012, "operator_id"),
    auth(20015, "permanent_code"),
    auth(20017, "auth_style", "corpAccessToken为必填项，不能为空"),
    auth(20017, "corpId", "企业不存在"),
    auth(20021, "stopped"),
    auth(20022, "authorisation"),
    auth(20023, "authorisation"),
    Line(30002, "当日接口调用次数已用完", QuotaExhausted, QuotaExhausted, "00:00"),
    auth(30003, "quota"),
    request_fault(30007, "部门不存在", "fxiaoke.staff-missing"),
    request_fault(30027, "员工不存在", "fxiaoke.staff-missing"),
    request_fault(32000, "参数错误"),
    request_fault(40010, "未知", "fxiaoke.refused"),
    unclear(50009, "服务异常，例如超时"),
    request_fault(50009, "不能进行[编辑]操作，以下这些数据已被锁定。", "fxiaoke.locked"),
    request_fault(50009, "数据校验不通过", "fxiaoke.refused"),
    request_fault(320001400, "规则不允许", "fxiaoke.refused"),
    request_fault(320002401, "数据已作废或已删除", "fxiaoke.not-found"),
    request_fault(999999999, "unheard of", "fxiaoke.refused"),
    Line(320001400, "无此操作的数据权限", AuthRejected, Refused, "ermission"),
    request_fault(201112011, "关联关系不存在-201112011", "fxiaoke.lookup-missing"),
    request_fault(320001400, "该客户被订单关联，不允许作废", "fxiaoke.referenced"),
]


@pytest.fixture
def connector(make: Make) -> FxiaokeConnector:
    made = make(rate_limit_patience=0)
    made.describe("AccountObj")
    return made


def plant(vendor: RunningSimulator, path: str, line: Line, **more: Any) -> None:
    wording = f"{line.message} {' '.join(PERSONAL)}"
    fault = {"match": {"path_regex": path}, "action": "vendor_error", "code": line.code, "message": wording, **more}
    vendor.admin.faults([{"every": 1, **fault}])


def say_nothing_personal(*texts: str) -> None:
    for text in texts:
        assert not [value for value in PERSONAL if value in text], text


def raised(act: Any) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        act()
    error = caught.value
    say_nothing_personal(str(error), repr(error), error.en, error.zh)
    assert error.en != error.zh
    return error


@pytest.mark.parametrize("line", TABLE, ids=lambda line: f"{line.code}-{line.message[:12]}")
def test_a_row_at_a_read_and_at_a_write(vendor: RunningSimulator, connector: FxiaokeConnector, line: Line) -> None:
    plant(vendor, "data/(query|create)$", line)
    error = raised(lambda: connector.changes("AccountObj", FIELDS, None, 10))
    assert type(error) is line.read
    if not line.named.startswith("fxiaoke."):
        assert line.named in error.en
        assert line.read is not AuthRejected or line.named in error.missing  # type: ignore[attr-defined]
    new = request(Op.CREATE, name="表中一行", owner=["1001"])
    if issubclass(line.write, ConnectorError):
        error = raised(lambda: connector.write([new]))
        assert type(error) is line.write
        assert line.named in error.en
        return
    [result] = connector.write([new])
    assert type(result) is line.write
    say_nothing_personal(repr(result))
    if isinstance(result, Refused):
        assert line.named in result.code
        assert str(line.code) in result.en
        assert result.retry_later is (line.named == "fxiaoke.locked")


SIGN_IN = [
    (Line(10006, MISSING.format("appSecret"), AuthRejected, Written), "app_secret"),
    (Line(10006, MISSING.format("permanentCode"), AuthRejected, Written), "permanent_code"),
    (Line(11013, "参数不合法", AuthRejected, Written), "permanent_code"),
    (Line(20006, "错误", AuthRejected, Written), "app_secret"),
    (Line(20015, "错误", AuthRejected, Written), "permanent_code"),
    (Line(20016, "错误", AuthRejected, Written), "app_secret"),
    (Line(20021, "应用停用", AuthRejected, Written), "stopped"),
    (Line(14001, "接口调用超过限制", RateLimited, Written), "sign-ins"),
    (Line(30002, "用完", QuotaExhausted, Written), "00:00"),
    (Line(-1, "系统繁忙", RetryLater, Written), "nothing was changed"),
    (Line(10006, "the request uri=[/x] is not exists", ProtocolViolation, Written), "base_url"),
]


@pytest.mark.parametrize(("line", "named"), SIGN_IN, ids=lambda each: f"{each.code}" if isinstance(each, Line) else "")
def test_a_row_at_the_sign_in_names_the_value(vendor: RunningSimulator, make: Make, line: Line, named: str) -> None:
    plant(vendor, "oauth2.0/token", line)
    error = raised(lambda: make().list_ids("AccountObj", None, 10))
    assert type(error) is line.read
    assert named in error.en
    assert vendor.admin.calls()["paths"]["POST /oauth2.0/token"] == 1


def test_a_busy_vendor_is_asked_again_for_a_read_and_never_for_a_write(
    vendor: RunningSimulator, connector: FxiaokeConnector, context: Context
) -> None:
    line = unclear(-1, "系统繁忙")
    plant(vendor, "data/query$", line, every=2)
    began = context.clock.offset
    vendor.admin.reset_calls()
    for _ in range(4):
        connector.list_ids("AccountObj", None, 10)
    assert context.clock.offset > began, "it waits between"
    plant(vendor, "data/create$", line, nth=1, every=0)
    vendor.admin.reset_calls()
    [result] = connector.write([request(Op.CREATE, name="一次", owner=["1001"])])
    assert isinstance(result, Unknown)
    assert vendor.admin.calls()["paths"]["POST /cgi/crm/v2/data/create"] == 1


@pytest.mark.parametrize("code", [14001, 30004])
def test_a_call_that_was_refused_for_its_frequency_goes_again_after_the_window(
    vendor: RunningSimulator, make: Make, context: Context, code: int
) -> None:
    connector = make(workers=1)
    connector.describe("AccountObj")
    vendor.admin.settings(rate_limit_code=code)
    vendor.admin.faults([{"match": {"path_regex": "data/create"}, "action": "http_429", "nth": 2}])
    began = context.clock.offset
    results = connector.write([request(Op.CREATE, name=f"频率{code}-{n}", owner=["1001"]) for n in range(3)])
    assert all(isinstance(result, Written) for result in results)
    assert 20 <= context.clock.offset - began < 60
    made = [row for row in vendor.admin.records("AccountObj") if row["name"].startswith(f"频率{code}-")]
    assert len(made) == 3
