"""An expired token is renewed once, however many threads and processes notice it at the same moment."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from laboratory import Bank, Simulators, make_home
from postgres_server import PostgresServer

from hub.app import open_installation

WORKERS, THREADS = 8, 8
FEW = 4
READS = {"zoho": ("Contacts", ("Mobile",), None, 200), "fxiaoke": ("AccountObj", ("name",), None, 100)}


@pytest.fixture(scope="module")
def simulators() -> Iterator[Simulators]:
    started = Simulators.start()
    yield started
    started.stop()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def bank(request: pytest.FixtureRequest, simulators: Simulators, tmp_path: Path) -> Bank:
    made = Bank(tmp_path / "hub", simulators)
    simulators.reset(made)
    url = "sqlite:///var/hub.db"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.url(server.fresh())
    make_home(made.home, url, simulators)
    return made


def worker(home: Path, system: str, threads: int, how: str, ready: int, start: int) -> None:
    """Opens connectors, says so, waits, and reads with all of them at once, in as many threads."""
    hub = open_installation(home)
    try:
        # Every connector takes its places on connections of its own, and the test's server admits sixty.
        own = threads if hub.store.engine.dialect.name == "sqlite" else 1
        connectors = [hub.connect(system) for _ in range(own)] * (threads // own)
        if how == "killed":
            # Each holds the token that is about to die.
            for connector in connectors:
                connector.changes(*READS[system])
        os.write(ready, b".")
        os.read(start, 1)
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda each: each.changes(*READS[system]), connectors))
    finally:
        hub.close()


def start_workers(
    home: Path, how: str, ready: int, start: int, system: str = "zoho", workers: int = WORKERS, threads: int = THREADS
) -> list[int]:
    pids = []
    for _ in range(workers):
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                worker(home, system, threads, how, ready, start)
                code = 0
            except BaseException as error:  # noqa: BLE001 - a forked child has nobody above it
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            finally:
                os._exit(code)
        pids.append(pid)
    return pids


@pytest.mark.slow
@pytest.mark.parametrize("how", ["killed", "aged"])
def test_eight_threads_in_each_of_eight_processes_ask_once(bank: Bank, how: str) -> None:
    zoho = bank.simulators.running["zoho"].admin
    if how == "aged":
        zoho.settings(token_lifetime=6)  # by the hub's clock it is due after three seconds
    with bank.hub() as hub:
        hub.connect("zoho").changes("Contacts", ("Mobile",), None, 200)
    zoho.settings(token_lifetime=3600)
    assert zoho.calls()["calls"]["token"] == 1
    (ready, say_ready), (wait_start, start) = os.pipe(), os.pipe()
    pids = start_workers(bank.home, how, say_ready, wait_start)
    for _ in range(WORKERS):
        assert os.read(ready, 1) == b"."
    if how == "killed":
        assert zoho.post("tokens", {"expire": True})["expired"] == 1
    else:
        time.sleep(3)
    os.write(start, b"x" * WORKERS)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    for end in (ready, say_ready, wait_start, start):
        os.close(end)
    assert codes == [0] * WORKERS
    calls = zoho.calls()
    assert calls["calls"]["token"] == 2, "one for the first token, one for all sixty-four"
    reads = 1 + (2 if how == "killed" else 1) * WORKERS * THREADS
    refused = calls["statuses"].get("401", 0)
    assert sum(n for name, n in calls["paths"].items() if name == "GET /crm/v8/Contacts") == reads + refused
    assert refused <= (WORKERS * THREADS if how == "killed" else 0), "nobody comes a second time with a dead token"


@pytest.mark.slow
def test_fxiaokes_token_is_asked_for_once_too(bank: Bank) -> None:
    """Its sign-in admits no two calls at once and ten a minute, so that a second one would be refused."""
    fxiaoke = bank.simulators.running["fxiaoke"].admin
    fxiaoke.settings(token_calls_per_minute=10, token_serial=True, token_latency_ms=100)
    with bank.hub() as hub:
        hub.connect("fxiaoke").changes(*READS["fxiaoke"])
    (ready, say_ready), (wait_start, start) = os.pipe(), os.pipe()
    pids = start_workers(bank.home, "killed", say_ready, wait_start, "fxiaoke", FEW, FEW)
    for _ in range(FEW):
        assert os.read(ready, 1) == b"."
    fxiaoke.post("revoke")
    os.write(start, b"x" * FEW)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    for end in (ready, say_ready, wait_start, start):
        os.close(end)
    assert codes == [0] * FEW
    calls = fxiaoke.calls()
    assert calls["calls"]["token"] == 2, "one for the first token, one for all sixteen"
    assert calls["remarks"].get("errorCode 14001", 0) == 0
    assert 0 < calls["remarks"]["errorCode 20016"] <= FEW * FEW, "nobody comes a second time with a dead token"
