"""A backup that is put back while both vendors have moved on: no twin, no lost edit, and nothing created needlessly.

The same story as on the memory systems, over real HTTP with the commands that an operator types.
"""

from __future__ import annotations

import io
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from laboratory import ENTITY, INDEX_LAG, Bank, Edit, Simulators, make_home

import hub.cli.backups  # noqa: F401 - adds its commands
from hub.cli.main import run
from hub.operations.installation import Installation
from hub.store import vault
from hub.store.anchor import load_rebuild

PEOPLE = 80
DATABASES = [pytest.param("sqlite"), pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(scope="module")
def simulators() -> Iterator[Simulators]:
    started = Simulators.start(records=PEOPLE, seed=31)
    yield started
    started.stop()


@pytest.fixture(params=DATABASES)
def bank(request: pytest.FixtureRequest, simulators: Simulators, tmp_path: Path) -> Bank:
    postgres = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    made = Bank(tmp_path / "hub", simulators)
    simulators.reset(made)
    make_home(made.home, postgres or "sqlite:///var/hub.db", simulators)
    return made


def command(bank: Bank, *words: str) -> str:
    """Runs a command as an operator types it and returns what it said; it must succeed."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        code = run([*words, "--home", str(bank.home), "--lang", "en"])
    said = "".join(stream.buffer.getvalue().decode() for stream in (out, err) if stream.flush() is None)  # type: ignore[attr-defined]
    assert code == 0, said
    return said


def people_go_on(bank: Bank, hub: Installation, random: Random, mark: str) -> list[Edit]:
    """Edits twenty records on either side, each in a field of its own, and makes two new people on each side."""
    places = Counter(bank.owners(hub).values())
    chosen = random.sample(sorted(hub_id for hub_id, number in places.items() if number == 2), 40)
    edits: list[Edit] = []
    for number, hub_id in enumerate(chosen[:20]):
        edits += bank.edit(hub, "zoho", hub_id, remark=f"{mark}{number}")
    for number, hub_id in enumerate(chosen[20:]):
        edits += bank.edit(hub, "fxiaoke", hub_id, need_summary=f"{mark}{number}")
    for number, system in enumerate(("zoho", "fxiaoke", "zoho", "fxiaoke")):
        phone = f"+86138{random.randrange(10**8):08d}"
        who = {"customer_kind": "individual", "contact_consent": "granted", "mobile_phone": phone}
        bank.create(hub, system, full_name=f"{mark}新客{number}", **who)
    return edits


def rest(bank: Bank, hub: Installation) -> None:
    """Syncs until nothing is owed, and once more for what a vendor adds by itself to what it was given."""
    for _ in range(2):
        bank.settle(hub)


def last_words(synced: list[Edit], alone: list[Edit]) -> list[Edit]:
    """Returns what was said last of each field.

    The restored store knows neither value of a field that Fxiaoke changed twice: both sides changed it, the preferred
    one wins, and the other value is kept as the loser.
    """
    twice = {(edit.hub_id, edit.field) for edit in synced} & {(edit.hub_id, edit.field) for edit in alone}
    last = {(edit.hub_id, edit.field): edit for edit in synced + alone}
    return [replace(edit, wins=edit.system == "zoho" or place not in twice) for place, edit in last.items()]


@pytest.mark.slow
def test_an_older_backup_is_put_back_and_both_sides_come_together(bank: Bank, tmp_path: Path) -> None:
    random, file = Random("restore"), tmp_path / "older.backup"
    with bank.hub() as hub:
        rest(bank, hub)
        bank.check(hub)
        early = people_go_on(bank, hub, random, "早")
        rest(bank, hub)
        bank.check(hub, early)
        command(bank, "backup", str(file))
        synced = people_go_on(bank, hub, random, "后")
        rest(bank, hub)
        bank.check(hub, synced)
        before = {(item.system, item.object, item.native_id) for item in bank.living()}
        # What people do between the last cycle and the loss reaches no side before the restore.
        alone = people_go_on(bank, hub, random, "末")
    assert "crmhub sync" in command(bank, "restore", str(file), "--replace")
    with bank.hub() as hub:
        with hub.store.read() as conn:
            assert load_rebuild(conn, ENTITY) is not None, "the restore was noticed"
            bank.audited = len(list(vault.audit_rows(conn)))
        time.sleep(INDEX_LAG)
        first = bank.cycle(hub)
        assert first.counts.get("written:create", 0) <= 4, "nobody is created who stands there already"
        rest(bank, hub)
        bank.check(hub, last_words(synced, alone))
        with hub.store.read() as conn:
            assert load_rebuild(conn, ENTITY) is None, "the safe path has ended"
        fresh = {(item.system, item.object, item.native_id) for item in bank.living()} - before
        # Four people came between, each stands now on both sides: four of their own makers, four of the hub.
        assert Counter(system for system, _, _ in fresh) == {"zoho": 4, "fxiaoke": 4}
        written = bank.simulators.writes()
        rest(bank, hub)
        assert bank.simulators.writes() == written, "and nothing more is written"
