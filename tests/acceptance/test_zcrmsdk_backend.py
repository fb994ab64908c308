"""A hub that reaches Zoho through zcrmsdk: a first sync, edits both ways, and a cleared field that ends honestly."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.cli_lab import Lab, make_lab

ENTITIES = """\
    prefer: [zoho, fxiaoke]
    guards: {first_sync_needs_release: false}
  complaint:
    systems: [zoho, fxiaoke]
    prefer: [zoho, fxiaoke]
    guards: {first_sync_needs_release: false}
  contact_log:
    systems: [zoho, fxiaoke]
    prefer: [zoho, fxiaoke]
    guards: {first_sync_needs_release: false}
"""
PEOPLE, FIRMS, BORN_THERE, CALLS, CASES = 12, 2, 5, 6, 3
WRITES = ("insert", "update", "upsert", "delete")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = make_lab(tmp_path_factory.mktemp("sdk") / "hub")
    made.change("visibility_lag: 0", "backend: zcrmsdk, visibility_lag: 0")
    made.change("    prefer: [zoho, fxiaoke]\n", ENTITIES)
    yield made
    made.zoho.stop()
    made.fxiaoke.stop()


def make(simulator: Any, object_: str, **fields: Any) -> str:
    return str(simulator.admin.post("create", {"object": object_, "fields": fields})["id"])


def edit(simulator: Any, object_: str, native_id: str, **fields: Any) -> None:
    simulator.admin.post("edit", {"object": object_, "id": native_id, "fields": fields})


def live(simulator: Any, object_: str) -> list[dict[str, Any]]:
    rows = simulator.admin.records(object_)
    return [row for row in rows if row.get("_state", "live") == "live" and not row.get("is_deleted")]


def sync(lab: Lab) -> dict[str, str]:
    """Waits for Fxiaoke's index, syncs every entity until nothing moves and returns the outcomes."""
    time.sleep(0.4)
    answer = lab.here("sync", "--until-converged", "--json").json
    return {run["entity"]: run["outcome"] for run in answer["runs"]}


def number(row: dict[str, Any]) -> str:
    """Returns a person's mobile number, by which they are one in both systems."""
    return str(row.get("Mobile") or row.get("tel"))[-11:]


def twins(lab: Lab) -> list[str]:
    """Returns the numbers and subjects that two live records of one system have."""
    found = Counter(("Contacts", number(row)) for row in live(lab.zoho, "Contacts"))
    found.update(("AccountObj", number(row)) for row in live(lab.fxiaoke, "AccountObj") if row.get("tel"))
    for simulator, object_, name in (
        (lab.zoho, "Accounts", "Account_Name"),
        (lab.zoho, "Calls", "Subject"),
        (lab.zoho, "Cases", "Subject"),
        (lab.fxiaoke, "ActiveRecordObj", "subject__c"),
        (lab.fxiaoke, "complaint__c", "title__c"),
    ):
        found.update((object_, str(row[name])) for row in live(simulator, object_))
    return [str(key) for key, times in found.items() if times > 1]


def fill(zoho: Any, fxiaoke: Any) -> None:
    """Puts customers on both sides, calls and complaints into Zoho."""
    people = [
        make(zoho, "Contacts", Last_Name=f"客户{n:02d}", Mobile=f"1381234{n:04d}", Short_Name=f"简称{n}")
        for n in range(PEOPLE)
    ]
    for n in range(FIRMS):
        make(zoho, "Accounts", Account_Name=f"样本有限公司{n}", Phone=f"0106655{n:04d}")
    for n in range(BORN_THERE):
        make(fxiaoke, "AccountObj", name=f"纷享{n:02d}", tel=f"1391234{n:04d}", account_type="1", owner=["1001"])
    for n, person in enumerate(people[:CALLS]):
        fields = {"Call_Type": "Outbound", "Call_Duration": "03:25", "Call_Purpose": "回访", "Who_Id": {"id": person}}
        make(zoho, "Calls", Subject=f"通话{n}", Call_Start_Time=f"2026-03-01T09:{n:02d}:00+08:00", **fields)
    for n, person in enumerate(people[:CASES]):
        fields = {"Status": "已登记", "Case_Origin": "Phone", "Priority": "Medium", "Related_To": {"id": person}}
        make(zoho, "Cases", Subject=f"投诉{n}", Received_At=f"2026-03-02T10:{n:02d}:00+08:00", **fields)


def people_of(lab: Lab) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Returns the people of Zoho and of Fxiaoke by their numbers."""
    here = {number(row): row for row in live(lab.zoho, "Contacts")}
    return here, {number(row): row for row in live(lab.fxiaoke, "AccountObj")}


def test_a_first_sync_and_edits_both_ways_converge_without_a_twin(lab: Lab) -> None:
    zoho, fxiaoke = lab.zoho, lab.fxiaoke
    fill(zoho, fxiaoke)
    assert lab.here("check").code == 0
    assert set(sync(lab).values()) == {"converged"}
    everybody = PEOPLE + FIRMS + BORN_THERE
    assert (len(live(zoho, "Contacts")), len(live(zoho, "Accounts"))) == (PEOPLE + BORN_THERE, FIRMS)
    assert len(live(fxiaoke, "AccountObj")) == everybody
    assert (len(live(fxiaoke, "ActiveRecordObj")), len(live(fxiaoke, "complaint__c"))) == (CALLS, CASES)
    assert twins(lab) == []

    here, there = people_of(lab)
    edited = sorted(person for person in here if person.startswith("138"))
    for n, person in enumerate(edited[:4]):
        edit(zoho, "Contacts", here[person]["id"], Description=f"在 Zoho 修改 {n}", Customer_Tier="贵宾")
    for n, person in enumerate(edited[4:8]):
        edit(fxiaoke, "AccountObj", there[person]["_id"], remark=f"在纷享修改 {n}", account_level="3")
    case = next(row for row in live(zoho, "Cases") if row["Subject"] == "投诉0")
    edit(zoho, "Cases", case["id"], Status="已受理", Accepted_At="2026-03-03T09:00:00+08:00")
    assert set(sync(lab).values()) == {"converged"}
    here, there = people_of(lab)
    assert [there[person]["remark"] for person in edited[:4]] == [f"在 Zoho 修改 {n}" for n in range(4)]
    assert [here[person]["Description"] for person in edited[4:8]] == [f"在纷享修改 {n}" for n in range(4)]
    assert {here[person]["Customer_Tier"] for person in edited[4:8]} == {"金卡"}
    complaint = next(row for row in live(fxiaoke, "complaint__c") if row["title__c"] == "投诉0")
    assert complaint["accepted_at__c"] == 1_772_499_600_000
    assert twins(lab) == []

    before = zoho.admin.calls()["calls"]
    assert set(sync(lab).values()) == {"converged"}
    after = zoho.admin.calls()["calls"]
    assert {name for name in after if name.split()[0] in WRITES and after[name] != before.get(name, 0)} == set()
    past_the_sdk = [path for path in zoho.admin.calls()["paths"] if not re.match("[A-Z]+ (/crm/v2/|/oauth/)", path)]
    assert past_the_sdk == []


def test_what_the_sdk_cannot_clear_is_held_out_with_its_remedy_until_a_person_clears_it(lab: Lab) -> None:
    zoho, fxiaoke = lab.zoho, lab.fxiaoke
    here, there = people_of(lab)
    person, twin = here["13812340000"], there["13812340000"]
    edit(fxiaoke, "AccountObj", twin["_id"], short_name__c=None, remark="清空简称")
    assert sync(lab)["customer"] == "blocked"
    shown = next(row for row in live(zoho, "Contacts") if row["id"] == person["id"])
    assert (shown["Short_Name"], shown["Description"]) == (person["Short_Name"], "清空简称")
    [held] = lab.ask("quarantine", "list")["quarantine"]
    assert (held["code"], held["field"]) == ("CANNOT_CLEAR", "short_name")
    assert "backend: rest" in str(held)
    before = zoho.admin.calls()["calls"].get("update Contacts")
    assert sync(lab)["customer"] == "blocked"
    assert zoho.admin.calls()["calls"].get("update Contacts") == before

    edit(zoho, "Contacts", person["id"], Short_Name=None)
    assert lab.here("quarantine", "retry", held["quarantine_id"]).code == 0
    assert sync(lab)["customer"] == "converged"
    assert "CANNOT_CLEAR" not in lab.here("quarantine", "list").out
    assert people_of(lab)[1]["13812340000"].get("short_name__c") is None
