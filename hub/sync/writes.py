"""What a plan makes of a stored record: its golden fields, its bindings and what is agreed in each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from hub.core.state import Kind, Side
from hub.store.records import Write
from hub.sync.batch import Outcome
from hub.sync.engine import RunContext
from hub.sync.heirs import given_up, place_of
from hub.sync.parts import missing_parts


def write_of(run: RunContext, outcome: Outcome, taken: Collection[tuple[str, str, str]]) -> Write:
    """Returns the record as its plan leaves it, with its bindings and their bases."""
    plan = outcome.plan
    bindings = tuple(
        replace(
            given_up(planned.binding, plan.golden) if place_of(planned.binding) in taken else planned.binding,
            agreed_revision=plan.golden.revision,
            mapping_version=_mapped_by(run, side, planned.binding.mapping_version),
        )
        for side, planned in zip(outcome.snapshot.sides, plan.sides, strict=True)
    )
    untouched = outcome.before.bindings if outcome.before else ()
    moved = {item.binding_id for item in bindings}
    others = tuple(item for item in untouched if item.binding_id not in moved)
    bases = {side.binding.binding_id: side.base for side in plan.sides}
    if outcome.before:
        bases |= {item.binding_id: outcome.before.bases.get(item.binding_id) for item in others}
    facets = run.rules.facets(plan.golden.fields)
    bindings += others
    bindings += missing_parts(run, plan.golden, bindings)
    return Write(outcome.before, plan.golden, bindings, bases, facets, run.rules.pointers)


def _mapped_by(run: RunContext, side: Side, before: str | None) -> str | None:
    """Returns the mapping under which a base stands: the present one as soon as the record was seen through it."""
    seen = side.observation
    return run.links[side.system].mapping.version if seen is not None and seen.kind is Kind.UPSERT else before
