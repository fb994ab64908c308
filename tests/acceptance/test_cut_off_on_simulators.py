"""A cut-off on both simulated vendors: old logs stay where they are, and one system is not even asked for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.cli_lab import Lab, make_lab

OLD, YOUNG = "2019-03-01T09:00:00+08:00", "2025-03-01T09:00:00+08:00"
OLD_MS, YOUNG_MS = 1_551_488_400_000, 1_740_877_200_000
"""A day later each, so that no log looks like another one."""
ENTITIES = """\
    prefer: [zoho, fxiaoke]
    guards: {first_sync_needs_release: false}
  contact_log:
    systems: [zoho, fxiaoke]
    prefer: [zoho, fxiaoke]
    guards: {first_sync_needs_release: false}
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = make_lab(tmp_path_factory.mktemp("lab") / "hub")
    made.change("    prefer: [zoho, fxiaoke]\n", ENTITIES)
    yield made
    made.zoho.stop()
    made.fxiaoke.stop()


def cut(home: Path, day: str) -> None:
    for kind in ("zoho_crm", "fxiaoke"):
        file = home / "mappings" / kind / "contact_log.full.yaml"
        kept = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("since:")]
        place = kept.index("filter: {}") + 1
        kept.insert(place, f"since: {{field: started_at, from: {day}}}")
        file.write_text("\n".join(kept) + "\n", encoding="utf-8")


def make(simulator: Any, object_: str, **fields: Any) -> str:
    return str(simulator.admin.post("create", {"object": object_, "fields": fields})["id"])


def call(lab: Lab, person: str, subject: str, began: str) -> None:
    fields = {"Call_Type": "Outbound", "Call_Duration": "03:25", "Call_Purpose": "回访", "Who_Id": {"id": person}}
    make(lab.zoho, "Calls", Subject=subject, Call_Start_Time=began, **fields)


def subjects(lab: Lab) -> tuple[set[str], set[str]]:
    calls = {str(row["Subject"]) for row in lab.zoho.admin.records("Calls")}
    return calls, {str(row.get("subject__c")) for row in lab.fxiaoke.admin.records("ActiveRecordObj")}


def test_old_logs_stay_where_they_are_until_the_cut_off_moves(lab: Lab) -> None:
    person = make(lab.zoho, "Contacts", Last_Name="王小明", Mobile="13812340001")
    assert lab.here("sync", "customer", "--until-converged").code == 0
    [customer] = [row["_id"] for row in lab.fxiaoke.admin.records("AccountObj")]
    for number in range(230):
        call(lab, person, f"旧通话{number}", OLD.replace("09:00", f"{9 + number // 60:02d}:{number % 60:02d}"))
    call(lab, person, "新通话", YOUNG)
    log = {"account_id": customer, "owner": ["1001"], "interactive_types": "1", "interactive_scenario": "1"}
    for name, began in (("旧记录", OLD_MS), ("新记录", YOUNG_MS)):
        make(lab.fxiaoke, "ActiveRecordObj", subject__c=name, contact_time__c=began, **log)
    cut(lab.home, "2024-01-01")
    assert lab.here("mapping", "check").code == 0
    ran = lab.ask("sync", "contact_log", "--until-converged")
    [run] = ran["runs"]
    assert run["outcome"] == "converged", run
    calls, logs = subjects(lab)
    assert logs == {"旧记录", "新记录", "新通话"}
    assert calls == {f"旧通话{number}" for number in range(230)} | {"新通话", "新记录"}
    # Zoho leaves its old calls out; in Fxiaoke the time may be empty, so they are read and passed over.
    assert run["counts"]["too_old"] == 1
    assert run["counts"]["read"] < 30
    assert run["counts"].get("quarantined", 0) == 0
    cut(lab.home, "2019-01-01")
    ran = lab.ask("sync", "contact_log", "--until-converged")
    calls, logs = subjects(lab)
    assert calls == logs
    assert len(calls) == 233
    [entity] = [item for item in lab.ask("status")["entities"] if item["entity"] == "contact_log"]
    assert entity["backfills"] == []
