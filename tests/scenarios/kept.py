"""Worlds that earlier releases left behind: their stores are migrated and go on as if nothing had happened (32)."""

from __future__ import annotations

import sqlite3
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from connectors.memory.system import Commit, Row
from hub.store.database import open_engine
from hub.store.migrate import migrate
from tests.scenarios.world import ENTITIES, SystemSpec, World

FOLDER = Path(__file__).parents[1] / "upgrade"
STORES = tuple(sorted(FOLDER.glob("*.zip")))
SPECS = (SystemSpec("up_a"), SystemSpec("up_b", "beta"))
STORE, SYSTEMS = "hub.db", "systems.json"


def open_kept(file: Path, seed: int) -> World:
    """Returns the world of a kept store an hour later, with a new hub over a migrated copy of the store."""
    model, told = _migrated(file)
    world = World(SPECS, seed=seed, entities=ENTITIES)
    raw = world.engine.raw_connection()
    model.backup(raw.driver_connection)  # type: ignore[arg-type]
    raw.close()
    recall(world, told)
    return world


def recall(world: World, told: dict[str, Any]) -> None:
    """Puts the systems where they stood when the store was kept, and starts the hub."""
    world.time.at = told["now"] + 3600
    for name, said in told["systems"].items():
        system = world.systems[name]
        system._version, system._ids = said["version"], said["ids"]
        system.log[:] = [Commit(**commit) for commit in said["log"]]
        for object_, rows in said["tables"].items():
            system.tables[object_].rows = {key: [Row(**row) for row in each] for key, each in rows.items()}
    world.restart()
    # Whom a system merged then is one person since, whoever comes to believe it.
    for name, system in world.systems.items():
        for table in system.tables.values():
            for native_id, rows in table.rows.items():
                if (survivor := rows[-1].merged_into) is not None:
                    one = world.identity(name, native_id, rows[0].fields)
                    world.join(one, world.identity(name, survivor, table.rows[survivor][-1].fields))


@cache
def _migrated(file: Path) -> tuple[sqlite3.Connection, dict[str, Any]]:
    model = sqlite3.connect(":memory:", check_same_thread=False)
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(file) as archive:
        archive.extract(STORE, folder)
        told: dict[str, Any] = orjson.loads(archive.read(SYSTEMS))
        engine = open_engine(f"sqlite:///{Path(folder) / STORE}")
        migrate(engine)
        raw = engine.raw_connection()
        raw.driver_connection.backup(model)  # type: ignore[union-attr]
        raw.close()
        engine.dispose()
    return model, told
