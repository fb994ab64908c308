"""Employees, departments and regions, by the data API where it is shared with the operator, else by the directory.

PersonnelObj (人员) needs a sharing rule of its own even for an administrator; without it the vendor refuses, or shows
nobody. The directory endpoints take flat parameters; whether they take the newer sign-in, and which form of ids they
answer then, is unverified. Source: Fxiaoke PersonnelObj, DepartmentObj, user/* and department/* pages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from connectors.base import CheckLine, ConnectorContext, Cursor, NativeRecord
from connectors.directory import Branch, Region, Staff
from connectors.errors import AuthRejected, ConnectorError, ProtocolViolation, SchemaDrift, Unsupported
from connectors.fxiaoke.client import Client
from connectors.fxiaoke.descriptions import Descriptions
from connectors.fxiaoke.envelope import Call, Rejected, protocol_violation
from connectors.fxiaoke.reading import Reader
from connectors.fxiaoke.settings import FxiaokeSettings

PERSONNEL, DEPARTMENT = "PersonnelObj", "DepartmentObj"
USER_LIST, DEPARTMENT_LIST = "/cgi/user/list", "/cgi/department/list"
REGION_LIST = "/cgi/crm/countryAreaOptions/get"
COMPANY = 999999
"""The department that is the whole enterprise."""
LEVELS = ("country", "province", "city", "district")
_PERSON = ("user_id", "name", "full_name", "employee_number", "phone", "status")
_OPEN = "FSUID_"
_CLOSED = (AuthRejected, ProtocolViolation, SchemaDrift, Unsupported)
"""What says that one way is not open, and nothing about the other."""
Rows = Sequence[Mapping[str, Any]]
T = TypeVar("T")


class StaffDirectory:
    """Reads who works in one enterprise, in which departments, and the vendor's list of regions."""

    def __init__(
        self,
        client: Client,
        descriptions: Descriptions,
        reader: Reader,
        settings: FxiaokeSettings,
        context: ConnectorContext,
    ) -> None:
        self._client, self._descriptions, self._reader = client, descriptions, reader
        self._settings, self._system = settings, context.system

    def staff(self) -> list[Staff]:
        """Returns every employee. Raises AuthRejected where no way is open, Unsupported for ids of another form."""
        return self._either(PERSONNEL, self._by_personnel, self._by_user_list)

    def branches(self) -> list[Branch]:
        """Returns every department. Raises AuthRejected where neither way is open."""
        return self._either(DEPARTMENT, self._by_department_object, self._by_department_list)

    def regions(self) -> list[Region]:
        """Returns every region. Raises ProtocolViolation for an answer of another form."""
        found = self._ask(REGION_LIST, "", {}).get("data")
        levels = found if isinstance(found, Mapping) else {}
        listed = {level: _options(levels.get(level)) for level in LEVELS}
        if not listed["province"]:
            raise self._violation(REGION_LIST, "the answer has no list of provinces", "返回缺少省份列表")
        inside = {child: code for level in LEVELS for option in listed[level] for child, code in _children(option)}
        return [
            Region(code, str(option.get("label", "")), level, _text(option.get("parent")) or inside.get(code))
            for level in LEVELS
            for option in listed[level]
            for code in (str(option["value"]),)
        ]

    def proofs(self) -> list[CheckLine]:
        """Returns what `check` says where employees or departments are not shared; it reads no more than a few."""
        if self._settings.staff_source == "directory":
            return []
        found = self._lack(PERSONNEL, "人员", "user_id"), self._lack(DEPARTMENT, "部门", "name")
        return [line for line in found if line is not None]

    def _lack(self, object: str, label: str, field: str) -> CheckLine | None:
        name = f"directory {object}"
        try:
            shown = self._reader.changes(object, (field,), None, 2).records
        except _CLOSED as failed:
            return CheckLine(name, self._may_fall_back, *self._advice(object, label, failed))
        if all(record.fields.get(field) in (None, self._settings.operator_id) for record in shown):
            return CheckLine(name, self._may_fall_back, *self._advice(object, label, self._unshared(object)))
        return None

    @property
    def _may_fall_back(self) -> bool:
        return self._settings.staff_source == "auto"

    def _advice(self, object: str, label: str, failed: ConnectorError) -> tuple[str, str]:
        en = f"{failed.code} {object} ({label}) is not readable: add a data sharing rule for the operator"
        zh = f"{failed.code} 无法读取{label}（{object}）：请为操作员添加数据共享规则"
        if not self._may_fall_back:
            return en, zh
        return f"{en}; until then the directory endpoints are asked", f"{zh}；在此之前使用通讯录接口"

    def _either(self, object: str, first: Callable[[], list[T]], second: Callable[[], list[T]]) -> list[T]:
        source = self._settings.staff_source
        if source == "directory":
            return second()
        try:
            return first()
        except _CLOSED as failed:
            if source != "auto":
                raise
            return self._second(object, second, failed)

    def _second(self, object: str, read: Callable[[], list[T]], failed: ConnectorError) -> list[T]:
        try:
            return read()
        except AuthRejected as refused:
            raise AuthRejected(
                f"{self._system}: {object} is not shared with the operator ({failed.code}), and the directory "
                f"endpoints are closed to this sign-in ({refused.code}): add a data sharing rule for the operator",
                f"{self._system}：操作员无权读取 {object}（{failed.code}），当前登录方式也无法使用通讯录接口"
                f"（{refused.code}）：请为操作员添加数据共享规则",
                missing=f"a data sharing rule of {object} for the operator",
                system=self._system,
                object=object,
            ) from None

    def _by_personnel(self) -> list[Staff]:
        if self._settings.employee_ids == "open":
            raise self._other_form(PERSONNEL, "plain")
        rows = self._listed(PERSONNEL, _PERSON)
        found = [_person(record.fields, self._settings) for record in rows if record.fields.get("user_id")]
        # A missing sharing rule shows the operator alone, or nobody.
        if all(one.native_id == self._settings.operator_id for one in found):
            raise self._unshared(PERSONNEL)
        return found

    def _by_department_object(self) -> list[Branch]:
        code = self._settings.department_code
        names = ("name", "status", *([code] if code in self._descriptions.kept(DEPARTMENT).fields else []))
        rows = self._listed(DEPARTMENT, names)
        if not rows:
            raise self._unshared(DEPARTMENT)
        active = self._settings.active_status
        return [
            Branch(
                row.native_id,
                str(row.fields.get("name") or ""),
                _text(row.fields.get(code)),
                _text(row.fields.get("status")) in (None, active),
            )
            for row in rows
        ]

    def _by_user_list(self) -> list[Staff]:
        body = {"departmentId": COMPANY, "fetchChild": True, "showDepartmentIdsDetail": False}
        payload = self._ask(USER_LIST, "user", body)
        rows = payload.get("userList", payload.get("userlist"))
        found = [_member(row) for row in self._rows(USER_LIST, rows, "openUserId")]
        wanted = self._settings.employee_ids
        if any(one.native_id.startswith(_OPEN) is not (wanted == "open") for one in found):
            raise self._other_form(USER_LIST, "plain" if wanted == "open" else "open")
        return found

    def _by_department_list(self) -> list[Branch]:
        payload = self._ask(DEPARTMENT_LIST, "department", {"departmentId": COMPANY, "fetchChild": True})
        rows = self._rows(DEPARTMENT_LIST, payload.get("departments"), "id")
        return [Branch(str(row["id"]), str(row.get("name") or ""), None, row.get("isStop") is not True) for row in rows]

    def _listed(self, object: str, names: Sequence[str]) -> list[NativeRecord]:
        rows: list[NativeRecord] = []
        cursor: Cursor | None = None
        while True:
            page = self._reader.changes(object, names, cursor, self._settings.page_limit)
            rows += page.records
            if page.complete:
                return rows
            cursor = page.next_cursor

    def _ask(self, path: str, object: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return self._client.read(path, object, body).payload
        except Rejected as no:
            raise protocol_violation(Call(self._system, path, object, read=True), no) from None

    def _rows(self, path: str, found: Any, key: str) -> Rows:
        rows = found if isinstance(found, list) else None
        if rows is None or not all(isinstance(row, Mapping) and row.get(key) not in (None, "") for row in rows):
            raise self._violation(path, f"the answer has no list with {key}", f"返回缺少含 {key} 的列表")
        return rows

    def _unshared(self, object: str) -> AuthRejected:
        return AuthRejected(
            f"{self._system}: the operator sees nobody in {object}; add a data sharing rule for the operator",
            f"{self._system}：操作员看不到 {object} 的任何记录；请为操作员添加数据共享规则",
            missing=f"a data sharing rule of {object} for the operator",
            system=self._system,
            object=object,
        )

    def _other_form(self, source: str, form: str) -> Unsupported:
        return Unsupported(
            f"{self._system}: {source} answers {form} employee ids only; set employee_ids: {form}, or use the other "
            "source (staff_source)",
            f"{self._system}：{source} 只返回 {form} 形式的员工编号；请设置 employee_ids: {form}，或改用另一来源"
            "（staff_source）",
            system=self._system,
        )

    def _violation(self, path: str, en: str, zh: str) -> ProtocolViolation:
        return ProtocolViolation(
            f"{self._system} {path}: {en}; report it to the vendor",
            f"{self._system} {path}：{zh}；请反馈厂商",
            system=self._system,
        )


def _person(row: Mapping[str, Any], settings: FxiaokeSettings) -> Staff:
    return Staff(
        native_id=str(row["user_id"]),
        name=_text(row.get("full_name")) or _text(row.get("name")),
        active=_text(row.get("status")) in (None, settings.active_status),
        number=_text(row.get("employee_number")),
        mobile=_text(row.get("phone")),
    )


def _member(row: Mapping[str, Any]) -> Staff:
    return Staff(
        native_id=str(row["openUserId"]),
        name=_text(row.get("name")) or _text(row.get("fullName")),
        email=_text(row.get("email")),
        active=row.get("isStop") is not True,
        number=_text(row.get("employeeNumber")),
        mobile=_text(row.get("mobile")),
    )


def _options(level: Any) -> Rows:
    found = level.get("options") if isinstance(level, Mapping) else level
    rows = found if isinstance(found, list) else []
    return [row for row in rows if isinstance(row, Mapping) and row.get("value") not in (None, "")]


def _children(option: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the codes that lie in a region, each with its own: {level: [code]} or a list of such."""
    given = option.get("child_options") or []
    groups = given if isinstance(given, list) else [given]
    codes = [code for group in groups if isinstance(group, Mapping) for listed in group.values() for code in listed]
    return [(str(code), str(option["value"])) for code in codes]


def _text(value: Any) -> str | None:
    return None if value in (None, "", []) else str(value)
