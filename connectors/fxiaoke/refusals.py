"""What a person reads when Fxiaoke did not write a record.

The vendor's own wording may hold personal values, so it is searched for a field's name and never shown.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.base import Op, Refused, WriteRequest
from connectors.errors import ConnectorError, RateLimited, Unsupported
from connectors.fxiaoke.envelope import Reason, Rejected
from connectors.fxiaoke.links import LOG

_BY_RULE, _BY_FIELD = "查重", "唯一"
_SHOWN = 5
"""Ids of existing records that a message names at most."""
_REMEDIES = {
    Reason.LOCKED: (
        "the record is locked or under approval; it is tried again later, or unlock it in Fxiaoke",
        "记录已锁定或在审批中；稍后自动重试，也可在纷享销客中解锁",
    ),
    Reason.NOT_FOUND: (
        "the record is invalid, deleted or hidden; it will be read again",
        "记录已作废、已删除或不可见；将重新读取",
    ),
    Reason.DUPLICATE: (
        "another record holds a value that must be unique, perhaps an invalid one (作废); compare the records",
        "唯一性字段的值已被占用，也可能被已作废的记录占用；请核对两条记录",
    ),
    Reason.PERMISSION: (
        "the operator may not write this record; grant the permission to the integration employee",
        "操作员无权写入该记录；请为集成员工授权",
    ),
    Reason.LOOKUP: (
        "a related record does not exist in Fxiaoke; it must be written first",
        "关联记录在纷享销客中不存在；须先写入关联记录",
    ),
    Reason.STAFF: (
        "the employee or department is not known in Fxiaoke; correct the staff or branch table",
        "员工或部门在纷享销客中不存在；请更正人员或机构对照表",
    ),
    Reason.REFERENCED: (
        "other records in Fxiaoke point at this one and forbid its deletion; delete or re-link them first",
        "纷享销客中有其他记录关联该记录，不允许作废；须先处理这些记录",
    ),
    Reason.PARAMETER: (
        "Fxiaoke does not take the request; compare the mapped fields with the object's description",
        "纷享销客不接受该请求；请核对映射字段与对象描述",
    ),
    Reason.OTHER: (
        "a rule of the tenant refuses the record; correct it at its source or change the rule",
        "租户的业务规则拒绝该记录；请在来源系统更正或调整规则",
    ),
}

_RULE = (
    "the tenant's duplicate rule (查重) of this object finds a record like it, so nothing was written; compare the "
    "two in Fxiaoke, or set duplicate_search: false",
    "命中该对象的查重规则，未写入；请在纷享销客中核对两条记录，或设置 duplicate_search: false",
)
_POOLED = (
    "the record lies in a pool (公海) and has no owner, so nobody may edit it; it goes on by itself once somebody "
    "claims it in Fxiaoke",
    "记录在公海中、没有负责人，不能编辑；有人领取后自动继续",
)
_IN_APPROVAL = (
    "the record is under approval; it goes on by itself once that ends",
    "记录在审批中；审批结束后自动继续",
)
_OWN_CALL = (
    "the owner is changed by a call of its own; send it without other fields",
    "负责人须单独变更；请勿与其他字段一起发送",
)
_CLOSED_LOG = (
    "the tenant does not let the operator change this log; grant the permission, or name the object in append_only",
    "租户不允许操作员修改该销售记录；请授权，或在 append_only 中列出该对象",
)


def refused(system: str, request: WriteRequest, no: Rejected, labels: Mapping[str, str]) -> Refused:
    """Returns the row result of a rejected write; `labels` are the object's field labels, as far as known."""
    closed = no.reason is Reason.PERMISSION and request.object == LOG and request.op is not Op.CREATE
    field = _field(no.wording, request, labels)
    where = place(system, request, field)
    code, (en, zh) = str(no.reason), _CLOSED_LOG if closed else _REMEDIES[no.reason]
    # Which code tells a duplicate rule from a unique field is unverified, so the wording does.
    if no.reason is Reason.DUPLICATE and (_BY_RULE in no.wording or (field is None and _BY_FIELD not in no.wording)):
        # No field of its own: without that field the create would pass the rule and make the duplicate.
        field, code, (en, zh) = None, "duplicate-rule", _RULE
    if no.alike:
        shown = ", ".join(no.alike[:_SHOWN]) + (" …" if len(no.alike) > _SHOWN else "")
        en, zh = f"{en}; it is like {shown}", f"{zh}；相似记录：{shown}"
    return Refused(
        code=f"fxiaoke.{code}",
        field=field,
        en=f"{where}: {en} (vendor code {no.code}, trace {no.trace_id})",
        zh=f"{where}：{zh}（返回码 {no.code}，traceId {no.trace_id}）",
        retry_later=no.reason is Reason.LOCKED,
    )


def wait_for_approval(system: str, request: WriteRequest, *, locked: bool) -> Refused:
    """Returns the row result of a record that is locked or under approval, seen before anything was sent."""
    if locked:
        return _put_off(system, request, "locked", _REMEDIES[Reason.LOCKED])
    return _put_off(system, request, "in-approval", _IN_APPROVAL)


def in_pool(system: str, request: WriteRequest) -> Refused:
    """Returns the row result of a record that lies in a pool, which the connection leaves there."""
    return _put_off(system, request, "in-pool", _POOLED)


def _put_off(system: str, request: WriteRequest, code: str, said: tuple[str, str]) -> Refused:
    where = place(system, request, None)
    return Refused(f"fxiaoke.{code}", None, f"{where}: {said[0]}", f"{where}：{said[1]}", retry_later=True)


def own_call(system: str, request: WriteRequest, field: str) -> Refused:
    """Returns the row result of a change that mixes the owner with other fields."""
    where = place(system, request, field)
    return Refused("fxiaoke.own-call", field, f"{where}: {_OWN_CALL[0]}", f"{where}：{_OWN_CALL[1]}")


def undeclared(system: str, object: str, op: Op) -> Unsupported:
    """Returns the error of an op that the settings take from an object."""
    return Unsupported(
        f"{system} {object}: no {op}, because append_only, never_invalidated or read_only names this object",
        f"{system} {object}：append_only、never_invalidated 或 read_only 包含该对象，不支持 {op}",
        system=system,
        object=object,
    )


def busy(system: str, request: WriteRequest, cause: ConnectorError | None) -> Refused:
    """Returns the row result of a write that was not sent, because another of its batch was stopped."""
    where = place(system, request, None)
    code = "fxiaoke.rate-limited" if isinstance(cause, RateLimited) else "fxiaoke.stopped"
    reason = cause.code if cause is not None else "-"
    return Refused(
        code,
        None,
        f"{where}: not sent, because the batch was stopped ({reason}); it is tried again later",
        f"{where}：本批写入中断（{reason}），未发送；稍后自动重试",
        retry_later=True,
    )


def place(system: str, request: WriteRequest, field: str | None) -> str:
    """Names system, object, record and field."""
    record = request.native_id or f"hub {request.hub_id}"
    return " ".join(part for part in (system, request.object, record, field) if part)


def _field(wording: str, request: WriteRequest, labels: Mapping[str, str]) -> str | None:
    """Returns the field that the vendor's wording names, if it names exactly one of those sent or described."""
    by_name = {name for name in request.fields if name in wording}
    if len(by_name) == 1:
        return by_name.pop()
    by_label = {name for name, label in labels.items() if len(label) > 1 and label in wording}
    sent = by_label & set(request.fields)
    chosen = sent or by_label
    longest = max((len(labels[name]) for name in chosen), default=0)
    named = {name for name in chosen if len(labels[name]) == longest}
    return named.pop() if len(named) == 1 else None
