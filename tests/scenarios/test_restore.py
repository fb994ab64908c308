"""A store that was put back to an earlier state costs a full listing and questions at most: no twin, no delete."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from connectors.memory import FULL, FaultKind, Killed
from hub.audit.tree import Appender
from hub.core.state import BindingState
from hub.kernel.settings import Guards, Threshold
from hub.keys.keyring import Keyring
from hub.store.anchor import keep_anchor
from hub.store.backup import write_backup
from hub.store.database import open_engine
from hub.store.lease import hold
from hub.store.migrate import migrate
from hub.store.restoring import Bench, restore_backup
from hub.store.unit_of_work import Store
from hub.store.vault import audit_rows, load_keys, save_keys, write_meta
from hub.sync.rebuild import notice
from tests.scenarios.invariants import check_always
from tests.scenarios.parents import check_references
from tests.scenarios.world import ENTITIES, ENTITY, TENANT, SystemSpec, TestKeys, World, entity_rules


def client(number: int, **fields: object) -> dict[str, object]:
    return {"customer_kind": "individual", "full_name": f"Person {number}", "code": f"ID{number}", **fields}


def nameless(number: int, **fields: object) -> dict[str, object]:
    """Returns a client that shares no match key with anybody."""
    return {"customer_kind": "individual", "full_name": f"Keyless {number}", **fields}


@dataclass
class Bank:
    """Is a world whose store can be copied and put back by hand, as an administrator would."""

    world: World
    anchor: Path
    idle: sa.Engine

    def copy(self) -> sqlite3.Connection:
        copy = sqlite3.connect(":memory:", check_same_thread=False)
        raw = self.world.engine.raw_connection()
        raw.driver_connection.backup(copy)  # type: ignore[union-attr]
        raw.close()
        return copy

    def put_back(self, copy: sqlite3.Connection) -> None:
        raw = self.world.engine.raw_connection()
        copy.backup(raw.driver_connection)  # type: ignore[arg-type]
        raw.close()
        self.world.restart()

    def keep(self) -> None:
        keep_anchor(self.world.hub.store, self.anchor)

    def noticed(self) -> bool:
        return notice(self.world.hub.store, self.anchor, self.world.entities)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Bank]]:
    made: list[Bank] = []

    def build(*specs: SystemSpec, **options: Any) -> Bank:
        world = World(list(specs) or [SystemSpec("a1"), SystemSpec("b1", "beta")], **options)
        made.append(Bank(world, tmp_path / "anchor.json", world.engine))
        return made[-1]

    yield build
    for bank in made:
        if bank.world.engine is not bank.idle:
            bank.world.engine.dispose()
            bank.world.engine = bank.idle
        bank.world.close()


def known_world(bank: Bank) -> dict[str, str]:
    """Syncs four clients, two of either system; returns person -> native id in the system of origin."""
    world = bank.world
    for number in range(4):
        world.create("a1" if number < 2 else "b1", client(number, note="old", city="Wuhan"))
    world.settle()
    bank.keep()
    return {f"Person {number}": world.find("a1", f"Person {number}")[0] for number in range(4)}


def busy_day(bank: Bank) -> None:
    """Goes on after the copy was taken: creates on both sides, edits, a delete, all synced."""
    world = bank.world
    world.create("a1", client(10))
    world.create("b1", client(11))
    world.create("a1", nameless(12, note="new"))
    world.create("b1", nameless(13, city="Lhasa"))
    world.edit("a1", world.find("a1", "Person 0")[0], note="red")
    world.edit("b1", world.find("b1", "Person 1")[0], note="blue")
    world.settle()
    world.edit("b1", world.find("b1", "Person 10")[0], city="Xian")
    world.settle()
    bank.keep()


def people(world: World) -> dict[str, Counter[str]]:
    return {
        name: Counter(world.identity(name, key, fields) for key, (_, fields) in world.live(name).items())
        for name in world.systems
    }


def check_equal(world: World) -> None:
    """Every person stands once in every system, and all show the same."""
    names = list(world.systems)
    shown: dict[str, dict[str, Any]] = {}
    for name in names:
        for key in world.live(name):
            fields = {n: v for n, v in world.shows(name, key).items() if v is not None}
            who = str(fields["full_name"])
            assert shown.setdefault(who, fields) == fields, f"{name} shows {who} differently"
    counts = [Counter(str(world.shows(name, key)["full_name"]) for key in world.live(name)) for name in names]
    assert all(count == counts[0] for count in counts)
    assert set(counts[0].values()) <= {1}, f"a twin: {counts}"
    check_always(world)


def acts(world: World) -> list[str]:
    with world.hub.store.read() as conn:
        return [orjson.loads(row[2])["act"] for row in audit_rows(conn)]


def no_structure(world: World, before: dict[str, int]) -> None:
    ops = {commit.op for _, commit in world.writes(before)}
    assert ops <= {"update"}, f"zero creates and deletes, but {ops}"


def test_store_put_back_by_hand_is_noticed_and_bound_again_without_one_create(make: Callable[..., Bank]) -> None:
    bank = make()
    world = bank.world
    known_world(bank)
    old = bank.copy()
    busy_day(bank)
    world.edit("a1", world.find("a1", "Person 2")[0], note="last word of a1")
    world.edit("b1", world.find("b1", "Person 11")[0], city="last word of b1")
    bank.put_back(old)
    assert bank.noticed()
    assert not bank.noticed(), "once"
    before = world.mark()
    report = world.settle()
    no_structure(world, before)
    assert report.reasons == ()
    assert world.golden("Person 2")["note"] == "last word of a1"
    assert world.golden("Person 11")["city"] == "last word of b1"
    assert (world.golden("Person 0")["note"], world.golden("Person 1")["note"]) == ("red", "blue")
    assert world.golden("Person 10")["city"] == "Xian"
    check_equal(world)
    said = acts(world)
    assert said.count("restore") == 1
    assert said.count("rebuild.end") == 1
    calm = world.mark()
    world.cycle()
    assert world.writes(calm) == [], "inv 1"


PARTED = (SystemSpec("home", "parted"), SystemSpec("other", "alpha"))


def parts_of(world: World, who: str) -> dict[str, list[str]]:
    """Returns the live records of a person in home, by object."""
    home = world.systems["home"]
    [holder] = [key for key, row in home.records("Holder").items() if row["name"] == who]
    found = {name: [k for k, row in home.records(name).items() if row["holder"] == holder] for name in SIDES}
    return {"Holder": [holder], **found}


SIDES = ("Contact", "Address")


def bound_parts(world: World) -> dict[tuple[str, str], str]:
    """Returns whose part each live record of home is: (object, native id) -> hub id."""
    bound = world.bindings().values()
    return {
        (str(b.object), str(b.native_id)): b.hub_id
        for b in bound
        if b.system == "home" and b.state is BindingState.ACTIVE
    }


def test_parts_are_bound_again_and_nobody_gets_a_second_one(make: Callable[..., Bank]) -> None:
    bank = make(*PARTED)
    world, home = bank.world, bank.world.systems["home"]
    told = {"mobile": "+8613800000001", "city": "Wuhan"}
    for number in range(3):
        world.create("other", client(number, **(told if number else {})))
    main = world.create("home", {**client(3), "consent": "granted"}, "Person 3")
    own = home.create("Contact", {"holder": main, "mobile": "13800000003", "primary": "yes", "label": "x"})
    world.settle()
    bank.keep()
    assert [len(parts_of(world, f"Person {n}")[name]) for n in range(4) for name in SIDES] == [0, 0, 1, 1, 1, 1, 1, 0]
    old = bank.copy()
    # Parts come to a client who had none, to one who is new, and by a person; others are edited; one part goes.
    world.edit("other", world.find("other", "Person 0")[0], **told)
    world.create("other", client(4, **told))
    world.edit("home", own, birth_date="1990-01-01")
    home.create("Address", {"holder": main, "town": "Lhasa"})
    world.edit("other", world.find("other", "Person 1")[0], city="Xian")
    world.settle()
    world.edit("home", parts_of(world, "Person 2")["Address"][0], city="Harbin")
    world.settle()
    bank.keep()
    shown, bound = {n: parts_of(world, f"Person {n}") for n in range(5)}, bound_parts(world)
    assert all(len(keys) == 1 for each in shown.values() for keys in each.values())
    world.edit("home", shown[4]["Contact"][0], birth_date="1980-01-01")
    bank.put_back(old)
    assert bank.noticed()
    before = world.mark()
    report = world.settle()
    no_structure(world, before)
    assert report.reasons == ()
    assert {n: parts_of(world, f"Person {n}") for n in range(5)} == shown
    now = bound_parts(world)
    assert now.keys() == bound.keys(), "each record is somebody's again"
    for each in shown.values():
        assert len({now[name, key] for name, keys in each.items() for key in keys}) == 1, "with its own main record"
    golden = {n: world.golden(f"Person {n}") for n in range(5)}
    assert [golden[n]["city"] for n in range(5)] == ["Wuhan", "Xian", "Harbin", "Lhasa", "Wuhan"]
    assert [golden[n].get("birth_date") for n in (3, 4)] == ["1990-01-01", "1980-01-01"]
    calm = world.mark()
    world.cycle()
    assert world.writes(calm) == [], "inv 1"


def test_store_that_is_not_behind_its_anchor_is_left_alone(make: Callable[..., Bank]) -> None:
    bank = make()
    known_world(bank)
    assert not bank.noticed()
    bank.world.cycle()
    assert not bank.noticed()
    assert "restore" not in acts(bank.world)


def test_lost_store_is_noticed_by_the_same_anchor(make: Callable[..., Bank]) -> None:
    bank = make()
    world = bank.world
    for number in range(3):
        world.create("a1", client(number))
        world.create("a1", nameless(number))
    world.settle()
    bank.keep()
    world.lose_store()
    assert bank.noticed()
    before = world.mark()
    world.settle()
    no_structure(world, before)
    check_equal(world)


def test_unreadable_anchor_counts_as_a_restored_store(make: Callable[..., Bank]) -> None:
    bank = make()
    known_world(bank)
    bank.anchor.write_bytes(b"{half")
    assert bank.noticed()
    assert not bank.noticed(), "a good anchor stands now"
    bank.world.settle()
    check_equal(bank.world)


def test_nothing_is_written_anywhere_while_one_system_cannot_be_listed(make: Callable[..., Bank]) -> None:
    bank = make()
    world = bank.world
    known_world(bank)
    old = bank.copy()
    busy_day(bank)
    world.create("a1", client(20))
    world.edit("a1", world.find("a1", "Person 3")[0], note="waits")
    bank.put_back(old)
    assert bank.noticed()
    before, golden = world.mark(), world.goldens()
    for _ in range(3):
        world.time.pass_(60)
        world.faults("b1").inject(FaultKind.RETRY_LATER, "changes")
        report = world.cycle()
        assert any(reason.startswith("rebuild=") for reason in report.reasons), report.reasons
        assert str(report.outcome) == "blocked"
    assert world.writes(before) == []
    assert world.goldens() == golden, "and nothing is merged from half a picture"
    world.settle()
    assert Counter(commit.op for _, commit in world.writes(before))["create"] == 1, "only who is really missing"
    check_equal(world)


def test_guard_that_stops_the_intake_keeps_the_store_on_the_safe_path(make: Callable[..., Bank]) -> None:
    bank = make()
    world = bank.world
    known_world(bank)
    old = bank.copy()
    world.create("a1", client(10))
    for key in list(world.live("a1")):
        world.edit("a1", key, note="mass")
    world.settle()
    bank.keep()
    bank.put_back(old)
    guards = Guards(max_changes=Threshold(count=1, percent=1.0), first_sync_needs_release=False)
    world.rules = entity_rules(world.settings.model_copy(update={"guards": guards}))
    assert bank.noticed()
    before = world.mark()
    report = world.cycle()
    assert any(reason.startswith("guard:mass_change") for reason in report.reasons)
    assert any(reason.startswith("rebuild=") for reason in report.reasons)
    assert world.writes(before) == []
    world.rules = entity_rules(world.settings)
    world.settle()
    no_structure(world, before)
    check_equal(world)


@pytest.mark.parametrize("part", range(4))
def test_killed_anywhere_on_the_safe_path_it_goes_on(make: Callable[..., Bank], part: int) -> None:
    boundary, killed = part + 1, 0
    while True:
        bank = make(page=2)
        world = bank.world
        known_world(bank)
        old = bank.copy()
        busy_day(bank)
        bank.put_back(old)
        before = world.mark()
        world.hub.mortality.kill_after(boundary)
        try:
            bank.noticed()
            world.cycle()
        except Killed:
            check_always(world)
            world.restart()
        else:
            break
        bank.noticed()
        world.settle()
        no_structure(world, before)
        check_equal(world)
        boundary, killed = boundary + 4, killed + 1
    assert killed >= 5


def test_record_its_counterpart_was_made_from_is_known_by_its_content(make: Callable[..., Bank]) -> None:
    bank = make()
    world = bank.world
    known_world(bank)
    old = bank.copy()
    world.create("a1", nameless(1, note="same"))
    moved = world.create("a1", nameless(2, note="before"))
    world.settle()
    bank.keep()
    world.edit("a1", moved, note="after")
    bank.put_back(old)
    bank.noticed()
    before = world.mark()
    report = world.settle()
    no_structure(world, before)
    assert any(reason.startswith("match_questions=") for reason in report.reasons), "who changed is asked about"
    places = [b for b in world.bindings().values() if b.state is BindingState.ACTIVE]
    assert Counter(world.who_is(b.hub_id) for b in places)["Keyless 1"] == 2


def test_edit_of_a_record_made_after_the_copy_wins_over_the_older_golden_value(make: Callable[..., Bank]) -> None:
    bank = make(SystemSpec("a1"), SystemSpec("a2"), prefer=("a1", "a2"))
    world = bank.world
    world.faults("a2").inject(FaultKind.RETRY_LATER, "changes")
    world.create("a1", client(1, city="Wuhan"))
    world.cycle()
    bank.keep()
    old = bank.copy()
    world.settle()
    bank.keep()
    world.edit("a2", world.find("a2", "Person 1")[0], city="Lhasa")
    bank.put_back(old)
    assert bank.noticed()
    world.settle()
    assert world.golden("Person 1")["city"] == "Lhasa", "nobody changed it in a1"
    check_equal(world)


def test_page_read_before_the_index_caught_up_proves_nothing(make: Callable[..., Bank]) -> None:
    can = replace(FULL, visibility_lag=300.0, external_key_unique=False)
    bank = make(SystemSpec("a1", can=can), SystemSpec("a2", can=can))
    world = bank.world
    world.create("a1", client(0))
    world.time.pass_(400)
    world.settle(step=400)
    bank.keep()
    old = bank.copy()
    world.create("a1", client(1))
    for _ in range(3):
        world.time.pass_(200)
        world.cycle()
    bank.keep()
    bank.put_back(old)
    assert bank.noticed()
    before = world.mark()
    report = world.cycle()
    assert any(reason.startswith("rebuild=") for reason in report.reasons)
    world.settle(step=400)
    no_structure(world, before)
    check_equal(world)


@pytest.mark.parametrize("on_delete", ["detach", "propagate"])
def test_what_was_deleted_since_the_copy_stays_deleted_and_nothing_else(
    make: Callable[..., Bank], on_delete: str
) -> None:
    bank = make(on_delete=on_delete)
    world = bank.world
    known_world(bank)
    old = bank.copy()
    world.delete("a1", world.find("a1", "Person 0")[0])
    world.settle()
    bank.keep()
    live = people(world)
    bank.put_back(old)
    assert bank.noticed()
    before = world.mark()
    world.settle()
    assert world.writes(before) == []
    assert people(world) == live
    check_always(world)


@pytest.mark.parametrize("seed", range(12))
def test_restored_at_a_random_moment_of_a_random_day(make: Callable[..., Bank], seed: int) -> None:
    random = Random(f"restore:{seed}")
    bank = make(SystemSpec("a1"), SystemSpec("b1", "beta"), SystemSpec("a2"), seed=seed, page=3)
    world, number = bank.world, 0
    old: sqlite3.Connection | None = None
    for turn in range(8):
        for _ in range(random.randrange(1, 4)):
            name = random.choice(list(world.systems))
            if random.random() < 0.5 or not world.live(name):
                number += 1
                make_ = client if random.random() < 0.6 else nameless
                world.create(name, make_(number, note=f"n{number}", city=f"c{number}"))
            else:
                world.edit(name, random.choice(sorted(world.live(name))), note=f"t{turn}{name}")
            world.settle()
        bank.keep()
        if old is None and random.random() < 0.3:
            old = bank.copy()
    bank.put_back(old or bank.copy())
    bank.noticed()
    before = world.mark()
    world.settle()
    no_structure(world, before)
    check_equal(world)


@pytest.mark.parametrize("kind", ["alpha", "beta"])
def test_children_come_back_to_their_parents(make: Callable[..., Bank], kind: str) -> None:
    bank = make(SystemSpec("a1"), SystemSpec("c1", kind), entities=ENTITIES)
    world = bank.world
    anna = world.create("a1", client(1))
    world.visit("a1", "V1", anna, summary="old")
    world.settle()
    bank.keep()
    old = bank.copy()
    bert = world.create("a1", client(2))
    ticket = world.ticket("a1", "T2", client_id=bert)
    world.visit("a1", "V2", bert, ticket_id=ticket, summary="new")
    world.visit("a1", "V3", anna, ticket_id=ticket)
    for hour in ("08", "09"):
        world.visit("a1", f"at {hour}", anna, code=None, happened_at=f"2026-03-01T{hour}:00:00Z", summary="no number")
    world.settle()
    world.visit("c1", "V4", world.find("c1", "Person 2")[0], channel="video")
    world.edit("c1", world.find("c1", "V1")[0], summary="edited")
    world.settle()
    bank.keep()
    live = people(world)
    bank.put_back(old)
    assert bank.noticed()
    before = world.mark()
    report = world.settle()
    no_structure(world, before)
    assert report.reasons == ()
    assert people(world) == live
    assert world.shows("a1", world.find("a1", "V1")[0])["summary"] == "edited"
    check_always(world)
    check_references(world)
    calm = world.mark()
    world.cycle()
    assert world.writes(calm) == [], "inv 1"


# By the commands' own means: an archive of a store in use, on either database.


def on_database(bank: Bank, url: str) -> None:
    """Moves a fresh world onto a database of its own."""
    world = bank.world
    world.engine = open_engine(url)
    migrate(world.engine)
    ids = iter(range(1, 100))
    save_keys(world.engine, Keyring.bootstrap(TestKeys(), TENANT, lambda: next(ids), world.clock.now()))  # type: ignore[arg-type]
    write_meta(world.engine, {"tenant": TENANT, "profile": "lab"})
    world.restart()


def bench(world: World) -> Bench:
    append = world.hub.store.append
    assert isinstance(append, Appender)
    return Bench(TENANT, "lab", (ENTITY,), TestKeys(), world.clock, world.hub.new_id, append)  # type: ignore[arg-type]


def test_backup_taken_amid_every_write_of_a_sync_restores_to_a_store_that_ends_equal(
    make: Callable[..., Bank], database_url: str, tmp_path: Path
) -> None:
    bank = make()
    world = bank.world
    on_database(bank, database_url)
    known_world(bank)
    taken: list[Path] = []

    def meanwhile(operation: str) -> None:
        if operation == "write" and len(taken) < 3:
            taken.append(tmp_path / f"{len(taken)}.backup")
            write_backup(world.hub.store, taken[-1], "0")

    for link in world.hub.links.values():
        link.connector.meanwhile = meanwhile  # type: ignore[attr-defined]
    busy_day(bank)
    assert len(taken) == 3
    for file in taken:
        world.engine.dispose()
        restore_backup(file, database_url, bench(world), replace=True)
        world.engine = open_engine(database_url)
        world.restart()
        check_always(world)
        before = world.mark()
        world.settle()
        no_structure(world, before)
        check_equal(world)


def test_restore_is_refused_while_a_cycle_runs(make: Callable[..., Bank], database_url: str, tmp_path: Path) -> None:
    from hub.kernel.errors import Busy

    bank = make()
    world = bank.world
    on_database(bank, database_url)
    known_world(bank)
    file = tmp_path / "one.backup"
    write_backup(world.hub.store, file, "0")
    store: Store = world.hub.store
    with hold(store, ENTITY, "test"), pytest.raises(Busy):
        restore_backup(file, database_url, bench(world), replace=True)
    assert load_keys(world.engine)
    world.cycle()
    check_equal(world)
