"""Reads until the day's credits are used up to the reserve, as one process of an installation; prints what came of it.

Run as a script: URL of the simulator, URL of the store, seconds that the clock is ahead. It begins at a line of input.
"""

from __future__ import annotations

import json
import sys
import time

from connectors.addresses import Egress
from connectors.allowance import Allowance, Terms
from connectors.conformance.context import KitContext
from connectors.errors import QuotaExhausted
from connectors.http import HttpClient, HttpPolicy
from connectors.zoho_crm.connector import ZohoCrmConnector
from hub.outbound import Windows
from hub.store.allowances import StoredBooks
from hub.store.database import open_engine

SECRETS = {
    "client_id": "1000.SIMULATED",
    "client_secret": "simulated-secret",
    "refresh_token": "1000.simulated.refresh",
}
DAY, RESERVE = 1_000, 200


class Ahead:
    """Is a clock that runs ahead of the machine's."""

    def __init__(self, seconds: float) -> None:
        self.ahead = seconds

    def now(self) -> float:
        return time.time() + self.ahead

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Context(KitContext):
    """Gives the connector the allowance of the store, as the daemon does."""

    windows: Windows

    def allowance(self, name: str, terms: Terms) -> Allowance:
        return self.windows.allowance(f"zoho:{name}", terms)


def main(url: str, database: str, ahead: float) -> None:
    clock, engine = Ahead(ahead), open_engine(database)
    http = HttpClient(HttpPolicy(Egress((), profile="lab")), clock)
    context = Context("zoho", http, clock, SECRETS)
    context.windows = Windows(StoredBooks(engine), clock, asked=False)
    urls = {"accounts_url": url, "api_url": url}
    zoho = ZohoCrmConnector({**urls, "daily_credits": DAY, "credit_reserve": RESERVE}, context)
    print(json.dumps({"started": True}), flush=True)
    sys.stdin.readline()  # until all of them have started
    calls = 0
    try:
        while True:
            zoho.changes("Contacts", ("Last_Name",), None, 200)
            calls += 1
    except QuotaExhausted as spent:
        print(json.dumps({"calls": calls, "resets_in": (spent.resets_at or 0.0) - clock.now()}), flush=True)
    context.windows.close()
    http.close()
    engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
