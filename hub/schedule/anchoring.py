"""The audit log as the daemon keeps it: signed every minute while it grows, carried to the sinks, verified hourly."""

from __future__ import annotations

import threading
from collections.abc import Callable

from structlog.stdlib import BoundLogger

from hub.kernel.clock import Clock
from hub.kernel.errors import HubError
from hub.operations import anchoring, auditing, checkpointing
from hub.operations.installation import Installation
from hub.schedule.jobs import Launch
from hub.schedule.metrics import Meters
from hub.telemetry import logger

HOUR, WEEK = 3600.0, 7 * 86_400.0
"""Seconds between two verifications of the newest rows, and of all rows."""
REFUSED = "audit_refused"


def log() -> BoundLogger:
    """Returns the logger of this room as it is configured now."""
    return logger("audit")


class Anchoring:
    """Signs, carries and verifies for one daemon, beside its ticking: sinks may be slow, a whole log is long."""

    def __init__(self, clock: Clock, launch: Launch, meters: Meters) -> None:
        self._clock, self._launch, self._meters = clock, launch, meters
        self._looked_at: float | None = None
        self._signed_at: float | None = None
        self._size: tuple[int, int] | None = None
        self._said: str | None = None
        self._idle = threading.Event()
        self._idle.set()
        self.alarms: tuple[str, ...] = ()

    @property
    def busy(self) -> bool:
        """Tells whether the store is being read or a sink spoken to; the hub must stay open for that."""
        return not self._idle.is_set()

    def wait(self, seconds: float) -> None:
        """Waits until nothing is going on."""
        self._idle.wait(seconds)

    def keep(self, hub: Installation, now: float) -> None:
        """Looks after the log once a minute."""
        if self.busy or _fresh(self._looked_at, now, hub.settings.audit.checkpoint_seconds):
            return
        self._looked_at = now
        self._idle.clear()
        self._launch(lambda: self._keep(hub, now))

    def _keep(self, hub: Installation, now: float) -> None:
        try:
            refused = self._try("audit_not_signed", lambda: self._sign(hub, now))
            self._try("audit_not_carried", lambda: anchoring.deliver(hub))
            self._try("audit_not_verified", lambda: self._verify(hub, now))
            found = anchoring.standing(hub)
            self.alarms = (*found.alarms, *((REFUSED,) if refused else ()))
            self._meters.audit(found, self.alarms)
        except Exception as error:  # noqa: BLE001 - the next look finds it again; the store's own loss is told elsewhere
            log().error("audit_not_kept", exc_info=error)
        finally:
            self._idle.set()

    def _try(self, what: str, act: Callable[[], object]) -> bool:
        """Does one step; what fails is said once, and whether it did is returned."""
        try:
            act()
        except HubError as error:
            if self._said != error.code:
                log().error(what, code=error.code, message=error.en)
            self._said = error.code
            return True
        return False

    def _sign(self, hub: Installation, now: float) -> None:
        found = anchoring.standing(hub)
        grown = (found.epoch, found.size) != self._size
        if not grown and _fresh(self._signed_at, now, hub.settings.audit.idle_seconds):
            return
        made = checkpointing.make_checkpoint(hub)
        if made is not None:
            self._signed_at, self._size, self._said = now, (found.epoch, found.size), None

    def _verify(self, hub: Installation, now: float) -> None:
        last = anchoring.standing(hub).verified
        if last is not None and _fresh(last.at, now, HOUR):
            return
        full = last is None or not last.ok or not _fresh(last.full_at, now, WEEK)
        report = auditing.examine(hub, full=full)
        words = {"rows": report.rows, "anchors": report.anchors, "full": report.full}
        if report.findings:
            first = report.findings[0]
            log().critical("audit_broken", **words, fault=str(first.fault), epoch=first.epoch, row=first.row)
        else:
            log().info("audit_verified", **words)


def _fresh(at: float | None, now: float, seconds: float) -> bool:
    return at is not None and 0 <= now - at < seconds
