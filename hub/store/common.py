"""What the hosts of an installation have in common, kept by PostgreSQL: locks, call budgets, places.

Locks and places are session advisory locks on connections of their own: the kernel frees them when a host dies.
Source: PostgreSQL documentation, "Advisory Locks".
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from hashlib import blake2b

import sqlalchemy as sa

from connectors.base import Budget, Resting
from hub.kernel.clock import Clock
from hub.store.database import store_errors

PATIENCE = 0.02
"""Seconds between two looks for a free place."""

_TAKE = sa.text(
    """
    INSERT INTO budget AS b (name, tokens, filled_at, paused_until)
    SELECT :name, :burst - :cost, extract(epoch FROM clock_timestamp()), 0
    ON CONFLICT (name) DO UPDATE SET
        tokens = CASE WHEN b.paused_until > excluded.filled_at THEN b.tokens
            ELSE least(:burst, b.tokens + greatest(0, excluded.filled_at - b.filled_at) * :rate) - :cost END,
        filled_at = CASE WHEN b.paused_until > excluded.filled_at THEN b.filled_at ELSE excluded.filled_at END
    RETURNING tokens, paused_until - extract(epoch FROM clock_timestamp()) AS rests
    """
)
_PAUSE = sa.text(
    """
    INSERT INTO budget AS b (name, tokens, filled_at, paused_until)
    SELECT :name, 0, now, now + :seconds FROM (SELECT extract(epoch FROM clock_timestamp()) AS now) AS clock
    ON CONFLICT (name) DO UPDATE SET paused_until = greatest(b.paused_until, excluded.paused_until)
    """
)


def lock_key(name: str) -> int:
    """Returns the number by which PostgreSQL knows a lock of ours."""
    return int.from_bytes(blake2b(f"crmhub:{name}".encode(), digest_size=8).digest(), "big", signed=True)


class SharedBudget:
    """Is a token bucket in the store, on the database server's clock: every host takes from the same tokens."""

    def __init__(self, engine: sa.Engine, name: str, rate: float, burst: float, clock: Clock) -> None:
        self._engine, self._name, self._rate, self._burst, self._clock = engine, name, rate, burst, clock

    def take(self, cost: int, operation: str) -> None:
        """Takes tokens, going into debt and sleeping it off. Raises Resting while it is paused."""
        values = {"name": self._name, "rate": self._rate, "burst": self._burst, "cost": cost}
        tokens, rests = self._run(_TAKE, values)
        if rests > 0:
            raise Resting(float(rests))
        if tokens < 0:
            self._clock.sleep(-float(tokens) / self._rate)

    def pause(self, seconds: float) -> None:
        """Grants nothing to any host for a while."""
        with store_errors(), self._engine.connect() as conn, conn.begin():
            conn.execute(_PAUSE, {"name": self._name, "seconds": seconds})

    def _run(self, statement: sa.TextClause, values: dict[str, object]) -> tuple[float, float]:
        with store_errors(), self._engine.connect() as conn, conn.begin():
            row = conn.execute(statement, values).one()
            return float(row.tokens), float(row.rests)


class ManyMachines:
    """Shares locks, budgets and places among all hosts that use one PostgreSQL."""

    def __init__(self, engine: sa.Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock
        self._guard = threading.Lock()
        self._threads: dict[str, threading.Lock] = {}

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Admits one holder per name over all threads, processes and hosts; the others wait."""
        with self._guard:
            mine = self._threads.setdefault(name, threading.Lock())
        key = lock_key(f"lock:{name}")
        # Threads of one process queue here, so that each takes one connection at most.
        with mine, _own_connection(self._engine) as conn:
            with store_errors():
                conn.execute(sa.select(sa.func.pg_advisory_lock(key)))
            try:
                yield
            finally:
                _unlock(conn, key)

    def budget(self, name: str, rate: float, burst: float) -> Budget:
        """Returns the token bucket of a name."""
        return SharedBudget(self._engine, name, rate, burst, self._clock)

    def places(self, name: str, number: int) -> Callable[[], AbstractContextManager[None]]:
        """Returns what admits a number of holders at once, on all hosts together."""
        keys = [lock_key(f"place:{name}:{each}") for each in range(number)]
        here = threading.BoundedSemaphore(number)

        @contextmanager
        def place() -> Iterator[None]:
            with here, _own_connection(self._engine) as conn:
                with store_errors():
                    key = self._sit_down(conn, keys)
                try:
                    yield
                finally:
                    _unlock(conn, key)

        return place

    def _sit_down(self, conn: sa.Connection, keys: list[int]) -> int:
        while True:
            for key in keys:
                if conn.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar_one():
                    return key
            self._clock.sleep(PATIENCE)


def _unlock(conn: sa.Connection, key: int) -> None:
    """Frees a lock. A session that broke off has freed it; what was done under it must not look failed for that."""
    try:
        conn.execute(sa.select(sa.func.pg_advisory_unlock(key)))
    except sa.exc.DBAPIError:
        conn.invalidate()


@contextmanager
def _own_connection(engine: sa.Engine) -> Iterator[sa.Connection]:
    with store_errors():
        conn = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        yield conn
    finally:
        conn.close()
