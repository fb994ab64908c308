"""One random history of a world: seed -> systems, steps, faults and kills, then calm, then every invariant.

Each step draws from a random stream of its own, so that a step can be left out and the others stay what they were.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import sqlalchemy as sa

from connectors.base import Capabilities, Deletes
from connectors.memory import FULL, FaultKind, Killed
from hub.store.database import Prepared
from hub.sync.cycle import Report
from tests.scenarios import desk, kept, kin
from tests.scenarios.invariants import check_always, check_quiet
from tests.scenarios.world import ENTITIES, ENTITY, ENTITY_OF, OBJECTS, PLACES, SystemSpec, World, waiting_intents

NOTES = ("red", "green", "blue", "grey")
CITIES = ("Xian", "Wuhan", "Lhasa")
TAGS = ("vip", "loan", "card")
STAGES = ("lead", "active", "closed")
CONSENTS = ("granted", "unknown", "withdrawn")
DAYS = ("1980-02-29", "1990-07-01", "2001-12-31")
MOMENTS = ("2026-01-01T00:00:00Z", "2026-03-29T01:30:00+08:00", "2026-06-30T23:59:59.750Z")
MOST_CYCLES = 14
Outcome = Callable[["History", Random], None]


@dataclass(slots=True)
class History:
    """Is one history under way. `notes` says what happened, for whoever reads a failure."""

    world: World
    seed: int
    notes: list[str] = field(default_factory=list)
    people: int = 0
    relist: bool = False
    gaps: bool = False
    unbelieved: set[tuple[str, str]] = field(default_factory=set)
    checkpoints: list[list[Any]] = field(default_factory=list)
    edits: list[tuple[str, str, Any]] = field(default_factory=list)
    answers: list[tuple[str, str, Any]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    began_at: float = 0.0
    given: dict[tuple[str, str], Any] = field(default_factory=dict)
    """What golden records held before this history began: those of an earlier release."""
    kills: int = 0
    cycles: int = 0

    def note(self, text: str) -> None:
        self.notes.append(text)


KEPT = 0.02
"""The share of histories that go on from a store of an earlier release."""
MERGING = 0.35
"""The share of histories in which a system merges two of its clients before anything else happens."""
THREE = 0.3
"""The share of histories with clients, tickets and visits; the others, of clients alone, are faster."""
UNHIDDEN = frozenset({"kind", "name", "FullName", "client", "PersonRef", "CompanyRef", "AboutRef", "channel"})


def make_world(seed: int) -> World:
    """Draws a world; now and then one that an earlier release left behind, migrated."""
    kinship = Random(f"kept:{seed}")
    return kept.open_kept(kinship.choice(kept.STORES), seed) if kinship.random() < KEPT else _drawn_world(seed)


def _drawn_world(seed: int) -> World:
    """Draws two to four systems, two of one kind among most of them, and what each of them can do."""
    rng, kinship = Random(f"world:{seed}"), Random(f"kinship:{seed}")
    names = rng.choice(
        (
            [("a1", "alpha"), ("a2", "alpha")],
            [("a1", "alpha"), ("a2", "alpha")],
            [("a1", "alpha"), ("a2", "alpha")],
            [("a1", "alpha"), ("b1", "beta")],
            [("a1", "alpha"), ("a2", "alpha"), ("b1", "beta")],
            [("a1", "alpha"), ("a2", "alpha"), ("b1", "beta")],
            [("a1", "alpha"), ("a2", "alpha"), ("b1", "beta"), ("b2", "beta")],
        )
    )
    three = kinship.random() < THREE
    if three:
        names = [("a1", "alpha"), kinship.choice((("a2", "alpha"), ("b1", "beta"), ("b1", "beta")))]
        names += [("a3", "alpha")] if kinship.random() < 0.05 else []
    specs = [
        SystemSpec(name, kind, draw_capabilities(rng), rng.choice((0.0, 0.0, -7.0, 400.0)), rng.random() < 0.7)
        for name, kind in names
    ]
    if three:
        # A parent in one of several lookups can be read only where the empty ones are shown as well.
        specs = [replace(s, can=replace(s.can, returns_nulls=s.can.returns_nulls or s.kind == "beta")) for s in specs]
    prefer = [name for name, _ in names]
    rng.shuffle(prefer)
    on_delete = rng.choice(("detach", "detach", "propagate", "archive", "ask"))
    oscillation = rng.choice((1000, 1000, 1000, 3))
    world = World(
        specs,
        seed=seed,
        prefer=prefer,
        on_delete=on_delete,
        oscillation=oscillation,
        page=rng.choice((3, 200)),
        entities=ENTITIES if three else (ENTITY,),
        repoints=kinship.random() < 0.6,
        spread=Random(f"{seed}:spread").random() < 0.2,
    )
    for name, kind in names:
        if rng.random() < 0.25:
            _rewrite(world, name, kind, rng.choice(("note", "city", "full_name")))
    return world


def draw_capabilities(rng: Random) -> Capabilities:
    deletes = rng.choice((Deletes.FEED, Deletes.FEED, Deletes.FLAG, Deletes.NONE))
    return replace(
        FULL,
        incremental=rng.random() < 0.9,
        sorted_by_cursor=rng.random() < 0.7,
        cursor_resolution=rng.choice((1.0, 1.0, 60.0)),
        visibility_lag=rng.choice((0.0, 0.0, 10.0, 30.0)),
        deletes=deletes,
        merge_feed=deletes is not Deletes.NONE and rng.random() < 0.7,
        external_key_unique=rng.random() < 0.7,
        strong_read_by_key=rng.random() < 0.7,
        can_clear=rng.random() < 0.9,
        returns_nulls=rng.random() < 0.8,
        ordered_versions=rng.random() < 0.7,
        batch_size=rng.choice((1, 2, 100)),
        page_size=rng.choice((2, 5, 200)),
    )


def _rewrite(world: World, name: str, kind: str, canonical: str) -> None:
    native = {"note": ("note", "Remark"), "city": ("city", "Town"), "full_name": ("name", "FullName")}[canonical]
    for object_ in OBJECTS[kind]:
        world.systems[name].rewrite(object_, native[kind == "beta"], _shout)


def _shout(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def person(history: History, rng: Random) -> dict[str, Any]:
    """Draws a new real person or firm."""
    history.people += 1
    number = history.people
    fields: dict[str, Any] = {
        "customer_kind": rng.choice(("individual", "individual", "organization")),
        "full_name": f"Person {number:02d}",
    }
    if rng.random() < 0.8:
        fields["mobile"] = f"+861380000{number:04d}"
    if rng.random() < 0.4:
        fields["code"] = f"ID{number:05d}"
    return fields | draw_fields(rng, rng.randint(0, 4))


def draw_fields(rng: Random, count: int) -> dict[str, Any]:
    values: dict[str, tuple[Any, ...]] = {
        "note": NOTES,
        "city": CITIES,
        "consent": CONSENTS,
        "stage": STAGES,
        "birth_date": DAYS,
        "met_at": MOMENTS,
        "tags": (("vip",), ("loan",), ("card", "vip"), ("card", "loan")),
    }
    return {name: rng.choice(values[name]) for name in rng.sample(sorted(values), count)}


def populate(history: History, rng: Random) -> None:
    """Makes the bases: people who stand in several systems already, with small differences."""
    world = history.world
    for _ in range(rng.randint(1, 3)):
        base = person(history, rng)
        who = base["full_name"]
        for name in world.systems:
            if rng.random() < 0.6:
                fields = {**base, **(draw_fields(rng, 1) if rng.random() < 0.4 else {})}
                world.create(name, fields, who)
        history.note(f"base {who}")
    for entity in world.entities[1:]:
        for _ in range(rng.randint(0, 2)):
            _base_child(history, rng, entity)


def _base_child(history: History, rng: Random, entity: str) -> None:
    """Makes a ticket or visit that stands in one or several systems already, of the same client where he is there."""
    world, who = history.world, _next_child(history)
    fields = kin.draw_child(rng, entity, 2)
    clients = rng.sample(sorted(world.systems), rng.randint(1, len(world.systems)))
    wanted = ""
    for system in clients:
        there = [
            each for each in kin.living(world, system, ENTITY) if not wanted or _who(world, system, each) == wanted
        ]
        if entity == "visit" and not there:
            continue
        made = {**fields, **({"client_id": rng.choice(there)} if there else {})}
        if there:
            wanted = _who(world, system, made["client_id"])
        _make_child(history, entity, system, who, made)


def _who(world: World, system: str, native_id: str) -> str:
    return world.identity(system, native_id, world.live(system)[native_id][1])


def _next_child(history: History) -> str:
    history.people += 1
    return f"C{history.people:03d}"


def _make_child(history: History, entity: str, system: str, who: str, fields: dict[str, Any]) -> None:
    make = history.world.ticket if entity == "ticket" else history.world.visit
    native_id = make(system, who, **fields)
    history.note(f"create {entity} {system} {native_id} {who} {fields}")


def pick(history: History, rng: Random) -> tuple[str, str] | None:
    """Returns a live record (system, native id)."""
    found = [(name, key) for name in history.world.systems for key in sorted(history.world.live(name))]
    return rng.choice(found) if found else None


def do_edit(history: History, rng: Random) -> None:
    found = pick(history, rng)
    if found is None:
        return
    system, native_id = found
    object_ = history.world.object_of(system, native_id)
    if ENTITY_OF[object_] != ENTITY:
        fields = kin.draw_edit(history.world, rng, system, native_id, ENTITY_OF[object_])
        _edit(history, system, native_id, fields)
        return
    fields = draw_fields(rng, rng.choice((1, 1, 1, 2, 3)))
    if rng.random() < 0.15:
        history.people += 1
        fields["mobile"] = f"+861390000{history.people:04d}"
    if rng.random() < 0.1:
        history.people += 1
        fields["full_name"] = f"Renamed {history.people:02d}"
    if rng.random() < 0.15:
        fields[rng.choice(("note", "birth_date", "tags", "city"))] = None
    _edit(history, system, native_id, fields)


def _edit(history: History, system: str, native_id: str, fields: dict[str, Any]) -> None:
    object_ = history.world.object_of(system, native_id)
    mapped = history.world.mapping_at(system, object_).out_fields(object_)
    fields = {name: value for name, value in fields.items() if name in mapped}
    if fields:
        history.world.edit(system, native_id, **fields)
        history.note(f"edit {system} {native_id} {fields}")


def do_create(history: History, rng: Random) -> None:
    world = history.world
    system = rng.choice(sorted(world.systems))
    if len(world.entities) > 1 and rng.random() < 0.65:
        entity = rng.choice(("ticket", "visit", "visit"))
        parents = kin.draw_parents(world, rng, entity, system, 0.5)
        channel = {"channel": rng.choice(kin.CHANNELS)} if entity == "visit" else {}
        _make_child(history, entity, system, _next_child(history), kin.draw_child(rng, entity, 2) | channel | parents)
        return
    fields = person(history, rng)
    native_id = world.create(system, fields, fields["full_name"])
    history.note(f"create {system} {native_id} {fields}")
    if rng.random() < 0.3:
        other = rng.choice(sorted(world.systems))
        copy = {**fields, **draw_fields(rng, 1)}
        native_id = world.create(other, copy, fields["full_name"])
        history.note(f"create {other} {native_id} {copy} (the same person)")


def do_delete(history: History, rng: Random) -> None:
    found = pick(history, rng)
    if found is not None:
        history.world.delete(*found)
        history.note(f"delete {found}")


def do_merge(history: History, rng: Random) -> None:
    """Merges two clients of a system, at times a chain of three, and goes on working with what is left of them."""
    world = history.world
    telling = [spec.name for spec in world.specs if spec.can.merge_feed]
    system = rng.choice(telling if telling and rng.random() < 0.7 else sorted(world.systems))
    if rng.random() < 0.7:
        _make_mergeable(history, rng, system)
    for _ in range(rng.choice((1, 1, 2))):
        pair = _pair(world, rng, system)
        if pair is None:
            return
        loser, survivor = pair
        world.join(_who(world, system, loser), _who(world, system, survivor))
        elsewhere = [
            (name, key)
            for name in sorted(world.systems)
            for key in kin.living(world, name, ENTITY)
            if name != system and world.same(_who(world, name, key), _who(world, system, survivor))
        ]
        world.merge(system, loser, survivor)
        history.note(f"merge {system} {loser} -> {survivor}")
        if rng.random() < 0.4:
            _edit(history, *rng.choice([(system, survivor), *elsewhere]), draw_fields(rng, 2))


def _pair(world: World, rng: Random, system: str) -> tuple[str, str] | None:
    """Returns a loser and a survivor, clients of one object."""
    by_object: dict[str, list[str]] = {}
    for key in kin.living(world, system, ENTITY):
        by_object.setdefault(world.object_of(system, key), []).append(key)
    pairs = [keys for keys in by_object.values() if len(keys) > 1]
    if not pairs:
        return None
    loser, survivor = rng.sample(rng.choice(pairs), 2)
    return loser, survivor


def _make_mergeable(history: History, rng: Random, system: str) -> None:
    """Sees to it that somebody can be merged there, and often that the hub knows both before."""
    world = history.world
    known = kin.living(world, system, ENTITY)
    kinds = {"customer_kind": world.shows(system, known[0])["customer_kind"]} if known else {}
    for _ in range(max(0, rng.choice((2, 2, 3)) - len(known))):
        fields = person(history, rng) | kinds
        kinds = {"customer_kind": fields["customer_kind"]}
        for name in rng.choice(([system], sorted(world.systems))):
            history.note(f"create {name} {world.create(name, fields, fields['full_name'])} {fields}")
    if rng.random() < 0.7 and history.cycles < 2:
        history.cycles += 1
        history.note(f"cycle {world.cycle().outcome}")


def do_hide(history: History, rng: Random) -> None:
    """Takes or gives back permissions on a field or a record."""
    world = history.world
    system = rng.choice(sorted(world.systems))
    objects = [name for entity in world.entities for name in PLACES[world.spec(system).kind][entity]]
    table = world.systems[system].table(object_ := rng.choice(objects))
    history.relist = True
    if table.hidden_fields or table.hidden_records:
        _show_all(world, system, object_)
        history.note(f"show everything of {system} {object_}")
    elif rng.random() < 0.5 and table.rows:
        native_id = rng.choice(sorted(table.rows))
        world.systems[system].hide_record(object_, native_id)
        history.note(f"hide {system} {native_id}")
    else:
        mapping = world.mapping_at(system, object_)
        name = rng.choice([n for n in mapping.native_fields(object_)[1:] if n not in UNHIDDEN])
        world.systems[system].hide_field(object_, name)
        history.note(f"hide field {system} {object_} {name}")


def _show_all(world: World, system: str, object_: str) -> None:
    table = world.systems[system].table(object_)
    table.hidden_fields.clear()
    table.hidden_records.clear()


def do_time(history: History, rng: Random) -> None:
    history.world.time.pass_(rng.choice((0.2, 1.0, 5.0, 40.0, 90.0)))


def do_desk(history: History, rng: Random) -> None:
    world = history.world
    act = rng.choice(("edit", "edit", "questions", "matches", "writes", "quarantine"))
    if act == "edit":
        with world.engine.connect() as conn:
            rows = conn.execute(sa.text("SELECT hub_id FROM golden WHERE state <> 'merged_into'"))
            hub_ids = sorted(row[0] for row in rows)
        if hub_ids:
            hub_id, fields = rng.choice(hub_ids), draw_fields(rng, 1)
            if len(world.entities) > 1 and world.goldens()[hub_id].entity != ENTITY:
                fields = kin.draw_hub_edit(world, rng, hub_id)
            # An edit that no cycle took in yet is replaced by the next one of the same field, which was made over it.
            for name in desk.staged_edit(world, hub_id).keys() & fields.keys():
                mine = [edit for edit in history.edits if edit[:2] == (hub_id, name)]
                history.edits = [edit for edit in history.edits if edit not in mine[-1:]]
            desk.edit(world, hub_id, **fields)
            history.edits += [(hub_id, name, value) for name, value in fields.items()]
            history.note(f"hub edit {hub_id[-6:]} {fields}")
        return
    _answer(history, rng, act)


def _answer(history: History, rng: Random, act: str) -> int:
    world = history.world
    if act == "questions":
        choose = desk.any_candidate(rng)

        def keep(question: Any) -> Any:
            value = choose(question)
            history.answers.append((question.hub_id, question.field, value))
            history.note(f"answer {question.kind} {question.field} of {question.hub_id[-6:]}: {value}")
            return value

        return desk.answer_questions(world, keep)
    acts = {"matches": desk.answer_matches, "writes": desk.look_into_writes, "quarantine": desk.retry_quarantine}
    done = acts[act](world)
    if done:
        history.note(f"{act}: {done} answered")
    return done


def do_fault(history: History, rng: Random) -> None:
    """Scripts one to three faults for the calls to come, or a storm of page faults."""
    faults = history.world.systems[rng.choice(sorted(history.world.systems))].faults
    if rng.random() < 0.3:
        kinds = (FaultKind.DUPLICATE, FaultKind.REORDER, FaultKind.STALE)
        faults.rates = dict.fromkeys(kinds, 0.4)
        history.note("storm of duplicates, disorder and stale rows")
        return
    for _ in range(rng.randint(1, 3)):
        kind = rng.choice(
            (
                FaultKind.BEFORE_EFFECT,
                FaultKind.AFTER_EFFECT,
                FaultKind.AFTER_EFFECT,
                FaultKind.PARTIAL_BATCH,
                FaultKind.RETRY_LATER,
                FaultKind.RATE_LIMITED,
                FaultKind.QUOTA_EXHAUSTED,
                FaultKind.AUTH_REJECTED,
                FaultKind.CURSOR_EXPIRED,
                FaultKind.PROTOCOL,
                FaultKind.STALE,
                FaultKind.DUPLICATE,
                FaultKind.TRUNCATED,
            )
        )
        operation = "write" if rng.random() < 0.5 else "*"
        faults.inject(kind, operation, nth=rng.randint(1, 4))
        history.gaps = history.gaps or kind is FaultKind.CURSOR_EXPIRED
        history.note(f"fault {kind} on {operation}")


def _told(history: History, report: Report) -> None:
    """Keeps everything that a report says and counts, to be searched for personal values."""
    texts = [text for problem in report.problems for text in (problem.en, problem.zh)]
    history.said += [*report.reasons, *report.counts, *texts]


def do_cycle(history: History, rng: Random) -> None:
    """Runs a cycle; in one of three it is killed at some boundary and started anew, and some yield all the time."""
    history.cycles += 1
    # Chance of its own: what else happens in a history stays what it was.
    history.world.hurried = Random(f"{history.world.seed}:hurry:{history.cycles}").random() < 0.3
    if rng.random() < 0.4:
        history.world.hub.mortality.kill_after(rng.randint(1, 60 if len(history.world.entities) == 1 else 140))
    entities = history.world.entities
    if len(entities) > 1 and rng.random() < 0.5:
        # Each entity has a schedule of its own: children may well be read before their parents.
        entities = tuple(rng.sample(entities, rng.choice((1, 1, 2))))
    try:
        report = history.world.cycle(*entities)
    except Killed as killed:
        history.world.hurried = False
        history.kills += 1
        history.world.restart()
        history.note(f"killed at {killed}")
        check_always(history.world)
        return
    history.world.hurried = False
    history.world.hub.mortality.kill_after(None)
    _told(history, report)
    history.note(f"cycle {' '.join(entities)} {report.outcome} {','.join(report.reasons)}")


def do_reconcile(history: History, rng: Random) -> None:
    history.world.hub.reconcile()
    # What it stages before the first listing may be gone by then, and that listing will not say so.
    history.gaps = True
    history.note("reconcile")


def do_cursors(history: History, rng: Random) -> None:
    """Keeps the checkpoints, puts older ones back, drops them, or lets the systems forget them."""
    world, act = history.world, rng.choice(("keep", "keep", "back", "drop", "expire"))
    if act == "keep":
        history.checkpoints.append(_checkpoints(world))
    elif act == "back" and history.checkpoints:
        _put_back(world, rng.choice(history.checkpoints))
    elif act == "drop":
        world.drop_cursors()
        history.gaps = True
    elif act == "expire":
        history.gaps = True
        world.systems[rng.choice(sorted(world.systems))].expire_cursors()
    history.note(f"cursors: {act}")


def _checkpoints(world: World) -> list[Any]:
    with world.engine.connect() as conn:
        return [dict(row._mapping) for row in conn.execute(sa.text("SELECT * FROM checkpoint"))]


def _put_back(world: World, rows: list[Any]) -> None:
    with world.engine.connect() as conn, conn.begin():
        conn.execute(sa.text("DELETE FROM checkpoint"))
        for row in rows:
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            conn.execute(sa.text(f"INSERT INTO checkpoint ({names}) VALUES ({values})"), row)


def do_family(history: History, rng: Random) -> None:
    """Does something to a parent that has children, or to a child that is about to get another parent."""
    world = history.world
    found = kin.parents(world)
    act = rng.choice(("merge", "merge", "delete", "move", "move", "circle"))
    if act == "circle" or not found:
        _circle(history, rng)
        return
    system, parent, child = rng.choice(found)
    if act == "delete":
        world.delete(system, parent)
        history.note(f"delete parent {system} {parent}")
        return
    stands = world.shows(system, parent)
    same = ("customer_kind", "full_name", "code", "mobile")
    fields = {name: stands[name] for name in same if stands.get(name) is not None}
    if act == "move":
        fields = person(history, rng) | {"customer_kind": fields["customer_kind"]}
    heir = world.create(system, fields, _who(world, system, parent) if act == "merge" else fields["full_name"])
    history.note(f"create {system} {heir} {fields}")
    if act == "merge":
        world.merge(system, parent, heir)
        history.note(f"merge parent {system} {parent} -> {heir}")
    if rng.random() < 0.6:
        entity = ENTITY_OF[world.object_of(system, child)]
        moved = {"client_id": heir} if act == "move" else kin.draw_child(rng, entity, 1)
        _edit(history, system, child, moved)


def _circle(history: History, rng: Random) -> None:
    """Makes two tickets that point at each other."""
    world, system = history.world, rng.choice(sorted(history.world.systems))
    first = world.ticket(system, _next_child(history))
    second = world.ticket(system, _next_child(history), repeat_of=first)
    world.edit(system, first, repeat_of=second)
    history.note(f"circle {system} {first} {second}")


RULES: tuple[tuple[Outcome, int], ...] = (
    (do_edit, 30),
    (do_create, 8),
    (do_delete, 5),
    (do_merge, 9),
    (do_hide, 4),
    (do_time, 8),
    (do_desk, 9),
    (do_fault, 10),
    (do_cycle, 26),
    (do_reconcile, 2),
    (do_cursors, 5),
)


def play(seed: int, only: set[int] | None = None) -> History:
    """Plays the history of a seed to its end and checks every invariant; `only` keeps just these steps."""
    world = make_world(seed)
    given = {(hub_id, name): v for hub_id, golden in world.goldens().items() for name, v in golden.fields.items()}
    history = History(world, seed, began_at=world.time.at, given=given)
    listener = _Listener(history.said)
    logging.getLogger().addHandler(listener)
    try:
        _play(history, seed, only)
    except BaseException as failed:
        failed.add_note("\n".join([f"{world.settings.on_delete=}", *_describe(world), *history.notes]))
        raise
    finally:
        logging.getLogger().removeHandler(listener)
        world.close()
    return history


class _Listener(logging.Handler):
    """Keeps what anybody logs during a history."""

    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self.said = said

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(self.format(record))


def _describe(world: World) -> list[str]:
    plain = {name: getattr(FULL, name) for name in FULL.__slots__}
    lines = []
    for spec in world.specs:
        other = {n: str(getattr(spec.can, n)) for n, v in plain.items() if getattr(spec.can, n) != v}
        rewrites = {o: list(t.rewrites) for o, t in world.systems[spec.name].tables.items() if t.rewrites}
        lines.append(f"{spec.name} {spec.kind} {json.dumps(other)} skew={spec.skew} rewrites={rewrites}")
    return lines


def _play(history: History, seed: int, only: set[int] | None) -> None:
    rng = Random(f"history:{seed}")
    merging = Random(f"merging:{seed}").random() < MERGING
    populate(history, rng)
    if merging or rng.random() < 0.5:
        do_cycle(history, Random("calm"))
    rules = RULES if len(history.world.entities) == 1 else (*RULES, (do_family, 24))
    functions = [rule for rule, _ in rules]
    weights = [weight for _, weight in rules]
    for step in range(rng.choice((2, 3, 4, 5, 6, 10) if len(history.world.entities) == 1 else (2, 3, 4, 5, 6))):
        if only is not None and step not in only:
            continue
        own = Random(f"step:{seed}:{step}")
        rule = do_merge if merging and step == 0 else own.choices(functions, weights)[0]
        if own.random() < 0.5:
            history.world.time.pass_(own.choice((0.0, 0.3, 1.0, 7.0)))
        history.note(f"-- step {step} {rule.__name__}")
        rule(history, own)
    quiesce(history, Random(f"quiesce:{seed}"))
    check_quiet(history)
    if rng.random() < 0.4:
        replay(history, Random(f"replay:{seed}"))


def quiesce(history: History, rng: Random) -> None:
    """Ends faults and edits, then cycles and answers until nothing moves any more."""
    world = history.world
    history.note("-- quiesce")
    for system in world.systems.values():
        system.faults.off()
    world.hub.mortality.kill_after(None)
    keep_hidden = rng.random() < 0.3
    if history.relist and not keep_hidden:
        for spec in world.specs:
            for object_ in world.systems[spec.name].tables:
                _show_all(world, spec.name, object_)
        world.drop_cursors()
        desk.retry_quarantine(world)
    looked = False
    for _ in range(MOST_CYCLES):
        world.time.pass_(150.0)
        before = world.mark(), _golden(world)
        report = world.cycle()
        history.cycles += 1
        _told(history, report)
        history.note(f"cycle {report.outcome} {','.join(report.reasons)}")
        answered = sum(_answer(history, rng, act) for act in ("questions", "matches", "writes"))
        if answered or not _quiet(report) or (world.mark(), _golden(world)) != before:
            continue
        if needs_reconcile(history) and not looked:
            looked = True
            found = world.hub.reconcile()
            history.unbelieved = {(item.system, item.object) for item in found if item.stopped}
            continue
        check_always(world)
        return
    raise AssertionError(f"inv 3: still moving after {MOST_CYCLES} cycles: {report.counts} {report.reasons}")


def _quiet(report: Report) -> bool:
    return not report.standing.queued and not report.counts.get("recovered") and not waiting_intents(report)


def needs_reconcile(history: History) -> bool:
    """Tells whether something happened that no change stream shows: permissions, deletes before a new listing."""
    return history.relist or history.gaps or any(not _tells_deletes(spec.can) for spec in history.world.specs)


def _tells_deletes(can: Capabilities) -> bool:
    """Tells whether a stream shows every delete: a system that only ever lists cannot flag what is gone."""
    return can.deletes is Deletes.FEED or (can.deletes is Deletes.FLAG and can.incremental)


def replay(history: History, rng: Random) -> None:
    """Goes back to an earlier checkpoint, or to none: the same pages again must change nothing (17, 1)."""
    world = history.world
    mark, golden = world.mark(), _golden(world)
    if history.checkpoints and rng.random() < 0.5:
        _put_back(world, rng.choice(history.checkpoints))
    else:
        world.drop_cursors()
    for system in world.systems.values():
        system.faults.rates = {FaultKind.DUPLICATE: 0.3, FaultKind.REORDER: 0.3}
    world.time.pass_(150.0)
    report = world.cycle()
    assert world.writes(mark) == [], f"inv 1/17: a replay wrote {world.writes(mark)}"
    assert _golden(world) == golden, f"inv 17: a replay changed a golden record ({report.counts})"


_GOLDEN = Prepared(sa.text("SELECT hub_id, revision, state FROM golden ORDER BY hub_id"))


def _golden(world: World) -> list[Any]:
    with world.engine.connect() as conn:
        return [tuple(row) for row in _GOLDEN.run(conn)]


def shrink(seed: int) -> set[int]:
    """Leaves out steps of a failing history as long as it still fails; returns those that are needed."""
    steps = set(range(20))
    assert _fails(seed, steps), f"seed {seed} does not fail"
    for step in sorted(steps, reverse=True):
        if _fails(seed, steps - {step}):
            steps.discard(step)
    return steps


def _fails(seed: int, steps: set[int]) -> bool:
    try:
        play(seed, steps)
    except Exception:  # noqa: BLE001 - whatever it is, it is what we look for
        return True
    return False


__all__ = ["ENTITY", "History", "make_world", "play", "shrink"]
