"""Two kinds of stop: field guards keep one forbidden change back, mass guards keep a whole batch from being written."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from hub.canonical.values import Value
from hub.core.deadlines import within
from hub.core.policy import FieldRule
from hub.core.state import Fields

MASK_MARKS: Final = ("**", "＊＊", "•••")
REVIEW_DAYS: Final = 30
"""A review of a complaint may be requested within so many days of the answer."""


def forbid(rule: FieldRule, before: Value, after: Value, record: Fields) -> str | None:
    """Returns the name of the guard that forbids changing the field one-sidedly from `before` to `after`, or None."""
    return next((name for name in rule.guards if _GUARDS[name](rule, before, after, record)), None)


def _consent_loosened(rule: FieldRule, before: Value, after: Value, record: Fields) -> bool:
    ranks = rule.ranks or {}
    return before is not None and ranks.get(str(after), -1) < ranks.get(str(before), -1)


def _status_back(rule: FieldRule, before: Value, after: Value, record: Fields) -> bool:
    if before is None or (str(before), str(after)) in rule.reopens:
        return False
    ranks = rule.ranks or {}
    if ranks.get(str(after), -1) >= ranks.get(str(before), -1):
        return False
    resumed = any(str(after) == target for _, target in rule.reopens)
    return not (resumed and _review_stands(record))


def _review_stands(record: Fields) -> bool:
    """Tells whether a review was requested in time after the answer, and neither held nor made use of since.

    A request is spent by the step back that it opened: `review_reopened_at` keeps which one that was.
    """
    answered, asked, held = (record.get(n) for n in ("feedback_at", "review_requested_at", "reviewed_at"))
    if not isinstance(answered, str) or not isinstance(asked, str) or asked == record.get("review_reopened_at"):
        return False
    if isinstance(held, str) and within(asked, held):
        return False
    return within(answered, asked, REVIEW_DAYS)


def _later_than_earliest(rule: FieldRule, before: Value, after: Value, record: Fields) -> bool:
    if before is None:
        return False
    if isinstance(before, int) and isinstance(after, int):
        return after > before
    return after is None or str(after) > str(before)


def _later_without_extension(rule: FieldRule, before: Value, after: Value, record: Fields) -> bool:
    if before is None:
        return False
    return (after is None or str(after) > str(before)) and record.get("extension") in (None, "none")


def _extension_unapproved(rule: FieldRule, before: Value, after: Value, record: Fields) -> bool:
    ranks = rule.ranks or {}
    return str(after) in rule.approved and ranks.get(str(after), 0) > ranks.get(str(before), 0)


def _masked(rule: FieldRule, before: Value, after: Value, record: Fields) -> bool:
    return before is not None and isinstance(after, str) and any(mark in after for mark in MASK_MARKS)


_GUARDS: Final[Mapping[str, Callable[[FieldRule, Value, Value, Fields], bool]]] = {
    "consent_loosened": _consent_loosened,
    "status_back": _status_back,
    "later_without_extension": _later_without_extension,
    "extension_unapproved": _extension_unapproved,
    "later_than_earliest": _later_than_earliest,
    "masked": _masked,
}
FIELD_GUARDS: Final = frozenset(_GUARDS)


@dataclass(frozen=True, slots=True)
class Limits:
    """Are the thresholds of the mass guards: a batch must pass both the count and the share (0–100 %) to be stopped."""

    deletes: int = 20
    deletes_percent: float = 5.0
    changes: int = 200
    changes_percent: float = 60.0
    creates: int = 500
    creates_percent: float = 50.0
    shrink_percent: float = 20.0
    first_sync: bool = True


@dataclass(frozen=True, slots=True)
class Load:
    """Counts what one system would suffer in this batch, and what was known of it before.

    `bound` are the records bound there before the batch, `seen_changed` those of them that arrived changed, `seen_gone`
    those that arrived gone. `creates`, `updates` and `deletes` are the remote writes owed.
    """

    system: str
    bound: int
    seen_changed: int = 0
    seen_gone: int = 0
    creates: int = 0
    updates: int = 0
    deletes: int = 0
    first_sync_done: bool = True


@dataclass(frozen=True, slots=True)
class Trip:
    """Is one tripped mass guard with the number that tripped it and the number that is allowed."""

    guard: str
    system: str
    count: int
    allowed: int


EMPTIED: Final = 5
"""A system of at least this many bound records may never lose them all at once, whatever the thresholds say."""


def _allowed(count: int, percent: float, known: int) -> int:
    return max(count, math.floor(known * percent / 100))


def _allowed_losses(limits: Limits, known: int) -> int:
    allowed = _allowed(limits.deletes, limits.deletes_percent, known)
    return min(allowed, known - 1) if known >= EMPTIED else allowed


def guard_intake(load: Load, limits: Limits) -> tuple[Trip, ...]:
    """Returns the guards that keep what a system showed from reaching the golden records."""
    trips = []
    changes = _allowed(limits.changes, limits.changes_percent, load.bound)
    if load.seen_changed > changes:
        trips.append(Trip("mass_change", load.system, load.seen_changed, changes))
    deletes = _allowed_losses(limits, load.bound)
    if load.seen_gone > deletes:
        trips.append(Trip("mass_gone", load.system, load.seen_gone, deletes))
    return tuple(trips)


def guard_writes(load: Load, limits: Limits) -> tuple[Trip, ...]:
    """Returns the guards that keep what is owed to a system from being written."""
    trips = []
    owed = load.creates + load.updates + load.deletes
    if limits.first_sync and not load.first_sync_done and owed:
        trips.append(Trip("first_sync", load.system, owed, 0))
    deletes = _allowed_losses(limits, load.bound)
    if load.deletes > deletes:
        trips.append(Trip("mass_delete", load.system, load.deletes, deletes))
    if load.first_sync_done:
        creates = _allowed(limits.creates, limits.creates_percent, load.bound)
        if load.creates > creates:
            trips.append(Trip("mass_create", load.system, load.creates, creates))
        updates = _allowed(limits.changes, limits.changes_percent, load.bound)
        if load.updates > updates:
            trips.append(Trip("mass_update", load.system, load.updates, updates))
    return tuple(trips)


def guard_listing(known: int, listed: int, missing: int, limits: Limits) -> str | None:
    """Returns why a complete listing must not be believed about what it lacks: `empty`, `shrank` or None."""
    if known and not listed:
        return "empty"
    if missing > _allowed(limits.deletes, limits.shrink_percent, known):
        return "shrank"
    return None
