"""Complaints by where they stand: open, overdue, closed without feedback; from what stands in plaintext, masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from datetime import date, timedelta

from hub.access.masking import HIDDEN
from hub.canonical.schema import Entity
from hub.core.deadlines import Deadlines, day_of, end_of
from hub.core.derive import Formula
from hub.kernel.clock import iso
from hub.kernel.errors import Declined
from hub.kernel.workdays import known_until
from hub.operations.installation import Installation
from hub.operations.permission import codes, permit, seen
from hub.store import complaints
from hub.store.complaints import ENTITY, Bounds, Filter

MOST = 1000
SOON = (5, 2, 0)
"""Days before the last one at which a complaint that is not answered is warned of; 0 is the last day itself."""
_YEARS = 3700
SHOWN = (
    "status",
    "received_at",
    "due_at",
    "due_rule",
    "extension",
    "feedback_at",
    "review_requested_at",
    "closed_at",
    "reopened_count",
    "priority",
    "branch_code",
    "staff_no",
)


@dataclass(frozen=True, slots=True)
class ComplaintView:
    """Is one complaint in a list; `overdue` says that it is open, unanswered and past its due date.

    `days_left` counts to that date while it is open and unanswered; `review_due_at` is set while a review is undecided.
    """

    hub_id: str
    overdue: bool
    closed_without_feedback: bool
    days_left: int | None
    review_due_at: str | None
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
    due_within: int | None = None,
    reviews: bool = False,
    branch: str | None = None,
    limit: int = 100,
) -> ComplaintList:
    """Returns complaints that meet every condition, the first due first. Raises NotFound and Declined."""
    if not 1 <= limit <= MOST:
        raise Declined(f"--limit takes 1 to {MOST}", f"--limit 的取值为 1 至 {MOST}")
    if due_within is not None and not 0 <= due_within <= MOST:
        raise Declined(f"--due-within takes 0 to {MOST} days", f"--due-within 的取值为 0 至 {MOST} 天")
    entity, now = hub.entity_rules(ENTITY).entity, iso(hub.clock.now())
    going = going_of(entity)
    near = codes(hub, "complaint.read", ENTITY)
    due = None if due_within is None else (now, _soon(now, due_within))
    late = now if overdue else None
    asked = Filter(going, open, late, closed_without_feedback, branch, near, due, reviews)
    table = _table(hub)
    with hub.store.read() as conn:
        found = complaints.listing(conn, asked, limit + 1)
        counted = complaints.counts(conn, going, _bounds(hub, now), near)
    views = tuple(_view(hub, entity, row.hub_id, row.facets, going, now, table) for row in found[:limit])
    return ComplaintList(views, len(found) > limit, _shown(hub, counted), _calendar_until(hub))


@permit("status.read")
def counts(hub: Installation) -> Mapping[str, int]:
    """Returns how many complaints are open, overdue, soon due, closed without feedback, reopened, or under review.

    Empty where complaints are not synchronised. `past_calendar` counts open ones whose due date lies in a year without
    published holidays, and is left out where no due date counts working days.
    """
    rules = hub.rules.get(ENTITY)
    if rules is None:
        return {}
    with hub.store.read() as conn:
        found = complaints.counts(conn, going_of(rules.entity), _bounds(hub, iso(hub.clock.now())))
    return _shown(hub, found)


def _shown(hub: Installation, counted: Mapping[str, int]) -> Mapping[str, int]:
    skipped = set() if _calendar_until(hub) is not None else {"past_calendar"}
    return {name: number for name, number in counted.items() if name not in skipped}


def _bounds(hub: Installation, now: str) -> Bounds:
    soon = {f"due_within_{days}": _soon(now, days) for days in SOON}
    return Bounds(now, end_of(date(known_until(), 12, 31)), soon, _reviews_by(_table(hub), now))


def _soon(now: str, days: int) -> str:
    return end_of(day_of(now) + timedelta(days=days))


def _reviews_by(table: Deadlines | None, now: str) -> str | None:
    """Returns the last instant at which a review that is late by now was requested."""
    if table is None:
        return None
    today = day_of(now)
    for back in range(_YEARS):
        asked = end_of(today - timedelta(days=back))
        due = table.review_due_at(asked)
        if due is None or due < now:
            return None if due is None else asked
    return None


def going_of(entity: Entity) -> tuple[str, ...]:
    """Returns the statuses of an open complaint: all but those of the highest rank."""
    rank = entity.fields["status"].order
    last = max(rank.values())
    return tuple(status for status in entity.fields["status"].values if rank[status] < last)


def _calendar_until(hub: Installation) -> int | None:
    table = _table(hub)
    return known_until() if table is not None and table.counts_working_days else None


def _table(hub: Installation) -> Deadlines | None:
    for rule in hub.entity_rules(ENTITY).policy.derivations:
        if isinstance(rule, Formula) and isinstance(rule.compute, Deadlines):
            return rule.compute
    return None


def _view(
    hub: Installation,
    entity: Entity,
    hub_id: str,
    facets: Mapping[str, object],
    going: tuple[str, ...],
    now: str,
    table: Deadlines | None,
) -> ComplaintView:
    status, due, answered = (facets.get(name) for name in ("status", "due_at", "feedback_at"))
    waits = due if status in (*going, None) and answered is None and isinstance(due, str) else None
    left = None if waits is None else (day_of(waits) - day_of(now)).days
    unanswered = status == complaints.CLOSED and answered is None
    shown = {name: _masked(hub, entity, name, facets.get(name)) for name in SHOWN if name in entity.fields}
    late = waits is not None and waits < now
    return ComplaintView(hub_id, late, unanswered, left, _review_due_at(facets, table), shown)


def _review_due_at(facets: Mapping[str, object], table: Deadlines | None) -> str | None:
    asked, held = facets.get("review_requested_at"), facets.get("reviewed_at")
    if table is None or not isinstance(asked, str) or (isinstance(held, str) and held >= asked):
        return None
    return table.review_due_at(asked)


def _masked(hub: Installation, entity: Entity, name: str, value: object) -> str:
    if value is None or isinstance(value, str | int):
        return seen(hub, entity.fields[name], value)
    return HIDDEN
