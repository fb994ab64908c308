"""Tries the function permissions of an object without changing anything: on a record that cannot exist.

Whether Fxiaoke judges the permission before it looks for the record is unverified; where it does not, a missing one
shows at the first write. A create is tried only where two things forbid it by the vendor's own rules: a required field
that is left out, and a link to a record that is not there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connectors.base import CheckLine, WriteUnclear
from connectors.errors import AuthRejected
from connectors.fxiaoke import bodies
from connectors.fxiaoke.client import Client, WriteOperation, record_path
from connectors.fxiaoke.descriptions import Descriptions
from connectors.fxiaoke.envelope import Rejected
from connectors.fxiaoke.links import LOOKUP
from connectors.fxiaoke.permissions import DIRECTORY, FUNCTIONS, WRITES, Words, grant, hidden, share, without
from connectors.fxiaoke.settings import FxiaokeSettings

NOBODY = "0" * 24
"""Is the id of a record that cannot exist: ids begin with the instant of creation, this one with 1970."""
_LACKS = re.compile(r"(没有|无|缺少|不具备).{0,24}权限")
_OF_RECORDS = re.compile(r"数据权限")
_NO_INTERFACE = re.compile(r"is not exists")


class Trier:
    """Tries what the operator may do in the objects of one connection."""

    def __init__(self, client: Client, descriptions: Descriptions, settings: FxiaokeSettings) -> None:
        self._client, self._descriptions, self._settings = client, descriptions, settings

    def writes(self, object: str, label: str) -> list[CheckLine]:
        """Returns one line per function that writes; nothing where the settings say that none is tried."""
        tried = self._settings.check_functions
        if tried == "none":
            return []
        wanted = ("create",) if object in self._settings.append_only else WRITES
        return [
            self._create(object, label) if name == "create" else self._try(object, label, name)
            for name in wanted
            if name != "create" or tried == "all"
        ]

    def read(self, object: str, label: str) -> tuple[CheckLine, str | None]:
        """Proves the list, and returns the id of a record that it shows."""
        name, search = f"read {object}", {"limit": 1, "offset": 0, "filters": [], "fieldProjection": ["_id"]}
        orders = [{"fieldName": "_id", "isAsc": True}]
        inner = {"dataObjectApiName": object, "search_query_info": {**search, "orders": orders}}
        try:
            payload = self._client.read(record_path(object, "query"), object, {"data": inner}).payload
        except AuthRejected as refused:
            return CheckLine(name, False, refused.en, refused.zh), None
        except Rejected as no:
            return self._refused(name, object, label, "query", no), None
        rows = (payload.get("data") or {}).get("dataList")
        first = rows[0].get("_id") if isinstance(rows, list) and rows and isinstance(rows[0], Mapping) else None
        if not isinstance(first, str):
            return CheckLine(name, True, *hidden(label)), None
        return CheckLine(name, True, "records can be read", "可读取记录"), first

    def get(self, object: str, label: str, native_id: str | None) -> CheckLine:
        """Proves the strong read with a record that the list shows, or with one that cannot exist."""
        body = {"data": {"dataObjectApiName": object, "objectDataId": native_id or NOBODY}}
        name = f"get {object}"
        try:
            self._client.read(record_path(object, "get"), object, body)
        except AuthRejected as refused:
            return CheckLine(name, False, refused.en, refused.zh)
        except Rejected as no:
            if native_id is not None or lacks(no):
                return self._refused(name, object, label, "get", no)
        return CheckLine(name, True, "a record can be read by its id", "可按 ID 读取记录")

    def _try(self, object: str, label: str, function: WriteOperation) -> CheckLine:
        operator = self._settings.operator_id
        body = {
            "update": lambda: bodies.update(object, {"_id": NOBODY}, self._settings),
            "changeOwner": lambda: bodies.change_owner(object, NOBODY, [operator], self._settings),
            "invalid": lambda: bodies.invalid(object, NOBODY, self._settings),
            "recover": lambda: bodies.recover(object, NOBODY, self._settings),
        }[function]()
        return self._send(object, label, function, body)

    def _create(self, object: str, label: str) -> CheckLine:
        fields = self._unfit(object)
        if fields is None:
            return CheckLine(
                f"create {object}",
                True,
                f"not tried: nothing in {label} forbids a create beyond doubt; the first real one proves it",
                f"未尝试：{label} 除负责人外没有必填字段，或没有查找关联字段，无法保证不产生数据；以首次新建为准",
            )
        return self._send(object, label, "create", bodies.create(object, fields, self._settings))

    def _unfit(self, object: str) -> Mapping[str, Any] | None:
        """Returns the fields of a create that two rules forbid: nothing required, and a link to nowhere."""
        fields = self._descriptions.kept(object).fields.values()
        links = self._descriptions.links(object, (LOOKUP,))
        lookup = next((each.api_name for each in fields if each.kind == "object_reference" and each.writable), None)
        # An owner that is left out may well be taken to be the operator, so it forbids nothing.
        required = [
            each for each in fields if each.required and each.writable and each.api_name not in (lookup, "owner")
        ]
        if lookup is None or not required:
            return None
        sent = {lookup: NOBODY}
        return links.written(sent, {}) if links is not None else sent

    def _send(self, object: str, label: str, function: WriteOperation, body: Mapping[str, Any]) -> CheckLine:
        name = f"{function} {object}"
        try:
            answer = self._client.write(object, function, body)
        except WriteUnclear:
            return CheckLine(
                name,
                False,
                "Fxiaoke gave no clear answer, so the permission is not proven; run check again, and if it stays so "
                "set check_functions: none",
                "纷享销客未给出明确答复，无法确认该权限；请重新检查，若仍如此可设置 check_functions: none",
            )
        except AuthRejected as refused:
            return CheckLine(name, False, refused.en, refused.zh)
        except Rejected as no:
            if lacks(no) or _NO_INTERFACE.search(no.wording):
                return self._refused(name, object, label, function, no)
            return CheckLine(
                name,
                True,
                "not refused for want of a permission (tried on a record that cannot exist)",
                "未因权限被拒绝（以不存在的记录尝试）",
            )
        return self._taken(name, object, bodies.created_id(answer.payload) if function == "create" else None)

    def _taken(self, name: str, object: str, native_id: str | None) -> CheckLine:
        """Takes back a create that should have been refused, and says so; any other call had nothing to act on."""
        if native_id is None:
            return CheckLine(name, True, "the call is allowed", "允许该调用")
        try:
            self._client.write(object, "invalid", bodies.invalid(object, native_id, self._settings))
            done = ("it was invalidated again", "已将其作废")
        except (AuthRejected, Rejected, WriteUnclear):
            done = ("invalidate it by hand", "请手工作废")
        return CheckLine(
            name,
            False,
            f"Fxiaoke created {object} {native_id} without its required fields; {done[0]}. Set check_functions: "
            "without-create, and tell the vendor",
            f"纷享销客在缺少必填字段时仍新建了 {object} {native_id}；{done[1]}。"
            "请设置 check_functions: without-create 并反馈厂商",
        )

    def _refused(self, name: str, object: str, label: str, function: str, no: Rejected) -> CheckLine:
        en, zh = self._remedy(object, label, function, no)
        return CheckLine(
            name,
            False,
            f"{en} (vendor code {no.code}, trace {no.trace_id})",
            f"{zh}（返回码 {no.code}，traceId {no.trace_id}）",
        )

    def _remedy(self, object: str, label: str, function: str, no: Rejected) -> Words:
        known = FUNCTIONS[function]
        if _NO_INTERFACE.search(no.wording):
            return (
                f"this cloud does not offer {record_path(object, function)}; ask the vendor's contact",
                f"该云不提供接口 {record_path(object, function)}；请咨询厂商",
            )
        if _OF_RECORDS.search(no.wording) or object in DIRECTORY:
            return without(share(object, label), known)
        if not lacks(no):
            return without(_other(object, function), known)
        return without(grant(known, label), known)


def _other(object: str, function: str) -> Words:
    return (
        f"Fxiaoke refuses {function} of {object} for a reason that it does not word as a permission; look at the "
        "object in the console",
        f"纷享销客拒绝对 {object} 执行 {function}，返回信息未说明是权限原因；请在控制台检查该对象",
    )


def lacks(no: Rejected) -> bool:
    """Tells whether a refusal says that a permission is missing. Source: messages 没有…权限, 无此操作的数据权限."""
    return _LACKS.search(no.wording) is not None
