"""A real daemon in a first load of contact logs: a new complaint waits neither for it nor for its schedule."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres_server import PostgresServer
from tests.scenarios.fleet import Fleet, make_fleet

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
LOGS, RATE, WITHIN = 900, 10, 60.0
"""At so many calls a second the vendor needs a minute and a half for the logs."""


@pytest.fixture
def fleet(postgres: PostgresServer, tmp_path: Path) -> Iterator[Fleet]:
    tmp_path.chmod(0o755)
    turns = {"sync": "every 1h", "slice_seconds": 5, "pass_seconds": 5}
    seeded = {"records": 40, "logs": LOGS, "complaints": 20}
    made = make_fleet(tmp_path, postgres, rate=RATE, burst=RATE, **seeded, **turns)
    try:
        yield made
    finally:
        made.stop()
        postgres.drop(made.database)


def _there(fleet: Fleet, object_: str) -> int:
    return len(fleet.simulators.rows("fxiaoke", object_))


def test_a_new_complaint_is_there_within_a_minute_while_logs_are_loaded(fleet: Fleet) -> None:
    fleet.add("a").start()
    fleet.until(lambda: _there(fleet, "ActiveRecordObj") > LOGS / 10, 240, "the first logs")
    with fleet.hub() as hub:
        name = "新客户0001"
        customer = fleet.bank.create(
            hub, "zoho", customer_kind="individual", full_name=name, mobile="+8613900000001", customer_no="N1"
        )
    case = {"Subject": "刚刚受理", "Status": "已登记", "Case_Origin": "Phone", "Related_To": {"id": customer}}
    fleet.simulators.running["zoho"].admin.post("create", {"object": "Cases", "fields": case})
    made_at = time.monotonic()

    def arrived() -> bool:
        rows = fleet.simulators.rows("fxiaoke", "complaint__c")
        return any(row.get("title__c") == "刚刚受理" for row in rows)

    fleet.until(arrived, WITHIN, "the new complaint")
    waited, loaded = time.monotonic() - made_at, _there(fleet, "ActiveRecordObj")
    assert fleet.outcomes("contact_log")[:1] != ["converged"], f"the load was over, after {waited:.0f} s"
    fleet.until(fleet.converged, 240, "the rest of the logs")
    assert loaded < _there(fleet, "ActiveRecordObj")
    assert fleet.twins() == {}
    fleet.check_audit()
