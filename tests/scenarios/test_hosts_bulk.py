"""Several hosts over one PostgreSQL: a bulk load outlives the host that began it, and who stands by hears callbacks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres_server import PostgresServer
from tests.scenarios.daemon_process import free_port
from tests.scenarios.fleet import Fleet, Host, make_fleet

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
SEEDED, JOB_ROWS = 200, 60
MORE_ZOHO = ", page_size: 10, coql_page_size: 10, bulk_read_above: 20, bulk_look_seconds: 0.1"
HEARD_AT = "callbacks: {{listen: '127.0.0.1:{own}', public_url: 'http://127.0.0.1:{public}/hooks', pause_seconds: 1}}"


@pytest.fixture
def fleet(postgres: PostgresServer, tmp_path: Path) -> Iterator[Fleet]:
    tmp_path.chmod(0o755)
    options = {"records": SEEDED, "sync": "every 1h", "more_zoho": MORE_ZOHO}
    made = make_fleet(tmp_path, postgres, entities=("customer",), **options)
    made.simulators.running["zoho"].admin.settings(bulk_rows=JOB_ROWS, bulk_seconds=600.0)
    try:
        yield made
    finally:
        made.stop()
        postgres.drop(made.database)


def _jobs(fleet: Fleet) -> int:
    """Returns how many bulk jobs the vendor was asked for."""
    calls = fleet.simulators.running["zoho"].admin.calls()["calls"]
    return sum(number for name, number in calls.items() if name.startswith("bulk create "))


def _customers(fleet: Fleet) -> tuple[int, int]:
    rows = fleet.simulators.rows
    return len(rows("zoho", "Contacts")) + len(rows("zoho", "Accounts")), len(rows("fxiaoke", "AccountObj"))


def test_a_bulk_load_and_a_channel_outlive_their_host(fleet: Fleet) -> None:
    people = _customers(fleet)[0]
    ports = [free_port(), free_port()]
    # The proxy in front of them passes every call to the second host, whoever leads.
    hosts: list[Host] = [
        fleet.add(name, more=HEARD_AT.format(own=own, public=ports[1])) for name, own in zip("ab", ports, strict=True)
    ]
    first, second = hosts
    first.start()
    fleet.until(lambda: first.ready().get("role") == "leads", 240, "the first host leads")
    second.start()
    fleet.until(lambda: second.ready().get("role") == "stands_by", 240, "the second stands by")
    fleet.until(lambda: _jobs(fleet) and first.lines("channel_open"), 240, "a job is under way")
    begun = _jobs(fleet)
    first.kill()
    # Only now is a file ready: whatever is read, the second host reads.
    fleet.simulators.running["zoho"].admin.settings(bulk_seconds=0.2)
    fleet.until(lambda: second.ready().get("role") == "leads", 240, "the second host takes over")
    fleet.until(fleet.converged, 240, "the first load")
    assert _customers(fleet) == (people, people)
    assert fleet.twins() == {}
    files = sum(-(-len(fleet.simulators.rows("zoho", name)) // JOB_ROWS) for name in ("Contacts", "Accounts"))
    # At most the job whose answer died with its host was made again for each module.
    assert begun < _jobs(fleet) <= files + 2
    watch = fleet.simulators.running["zoho"].admin.post("watch")["channels"]
    assert len(watch) == 1, "the channel of the installation goes on"
    fields = {"Last_Name": "王", "First_Name": "小明", "Customer_Kind": "个人"}
    first.start()
    fleet.until(lambda: first.ready().get("role") == "stands_by", 240, "the first is back")
    fleet.simulators.running["zoho"].admin.post("create", {"object": "Contacts", "fields": fields})
    fleet.until(lambda: _customers(fleet) == (people + 1, people + 1), 240, "what a callback told, an hour ahead")
    fleet.check_audit()
    assert second.stop() == 0
    fleet.until(lambda: first.ready().get("role") == "leads", 240, "the first leads again")
    assert len(fleet.simulators.running["zoho"].admin.post("watch")["channels"]) == 1
