"""The directory endpoints: employees and departments by flat parameters, without a `data` wrapper.

Source: Fxiaoke old wiki, user/* and department/*, shown there with the older sign-in only: the newer one is a switch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connectors.fxiaoke.simulator import refusal
from connectors.fxiaoke.simulator.refusal import Refusal, bad_parameter
from connectors.fxiaoke.simulator.staff import COMPANY, DEPARTMENTS, Employee
from connectors.fxiaoke.simulator.tenant import Tenant

_MOST_AT_ONCE = 1000
_ROOT = 0
Found = dict[str, Any]


class Desk:
    """Answers one call of the directory; `converted` says which form of employee ids was asked for."""

    def __init__(self, tenant: Tenant, body: Mapping[str, Any], *, converted: bool) -> None:
        self._tenant, self._body = tenant, body
        self._open = converted or not tenant.settings.directory_converts
        if "corpAccessToken" not in body and not tenant.settings.directory_takes_bearer:
            raise Refusal(refusal.CREDENTIALS_MISSING, "corpAccessToken为必填项，不能为空")

    def by_mobile(self) -> Found:
        """Answers user/getByMobile."""
        mobile = self._text("mobile")
        people = [person for person in self._people() if person.mobile == mobile]
        if not people:
            raise Refusal(refusal.EMPLOYEE_NOT_FOUND, "员工不存在", "employee not found")
        return {"empList": [self._shown(person) for person in people]}

    def one(self) -> Found:
        """Answers user/get, flat."""
        open_id = self._text("openUserId")
        person = next((one for one in self._people() if open_id in (one.open_id, one.user_id)), None)
        if person is None:
            raise Refusal(refusal.EMPLOYEE_NOT_FOUND, "员工不存在", "employee not found")
        return self._shown(person)

    def members(self) -> Found:
        """Answers user/list and simpleList of a department; 999999 is the whole company."""
        inside = self._below(self._department())
        people = [self._shown(person) for person in self._people() if person.department in inside]
        return {self._tenant.settings.directory_list_key: people}

    def updated(self) -> Found:
        """Answers user/get/batchByUpdTime; nobody's entry has moved since the enterprise began."""
        start, end, size, page = (self._number(name) for name in ("startTime", "endTime", "pageSize", "pageNumber"))
        if size > _MOST_AT_ONCE or size < 1 or page < 1 or end < start:
            raise bad_parameter("pageSize")
        people = [self._shown(person) for person in self._people() if start <= self._tenant.founded_ms <= end]
        return {"employees": people[(page - 1) * size : page * size]}

    def departments(self) -> Found:
        """Answers department/list and detail; the parent of the company is 0."""
        inside = self._below(self._department())
        listed = [
            {
                "id": int(number),
                "name": name,
                "parentId": _ROOT if number == COMPANY else int(COMPANY),
                "isStop": not active,
                "order": order,
            }
            for order, (number, _, name, active) in enumerate(self._tenant.directory.listed_departments())
            if number in inside
        ]
        return {"departments": listed}

    def _people(self) -> list[Employee]:
        everybody = self._tenant.directory.employees.values()
        return [person for person in everybody if person.active or self._tenant.settings.directory_lists_leavers]

    def _shown(self, person: Employee) -> Found:
        return {
            "openUserId": person.open_id if self._open else person.user_id,
            "account": person.staff_no.lower(),
            "name": person.name,
            "nickName": person.name,
            "isStop": not person.active,
            "email": f"{person.staff_no.lower()}@bank.example",
            "mobile": person.mobile,
            "gender": "M",
            "position": "客户经理",
            "departmentIds": [int(person.department)],
            "mainDepartmentId": int(person.department),
            "employeeNumber": person.staff_no,
            "createTime": self._tenant.founded_ms,
        }

    def _below(self, department: str) -> set[str]:
        if self._body.get("fetchChild") is True and department == COMPANY:
            return {number for number, *_ in DEPARTMENTS}
        return {department}

    def _department(self) -> str:
        number = str(self._number("departmentId"))
        if number not in self._tenant.directory.departments:
            raise Refusal(refusal.DEPARTMENT_NOT_FOUND, "部门不存在", "department not found")
        return number

    def _number(self, name: str) -> int:
        value = self._body.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise bad_parameter(name)
        return value

    def _text(self, name: str) -> str:
        value = self._body.get(name)
        if not isinstance(value, str) or not value:
            raise bad_parameter(name)
        return value


PATHS: dict[str, tuple[str, Callable[[Desk], Found]]] = {
    "/cgi/user/getByMobile": ("getByMobile", Desk.by_mobile),
    "/cgi/user/get": ("user", Desk.one),
    "/cgi/user/list": ("users", Desk.members),
    "/cgi/user/simpleList": ("users", Desk.members),
    "/cgi/user/get/batchByUpdTime": ("batchByUpdTime", Desk.updated),
    "/cgi/department/list": ("departments", Desk.departments),
    "/cgi/department/detail": ("departments", Desk.departments),
}
