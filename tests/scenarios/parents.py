"""What must hold of references: nobody is written before the parent is there, nobody points at a wrong one (24, 25).

As in `invariants`, the systems' own change logs are the truth.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from connectors.memory import Commit
from hub.core.fates import APART
from hub.core.state import BindingState, GoldenState
from hub.mapping.references import is_native_ref, parse_ref
from tests.scenarios.world import ENTITY_OF, LAST_VISIT, World, merged_into, schema

if TYPE_CHECKING:
    from tests.scenarios.history import History
    from tests.scenarios.invariants import Facts

REQUIRED = {"visit": "client_id"}


def references_of(entity: str) -> Mapping[str, str]:
    return schema().entity(entity).references()


def pointed(world: World, system: str, object_: str, fields: Mapping[str, Any]) -> dict[str, str | None]:
    """Returns the native ids that the references among native fields hold, None for an empty one."""
    mapping, found = world.mapping_at(system, object_), {}
    for name in references_of(ENTITY_OF[object_]):
        natives = mapping.written_to(object_, name)
        if any(native in fields for native in natives):
            shown = mapping.to_canonical(object_, {native: fields.get(native) for native in natives}).fields[name]
            found[name] = None if shown is None else parse_ref(shown)[1]
    return found


def check_references(world: World, hub_edits: Iterable[tuple[str, str, Any]] = ()) -> None:
    """Every reference that the hub wrote names a record that stood there, and whom somebody said (24)."""
    if len(world.entities) == 1:
        return
    who_is = cache(world.who_is)
    said: dict[tuple[str, str], set[str]] = defaultdict(set)
    for hub_id, name, value in hub_edits:
        if name.endswith("_id") or name == "repeat_of":
            said[_root(world, who_is(hub_id)), name].add(_root(world, who_is(str(value))))
    written: list[tuple[str, Commit, str, str]] = []
    for system, commit, name, native_id in _pointing(world):
        who = _identity(world, system, native_id, who_is)
        if commit.hub_id is None:
            child = _identity(world, system, commit.native_id, who_is)
            said[_root(world, child), name].add(_root(world, who))
        else:
            written.append((system, commit, name, who))
    for system, commit, name, who in written:
        child = who_is(str(commit.hub_id))
        allowed = {_root(world, each) for each in said[_root(world, child), name]}
        assert not child or not who or _root(world, who) in allowed, (
            f"inv 24: {system} {commit.native_id} was made to point at {who} by {name}, nobody said so: {allowed}"
        )


def _root(world: World, who: str) -> str:
    return world._root(who)


def _pointing(world: World) -> Iterator[tuple[str, Commit, str, str]]:
    """Yields every reference that was ever set; those of the hub are checked to stand on a parent."""
    for system, vendor in world.systems.items():
        born: set[str] = set()
        for commit in vendor.log:
            if commit.op == "create":
                born.add(commit.native_id)
            if commit.op not in ("create", "update"):
                continue
            named = pointed(world, system, commit.object, commit.fields)
            ours = commit.hub_id is not None
            required = REQUIRED.get(ENTITY_OF[commit.object])
            if ours and commit.op == "create" and required is not None:
                assert named.get(required), f"inv 24: {system} {commit.native_id} was created before its parent"
            for name, native_id in named.items():
                assert not ours or native_id is None or native_id in born, f"inv 24: {system} has no {native_id} yet"
                if native_id is not None:
                    yield system, commit, name, native_id


def _identity(world: World, system: str, native_id: str, who_is: Any) -> str:
    rows = world.systems[system].tables[world.object_of(system, native_id)].rows[native_id]
    who = rows[-1].fields.get("who")
    return str(who) if who else str(who_is(str(rows[-1].fields.get(world.key_of(system)))))


class Family:
    """Is who stands where, as the store says: for judging references once the world is at rest."""

    def __init__(self, world: World, facts: Facts) -> None:
        self.world, self.facts = world, facts
        with world.engine.connect() as conn:
            rows = conn.execute(sa.text("SELECT system, native_id, hub_id FROM former_place")).all()
            waiting = conn.execute(
                sa.text(
                    "SELECT o.system, o.native_id, o.hub_id, a.field FROM awaited a JOIN observation o USING (obs_id)"
                )
            ).all()
        self.former = {(row.system, row.native_id): row.hub_id for row in rows}
        self.awaited = {(row.system, row.native_id, row.field) for row in waiting}
        self.parked = {(row.system, row.native_id) for row in waiting if row.hub_id is None}

    def owner(self, system: str, value: Any) -> Any:
        """Returns the hub id behind a native reference, the reference itself where nobody knows it."""
        if not is_native_ref(value):
            return self.facts.heir(value) if isinstance(value, str) else value
        native_id = parse_ref(value)[1]
        for place in (native_id, merged_into(self.world, system, native_id)):
            if (found := self.facts.bound.get((system, place))) is not None:
                return self.facts.heir(found.hub_id)
            if (system, place) in self.former:
                return self.former[system, place]
        return value

    def stands(self, hub_id: Any, system: str) -> bool:
        """Tells whether a golden record has a place in a system that others can point at."""
        stored = self.facts.stored.get(str(hub_id))
        return stored is not None and any(
            bound.system == system and bound.state is BindingState.ACTIVE for bound in stored.bindings
        )

    def lacks_parent(self, entity: str, fields: Mapping[str, Any], system: str) -> bool:
        names = references_of(entity)
        return any(fields.get(name) and not self.stands(fields[name], system) for name in names)

    def explains(self, system: str, native_id: str, name: str, there: Any, here: Any) -> bool:
        """Tells whether a reference may differ: its parent is not there, or the value there waits or names the dead."""
        if (system, native_id, name) in self.awaited:
            return True
        if here is not None and not self.stands(here, system):
            return True
        return is_native_ref(there) and self._dead(system, parse_ref(there)[1])

    def _dead(self, system: str, native_id: str) -> bool:
        rows = self.world.systems[system].tables[self.world.object_of(system, native_id)].rows[native_id]
        return rows[-1].deleted

    def left(self, system: str, native_id: str) -> bool:
        """Tells whether a place is one that its record left, or that a record merged into another one holds."""
        bound = self.facts.bound.get((system, native_id))
        return (system, native_id) in self.former if bound is None else bound.hub_id in self.facts.heirs

    def check_waiting(self, system: str, native_id: str) -> bool:
        """Tells whether an unknown record rightly stays out: it is nobody's, or its parent is not bound."""
        object_, fields = self.world.live(system)[native_id]
        named = pointed(self.world, system, object_, {n: fields.get(n) for n in self._natives(system, object_)})
        required = REQUIRED.get(ENTITY_OF[object_])
        if required is not None and named[required] is None:
            return True
        if (system, native_id) not in self.parked:
            return False
        known = [other for other in named.values() if other is not None and (system, other) not in self.facts.bound]
        assert known, f"inv 24: {system} {native_id} waits although every parent is bound"
        return True

    def _natives(self, system: str, object_: str) -> list[str]:
        mapping = self.world.mapping_at(system, object_)
        return [n for name in references_of(ENTITY_OF[object_]) for n in mapping.written_to(object_, name)]


def check_followed(family: Family) -> None:
    """No child shows a record that was merged away while the record that took its place stands there (25)."""
    world, facts = family.world, family.facts
    for (system, native_id), bound in facts.bound.items():
        there = world.live(system).get(native_id)
        if there is None or bound.state is not BindingState.ACTIVE or (system, native_id) in facts.unread:
            continue
        golden, table = facts.stored[bound.hub_id].golden, world.systems[system].tables[there[0]]
        if golden.state is not GoldenState.LIVE or native_id in table.hidden_records or table.hidden_fields:
            continue
        for name, parent in pointed(world, system, *there).items():
            left = parent is not None and family.left(system, parent)
            held = name in facts.frozen.get(bound.hub_id, ()) or facts.refused.get((system, bound.hub_id))
            if left and not held and family.stands(golden.fields.get(name), system):
                raise AssertionError(f"inv 25: {system} {native_id} still shows {parent}, which was merged away")


def check_merges(family: Family) -> None:
    """What points at a record that was merged away, or handed its place on, points at the survivor (25)."""
    for stored in family.facts.stored.values():
        golden = stored.golden
        if golden.state is not GoldenState.LIVE:
            continue
        for name, entity in references_of(golden.entity).items():
            parent = family.facts.stored.get(str(golden.fields.get(name)))
            if golden.fields.get(name) is None:
                continue
            assert parent is not None, f"inv 25: {golden.hub_id} points at {golden.fields[name]}, which is nobody"
            assert parent.golden.entity == entity, f"inv 24: {name} of {golden.hub_id} is a {parent.golden.entity}"
            assert parent.golden.state is not GoldenState.MERGED, f"inv 25: {golden.hub_id} points at a loser"


def check_losers(world: World, facts: Facts) -> None:
    """A golden record that was merged away has one heir, holds no place, and never returns (25)."""
    merged = {hub_id for hub_id, stored in facts.stored.items() if stored.golden.state is GoldenState.MERGED}
    assert merged == set(facts.heirs), "inv 25: who was merged away and who says so differ"
    with world.engine.connect() as conn:
        for table, column in (("blind_index", "owner"), ("observation", "hub_id"), ("match_candidate", "hub_id")):
            live = "WHERE question_id IN (SELECT question_id FROM match_question WHERE state IN ('open', 'decided'))"
            where = live if table == "match_candidate" else ""
            named = set(conn.execute(sa.text(f"SELECT {column} FROM {table} {where}")).scalars())
            assert not named & merged, f"inv 25: {table} still names {named & merged}"
    for loser in merged:
        heir = facts.stored[facts.heirs[loser]].golden
        assert heir.state is not GoldenState.MERGED, f"inv 25: the heir of {loser} was merged away itself"
        assert loser not in facts.frozen, f"inv 25: something is still asked about {loser}"
        for bound in facts.stored[loser].bindings:
            left = f"{bound.system} {bound.native_id} of the merged {loser}"
            assert bound.state in (BindingState.SUPERSEDED, BindingState.DETACHED), f"inv 25: {left} is {bound.state}"
            assert not bound.dirty, f"inv 25: something is owed to {left}"
            assert bound.native_id or bound.state is BindingState.DETACHED, f"inv 25: {left} is no place to merge"
    for system, commit in world.writes():
        at = commit.at - world.systems[system].clock.skew
        late = commit.hub_id in merged and at > facts.merged_at[str(commit.hub_id)]
        assert not late, f"inv 25: {commit.op} of {commit.native_id} in {system} for {commit.hub_id}, merged before"


def check_joined(history: History, facts: Facts) -> None:
    """After a merge in a system that says so one golden record remains, unless a person keeps the two apart (25)."""
    world = history.world
    apart = {facts.heir(hub_id) for hub_id, name, value in history.answers if (name, value) == ("*", APART)}
    for name, system in world.systems.items():
        can = world.spec(name).can
        for commit in system.log if can.merge_feed else ():
            loser = facts.bound.get((name, commit.native_id))
            survivor = facts.bound.get((name, merged_into(world, name, commit.native_id)))
            if survivor is not None and survivor.native_id not in world.live(name):
                continue
            if commit.op != "merge" or commit.hub_id is not None or loser is None or survivor is None:
                continue
            if commit.native_id in system.table(commit.object).hidden_records:
                continue  # out of sight: what became of it cannot be proven, so nothing is proposed
            if commit.at - system.clock.skew < history.began_at:
                continue  # an earlier release let the loser go and proposed nothing
            one, other = facts.heir(loser.hub_id), facts.heir(survivor.hub_id)
            # Declared: of two systems that merged one record into two others, only one is followed.
            split = loser.hub_id in facts.heirs
            told = "*" in facts.frozen.get(one, ()) or {one, other} & apart or split
            assert one == other or told, f"inv 25: {name} merged {commit.native_id}, {one} and {other} both remain"


def check_rollup(family: Family) -> None:
    """A client knows of the latest visit that took place."""
    name, without = LAST_VISIT.unless
    latest: dict[str, str] = {}
    goldens = [stored.golden for stored in family.facts.stored.values()]
    for visit in (golden for golden in goldens if golden.entity == LAST_VISIT.child):
        parent, value = visit.fields.get(LAST_VISIT.reference), visit.fields.get(LAST_VISIT.value)
        if isinstance(parent, str) and isinstance(value, str) and visit.fields.get(name) not in without:
            latest[parent] = max(value, latest.get(parent, ""))
    for golden in goldens:
        if golden.hub_id in latest and golden.state is GoldenState.LIVE:
            known = str(golden.fields.get(LAST_VISIT.target) or "")
            assert known >= latest[golden.hub_id], (
                f"{golden.hub_id} was last visited {known}, not {latest[golden.hub_id]}"
            )
