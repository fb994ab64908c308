"""What one run works with: the systems of an entity, the rules, the store, and a tally of what it did."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from functools import cached_property
from typing import Protocol

from connectors.base import Bound, Capabilities, Connector
from connectors.errors import ConnectorError
from connectors.listing import Bounded
from hub.access.egress import OPEN, Shaper
from hub.canonical.schema import Entity, MatchRule
from hub.canonical.values import Value, match_domain, normalise_for_match
from hub.core.guards import Limits
from hub.core.plan import EntityPolicy
from hub.core.state import Base, BaseField, Binding, Fields, GoldenRecord
from hub.kernel.clock import Clock
from hub.kernel.ids import NewId
from hub.keys.keyring import INDEX, Keyring
from hub.mapping.translate import CompiledMapping
from hub.store.anchor import Rebuild
from hub.store.matches import FIND
from hub.store.unit_of_work import Lease, Store

Progress = Callable[[str, str, int], None]
"""Is told (phase, system, records done) as a run goes on."""


CUT_SHORT = "cut_short"
"""Counts where a run left off before the end."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Are the canonical fields that a mapping reads, writes and may clear in one object.

    Those in `once` are read only from a record that is seen for the first time.
    """

    readable: frozenset[str]
    writable: frozenset[str]
    clearable: frozenset[str]
    once: frozenset[str] = frozenset()


NOWHERE = Scope(frozenset(), frozenset(), frozenset())


class Link:
    """Is one system as an entity sees it: its connector, its mapping and what both can do."""

    def __init__(
        self,
        system: str,
        connector: Connector,
        mapping: CompiledMapping,
        *,
        account: str,
        deletions_every: float = 0.0,
        egress: Shaper = OPEN,
    ) -> None:
        self.system = system
        self.connector = connector
        self.mapping = mapping
        self.account = account
        self.egress = egress
        self.deletions_every = deletions_every
        self.objects = mapping.objects
        self.version_bytes = mapping.version.encode()
        self._native = {name: self._with_hub_id(name) for name in self.objects}
        self._scopes = {name: self._scope(name) for name in self.objects}
        self._capabilities: dict[str, Capabilities] = {}
        self.former: Mapping[tuple[str, str], frozenset[str]] = {}
        """(object, mapping version) -> fields that it mapped, for bases agreed under an earlier mapping"""
        self.accepted_at: dict[str, float] = {}
        """object -> epoch seconds at which this process last knew its schema to be accepted"""

    def native_fields(self, object_: str) -> tuple[str, ...]:
        return self._native[object_]

    def scope(self, object_: str | None) -> Scope:
        return self._scopes.get(object_ or "", NOWHERE)

    def writable_in(self, object_: str | None, fields: Fields) -> frozenset[str]:
        """Returns what may be written to a record; a routing value that belongs to another object stays out of it."""
        writable = self.scope(object_).writable
        stray = {n for n, places in self.mapping.routing.items() if places.get(fields.get(n), object_) != object_}
        return writable - stray if stray else writable

    def bound_of(self, object_: str) -> Bound | None:
        """Returns what lets the system itself leave out records before the cut-off, None where it cannot."""
        found = self.mapping.native_cut_off(object_)
        return Bound(*found) if found is not None and isinstance(self.connector, Bounded) else None

    def can(self, object_: str) -> Capabilities:
        """Returns the capabilities of an object, asked once."""
        found = self._capabilities.get(object_)
        if found is None:
            found = self._capabilities[object_] = self.connector.capabilities(object_)
        return found

    def base_of(self, binding: Binding, golden: GoldenRecord, base: Base | None) -> Base | None:
        """Returns a binding's base; what was agreed under an earlier mapping stands for its fields only."""
        if base is not None or binding.mapping_version in (None, self.mapping.version):
            return base
        fields = self.former.get((binding.object or "", str(binding.mapping_version)), frozenset())
        return {name: BaseField(value, value) for name in fields for value in (golden.fields.get(name),)}

    def shows_empty(self, object_: str | None) -> bool:
        """Tells whether an empty field is shown as empty, so that an absent one is hidden and not empty."""
        return object_ is not None and object_ in self._scopes and self.can(object_).returns_nulls

    def limits_of(self, object_: str | None) -> dict[str, bool]:
        """Returns what a system lets nobody do to the records of an object that are there, as a side says it."""
        if object_ is None or object_ not in self._scopes:
            return {}
        can = self.can(object_)
        return {"fixed": not can.can_update, "lasting": not can.can_delete}

    def stream_scope(self, object_: str) -> str:
        """Returns what a cursor is good for: a changed account or projection starts the listing over."""
        return f"{self.account}:{self.mapping.version}"[:64]

    def _with_hub_id(self, object_: str) -> tuple[str, ...]:
        names = (self.mapping.hub_id_field(object_), *self.mapping.native_fields(object_))
        return tuple(dict.fromkeys(name for name in names if name))

    def _scope(self, object_: str) -> Scope:
        mapping = self.mapping
        readable = frozenset(mapping.in_fields(object_))
        # What may not leave is like a field that the mapping only reads: nothing is owed there.
        writable = frozenset(mapping.out_fields(object_)) - self.egress.blocked
        return Scope(readable, writable, frozenset(mapping.clearable(object_)), mapping.once_fields(object_))


class Spread(Protocol):
    """Offers shares of a run to the processes of the installation; `scope` is the digest of the rules they need."""

    @property
    def scope(self) -> str: ...

    def offer(self, share_ids: Sequence[str]) -> None:
        """Tells whoever is free that these may be carried out; offering one twice does no harm."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Is the time after which a run yields to others between two pages or batches; without `length` it never does."""

    clock: Clock | None = None
    began: float = 0.0
    length: float | None = None

    def used_up(self) -> bool:
        """Tells whether it is time to yield; a clock that was set back ends a turn too."""
        if self.clock is None or self.length is None:
            return False
        return not 0 <= self.clock.now() - self.began < self.length

    def share(self, parts: int) -> Turn:
        """Returns the part of what is left that one of several takes."""
        if self.clock is None or self.length is None:
            return self
        now = self.clock.now()
        return Turn(self.clock, now, max(0.0, self.began + self.length - now) / parts)


@dataclass(frozen=True, slots=True)
class Find:
    """Is how a record is found by one field: the kind people ask by, how values are shaped, its index and width."""

    kind: str
    field: str
    shape: str
    rule: str
    domain: str
    width: int


@dataclass(frozen=True)
class EntityRules:
    """Is everything about one entity that does not change while the process runs."""

    entity: Entity
    policy: EntityPolicy
    limits: Limits
    match_rules: tuple[MatchRule, ...]
    oscillation_window: float = 86_400.0
    evidence: tuple[tuple[str, str], ...] = attribute(init=False)
    """(field, match domain) of every field that a match rule names"""
    key_plan: tuple[tuple[str, str, tuple[str, ...]], ...] = attribute(init=False)
    """(index domain, rule, fields) of every match rule"""
    finds: tuple[Find, ...] = attribute(init=False)
    """How a record is looked up by one of its fields"""

    def __post_init__(self) -> None:
        names = dict.fromkeys(name for rule in self.match_rules for name in rule.fields)
        evidence = tuple((name, match_domain(self.entity.fields[name])) for name in names)
        plan = tuple((f"{self.entity.name}.{rule.name}", rule.name, rule.fields) for rule in self.match_rules)
        object.__setattr__(self, "evidence", evidence)
        object.__setattr__(self, "key_plan", plan)
        object.__setattr__(self, "finds", tuple(self._finds()))

    def _finds(self) -> Iterator[Find]:
        """Yields one index a field; a field that is evidence by itself is looked up by the index of that rule."""
        name = self.entity.name
        alone = {rule.fields[0]: rule.name for rule in self.match_rules if len(rule.fields) == 1}
        for kind, fields in self.entity.find.items():
            for field in fields:
                shape, rule = match_domain(self.entity.fields[field]), alone.get(field)
                if rule is not None:
                    yield Find(kind, field, shape, rule, f"{name}.{rule}", INDEX)
                else:
                    yield Find(kind, field, shape, f"find.{field}", f"{name}.find.{kind}", FIND)

    @property
    def name(self) -> str:
        return self.entity.name

    @cached_property
    def references(self) -> Mapping[str, str]:
        """Returns the fields that point at other records: field -> entity."""
        return dict(self.entity.references())

    @cached_property
    def pointers(self) -> tuple[str, ...]:
        """Returns the names of the fields that point at other records."""
        return tuple(self.references)

    def facets(self, fields: Fields) -> dict[str, Value]:
        """Returns the fields that may stand in plaintext: coded ones marked `index: true`."""
        return {
            name: value
            for name, item in self.entity.fields.items()
            if item.index and (value := fields.get(name)) is not None
        }

    def keys(self, ring: Keyring, fields: Fields) -> dict[str, bytes]:
        """Returns the blind match keys of a record: rule -> digest."""
        shapes = {
            name: shape
            for name, domain in self.evidence
            if (value := fields.get(name)) is not None and (shape := normalise_for_match(domain, value))
        }
        found: dict[str, bytes] = {}
        for domain, rule, names in self.key_plan:
            try:
                found[rule] = ring.blind(domain, "\x1f".join([shapes[name] for name in names]))
            except KeyError:
                continue
        return found

    def standing_keys(self, ring: Keyring, fields: Fields) -> dict[str, bytes]:
        """Returns the indexes that stand for a golden record: its match keys and those it is looked up by."""
        return {**self.keys(ring, fields), **self.find_keys(ring, fields)}

    def find_keys(self, ring: Keyring, fields: Fields) -> dict[str, bytes]:
        """Returns the indexes of a golden record that are no match keys: rule -> a short digest that several share."""
        found: dict[str, bytes] = {}
        for item in self.finds:
            value = fields.get(item.field)
            if item.width == FIND and value is not None and (shape := normalise_for_match(item.shape, value)):
                found[item.rule] = ring.blind(item.domain, shape, FIND)
        return found

    def keyed(self, before: GoldenRecord, after: GoldenRecord) -> bool:
        """Tells whether a change touched a field that stands in an index."""
        names = [name for name, _ in self.evidence] + [item.field for item in self.finds if item.width == FIND]
        return any(before.fields.get(name) != after.fields.get(name) for name in names)


@dataclass(slots=True)
class Tally:
    """Counts what a run did and names what kept it from going on; `orphans` are bindings whose parent is not there."""

    counts: Counter[str] = attribute(default_factory=Counter)
    blocked: dict[str, ConnectorError] = attribute(default_factory=dict)
    orphans: set[str] = attribute(default_factory=set)
    unseen: set[str] = attribute(default_factory=set)
    """Bindings that are owed something while their records cannot be seen."""
    withheld: dict[str, set[str]] = attribute(default_factory=dict)
    """Why -> bindings that are not written because something of them may not leave."""
    placed: set[str] = attribute(default_factory=set)
    """Bindings whose parents are all there, as far as a share says so to the leader of its run."""

    def add(self, name: str, number: int = 1) -> None:
        if number:
            self.counts[name] += number


@dataclass(frozen=True, slots=True)
class RunContext:
    """Is one run under its lease. `threads` False does everything in the calling thread, for replayable tests."""

    rules: EntityRules
    links: Mapping[str, Link]
    store: Store
    clock: Clock
    new_id: NewId
    held: Lease
    run_id: str
    actor: str
    tally: Tally = attribute(default_factory=Tally)
    progress: Progress = attribute(default=lambda phase, system, done: None)
    threads: bool = True
    stop: threading.Event = attribute(default_factory=threading.Event)
    page: int = 200
    turn: Turn = Turn()
    """How long the run may go on before it yields; what it does not come to is done in the next one."""
    rebuild: Rebuild | None = None
    """What is left of the safe path after the store was restored."""
    spread: Spread | None = None
    """Who else may carry out parts of this run; None does everything here."""
    adopts: bool = True
    """Whether strangers without any likeness become golden records where they are read; a share leaves that."""
    left: list[tuple[str, str]] = attribute(default_factory=list)
    """(system, object) of the streams that are read on as shares."""
    hinted: bool = False
    """Whether systems may have hinted at records, which are then read again."""

    @property
    def ring(self) -> Keyring:
        return self.store.ring

    @property
    def entity(self) -> str:
        return self.rules.name

    @property
    def policy(self) -> EntityPolicy:
        """Returns the entity's policy with what these systems can do."""
        able = (n for n, link in self.links.items() if any(link.can(o).can_restore for o in link.objects))
        return replace(self.rules.policy, restorable=frozenset(able), routing=self._routing())

    def _routing(self) -> dict[str, dict[Value, tuple[str, ...]]]:
        """Returns the fields that decide where a record goes: field -> value -> its places in all systems."""
        places: dict[str, dict[Value, tuple[str, ...]]] = {}
        for name, link in sorted(self.links.items()):
            for field, routes in link.mapping.routing.items():
                known = places.setdefault(field, {})
                for value, object_ in routes.items():
                    known[value] = (*known.get(value, ()), f"{name}:{object_}")
        return places

    def systems(self) -> Sequence[str]:
        """Returns the systems in the configured order of preference, the others after them."""
        prefer = [name for name in self.rules.policy.prefer if name in self.links]
        return prefer + sorted(set(self.links) - set(prefer))

    def cut_short(self) -> bool:
        """Tells whether the run yielded, or was stopped, before it had read, merged or written everything."""
        return bool(self.tally.counts[CUT_SHORT])

    def block(self, system: str, error: ConnectorError) -> None:
        """Notes that a system stops for this run; the others go on."""
        self.tally.blocked.setdefault(system, error)

    def blocked(self, system: str) -> bool:
        return system in self.tally.blocked
