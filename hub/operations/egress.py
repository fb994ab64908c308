"""What may leave for which system: the policy of an installation, shown with what it decides and who was counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from hub.access.egress import Basis, Rule, Shaper, Verdict, shaper_of
from hub.canonical.schema import Entity, Schema
from hub.core.deadlines import ZONE
from hub.kernel.clock import Clock
from hub.kernel.egress_settings import EgressFile, load_egress
from hub.kernel.settings import Settings
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.outbound import region
from hub.store import ledger

WARN = 0.8
"""The share of an approved number of persons at which people are warned."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Is the file, the regions of the systems, and the day on which it is asked."""

    bases: Mapping[str, Basis]
    rules: tuple[Rule, ...]
    regions: Mapping[str, str]
    today: date

    def shaper(self, system: str, entity: Entity) -> Shaper:
        """Returns what becomes of the fields of an entity on their way to a system."""
        return shaper_of(entity, system, self.regions[system], self.bases.get(system), self.rules, self.today)


def egress_of(settings: Settings, schema: Schema, clock: Clock) -> Policy:
    """Reads the policy of an installation. Raises ConfigInvalid, and SettingsInvalid for an unknown kind of system."""
    known = {name: frozenset(schema.entity(name).fields) for name in settings.entities if name in schema.entities}
    file = load_egress(settings.home, settings.systems, known)
    regions = {name: region(item.kind, item.settings) for name, item in settings.systems.items()}
    today = datetime.fromtimestamp(clock.now(), UTC).astimezone(ZONE).date()
    bases = {name: Basis(item.id, item.until, item.persons) for name, item in file.bases.items()}
    return Policy(bases, _rules(file), regions, today)


def _rules(file: EgressFile) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            item.name,
            Verdict[item.decision.upper()],
            frozenset(item.systems),
            frozenset(item.regions),
            frozenset(item.classes),
            frozenset(item.entities),
            frozenset(item.fields),
        )
        for item in file.rules
    )


@dataclass(frozen=True, slots=True)
class FieldEgress:
    """Is what becomes of one mapped field."""

    entity: str
    field: str
    field_class: str
    verdict: str
    rule: str


@dataclass(frozen=True, slots=True)
class SystemEgress:
    """Is what may leave for one system; `persons` are those counted this year, of those that the basis approves."""

    system: str
    region: str
    basis: str | None
    until: str | None
    approved: int | None
    persons: int
    warns: bool
    fields: tuple[FieldEgress, ...]


@dataclass(frozen=True, slots=True)
class Used:
    """Is how far the persons approved for a system this year are used up."""

    system: str
    persons: int
    approved: int


@permit("egress.read")
def show_egress(hub: Installation) -> list[SystemEgress]:
    """Returns per system where it lies, on what basis it is sent to, and what becomes of every mapped field."""
    policy = egress_of(hub.settings, hub.schema, hub.clock)
    with hub.store.read() as conn:
        counted = ledger.totals(conn, policy.today.year)
    found = []
    for system in hub.settings.systems:
        basis, persons = policy.bases.get(system), counted.get(system, 0)
        approved = None if basis is None else basis.persons
        found.append(
            SystemEgress(
                system,
                policy.regions[system],
                None if basis is None else basis.id,
                None if basis is None else basis.until.isoformat(),
                approved,
                persons,
                approved is not None and persons >= WARN * approved,
                tuple(_fields(hub, policy, system)),
            )
        )
    return found


@permit("status.read")
def short_of(hub: Installation) -> list[Used]:
    """Returns the systems abroad whose approved number of persons is nearly used up."""
    policy = egress_of(hub.settings, hub.schema, hub.clock)
    if not policy.bases:
        return []
    with hub.store.read() as conn:
        counted = ledger.totals(conn, policy.today.year)
    rows = [Used(name, counted.get(name, 0), basis.persons) for name, basis in sorted(policy.bases.items())]
    return [row for row in rows if row.persons >= WARN * row.approved]


def _fields(hub: Installation, policy: Policy, system: str) -> list[FieldEgress]:
    found = []
    for name, settings in hub.settings.entities.items():
        if system in settings.systems:
            entity = hub.schema.entity(name)
            made = policy.shaper(system, entity).decided
            found += [
                FieldEgress(name, field, entity.fields[field].klass, item.verdict.name.lower(), item.rule)
                for field, item in made.items()
            ]
    return found
