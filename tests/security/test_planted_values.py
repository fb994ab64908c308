"""Planted names, phone and ID numbers, addresses and tokens are nowhere in what a hub leaves behind after a full run.

The run has all that makes a hub keep something: a match, a conflict, a hold, a quarantined record, an unfinished sync
and debug logs. The same run with sealing switched off is full of hits, which shows that the scan works.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from laboratory import ENTITY, SECRETS, Bank, Simulators, make_home
from leak_scan import files_below, scan
from postgres_server import PostgresServer
from sync_process import Nursery

from connectors.zoho_crm.auth import TOKEN
from hub.cli.failures import BLOCKED
from hub.keys.keyring import SealMode
from hub.operations.installation import Installation
from hub.store import matches, quarantine, questions
from hub.store.vault import SealedTokens
from hub.sync.cycle import run_cycle

COMMANDS = (
    "status", "conflict list", "hold list", "quarantine list", "match report", "match list", "audit list", "doctor"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Planted:
    """Are values that no other test uses, so that what is found came from this run."""

    name: str
    mobile: str
    id_number: str
    email: str
    street: str
    remark: str
    unreadable: str

    @classmethod
    def fresh(cls) -> Planted:
        random = Random(os.urandom(8))
        rare = "".join(random.sample("鑫淼焱垚犇骉羴猋麤飍贔靐龘", 3))
        digits = f"{random.randrange(10**8):08d}"
        birth = f"1949{random.randrange(1, 13):02d}{random.randrange(1, 29):02d}"
        return cls(
            f"栽{rare}",
            f"139{digits}",
            _id_number(f"110105{birth}{random.randrange(1000):03d}"),
            f"planted.{digits}@bank-of-plants.example",
            f"{rare[::-1]}胡同{digits[:4]}号",
            f"喜欢{rare}与{digits[::-1]}",
            f"13900{random.randrange(10**12):012d}",
        )

    def values(self) -> list[str]:
        return [getattr(self, name) for name in self.__slots__]


def _id_number(body: str) -> str:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11]


@pytest.fixture(scope="module")
def simulators() -> Iterator[Simulators]:
    started = Simulators.start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def nursery(simulators: Simulators) -> Iterator[Nursery]:
    started = Nursery()
    yield started
    started.stop()


def plant(bank: Bank, planted: Planted) -> None:
    """Puts the values where a run meets them: one person in both systems, one unreadable record, one doubtful match."""
    mobile = f"+86{planted.mobile}"
    person = {"Last_Name": planted.name[:1], "First_Name": planted.name[1:], "Mobile": mobile, "Email": planted.email}
    more = {
        "Mailing_Street": planted.street,
        "Description": f"{planted.remark}，证件 {planted.id_number}，另{planted.mobile}",
    }
    create(bank, "zoho", "Contacts", {**person, **more, "Contact_Consent": "撤回"})
    create(bank, "zoho", "Contacts", {"Last_Name": f"{planted.name}三", "Mobile": f"+86{planted.unreadable}"})
    same = {"name": planted.name, "tel": mobile, "account_type": "1", "remark": f"不{planted.remark}"}
    create(bank, "fxiaoke", "AccountObj", {**same, "contact_consent__c": "option1"})
    create(bank, "zoho", "Contacts", {"Last_Name": f"{planted.name}四", "Email": f"x{planted.email}"})
    doubtful = {"name": f"{planted.name}二", "account_type": "1", "email": f"x{planted.email}"}
    create(bank, "fxiaoke", "AccountObj", doubtful)


def create(bank: Bank, system: str, object_: str, fields: Mapping[str, str]) -> None:
    bank.simulators.running[system].admin.post("create", {"object": object_, "fields": fields})


def loosen_consent(bank: Bank) -> None:
    """Makes one side loosen the consent, which a guard keeps back."""
    for row in bank.simulators.rows("fxiaoke", "AccountObj"):
        if row.get("contact_consent__c") == "option3":
            body = {"id": row["_id"], "fields": {"contact_consent__c": "option1"}}
            bank.simulators.running["fxiaoke"].admin.post("edit", body)


def tokens(hub: Installation) -> list[str]:
    """Returns the access tokens that the run obtained, one a system."""
    zoho = json.loads(SealedTokens(hub.store, "zoho").get(TOKEN) or b"")["value"]
    fxiaoke = json.loads(SealedTokens(hub.store, "fxiaoke").get("access") or b"")["value"]
    assert min(len(zoho), len(fxiaoke)) >= 20
    return [zoho, fxiaoke]


CREDENTIALS = [value for name, value in SECRETS.items() if name != "LAB_ZOHO_ID"]


def full_run(bank: Bank, nursery: Nursery, planted: Planted) -> None:
    """Runs syncs until everything that keeps a value is there; the first is killed and leaves its journal behind."""
    plant(bank, planted)
    nursery.start(bank.home, "batch_taken_in", "DEBUG")
    assert nursery.wait() == -9
    nursery.start(bank.home, None, "DEBUG")
    assert nursery.wait() == BLOCKED
    loosen_consent(bank)
    nursery.start(bank.home, None, "DEBUG")
    assert nursery.wait() == BLOCKED


def cycle(hub: Installation) -> None:
    with hub.run(ENTITY) as run:
        run_cycle(run)


def check_it_was_a_full_run(hub: Installation) -> None:
    with hub.store.read() as conn:
        assert questions.count(conn, "conflict", ENTITY)
        assert questions.count(conn, "hold", ENTITY)
        assert quarantine.causes(conn, ENTITY)
        assert matches.tally(conn, ENTITY)["unsure"]


def run_commands(bank: Bank, nursery: Nursery) -> None:
    """Keeps what the commands say beside the hub's other files."""
    for number, command in enumerate(COMMANDS):
        for form in ([], ["--json"]):
            log = f"said-{number}{''.join(form)}.txt"
            nursery.start(bank.home, None, "DEBUG", [*command.split(), *form], log)
            nursery.wait()
            assert (bank.home / log).stat().st_size, command


def left_behind(bank: Bank, postgres: PostgresServer | None) -> dict[str, bytes]:
    """Reads everything the hub left: its folder, and a dump and the files of its PostgreSQL database."""
    pieces = files_below(bank.home)
    if postgres is None:
        return pieces
    name = _database(bank)
    with postgres.connect(name) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 2200"
        ).fetchall()
        for (table,) in tables:
            rows = connection.execute(f'SELECT t::text FROM "{table}" t'.encode()).fetchall()
            pieces[f"rows of {table}"] = "\n".join(str(row[0]) for row in rows).encode()
        ((oid,),) = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchall()
    for path in postgres.files():
        place = path.relative_to(postgres.data_folder)
        if place.parts[0] != "base" or place.parts[1] == str(oid):
            pieces[f"server/{place}"] = path.read_bytes()
    return pieces


def _database(bank: Bank) -> str:
    with bank.hub() as hub:
        return str(hub.store.engine.url.database)


def start(home: Path, url: str, simulators: Simulators) -> Bank:
    bank = Bank(home, simulators)
    simulators.reset(bank)
    make_home(home, url, simulators)
    return bank


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_planted_values_are_found_only_when_sealing_is_off(
    database: str, tmp_path: Path, simulators: Simulators, nursery: Nursery, request: pytest.FixtureRequest
) -> None:
    postgres = request.getfixturevalue("postgres") if database == "postgresql" else None

    def url() -> str:
        return postgres.url(postgres.fresh()) if postgres else "sqlite:///var/hub.db"

    planted = Planted.fresh()
    sealed = start(tmp_path / "sealed", url(), simulators)
    full_run(sealed, nursery, planted)
    run_commands(sealed, nursery)
    with sealed.hub() as hub:
        cycle(hub)
        check_it_was_a_full_run(hub)
        hidden = [*planted.values(), *tokens(hub), *CREDENTIALS]
        pieces = left_behind(sealed, postgres)
    assert any(name.endswith("-wal") or name.startswith("server/pg_wal/") for name in pieces)
    assert len(pieces["sync.log"]) > 1_000
    # Free text is shown to whoever must judge it, with the numbers in it masked; everywhere else it is sealed too.
    found = scan(hidden, pieces)
    assert [hit for hit in found if not (hit.value == planted.remark and hit.place.startswith("said-"))] == []

    bare = start(tmp_path / "bare", url(), simulators)
    plant(bare, planted)
    with bare.hub(SealMode.OFF) as hub:
        cycle(hub)
        obtained = tokens(hub)
        found = scan([*planted.values(), *obtained], left_behind(bare, postgres))
    plainly = {hit.value for hit in found if hit.form in ("utf-8", "hex", "json")}
    assert plainly >= {planted.name, planted.mobile, planted.email, planted.street, planted.unreadable, *obtained}
