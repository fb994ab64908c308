"""API tokens: their secret is kept as a keyed digest that covers all that bounds the token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from hub.crypto.digests import Digester, compare
from hub.store.database import Prepared
from hub.store.signin_tables import api_token
from hub.store.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class ApiTokenRow:
    """Is one token; instants in epoch seconds. `only` None stands for all that its person may do."""

    token_id: str
    user_id: str
    name: str
    only: tuple[str, ...] | None
    branch: str | None
    networks: tuple[str, ...]
    made_at: float
    expires_at: float
    used_at: float | None = None
    revoked_at: float | None = None
    revoked_by: str | None = None
    ended: int = 0
    """1 once its end was audited."""

    def live(self, now: float) -> bool:
        return self.revoked_at is None and now < self.expires_at


_BY_ID = Prepared(sa.select(api_token).where(api_token.c.token_id == sa.bindparam("of")))


def find(conn: sa.Connection, pepper: bytes, token_id: str, secret: str) -> ApiTokenRow | None:
    """Returns a token by its two parts; None where they are not its own, or where its row was changed by SQL."""
    row = _BY_ID.run(conn, {"of": token_id}).one_or_none()
    found = _row(row) if row is not None else _NOBODY
    # Computed and compared for an unknown one as well: the time taken tells nothing.
    same = compare(_digest(pepper, found, secret), bytes(row.digest) if row is not None else bytes(32))
    return found if same and row is not None else None


def of_user(conn: sa.Connection, user_id: str | None) -> list[ApiTokenRow]:
    """Returns the tokens of a person, or of everybody, the newest first."""
    query = sa.select(api_token).order_by(api_token.c.made_at.desc())
    if user_id is not None:
        query = query.where(api_token.c.user_id == user_id)
    return [_row(row) for row in conn.execute(query)]


def get(conn: sa.Connection, token_id: str) -> ApiTokenRow | None:
    row = _BY_ID.run(conn, {"of": token_id}).one_or_none()
    return None if row is None else _row(row)


def put(work: UnitOfWork, pepper: bytes, made: ApiTokenRow, secret: str) -> None:
    work.conn.execute(
        api_token.insert().values(
            token_id=made.token_id,
            user_id=made.user_id,
            name=made.name,
            digest=_digest(pepper, made, secret),
            only=None if made.only is None else orjson.dumps(made.only).decode(),
            branch=made.branch,
            networks=orjson.dumps(made.networks).decode(),
            made_at=made.made_at,
            expires_at=made.expires_at,
        )
    )


def note_use(work: UnitOfWork, token_id: str) -> bool:
    """Notes that a token was used now; tells whether it was the first time."""
    first = sa.and_(api_token.c.token_id == token_id, api_token.c.used_at.is_(None))
    if work.conn.execute(api_token.update().where(first).values(used_at=work.now)).rowcount:
        return True
    work.conn.execute(api_token.update().where(api_token.c.token_id == token_id).values(used_at=work.now))
    return False


def note_end(work: UnitOfWork, token_id: str) -> bool:
    """Notes that the end of a token was seen; tells whether it was the first time."""
    here = sa.and_(api_token.c.token_id == token_id, api_token.c.ended == 0)
    return work.conn.execute(api_token.update().where(here).values(ended=1)).rowcount == 1


def revoke(work: UnitOfWork, token_id: str, by: str) -> bool:
    """Ends a token; False where it was ended before."""
    here = sa.and_(api_token.c.token_id == token_id, api_token.c.revoked_at.is_(None))
    done = api_token.update().where(here).values(revoked_at=work.now, revoked_by=by, ended=1)
    return work.conn.execute(done).rowcount == 1


_NOBODY = ApiTokenRow("", "", "", None, None, (), 0.0, 0.0)


def _row(row: Any) -> ApiTokenRow:
    return ApiTokenRow(
        row.token_id,
        row.user_id,
        row.name,
        None if row.only is None else tuple(orjson.loads(row.only)),
        row.branch,
        tuple(orjson.loads(row.networks)),
        row.made_at,
        row.expires_at,
        row.used_at,
        row.revoked_at,
        row.revoked_by,
        row.ended,
    )


def _digest(pepper: bytes, row: ApiTokenRow, secret: str) -> bytes:
    bounds = orjson.dumps([row.user_id, row.only, row.branch, row.networks, row.made_at, row.expires_at])
    return Digester(pepper).digest(b"csh1/token", row.token_id.encode(), secret.encode(), bounds)
