"""The tenant's employees and departments, and the two forms an employee id takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha1
from typing import Any

from connectors.fxiaoke.simulator.refusal import EMPLOYEE_NOT_FOUND, Refusal

OPERATOR = "1000"
OPERATOR_OPEN_ID = "FSUID_simulated"
SYSTEM_USER = "-10000"
COMPANY = "999999"
FALLBACK_STAFF = "1099"


@dataclass(frozen=True, slots=True)
class Employee:
    """One employee; `active` is false for those who have left."""

    user_id: str
    staff_no: str
    name: str = field(repr=False)
    department: str = COMPANY
    active: bool = True

    @property
    def open_id(self) -> str:
        """Returns the employee's id in the FSUID_ form."""
        return open_id_of(self.user_id)

    @property
    def mobile(self) -> str:
        """Returns the employee's invented number."""
        return f"1390000{self.user_id}"


EMPLOYEES = (
    Employee(OPERATOR, "S1000", "集成专员"),
    Employee("1001", "S1001", "王建国", "2001"),
    Employee("1002", "S1002", "李秀英", "2011"),
    Employee("1003", "S1003", "张伟", "2021"),
    Employee("1004", "S1004", "刘洋", "2031"),
    Employee("1005", "S1005", "陈静", "2032"),
    Employee("1006", "S1006", "赵敏", "2041"),
    Employee("1007", "S1007", "孙丽", "2001", active=False),
    Employee(FALLBACK_STAFF, "S1099", "统筹岗", "2001"),
)
DEPARTMENTS = (
    (COMPANY, "", "全公司"),
    ("2001", "B0001", "总行营业部"),
    ("2011", "B0101", "北京朝阳支行"),
    ("2021", "B0201", "上海浦东支行"),
    ("2031", "B0301", "深圳南山支行"),
    ("2032", "B0302", "广州天河支行"),
    ("2041", "B0401", "杭州西湖支行"),
)


def open_id_of(user_id: str) -> str:
    """Returns the FSUID_ form of an employee id; the same id always has the same one."""
    if user_id == OPERATOR:
        return OPERATOR_OPEN_ID
    return "FSUID_" + sha1(user_id.encode(), usedforsecurity=False).hexdigest()[:32].upper()


class Directory:
    """Finds employees by either id and departments by id."""

    def __init__(self) -> None:
        self.employees = {person.user_id: person for person in EMPLOYEES}
        self.departments = {number: name for number, _, name in DEPARTMENTS}
        self._by_open_id = {person.open_id: person.user_id for person in EMPLOYEES}
        self._by_open_id[open_id_of(SYSTEM_USER)] = SYSTEM_USER

    def leave(self, user_id: str, *, left: bool) -> None:
        """Notes that somebody has left or is back; raises KeyError for nobody."""
        self.employees[user_id] = replace(self.employees[user_id], active=not left)

    def listed_departments(self) -> list[tuple[str, str, str, bool]]:
        """Returns every department: id, code, name, whether it still works."""
        return [(number, code, name, True) for number, code, name in DEPARTMENTS]

    def by_open_id(self, open_id: str) -> str | None:
        """Returns the employee id behind an FSUID_, or None."""
        return self._by_open_id.get(open_id)

    def to_user(self, value: Any, converted: bool, both: bool) -> str:
        """Reads an employee value of a request; raises Refusal where it is not in the form of the call."""
        text = str(value)
        if converted or both:
            found = self._by_open_id.get(text)
            if found is not None:
                return found
        if (not converted or both) and (text in self.employees or text == SYSTEM_USER):
            return text
        raise Refusal(EMPLOYEE_NOT_FOUND, "员工不存在", "employee not found")

    def shown(self, user_id: str, converted: bool) -> Mapping[str, Any]:
        """Returns the object that stands in `owner__r` and its like."""
        person = self.employees.get(user_id)
        name = person.name if person else "系统"
        return {
            "id": open_id_of(user_id) if converted else user_id,
            "name": name,
            "nickname": name,
            "dept": person.department if person else COMPANY,
            "status": 0 if person is None or person.active else 1,
        }
