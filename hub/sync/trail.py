"""What the engine's acts look like in the audit log: names, keyed digests and masked nothing; never a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from hub.audit.event import Event, FieldNote
from hub.canonical.values import Value
from hub.core.plan import Action
from hub.core.state import FieldChange, Fields, GoldenRecord
from hub.store.history import value_digest
from hub.sync.engine import RunContext


def created_event(run: RunContext, golden: GoldenRecord) -> Event:
    """Returns the event of a new golden record: one digest for the whole record."""
    digest = run.ring.digest(b"record", orjson.dumps(dict(golden.fields), option=orjson.OPT_SORT_KEYS))
    return Event("golden.create", golden.entity, golden.hub_id, digest=digest.hex(), corr=run.run_id)


def changed_event(run: RunContext, golden: GoldenRecord, changes: Sequence[FieldChange]) -> Event:
    notes = tuple(_note(run, change.field, change.before, change.after) for change in changes)
    return Event("golden.change", golden.entity, golden.hub_id, fields=notes, corr=run.run_id)


def linked_event(run: RunContext, hub_id: str, system: str, certainty: str, rule: str) -> Event:
    return Event(
        "match.link", run.entity, hub_id, connection=system, code=rule or None, reason=certainty, corr=run.run_id
    )


def bound_event(run: RunContext, hub_id: str, action: Action, heir: str | None = None) -> Event:
    """Returns the event of a binding that changed hands or ended; `heir` is the record that took it over."""
    return Event(
        "binding.change",
        run.entity,
        hub_id,
        code=action.act.value,
        reason=f"{action.reason}: {heir}" if heir else action.reason,
        connection=action.system,
        corr=run.run_id,
    )


def merged_event(run: RunContext, loser: GoldenRecord, survivor: str, system: str, by: str) -> Event:
    """Returns the event of a golden record that was merged into another one, as a person had accepted."""
    digest = run.ring.digest(b"record", orjson.dumps(dict(loser.fields), option=orjson.OPT_SORT_KEYS))
    return Event(
        "golden.merge",
        loser.entity,
        loser.hub_id,
        reason=survivor,
        digest=digest.hex(),
        connection=system,
        approver=by,
        corr=run.run_id,
    )


def written_event(
    run: RunContext, hub_id: str, system: str, op: str, outcome: str, fields: Fields, *, recovered: bool = False
) -> Event:
    """Returns the event of one effective remote write, named by the fields it sent."""
    notes = tuple(_note(run, name, None, value) for name, value in sorted(fields.items()))
    reason = "recovered" if recovered else None
    return Event(
        f"remote.{op}",
        run.entity,
        hub_id,
        outcome="success" if outcome == "written" else "error",
        code=None if outcome == "written" else outcome,
        reason=reason,
        fields=notes,
        connection=system,
        corr=run.run_id,
    )


def _note(run: RunContext, name: str, before: Value, after: Value) -> FieldNote:
    known: Mapping[str, object] = run.rules.entity.fields
    klass = run.rules.entity.fields[name].klass if name in known else "-"
    shown_before = None if before is None else value_digest(run.ring, name, before).hex()
    shown_after = None if after is None else value_digest(run.ring, name, after).hex()
    return FieldNote(name, klass, shown_before, shown_after)
