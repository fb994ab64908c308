"""One golden record with everything around it, and what it went through; values masked unless a reason is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as attribute

from hub.access.authorize import OPEN_CLASSES
from hub.access.changes import how_changed
from hub.access.masking import HIDDEN, show
from hub.audit.event import Event
from hub.canonical.schema import Field
from hub.canonical.values import Value
from hub.core.state import HUB, Binding
from hub.kernel.errors import Declined, Text
from hub.operations.choice import no_record
from hub.operations.installation import Installation
from hub.operations.permission import permit, require, require_record, seen
from hub.store import history, inbox, matches, merges, quarantine, questions, records
from hub.store.merges import Merged
from hub.store.quarantine import Held
from hub.store.records import Stored


@dataclass(frozen=True, slots=True)
class FieldView:
    """Is one field of a golden record; `origin` is who last wrote it, `frozen` that it waits for a person."""

    name: str
    label: Text
    klass: str
    origin: str
    frozen: bool
    value: str = attribute(repr=False)


@dataclass(frozen=True, slots=True)
class BindingView:
    """Is a record's place in one system; `owed` says that a write is due there."""

    system: str
    object: str | None
    native_id: str | None
    state: str
    owed: bool


@dataclass(frozen=True, slots=True)
class RecordView:
    hub_id: str
    entity: str
    state: str
    revision: int
    revealed: bool
    fields: tuple[FieldView, ...]
    bindings: tuple[BindingView, ...]
    questions: tuple[tuple[str, str, str], ...]
    """(kind, id, field) of what waits for a person."""
    quarantine: tuple[Held, ...]
    staged: tuple[str, ...]
    """Fields of an edit that the next cycle takes in."""
    merges: tuple[Merged, ...] = ()
    """Merges in which this record ended, or took others in."""

    @property
    def heir(self) -> str | None:
        """Returns the record that stands for this one, where it was merged away."""
        return next((item.heir_id for item in self.merges if item.loser_id == self.hub_id), None)


@dataclass(frozen=True, slots=True)
class ChangeView:
    """Is one entry of a timeline; `at` is epoch seconds."""

    at: float
    field: str
    revision: int
    origin: str
    run_id: str
    before: str = attribute(repr=False)
    after: str = attribute(repr=False)
    losers: tuple[tuple[str, str], ...] = attribute(repr=False)
    how: Text
    """What was done to the value, without showing it."""


@dataclass(frozen=True, slots=True)
class LinkView:
    """Is one decision about who is who: `rule` is the evidence, `decided_by` the hub or a person."""

    at: float
    system: str
    native_id: str
    certainty: str
    rule: str
    decided_by: str


@permit("record.read")
def show_record(hub: Installation, hub_id: str, reveal: str | None = None) -> RecordView:
    """Returns a golden record, masked; `reveal` is the reason to see it whole, audited before anything is shown."""
    with hub.store.read() as conn:
        stored = records.load(conn, hub.store.ring, [hub_id]).get(hub_id)
        if stored is None:
            raise no_record(hub_id)
        require_record(hub, "record.read", stored.golden)
        frozen = questions.frozen_fields(conn, [hub_id]).get(hub_id, frozenset())
        asked = tuple(
            (kind, item.id, item.field)
            for kind in ("conflict", "hold")
            for item in questions.load(conn, hub.store.ring, kind, hub_ids=[hub_id])
        )
        held = tuple(row for row in quarantine.listing(conn, stored.golden.entity) if row.hub_id == hub_id)
        edit = inbox.by_native(conn, HUB, stored.golden.entity, [hub_id]).get(hub_id)
        staged = () if edit is None else tuple(sorted(inbox.open_row(hub.store.ring, edit).fields))
        joined = tuple(merges.of_record(conn, hub_id))
    _audit_reveal(hub, stored, reveal)
    golden = stored.golden
    return RecordView(
        hub_id,
        golden.entity,
        golden.state.value,
        golden.revision,
        reveal is not None,
        tuple(_fields(hub, stored, frozen, reveal is not None)),
        tuple(_binding(item) for item in stored.bindings),
        asked,
        held,
        staged,
        joined,
    )


def _audit_reveal(hub: Installation, stored: Stored, reason: str | None) -> None:
    if reason is None:
        return
    require(hub, "record.unmask")
    if not reason.strip():
        raise Declined("to reveal values, give a reason: --reason TEXT", "查看明文须填写原因：--reason 文本")
    with hub.store.begin() as work:
        work.audit(Event("record.reveal", stored.golden.entity, stored.golden.hub_id, reason=reason))


def _fields(hub: Installation, stored: Stored, frozen: frozenset[str], whole: bool) -> list[FieldView]:
    entity, golden = hub.schema.entity(stored.golden.entity), stored.golden
    found = []
    for name, item in entity.fields.items():
        value = golden.fields.get(name)
        if value is not None or name in frozen:
            shown = _text(hub, item, value, whole)
            found.append(FieldView(name, item.label, item.klass, golden.origin(name), name in frozen, shown))
    return found


def _binding(item: Binding) -> BindingView:
    return BindingView(item.system, item.object, item.native_id, item.state.value, item.dirty)


@permit("record.read")
def show_timeline(
    hub: Installation, hub_id: str, reveal: str | None = None
) -> tuple[tuple[LinkView, ...], tuple[ChangeView, ...], tuple[Merged, ...]]:
    """Returns how a record was linked, every change of its fields and every merge, oldest first."""
    with hub.store.read() as conn:
        stored = records.load(conn, hub.store.ring, [hub_id]).get(hub_id)
        if stored is None:
            raise no_record(hub_id)
        require_record(hub, "record.read", stored.golden)
        past = history.timeline(conn, hub.store.ring, hub_id)
        joined = tuple(merges.of_record(conn, hub_id))
        links = [
            LinkView(row.decided_at, row.system, row.native_id, row.certainty, row.rule, row.decided_by)
            for bound in stored.bindings
            if bound.native_id is not None
            for row in matches.decisions(conn, bound.entity, bound.system, bound.native_id)
            if row.hub_id == hub_id
        ]
    _audit_reveal(hub, stored, reveal)
    fields: Mapping[str, Field] = hub.schema.entity(stored.golden.entity).fields
    whole = reveal is not None
    changes = tuple(
        ChangeView(
            item.at,
            item.field,
            item.revision,
            item.origin,
            item.run_id,
            _text(hub, fields.get(item.field), item.before, whole),
            _text(hub, fields.get(item.field), item.after, whole),
            tuple((origin, _text(hub, fields.get(item.field), value, whole)) for origin, value in item.losers),
            how_changed(item.before, item.after),
        )
        for item in past
    )
    return tuple(sorted(links, key=lambda link: link.at)), changes, joined


def _text(hub: Installation, field: Field | None, value: Value, whole: bool) -> str:
    """Returns a value as who asks sees it; what the schema does not know any more counts as class C3."""
    if field is None:
        return HIDDEN
    return show(value) if whole and field.klass in OPEN_CLASSES else seen(hub, field, value)
