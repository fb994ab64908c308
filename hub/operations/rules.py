"""What the engine may decide by: made of the canonical schema, the settings of an entity and the table of deadlines."""

from __future__ import annotations

from hub.canonical.schema import Entity, Field, Schema
from hub.core.deadlines import Deadlines
from hub.core.derive import Derivation, Formula, StepDerivation
from hub.core.guards import Limits
from hub.core.plan import EntityPolicy, OnDelete
from hub.core.policy import FieldRule
from hub.kernel.errors import ConfigInvalid, Problem
from hub.kernel.settings import EntitySettings, Settings
from hub.kernel.workdays import Workdays
from hub.mapping.deadlines import read_deadlines
from hub.mapping.tables import load_tables
from hub.sync.engine import EntityRules
from hub.telemetry import logger

COMPUTED = (
    Derivation("lifecycle_changed_at", "lifecycle_stage"),
    Derivation("consent_changed_at", "contact_consent"),
)


def rules_of(entity: Entity, settings: EntitySettings, deadlines: Deadlines | None = None) -> EntityRules:
    """Returns what the engine may decide by, from the canonical schema and the settings of one entity."""
    rules = {
        name: FieldRule(
            name,
            item.policy,
            _guards(item),
            dict(item.order) or None,
            _reopens(item),
            approved=frozenset() if deadlines is None else deadlines.approved,
        )
        for name, item in entity.fields.items()
    }
    prefer = settings.prefer or settings.systems
    policy = EntityPolicy(
        entity.name,
        rules,
        tuple(prefer),
        derivations=_derivations(entity, deadlines),
        on_delete=OnDelete(settings.on_delete),
        oscillation=settings.oscillation.times,
    )
    guards = settings.guards
    limits = Limits(
        guards.max_deletes.count,
        guards.max_deletes.percent,
        guards.max_changes.count,
        guards.max_changes.percent,
        guards.max_creates.count,
        guards.max_creates.percent,
        guards.max_shrink_percent,
        guards.first_sync_needs_release,
    )
    match_rules = tuple(rule for rule in entity.match if rule.fields != ("hub_id",))
    return EntityRules(entity, policy, limits, match_rules, settings.oscillation.window_hours * 3600)


def load_deadlines(settings: Settings, schema: Schema) -> Deadlines | None:
    """Returns the table of deadlines, None where no due date is computed here. Raises ConfigInvalid."""
    for name in settings.entities:
        fields = schema.entity(name).fields
        if "due_at" in fields and fields["due_at"].computed and "extension" in fields:
            folder, problems = settings.mappings / "tables", list[Problem]()
            rows = read_deadlines(load_tables(folder), fields["extension"].values, folder, problems)
            if problems:
                raise ConfigInvalid(problems)
            return Deadlines(rows, Workdays(_report_unpublished))
    return None


def _report_unpublished(year: int) -> None:
    logger("deadlines").warning("holidays_unpublished", year=year, counted="monday_to_friday")


def _derivations(entity: Entity, deadlines: Deadlines | None) -> tuple[Derivation, ...]:
    """Returns how the hub computes the fields of an entity that its schema marks as computed."""
    known: list[Derivation] = [*COMPUTED, *_reopenings(entity)]
    if deadlines is not None:
        known.append(Formula("due_at", "received_at", deadlines))
        known.append(Formula("due_rule", "received_at", deadlines.rule_name))
    fields = entity.fields
    return tuple(d for d in known if d.watched in fields and d.target in fields and fields[d.target].computed)


def _reopenings(entity: Entity) -> list[Derivation]:
    """Returns what the hub notes when a status steps back to where a reopening leads, for whatever reason."""
    status = entity.fields.get("status")
    if status is None:
        return []
    rank, open_again = status.order, {after for _, after in _reopens(status)}
    steps = frozenset((b, a) for b in status.values for a in open_again if rank.get(b, 0) > rank.get(a, 0))
    return [
        StepDerivation("reopened_count", "status", steps),
        StepDerivation("review_reopened_at", "status", steps, "review_requested_at"),
    ]


def _guards(field: Field) -> tuple[str, ...]:
    """Returns the guards of a field; one that keeps the earliest value is guarded against a later one by itself."""
    return (*field.guards, "later_than_earliest") if field.policy == "min" else field.guards


def _reopens(field: Field) -> tuple[tuple[str, str], ...]:
    """Returns the transitions that step back in rank by design, so that no guard holds them."""
    rank = field.order
    steps = ((before, after) for before, follows in field.transitions.items() for after in follows)
    return tuple((before, after) for before, after in steps if rank.get(after, 0) < rank.get(before, 0))
