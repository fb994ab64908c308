"""Writes the store that this release leaves behind, in the middle of everything, with the systems it was synced with.

Run it once for every migration, with the release that brings it: `python -m tests.upgrade.make_store`. The file is
named after the schema and is never made again: a later release must open what this one wrote, not what it would write.
"""

from __future__ import annotations

import sqlite3
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from connectors.memory import FaultKind, Killed
from tests.scenarios import desk
from tests.scenarios.kept import SPECS, STORE, SYSTEMS
from tests.scenarios.world import ENTITIES, World

FOLDER = Path(__file__).parent


def client(number: int, **fields: object) -> dict[str, object]:
    return {"customer_kind": "individual", "full_name": f"Person {number}", "code": f"ID{number}", **fields}


def busy_world() -> World:
    """Returns a world in which everything that a store can hold is there: the hub was killed amid a write."""
    world = World(SPECS, seed=1, page=3, entities=ENTITIES)
    for number in range(8):
        fields: dict[str, Any] = {"note": f"n{number}", "tags": ("vip",), "stage": "lead", "birth_date": "1980-02-29"}
        world.create("up_a" if number % 2 else "up_b", client(number, **fields))
    world.create("up_a", {**client(9), "customer_kind": "organization", "full_name": "Firm 9"})
    people = list(world.live("up_a"))
    ticket = world.ticket("up_a", "T1", client_id=people[0])
    world.visit("up_a", "V1", people[0], ticket_id=ticket, summary="kept")
    world.settle()

    def of(system: str, number: int) -> str:
        return world.find(system, f"Person {number}")[0]

    # A conflict, a hold, a question, a refused value, a detached record, a merge, an edit in the hub.
    world.edit("up_a", of("up_a", 0), note="red")
    world.edit("up_b", of("up_b", 0), note="blue")
    world.edit("up_a", of("up_a", 1), consent="withdrawn")
    world.settle()
    world.edit("up_b", of("up_b", 1), consent="granted")
    world.create("up_a", {"customer_kind": "individual", "full_name": "Person 2", "mobile": "+8613800138000"})
    world.create("up_b", {"customer_kind": "individual", "full_name": "Other 2", "mobile": "+8613800138000"})
    world.systems["up_b"].refuse("Person", "Remark", lambda value: value == "refused")
    world.edit("up_a", of("up_a", 3), note="refused")
    world.delete("up_b", of("up_b", 4))
    world.settle()
    world.merge("up_a", of("up_a", 5), of("up_a", 6))
    hub_id = next(hub for hub, record in world.goldens().items() if record.fields["full_name"] == "Person 7")
    desk.edit(world, hub_id, city="Wuhan")
    world.settle()
    # Writes of which nobody knows whether they happened, and debts that were not sent at all.
    world.create("up_a", client(20, note="uncertain"))
    world.edit("up_a", of("up_a", 7), city="Lhasa")
    world.faults("up_b").inject(FaultKind.AFTER_EFFECT, "write")
    world.time.pass_(60)
    world.cycle()
    world.create("up_a", client(21, note="sent"))
    world.create("up_b", client(22, note="owed"))
    world.time.pass_(60)
    kill_amid_a_write(world)
    return world


def kill_amid_a_write(world: World) -> None:
    connector: Any = world.hub.links["up_b"].connector

    def meanwhile(operation: str) -> None:
        if operation == "write":
            raise Killed("amid a write")

    connector.meanwhile = meanwhile
    try:
        world.cycle()
    except Killed:
        return
    raise AssertionError("nothing was written, so nobody was killed")


def pack(world: World, folder: Path) -> Path:
    """Writes the store and what the systems hold into one file named after the schema."""
    with world.engine.connect() as conn:
        revision = conn.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one()
    file = folder / f"{revision}.zip"
    assert not file.exists(), f"{file} stands for good: a released store is never written again"
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / STORE
        target, source = sqlite3.connect(copy), world.engine.raw_connection()
        source.driver_connection.backup(target)  # type: ignore[union-attr]
        target.execute("VACUUM")
        target.close()
        source.close()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            archive.writestr(zipfile.ZipInfo(SYSTEMS), orjson.dumps(told(world)), zipfile.ZIP_DEFLATED, 9)
            archive.writestr(zipfile.ZipInfo(STORE), copy.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    return file


def goldens(world: World) -> dict[str, Any]:
    """Returns what every golden record says, by hub id."""
    found = world.goldens().items()
    return {hub_id: {"state": str(record.state), "fields": dict(record.fields)} for hub_id, record in found}


def told(world: World) -> dict[str, Any]:
    """Returns what the world outside the store is like, and what the store must still say."""
    return {
        "now": world.time.at,
        "goldens": goldens(world),
        "systems": {
            name: {
                "version": system._version,
                "ids": system._ids,
                "log": [asdict(commit) for commit in system.log],
                "tables": {
                    object_: {key: [asdict(row) for row in rows] for key, rows in table.rows.items()}
                    for object_, table in system.tables.items()
                },
            }
            for name, system in world.systems.items()
        },
    }


if __name__ == "__main__":
    print(pack(busy_world(), FOLDER))
