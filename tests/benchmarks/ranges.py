"""How much sooner a module is listed in ranges of ids, read side by side, than page after page.

Every answer of the vendor takes 40 ms; both ways ask for the same pages, one after the other or up to eight at once.
The cuts are part of the time. With pages of 200 rows the work of both processes is small beside the waiting; with
pages of 2,000 rows, the default, it is not, and that ratio is only told.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from connectors.addresses import Egress
from connectors.base import Cursor
from connectors.conformance.context import KitContext
from connectors.http import HttpClient, HttpPolicy
from connectors.simulation.server import RunningSimulator, start_simulator
from connectors.zoho_crm.connector import ZohoCrmConnector
from hub.kernel.clock import SystemClock

from .lab import Lab
from .measure import Result, Took, compare, stopwatch

LATENCY_MS, WORKERS, OBJECT = 40, 8, "Accounts"
FIELDS = ("Hub_Id", "Account_Name", "Phone", "Website", "Description")
_SECRETS = {
    "client_id": "1000.SIMULATED",
    "client_secret": "simulated-secret",
    "refresh_token": "1000.simulated.refresh",
}


def results(lab: Lab, pages: int = 80) -> list[Result]:
    """Compares both ways with small pages and, for the record, with those of the vendor's limit."""
    with start_simulator("zoho_crm", limits="fast", latency_ms=LATENCY_MS) as running:
        fields = {"Hub_Id": "h{n}", "Account_Name": "单位{n}", "Phone": "021-5555", "Description": "备注{n}"}
        rows = pages * 200
        running.admin.post("fill", {"object": OBJECT, "number": rows, "age": 86_400, "fields": fields})
        return [_compared(running, rows, size, aim, lab.rounds) for size, aim in ((200, 3.0), (2000, None))]


def _compared(running: RunningSimulator, rows: int, size: int, aim: float | None, rounds: int) -> Result:
    return compare(
        f"listing, ranges : one chain, {size:,} rows a page",
        aim,
        rows,
        lambda: listed(running, "ranges", size, rows),
        lambda: listed(running, "coql", size, rows),
        rounds,
        note=f"{LATENCY_MS} ms a call, {WORKERS} calls at once",
    )


def listed(running: RunningSimulator, listing: str, size: int, rows: int) -> Took:
    """Lists the module once and returns the time; what was listed must be all of it."""
    with _connected(running, listing, size) as zoho:
        zoho.count(OBJECT, None)  # signs in, which is no part of a listing
        ids: set[str] = set()
        with stopwatch() as took:
            cursor: Cursor | None = None
            complete = False
            while not complete:
                page = zoho.changes(OBJECT, FIELDS, cursor, size)
                ids.update(record.native_id for record in page.records)
                cursor, complete = page.next_cursor, page.complete
    assert len(ids) == rows
    return took


@contextmanager
def _connected(running: RunningSimulator, listing: str, size: int) -> Iterator[ZohoCrmConnector]:
    client = HttpClient(HttpPolicy(Egress((), profile="lab")), SystemClock(), system="zoho")
    context = KitContext("zoho", client, SystemClock(), _SECRETS)
    urls = {"accounts_url": running.base_url, "api_url": running.base_url}
    settings = {**urls, "objects": [OBJECT], "listing": listing, "coql_page_size": size, "workers": WORKERS}
    connector = ZohoCrmConnector(settings, context)
    try:
        yield connector
    finally:
        connector.close()
        client.close()
