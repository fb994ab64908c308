"""What makes everything wait: a lost store, a full disk, a key that cannot be read; tried again with growing gaps."""

from __future__ import annotations

from dataclasses import dataclass

from hub.kernel.errors import AuditUnavailable, HubError, KeyUnusable, StoreTooNew, StoreUnavailable

FIRST, LONGEST = 5.0, 300.0
DISK, STORE, KEYS, SETTINGS, AUDIT = "disk", "store", "keys", "settings", "audit"
BROKEN = "last row of the audit log"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Is one wait; instants in epoch seconds. `said` is what is logged, once."""

    cause: str
    code: str
    said: str
    since: float
    retry_at: float
    attempts: int = 0

    def again(self, now: float) -> Waiting:
        """Returns the wait after another attempt in vain, twice as patient up to five minutes."""
        gap = min(LONGEST, FIRST * 2 ** min(self.attempts + 1, 10))
        return Waiting(self.cause, self.code, self.said, self.since, now + gap, self.attempts + 1)

    def due(self, now: float) -> bool:
        """Tells whether to try again; a clock that was set back does not make the wait longer."""
        return now >= self.retry_at or self.retry_at - now > LONGEST


def cause_of(error: BaseException) -> str | None:
    """Returns what must wait for an error to pass, None for one that concerns a single cycle."""
    if isinstance(error, KeyUnusable):
        return KEYS
    if isinstance(error, StoreUnavailable | AuditUnavailable):
        # The store says which it is; all wait alike, the word is for the person who is called at night.
        if "disk" in error.en:
            return DISK
        return AUDIT if BROKEN in error.en else STORE
    return STORE if isinstance(error, StoreTooNew) else None


def begin(cause: str, error: HubError, now: float) -> Waiting:
    """Returns a fresh wait."""
    return Waiting(cause, error.code, error.en, now, now + FIRST)
