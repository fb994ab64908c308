"""The reference connector: the whole contract over a system in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any, TypeVar

from connectors.base import (
    Bound,
    Capabilities,
    CheckLine,
    ConnectorContext,
    Cursor,
    Deletes,
    Fetched,
    IdPage,
    NativeRecord,
    ObjectDescription,
    Page,
    WriteRequest,
    WriteResult,
)
from connectors.errors import (
    AuthRejected,
    ConnectorError,
    CursorExpired,
    ProtocolViolation,
    QuotaExhausted,
    RateLimited,
    RetryLater,
    SchemaDrift,
    SettingsInvalid,
    Unsupported,
)
from connectors.memory.faults import FaultKind
from connectors.memory.streams import Only, count_visible, read_changes, read_deletions, read_ids, visible
from connectors.memory.system import MemorySystem, worlds
from connectors.memory.writing import look_up, show, write_batch
from connectors.regions import LAB

T = TypeVar("T")
_SAID: Mapping[FaultKind, tuple[str, str]] = {
    FaultKind.BEFORE_EFFECT: ("does not answer", "没有响应"),
    FaultKind.RETRY_LATER: ("does not answer", "没有响应"),
    FaultKind.RATE_LIMITED: ("asks to slow down", "要求降低调用频率"),
    FaultKind.QUOTA_EXHAUSTED: ("has no calls left today", "今日调用次数已用完"),
    FaultKind.AUTH_REJECTED: ("rejects the credential; authorise again", "拒绝凭据,请重新授权"),
    FaultKind.CURSOR_EXPIRED: ("forgot the position; a full listing follows", "读取位置已失效,将重新完整读取"),
    FaultKind.PROTOCOL: ("answered with something unreadable", "返回了无法识别的内容"),
}


class MemoryConnector:
    """Connects to the memory system that the settings name as `world`, with the secret named by `credential` if any."""

    kind = "memory"
    allowed_hosts: tuple[str, ...] = ()

    @staticmethod
    def region(settings: Mapping[str, Any]) -> str:
        """Returns the region of this machine."""
        return LAB

    def __init__(self, settings: Mapping[str, Any], context: ConnectorContext) -> None:
        unknown = sorted(set(settings) - {"world", "credential"})
        name = settings.get("world")
        if unknown or name not in worlds:
            en = (
                f"unknown setting {unknown[0]}"
                if unknown
                else f"no memory system named {name!r}; known: {sorted(worlds)}"
            )
            zh = f"未知配置项 {unknown[0]}" if unknown else f"没有名为 {name!r} 的内存系统,已有:{sorted(worlds)}"
            raise SettingsInvalid(en, zh, system=context.system)
        self.system: MemorySystem = worlds[str(name)]
        self._context = context
        self._credential: str | None = settings.get("credential")
        self._session: int | None = None
        self._only: Mapping[str, Only] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._context.system})"

    def capabilities(self, object: str) -> Capabilities:
        """Returns what the object can do."""
        return self.system.table(object).capabilities

    def check(self) -> Sequence[CheckLine]:
        """Proves the credential."""

        def look(fault: FaultKind | None) -> Sequence[CheckLine]:
            return (CheckLine("sign-in", True, "signed in", "登录成功"),)

        try:
            return self._call("check", look)
        except AuthRejected as rejected:
            return (CheckLine("sign-in", False, rejected.en, rejected.zh),)

    def describe(self, object: str) -> ObjectDescription:
        """Describes the object's visible fields."""
        return self._call("describe", lambda fault: self.system.describe(object))

    def changes(self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int) -> Page:
        """Reads a page of changes."""
        self._know(object, fields)
        return self._call(
            "changes",
            lambda fault: read_changes(
                self.system, object, fields, cursor, limit, fault, only=self._only.get(object, {})
            ),
            cursor=cursor,
        )

    def changes_from(self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int, bound: Bound) -> Page:
        """Reads a page of changes; a listing leaves out what lies before the bound."""
        self._know(object, (*fields, bound.field))
        return self._call(
            "changes",
            lambda fault: read_changes(
                self.system, object, fields, cursor, limit, fault, bound, self._only.get(object, {})
            ),
            cursor=cursor,
        )

    def list_ids_from(self, object: str, cursor: Cursor | None, limit: int, bound: Bound) -> IdPage:
        """Enumerates the visible records without those before the bound."""
        return self._call(
            "list_ids",
            lambda fault: read_ids(self.system, object, cursor, limit, fault, bound, self._only.get(object, {})),
            cursor=cursor,
        )

    def selecting(self, object: str, only: Mapping[str, Sequence[str]]) -> MemoryConnector:
        """Returns this connector, for which an object is the records whose fields each hold one of the values."""
        narrowed = copy(self)
        narrowed._only = {**self._only, object: only}
        return narrowed

    def count(self, object: str, bound: Bound | None) -> int | None:
        """Counts the visible records, without those before the bound."""

        def number(fault: FaultKind | None) -> int:
            return count_visible(self.system, object, bound, self._only.get(object, {}))

        return self._call("count", number)

    def deletions(self, object: str, cursor: Cursor | None, limit: int) -> Page:
        """Reads a page of the delete feed. Raises Unsupported where there is none."""
        if self.capabilities(object).deletes != Deletes.FEED:
            raise self._unsupported(object, "has no delete feed", "没有删除记录流")
        return self._call(
            "deletions", lambda fault: read_deletions(self.system, object, cursor, limit, fault), cursor=cursor
        )

    def fetch(self, object: str, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Fetched]:
        """Reads the true state of each id."""
        self._know(object, fields)
        return self._call("fetch", lambda fault: {each: look_up(self.system, object, each, fields) for each in ids})

    def find(self, object: str, field: str, values: Sequence[str], fields: Sequence[str]) -> Sequence[NativeRecord]:
        """Finds live records by a field, strongly by the external key where that is declared."""
        table = self.system.table(object)
        if field == table.key_field and not table.capabilities.external_key_field:
            raise self._unsupported(object, "has no external key field", "没有外部主键字段")
        self._know(object, (field, *fields))
        strong = table.capabilities.strong_read_by_key and field == table.key_field

        def search(fault: FaultKind | None) -> Sequence[NativeRecord]:
            wanted = set(values)
            found = visible(self.system, object)
            if strong:
                found = iter(
                    [(each, rows[-1]) for each, rows in table.rows.items() if each not in table.hidden_records]
                )
            return [
                show(self.system, object, native_id, row, fields)
                for native_id, row in found
                if not row.deleted and field not in table.hidden_fields and row.fields.get(field) in wanted
            ]

        return self._call("find", search)

    def list_ids(self, object: str, cursor: Cursor | None, limit: int) -> IdPage:
        """Enumerates the visible records."""
        only = self._only.get(object, {})
        return self._call(
            "list_ids", lambda fault: read_ids(self.system, object, cursor, limit, fault, None, only), cursor=cursor
        )

    def write(self, requests: Sequence[WriteRequest]) -> Sequence[WriteResult]:
        """Writes a batch, each row by itself."""
        return self._call("write", lambda fault: write_batch(self.system, requests, fault))

    def close(self) -> None:
        """Ends nothing; a memory system has no connections."""

    def _call(self, operation: str, act: Callable[[FaultKind | None], T], *, cursor: Cursor | None = None) -> T:
        """Passes one call through the boundary, the credential and the fault that strikes it."""
        with self._boundaries(operation), self.system.lock:
            self.system.calls[operation] += 1
            fault = self.system.faults.strike(operation)
            if fault == FaultKind.CURSOR_EXPIRED and cursor is None:
                fault = None  # there is no position to forget
            if fault == FaultKind.KILL_BEFORE:
                self.system.faults.die(operation)
            self._sign_in()
            spoiled = fault in _SAID and not (fault == FaultKind.BEFORE_EFFECT and operation == "write")
            if fault is not None and spoiled:
                raise self._error(fault)
            result = act(fault)
            if fault == FaultKind.KILL_AFTER:
                self.system.faults.die(operation)
            return result

    @contextmanager
    def _boundaries(self, operation: str) -> Iterator[None]:
        self.system.faults.boundary(operation)
        yield
        self.system.faults.boundary(operation)

    def _sign_in(self) -> None:
        """Signs in where there is no session yet, or none any more."""
        if self._session == self.system.session_epoch:
            return
        self.system.calls["sign_in"] += 1
        given = self._context.secret(self._credential) if self._credential is not None else None
        if self.system.token is not None and given != self.system.token:
            raise self._error(FaultKind.AUTH_REJECTED)
        self._session = self.system.session_epoch

    def _know(self, object: str, fields: Sequence[str]) -> None:
        known = self.system.table(object).fields
        missing = next((name for name in fields if name not in known), None)
        if missing is not None:
            raise SchemaDrift(
                f"{self._context.system} {object} has no field {missing}; correct the mapping or restore the field",
                f"{self._context.system} {object} 没有字段 {missing},请修改映射或恢复该字段",
                system=self._context.system,
                object=object,
            )

    def _unsupported(self, object: str, en: str, zh: str) -> Unsupported:
        system = self._context.system
        return Unsupported(f"{system} {object} {en}", f"{system} {object} {zh}", system=system, object=object)

    def _error(self, fault: FaultKind) -> ConnectorError:
        system = self._context.system
        en, zh = (f"{system} {text}" for text in _SAID[fault])
        if fault == FaultKind.RATE_LIMITED:
            return RateLimited(en, zh, after=30.0, system=system)
        if fault == FaultKind.QUOTA_EXHAUSTED:
            return QuotaExhausted(en, zh, resets_at=self.system.clock.now() + 3600, system=system)
        if fault == FaultKind.AUTH_REJECTED:
            return AuthRejected(en, zh, missing="credential", system=system)
        plain: Mapping[FaultKind, type[ConnectorError]] = {
            FaultKind.CURSOR_EXPIRED: CursorExpired,
            FaultKind.PROTOCOL: ProtocolViolation,
        }
        return plain.get(fault, RetryLater)(en, zh, system=system)
