"""People as an identity provider knows them, and sign-ins there that are under way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import sqlalchemy as sa

from hub.crypto.digests import Digester, compare
from hub.keys.keyring import Keyring
from hub.store.signin_tables import oidc_flow, oidc_identity
from hub.store.tables import secret
from hub.store.unit_of_work import UnitOfWork

MOST_FLOWS = 2000
_GROUPS = "access/oidc_groups"


def keep_flow(work: UnitOfWork, state: str, expires_at: float, body: Mapping[str, Any]) -> bool:
    """Notes a sign-in that a browser was sent away for, by the digest of its state; late ones are forgotten.

    False where too many are under way: nobody needs to be known to begin one.
    """
    work.conn.execute(oidc_flow.delete().where(oidc_flow.c.expires_at < work.now))
    if work.conn.execute(sa.select(sa.func.count()).select_from(oidc_flow)).scalar_one() >= MOST_FLOWS:
        return False
    blob = work.ring.seal_record("oidc_flow", state, None, 0, body)
    work.conn.execute(oidc_flow.insert().values(state=state, expires_at=expires_at, blob=blob))
    return True


def take_flow(work: UnitOfWork, state: str) -> dict[str, Any] | None:
    """Returns a sign-in that is under way and forgets it: whatever comes of it, it is used once."""
    row = work.conn.execute(sa.select(oidc_flow).where(oidc_flow.c.state == state).with_for_update()).one_or_none()
    if row is None or not work.conn.execute(oidc_flow.delete().where(oidc_flow.c.state == state)).rowcount:
        return None
    if row.expires_at < work.now:
        return None
    return work.ring.open_record("oidc_flow", state, None, 0, bytes(row.blob))


def user_of(conn: sa.Connection, pepper: bytes, issuer: str, subject: str) -> str | None:
    """Returns the id of the person whom a provider's subject is linked to; a link made by SQL counts for nothing."""
    key = _key(pepper, issuer, subject)
    row = conn.execute(sa.select(oidc_identity).where(oidc_identity.c.identity == key)).one_or_none()
    if row is None or not compare(bytes(row.seal), _seal(pepper, key, row.user_id)):
        return None
    found: str = row.user_id
    return found


def link(work: UnitOfWork, pepper: bytes, issuer: str, subject: str, user_id: str, by: str) -> list[str]:
    """Links a provider's subject to a person, and to no other; returns the ids of whose other link went with it."""
    key = _key(pepper, issuer, subject)
    taken = sa.or_(oidc_identity.c.user_id == user_id, oidc_identity.c.identity == key)
    before = work.conn.execute(sa.select(oidc_identity.c.user_id, oidc_identity.c.identity).where(taken)).all()
    work.conn.execute(oidc_identity.delete().where(taken))
    values = {"identity": key, "user_id": user_id, "linked_at": work.now, "linked_by": by}
    work.conn.execute(oidc_identity.insert().values(**values, seal=_seal(pepper, key, user_id)))
    return [row.user_id for row in before if (row.user_id, bytes(row.identity)) != (user_id, key)]


def unlink(work: UnitOfWork, user_id: str) -> bool:
    return work.conn.execute(oidc_identity.delete().where(oidc_identity.c.user_id == user_id)).rowcount > 0


def approved_groups(conn: sa.Connection, ring: Keyring) -> str | None:
    """Returns the digest of the table of groups that a security administrator approved last."""
    blob = conn.execute(sa.select(secret.c.blob).where(secret.c.name == _GROUPS)).scalar_one_or_none()
    return None if blob is None else str(orjson.loads(ring.open_secret(_GROUPS, bytes(blob)))["digest"])


def approve_groups(work: UnitOfWork, digest: str) -> None:
    work.conn.execute(secret.delete().where(secret.c.name == _GROUPS))
    blob = work.ring.seal_secret(_GROUPS, orjson.dumps({"digest": digest}))
    work.conn.execute(secret.insert().values(name=_GROUPS, blob=blob, stored_at=work.now))


def _key(pepper: bytes, issuer: str, subject: str) -> bytes:
    return Digester(pepper).digest(b"csh1/oidc", issuer.encode(), subject.encode())


def _seal(pepper: bytes, key: bytes, user_id: str) -> bytes:
    return Digester(pepper).digest(b"csh1/oidc/link", key, user_id.encode())
