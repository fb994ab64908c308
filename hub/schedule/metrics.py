"""What the daemon counts, in a registry of its own; labels are names of entities, systems and codes only."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from hub.operations.anchoring import AuditStanding
from hub.operations.progress import Progress
from hub.operations.standing import Allowed
from hub.schedule.jobs import Done
from hub.store.callbacks import ChannelRow
from hub.store.schedules import Pause, Schedule
from hub.sync.cycle import Standing

_SECONDS = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400)
_PHASES = {"pull": "read", "push": "written", "reconcile": "compared", "merge": "merged"}
CAUSES = ("store", "disk", "keys", "settings", "audit")
AUDIT_ALARMS = ("audit_broken", "audit_refused", "audit_sink_late")


class Meters:
    """Keeps the metrics of one daemon."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"crmhub_{name}", text, labels, registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"crmhub_{name}", text, labels, registry=registry)

        self._cycles = counter("cycles", "Cycles and slices that ended", "entity", "act", "outcome")
        self._seconds = Histogram(
            "crmhub_cycle_seconds",
            "How long they took",
            ("entity", "act"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._records = counter("records", "Records read, compared and written", "entity", "system", "act")
        self._written = counter("records_written", "Records written", "entity", "act")
        self._debts = gauge("debts", "Writes that a system is owed", "entity", "system", "act")
        self._queue = gauge("queue_depth", "Observations not yet merged", "entity")
        self._questions = gauge("waiting_questions", "What waits for a person", "entity", "kind")
        self._quarantine = gauge("quarantined", "Records held out", "entity", "system", "code")
        place = ("entity", "system", "object")
        self._done = gauge("backfill_done", "Records a first load has read, or created where object is empty", *place)
        self._remaining = gauge("backfill_remaining", "Records before it, absent while nobody knows", *place)
        self._left = gauge("backfill_seconds_left", "Time left at the pace of the last minutes, or absent", *place)
        self._guards = gauge("guards_tripped", "Mass-change guards that stopped a batch", "entity", "system", "guard")
        self._converged = gauge("last_converged_timestamp_seconds", "When an entity last converged", "entity")
        self._paused = gauge("paused", "1 for every pause", "scope", "cause")
        self._waiting = gauge("waiting", "1 while everything waits for this cause", "cause")
        self._lag = gauge("schedule_lag_seconds", "How long a schedule is overdue", "entity", "act", "system")
        self._missed = gauge("schedule_missed", "Starts that one catch-up stood for", "entity", "act", "system")
        self._calls = counter("calls", "Calls that left", "system")
        self._leading = gauge("leading", "1 while this process steers by the schedules, 0 while it stands by")
        self._shares = counter(
            "shares_records", "Records read and written in shares of anybody's runs", "system", "act"
        )
        window = ("system", "unit")
        self._window_used = gauge("allowance_used", "Units of a vendor's rolling window that are used", *window)
        self._window_left = gauge("allowance_left", "Units of it that are left", *window)
        self._window_kept = gauge("allowance_reserve", "Units of it that are kept for people", *window)
        self._callbacks = counter("callbacks", "Calls that came in, by what became of them", "system", "outcome")
        self._channels = gauge("channel_expires_timestamp_seconds", "When a channel ends unless renewed", "system")
        self._complaints = gauge("complaints", "Complaints by where they stand", "state")
        self._unanchored = gauge("audit_unanchored", "1 while no anchor of the audit log is kept outside the store")
        self._signed = gauge("audit_signed_timestamp_seconds", "When a checkpoint of the audit log was signed last")
        self._sinks = gauge("audit_sink_lag_seconds", "How long something waits for a sink of the audit log", "sink")
        self._alarms = gauge("audit_alarm", "1 while somebody must look at the audit log", "code")
        self._ticked = gauge("last_tick_timestamp_seconds", "When the daemon last looked round")
        self._counted: dict[str, int] = {}
        self._lock = threading.Lock()

    def page(self) -> bytes:
        """Returns all of it in the text format of Prometheus."""
        with self._lock:
            return generate_latest(self.registry)

    def progress(self, entity: str, phase: str, system: str, number: int) -> None:
        """Counts records as they go by."""
        self._records.labels(entity, system, _PHASES.get(phase, phase)).inc(number)

    def leads(self, leading: bool) -> None:
        """Shows whether this process steers."""
        self._leading.set(leading)

    def share(self, act: str, system: str, number: int) -> None:
        """Counts records of shares that this process carries out."""
        self._shares.labels(system, _PHASES.get(act, act)).inc(number)

    def ended(self, done: Done) -> None:
        """Counts a job that ended."""
        job = done.job
        self._cycles.labels(job.entity, job.act, done.outcome).inc()
        self._seconds.labels(job.entity, job.act).observe(done.seconds)
        for name, number in done.counts.items():
            if name.startswith("written:"):
                self._written.labels(job.entity, name.partition(":")[2]).inc(number)

    def audit(self, found: AuditStanding, alarms: Sequence[str]) -> None:
        """Shows how the audit log stands towards its anchors."""
        self._unanchored.set(found.unanchored)
        self._signed.set(found.signed_at or 0.0)
        with self._lock:
            self._sinks.clear()
            for sink in found.sinks:
                self._sinks.labels(sink.name).set(sink.lag)
        for code in AUDIT_ALARMS:
            self._alarms.labels(code).set(code in alarms)

    def callback(self, system: str, outcome: str, number: int) -> None:
        """Counts calls that came in; the system is empty where nobody knows it."""
        self._callbacks.labels(system, outcome).inc(number)

    def channels(self, rows: Iterable[ChannelRow]) -> None:
        """Shows until when systems tell of changes."""
        with self._lock:
            self._channels.clear()
            for row in rows:
                if row.expires_at is not None:
                    self._channels.labels(row.system).set(row.expires_at)

    def standing(self, entity: str, found: Standing) -> None:
        """Shows where an entity stands."""
        for system, counts in found.owed.items():
            for act in ("creates", "updates", "deletes"):
                self._debts.labels(entity, system, act).set(counts.get(act, 0))
        self._queue.labels(entity).set(found.queued)
        for kind, number in found.waiting.items():
            self._questions.labels(entity, kind).set(number)
        _replace(self._quarantine, entity, {(s, code): n for s, code, _, n in found.causes})
        tripped = {(row.system, row.guard): row.count for row in found.guards if row.state == "tripped"}
        _replace(self._guards, entity, tripped)

    def backfill(self, entity: str, found: Iterable[Progress]) -> None:
        """Shows how far a first load has come; what nobody knows is not shown."""
        rows = {(item.system, item.object): item for item in found}
        _replace(self._done, entity, {key: item.done for key, item in rows.items()})
        known = {key: item.remaining for key, item in rows.items() if item.remaining is not None}
        _replace(self._remaining, entity, known)
        left = {key: item.seconds_left for key, item in rows.items() if item.seconds_left is not None}
        _replace(self._left, entity, left)

    def complaints(self, counted: Mapping[str, int]) -> None:
        """Shows where complaints stand."""
        for state, number in counted.items():
            self._complaints.labels(state).set(number)

    def allowances(self, found: Iterable[Allowed]) -> None:
        """Shows what is left of what vendors grant in a rolling window."""
        for item in found:
            labels = (item.system, item.unit)
            self._window_used.labels(*labels).set(item.used)
            self._window_left.labels(*labels).set(item.left)
            self._window_kept.labels(*labels).set(item.reserve)

    def converged(self, entity: str, at: float | None) -> None:
        """Shows when an entity last converged."""
        if at is not None:
            self._converged.labels(entity).set(at)

    def board(self, rows: Iterable[Schedule], pauses: Iterable[Pause], waiting: str | None, now: float) -> None:
        """Shows what is paused, what waits and what is overdue."""
        self.waits(waiting, now)
        with self._lock:
            for gauge in (self._paused, self._lag, self._missed):
                gauge.clear()
            for item in pauses:
                self._paused.labels(item.scope, item.cause).set(1)
            for row in rows:
                labels = (row.entity, row.act, row.system or "all")
                due = now if row.next_due_at is None else row.next_due_at
                self._lag.labels(*labels).set(max(0.0, now - due))
                self._missed.labels(*labels).set(row.missed)

    def waits(self, cause: str | None, now: float) -> None:
        """Shows that the daemon looked round, and what everything waits for, if anything."""
        self._ticked.set(now)
        for name in CAUSES:
            self._waiting.labels(name).set(name == cause)

    def calls(self, counted: Mapping[str, Mapping[str, int]]) -> None:
        """Counts the calls of every system; a reopened hub counts from nothing again."""
        for system, operations in counted.items():
            total, before = sum(operations.values()), self._counted.get(system, 0)
            self._calls.labels(system).inc(total - before if total >= before else total)
            self._counted[system] = total


def _replace(gauge: Gauge, entity: str, values: Mapping[tuple[str, str], float]) -> None:
    """Sets the values of an entity; what it no longer has goes to nothing."""
    for metric in gauge.collect():
        for sample in metric.samples:
            labels = tuple(sample.labels.values())
            if labels[0] == entity and labels[1:] not in values:
                gauge.remove(*labels)
    for key, number in values.items():
        gauge.labels(entity, *key).set(number)
