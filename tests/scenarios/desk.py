"""What people do at the hub: edit a record, answer its questions, release its guards. Their answers are honest."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from hub.core.fates import APART, JOIN, MERGE
from hub.core.state import HUB, Kind, Observation
from hub.store import inbox, intents, matches, quarantine, questions, records, runs
from hub.store.intents import IntentState
from hub.store.questions import Question
from tests.scenarios.world import KEY_FIELDS, World, canonical_value

Choose = Callable[[Question], Any]


def staged_edit(world: World, hub_id: str) -> dict[str, Any]:
    """Returns what people changed at the hub and no cycle took in yet."""
    store = world.hub.store
    with store.read() as conn:
        entity = records.load_golden(conn, store.ring, [hub_id])[hub_id].entity
        waiting = inbox.by_native(conn, HUB, entity, [hub_id]).get(hub_id)
    return {} if waiting is None else dict(inbox.open_row(store.ring, waiting).fields)


def edit(world: World, hub_id: str, **fields: Any) -> None:
    """Edits a golden record as a person in the hub would; joins an edit that still waits."""
    store = world.hub.store
    with store.read() as conn:
        entity = records.load_golden(conn, store.ring, [hub_id])[hub_id].entity
    fields = {name: canonical_value(name, value, entity) for name, value in fields.items()}
    with store.begin() as work:
        subject = records.load_subjects(work.conn, store.ring, [hub_id])[hub_id]
        waiting = inbox.by_native(work.conn, HUB, entity, [hub_id]).get(hub_id)
        before = inbox.open_row(store.ring, waiting).fields if waiting else {}
        if waiting:
            inbox.consume(work, [waiting.obs_id])
        made = Observation(work.new_id(), entity, HUB, entity, hub_id, Kind.EDIT, {**before, **fields})
        inbox.stage(work, [inbox.seal_row(store.ring, made, hub_id, subject, "", work.now)])
        inbox.wake(work, [hub_id])


def asked(world: World, kind: str) -> list[Question]:
    """Returns the open conflicts or holds."""
    store = world.hub.store
    with store.read() as conn:
        hub_ids = questions.subjects(conn, kind, ("open",))
        records.load_subjects(conn, store.ring, hub_ids)
        return questions.load(conn, store.ring, kind, hub_ids=hub_ids, states=("open",))


def answer(world: World, question: Question, value: Any) -> None:
    with world.hub.store.begin() as work:
        questions.answer(work, question, value, "person")
        inbox.wake(work, [question.hub_id])


def answer_questions(world: World, choose: Choose, kinds: tuple[str, ...] = ("conflict", "hold")) -> int:
    """Answers every open conflict and hold; returns how many."""
    found = [question for kind in kinds for question in asked(world, kind)]
    for question in found:
        answer(world, question, choose(question))
    return len(found)


def any_candidate(rng: Random) -> Choose:
    """Picks one of the values that compete; a question about a delete is answered by keeping or letting go.

    Whether two records are one that a system merged is answered by yes most of the time.
    """

    def choose(question: Question) -> Any:
        if question.rule == MERGE:
            return rng.choice((JOIN, JOIN, JOIN, APART))
        if question.field == "*":
            return rng.choice(("restore", "detach"))
        return rng.choice([value for _, value in question.candidates])

    return choose


def answer_matches(world: World) -> int:
    """Says truthfully whose record each unbound record is."""
    store = world.hub.store
    with store.read() as conn:
        found = [q for entity in world.entities for q in matches.questions(conn, entity) if q.state == "open"]
    for item in found:
        native = world.systems[item.system].current(item.object, item.native_id)
        who = world.identity(item.system, item.native_id, native.fields)
        with store.read() as conn:
            taken = matches.placed(conn, list(item.candidates), item.system)
        same = [hub for hub in item.candidates if world.same(world.who_is(hub), who) and hub not in taken]
        with store.begin() as work:
            matches.answer(work, item.question_id, same[0] if same else "new", "person")
            inbox.wake_native(work, item.system, item.object, item.native_id)
    return len(found)


def look_into_writes(world: World) -> int:
    """Looks up every write that waits for a person, in the system itself, and says what came of it."""
    store = world.hub.store
    with store.read() as conn:
        asked = [(entity, row) for entity in world.entities for row in intents.asked(conn, entity)]
    for entity, row in asked:
        key = KEY_FIELDS[world.spec(row.system).kind]
        there = [n for n, (_, fields) in world.live(row.system).items() if fields.get(key) == row.hub_id]
        said = (IntentState.UNCERTAIN, "looked") if there else (IntentState.SETTLED, "absent")
        with store.begin() as work:
            held = [item for item in quarantine.listing(work.conn, entity) if item.hub_id == row.hub_id]
            for item in held:
                if item.system == row.system and item.field == "":
                    quarantine.retry(work, item.quarantine_id)
            intents.settle(work, {row.intent_id: said})
    return len(asked)


def retry_quarantine(world: World) -> int:
    store = world.hub.store
    with store.read() as conn:
        rows = [row for entity in world.entities for row in quarantine.listing(conn, entity)]
    with store.begin() as work:
        for row in rows:
            quarantine.retry(work, row.quarantine_id)
    return len(rows)


def release_guards(world: World) -> int:
    store = world.hub.store
    with store.read() as conn:
        rows = [r for entity in world.entities for r in runs.guards(conn, entity) if r.state == "tripped"]
    with store.begin() as work:
        for row in rows:
            runs.release(work, row, "person", "seen and meant")
    return len(rows)
