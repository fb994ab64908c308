"""Keeps the ring of a running process young: the provider is asked, changed keys are read, and what is held is told."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as attribute

import orjson
import sqlalchemy as sa

from hub.kernel.clock import Clock
from hub.kernel.errors import KeyUnusable
from hub.keys.keyring import Keyring
from hub.keys.rows import KeyRow
from hub.store.database import WRITE, store_errors
from hub.store.key_rows import key_rows, ring_version
from hub.store.key_tables import key_holder

BEAT = 20.0
"""Seconds between two looks at the provider and at the version of the ring."""
GONE = 120.0
"""Seconds of silence after which a process counts as ended. One that was only asleep looks before it works on."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Is a process that uses the store: the version of the ring it has loaded, and the keys it can unwrap with."""

    holder_id: str
    host: str
    pid: int
    channel: str
    version: int
    kek_ids: tuple[str, ...]
    seen_at: float


@dataclass(slots=True)
class RingWatch:
    """Is asked by the store before every transaction and looks every `BEAT` seconds; nobody waits for its lock."""

    engine: sa.Engine
    ring: Keyring
    clock: Clock
    holder_id: str
    host: str
    pid: int
    channel: str
    version: int
    every: float = BEAT
    _looked_at: float = float("-inf")
    _told: tuple[float, int] = (float("-inf"), -1)
    _lock: threading.Lock = attribute(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._looked_at = self.clock.now()
        self.ring.fetch_by(self._read)

    def look(self, *, now: bool = False) -> None:
        """Proves the keys and loads those that changed, if it is time to, or `now`."""
        if (now or self._is_due(self._looked_at)) and self._lock.acquire(blocking=False):
            try:
                self._looked_at = self.clock.now()
                self.ring.prove()
                with store_errors(), self.engine.connect() as conn:
                    version = ring_version(conn)
                    # A ring that seals nothing (lab) has nothing to load.
                    rows = key_rows(conn) if version != self.version and self.ring.kek_ids else None
                if rows is not None:
                    self.ring.renew(rows)
                    self.version = version
            except KeyUnusable:
                # Whoever opens something is told; until then the other processes see that this one lags behind.
                return
            finally:
                self._lock.release()

    def beat(self, *, now: bool = False) -> None:
        """Looks, and tells the other processes what this one holds."""
        self.look(now=now)
        at, version = self._told
        if now or version != self.version or self._is_due(at):
            self._told = (self.clock.now(), self.version)
            self._tell()

    def close(self) -> None:
        """Says that this process ends; one that cannot say it counts until it was silent for `GONE` seconds."""
        if self._told[1] >= 0:
            with store_errors(), self.engine.connect().execution_options(**{WRITE: True}) as conn, conn.begin():
                conn.execute(key_holder.delete().where(key_holder.c.holder_id == self.holder_id))

    def _is_due(self, at: float) -> bool:
        return not 0.0 <= self.clock.now() - at < self.every

    def _read(self) -> Sequence[KeyRow]:
        with store_errors(), self.engine.connect() as conn:
            return key_rows(conn)

    def _tell(self) -> None:
        now = self.clock.now()
        mine = Holder(self.holder_id, self.host, self.pid, self.channel, self.version, self.ring.kek_ids, now)
        with store_errors(), self.engine.connect().execution_options(**{WRITE: True}) as conn, conn.begin():
            conn.execute(key_holder.delete().where(key_holder.c.holder_id == self.holder_id))
            conn.execute(key_holder.delete().where(key_holder.c.seen_at < now - 30 * GONE))
            names = orjson.dumps(mine.kek_ids).decode()
            values = {name: getattr(mine, name) for name in Holder.__slots__ if name != "kek_ids"}
            conn.execute(key_holder.insert().values(kek_ids=names, **values))


def holders(conn: sa.Connection, now: float) -> list[Holder]:
    """Returns who uses the store; who was silent for `GONE` seconds, or died on this host, is left out."""
    rows = conn.execute(sa.select(key_holder).order_by(key_holder.c.holder_id))
    found = [
        Holder(r.holder_id, r.host, r.pid, r.channel, r.version, tuple(orjson.loads(r.kek_ids)), r.seen_at)
        for r in rows
        if abs(now - r.seen_at) < GONE
    ]
    here = socket.gethostname()
    return [item for item in found if item.host != here or _runs(item.pid)]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
