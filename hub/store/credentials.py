"""What proves who somebody is: password hashes, second factors and recovery codes, sealed with the account."""

from __future__ import annotations

from dataclasses import dataclass, replace
from dataclasses import field as attribute
from typing import Any

import sqlalchemy as sa

from hub.kernel.ids import secret_bytes
from hub.keys.keyring import Keyring
from hub.store.database import Prepared
from hub.store.signin_tables import credential, sign_in_source
from hub.store.tables import secret
from hub.store.unit_of_work import Store, UnitOfWork

_PEPPER = "access/pepper"


@dataclass(frozen=True, slots=True)
class Credential:
    """Is what one account is proved by; instants in epoch seconds.

    `renew` asks for a new password at the next sign-in. `totp_step` is the last step whose code was taken.
    """

    user_id: str
    revision: int = 0
    phc: str | None = attribute(default=None, repr=False)
    set_at: float = 0.0
    renew: bool = False
    history: tuple[str, ...] = attribute(default=(), repr=False)
    totp: bytes | None = attribute(default=None, repr=False)
    recovery: tuple[str, ...] = attribute(default=(), repr=False)
    failed: int = 0
    failed_at: float | None = None
    locked_until: float | None = None
    totp_step: int | None = None


_COUNTED = ("failed", "failed_at", "locked_until", "totp_step")
_OF = Prepared(sa.select(credential).where(credential.c.user_id == sa.bindparam("of")))
_OF_LOCKED = Prepared(sa.select(credential).where(credential.c.user_id == sa.bindparam("of")).with_for_update())


def load(conn: sa.Connection, ring: Keyring, user_id: str, *, lock: bool = False) -> Credential | None:
    """Returns what an account is proved by; `lock` keeps others from it until the transaction ends."""
    row = (_OF_LOCKED if lock else _OF).run(conn, {"of": user_id}).one_or_none()
    if row is None:
        return None
    kept: dict[str, Any] = ring.open_record("credential", user_id, None, row.revision, bytes(row.blob))
    return Credential(
        user_id,
        row.revision,
        kept["phc"],
        kept["set_at"],
        kept["renew"],
        tuple(kept["history"]),
        bytes.fromhex(kept["totp"]) if kept["totp"] else None,
        tuple(kept["recovery"]),
        *(getattr(row, name) for name in _COUNTED),
    )


def save(work: UnitOfWork, made: Credential) -> Credential:
    """Keeps what an account is proved by, under a new seal, and returns it. Whoever saves has loaded it with `lock`."""
    fresh = replace(made, revision=made.revision + 1)
    body = {
        "phc": fresh.phc,
        "set_at": fresh.set_at,
        "renew": fresh.renew,
        "history": list(fresh.history),
        "totp": fresh.totp.hex() if fresh.totp else None,
        "recovery": list(fresh.recovery),
    }
    values: dict[str, Any] = {name: getattr(fresh, name) for name in _COUNTED}
    values["revision"] = fresh.revision
    values["blob"] = work.ring.seal_record("credential", fresh.user_id, None, fresh.revision, body)
    if not work.conn.execute(credential.update().where(credential.c.user_id == fresh.user_id).values(values)).rowcount:
        work.conn.execute(credential.insert().values(user_id=fresh.user_id, **values))
    return fresh


def count(work: UnitOfWork, made: Credential) -> None:
    """Keeps how often an account failed and which code it used last, and nothing else."""
    values = {name: getattr(made, name) for name in _COUNTED}
    work.conn.execute(credential.update().where(credential.c.user_id == made.user_id).values(values))


def open_again(work: UnitOfWork, user_id: str) -> None:
    """Forgets the failures of an account, and that it was closed after them."""
    values = {"failed": 0, "failed_at": None, "locked_until": None}
    work.conn.execute(credential.update().where(credential.c.user_id == user_id).values(values))


def pepper(store: Store) -> bytes:
    """Returns the secret without which no digest of this installation can be made; the first use makes it."""
    with store.read() as conn:
        found = read_pepper(conn, store.ring)
    if found is not None:
        return found
    with store.begin() as work:
        blob = work.ring.seal_secret(_PEPPER, secret_bytes())
        work.conn.execute(_MAKE, {"name": _PEPPER, "blob": blob, "at": work.now})
        made = read_pepper(work.conn, work.ring)
    assert made is not None
    return made


# Two processes may come first at once; only one of them makes it.
_MAKE = sa.text("INSERT INTO secret (name, blob, stored_at) VALUES (:name, :blob, :at) ON CONFLICT (name) DO NOTHING")


def read_pepper(conn: sa.Connection, ring: Keyring) -> bytes | None:
    """Returns that secret, None while nothing was ever made with it."""
    blob = conn.execute(sa.select(secret.c.blob).where(secret.c.name == _PEPPER)).scalar_one_or_none()
    return None if blob is None else ring.open_secret(_PEPPER, bytes(blob))


# Who failed from where: a source is a keyed digest of an address, and forgotten after a while.

_SOURCE = Prepared(sa.select(sign_in_source).where(sign_in_source.c.source == sa.bindparam("of")))
_FAILED = sa.text(
    "INSERT INTO sign_in_source (source, failed, failed_at) VALUES (:source, 1, :at) "
    "ON CONFLICT (source) DO UPDATE SET failed_at = excluded.failed_at, failed = "
    "CASE WHEN sign_in_source.failed_at < :forgotten THEN 1 ELSE sign_in_source.failed + 1 END"
)


def source_failures(conn: sa.Connection, source: bytes) -> tuple[int, float]:
    """Returns how often a source failed in a row, and when it did last (epoch seconds)."""
    row = _SOURCE.run(conn, {"of": source}).one_or_none()
    return (0, 0.0) if row is None else (row.failed, row.failed_at)


def count_source(work: UnitOfWork, source: bytes, forget_after: float) -> None:
    """Notes that a source failed; sources that have been quiet for so many seconds are forgotten."""
    forgotten = work.now - forget_after
    work.conn.execute(_FAILED, {"source": source, "at": work.now, "forgotten": forgotten})
    work.conn.execute(sign_in_source.delete().where(sign_in_source.c.failed_at < forgotten))
