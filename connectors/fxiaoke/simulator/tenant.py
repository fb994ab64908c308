"""One simulated enterprise: its objects, records, people, rules and switches, wired together."""

from __future__ import annotations

import random
import secrets
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.fxiaoke.simulator.auth import Gate
from connectors.fxiaoke.simulator.events import Events
from connectors.fxiaoke.simulator.objects import LOG, build_objects
from connectors.fxiaoke.simulator.records import Record, Table
from connectors.fxiaoke.simulator.refusal import Refusal, bad_parameter
from connectors.fxiaoke.simulator.schema import ObjectType
from connectors.fxiaoke.simulator.settings import Settings
from connectors.fxiaoke.simulator.staff import DEPARTMENTS, EMPLOYEES, OPERATOR, Directory
from connectors.fxiaoke.simulator.values import ValueCheck
from connectors.simulation.clock import SimClock

FUNCTIONS = {
    "query": "查看列表",
    "get": "查看详情",
    "create": "新建",
    "update": "编辑",
    "changeOwner": "更换负责人",
    "invalid": "作废",
    "recover": "恢复",
    "delete": "删除",
}
"""What the role's page calls a function."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A validation rule (`refuse`) or an automation (`assign`) that an administrator has set up."""

    object_name: str
    field: str
    when: tuple[Any, ...] = ()
    refuse: str | None = None
    assign: tuple[tuple[str, Any], ...] = ()
    workflow_only: bool = True

    def meets(self, record: Record) -> bool:
        """Tells whether a record has one of the values; no values means any value."""
        value = record.get(self.field)
        return value in self.when if self.when else value is not None


@dataclass(slots=True)
class Traces:
    """Counts the thirdTraceId of calls."""

    missing: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def report(self) -> dict[str, Any]:
        """Returns how many calls had none, and how many repeated one."""
        repeated = sum(count - 1 for count in self.seen.values())
        return {"missing": self.missing, "distinct": len(self.seen), "repeated": repeated}


class Tenant:
    """Holds the state of one simulated enterprise."""

    def __init__(self, clock: SimClock, settings: Settings) -> None:
        self.clock = clock
        self.settings = settings
        self.founded_ms = int(clock.now() * 1000) - 86_400_000_000
        self.directory = Directory()
        self.objects: dict[str, ObjectType] = build_objects(settings.custom_fields)
        self.gate = Gate(clock, settings, self.directory)
        self.rules: list[Rule] = []
        self.pending_changes: dict[tuple[str, str], dict[str, Any]] = {}
        self.traces = Traces()
        self.mixer = random.Random("ties")
        self._queries = 0
        self.numbers: Counter[str] = Counter()
        self.tables: dict[str, Table] = {}
        self.events = Events(settings, clock.now)
        for kind in self.objects.values():
            self.open_table(kind)
        self.tables["PersonnelObj"].load(self._personnel())
        self.tables["DepartmentObj"].load(self._departments())
        self.apply_switches()

    def apply_switches(self) -> None:
        """Makes the fields of the objects those that the switches say."""
        fields = self.objects[LOG].fields
        if "account_id" in fields:
            fields["account_id"] = replace(fields["account_id"], active=self.settings.log_account_lookup)
        codes = self.objects["DepartmentObj"].fields
        codes["dept_code"] = replace(codes["dept_code"], active=self.settings.department_codes)
        for name in ("interactive_types", "interactive_scenario"):
            if name in fields:
                fields[name] = replace(fields[name], active=self.settings.log_interactive_types)

    def open_table(self, kind: ObjectType) -> None:
        """Makes the empty table of an object."""
        own = self.settings
        table = Table(kind, self.clock.now, lambda: own.index_lag_seconds, lambda: own.replica_lag_seconds)
        table.told = self.events.listener(kind.api_name)
        self.tables[kind.api_name] = table

    def make_object(self, kind: ObjectType) -> None:
        """Adds a custom object; raises ValueError for a name that is no custom object's, or is taken."""
        if not kind.custom or kind.api_name in self.objects:
            raise ValueError(f"{kind.api_name} is no name of a new custom object, or is taken")
        self.objects[kind.api_name] = kind
        self.open_table(kind)

    def now_ms(self) -> int:
        """Returns the present instant in milliseconds."""
        return int(self.clock.now() * 1000)

    def new_id(self) -> str:
        """Returns an unused record id: 24 hexadecimal digits that begin with the time, as ObjectIds do.

        Or 32 random ones, as older customers have.
        """
        if self.settings.id_digits == 32:
            return secrets.token_hex(16)
        return f"{int(self.clock.now()) & 0xFFFFFFFF:08x}{secrets.token_hex(8)}"

    def kind(self, name: object) -> ObjectType:
        """Returns an object; raises Refusal when the name is missing or unknown."""
        if not isinstance(name, str) or not name:
            raise bad_parameter("apiName")
        found = self.objects.get(name)
        if found is None or not found.active:
            raise Refusal(self.settings.business_code, f"对象[{name}]不存在或已禁用")
        return found

    def check_permission(self, name: str) -> None:
        """Raises Refusal when the operator has no permission for an object."""
        unshared = self.is_unshared(name) and self.settings.personnel_unshared == "refused"
        if unshared or name in self.settings.denied_objects:
            raise Refusal(self.settings.business_code, "无此操作的数据权限")

    def check_function(self, name: str, function: str, ids: list[str]) -> None:
        """Raises Refusal when the operator's role lacks a function of an object.

        With `function_check` found, a record that is not there is missed before the function is [unverified].
        """
        if f"{name}.{function}" not in self.settings.denied_functions:
            return
        missed = any(self.tables[name].get(record_id) is None for record_id in ids)
        if missed and self.settings.function_check == "found":
            return
        raise Refusal(self.settings.business_code, f"没有{FUNCTIONS.get(function, function)}权限")

    def check_address(self, stage: str) -> None:
        """Raises Refusal when the app's allow list does not hold the caller; code and text are [unverified]."""
        if self.settings.foreign_address_at == stage:
            raise Refusal(self.settings.foreign_address_code, self.settings.foreign_address_text)

    def is_unshared(self, name: str) -> bool:
        """Tells whether an object needs a sharing rule that nobody has made."""
        return name == "PersonnelObj" and not self.settings.personnel_shared

    def leave(self, user_id: str, *, left: bool) -> None:
        """Lets an employee leave or come back, in the directory and in PersonnelObj alike."""
        self.directory.leave(user_id, left=left)
        table = self.tables["PersonnelObj"]
        [record] = table.with_value("user_id", user_id)
        table.put({**record, "status": "1" if left else "0", "last_modified_time": self.now_ms()})

    def checks(self) -> ValueCheck:
        """Returns the value checks of this tenant."""
        return ValueCheck(self.settings.business_code, self.directory, self._exists)

    def _exists(self, target: str, record_id: str) -> bool:
        if self.settings.lax_create:
            return True
        table = self.tables.get(target)
        record = table.get(record_id) if table else None
        return record is not None and not record.get("is_deleted")

    def find(self, name: str, record_id: object, parameter: str) -> Record:
        """Returns a committed record; raises Refusal when it is gone or out of sight."""
        if not isinstance(record_id, str) or not record_id:
            raise bad_parameter(parameter)
        table = self.tables[name]
        record = table.get(record_id)
        if record is not None and record_id in table.hidden and self.settings.hidden_answer == "permission":
            raise Refusal(self.settings.business_code, "无此操作的数据权限")
        if record is None or record_id in table.hidden:
            raise Refusal(self.settings.not_found_code, self.settings.not_found_text)
        return record

    def replica_turn(self) -> bool:
        """Tells whether the late replica answers this query: every second one, where there is such a replica."""
        self._queries += 1
        return self.settings.replica_lag_seconds > 0 and self._queries % 2 == 1

    def born(self, record_id: str, at: int, by: str, record_type: str = "default__c") -> dict[str, Any]:
        """Returns the system fields of a new record."""
        return {
            "_id": record_id,
            "created_by": [by],
            "last_modified_by": [by],
            "create_time": at,
            "last_modified_time": at,
            "life_status": "normal",
            "lock_status": "0",
            "lock_rule": "default_lock_rule",
            "record_type": record_type,
            "version": "1",
            "is_deleted": False,
        }

    def owned(self, owner: str) -> dict[str, Any]:
        """Returns the fields that follow from an owner."""
        person = self.directory.employees.get(owner)
        department = person.department if person else DEPARTMENTS[0][0]
        member = {
            "teamMemberEmployee": [owner],
            "teamMemberRole": "1",
            "teamMemberPermissionType": "2",
        }
        return {
            "owner": [owner],
            "owner_department": self.directory.departments[department],
            "owner_department_id": department,
            "relevant_team": [member],
        }

    def next_number(self, prefix: str) -> str:
        """Returns the next automatic number of a series."""
        self.numbers[prefix] += 1
        return f"{prefix}{self.numbers[prefix]:08d}"

    def _personnel(self) -> list[Record]:
        at = self.now_ms() - 86_400_000_000
        return [
            self.born(f"{0x5F000000 + int(person.user_id):08x}{'0' * 16}", at, OPERATOR)
            | {
                "name": person.name,
                "full_name": person.name,
                "user_id": person.user_id,
                "employee_number": person.staff_no,
                "phone": person.mobile,
                "email": f"{person.staff_no.lower()}@bank.example",
                "status": "0" if person.active else "1",
                "main_department": [person.department],
                "position": "客户经理",
                "owner": [person.user_id],
            }
            for person in EMPLOYEES
        ]

    def _departments(self) -> list[Record]:
        at = self.now_ms() - 86_400_000_000
        return [
            self.born(number, at, OPERATOR)
            | {"name": name, "status": "0", "owner": [OPERATOR]}
            | ({"dept_code": code, "parent_id": [DEPARTMENTS[0][0]]} if code else {})
            for number, code, name in DEPARTMENTS
        ]
