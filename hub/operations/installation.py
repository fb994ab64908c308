"""One opened installation: its settings, store, rules and systems, as the operations use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field as attribute

from connectors.base import Connector
from hub.access.actor import Actor
from hub.access.branches import Branches
from hub.canonical.schema import Schema
from hub.kernel.clock import Clock
from hub.kernel.errors import NotFound
from hub.kernel.ids import NewId
from hub.kernel.settings import Settings
from hub.store.anchor import FILE, keep_anchor
from hub.store.lease import hold
from hub.store.unit_of_work import Store
from hub.sync.engine import EntityRules, Link, Progress, RunContext, Spread
from hub.sync.rebuild import anchored, notice


def _silent(phase: str, system: str, done: int) -> None:
    return None


def _alone(entity: str) -> Spread | None:
    return None


@dataclass(slots=True)
class Installation:
    """Is an opened hub. `connect` opens a system's connector, `link` joins it with an entity's mapping."""

    settings: Settings
    schema: Schema
    rules: Mapping[str, EntityRules]
    store: Store
    clock: Clock
    new_id: NewId
    who: Actor
    branches: Branches
    connect: Callable[[str], Connector]
    link: Callable[[str, str], Link]
    calls: Callable[[], Mapping[str, Mapping[str, int]]]
    close: Callable[[], None]
    lang: str = "en"
    threads: bool = True
    progress: Progress = _silent
    spread: Callable[[str], Spread | None] = _alone
    """Returns who else may carry out parts of an entity's runs."""
    _links: dict[tuple[str, str], Link] = attribute(default_factory=dict)

    @property
    def actor(self) -> str:
        """Returns the id of who acts."""
        return self.who.id

    def entity_rules(self, entity: str) -> EntityRules:
        """Returns the rules of an entity that is synchronised here. Raises NotFound."""
        found = self.rules.get(entity)
        if found is None:
            known = ", ".join(self.rules)
            raise NotFound(
                f"entity {entity} is not synchronised here; synchronised are: {known}",
                f"本安装未同步实体 {entity}；已同步：{known}",
            )
        return found

    def links(self, entity: str) -> dict[str, Link]:
        """Returns the systems of an entity, each opened once."""
        self.entity_rules(entity)
        found = {}
        for system in self.settings.entities[entity].systems:
            if (system, entity) not in self._links:
                self._links[system, entity] = self.link(system, entity)
            found[system] = self._links[system, entity]
        return found

    @contextmanager
    def run(self, entity: str) -> Iterator[RunContext]:
        """Takes the entity's lease and yields one run under it. Raises Busy."""
        rules, links = self.entity_rules(entity), self.links(entity)
        anchor = self.settings.var / FILE
        notice(self.store, anchor, self.rules)
        with hold(self.store, entity, self.actor) as held:
            run = RunContext(
                rules,
                links,
                self.store,
                self.clock,
                self.new_id,
                held,
                self.new_id(),
                self.actor,
                progress=self.progress,
                threads=self.threads,
                spread=self.spread(entity),
                hinted=self.settings.callbacks.base is not None,
            )
            yield anchored(run, anchor)
            keep_anchor(self.store, anchor)
