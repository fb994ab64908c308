"""People and what was granted to them. One seal a person covers the person's row and every grant of it.

Whoever changes these tables by SQL cannot make the seal: `load` opens it, compares it with the rows, and reports what
differs; such a person may do nothing until the security administrator has put it right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from typing import Any

import sqlalchemy as sa

from hub.crypto.digests import compare
from hub.crypto.errors import EnvelopeBroken
from hub.kernel.errors import Declined, NotFound
from hub.keys.keyring import Keyring
from hub.store.access_tables import user_role, users
from hub.store.tables import meta
from hub.store.unit_of_work import UnitOfWork

DISABLED, ACTIVE, LOCKED = "disabled", "active", "locked"
STANDING, BREAK_GLASS = "standing", "break_glass"
SET_UP = "users_set_up_at"
BOOTSTRAP = "bootstrap"
"""Grants the first three roles; nobody can sign in as it."""
_GRANTED = ("user_id", "role", "scope", "kind", "expires_at", "granted_by", "granted_at", "approval_id")
_GRANT = (*_GRANTED, "revoked_at", "revoked_by")
_SEALED_AS = "users"
_PERSON = ("login", "display_name", "staff_no", "branch_path", "state", "created_at", "created_by")


@dataclass(frozen=True, slots=True)
class Grant:
    """Is one role given to one person over one branch and all below it; instants in epoch seconds."""

    grant_id: str
    user_id: str
    role: str
    scope: str
    kind: str
    expires_at: float | None
    granted_by: str
    granted_at: float
    approval_id: str | None = None
    revoked_at: float | None = None
    revoked_by: str | None = None

    def live(self, now: float) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class User:
    """Is one person; `broken` says what of the rows does not agree with the seal, empty while all is well."""

    user_id: str
    login: str
    display_name: str
    staff_no: str | None
    branch_path: str
    state: str
    created_at: float
    created_by: str
    revision: int = 0
    grants: tuple[Grant, ...] = ()
    broken: tuple[str, ...] = ()
    _code: tuple[str, float] | None = attribute(default=None, repr=False)
    """The keyed digest of the one-time code, and until when it may be used."""


def load(conn: sa.Connection, ring: Keyring, user_ids: Iterable[str] | None = None) -> dict[str, User]:
    """Returns people by id, all of them or those named, each checked against its seal."""
    people, grants = sa.select(users).order_by(users.c.login), sa.select(user_role).order_by(user_role.c.grant_id)
    if user_ids is not None:
        named = list(user_ids)
        people, grants = people.where(users.c.user_id.in_(named)), grants.where(user_role.c.user_id.in_(named))
    of: dict[str, list[Grant]] = {}
    for row in conn.execute(grants):
        of.setdefault(row.user_id, []).append(Grant(row.grant_id, *(getattr(row, name) for name in _GRANT)))
    return {row.user_id: _checked(ring, row, tuple(of.get(row.user_id, ()))) for row in conn.execute(people)}


def by_login(conn: sa.Connection, ring: Keyring, login: str) -> User | None:
    """Returns the person who signs in by a name, whatever its case."""
    here = sa.select(users.c.user_id).where(users.c.login == login.strip().lower())
    user_id = conn.execute(here).scalar_one_or_none()
    return None if user_id is None else load(conn, ring, [user_id])[user_id]


def get(conn: sa.Connection, ring: Keyring, login: str) -> User:
    """Returns the person who signs in by a name. Raises NotFound."""
    found = by_login(conn, ring, login)
    if found is None:
        raise NotFound(
            f"there is no user {login}; see `crmhub user list`", f"没有用户 {login}；请查看 `crmhub user list`"
        )
    return found


def set_up(conn: sa.Connection) -> bool:
    """Tells whether users were ever set up here."""
    noted = conn.execute(sa.select(meta.c.key).where(meta.c.key == SET_UP)).scalar_one_or_none()
    return noted is not None or conn.execute(sa.select(users.c.user_id).limit(1)).scalar_one_or_none() is not None


def note_set_up(work: UnitOfWork) -> None:
    """Ends the time in which the account of the machine may act, for good. Raises Declined where it ended before."""
    if set_up(work.conn):
        raise Declined(
            "users are set up already; new ones are made by the system administrator: `crmhub user create`",
            "用户已启用；新增用户由系统管理员执行 `crmhub user create`",
        )
    work.conn.execute(meta.insert().values(key=SET_UP, value=str(work.now)))


def _checked(ring: Keyring, row: Any, grants: tuple[Grant, ...]) -> User:
    values: dict[str, Any] = {name: getattr(row, name) for name in _PERSON}
    person = User(row.user_id, **values, revision=row.revision, grants=grants)
    try:
        sealed = ring.open_record(_SEALED_AS, row.user_id, None, row.revision, bytes(row.seal))
    except EnvelopeBroken:
        return replace(person, broken=("seal",))
    broken = [name for name in _PERSON if sealed["person"][name] != getattr(person, name)]
    known: Mapping[str, list[Any]] = sealed["grants"]
    broken += [f"grant {g.grant_id}" for g in grants if known.get(g.grant_id) != _values(g)]
    broken += [f"grant {grant_id}" for grant_id in known.keys() - {g.grant_id for g in grants}]
    code = sealed.get("code")
    return replace(person, broken=tuple(broken), _code=None if code is None else (code[0], code[1]))


def _values(grant: Grant) -> list[Any]:
    return [getattr(grant, name) for name in _GRANT]


def save(work: UnitOfWork, person: User) -> User:
    """Writes a person and all of its grants under a new seal. Raises Declined where somebody else changed it since."""
    if person.broken:
        raise Declined(
            f"the rows of user {person.login} do not agree with their seal; put that right first",
            f"用户 {person.login} 的数据与封印不符；请先处理",
        )
    made = replace(person, revision=person.revision + 1)
    body = {
        "person": {name: getattr(made, name) for name in _PERSON},
        "grants": {grant.grant_id: _values(grant) for grant in made.grants},
        "code": list(made._code) if made._code else None,
    }
    values = {
        **{name: getattr(made, name) for name in _PERSON},
        "revision": made.revision,
        "seal": work.ring.seal_record(_SEALED_AS, made.user_id, None, made.revision, body),
    }
    if person.revision == 0:
        work.conn.execute(users.insert().values(user_id=made.user_id, **values))
    else:
        here = sa.and_(users.c.user_id == made.user_id, users.c.revision == person.revision)
        if work.conn.execute(users.update().where(here).values(**values)).rowcount != 1:
            raise Declined(
                f"user {person.login} was changed meanwhile; look and try again",
                f"用户 {person.login} 刚被修改；请查看后重试",
            )
    _save_grants(work, made)
    return made


def _save_grants(work: UnitOfWork, person: User) -> None:
    known = set(
        work.conn.execute(sa.select(user_role.c.grant_id).where(user_role.c.user_id == person.user_id)).scalars()
    )
    # What ends goes first: the database admits one administrator's role a person at any moment.
    for grant in sorted(person.grants, key=lambda g: g.revoked_at is None):
        values = dict(zip(_GRANT, _values(grant), strict=True))
        if grant.grant_id in known:
            work.conn.execute(user_role.update().where(user_role.c.grant_id == grant.grant_id).values(**values))
        else:
            work.conn.execute(user_role.insert().values(grant_id=grant.grant_id, **values))


def restore(work: UnitOfWork, user_id: str) -> User:
    """Puts the rows of a person back to what their seal says, and drops grants that it does not name.

    Raises Declined where the seal itself does not open: then nobody knows what was true, and the account is given up.
    """
    row = work.conn.execute(sa.select(users).where(users.c.user_id == user_id)).one()
    try:
        sealed = work.ring.open_record(_SEALED_AS, user_id, None, row.revision, bytes(row.seal))
    except EnvelopeBroken:
        raise Declined(
            f"the seal of user {row.login} does not open, so nobody knows what was true; make a new account",
            f"用户 {row.login} 的封印无法打开，无法得知原值；请新建账号",
            code="HUB-ACCESS-004",
        ) from None
    grants = tuple(Grant(grant_id, *values) for grant_id, values in sealed["grants"].items())
    # A grant of this person may stand under another one by now.
    mine = sa.or_(user_role.c.user_id == user_id, user_role.c.grant_id.in_([grant.grant_id for grant in grants]))
    work.conn.execute(user_role.delete().where(mine))
    work.conn.execute(users.update().where(users.c.user_id == user_id).values(**sealed["person"]))
    code = sealed["code"]
    made = User(user_id, **sealed["person"], revision=row.revision, grants=grants, _code=code and (code[0], code[1]))
    return save(work, made)


def set_state(work: UnitOfWork, person: User, state: str) -> User:
    """Disables, activates or locks a person."""
    return save(work, replace(person, state=state))


def give_code(work: UnitOfWork, person: User, code: str, until: float) -> User:
    """Lets a person use a code once, until an instant (epoch seconds), in place of a password."""
    return save(work, replace(person, _code=(_digest(work.ring, person, code), until)))


def redeem_code(work: UnitOfWork, person: User, code: str) -> User | None:
    """Takes a one-time code; None where it is not the one, was used or is too late. It never works twice."""
    digest = _digest(work.ring, person, code)
    kept, until = person._code or ("", 0.0)
    if person.broken or not compare(kept.encode(), digest.encode()) or work.now >= until:
        return None
    return save(work, replace(person, _code=None))


def _digest(ring: Keyring, person: User, code: str) -> str:
    return ring.digest(b"user/code", person.user_id.encode(), code.encode()).hex()
