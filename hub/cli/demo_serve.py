"""Keeps the daemon of the demo running while people go on working on both sides."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice

from hub.app import open_installation
from hub.cli.demo_lab import FXIAOKE, ZOHO, Lab
from hub.cli.demo_screen import Screen
from hub.cli.demo_words import Speech
from hub.kernel.settings import load_settings
from hub.operations.installation import Installation
from hub.telemetry import configure

EVERY = 3.0
"""Seconds between two changes."""
Doing = tuple[str, Callable[[int], None]]


class Staff:
    """Plays the staff of the bank in both vendors' screens, one small change after the other."""

    def __init__(self, lab: Lab) -> None:
        self._zoho, self._fxiaoke = lab.simulators[ZOHO].admin, lab.simulators[FXIAOKE].admin
        self._contacts = _ids(lab, ZOHO, "Contacts", "id")
        self._accounts = _ids(lab, FXIAOKE, "AccountObj", "_id")
        self._logs = _ids(lab, FXIAOKE, "ActiveRecordObj", "_id")
        self._cases = _ids(lab, ZOHO, "Cases", "id")

    def doings(self) -> list[Doing]:
        """Returns what they do in turn: the word for it, and the act by its number."""
        known: list[tuple[list[str], Doing]] = [
            (self._contacts, ("did_remark", self._remark)),
            (self._accounts, ("did_need", self._need)),
            (self._contacts, ("did_call", self._call)),
            (self._logs, ("did_log", self._log)),
            (self._cases, ("did_case", self._case)),
        ]
        return [doing for ids, doing in known if ids]

    def _remark(self, number: int) -> None:
        self._edit_zoho("Contacts", self._contacts, number, Description=f"回访备注 {number}")

    def _need(self, number: int) -> None:
        self._edit_fxiaoke("AccountObj", self._accounts, number, need_summary__c=f"需求记录 {number}")

    def _call(self, number: int) -> None:
        fields = {
            "Subject": f"回访 {number}",
            "Call_Type": "Outbound",
            "Call_Start_Time": "2026-10-01T09:30:00+08:00",
            "Call_Duration": "03:15",
            "Who_Id": {"id": self._contacts[number % len(self._contacts)]},
        }
        self._zoho.post("create", {"object": "Calls", "fields": fields})

    def _log(self, number: int) -> None:
        self._edit_fxiaoke("ActiveRecordObj", self._logs, number, active_record_content=f"补充说明 {number}")

    def _case(self, number: int) -> None:
        self._edit_zoho("Cases", self._cases, number, Description=f"补充事实 {number}")

    def _edit_zoho(self, object: str, ids: list[str], number: int, **fields: str) -> None:
        self._zoho.post("edit", {"object": object, "id": ids[number % len(ids)], "fields": fields})

    def _edit_fxiaoke(self, object: str, ids: list[str], number: int, **fields: str) -> None:
        self._fxiaoke.post("edit", {"object": object, "id": ids[number % len(ids)], "fields": fields})


def _ids(lab: Lab, system: str, object: str, name: str) -> list[str]:
    return sorted(str(row[name]) for row in islice(lab.records(system, object), 200))


def serve(lab: Lab, screen: Screen, say: Speech) -> int:
    """Runs the daemon over the demo's hub until it is interrupted; returns its exit code."""
    from hub.schedule.loop import run_daemon

    configure(lab.clock, level="WARNING")

    def open_hub() -> Installation:
        return open_installation(lab.home, channel="daemon", lang=say.lang)

    def told(port: int | None) -> None:
        screen.line(say("serving", home=lab.home, port=port or "-"), f"crmhub status --home {lab.home}")

    with _working(Staff(lab), screen, say):
        return run_daemon(load_settings(lab.home), open_hub, lab.clock, told)


@contextmanager
def _working(staff: Staff, screen: Screen, say: Speech) -> Iterator[None]:
    over = threading.Event()

    def work() -> None:
        for number, (word, act) in enumerate(cycle(staff.doings())):
            if over.wait(EVERY):
                return
            act(number)
            screen.line(say(word))

    thread = threading.Thread(target=work, name="demo-staff", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=5)
