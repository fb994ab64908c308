"""Faults that a memory system injects, scripted or drawn from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from threading import Lock
from typing import NoReturn


class Killed(BaseException):
    """Stands for the death of the process at a call boundary; nothing may catch it but a test."""


class FaultKind(StrEnum):
    """Names what goes wrong.

    BEFORE_EFFECT   a read fails with RetryLater; every row of a write is Unknown and none was applied
    AFTER_EFFECT    every row of a write was applied as far as accepted and is Unknown
    PARTIAL_BATCH   of a write's rows, a seeded part is answered truly, the others are Unknown, applied or not
    DUPLICATE       a page carries rows twice
    REORDER         a page's rows come in another order
    STALE           a change page shows rows as they were within the visibility lag
    TRUNCATED       an enumeration ends early and says that it is complete
    """

    BEFORE_EFFECT = "before_effect"
    AFTER_EFFECT = "after_effect"
    PARTIAL_BATCH = "partial_batch"
    RETRY_LATER = "retry_later"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    AUTH_REJECTED = "auth_rejected"
    CURSOR_EXPIRED = "cursor_expired"
    PROTOCOL = "protocol"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    STALE = "stale"
    TRUNCATED = "truncated"
    KILL_BEFORE = "kill_before"
    KILL_AFTER = "kill_after"


READS = frozenset({"changes", "deletions", "fetch", "find", "list_ids", "describe", "check"})
PAGES = frozenset({"changes", "deletions"})
APPLIES: Mapping[FaultKind, frozenset[str]] = {
    FaultKind.AFTER_EFFECT: frozenset({"write"}),
    FaultKind.PARTIAL_BATCH: frozenset({"write"}),
    FaultKind.CURSOR_EXPIRED: frozenset({"changes", "deletions", "list_ids"}),
    FaultKind.DUPLICATE: PAGES,
    FaultKind.REORDER: PAGES,
    FaultKind.STALE: frozenset({"changes"}),
    FaultKind.TRUNCATED: frozenset({"list_ids"}),
}
_ANYWHERE = READS | {"write"}


@dataclass(slots=True)
class Fault:
    """Is one scripted fault: it strikes from the `nth` matching call on, `times` times."""

    kind: FaultKind
    operation: str = "*"
    nth: int = 1
    times: int = 1

    def strikes(self, operation: str) -> bool:
        """Counts a call and tells whether the fault hits it."""
        if self.times <= 0 or operation not in APPLIES.get(self.kind, _ANYWHERE):
            return False
        if self.operation not in ("*", operation):
            return False
        self.nth -= 1
        if self.nth > 0:
            return False
        self.times -= 1
        return True


class Faults:
    """Decides for every call which fault strikes it; the same seed and calls give the same faults.

    `boundaries` counts call boundaries passed (one before and one after each call), so that a test can first count
    them and then kill at each.
    """

    def __init__(self, seed: int = 0, rates: Mapping[FaultKind, float] | None = None) -> None:
        self.rng = Random(seed)
        self.rates: dict[FaultKind, float] = dict(rates or {})
        self.scripted: list[Fault] = []
        self.boundaries = 0
        self._kill_at: int | None = None
        self._lock = Lock()

    def inject(self, kind: FaultKind | str, operation: str = "*", nth: int = 1, times: int = 1) -> None:
        """Scripts a fault for the `nth` matching call from now."""
        with self._lock:
            self.scripted.append(Fault(FaultKind(kind), operation, nth, times))

    def kill_at(self, boundary: int | None) -> None:
        """Kills at the given call boundary, counted from 1 on; None takes it back."""
        with self._lock:
            self.boundaries = 0
            self._kill_at = boundary

    def off(self) -> None:
        """Ends every fault."""
        with self._lock:
            self.rates.clear()
            self.scripted.clear()
            self._kill_at = None

    def strike(self, operation: str) -> FaultKind | None:
        """Returns the fault that hits this call, or None."""
        with self._lock:
            for fault in self.scripted:
                if fault.strikes(operation):
                    return fault.kind
            for kind, rate in self.rates.items():
                if operation in APPLIES.get(kind, _ANYWHERE) and self.rng.random() < rate:
                    return kind
            return None

    @staticmethod
    def die(operation: str) -> NoReturn:
        """Raises Killed."""
        raise Killed(operation)

    def boundary(self, operation: str) -> None:
        """Passes a call boundary. Raises Killed where one was asked for."""
        with self._lock:
            self.boundaries += 1
            killed = self.boundaries == self._kill_at
            if killed:
                self._kill_at = None
        if killed:
            self.die(operation)
