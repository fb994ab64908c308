"""Complaints by where they stand: open, overdue, closed without feedback; from what stands in plaintext, masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from datetime import date

from hub.access.masking import HIDDEN
from hub.canonical.schema import Entity
from hub.core.deadlines import Deadlines, end_of
from hub.core.derive import Formula
from hub.kernel.clock import iso
from hub.kernel.errors import Declined
from hub.kernel.workdays import known_until
from hub.operations.installation import Installation
from hub.operations.permission import codes, permit, seen
from hub.store import complaints
from hub.store.complaints import ENTITY, Filter

MOST = 1000
SHOWN = (
    "status",
    "received_at",
    "due_at",
    "extension",
    "feedback_at",
    "closed_at",
    "reopened_count",
    "priority",
    "branch_code",
    "staff_no",
)


@dataclass(frozen=True, slots=True)
class ComplaintView:
    """Is one complaint in a list; `overdue` says that it is open, unanswered and past its due date."""

    hub_id: str
    overdue: bool
    closed_without_feedback: bool
    fields: Mapping[str, str] = attribute(repr=False)


@dataclass(frozen=True, slots=True)
class ComplaintList:
    """Is one answer: at most `limit` complaints, whether there are `more`, and the counts over all of them.

    `calendar_until` is the last year whose holidays are known where a due date depends on working days, else None.
    """

    complaints: tuple[ComplaintView, ...]
    more: bool
    counts: Mapping[str, int]
    calendar_until: int | None


@permit("complaint.read")
def list_complaints(
    hub: Installation,
    *,
    open: bool = False,
    overdue: bool = False,
    closed_without_feedback: bool = False,
    branch: str | None = None,
    limit: int = 100,
) -> ComplaintList:
    """Returns complaints that meet every condition, the first due first. Raises NotFound and Declined."""
    if not 1 <= limit <= MOST:
        raise Declined(f"--limit takes 1 to {MOST}", f"--limit 的取值为 1 至 {MOST}")
    entity, now = hub.entity_rules(ENTITY).entity, iso(hub.clock.now())
    going = _going(entity)
    near = codes(hub, "complaint.read", ENTITY)
    asked = Filter(going, open, now if overdue else None, closed_without_feedback, branch, near)
    with hub.store.read() as conn:
        found = complaints.listing(conn, asked, limit + 1)
        counted = complaints.counts(conn, going, now, _horizon(), near)
    views = tuple(_view(hub, entity, row.hub_id, row.facets, going, now) for row in found[:limit])
    return ComplaintList(views, len(found) > limit, _shown(hub, counted), _calendar_until(hub))


@permit("status.read")
def counts(hub: Installation) -> Mapping[str, int]:
    """Returns how many complaints are open, overdue, closed without feedback, reopened, and due past the calendar.

    Empty where complaints are not synchronised. `past_calendar` counts open ones whose due date lies in a year without
    published holidays, and is left out where no due date counts working days.
    """
    rules = hub.rules.get(ENTITY)
    if rules is None:
        return {}
    with hub.store.read() as conn:
        found = complaints.counts(conn, _going(rules.entity), iso(hub.clock.now()), _horizon())
    return _shown(hub, found)


def _shown(hub: Installation, counted: Mapping[str, int]) -> Mapping[str, int]:
    skipped = set() if _calendar_until(hub) is not None else {"past_calendar"}
    return {name: number for name, number in counted.items() if name not in skipped}


def _going(entity: Entity) -> tuple[str, ...]:
    """Returns the statuses of an open complaint: all but those of the highest rank."""
    rank = entity.fields["status"].order
    last = max(rank.values())
    return tuple(status for status in entity.fields["status"].values if rank[status] < last)


def _calendar_until(hub: Installation) -> int | None:
    for rule in hub.entity_rules(ENTITY).policy.derivations:
        if isinstance(rule, Formula) and isinstance(rule.compute, Deadlines) and rule.compute.counts_working_days:
            return known_until()
    return None


def _horizon() -> str:
    return end_of(date(known_until(), 12, 31))


def _view(
    hub: Installation, entity: Entity, hub_id: str, facets: Mapping[str, object], going: tuple[str, ...], now: str
) -> ComplaintView:
    status, due, answered = (facets.get(name) for name in ("status", "due_at", "feedback_at"))
    late = status in (*going, None) and answered is None and isinstance(due, str) and due < now
    unanswered = status == complaints.CLOSED and answered is None
    shown = {name: _masked(hub, entity, name, facets.get(name)) for name in SHOWN if name in entity.fields}
    return ComplaintView(hub_id, late, unanswered, shown)


def _masked(hub: Installation, entity: Entity, name: str, value: object) -> str:
    if value is None or isinstance(value, str | int):
        return seen(hub, entity.fields[name], value)
    return HIDDEN
