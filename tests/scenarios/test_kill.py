"""`kill -9` of a running sync, anywhere: after one more sync both sides are equal, with no twin and no lost edit.

A round is: people edit both systems, a sync in a process of its own is killed, people edit again, and syncs that are
left alone bring both sides together. Rounds follow each other in one bank; first syncs start from an empty hub.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
from laboratory import ENTITY, INDEX_LAG, Bank, Edit, Simulators, copy_home, make_home, write_settings
from postgres_server import PostgresServer
from sync_process import Nursery

from hub.cli.failures import BLOCKED, PROGRESSED
from hub.operations.installation import Installation
from hub.store import intents

PEOPLE, SEED = 120, 7
KILLED = -9
DATABASES = [pytest.param("sqlite"), pytest.param("postgresql", marks=pytest.mark.postgres)]

FIRST_SYNC = [
    ["page_staged:3"],
    ["batch_taken_in:1", "after_commit:2"],
    ["before_commit:7"],
    ["intents_committed:2", "recovered"],
    ["call_returned:3", "recovered"],
    ["outcome_committed:4"],
]
LATER_SYNC = [
    ["page_staged"],
    ["page_staged:2"],
    ["batch_taken_in"],
    ["batch_taken_in:2"],
    ["intents_committed"],
    ["intents_committed:3"],
    ["call_returned"],
    ["call_returned:2"],
    ["outcome_committed"],
    ["outcome_committed:2"],
    ["before_commit:2"],
    ["before_commit:6"],
    ["after_commit"],
    ["after_commit:8"],
    ["call_returned:2", "recovered"],
]
FIRST_MOMENTS, LATER_MOMENTS = range(6), range(6, 20)


@pytest.fixture(scope="module")
def simulators() -> Iterator[Simulators]:
    started = Simulators.start(records=PEOPLE, seed=SEED, latency_ms=1.5)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def nursery(simulators: Simulators) -> Iterator[Nursery]:
    started = Nursery()
    yield started
    started.stop()


class Banks:
    """Makes banks with an empty store, each a copy of a prepared one."""

    def __init__(self, folder: Path, simulators: Simulators, database: str, postgres: PostgresServer | None) -> None:
        self.folder, self.simulators, self.postgres = folder, simulators, postgres
        self.template = self._store()
        self.number, self.standing = 0, ""
        make_home(folder / "template", self._url(self.template), simulators)
        self.sync_time = 0.0

    def _store(self, template: str | None = None) -> str:
        if self.postgres is None:
            return ""
        return self.postgres.fresh(template) if template else self.postgres.fresh()

    def _url(self, name: str) -> str:
        return self.postgres.url(name) if self.postgres else "sqlite:///var/hub.db"

    def fresh(self) -> Bank:
        """Starts both vendors over and returns a bank whose hub knows nobody."""
        if self.postgres and self.standing:
            self.postgres.drop(self.standing)
        self.number, self.standing = self.number + 1, self._store(self.template)
        bank = Bank(self.folder / f"hub-{self.number}", self.simulators)
        self.simulators.reset(bank)
        copy_home(self.folder / "template", bank.home, self._url(self.standing), self.simulators)
        return bank


@pytest.fixture(scope="module", params=DATABASES)
def banks(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, simulators: Simulators
) -> Iterator[Banks]:
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    folder = tmp_path_factory.mktemp(f"kill-{request.param}")
    yield Banks(folder, simulators, request.param, postgres)
    shutil.rmtree(folder, ignore_errors=True)


class Town:
    """Is the bank in which later syncs are killed, with a hub that stays open beside them, as a daemon's would.

    It is built again when a case before left it broken, or another bank took the simulators over.
    """

    def __init__(self, banks: Banks, nursery: Nursery) -> None:
        self.banks, self.nursery = banks, nursery
        self.bank: Bank | None = None
        self.sync_time = 0.0
        self._open: Installation | None = None
        self._ends = ExitStack()

    def ready(self) -> Bank:
        if self.bank is None or self.banks.simulators.owner is not self.bank:
            self.close()
            self.bank = self.banks.fresh()
            self._open = self._ends.enter_context(self.bank.hub())
            self.bank.settle(self._open)
            self.bank.check(self._open)
            people_edit(self.bank, self._open, Random("the first round"), "r")
            self.sync_time = timed(lambda: spared(self.nursery, self.bank))
        return self.bank

    def hub(self) -> Installation:
        assert self._open is not None
        return self._open

    def close(self) -> None:
        self._ends.close()


def timed(act: Callable[[], object]) -> float:
    started = time.monotonic()
    act()
    return time.monotonic() - started


def spared(nursery: Nursery, bank: Bank | None) -> None:
    assert bank is not None
    nursery.start(bank.home)
    assert nursery.wait() in (0, PROGRESSED, BLOCKED)


@pytest.fixture(scope="module")
def town(banks: Banks, nursery: Nursery) -> Iterator[Town]:
    made = Town(banks, nursery)
    yield made
    made.close()


@pytest.fixture
def bank(town: Town) -> Bank:
    """Is the running bank; a case that fails takes it down, so that the next one starts in a sound one."""
    found = town.ready()
    town.bank = None
    return found


def people_edit(bank: Bank, hub: Installation, random: Random, mark: str) -> list[Edit]:
    """Edits one side each, different fields of one record, and one field on both sides; two new people come."""
    places = Counter(bank.owners(hub).values())
    chosen = iter(random.sample(sorted(hub_id for hub_id in places if places[hub_id] == 2), 14))
    digits = f"{random.randrange(10**6):06d}"
    edits: list[Edit] = []
    for number in range(4):
        edits += bank.edit(hub, "zoho", next(chosen), remark=f"备注{mark}-{number}", postal_code=digits)
        edits += bank.edit(
            hub, "fxiaoke", next(chosen), need_summary=f"需求{mark}-{number}", short_name=f"简{mark}{number}"
        )
    for number in range(2):
        both = next(chosen)
        edits += bank.edit(hub, "zoho", both, short_name=f"Z{mark}{number}")
        edits += bank.edit(hub, "fxiaoke", both, remark=f"F{mark}{number}")
    for number in range(2):
        clash = next(chosen)
        edits += bank.edit(hub, "zoho", clash, short_name=f"赢{mark}{number}", need_summary=f"甲{mark}{number}")
        lost = bank.edit(hub, "fxiaoke", clash, short_name=f"输{mark}{number}", need_summary=f"乙{mark}{number}")
        edits += [Edit(item.system, item.hub_id, item.field, item.value, wins=False) for item in lost]
    for number, system in enumerate(("zoho", "fxiaoke")):
        person = {"full_name": f"新客{mark}{number}", "mobile_phone": f"+86139{digits}{number:02d}"}
        bank.create(hub, system, customer_kind="individual", contact_consent="granted", **person)
    return edits


def edit_once_more(bank: Bank, hub: Installation, random: Random, mark: str) -> list[Edit]:
    """Edits, at any moment, a field that nobody else edits."""
    (system, _), hub_id = random.choice(sorted(bank.owners(hub).items()))
    return bank.edit(hub, system, hub_id, address_line=f"{mark}路{random.randrange(999)}号")


def mark_of(request: pytest.FixtureRequest) -> str:
    """Returns a short word of this case's own, for the values its people write."""
    return f"{Random(request.node.nodeid).randrange(36**4):x}"


@pytest.mark.slow
@pytest.mark.parametrize("failpoints", FIRST_SYNC, ids="+".join)
def test_first_sync_killed_at_a_failpoint(failpoints: list[str], banks: Banks, nursery: Nursery) -> None:
    bank = banks.fresh()
    for failpoint in failpoints:
        nursery.start(bank.home, failpoint)
        assert nursery.wait() == KILLED
    with bank.hub() as hub:
        bank.settle(hub)
        bank.check(hub)


@pytest.mark.slow
@pytest.mark.parametrize("moment", FIRST_MOMENTS)
def test_first_sync_killed_at_a_seeded_moment(moment: int, banks: Banks, nursery: Nursery) -> None:
    bank = banks.fresh()
    if not banks.sync_time:
        banks.sync_time = timed(lambda: spared(nursery, bank))
        bank = banks.fresh()
    delay = Random(f"first:{moment}").random() * banks.sync_time
    while not killed_within(nursery, bank, delay):
        bank, delay = banks.fresh(), delay / 2
    with bank.hub() as hub:
        bank.settle(hub)
        bank.check(hub)


def killed_within(nursery: Nursery, bank: Bank, delay: float, meanwhile: Callable[[], object] = lambda: None) -> bool:
    """Kills a sync after a delay, halfway through which something else happens; tells whether it was still running."""
    pid = nursery.start(bank.home)
    time.sleep(delay / 2)
    meanwhile()
    time.sleep(delay / 2)
    return nursery.kill(pid) == KILLED


@pytest.mark.slow
@pytest.mark.parametrize("failpoints", LATER_SYNC, ids="+".join)
def test_later_sync_killed_at_a_failpoint(
    failpoints: list[str], bank: Bank, town: Town, nursery: Nursery, request: pytest.FixtureRequest
) -> None:
    random, mark, hub = Random(request.node.nodeid), mark_of(request), town.hub()
    edits = people_edit(bank, hub, random, mark)
    time.sleep(INDEX_LAG)
    for failpoint in failpoints:
        nursery.start(bank.home, failpoint)
        assert nursery.wait() == KILLED
    edits += edit_once_more(bank, hub, random, mark)
    bank.settle(hub)
    bank.check(hub, edits)
    town.bank = bank


@pytest.mark.slow
@pytest.mark.parametrize("moment", LATER_MOMENTS)
def test_later_sync_killed_at_a_seeded_moment(
    moment: int, bank: Bank, town: Town, nursery: Nursery, request: pytest.FixtureRequest
) -> None:
    random, mark = Random(f"later:{moment}"), mark_of(request)
    hub, delay = town.hub(), random.random() * town.sync_time
    edits = people_edit(bank, hub, random, mark)
    while not killed_within(nursery, bank, delay, lambda: edits.extend(edit_once_more(bank, hub, random, mark))):
        delay /= 2
        edits[:] = people_edit(bank, hub, random, mark + "n")
    bank.settle(hub)
    bank.check(hub, edits)
    town.bank = bank


def test_without_a_proven_key_an_unclear_create_is_asked_about_and_never_repeated(
    simulators: Simulators, nursery: Nursery, tmp_path: Path
) -> None:
    bank = Bank(tmp_path / "hub", simulators)
    simulators.reset(bank)
    make_home(bank.home, "sqlite:///var/hub.db", simulators)
    write_settings(bank.home, "sqlite:///var/hub.db", simulators, unique="false")
    nursery.start(bank.home, "intents_committed:5")
    assert nursery.wait() == KILLED
    with bank.hub() as hub:
        before = len(simulators.rows("fxiaoke", "AccountObj"))
        report = bank.cycle(hub)
        with hub.store.read() as conn:
            asked = intents.asked(conn, ENTITY)
        assert asked
        assert f"asked_writes={len(asked)}" in report.reasons
        assert not {item.hub_id for item in asked} & stamped(bank)
        assert len(simulators.rows("fxiaoke", "AccountObj")) >= before


def stamped(bank: Bank) -> set[object]:
    return {row.get("hub_id__c") for row in bank.simulators.rows("fxiaoke", "AccountObj")}
