"""Follows records that changed their place in a system, so that what points at them there points at the new place.

A place changes when a record was merged into an unbound one, or is created anew after it was deleted. Where the vendor
re-points by itself the children show the new place, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hub.core.base import settle_base
from hub.core.state import HUB, UNSET, Base, BaseField, Binding, GoldenRecord, Kind, Observation
from hub.store import inbox, records, references
from hub.store.unit_of_work import UnitOfWork
from hub.sync.engine import RunContext

MOVED = "moved:"
"""Begins the object under which the inbox notes that a parent moved; the name of the system follows."""
Moved = tuple[str, Binding]
"""Is the hub id of a record and its binding as it stood before the move."""


def moved_place(before: Binding, after: Binding) -> bool:
    """Tells whether a record left its place in a system."""
    return before.native_id is not None and after.native_id != before.native_id


def follow(run: RunContext, work: UnitOfWork, moved: Sequence[Moved]) -> None:
    """Keeps the places that were left, and notes at the children there that their parent moved.

    A child's own next cycle takes the note in, under its own lease.
    """
    left = [(hub_id, bound.system, (str(bound.object), str(bound.native_id))) for hub_id, bound in moved]
    references.leave(work, left)
    for system in sorted({bound.system for _, bound in moved}):
        hub_ids = [hub_id for hub_id, bound in moved if bound.system == system]
        pointing: dict[tuple[str, str], dict[str, str]] = {}
        for row in references.children_at(work.conn, system, hub_ids):
            pointing.setdefault((row.hub_id, row.entity), {})[row.field] = row.parent_id
        _note(run, work, MOVED + system, pointing)


def remind(run: RunContext, work: UnitOfWork, system: str, child: GoldenRecord, names: Iterable[str]) -> None:
    """Notes at a child that was taken in from a system that it shows the place which its parent had left there."""
    fields = {name: parent for name in names if isinstance(parent := child.fields.get(name), str)}
    remind_of(run, work, system, {(child.hub_id, child.entity): fields})


def remind_of(
    run: RunContext, work: UnitOfWork, system: str, pointing: Mapping[tuple[str, str], Mapping[str, str]]
) -> None:
    """Notes at children, by (hub id, entity), which references show a place in a system that their parent left."""
    _note(run, work, MOVED + system, pointing)


def _note(
    run: RunContext, work: UnitOfWork, object_: str, pointing: Mapping[tuple[str, str], Mapping[str, str]]
) -> None:
    children = sorted(hub_id for hub_id, _ in pointing)
    if not children:
        return
    subjects = records.load_subjects(work.conn, run.ring, children)
    noted = inbox.by_native(work.conn, HUB, object_, children)
    rows = []
    for (hub_id, entity), fields in pointing.items():
        stood = inbox.open_row(run.ring, noted[hub_id]).fields if hub_id in noted else {}
        made = Observation(work.new_id(), entity, HUB, object_, hub_id, Kind.EDIT, {**stood, **fields})
        rows.append(inbox.seal_row(run.ring, made, hub_id, subjects[hub_id], run.run_id, work.now))
    inbox.consume(work, [row.obs_id for row in noted.values()])
    inbox.stage(work, rows)
    run.tally.add("repointed", len(rows))


def is_move(item: Observation) -> bool:
    return item.kind is Kind.EDIT and item.object.startswith(MOVED)


def strayed_by(system: str, seen: Iterable[Observation], base: Base | None, golden: GoldenRecord) -> frozenset[str]:
    """Returns the references of a side that still name the place which their parent left."""
    found: set[str] = set()
    for item in seen:
        if is_move(item) and item.object == MOVED + system:
            found.update(name for name, parent in item.fields.items() if _stood(base, golden, name) == parent)
    return frozenset(found)


def _stood(base: Base | None, golden: GoldenRecord, name: str) -> object:
    if base is None:
        return golden.fields.get(name)
    known = base.get(name)
    return None if known is None else known.last_known()


def stray(base: Base | None, golden: GoldenRecord, mapped: frozenset[str], names: frozenset[str]) -> Base | None:
    """Returns a base in which nothing is agreed about these references, so that the golden ones are owed again."""
    here = names & mapped
    return settle_base(base, golden, mapped, {name: BaseField(UNSET, UNSET) for name in here}) if here else base
