"""A week of a bank with the daemon: three entities in two systems, a hub folder on disk, and a clock of our own.

Everything that the daemon must live through happens at times drawn from a seed, together with people who go on
editing. The world of the histories judges what is left at the end: its systems' change logs are the truth.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from random import Random
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import sqlalchemy as sa

from connectors.base import Deletes
from connectors.memory import FULL, FaultKind, Faults, Killed
from hub.app import open_installation, prepare
from hub.kernel.errors import Busy
from hub.kernel.settings import EntitySettings, Oscillation
from hub.operations import cycles, pausing, scheduling
from hub.operations.installation import Installation
from hub.schedule.daemon import Daemon
from hub.store import vault
from hub.store.schedules import Schedule
from hub.store.unit_of_work import Store
from hub.sync.cycle import Report
from hub.sync.reconcile import Difference
from hub.telemetry import configure
from tests.scenarios import history as acts
from tests.scenarios.history import History
from tests.scenarios.invariants import check_always, check_quiet
from tests.scenarios.world import (
    ENTITIES,
    OPEN,
    SCHEMA,
    Ledger,
    SkewedClock,
    SystemSpec,
    Time,
    World,
    entity_rules,
)

HOUR, DAY = 3600.0, 86_400.0
TICK, SLOW, GRACE, LATENCY = 100.0, 800.0, 1200.0, 0.2
"""Seconds between two looks of the daemon in the week and after it, within which a start is not late, and that every
call of a vendor takes."""
SHANGHAI, BERLIN = "Asia/Shanghai", "Europe/Berlin"
BEGIN = datetime(2026, 10, 21, 9, 0, tzinfo=ZoneInfo(SHANGHAI)).timestamp()
"""The week holds the night of 25 October, in which Berlin has the hour from two to three twice."""
NIGHT = (2, 30)
SETS = {"alpha": "core", "beta": "full"}
"""Both kinds of the world are of one kind here, each with a mapping set of its own."""
SETTINGS = """\
profile: lab
language: en
installation: {{id: week, name: Week}}
store: {{url: "sqlite:///var/hub.db"}}
keys: {{provider: file, path: keys/hub.key}}
systems:
  alpha:
    kind: memory
    settings: {{world: alpha, credential: token}}
    credentials: {{token: "file:secrets/alpha"}}
    deletions_every_seconds: 0
  beta:
    kind: memory
    mapping_set: full
    settings: {{world: beta, credential: token}}
    credentials: {{token: "file:secrets/beta"}}
    deletions_every_seconds: 0
entities:
{entities}
schedule:
  time_zone: {zone}
  misfire_grace_seconds: {grace}
  sync: {sync}
  reconcile: daily 02:30
  by_entity: {{ticket: {{sync: every 4h}}, visit: {{sync: every 6h}}}}
daemon: {{management: null, stuck_after_seconds: 7200}}
"""
ENTITY = """\
  {name}:
    systems: [alpha, beta]
    prefer: [{prefer}]
    on_delete: {on_delete}
    oscillation: {{times: 1000}}
    guards:
      first_sync_needs_release: false
      max_shrink_percent: 100.0
      max_deletes: {{count: 10000, percent: 100.0}}
      max_creates: {{count: 10000, percent: 100.0}}
      max_changes: {{count: 10000, percent: 100.0}}
"""
RULES: tuple[tuple[Callable[[History, Random], None], int], ...] = (
    (acts.do_edit, 34),
    (acts.do_create, 10),
    (acts.do_delete, 3),
    (acts.do_merge, 2),
    (acts.do_family, 8),
    (acts.do_desk, 14),
    (acts.do_fault, 12),
)


class Meddling(Faults):
    """Lets time go by with every call, and something else happen in the middle of a cycle."""

    def __init__(self, seed: int, time: Time) -> None:
        super().__init__(seed)
        self.time = time
        self.meanwhile: Callable[[str], None] | None = None

    def boundary(self, operation: str) -> None:
        self.time.pass_(LATENCY / 2)
        if self.meanwhile is not None:
            self.meanwhile(operation)
        super().boundary(operation)


class Desk:
    """Is where people work at the hub, a process beside the daemon: what the acts of the histories ask of a hub."""

    def __init__(self, opened: Installation) -> None:
        self.opened = opened

    @property
    def store(self) -> Store:
        return self.opened.store

    def reconcile(self) -> tuple[Difference, ...]:
        found: list[Difference] = []
        for entity in ENTITIES:
            differences, failed = cycles.reconcile_entity(self.opened, entity, Event())
            assert not failed, failed
            found += differences
        return tuple(found)

    def cycle(self, *entities: str, write: bool = True) -> Report:
        """Syncs each entity once, parents first, as a person does who does not wait for the daemon."""
        assert write, "people at the desk sync; who plans writes nothing"
        reports: list[Report] = []
        for entity in entities or ENTITIES:
            cycles.sync(self.opened, entity, told=lambda _, report: reports.append(report))
        return reports[-1]


class WeekWorld(World):
    """Is a world whose store lies in a hub folder and whose cycles a daemon runs."""

    def __init__(self, home: Path, seed: int) -> None:
        rng = Random(f"week:{seed}")
        can = replace(FULL, batch_size=rng.choice((2, 100)), page_size=rng.choice((5, 200)))
        other = replace(
            can,
            deletes=rng.choice((Deletes.FEED, Deletes.FLAG)),
            external_key_unique=rng.random() < 0.7,
            strong_read_by_key=rng.random() < 0.7,
            visibility_lag=rng.choice((0.0, 10.0)),
            ordered_versions=rng.random() < 0.7,
        )
        self.specs = (SystemSpec("alpha", "alpha", can), SystemSpec("beta", "beta", other, rng.choice((0.0, 400.0))))
        self.seed, self.folder, self.entities, self.repoints = seed, SCHEMA, ENTITIES, rng.random() < 0.6
        self.home, self.zone, self.sync = home, SHANGHAI, "every 2h"
        self.time = Time()
        self.time.at = BEGIN
        self.clock = SkewedClock(self.time)
        names = rng.sample(("alpha", "beta"), 2)
        on_delete = rng.choice(("detach", "propagate", "archive"))
        self.settings = EntitySettings(
            systems=("alpha", "beta"),
            prefer=tuple(names),
            on_delete=on_delete,  # type: ignore[arg-type]
            guards=OPEN,
            oscillation=Oscillation(times=1000),
        )
        self.rules = entity_rules(self.settings)
        self.other_rules = {name: entity_rules(self.settings, name) for name in ENTITIES[1:]}
        self.systems, self.ledgers = {}, {}
        self._joined: dict[str, str] = {}
        for number, spec in enumerate(self.specs):
            self.ledgers[spec.name] = Ledger()
            self._add(spec, number)
            self.systems[spec.name].token = f"{spec.name}-1"
            self.systems[spec.name].faults = Meddling(seed + number, self.time)
        self._make_folder()
        self.hub = Desk(self.open("cli"))  # type: ignore[assignment]
        self.engine = self.hub.store.engine

    def _make_folder(self) -> None:
        for name in ("config", "secrets", "mappings/memory"):
            (self.home / name).mkdir(parents=True)
        shutil.copytree(SCHEMA / "canonical", self.home / "mappings" / "canonical")
        for kind, named in SETS.items():
            for entity in ENTITIES:
                text = (SCHEMA / kind / f"{entity}.core.yaml").read_text(encoding="utf-8")
                text = text.replace(f"system_kind: {kind}", "system_kind: memory").replace("set: core", f"set: {named}")
                (self.home / "mappings" / "memory" / f"{entity}.{named}.yaml").write_text(text, encoding="utf-8")
        for spec in self.specs:
            self.write_secret(spec.name, f"{spec.name}-1")
        self.write()
        prepare(self.home, clock=self.clock)

    def write(self, broken: bool = False) -> None:
        """Writes the settings anew."""
        words = {"prefer": ", ".join(self.settings.prefer), "on_delete": self.settings.on_delete}
        entities = "".join(ENTITY.format(name=name, **words) for name in ENTITIES)
        sync = "every now and then" if broken else self.sync
        text = SETTINGS.format(entities=entities, zone=self.zone, grace=GRACE, sync=sync)
        (self.home / "config" / "hub.yaml").write_text(text, encoding="utf-8")

    def write_secret(self, system: str, secret: str) -> None:
        place = self.home / "secrets" / system
        place.write_text(secret, encoding="utf-8")
        place.chmod(0o600)

    def open(self, channel: str = "daemon") -> Installation:
        return open_installation(self.home, clock=self.clock, channel=channel, threads=False)

    def close(self) -> None:
        self.hub.opened.close()  # type: ignore[attr-defined]

    def audited(self, *wanted: str) -> list[Mapping[str, Any]]:
        """Returns the audit events of some acts, in their order."""
        with self.hub.store.read() as conn:
            bodies = (orjson.loads(row[2]) for row in vault.audit_rows(conn))
            return [body for body in bodies if body["act"] in wanted]

    def schedules(self) -> list[Schedule]:
        return list(scheduling.read_board(self.hub.opened).schedules)  # type: ignore[attr-defined]


class Week:
    """Plays the days of a seed: what happens to the daemon, to the systems and by people, and what must hold."""

    def __init__(self, world: WeekWorld) -> None:
        self.world = world
        self.history = History(world, world.seed)
        self.rng = Random(f"days:{world.seed}")
        self.log = StringIO()
        configure(world.clock, level="INFO", stream=self.log)
        self.daemon: Daemon | None = None
        self.expected: Counter[str] = Counter()
        self.people_at = 0.0
        self.mean, self.step = 1.5 * HOUR, TICK
        self.kill_in: int | None = None
        self.kills = self.rivals = self.nights = 0
        self._fresh_zone = False
        for system in world.systems.values():
            system.faults.meanwhile = self._meanwhile  # type: ignore[attr-defined]

    def note(self, text: str) -> None:
        stamp = datetime.fromtimestamp(self.world.clock.now(), ZoneInfo(self.world.zone)).strftime("%m-%d %H:%M")
        self.history.note(f"[{stamp}] {text}")

    # The process.

    def start(self) -> None:
        self.daemon = Daemon(self.world.open, self.world.clock)
        self.daemon.start()
        self._seen_at = self.world.clock.now()

    def stop(self) -> None:
        assert self.daemon is not None
        self.daemon.stop()
        self.daemon.close("test")
        self.daemon = None

    def _tick(self) -> None:
        """Lets the daemon look round; where it was told to die in a cycle, a new process takes its place."""
        assert self.daemon is not None
        before, self._seen_at = self._seen_at, self.world.clock.now()
        rows, now = self._nightly(), self._seen_at
        night = any(at for zone in (SHANGHAI, BERLIN) for at in nights(before, now, zone))
        watched = night and not self._fresh_zone and self._able()
        self._fresh_zone = False
        try:
            self.daemon.tick()
        except Killed as killed:
            self.note(f"killed at {killed}")
            self._bury()
            return
        assert self.daemon.leading or self.daemon.waiting is not None, "it stands by, and nobody else leads"
        if watched and rows and self.daemon.waiting is None:
            self._check_night(rows, before)

    def _bury(self) -> None:
        assert self.daemon is not None
        self.kills += 1
        self.kill_in = None
        if self.daemon.hub is not None:
            self.daemon._shut()  # the kernel closes what a process leaves open, and frees its locks
        self.daemon = None
        check_always(self.world)
        self._absent(self.rng.choice((0.0, 40.0, 900.0)))

    def _check_night(self, rows: Mapping[str, Schedule], before: float) -> None:
        """A night that comes while the daemon looks round is reconciled at that look, once."""
        now = self._seen_at
        after = self._nightly()
        for name, row in rows.items():
            due = [at for at in nights(before, now, row.zone) if row.next_due_at is not None]
            began = after[name].last_started_at != row.last_started_at
            assert began or not due, f"{name} was due at {due} and did not start"
            if began and (at := row.next_due_at) is not None:
                # Settings that came while it was overdue changed its zone, not what was missed.
                known = [night for zone in (SHANGHAI, BERLIN) for night in nights(at - 1, at, zone)]
                assert known == [at], f"{name} started for {at}, which is no night"
            self.nights += len(due)

    def _nightly(self) -> dict[str, Schedule]:
        """Returns the reconciliations as the daemon saw them at its last look."""
        assert self.daemon is not None
        return {row.schedule_id: row for row in self.daemon._board.schedules if row.act == scheduling.RECONCILE}

    def _able(self) -> bool:
        """Tells whether any system may be called."""
        paused = {item.scope for item in pausing.list_pauses(self.world.hub.opened)}  # type: ignore[attr-defined]
        return not {f"system:{name}" for name in self.world.systems} <= paused

    # Time.

    def pass_(self, seconds: float) -> None:
        """Lets time go by, with people at work and the daemon looking round."""
        end = self.world.time.at + seconds
        while (now := self.world.time.at) < end:
            self.world.time.pass_(min(self.step * self.rng.uniform(0.6, 1.0), end - now))
            self._people()
            if self.daemon is not None:
                self._tick()

    def _people(self) -> None:
        """Lets people do what the histories let them do, each act from a random stream of its own."""
        while self.people_at <= self.world.time.at:
            self.people_at = self.world.time.at + self.rng.expovariate(1 / self.mean)
            rule = self.rng.choices([rule for rule, _ in RULES], [weight for _, weight in RULES])[0]
            self.note(rule.__name__)
            rule(self.history, Random(self.rng.random()))
            for system in self.world.systems.values():
                # Who is refused stays out until a person acts: that has a part of its own.
                kept = [fault for fault in system.faults.scripted if fault.kind is not FaultKind.AUTH_REJECTED]
                system.faults.scripted[:] = kept
                if self.rng.random() < 0.2:
                    system.faults.off()

    def _meanwhile(self, operation: str) -> None:
        """Happens in the middle of a cycle: a kill, somebody who starts a second sync, an edit."""
        if self.daemon is None or not self.daemon.running:
            return
        if self.kill_in is not None:
            self.kill_in -= 1
            if self.kill_in <= 0:
                raise Killed(operation)
        draw = self.rng.random()
        if draw < 0.01:
            self._rival(next(iter(self.daemon.running)))
        elif draw < 0.02:
            acts.do_edit(self.history, Random(self.rng.random()))

    def _rival(self, entity: str) -> None:
        self.rivals += 1
        try:
            cycles.sync(self.world.hub.opened, entity)  # type: ignore[attr-defined]
        except Busy:
            return
        raise AssertionError(f"two cycles of {entity} ran at once")

    @contextmanager
    def coming_back(self, what: str, ready: bool | None = None) -> Iterator[None]:
        """Ends a time in which nothing could start: exactly one catch-up follows per schedule that missed a start.

        `ready` says whether a system may be called then; None: as the pauses stand.
        """
        yield
        now = self.world.clock.now()
        owed = {
            row.schedule_id: now - row.next_due_at
            for row in self.world.schedules()
            if row.next_due_at is not None and row.next_due_at <= now
        }
        if not (self._able() if ready is None else ready):
            owed = {}
        before = self._caught()
        if self.daemon is None:
            self.start()
        self.pass_(3.5 * self.step)
        found = self._caught() - before
        for name, late in owed.items():
            least, most = late > GRACE, late > GRACE - 4 * self.step
            assert least <= found[name] <= most, f"{what}: {found[name]} catch-ups of {name}, {late:.0f} s late"
        strangers = {name for name in found if name not in owed}
        assert not strangers, f"{what}: {strangers} caught up on nothing"
        self.note(f"{what}: caught up {dict(found)}")
        self.expected += found

    def _caught(self) -> Counter[str]:
        return Counter(str(item["obj"]["id"]) for item in self.world.audited("schedule.catch_up"))

    def _absent(self, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Has no daemon for a while; people go on."""
        with self.coming_back(f"absent for {seconds:.0f} s"):
            self.pass_(seconds / 2)
            meanwhile()
            self.pass_(seconds / 2)

    # What happens.

    def stop_of_three_hours(self) -> None:
        self.stop()
        self._absent(3 * HOUR)

    def missed_night(self) -> None:
        midnight = next(iter(nights(self.world.clock.now(), self.world.clock.now() + 2 * DAY, self.world.zone)))
        self.pass_(max(0.0, midnight - HOUR * self.rng.uniform(0.2, 2.0) - self.world.clock.now()))
        self.stop()
        until = max(0.0, midnight - self.world.clock.now())
        self._absent(until + HOUR * self.rng.uniform(0.2, 3.0), self.edit_settings_maybe)

    def edit_settings_maybe(self) -> None:
        """Sometimes the settings are edited while the daemon is away."""
        if self.rng.random() < 0.5:
            self.world.sync = self.rng.choice(("every 90m", "every 150m"))
            self.world.write()
            self.note(f"settings while away: {self.world.sync}")

    def key_away(self) -> None:
        assert self.daemon is not None
        key = self.world.home / "keys" / "hub.key"
        key.rename(key.with_suffix(".away"))
        self.note("the key is away")
        self.pass_(40 * 60.0)
        assert self.daemon.health().reasons[:1] == ("keys",)
        with self.coming_back("the key is back"):
            key.with_suffix(".away").rename(key)
            # It is tried again after five minutes at most.
            self._wait_over()

    def _wait_over(self) -> None:
        """Lets the longest wait pass without a look, so that the next look finds that it may go on."""
        self.world.time.pass_(300.0)

    def clock_forward(self) -> None:
        with self.coming_back("clock set forward"):
            self.world.clock.skew += 4 * HOUR
        self.pass_(3 * HOUR)

    def clock_back(self) -> None:
        before = self._caught()
        self.world.clock.skew -= 4 * HOUR
        self.note("clock set back")
        self.pass_(3 * HOUR)
        rows = [row for row in self.world.schedules() if row.act == scheduling.SYNC]
        ended = [row for row in rows if row.last_started_at and row.last_started_at > self.world.clock.now() - 3 * HOUR]
        assert ended or not self._able(), "a clock that was set back stopped everything"
        assert self._caught() == before

    def clocks(self) -> None:
        self.clock_forward()
        self.clock_back()

    def kill(self) -> None:
        """Arms a kill some calls ahead."""
        self.kill_in = self.rng.randint(1, 60)

    def reload(self) -> None:
        """Settings that do not hold are refused and the old ones go on; those that do are taken over."""
        self.world.write(broken=True)
        self.pass_(0.5 * HOUR)
        self.world.sync = self.rng.choice(("every 90m", "every 2h", "every 150m"))
        self.world.write()
        self._fresh_zone = True
        self.pass_(2 * TICK)
        timing = {row.schedule_id: row.timing for row in self.world.schedules()}
        assert timing["sync:client:*"] == self.world.sync

    def set_zone(self, zone: str) -> None:
        self.world.zone = zone
        self.world.write()
        self._fresh_zone = True
        self.note(f"time zone {zone}")
        self.pass_(2 * TICK)
        now = self.world.clock.now()
        for row in self.world.schedules():
            assert row.zone == zone
            if row.act == scheduling.RECONCILE and self._able():
                assert row.next_due_at == next(iter(nights(now, now + 2 * DAY, zone))), row

    def pause(self, system: str) -> None:
        opened = self.world.hub.opened  # type: ignore[attr-defined]
        pausing.pause(opened, f"system:{system}", "maintenance, two weeks")
        self.note(f"pause {system}")
        self._paused_calls = self.calls(system)

    def resume(self, system: str) -> None:
        assert self.calls(system) == self._paused_calls, "a paused system was called"
        with self.coming_back(f"resume {system}"):
            pausing.resume(self.world.hub.opened, f"system:{system}", "done", cause="person")  # type: ignore[attr-defined]

    def calls(self, system: str) -> int:
        return sum(self.world.systems[system].calls.values())

    def refuse(self, system: str) -> None:
        self.world.systems[system].token = f"{system}-2"
        self.world.systems[system].expire_sessions()
        self.note(f"{system} has a new secret")

    def mend(self, system: str) -> None:
        """The new secret is put in place: the system resumes by itself."""
        opened = self.world.hub.opened  # type: ignore[attr-defined]
        paused = [(item.scope, item.cause) for item in pausing.list_pauses(opened)]
        assert (f"system:{system}", pausing.AUTH) in paused, paused
        self.world.write_secret(system, f"{system}-2")
        with self.coming_back(f"{system} mended", ready=[scope for scope, _ in paused].count(f"system:{system}") == 1):
            self.note(f"{system} has its new secret here too")
        paused = [(item.scope, item.cause) for item in pausing.list_pauses(opened)]
        assert (f"system:{system}", pausing.AUTH) not in paused, "a rotated secret resumes its system"

    # The days.

    def play(self) -> None:
        """Plays seven days, or more where the pause of two weeks began late, then calm, and checks everything."""
        acts.populate(self.history, self.rng)
        self.start()
        for at, what, act in self._timeline():
            self.pass_(max(0.0, BEGIN + at - self.world.time.at))
            self.kill_in = None
            self.note(f"-- {what}")
            act()
            if self.world.time.at - BEGIN > 7 * DAY:
                self.mean, self.step = 8 * HOUR, SLOW
        self.pass_(max(0.0, BEGIN + 7 * DAY - self.world.time.at))
        self._settle()
        self._check()

    def _timeline(self) -> list[tuple[float, str, Callable[[], None]]]:
        draw = self.rng.uniform
        paused, refused = self.rng.sample(sorted(self.world.systems), 2)
        pause_at, refuse_at = draw(0.3, 2) * DAY, draw(0.3, 5.5) * DAY
        found: list[tuple[float, str, Callable[[], None]]] = [
            # Berlin is left only after the night with two hours from two to three.
            (draw(0.1, 3.2) * DAY, "zone", lambda: self.set_zone(BERLIN)),
            (draw(4.2, 6.8) * DAY, "zone", lambda: self.set_zone(SHANGHAI)),
            (draw(0.2, 6.8) * DAY, "stop of three hours", self.stop_of_three_hours),
            (draw(0.2, 5.5) * DAY, "missed night", self.missed_night),
            (draw(0.2, 6.8) * DAY, "key away", self.key_away),
            (draw(0.2, 6.5) * DAY, "clocks", self.clocks),
            (draw(0.2, 6.8) * DAY, "reload", self.reload),
            (pause_at, "pause", lambda: self.pause(paused)),
            (pause_at + 14 * DAY, "resume", lambda: self.resume(paused)),
            (refuse_at, "refused", lambda: self.refuse(refused)),
            (refuse_at + draw(0.2, 0.8) * DAY, "mended", lambda: self.mend(refused)),
            *((draw(0.1, 6.9) * DAY, "kill", self.kill) for _ in range(6)),
        ]
        return sorted(found, key=lambda item: item[0])

    def _settle(self) -> None:
        """Ends faults and edits; the daemon runs and people answer until nothing moves any more."""
        self.note("-- calm")
        self.kill_in, self.people_at = None, float("inf")
        for system in self.world.systems.values():
            system.faults.off()
            system.faults.meanwhile = None  # type: ignore[attr-defined]
        looked = False
        for _ in range(20):
            mark = self.world.mark(), self._golden()
            self.pass_(13 * HOUR)
            answered = sum(
                acts._answer(self.history, self.rng, what) for what in ("questions", "matches", "writes", "quarantine")
            )
            if answered or (self.world.mark(), self._golden()) != mark:
                continue
            if looked:
                return
            looked = True
            self.history.unbelieved = {
                (item.system, item.object)
                for item in self.world.hub.reconcile()  # type: ignore[attr-defined]
                if item.stopped
            }
        raise AssertionError("inv 3: still moving after days of calm")

    def _golden(self) -> list[Any]:
        with self.world.engine.connect() as conn:
            found = conn.execute(sa.text("SELECT hub_id, revision, state FROM golden ORDER BY hub_id"))
            return [tuple(row) for row in found]

    def _check(self) -> None:
        assert self._caught() == self.expected, "a catch-up came without a cause"
        check_always(self.world)
        check_quiet(self.history)
        self._check_no_overlap()
        mark, golden = self.world.mark(), self._golden()
        self.pass_(1.2 * DAY)
        assert (self.world.writes(mark), self._golden()) == ([], golden), "inv 1: an idle day changed something"
        for row in self.world.schedules():
            wanted = ("converged", "blocked") if row.act == scheduling.SYNC else ("compared",)
            assert row.last_outcome in wanted, row
        self._check_log()

    def _check_no_overlap(self) -> None:
        """No run of an entity begins before the one before it has ended, or its process has."""
        running: dict[str, str] = {}
        for item in self.world.audited("daemon.start", "run.start", "run.end"):
            if item["act"] == "daemon.start":
                running.clear()
                continue
            entity, run_id = item["obj"]["type"], item["obj"]["id"]
            if item["act"] == "run.start":
                assert entity not in running, f"{entity}: {run_id} began while {running[entity]} ran"
                running[entity] = run_id
            else:
                assert running.pop(entity) == run_id

    def _check_log(self) -> None:
        said = self.log.getvalue()
        lines = [orjson.loads(line) for line in said.splitlines()]
        assert not [line for line in lines if line["event"] in ("tick_failed", "entity_paused")]
        failed = [line for line in lines if line["event"] == "cycle_ended" and line["outcome"] == "failed"]
        assert not failed, failed[:3]
        assert "Person " not in said, "a name stands in the log"


def nights(after: float, until: float, zone: str) -> Iterator[float]:
    """Yields the instants after one and up to another at which clocks first show the time of the reconciliation."""
    place = ZoneInfo(zone)
    day = datetime.fromtimestamp(after, place).date() - timedelta(days=1)
    while (at := datetime(day.year, day.month, day.day, *NIGHT, tzinfo=place).timestamp()) <= until:
        if at > after:
            yield at
        day += timedelta(days=1)


def play(home: Path, seed: int) -> Week:
    """Plays the week of a seed; what fails says the seed and what happened before."""
    world = WeekWorld(home, seed)
    week = Week(world)
    try:
        week.play()
    except BaseException as failed:
        failed.add_note("\n".join([f"{seed=}", f"{world.settings.on_delete=}", *week.history.notes]))
        raise
    finally:
        world.close()
        for system in world.systems.values():
            system.faults.meanwhile = None  # type: ignore[attr-defined]
    return week
