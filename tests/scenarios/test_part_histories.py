"""Random histories of clients who stand in three objects of one system and in one of another.

Faults of reads and writes, kills, deletes, and stores that are put back to an earlier state: whatever happens, nobody
is there twice, no edit is lost, and what belongs together comes and goes together.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from connectors.base import Deletes
from connectors.memory import FULL, FaultKind, Killed
from hub.core.state import BindingState, GoldenState
from hub.store import claims, inbox, matches, records
from hub.store.anchor import keep_anchor
from hub.store.records import Stored
from hub.sync.rebuild import notice
from tests.scenarios import desk
from tests.scenarios.world import SystemSpec, World, canonical

HOME, OTHER = "home", "other"
SIDES = {"person": "Contact", "address": "Address"}
FIELD_HOME = {"note": "Holder", "birth_date": "Contact", "tags": "Contact", "city": "Address"}
WRITE_FAULTS = (FaultKind.BEFORE_EFFECT, FaultKind.AFTER_EFFECT, FaultKind.PARTIAL_BATCH, FaultKind.RETRY_LATER)
FAULTS = (
    *WRITE_FAULTS * 2,
    *(FaultKind.RATE_LIMITED, FaultKind.QUOTA_EXHAUSTED, FaultKind.AUTH_REJECTED, FaultKind.CURSOR_EXPIRED),
    *(FaultKind.PROTOCOL, FaultKind.DUPLICATE, FaultKind.REORDER, FaultKind.STALE, FaultKind.TRUNCATED),
)
SEEDS = range(10)


@dataclass(slots=True)
class Life:
    """Is one history: who is there, and the one edit that each field of a person ever gets after the first load."""

    world: World
    rng: Random
    anchor: Path
    copies: list[sqlite3.Connection] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    edited: dict[tuple[str, str], Any] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    """People of whom something was deleted: what is left of them is not compared with what was edited."""

    def say(self, text: str) -> None:
        self.notes.append(text)


def make_life(seed: int, anchor: Path) -> Life:
    rng = Random(f"parts:{seed}")

    def can() -> Any:
        return replace(
            FULL,
            deletes=rng.choice((Deletes.FEED, Deletes.FLAG)),
            merge_feed=False,
            can_restore=rng.random() < 0.8,
            external_key_unique=True,
            strong_read_by_key=rng.random() < 0.5,
            returns_nulls=rng.random() < 0.7,
            ordered_versions=rng.random() < 0.7,
            visibility_lag=rng.choice((0.0, 10.0)),
            batch_size=rng.choice((1, 2, 100)),
            page_size=rng.choice((2, 200)),
        )

    specs = [SystemSpec(HOME, "parted", can()), SystemSpec(OTHER, "alpha", can())]
    chosen = rng.choice(("detach", "propagate", "archive", "ask"))
    spread = rng.random() < 0.25
    return Life(World(specs, seed=seed, on_delete=chosen, page=rng.choice((3, 200)), spread=spread), rng, anchor)


def holders(life: Life, who: str) -> list[str]:
    rows = life.world.systems[HOME].records("Holder")
    return [native_id for native_id, row in rows.items() if row.get("name") == who]


def sides(life: Life, holder: str, object_: str) -> list[str]:
    rows = life.world.systems[HOME].records(object_)
    return [native_id for native_id, row in rows.items() if row.get("holder") == holder]


def value(life: Life, name: str) -> Any:
    number = len(life.edited) + 1
    return {"birth_date": f"19{number % 90 + 10}-01-01", "tags": (f"t{number}",)}.get(name, f"{name}{number}")


# What happens.


def arrive(life: Life) -> None:
    who = f"P{len(life.people) + 1:02d}"
    life.people.append(who)
    some = {name: f"first {name}" for name in ("note", "city") if life.rng.random() < 0.5}
    fields = {"customer_kind": "individual", "full_name": who, "code": f"C{who}", **some}
    if life.rng.random() < 0.5:
        life.world.create(OTHER, {**fields, "mobile": f"+86138000000{len(life.people):02d}"}, who)
        life.say(f"{who} in other")
        return
    holder = life.world.create(HOME, {name: v for name, v in fields.items() if name != "city"}, who)
    life.say(f"{who} in home")
    if life.rng.random() < 0.6:
        contact = {"holder": holder, "mobile": "13800000000", "primary": "yes", "label": who}
        for _ in range(life.rng.choice((1, 1, 2))):
            life.world.systems[HOME].create("Contact", contact)
    if "city" in some:
        life.world.systems[HOME].create("Address", {"holder": holder, "town": some["city"]})


def edit(life: Life) -> None:
    """Edits a field that nobody edited before, wherever the record that has it lives."""
    who = life.rng.choice(life.people)
    name = life.rng.choice(sorted(FIELD_HOME))
    places = life.world.find(OTHER, who)
    if (who, name) in life.edited or who in life.lost:
        return
    if life.rng.random() < 0.5 and places:
        life.edited[who, name] = value(life, name)
        life.world.edit(OTHER, places[0], **{name: life.edited[who, name]})
        life.say(f"{who} {name} in other")
        return
    for holder in holders(life, who)[:1]:
        object_ = FIELD_HOME[name]
        bound = _bound(life, object_)
        rows = [holder] if object_ == "Holder" else [each for each in sides(life, holder, object_) if each in bound]
        if rows:
            life.edited[who, name] = value(life, name)
            life.world.edit(HOME, rows[0], **{name: life.edited[who, name]})
            life.say(f"{who} {name} in home {rows[0]}")


def _bound(life: Life, object_: str) -> set[str]:
    """Returns the side records that are the part of somebody: an edit of another contact is nobody's business."""
    found = life.world.bindings().values()
    return {str(b.native_id) for b in found if b.object == object_ and b.state is BindingState.ACTIVE}


def delete(life: Life) -> None:
    who = life.rng.choice(life.people)
    act = life.rng.choice(("main", "other", "part", "part", "back"))
    home = life.world.systems[HOME]
    for holder in holders(life, who)[:1]:
        parts = [(object_, each) for object_ in SIDES.values() for each in sides(life, holder, object_)]
        if act == "part" and parts:
            home.delete(*life.rng.choice(parts))
        elif act == "main":
            home.delete("Holder", holder)
        else:
            continue
        life.lost.add(who)
        life.say(f"delete {act} of {who}")
    if act == "other" and (places := life.world.find(OTHER, who)):
        life.world.delete(OTHER, places[0])
        life.lost.add(who)
        life.say(f"delete {who} in other")
    if act == "back":
        gone = [key for key, rows in home.table("Holder").rows.items() if home.current("Holder", key).deleted and rows]
        if gone:
            home.restore("Holder", life.rng.choice(sorted(gone)))
            life.say("a holder comes back")


def fault(life: Life) -> None:
    faults = life.world.systems[life.rng.choice((HOME, OTHER))].faults
    faults.inject(life.rng.choice(FAULTS), life.rng.choice(("write", "write", "*")), nth=life.rng.randint(1, 3))


def cycle(life: Life) -> None:
    life.world.time.pass_(30.0)
    if life.rng.random() < 0.4:
        life.world.hub.mortality.kill_after(life.rng.randint(1, 60))
    try:
        report = life.world.cycle()
        life.say(f"cycle {report.outcome} {','.join(report.reasons)}")
    except Killed as killed:
        life.world.restart()
        life.say(f"killed at {killed}")
    life.world.hub.mortality.kill_after(None)
    check_always(life)


def copy(life: Life) -> None:
    """Keeps the store as it is, as a backup does."""
    life.copies.append(sqlite3.connect(":memory:", check_same_thread=False))
    raw = life.world.engine.raw_connection()
    raw.driver_connection.backup(life.copies[-1])  # type: ignore[union-attr]
    raw.close()
    life.say(f"copy {len(life.copies)}")


def put_back(life: Life) -> None:
    """Puts an earlier copy in the place of the store.

    What it never knew has no base, so that an edit which is on its way is a conflict; who is the part of whom may have
    been a person's answer since.
    """
    if not life.copies:
        return
    number = life.rng.randrange(len(life.copies))
    keep_anchor(life.world.hub.store, life.anchor)
    raw = life.world.engine.raw_connection()
    life.copies[number].backup(raw.driver_connection)  # type: ignore[arg-type]
    raw.close()
    life.world.restart()
    noticed = notice(life.world.hub.store, life.anchor, life.world.entities)
    life.say(f"put back copy {number + 1}, {noticed}")
    known = {record.fields.get("full_name") for record in life.world.goldens().values()}
    life.lost |= {who for who, _ in life.edited if who not in known}
    life.lost |= {who for who in life.people for h in holders(life, who)[:1] if len(sides(life, h, "Contact")) > 1}


ACTS = (arrive, edit, edit, edit, delete, fault, cycle, cycle, cycle, copy, put_back)


def calm(life: Life) -> None:
    """Ends all trouble and answers what is asked, until nothing happens any more."""
    world = life.world
    for system in world.systems.values():
        system.faults.off()
    for _ in range(8):
        world.time.pass_(100.0)
        world.hub.reconcile()
        world.settle()
        done = desk.answer_questions(world, lambda q: "restore" if q.field == "*" else q.candidates[0][1])
        done += answer_claims(life) + desk.look_into_writes(world) + desk.release_guards(world)
        if not done:
            return
    raise AssertionError("questions without an end")


def answer_claims(life: Life) -> int:
    """Says of the first of several contacts that it is the part, and whose record any other one is."""
    store = life.world.hub.store
    with store.read() as conn:
        found = [q for q in matches.questions(conn, "client") if q.state == "open"]
    asked: set[tuple[str, str]] = set()
    for item in found:
        [owner] = item.candidates
        if claims.ONE_OF_SEVERAL not in item.candidates[owner] or (owner, item.object) in asked:
            continue
        asked.add((owner, item.object))
        with store.begin() as work:
            matches.answer(work, item.question_id, owner, "person")
            inbox.wake_native(work, item.system, item.object, item.native_id)
    return len(asked) + (desk.answer_matches(life.world) if len(found) > len(asked) and not asked else 0)


# What must hold.


def stored(life: Life) -> dict[str, Stored]:
    store = life.world.hub.store
    with store.read() as conn:
        return records.load(conn, store.ring, list(life.world.goldens()))


def check_always(life: Life) -> None:
    home = life.world.systems[HOME]
    for object_ in ("Holder", *SIDES.values()):
        carried = Counter(row.get("hub_id") for row in home.records(object_).values() if row.get("hub_id"))
        assert not [hub_id for hub_id, number in carried.items() if number > 1], f"{object_} twice"


def check_quiet(life: Life) -> None:
    check_always(life)
    for item in stored(life).values():
        places = {(b.system, b.part): b for b in item.bindings}
        main = places.get((HOME, "main"))
        for part in SIDES:
            bound = places.get((HOME, part))
            if bound is None:
                continue
            stands = main is not None and main.state is BindingState.ACTIVE
            assert bound.state is not BindingState.DOOMED, bound
            assert stands or bound.state in (BindingState.DETACHED, BindingState.PENDING), (main, bound)
            assert not bound.dirty, bound
        if item.golden.state is not GoldenState.LIVE or main is None or main.state is not BindingState.ACTIVE:
            continue
        shown = _shown(life, places)
        wanted = {name: item.golden.fields.get(name) for name in shown}
        assert shown == wanted, places
        for part, object_ in SIDES.items():
            needed = any(item.golden.fields.get(n) is not None for n in _fields(life, object_))
            bound = places.get((HOME, part))
            there = bound is not None and bound.state is BindingState.ACTIVE
            assert there or not needed, (part, item.golden.fields, bound)
            if there and bound is not None:
                row = life.world.systems[HOME].records(object_)[str(bound.native_id)]
                assert row["holder"] == main.native_id
    for who in life.people:
        if who not in life.lost:
            assert len(holders(life, who)) == 1, who
            assert len(life.world.find(OTHER, who)) == 1, who
    golden = {record.fields["full_name"]: record.fields for record in life.world.goldens().values()}
    for (who, name), wanted_value in life.edited.items():
        if who not in life.lost:
            assert golden[who].get(name) == wanted_value, (who, name)


def _fields(life: Life, object_: str) -> tuple[str, ...]:
    return life.world.mapping("parted").in_fields(object_)


def _shown(life: Life, places: dict[tuple[str, str], Any]) -> dict[str, Any]:
    """Returns what the records of a client show in their three objects."""
    mapping, shown = life.world.mapping("parted"), dict[str, Any]()
    for (system, _), bound in places.items():
        if system == HOME and bound.state is BindingState.ACTIVE:
            native = life.world.systems[HOME].records(bound.object)[bound.native_id]
            shown |= canonical(mapping, bound.object, native)
    return shown


@pytest.mark.parametrize("seed", SEEDS)
def test_history_of_clients_in_several_objects(seed: int, tmp_path: Path) -> None:
    life = make_life(seed, tmp_path / "anchor.json")
    for _ in range(life.rng.randint(1, 3)):
        arrive(life)
    try:
        for _ in range(life.rng.randint(8, 20)):
            life.rng.choice(ACTS)(life)
        calm(life)
        check_quiet(life)
        before = life.world.mark()
        life.world.settle()
        assert life.world.mark() == before
    except BaseException:
        print("\n".join([str(life.world.settings.on_delete), *life.notes]))
        raise
    life.world.close()
