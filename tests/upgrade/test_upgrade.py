"""State written by every earlier release opens, migrates and goes on as if nothing had happened (invariant 32)."""

from __future__ import annotations

import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from hub.audit.verify import verify
from hub.kernel.errors import StoreUnavailable
from hub.store.database import open_engine
from hub.store.migrate import config_of, migrate, require_current
from hub.store.vault import audit_rows
from tests.scenarios.invariants import check_always, check_audit
from tests.scenarios.kept import STORES, recall
from tests.scenarios.world import ENTITIES, World
from tests.upgrade.make_store import SPECS, STORE, SYSTEMS, client


@pytest.fixture(params=STORES, ids=[file.stem for file in STORES])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Old]:
    opened = Old(request.param, tmp_path)
    yield opened
    opened.close()


class Old:
    """Is a store as an earlier release left it, and the world around it."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.file, self.database = file, folder / STORE
        with zipfile.ZipFile(file) as archive:
            archive.extract(STORE, folder)
            self.told: dict[str, Any] = orjson.loads(archive.read(SYSTEMS))
        self.engine = open_engine(f"sqlite:///{self.database}")
        self.world: World | None = None

    def open(self) -> World:
        """Migrates the store and starts the hub over it."""
        migrate(self.engine)
        world = self.world = World(SPECS, seed=2, entities=ENTITIES)
        self._idle, world.engine = world.engine, self.engine
        recall(world, self.told)
        return world

    def close(self) -> None:
        if self.world is not None:
            self.world.engine = self._idle
            self.world.close()
        self.engine.dispose()


def test_one_store_is_kept_for_every_migration_that_was_released() -> None:
    revisions = {script.revision for script in ScriptDirectory.from_config(config_of()).walk_revisions()}
    kept = {file.stem for file in STORES}
    assert "0001" in kept
    assert kept <= revisions, "a released migration is never taken away"


def test_old_store_is_refused_until_it_is_migrated(old: Old) -> None:
    with old.engine.connect() as conn:
        assert conn.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one() == old.file.stem
    head = ScriptDirectory.from_config(config_of()).get_current_head()
    if old.file.stem != head:
        with pytest.raises(StoreUnavailable, match="HUB-STORE-003"):
            require_current(old.engine)
    migrate(old.engine)
    require_current(old.engine)
    migrate(old.engine)


def test_migrated_store_says_what_it_said(old: Old) -> None:
    world = old.open()
    found = {
        hub_id: {"state": str(record.state), "fields": dict(record.fields)}
        for hub_id, record in world.goldens().items()
    }
    assert orjson.loads(orjson.dumps(found)) == old.told["goldens"]
    with world.hub.store.read() as conn:
        assert verify(audit_rows(conn)).ok
        assert conn.execute(sa.text("PRAGMA foreign_key_check")).all() == []


def test_migrated_store_has_the_tables_of_a_new_one(old: Old, tmp_path: Path) -> None:
    migrate(old.engine)
    new = open_engine(f"sqlite:///{tmp_path / 'new.db'}")
    migrate(new)

    def shape(engine: sa.Engine) -> dict[str, Any]:
        look = sa.inspect(engine)
        return {
            name: (
                {column["name"]: (str(column["type"]), column["nullable"]) for column in look.get_columns(name)},
                sorted(str(index["name"]) for index in look.get_indexes(name)),
                sorted(tuple(key["constrained_columns"]) for key in look.get_foreign_keys(name)),
            )
            for name in look.get_table_names()
        }

    assert shape(old.engine) == shape(new)
    new.dispose()


def test_migrated_store_goes_on_where_it_was_killed(old: Old) -> None:
    world = old.open()
    before = world.mark()
    report = world.settle()
    assert {commit.op for _, commit in world.writes(before)} <= {"create", "update"}, "a new release deletes nothing"
    assert "uncertain_writes" not in " ".join(report.reasons)
    check_always(world)
    check_audit(world)
    for number in (20, 21, 22):
        assert [len(world.find(name, f"Person {number}")) for name in world.systems] == [1, 1], f"Person {number}"
    assert world.golden("Person 7")["city"] == "Lhasa"
    waiting = Counter(reason.partition("=")[0].partition(":")[0] for reason in report.reasons)
    assert waiting.keys() >= {"conflicts", "match_questions"}, "what waited for a person still waits"
    calm = world.mark()
    world.cycle()
    assert world.writes(calm) == [], "inv 1: the second plan is empty"


def test_migrated_store_carries_new_edits_both_ways(old: Old) -> None:
    world = old.open()
    world.settle()
    world.edit("up_a", world.find("up_a", "Person 6")[0], note="from a")
    world.edit("up_b", world.find("up_b", "Person 6")[0], city="from b")
    made = world.create("up_b", client(30, note="born under the new release"))
    world.settle()
    for name in world.systems:
        shown = world.shows(name, world.find(name, "Person 6")[0])
        assert (shown["note"], shown["city"]) == ("from a", "from b")
    assert world.shows("up_a", world.find("up_a", "Person 30")[0])["note"] == "born under the new release"
    assert made in world.live("up_b")
    check_always(world)
    check_audit(world)


def test_store_that_fails_to_migrate_is_left_as_it_was(old: Old, tmp_path: Path) -> None:
    if old.file.stem == ScriptDirectory.from_config(config_of()).get_current_head():
        pytest.skip("nothing to migrate")
    old.engine.dispose()
    shutil.copy(old.database, tmp_path / "spoiled.db")
    spoiled = open_engine(f"sqlite:///{tmp_path / 'spoiled.db'}")
    head = str(ScriptDirectory.from_config(config_of()).get_current_head())
    last = next(iter(sorted(set(_tables(head, tmp_path)) - set(sa.inspect(old.engine).get_table_names()))))
    with spoiled.begin() as conn:
        conn.execute(sa.text(f"CREATE TABLE {last} (in_the_way TEXT)"))
    with pytest.raises(StoreUnavailable):
        migrate(spoiled)
    with spoiled.connect() as conn:
        assert conn.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one() == old.file.stem
    spoiled.dispose()


def _tables(head: str, folder: Path) -> list[str]:
    new = open_engine(f"sqlite:///{folder / f'{head}.db'}")
    migrate(new)
    found = sa.inspect(new).get_table_names()
    new.dispose()
    return found
