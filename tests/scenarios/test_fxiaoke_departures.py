"""A customer of Fxiaoke out of sight, one invalid, one deleted for good, one merged: each ends as its own case."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from laboratory import ENTITY, INDEX_LAG, Bank, Simulators, make_home

from hub.cli.main import run
from hub.kernel.errors import Declined
from hub.operations import cycles, departed
from hub.operations.audit_search import list_log
from hub.operations.cycles import Synced
from hub.operations.installation import Installation
from hub.operations.questions import list_questions, resolve_hold
from hub.store import records
from hub.sync.reconcile import Difference

RULES = "    prefer: [zoho, fxiaoke]\n    on_delete: propagate\n"
GUARDS = "    guards:\n      max_shrink_percent: 90\n      max_deletes: {count: 20, percent: 100.0}\n"
NAMES = ("看不见", "作废了", "删除了", "被合并", "保留下", "跟进过", "无变化")


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    simulators = Simulators.start()
    made = Bank(tmp_path / "hub", simulators)
    simulators.running["fxiaoke"].admin.post("lag", {"seconds": INDEX_LAG})
    make_home(made.home, "sqlite:///var/hub.db", simulators)
    file = made.home / "config" / "hub.yaml"
    text = file.read_text(encoding="utf-8").replace("    prefer: [zoho, fxiaoke]\n", RULES)
    file.write_text(text.replace("    guards:\n", GUARDS), encoding="utf-8")
    yield made
    simulators.stop()


def sync(hub: Installation) -> Synced:
    time.sleep(INDEX_LAG + 0.05)
    return cycles.sync(hub, ENTITY, until_converged=True)


def living(bank: Bank) -> dict[str, str]:
    """Returns who lives in Zoho, by id; what is in its recycle bin was deleted there."""
    rows = bank.simulators.rows("zoho", "Contacts")
    return {row["id"]: row["Last_Name"] + (row.get("First_Name") or "") for row in rows}


def difference(hub: Installation) -> Difference:
    found, failed = cycles.reconcile_entity(hub, ENTITY)
    assert not failed
    return next(item for item in found if item.system == "fxiaoke")


def test_each_departure_ends_as_its_own_case_and_deletes_nothing_without_evidence(bank: Bank) -> None:
    with bank.hub() as hub:
        ids = depart(bank, hub)
        asked = reconciled(bank, hub, ids)
        settled(bank, hub, ids, asked)


def depart(bank: Bank, hub: Installation) -> dict[str, str]:
    admin, ids = bank.simulators.running["fxiaoke"].admin, {}
    for number, name in enumerate(NAMES):
        fields = {"name": name, "tel": f"1381234000{number}", "account_type": "1"}
        ids[name] = str(admin.post("create", {"object": "AccountObj", "fields": fields})["id"])
    assert sync(hub).outcome == "converged"
    assert sorted(living(bank).values()) == sorted(NAMES)
    admin.post("touch", {"id": ids["跟进过"]})
    done = sync(hub)
    assert done.outcome == "converged"
    assert done.counts.get("changed", 0) == 0, "a follow-up moves version and time, and is silence"
    admin.post("hide", {"id": ids["看不见"]})
    admin.post("delete", {"id": ids["作废了"]})
    admin.post("delete", {"id": ids["删除了"], "physical": True})
    # The survivor takes over what tells who the other one was, as people who merge do. No API names it.
    admin.post("edit", {"id": ids["保留下"], "fields": {"name": "被合并", "tel": "13812340003"}})
    admin.post("merge", {"id": ids["保留下"], "losers": [ids["被合并"]]})
    assert sync(hub).outcome == "converged"
    assert len(living(bank)) == 7, "the poll shows no departure, only the survivor's edit"
    return ids


def reconciled(bank: Bank, hub: Installation, ids: dict[str, str]) -> str:
    """Reconciles: one is deleted, one is a question, two are left alone. Returns the question."""
    bank.simulators.running["fxiaoke"].admin.settings(hidden_answer="permission")
    found = difference(hub)
    assert (found.missing, found.gone, found.unseen, found.hidden) == (4, 2, 2, 1)
    assert set(found.unseen_ids) == {ids["看不见"], ids["删除了"]}
    done, left = sync(hub), ["看不见", "删除了", "被合并", "被合并", "跟进过", "无变化"]
    assert sorted(living(bank).values()) == sorted(left), "one is deleted: who is shown as invalid"
    assert (done.outcome, [advice.reason for advice in done.advice]) == ("blocked", ["holds=1"])
    [asked] = list_questions(hub, "hold", ENTITY)
    assert asked.rule == "merge", "the merged one is a question, and both stay until it is answered"
    return asked.id


def settled(bank: Bank, hub: Installation, ids: dict[str, str], asked: str) -> None:
    """What is owed to a record out of sight waits, says so, and is written once it is seen or declared deleted."""
    for native_id, name in living(bank).items():
        if name in ("看不见", "删除了"):
            edit = {"object": "Contacts", "id": native_id, "fields": {"Description": "改后"}}
            bank.simulators.running["zoho"].admin.post("edit", edit)
    resolve_hold(hub, asked, accept=False, reason="two people")
    done = sync(hub)
    assert (done.outcome, [advice.reason for advice in done.advice]) == ("blocked", ["out_of_sight=2"])
    assert len(living(bank)) == 6
    with pytest.raises(Declined, match="may not be shown"):
        gone(hub, ids["看不见"])
    admin = bank.simulators.running["fxiaoke"].admin
    admin.settings(hidden_answer="not_found")
    said = command(bank, "reconcile")
    assert "2 are hidden or deleted for good, nobody can tell" in said, "this tenant does not say which of them is"
    assert ids["看不见"] in said
    assert ids["删除了"] in said
    admin.post("hide", {"id": ids["看不见"], "hidden": False})
    with pytest.raises(Declined, match="can be seen"):
        gone(hub, ids["看不见"])
    words = ("--system", "fxiaoke", "--reason", "the branch said so")
    assert "taken as deleted" in command(bank, "record", "gone", f"fxiaoke:{ids['删除了']}", *words)
    for _ in range(3):
        done = sync(hub)
    assert done.outcome == "converged", done
    stored: dict[str, Any] = {row["_id"]: row for row in bank.simulators.rows("fxiaoke", "AccountObj")}
    assert stored[ids["看不见"]]["remark"] == "改后"
    [again] = [row for row in stored.values() if row["name"] == "删除了"]
    assert (again["_id"] != ids["删除了"], again["remark"]) == (True, "改后"), "an edit beats a delete: it is made anew"
    # A delete that is owed to a record nobody can see waits in the same way.
    [there] = [native_id for native_id, name in living(bank).items() if name == "无变化"]
    admin.post("hide", {"id": ids["无变化"]})
    bank.simulators.running["zoho"].admin.post("delete", {"object": "Contacts", "id": there})
    assert [advice.reason for advice in sync(hub).advice] == ["out_of_sight=1"]
    gone(hub, ids["无变化"])
    assert sync(hub).outcome == "converged"
    entries = list_log(hub, act="record.gone", limit=10)
    assert [(entry["obj"]["connection"], entry["reason"]) for entry in entries] == [
        ("fxiaoke", "the branch said so")
    ] * 2


def command(bank: Bank, *words: str) -> str:
    """Runs a command as an operator types it and returns what it said; it must succeed."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        code = run([*words, "--home", str(bank.home), "--lang", "en"])
    out.flush()
    said: str = out.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert code == 0, said
    return said


def gone(hub: Installation, native_id: str) -> None:
    with hub.store.read() as conn:
        hub_id = records.bindings_by_native(conn, "fxiaoke", "AccountObj", [native_id])[native_id].hub_id
    departed.declare_gone(hub, hub_id, "fxiaoke", "the branch said so")
