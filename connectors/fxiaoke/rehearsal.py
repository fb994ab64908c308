"""Tries out on a record of its own what no source tells of writes; the record is invalidated at the end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from connectors.base import ConnectorContext, FieldDescription, WriteUnclear
from connectors.errors import Unsupported
from connectors.fxiaoke import bodies
from connectors.fxiaoke.client import Client, WriteOperation
from connectors.fxiaoke.descriptions import Descriptions
from connectors.fxiaoke.envelope import Reason, Rejected
from connectors.fxiaoke.experiments import Experiments
from connectors.fxiaoke.reading import Reader
from connectors.fxiaoke.records import is_invalid, version_of
from connectors.fxiaoke.settings import FxiaokeSettings
from connectors.fxiaoke.trying import NOBODY
from connectors.settling import Settled

QUESTIONS = (
    "created_id", "index_lag", "same_value", "clear", "numbers", "owner_in_update", "readonly", "refusals", "invalid",
    "recover",
)  # fmt: skip
_PATIENCE = 300
_MARGIN = 3
"""So many times the lag that one record showed: the next one may take longer."""
_WORD = "crmhub-test"
Row = Mapping[str, Any]


class Rehearsal:
    """Makes one record of an object, writes to it, reads what came of it, and takes it back."""

    def __init__(
        self,
        client: Client,
        reader: Reader,
        descriptions: Descriptions,
        experiments: Experiments,
        settings: FxiaokeSettings,
        context: ConnectorContext,
    ) -> None:
        self._client, self._reader, self._descriptions = client, reader, descriptions
        self._experiments, self._settings, self._context = experiments, settings, context
        self._denied: set[WriteOperation] = set()

    def settle(self, object: str) -> Iterator[Settled]:
        """Tries every question of writes in turn. Raises Unsupported where a required field cannot be filled."""
        fields = self._required(object)
        code, payload = self._write(object, "create", bodies.create(object, fields, self._settings))
        native_id = bodies.created_id(payload)
        made = _named(payload) if code == 0 else ("no test record was made", "未新建测试记录")
        yield _said("created_id", code, *made)
        if native_id is None:
            return
        try:
            yield self._index_lag(object, native_id)
            yield self._same_value(object, native_id, fields)
            yield from self._clear(object, native_id)
            yield from self._numbers(object, native_id)
            yield from self._owner_in_update(object, native_id)
            yield self._readonly(object, native_id)
            yield self._refusals(object, native_id, fields)
            yield from self._invalid(object, native_id)
        finally:
            row = self._reader.get_row(object, native_id)
            if row is not None and not is_invalid(row):
                self._write(object, "invalid", bodies.invalid(object, native_id, self._settings))

    def _required(self, object: str) -> dict[str, Any]:
        fields = [f for f in self._descriptions.read(object).fields.values() if f.writable]
        wanted = [f for f in fields if f.required or f.api_name == "owner"]
        if all(f.api_name == "owner" for f in wanted):
            # Nothing else is required, as in a 销售记录: one text is filled to be written again.
            key = self._settings.key_of(object)
            wanted += [f for f in fields if f.kind in ("text", "long_text") and f.api_name != key][:1]
        return {f.api_name: self._filler(object, f) for f in wanted}

    def _filler(self, object: str, field: FieldDescription) -> Any:
        if field.kind == "employee":
            return [self._settings.operator_id]
        if field.kind in ("text", "long_text"):
            return f"{_WORD}-{self._context.new_id()}"[: field.length or 100]
        if field.options:
            return next(iter(field.options))
        raise Unsupported(
            f"{object}.{field.api_name} is required and of type {field.kind}: no test record can be made; name another "
            "object",
            f"{object}.{field.api_name} 为必填且类型为 {field.kind}，无法新建测试记录；请指定其他对象",
            system=self._context.system,
            object=object,
        )

    def _write(self, object: str, operation: WriteOperation, body: Mapping[str, Any]) -> tuple[int | None, Row]:
        """Writes and returns the vendor's code, None where the answer settles nothing."""
        try:
            return 0, self._client.write(object, operation, body).payload
        except Rejected as no:
            if no.reason is Reason.PERMISSION:
                self._denied.add(operation)
            return no.code, {}
        except WriteUnclear:
            return None, {}

    def _update(self, object: str, native_id: str, **fields: Any) -> int | None:
        return self._write(object, "update", bodies.update(object, {"_id": native_id, **fields}, self._settings))[0]

    def _index_lag(self, object: str, native_id: str) -> Settled:
        began = self._context.clock.now()
        found = [{"field_name": "_id", "operator": "EQ", "field_values": [native_id]}]
        while not self._experiments.query(object, filters=found)[1]:
            waited = self._context.clock.now() - began
            if waited > _PATIENCE:
                break
            self._context.clock.sleep(min(1.0, 0.2 + waited))
        waited = self._context.clock.now() - began
        needed, kept = max(1, math.ceil(waited * _MARGIN)), self._settings.index_lag
        return Settled(
            "index_lag",
            f"a query showed the new record after {waited:.1f} s; {_MARGIN} times that are waited for",
            f"查询在 {waited:.1f} 秒后显示新记录；按其 {_MARGIN} 倍等待",
            f"index_lag: {max(needed, kept):g}",
            kept >= needed,
        )

    def _same_value(self, object: str, native_id: str, fields: Row) -> Settled:
        before = self._row(object, native_id)
        name = next((name for name in fields if name != "owner"), "owner")
        code = self._update(object, native_id, **{name: fields[name]})
        said = _said("same_value", code, *_moved(before, self._row(object, native_id)))
        return self._declared(said, object, "update", "append_only", self._settings.append_only)

    def _declared(
        self, said: Settled, object: str, operation: WriteOperation, setting: str, listed: Sequence[str]
    ) -> Settled:
        """Adds the setting that says of an object what the tenant denies the operator there."""
        if operation not in self._denied:
            return said
        wanted = ", ".join(dict.fromkeys((*listed, object)))
        return replace(said, setting=f"{setting}: [{wanted}]", agrees=object in listed)

    def _clear(self, object: str, native_id: str) -> Iterator[Settled]:
        """Fills and empties one field of each type, by both forms."""
        fields = {f.kind: f for f in self._descriptions.kept(object).fields.values() if _may_be_empty(f)}
        samples = [(field, _sample(field)) for field in fields.values()]
        kept: dict[str, list[str]] = {"null": [], "empty": []}
        for field, sample in samples:
            for form, stays in kept.items():
                self._update(object, native_id, **{field.api_name: sample})
                empty: Any = None if form == "null" else [] if isinstance(sample, list) else ""
                self._update(object, native_id, **{field.api_name: empty})
                if self._row(object, native_id).get(field.api_name) not in (None, "", []):
                    stays.append(field.kind)
        if not samples:
            yield Settled("clear", *_no_field("that may be empty", "可为空的"))
            return
        works = [form for form, stays in kept.items() if not stays]
        en = [f"{form}: {', '.join(stays) or 'none'}" for form, stays in kept.items()]
        zh = [f"{form}：{'、'.join(stays) or '无'}" for form, stays in kept.items()]
        yield Settled(
            "clear",
            f"tried on {len(samples)} types; not emptied by {'; by '.join(en)}",
            f"已试 {len(samples)} 种类型；未能清空的类型，{'；'.join(zh)}",
            f"clear_as: {works[0]}" if works else "",
            self._settings.clear_as in works,
        )

    def _numbers(self, object: str, native_id: str) -> Iterator[Settled]:
        found = self._descriptions.kept(object).fields.values()
        field = next((f for f in found if f.kind == "number" and f.writable and f.api_name.endswith("__c")), None)
        if field is None:
            yield Settled("numbers", *_no_field("of type number", "数字类型的"))
            return
        as_text = self._update(object, native_id, **{field.api_name: "7"})
        shown = type(self._row(object, native_id).get(field.api_name)).__name__
        as_number = self._update(object, native_id, **{field.api_name: 8})
        yield Settled(
            "numbers",
            f"written as text: {_word(as_text)[0]}; as a number: {_word(as_number)[0]}; shown as {shown}",
            f"以文本写入：{_word(as_text)[1]}；以数字写入：{_word(as_number)[1]}；读出类型 {shown}",
        )

    def _owner_in_update(self, object: str, native_id: str) -> Iterator[Settled]:
        own = [self._settings.operator_id]
        _, rows = self._experiments.query(object, limit=100)
        other = next((row["owner"] for row in rows if row.get("owner") not in (None, [], own)), None)
        if other is None:
            told = "nobody else owns a record here; not tried", "该对象没有其他负责人的记录，未尝试"
            yield Settled("owner_in_update", *told)
            return
        code = self._update(object, native_id, owner=other)
        moved = self._row(object, native_id).get("owner") == other
        told = ("the owner was changed", "负责人被更改") if moved else ("the owner stays", "负责人不变")
        yield _said("owner_in_update", code, f"{told[0]}; changeOwner is used", f"{told[1]}；使用 changeOwner")

    def _refusals(self, object: str, native_id: str, fields: Row) -> Settled:
        """Collects the codes of refusals that every tenant must give, each on the test record."""
        described = self._descriptions.kept(object).fields
        wrong: dict[str, tuple[str, Any]] = {}
        for field in described.values():
            if not field.writable or field.api_name == "owner":
                continue
            if field.kind == "select_one" and field.options:
                wrong.setdefault("option", (field.api_name, _WORD))
            if field.kind == "text" and field.length:
                wrong.setdefault("too-long", (field.api_name, "x" * (field.length + 1)))
            if field.kind == "object_reference":
                wrong.setdefault("lookup", (field.api_name, NOBODY))
            if field.required and field.kind == "text":
                wrong.setdefault("required", (field.api_name, ""))
        codes = {name: self._update(object, native_id, **{key: value}) for name, (key, value) in wrong.items()}
        unique = any(described[name].unique for name in fields)
        if unique:
            code, payload = self._write(object, "create", bodies.create(object, fields, self._settings))
            codes["duplicate"] = code
            if twin := bodies.created_id(payload):
                self._write(object, "invalid", bodies.invalid(object, twin, self._settings))
        listed = ", ".join(f"{name} {_word(code)[0]}" for name, code in codes.items())
        listed_zh = "，".join(f"{name} {_word(code)[1]}" for name, code in codes.items())
        return Settled("refusals", listed, listed_zh)

    def _readonly(self, object: str, native_id: str) -> Settled:
        before = self._row(object, native_id)
        code = self._update(object, native_id, last_modified_by=["-10000"], lock_rule=_WORD)
        kept = self._row(object, native_id).get("lock_rule") == before.get("lock_rule")
        told = (
            ("a read-only field stays", "只读字段保持不变")
            if kept
            else ("a read-only field was written", "只读字段被改写")
        )
        return _said("readonly", code, *told)

    def _invalid(self, object: str, native_id: str) -> Iterator[Settled]:
        before = self._row(object, native_id)
        code, _ = self._write(object, "invalid", bodies.invalid(object, native_id, self._settings))
        gone = self._reader.get_row(object, native_id)
        if gone is not None and not is_invalid(gone):
            yield self._kept(object, native_id, code)
            return
        shown = (
            ("get shows it as invalid", "get 可读取且显示作废") if gone else ("get does not show it", "get 读取不到")
        )
        moved = _moved(before, gone) if gone else ("", "")
        yield _said("invalid", code, f"{shown[0]}; {moved[0]}", f"{shown[1]}；{moved[1]}")
        code, _ = self._write(object, "recover", bodies.recover(object, native_id, self._settings))
        yield _said("recover", code, *_moved(gone or before, self._row(object, native_id)))

    def _kept(self, object: str, native_id: str, code: int | None) -> Settled:
        """Says that the test record is still there, or it would be taken for a record of the bank's own."""
        en = f"the test record {native_id} is still there; delete it by hand before the system goes on"
        zh = f"测试记录 {native_id} 仍在，请在恢复同步前手工删除"
        fixed, kept = self._settings.append_only, self._settings.never_invalidated
        said = _said("invalid", code, en, zh)
        if object in fixed:
            return said
        return self._declared(said, object, "invalid", "never_invalidated", kept)

    def _row(self, object: str, native_id: str) -> Row:
        return self._reader.get_row(object, native_id) or {}


def _no_field(en: str, zh: str) -> tuple[str, str]:
    return (
        f"no custom field {en} is here; ask about an object that has one",
        f"没有{zh}自定义字段；请指定有此类字段的对象",
    )


def _may_be_empty(field: FieldDescription) -> bool:
    plain = field.writable and not (field.required or field.unique or field.masked or field.parent)
    return plain and field.api_name.endswith("__c") and _sample(field) is not None


def _sample(field: FieldDescription) -> Any:
    """Returns a harmless value of a field's type, None for a type that is not tried."""
    if field.kind in ("select_one", "select_many"):
        first = next(iter(field.options or ()), None)
        return [first] if first is not None and field.kind == "select_many" else first
    plain = {"text": "x", "long_text": "x", "number": "1", "date": 1_600_012_800_000, "date_time": 1_600_012_800_000}
    return {**plain, "phone_number": "13800000000", "email": "test@bank.example"}.get(field.kind)


def _named(payload: Row) -> tuple[str, str]:
    if payload.get("dataId"):
        return "the answer names the record by dataId", "返回顶层 dataId"
    if bodies.created_id(payload):
        return "the answer names the record inside data", "返回 data 内的 ID"
    return "the answer does not name the record", "返回中没有记录 ID"


def _moved(before: Row, after: Row) -> tuple[str, str]:
    version = version_of(before) != version_of(after)
    stamp = before.get("last_modified_time") != after.get("last_modified_time")
    return (
        f"version {'moved' if version else 'stayed'}, last_modified_time {'moved' if stamp else 'stayed'}",
        f"version {'变化' if version else '不变'}，last_modified_time {'变化' if stamp else '不变'}",
    )


def _word(code: int | None) -> tuple[str, str]:
    told = {0: ("answered", "成功"), None: ("no clear answer", "无明确答复")}
    return told.get(code, (f"refused with {code}", f"被拒绝，返回码 {code}"))


def _said(question: str, code: int | None, en: str, zh: str) -> Settled:
    said = _word(code)
    return Settled(question, f"{said[0]}: {en}", f"{said[1]}：{zh}")
