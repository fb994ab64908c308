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
        self.directory = Directory()
        self.objects: dict[str, ObjectType] = build_objects()
        self.gate = Gate(clock, settings, self.directory)
        self.rules: list[Rule] = []
        self.pending_changes: dict[tuple[str, str], dict[str, Any]] = {}
        self.traces = Traces()
        self.mixer = random.Random("ties")
        self.numbers: Counter[str] = Counter()
        self.tables = {
            name: Table(kind, clock.now, lambda: settings.index_lag_seconds) for name, kind in self.objects.items()
        }
        self.events = Events(settings, clock.now)
        for name, table in self.tables.items():
            table.told = self.events.listener(name)
        self.tables["PersonnelObj"].load(self._personnel())
        self.tables["DepartmentObj"].load(self._departments())
        self.apply_switches()

    def apply_switches(self) -> None:
        """Makes the fields of the objects those that the switches say."""
        fields = self.objects[LOG].fields
        if "account_id" in fields:
            fields["account_id"] = replace(fields["account_id"], active=self.settings.log_account_lookup)

    def now_ms(self) -> int:
        """Returns the present instant in milliseconds."""
        return int(self.clock.now() * 1000)

    def new_id(self) -> str:
        """Returns an unused record id of 24 hexadecimal digits that begins with the time, as ObjectIds do."""
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
        unshared = name == "PersonnelObj" and not self.settings.personnel_shared
        if unshared or name in self.settings.denied_objects:
            raise Refusal(self.settings.business_code, "无此操作的数据权限")

    def checks(self) -> ValueCheck:
        """Returns the value checks of this tenant."""
        return ValueCheck(self.settings.business_code, self.directory, self._exists)

    def _exists(self, target: str, record_id: str) -> bool:
        table = self.tables.get(target)
        record = table.get(record_id) if table else None
        return record is not None and not record.get("is_deleted")

    def find(self, name: str, record_id: object, parameter: str) -> Record:
        """Returns a committed record; raises Refusal when it is gone or out of sight."""
        if not isinstance(record_id, str) or not record_id:
            raise bad_parameter(parameter)
        table = self.tables[name]
        record = table.get(record_id)
        if record is None or record_id in table.hidden:
            raise Refusal(self.settings.not_found_code, self.settings.not_found_text)
        return record

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
