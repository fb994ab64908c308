"""Writes to Fxiaoke through the whole hub: a first load within the vendor's limit, owners in a second step, locks.

What a limit allows is `burst + rate * seconds`. How long the creates took beside that is printed, since other work on
the machine slows them down (`make bench` asks for it). What never depends on it is asserted: who is there, and every
window of 20 seconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from laboratory import INDEX_LAG, KINDS, SECRETS, Bank, Simulators, make_home
from sync_process import Nursery

from connectors.simulation.server import start_simulator
from hub.operations.installation import Installation
from tests.scenarios.windows import VENDOR, Limit, most_within

pytestmark = pytest.mark.slow
CREATE = "/cgi/crm/v2/data/create"
SEEDED = {1000: 1254, 119: 160, 12: 12}
"""How many people the seed needs, so that so many of them live in the system that is loaded from."""


RAISED = Limit(700, 33.0)
"""Its bucket leaves a twentieth, since calls come late and bunched where the machine is busy."""


@contextmanager
def vendors(people: int) -> Iterator[Simulators]:
    """Starts a Zoho CRM with so many customers and a Fxiaoke without any."""
    os.environ.update(SECRETS)
    common: dict[str, Any] = {"limits": "fast", "seed": 7}
    with (
        start_simulator(KINDS["zoho"], records=SEEDED[people], **common) as zoho,
        start_simulator(KINDS["fxiaoke"], **common) as fxiaoke,
    ):
        fxiaoke.admin.post("lag", {"seconds": INDEX_LAG})
        yield Simulators({"zoho": zoho, "fxiaoke": fxiaoke})


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    os.environ.update(SECRETS)
    started = Nursery()
    yield started
    started.stop()


# --- a first load -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("people", "limit", "batch"), [(1000, RAISED, 20), (119, VENDOR, 1)], ids=["raised limit", "the vendor's numbers"]
)
def test_creates_keep_the_limit_and_make_nobody_twice(
    tmp_path: Path, nursery: Nursery, people: int, limit: Limit, batch: int
) -> None:
    with vendors(people) as simulators:
        bank = Bank(make_home(tmp_path / "hub", "sqlite:///var/hub.db", simulators), simulators)
        paced = f"rate_per_second: {limit.rate}\n      rate_burst: {limit.burst}\n      workers: 4"
        settings = bank.home / "config" / "hub.yaml"
        text = settings.read_text(encoding="utf-8")
        text = text.replace("rate_per_second: 5000\n      rate_burst: 5000", f"{paced}\n      batch_size: {4 * batch}")
        settings.write_text(text, encoding="utf-8")
        assert "workers: 4" in text
        vendor = simulators.running["fxiaoke"].admin
        vendor.settings(calls_per_window=limit.calls)
        lost = {"match": {"path_regex": CREATE}, "action": "reset_after_commit", "every": 37}
        vendor.faults([lost])

        # Killed when answers of a batch have come and nothing of them is noted yet.
        nursery.start(bank.home, failpoint=f"call_returned:{people // (8 * batch)}")
        assert nursery.wait() == -9
        half = len(simulators.rows("fxiaoke", "AccountObj"))
        assert people * 0.3 < half < people * 0.7
        with bank.hub() as hub:
            bank.settle(hub)

        rows = simulators.rows("fxiaoke", "AccountObj")
        assert len(rows) == len({row["hub_id__c"] for row in rows}) == people
        calls = vendor.calls()
        assert calls["faults"][0]["struck"] >= people // 37 - 2
        assert [code for code in calls["remarks"] if code in ("errorCode 30004", "errorCode 14001")] == []
        paths = vendor.post("arrivals", {})["paths"]
        for path, times in paths.items():
            assert most_within(times) <= limit.calls, path
        creates = paths[CREATE]
        spent, least = creates[-1] - creates[0], limit.seconds(len(creates))
        print(f"{len(creates)} creates in {spent:.1f} s with a kill between, {least:.1f} s by the limit")


# --- owners and locks -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    with vendors(12) as simulators:
        home = make_home(tmp_path_factory.mktemp("writes") / "hub", "sqlite:///var/hub.db", simulators)
        made = Bank(home, simulators)
        with made.hub() as hub:
            made.settle(hub)
        yield made


def somebody(bank: Bank, hub: Installation, number: int) -> tuple[str, dict[str, Any]]:
    """Returns a customer's hub id and its row in Fxiaoke."""
    row = sorted(bank.simulators.rows("fxiaoke", "AccountObj"), key=lambda row: str(row["_id"]))[number]
    return str(row["hub_id__c"]), row


def row_of(bank: Bank, native_id: str) -> dict[str, Any]:
    return next(row for row in bank.simulators.rows("fxiaoke", "AccountObj") if row["_id"] == native_id)


def counted(bank: Bank) -> dict[str, int]:
    """Returns the counted writes to Fxiaoke."""
    calls = bank.simulators.running["fxiaoke"].admin.calls()["calls"]
    return {name: calls.get(f"{name} AccountObj", 0) for name in ("create", "update", "choose", "changeOwner")}


def test_a_death_between_fields_and_owner_leaves_the_owner_to_be_written(bank: Bank, nursery: Nursery) -> None:
    with bank.hub() as hub:
        hub_id, before = somebody(bank, hub, 0)
        staff = "S1003" if before["staff_no__c"] != "S1003" else "S1004"
        bank.edit(hub, "zoho", hub_id, staff_no=staff, remark="换人")
    bank.simulators.running["fxiaoke"].admin.reset_calls()
    nursery.start(bank.home, failpoint="outcome_committed")
    assert nursery.wait() == -9
    between = row_of(bank, before["_id"])
    assert (between["remark"], between["staff_no__c"], between["owner"]) == ("换人", staff, before["owner"])
    assert counted(bank) == {"create": 0, "update": 1, "choose": 0, "changeOwner": 0}
    nursery.start(bank.home)
    assert nursery.wait() == 0
    after = row_of(bank, before["_id"])
    assert (after["remark"], after["staff_no__c"]) == ("换人", staff)
    assert after["owner"] != before["owner"]
    assert counted(bank) == {"create": 0, "update": 1, "choose": 0, "changeOwner": 1}
    with bank.hub() as hub:
        bank.settle(hub)
    assert counted(bank) == {"create": 0, "update": 1, "choose": 0, "changeOwner": 1}


def test_a_locked_record_waits_with_its_reason_and_goes_on_by_itself(bank: Bank) -> None:
    vendor = bank.simulators.running["fxiaoke"].admin
    with bank.hub() as hub:
        hub_id, row = somebody(bank, hub, 1)
        other, neighbour = somebody(bank, hub, 2)
        vendor.post("lock", {"id": row["_id"]})
        for one in (hub_id, other):
            bank.edit(hub, "zoho", one, remark="上锁")
        report = bank.cycle(hub)
        assert report.counts["deferred:fxiaoke.locked"] == 1
        assert row_of(bank, row["_id"]).get("remark") != "上锁"
        assert row_of(bank, neighbour["_id"])["remark"] == "上锁", "its neighbour is written"
        assert report.standing.causes == (), "nothing is quarantined"
        assert bank.cycle(hub).counts["deferred:fxiaoke.locked"] == 1
        vendor.post("lock", {"id": row["_id"], "locked": False})
        bank.settle(hub)
        assert row_of(bank, row["_id"])["remark"] == row_of(bank, neighbour["_id"])["remark"] == "上锁"


def test_a_lost_create_is_not_repeated_once_the_hub_id_is_no_longer_unique(bank: Bank) -> None:
    vendor = bank.simulators.running["fxiaoke"].admin
    with bank.hub() as hub:
        bank.create(hub, "zoho", customer_kind="individual", full_name="新来的客户", mobile_phone="+8613900000001")
        vendor.reset_calls()
        vendor.faults([{"match": {"path_regex": CREATE}, "action": "reset_before_commit", "times": 1}])
        assert bank.cycle(hub).counts["uncertain"] == 1
        vendor.post("schema", {"object": "AccountObj", "field": "hub_id__c", "changes": {"unique": False}})
    with bank.hub() as hub:  # as after a restart: what was described before is forgotten
        report = bank.cycle(hub)
        assert [(cause[0], cause[1]) for cause in report.standing.causes] == [("fxiaoke", "HUB-CREATE-001")]
        assert counted(bank)["create"] == 0, "the lost one never arrived, and no other was sent"
