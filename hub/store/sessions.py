"""Who is signed in. Only the SHA-256 of a session's token is kept, and what a session may do is sealed with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from dataclasses import field as attribute
from typing import Any

import sqlalchemy as sa

from hub.crypto.errors import EnvelopeBroken
from hub.keys.keyring import Keyring
from hub.store.database import Prepared
from hub.store.signin_tables import session
from hub.store.unit_of_work import UnitOfWork
from hub.store.users import Grant

TOTP, RENEW, ENROL, FULL = "totp", "renew", "enrol", "full"
"""How far a sign-in has come: a code is awaited, a new password, a second factor, or nothing more."""


@dataclass(frozen=True, slots=True)
class Session:
    """Is one sign-in; instants in epoch seconds. `proved_at` is when its person last proved to be there.

    `user_revision` is that of the person's rows: whatever changes them, a role or the state, ends the session. `grants`
    are roles that an identity provider's groups give for as long as the session lasts. `pending` is a second factor
    that is being enrolled.
    """

    session_ref: str
    user_id: str
    stage: str
    auth: str
    begun_at: float
    seen_at: float
    proved_at: float
    user_revision: int
    tries: int = 0
    ip: str | None = None
    agent: str | None = None
    grants: tuple[Grant, ...] = ()
    pending: str | None = attribute(default=None, repr=False)
    revision: int = 0
    digest: bytes = attribute(default=b"", repr=False)


_OUTSIDE = ("session_ref", "user_id", "begun_at", "seen_at", "revision", "digest", "grants")
_BY_DIGEST = Prepared(sa.select(session).where(session.c.digest == sa.bindparam("of")))
_BY_DIGEST_LOCKED = Prepared(sa.select(session).where(session.c.digest == sa.bindparam("of")).with_for_update())


def find(conn: sa.Connection, ring: Keyring, digest: bytes, *, lock: bool = False) -> Session | None:
    """Returns the session of a token by its digest; None where there is none, or where its row was made by SQL."""
    row = (_BY_DIGEST_LOCKED if lock else _BY_DIGEST).run(conn, {"of": digest}).one_or_none()
    return None if row is None else _opened(ring, row)


def of_user(conn: sa.Connection, ring: Keyring, user_id: str) -> list[Session]:
    """Returns the sessions of a person, the oldest first."""
    rows = conn.execute(sa.select(session).where(session.c.user_id == user_id).order_by(session.c.begun_at))
    return [found for row in rows if (found := _opened(ring, row)) is not None]


def begin(work: UnitOfWork, made: Session) -> None:
    values = {name: getattr(made, name) for name in ("session_ref", "user_id", "begun_at", "seen_at", "digest")}
    work.conn.execute(session.insert().values(**values, revision=0, blob=_sealed(work.ring, replace(made, revision=0))))


def change(work: UnitOfWork, known: Session, fresh: Session) -> bool:
    """Keeps what became of a session, perhaps under another token; False where it changed or ended meanwhile."""
    made = replace(fresh, revision=known.revision + 1)
    here = sa.and_(session.c.digest == known.digest, session.c.revision == known.revision)
    values = {
        "digest": made.digest,
        "seen_at": made.seen_at,
        "revision": made.revision,
        "blob": _sealed(work.ring, made),
    }
    return work.conn.execute(session.update().where(here).values(**values)).rowcount == 1


def touch(work: UnitOfWork, digest: bytes) -> None:
    """Notes that a session was used now."""
    work.conn.execute(session.update().where(session.c.digest == digest).values(seen_at=work.now))


def end(work: UnitOfWork, refs: Sequence[str]) -> None:
    if refs:
        work.conn.execute(session.delete().where(session.c.session_ref.in_(refs)))


def forgotten(conn: sa.Connection, seen_before: float, begun_before: float, limit: int = 100) -> list[str]:
    """Returns references of sessions that nobody can use any more."""
    late = sa.or_(session.c.seen_at < seen_before, session.c.begun_at < begun_before)
    query = sa.select(session.c.session_ref).where(late).order_by(session.c.seen_at).limit(limit)
    return list(conn.execute(query).scalars())


def _sealed(ring: Keyring, made: Session) -> bytes:
    body = {name: value for name, value in asdict(made).items() if name not in _OUTSIDE}
    # The digest and the owner stand inside as well: a row whose columns were changed by SQL is no session.
    body |= {"digest": made.digest.hex(), "user_id": made.user_id, "begun_at": made.begun_at}
    body["grants"] = [[getattr(grant, name) for name in Grant.__slots__] for grant in made.grants]
    return ring.seal_record("session", made.session_ref, None, made.revision, body)


def _opened(ring: Keyring, row: Any) -> Session | None:
    try:
        body = ring.open_record("session", row.session_ref, None, row.revision, bytes(row.blob))
    except EnvelopeBroken:
        return None
    own = (body.pop("digest"), body.pop("user_id"), body.pop("begun_at"))
    if own != (bytes(row.digest).hex(), row.user_id, row.begun_at):
        return None
    grants = tuple(Grant(*values) for values in body.pop("grants"))
    return Session(
        row.session_ref,
        row.user_id,
        begun_at=row.begun_at,
        seen_at=row.seen_at,
        grants=grants,
        revision=row.revision,
        digest=bytes(row.digest),
        **body,
    )
