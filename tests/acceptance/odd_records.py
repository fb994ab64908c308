"""A small bank with the oddities of real records, written past the vendors' APIs as its staff would have done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from hub.cli.demo_children import compare
from hub.cli.demo_lab import CHILDREN, ENTITY, FXIAOKE, OBJECTS_OF, ZOHO, Lab
from hub.operations.cycles import Preview, plan
from hub.operations.guards import release_guard
from hub.operations.holdouts import list_held
from hub.operations.questions import Asked, list_questions
from hub.operations.rounds import sync_all
from hub.store.records import bindings_by_native
from hub.sync.cycle import FIRST_SYNC

CUSTOMERS = 200
SAME_NAME = ("王", "同名")
PHONES = ("+8613900000001", "+8613900000002")
LEFT = "5843104000000301007"
"""Who left, by the user id in Zoho: S1007 in the staff table."""
DESK = {"Branch_Code": "B0001"}
"""The branch of the employee who writes everything down in both simulators."""
ID = {ZOHO: "id", FXIAOKE: "_id"}
ENTITY_OF = {
    object_: entity for entity, places in OBJECTS_OF.items() for objects in places.values() for object_ in objects
}
_FIRST = datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=8)))

Row = Mapping[str, Any]
Seat = tuple[str, Row]
"""Is one live record: object and row."""


@dataclass(slots=True)
class Bank:
    """Is the laboratory and the names under which its odd records can be found again: name -> (system, object, id)."""

    lab: Lab
    customers: list[str] = field(default_factory=list)
    named: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    lone: set[str] = field(default_factory=set)
    differing: dict[str, int] = field(default_factory=dict)
    minutes: int = 0
    planned: dict[str, Preview] = field(default_factory=dict)
    """The last plan of each entity before its first sync."""
    _seats: dict[tuple[str, str], dict[str, list[Seat]]] = field(default_factory=dict)

    def write(self, system: str, object_: str, name: str, /, **fields: Any) -> str:
        """Makes a record in a system's screens; the name finds it again."""
        made = self.lab.simulators[system].admin.post("create", {"object": object_, "fields": fields})
        self.named[name] = system, object_, str(made["id"])
        return str(made["id"])

    def edit(self, system: str, name: str, /, **fields: Any) -> None:
        """Edits a named record where it stands in a system."""
        object_, row = self.shown(name, system)
        body = {"object": object_, "id": row[ID[system]], "fields": fields}
        self.lab.simulators[system].admin.post("edit", body)

    def moment(self) -> datetime:
        """Returns a minute of its own for each record."""
        self.minutes += 1
        return _FIRST + timedelta(minutes=self.minutes)

    def first_sync(self) -> None:
        for entity in (ENTITY, *CHILDREN, ENTITY):
            self.planned[entity] = self.plan(entity)
        for entity in OBJECTS_OF:
            release_guard(self.lab.hub, entity, FIRST_SYNC, reason="odd records, all looked at")
        self.settle()

    def plan(self, entity: str) -> Preview:
        self.lab.settle_index()
        return plan(self.lab.hub, entity)

    def settle(self) -> None:
        """Syncs until nothing moves, and once more for what the systems made of what was written."""
        for until_converged in (True, False):
            self.lab.settle_index()
            sync_all(self.lab.hub, tuple(OBJECTS_OF), until_converged=until_converged)
        self._seats.clear()

    def questions(self) -> list[Asked]:
        return [item for kind in ("conflict", "hold") for item in list_questions(self.lab.hub, kind)]

    def hub_id(self, name: str) -> str:
        system, object_, native_id = self.named[name]
        with self.lab.hub.store.read() as conn:
            return bindings_by_native(conn, system, object_, [native_id])[native_id].hub_id

    def shown(self, name: str, system: str) -> Seat:
        """Returns object and row of a named record in a system, where it must stand exactly once."""
        entity = ENTITY_OF[self.named[name][1]]
        if (system, entity) not in self._seats:
            self._seats[system, entity] = self._look(system, entity)
        found = self._seats[system, entity].get(self.hub_id(name), [])
        assert len(found) == 1, (name, system, [object_ for object_, _ in found])
        return found[0]

    def _look(self, system: str, entity: str) -> dict[str, list[Seat]]:
        """Returns the live records of an entity in a system by the hub id that they are bound to."""
        found: dict[str, list[Seat]] = {}
        for object_ in OBJECTS_OF[entity][system]:
            rows = {str(row[ID[system]]): row for row in self.lab.records(system, object_)}
            with self.lab.hub.store.read() as conn:
                for native_id, bound in bindings_by_native(conn, system, object_, list(rows)).items():
                    found.setdefault(bound.hub_id, []).append((object_, rows[native_id]))
        return found

    def check_quiet(self) -> None:
        """Fails unless everything stands once in both systems and nothing is owed, asked or held out.

        `lone` are the logs that stay in one system, `differing` how often a field differs because a person said so.
        """
        for entity in OBJECTS_OF:
            found = self.plan(entity)
            owed = {f"{system}:{act}": n for system, acts in found.owed.items() for act, n in acts.items()}
            writes = {name: n for name, n in owed.items() if n and name.endswith(("creates", "updates", "deletes"))}
            assert (writes, found.advice) == ({}, ()), (entity, found)
            same = compare(self.lab, entity)
            lone = sum(ENTITY_OF[self.named[name][1]] == entity for name in self.lone)
            differing = {field: n for field, n in self.differing.items() if field in same.differing}
            assert (same.alone, same.differing) == (lone, differing), same
        assert (list_held(self.lab.hub), self.questions()) == ([], [])


def fill(lab: Lab) -> Bank:
    """Writes the bank: 200 customers in Zoho, one of them in Fxiaoke as well, with their logs and complaints."""
    bank = Bank(lab)
    _customers(bank)
    _staff_who_left(bank)
    _unanswered(bank)
    _messages(bank)
    _gaps(bank)
    _nobody(bank)
    _complaints(bank)
    _to_be_changed(bank)
    return bank


def call(bank: Bank, name: str, customer: int | None, **fields: Any) -> str:
    """Writes a call in Zoho, an answered one unless the fields say otherwise."""
    shape = {"Subject": name, "Call_Type": "Outbound", "Call_Duration": "02:30", "Call_Purpose": "回访", **DESK}
    start = {"Call_Start_Time": bank.moment().isoformat()}
    return bank.write(ZOHO, "Calls", name, **{**shape, **start, **_who(bank, customer), **fields})


def task(bank: Bank, name: str, customer: int | None, **fields: Any) -> str:
    """Writes a message in Zoho."""
    shape = {"Subject": name, "Channel": "微信", "Purpose": "服务", "Status": "Completed", **DESK}
    start = {"Started_At": bank.moment().isoformat()}
    return bank.write(ZOHO, "Tasks", name, **{**shape, **start, **_who(bank, customer), **fields})


def event(bank: Bank, name: str, customer: int | None, **fields: Any) -> str:
    """Writes a visit of an hour in Zoho."""
    began = bank.moment()
    span = {"Start_DateTime": began.isoformat(), "End_DateTime": (began + timedelta(hours=1)).isoformat()}
    shape = {"Event_Title": name, "Channel": "上门拜访", "Purpose": "客户维护", **DESK}
    return bank.write(ZOHO, "Events", name, **{**shape, **span, **_who(bank, customer), **fields})


def noted(bank: Bank, name: str, channel: str, **fields: Any) -> str:
    """Writes a log in Fxiaoke, with the customer who stands there from the start unless the fields say otherwise."""
    shape = {"subject__c": name, "interactive_types": channel, "interactive_scenario": "2"}
    rest = {"contact_time__c": int(bank.moment().timestamp()) * 1000, "account_id": bank.named["same name there"][2]}
    return bank.write(FXIAOKE, "ActiveRecordObj", name, **{**shape, **rest, **fields})


def _who(bank: Bank, customer: int | None) -> dict[str, Any]:
    return {} if customer is None else {"Who_Id": {"id": bank.customers[customer]}}


def _customers(bank: Bank) -> None:
    for number in range(CUSTOMERS):
        twin = number < len(PHONES)
        family, given = SAME_NAME if twin else ("赵钱孙李周吴郑王冯陈"[number % 10], f"客{number:03d}")
        phone = PHONES[number] if twin else f"+86138{number:08d}"
        fields = {"Last_Name": family, "First_Name": given, "Mobile": phone, "Customer_Kind": "个人", **DESK}
        bank.customers.append(bank.write(ZOHO, "Contacts", f"customer {number}", **fields))
    known = {"name": "".join(SAME_NAME), "tel": PHONES[1].removeprefix("+86"), "account_type": "1"}
    bank.write(FXIAOKE, "AccountObj", "same name there", **known)


def _staff_who_left(bank: Bank) -> None:
    """30 logs of somebody who has left since."""
    admin = bank.lab.simulators[ZOHO].admin
    admin.post("user", {"id": LEFT, "active": True})
    for number in range(10):
        for make in (call, task, event):
            make(bank, f"left {make.__name__} {number}", 10 + number, Owner={"id": LEFT})
    admin.post("user", {"id": LEFT, "active": False})


def _unanswered(bank: Bank) -> None:
    """20 calls that nobody answered, half of them written in each system, half of those inbound."""
    for number in range(5):
        missed = {"Call_Type": "Missed", "Call_Duration": "00:00", "Call_Result": "未接"}
        call(bank, f"missed inbound {number}", 30 + number, **missed)
        call(bank, f"missed outbound {number}", 40 + number, Call_Duration="00:01", Call_Result="未接")
        for direction, option in (("inbound", "option1"), ("outbound", "option2")):
            shape = {"direction__c": option, "duration_seconds__c": "0", "outcome__c": "option2"}
            noted(bank, f"noted {direction} {number}", "1", **shape)


def _messages(bank: Bank) -> None:
    """20 WeChat logs, one of them written in Fxiaoke; and a call written there."""
    for number in range(19):
        task(bank, f"wechat {number}", 50 + number)
    noted(bank, "wechat 19", "6")
    noted(bank, "noted call", "1", direction__c="option2", duration_seconds__c="95", outcome__c="option1")


def _gaps(bank: Bank) -> None:
    """Logs without a purpose, meetings without an end or a length, a log without a time or a branch."""
    call(bank, "no purpose call", 70, Call_Purpose=None)
    task(bank, "no purpose task", 70, Purpose=None)
    event(bank, "no purpose event", 70, Purpose=None)
    noted(bank, "no purpose noted", "1", interactive_scenario=None, duration_seconds__c="30")
    noted(bank, "no end", "2")
    noted(bank, "no length", "2", duration_seconds__c="0")
    noted(bank, "no time", "3", contact_time__c=None, duration_seconds__c="600")
    call(bank, "no branch", 71, Branch_Code=None)


def _nobody(bank: Bank) -> None:
    """Logs of nobody: a task of one's own in either system, and one that gets its customer later."""
    task(bank, "nobody here", None)
    noted(bank, "nobody there", "6", account_id=None)
    noted(bank, "nobody yet", "6", account_id=None)
    bank.lone |= {"nobody here", "nobody there", "nobody yet"}


def _complaints(bank: Bank) -> None:
    shape: dict[str, Any] = {"Case_Origin": "Phone", "Priority": "Medium", **DESK}
    received = {"Received_At": _FIRST.isoformat()}
    who = {"Related_To": {"id": bank.customers[80]}}
    bank.write(ZOHO, "Cases", "open", Subject="open", Status="已受理", **shape, **received, **who)
    bank.write(ZOHO, "Cases", "silent", Subject="silent", Status="已结案", **shape, **received, **who)
    told = {"Feedback_At": (_FIRST + timedelta(days=1)).isoformat(), "Feedback_Method": "电话"}
    bank.write(ZOHO, "Cases", "told", Subject="told", Status="已结案", **shape, **received, **who, **told)
    bank.write(ZOHO, "Cases", "anonymous", Subject="anonymous", Status="已登记", **shape, **received)
    there: dict[str, Any] = {
        "title__c": "silent there",
        "status__c": "option8",
        "name": "T-1",
        "intake_channel__c": "option4",
    }
    there |= {"priority__c": "option2", "account_id": bank.named["same name there"][2]}
    there["received_at__c"] = int(_FIRST.timestamp()) * 1000
    bank.write(FXIAOKE, "complaint__c", "silent there", **there)
    about = {"What_Id": {"id": bank.named["open"][2]}, "$se_module": "Cases"}
    call(bank, "about a complaint", 80, Call_Purpose="投诉处理", **about)


def _to_be_changed(bank: Bank) -> None:
    task(bank, "to be sms", 90)
    call(bank, "to be a visit", 91)
    call(bank, "to be a letter", 92)
    task(bank, "to be a call", 93)
