"""What the result of one written row means. Source: Zoho API v8 insert-records, update-records, status-codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.base import Op, Refused, Unknown, WriteRequest, WriteResult, Written
from connectors.errors import ConnectorError, ProtocolViolation
from connectors.zoho_crm.answers import LOCKED, NOT_THERE, SERVER_FAILED, code_of, field_of
from connectors.zoho_crm.times import version

_MESSAGES: Mapping[str, tuple[str, str]] = {
    "MANDATORY_NOT_FOUND": ("is required; give it a value or map it", "为必填字段，请补充取值或加入映射"),
    "DUPLICATE_DATA": (
        "has a value that another record holds; decide whether they are one",
        "取值已被另一记录占用，请判断是否同一记录",
    ),
    "CANNOT_CLEAR": (
        "cannot be emptied through zcrmsdk; empty it in Zoho, or use backend: rest",
        "无法通过 zcrmsdk 清空，请在 Zoho 中清空，或改用 backend: rest",
    ),
    "NULL_KEEPS": (
        "cannot be emptied, because `clears: false` says that null empties nothing here; empty it in Zoho",
        "无法清空：clears: false 表示 null 不会清空字段，请在 Zoho 中清空",
    ),
    "RECORD_LOCKED": ("the record is locked in Zoho; it is tried again later", "记录在 Zoho 中被锁定，稍后重试"),
    "CANNOT_PROCESS": ("the record is busy in Zoho; it is tried again later", "记录在 Zoho 中正被处理，稍后重试"),
    "NOT_APPROVED": ("the record waits for approval in Zoho; approve it there", "记录在 Zoho 中待审批，请先审批"),
    "RECORD_IN_BLUEPRINT": ("a blueprint controls the record; move it on in Zoho", "记录受蓝图控制，请在 Zoho 中推进"),
    "REQUEST_ENTITY_TOO_LARGE": (
        "the record is larger than Zoho takes in one request; shorten its texts",
        "记录超过 Zoho 单次请求的大小上限，请缩短文本",
    ),
    "ID_ALREADY_CONVERTED": ("the lead was converted in Zoho", "该线索已在 Zoho 中转换"),
    "CONVERTED_RECORD": ("the lead was converted in Zoho", "该线索已在 Zoho 中转换"),
    "NO_PERMISSION": (
        "the connection's user may not write it; grant the permission in Zoho",
        "连接用户无写权限，请在 Zoho 中授权",
    ),
    "AUTHORIZATION_FAILED": (
        "the connection's user may not write it; grant it in Zoho",
        "连接用户无写权限，请在 Zoho 中授权",
    ),
}
_NOT_ACCEPTED = ("was not accepted; correct the value or the mapping", "未被接受，请更正取值或映射")


@dataclass(frozen=True, slots=True)
class Moved:
    """Says that a row was not written and its record must be looked at: it changed, or it may be gone.

    `answered` is False where a read found it before anything was sent; `version` is what an answer says of the record.
    """

    refused: Refused
    answered: bool = False
    version: str | None = None


def outcome(row: object, request: WriteRequest, system: str) -> WriteResult | Moved:
    """Returns what became of one row; anything unclear is Unknown."""
    if not isinstance(row, Mapping):
        return Unknown("Zoho's result for this row is not readable")
    code = code_of(row)
    details = row.get("details")
    details = details if isinstance(details, Mapping) else {}
    if row.get("status") == "success" or code == "SUCCESS":
        return _written(details, request)
    if not code or code in SERVER_FAILED:
        return Unknown(f"Zoho answered {code or 'without a code'} for this row")
    refused = refusal_of(code, details, request, system)
    gone = code in NOT_THERE or (code == "INVALID_DATA" and (request.op is Op.DELETE or refused.field in (None, "id")))
    if code == "ALREADY_MODIFIED" or (gone and request.op is not Op.CREATE):
        return Moved(refused, True, version_of(details))
    return refused


def _written(details: Mapping[str, object], request: WriteRequest) -> WriteResult:
    native_id = details.get("id")
    if not isinstance(native_id, str) or (request.native_id is not None and native_id != request.native_id):
        return Unknown("Zoho reported success for another record than the one of this row")
    return Written(native_id, None if request.op is Op.DELETE else version_of(details))


def version_of(details: Mapping[str, object]) -> str | None:
    """Returns the version that an answer tells of a record, None where it tells none."""
    try:
        return version(details.get("Modified_Time"))
    except ProtocolViolation:
        return None


def refusal_of(code: str, details: Mapping[str, object], request: WriteRequest, system: str) -> Refused:
    """Returns the refusal of one row with its field, message and the record that holds a unique value."""
    errors = details.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], Mapping) else details
    inner = first.get("details")
    field = field_of(first) or (field_of(inner) if isinstance(inner, Mapping) else None)
    en, zh = _MESSAGES.get(code, _NOT_ACCEPTED)
    where = f"{system} {request.object} {request.native_id or request.hub_id}{' ' + field if field else ''}"
    return Refused(
        code=code,
        field=field,
        en=f"{where}: {en} ({code})",
        zh=f"{where}：{zh}（{code}）",
        existing_id=_existing(details) if code == "DUPLICATE_DATA" else None,
        retry_later=code in LOCKED,
    )


def _existing(details: Mapping[str, object]) -> str | None:
    record = details.get("duplicate_record")
    found = details.get("id") or (record.get("id") if isinstance(record, Mapping) else None)
    return str(found) if found else None


def postponed(stopped: ConnectorError) -> Refused:
    """Returns the result of a row that was not sent because the rest of its batch was stopped."""
    return Refused(stopped.code, None, stopped.en, stopped.zh, retry_later=True)
