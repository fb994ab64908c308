"""The vendor's envelope: what an answer means, judged by errorCode alone.

REJECTED     the vendor understood and did not do it: a matter of one record (or of one request).
UNCLEAR      nobody knows whether a write took effect.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from connectors.base import Response, WriteUnclear
from connectors.errors import AuthRejected, ConnectorError, ProtocolViolation, RetryLater

RATE_CODES = frozenset({14001, 30004})
QUOTA_CODE = 30002
TOKEN_CODES = frozenset({20005, 20016})
SYSTEM_CODES = frozenset({-1, -2})
SERVICE_ABNORMAL = 50009
_CREDENTIALS = "the credentials of the call (corpAccessToken)"
_NOT_ARRIVED = f"{_CREDENTIALS}, which did not arrive; does a proxy take headers away, or does auth_style not fit?"
CONFIGURATION = {
    10001: "app_id",
    10002: "app_secret",
    10003: _CREDENTIALS,
    10010: "operator_id",
    10012: "permanent_code",
    10013: _CREDENTIALS,
    10014: "corpId",
    11013: "permanent_code",
    11014: _CREDENTIALS,
    11015: "corpId",
    15003: "the app's API permission (应用接口权限)",
    20006: "app_id / app_secret",
    20012: "operator_id",
    20015: "permanent_code",
    20017: "corpId / credentials",
    20021: "the app, which is stopped (应用已停用)",
    20022: "the app's authorisation by the enterprise (企业授权)",
    20023: "the app's authorisation by the enterprise (企业授权)",
    30003: "a bought call quota (接口调用额度)",
}
"""What to look at when a code says that the connection's configuration is wrong. Source: Fxiaoke 全局返回码."""

PARAMETERS = {
    "appSecret": "app_secret (appSecret)",
    "permanentCode": "permanent_code (permanentCode)",
    "appId": "app_id (appId)",
    "corpAccessToken": _CREDENTIALS,
    "corpId": "corpId",
    "currentOpenUserId": "operator_id (currentOpenUserId)",
    "x-fs-userid": "operator_id (x-fs-userid)",
    "x-fs-ea": "enterprise_account (x-fs-ea)",
}
"""What to look at when 10006, which stands for any bad parameter, names one of the sign-in."""
CHINESE = {
    _CREDENTIALS: "本次调用的凭据（corpAccessToken）",
    _NOT_ARRIVED: "本次调用的凭据（corpAccessToken）：未送达；请检查代理是否去除了请求头，或 auth_style 是否不符",
    CONFIGURATION[15003]: "应用接口权限",
    CONFIGURATION[20017]: "corpId / 凭据",
    CONFIGURATION[20021]: "应用（已停用）",
    CONFIGURATION[20022]: "企业对应用的授权",
    CONFIGURATION[30003]: "已购买的接口调用额度",
}
"""What of these is more than the name of a setting, in Chinese."""

ADDRESS = "this host's address (IP 白名单): enter it in the allow list of the self-built app (企业自建应用)"
"""What is missing where the app's allow list does not hold the address that the calls come from."""
_ADDRESS_ZH = "本机的出口 IP 地址：请将其加入企业自建应用的 IP 白名单"


class Reason(StrEnum):
    """Names why the vendor rejected one record, as far as its wording tells."""

    LOCKED = "locked"
    NOT_FOUND = "not-found"
    DUPLICATE = "duplicate"
    PERMISSION = "permission"
    LOOKUP = "lookup-missing"
    STAFF = "staff-missing"
    REFERENCED = "referenced"
    PARAMETER = "parameter"
    OTHER = "refused"


# Only the wording tells these apart: CRM business rules share undocumented codes, and 50009 is also "service abnormal".
_WORDING = (
    (Reason.LOCKED, re.compile(r"锁定|locked|审核中|审批中", re.IGNORECASE)),
    (Reason.NOT_FOUND, re.compile(r"已作废|已删除|数据不存在")),
    (Reason.LOOKUP, re.compile(r"关联关系不存在")),
    (Reason.REFERENCED, re.compile(r"被.{0,40}(关联|引用)")),
    (Reason.DUPLICATE, re.compile(r"重复|唯一|已存在")),
    (Reason.PERMISSION, re.compile(r"权限")),
)
_STAFF_CODES = frozenset({30007, 30027})
_RULE = re.compile(r"校验|验证|必填|不能为空|格式")
"""Names a rule of the tenant, where the code alone may also stand for a failure of the service."""
_BAD_PARAMETER, _OFFSET_OR_TOKEN, _NO_CREDENTIALS = 10006, 10013, 20017
_NO_SUCH_PATH = re.compile(r"uri=\[|is not exists")
_OFFSET = re.compile(r"offset", re.IGNORECASE)
_NAMED = re.compile(r"parameter ([\w-]+)")
# No source shows how a foreign address is refused, so its wording tells; codes of business rules have nine digits.
_FOREIGN = re.compile(
    r"\bIP\b.{0,40}(white|allow|forbid|denied)|(white|allow).{0,20}\bIP\b|IP.{0,24}白名单|白名单.{0,24}IP", re.I
)
_BUSINESS_CODE = 100_000
_RECORD_ID = re.compile(r"[0-9a-f]{24}|[0-9a-f]{32}")
_TRACE = re.compile(r"[^\w.\-]")


@dataclass(frozen=True, slots=True)
class Call:
    """Is one API operation: where it goes, what it is about, and whether it only reads."""

    system: str
    path: str
    object: str
    read: bool

    @property
    def operation(self) -> str:
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class Answer:
    """Is an answer of the vendor, successful where `code` is 0; `server_at` is its Date header in epoch seconds."""

    payload: Mapping[str, Any] = field(repr=False)
    server_at: float | None
    code: int = 0

    @property
    def trace_id(self) -> str:
        """Returns the vendor's traceId, which its support asks for."""
        return _TRACE.sub("", str(self.payload.get("traceId") or "-"))[:100]


class Rejected(Exception):
    """Says that the vendor refused a request; its wording may hold personal values and stays inside this package."""

    def __init__(self, code: int, reason: Reason, trace_id: str, wording: str, alike: Sequence[str] = ()) -> None:
        super().__init__(f"vendor code {code}, trace {trace_id}")
        self.code = code
        self.reason = reason
        self.trace_id = trace_id
        self.wording = wording
        self.alike = tuple(alike)
        """Ids of the records that the vendor holds for the same, where it lists them."""


class TokenRefused(Exception):
    """Says that the access token is unknown or expired; nothing was done."""

    def __init__(self, code: int, trace_id: str) -> None:
        super().__init__(f"vendor code {code}, trace {trace_id}")
        self.code, self.trace_id = code, trace_id


class RateRefused(Exception):
    """Says that the interface was called too often; nothing was done."""


class QuotaRefused(Exception):
    """Says that the day's calls are used up; nothing was done. `server_at` is the vendor's clock."""

    def __init__(self, server_at: float | None) -> None:
        super().__init__("the day's calls are used up")
        self.server_at = server_at


def open_answer(response: Response, call: Call) -> Answer:
    """Returns a successful answer. Raises what `read_answer` and `judge` raise."""
    return judge(read_answer(response, call), call)


def read_answer(response: Response, call: Call) -> Answer:
    """Returns what the vendor said, refusals too.

    Where nobody knows what it said, raises WriteUnclear for a write, RetryLater or ProtocolViolation for a read.
    Source: Fxiaoke openapi, HTTP is 200 for every refusal, so any other status comes from a proxy or gateway.
    """
    if response.status != 200:
        raise unsettled(call, f"status {response.status}")
    try:
        payload = response.json()
    except ProtocolViolation:
        payload = None
    if payload is None:
        raise unsettled(call, "the answer is not JSON")
    code = _code(payload)
    if code is None:
        raise _foreign(call)
    return Answer(payload, server_time(response), code)


def judge(answer: Answer, call: Call) -> Answer:
    """Returns a successful answer.

    Raises TokenRefused, RateRefused, QuotaRefused, Rejected (this request), AuthRejected (the configuration),
    ProtocolViolation (no such interface); where the code settles nothing, WriteUnclear for a write and RetryLater for
    a read. Source: Fxiaoke 全局返回码.
    """
    if answer.code == 0:
        return answer
    raise _refusal(answer, call)


def unsettled(call: Call, why: str) -> Exception:
    """Returns the error of an answer that settles nothing."""
    where = f"{call.system} {call.object} {call.operation}"
    if not call.read:
        return WriteUnclear(f"{where}: {why}")
    return RetryLater(
        f"{where}: {why}; nothing was changed, it will be tried again",
        f"{where}：{why}；未作任何更改，稍后重试",
        system=call.system,
        object=call.object,
    )


def server_time(response: Response) -> float | None:
    """Returns the server's clock as the answer shows it, to the second, or None."""
    try:
        return parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
    except (TypeError, ValueError, IndexError):
        return None


_REFUSES = ("Fxiaoke refuses ", "纷享销客不接受 ")


def auth_rejected(
    call: Call, missing: str, code: int, trace_id: str, words: tuple[str, str] = _REFUSES, *, missing_zh: str = ""
) -> AuthRejected:
    """Returns the error of a configuration that the vendor does not accept; `words` lead to what is missing.

    `missing_zh` says it in Chinese where `missing` is more than the names of settings.
    """
    where = f"{call.system} {call.object}".strip()
    return AuthRejected(
        f"{where}: {words[0]}{missing} (vendor code {code}, trace {trace_id}); correct it and run check again",
        f"{where}：{words[1]}{missing_zh or missing}（返回码 {code}，traceId {trace_id}）；请更正后重新检查连接",
        missing=missing,
        system=call.system,
        object=call.object,
    )


def protocol_violation(call: Call, rejected: Rejected) -> ConnectorError:
    """Returns what a rejected read means to the engine: a missing permission, or a request the vendor does not take."""
    if rejected.reason is Reason.PERMISSION:
        return auth_rejected(
            call,
            f"the operator's permission on {call.object}",
            rejected.code,
            rejected.trace_id,
            ("Fxiaoke misses ", "纷享销客提示缺少"),
            missing_zh=f"操作员对 {call.object} 的权限",
        )
    where = f"{call.system} {call.object} {call.operation}"
    return ProtocolViolation(
        f"{where}: Fxiaoke rejects the request (vendor code {rejected.code}, trace {rejected.trace_id}); "
        "compare the mapped fields with the object's description",
        f"{where}：纷享销客拒绝该请求（返回码 {rejected.code}，traceId {rejected.trace_id}）；"
        "请核对映射字段与对象描述是否一致",
        system=call.system,
        object=call.object,
    )


def _code(payload: Any) -> int | None:
    found = payload.get("errorCode") if isinstance(payload, dict) else None
    try:
        return None if found is None or isinstance(found, bool | float) else int(found)
    except (TypeError, ValueError):
        return None


def _foreign(call: Call) -> Exception:
    if not call.read:
        return WriteUnclear(f"{call.system} {call.object} {call.operation}: an answer without errorCode")
    where = f"{call.system} {call.object} {call.operation}"
    return ProtocolViolation(
        f"{where}: the answer has no errorCode, so it is not Fxiaoke's; check base_url and any proxy in between",
        f"{where}：返回内容没有 errorCode，不是纷享销客的应答；请检查 base_url 与中间代理",
        system=call.system,
        object=call.object,
    )


def _refusal(answer: Answer, call: Call) -> Exception:
    code, payload, trace_id = answer.code, answer.payload, answer.trace_id
    wording = f"{payload.get('errorMessage') or ''} {payload.get('errorDescription') or ''}"
    if abs(code) < _BUSINESS_CODE and _FOREIGN.search(wording):
        return auth_rejected(call, ADDRESS, code, trace_id, missing_zh=_ADDRESS_ZH)
    if code in RATE_CODES:
        return RateRefused()
    if code == QUOTA_CODE:
        return QuotaRefused(answer.server_at)
    if code in TOKEN_CODES:
        return TokenRefused(code, trace_id)
    if code == _BAD_PARAMETER and _NO_SUCH_PATH.search(wording):
        return _no_such_path(call, trace_id)
    if missing := _misconfigured(code, wording):
        return auth_rejected(call, missing, code, trace_id, missing_zh=CHINESE.get(missing, ""))
    reason = _reason(code, wording)
    named = reason is not Reason.OTHER or _RULE.search(wording)
    if code in SYSTEM_CODES or (code == SERVICE_ABNORMAL and not named):
        return unsettled(call, f"vendor code {code}, trace {trace_id}")
    return Rejected(code, reason, trace_id, wording, _alike(payload) if reason is Reason.DUPLICATE else ())


def _alike(payload: Mapping[str, Any]) -> list[str]:
    """Returns the ids in a refusal's `dataList`, at the top or inside `data` [unverified]; only what is an id for sure.

    Source: the answer of a duplicate search (查重) to server-side functions; the open interface shows none.
    """
    inside = payload.get("data")
    for holder in (payload, inside if isinstance(inside, Mapping) else {}):
        if isinstance(rows := holder.get("dataList"), list):
            ids = [row.get("_id") if isinstance(row, Mapping) else row for row in rows]
            return [one for one in dict.fromkeys(map(str, ids)) if _RECORD_ID.fullmatch(one)]
    return []


def _misconfigured(code: int, wording: str) -> str | None:
    """Returns which value of the connection a code speaks of, None where it speaks of the request alone."""
    if code == _BAD_PARAMETER:
        named = _NAMED.search(wording)
        return PARAMETERS.get(named[1]) if named else None
    if code == _OFFSET_OR_TOKEN and _OFFSET.search(wording):
        return None
    if code == _NO_CREDENTIALS and "corpAccessToken" in wording:
        return _NOT_ARRIVED
    return CONFIGURATION.get(code)


def _no_such_path(call: Call, trace_id: str) -> ProtocolViolation:
    where = f"{call.system} {call.object} {call.operation}"
    return ProtocolViolation(
        f"{where}: this cloud has no such interface (vendor code {_BAD_PARAMETER}, trace {trace_id}); check base_url "
        "and whether the tenant's edition includes the interface",
        f"{where}：该云不提供此接口（返回码 {_BAD_PARAMETER}，traceId {trace_id}）；"
        "请检查 base_url 以及企业版本是否包含该接口",
        system=call.system,
        object=call.object,
    )


def _reason(code: int, wording: str) -> Reason:
    if 10001 <= code <= 11018 or code in (15002, 32000):
        return Reason.PARAMETER
    if code in _STAFF_CODES:
        return Reason.STAFF
    return next((reason for reason, words in _WORDING if words.search(wording)), Reason.OTHER)
