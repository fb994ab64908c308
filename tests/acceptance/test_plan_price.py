"""What `crmhub plan` says a sync will cost at Zoho, and what it costs then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cli_lab import Lab, make_lab

EDITED = 4


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = make_lab(tmp_path / "hub")
    yield made
    made.zoho.stop()
    made.fxiaoke.stop()


def test_plan_shows_the_price_and_sync_stays_within_it(lab: Lab) -> None:
    lab.fxiaoke.admin.post("lag", {"seconds": 0})
    for number in range(EDITED):
        fields = {"Last_Name": f"王小明{number}", "Mobile": f"1381234000{number}"}
        lab.zoho.admin.post("create", {"object": "Contacts", "fields": fields})
    assert lab.first_sync().code == 0
    people = lab.fxiaoke.admin.records("AccountObj")
    assert len(people) == EDITED
    for number, row in enumerate(people):
        fields = {"need_summary__c": f"大额存单{number}"}
        lab.fxiaoke.admin.post("edit", {"object": "AccountObj", "id": row["_id"], "fields": fields})
    found = lab.ask("plan", "customer")["plan"]
    assert found["owed"]["zoho"]["updates"] == EDITED
    price = found["prices"]["zoho"]
    alone = price["alone"]
    assert 0 <= alone <= EDITED
    # One read, those that go alone, and one call for the others.
    assert price["calls"] == price["units"] == 1 + alone + (alone < EDITED)
    assert price["unit"] == ["API credits", "API 额度"]
    assert "fxiaoke" not in found["prices"], "it counts no credits"
    ran = lab.here("plan", "customer")
    assert f"cost: about {price['calls']} calls, reads before writes included, {price['units']} API credits" in ran.out
    lab.zoho.admin.reset_calls()
    assert lab.here("sync", "customer").code == 0
    calls = lab.zoho.admin.calls()["calls"]
    assert 1 <= calls["update Contacts"] <= price["calls"] - 1
